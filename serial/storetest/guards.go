package storetest

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
)

// testTimes: 1970 is a time like any other.
func testTimes(t *testing.T, open func() serial.Store) {
	s := opened(t, open)
	b := rows(t)
	epoch := time.Unix(0, 0).UTC()
	for i := range b.Entries {
		b.Entries[i].Time = epoch
	}
	for i := range b.Keys {
		b.Keys[i].Time = epoch
	}
	b.Entries[1].Kind = serial.KindClock
	b.Accounts[0].Time, b.Series.Time, b.Lease.Time = epoch, epoch, epoch
	r := &b.Reservations[0]
	r.Reserved, r.Time = epoch, epoch
	write(t, s, b)
	requireRows(t, s, b)
	r.State, r.Resolved = serial.Void, epoch
	write(t, s, &serial.Batch{Reservations: b.Reservations})
	requireRows(t, s, b)
	b.Series.Time = epoch.Add(-time.Hour)
	write(t, s, &serial.Batch{Series: b.Series})
	requireRows(t, s, b)

	// A moment is the same in any zone.
	n, err := Scheme(t).Number(8)
	require.NoError(t, err)
	other := serial.Reservation{Number: n, Account: "a", State: serial.Reserved, Reserved: instant, Request: request("a", "zone")}
	k := serial.Key{ID: attempt(&other), Number: n, Sequence: 3, Units: 1, Time: instant.In(time.FixedZone("east", 3600))}
	write(t, s, &serial.Batch{Reservations: []serial.Reservation{other}, Keys: []serial.Key{k}})
	snap, err := s.View(t.Context(), &serial.Query{Keys: []serial.KeyID{k.ID}})
	require.NoError(t, err)
	require.True(t, instant.Equal(snap.Keys[k.ID].Time))
}

// testAttempts: of one account and key, one reservation at most is not released.
func testAttempts(t *testing.T, open func() serial.Store) {
	s := opened(t, open)
	var attempts []serial.Reservation
	for i := range 3 {
		n, err := Scheme(t).Number(uint64(i))
		require.NoError(t, err)
		attempts = append(attempts, serial.Reservation{Number: n, Account: "a", State: serial.Reserved, Reserved: instant, Request: request("a", "k")})
	}
	try := func(rs ...serial.Reservation) error {
		return s.Update(t.Context(), &serial.Query{}, func(*serial.Snapshot) (*serial.Batch, error) {
			return &serial.Batch{Reservations: rs}, nil
		})
	}
	require.NoError(t, try(attempts[0]))
	require.Error(t, try(attempts[1]))
	attempts[0].State, attempts[0].Resolved = serial.Released, instant
	require.NoError(t, try(attempts[0], attempts[1]), "released and taken again in one transaction")
	attempts[1].State = serial.Signing
	require.NoError(t, try(attempts[1]))
	require.Error(t, try(attempts[2]))
	attempts[1].State, attempts[1].Resolved = serial.Void, instant
	require.NoError(t, try(attempts[1]))
	require.Error(t, try(attempts[2]))
	attempts[2].Request.Key = []byte("another key")
	require.NoError(t, try(attempts[2]))
}

// testPanic: a walk whose body panics or ends the goroutine leaves nothing behind.
func testPanic(t *testing.T, open func() serial.Store) {
	s := open()
	a, e := credited(serial.Account{}, "a")
	write(t, s, &serial.Batch{Entries: []serial.Entry{e}, Accounts: []serial.Account{a}})
	for range 100 {
		require.Panics(t, func() {
			_ = s.Scan(t.Context(), func(r serial.Reader) error {
				for range r.Entries(t.Context(), "", 0) {
					panic("body")
				}
				return nil
			})
		})
		done := make(chan bool)
		go func() {
			defer close(done)
			_ = s.Scan(context.Background(), func(r serial.Reader) error {
				for range r.Accounts(context.Background()) {
					runtime.Goexit()
				}
				return nil
			})
		}()
		<-done
	}
	write(t, s, nil)
	closeStore(t, s)
}
