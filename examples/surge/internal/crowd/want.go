// Package crowd has the people of the replay, the payment provider and the distributors. Everybody keeps a record of
// what they asked for and what they were answered, and when: what the auditor holds against the ledger.
package crowd

import (
	"sync"
	"time"

	"github.com/seed-574216e4/meterai/examples/surge/internal/load"
	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
)

// Whose says for whom a document is stamped.
type Whose int

// The kinds of customers.
const (
	People       Whose = iota
	Measured           // nobody: to find the capacity
	Institutions       // in bulk
)

// Want is one thing that somebody wants and asks for until it is settled, and what became of it from their side. All
// times are the asker's.
type Want struct {
	Op       portal.Op
	Account  string // who asks; of a transfer the customer
	From     string // Transfer: the distributor
	Key      string
	Units    int64
	Document load.Document
	Whose    Whose

	Asked    time.Time      // first
	Began    time.Time      // when its turn first came, as the answer said
	Held     time.Time      // when an answer first said that a unit is held for it
	Under    time.Time      // when an answer first said that it was begun, or may have been
	Worked   time.Time      // when the turn of the call came that did the work; zero if not known
	Settled  time.Time      // when the final answer came
	Outcome  portal.Outcome // the final one, None if there was none
	Reason   string         // of the last answer that was not done
	Serial   string         // of the stamp
	Digest   [32]byte       // of the document that was handed out
	Length   int64
	Left     bool      // the asker went away without an answer
	Paid     time.Time // Credit, Transfer: when the customer paid
	Lost     bool      // Credit: the provider's message never went out
	Optional bool      // it may end without an answer: nobody asks for it any more

	Calls       int
	Refusals    int
	Refusal     time.Duration // the slowest refusal that was due at once
	Longest     time.Duration // the longest time without any answer
	NoReturn    int           // answers that were not final and named no time to come back
	Unanswered  int           // calls that ended without an outcome
	Contradicts string        // what two answers said differently

	mu sync.Mutex
}

// heard notes an answer that took so long.
func (w *Want) heard(a *portal.Answer, took time.Duration, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Longest = max(w.Longest, took)
	if a.Reason != "" {
		w.Reason = a.Reason
	}
	if !a.Admitted.IsZero() && (w.Began.IsZero() || a.Admitted.Before(w.Began)) {
		w.Began = a.Admitted
	}
	switch a.Outcome {
	case portal.None:
		w.Unanswered++
	case portal.Refused:
		w.Refusals++
		if !a.Waited {
			w.Refusal = max(w.Refusal, took)
		}
	case portal.Begun:
		if w.Held.IsZero() {
			w.Held = now
		}
	}
	if (a.Outcome == portal.Begun || a.Outcome == portal.Unknown) && w.Under.IsZero() {
		w.Under = now
	}
	if !a.Outcome.Final() {
		if a.After <= 0 {
			w.NoReturn++
		}
		return
	}
	w.settle(a, now)
}

func (w *Want) settle(a *portal.Answer, now time.Time) {
	if w.Outcome != portal.None {
		if w.Outcome != a.Outcome || w.Serial != a.Serial || w.Digest != a.Digest {
			w.Contradicts = w.Outcome.String() + " " + w.Serial + ", then " + a.Outcome.String() + " " + a.Serial
		}
		return
	}
	w.Outcome, w.Settled, w.Serial, w.Digest, w.Length = a.Outcome, now, a.Serial, a.Digest, a.Length
	if !a.Replayed {
		w.Worked = a.Admitted
	}
}

// left notes that the asker goes away.
func (w *Want) left() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Left = w.Outcome == portal.None
}

func (w *Want) outcome() portal.Outcome {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Outcome
}

// note keeps why it is not done yet.
func (w *Want) note(reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Reason = reason
}

// called counts a call.
func (w *Want) called() (again bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.Calls++; w.Calls == 1 {
		w.Asked = time.Now()
	}
	return w.Calls > 1
}
