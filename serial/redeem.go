package serial

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"sync"
	"time"
)

// Receipt is the answer to a Redeem: the same for the same key, for as long as the ledger exists.
type Receipt struct {
	Number   Number
	Account  string
	Time     time.Time // of the intent to sign, whole seconds UTC
	Output   Output
	Replayed bool // the work had been finished before, or by another call: run was not called by this one
}

// Redeem uses one unit for one document. It takes a unit and a number, records the intent to sign (both in one
// transaction), calls run, keeps in the sink what run wrote to w, and books the unit as used. The output is read back
// with [Ledger.Output].
//
// It may be called again with the same key after any error or crash: the number and [Reservation.Time] are the same, a
// finished output in the sink is used without calling run, and a stamped one is only answered. Two calls with one key in
// one process do not run twice at a time: the second waits for the first and gets its answer. In several processes, the
// first output to reach the sink wins, and all get that one.
//
// When run fails, its error is returned and the reservation stays SIGNING; call again, or give it up with [Ledger.Void].
// When run's error is a [*RefusedError], Redeem makes the number void itself. A key whose number is void is answered
// with a [*StateError]. Check all that can be checked about a document before Redeem: then no number is spent on it.
func (l *Ledger) Redeem(ctx context.Context, req Request, run func(ctx context.Context, r Reservation, w io.Writer) error) (Receipt, error) {
	if l.opt.Sink == nil {
		return Receipt{}, errNoSink()
	}
	if err := req.check(); err != nil {
		return Receipt{}, err
	}
	id := KeyID{req.Account, OpRedeem, string(req.Key)}
	for {
		f, first := l.flight.join(id, &req)
		if first {
			l.lead(ctx, id, f, run)
			return f.receipt, f.err
		}
		if field := f.request.difference(&req); field != "" {
			return Receipt{}, &ConflictError{Account: req.Account, Field: field}
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return Receipt{}, ctx.Err()
		}
		if f.err == nil {
			r := f.receipt
			r.Replayed = true
			return r, nil
		}
		// The first call's context is not this one's: what ended it is no answer here.
		if !errors.Is(f.err, context.Canceled) && !errors.Is(f.err, context.DeadlineExceeded) {
			return Receipt{}, f.err
		}
	}
}

// lead runs a flight. It lands also if run panics, so that those who wait do not wait for ever.
func (l *Ledger) lead(ctx context.Context, id KeyID, f *flight, run func(context.Context, Reservation, io.Writer) error) {
	defer l.flight.land(id, f)
	f.err = fmt.Errorf("%w: the call that ran did not end", ErrUnknownOutcome)
	f.receipt, f.err = l.redeem(ctx, f.request, run)
}

func (l *Ledger) redeem(ctx context.Context, req Request, run func(context.Context, Reservation, io.Writer) error) (Receipt, error) {
	r, fresh, err := l.begin(ctx, req, true)
	if err != nil {
		return Receipt{}, err
	}
	switch r.State {
	case Stamped:
		return receipt(&r, true), nil
	case Signing:
	default:
		return Receipt{}, refusal(&r, "redeem")
	}
	out, replayed, err := l.output(ctx, r, fresh, run)
	// What follows finishes work that is done: the end of ctx shall not leave it undone.
	ctx = context.WithoutCancel(ctx)
	var refused *RefusedError
	if errors.As(err, &refused) {
		if _, voidErr := l.Void(ctx, r.Number, clip(refused.Reason)); voidErr != nil {
			return Receipt{}, errors.Join(err, voidErr)
		}
		return Receipt{}, err
	}
	if err != nil {
		return Receipt{}, err
	}
	r, err = l.Stamped(ctx, r.Number, out)
	if err != nil {
		return Receipt{}, err
	}
	return receipt(&r, replayed), nil
}

func receipt(r *Reservation, replayed bool) Receipt {
	return Receipt{Number: r.Number, Account: r.Account, Time: r.Time, Output: r.Output, Replayed: replayed}
}

// clip makes any reason fit for a note.
func clip(s string) string {
	out := make([]rune, 0, len(s))
	size := 0
	for _, c := range s {
		if c < ' ' || 0x7f <= c && c < 0xa0 {
			c = ' '
		}
		if size += len(string(c)); size > maxNote {
			break
		}
		out = append(out, c)
	}
	return string(out)
}

// output gives the output that the sink has, or makes it. A number that was issued just now has none.
func (l *Ledger) output(ctx context.Context, r Reservation, fresh bool, run func(context.Context, Reservation, io.Writer) error) (Output, bool, error) {
	if !fresh {
		out, err := l.kept(ctx, r.Number)
		if !errors.Is(err, fs.ErrNotExist) {
			return out, true, err
		}
	}
	var m meter
	err := l.opt.Sink.Put(ctx, r.Number, func(w io.Writer) error {
		m = meter{w: w, hash: sha256.New()}
		if err := run(ctx, r, &m); err != nil {
			return err
		}
		if m.n == 0 {
			return fmt.Errorf("serial %s: run wrote no output", r.Number)
		}
		return nil
	})
	if errors.Is(err, fs.ErrExist) {
		if out, keptErr := l.kept(ctx, r.Number); keptErr == nil {
			return out, true, nil
		}
	}
	if err != nil {
		return Output{}, false, err
	}
	return m.output(), false, nil
}

// kept reads the output that the sink has.
func (l *Ledger) kept(ctx context.Context, n Number) (Output, error) {
	rc, err := l.opt.Sink.Open(ctx, n)
	if err != nil {
		return Output{}, err
	}
	defer rc.Close()
	m := meter{w: io.Discard, hash: sha256.New()}
	if _, err := io.Copy(&m, rc); err != nil {
		return Output{}, fmt.Errorf("output of serial %s: %w", n, err)
	}
	return m.output(), nil
}

// meter hashes and counts what is written through it.
type meter struct {
	w    io.Writer
	hash hash.Hash
	n    int64
}

func (m *meter) Write(p []byte) (int, error) {
	n, err := m.w.Write(p)
	m.hash.Write(p[:n])
	m.n += int64(n)
	return n, err
}

func (m *meter) output() Output { return Output{Digest: [32]byte(m.hash.Sum(nil)), Length: m.n} }

// flights are the Redeems in progress in this process.
type flights struct {
	mu   sync.Mutex
	runs map[KeyID]*flight
}

type flight struct {
	request Request
	done    chan struct{}
	receipt Receipt // these two from done on
	err     error
}

// join gives the flight of a key, a new one if first.
func (s *flights) join(id KeyID, req *Request) (f *flight, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.runs[id]; ok {
		return f, false
	}
	if s.runs == nil {
		s.runs = make(map[KeyID]*flight)
	}
	f = &flight{request: *req, done: make(chan struct{})}
	s.runs[id] = f
	return f, true
}

func (s *flights) land(id KeyID, f *flight) {
	s.mu.Lock()
	delete(s.runs, id)
	s.mu.Unlock()
	close(f.done)
}
