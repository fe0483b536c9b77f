package crowd_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/examples/surge/internal/crowd"
	"github.com/seed-574216e4/meterai/examples/surge/internal/load"
	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
)

// door answers each call with what is next in its list for that operation, and "done" when the list is empty.
type door struct {
	mu    sync.Mutex
	lists map[portal.Op][]portal.Answer
	calls []portal.Call
	at    []time.Time
	takes time.Duration
}

func (d *door) Do(ctx context.Context, c *portal.Call) portal.Answer {
	select {
	case <-time.After(d.takes):
	case <-ctx.Done():
		return portal.Answer{Outcome: portal.Refused, After: time.Second}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls, d.at = append(d.calls, *c), append(d.at, time.Now())
	if list := d.lists[c.Op]; len(list) > 0 {
		d.lists[c.Op] = list[1:]
		return list[0]
	}
	return portal.Answer{Outcome: portal.Done, Serial: "serial of " + c.Key, Admitted: time.Now()}
}

func (d *door) ops() (out []portal.Op) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.calls {
		out = append(out, c.Op)
	}
	return out
}

func person(edit func(*load.Person)) []load.Person {
	p := load.Person{Account: "ayu", Units: 2, Documents: make([]load.Document, 2), Seed: 1}
	edit(&p)
	return []load.Person{p}
}

func visit(ctx context.Context, d *door, people []load.Person) *crowd.Crowd {
	c := crowd.New(d, &portal.Meter{})
	c.Run(ctx, time.Now(), people)
	c.Wait()
	return c
}

// TestSameRequestAgain: refused, down and unknown answers are followed by the same request after the time that was said;
// the record tells what was heard and when.
func TestSameRequestAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{takes: 10 * time.Millisecond, lists: map[portal.Op][]portal.Answer{portal.Stamp: {
			{Outcome: portal.Refused, After: 10 * time.Second}, {Outcome: portal.Begun, Serial: "x", After: time.Second, Admitted: time.Now()},
			{Outcome: portal.Unknown, After: time.Second},
		}}}
		c := visit(t.Context(), d, person(func(p *load.Person) { p.Comes = time.Minute }))
		require.Len(t, d.calls, 5)
		for i, call := range d.calls[:4] {
			require.Equal(t, "document 1, try 1", call.Key)
			require.Equal(t, i > 0, call.Again)
		}
		require.InDelta(t, 10, d.at[1].Sub(d.at[0]).Seconds(), 0.6)
		w := c.Wants()
		require.Len(t, w, 2)
		require.Equal(t, portal.Done, w[0].Outcome)
		require.Equal(t, 4, w[0].Calls)
		require.Equal(t, 1, w[0].Refusals)
		require.Equal(t, 10*time.Millisecond, w[0].Refusal)
		require.False(t, w[0].Held.IsZero())
		require.True(t, w[0].Held.Before(w[0].Settled))
		require.Zero(t, w[0].NoReturn)
		require.Zero(t, c.Present())
	})
}

// TestImpatience: who waits for long presses the button again, and both get the same stamp; two stamps would be noted.
func TestImpatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{takes: time.Second}
		c := visit(t.Context(), d, person(func(p *load.Person) { p.Impatient = true }))
		require.Len(t, d.calls, 4)
		require.Equal(t, d.calls[0].Key, d.calls[1].Key)
		require.Empty(t, c.Wants()[0].Contradicts)
		d = &door{takes: time.Second, lists: map[portal.Op][]portal.Answer{portal.Stamp: {{Outcome: portal.Done, Serial: "a"}, {Outcome: portal.Done, Serial: "b"}}}}
		c = visit(t.Context(), d, person(func(p *load.Person) { p.Impatient = true }))
		require.NotEmpty(t, c.Wants()[0].Contradicts)
	})
}

// TestVoidMeansAnotherKey: when an attempt was given up the unit is back, and the person tries under another key.
func TestVoidMeansAnotherKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{lists: map[portal.Op][]portal.Answer{portal.Stamp: {{Outcome: portal.Void, Serial: "v"}}}}
		visit(t.Context(), d, person(func(*load.Person) {}))
		require.Equal(t, []string{"document 1, try 1", "document 1, try 2", "document 2, try 1"}, []string{d.calls[0].Key, d.calls[1].Key, d.calls[2].Key})
	})
}

// TestPayments: messages come late, several times and are sent again until they are confirmed; one that is lost is made
// good by an operator, once, and the customer waits until then.
func TestPayments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{lists: map[portal.Op][]portal.Answer{portal.Credit: {{Outcome: portal.Down, After: time.Second}}}}
		c := visit(t.Context(), d, person(func(p *load.Person) { p.Way, p.Callbacks = load.Direct, []time.Duration{time.Hour, time.Second} }))
		require.Equal(t, []portal.Op{portal.Register, portal.Order, portal.Credit, portal.Credit, portal.Stamp, portal.Stamp, portal.Credit}, d.ops())
		require.Equal(t, int64(2), c.Payments()[0].Units)
		require.Equal(t, d.calls[2], func() portal.Call { again := d.calls[6]; again.Again = false; return again }(), "always the same message")
		require.False(t, c.MakeGood(t.Context(), "payment 000000"))

		d = &door{}
		visit(t.Context(), d, person(func(p *load.Person) { p.Way, p.Known, p.Callbacks = load.Direct, true, []time.Duration{time.Second} }))
		require.Equal(t, []portal.Op{portal.Order, portal.Credit, portal.Stamp, portal.Stamp}, d.ops())

		d = &door{}
		c = crowd.New(d, &portal.Meter{})
		c.Run(t.Context(), time.Now(), person(func(p *load.Person) { p.Way = load.Direct }))
		time.Sleep(time.Hour)
		require.Equal(t, []portal.Op{portal.Register, portal.Order}, d.ops())
		require.Equal(t, 1, c.Present())
		require.True(t, c.MakeGood(t.Context(), "payment 000000"))
		require.False(t, c.MakeGood(t.Context(), "payment 000000"))
		c.Wait()
		require.Equal(t, []portal.Op{portal.Register, portal.Order, portal.Credit, portal.Stamp, portal.Stamp}, d.ops())
	})
}

// TestThoseWhoLeave: they do not come back, and their record says so.
func TestThoseWhoLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{takes: time.Second}
		c := visit(t.Context(), d, person(func(p *load.Person) { p.Leaving = load.Hangs }))
		w := c.Wants()
		require.Equal(t, portal.Done, w[0].Outcome)
		require.True(t, w[1].Left)
		require.True(t, w[1].Optional)
		require.Equal(t, portal.None, w[1].Outcome)

		d = &door{}
		visit(t.Context(), d, person(func(p *load.Person) { p.Leaving, p.Refund = load.Reserves, true }))
		require.Equal(t, []portal.Op{portal.Reserve, portal.Stamp, portal.Refund}, d.ops())
	})
}
