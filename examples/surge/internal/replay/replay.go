// Package replay runs a load against a plant while things break, and gathers what happened.
package replay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed-574216e4/meterai/examples/surge/internal/chaos"
	"github.com/seed-574216e4/meterai/examples/surge/internal/crowd"
	"github.com/seed-574216e4/meterai/examples/surge/internal/load"
	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

// Plant is a system that can be replayed.
type Plant interface {
	Door() *portal.Front
	Direct() portal.Backend // past the queue
	// Ledger is one that an operator may use, and its store; nil while there is none.
	Ledger() (*serial.Ledger, serial.Store)
	// Break makes a fault happen; heal ends it.
	Break(ctx context.Context, e chaos.Event) (heal func() error, err error)
	Memory() int64                 // bytes resident, of the processes that issue
	CPU() time.Duration            // processor time used so far, by all processes of the plant
	Dir() string                   // with the folders of the plant
	PKI() (p *pki.PKI, url string) // the specimen's, and its services
	Issuers() int                  // how many series of numbers there are
	Facts() map[string]int64       // figures for the report
}

// Config is what is replayed.
type Config struct {
	Seed    uint64        // of people, documents and payments
	Chaos   uint64        // of the faults; 0 is the fixed schedule
	Length  time.Duration // of the load: the days before the deadline
	Rush    time.Duration // the last hours, at the end of Length
	Over    float64       // how many times the capacity comes in the last hours
	Usual   float64       // which part of the capacity comes at the busiest time before
	Measure time.Duration // for how long the capacity is measured; 0 takes Capacity
	// Capacity is how many documents are stamped a second; 0 is measured.
	Capacity float64
	Dealers  int
	Pool     int64 // units in all pools
	Callers  int   // at a time, when the capacity is measured
	Bulk     int   // documents at a time that institutions stamp while nobody waits; they have units only if Capacity is measured
	Enough   int64 // documents in all: institutions stop when people will bring the rest; 0 is never
	Plans    []chaos.Plan
	Scale    load.Scale
	Late     time.Duration // what counts as late in "who was harmed"
	Drain    time.Duration // how long people may take after the last has come
	Tick     time.Duration // between samples
	Look     time.Duration // between the operator's looks at who was harmed
}

// Watcher is told what goes on, such as a terminal view.
type Watcher interface {
	Phase(text string)
	Fault(text string, begins bool)
	Sample(s *portal.Sample, t portal.Totals, progress float64)
}

// Fault is one that happened, in seconds since the start of the load.
type Fault struct {
	Kind  chaos.Kind `json:"kind"`
	From  float64    `json:"from"`
	To    float64    `json:"to"`
	Error string     `json:"error,omitempty"` // why it did not happen as it should
	// What people met while it lasted: calls that failed for the time being, and calls that were refused at the door.
	Failed  int64 `json:"failed"`
	Refused int64 `json:"refused"`
}

// Result is what happened.
type Result struct {
	Config   Config
	Capacity float64 // documents a second, measured or given
	Curve    load.Curve
	People   int
	Start    time.Time // of the load
	LoadEnds time.Time // when the last person had come
	Idle     time.Time // when nobody was on the way any more; zero if that did not come
	Left     int       // who were still on the way when the replay stopped waiting
	Samples  []portal.Sample
	Totals   portal.Totals
	Faults   []Fault
	Crowd    *crowd.Crowd
	Plan     []load.Person // of everybody
	MadeGood int           // payments that an operator credited after "who was harmed" had named them
	Owed     int           // timestamps that were owed and made good
	Unpaid   int           // and that are still owed
	Repair   error
	Swept    serial.Swept
}

// run is a replay under way.
type run struct {
	Config
	plant  Plant
	crowd  *crowd.Crowd
	meter  *portal.Meter
	watch  Watcher
	repair *repairs
	result *Result

	mu     sync.Mutex // guards result.Faults and Samples
	broken map[chaos.Kind]int
}

// Run replays.
func Run(ctx context.Context, cfg Config, plant Plant, meter *portal.Meter, watch Watcher) (*Result, error) {
	r := &run{
		Config: cfg, plant: plant, meter: meter, watch: watch, broken: make(map[chaos.Kind]int),
		crowd: crowd.New(plant.Door(), meter), result: &Result{Config: cfg},
	}
	r.result.Crowd = r.crowd
	watched, ended := context.WithCancel(ctx)
	defer ended()
	go r.crowd.Watch(watched)
	if err := r.prepare(ctx); err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	people := load.Population(cfg.Seed, r.result.Curve.Arrivals(cfg.Seed), cfg.Dealers, cfg.Scale)
	r.result.People, r.result.Plan = len(people), people
	if err := room(plant.Dir(), max(2*int64(len(people)), cfg.Enough)); err != nil {
		return nil, err
	}
	r.watch.Phase(fmt.Sprintf("%d people will come in %s; the prepared ones get their units", len(people), cfg.Length))
	if err := r.crowd.Endow(ctx, plant.Direct(), people); err != nil {
		return nil, err
	}
	if err := r.replay(ctx, people); err != nil {
		return nil, err
	}
	return r.result, r.settle(ctx)
}

// measuredMost is how many documents a second need room while the capacity is measured.
const measuredMost = 2000

// prepare fills the pools and finds how much the plant can do.
func (r *run) prepare(ctx context.Context) error {
	r.watch.Phase(fmt.Sprintf("%d distributors buy %d units", r.Dealers, r.Pool))
	if err := r.crowd.Supply(ctx, r.plant.Direct(), r.Dealers, r.Pool/int64(r.Dealers), 5000); err != nil {
		return err
	}
	capacity := r.Capacity
	if capacity == 0 {
		r.watch.Phase(fmt.Sprintf("measuring what the plant can do, for %s", r.Measure))
		if err := room(r.plant.Dir(), int64(measuredMost*r.Measure.Seconds())); err != nil {
			return err
		}
		limited, cancel := context.WithTimeout(ctx, r.Measure+r.Drain) // callers insist, also when nothing can be kept
		defer cancel()
		var err error
		if capacity, err = r.crowd.Measure(limited, r.plant.Direct(), r.Seed, r.Callers, r.Measure); err != nil {
			return fmt.Errorf("measure the capacity: %w", err)
		}
	}
	r.result.Capacity = capacity
	// Each person brings two documents.
	r.result.Curve = load.Curve{Length: r.Length, Peak: r.Usual * capacity / 2, Rush: r.Rush, Over: r.Over / r.Usual}
	return nil
}

// replay lets people come and things break, until nobody is on the way.
func (r *run) replay(ctx context.Context, people []load.Person) error {
	live, leave := context.WithCancel(ctx)
	defer leave()
	repairs, err := newRepairs(r.plant)
	if err != nil {
		return err
	}
	r.repair = repairs
	var beside sync.WaitGroup
	r.watch.Phase("the days before the deadline")
	r.result.Start = time.Now()
	end := make(chan struct{})
	r.meter.Sample(r.result.Start)
	beside.Go(func() { r.sample(end) })
	beside.Go(func() { r.chaos(ctx) })
	beside.Go(func() { r.keepDoor(end) })
	beside.Go(func() { r.lookAfter(live, end) })
	enough := make(chan struct{})
	if r.Capacity == 0 {
		queue := r.plant.Door().Queue()
		r.crowd.Bulk(live, enough, r.Seed, r.Bulk, func() bool { return queue.Stats().Waiting > 0 || r.enough(len(people)) })
	}
	r.crowd.Run(live, r.result.Start, people)
	close(enough)
	r.result.LoadEnds = time.Now()
	if ctx.Err() == nil {
		r.watch.Phase("everybody has come; who is on the way goes on")
	}
	idle := make(chan struct{})
	go func() { r.crowd.Wait(); close(idle) }()
	select {
	case <-idle:
		r.result.Idle = time.Now()
	case <-time.After(r.Drain):
		r.result.Left = r.crowd.Present()
		r.watch.Phase(fmt.Sprintf("stopped waiting for %d people", r.result.Left))
	case <-ctx.Done():
	}
	time.Sleep(4 * r.Tick) // so that the charts show how it ended
	close(end)
	leave()
	<-idle
	beside.Wait()
	r.result.Totals = r.meter.Totals()
	return ctx.Err()
}

// enough reports whether people will bring all documents that are still wanted: two each.
func (r *run) enough(people int) bool {
	t := r.meter.Totals()
	return r.Enough > 0 && t.Stamped+2*(int64(people)-t.Came) >= r.Enough
}

// sample looks at the meters at every tick.
func (r *run) sample(end <-chan struct{}) {
	tick := time.NewTicker(r.Tick)
	defer tick.Stop()
	used, last := r.plant.CPU(), r.result.Start
	for {
		select {
		case now := <-tick.C:
			s := r.meter.Sample(now)
			s.At = now.Sub(r.result.Start).Seconds()
			for i, l := range r.plant.Door().Queue().Stats().Lanes {
				s.Waiting[i] = l.Waiting
			}
			s.People, s.Memory = r.crowd.Present(), r.plant.Memory()
			cpu := r.plant.CPU()
			s.CPU = (cpu - used).Seconds() / now.Sub(last).Seconds()
			used, last = cpu, now
			r.mu.Lock()
			r.result.Samples = append(r.result.Samples, s)
			r.mu.Unlock()
			r.watch.Sample(&s, r.meter.Totals(), s.At/r.Length.Seconds())
		case <-end:
			return
		}
	}
}

// settle ends what nobody finishes any more and makes good what is owed.
func (r *run) settle(ctx context.Context) error {
	r.watch.Phase("sweeping what nobody finishes, and timestamps that are owed")
	ledger, _ := r.plant.Ledger()
	if ledger == nil {
		return errors.New("the ledger is not there at the end")
	}
	short := &serial.SweepOptions{Hold: time.Second, Void: time.Second}
	for range 60 {
		swept, err := ledger.Sweep(ctx, short)
		if err != nil {
			return err
		}
		r.result.Swept.Stamped += swept.Stamped
		r.result.Swept.Released += swept.Released
		r.result.Swept.Void += swept.Void
		r.result.Swept.Waiting, r.result.Swept.Failed = swept.Waiting, swept.Failed
		if swept.Waiting == 0 {
			break
		}
		time.Sleep(500 * time.Millisecond)
	}
	for range 20 {
		r.repair.pass(ctx)
		if r.repair.left == 0 {
			break
		}
	}
	r.result.Owed, r.result.Unpaid, r.result.Repair = r.repair.done, r.repair.left, r.repair.err
	return nil
}
