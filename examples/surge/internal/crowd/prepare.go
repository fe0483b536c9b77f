package crowd

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seed-574216e4/meterai/examples/surge/internal/load"
	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
)

// together is how many calls are made at a time before the load begins.
const together = 256

// Supply fills the pools of the distributors, so many units each in purchases of the size given, as in earlier days. The
// calls go to the door given, which may be behind the queue.
func (c *Crowd) Supply(ctx context.Context, door Door, dealers int, units, size int64) error {
	var wants []*Want
	for d := range dealers {
		for i, left := 0, units; left > 0; i, left = i+1, left-size {
			wants = append(wants, &Want{
				Op: portal.Credit, Account: Pool(d), Key: fmt.Sprintf("supply %d", i+1), Units: min(size, left), Paid: time.Now(),
			})
		}
	}
	return c.before(ctx, door, wants)
}

// Endow gives the prepared people their units, from the pools of their distributors, and those who are known an account.
func (c *Crowd) Endow(ctx context.Context, door Door, people []load.Person) error {
	var wants []*Want
	for i := range people {
		if p := &people[i]; p.Way == load.Prepared {
			wants = append(wants, &Want{
				Op: portal.Transfer, Account: p.Account, From: Pool(p.Dealer), Key: fmt.Sprintf("order %06d", p.Index), Units: p.Units,
			})
		} else if p.Known {
			wants = append(wants, &Want{Op: portal.Register, Account: p.Account, Key: portal.Register.String()})
		}
	}
	return c.before(ctx, door, wants)
}

// before has wants settled that belong to earlier days.
func (c *Crowd) before(ctx context.Context, door Door, wants []*Want) error {
	work := make(chan *Want)
	var wg sync.WaitGroup
	for range min(together, len(wants)) {
		wg.Go(func() {
			for w := range work {
				c.want(w)
				for ctx.Err() == nil && !w.outcome().Final() {
					w.called()
					call := w.call()
					called := time.Now()
					a := door.Do(ctx, &call)
					if a.Outcome.Final() {
						w.heard(&a, time.Since(called), time.Now())
						break
					}
					w.note(a.Reason)
					if a.Outcome == portal.Short {
						break // nobody fills a pool meanwhile
					}
					time.Sleep(pulse)
				}
			}
		})
	}
	for _, w := range wants {
		work <- w
	}
	close(work)
	wg.Wait()
	for _, w := range wants {
		if w.outcome() != portal.Done {
			return fmt.Errorf("prepare %s of %q: %s %s", w.Op, w.Account, w.outcome(), w.Reason)
		}
	}
	return ctx.Err()
}

// call is the call that the want makes.
func (w *Want) call() portal.Call {
	c := portal.Call{Op: w.Op, Account: w.Account, Units: w.Units, Key: w.Key, Document: w.Document}
	switch w.Op {
	case portal.Credit:
		c.Paid = w.Paid
	case portal.Transfer:
		c.Account, c.Peer = w.From, w.Account
	}
	return c
}

// Measure stamps documents for as long as given, so many at a time, each caller as fast as it is answered, and gives how
// many were stamped a second after the first quarter, in which the system warms up. It is a closed load: what the system
// can do at most.
func (c *Crowd) Measure(ctx context.Context, direct Door, seed uint64, callers int, long time.Duration) (float64, error) {
	const units = 10_000 // each
	var wants []*Want
	for i := range callers {
		wants = append(wants, &Want{Op: portal.Credit, Account: tester(i), Key: "units", Units: units, Paid: time.Now()})
	}
	if err := c.before(ctx, direct, wants); err != nil {
		return 0, err
	}
	var wg sync.WaitGroup
	stop := time.Now().Add(long)
	for i := range callers {
		wg.Go(func() {
			sizes := load.Sizes(seed, i)
			v := c.visitor(&load.Person{Account: tester(i), Seed: seed})
			for n := 0; time.Now().Before(stop) && ctx.Err() == nil; n++ {
				d := load.Document{Seed: seed, Person: -1 - i, Index: n, Size: sizes()}
				v.insist(ctx, c.want(&Want{Op: portal.Stamp, Account: tester(i), Key: fmt.Sprintf("measured %d", n), Document: d, Whose: Measured}))
			}
		})
	}
	time.Sleep(long / 4)
	before, begun := c.meter.Totals().Stamped, time.Now()
	wg.Wait()
	return float64(c.meter.Totals().Stamped-before) / time.Since(begun).Seconds(), ctx.Err()
}

// Bulk is institutions that stamp in bulk until they have enough, so many documents at a time, as long as nobody waits:
// they use what people leave. Their load is closed, and none of it counts as people. What was begun is finished, unless
// ctx ends.
func (c *Crowd) Bulk(ctx context.Context, enough <-chan struct{}, seed uint64, callers int, busy func() bool) {
	for i := range callers {
		c.people.Go(func() {
			sizes := load.Sizes(seed, -1-i)
			v := c.visitor(&load.Person{Account: tester(i), Seed: seed})
			for n := 0; ctx.Err() == nil; n++ {
				for busy() && !over(enough) {
					time.Sleep(50 * time.Millisecond)
				}
				if over(enough) {
					return
				}
				d := load.Document{Seed: seed, Person: -10_000 - i, Index: n, Size: sizes()}
				v.insist(ctx, c.want(&Want{Op: portal.Stamp, Account: tester(i), Key: fmt.Sprintf("in bulk %d", n), Document: d, Whose: Institutions}))
			}
		})
	}
}

func over(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// tester is the account of an institution, with which the capacity is measured as well.
func tester(i int) string { return fmt.Sprintf("tester-%03d", i) }
