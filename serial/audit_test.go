package serial_test

import (
	"context"
	"encoding/hex"
	"iter"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
)

// tampered is a store whose rows are changed on their way to the auditor.
type tampered struct {
	serial.Store
	entry       func(*serial.Entry) bool // false drops the row
	account     func(*serial.Account) bool
	reservation func(*serial.Reservation) bool
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
	require.Equal(t, "a8ba9ca0172898a36c136fe2f0d36e5ce3236d4fa1deece6f3c0bcd1ae6db6e3", hex.EncodeToString(first[:]), "computed by another program")
	for name, change := range map[string]func(*serial.Entry){
		"account": func(e *serial.Entry) { e.Account = "b" }, "sequence": func(e *serial.Entry) { e.Sequence++ },
		"kind": func(e *serial.Entry) { e.Kind++ }, "units": func(e *serial.Entry) { e.Units++ },
		"key": func(e *serial.Entry) { e.Key = nil }, "number": func(e *serial.Entry) { e.Number = number(t, testScheme(t), 1) },
		"digest": func(e *serial.Entry) { e.Digest[0]++ }, "length": func(e *serial.Entry) { e.Length++ },
		"peer": func(e *serial.Entry) { e.Peer = "x" }, "note": func(e *serial.Entry) { e.Note = "x" },
		"time": func(e *serial.Entry) { e.Time = e.Time.Add(1000) },
	} {
		other := e
		change(&other)
		require.NotEqual(t, first, other.Chain([32]byte{}), name)
	}
	require.NotEqual(t, first, e.Chain([32]byte{1}))
}
