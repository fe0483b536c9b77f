package serial_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

func TestGroupMembersDoNotHarmEachOther(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 10)
	var wg sync.WaitGroup
	var good, refused atomic.Int64
	for i := range 64 {
		wg.Go(func() {
			_, err := s.Reserve(context.Background(), req("a", fmt.Sprint(i)))
			switch {
			case err == nil:
				good.Add(1)
			case errors.Is(err, serial.ErrInsufficient):
				refused.Add(1)
			}
		})
	}
	wg.Wait()
	require.Equal(t, int64(10), good.Load())
	require.Equal(t, int64(54), refused.Load())
	s.requireBalance(t, "a", serial.Balance{Purchased: 10, Reserved: 10})
	s.requireClean(t)
}

// TestStoreFailures: what failed left no trace; what may have been done is an unknown outcome. (I6)
func TestStoreFailures(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 5)
	_, err := s.Reserve(t.Context(), req("a", "first")) // takes the lease
	require.NoError(t, err)

	s.store.plan(fails)
	_, err = s.Reserve(t.Context(), req("a", "k"))
	require.ErrorIs(t, err, errDisk)
	require.NotErrorIs(t, err, serial.ErrUnknownOutcome)
	_, err = s.LookupKey(t.Context(), "a", []byte("k"))
	require.ErrorIs(t, err, serial.ErrNotFound)

	s.store.plan(failsButPersisted)
	_, err = s.Reserve(t.Context(), req("a", "k"))
	require.ErrorIs(t, err, serial.ErrUnknownOutcome)
	kept, err := s.LookupKey(t.Context(), "a", []byte("k"))
	require.NoError(t, err)
	again, err := s.Reserve(t.Context(), req("a", "k"))
	require.NoError(t, err)
	require.Equal(t, kept, again)
	next, err := s.Reserve(t.Context(), req("a", "next"))
	require.NoError(t, err)
	require.NotEqual(t, kept.Number, next.Number)

	s.store.plan(failsButPersisted)
	_, err = s.Credit(t.Context(), "a", 3, []byte("more"))
	require.ErrorIs(t, err, serial.ErrUnknownOutcome)
	m, err := s.Credit(t.Context(), "a", 3, []byte("more"))
	require.NoError(t, err)
	require.True(t, m.Replayed)
	s.requireBalance(t, "a", serial.Balance{Purchased: 8, Available: 5, Reserved: 3})
	s.requireClean(t)
}

// TestLeaseFailures: no number of a block whose lease is in doubt is used. (I8)
func TestLeaseFailures(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 5)
	s.store.plan(fails)
	_, err := s.Reserve(t.Context(), req("a", "1"))
	require.ErrorIs(t, err, errDisk)
	s.store.plan(failsButPersisted)
	_, err = s.Reserve(t.Context(), req("a", "1"))
	require.Error(t, err)
	require.NotErrorIs(t, err, serial.ErrUnknownOutcome, "the reservation was certainly not made")
	r, err := s.Reserve(t.Context(), req("a", "1"))
	require.NoError(t, err)
	require.Equal(t, number(t, testScheme(t), 8), r.Number, "the block of unknown outcome is not used")
}

// TestClock: a small step back is bridged, a larger one stops what makes entries, and nothing else. (I13)
func TestClock(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 5)
	s.clock.step(-1500 * time.Millisecond)
	r, err := s.Reserve(t.Context(), req("a", "small step"))
	require.NoError(t, err, "small steps are bridged")
	s.clock.step(-time.Second)
	_, err = s.Reserve(t.Context(), req("a", "large step"))
	var ce *serial.ClockError
	require.ErrorAs(t, err, &ce)
	require.Equal(t, 2*time.Second, ce.Tolerance)
	again, err := s.Reserve(t.Context(), req("a", "small step"))
	require.NoError(t, err, "stored answers need no clock")
	require.Equal(t, r, again)
	later := restart(t, s) // opens: reading needs no clock
	later.requireBalance(t, "a", serial.Balance{Purchased: 5, Available: 4, Reserved: 1})
	_, err = later.Reserve(t.Context(), req("a", "after a restart"))
	require.ErrorAs(t, err, &ce)
	_, err = later.Credit(t.Context(), "new account", 5, []byte("x"))
	require.ErrorAs(t, err, &ce, "the series knows a later time")
	s.clock.step(time.Hour)
	_, err = s.Reserve(t.Context(), req("a", "large step"))
	require.NoError(t, err)
	s.requireClean(t)
}

// TestWaitingEndsWithContext: who leaves the queue has done nothing, who leaves a transaction does not know. (I6)
func TestWaitingEndsWithContext(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 5)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Reserve(ctx, req("a", "k"))
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, serial.ErrUnknownOutcome)

	// One that ends while the transaction is under way does not know its outcome.
	inside, resume := make(chan bool), make(chan bool)
	slow := &slowStore{Store: s.store, inside: inside, resume: resume}
	l, err := serial.Open(t.Context(), slow, nil)
	require.NoError(t, err)
	ctx, cancel = context.WithCancel(t.Context())
	go func() {
		<-inside
		cancel()
	}()
	_, err = l.Credit(ctx, "a", 5, []byte("x"))
	require.ErrorIs(t, err, serial.ErrUnknownOutcome)
	require.ErrorIs(t, err, context.Canceled)
	close(resume)
	require.NoError(t, l.Close())
	s.requireBalance(t, "a", serial.Balance{Purchased: 10, Available: 10})
	_, err = l.Credit(t.Context(), "a", 5, []byte("y"))
	require.ErrorIs(t, err, serial.ErrClosed)
}

type slowStore struct {
	serial.Store
	inside, resume chan bool
}

func (s *slowStore) Update(ctx context.Context, q *serial.Query, decide func(*serial.Snapshot) (*serial.Batch, error)) error {
	close(s.inside)
	<-s.resume
	return s.Store.Update(ctx, q, decide)
}

func TestWithoutScheme(t *testing.T) {
	l, err := serial.Open(t.Context(), storetest.NewMemory(), nil)
	require.NoError(t, err)
	defer l.Close()
	_, err = l.Credit(t.Context(), "a", 1, []byte("x"))
	require.NoError(t, err)
	var re *serial.RequestError
	_, err = l.Reserve(t.Context(), req("a", "k"))
	require.ErrorAs(t, err, &re)
	require.Equal(t, "scheme", re.Field)
	_, err = l.Redeem(t.Context(), req("a", "k"), write("x"))
	require.ErrorAs(t, err, &re)
	require.Equal(t, "sink", re.Field)
	_, err = serial.Open(t.Context(), storetest.NewMemory(), &serial.Options{Block: math.MaxUint64})
	require.ErrorAs(t, err, &re)
}

func TestSeriesUsedUp(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 5)
	require.NoError(t, serial.Fence(t.Context(), s.store, testScheme(t).Series(), serial.MaxCounter-2, s.clock.now()))
	for i := range 3 {
		_, err := s.Reserve(t.Context(), req("a", fmt.Sprint(i)))
		if i < 2 {
			require.NoError(t, err)
			continue
		}
		var re *serial.RequestError
		require.ErrorAs(t, err, &re)
		require.Equal(t, "series", re.Field)
	}
	require.Error(t, serial.Fence(t.Context(), s.store, testScheme(t).Series(), serial.MaxCounter+1, s.clock.now()))
	require.Error(t, serial.Fence(t.Context(), s.store, serial.SeriesID{}, 0, s.clock.now()))
}
