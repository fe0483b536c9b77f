package admission

import (
	"math/rand/v2"
	"time"
)

const (
	memory  = 8  // a mean forgets at the pace of this many samples
	outlier = 4  // a sample counts for at most this many times the mean
	margin  = 8  // an estimate within this part of MaxWait counts as too long: it is a mean
	floor   = 50 // ns; a mean of nothing could not grow
	longest = float64(24 * time.Hour)
)

// A mean is an exponentially weighted mean of durations in ns. One sample cannot raise it by more than 3/8; the value it
// starts with counts as one sample.
type mean struct {
	ns float64
	n  int
}

func (m *mean) add(d time.Duration) {
	x := min(max(float64(d), floor), outlier*m.ns)
	m.n = min(m.n+1, memory)
	m.ns += (x - m.ns) / float64(m.n)
}

// estimate returns the time until the turn of one who has rank others of its lane before it.
func (q *Queue) estimate(l Lane, rank int, now time.Time) time.Duration {
	if q.running < q.workers {
		return 0
	}
	own := q.lane(l)
	work := float64(rank) * own.service.ns
	for i := range l - 1 {
		work += float64(q.lanes[i].line.len()) * q.lanes[i].service.ns
	}
	// The next worker: as usual, or at least as long again as nothing has moved.
	next := max(q.service.ns/float64(q.workers), float64(now.Sub(q.moved)))
	ns := work/float64(q.workers) + next
	if own.line.len() > 0 {
		ns = max(ns, float64(rank+1)*own.pace.ns)
	}
	return time.Duration(min(ns, longest))
}

// ahead counts those who would start before one with rank others of its lane before it.
func (q *Queue) ahead(l Lane, rank int) int {
	for i := range l - 1 {
		rank += q.lanes[i].line.len()
	}
	return rank
}

// step returns the time in ns in which the lane moves by one.
func (q *Queue) step(own *lane) float64 {
	s := own.service.ns / float64(q.workers)
	if own.line.len() > 0 {
		s = max(s, own.pace.ns)
	}
	return s
}

// appointment returns when to come again: half of the wait, behind those sent away before.
func (q *Queue) appointment(own *lane, wait time.Duration, now time.Time) time.Duration {
	at := max(float64(wait)/2, float64(own.booked.Sub(now))) + q.step(own)
	at = min(at, float64(q.maxRetry))
	own.booked = now.Add(time.Duration(at))
	return q.jitter(at)
}

// jitter adds up to a half and keeps within the bounds.
func (q *Queue) jitter(ns float64) time.Duration {
	const most = 0.5
	ns = min(max(ns, float64(q.minRetry)), float64(q.maxRetry)/(1+most))
	ns *= 1 + most*rand.Float64()
	return time.Duration(min(max(ns, float64(q.minRetry)), float64(q.maxRetry)))
}

// refusal makes the answer to one who is not admitted. It books an appointment where one helps.
func (q *Queue) refusal(l Lane, err error, now time.Time) *RefusedError {
	own := q.lane(l)
	n := own.line.len()
	e := &RefusedError{Lane: l, Err: err, Waiting: n, Wait: q.estimate(l, n, now)}
	switch err {
	case ErrClosed:
		own.refused.Closed++
		e.RetryAfter = q.jitter(0)
	case ErrAccountFull:
		own.refused.AccountFull++ // one round of turns; it takes nobody else's appointment
		e.RetryAfter = q.jitter(q.step(own) * float64(len(own.line.accounts)))
	case ErrFull:
		own.refused.Full++
		e.RetryAfter = q.appointment(own, e.Wait, now)
	case ErrDeadline:
		own.refused.Deadline++
		e.RetryAfter = q.appointment(own, e.Wait, now)
	default:
		own.refused.Abandoned++ // likely gone for good, so no appointment is kept
		e.RetryAfter = q.jitter(float64(e.Wait) / 2)
	}
	return e
}
