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
// An output that was kept under the number for another reservation is never booked: see [ForeignOutputError] and
// [ClaimSink]. A holder whose lease was ended by a fence may book what is kept, but does not call run.
//
// run must not Redeem with the same key: with the context it was given that is refused, with another it waits for itself.
// What is written to w after run has returned is refused.
//
// When run fails, its error is returned and the reservation stays SIGNING; call again, or give it up with [Ledger.Void].
// When run's error is a [*RefusedError], Redeem makes the number void itself. A key whose number is void is answered
// with a [*StateError]. Check all that can be checked about a document before Redeem: then no number is spent on it.
func (l *Ledger) Redeem(ctx context.Context, req Request, run func(ctx context.Context, r Reservation, w io.Writer) error) (Receipt, error) {
	if l.opt.Sink == nil {
		return Receipt{}, errNoSink()
	}
	if run == nil {
		return Receipt{}, &RequestError{Field: "run", Reason: "is nil"}
	}
	if err := req.check(); err != nil {
		return Receipt{}, err
	}
	id := KeyID{req.Account, OpRedeem, string(req.Key)}
	if inside(ctx, l, id) {
		return Receipt{}, &RequestError{Field: "key", Reason: "is the one whose Redeem makes this call"}
	}
	for {
		f, first := l.flight.join(id, &req)
		if first {
			l.lead(ctx, id, f, run)
			return f.receipt, f.err
		}
		if field := f.request.difference(&req); field != "" {
			return Receipt{}, &ConflictError{Account: req.Account, Field: field, UnderWay: true}
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
	f.receipt, f.err = l.redeem(ctx, f.request, func(ctx context.Context, r Reservation, w io.Writer) error {
		return run(context.WithValue(ctx, runKey{}, &running{l, id, ctx.Value(runKey{})}), r, w)
	})
}

// running marks the context of run: which Redeem it is inside of, and that one of another.
type running struct {
	ledger *Ledger
	id     KeyID
	outer  any
}

type runKey struct{}

func inside(ctx context.Context, l *Ledger, id KeyID) bool {
	for r, ok := ctx.Value(runKey{}).(*running); ok; r, ok = r.outer.(*running) {
		if r.ledger == l && r.id == id {
			return true
		}
	}
	return false
}

func (l *Ledger) redeem(ctx context.Context, req Request, run func(context.Context, Reservation, io.Writer) error) (Receipt, error) {
	b, err := l.begin(ctx, req, true)
	if err != nil {
		return Receipt{}, err
	}
	r := b.Reservation
	switch r.State {
	case Stamped:
		return receipt(&r, true), nil
	case Signing:
	default:
		return Receipt{}, refusal(&r, "redeem")
	}
	out, replayed, err := l.output(ctx, b, run)
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

// output gives the output that the sink has, or makes it. A number that was issued just now should have none: what a
// plain sink has then was made by another ledger.
func (l *Ledger) output(ctx context.Context, b begun, run func(context.Context, Reservation, io.Writer) error) (Output, bool, error) {
	out, err := l.kept(ctx, &b)
	var foreign *ForeignOutputError
	switch {
	case err == nil:
		return out, true, nil
	case errors.As(err, &foreign):
		l.met(&b, err)
		return Output{}, false, err
	case !errors.Is(err, fs.ErrNotExist):
		return Output{}, false, err
	case b.fenced != nil:
		return Output{}, false, fmt.Errorf("serial %s is not signed: %w", b.Number, b.fenced)
	}
	m := &meter{hash: sha256.New()}
	err = l.put(ctx, &b, func(w io.Writer) error {
		defer m.close()
		m.w = w
		if err := run(ctx, b.Reservation, m); err != nil {
			return err
		}
		if m.size() == 0 {
			return fmt.Errorf("serial %s: run wrote no output", b.Number)
		}
		return nil
	})
	switch {
	case err == nil:
		return m.output(), false, nil
	case errors.Is(err, fs.ErrExist):
		// Another process was faster. The work is done: the end of ctx shall not hide it.
		out, err := l.winner(context.WithoutCancel(ctx), &b)
		l.met(&b, err)
		return out, err == nil, err
	}
	return Output{}, false, err
}

// met stops the ledger if the sink has another's output under a number that was issued just now: those that follow may be
// in use as well. One that was issued earlier says nothing of them.
func (l *Ledger) met(b *begun, err error) {
	var foreign *ForeignOutputError
	if b.fresh && errors.As(err, &foreign) {
		l.stop(err)
	}
}

// put keeps an output for its reservation.
func (l *Ledger) put(ctx context.Context, b *begun, write func(io.Writer) error) error {
	if s, ok := l.opt.Sink.(ClaimSink); ok {
		return s.PutClaimed(ctx, b.Number, b.claim(), write)
	}
	return l.opt.Sink.Put(ctx, b.Number, write)
}

// kept reads the output that the sink has for a reservation.
func (l *Ledger) kept(ctx context.Context, b *begun) (Output, error) {
	s, claims := l.opt.Sink.(ClaimSink)
	open := l.opt.Sink.Open
	if claims {
		open = func(ctx context.Context, n Number) (io.ReadCloser, error) { return s.OpenClaimed(ctx, n, b.claim()) }
	}
	rc, err := open(ctx, b.Number)
	if err != nil {
		return Output{}, err
	}
	defer rc.Close()
	if b.fresh && !claims {
		return l.booked(ctx, b.Number, &ForeignOutputError{Number: b.Number})
	}
	m := meter{w: io.Discard, hash: sha256.New()}
	if _, err := io.Copy(&m, rc); err != nil {
		return Output{}, fmt.Errorf("output of serial %s: %w", b.Number, err)
	}
	return m.output(), nil
}

// winner gives the output that was put by another process while this one ran. Of a plain sink it is taken if the ledger
// knows it, or else at the next call with the key.
func (l *Ledger) winner(ctx context.Context, b *begun) (Output, error) {
	if _, ok := l.opt.Sink.(ClaimSink); !ok && b.fresh {
		return l.booked(ctx, b.Number, fmt.Errorf("%w: serial %s: another call's output is kept, but not booked yet", ErrUnknownOutcome, b.Number))
	}
	out, err := l.kept(ctx, b)
	if err != nil {
		return Output{}, fmt.Errorf("serial %s: another call's output is kept, but cannot be used: %w", b.Number, err)
	}
	return out, nil
}

// booked gives the output that the ledger has for a stamped number, or the error given if it is not stamped.
func (l *Ledger) booked(ctx context.Context, n Number, otherwise error) (Output, error) {
	r, err := l.Lookup(ctx, n)
	if err != nil {
		return Output{}, err
	}
	if r.State != Stamped {
		return Output{}, otherwise
	}
	return r.Output, nil
}

// meter hashes and counts what is written through it, until it is closed.
type meter struct {
	w io.Writer

	mu     sync.Mutex // run may write from several goroutines, and leave one behind
	hash   hash.Hash
	n      int64
	closed bool
}

func (m *meter) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return 0, fmt.Errorf("write to the output after run returned: %w", fs.ErrClosed)
	}
	n, err := m.w.Write(p)
	m.hash.Write(p[:n])
	m.n += int64(n)
	return n, err
}

func (m *meter) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
}

func (m *meter) size() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.n
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
