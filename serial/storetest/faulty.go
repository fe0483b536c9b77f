package storetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-574216e4/meterai/serial"
)

// Fault is what a [Faulty] store does to one call of Update. View and Scan know no outcome in doubt: they fail with any
// fault but NoFault and Repeated.
type Fault uint8

// The faults. Their errors are [ErrFault]; those of Lost and Persisted are [serial.ErrUnknownOutcome] as well.
const (
	NoFault     Fault = iota
	Unreachable       // fails before anything is decided
	Refused           // decides, and changes nothing
	Lost              // decides, changes nothing, and does not know
	Persisted         // decides, changes all, and does not know; also if there was nothing to change
	Repeated          // decides twice, each on a snapshot of its own, and keeps the second; once, if the first is an error
)

// ErrFault is the error of an injected fault.
var ErrFault = errors.New("injected fault")

// Faulty is a [serial.Store] whose calls fail as a test says: for each write, "fails" and "fails but persisted".
type Faulty struct {
	serial.Store
	// Next says what happens to a call of the method "Update", "View" or "Scan". It may be called concurrently, and may
	// wait, to make the store slow; nil is never a fault.
	Next func(method string) Fault
}

func (f *Faulty) next(method string) Fault {
	if f.Next == nil {
		return NoFault
	}
	return f.Next(method)
}

// Update implements [serial.Store].
func (f *Faulty) Update(ctx context.Context, q *serial.Query, decide func(*serial.Snapshot) (*serial.Batch, error)) error {
	fault := f.next("Update")
	if fault == Unreachable {
		return ErrFault
	}
	if fault == Refused || fault == Lost || fault == Repeated {
		err := f.Store.Update(ctx, q, func(s *serial.Snapshot) (*serial.Batch, error) {
			if _, err := decide(s); err != nil {
				return nil, err
			}
			return nil, ErrFault // which rolls back
		})
		switch {
		case !errors.Is(err, ErrFault) || fault == Refused:
			return err
		case fault == Lost:
			return unknown()
		}
	}
	if err := f.Store.Update(ctx, q, decide); err != nil || fault != Persisted {
		return err
	}
	return unknown()
}

func unknown() error { return fmt.Errorf("%w: %w", serial.ErrUnknownOutcome, ErrFault) }

// View implements [serial.Store].
func (f *Faulty) View(ctx context.Context, q *serial.Query) (*serial.Snapshot, error) {
	if fault := f.next("View"); fault != NoFault && fault != Repeated {
		return nil, ErrFault
	}
	return f.Store.View(ctx, q)
}

// Scan implements [serial.Store].
func (f *Faulty) Scan(ctx context.Context, read func(serial.Reader) error) error {
	if fault := f.next("Scan"); fault != NoFault && fault != Repeated {
		return ErrFault
	}
	return f.Store.Scan(ctx, read)
}
