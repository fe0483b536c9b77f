package crowd

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-574216e4/meterai/examples/surge/internal/load"
	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
	"github.com/seed-574216e4/meterai/serial"
)

// Door answers calls; [portal.Front] is one.
type Door interface {
	Do(ctx context.Context, c *portal.Call) portal.Answer
}

// Crowd is everybody who asks. It is safe for concurrent use.
type Crowd struct {
	door  Door
	meter *portal.Meter

	people   sync.WaitGroup
	messages sync.WaitGroup // of the payment provider
	present  atomic.Int64
	stalled  atomic.Int64 // nanoseconds

	mu       sync.Mutex
	wants    []*Want
	payments []serial.Payment
	lost     map[string]*bill // payments by reference whose message was lost
}

// New makes a crowd before a door.
func New(door Door, meter *portal.Meter) *Crowd {
	return &Crowd{door: door, meter: meter, lost: make(map[string]*bill)}
}

// The pulse by which a crowd notices that the process stands still.
const (
	pulse  = 20 * time.Millisecond
	missed = 250 * time.Millisecond
)

// Watch notices, until ctx ends, when the whole process stands still, as when the machine gives it no time: nobody in it
// can be answered then, so such times count for no answer.
func (c *Crowd) Watch(ctx context.Context) {
	for last := time.Now(); ctx.Err() == nil; {
		time.Sleep(pulse)
		now := time.Now()
		if gap := now.Sub(last); gap > missed {
			c.stalled.Add(int64(gap - pulse))
		}
		last = now
	}
}

// Stalled is for how long the process stood still, in all.
func (c *Crowd) Stalled() time.Duration { return time.Duration(c.stalled.Load()) }

// Present is how many people are on the way.
func (c *Crowd) Present() int { return int(c.present.Load()) }

// Wants are everybody's records; to be read when nobody is on the way.
func (c *Crowd) Wants() []*Want {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.wants)
}

// Payments are what the payment provider knows was paid to the issuer.
func (c *Crowd) Payments() []serial.Payment {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.payments)
}

// Pool is the account of a distributor.
func Pool(dealer int) string { return fmt.Sprintf("distributor-%02d", dealer) }

// Run lets people come at their times after start, whatever becomes of them, and returns when the last has come. They go
// on until they have what they want, or ctx ends.
func (c *Crowd) Run(ctx context.Context, start time.Time, people []load.Person) {
	for i := range people {
		p := &people[i]
		if wait := time.Until(start.Add(p.Comes)); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
		}
		c.meter.Came()
		c.present.Add(1)
		c.people.Go(func() {
			defer c.present.Add(-1)
			c.live(ctx, p)
		})
	}
}

// Wait waits until nobody is on the way any more, the payment provider's messages included.
func (c *Crowd) Wait() {
	c.people.Wait()
	c.messages.Wait()
}

func (c *Crowd) want(w *Want) *Want {
	w.Asked = time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wants = append(c.wants, w)
	return w
}

// visitor is a person on the way.
type visitor struct {
	*Crowd
	*load.Person
	rng *rand.Rand
}

func (c *Crowd) visitor(p *load.Person) *visitor {
	return &visitor{c, p, rand.New(rand.NewPCG(p.Seed, 1))}
}

// live is what a person does.
func (c *Crowd) live(ctx context.Context, p *load.Person) {
	v := c.visitor(p)
	if p.Way != load.Prepared && !v.buy(ctx) {
		return
	}
	documents := p.Documents
	if p.Leaving == load.Reserves {
		v.insist(ctx, c.want(&Want{Op: portal.Reserve, Account: p.Account, Key: "held", Document: p.Documents[1]}))
		documents = documents[:1]
	}
	for i := range documents {
		if p.Leaving == load.Hangs && i == len(documents)-1 {
			v.hang(ctx, i)
			return
		}
		if !v.stamp(ctx, i) {
			return
		}
	}
	if p.Refund {
		v.insist(ctx, c.want(&Want{Op: portal.Refund, Account: p.Account, Units: 1, Key: "refund"}))
	}
}

// buy registers, unless known, orders, pays and waits for the units.
func (v *visitor) buy(ctx context.Context) bool {
	ops := []portal.Op{portal.Register, portal.Order}
	if v.Known {
		ops = ops[1:]
	}
	for _, op := range ops {
		if v.insist(ctx, v.want(&Want{Op: op, Account: v.Account, Key: op.String()})) != portal.Done {
			return false
		}
	}
	select {
	case <-v.pay(ctx, v.Person):
		return true
	case <-ctx.Done():
		return false
	}
}

// stamp has a document stamped. When the attempt was given up, the unit is back and another is made.
func (v *visitor) stamp(ctx context.Context, i int) bool {
	for try := 1; try <= 5; try++ {
		key := fmt.Sprintf("document %d, try %d", i+1, try)
		switch v.insist(ctx, v.want(&Want{Op: portal.Stamp, Account: v.Account, Key: key, Document: v.Documents[i]})) {
		case portal.Done:
			return true
		case portal.Void:
		default:
			return false
		}
	}
	return false
}

// hang asks for a stamp and goes away without an answer.
func (v *visitor) hang(ctx context.Context, i int) {
	w := v.want(&Want{Op: portal.Stamp, Account: v.Account, Key: fmt.Sprintf("document %d, left", i+1), Document: v.Documents[i], Optional: true})
	ctx, cancel := context.WithTimeout(ctx, time.Duration(v.rng.Float64()*float64(150*time.Millisecond)))
	defer cancel()
	v.insist(ctx, w)
	w.left()
}

// insist asks until the answer is final or ctx ends, and gives the answer.
func (v *visitor) insist(ctx context.Context, w *Want) portal.Outcome {
	call := w.call()
	for {
		after, end := v.ask(ctx, w, call)
		if o := w.outcome(); o.Final() || end {
			return o
		}
		wait := time.Duration(float64(after) * (0.95 + 0.1*v.rng.Float64()))
		if v.Impatient {
			wait /= 2
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return w.outcome()
		}
	}
}

// twice is when an impatient person presses the button again while the first call is on its way.
const twice = 300 * time.Millisecond

// ask makes one call; an impatient person who waits makes a second one beside it.
func (v *visitor) ask(ctx context.Context, w *Want, call portal.Call) (after time.Duration, end bool) {
	done := make(chan struct{})
	var second sync.WaitGroup
	if v.Impatient && w.Op == portal.Stamp {
		second.Go(func() {
			select {
			case <-time.After(twice):
				v.once(ctx, w, call)
			case <-done:
			}
		})
	}
	after = v.once(ctx, w, call)
	close(done)
	second.Wait()
	return after, ctx.Err() != nil
}

func (v *visitor) once(ctx context.Context, w *Want, call portal.Call) time.Duration {
	return v.tell(ctx, w, &call).After
}

// tell makes a call and notes the answer.
func (c *Crowd) tell(ctx context.Context, w *Want, call *portal.Call) portal.Answer {
	call.Again = w.called()
	called, stalled := time.Now(), c.Stalled()
	a := c.door.Do(ctx, call)
	now := time.Now()
	w.heard(&a, now.Sub(called)-(c.Stalled()-stalled), now)
	return a
}
