package admission

import (
	"errors"
	"fmt"
	"time"
)

// Why an entry was refused: the Err of a [RefusedError].
var (
	// ErrFull says that the lane has no place, that the wait would be longer than [Options.MaxWait], or that the lane is
	// shut. In HTTP: 503.
	ErrFull = errors.New("lane full")
	// ErrAccountFull says that as many requests of this account wait in the lane as may. In HTTP: 429.
	ErrAccountFull = errors.New("too many requests of this account wait")
	// ErrDeadline says that the work could not be done in time: the context's deadline is before the estimated end, or
	// [Options.MaxWait] has passed in the line. In HTTP: 503.
	ErrDeadline = errors.New("cannot be done in time")
	// ErrClosed says that the queue was closed. In HTTP: 503.
	ErrClosed = errors.New("queue closed")
	// ErrLane says that the ticket names no lane. It is a mistake in the program; no retry helps.
	ErrLane = errors.New("unknown lane")
)

// RefusedError says that the work was not started and nothing was changed. It unwraps to one of this package's errors or,
// when the caller gave up before its turn, to the cause of its context's end.
type RefusedError struct {
	Lane       Lane
	Err        error         // why
	Waiting    int           // how many wait in the lane
	Wait       time.Duration // the estimated wait of one who would come last in the lane
	RetryAfter time.Duration // when to come again, from MinRetry to MaxRetry; 0 if no retry helps
}

func (e *RefusedError) Error() string {
	if e.RetryAfter == 0 {
		return fmt.Sprintf("not admitted to lane %s: %v", e.Lane, e.Err)
	}
	return fmt.Sprintf("not admitted to lane %s: %v; %d waiting, retry after %s",
		e.Lane, e.Err, e.Waiting, e.RetryAfter.Round(time.Millisecond))
}

// Unwrap returns the reason.
func (e *RefusedError) Unwrap() error { return e.Err }
