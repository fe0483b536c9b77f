package sqlite_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

// A script is a fixed course of a ledger's life with every kind of step, for tests that interrupt it somewhere. What was
// acknowledged is remembered; the rest can be done on a ledger that was opened again, under the same keys.

type script struct {
	sink    serial.Sink
	numbers map[string]serial.Number // by key, of the newest attempt
	acks    []ack
	errs    []error // that steps met before they succeeded
	tell    func(ack)
}

// ack is what a caller was told, and how many operations the disk had done when it was.
type ack struct {
	step, at int
	key      string
	number   serial.Number // zero for a movement
	state    serial.State
	movement serial.Movement
}

func newScript() *script {
	return &script{sink: newMemorySink(), numbers: make(map[string]serial.Number)}
}

type scriptStep func(ctx context.Context, l *serial.Ledger, s *script) (ack, error)

func reserves(key string) scriptStep {
	return func(ctx context.Context, l *serial.Ledger, s *script) (ack, error) {
		r, err := l.Reserve(ctx, req("a", key))
		if err == nil {
			s.numbers[key] = r.Number
		}
		return ack{key: key, number: r.Number, state: r.State}, err
	}
}

func advances(key string, f func(context.Context, *serial.Ledger, serial.Number) (serial.Reservation, error)) scriptStep {
	return func(ctx context.Context, l *serial.Ledger, s *script) (ack, error) {
		r, err := f(ctx, l, s.numbers[key])
		return ack{number: r.Number, state: r.State}, err
	}
}

func redeems(key string) scriptStep {
	return func(ctx context.Context, l *serial.Ledger, _ *script) (ack, error) {
		r, err := redeem(ctx, l, key)
		return ack{number: r.Number, state: serial.Stamped}, err
	}
}

func moves(f func(context.Context, *serial.Ledger) (serial.Movement, error)) scriptStep {
	return func(ctx context.Context, l *serial.Ledger, _ *script) (ack, error) {
		m, err := f(ctx, l)
		m.Replayed = false
		return ack{movement: m}, err
	}
}

func signing(ctx context.Context, l *serial.Ledger, n serial.Number) (serial.Reservation, error) {
	return l.Signing(ctx, n)
}

func scriptSteps() []scriptStep {
	stamped := func(ctx context.Context, l *serial.Ledger, n serial.Number) (serial.Reservation, error) {
		return l.Stamped(ctx, n, serial.Output{Digest: [32]byte{3}, Length: 4})
	}
	return []scriptStep{
		moves(func(ctx context.Context, l *serial.Ledger) (serial.Movement, error) {
			return l.Credit(ctx, "a", 20, []byte("x"))
		}),
		redeems("1"), redeems("2"), reserves("3"), advances("3", signing), advances("3", stamped),
		moves(func(ctx context.Context, l *serial.Ledger) (serial.Movement, error) {
			return l.Transfer(ctx, "a", "b", 2, []byte("t"))
		}),
		reserves("4"),
		advances("4", func(ctx context.Context, l *serial.Ledger, n serial.Number) (serial.Reservation, error) {
			return l.Release(ctx, n, "changed my mind")
		}),
		reserves("4"), reserves("5"), advances("5", signing),
		advances("5", func(ctx context.Context, l *serial.Ledger, n serial.Number) (serial.Reservation, error) {
			return l.Void(ctx, n, "the key was lost")
		}),
		moves(func(ctx context.Context, l *serial.Ledger) (serial.Movement, error) {
			return l.Refund(ctx, "a", 3, []byte("r"), "unused")
		}),
		redeems("6"),
	}
}

// wanted is the balance of account a at the end of the script.
var wanted = serial.Balance{Purchased: 20, Available: 10, Reserved: 1, Stamped: 4, Refunded: 3, TransferredOut: 2}

// run does what is not acknowledged, each step as often as tries says, and stops at one that fails all the time.
func (s *script) run(l *serial.Ledger, tries int, at func() int) error {
	for i, step := range scriptSteps() {
		if i < len(s.acks) {
			continue
		}
		var a ack
		var err error
		for range tries {
			if a, err = step(context.Background(), l, s); err == nil {
				break
			}
			s.errs = append(s.errs, err)
		}
		if err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
		a.step, a.at = i, at()
		s.acks = append(s.acks, a)
		if s.tell != nil {
			s.tell(a)
		}
	}
	return nil
}

// upTo is the script as it was when the disk had done so many operations.
func (s *script) upTo(at int) *script {
	c, kept := newScript(), newMemorySink()
	c.sink = kept
	if all, ok := s.sink.(*memorySink); ok {
		for n, b := range all.kept {
			if all.when[n] <= at {
				kept.kept[n] = b
			}
		}
	}
	for _, a := range s.acks {
		if a.at <= at {
			c.acks = append(c.acks, a)
			if a.key != "" {
				c.numbers[a.key] = a.number
			}
		}
	}
	return c
}

// finish opens the ledger again, without faults: all that was acknowledged is there, what was not can be done under its
// keys, each unit is used once, and the audit finds nothing.
func (s *script) finish(t *testing.T, path string, note string) {
	t.Helper()
	st := open(t, path)
	l := s.ledger(t, st)
	for _, a := range s.acks {
		if a.number.IsZero() {
			continue
		}
		r, err := l.Lookup(t.Context(), a.number)
		require.NoError(t, err, "%s: an acknowledged number is lost", note)
		require.GreaterOrEqual(t, r.State, a.state, note)
		require.True(t, !a.state.Final() || r.State == a.state, note)
	}
	again := &script{sink: s.sink, numbers: make(map[string]serial.Number)}
	for i, step := range scriptSteps() {
		if i >= len(s.acks) || s.acks[i].movement == (serial.Movement{}) {
			continue
		}
		a, err := step(t.Context(), l, again)
		require.NoError(t, err, note)
		require.Equal(t, s.acks[i].movement, a.movement, note)
	}
	require.NoError(t, s.run(l, 1, func() int { return 0 }), note)
	b, err := l.Balance(t.Context(), "a")
	require.NoError(t, err, note)
	require.Equal(t, wanted, b, note)
	require.Empty(t, problems(t, st), note)
	seen := make(map[serial.Number]int)
	for i, a := range s.acks {
		if was, ok := seen[a.number]; ok && !a.number.IsZero() {
			require.Contains(t, []int{1, 2}, i-was, "%s: steps %d and %d have one number", note, was, i)
		}
		seen[a.number] = i
	}
	require.NoError(t, l.Close())
	require.NoError(t, st.Close())
}

func (s *script) ledger(t *testing.T, st serial.Store) *serial.Ledger {
	t.Helper()
	l, err := s.open(t, st)
	require.NoError(t, err)
	return l
}

func (s *script) open(t *testing.T, st serial.Store) (*serial.Ledger, error) {
	t.Helper()
	return serial.Open(context.Background(), st, &serial.Options{Scheme: storetest.Scheme(t), Sink: s.sink, Block: 4})
}

// tellScript runs the script in a process of its own and tells each answer, one a line.
func tellScript(l *serial.Ledger, sink string) error {
	kept, err := serial.NewDirSink(sink)
	if err != nil {
		return err
	}
	s := newScript()
	s.sink = kept
	s.tell = func(a ack) {
		m := a.movement
		fmt.Printf("ack %d key=%s number=%s %d account=%s %d %d %d\n", a.step, a.key, a.number, a.state, m.Account, m.Sequence, m.Units, m.Time.UnixMicro())
	}
	return s.run(l, 4, func() int { return 0 })
}

// memorySink keeps outputs as a durable sink does: what was put is there after a crash of the ledger.
type memorySink struct {
	mu    sync.Mutex
	kept  map[serial.Number][]byte
	when  map[serial.Number]int // by the clock
	clock func() int            // nil for none
}

func newMemorySink() *memorySink {
	return &memorySink{kept: make(map[serial.Number][]byte), when: make(map[serial.Number]int)}
}

func (m *memorySink) Put(_ context.Context, n serial.Number, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.kept[n]; ok {
		return fs.ErrExist
	}
	m.kept[n] = b.Bytes()
	if m.clock != nil {
		m.when[n] = m.clock()
	}
	return nil
}

func (m *memorySink) Open(_ context.Context, n serial.Number) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.kept[n]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}
