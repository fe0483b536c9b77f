package admission_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial/admission"
)

// refusedAs returns the refusal in err, which has the given reason.
func refusedAs(t *testing.T, err, reason error) *admission.RefusedError {
	t.Helper()
	require.ErrorIs(t, err, reason)
	refused, ok := errors.AsType[*admission.RefusedError](err)
	require.True(t, ok, "%T", err)
	return refused
}

// hold takes n workers and returns the function that gives them back.
func hold(t *testing.T, q *admission.Queue, n int) func() {
	t.Helper()
	var all []func()
	for range n {
		release, err := q.Enter(t.Context(), admission.Ticket{Lane: admission.Redeem, Account: "holder"})
		require.NoError(t, err)
		all = append(all, release)
	}
	return func() {
		for _, release := range all {
			release()
		}
	}
}

// enter lets somebody wait in a goroutine of its own; the result arrives on the channel, the release is done at once.
func enter(ctx context.Context, q *admission.Queue, ticket admission.Ticket) <-chan error {
	done := make(chan error, 1)
	go func() { done <- q.Do(ctx, ticket, func(context.Context) error { return nil }) }()
	return done
}

func TestDoReturnsWhatWorkReturns(t *testing.T) {
	q := admission.New(nil)
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "kept")
	failed := errors.New("failed")
	err := q.Do(ctx, admission.Ticket{Lane: admission.Register}, func(ctx context.Context) error {
		require.Equal(t, "kept", ctx.Value(key{}))
		require.Equal(t, 1, q.Stats().Running)
		return failed
	})
	require.Equal(t, failed, err)
	s := q.Stats()
	require.Zero(t, s.Running)
	require.Equal(t, uint64(1), s.Lanes[3].Started)
	require.Equal(t, uint64(1), s.Lanes[3].Finished)
	require.Equal(t, admission.Register, s.Lanes[3].Lane)
	require.Equal(t, 16, s.Workers)
	require.Equal(t, 1024, s.Lanes[0].Capacity)
}

func TestRefusals(t *testing.T) {
	soon := func(ctx context.Context, d time.Duration) context.Context {
		ctx, cancel := context.WithTimeout(ctx, d)
		context.AfterFunc(ctx, cancel)
		return ctx
	}
	for name, c := range map[string]struct {
		opt    admission.Options
		before []string // accounts that wait in lane redeem already
		ctx    func(context.Context) context.Context
		ticket admission.Ticket
		want   error
	}{
		"lane full":     {admission.Options{Capacity: map[admission.Lane]int{admission.Redeem: 2}}, []string{"a", "b"}, nil, admission.Ticket{Lane: admission.Redeem, Account: "c"}, admission.ErrFull},
		"other lane":    {admission.Options{Capacity: map[admission.Lane]int{admission.Redeem: 2}}, []string{"a", "b"}, nil, admission.Ticket{Lane: admission.Resume, Account: "c"}, nil},
		"account full":  {admission.Options{PerAccount: 2}, []string{"a", "a"}, nil, admission.Ticket{Lane: admission.Redeem, Account: "a"}, admission.ErrAccountFull},
		"its own retry": {admission.Options{PerAccount: 2}, []string{"a", "a"}, nil, admission.Ticket{Lane: admission.Resume, Account: "a"}, nil},
		"other account": {admission.Options{PerAccount: 2}, []string{"a", "a"}, nil, admission.Ticket{Lane: admission.Redeem, Account: "b"}, nil},
		"a sixteenth":   {admission.Options{Capacity: map[admission.Lane]int{admission.Redeem: 32}}, []string{"a", "a"}, nil, admission.Ticket{Lane: admission.Redeem, Account: "a"}, admission.ErrAccountFull},
		"shut":          {admission.Options{Capacity: map[admission.Lane]int{admission.Purchase: 0}}, nil, nil, admission.Ticket{Lane: admission.Purchase}, admission.ErrFull},
		"no lane":       {admission.Options{}, nil, nil, admission.Ticket{}, admission.ErrLane},
		"lane too high": {admission.Options{}, nil, nil, admission.Ticket{Lane: 5}, admission.ErrLane},
		"deadline":      {admission.Options{Service: time.Second}, []string{"a", "b"}, func(ctx context.Context) context.Context { return soon(ctx, 1200*time.Millisecond) }, admission.Ticket{Lane: admission.Redeem, Account: "c"}, admission.ErrDeadline},
		"in time":       {admission.Options{Service: time.Second}, []string{"a", "b"}, func(ctx context.Context) context.Context { return soon(ctx, 5*time.Second) }, admission.Ticket{Lane: admission.Redeem, Account: "c"}, nil},
		"long wait":     {admission.Options{Service: time.Second, MaxWait: 3600 * time.Millisecond}, []string{"a", "b", "c"}, nil, admission.Ticket{Lane: admission.Redeem, Account: "d"}, admission.ErrFull},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.opt.Workers = 1
				q := admission.New(&c.opt)
				release := hold(t, q, 1)
				for _, account := range c.before {
					enter(t.Context(), q, admission.Ticket{Lane: admission.Redeem, Account: account})
				}
				synctest.Wait()
				require.Equal(t, len(c.before), q.Stats().Waiting)
				ctx := t.Context()
				if c.ctx != nil {
					ctx = c.ctx(ctx)
				}
				begun := time.Now()
				done := enter(ctx, q, c.ticket)
				synctest.Wait()
				if c.want == nil {
					require.Equal(t, len(c.before)+1, q.Stats().Waiting)
					release()
					require.NoError(t, <-done)
					return
				}
				refused := refusedAs(t, <-done, c.want)
				require.Zero(t, time.Since(begun), "answered at once")
				require.Equal(t, c.ticket.Lane, refused.Lane)
				require.Equal(t, len(c.before), q.Stats().Waiting, "no place was taken")
				if c.want == admission.ErrLane {
					require.Zero(t, refused.RetryAfter)
				} else {
					require.GreaterOrEqual(t, refused.RetryAfter, time.Second)
					require.LessOrEqual(t, refused.RetryAfter, 5*time.Minute)
				}
				require.Contains(t, refused.Error(), "not admitted to lane "+c.ticket.Lane.String())
				release()
			})
		})
	}
}

func TestShutLaneAdmitsNothingEvenIfIdle(t *testing.T) {
	q := admission.New(&admission.Options{Capacity: map[admission.Lane]int{admission.Purchase: 0}})
	ticket := admission.Ticket{Lane: admission.Purchase, Account: "a"}
	_, err := q.Enter(t.Context(), ticket)
	refusedAs(t, err, admission.ErrFull)
	require.NoError(t, q.Limit(admission.Purchase, 10))
	release, err := q.Enter(t.Context(), ticket)
	require.NoError(t, err)
	release()
	require.ErrorIs(t, q.Limit(0, 1), admission.ErrLane)
}

func TestReleaseTwiceFreesOneSlot(t *testing.T) {
	q := admission.New(&admission.Options{Workers: 2})
	first, err := q.Enter(t.Context(), admission.Ticket{Lane: admission.Resume})
	require.NoError(t, err)
	defer hold(t, q, 1)()
	first()
	first()
	require.Equal(t, 1, q.Stats().Running)
}

func TestPanicAndGoexitReleaseTheSlot(t *testing.T) {
	q := admission.New(&admission.Options{Workers: 1})
	ticket := admission.Ticket{Lane: admission.Redeem, Account: "a"}
	require.PanicsWithValue(t, "boom", func() {
		_ = q.Do(t.Context(), ticket, func(context.Context) error { panic("boom") })
	})
	var wg sync.WaitGroup
	wg.Go(func() { _ = q.Do(t.Context(), ticket, func(context.Context) error { runtime.Goexit(); return nil }) })
	wg.Wait()
	require.Zero(t, q.Stats().Running)
	require.NoError(t, q.Do(t.Context(), ticket, func(context.Context) error { return nil }))
}

func TestPanicInNotifyFreesThePlace(t *testing.T) {
	q := admission.New(&admission.Options{Workers: 1})
	release := hold(t, q, 1)
	require.Panics(t, func() {
		_, _ = q.Enter(t.Context(), admission.Ticket{Lane: admission.Redeem, Notify: func(admission.Place) { panic("boom") }})
	})
	require.Zero(t, q.Stats().Waiting)
	release()
	require.Zero(t, q.Stats().Running)
}

func TestGivingUpFreesThePlaceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := admission.New(&admission.Options{Workers: 1, PerAccount: 1})
		release := hold(t, q, 1)
		ticket := admission.Ticket{Lane: admission.Redeem, Account: "a"}
		why := errors.New("the browser went away")
		ctx, cancel := context.WithCancelCause(t.Context())
		first := enter(ctx, q, ticket)
		synctest.Wait()
		refusedAs(t, <-enter(t.Context(), q, ticket), admission.ErrAccountFull)
		cancel(why)
		refusedAs(t, <-first, why)
		second := enter(t.Context(), q, ticket)
		synctest.Wait()
		require.Equal(t, 1, q.Stats().Waiting)
		release()
		require.NoError(t, <-second)
		refusedAs(t, <-enter(ctx, q, ticket), why) // already over: refused although a worker is free
		s := q.Stats()
		require.Equal(t, uint64(2), s.Lanes[1].Refused.Abandoned)
		require.Zero(t, s.Running)
		require.Equal(t, s.Lanes[1].Started, s.Lanes[1].Finished)
	})
}

func TestMaxWaitAnswersWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := admission.New(&admission.Options{Workers: 1, MaxWait: 7 * time.Second})
		release := hold(t, q, 1)
		begun := time.Now()
		refusedAs(t, <-enter(t.Context(), q, admission.Ticket{Lane: admission.Resume}), admission.ErrDeadline)
		require.Equal(t, 7*time.Second, time.Since(begun))
		require.Zero(t, q.Stats().Waiting)
		// Nothing has moved for 7 s, so nobody is asked to wait for less than that again.
		time.Sleep(time.Second)
		refusedAs(t, <-enter(t.Context(), q, admission.Ticket{Lane: admission.Resume}), admission.ErrFull)
		release()
		require.NoError(t, <-enter(t.Context(), q, admission.Ticket{Lane: admission.Resume}))
	})
}

func TestCloseDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := admission.New(&admission.Options{Workers: 1})
		release := hold(t, q, 1)
		var waiters []<-chan error
		for _, lane := range []admission.Lane{admission.Resume, admission.Redeem, admission.Register} {
			waiters = append(waiters, enter(t.Context(), q, admission.Ticket{Lane: lane, Account: "a"}))
		}
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, q.Close(short), context.DeadlineExceeded, "work still runs")
		for _, done := range waiters {
			require.NotZero(t, refusedAs(t, <-done, admission.ErrClosed).RetryAfter)
		}
		times := map[time.Duration]bool{}
		for range 100 {
			times[refusedAs(t, <-enter(t.Context(), q, admission.Ticket{Lane: admission.Resume}), admission.ErrClosed).RetryAfter] = true
		}
		require.Greater(t, len(times), 90, "they do not come back in one instant")
		closed := make(chan error, 1)
		go func() { closed <- q.Close(t.Context()) }()
		synctest.Wait()
		require.Empty(t, closed)
		release()
		require.NoError(t, <-closed)
		require.NoError(t, q.Close(t.Context()))
		s := q.Stats()
		require.True(t, s.Closed)
		require.Zero(t, s.Waiting+s.Running)
	})
}

func TestNotifyTellsThePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := admission.New(&admission.Options{Workers: 1, Service: 2 * time.Second})
		release := hold(t, q, 1)
		for _, ahead := range []admission.Ticket{{Lane: admission.Resume, Account: "r"}, {Lane: admission.Redeem, Account: "a"}, {Lane: admission.Redeem, Account: "a"}, {Lane: admission.Register, Account: "z"}} {
			go func() {
				_ = q.Do(t.Context(), ahead, func(context.Context) error { time.Sleep(2 * time.Second); return nil })
			}()
			synctest.Wait()
		}
		var places []admission.Place
		done := make(chan error, 1)
		go func() {
			ticket := admission.Ticket{Lane: admission.Redeem, Account: "b", Every: 2 * time.Second, Notify: func(p admission.Place) { places = append(places, p) }}
			done <- q.Do(t.Context(), ticket, func(context.Context) error { return nil })
		}()
		time.Sleep(time.Second) // between the ticks
		release()
		require.NoError(t, <-done)
		// b is behind the resume and the first of a, and ahead of a's second.
		require.Len(t, places, 3)
		require.Equal(t, []int{2, 1, 0}, []int{places[0].Ahead, places[1].Ahead, places[2].Ahead})
		require.Equal(t, 6*time.Second, places[0].Wait)
		require.Greater(t, places[0].Wait, places[1].Wait)
		require.Greater(t, places[1].Wait, places[2].Wait)
		time.Sleep(time.Minute)
		require.Zero(t, q.Stats().Running)
	})
}

func TestAccountNamesAreNotKept(t *testing.T) {
	q := admission.New(&admission.Options{Workers: 1})
	require.NoError(t, q.Do(t.Context(), admission.Ticket{Lane: admission.Redeem, Account: strings.Repeat("x", 1<<20)}, func(context.Context) error { return nil }))
	require.Zero(t, q.Stats().Lanes[1].Accounts)
}

func TestLaneNames(t *testing.T) {
	var got []string
	for l := range admission.Lane(6) {
		got = append(got, l.String())
	}
	require.Equal(t, []string{"none", "resume", "redeem", "purchase", "register", "none"}, got)
}

// Many goroutines at once, in real time: never more than Workers run, and in the end nothing is left.
func TestStress(t *testing.T) {
	const workers, callers, rounds = 4, 64, 150
	q := admission.New(&admission.Options{Workers: workers, PerAccount: 6, Capacity: map[admission.Lane]int{admission.Redeem: 8}, Service: time.Microsecond})
	before := runtime.NumGoroutine()
	var running, most, ran atomic.Int64
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for j := range rounds {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+(i*j)%7)*time.Millisecond)
				if (i+j)%5 == 0 {
					go cancel()
				}
				ticket := admission.Ticket{Lane: admission.Lane(1 + (i+j)%4), Account: fmt.Sprint(i % 9)}
				if i%2 == 0 {
					ticket.Notify, ticket.Every = func(p admission.Place) { _ = q.Stats() }, time.Millisecond
				}
				err := q.Do(ctx, ticket, func(context.Context) error {
					most.Store(max(most.Load(), running.Add(1)))
					ran.Add(1)
					time.Sleep(50 * time.Microsecond)
					running.Add(-1)
					return nil
				})
				if _, ok := errors.AsType[*admission.RefusedError](err); err != nil && !ok {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	s := q.Stats()
	require.Zero(t, s.Waiting+s.Running)
	require.LessOrEqual(t, most.Load(), int64(workers))
	var finished, answered uint64
	for _, lane := range s.Lanes {
		require.Equal(t, lane.Started, lane.Finished)
		require.Zero(t, lane.Accounts)
		finished += lane.Finished
		r := lane.Refused
		answered += lane.Started + r.Full + r.AccountFull + r.Deadline + r.Closed + r.Abandoned
	}
	require.Equal(t, uint64(ran.Load()), finished)
	require.Equal(t, uint64(callers*rounds), answered, "everybody was answered once")
	require.NoError(t, q.Close(t.Context()))
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, 5*time.Second, 10*time.Millisecond)
}
