package chaos_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/examples/surge/internal/chaos"
	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/sqlite"
)

var plans = []chaos.Plan{{chaos.Outage, 0.4, 4 * time.Second}, {chaos.Crash, 0.2, 0}, {chaos.TSADown, 0.6, time.Second}}

func TestSchedules(t *testing.T) {
	const length = time.Minute
	fixed := chaos.Fixed(plans, length, 2)
	require.Equal(t, []chaos.Kind{chaos.Crash, chaos.Outage, chaos.TSADown}, []chaos.Kind{fixed[0].Kind, fixed[1].Kind, fixed[2].Kind})
	require.Equal(t, 24*time.Second, fixed[1].At)
	different := 0
	for seed := range uint64(50) {
		events := chaos.Drawn(seed, plans, length, 3)
		require.Equal(t, events, chaos.Drawn(seed, plans, length, 3), "the same seed, the same faults")
		kinds, end := make(map[chaos.Kind]int), make(map[chaos.Kind]time.Duration)
		for i, e := range events {
			kinds[e.Kind]++
			require.GreaterOrEqual(t, e.At, end[e.Kind], "one of a kind at a time")
			end[e.Kind] = e.At + e.For
			require.Less(t, e.Target, 3)
			require.Less(t, e.At, length)
			if i > 0 {
				require.GreaterOrEqual(t, e.At, events[i-1].At)
			}
		}
		require.Len(t, kinds, len(plans), "every kind happens")
		if len(events) != len(chaos.Drawn(seed+1, plans, length, 3)) {
			different++
		}
	}
	require.NotZero(t, different)
}

func newNumber(t *testing.T) serial.Number {
	t.Helper()
	s, err := serial.NewScheme('0', "ZZ", [32]byte{1})
	require.NoError(t, err)
	n, err := s.Number(1)
	require.NoError(t, err)
	return n
}

// TestFullDisk: the error is that of a full disk, nothing is kept, and with room the same output can be kept.
func TestFullDisk(t *testing.T) {
	dir, err := serial.NewDirSink(t.TempDir())
	require.NoError(t, err)
	var full atomic.Bool
	s := &chaos.Sink{ClaimSink: dir, Full: &full}
	n := newNumber(t)
	put := func() error {
		return s.PutClaimed(t.Context(), n, [32]byte{}, func(w io.Writer) error {
			_, err := w.Write(make([]byte, 100_000))
			return err
		})
	}
	full.Store(true)
	require.ErrorIs(t, put(), syscall.ENOSPC)
	_, err = s.Open(t.Context(), n)
	require.ErrorIs(t, err, fs.ErrNotExist)
	full.Store(false)
	require.NoError(t, put())
	s.Cut()
	require.Error(t, put())
}

// TestCut: after the connection is lost nothing works, and what was acknowledged is there for who opens the file anew.
func TestCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	open := func() (*serial.Ledger, *chaos.Store) {
		inner, err := sqlite.Open(t.Context(), path, nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, inner.Close()) })
		store := &chaos.Store{Store: inner}
		l, err := serial.Open(t.Context(), store, nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, l.Close()) })
		return l, store
	}
	l, store := open()
	_, err := l.Credit(t.Context(), "a", 5, []byte("1"))
	require.NoError(t, err)
	store.Cut()
	_, err = l.Credit(t.Context(), "a", 5, []byte("2"))
	require.Error(t, err)
	_, err = l.Balance(t.Context(), "a")
	require.Error(t, err)
	require.Error(t, store.Scan(t.Context(), func(serial.Reader) error { return nil }))
	l, _ = open()
	b, err := l.Balance(context.Background(), "a")
	require.NoError(t, err)
	require.Equal(t, int64(5), b.Available)
}

func TestLostKeyAndClock(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	s := &chaos.Signer{Signer: key}
	_, err = s.Sign(rand.Reader, make([]byte, 32), crypto.SHA256)
	require.NoError(t, err)
	s.Lost.Store(true)
	_, err = s.Sign(rand.Reader, make([]byte, 32), crypto.SHA256)
	require.Error(t, err)
	require.False(t, errors.Is(err, serial.ErrUnknownOutcome))

	var c chaos.Clock
	c.Set(-time.Hour)
	require.WithinDuration(t, time.Now().Add(-time.Hour), c.Now(), time.Minute)
}
