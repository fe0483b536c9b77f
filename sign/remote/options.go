package remote

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// ContextSigner is a crypto.Signer whose signatures end with a context, as
// *pkcs11.Signer and *Signer are.
type ContextSigner interface {
	crypto.Signer
	// SignContext signs a digest, or a message with Ed25519, and gives up when ctx
	// ends.
	SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error)
}

// An Endpoint is one way to the key.
type Endpoint struct {
	// Name is for logs, errors and figures; it must not be empty and is there once.
	Name string
	// Signer does the signing. A [ContextSigner] gets a context that ends with the
	// try. It must be safe for concurrent use, and Public must answer at once.
	Signer crypto.Signer
	// InFlight is how many operations it may have at a time. Zero: 32.
	InFlight int
}

// Options are those of a signer. Nil and the zero value are safe defaults.
type Options struct {
	// Public is the key that all endpoints must have, that of the certificate. Nil:
	// that of the first endpoint.
	Public crypto.PublicKey
	// Timeout is how long one try may take, from the moment it has its place at an
	// endpoint. Zero: 10 seconds.
	Timeout time.Duration
	// Tries is how often one operation is tried in all. Zero: 4.
	Tries int
	// RetryShare is how many retries each operation adds to the budget. Zero: 0.2;
	// negative: none, so that only RetryBurst is left.
	RetryShare float64
	// RetryBurst is how many retries the budget holds at most, and at the start.
	// Zero: twice the operations that all endpoints may have at a time, so that the
	// loss of one fails none of them; negative: none.
	RetryBurst int
	// MaxStuck is how many stuck calls put an endpoint out of service until one of
	// them returns. Zero: half of its InFlight, at least one.
	MaxStuck int
	// Patience is how long a caller waits for the next probe when all endpoints
	// rest. Zero: 1 second; negative: not at all.
	Patience time.Duration
	// Logger gets what a person should see: endpoints that rest, are in service
	// again, give wrong signatures or do not return. It must not call into the
	// signer. Nil: nothing is logged.
	Logger *slog.Logger
}

func (o *Options) withDefaults(inFlight int) (Options, error) {
	var out Options
	if o != nil {
		out = *o
	}
	if out.Timeout < 0 || out.Tries < 0 || out.MaxStuck < 0 || out.RetryShare > 1 || out.RetryShare != out.RetryShare {
		return out, errors.New("remote: options out of range")
	}
	if out.Timeout == 0 {
		out.Timeout = 10 * time.Second
	}
	if out.Tries == 0 {
		out.Tries = 4
	}
	if out.RetryShare == 0 {
		out.RetryShare = 0.2
	}
	if out.RetryBurst == 0 {
		out.RetryBurst = 2 * inFlight
	}
	if out.Patience == 0 {
		out.Patience = time.Second
	}
	out.RetryShare, out.RetryBurst, out.Patience = max(out.RetryShare, 0), max(out.RetryBurst, 0), max(out.Patience, 0)
	if out.Logger == nil {
		out.Logger = slog.New(slog.DiscardHandler)
	}
	return out, nil
}

// validate refuses endpoints that are none, and gives the key of all and how many
// operations they may have at a time.
func validate(endpoints []Endpoint, public crypto.PublicKey) (crypto.PublicKey, int, error) {
	if len(endpoints) == 0 {
		return nil, 0, errors.New("remote: a signer needs an endpoint")
	}
	inFlight := 0
	for i, e := range endpoints {
		if e.Name == "" || e.Signer == nil || e.InFlight < 0 {
			return nil, 0, errors.New("remote: an endpoint needs a name and a signer")
		}
		for _, other := range endpoints[:i] {
			if other.Name == e.Name {
				return nil, 0, fmt.Errorf("remote: endpoint %q is named twice", e.Name)
			}
		}
		if public == nil {
			public = e.Signer.Public()
		}
		k, ok := public.(interface{ Equal(crypto.PublicKey) bool })
		if !ok || !k.Equal(e.Signer.Public()) {
			return nil, 0, fmt.Errorf("remote: endpoint %q has another public key", e.Name)
		}
		inFlight += e.inFlight()
	}
	return public, inFlight, supported(public)
}

func (e *Endpoint) inFlight() int {
	if e.InFlight == 0 {
		return 32
	}
	return e.InFlight
}
