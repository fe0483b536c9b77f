package serial_test

import (
	"context"
	"encoding/hex"
	"io"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
)

// tampered is a store whose rows are changed on their way to the auditor.
type tampered struct {
	serial.Store
	entry       func(*serial.Entry) bool // false drops the row
	account     func(*serial.Account) bool
	reservation func(*serial.Reservation) bool
	key         func(*serial.Key) bool
	series      func(*serial.Series) bool
	lease       func(*serial.Lease) bool
}

func (s *tampered) Scan(ctx context.Context, read func(serial.Reader) error) error {
	return s.Store.Scan(ctx, func(r serial.Reader) error { return read(&tamperedReader{r, s}) })
}

type tamperedReader struct {
	serial.Reader
	s *tampered
}

func changed[T any](in iter.Seq2[T, error], change func(*T) bool) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for v, err := range in {
			if err == nil && change != nil && !change(&v) {
				continue
			}
			if !yield(v, err) {
				return
			}
		}
	}
}

func (r *tamperedReader) Entries(ctx context.Context, account string, after int64) iter.Seq2[serial.Entry, error] {
	return changed(r.Reader.Entries(ctx, account, after), r.s.entry)
}

func (r *tamperedReader) Accounts(ctx context.Context) iter.Seq2[serial.Account, error] {
	return changed(r.Reader.Accounts(ctx), r.s.account)
}

func (r *tamperedReader) Reservations(ctx context.Context, unresolved bool) iter.Seq2[serial.Reservation, error] {
	return changed(r.Reader.Reservations(ctx, unresolved), r.s.reservation)
}

func (r *tamperedReader) Keys(ctx context.Context) iter.Seq2[serial.Key, error] {
	return changed(r.Reader.Keys(ctx), r.s.key)
}

func (r *tamperedReader) Series(ctx context.Context) iter.Seq2[serial.Series, error] {
	return changed(r.Reader.Series(ctx), r.s.series)
}

func (r *tamperedReader) Leases(ctx context.Context) iter.Seq2[serial.Lease, error] {
	return changed(r.Reader.Leases(ctx), r.s.lease)
}

// busy makes a ledger with rows of every kind: 12 keys, 12 reservations, 4 leases.
func busy(t *testing.T) *setup {
	t.Helper()
	s := start(t)
	for _, name := range []string{"a", "b"} {
		s.credit(t, name, 20)
		_, err := s.Redeem(t.Context(), req(name, "stamped"), write("doc"))
		require.NoError(t, err)
		for range 3 { // released and taken again: the key follows
			r, err := s.Reserve(t.Context(), req(name, "again"))
			require.NoError(t, err)
			s.clock.step(time.Second)
			_, err = s.Release(t.Context(), r.Number, "left")
			require.NoError(t, err)
		}
		_, err = s.Reserve(t.Context(), req(name, "again"))
		require.NoError(t, err)
	}
	refused := &serial.RefusedError{Reason: "no"}
	_, err := s.Redeem(t.Context(), req("a", "void"), func(context.Context, serial.Reservation, io.Writer) error { return refused })
	require.ErrorIs(t, err, refused)
	void, err := s.LookupKey(t.Context(), "a", []byte("void"))
	require.NoError(t, err)
	_, err = s.Stamped(t.Context(), void.Number, out1)
	require.Error(t, err, "an orphan")
	_, err = s.Transfer(t.Context(), "a", "b", 2, []byte("t"))
	require.NoError(t, err)
	_, err = s.Refund(t.Context(), "a", 1, []byte("r"), "why")
	require.NoError(t, err)
	_, err = s.Grant(t.Context(), "b", 1, []byte("g"), "why")
	require.NoError(t, err)
	_, err = s.SetLimit(t.Context(), "b", 9, []byte("l"))
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, serial.Fence(t.Context(), s.store, testScheme(t).Series(), 100, s.clock.now()))
	}
	s = restart(t, s)
	_, err = s.Reserve(t.Context(), req("b", "new lease"))
	require.NoError(t, err)
	s.requireClean(t)
	return s
}

// victim gives a change of the row with that place in each walk; nil removes the row.
func victim[T any](place, rows int, change func(*T)) func(*T) bool {
	n := -1
	return func(v *T) bool {
		if n++; n%rows != place {
			return true
		}
		if change != nil {
			change(v)
		}
		return change != nil
	}
}

// TestAuditFindsEveryChange changes each field of each row that entries account for, and removes each row.
func TestAuditFindsEveryChange(t *testing.T) {
	s := busy(t)
	const keys, reservations, leases = 12, 12, 4
	require.Equal(t, [3]int{keys, reservations, leases}, s.rows(t))
	found := func(bad tampered, what string, row, change int) {
		t.Helper()
		bad.Store = s.store
		report, err := serial.Audit(t.Context(), &bad)
		require.NoError(t, err)
		require.False(t, report.Clean(), "%s %d, change %d", what, row, change)
	}
	for i := range keys {
		for j, change := range keyChanges(t) {
			found(tampered{key: victim(i, keys, change)}, "key", i, j)
		}
	}
	for i := range reservations {
		for j, change := range reservationChanges {
			found(tampered{reservation: victim(i, reservations, change)}, "reservation", i, j)
		}
	}
	for i := range leases {
		for j, change := range []func(*serial.Lease){
			nil, func(l *serial.Lease) { l.Last++ }, func(l *serial.Lease) { l.Term += 7 }, func(l *serial.Lease) { l.First++ },
		} {
			if i > 0 || j < 3 { // a series may begin anywhere
				found(tampered{lease: victim(i, leases, change)}, "lease", i, j)
			}
		}
	}
	for j, change := range []func(*serial.Series){
		func(s *serial.Series) { s.Mark-- }, func(s *serial.Series) { s.Mark++ }, func(s *serial.Series) { s.Term-- },
		func(s *serial.Series) { s.Fence = 9 }, nil,
	} {
		found(tampered{series: victim(0, 1, change)}, "series", 0, j)
	}
}

// rows counts keys, reservations and leases.
func (s *setup) rows(t *testing.T) (n [3]int) {
	t.Helper()
	require.NoError(t, s.store.Scan(t.Context(), func(r serial.Reader) error {
		for range r.Keys(t.Context()) {
			n[0]++
		}
		for range r.Reservations(t.Context(), false) {
			n[1]++
		}
		for range r.Leases(t.Context()) {
			n[2]++
		}
		return nil
	}))
	return n
}

func keyChanges(t *testing.T) []func(*serial.Key) {
	return []func(*serial.Key){
		func(k *serial.Key) { k.ID.Account += "x" }, func(k *serial.Key) { k.ID.Op = 7 }, func(k *serial.Key) { k.ID.Key += "x" },
		func(k *serial.Key) { k.Number = number(t, testScheme(t), 77) }, func(k *serial.Key) { k.Sequence++ },
		func(k *serial.Key) { k.Units++ }, func(k *serial.Key) { k.Peer += "x" }, func(k *serial.Key) { k.Time = k.Time.Add(1000) }, nil,
	}
}

var reservationChanges = []func(*serial.Reservation){
	func(r *serial.Reservation) { r.Account += "x" }, func(r *serial.Reservation) { r.State = r.State%5 + 1 },
	func(r *serial.Reservation) { r.Time = r.Time.Add(time.Second) }, func(r *serial.Reservation) { r.Reserved = r.Reserved.Add(1000) },
	func(r *serial.Reservation) { r.Resolved = r.Resolved.Add(1000) }, func(r *serial.Reservation) { r.Request.Key = []byte("x") },
	func(r *serial.Reservation) { r.Request.Digest[3]++ }, func(r *serial.Reservation) { r.Request.Length++ },
	func(r *serial.Reservation) { r.Request.Value++ }, func(r *serial.Reservation) { r.Request.Kind += "x" },
	func(r *serial.Reservation) { r.Request.Placement += "x" }, func(r *serial.Reservation) { r.Request.Profile += "x" },
	func(r *serial.Reservation) { r.Output.Digest[3]++ }, func(r *serial.Reservation) { r.Output.Length++ },
	func(r *serial.Reservation) { r.Note += "x" }, nil,
}

func TestAuditFindsChanges(t *testing.T) {
	s := start(t)
	for _, name := range []string{"a", "b"} {
		s.credit(t, name, 3)
		for _, key := range []string{"1", "2"} {
			_, err := s.Redeem(t.Context(), req(name, key), write("doc"))
			require.NoError(t, err)
		}
	}
	held, err := s.Reserve(t.Context(), req("b", "3"))
	require.NoError(t, err)
	is := func(e *serial.Entry, account string, seq int64) bool {
		return e.Account == account && e.Sequence == seq
	}

	for name, tc := range map[string]struct {
		bad  tampered
		want string
	}{
		"units changed": {tampered{entry: func(e *serial.Entry) bool {
			if is(e, "a", 1) {
				e.Units++
			}
			return true
		}}, "chain"},
		"entry removed": {tampered{entry: func(e *serial.Entry) bool { return !is(e, "a", 3) }}, "follows entry 2"},
		"newest entries removed": {tampered{entry: func(e *serial.Entry) bool { return e.Account != "a" || e.Sequence <= 4 }},
			"not the sum of the entries"},
		"entry forged with its hash": {tampered{entry: func(e *serial.Entry) bool {
			if is(e, "b", 8) {
				e.Note, e.Hash = "forged", [32]byte{1}
			}
			return true
		}}, "chain"},
		"balance changed": {tampered{account: func(a *serial.Account) bool {
			if a.Name == "b" {
				a.Purchased++
				a.Available++
			}
			return true
		}}, "not the sum of the entries"},
		"account removed": {tampered{account: func(a *serial.Account) bool { return a.Name != "a" }}, "not stored"},
		"state changed": {tampered{reservation: func(r *serial.Reservation) bool {
			if r.Number == held.Number {
				r.State = serial.Released
			}
			return true
		}}, "stored as RELEASED, but its entries lead to RESERVED"},
		"reservation removed": {tampered{reservation: func(r *serial.Reservation) bool { return r.Number != held.Number }},
			"entries but no reservation"},
		"reservation moved": {tampered{reservation: func(r *serial.Reservation) bool {
			if r.Number == held.Number {
				r.Account = "a"
			}
			return true
		}}, "entries lead to RESERVED"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.bad.Store = s.store
			report, err := serial.Audit(t.Context(), &tc.bad)
			require.NoError(t, err)
			require.False(t, report.Clean())
			var all strings.Builder
			for _, p := range report.Problems {
				all.WriteString(p.String() + "\n")
			}
			require.Contains(t, all.String(), tc.want)
		})
	}
	report := s.requireClean(t)
	require.Equal(t, int64(2), report.Accounts)
	require.Equal(t, int64(15), report.Entries)
	require.Equal(t, serial.Balance{Purchased: 6, Available: 1, Reserved: 1, Stamped: 4}, report.Totals)
	require.Equal(t, map[serial.State]int64{serial.Stamped: 4, serial.Reserved: 1}, report.Reservations)
	again := s.requireClean(t)
	require.Equal(t, report.Head, again.Head)
	s.credit(t, "c", 1)
	require.NotEqual(t, report.Head, s.requireClean(t).Head)
}

// TestChainVector holds the canonical encoding of an entry.
func TestChainVector(t *testing.T) {
	e := serial.Entry{Account: "a", Sequence: 1, Kind: serial.KindPurchase, Units: 5, Key: []byte("INV-1"), Time: newClock().now()}
	first := e.Chain([32]byte{})
	require.Equal(t, "86901402c16437fadd8aeee07d8557125f69cb01cb086c6990d836af171c5008", hex.EncodeToString(first[:]), "computed by another program")
	for name, change := range map[string]func(*serial.Entry){
		"account": func(e *serial.Entry) { e.Account = "b" }, "sequence": func(e *serial.Entry) { e.Sequence++ },
		"kind": func(e *serial.Entry) { e.Kind++ }, "units": func(e *serial.Entry) { e.Units++ },
		"key": func(e *serial.Entry) { e.Key = nil }, "number": func(e *serial.Entry) { e.Number = number(t, testScheme(t), 1) },
		"digest": func(e *serial.Entry) { e.Digest[0]++ }, "length": func(e *serial.Entry) { e.Length++ },
		"peer": func(e *serial.Entry) { e.Peer = "x" }, "note": func(e *serial.Entry) { e.Note = "x" },
		"time": func(e *serial.Entry) { e.Time = e.Time.Add(1000) },
		"paid": func(e *serial.Entry) { e.Paid = e.Time }, "paid in 1970": func(e *serial.Entry) { e.Paid = time.UnixMicro(0) },
	} {
		other := e
		change(&other)
		require.NotEqual(t, first, other.Chain([32]byte{}), name)
	}
	require.NotEqual(t, first, e.Chain([32]byte{1}))
}
