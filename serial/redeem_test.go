package serial_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
)

// memSink keeps outputs in memory; faults are for the next Put.
type memSink struct {
	mu    sync.Mutex
	files map[serial.Number][]byte
	fault fault
}

func newMemSink() *memSink { return &memSink{files: make(map[serial.Number][]byte)} }

func (s *memSink) Put(_ context.Context, n serial.Number, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.fault
	s.fault = none
	if now == fails {
		return errDisk
	}
	if _, ok := s.files[n]; ok {
		return fs.ErrExist
	}
	s.files[n] = b.Bytes()
	if now == failsButPersisted {
		return errDisk
	}
	return nil
}

func (s *memSink) Open(_ context.Context, n serial.Number) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.files[n]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

type runFunc = func(context.Context, serial.Reservation, io.Writer) error

// write gives a run that stamps a text with number and time.
func write(text string) runFunc {
	return func(_ context.Context, r serial.Reservation, w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s %s %s", text, r.Number, r.Time.Format(time.RFC3339))
		return err
	}
}

func mustNotRun(t testing.TB) runFunc {
	return func(context.Context, serial.Reservation, io.Writer) error {
		t.Error("run was called")
		return errors.New("run was called")
	}
}

func (s *setup) requireOutput(t testing.TB, r serial.Receipt, text string) {
	t.Helper()
	rc, err := s.Output(t.Context(), r.Number)
	require.NoError(t, err)
	b, err := io.ReadAll(rc)
	require.NoError(t, err)
	require.NoError(t, rc.Close())
	require.Equal(t, fmt.Sprintf("%s %s %s", text, r.Number, r.Time.Format(time.RFC3339)), string(b))
	require.Equal(t, serial.Output{Digest: sha256.Sum256(b), Length: int64(len(b))}, r.Output)
}

func TestRedeem(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 3)
	r, err := s.Redeem(t.Context(), req("a", "k"), write("doc"))
	require.NoError(t, err)
	require.False(t, r.Replayed)
	require.Equal(t, s.clock.now().UTC().Truncate(time.Second), r.Time)
	s.requireOutput(t, r, "doc")
	s.clock.step(time.Hour)
	r.Replayed = true
	for range 2 {
		again, err := s.Redeem(t.Context(), req("a", "k"), mustNotRun(t))
		require.NoError(t, err)
		require.Equal(t, r, again)
		s = restart(t, s)
	}
	s.requireBalance(t, "a", serial.Balance{Purchased: 3, Available: 2, Stamped: 1})

	// A reservation made by hand is carried on.
	held, err := s.Reserve(t.Context(), req("a", "by hand"))
	require.NoError(t, err)
	r, err = s.Redeem(t.Context(), req("a", "by hand"), write("doc"))
	require.NoError(t, err)
	require.Equal(t, held.Number, r.Number)
	s.requireClean(t)
}

// TestRedeemSurvives breaks a Redeem at each external write, in both ways, restarts, and calls again with the same key. (I5, I6, I10)
func TestRedeemSurvives(t *testing.T) {
	for name, tc := range map[string]struct {
		store []fault // lease, begin, stamped
		sink  fault
		run   error
		kept  bool // the output is there: run must not be called again
	}{
		"lease fails":               {store: []fault{fails}},
		"lease fails but persisted": {store: []fault{failsButPersisted}},
		"begin fails":               {store: []fault{none, fails}},
		"begin fails but persisted": {store: []fault{none, failsButPersisted}},
		"run fails":                 {run: errors.New("no paper")},
		"sink fails":                {sink: fails},
		"sink fails but persisted":  {sink: failsButPersisted, kept: true},
		"stamped fails":             {store: []fault{none, none, fails}, kept: true},
		"stamped fails, persisted":  {store: []fault{none, none, failsButPersisted}, kept: true},
	} {
		for _, crash := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, crash %v", name, crash), func(t *testing.T) {
				s := start(t)
				s.credit(t, "a", 3)
				s.store.plan(tc.store...)
				s.sink.fault = tc.sink
				var seen []serial.Reservation
				run := func(fail error) runFunc {
					return func(ctx context.Context, r serial.Reservation, w io.Writer) error {
						seen = append(seen, r)
						return errors.Join(write("doc")(ctx, r, w), fail)
					}
				}
				_, err := s.Redeem(t.Context(), req("a", "k"), run(tc.run))
				require.Error(t, err)
				if tc.run != nil {
					require.ErrorIs(t, err, tc.run)
				}
				s.clock.step(time.Minute)
				if crash {
					s = restart(t, s)
				}
				again := run(nil)
				if tc.kept {
					again = mustNotRun(t)
				}
				r, err := s.Redeem(t.Context(), req("a", "k"), again)
				require.NoError(t, err)
				require.Equal(t, tc.kept, r.Replayed)
				s.requireOutput(t, r, "doc")
				for _, v := range seen {
					require.Equal(t, r.Number, v.Number)
					require.Equal(t, r.Time, v.Time)
				}
				s.requireBalance(t, "a", serial.Balance{Purchased: 3, Available: 2, Stamped: 1})
				require.Equal(t, map[serial.State]int64{serial.Stamped: 1}, s.requireClean(t).Reservations)
			})
		}
	}
}

func TestRedeemRefusedForGood(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 1)
	cause := errors.New("encrypted")
	_, err := s.Redeem(t.Context(), req("a", "k"), func(context.Context, serial.Reservation, io.Writer) error {
		return fmt.Errorf("stamp: %w", &serial.RefusedError{Reason: "cannot\nbe stamped", Err: cause})
	})
	require.ErrorIs(t, err, cause)
	var refused *serial.RefusedError
	require.ErrorAs(t, err, &refused)
	_, err = s.Redeem(t.Context(), req("a", "k"), mustNotRun(t))
	var se *serial.StateError
	require.ErrorAs(t, err, &se)
	require.Equal(t, serial.Void, se.State)
	require.Equal(t, "cannot be stamped", se.Note)
	s.requireBalance(t, "a", serial.Balance{Purchased: 1, Available: 1})
	s.requireClean(t)
}

// TestVoidWhileRunning: the late output is an orphan; it is never handed out. (I11)
func TestVoidWhileRunning(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 1)
	var n serial.Number
	_, err := s.Redeem(t.Context(), req("a", "k"), func(ctx context.Context, r serial.Reservation, w io.Writer) error {
		n = r.Number
		_, err := s.Void(ctx, n, "operator gave up")
		return errors.Join(err, write("late")(ctx, r, w))
	})
	var se *serial.StateError
	require.ErrorAs(t, err, &se)
	require.Equal(t, serial.Void, se.State)
	_, err = s.Output(t.Context(), n)
	require.ErrorAs(t, err, &se)
	r, err := s.Lookup(t.Context(), n)
	require.NoError(t, err)
	require.NotZero(t, r.Output)
	s.requireBalance(t, "a", serial.Balance{Purchased: 1, Available: 1})
	s.requireClean(t)
}

func TestRedeemWithoutOutput(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 1)
	_, err := s.Redeem(t.Context(), req("a", "k"), func(context.Context, serial.Reservation, io.Writer) error { return nil })
	require.ErrorContains(t, err, "no output")
	r, err := s.LookupKey(t.Context(), "a", []byte("k"))
	require.NoError(t, err)
	require.Equal(t, serial.Signing, r.State)
}

// TestRedeemRace: 256 callers, one key: one run, one unit, equal answers. (I5)
func TestRedeemRace(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 300)
	var runs, fresh atomic.Int64
	var wg sync.WaitGroup
	receipts := make([]serial.Receipt, 256)
	errs := make([]error, len(receipts))
	for i := range receipts {
		wg.Go(func() {
			receipts[i], errs[i] = s.Redeem(context.Background(), req("a", "one key"), func(ctx context.Context, r serial.Reservation, w io.Writer) error {
				runs.Add(1)
				time.Sleep(5 * time.Millisecond)
				return write("doc")(ctx, r, w)
			})
		})
	}
	wg.Wait()
	for i, r := range receipts {
		require.NoError(t, errs[i])
		if !r.Replayed {
			fresh.Add(1)
		}
		r.Replayed = receipts[0].Replayed
		require.Equal(t, receipts[0], r)
	}
	require.Equal(t, int64(1), runs.Load())
	require.Equal(t, int64(1), fresh.Load())
	s.requireBalance(t, "a", serial.Balance{Purchased: 300, Available: 299, Stamped: 1})
}

// TestRedeemInTwoLedgers: two processes run at once; the first output wins and both get it. (I5)
func TestRedeemInTwoLedgers(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 2)
	other := restart(t, s)
	first, err := s.Redeem(t.Context(), req("a", "k"), func(ctx context.Context, r serial.Reservation, w io.Writer) error {
		r2, err := other.Redeem(ctx, req("a", "k"), write("the other's"))
		require.NoError(t, err)
		require.Equal(t, r.Number, r2.Number)
		return write("the first's")(ctx, r, w)
	})
	require.NoError(t, err)
	s.requireOutput(t, first, "the other's")
	s.requireBalance(t, "a", serial.Balance{Purchased: 2, Available: 1, Stamped: 1})
}

func TestRedeemWaiters(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 2)
	inside, resume := make(chan bool), make(chan bool)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := s.Redeem(ctx, req("a", "k"), func(ctx context.Context, _ serial.Reservation, _ io.Writer) error {
			close(inside)
			<-resume
			return ctx.Err()
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	<-inside
	short, end := context.WithTimeout(t.Context(), time.Millisecond)
	defer end()
	_, err := s.Redeem(short, req("a", "k"), mustNotRun(t))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	other := req("a", "k")
	other.Value++
	_, err = s.Redeem(t.Context(), other, mustNotRun(t))
	var conflict *serial.ConflictError
	require.ErrorAs(t, err, &conflict)
	require.True(t, conflict.UnderWay)
	require.ErrorContains(t, err, "under way")
	wg.Go(func() { // does not inherit the end of the first one's context
		if _, err := s.Redeem(context.Background(), req("a", "k"), write("doc")); err != nil {
			t.Errorf("got %v", err)
		}
	})
	cancel()
	close(resume)
	wg.Wait()

	// A run that panics does not leave the others waiting.
	require.Panics(t, func() {
		_, _ = s.Redeem(t.Context(), req("a", "p"), func(context.Context, serial.Reservation, io.Writer) error { panic("run") })
	})
	_, err = s.Redeem(t.Context(), req("a", "p"), write("doc"))
	require.NoError(t, err)
	s.requireBalance(t, "a", serial.Balance{Purchased: 2, Stamped: 2})
}

func TestChangedOutputIsNotHandedOut(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 1)
	r, err := s.Redeem(t.Context(), req("a", "k"), write("doc"))
	require.NoError(t, err)
	s.sink.files[r.Number][0] ^= 1
	rc, err := s.Output(t.Context(), r.Number)
	require.NoError(t, err)
	_, err = io.ReadAll(rc)
	var ce *serial.CorruptError
	require.ErrorAs(t, err, &ce)
}

func TestDirSink(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "er")
	sink, err := serial.NewDirSink(dir)
	require.NoError(t, err)
	n := number(t, testScheme(t), 5)
	put := func(text string, fail error) error {
		return sink.Put(t.Context(), n, func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return errors.Join(err, fail)
		})
	}
	mine := errors.New("mine")
	require.ErrorIs(t, put("x", mine), mine)
	_, err = sink.Open(t.Context(), n)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, put("first", nil))
	require.ErrorIs(t, put("second", nil), fs.ErrExist)
	rc, err := sink.Open(t.Context(), n)
	require.NoError(t, err)
	b, err := io.ReadAll(rc)
	require.NoError(t, err)
	require.NoError(t, rc.Close())
	require.Equal(t, "first", string(b))
	left, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(dir, n.String()[3:5], n.String())}, left, "no temporary files stay")
	info, err := os.Stat(left[0])
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	_, err = sink.Open(t.Context(), serial.Number{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Error(t, sink.Put(t.Context(), serial.Number{}, nil))

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = serial.NewDirSink(file)
	require.Error(t, err)
}
