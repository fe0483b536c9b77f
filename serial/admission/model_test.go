package admission_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial/admission"
)

const (
	modelWorkers    = 3
	modelCapacity   = 12
	modelPerAccount = 5
	modelPatience   = 5
)

// A modelCaller is one request, in the queue and in the oracle.
type modelCaller struct {
	id, turn int
	lane     admission.Lane
	account  string
	cancel   context.CancelFunc
	finish   chan struct{}
	ended    bool // by the oracle
}

// An oracle says in the plainest way what the queue must do: lists, searched from end to end.
type oracle struct {
	lanes   [5][]*modelCaller // in order of service
	round   [5]int
	passed  [5]int
	running []*modelCaller
	started []int // ids, in order
	refused map[int]error
}

func (o *oracle) enter(c *modelCaller) {
	line := o.lanes[c.lane]
	count, last := 0, o.round[c.lane]
	for _, other := range line {
		if other.account == c.account {
			count++
			last = max(last, other.turn)
		}
	}
	switch {
	case len(o.running) < modelWorkers:
		o.start(c)
	case count >= modelPerAccount:
		o.refuse(c, admission.ErrAccountFull)
	case len(line) >= modelCapacity:
		o.refuse(c, admission.ErrFull)
	default:
		if len(line) == 0 {
			o.passed[c.lane] = 0
		}
		c.turn = last + 1
		at := slices.IndexFunc(line, func(other *modelCaller) bool { return other.turn > c.turn })
		if at < 0 {
			at = len(line)
		}
		o.lanes[c.lane] = slices.Insert(line, at, c)
	}
}

func (o *oracle) start(c *modelCaller) {
	o.running = append(o.running, c)
	o.started = append(o.started, c.id)
}

func (o *oracle) refuse(c *modelCaller, err error) {
	c.ended = true
	o.refused[c.id] = err
}

func (o *oracle) cancel(c *modelCaller) {
	o.lanes[c.lane] = slices.DeleteFunc(o.lanes[c.lane], func(other *modelCaller) bool { return other == c })
	o.refuse(c, context.Canceled)
}

func (o *oracle) finish(c *modelCaller) {
	c.ended = true
	o.running = slices.DeleteFunc(o.running, func(other *modelCaller) bool { return other == c })
	var due []int
	for lane := 1; lane <= 4; lane++ {
		if len(o.lanes[lane]) > 0 {
			due = append(due, lane)
		}
	}
	if len(due) == 0 {
		return
	}
	chosen := due[0]
	for _, lane := range due[1:] {
		if o.passed[lane] >= modelPatience && o.passed[lane] > o.passed[chosen] {
			chosen = lane
		}
	}
	for _, lane := range due {
		o.passed[lane]++
	}
	o.passed[chosen] = 0
	next := o.lanes[chosen][0]
	o.lanes[chosen] = o.lanes[chosen][1:]
	o.round[chosen] = next.turn
	o.start(next)
}

func (o *oracle) waiting() (all []*modelCaller) {
	for _, line := range o.lanes {
		all = append(all, line...)
	}
	return all
}

// A modelRun drives a queue and an oracle with the same operations.
type modelRun struct {
	t       *testing.T
	q       *admission.Queue
	o       oracle
	mu      sync.Mutex
	started []int
	refused map[int]error
	places  map[int]int
	callers sync.WaitGroup
}

func (r *modelRun) enter(id int, lane admission.Lane, account string) *modelCaller {
	ctx, cancel := context.WithCancel(r.t.Context())
	c := &modelCaller{id: id, lane: lane, account: account, cancel: cancel, finish: make(chan struct{})}
	note := func(p admission.Place) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.places[id] = p.Ahead
	}
	r.callers.Go(func() {
		defer cancel()
		err := r.q.Do(ctx, admission.Ticket{Lane: lane, Account: account, Notify: note, Every: time.Second}, func(context.Context) error {
			r.mu.Lock()
			r.started = append(r.started, id)
			r.mu.Unlock()
			select {
			case <-c.finish:
			case <-r.t.Context().Done(): // the test has failed
			}
			return nil
		})
		if err != nil {
			r.mu.Lock()
			r.refused[id] = errors.Unwrap(err)
			r.mu.Unlock()
		}
	})
	return c
}

func (r *modelRun) check() {
	synctest.Wait()
	s := r.q.Stats()
	waiting := r.o.waiting()
	require.Equal(r.t, len(r.o.running), s.Running)
	require.Equal(r.t, len(waiting), s.Waiting)
	require.False(r.t, s.Waiting > 0 && s.Running < modelWorkers, "a worker stands idle")
	r.mu.Lock()
	started, refused := slices.Clone(r.started), maps.Clone(r.refused)
	r.mu.Unlock()
	require.Equal(r.t, r.o.started, started)
	require.Equal(r.t, r.o.refused, refused)
	for i, lane := range s.Lanes {
		accounts := map[string]bool{}
		for _, c := range r.o.lanes[i+1] {
			accounts[c.account] = true
		}
		require.Equal(r.t, len(accounts), lane.Accounts)
		require.Equal(r.t, len(r.o.lanes[i+1]), lane.Waiting)
		require.Equal(r.t, uint64(lane.Running), lane.Started-lane.Finished)
	}
}

// checkPlaces lets a second pass, in which everybody is told its place.
func (r *modelRun) checkPlaces() {
	r.mu.Lock()
	clear(r.places)
	r.mu.Unlock()
	time.Sleep(time.Second)
	synctest.Wait()
	want := map[int]int{}
	for i, c := range r.o.waiting() {
		want[c.id] = i
	}
	r.mu.Lock()
	got := maps.Clone(r.places)
	r.mu.Unlock()
	require.Equal(r.t, want, got)
}

func TestModel(t *testing.T) {
	for range 20 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%#x", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runModel(t, seed, 400) })
		})
	}
}

func runModel(t *testing.T, seed uint64, steps int) {
	rng := rand.New(rand.NewPCG(seed, 0))
	capacity := map[admission.Lane]int{}
	for lane := admission.Resume; lane <= admission.Register; lane++ {
		capacity[lane] = modelCapacity
	}
	r := &modelRun{t: t, refused: map[int]error{}, places: map[int]int{}, q: admission.New(&admission.Options{Workers: modelWorkers, Capacity: capacity,
		PerAccount: modelPerAccount, Patience: modelPatience, MaxWait: 10000 * time.Hour, Service: time.Nanosecond})}
	t.Cleanup(r.callers.Wait)
	r.o = oracle{refused: map[int]error{}}
	for id := range steps {
		waiting := r.o.waiting()
		switch p := rng.IntN(100); {
		case p < 10 && len(waiting) > 0:
			c := waiting[rng.IntN(len(waiting))]
			c.cancel()
			r.o.cancel(c)
		case p < 42 && len(r.o.running) > 0:
			c := r.o.running[rng.IntN(len(r.o.running))]
			close(c.finish)
			r.o.finish(c)
		case p < 45:
			r.checkPlaces()
		default:
			c := r.enter(id, admission.Lane(1+rng.IntN(4)), string(rune('a'+rng.IntN(5)*rng.IntN(2))))
			r.o.enter(c)
		}
		r.check()
	}
	for len(r.o.running) > 0 {
		c := r.o.running[0]
		close(c.finish)
		r.o.finish(c)
		r.check()
	}
	r.callers.Wait()
	require.NotEmpty(t, r.o.started)
	require.NotEmpty(t, r.o.refused)
	require.NoError(t, r.q.Close(t.Context()))
}
