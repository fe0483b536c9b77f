package tsa

import (
	"context"
	"crypto"
	"fmt"
	"log/slog"
)

// Failover is a [Timestamper] that asks its members in order until one gives a
// token; each is asked at most once. The error is a *[FailoverError] unless there
// is one member. An empty one refuses.
type Failover []Timestamper

// Timestamp asks the members in order.
func (f Failover) Timestamp(ctx context.Context, hash crypto.Hash, digest []byte) (*Token, error) {
	tries := make([]func() (*Token, error), len(f))
	for i, ts := range f {
		tries[i] = func() (*Token, error) { return ts.Timestamp(ctx, hash, digest) }
	}
	return failover(ctx, nil, tries)
}

// MaxSize is the largest room that a member needs.
func (f Failover) MaxSize() int {
	size := 0
	for _, ts := range f {
		size = max(size, MaxSize(ts))
	}
	return size
}

// failover makes the tries in order. It stops early only when the caller's ctx is
// done: nobody would take the token.
func failover(ctx context.Context, log *slog.Logger, tries []func() (*Token, error)) (*Token, error) {
	var errs []error
	for i, try := range tries {
		t, err := try()
		if err == nil {
			return t, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
		if log != nil && i+1 < len(tries) {
			log.WarnContext(ctx, "timestamp authority failed, asking the next", "error", err)
		}
	}
	switch len(errs) {
	case 0:
		return nil, fmt.Errorf("%w: no authority is configured", ErrRefused)
	case 1:
		if len(tries) == 1 {
			return nil, errs[0]
		}
	}
	return nil, &FailoverError{Errs: errs}
}
