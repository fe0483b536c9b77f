package admission

import "time"

// Stats is a picture of a queue at one instant, for any system of metrics. Counters begin at [New] and only grow.
type Stats struct {
	Workers int // how many may run
	Running int // how many run
	Waiting int // how many wait, in all lanes
	Closed  bool
	Lanes   [4]LaneStats // in order of priority
}

// LaneStats is the part of one lane.
type LaneStats struct {
	Lane     Lane
	Capacity int // how many may wait; 0 is shut
	Waiting  int
	Accounts int // how many accounts wait
	Running  int
	Started  uint64 // how many got a worker and a caller who was still there
	Finished uint64 // how many of them have given the worker back
	Refused  Refusals
	Service  time.Duration // mean time for which work holds a worker
	Wait     time.Duration // estimated wait of one who would come last
}

// Refusals counts the answers given instead of a start, by reason.
type Refusals struct {
	Full, AccountFull, Deadline, Closed uint64 // the errors of those names
	Abandoned                           uint64 // the context had ended before the turn came
}

// Stats returns the present figures.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	s := Stats{Workers: q.workers, Running: q.running, Waiting: q.waiting, Closed: q.closed}
	for i := range q.lanes {
		own, l := &q.lanes[i], Lane(i+1)
		s.Lanes[i] = LaneStats{
			Lane: l, Capacity: own.capacity, Waiting: own.line.len(), Accounts: len(own.line.accounts),
			Running: own.running, Started: own.started, Finished: own.finished, Refused: own.refused,
			Service: time.Duration(own.service.ns), Wait: q.estimate(l, own.line.len(), now),
		}
	}
	return s
}
