package remote

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// A state is whether an endpoint is in service.
type state int

const (
	inService state = iota
	resting         // until dueAt
	probing         // one operation tries it
)

// How long an endpoint rests: the first time, doubled with each probe that fails up
// to the last, halved with each success.
const (
	firstPause = 250 * time.Millisecond
	lastPause  = 30 * time.Second
)

// A failure costs two points, a success earns one. At mostPoints the endpoint rests:
// after three failures in a row, or when more than a third fails for long.
const (
	pointsFailure = 2
	mostPoints    = 6
)

// An endpoint is guarded by the signer's mu.
type endpoint struct {
	name     string
	signer   crypto.Signer
	most     int // operations at a time
	maxStuck int

	limit   int // operations at a time, after the service said that it is busy
	streak  int // successes since limit changed
	busy    int
	stuck   int
	state   state
	points  int
	dueAt   time.Time
	pause   time.Duration
	epoch   uint64 // of its verdicts: a call of an earlier one says nothing about now
	cause   error
	figures EndpointFigures
}

func newEndpoint(e Endpoint, opt *Options) *endpoint {
	n := e.inFlight()
	stuck := opt.MaxStuck
	if stuck == 0 {
		stuck = max(1, n/2)
	}
	return &endpoint{name: e.Name, signer: e.Signer, most: n, limit: n, maxStuck: min(stuck, n), pause: firstPause}
}

// A place is the right to make a call.
type place struct {
	endpoint *endpoint
	epoch    uint64
	probe    bool
}

// A waiter is a caller that waits for a place.
type waiter struct {
	failed *endpoint
	got    chan answer // room for one
}

type answer struct {
	place place
	err   error
}

// acquire waits for a place at an endpoint, first come, first served. It fails at once
// when none is in service and none will be soon.
func (s *Signer) acquire(ctx context.Context, failed *endpoint) (place, error) {
	if err := ctx.Err(); err != nil {
		return place{}, fmt.Errorf("remote: %w", err)
	}
	s.mu.Lock()
	w := &waiter{failed: failed, got: make(chan answer, 1)}
	s.waiters = append(s.waiters, w)
	s.dispatch()
	s.mu.Unlock()
	select {
	case a := <-w.got:
		return a.place, a.err
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.waiters {
		if other == w {
			s.waiters = append(s.waiters[:i:i], s.waiters[i+1:]...)
			return place{}, fmt.Errorf("remote: %w", ctx.Err())
		}
	}
	// The place came in the same moment: it is passed on.
	if a := <-w.got; a.err == nil {
		s.giveBack(a.place)
	}
	return place{}, fmt.Errorf("remote: %w", ctx.Err())
}

// giveBack returns a place without a call. The caller holds mu.
func (s *Signer) giveBack(p place) {
	p.endpoint.busy--
	s.running--
	s.judge(&call{place: p}, verdictNone, nil)
	s.dispatch()
	if s.closed && s.running == 0 {
		close(s.idle)
	}
}

// dispatch gives places to those who wait, in their order. The caller holds mu.
func (s *Signer) dispatch() {
	for len(s.waiters) > 0 {
		w := s.waiters[0]
		p, err := s.pick(w.failed)
		if err == nil && p.endpoint == nil {
			return
		}
		s.waiters[0] = nil
		s.waiters = s.waiters[1:]
		w.got <- answer{p, err}
	}
}

// pick takes a place for an operation: at an endpoint that is to be probed, else at
// the least busy one, in both cases rather not at failed. A place without endpoint
// says that the caller has to wait. The caller holds mu.
func (s *Signer) pick(failed *endpoint) (place, error) {
	if s.closed {
		return place{}, ErrClosed
	}
	q := search{failed: failed, now: time.Now(), cause: ErrUnavailable}
	s.turn++
	for i := range s.endpoints {
		q.see(s.endpoints[(s.turn+i)%len(s.endpoints)])
	}
	switch {
	case q.probe != nil && (q.probe != failed || q.best == nil):
		return s.take(q.probe), nil
	case q.best != nil:
		return s.take(q.best), nil
	case q.wait:
		return place{}, nil
	}
	if after := q.soonest.Sub(q.now); !q.soonest.IsZero() && after <= s.opt.Patience {
		s.setAlarm(after)
		return place{}, nil
	}
	return place{}, q.cause
}

// A search looks for a place among the endpoints.
type search struct {
	failed *endpoint // rather not this one
	now    time.Time

	best, probe *endpoint
	wait        bool      // another one will have a place
	soonest     time.Time // when the first of those that rest is due
	cause       error     // why there is none
}

func (q *search) see(e *endpoint) {
	best := q.best
	switch {
	case e.stuck >= e.maxStuck:
		q.cause = fmt.Errorf("%w: endpoint %q has %d stuck calls", ErrUnavailable, e.name, e.stuck)
	case e.state == resting && !q.now.Before(e.dueAt):
		if q.probe == nil || q.probe == q.failed {
			q.probe = e
		}
	case e.state == resting:
		q.cause = fmt.Errorf("%w: endpoint %q rests: %w", ErrUnavailable, e.name, e.cause)
		if q.soonest.IsZero() || e.dueAt.Before(q.soonest) {
			q.soonest = e.dueAt
		}
	case e.state == probing || e.busy >= e.limit:
		q.wait = true
	case best == nil || best == q.failed || e != q.failed && e.busy*best.limit < best.busy*e.limit:
		q.best = e
	}
}

// take gives a place at e, which makes the caller the probe when e rests. The caller
// holds mu.
func (s *Signer) take(e *endpoint) place {
	e.busy++
	s.running++
	p := place{endpoint: e, epoch: e.epoch}
	if e.state == resting {
		e.state, p.probe = probing, true
		e.figures.Probes++
	}
	return p
}

// another says whether an endpoint other than failed takes operations.
func (s *Signer) another(failed *endpoint) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.endpoints {
		if e != failed && e.state == inService && e.stuck < e.maxStuck {
			return true
		}
	}
	return false
}

// setAlarm looks after those who wait when the next probe is due. The caller holds mu.
func (s *Signer) setAlarm(after time.Duration) {
	if s.alarm != nil {
		s.alarm.Reset(after)
		return
	}
	s.alarm = time.AfterFunc(after, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.dispatch()
	})
}

// A verdict is what a call says about its endpoint.
type verdict int

const (
	verdictNone   verdict = iota // the caller left too early
	verdictGood                  // it answered, be it with a refusal
	verdictFailed                // it did not answer, or with an error
	verdictWrong                 // it gave a wrong signature
	verdictBusy                  // it has too much to do
)

func verdictOf(err error) verdict {
	var busy *BusyError
	switch {
	case err == nil, errors.Is(err, ErrRefused):
		return verdictGood
	case errors.Is(err, ErrSignature):
		return verdictWrong
	case errors.As(err, &busy):
		return verdictBusy
	}
	return verdictFailed
}

// judge draws the consequences of a call for its endpoint, once. The caller holds mu.
func (s *Signer) judge(c *call, v verdict, err error) {
	e := c.endpoint
	if c.judged || c.epoch != e.epoch || e.state == resting || e.state == probing && !c.probe {
		return
	}
	c.judged = v != verdictNone
	switch v {
	case verdictGood:
		s.good(e)
	case verdictNone:
		if c.probe && e.state == probing {
			e.state, e.dueAt = resting, time.Now()
		}
	case verdictBusy:
		s.busy(e, err)
	case verdictWrong:
		s.rest(e, err)
	case verdictFailed:
		e.points += pointsFailure
		if e.state == probing || e.points >= mostPoints {
			s.rest(e, err)
		}
	}
}

func (s *Signer) good(e *endpoint) {
	if e.state == probing {
		e.state, e.points, e.cause = inService, 0, nil
		s.opt.Logger.Info("remote: endpoint is in service again", "endpoint", e.name)
	}
	e.points = max(e.points-1, 0)
	e.pause = max(e.pause/2, firstPause)
	if e.limit < e.most {
		if e.streak++; e.streak >= e.limit {
			e.limit, e.streak = e.limit+1, 0
		}
	}
}

// rest takes an endpoint out of service for a while.
func (s *Signer) rest(e *endpoint, cause error) {
	if e.state == probing {
		e.pause = min(2*e.pause, lastPause)
	}
	e.cause = cause
	e.figures.Rests++
	s.restFor(e, e.pause/2+rand.N(e.pause/2))
	s.opt.Logger.Warn("remote: endpoint rests", "endpoint", e.name, "error", cause, "pause", e.pause)
}

func (s *Signer) restFor(e *endpoint, d time.Duration) {
	e.state, e.points, e.dueAt = resting, 0, time.Now().Add(d)
	e.epoch++
}

// busy gives an endpoint a quarter fewer operations at a time, and the rest that it
// asked for. One that was probed answered, so it is back.
func (s *Signer) busy(e *endpoint, err error) {
	var b *BusyError
	errors.As(err, &b)
	if e.state == probing {
		e.state, e.points, e.cause = inService, 0, nil
	}
	e.limit, e.streak = max(1, e.limit-max(1, e.limit/4)), 0
	e.epoch++ // those that run will say the same
	s.opt.Logger.Warn("remote: endpoint is busy, it gets fewer operations", "endpoint", e.name, "limit", e.limit)
	if b.After > 0 {
		e.cause = err
		s.restFor(e, min(b.After, lastPause))
	}
}
