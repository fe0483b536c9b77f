package serial

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"
)

// SweepOptions says when a reservation that nobody finishes is given up. A nil pointer is all zero values. The times are
// measured by the ledger's clock, in the transaction that gives up: never early.
type SweepOptions struct {
	// Hold is how long a unit may be RESERVED before it is released; 0 is 48 hours, below 0 is for ever.
	Hold time.Duration
	// Void is how long a reservation may be SIGNING without an output in the sink before its serial is void; 0 is 48 hours,
	// below 0 is for ever. A ledger without a sink cannot know of outputs: there 0 is for ever.
	Void time.Duration
}

// defaultHold is as long as a failed stamping may be tried again before its unit goes back.
const defaultHold = 48 * time.Hour

// Swept counts what a [Ledger.Sweep] did.
type Swept struct {
	Stamped  int64 `json:"stamped"`  // SIGNING, its output was in the sink
	Released int64 `json:"released"` // RESERVED for too long
	Void     int64 `json:"void"`     // SIGNING for too long without an output
	Waiting  int64 `json:"waiting"`  // not final yet, not old enough, or under way in this ledger
	Failed   int64 `json:"failed"`   // could not be dealt with: see the error
}

// Sweep brings to an end what nobody finishes: it releases reservations that were RESERVED for too long, books the
// finished outputs of SIGNING ones, and makes void those that have none for too long. A Redeem under way in this ledger
// is left alone; one in another ledger that comes later than its serial was made void is refused, and its output is an
// orphan. Several processes may sweep at a time.
//
// A reservation that cannot be dealt with does not keep the others from it; the error joins the first few. Memory grows
// with the number of reservations that are not final, by at most 40 bytes each.
func (l *Ledger) Sweep(ctx context.Context, opt *SweepOptions) (Swept, error) {
	if l.queue.isClosed() {
		return Swept{}, fmt.Errorf("sweep: %w", ErrClosed)
	}
	s := &sweeping{ledger: l, hold: defaultHold, void: defaultHold}
	if l.opt.Sink == nil {
		s.void = -1
	}
	if opt != nil && opt.Hold != 0 {
		s.hold = opt.Hold
	}
	if opt != nil && opt.Void != 0 {
		s.void = opt.Void
	}
	var open []Number
	for r, err := range l.Unresolved(ctx) {
		if err != nil {
			return s.swept, fmt.Errorf("sweep: %w", err)
		}
		open = append(open, r.Number)
	}
	s.all(ctx, open)
	if len(s.errs) > 0 {
		return s.swept, fmt.Errorf("sweep: %w", errors.Join(s.errs...))
	}
	return s.swept, nil
}

// SweepEvery sweeps at once and then at that interval, at least a second, until ctx ends, whose error it returns, or the
// ledger is closed, which is [ErrClosed]. What a sweep could not do is logged and tried again by the next.
func (l *Ledger) SweepEvery(ctx context.Context, interval time.Duration, opt *SweepOptions) error {
	tick := time.NewTicker(max(interval, time.Second))
	defer tick.Stop()
	for {
		swept, err := l.Sweep(ctx, opt)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrClosed):
			return err
		case err != nil:
			l.opt.Logger.Error("sweep of the ledger incomplete", "failed", swept.Failed, "error", err)
		case swept != Swept{Waiting: swept.Waiting}:
			l.opt.Logger.Info("ledger swept", "stamped", swept.Stamped, "released", swept.Released, "void", swept.Void, "waiting", swept.Waiting)
		}
		select {
		case <-tick.C:
		case <-l.queue.ended:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sweeping is one pass.
type sweeping struct {
	ledger     *Ledger
	hold, void time.Duration

	mu    sync.Mutex // guards the rest
	swept Swept
	errs  []error
}

const (
	sweepers    = 64 // at a time, so that they share transactions
	sweepErrors = 5  // that are told
)

func (s *sweeping) all(ctx context.Context, open []Number) {
	work := make(chan Number)
	var wg sync.WaitGroup
	for range min(sweepers, len(open)) {
		wg.Go(func() {
			for n := range work {
				s.note(s.one(ctx, n))
			}
		})
	}
	for _, n := range open {
		work <- n
	}
	close(work)
	wg.Wait()
}

// note counts what became of a reservation: the state that the sweep led it to, 0 if it was left as it is.
func (s *sweeping) note(to State, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		s.swept.Failed++
		if len(s.errs) < sweepErrors {
			s.errs = append(s.errs, err)
		} else if errors.Is(err, ErrClosed) {
			s.errs[0] = err // which the caller must see
		}
	case to == Stamped:
		s.swept.Stamped++
	case to == Released:
		s.swept.Released++
	case to == Void:
		s.swept.Void++
	default:
		s.swept.Waiting++
	}
}

func (s *sweeping) one(ctx context.Context, n Number) (State, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	r, err := s.ledger.Lookup(ctx, n)
	if err != nil || r.State.Final() {
		return 0, err
	}
	f, first := s.ledger.flight.join(r.scope(), &r.Request)
	if !first {
		return 0, nil
	}
	defer s.ledger.flight.land(r.scope(), f)
	f.err = context.Canceled // a Redeem that waits for this begins anew
	// Again: a Redeem may have finished it before this had its place.
	if r, err = s.ledger.Lookup(ctx, n); err != nil || r.State.Final() {
		return 0, err
	}
	if r.State == Reserved {
		if s.hold < 0 {
			return 0, nil
		}
		return s.giveUp(ctx, n, Released, s.hold)
	}
	if s.ledger.opt.Sink != nil {
		out, err := s.ledger.kept(ctx, &begun{Reservation: r})
		if err == nil {
			_, err = s.ledger.Stamped(ctx, n, out)
			return Stamped, err
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
	}
	if s.void < 0 {
		return 0, nil
	}
	return s.giveUp(ctx, n, Void, s.void)
}

// giveUp returns the unit if the reservation is still in the state before and old enough.
func (s *sweeping) giveUp(ctx context.Context, n Number, to State, after time.Duration) (done State, err error) {
	r, err := s.ledger.step(ctx, n, func(d *draft) (Reservation, error) {
		r, old, err := d.waited(n, to, after)
		if err != nil || !old {
			done = 0
			return r, err
		}
		done = to
		return d.giveBack(n, to, "expired after "+after.String())
	})
	if err != nil || r.State != to {
		return 0, err // after an error the writer may still be at it: done is not to be read
	}
	return done, nil
}

// waited reports whether a reservation that could become released or void has waited for at least that long. One that was
// RESERVED by a clock that was ahead, which a fence has set right since, is old enough: how long it has waited is not
// known, and nothing was signed.
func (d *draft) waited(n Number, to State, after time.Duration) (r Reservation, old bool, err error) {
	if r, err = d.reservation(n); err != nil {
		return r, false, err
	}
	since, from := r.Reserved, Reserved
	if to == Void {
		since, from = r.Time.Add(time.Second), Signing // the time of the intent was cut to the second
	}
	if r.State != from {
		return r, false, nil
	}
	a := d.account(r.Account)
	now, err := d.reading(&a)
	ahead := to == Released && since.Sub(now) > d.tolerance
	return r, err == nil && (ahead || now.Sub(since) >= after), err
}
