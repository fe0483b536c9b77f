package serial

import (
	"errors"
	"fmt"
	"time"
)

// Branches that callers take.
var (
	// ErrInsufficient says that the account has too few units available. Nothing is kept under the key.
	ErrInsufficient = errors.New("not enough units")
	// ErrNotFound says that the ledger knows no such number, key or account.
	ErrNotFound = errors.New("not found")
	// ErrUnknownOutcome says that an operation may or may not have been done: look it up, or repeat it with the same key.
	ErrUnknownOutcome = errors.New("outcome unknown: look it up or repeat with the same key")
	// ErrFenced says that this holder may issue no more: its lease was ended by a fence, or the store is older than what
	// was seen outside of it.
	ErrFenced = errors.New("fenced: may not issue numbers")
	// ErrClosed says that the ledger or the store was closed. Nothing was done.
	ErrClosed = errors.New("closed")
)

// ParseError says why a text or packed bytes are no number.
type ParseError struct {
	Offset int    // byte at which reading stopped, -1 if it is the whole
	Reason string // what is wrong
}

func (e *ParseError) Error() string {
	if e.Offset < 0 {
		return "serial number: " + e.Reason
	}
	return fmt.Sprintf("serial number, byte %d: %s", e.Offset, e.Reason)
}

// RequestError refuses a request for what it is. The same request is always refused.
type RequestError struct {
	Field  string // "account", "key", "units", ...
	Reason string
}

func (e *RequestError) Error() string { return "invalid " + e.Field + ": " + e.Reason }

// ConflictError refuses a request whose key already stands for another request. It is final for that request and key,
// unless it says that the other one is under way.
type ConflictError struct {
	Account  string
	Field    string // the first field that differs: "digest", "length", "value", "kind", "placement", "profile", "units", "peer", "output"
	UnderWay bool   // the other request is a Redeem in progress, of which perhaps nothing will stay
}

func (e *ConflictError) Error() string {
	if e.UnderWay {
		return fmt.Sprintf("account %q: a request with this key that differs in its %s is under way", e.Account, e.Field)
	}
	return fmt.Sprintf("account %q: the key already stands for a request that differs in its %s", e.Account, e.Field)
}

// StateError refuses a step that a reservation in its state cannot take.
type StateError struct {
	Number Number
	State  State  // the state the reservation is in
	Step   string // the step refused: "sign", "stamp", "release", "void", "redeem"
	Note   string // the reason that was given when the reservation was released or made void
}

func (e *StateError) Error() string {
	s := fmt.Sprintf("serial %s is %s: cannot %s", e.Number, e.State, e.Step)
	if e.Note != "" {
		s += " (" + e.Note + ")"
	}
	return s
}

// RefusedError is for the run function of [Ledger.Redeem]: it says that the document is refused for good. The serial is
// made void with the reason, the unit returned, and the key is spent.
type RefusedError struct {
	Reason string
	Err    error // the cause, may be nil
}

func (e *RefusedError) Error() string {
	if e.Err == nil {
		return "refused: " + e.Reason
	}
	return "refused: " + e.Reason + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *RefusedError) Unwrap() error { return e.Err }

// ForeignOutputError says that the sink keeps, under a number of this ledger, an output that was made for another
// reservation: the numbers are in use elsewhere, as by a ledger that was lost and made anew, or restored. The error is
// [ErrFenced]: a [Ledger] that meets it with a number that it has just issued issues no more. Fence the store with a
// counter that is known to be safe, open the ledger anew, and void the reservation once it is known what became of the
// other document.
type ForeignOutputError struct{ Number Number }

func (e *ForeignOutputError) Error() string {
	return fmt.Sprintf("serial %s: the sink keeps another reservation's output under this number: %v", e.Number, ErrFenced)
}

// Unwrap gives [ErrFenced].
func (e *ForeignOutputError) Unwrap() error { return ErrFenced }

// ClockError stops operations because the clock is behind what the ledger has seen by more than the tolerance. Reading
// goes on. If the clock is wrong now, set it right; if it was ahead when the entry was made, [Fence] takes the ledger
// back to the right time.
type ClockError struct {
	Now, Last time.Time
	Tolerance time.Duration
}

func (e *ClockError) Error() string {
	return fmt.Sprintf("the clock says %s, but the ledger has an entry of %s; more than %s back: set the clock right, or fence if it was wrong then",
		e.Now.Format(time.RFC3339), e.Last.Format(time.RFC3339), e.Tolerance)
}

// CorruptError says that stored data contradicts itself. Nothing was changed.
type CorruptError struct {
	Account string // may be ""
	Reason  string
}

func (e *CorruptError) Error() string {
	if e.Account == "" {
		return "damaged ledger: " + e.Reason
	}
	return fmt.Sprintf("damaged ledger, account %q: %s", e.Account, e.Reason)
}
