package replay

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seed-574216e4/meterai/examples/surge/internal/chaos"
	"github.com/seed-574216e4/meterai/examples/surge/internal/plant"
	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/admission"
)

// chaos lets the faults happen, each at its time, and waits until all are healed, also when ctx ends.
func (r *run) chaos(ctx context.Context) {
	events := chaos.Fixed(r.Plans, r.Length, r.plant.Issuers())
	if r.Chaos != 0 {
		events = chaos.Drawn(r.Chaos, r.Plans, r.Length, r.plant.Issuers())
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, e := range events {
		select {
		case <-time.After(time.Until(r.result.Start.Add(e.At))):
		case <-ctx.Done():
			return
		}
		wg.Go(func() { r.fault(ctx, e) })
	}
}

func (r *run) fault(ctx context.Context, e chaos.Event) {
	at := func() float64 { return time.Since(r.result.Start).Seconds() }
	f := Fault{Kind: e.Kind, From: at()}
	before := r.meter.Totals()
	r.watch.Fault(string(e.Kind), true)
	r.note(e.Kind, 1)
	heal, err := r.plant.Break(ctx, e)
	if err == nil {
		select {
		case <-time.After(e.For):
		case <-ctx.Done():
		}
		err = heal()
	}
	r.note(e.Kind, -1)
	if f.To = at(); err != nil {
		f.Error = err.Error()
	}
	now := r.meter.Totals()
	f.Failed, f.Refused = now.Failed-before.Failed, now.Refused-before.Refused
	r.watch.Fault(string(e.Kind), false)
	r.mu.Lock()
	r.result.Faults = append(r.result.Faults, f)
	r.mu.Unlock()
}

func (r *run) note(k chaos.Kind, by int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken[k] += by
}

func (r *run) isBroken(k chaos.Kind) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken[k] > 0
}

// keepDoor is the operator at the door. During an outage of the ledger new purchases and registrations are shut; after
// it they open again step by step, when those who were being stamped and those who have paid are served.
func (r *run) keepDoor(end <-chan struct{}) {
	door := doorkeeper{q: r.plant.Door().Queue()}
	for {
		select {
		case <-end:
			door.open()
			return
		case <-time.After(100 * time.Millisecond):
			door.step(r.isBroken(chaos.Outage))
		}
	}
}

// lookAfter is the operator at the books: now and then somebody looks who has paid and was not credited, and has owed
// timestamps made good.
func (r *run) lookAfter(ctx context.Context, end <-chan struct{}) {
	for {
		select {
		case <-end:
			return
		case <-time.After(r.Look):
		}
		if r.isBroken(chaos.Outage) {
			continue
		}
		r.makeGood(ctx)
		if !r.isBroken(chaos.TSADown) {
			r.repair.pass(ctx)
		}
	}
}

// makeGood credits what the payment provider knows was paid and the ledger does not know.
func (r *run) makeGood(ctx context.Context) {
	ledger, _ := r.plant.Ledger()
	if ledger == nil {
		return
	}
	var missing []string
	payments := r.crowd.Payments()
	outage := &serial.Outage{Late: r.Late, Payments: func(yield func(serial.Payment, error) bool) {
		for _, p := range payments {
			if time.Since(p.Paid) > r.Late && !yield(p, nil) {
				return
			}
		}
	}}
	for h, err := range ledger.Affected(ctx, outage) {
		if err != nil {
			return // at the next look
		}
		for _, c := range h.Cases {
			if c.Kind == serial.CaseUncredited {
				missing = append(missing, c.Key)
			}
		}
	}
	for _, reference := range missing {
		if r.crowd.MakeGood(ctx, reference) {
			r.mu.Lock()
			r.result.MadeGood++
			r.mu.Unlock()
		}
	}
}

// doorkeeper shuts and opens the lanes of those who come new.
type doorkeeper struct {
	q    *admission.Queue
	shut int // how many of the lowest lanes are shut
	was  [4]int
	next time.Time // when the next lane opens at the latest
}

// patience is how long the next lane waits for those before it to become quiet.
const patience = 5 * time.Second

func (d *doorkeeper) step(outage bool) {
	s := d.q.Stats()
	switch {
	case outage && d.shut < 2:
		for i := 2; i < 4-d.shut; i++ { // the lanes that are open
			d.was[i] = s.Lanes[i].Capacity
			d.limit(i, 0)
		}
		d.shut = 2
	case d.shut == 0:
	case outage:
		d.next = time.Now().Add(patience)
	case quiet(&s, 2-d.shut) && quiet(&s, 3-d.shut) || time.Now().After(d.next):
		open := 4 - d.shut
		d.limit(open, d.was[open])
		d.shut--
		d.next = time.Now().Add(patience)
	}
}

// quiet reports whether hardly anybody waits in a lane.
func quiet(s *admission.Stats, lane int) bool {
	return s.Lanes[lane].Waiting <= s.Lanes[lane].Capacity/50
}

func (d *doorkeeper) limit(lane, capacity int) { _ = d.q.Limit(admission.Lane(lane+1), capacity) }

func (d *doorkeeper) open() {
	for i := 4 - d.shut; i < 4; i++ {
		d.limit(i, d.was[i])
	}
	d.shut = 0
}

// repairs makes good owed timestamps, one pass at a time.
type repairs struct {
	plant.Repairer
	done, left int
	err        error
}

func newRepairs(p Plant) (*repairs, error) {
	specimen, url := p.PKI()
	authority, err := plant.NewTimestamper(specimen, url)
	if err != nil {
		return nil, err
	}
	r := &repairs{}
	r.Dir, r.Authority, r.Output = p.Dir(), authority, output(p)
	return r, nil
}

func (r *repairs) pass(ctx context.Context) {
	done, left, err := r.Repair(ctx)
	r.done += done
	r.left, r.err = left, nil
	if err != nil {
		r.err = fmt.Errorf("repair: %w", err)
	}
}
