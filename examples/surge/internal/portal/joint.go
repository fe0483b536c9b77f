package portal

import "context"

// joint is a call under way and those who wait for it. Who presses the button again while the first call waits in the
// line must not take a second place in it: with a third of the people doing so, a third of the work would be for nothing.
type joint struct {
	done   chan struct{} // closed when answer is there
	cancel context.CancelFunc

	// Guarded by Front.mu.
	answer  Answer
	callers int
	told    bool // somebody was told the answer
}

// together does a call, or waits for the one for the same thing that is under way. The work goes on as long as somebody
// waits for it. Of several who are told of one stamping, all but the first hear that it is replayed.
func (f *Front) together(ctx context.Context, c *Call) Answer {
	j := f.join(ctx, c)
	select {
	case <-j.done:
	case <-ctx.Done():
		if others := f.leave(c, j); others {
			return Answer{Outcome: Unknown, Reason: "the caller has gone", left: true}
		}
		<-j.done // the work heeds its context
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	a := j.answer
	a.Replayed = a.Replayed || a.Outcome == Done && j.told
	a.left = ctx.Err() != nil
	j.told = true
	return a
}

func (f *Front) join(ctx context.Context, c *Call) *joint {
	f.mu.Lock()
	defer f.mu.Unlock()
	same := c.first() // another document under the same key is another call, which the ledger refuses
	if j := f.joints[same]; j != nil {
		j.callers++
		f.opt.Meter.joined()
		return j
	}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	j := &joint{done: make(chan struct{}), cancel: cancel, callers: 1}
	f.joints[same] = j
	go func() {
		var a Answer // none, if the work ends the goroutine
		defer func() {
			f.opt.Meter.done(&a)
			f.mu.Lock()
			j.answer = a
			f.part(same, j)
			f.mu.Unlock()
			cancel()
			close(j.done)
		}()
		a = f.do(work, c)
	}()
	return j
}

// leave ends the work if nobody else waits for it.
func (f *Front) leave(c *Call, j *joint) (others bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if j.callers--; j.callers > 0 {
		return true
	}
	f.part(c.first(), j) // who comes now begins anew
	j.cancel()
	return false
}

func (f *Front) part(same Call, j *joint) {
	if f.joints[same] == j {
		delete(f.joints, same)
	}
}
