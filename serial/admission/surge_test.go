package admission_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial/admission"
)

// A portal is a simulated service in fake time. Eight workers of 80 ms (from 8 to 152 ms) serve 100 a second.
type portal struct {
	q       *admission.Queue
	rng     *rand.Rand
	work    time.Duration
	begun   time.Time
	callers sync.WaitGroup

	mu        sync.Mutex
	stalled   bool
	done      []time.Duration // when work ended, since the beginning
	waits     map[admission.Lane][]time.Duration
	estimates map[admission.Lane][]float64 // first estimate divided by the wait that followed
	refused   []*admission.RefusedError
	slowest   time.Duration // the slowest refusal
	late      int           // how many waited for as long as MaxWait
	returns   []time.Duration
}

func newPortal(t *testing.T, opt *admission.Options) *portal {
	opt.Workers = 8
	p := &portal{rng: rand.New(rand.NewPCG(1, 2)), q: admission.New(opt), work: 80 * time.Millisecond, begun: time.Now(), waits: map[admission.Lane][]time.Duration{}, estimates: map[admission.Lane][]float64{}}
	t.Cleanup(p.callers.Wait)
	return p
}

// call is one request; with retries it comes back when told to.
func (p *portal) call(ctx context.Context, lane admission.Lane, account string, retries int) {
	p.callers.Go(func() {
		for ; ; retries-- {
			refused := p.once(ctx, lane, account)
			if refused == nil || retries == 0 {
				return
			}
			time.Sleep(refused.RetryAfter)
		}
	})
}

// stall lets what starts from now on take 20 s, or no longer.
func (p *portal) stall(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = on
}

func (p *portal) service() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stalled {
		return 20 * time.Second
	}
	return time.Duration(float64(p.work) * (0.1 + 1.8*p.rng.Float64()))
}

func (p *portal) once(ctx context.Context, lane admission.Lane, account string) *admission.RefusedError {
	came := time.Now()
	var first time.Duration
	var started time.Time
	ticket := admission.Ticket{Lane: lane, Account: account, Every: time.Hour, Notify: func(at admission.Place) { first = at.Wait }}
	err := p.q.Do(ctx, ticket, func(context.Context) error {
		started = time.Now()
		time.Sleep(p.service())
		return nil
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	if refused, ok := errors.AsType[*admission.RefusedError](err); ok {
		p.refused = append(p.refused, refused)
		if errors.Is(err, admission.ErrDeadline) {
			p.late++
		} else {
			p.slowest = max(p.slowest, time.Since(came))
		}
		p.returns = append(p.returns, time.Since(p.begun)+refused.RetryAfter)
		return refused
	}
	p.done = append(p.done, time.Since(p.begun))
	wait := started.Sub(came)
	p.waits[lane] = append(p.waits[lane], wait)
	if first > 0 && wait > 0 {
		p.estimates[lane] = append(p.estimates[lane], float64(first)/float64(wait))
	}
	return nil
}

// offer lets rate callers a second come for a time, whatever becomes of them.
func (p *portal) offer(rate int, d time.Duration, come func(i int)) {
	for i := range int(d.Seconds() * float64(rate)) {
		come(i)
		time.Sleep(time.Second / time.Duration(rate))
	}
}

// perSecond counts what was done in each second. Nobody may be calling.
func (p *portal) perSecond(seconds int) []int {
	counts := make([]int, seconds)
	for _, at := range p.done {
		if s := int(at / time.Second); s < seconds {
			counts[s]++
		}
	}
	return counts
}

func percentile[T float64 | time.Duration](values []T, p float64) T {
	values = slices.Sorted(slices.Values(values))
	return values[int(p*float64(len(values)-1))]
}

func TestSurgeThreeTimesTheCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPortal(t, &admission.Options{MaxWait: 5 * time.Second})
		p.offer(300, time.Minute, func(i int) { p.call(t.Context(), admission.Redeem, fmt.Sprint(i), 0) })
		// The line is gone within MaxWait.
		time.Sleep(6 * time.Second)
		require.Zero(t, p.q.Stats().Waiting+p.q.Stats().Running)
		p.callers.Wait()
		for s, n := range p.perSecond(60)[1:] {
			require.GreaterOrEqual(t, n, 80, "second %d", s+1)
		}
		require.GreaterOrEqual(t, len(p.done), 5900)
		require.Greater(t, len(p.refused), 11000)
		require.Zero(t, p.slowest, "every refusal is immediate")
		require.Less(t, p.late, 60, "few wait in vain")
		require.LessOrEqual(t, slices.Max(p.waits[admission.Redeem]), 5*time.Second)
		require.Greater(t, percentile(p.estimates[admission.Redeem], 0.05), 0.7)
		require.Less(t, percentile(p.estimates[admission.Redeem], 0.95), 1.5)
		t.Logf("%d done, %d refused, %d late; wait p50 %v max %v; estimate/wait p5 %.2f p50 %.2f p95 %.2f", len(p.done), len(p.refused), p.late,
			percentile(p.waits[admission.Redeem], 0.5), slices.Max(p.waits[admission.Redeem]),
			percentile(p.estimates[admission.Redeem], 0.05), percentile(p.estimates[admission.Redeem], 0.5), percentile(p.estimates[admission.Redeem], 0.95))

		// By itself all is as before: a normal load waits for nothing.
		refused := len(p.refused)
		clear(p.waits)
		p.offer(50, 10*time.Second, func(i int) { p.call(t.Context(), admission.Redeem, fmt.Sprint(i), 0) })
		p.callers.Wait()
		require.Len(t, p.refused, refused)
		require.Len(t, p.waits[admission.Redeem], 500)
		require.Zero(t, slices.Max(p.waits[admission.Redeem]))
	})
}

func TestSurgeOfCallersWhoComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPortal(t, &admission.Options{MaxWait: 5 * time.Second})
		p.offer(300, 20*time.Second, func(i int) { p.call(t.Context(), admission.Redeem, fmt.Sprint(i), -1) })
		// 6,000 callers need at least 60 s.
		p.callers.Wait()
		took := time.Since(p.begun)
		require.Len(t, p.done, 6000, "everybody was served in the end")
		require.Less(t, took, 100*time.Second)
		require.Less(t, len(p.refused), 20000)
		for _, refused := range p.refused {
			require.GreaterOrEqual(t, refused.RetryAfter, time.Second)
			require.LessOrEqual(t, refused.RetryAfter, 5*time.Minute)
		}
		t.Logf("6000 callers in %v, %d refusals (%.1f a caller)", took, len(p.refused), float64(len(p.refused))/6000)
	})
}

func TestRefusedInOneInstantDoNotReturnInOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPortal(t, &admission.Options{Capacity: map[admission.Lane]int{admission.Redeem: 100}})
		for i := range 2000 {
			p.call(t.Context(), admission.Redeem, fmt.Sprint(i), 0)
		}
		p.callers.Wait()
		require.Len(t, p.refused, 2000-108)
		buckets := map[time.Duration]int{}
		for _, at := range p.returns {
			buckets[at/time.Second]++
		}
		for second, n := range buckets {
			require.Less(t, n, 300, "second %d", second) // the first second is that of MinRetry
		}
		require.Greater(t, len(buckets), 15, "1,892 callers at 100 a second")
	})
}

// However many were sent away, what they were promised is forgotten within MaxRetry.
func TestAFloodOfRefusalsIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := admission.New(&admission.Options{Workers: 1, Capacity: map[admission.Lane]int{admission.Redeem: 1}, MinRetry: time.Second, MaxRetry: 30 * time.Second, MaxWait: time.Hour})
		release := hold(t, q, 1)
		waiting := enter(t.Context(), q, admission.Ticket{Lane: admission.Redeem})
		synctest.Wait()
		refuse := func() time.Duration {
			_, err := q.Enter(t.Context(), admission.Ticket{Lane: admission.Redeem, Account: "late"})
			return refusedAs(t, err, admission.ErrFull).RetryAfter
		}
		require.Less(t, refuse(), 2*time.Second)
		for range 5000 {
			require.LessOrEqual(t, refuse(), 30*time.Second)
		}
		require.Greater(t, refuse(), 15*time.Second)
		time.Sleep(time.Second)
		release()
		require.NoError(t, <-waiting)
		time.Sleep(30 * time.Second)
		release = hold(t, q, 1)
		waiting = enter(t.Context(), q, admission.Ticket{Lane: admission.Redeem})
		synctest.Wait()
		require.Less(t, refuse(), 2*time.Second)
		release()
		require.NoError(t, <-waiting)
	})
}

func TestPrioritiesAndSharesInOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPortal(t, &admission.Options{MaxWait: 20 * time.Second, Patience: 16})
		// Resume 20/s, redeem 200/s, purchase 50/s, register 50/s, where 100/s can be served.
		lanes := slices.Concat(slices.Repeat([]admission.Lane{admission.Resume}, 2), slices.Repeat([]admission.Lane{admission.Redeem}, 20),
			slices.Repeat([]admission.Lane{admission.Purchase}, 5), slices.Repeat([]admission.Lane{admission.Register}, 5))
		p.offer(320, time.Minute, func(i int) { p.call(t.Context(), lanes[(i*7)%len(lanes)], fmt.Sprint(i), 0) })
		s := p.q.Stats()
		p.callers.Wait()
		require.Zero(t, s.Lanes[0].Refused, "what was begun is never refused")
		require.Less(t, slices.Max(p.waits[admission.Resume]), 150*time.Millisecond)
		require.Greater(t, s.Lanes[1].Started, uint64(55*60), "redeem gets what the others leave")
		for _, lane := range s.Lanes[2:] {
			require.Greater(t, lane.Started, uint64(60*100/20-10), "a share is guaranteed")
			require.Less(t, lane.Started, uint64(60*100/15), "and no more")
		}
		for i := range s.Lanes {
			e := p.estimates[s.Lanes[i].Lane]
			if i > 0 { // resume hardly waits
				require.InDelta(t, 1, percentile(e, 0.5), 0.3, "estimates are honest in lane %v", s.Lanes[i].Lane)
			}
			t.Logf("estimate/wait p5 %.2f p50 %.2f p95 %.2f", percentile(e, 0.05), percentile(e, 0.5), percentile(e, 0.95))
			t.Logf("%-8v started %d refused %+v", s.Lanes[i].Lane, s.Lanes[i].Started, s.Lanes[i].Refused)
		}
		require.Zero(t, p.slowest)
		require.Less(t, p.late, 60, "few wait in vain in the low lanes too")
		t.Logf("late %d", p.late)
	})
}

func TestStarvationBound(t *testing.T) {
	for _, patience := range []int{0, 1, 4, 7, 50} {
		synctest.Test(t, func(t *testing.T) {
			q := admission.New(&admission.Options{Workers: 1, Patience: patience, MaxWait: time.Hour, PerAccount: 1000, Service: time.Millisecond})
			var order []admission.Lane
			release := hold(t, q, 1)
			for lane := admission.Resume; lane <= admission.Register; lane++ {
				for range 300 {
					go func() {
						_ = q.Do(t.Context(), admission.Ticket{Lane: lane}, func(context.Context) error { order = append(order, lane); return nil })
					}()
				}
			}
			synctest.Wait()
			release()
			synctest.Wait()
			require.Len(t, order, 1200)
			bound := map[int]int{0: 16, 1: 4}[patience]
			if bound == 0 {
				bound = patience
			}
			last, left := map[admission.Lane]int{}, map[admission.Lane]int{admission.Resume: 300, admission.Redeem: 300, admission.Purchase: 300, admission.Register: 300}
			for i, lane := range order {
				for other, n := range left {
					if n > 0 && other != lane {
						require.LessOrEqual(t, i+1-last[other], bound+3, "%v passed over", other)
					}
				}
				last[lane] = i + 1
				left[lane]--
			}
			require.Less(t, slices.Index(order, admission.Register), bound+4)
			first := slices.Repeat([]admission.Lane{admission.Resume}, 4)
			require.Equal(t, first, order[:4])
		})
	}
}

func TestOneAccountDoesNotDelayAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPortal(t, &admission.Options{Capacity: map[admission.Lane]int{admission.Redeem: 20000}, PerAccount: 10000, MaxWait: time.Hour})
		for range 10000 {
			p.call(t.Context(), admission.Redeem, "hog", 0)
		}
		synctest.Wait()
		require.Equal(t, 9992, p.q.Stats().Waiting)
		time.Sleep(time.Second + time.Millisecond)
		came := time.Now()
		place := admission.Place{Ahead: -1}
		require.NoError(t, p.q.Do(t.Context(), admission.Ticket{Lane: admission.Redeem, Account: "single", Notify: func(at admission.Place) {
			if place.Ahead < 0 {
				place = at
			}
		}}, func(context.Context) error { return nil }))
		require.LessOrEqual(t, place.Ahead, 2)
		require.LessOrEqual(t, time.Since(came), 2*p.work)
		require.Less(t, place.Wait, 5*p.work)
		p.callers.Wait()
	})
}

// An account that comes again as soon as it was served does not shut out those who wait with many.
func TestQuickReturnDoesNotOvertake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := admission.New(&admission.Options{Workers: 1, MaxWait: time.Hour})
		work := func(context.Context) error { time.Sleep(10 * time.Millisecond); return nil }
		var patient sync.WaitGroup
		release := hold(t, q, 1)
		for range 50 {
			patient.Go(func() { _ = q.Do(t.Context(), admission.Ticket{Lane: admission.Redeem, Account: "patient"}, work) })
		}
		stop, cancel := context.WithCancel(t.Context())
		var served atomic.Int64
		for i := range 3 {
			go func() {
				for q.Do(stop, admission.Ticket{Lane: admission.Redeem, Account: fmt.Sprint("quick", i)}, work) == nil {
					served.Add(1)
				}
			}()
		}
		synctest.Wait()
		begun := time.Now()
		release()
		patient.Wait()
		took := time.Since(begun)
		cancel()
		time.Sleep(time.Second)
		require.LessOrEqual(t, took, 4*50*10*time.Millisecond+50*time.Millisecond)
		require.Greater(t, served.Load(), int64(90), "and the others had their turns too")
	})
}

func TestOutliersAndShifts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := admission.New(&admission.Options{Workers: 1, Service: time.Second})
		mean := func(times int, d time.Duration) time.Duration {
			for range times {
				require.NoError(t, q.Do(t.Context(), admission.Ticket{Lane: admission.Redeem}, func(context.Context) error { time.Sleep(d); return nil }))
			}
			return q.Stats().Lanes[1].Service
		}
		require.InEpsilon(t, 10*time.Millisecond, mean(60, 10*time.Millisecond), 0.1, "a wrong guess is forgotten")
		require.Less(t, mean(1, time.Hour), 14*time.Millisecond, "one outlier does little")
		require.InEpsilon(t, 10*time.Millisecond, mean(40, 10*time.Millisecond), 0.1)
		require.InEpsilon(t, 2*time.Second, mean(60, 2*time.Second), 0.1, "a lasting change is followed")
	})
}

// After a stall with callers who have deadlines, nothing keeps the doors shut.
func TestStallDoesNotLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPortal(t, &admission.Options{MaxWait: 5 * time.Second})
		come := func(i int) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			context.AfterFunc(ctx, cancel)
			p.call(ctx, admission.Redeem, fmt.Sprint(i), 0)
		}
		p.offer(150, 10*time.Second, come)
		p.stall(true)
		p.offer(150, 15*time.Second, come)
		p.stall(false)
		p.offer(150, 30*time.Second, come)
		p.callers.Wait()
		for s, n := range p.perSecond(54)[35:] {
			require.GreaterOrEqual(t, n, 80, "second %d", s+35)
		}
	})
}

func TestCancelStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := admission.New(&admission.Options{Workers: 4, MaxWait: time.Hour, Capacity: map[admission.Lane]int{admission.Purchase: 5000}, PerAccount: 5000, Service: time.Millisecond})
		before := runtime.NumGoroutine()
		for round := range 5 {
			release := hold(t, q, 4)
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			for i := range 5000 {
				wg.Go(func() {
					err := q.Do(ctx, admission.Ticket{Lane: admission.Purchase, Account: fmt.Sprint(i % 100)}, func(context.Context) error { return nil })
					if err != nil && !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
				})
			}
			synctest.Wait()
			require.Equal(t, 5000, q.Stats().Waiting)
			require.LessOrEqual(t, runtime.NumGoroutine(), before+5000, "no goroutine but those of the callers")
			if round%2 == 0 { // the storm meets workers becoming free
				go release()
				cancel()
			} else {
				cancel()
				wg.Wait()
				require.Zero(t, q.Stats().Waiting)
				release()
			}
			wg.Wait()
			s := q.Stats()
			require.Zero(t, s.Waiting+s.Running)
			require.Zero(t, s.Lanes[2].Accounts)
			require.Equal(t, s.Lanes[2].Started, s.Lanes[2].Finished)
		}
	})
}
