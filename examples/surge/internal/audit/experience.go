package audit

import (
	"slices"
	"time"

	"github.com/seed-574216e4/meterai/examples/surge/internal/crowd"
	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
	"github.com/seed-574216e4/meterai/serial"
)

// between is the time in which something happened, as far as a person knows it, on the ledger's scale of microseconds.
type between struct{ first, last time.Time }

func (b between) holds(t time.Time) bool {
	t = t.Truncate(time.Microsecond)
	return !t.Before(b.first) && !t.After(b.last)
}

// experience is what one request has meant to the one who made it: when the wait that counts can have begun and ended,
// and in what ways it can have been a harm.
type experience struct {
	*crowd.Want
	begun, ended between
	can          []serial.CaseKind
	sure         bool // it was one of those, if it was late and in the window
}

// stamping is what somebody knows who had a unit held or a document stamped. The wait begins when the unit is taken: when
// their turn came at the earliest, when they heard of it at the latest. It ends when the stamp is booked: not before the
// turn came of the call that did the work, and not after they had it. When a unit was given back they only learn later.
func stamping(w *crowd.Want, now time.Time) *experience {
	e := &experience{Want: w}
	first, done := turn(w), w.Settled
	if w.Outcome != portal.Done && w.Outcome != portal.Void {
		done = now
	}
	taken := done
	if !w.Held.IsZero() && w.Held.Before(taken) {
		taken = w.Held
	}
	worked := first
	switch {
	case w.Op == portal.Reserve && w.Outcome == portal.Done:
		e.can, e.sure, done = []serial.CaseKind{serial.CaseReleased, serial.CasePending}, true, now
	case w.Outcome == portal.Done:
		e.can, e.sure = []serial.CaseKind{serial.CaseLateStamp}, true
		if w.Worked.After(worked) {
			worked = w.Worked
		}
	case w.Outcome == portal.Void:
		e.can, e.sure = []serial.CaseKind{serial.CaseVoid}, true
	case w.Op == portal.Reserve:
		e.can = []serial.CaseKind{serial.CaseReleased, serial.CasePending}
	default:
		e.can = []serial.CaseKind{serial.CaseLateStamp, serial.CaseVoid, serial.CasePending}
	}
	e.begun, e.ended = micros(first, taken), micros(worked, done)
	return e
}

// crediting is what somebody knows who has paid. The wait begins with the payment and ends when it is booked: not before
// the turn came of the first message about it, and not after it was confirmed. A payment of which no message went out is
// not credited when the ledger is asked who was harmed.
func crediting(w *crowd.Want, asked, now time.Time) *experience {
	e := &experience{Want: w, begun: micros(w.Paid, w.Paid.Add(time.Microsecond))}
	switch {
	case w.Outcome == portal.Done:
		e.can, e.sure, e.ended = []serial.CaseKind{serial.CaseLateCredit}, true, micros(turn(w), w.Settled)
	case w.Calls == 0:
		e.can, e.sure, e.ended = []serial.CaseKind{serial.CaseUncredited}, true, micros(asked, now)
	default:
		e.can, e.ended = []serial.CaseKind{serial.CaseLateCredit, serial.CaseUncredited}, micros(turn(w), now)
	}
	return e
}

func micros(first, last time.Time) between {
	return between{first.Truncate(time.Microsecond), last.Truncate(time.Microsecond)}
}

// harmed says whether somebody must have been harmed in the sense of a report about the window, and whether they may
// have been.
func (e *experience) harmed(w *Window, limit time.Duration) (must, may bool) {
	counts := func(begun, ended time.Time) bool {
		patient := !slices.ContainsFunc(e.can, impatient)
		return w.overlaps(begun, ended) && (!patient || ended.Sub(begun) > limit)
	}
	return e.sure && counts(e.begun.last, e.ended.first), counts(e.begun.first, e.ended.last)
}

// impatient is a kind of case that is a harm however short it was.
func impatient(k serial.CaseKind) bool { return k == serial.CaseVoid || k == serial.CaseReleased }

// fits reports whether a case can be what somebody experienced.
func (e *experience) fits(c *serial.Case) bool {
	open := c.Kind == serial.CaseUncredited || c.Kind == serial.CasePending
	units := int64(1)
	if e.Op == portal.Credit {
		units = e.Units
	}
	switch {
	case !slices.Contains(e.can, c.Kind), open != c.To.IsZero(), !e.begun.holds(c.From), !open && !e.ended.holds(c.To):
		return false
	case e.Op == portal.Stamp && e.sure && c.Number.String() != e.Serial:
		return false
	}
	return c.Units == units || c.Kind == serial.CaseUncredited && c.Units < units
}

// turn is when nothing of a request can have been done before.
func turn(w *crowd.Want) time.Time {
	if w.Began.IsZero() {
		return w.Asked // past the door, or never let in
	}
	return w.Began
}
