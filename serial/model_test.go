package serial_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
)

// model is the oracle: what a ledger should hold, kept the simple way.
type model struct {
	balance map[string]serial.Balance
	state   map[serial.Number]serial.State
	number  map[string]serial.Number // by account and key
	owner   map[serial.Number]string
	paid    map[string]int64 // by account and reference
}

var modelAccounts = []string{"a", "b", "c"}

// TestModel runs random operations, with failing stores and restarts in between, against the oracle, and compares all
// balances after each step. (I1, I3, I5, I8)
func TestModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	s := start(t)
	m := &model{make(map[string]serial.Balance), make(map[serial.Number]serial.State), make(map[string]serial.Number),
		make(map[serial.Number]string), make(map[string]int64)}
	end := time.Now().Add(2 * time.Second)
	steps := 0
	for ; steps < 6000 && time.Now().Before(end); steps++ {
		s.clock.step(time.Duration(r.IntN(2000)-250) * time.Millisecond)
		if r.IntN(200) == 0 {
			s = restart(t, s)
		}
		s.store.plan([]fault{none, none, none, none, none, none, none, none, fails, failsButPersisted}[r.IntN(10)])
		account := modelAccounts[r.IntN(len(modelAccounts))]
		key := fmt.Sprint(r.IntN(40 + steps/20))
		m.random(t, r, s, account, key)
		s.store.plan()
		for _, name := range modelAccounts {
			got, err := s.Balance(t.Context(), name)
			if want, ok := m.balance[name]; ok {
				require.NoError(t, err)
				require.Equal(t, want, got, "step %d", steps)
				require.NoError(t, got.Check())
			} else {
				require.ErrorIs(t, err, serial.ErrNotFound)
			}
		}
	}
	report := s.requireClean(t)
	want := make(map[serial.State]int64)
	for _, v := range m.state {
		want[v]++
	}
	require.Equal(t, want, report.Reservations)
	t.Logf("%d steps, %d numbers", steps, len(m.state))
	require.Greater(t, len(m.state), 20)
}

// until repeats an operation as a client does, until its outcome is known.
func until(f func() error) error {
	for {
		err := f()
		if err == nil || !strings.Contains(err.Error(), errDisk.Error()) {
			return err
		}
	}
}

func (m *model) random(t *testing.T, r *rand.Rand, s *setup, account, key string) {
	n, known := m.number[account+"/"+key]
	switch r.IntN(8) {
	case 0:
		m.credit(t, s, account, key, r.Int64N(4)+1)
	case 1, 2, 3:
		m.reserve(t, s, account, key)
	default:
		if known {
			m.resolve(t, r, s, n)
		}
	}
}

func (m *model) credit(t *testing.T, s *setup, account, key string, units int64) {
	err := until(func() error {
		_, err := s.Credit(t.Context(), account, units, []byte(key))
		return err
	})
	ref := account + "/" + key
	if was, ok := m.paid[ref]; ok {
		var conflict *serial.ConflictError
		require.Equal(t, was != units, errors.As(err, &conflict), "%v", err)
		return
	}
	require.NoError(t, err)
	m.paid[ref] = units
	b := m.balance[account]
	b.Purchased += units
	b.Available += units
	m.balance[account] = b
}

func (m *model) reserve(t *testing.T, s *setup, account, key string) {
	var got serial.Reservation
	err := until(func() (err error) {
		got, err = s.Reserve(t.Context(), req(account, key))
		return err
	})
	ref := account + "/" + key
	if n, ok := m.number[ref]; ok && m.state[n] != serial.Released {
		require.NoError(t, err)
		require.Equal(t, n, got.Number)
		require.Equal(t, m.state[n], got.State)
		return
	}
	b := m.balance[account]
	if b.Available == 0 {
		require.ErrorIs(t, err, serial.ErrInsufficient)
		return
	}
	require.NoError(t, err)
	require.NotContains(t, m.state, got.Number, "a number twice")
	m.state[got.Number], m.number[ref], m.owner[got.Number] = serial.Reserved, got.Number, account
	b.Available--
	b.Reserved++
	m.balance[account] = b
}

func (m *model) resolve(t *testing.T, r *rand.Rand, s *setup, n serial.Number) {
	to := []serial.State{serial.Signing, serial.Stamped, serial.Released, serial.Void}[r.IntN(4)]
	err := until(func() (err error) {
		switch to {
		case serial.Signing:
			_, err = s.Signing(t.Context(), n)
		case serial.Stamped:
			_, err = s.Stamped(t.Context(), n, out1)
		case serial.Released:
			_, err = s.Release(t.Context(), n, "")
		case serial.Void:
			_, err = s.Void(t.Context(), n, "")
		}
		return err
	})
	from := m.state[n]
	if from == to {
		require.NoError(t, err)
		return
	}
	legal := from == serial.Reserved && (to == serial.Signing || to == serial.Released) ||
		from == serial.Signing && (to == serial.Stamped || to == serial.Void)
	if !legal {
		var se *serial.StateError
		require.ErrorAs(t, err, &se)
		require.Equal(t, from, se.State)
		return
	}
	require.NoError(t, err)
	m.state[n] = to
	b := m.balance[m.owner[n]]
	switch to {
	case serial.Stamped:
		b.Reserved--
		b.Stamped++
	case serial.Released, serial.Void:
		b.Reserved--
		b.Available++
	}
	m.balance[m.owner[n]] = b
}
