package serial_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
)

func (s *setup) affected(t testing.TB, o *serial.Outage) map[string]serial.Harm {
	t.Helper()
	all := make(map[string]serial.Harm)
	last := ""
	for h, err := range s.Affected(t.Context(), o) {
		require.NoError(t, err)
		require.Greater(t, h.Account, last, "by name, each once")
		last = h.Account
		all[h.Account] = h
	}
	return all
}

func payments(list ...serial.Payment) iter.Seq2[serial.Payment, error] {
	return func(yield func(serial.Payment, error) bool) {
		for _, p := range list {
			if !yield(p, nil) {
				return
			}
		}
	}
}

func TestAffected(t *testing.T) {
	s := start(t)
	begin := s.clock.now().UTC()
	pay := func(account, reference string, paid time.Time) serial.Payment {
		p := serial.Payment{Account: account, Units: 5, Reference: []byte(reference), Paid: paid}
		_, err := s.CreditPayment(t.Context(), p)
		require.NoError(t, err)
		return p
	}
	stamp := func(account, key string, after time.Duration) serial.Number {
		n := s.reserved(t, account, key)
		_, err := s.Signing(t.Context(), n)
		require.NoError(t, err)
		s.clock.step(after)
		_, err = s.Stamped(t.Context(), n, serial.Output{Digest: [32]byte{1}, Length: 1})
		require.NoError(t, err)
		return n
	}
	for _, name := range []string{"early", "late", "fine", "released", "void", "pending", "stuck", "again"} {
		pay(name, "p of "+name, begin)
	}
	stamp("early", "1", time.Hour) // before the window
	s.clock.step(time.Hour)
	from := s.clock.now()

	paid := s.clock.now()
	s.clock.step(5 * time.Minute)
	pay("late", "slow", paid)
	pay("late", "quick", s.clock.now().Add(-time.Minute))
	pay("again", "silent", time.Time{}) // the ledger was not told when it was paid
	lateStamp := stamp("late", "1", time.Minute+time.Microsecond)
	stamp("fine", "1", time.Minute)
	released := s.reserved(t, "released", "1")
	_, err := s.Release(t.Context(), released, "no key")
	require.NoError(t, err)
	void := s.reserved(t, "void", "1")
	_, err = s.Signing(t.Context(), void)
	require.NoError(t, err)
	_, err = s.Void(t.Context(), void, "token lost")
	require.NoError(t, err)
	s.reserved(t, "pending", "1")
	stuck := s.reserved(t, "stuck", "1")
	_, err = s.Signing(t.Context(), stuck)
	require.NoError(t, err)
	s.clock.step(2 * time.Minute)
	to := s.clock.now()
	s.clock.step(time.Hour)
	stamp("early", "2", time.Hour) // after the window
	young := s.reserved(t, "fine", "2")

	none := s.affected(t, &serial.Outage{From: begin.Add(-time.Hour), To: begin.Add(-time.Minute)})
	require.Empty(t, none)
	all := s.affected(t, &serial.Outage{From: from, To: to})
	require.ElementsMatch(t, []string{"late", "released", "void", "pending", "stuck"}, keys(all))
	require.Equal(t, serial.Harm{Account: "late", LateCredit: 1, LateStamp: 1, Cases: []serial.Case{
		{Kind: serial.CaseLateCredit, Key: "slow", Units: 5, From: paid.UTC(), To: paid.Add(5 * time.Minute).UTC()},
		{Kind: serial.CaseLateStamp, Key: "1", Units: 1, Number: lateStamp, From: paid.Add(5 * time.Minute).UTC(),
			To: paid.Add(6*time.Minute + time.Microsecond).UTC()},
	}}, all["late"])
	require.Equal(t, int64(1), all["released"].Released)
	require.Zero(t, all["released"].Owed)
	require.Contains(t, all["released"].Cases[0].Text(), "released after 0s: no key")
	require.Equal(t, int64(1), all["void"].Void)
	require.Equal(t, "token lost", all["void"].Cases[0].Note)
	require.Equal(t, int64(1), all["pending"].Pending)
	require.Equal(t, int64(1), all["stuck"].Held, "held, and neither usable nor stamped")
	require.Equal(t, stuck, all["stuck"].Cases[0].Number)
	require.NotContains(t, all, "fine", young)

	// What the payment provider knows.
	later := s.clock.now()
	list := payments(
		serial.Payment{Account: "unknown", Units: 3, Reference: []byte("lost"), Paid: paid},
		serial.Payment{Account: "fine", Units: 7, Reference: []byte("lost"), Paid: paid},
		serial.Payment{Account: "fine", Units: 7, Reference: []byte("lost"), Paid: paid}, // told twice
		serial.Payment{Account: "again", Units: 5, Reference: []byte("silent"), Paid: paid},
		serial.Payment{Account: "late", Units: 9, Reference: []byte("slow"), Paid: paid},
		serial.Payment{Account: "aaa", Units: 2, Reference: []byte("lost"), Paid: paid},
		serial.Payment{Account: "zzz", Units: 2, Reference: []byte("young"), Paid: later},
		serial.Payment{Account: "early", Units: 5, Reference: []byte("p of early"), Paid: begin},
	)
	all = s.affected(t, &serial.Outage{From: from, To: to, Payments: list})
	require.ElementsMatch(t, []string{"late", "released", "void", "pending", "stuck", "unknown", "fine", "again", "aaa"}, keys(all))
	require.Equal(t, int64(3), all["unknown"].Owed)
	require.Equal(t, int64(1), all["fine"].Uncredited)
	require.Equal(t, int64(7), all["fine"].Owed)
	require.Equal(t, `payment "lost" of 7 units: not credited`, all["fine"].Cases[0].Text())
	require.Equal(t, int64(1), all["again"].LateCredit)
	require.Equal(t, int64(4), all["late"].Owed, "5 of 9 units were credited")
	require.Equal(t, int64(0), all["late"].LateCredit, "the payment is one case")

	// Without a window: from the beginning until now.
	require.Equal(t, int64(2), s.affected(t, nil)["early"].LateStamp)
}

func keys[V any](m map[string]V) (list []string) {
	for k := range m {
		list = append(list, k)
	}
	return list
}

func TestAffectedRefuses(t *testing.T) {
	s := start(t)
	lost := errors.New("provider is away")
	for _, year := range []int{-400000, 1969, 10000} {
		_, err := s.CreditPayment(t.Context(), serial.Payment{Account: "a", Units: 1, Reference: []byte("r"), Paid: time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC)})
		var refused *serial.RequestError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, "paid", refused.Field)
	}
	for name, o := range map[string]*serial.Outage{
		"year":    {Payments: payments(serial.Payment{Account: "a", Reference: []byte("r"), Units: 1, Paid: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)})},
		"window":  {From: s.clock.now().Add(time.Hour)},
		"late":    {Late: -1},
		"units":   {Payments: payments(serial.Payment{Account: "a", Reference: []byte("r"), Paid: s.clock.now()})},
		"time":    {Payments: payments(serial.Payment{Account: "a", Reference: []byte("r"), Units: 1})},
		"account": {Payments: payments(serial.Payment{Reference: []byte("r"), Units: 1, Paid: s.clock.now()})},
		"error":   {Payments: func(yield func(serial.Payment, error) bool) { yield(serial.Payment{}, lost) }},
	} {
		seen := 0
		for _, err := range s.Affected(t.Context(), o) {
			require.Error(t, err, name)
			var refused *serial.RequestError
			require.True(t, errors.As(err, &refused) || errors.Is(err, lost), name)
			seen++
		}
		require.Equal(t, 1, seen, name)
	}
}

// A report stays small however many cases an account has.
func TestAffectedIsBounded(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 1)
	for range 1003 {
		n := s.reserved(t, "a", "k")
		_, err := s.Release(t.Context(), n, "")
		require.NoError(t, err)
	}
	h := s.affected(t, nil)["a"]
	require.Equal(t, int64(1003), h.Released)
	require.Len(t, h.Cases, 1000)
	require.Equal(t, int64(3), h.Omitted)
	for range s.Affected(t.Context(), nil) {
		break // a loop that ends early is no error
	}
}

// meanwhile is a store on which something happens after a view, and that wraps the errors of a scan.
type meanwhile struct {
	serial.Store
	happens func()
}

func (m *meanwhile) View(ctx context.Context, q *serial.Query) (*serial.Snapshot, error) {
	snap, err := m.Store.View(ctx, q)
	m.happens()
	return snap, err
}

func (m *meanwhile) Scan(ctx context.Context, read func(serial.Reader) error) error {
	if err := m.Store.Scan(ctx, read); err != nil {
		return fmt.Errorf("scan: %w", err)
	}
	return nil
}

// A payment that is credited while the report is made is credited in the report too, and a loop may end at any time.
func TestAffectedIsOfOneMoment(t *testing.T) {
	s := start(t)
	m := &meanwhile{Store: s.store, happens: func() {}}
	l, err := serial.Open(t.Context(), m, &serial.Options{Now: s.clock.now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	p := serial.Payment{Account: "a", Units: 5, Reference: []byte("r"), Paid: s.clock.now().Add(-time.Hour)}
	m.happens = func() {
		m.happens = func() {}
		_, err := s.CreditPayment(t.Context(), p)
		require.NoError(t, err)
	}
	for h, err := range l.Affected(t.Context(), &serial.Outage{Payments: payments(p)}) {
		require.NoError(t, err)
		require.Zero(t, h.Owed)
		require.Equal(t, int64(1), h.LateCredit)
		break
	}
}
