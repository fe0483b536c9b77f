package portal

import (
	"context"
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-574216e4/meterai/serial/admission"
)

// Backend does calls: an [Issuer], or the way to one in another process. It answers when ctx ends at the latest.
type Backend interface {
	Do(ctx context.Context, c *Call) Answer
}

// Options shape a [Front].
type Options struct {
	Queue   *admission.Options
	Timeout time.Duration // what an issuer may take for a call; then the caller is answered, and asks again
	Again   time.Duration // when to ask again after a failure, about
	Meter   *Meter
}

// Front is the front door: it lets calls in by the lanes of a queue and hands them to the backends. It is safe for
// concurrent use.
type Front struct {
	opt   Options
	queue *admission.Queue

	mu       sync.Mutex
	backends []*backend
	begun    map[string]struct{} // keys of stampings that were begun and are not known to have ended
	joints   map[Call]*joint     // calls under way
}

type backend struct {
	atomic.Pointer[Backend]
	rest atomic.Int64 // until when it is passed over, Unix nanoseconds
}

// NewFront makes a front door with so many places for backends, all empty.
func NewFront(places int, opt Options) *Front {
	f := &Front{opt: opt, queue: admission.New(opt.Queue), begun: make(map[string]struct{}), joints: make(map[Call]*joint)}
	for range places {
		f.backends = append(f.backends, &backend{})
	}
	return f
}

// Queue is the queue at the door.
func (f *Front) Queue() *admission.Queue { return f.queue }

// Set puts a backend into a place, or with nil takes it away.
func (f *Front) Set(place int, b Backend) {
	if b == nil {
		f.backends[place].Store(nil)
		return
	}
	f.backends[place].Store(&b)
	f.backends[place].rest.Store(0)
}

// Do answers a call.
func (f *Front) Do(ctx context.Context, c *Call) Answer {
	asked := time.Now()
	f.opt.Meter.asked()
	a := f.together(ctx, c)
	if !a.Outcome.Final() && a.After == 0 {
		a.After = time.Duration(float64(f.opt.Again) * (0.75 + rand.Float64()/2))
	}
	f.opt.Meter.answered(c, &a, time.Since(asked))
	return a
}

func (f *Front) do(ctx context.Context, c *Call) Answer {
	lane, scope := c.Op.lane(), c.Account+"\x00"+c.Key
	if c.Op == Stamp && c.Again && f.known(scope) {
		lane = admission.Resume // what was begun is finished first; if it is finished already, it is only answered
	}
	var a Answer
	err := f.queue.Do(ctx, admission.Ticket{Lane: lane, Account: c.Account}, func(ctx context.Context) error {
		admitted := time.Now()
		f.opt.Meter.admitted(lane)
		a = f.Pass(ctx, c)
		a.Admitted = admitted
		return nil
	})
	if refused, ok := errors.AsType[*admission.RefusedError](err); ok {
		return Answer{Outcome: Refused, Reason: refused.Error(), After: refused.RetryAfter, Waited: errors.Is(err, admission.ErrDeadline)}
	}
	if c.Op == Stamp {
		f.remember(scope, a.Outcome)
	}
	return a
}

// Pass hands a call to a backend, and to another one when the first can do nothing. It goes past the queue.
func (f *Front) Pass(ctx context.Context, c *Call) Answer {
	ctx, cancel := context.WithTimeout(ctx, f.opt.Timeout)
	defer cancel()
	a := Answer{Outcome: Down, Reason: "no issuer is in service"}
	h := fnv.New32a()
	_, _ = h.Write([]byte(c.Account))
	first := int(h.Sum32() % uint32(len(f.backends)))
	now := time.Now().UnixNano()
	for _, resting := range []bool{false, true} {
		for i := range f.backends {
			b := f.backends[(first+i)%len(f.backends)]
			to := b.Load()
			if to == nil || (b.rest.Load() > now) != resting {
				continue
			}
			if a = (*to).Do(ctx, c); a.Outcome != Down || ctx.Err() != nil {
				if a.Outcome == Unknown || a.Outcome == None {
					a.Outcome = Unknown
					b.rest.Store(time.Now().Add(f.opt.Again).UnixNano())
				}
				return a
			}
			b.rest.Store(time.Now().Add(f.opt.Again).UnixNano())
		}
	}
	return a
}

func (f *Front) known(scope string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.begun[scope]
	return ok
}

// remember notes which stampings are under way. After a restart it would have to be asked of the ledger.
func (f *Front) remember(scope string, o Outcome) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case o == Begun || o == Unknown:
		f.begun[scope] = struct{}{}
	case o.Final():
		delete(f.begun, scope)
	}
}
