package remote

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"time"
)

// A call is one that runs in a goroutine of its own. Its fields are guarded by the
// signer's mu, but for those that do not change.
type call struct {
	place
	caller context.Context
	began  time.Time
	done   chan struct{}
	end    context.CancelFunc

	sig      []byte
	err      error
	finished bool
	left     bool // nobody waits for it any more
	stuck    bool
	judged   bool
	timer    *time.Timer
}

// try makes one call and waits until it is done, the context ends or the time for a
// try is over. In the latter cases the call goes on and its result is dropped; a
// signature is then an orphan. The place is given back when the call returns.
func (s *Signer) try(ctx context.Context, p place, sign func(context.Context, crypto.Signer) ([]byte, error)) ([]byte, error) {
	c := &call{place: p, caller: ctx, began: time.Now(), done: make(chan struct{})}
	limited, end := context.WithTimeout(ctx, s.opt.Timeout)
	c.end = end
	go func() {
		sig, err := sign(limited, p.endpoint.signer)
		s.finish(c, sig, err)
	}()
	select {
	case <-c.done:
	case <-limited.Done():
		s.leave(c)
	}
	// From here on nobody writes what is read: the call is done or left.
	if c.left {
		return nil, s.leftError(c)
	}
	if c.err == nil {
		return c.sig, nil
	}
	return nil, tryError(c)
}

// leftError is what the caller of a call gets that it did not wait for.
func (s *Signer) leftError(c *call) error {
	if err := c.caller.Err(); err != nil {
		return &Error{Endpoint: c.endpoint.name, Err: err}
	}
	err := fmt.Errorf("no answer in %v: %w", s.opt.Timeout, context.DeadlineExceeded)
	return &Error{Endpoint: c.endpoint.name, Err: err, passing: true}
}

// tryError is what the caller of a call gets that failed.
func tryError(c *call) error {
	e := &Error{Endpoint: c.endpoint.name, Err: c.err}
	switch {
	case c.caller.Err() != nil:
		e.Err = c.caller.Err()
	case !errors.Is(c.err, ErrRefused):
		e.passing = true
	}
	return e
}

// leave notes that nobody waits for c any more, unless it is done. A call that used
// up its time has failed and is stuck; one whose caller left earlier becomes stuck
// when its time is over.
func (s *Signer) leave(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.finished {
		return
	}
	c.left = true
	if c.caller.Err() == nil {
		s.markStuck(c)
		return
	}
	s.judge(c, s.abandoned(c), c.caller.Err())
	c.timer = time.AfterFunc(max(s.opt.Timeout-time.Since(c.began), 0), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !c.finished {
			s.markStuck(c)
		}
	})
	s.dispatch()
}

// abandoned is the verdict on a call whose caller's context ended: callers with short
// deadlines shall not hide an endpoint that hangs.
func (s *Signer) abandoned(c *call) verdict {
	if 2*time.Since(c.began) >= s.opt.Timeout {
		return verdictFailed
	}
	return verdictNone
}

// markStuck counts a call as stuck. The caller holds mu.
func (s *Signer) markStuck(c *call) {
	e := c.endpoint
	c.stuck = true
	e.stuck++
	e.figures.Timeouts++
	s.opt.Logger.Warn("remote: call does not return", "endpoint", e.name, "stuck", e.stuck)
	s.judge(c, verdictFailed, context.DeadlineExceeded)
	s.dispatch()
}

// finish notes how a call ended and gives its place to the next caller.
func (s *Signer) finish(c *call, sig []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := c.endpoint
	c.end()
	c.sig, c.err, c.finished = sig, err, true
	if c.timer != nil {
		c.timer.Stop()
	}
	if c.stuck {
		e.stuck--
	}
	e.busy--
	s.running--
	s.count(c)
	switch {
	case c.left:
	case err != nil && c.caller.Err() != nil:
		s.judge(c, s.abandoned(c), err)
	default:
		s.judge(c, verdictOf(err), err)
	}
	close(c.done)
	s.dispatch()
	if s.closed && s.running == 0 {
		close(s.idle)
	}
}

// count counts what a call brought. The caller holds mu.
func (s *Signer) count(c *call) {
	f := &c.endpoint.figures
	switch {
	case c.err == nil:
		f.Operations++
		if c.left {
			f.Orphans++
		} else {
			f.Signatures++
		}
	case errors.Is(c.err, ErrSignature):
		f.Operations++
		f.Rejected++
		s.opt.Logger.Error("remote: wrong signature", "endpoint", c.endpoint.name)
	case c.stuck || c.caller.Err() != nil:
	case errors.Is(c.err, context.DeadlineExceeded):
		f.Timeouts++
	default:
		f.Errors++
	}
}
