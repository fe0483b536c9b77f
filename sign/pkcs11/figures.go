//go:build cgo

package pkcs11

// Figures are counters and gauges of a module, for any system that collects them.
// Counters start with the module and never go back.
type Figures struct {
	Restarts uint64 // how often the module was finalized and initialized
	Inside   int    // operations that may be in a call of the library
	Tokens   []TokenFigures
}

// TokenFigures are those of a token in use. Operations = Signatures + Rejected +
// Orphans when nothing is on its way.
type TokenFigures struct {
	Label, Serial string

	Operations uint64 // signatures that the token made
	Signatures uint64 // checked and handed out
	Rejected   uint64 // that did not verify, or that could not be read
	Orphans    uint64 // that came after the caller had left
	Retries    uint64 // tries after one that failed, on this token

	Logins         uint64 // calls of C_Login
	SessionsOpened uint64
	SessionsClosed uint64 // by us, or found to be lost
	Timeouts       uint64 // calls that became stuck
	Failures       uint64 // how often it went out of service
	Repairs        uint64 // tries to bring it back, good or not

	InService bool
	Sessions  int // that exist, the one with the login among them
	Limit     int // sessions for signing that it may have now
	Busy      int // operations that run
	Waiting   int // callers that wait for a session
	Stuck     int // calls that took too long and have not returned
}

// Figures gives the figures of now.
func (m *Module) Figures() Figures {
	m.mu.Lock()
	f := Figures{Restarts: m.generation, Inside: m.inside}
	tokens := append([]*token(nil), m.tokens...)
	m.mu.Unlock()
	for _, t := range tokens {
		t.mu.Lock()
		tf := t.figures
		tf.Label, tf.Serial = t.config.Label, t.config.Serial
		tf.InService = t.state == inService && t.stuck < m.opt.MaxStuck
		tf.Sessions, tf.Limit, tf.Busy = t.sessions, t.limit, t.busy
		tf.Waiting, tf.Stuck = len(t.waiters), t.stuck
		t.mu.Unlock()
		f.Tokens = append(f.Tokens, tf)
	}
	return f
}
