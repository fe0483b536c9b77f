package remote

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrUnavailable says that no endpoint could answer; the same may succeed later.
	ErrUnavailable = errors.New("remote: no endpoint available")
	// ErrRefused is for endpoints: an error that is ErrRefused says that the service
	// refuses this request, or the key, for good. It is not tried again.
	ErrRefused = errors.New("remote: refused by the service")
	// ErrSignature says that an endpoint gave a signature that does not verify. The
	// same error is [ErrUnavailable]: another try may bring a good one.
	ErrSignature = errors.New("remote: wrong signature")
	// ErrClosed says that the signer was closed.
	ErrClosed = errors.New("remote: closed")
)

// Error says which endpoint failed. It is [ErrUnavailable] unless it is [ErrRefused]
// or the end of the caller's context.
type Error struct {
	Endpoint string
	Err      error // cause, never nil
	passing  bool
}

func (e *Error) Error() string { return fmt.Sprintf("remote: endpoint %q: %v", e.Endpoint, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is true for ErrUnavailable when another try may succeed.
func (e *Error) Is(target error) bool { return target == ErrUnavailable && e.passing }

// BusyError is for endpoints: the service says that it gets too many operations.
type BusyError struct {
	After time.Duration // how long to leave it alone, zero: it did not say; at most 30 seconds count
	Err   error         // cause, may be nil
}

func (e *BusyError) Error() string {
	if e.Err == nil {
		return "the service is busy"
	}
	return "the service is busy: " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *BusyError) Unwrap() error { return e.Err }
