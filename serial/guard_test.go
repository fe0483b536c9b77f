package serial_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

// withSink opens another ledger on the stores of s, with a sink of its own.
func (s *setup) withSink(t testing.TB, sink serial.Sink) *serial.Ledger {
	t.Helper()
	l, err := serial.Open(t.Context(), s.store, &serial.Options{Scheme: testScheme(t), Sink: sink, Now: s.clock.now, Block: 8})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// plain hides that a sink keeps claims.
type plain struct{ serial.Sink }

// TestForeignOutput: a ledger that was lost and made anew beside its sink books none of the outputs of the one before.
func TestForeignOutput(t *testing.T) {
	for name, wrap := range map[string]func(serial.Sink) serial.Sink{
		"claims": func(s serial.Sink) serial.Sink { return s },
		"plain":  func(s serial.Sink) serial.Sink { return plain{s} },
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := serial.NewDirSink(t.TempDir())
			require.NoError(t, err)
			sink := wrap(dir)
			first := start(t)
			first.credit(t, "a", 5)
			_, err = first.withSink(t, sink).Redeem(t.Context(), req("a", "k"), write("of the first"))
			require.NoError(t, err)

			anew := start(t)
			anew.clock.step(time.Second)
			anew.credit(t, "a", 5)
			l := anew.withSink(t, sink)
			for range 2 { // the same request, and again
				_, err = l.Redeem(t.Context(), req("a", "k"), mustNotRun(t))
				require.ErrorIs(t, err, serial.ErrFenced)
				var foreign *serial.ForeignOutputError
				require.ErrorAs(t, err, &foreign)
				require.Equal(t, number(t, testScheme(t), 0), foreign.Number)
				if name == "plain" {
					break // which cannot tell when it resumes
				}
			}
			_, err = l.Reserve(t.Context(), req("a", "next"))
			require.ErrorIs(t, err, serial.ErrFenced, "the lease is not used any more")
			_, err = l.Credit(t.Context(), "a", 1, []byte("more"))
			require.NoError(t, err)
			if name == "claims" {
				_, err = anew.withSink(t, sink).Redeem(t.Context(), req("a", "k"), mustNotRun(t))
				require.ErrorIs(t, err, serial.ErrFenced, "also after a restart")
			}
			anew.requireBalance(t, "a", serial.Balance{Purchased: 6, Available: 5, Reserved: 1})

			require.NoError(t, serial.Fence(t.Context(), anew.store, testScheme(t).Series(), 1000, anew.clock.now()))
			r, err := anew.withSink(t, sink).Redeem(t.Context(), req("a", "next"), write("of the second"))
			require.NoError(t, err)
			require.Equal(t, number(t, testScheme(t), 1000), r.Number)
			if name == "claims" { // the old reservation stays refused and harms no new one
				l = anew.withSink(t, sink)
				_, err = l.Redeem(t.Context(), req("a", "k"), mustNotRun(t))
				require.ErrorIs(t, err, serial.ErrFenced)
				_, err = l.Redeem(t.Context(), req("a", "third"), write("of the second"))
				require.NoError(t, err)
			}
			anew.requireClean(t)
		})
	}
}

// TestFencedHolderDoesNotSign: after a fence an old holder may book what is kept, but not use the key.
func TestFencedHolderDoesNotSign(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 5)
	boom := errors.New("boom")
	_, err := s.Redeem(t.Context(), req("a", "open"), func(context.Context, serial.Reservation, io.Writer) error { return boom })
	require.ErrorIs(t, err, boom)
	s.sink.fault = failsButPersisted
	_, err = s.Redeem(t.Context(), req("a", "kept"), write("doc"))
	require.ErrorIs(t, err, errDisk)
	require.NoError(t, serial.Fence(t.Context(), s.store, testScheme(t).Series(), 0, s.clock.now()))
	_, err = s.Redeem(t.Context(), req("a", "open"), mustNotRun(t))
	require.ErrorIs(t, err, serial.ErrFenced)
	r, err := s.Redeem(t.Context(), req("a", "kept"), mustNotRun(t))
	require.NoError(t, err)
	s.requireOutput(t, r, "doc")
	_, err = restart(t, s).Redeem(t.Context(), req("a", "open"), write("doc"))
	require.NoError(t, err)
	s.requireClean(t)
}

func TestRedeemInsideItself(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 5)
	_, err := s.Redeem(t.Context(), req("a", "k"), func(ctx context.Context, r serial.Reservation, w io.Writer) error {
		_, err := s.Redeem(ctx, req("a", "other"), func(ctx context.Context, r serial.Reservation, w io.Writer) error {
			_, err := s.Redeem(ctx, req("a", "k"), mustNotRun(t))
			var re *serial.RequestError
			require.ErrorAs(t, err, &re)
			require.Equal(t, "key", re.Field)
			return write("other")(ctx, r, w)
		})
		return errors.Join(err, write("doc")(ctx, r, w))
	})
	require.NoError(t, err)
	s.requireBalance(t, "a", serial.Balance{Purchased: 5, Available: 3, Stamped: 2})
}

func TestLateWritesAreRefused(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 5)
	var late io.Writer
	r, err := s.Redeem(t.Context(), req("a", "k"), func(ctx context.Context, r serial.Reservation, w io.Writer) error {
		late = w
		var wg sync.WaitGroup
		defer wg.Wait()
		for range 8 { // writers at once harm neither digest nor length
			wg.Go(func() { _, _ = io.WriteString(w, "") })
		}
		return write("doc")(ctx, r, w)
	})
	require.NoError(t, err)
	n, err := io.WriteString(late, "late")
	require.Error(t, err)
	require.Zero(t, n)
	s.requireOutput(t, r, "doc")
}

// TestLoserGetsTheOutput: its context ends while another process finishes its key.
func TestLoserGetsTheOutput(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 2)
	dir, err := serial.NewDirSink(t.TempDir())
	require.NoError(t, err)
	l, other := s.withSink(t, dir), s.withSink(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := l.Redeem(ctx, req("a", "k"), func(ctx context.Context, r serial.Reservation, w io.Writer) error {
		_, err := other.Redeem(t.Context(), req("a", "k"), write("the other's"))
		cancel()
		return errors.Join(err, write("the first's")(ctx, r, w))
	})
	require.NoError(t, err)
	require.True(t, r.Replayed)
	s.requireBalance(t, "a", serial.Balance{Purchased: 2, Available: 1, Stamped: 1})
}

func TestNilArguments(t *testing.T) {
	var re *serial.RequestError
	_, err := serial.Open(t.Context(), nil, nil)
	require.ErrorAs(t, err, &re)
	_, err = serial.Audit(t.Context(), nil)
	require.ErrorAs(t, err, &re)
	require.ErrorAs(t, serial.Fence(t.Context(), nil, testScheme(t).Series(), 0, time.Now()), &re)
	require.ErrorAs(t, serial.Fence(t.Context(), storetest.NewMemory(), testScheme(t).Series(), 0, time.Time{}), &re)
	s := start(t)
	s.credit(t, "a", 1)
	_, err = s.Redeem(t.Context(), req("a", "k"), nil)
	require.ErrorAs(t, err, &re)
	require.Equal(t, "run", re.Field)
	s.requireBalance(t, "a", serial.Balance{Purchased: 1, Available: 1})
}

// choosy is a store that refuses every batch with an entry of one account, once it is asked to be.
type choosy struct {
	serial.Store
	hold    chan bool // Update waits for it
	refused string
	updates atomic.Int64
}

func (c *choosy) Update(ctx context.Context, q *serial.Query, decide func(*serial.Snapshot) (*serial.Batch, error)) error {
	<-c.hold
	c.updates.Add(1)
	return c.Store.Update(ctx, q, func(s *serial.Snapshot) (*serial.Batch, error) {
		b, err := decide(s)
		for _, e := range b.Entries {
			if strings.HasPrefix(e.Account, c.refused) {
				return nil, errDisk
			}
		}
		return b, err
	})
}

// TestRefusedRowHarmsNobodyElse: a group that the store refuses is done one by one.
func TestRefusedRowHarmsNobodyElse(t *testing.T) {
	for _, tc := range []struct {
		refused string
		good    int64
		most    int64 // transactions
	}{{"account 7", 31, 40}, {"account", 0, 20}} {
		s := &choosy{Store: storetest.NewMemory(), hold: make(chan bool), refused: tc.refused}
		l, err := serial.Open(t.Context(), s, nil)
		require.NoError(t, err)
		var good atomic.Int64
		var wg sync.WaitGroup
		for i := range 32 {
			wg.Go(func() {
				_, err := l.Credit(context.Background(), fmt.Sprint("account ", i), 1, []byte("x"))
				if err == nil {
					good.Add(1)
				} else if !errors.Is(err, errDisk) || tc.good > 0 && i != 7 {
					t.Errorf("account %d: %v", i, err)
				}
			})
		}
		time.Sleep(20 * time.Millisecond) // they gather
		close(s.hold)
		wg.Wait()
		require.Equal(t, tc.good, good.Load())
		require.LessOrEqual(t, s.updates.Load(), tc.most)
		require.NoError(t, l.Close())
	}
	s := start(t)
	var re *serial.RequestError
	_, err := s.Stamped(t.Context(), number(t, testScheme(t), 0), serial.Output{Length: 5})
	require.ErrorAs(t, err, &re)
	require.Equal(t, "output", re.Field)
}

// TestClockWasAhead: what a wrong clock has written does not lock the ledger; a fence takes it back, and shows.
func TestClockWasAhead(t *testing.T) {
	s := start(t)
	s.credit(t, "before", 5)
	right := s.clock.now().UTC()
	const century = 100 * 365 * 24 * time.Hour
	s.clock.step(century)
	s.credit(t, "a", 5)
	_, err := s.Reserve(t.Context(), req("a", "1")) // leases at the wrong time
	require.NoError(t, err)
	s.clock.step(-century)

	s = restart(t, s)
	var ce *serial.ClockError
	s.requireBalance(t, "a", serial.Balance{Purchased: 5, Available: 4, Reserved: 1})
	for _, account := range []string{"a", "before", "new"} {
		_, err = s.Credit(t.Context(), account, 1, []byte("y"))
		require.ErrorAs(t, err, &ce, account)
	}
	for range 2 { // again changes nothing
		require.NoError(t, serial.Fence(t.Context(), s.store, testScheme(t).Series(), 1000, s.clock.now()))
	}
	s = restart(t, s)
	for _, account := range []string{"a", "before", "new"} {
		m, err := s.Credit(t.Context(), account, 1, []byte("y"))
		require.NoError(t, err, account)
		require.Equal(t, right, m.Time)
	}
	r, err := s.Redeem(t.Context(), req("a", "2"), write("doc"))
	require.NoError(t, err)
	require.Equal(t, right.Truncate(time.Second), r.Time)
	var kinds []string
	var clock serial.Entry
	for e, err := range s.History(t.Context(), "a", 0) {
		require.NoError(t, err)
		kinds = append(kinds, e.Kind.String())
		if e.Kind == serial.KindClock {
			clock = e
		}
	}
	require.Equal(t, []string{"purchase", "reserve", "clock", "purchase", "reserve", "signing", "stamped"}, kinds)
	require.Equal(t, right, clock.Time)
	require.Contains(t, clock.Text(), "time set back by an operator: the clock was ahead, at 2124")
	require.Equal(t, int64(2), s.requireClean(t).Reservations[serial.Reserved]+s.requireClean(t).Reservations[serial.Stamped])
}

func TestAuditTotalsDoNotWrap(t *testing.T) {
	s := start(t)
	s.credit(t, "a", math.MaxInt64)
	s.credit(t, "b", math.MaxInt64)
	report := s.requireClean(t)
	require.Equal(t, serial.Balance{Purchased: math.MaxInt64, Available: math.MaxInt64}, report.Totals)
}

func TestDirSinkLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	n := number(t, testScheme(t), 5)
	folder := filepath.Join(dir, n.String()[3:5])
	require.NoError(t, os.Mkdir(folder, 0o700))
	old, young := filepath.Join(folder, ".put-1"), filepath.Join(folder, ".put-2")
	for _, f := range []string{old, young} {
		require.NoError(t, os.WriteFile(f, nil, 0o600))
	}
	long := time.Now().Add(-25 * time.Hour)
	require.NoError(t, os.Chtimes(old, long, long))
	sink, err := serial.NewDirSink(dir)
	require.NoError(t, err)
	before := openFiles()
	for range 20 {
		require.Panics(t, func() {
			_ = sink.Put(t.Context(), n, func(io.Writer) error { panic("write") })
		})
	}
	require.Less(t, openFiles(), before+10)
	left, err := filepath.Glob(filepath.Join(folder, "*"))
	require.NoError(t, err)
	require.Equal(t, []string{young}, left)
}

// openFiles counts this process's, where the system tells.
func openFiles() int {
	if runtime.GOOS != "linux" {
		return 0
	}
	list, _ := os.ReadDir("/proc/self/fd")
	return len(list)
}

// A series whose numbers were made with one key is not opened with another.
func TestAnotherKeyForASeries(t *testing.T) {
	store := storetest.NewMemory()
	right := testScheme(t)
	l, err := serial.Open(t.Context(), store, &serial.Options{Scheme: right})
	require.NoError(t, err)
	_, err = l.Credit(t.Context(), "a", 1, []byte("k"))
	require.NoError(t, err)
	_, err = l.Reserve(t.Context(), serial.Request{Account: "a", Key: []byte("k"), Length: 1})
	require.NoError(t, err)
	require.NoError(t, l.Close())

	id := right.Series()
	wrong, err := serial.NewScheme(id.Epoch, id.Issuer, [32]byte{0xff})
	require.NoError(t, err)
	_, err = serial.Open(t.Context(), store, &serial.Options{Scheme: wrong})
	var re *serial.RequestError
	require.ErrorAs(t, err, &re)
	require.Equal(t, "scheme", re.Field)
	for _, good := range []*serial.Scheme{right, nil} {
		l, err := serial.Open(t.Context(), store, &serial.Options{Scheme: good})
		require.NoError(t, err)
		require.NoError(t, l.Close())
	}
}
