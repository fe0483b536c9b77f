package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
)

// testRace: 256 callers, two ledgers, one key: one unit, equal answers.
func testRace(t *testing.T, open func() serial.Store) {
	stores := []serial.Store{opened(t, open), opened(t, open)}
	ledgers := []*serial.Ledger{ledger(t, stores[0]), ledger(t, stores[1])}
	_, err := ledgers[0].Credit(t.Context(), "a", 300, []byte("payment"))
	require.NoError(t, err)
	const callers = 256
	got := make([]serial.Reservation, callers)
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() { got[i], errs[i] = ledgers[i%2].Reserve(t.Context(), request("a", "one key")) })
	}
	wg.Wait()
	for i := range callers {
		require.NoError(t, errs[i])
		require.Equal(t, got[0], got[i])
	}
	b, err := ledgers[1].Balance(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, serial.Balance{Purchased: 300, Available: 299, Reserved: 1}, b)
	requireClean(t, stores[0])
}

func requireClean(t *testing.T, s serial.Store) {
	t.Helper()
	report, err := serial.Audit(t.Context(), s)
	require.NoError(t, err)
	require.Empty(t, report.Problems)
}

func testLeases(t *testing.T, open func() serial.Store) {
	stores := []serial.Store{opened(t, open), opened(t, open)}
	ledgers := []*serial.Ledger{ledger(t, stores[0]), ledger(t, stores[1])}
	const callers, each = 8, 40
	_, err := ledgers[0].Credit(t.Context(), "a", callers*each, []byte("payment"))
	require.NoError(t, err)
	var mu sync.Mutex
	seen := make(map[serial.Number]bool)
	var wg sync.WaitGroup
	for g := range callers {
		wg.Go(func() {
			for i := range each {
				r, err := ledgers[g%2].Reserve(t.Context(), request("a", fmt.Sprintf("%d/%d", g, i)))
				mu.Lock()
				if err != nil || seen[r.Number] {
					t.Errorf("%d/%d: %v %v", g, i, r.Number, err)
				}
				seen[r.Number] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.Len(t, seen, callers*each)
	_, err = ledgers[1].Reserve(t.Context(), request("a", "one more"))
	require.ErrorIs(t, err, serial.ErrInsufficient)
	requireClean(t, stores[1])
}

func testFencing(t *testing.T, open func() serial.Store) {
	s1, s2 := opened(t, open), opened(t, open)
	old := ledger(t, s1)
	_, err := old.Credit(t.Context(), "a", 10, []byte("payment"))
	require.NoError(t, err)
	first, err := old.Reserve(t.Context(), request("a", "1"))
	require.NoError(t, err)
	signing, err := old.Reserve(t.Context(), request("a", "2"))
	require.NoError(t, err)
	_, err = old.Signing(t.Context(), signing.Number)
	require.NoError(t, err)

	const safe = 1 << 40
	require.NoError(t, serial.Fence(t.Context(), s2, Scheme(t).Series(), safe, time.Now()))
	_, err = old.Reserve(t.Context(), request("a", "3"))
	require.ErrorIs(t, err, serial.ErrFenced)
	_, err = old.Signing(t.Context(), first.Number)
	require.ErrorIs(t, err, serial.ErrFenced)
	again, err := old.Reserve(t.Context(), request("a", "1"))
	require.NoError(t, err, "stored answers stay")
	require.Equal(t, first, again)
	_, err = old.Stamped(t.Context(), signing.Number, serial.Output{Digest: [32]byte{1}, Length: 1})
	require.NoError(t, err, "what was begun may be finished")

	fresh := ledger(t, s2)
	r, err := fresh.Reserve(t.Context(), request("a", "3"))
	require.NoError(t, err)
	want, err := Scheme(t).Number(safe)
	require.NoError(t, err)
	require.Equal(t, want, r.Number)
	_, err = fresh.Signing(t.Context(), first.Number)
	require.NoError(t, err)
	_, err = old.Reserve(t.Context(), request("a", "4"))
	require.ErrorIs(t, err, serial.ErrFenced, "an old term stays refused")
	requireClean(t, s1)
}

func testReopen(t *testing.T, open func() serial.Store) {
	seen := make(map[serial.Number]string)
	for round := range 4 {
		s := open()
		l, err := serial.Open(t.Context(), s, &serial.Options{Scheme: Scheme(t), Block: 16})
		require.NoError(t, err)
		m, err := l.Credit(t.Context(), "a", 100, []byte("payment"))
		require.NoError(t, err)
		require.Equal(t, round > 0, m.Replayed)
		for i := range 5 * (round + 1) {
			key := fmt.Sprint(i)
			r, err := l.Reserve(t.Context(), request("a", key))
			require.NoError(t, err)
			if was, ok := seen[r.Number]; ok {
				require.Equal(t, was, key)
			}
			seen[r.Number] = key
		}
		require.NoError(t, l.Close())
		_, err = l.Reserve(t.Context(), request("a", "late"))
		require.ErrorIs(t, err, serial.ErrClosed)
		requireClean(t, s)
		closeStore(t, s)
	}
	require.Len(t, seen, 20)
}
