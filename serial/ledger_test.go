package serial_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

// clock is a settable clock.
type clock struct{ us atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.us.Store(1725436800123456)
	return c
}

func (c *clock) now() time.Time        { return time.UnixMicro(c.us.Load()) }
func (c *clock) step(by time.Duration) { c.us.Add(by.Microseconds()) }

type setup struct {
	*serial.Ledger
	store *faulty
	sink  *memSink
	clock *clock
}

func start(t testing.TB) *setup {
	t.Helper()
	return restart(t, &setup{store: &faulty{Store: storetest.NewMemory()}, sink: newMemSink(), clock: newClock()})
}

// restart opens a new ledger on what is durable, as after a crash.
func restart(t testing.TB, s *setup) *setup {
	t.Helper()
	l, err := serial.Open(t.Context(), s.store, &serial.Options{Scheme: testScheme(t), Sink: s.sink, Now: s.clock.now, Block: 8})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return &setup{l, s.store, s.sink, s.clock}
}

func (s *setup) credit(t testing.TB, account string, n int64) {
	t.Helper()
	_, err := s.Credit(t.Context(), account, n, []byte("payment of "+account))
	require.NoError(t, err)
}

func (s *setup) requireBalance(t testing.TB, account string, want serial.Balance) {
	t.Helper()
	got, err := s.Balance(t.Context(), account)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func (s *setup) requireClean(t testing.TB) *serial.AuditReport {
	t.Helper()
	report, err := s.Audit(context.Background())
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	require.True(t, report.Clean())
	return report
}

// faulty is a store whose next updates fail, before or after they became durable.
type faulty struct {
	serial.Store
	mu     sync.Mutex
	faults []fault
}

type fault int

const (
	none fault = iota
	fails
	failsButPersisted
)

var errDisk = errors.New("disk on fire")

func (f *faulty) plan(faults ...fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = faults
}

func (f *faulty) Update(ctx context.Context, q *serial.Query, decide func(*serial.Snapshot) (*serial.Batch, error)) error {
	f.mu.Lock()
	now := none
	if len(f.faults) > 0 {
		now, f.faults = f.faults[0], f.faults[1:]
	}
	f.mu.Unlock()
	switch now {
	case fails:
		// The decision is made and lost: a retry must not see any trace of it.
		if err := f.Store.Update(ctx, q, func(s *serial.Snapshot) (*serial.Batch, error) {
			_, err := decide(s)
			return nil, errors.Join(err, errDisk)
		}); err != nil && !errors.Is(err, errDisk) {
			return err
		}
		return errDisk
	case failsButPersisted:
		if err := f.Store.Update(ctx, q, decide); err != nil {
			return err
		}
		return fmt.Errorf("%w: %w", serial.ErrUnknownOutcome, errDisk)
	}
	return f.Store.Update(ctx, q, decide)
}

func req(account, key string) serial.Request {
	return serial.Request{Account: account, Key: []byte(key), Digest: [32]byte{1, 2}, Length: 1000, Value: 10000, Kind: "3", Placement: "last:36,36", Profile: "b-b p256"}
}

func TestCreditOnce(t *testing.T) {
	s := start(t)
	m, err := s.Credit(t.Context(), "a", 5, []byte("INV-1"))
	require.NoError(t, err)
	require.Equal(t, serial.Movement{Account: "a", Sequence: 1, Units: 5, Time: s.clock.now().UTC()}, m)
	s.clock.step(time.Hour)
	again, err := s.Credit(t.Context(), "a", 5, []byte("INV-1"))
	require.NoError(t, err)
	m.Replayed = true
	require.Equal(t, m, again)

	_, err = s.Credit(t.Context(), "a", 6, []byte("INV-1"))
	var conflict *serial.ConflictError
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, "units", conflict.Field)

	// The scope of a key is account and operation.
	s.credit(t, "b", 1)
	_, err = s.Grant(t.Context(), "a", 7, []byte("INV-1"), "why")
	require.NoError(t, err)
	s.requireBalance(t, "a", serial.Balance{Purchased: 5, Granted: 7, Available: 12})
	_, err = s.Balance(t.Context(), "nobody")
	require.ErrorIs(t, err, serial.ErrNotFound)
	s.requireClean(t)
}

func TestTransferRefundPostpaid(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 10)
	_, err := s.Transfer(t.Context(), "a", "b", 4, []byte("t"))
	require.NoError(t, err)
	m, err := s.Transfer(t.Context(), "a", "b", 4, []byte("t"))
	require.NoError(t, err)
	require.True(t, m.Replayed)
	_, err = s.Transfer(t.Context(), "a", "c", 4, []byte("t"))
	var conflict *serial.ConflictError
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, "peer", conflict.Field)
	_, err = s.Transfer(t.Context(), "a", "b", 7, []byte("t2"))
	require.ErrorIs(t, err, serial.ErrInsufficient)
	_, err = s.Refund(t.Context(), "a", 6, []byte("r"), "why")
	require.NoError(t, err)
	s.requireBalance(t, "a", serial.Balance{Purchased: 10, TransferredOut: 4, Refunded: 6})
	s.requireBalance(t, "b", serial.Balance{TransferredIn: 4, Available: 4})

	_, err = s.Reserve(t.Context(), req("a", "1"))
	require.ErrorIs(t, err, serial.ErrInsufficient)
	_, err = s.SetLimit(t.Context(), "a", 1, []byte("l"))
	require.NoError(t, err)
	r, err := s.Reserve(t.Context(), req("a", "1"))
	require.NoError(t, err)
	require.Equal(t, serial.Reserved, r.State)
	_, err = s.Reserve(t.Context(), req("a", "2"))
	require.ErrorIs(t, err, serial.ErrInsufficient)
	s.requireBalance(t, "a", serial.Balance{Purchased: 10, TransferredOut: 4, Refunded: 6, Postpaid: 1, Reserved: 1, Limit: 1})
	s.requireClean(t)
}

func TestConflictsNameTheField(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 2)
	_, err := s.Reserve(t.Context(), req("a", "k"))
	require.NoError(t, err)
	for field, change := range map[string]func(*serial.Request){
		"digest":    func(r *serial.Request) { r.Digest[31] = 1 },
		"length":    func(r *serial.Request) { r.Length++ },
		"value":     func(r *serial.Request) { r.Value++ },
		"kind":      func(r *serial.Request) { r.Kind = "" },
		"placement": func(r *serial.Request) { r.Placement += "x" },
		"profile":   func(r *serial.Request) { r.Profile += "x" },
	} {
		other := req("a", "k")
		change(&other)
		_, err := s.Reserve(t.Context(), other)
		var conflict *serial.ConflictError
		require.ErrorAs(t, err, &conflict, field)
		require.Equal(t, field, conflict.Field)
		_, err = s.Redeem(t.Context(), other, write("x"))
		require.ErrorAs(t, err, &conflict, field)
		require.Equal(t, field, conflict.Field)
	}
	s.requireBalance(t, "a", serial.Balance{Purchased: 2, Available: 1, Reserved: 1})
}

func TestInvalidRequests(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 2)
	for field, change := range map[string]func(*serial.Request){
		"account":   func(r *serial.Request) { r.Account = "" },
		"account ":  func(r *serial.Request) { r.Account = strings.Repeat("a", 129) },
		"account  ": func(r *serial.Request) { r.Account = "a\n" },
		"key":       func(r *serial.Request) { r.Key = nil },
		"key ":      func(r *serial.Request) { r.Key = make([]byte, 257) },
		"length":    func(r *serial.Request) { r.Length = -1 },
		"length ":   func(r *serial.Request) { r.Length = 1 << 40 },
		"kind":      func(r *serial.Request) { r.Kind = "\xff" },
		"profile":   func(r *serial.Request) { r.Profile = strings.Repeat("x", 257) },
		"placement": func(r *serial.Request) { r.Placement = "\x00" },
	} {
		bad := req("a", "k")
		change(&bad)
		_, err := s.Reserve(t.Context(), bad)
		var re *serial.RequestError
		require.ErrorAs(t, err, &re, field)
		require.Equal(t, strings.TrimSpace(field), re.Field)
	}
	var re *serial.RequestError
	for _, n := range []int64{0, -1, math.MinInt64} {
		_, err := s.Credit(t.Context(), "a", n, []byte("x"))
		require.ErrorAs(t, err, &re)
	}
	_, err := s.Credit(t.Context(), "a", math.MaxInt64-1, []byte("too many"))
	require.ErrorAs(t, err, &re)
	require.Equal(t, "units", re.Field)
	_, err = s.Transfer(t.Context(), "a", "a", 1, []byte("x"))
	require.ErrorAs(t, err, &re)
	_, err = s.Signing(t.Context(), serial.Number{})
	require.ErrorAs(t, err, &re)
	_, err = s.Signing(t.Context(), number(t, testScheme(t), 1<<47))
	require.ErrorIs(t, err, serial.ErrNotFound)
	s.requireBalance(t, "a", serial.Balance{Purchased: 2, Available: 2})
	_, err = s.Credit(t.Context(), "b", math.MaxInt64, []byte("all"))
	require.NoError(t, err)
	s.requireBalance(t, "b", serial.Balance{Purchased: math.MaxInt64, Available: math.MaxInt64})
}

var out1 = serial.Output{Digest: [32]byte{1}, Length: 1}

// TestStates holds every step against every state.
func TestStates(t *testing.T) {
	type step func(*setup, serial.Number) (serial.Reservation, error)
	steps := map[string]step{
		"sign": func(s *setup, n serial.Number) (serial.Reservation, error) { return s.Signing(context.Background(), n) },
		"stamp": func(s *setup, n serial.Number) (serial.Reservation, error) {
			return s.Stamped(context.Background(), n, out1)
		},
		"release": func(s *setup, n serial.Number) (serial.Reservation, error) {
			return s.Release(context.Background(), n, "why")
		},
		"void": func(s *setup, n serial.Number) (serial.Reservation, error) {
			return s.Void(context.Background(), n, "why")
		},
	}
	for state, tc := range map[serial.State]struct {
		way   []string
		legal map[string]serial.State
	}{
		serial.Reserved: {nil, map[string]serial.State{"sign": serial.Signing, "release": serial.Released}},
		serial.Signing:  {[]string{"sign"}, map[string]serial.State{"sign": serial.Signing, "stamp": serial.Stamped, "void": serial.Void}},
		serial.Stamped:  {[]string{"sign", "stamp"}, map[string]serial.State{"stamp": serial.Stamped}},
		serial.Released: {[]string{"release"}, map[string]serial.State{"release": serial.Released}},
		serial.Void:     {[]string{"sign", "void"}, map[string]serial.State{"void": serial.Void}},
	} {
		for name, step := range steps {
			t.Run(state.String()+" "+name, func(t *testing.T) {
				s := start(t)
				s.credit(t, "a", 3)
				r, err := s.Reserve(t.Context(), req("a", "k"))
				require.NoError(t, err)
				for _, w := range tc.way {
					s.clock.step(1500 * time.Millisecond)
					r, err = steps[w](s, r.Number)
					require.NoError(t, err)
				}
				require.Equal(t, state, r.State)
				s.clock.step(1500 * time.Millisecond)
				after, err := step(s, r.Number)
				if want, ok := tc.legal[name]; ok {
					require.NoError(t, err)
					require.Equal(t, want, after.State)
					if want == state {
						require.Equal(t, r, after, "a repeated step changes nothing")
					}
				} else {
					var se *serial.StateError
					require.ErrorAs(t, err, &se)
					require.Equal(t, state, se.State)
					require.Equal(t, name, se.Step)
					after = r
				}
				got, err := s.Lookup(t.Context(), r.Number)
				require.NoError(t, err)
				if state != serial.Void || name != "stamp" { // which notes an orphan
					require.Equal(t, after, got)
				}
				s.requireClean(t)
			})
		}
	}
}

func TestReserveAnswers(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 2)
	first, err := s.Reserve(t.Context(), req("a", "k"))
	require.NoError(t, err)
	require.True(t, first.Time.IsZero())
	require.True(t, testScheme(t).Genuine(first.Number))
	_, err = s.Release(t.Context(), first.Number, "changed my mind")
	require.NoError(t, err)

	// After a release the same key starts anew, with another number.
	second, err := s.Reserve(t.Context(), req("a", "k"))
	require.NoError(t, err)
	require.NotEqual(t, first.Number, second.Number)
	got, err := s.LookupKey(t.Context(), "a", []byte("k"))
	require.NoError(t, err)
	require.Equal(t, second, got)
	_, err = s.LookupKey(t.Context(), "a", []byte("other"))
	require.ErrorIs(t, err, serial.ErrNotFound)

	s.clock.step(777 * time.Millisecond)
	signing, err := s.Signing(t.Context(), second.Number)
	require.NoError(t, err)
	require.Equal(t, s.clock.now().UTC().Truncate(time.Second), signing.Time)
	_, err = s.Void(t.Context(), second.Number, "lost")
	require.NoError(t, err)
	void, err := s.Reserve(t.Context(), req("a", "k"))
	require.NoError(t, err)
	require.Equal(t, serial.Void, void.State, "a void number spends its key")
	require.Equal(t, second.Number, void.Number)
	s.requireBalance(t, "a", serial.Balance{Purchased: 2, Available: 2})

	var open []serial.Number
	third, err := s.Reserve(t.Context(), req("a", "3"))
	require.NoError(t, err)
	for r, err := range s.Unresolved(t.Context()) {
		require.NoError(t, err)
		open = append(open, r.Number)
	}
	require.Equal(t, []serial.Number{third.Number}, open)
}

func TestNoUnitsLeavesNoTrace(t *testing.T) {
	s := start(t)
	_, err := s.Reserve(t.Context(), req("a", "k"))
	require.ErrorIs(t, err, serial.ErrInsufficient)
	_, err = s.LookupKey(t.Context(), "a", []byte("k"))
	require.ErrorIs(t, err, serial.ErrNotFound)
	s.credit(t, "a", 1)
	r, err := s.Reserve(t.Context(), req("a", "k"))
	require.NoError(t, err)
	require.Equal(t, number(t, testScheme(t), 0), r.Number, "the refusal used up no number")
}

func TestHistoryInWords(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 2)
	r, err := s.Reserve(t.Context(), req("a", "k"))
	require.NoError(t, err)
	_, err = s.Signing(t.Context(), r.Number)
	require.NoError(t, err)
	_, err = s.Void(t.Context(), r.Number, "printer broke")
	require.NoError(t, err)
	_, err = s.Stamped(t.Context(), r.Number, out1)
	require.Error(t, err)
	_, err = s.Stamped(t.Context(), r.Number, out1)
	require.Error(t, err)
	var got []string
	for e, err := range s.History(t.Context(), "a", 0) {
		require.NoError(t, err)
		got = append(got, e.Text())
	}
	n := r.Number.String()
	require.Equal(t, []string{
		`2 units bought, payment "payment of a"`,
		`1 unit held for serial ` + n + `, request "k"`,
		`signing of serial ` + n + ` begun`,
		`serial ` + n + ` is void, 1 unit returned: printer broke`,
		`an output for the void serial ` + n + ` came late and is not handed out`,
	}, got)
	for e := range s.History(t.Context(), "a", 3) {
		require.Equal(t, int64(4), e.Sequence)
		break
	}
	for range s.History(t.Context(), "", 0) {
		t.Fatal("no account has no history")
	}
	s.requireClean(t)
}
