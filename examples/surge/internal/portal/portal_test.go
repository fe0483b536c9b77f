package portal_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
	"github.com/seed-574216e4/meterai/serial/admission"
)

// backend answers as it is told, after a time.
type backend struct {
	takes  time.Duration
	answer portal.Answer
	calls  atomic.Int64
}

func (b *backend) Do(ctx context.Context, _ *portal.Call) portal.Answer {
	b.calls.Add(1)
	select {
	case <-time.After(b.takes):
		return b.answer
	case <-ctx.Done():
		return portal.Answer{Outcome: portal.Unknown}
	}
}

func newFront(workers int, capacity map[admission.Lane]int, backends ...*backend) (*portal.Front, *portal.Meter) {
	meter := &portal.Meter{}
	f := portal.NewFront(len(backends), portal.Options{
		Meter: meter, Timeout: 2 * time.Second, Again: 400 * time.Millisecond,
		Queue: &admission.Options{Workers: workers, Capacity: capacity, MaxWait: 4 * time.Second},
	})
	for i, b := range backends {
		f.Set(i, b)
	}
	return f, meter
}

// TestEverybodyIsAnswered: whatever the backends do, the answer is final or names a time to come back.
func TestEverybodyIsAnswered(t *testing.T) {
	for outcome := portal.None; outcome <= portal.Wrong; outcome++ {
		synctest.Test(t, func(t *testing.T) {
			f, _ := newFront(4, nil, &backend{answer: portal.Answer{Outcome: outcome}})
			a := f.Do(t.Context(), &portal.Call{Op: portal.Stamp, Account: "a", Key: "k"})
			require.NotEqual(t, portal.None, a.Outcome)
			require.Equal(t, a.Outcome.Final(), a.After == 0, "%s", a.Outcome)
			require.False(t, a.Admitted.IsZero())
		})
	}
	synctest.Test(t, func(t *testing.T) {
		f, _ := newFront(4, nil, &backend{takes: time.Hour})
		begun := time.Now()
		a := f.Do(t.Context(), &portal.Call{Op: portal.Stamp, Account: "a", Key: "k"})
		require.Equal(t, portal.Unknown, a.Outcome, "one that stands still")
		require.Equal(t, 2*time.Second, time.Since(begun))
		f.Set(0, nil)
		require.Equal(t, portal.Down, f.Do(t.Context(), &portal.Call{Op: portal.Credit, Account: "a", Key: "k"}).Outcome, "nobody there")
	})
}

// TestAnotherBackend: a backend that can do nothing is passed over for a while; one whose outcome is unknown is not asked
// again within the call.
func TestAnotherBackend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down, up := &backend{answer: portal.Answer{Outcome: portal.Down}}, &backend{answer: portal.Answer{Outcome: portal.Done}}
		f, _ := newFront(4, nil, down, up)
		for i := range 20 {
			require.Equal(t, portal.Done, f.Do(t.Context(), &portal.Call{Op: portal.Credit, Account: fmt.Sprint(i), Key: "k"}).Outcome)
		}
		require.Equal(t, int64(1), down.calls.Load())
		time.Sleep(time.Second)
		f.Do(t.Context(), &portal.Call{Op: portal.Credit, Account: "0", Key: "k"})
		f.Do(t.Context(), &portal.Call{Op: portal.Credit, Account: "1", Key: "k"})
		f.Do(t.Context(), &portal.Call{Op: portal.Credit, Account: "2", Key: "k"})
		require.Equal(t, int64(2), down.calls.Load(), "it is tried again later")
	})
	synctest.Test(t, func(t *testing.T) {
		lost, up := &backend{answer: portal.Answer{Outcome: portal.Unknown}}, &backend{answer: portal.Answer{Outcome: portal.Done}}
		f, _ := newFront(4, nil, lost, up)
		var unknown int
		for i := range 20 {
			if f.Do(t.Context(), &portal.Call{Op: portal.Credit, Account: fmt.Sprint(i), Key: "k"}).Outcome == portal.Unknown {
				unknown++
			}
		}
		require.Equal(t, 1, unknown)
	})
}

// TestFullDoor: who finds no place is refused at once, with a time; retries of what was begun go first.
func TestFullDoor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backend{takes: 100 * time.Millisecond, answer: portal.Answer{Outcome: portal.Begun, Serial: "x"}}
		f, meter := newFront(1, map[admission.Lane]int{admission.Resume: 10, admission.Redeem: 3, admission.Register: 1}, b)
		first := &portal.Call{Op: portal.Stamp, Account: "first", Key: "k"}
		require.Equal(t, portal.Begun, f.Do(t.Context(), first).Outcome)
		var wg sync.WaitGroup
		var refused atomic.Int64
		for i := range 10 {
			wg.Go(func() {
				begun := time.Now()
				a := f.Do(t.Context(), &portal.Call{Op: portal.Stamp, Account: fmt.Sprint(i), Key: "k"})
				if a.Outcome == portal.Refused {
					refused.Add(1)
					require.Zero(t, time.Since(begun))
					require.NotZero(t, a.After)
					require.False(t, a.Waited)
				}
			})
		}
		synctest.Wait()
		again := *first
		again.Again = true
		var done time.Duration
		begun := time.Now()
		wg.Go(func() { f.Do(t.Context(), &again); done = time.Since(begun) })
		synctest.Wait()
		require.Equal(t, 1, f.Queue().Stats().Lanes[0].Waiting, "in the lane of what was begun")
		wg.Wait()
		require.Equal(t, 200*time.Millisecond, done, "behind the one that runs, before those who wait")
		require.Equal(t, int64(6), refused.Load())
		require.Equal(t, int64(6), meter.Totals().Refused)
		s := meter.Sample(time.Now())
		require.Zero(t, s.Refusal)
	})
}

// TestPressedTwice: several calls for the same thing take one place and do one piece of work; all hear of it, and one
// hears it as new. The work ends when the last of them has gone, and who comes then begins anew.
func TestPressedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backend{takes: time.Second, answer: portal.Answer{Outcome: portal.Done, Serial: "x"}}
		f, meter := newFront(2, nil, b)
		call := portal.Call{Op: portal.Stamp, Account: "a", Key: "k"}
		var wg sync.WaitGroup
		var fresh atomic.Int64
		press := func(ctx context.Context, call portal.Call, want portal.Outcome) {
			wg.Go(func() {
				a := f.Do(ctx, &call)
				require.Equal(t, want, a.Outcome)
				if a.Outcome == portal.Done && !a.Replayed {
					fresh.Add(1)
				}
			})
		}
		first, leave := context.WithCancel(t.Context())
		press(first, call, portal.Unknown)
		synctest.Wait()
		press(t.Context(), call, portal.Done)
		press(t.Context(), call, portal.Done)
		other := call
		other.Op = portal.Reserve
		press(t.Context(), other, portal.Done)
		another := call
		another.Document.Index = 1 // what the ledger makes of that is its own matter
		press(t.Context(), another, portal.Done)
		synctest.Wait()
		leave() // who came first goes; the others still want it
		wg.Wait()
		require.Equal(t, int64(3), b.calls.Load(), "the stamp, the other thing and the other document")
		require.Equal(t, int64(3), fresh.Load())
		require.Equal(t, int64(2), meter.Totals().Stamped)

		b.calls.Store(0)
		alone, leave := context.WithCancel(t.Context())
		press(alone, call, portal.Unknown)
		synctest.Wait()
		begun := time.Now()
		leave()
		wg.Wait()
		require.Zero(t, time.Since(begun), "nobody wants it any more")
		press(t.Context(), call, portal.Done)
		wg.Wait()
		require.Equal(t, int64(2), b.calls.Load())
	})
}

func TestMeter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, meter := newFront(8, nil, &backend{takes: 10 * time.Millisecond, answer: portal.Answer{Outcome: portal.Done, Serial: "x"}})
		meter.Sample(time.Now())
		for i := range 100 {
			meter.Came()
			f.Do(t.Context(), &portal.Call{Op: portal.Stamp, Account: fmt.Sprint(i), Key: "k"})
		}
		s := meter.Sample(time.Now())
		require.InDelta(t, 100, s.Stamped, 0.01)
		require.InDelta(t, 100, s.Came, 0.01)
		require.Equal(t, 10.0, s.P50)
		require.Equal(t, 10.0, s.P99)
		require.InDelta(t, 100, s.Served[1], 0.01)
		time.Sleep(time.Second)
		require.Zero(t, meter.Sample(time.Now()).Stamped)
	})
}
