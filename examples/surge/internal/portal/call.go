// Package portal is the system under test: a front door with a bounded queue and, behind it, issuers that book in a
// ledger, sign with a key and keep the stamped documents.
//
// The front door ([Front]) answers every call: with what was done, with what is known of it, or with a time to come
// back. An issuer ([Issuer]) is in this process or in another one; both take a [Call] and give an [Answer], which are
// plain data, so that they can travel.
package portal

import (
	"time"

	"github.com/seed-574216e4/meterai/examples/surge/internal/load"
	"github.com/seed-574216e4/meterai/serial/admission"
)

// Op is what a call asks for.
type Op uint8

// The operations.
const (
	Register Op = 1 + iota // opens an account
	Order                  // begins a purchase
	Credit                 // the payment provider's callback: units that were paid
	Transfer               // a distributor hands units of its pool to a customer
	Refund                 // gives units back
	Reserve                // has a unit held for a document
	Stamp                  // stamps a document
)

var opNames = [...]string{"none", "register", "order", "credit", "transfer", "refund", "reserve", "stamp"}

// String gives the name in lower case.
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return "unknown"
}

// lane is where work of that kind waits: paid quota, which is to be credited or used, before new purchases and those
// before registrations.
func (o Op) lane() admission.Lane {
	switch o {
	case Credit, Transfer, Reserve, Stamp:
		return admission.Redeem
	case Order, Refund:
		return admission.Purchase
	}
	return admission.Register
}

// Call is one request of a person, a payment provider or a distributor.
type Call struct {
	Op       Op
	Account  string
	Peer     string // Transfer: who gets the units
	Units    int64
	Key      string // idempotency key, or payment reference
	Paid     time.Time
	Document load.Document // Reserve, Stamp
	Again    bool          // the same was asked before
}

// first is the call as it was made the first time: two calls for the same thing are then equal.
func (c *Call) first() Call {
	same := *c
	same.Again = false
	return same
}

// Outcome is what an answer says.
type Outcome uint8

// The outcomes. Those up to Refused say: the same call again.
const (
	None    Outcome = iota // no answer: the one outcome that must not be
	Begun                  // the unit is held under a serial number and the work is not finished
	Unknown                // it may have been done or not
	Down                   // nothing was done: out of service
	Refused                // nothing was done: not admitted
	Short                  // nothing was done: no units
	Done
	Void  // given up for good: the unit is back, another key is needed
	Wrong // the request itself is refused
)

var outcomeNames = [...]string{"none", "begun", "unknown", "down", "refused", "short", "done", "void", "wrong"}

// String gives the name in lower case.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return "unheard of"
}

// Final reports whether asking again is of no use.
func (o Outcome) Final() bool { return o >= Done }

// Answer is what a caller hears.
type Answer struct {
	Outcome  Outcome
	Serial   string   // of the reservation: when begun, done or void
	Digest   [32]byte // of the stamped document
	Length   int64
	Replayed bool          // it had been done before
	Reason   string        // in words, when not done
	After    time.Duration // when to ask again; not zero unless final
	Admitted time.Time     // when its turn came; zero if it did not
	Fenced   bool          // the issuer may issue no more
	Waited   bool          // refused after having waited, not at once

	left bool // the caller had gone
}
