//go:build cgo

package pkcs11

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// trip takes the token out of service after an error of its device or a refused
// PIN. It is repaired at once, unless it has not signed since the last repair.
func (t *token) trip(cause error) {
	if t.tripped(cause) {
		t.m.hurry()
	}
}

// tripped says whether the token was in service until now, and had signed.
func (t *token) tripped(cause error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state != inService || t.gone {
		return false
	}
	t.figures.Failures++
	t.cause = cause
	t.m.opt.Logger.Warn("pkcs11: token is out of service", "token", t.config.Label, "error", cause)
	if t.proven {
		t.proven = false
		t.startRepair()
		return true
	}
	t.suspend(0)
	t.wakeAll()
	return false // those that fail with each signature do not call each other
}

// hurry makes all repairs due when no token is in service any more. One that came
// back may have waited for the module to be finalized, which now harms nobody.
func (m *Module) hurry() {
	m.mu.Lock()
	tokens := append([]*token(nil), m.tokens...)
	m.mu.Unlock()
	for _, t := range tokens {
		t.mu.Lock()
		works := t.state == inService
		t.mu.Unlock()
		if works {
			return
		}
	}
	for _, t := range tokens {
		t.mu.Lock()
		t.dueAt = m.opt.Now()
		t.mu.Unlock()
	}
}

// suspend sets when the next repair is due, after one that took so long. The caller
// holds mu.
func (t *token) suspend(took time.Duration) {
	t.state = outOfService
	t.dueAt = t.m.opt.Now().Add(max(t.pause, min(took, longestPause)))
	t.pause = min(2*t.pause, lastPause)
}

// level is that of what is said about repairs: a token that stays away is not
// reported with each of them. The caller holds mu.
func (t *token) level() slog.Level {
	if t.pause < lastPause {
		return slog.LevelWarn
	}
	return slog.LevelDebug
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
		begun := t.m.opt.Now()
		err := t.rebuild()
		guard.Stop()
		t.repaired(err, t.m.opt.Now().Sub(begun))
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
func (t *token) repaired(err error, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.repairs--
	t.figures.Repairs++
	if err == nil {
		t.state, t.cause = inService, nil
		t.m.opt.Logger.Info("pkcs11: token is in service again", "token", t.config.Label)
	} else {
		t.cause = err
		t.m.opt.Logger.Log(context.Background(), t.level(), "pkcs11: token cannot be repaired now",
			"token", t.config.Label, "error", err, "pause", t.pause)
		t.suspend(took)
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
	t.mu.Lock()
	level := t.level()
	t.mu.Unlock()
	if err := t.m.restart(generation, level); err != nil {
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
