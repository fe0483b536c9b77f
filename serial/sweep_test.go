package serial_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
)

func (s *setup) requireState(t testing.TB, n serial.Number, want serial.State) serial.Reservation {
	t.Helper()
	r, err := s.Lookup(t.Context(), n)
	require.NoError(t, err)
	require.Equal(t, want, r.State)
	return r
}

func (s *setup) sweep(t testing.TB, opt *serial.SweepOptions) serial.Swept {
	t.Helper()
	swept, err := s.Sweep(t.Context(), opt)
	require.NoError(t, err)
	return swept
}

func (s *setup) reserved(t testing.TB, account, key string) serial.Number {
	t.Helper()
	r, err := s.Reserve(t.Context(), req(account, key))
	require.NoError(t, err)
	return r.Number
}

// I13: a time-out is never early. I25: what nobody finishes becomes final.
func TestSweep(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 10)
	reserved := s.reserved(t, "a", "reserved")
	signing := s.reserved(t, "a", "signing")
	_, err := s.Signing(t.Context(), signing)
	require.NoError(t, err)
	_, err = s.Redeem(t.Context(), req("a", "finished"), func(ctx context.Context, r serial.Reservation, w io.Writer) error {
		s.store.plan(fails) // the booking that comes after the output
		return write("output")(ctx, r, w)
	})
	require.ErrorIs(t, err, errDisk)
	finished, err := s.LookupKey(t.Context(), "a", []byte("finished"))
	require.NoError(t, err)
	require.Equal(t, serial.Signing, finished.State)

	require.Equal(t, serial.Swept{Stamped: 1, Waiting: 2}, s.sweep(t, nil), "a finished output does not wait")
	s.requireState(t, finished.Number, serial.Stamped)
	receipt, err := s.Redeem(t.Context(), req("a", "finished"), mustNotRun(t))
	require.NoError(t, err)
	s.requireOutput(t, receipt, "output")

	opt := &serial.SweepOptions{Hold: time.Hour, Void: 2 * time.Hour}
	s.clock.step(time.Hour - time.Microsecond)
	require.Equal(t, serial.Swept{Waiting: 2}, s.sweep(t, opt))
	s.clock.step(time.Microsecond)
	require.Equal(t, serial.Swept{Released: 1, Waiting: 1}, s.sweep(t, opt))
	require.Equal(t, "expired after 1h0m0s", s.requireState(t, reserved, serial.Released).Note)
	s.clock.step(time.Hour)
	require.Equal(t, serial.Swept{Waiting: 1}, s.sweep(t, opt), "the second of the intent may not have been whole")
	s.clock.step(time.Second)
	require.Equal(t, serial.Swept{Void: 1}, s.sweep(t, opt))
	s.requireState(t, signing, serial.Void)
	require.Equal(t, serial.Swept{}, s.sweep(t, opt))
	s.requireBalance(t, "a", serial.Balance{Purchased: 10, Available: 9, Stamped: 1})
	s.requireClean(t)
}

// A unit that was held by a clock that was a year ahead is not held for a year once a fence has set that right.
func TestSweepAfterAWrongClock(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 1)
	s.clock.step(365 * 24 * time.Hour)
	n := s.reserved(t, "a", "k")
	s.clock.step(-365 * 24 * time.Hour)
	require.NoError(t, s.Close())
	require.NoError(t, serial.Fence(t.Context(), s.store, testScheme(t).Series(), 0, s.clock.now()))
	s = restart(t, s)
	require.Equal(t, serial.Swept{Released: 1}, s.sweep(t, nil))
	s.requireState(t, n, serial.Released)
	s.requireClean(t)
}

func TestSweepDefaults(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 2)
	reserved, signing := s.reserved(t, "a", "1"), s.reserved(t, "a", "2")
	_, err := s.Signing(t.Context(), signing)
	require.NoError(t, err)
	s.clock.step(48*time.Hour + time.Second)

	blind := s.withSink(t, nil)
	swept, err := blind.Sweep(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, serial.Swept{Released: 1, Waiting: 1}, swept, "without a sink an output cannot be ruled out")
	s.requireState(t, reserved, serial.Released)
	require.Equal(t, serial.Swept{Waiting: 1}, s.sweep(t, &serial.SweepOptions{Void: -1}))
	forever := s.reserved(t, "a", "3")
	s.clock.step(48 * time.Hour)
	require.Equal(t, serial.Swept{Waiting: 2}, s.sweep(t, &serial.SweepOptions{Hold: -1, Void: -1}))
	_, err = s.Release(t.Context(), forever, "")
	require.NoError(t, err)
	require.Equal(t, serial.Swept{Void: 1}, s.sweep(t, nil))
}

// A Redeem under way in this process is left alone, and one that waits for the sweep is not answered by it.
func TestSweepAndRedeem(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 1)
	all := &serial.SweepOptions{Hold: time.Nanosecond, Void: time.Nanosecond}
	receipt, err := s.Redeem(t.Context(), req("a", "k"), func(ctx context.Context, r serial.Reservation, w io.Writer) error {
		s.clock.step(time.Hour)
		require.Equal(t, serial.Swept{Waiting: 1}, s.sweep(t, all))
		return write("output")(ctx, r, w)
	})
	require.NoError(t, err)
	s.requireOutput(t, receipt, "output")

	// A sink that is asked by the sweep lets another Redeem come in meanwhile.
	s = start(t)
	s.credit(t, "a", 1)
	_, err = s.Redeem(t.Context(), req("a", "k"), func(context.Context, serial.Reservation, io.Writer) error { return errors.New("no key") })
	require.Error(t, err)
	done := make(chan error, 1)
	asked := &askedSink{memSink: s.sink}
	l := s.withSink(t, asked)
	asked.open = func() {
		asked.open = func() {}
		go func() {
			_, err := l.Redeem(context.Background(), req("a", "k"), write("output"))
			done <- err
		}()
	}
	_, err = l.Sweep(t.Context(), &serial.SweepOptions{Void: -1})
	require.NoError(t, err)
	require.NoError(t, <-done)
	s.requireBalance(t, "a", serial.Balance{Purchased: 1, Stamped: 1})
	s.requireClean(t)
}

// askedSink calls open before it opens an output.
type askedSink struct {
	*memSink
	open func()
}

func (s *askedSink) Open(ctx context.Context, n serial.Number) (io.ReadCloser, error) {
	s.open()
	return s.memSink.Open(ctx, n)
}

func TestSweepGoesOnAfterErrors(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 200)
	for i := range 200 {
		s.reserved(t, "a", fmt.Sprint(i))
	}
	s.clock.step(time.Hour)
	s.store.plan(slices.Repeat([]fault{fails}, 20)...)
	swept, err := s.Sweep(t.Context(), &serial.SweepOptions{Hold: time.Hour})
	require.ErrorIs(t, err, errDisk)
	require.Positive(t, swept.Failed)
	require.Positive(t, swept.Released)
	require.Equal(t, int64(200), swept.Failed+swept.Released)
	require.Equal(t, serial.Swept{Released: swept.Failed}, s.sweep(t, &serial.SweepOptions{Hold: time.Hour}))
	s.requireBalance(t, "a", serial.Balance{Purchased: 200, Available: 200})

	s.reserved(t, "a", "x")
	s.clock.step(-time.Hour)
	swept, err = s.Sweep(t.Context(), &serial.SweepOptions{Hold: time.Nanosecond})
	var clock *serial.ClockError
	require.ErrorAs(t, err, &clock)
	require.Equal(t, serial.Swept{Failed: 1}, swept)
}

func TestSweepEvery(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 1)
	n := s.reserved(t, "a", "k")
	s.clock.step(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.SweepEvery(ctx, 0, &serial.SweepOptions{Hold: time.Minute}) }()
	require.Eventually(t, func() bool {
		r, err := s.Lookup(t.Context(), n)
		return err == nil && r.State == serial.Released
	}, time.Minute, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)

	go func() { done <- s.SweepEvery(t.Context(), time.Hour, nil) }()
	require.NoError(t, s.Close())
	require.ErrorIs(t, <-done, serial.ErrClosed)
	_, err := s.Sweep(t.Context(), nil)
	require.ErrorIs(t, err, serial.ErrClosed, "also when there is nothing to do")
}
