//go:build !(unix && cgo)

package plant

import (
	"context"
	"errors"
	"io"
)

// WorkerCommand is the first argument with which the program runs as an issuing process.
const WorkerCommand = "issuer-process"

var errNoCluster = errors.New("this program was built without cgo, or for a system without signals: only --embedded works")

// Missing says that a cluster cannot be built.
func Missing() error { return errNoCluster }

// Worker needs cgo for the tokens.
func Worker(context.Context, io.Reader) error { return errNoCluster }

// NewCluster needs cgo for the tokens.
func NewCluster(context.Context, Options) (*Embedded, error) { return nil, errNoCluster }
