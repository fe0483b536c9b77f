package admission

import (
	"context"
	"hash/maphash"
	"sync"
	"time"
)

// A Queue admits work. It is safe for concurrent use. Use [New].
type Queue struct {
	workers, perAccount, patience int
	maxWait, minRetry, maxRetry   time.Duration
	now                           func() time.Time
	seed                          maphash.Seed

	mu      sync.Mutex
	lanes   [lanes]lane
	running int
	waiting int // in all lanes; not 0 only if all workers are busy
	seq     uint64
	service mean      // of all lanes
	moved   time.Time // when work was last started
	closed  bool
	idle    chan struct{} // closed when closed and nothing runs
}

// A lane is the state of one lane, under the queue's mutex.
type lane struct {
	capacity int
	line     line
	passed   int  // starts of other lanes since it began to wait or was last served
	service  mean // how long its work holds a worker
	pace     mean // time between its starts while somebody waits in it
	paced    time.Time
	booked   time.Time // the latest appointment given
	running  int
	started  uint64
	finished uint64
	refused  Refusals
}

// New makes a queue. Nil options are the defaults.
func New(opt *Options) *Queue {
	if opt == nil {
		opt = &Options{}
	}
	q := &Queue{
		workers:    orInt(opt.Workers, defaultWorkers),
		perAccount: max(opt.PerAccount, 0),
		patience:   max(orInt(opt.Patience, defaultPatience), minPatience),
		maxWait:    orTime(opt.MaxWait, defaultMaxWait),
		minRetry:   orTime(opt.MinRetry, defaultMinRetry),
		now:        opt.Now,
		seed:       maphash.MakeSeed(),
		idle:       make(chan struct{}),
	}
	q.maxRetry = max(orTime(opt.MaxRetry, defaultMaxRetry), q.minRetry)
	if q.now == nil {
		q.now = time.Now
	}
	q.moved = q.now()
	guess := mean{ns: max(float64(orTime(opt.Service, defaultService)), floor), n: 1}
	q.service = guess
	for i := range q.lanes {
		capacity, ok := opt.Capacity[Lane(i+1)]
		if !ok {
			capacity = defaultCapacity
		}
		q.lanes[i] = lane{capacity: max(capacity, 0), service: guess, line: line{accounts: map[uint64]turns{}}}
	}
	return q
}

func (q *Queue) lane(l Lane) *lane { return &q.lanes[l-1] }

// Do runs work when its turn comes, and returns what work returned. A [*RefusedError] says that work was not run and
// nothing was changed, as far as work does not itself return one. The slot is free again when work has returned or
// panicked; a panic goes on to the caller.
//
// While it waits, the end of ctx frees its place at once. While work runs, heeding ctx is up to work.
func (q *Queue) Do(ctx context.Context, t Ticket, work func(ctx context.Context) error) error {
	s, err := q.enter(ctx, t)
	if err != nil {
		return err
	}
	defer q.leave(s)
	return work(ctx)
}

// Enter waits for the turn and takes a slot, which release gives back; calls of release after the first do nothing. The
// error is a [*RefusedError], and release is nil then. Prefer [Queue.Do], which cannot forget the release.
func (q *Queue) Enter(ctx context.Context, t Ticket) (release func(), err error) {
	s, err := q.enter(ctx, t)
	if err != nil {
		return nil, err
	}
	var once sync.Once
	return func() { once.Do(func() { q.leave(s) }) }, nil
}

// Limit changes how many may wait in a lane, 0 shuts it. Who waits already stays. An unknown lane is [ErrLane].
func (q *Queue) Limit(l Lane, capacity int) error {
	if !l.valid() {
		return ErrLane
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lane(l).capacity = max(capacity, 0)
	return nil
}

// Close refuses whoever comes, answers everybody who waits with [ErrClosed], and returns when the running work has ended.
// If ctx ends before, its cause is returned and the queue stays closed. It may be called again to wait again.
func (q *Queue) Close(ctx context.Context) error {
	q.shut()
	select {
	case <-q.idle:
		return nil
	default:
	}
	select {
	case <-q.idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (q *Queue) shut() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.closed = true
	now := q.now()
	for i := range q.lanes {
		for own := &q.lanes[i]; own.line.len() > 0; {
			w := own.line.pop()
			q.waiting--
			w.state, w.refused = answered, q.refusal(w.lane, ErrClosed, now)
			close(w.ready)
		}
	}
	if q.running == 0 {
		close(q.idle)
	}
}

// A slot is a worker taken.
type slot struct {
	lane  Lane
	start time.Time
}

func (q *Queue) enter(ctx context.Context, t Ticket) (slot, error) {
	if !t.Lane.valid() {
		return slot{}, &RefusedError{Lane: t.Lane, Err: ErrLane}
	}
	w, s, err := q.join(ctx, t)
	if err != nil || w == nil {
		return s, err
	}
	return q.await(ctx, t, w)
}

// join takes a worker, or a place in the line (the waiter is not nil), or refuses. It does not wait.
func (q *Queue) join(ctx context.Context, t Ticket) (*waiter, slot, error) {
	account := maphash.String(q.seed, t.Account)
	deadline, limited := ctx.Deadline()
	over := ctx.Err() != nil
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	own := q.lane(t.Lane)
	switch {
	case over:
		return nil, slot{}, q.refusal(t.Lane, context.Cause(ctx), now)
	case q.closed:
		return nil, slot{}, q.refusal(t.Lane, ErrClosed, now)
	case own.capacity == 0:
		return nil, slot{}, q.refusal(t.Lane, ErrFull, now)
	case q.running < q.workers:
		own.started++
		return nil, q.begin(t.Lane, now), nil
	case own.line.accounts[account].count >= q.accountLimit(own):
		return nil, slot{}, q.refusal(t.Lane, ErrAccountFull, now)
	case own.line.len() >= own.capacity:
		return nil, slot{}, q.refusal(t.Lane, ErrFull, now)
	}
	q.seq++
	w := waiter{turn: own.line.turn(account), seq: q.seq, account: account, lane: t.Lane}
	wait := q.estimate(t.Lane, own.line.rank(&w), now)
	switch {
	case wait > q.maxWait-q.maxWait/margin:
		return nil, slot{}, q.refusal(t.Lane, ErrFull, now)
	case limited && now.Add(wait+time.Duration(own.service.ns)).After(deadline):
		return nil, slot{}, q.refusal(t.Lane, ErrDeadline, now)
	}
	return q.line(own, w, now), slot{}, nil
}

func (q *Queue) accountLimit(own *lane) int {
	if q.perAccount > 0 {
		return q.perAccount
	}
	return max(own.capacity/accountPart, 1)
}

// line puts a waiter into its lane.
func (q *Queue) line(own *lane, w waiter, now time.Time) *waiter {
	if own.line.len() == 0 {
		own.passed, own.paced = 0, now
		own.pace = mean{ns: max(own.service.ns/float64(q.workers), floor), n: memory}
	}
	w.ready = make(chan struct{})
	own.line.push(&w)
	q.waiting++
	return &w
}

// begin takes a worker for the lane.
func (q *Queue) begin(l Lane, now time.Time) slot {
	own := q.lane(l)
	q.running++
	own.running++
	q.moved = now
	return slot{lane: l, start: now}
}

// leave gives a worker back after its work.
func (q *Queue) leave(s slot) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	own := q.lane(s.lane)
	own.service.add(now.Sub(s.start))
	q.service.add(now.Sub(s.start))
	own.finished++
	q.end(s.lane, now)
}

// end gives a worker to whoever is next.
func (q *Queue) end(l Lane, now time.Time) {
	q.running--
	q.lane(l).running--
	if q.waiting > 0 {
		own := q.next()
		w := own.line.pop()
		q.waiting--
		own.pace.add(now.Sub(own.paced))
		own.paced = now
		w.state, w.start = started, q.begin(w.lane, now).start
		close(w.ready)
	}
	if q.closed && q.running == 0 {
		close(q.idle)
	}
}

// next chooses the lane to serve: the one most often passed over if one is due, else the highest. Somebody waits.
func (q *Queue) next() *lane {
	var best *lane
	for i := range q.lanes {
		own := &q.lanes[i]
		switch {
		case own.line.len() == 0:
		case best == nil, own.passed >= q.patience && own.passed > best.passed:
			best = own
		}
	}
	for i := range q.lanes {
		q.lanes[i].passed++ // that of an empty lane is set to 0 when somebody enters it
	}
	best.passed = 0
	return best
}

// await waits for the turn of w.
func (q *Queue) await(ctx context.Context, t Ticket, w *waiter) (slot, error) {
	settled := false
	defer func() {
		if !settled { // Notify panicked
			_, _ = q.abandon(w, context.Canceled, false)
		}
	}()
	timer := time.NewTimer(q.maxWait)
	defer timer.Stop()
	var tick <-chan time.Time
	if t.Notify != nil {
		ticker := time.NewTicker(orTime(t.Every, defaultEvery))
		defer ticker.Stop()
		tick = ticker.C
		q.notify(t, w)
	}
	for {
		select {
		case <-tick:
			q.notify(t, w)
			continue
		case <-w.ready:
		case <-ctx.Done():
		case <-timer.C:
		}
		settled = true
		if ctx.Err() != nil {
			return q.abandon(w, context.Cause(ctx), false)
		}
		return q.abandon(w, ErrDeadline, true)
	}
}

func (q *Queue) notify(t Ticket, w *waiter) {
	q.mu.Lock()
	if w.state != waiting {
		q.mu.Unlock()
		return
	}
	rank := q.lane(w.lane).line.rank(w)
	place := Place{Ahead: q.ahead(w.lane, rank), Wait: q.estimate(w.lane, rank, q.now())}
	q.mu.Unlock()
	t.Notify(place)
}

// abandon ends the wait of w: with the slot if its turn has come and take is true, else with a refusal for the reason err.
func (q *Queue) abandon(w *waiter, err error, take bool) (slot, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case w.state == answered:
		return slot{}, w.refused
	case w.state == started && take:
		q.lane(w.lane).started++
		return slot{lane: w.lane, start: w.start}, nil
	}
	now := q.now()
	if w.state == waiting {
		q.lane(w.lane).line.remove(w)
		q.waiting--
	} else {
		q.end(w.lane, now) // never used, so it says nothing about the time that work takes
	}
	w.state = gone
	return slot{}, q.refusal(w.lane, err, now)
}
