//go:build cgo

package pkcs11

import "time"

// watch starts the time of a call. All calls have the same time, so the newest ends
// last, and one timer is enough: a timer for each call would wake a thread with each.
func (t *token) watch(c *call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c.due = time.Now().Add(t.m.opt.Timeout)
	if c.prev = t.newest; c.prev != nil {
		c.prev.next = c
	} else {
		t.oldest = c
	}
	t.newest = c
	switch {
	case t.watching:
		return
	case t.watchdog == nil:
		t.watchdog = time.AfterFunc(t.m.opt.Timeout, t.overdue)
	default:
		t.watchdog.Reset(t.m.opt.Timeout)
	}
	t.watching = true
}

// unwatch ends the time of a call. The caller holds mu.
func (t *token) unwatch(c *call) {
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		t.oldest = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		t.newest = c.prev
	}
	c.prev, c.next = nil, nil
}

// overdue counts calls whose time is over as stuck and sends their callers away.
func (t *token) overdue() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for c := t.oldest; c != nil && !c.due.After(now); c = t.oldest {
		t.unwatch(c)
		c.stuck, c.left = true, true
		close(c.done)
		t.stuck++
		t.figures.Timeouts++
		t.m.opt.Logger.Warn("pkcs11: call is stuck", "token", t.config.Label, "stuck", t.stuck)
		if t.stuck >= t.m.opt.MaxStuck {
			t.wakeAll()
		}
	}
	if t.watching = t.oldest != nil; t.watching {
		t.watchdog.Reset(t.oldest.due.Sub(now))
	}
}
