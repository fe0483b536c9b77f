//go:build cgo

package pkcs11

import (
	"context"
	"fmt"
	"sync"
	"time"

	p11 "github.com/miekg/pkcs11"
)

// A state is whether a token is in service.
type state int

const (
	inService state = iota
	repairing       // for the first time: callers wait
	outOfService
)

// How long a token stays out of service after a repair that failed: the first
// time, then up to the last, which is short so that a token that returns signs
// within a second; but as long as the repair took, up to the longest, so that
// callers do not always wait for one that cannot end well. And how long it does
// with fewer sessions after it said that it has no more.
const (
	firstPause   = 250 * time.Millisecond
	lastPause    = 500 * time.Millisecond
	longestPause = 30 * time.Second
	growPause    = time.Minute
)

// A token is shared by all signers of the module that use it, since the login
// belongs to the process.
type token struct {
	m    *Module
	want TokenConfig // as the signer names it

	admin adminState

	mu       sync.Mutex // never held during a call of the library
	config   TokenConfig
	state    state
	repairs  int       // goroutines that repair: zero or one
	dueAt    time.Time // of the next repair, when out of service
	pause    time.Duration
	cause    error // why it is out of service
	proven   bool  // it signed since the last repair
	gone     bool  // closed
	leftover bool  // closed, but sessions are left to a stuck call
	limit    int   // sessions for signing
	growAt   time.Time
	sessions int // that exist, the one with the login among them
	idle     []session
	busy     int // operations that have a session or a right to open one
	stuck    int
	oldest   *call // whose time runs, in the order of their ends
	newest   *call
	watchdog *time.Timer // of the oldest, or earlier
	watching bool
	waiters  []chan bool // true: the right to a session; false: look again
	figures  TokenFigures
}

// A session is an open one for signing.
type session struct {
	handle     p11.SessionHandle
	generation uint64 // of the module, when it was opened
}

func newToken(m *Module, tc TokenConfig) *token {
	t := &token{m: m, want: tc, config: tc, limit: m.opt.Sessions, pause: firstPause}
	t.admin.handles = make(map[*key]p11.ObjectHandle)
	t.admin.seen = make(map[*key]bool)
	t.admin.need = needSession
	return t
}

func (t *token) id() TokenConfig {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.config
}

func (t *token) name() string {
	if id := t.id(); id.Label != "" {
		return id.Label
	} else {
		return id.Serial
	}
}

// count changes figures.
func (t *token) count(change func(*TokenFigures)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.figures)
}

// available says whether the token takes operations: nil, or why not. Its second
// result says that waiting helps. The caller holds mu.
func (t *token) available() (error, bool) {
	switch {
	case t.gone:
		return ErrClosed, false
	case t.stuck >= t.m.opt.MaxStuck:
		return fmt.Errorf("%w: token %q has %d stuck calls", ErrUnavailable, t.config.Label, t.stuck), false
	case t.state == outOfService && classOf(t.cause) == classPIN:
		return t.cause, false
	case t.state == outOfService:
		return fmt.Errorf("%w: token %q is out of service: %w", ErrUnavailable, t.config.Label, t.cause), false
	case t.state == repairing:
		return ErrUnavailable, true
	}
	return nil, false
}

// acquire waits for the right to a session, first come, first served. It fails at
// once when the token is out of service.
func (t *token) acquire(ctx context.Context) error {
	for {
		t.mu.Lock()
		err, wait := t.available()
		if err != nil && !wait {
			t.mu.Unlock()
			return err
		}
		if t.limit < t.m.opt.Sessions && !t.m.opt.Now().Before(t.growAt) {
			t.limit++
			t.growAt = t.m.opt.Now().Add(growPause)
		}
		if !wait && t.busy < t.limit {
			t.busy++
			t.mu.Unlock()
			return nil
		}
		w := make(chan bool, 1)
		t.waiters = append(t.waiters, w)
		t.mu.Unlock()
		select {
		case granted := <-w:
			if granted {
				return nil
			}
		case <-ctx.Done():
			t.withdraw(w)
			return ctx.Err()
		}
	}
}

// withdraw takes a waiter back, and passes on what it may have got meanwhile.
func (t *token) withdraw(w chan bool) {
	t.mu.Lock()
	for i, other := range t.waiters {
		if other == w {
			t.waiters = append(t.waiters[:i:i], t.waiters[i+1:]...)
			t.mu.Unlock()
			return
		}
	}
	t.mu.Unlock()
	if <-w {
		t.release()
	}
}

// release gives back the right to a session.
func (t *token) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiters) > 0 && t.state == inService && !t.gone && t.busy <= t.limit {
		t.waiters[0] <- true
		t.waiters = t.waiters[1:]
		return
	}
	t.busy--
}

// wakeAll makes all waiters look again. The caller holds mu.
func (t *token) wakeAll() {
	for _, w := range t.waiters {
		w <- false
	}
	t.waiters = nil
}

// A call is one that runs in a goroutine of its own. Its fields are guarded by the
// token's mu.
type call struct {
	done     chan struct{} // closed when it is finished or stuck
	out      []byte
	err      error
	finished bool
	left     bool // nobody waits for it any more
	stuck    bool // when its time was over
	due      time.Time
	prev     *call // among those whose time runs
	next     *call
}

// run calls f, which calls the library, and waits until it is done, the context
// ends, or the time for a try is over. In the latter cases f goes on and its
// result is dropped; a signature is then an orphan.
func (t *token) run(ctx context.Context, op string, f func() ([]byte, error)) ([]byte, error) {
	c := &call{done: make(chan struct{})}
	t.watch(c)
	go func() {
		out, err := f()
		t.finish(c, out, err)
	}()
	select {
	case <-c.done:
	case <-ctx.Done():
		if t.leaveBehind(c) {
			return nil, t.fail(op, ctx.Err())
		}
	}
	if c.stuck {
		err := fmt.Errorf("%w: no answer in %v: %w", ErrUnavailable, t.m.opt.Timeout, context.DeadlineExceeded)
		return nil, t.fail(op, err)
	}
	return c.out, c.err
}

// leaveBehind notes that nobody waits for c any more. It says false when c is done.
func (t *token) leaveBehind(c *call) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	c.left = !c.finished && !c.stuck
	return c.left
}

func (t *token) finish(c *call, out []byte, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c.finished = true
	if c.left && err == nil && out != nil {
		t.figures.Orphans++
	}
	if t.leftover && t.busy == 0 {
		t.leftover = false
		go t.end()
	}
	if c.stuck {
		t.stuck--
		t.wakeAll()
		return
	}
	t.unwatch(c)
	c.out, c.err = out, err
	close(c.done)
}

// attach makes k one of the token's keys.
func (t *token) attach(k *key, pin pinFunc) {
	t.admin.Lock()
	defer t.admin.Unlock()
	t.admin.keys = append(t.admin.keys, k)
	if pin != nil {
		t.admin.pin = pin
	}
}

// detach undoes attach and says whether no key is left.
func (t *token) detach(k *key) bool {
	t.admin.Lock()
	defer t.admin.Unlock()
	for i, other := range t.admin.keys {
		if other == k {
			t.admin.keys = append(t.admin.keys[:i:i], t.admin.keys[i+1:]...)
			break
		}
	}
	delete(t.admin.handles, k)
	delete(t.admin.seen, k)
	return len(t.admin.keys) == 0
}

// drain waits until only stuck calls run and no repair but as many as given, or a
// try is over. It says whether no call runs.
func (t *token) drain(repairs int) bool {
	const step = time.Millisecond
	for waited := time.Duration(0); ; waited += step {
		t.mu.Lock()
		busy, stuck := t.busy+t.repairs-repairs, t.stuck
		t.mu.Unlock()
		if busy == 0 {
			return true
		}
		if busy <= stuck || waited >= t.m.opt.Timeout {
			return false
		}
		time.Sleep(step)
	}
}

// close ends the token: no operation starts any more, those that run are waited
// for, the sessions are closed and the login ends. With a stuck call inside, that
// happens when it returns.
func (t *token) close() {
	t.mu.Lock()
	t.gone = true
	t.wakeAll()
	t.mu.Unlock()
	if t.drain(0) {
		t.end()
		return
	}
	t.mu.Lock()
	t.leftover = t.busy > 0
	again := !t.leftover
	t.mu.Unlock()
	if again {
		t.end()
	}
}

// end closes the sessions of a token that is closed, and logs out.
func (t *token) end() {
	_, _ = t.run(context.Background(), "close token", func() ([]byte, error) {
		generation, err := t.m.enter()
		if err != nil {
			return nil, err
		}
		defer t.m.leave()
		t.admin.Lock()
		defer t.admin.Unlock()
		t.dropIdle(generation)
		if t.admin.keeper != 0 && t.admin.generation == generation {
			_ = t.m.lib.Logout(t.admin.keeper)
			t.closeSession(session{t.admin.keeper, generation}, generation)
			t.admin.keeper = 0
		}
		return nil, nil
	})
}
