package serial_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

// I3: a reservation is resolved once. A second try is told what became of the first, in words of its own for stamped,
// released and void, and changes nothing.
func TestSecondTryIsToldWhatBecame(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 3)
	ends := map[serial.State]func(serial.Number) error{
		serial.Stamped: func(n serial.Number) error {
			_, err := s.Signing(t.Context(), n)
			if err == nil {
				_, err = s.Stamped(t.Context(), n, out1)
			}
			return err
		},
		serial.Released: func(n serial.Number) error {
			_, err := s.Release(t.Context(), n, "customer left")
			return err
		},
		serial.Void: func(n serial.Number) error {
			_, err := s.Signing(t.Context(), n)
			if err == nil {
				_, err = s.Void(t.Context(), n, "token lost")
			}
			return err
		},
	}
	said := make(map[string]serial.State)
	for state, end := range ends {
		r, err := s.Reserve(t.Context(), req("a", state.String()))
		require.NoError(t, err)
		require.NoError(t, end(r.Number))
		before, err := s.Lookup(t.Context(), r.Number)
		require.NoError(t, err)
		require.Equal(t, state, before.State)
		for other, end := range ends {
			if other == state {
				continue
			}
			err := end(r.Number)
			var se *serial.StateError
			require.ErrorAs(t, err, &se, "%s, then %s", state, other)
			require.Equal(t, state, se.State)
			require.Equal(t, before.Note, se.Note)
			require.ErrorContains(t, err, "is "+state.String()+": cannot ")
			was, ok := said[err.Error()]
			require.True(t, !ok || was == state, "the same words for %s and %s", was, state)
			said[err.Error()] = state
		}
		after, err := s.Lookup(t.Context(), r.Number)
		require.NoError(t, err)
		require.Equal(t, before, after)
	}
	s.requireBalance(t, "a", serial.Balance{Purchased: 3, Available: 2, Stamped: 1})
	s.requireClean(t)
}

// I4: once a unit is reserved, no lack of units can stop its stamp, its release or its void, whatever else is drawn.
func TestReservedUnitsAreThere(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 4)
	var n [3]serial.Number
	for i := range n {
		r, err := s.Reserve(t.Context(), req("a", fmt.Sprint(i)))
		require.NoError(t, err)
		n[i] = r.Number
	}
	_, err := s.Refund(t.Context(), "a", 2, []byte("too many"), "")
	require.ErrorIs(t, err, serial.ErrInsufficient)
	_, err = s.Refund(t.Context(), "a", 1, []byte("all"), "")
	require.NoError(t, err)
	_, err = s.Transfer(t.Context(), "a", "b", 1, []byte("none left"))
	require.ErrorIs(t, err, serial.ErrInsufficient)
	_, err = s.SetLimit(t.Context(), "a", 0, []byte("l"))
	require.NoError(t, err)
	for _, i := range n[:2] {
		_, err := s.Signing(t.Context(), i)
		require.NoError(t, err)
	}
	_, err = s.Stamped(t.Context(), n[0], out1)
	require.NoError(t, err)
	_, err = s.Void(t.Context(), n[1], "")
	require.NoError(t, err)
	_, err = s.Release(t.Context(), n[2], "")
	require.NoError(t, err)
	s.requireBalance(t, "a", serial.Balance{Purchased: 4, Refunded: 1, Available: 2, Stamped: 1})
	s.requireClean(t)
}

// I5: the same key and request is the stored answer for ever, of every operation: after other operations, a restart and
// a fence, with the clock wrong, and at another ledger. Another request is a conflict that names the field.
func TestAnswersStay(t *testing.T) {
	s := start(t)
	calls := map[string]func(*serial.Ledger, int64) (any, bool, error){}
	for name, move := range map[string]func(*serial.Ledger, int64) (serial.Movement, error){
		"credit": func(l *serial.Ledger, n int64) (serial.Movement, error) {
			return l.Credit(t.Context(), "a", n, []byte("k"))
		},
		"grant": func(l *serial.Ledger, n int64) (serial.Movement, error) {
			return l.Grant(t.Context(), "a", n, []byte("k"), "r")
		},
		"refund": func(l *serial.Ledger, n int64) (serial.Movement, error) {
			return l.Refund(t.Context(), "a", n, []byte("k"), "r")
		},
		"transfer": func(l *serial.Ledger, n int64) (serial.Movement, error) {
			return l.Transfer(t.Context(), "a", "b", n, []byte("k"))
		},
		"limit": func(l *serial.Ledger, n int64) (serial.Movement, error) {
			return l.SetLimit(t.Context(), "a", n, []byte("k"))
		},
	} {
		calls[name] = func(l *serial.Ledger, n int64) (any, bool, error) {
			m, err := move(l, n)
			replayed := m.Replayed
			m.Replayed = false
			return m, replayed, err
		}
	}
	calls["redeem"] = func(l *serial.Ledger, n int64) (any, bool, error) {
		q := req("a", "k")
		q.Value = uint32(n)
		r, err := l.Redeem(t.Context(), q, write("doc"))
		replayed := r.Replayed
		r.Replayed = false
		return r, replayed, err
	}
	answers := make(map[string]any)
	for _, name := range []string{"credit", "grant", "refund", "transfer", "limit", "redeem"} { // the first gives units
		first, replayed, err := calls[name](s.Ledger, 3)
		require.NoError(t, err, name)
		require.False(t, replayed, name)
		answers[name] = first
	}
	require.NoError(t, serial.Fence(t.Context(), s.store, testScheme(t).Series(), 1000, s.clock.now()))
	s.clock.step(-time.Hour)
	for _, l := range []*serial.Ledger{s.Ledger, restart(t, s).Ledger} {
		for name, call := range calls {
			again, replayed, err := call(l, 3)
			require.NoError(t, err, name)
			require.True(t, replayed, name)
			require.Equal(t, answers[name], again, name)
			_, _, err = call(l, 4)
			var conflict *serial.ConflictError
			require.ErrorAs(t, err, &conflict, name)
			require.Equal(t, map[bool]string{true: "value", false: "units"}[name == "redeem"], conflict.Field, name)
			require.False(t, conflict.UnderWay)
			require.ErrorContains(t, err, "the key already stands for a request")
			require.ErrorContains(t, err, conflict.Field)
		}
	}
	s.clock.step(time.Hour)
	s.requireClean(t)
}

// I6: what does not lie in the request leaves no trace under its key: the same request is done once the cause is gone.
func TestRefusalsThatPass(t *testing.T) {
	for name, tc := range map[string]struct {
		hinder func(*setup)
		remedy func(*setup) *setup
		want   string
	}{
		"no units": {func(*setup) {}, func(s *setup) *setup { s.credit(t, "b", 1); return s }, "insufficient"},
		"the clock": {func(s *setup) { s.credit(t, "b", 1); s.clock.step(-time.Hour) },
			func(s *setup) *setup { s.clock.step(time.Hour); return s }, "clock"},
		"a closed ledger": {func(s *setup) { s.credit(t, "b", 1); require.NoError(t, s.Close()) },
			func(s *setup) *setup { return restart(t, s) }, "closed"},
		"a fence": {func(s *setup) {
			s.credit(t, "b", 1)
			require.NoError(t, serial.Fence(t.Context(), s.store, testScheme(t).Series(), 100, s.clock.now()))
		}, func(s *setup) *setup { return restart(t, s) }, "fenced"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			s.credit(t, "a", 1)
			_, err := s.Reserve(t.Context(), req("a", "takes the lease"))
			require.NoError(t, err)
			tc.hinder(s)
			_, err = s.Redeem(t.Context(), req("b", "k"), mustNotRun(t))
			require.Equal(t, tc.want, classOf(err))
			require.NotErrorIs(t, err, serial.ErrUnknownOutcome)
			_, err = s.LookupKey(t.Context(), "b", []byte("k"))
			require.ErrorIs(t, err, serial.ErrNotFound)
			s = tc.remedy(s)
			other := req("b", "k")
			other.Value++ // not even another request is a conflict
			_, err = s.Redeem(t.Context(), other, write("doc"))
			require.NoError(t, err)
			s.requireBalance(t, "b", serial.Balance{Purchased: 1, Stamped: 1})
			s.requireClean(t)
		})
	}
}

// I6, I14: when the outcome of a shared transaction is unknown, each of its callers is told so, none that it failed, and
// it is not tried again on the spot; the words say what to do.
func TestUnknownOutcomeOfAGroup(t *testing.T) {
	for name, fault := range map[string]storetest.Fault{"persisted": storetest.Persisted, "lost": storetest.Lost} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate, updates := make(chan bool), 0
				store := &storetest.Faulty{Store: storetest.NewMemory(), Next: func(method string) storetest.Fault {
					if method != "Update" {
						return storetest.NoFault
					}
					<-gate
					updates++
					return map[int]storetest.Fault{2: fault}[updates]
				}}
				l, err := serial.Open(t.Context(), store, nil)
				require.NoError(t, err)
				errs := make([]error, 5)
				var wg sync.WaitGroup
				for i := range errs {
					wg.Go(func() { _, errs[i] = l.Credit(t.Context(), "a", 1, fmt.Append(nil, i)) })
					synctest.Wait() // the first is under way, the others gather behind it
				}
				close(gate)
				wg.Wait()
				require.NoError(t, errs[0])
				for _, err := range errs[1:] {
					require.ErrorIs(t, err, serial.ErrUnknownOutcome)
					require.ErrorContains(t, err, "outcome unknown: look it up or repeat with the same key")
				}
				require.Equal(t, 2, updates)
				for i := range errs {
					m, err := l.Credit(t.Context(), "a", 1, fmt.Append(nil, i))
					require.NoError(t, err)
					require.Equal(t, i == 0 || fault == storetest.Persisted, m.Replayed)
				}
				b, err := l.Balance(t.Context(), "a")
				require.NoError(t, err)
				require.Equal(t, serial.Balance{Purchased: 5, Available: 5}, b)
				require.NoError(t, l.Close())
			})
		})
	}
}

// I10: a caller who leaves when the work is done does not undo it.
func TestLeavingDoesNotUndoTheWork(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 1)
	ctx, leave := context.WithCancel(t.Context())
	r, err := s.Redeem(ctx, req("a", "k"), func(ctx context.Context, r serial.Reservation, w io.Writer) error {
		defer leave()
		return write("doc")(ctx, r, w)
	})
	require.NoError(t, err)
	s.requireOutput(t, r, "doc")
	s.requireBalance(t, "a", serial.Balance{Purchased: 1, Stamped: 1})

	s.credit(t, "b", 1)
	ctx, leave = context.WithCancel(t.Context())
	_, err = s.Redeem(ctx, req("b", "k"), func(context.Context, serial.Reservation, io.Writer) error {
		leave()
		return &serial.RefusedError{Reason: "no", Err: errors.New("cause")}
	})
	require.Equal(t, "refused", classOf(err))
	s.requireBalance(t, "b", serial.Balance{Purchased: 1, Available: 1})
	s.requireClean(t)
}

// I9: number, request and the intent to sign are durable before the key is used, and a changed request is refused then.
func TestIntentBeforeSignature(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 1)
	boom := errors.New("boom")
	_, err := s.Redeem(t.Context(), req("a", "k"), func(_ context.Context, r serial.Reservation, _ io.Writer) error {
		snap, err := s.store.View(t.Context(), &serial.Query{Numbers: []serial.Number{r.Number}})
		require.NoError(t, err)
		require.Equal(t, r, snap.Reservations[r.Number])
		require.Equal(t, serial.Signing, r.State)
		require.Equal(t, req("a", "k"), r.Request)
		return boom
	})
	require.ErrorIs(t, err, boom)
	for field, change := range map[string]func(*serial.Request){
		"profile": func(q *serial.Request) { q.Profile = "another" },
		"digest":  func(q *serial.Request) { q.Digest[0]++ },
	} {
		other := req("a", "k")
		change(&other)
		_, err = s.Redeem(t.Context(), other, mustNotRun(t))
		require.Equal(t, "conflict "+field, classOf(err))
	}
	s.requireClean(t)
}
