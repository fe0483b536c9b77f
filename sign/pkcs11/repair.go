//go:build cgo

package pkcs11

import (
	"errors"
	"time"
)

// trip takes the token out of service after an error of its device or a refused
// PIN. It is repaired at once, unless it has not signed since the last repair.
func (t *token) trip(cause error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state != inService || t.gone {
		return
	}
	t.figures.Failures++
	t.cause = cause
	t.m.opt.Logger.Warn("pkcs11: token is out of service", "token", t.config.Label, "error", cause)
	if t.proven {
		t.proven = false
		t.startRepair()
		return
	}
	t.suspend()
	t.wakeAll()
}

// suspend sets when the next repair is due. The caller holds mu.
func (t *token) suspend() {
	t.state = outOfService
	t.dueAt = t.m.opt.Now().Add(t.pause)
	t.pause = min(2*t.pause, lastPause)
}

// retry starts the next repair of a token that is out of service, when it is due.
// It says whether a repair runs for which callers may wait.
func (t *token) retry() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state == outOfService && !t.gone && !t.m.opt.Now().Before(t.dueAt) {
		t.startRepair()
	}
	return t.state == repairing
}

// startRepair starts the goroutine that repairs, unless one runs: it may be stuck
// in a call. The caller holds mu.
func (t *token) startRepair() {
	if t.repairs > 0 {
		return
	}
	t.repairs++
	t.state = repairing
	t.wakeAll()
	go func() {
		// Draining, a try, emptying the module and a second try.
		guard := time.AfterFunc(4*t.m.opt.Timeout, t.giveUp)
		err := t.rebuild()
		guard.Stop()
		t.repaired(err)
	}()
}

// giveUp sends away those who wait for a repair that does not end.
func (t *token) giveUp() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state == repairing {
		t.state = outOfService
		t.wakeAll()
	}
}

// repaired notes how a repair ended.
func (t *token) repaired(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.repairs--
	t.figures.Repairs++
	if err == nil {
		t.state, t.cause = inService, nil
		t.m.opt.Logger.Info("pkcs11: token is in service again", "token", t.config.Label)
	} else {
		t.cause = err
		t.m.opt.Logger.Warn("pkcs11: token cannot be repaired now", "token", t.config.Label, "error", err, "pause", t.pause)
		t.suspend()
	}
	t.wakeAll()
}

// rebuild closes all sessions and opens the token again; when that does not help,
// it does so once more with the module finalized and initialized. With a stuck call
// inside neither is done: closing a session under a call may crash the process.
func (t *token) rebuild() error {
	if !t.drain(1) {
		return t.fail("close sessions", errors.New("a call is inside"))
	}
	generation, err := t.reopen()
	if classOf(err) != classDevice && classOf(err) != classSession {
		return err
	}
	if !t.m.mayRestart(t) {
		return err
	}
	if err := t.m.restart(generation); err != nil {
		return t.fail("restart module", err)
	}
	_, err = t.reopen()
	return err
}

// reopen closes all sessions, logs in and finds all keys. It gives the generation of
// the module in which it did so.
func (t *token) reopen() (uint64, error) {
	generation, err := t.m.enter()
	if err != nil {
		return 0, err
	}
	defer t.m.leave()
	t.admin.Lock()
	a := &t.admin
	t.dropIdle(generation)
	if a.keeper != 0 {
		t.closeSession(session{a.keeper, a.generation}, generation)
		a.keeper = 0
		_ = t.m.lib.CloseAllSessions(a.slot)
	}
	a.need = needSession | needKeys
	keys := append([]*key(nil), a.keys...)
	t.admin.Unlock()
	for _, k := range keys {
		if _, _, err := t.ready(k, generation); err != nil {
			return generation, err
		}
	}
	return generation, nil
}
