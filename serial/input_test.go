package serial_test

import (
	"context"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
)

// badInput is a call that is refused for what it asks, whatever the ledger holds; a digest has its length by type.
type badInput struct {
	name, field string
	call        func(context.Context, *serial.Ledger) error
}

var badInputs = append(append(badRequests(), badScopes()...), []badInput{
	{"no units", "units", credit(0)},
	{"negative units", "units", credit(-1)},
	{"the least integer", "units", credit(math.MinInt64)},
	{"negative limit", "units", func(ctx context.Context, l *serial.Ledger) error {
		_, err := l.SetLimit(ctx, "a", -1, []byte("k"))
		return err
	}},
	{"transfer to itself", "peer", transfer("a")},
	{"transfer to no account", "account", transfer("")},
	{"transfer to an account that is not UTF-8", "account", transfer("\xc3")},
	{"long reason", "reason", grant(strings.Repeat("x", 1025))},
	{"reason with a line end", "reason", grant("a\nb")},
	{"reason that is not UTF-8", "reason", grant("\xff")},
	{"release with a bad reason", "reason", func(ctx context.Context, l *serial.Ledger) error {
		_, err := l.Release(ctx, serial.Number{}, "\xff")
		return err
	}},
	{"void with a bad reason", "reason", func(ctx context.Context, l *serial.Ledger) error {
		_, err := l.Void(ctx, serial.Number{}, "\x7f")
		return err
	}},
	{"no number", "number", func(ctx context.Context, l *serial.Ledger) error {
		_, err := l.Signing(ctx, serial.Number{})
		return err
	}},
	{"output without length", "output", stamped(serial.Output{Digest: [32]byte{1}})},
	{"output of negative length", "output", stamped(serial.Output{Digest: [32]byte{1}, Length: math.MinInt64})},
	{"output without digest", "output", stamped(serial.Output{Length: 1})},
	{"no run", "run", func(ctx context.Context, l *serial.Ledger) error {
		_, err := l.Redeem(ctx, req("a", "k"), nil)
		return err
	}},
}...)

func credit(units int64) func(context.Context, *serial.Ledger) error {
	return func(ctx context.Context, l *serial.Ledger) error {
		_, err := l.Credit(ctx, "a", units, []byte("k"))
		return err
	}
}

func transfer(to string) func(context.Context, *serial.Ledger) error {
	return func(ctx context.Context, l *serial.Ledger) error {
		_, err := l.Transfer(ctx, "a", to, 1, []byte("k"))
		return err
	}
}

func grant(reason string) func(context.Context, *serial.Ledger) error {
	return func(ctx context.Context, l *serial.Ledger) error {
		_, err := l.Grant(ctx, "a", 1, []byte("k"), reason)
		return err
	}
}

func stamped(out serial.Output) func(context.Context, *serial.Ledger) error {
	return func(ctx context.Context, l *serial.Ledger) error {
		_, err := l.Stamped(ctx, serial.Number{}, out)
		return err
	}
}

// badRequests are requests that Reserve and Redeem refuse.
func badRequests() (list []badInput) {
	for _, c := range []struct {
		name, field string
		change      func(*serial.Request)
	}{
		{"negative length", "length", func(r *serial.Request) { r.Length = -1 }},
		{"huge length", "length", func(r *serial.Request) { r.Length = math.MaxInt64 }},
		{"first length that is too large", "length", func(r *serial.Request) { r.Length = 1 << 40 }},
		{"kind that is not UTF-8", "kind", func(r *serial.Request) { r.Kind = "a\xff" }},
		{"long kind", "kind", func(r *serial.Request) { r.Kind = strings.Repeat("x", 257) }},
		{"placement with a zero byte", "placement", func(r *serial.Request) { r.Placement = "\x00" }},
		{"long placement", "placement", func(r *serial.Request) { r.Placement = strings.Repeat("é", 129) }},
		{"profile that is half a rune", "profile", func(r *serial.Request) { r.Profile = "\xc3" }},
		{"profile with a C1 control", "profile", func(r *serial.Request) { r.Profile = "\u0085" }},
	} {
		q := req("a", "k")
		c.change(&q)
		list = append(list, badInput{"reserve with " + c.name, c.field, func(ctx context.Context, l *serial.Ledger) error {
			_, err := l.Reserve(ctx, q)
			return err
		}}, badInput{"redeem with " + c.name, c.field, func(ctx context.Context, l *serial.Ledger) error {
			_, err := l.Redeem(ctx, q, func(context.Context, serial.Reservation, io.Writer) error { panic("run was called") })
			return err
		}})
	}
	return list
}

// badScopes are accounts and keys that every operation with a key refuses.
func badScopes() (list []badInput) {
	for _, op := range []struct {
		name string
		call func(ctx context.Context, l *serial.Ledger, account string, key []byte) error
	}{
		{"credit", func(ctx context.Context, l *serial.Ledger, account string, key []byte) error {
			_, err := l.Credit(ctx, account, 1, key)
			return err
		}},
		{"grant", func(ctx context.Context, l *serial.Ledger, account string, key []byte) error {
			_, err := l.Grant(ctx, account, 1, key, "")
			return err
		}},
		{"refund", func(ctx context.Context, l *serial.Ledger, account string, key []byte) error {
			_, err := l.Refund(ctx, account, 1, key, "")
			return err
		}},
		{"transfer", func(ctx context.Context, l *serial.Ledger, account string, key []byte) error {
			_, err := l.Transfer(ctx, account, "to", 1, key)
			return err
		}},
		{"limit", func(ctx context.Context, l *serial.Ledger, account string, key []byte) error {
			_, err := l.SetLimit(ctx, account, 1, key)
			return err
		}},
		{"reserve", func(ctx context.Context, l *serial.Ledger, account string, key []byte) error {
			_, err := l.Reserve(ctx, serial.Request{Account: account, Key: key})
			return err
		}},
	} {
		for _, c := range []struct {
			name, field, account string
			key                  []byte
		}{
			{"no account", "account", "", []byte("k")},
			{"a long account", "account", strings.Repeat("a", 129), []byte("k")},
			{"an account that is not UTF-8", "account", "a\xff", []byte("k")},
			{"an account with a tab", "account", "a\t", []byte("k")},
			{"no key", "key", "a", nil},
			{"an empty key", "key", "a", []byte{}},
			{"a long key", "key", "a", make([]byte, 257)},
			{"a huge key", "key", "a", make([]byte, 1<<20)},
		} {
			list = append(list, badInput{op.name + " with " + c.name, c.field, func(ctx context.Context, l *serial.Ledger) error {
				return op.call(ctx, l, c.account, c.key)
			}})
		}
	}
	return list
}

// I6: what is wrong with the request itself is refused the same way each time, whatever the state of the ledger, and no
// trace is left; the longest inputs that are allowed, of any bytes where bytes are bytes, are taken.
func TestBadInputs(t *testing.T) {
	s := start(t)
	for range 2 {
		for _, c := range badInputs {
			require.Equal(t, "request "+c.field, classOf(c.call(t.Context(), s.Ledger)), c.name)
		}
		require.NoError(t, s.Close(), "and also when it is closed")
	}
	s = restart(t, s)
	require.Zero(t, s.requireClean(t).Entries)

	account, key := strings.Repeat("é", 64), strings.Repeat("\x00\xff", 128)
	_, err := s.Credit(t.Context(), account, 2, []byte(key))
	require.NoError(t, err)
	q := req(account, key)
	q.Length, q.Kind, q.Placement, q.Profile = 1<<40-1, strings.Repeat("k", 256), strings.Repeat("é", 128), ""
	r, err := s.Redeem(t.Context(), q, write("doc"))
	require.NoError(t, err)
	got, err := s.LookupKey(t.Context(), account, []byte(key))
	require.NoError(t, err)
	require.Equal(t, r.Number, got.Number)
	require.Equal(t, q, got.Request)
	_, err = s.LookupKey(t.Context(), "\xff", make([]byte, 1<<20))
	require.ErrorIs(t, err, serial.ErrNotFound, "to ask is no request")
	_, err = s.Balance(t.Context(), "")
	require.ErrorIs(t, err, serial.ErrNotFound)
	s.requireClean(t)
}

// I6: units that would not fit are refused, as is an account that is unknown to what takes units.
func TestUnitsThatDoNotFit(t *testing.T) {
	s := start(t)
	all := int64(math.MaxInt64)
	s.credit(t, "a", all)
	for name, err := range map[string]error{
		"credit": credit(1)(t.Context(), s.Ledger),
		"grant":  grant("")(t.Context(), s.Ledger),
	} {
		require.Equal(t, "request units", classOf(err), name)
	}
	s.credit(t, "b", 1)
	_, err := s.Transfer(t.Context(), "b", "a", 1, []byte("k"))
	require.Equal(t, "request units", classOf(err))
	_, err = s.Transfer(t.Context(), "nobody", "b", 1, []byte("k"))
	require.Equal(t, "insufficient", classOf(err))
	_, err = s.Refund(t.Context(), "nobody", 1, []byte("k"), "")
	require.Equal(t, "insufficient", classOf(err))
	_, err = s.Reserve(t.Context(), req("nobody", "k"))
	require.Equal(t, "insufficient", classOf(err))
	_, err = s.Balance(t.Context(), "nobody")
	require.Equal(t, "not found", classOf(err), "no account was made")
	s.requireBalance(t, "a", serial.Balance{Purchased: all, Available: all})
	s.requireBalance(t, "b", serial.Balance{Purchased: 1, Available: 1})

	// A postpaid unit is one more as well.
	_, err = s.Refund(t.Context(), "a", all, []byte("all"), "")
	require.NoError(t, err)
	_, err = s.SetLimit(t.Context(), "a", 5, []byte("l"))
	require.NoError(t, err)
	_, err = s.Reserve(t.Context(), req("a", "k"))
	require.Equal(t, "request units", classOf(err))
	s.requireClean(t)
}
