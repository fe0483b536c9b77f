package audit

import (
	"time"

	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
	"github.com/seed-574216e4/meterai/serial"
)

// Window is a time, and who was harmed in it as the ledger says.
type Window struct {
	From, To time.Time
	Harms    []serial.Harm
}

// overlaps reports whether something that lasted so long, until now if to is zero, has a moment in the window.
func (w *Window) overlaps(from, to time.Time) bool {
	return !from.After(w.To) && (to.IsZero() || !to.Before(w.From))
}

// Harmed is how "who was harmed" and what people experienced agree. A person knows when they asked, when their turn
// came, when they were told that a unit is held for them and when they had it: so of each case a person can say that it
// must be in the report, that it may be, or that it must not be.
type Harmed struct {
	Accounts int              `json:"accounts"` // named by the ledger
	Cases    map[string]int64 `json:"cases"`    // of the ledger, by kind
	Sure     int64            `json:"sure"`     // experiences that had to be in the report, and were
	Open     int64            `json:"open"`     // experiences that could have been in it, and were not: the wait was before a unit was taken
}

type request struct {
	account, key string
	stamping     bool
}

// inquiry holds a report of who was harmed against what people experienced and against the entries.
type inquiry struct {
	*Check
	*Harmed
	in    *Input
	book  *book
	lived map[request]*experience
}

// compare holds reports against the experiences, case by case and person by person.
func (b *book) compare(in *Input, name string, h *Harmed, windows ...Window) *Check {
	h.Cases = make(map[string]int64)
	q := &inquiry{Check: &Check{Name: name}, Harmed: h, in: in, book: b, lived: make(map[request]*experience)}
	for _, w := range in.Wants {
		switch w.Op {
		case portal.Stamp, portal.Reserve:
			q.lived[request{w.Account, w.Key, true}] = stamping(w, time.Now())
		case portal.Credit:
			q.lived[request{w.Account, w.Key, false}] = crediting(w, in.Whole.To, time.Now())
		}
	}
	for i := range windows {
		q.window(&windows[i])
	}
	return q.Check
}

func (q *inquiry) window(w *Window) {
	named := make(map[string]bool)
	told := make(map[*experience]bool)
	for i := range w.Harms {
		h := &w.Harms[i]
		q.Accounts++
		if named[h.Account] {
			q.wrong("the report names %q twice", h.Account)
		}
		named[h.Account] = true
		q.counts(h)
		for k := range h.Cases {
			q.look(1)
			q.one(w, h.Account, &h.Cases[k], told)
		}
	}
	for _, e := range q.lived {
		q.look(1)
		must, may := e.harmed(w, q.in.Late)
		switch {
		case must && !told[e]:
			q.wrong("%s waited for %q, asked %s, held %s, had %s %s, and is not in the report", e.Account, e.Key, clock(e.Asked), clock(e.Held), e.Outcome, clock(e.Settled))
		case told[e] && !may:
			q.wrong("the report names %q of %s, who was not harmed: asked %s and had %s %s", e.Key, e.Account, clock(e.Asked), e.Outcome, clock(e.Settled))
		case must:
			q.Sure++
		case may && !told[e]:
			q.Open++
		}
	}
	q.entries(w)
}

// counts holds the figures of an account against its cases.
func (q *inquiry) counts(h *serial.Harm) {
	if h.Omitted > 0 {
		q.wrong("the report leaves out %d cases of %q", h.Omitted, h.Account)
		return
	}
	sum := serial.Harm{Account: h.Account}
	for i := range h.Cases {
		switch c := &h.Cases[i]; c.Kind {
		case serial.CaseUncredited:
			sum.Uncredited++
			sum.Owed += c.Units
		case serial.CaseLateCredit:
			sum.LateCredit++
		case serial.CaseLateStamp:
			sum.LateStamp++
		case serial.CaseReleased:
			sum.Released++
		case serial.CaseVoid:
			sum.Void++
		case serial.CasePending:
			sum.Pending++
			sum.Held += c.Units
		}
	}
	same := sum.Uncredited == h.Uncredited && sum.LateCredit == h.LateCredit && sum.LateStamp == h.LateStamp &&
		sum.Released == h.Released && sum.Void == h.Void && sum.Pending == h.Pending && sum.Owed == h.Owed && sum.Held == h.Held
	if !same || len(h.Cases) == 0 {
		q.wrong("the report counts other cases of %q than it names", h.Account)
	}
}

// one holds a case of the report against the window and against the experience of that person.
func (q *inquiry) one(w *Window, account string, c *serial.Case, told map[*experience]bool) {
	q.Cases[string(c.Kind)]++
	e := q.lived[request{account, c.Key, c.Kind != serial.CaseLateCredit && c.Kind != serial.CaseUncredited}]
	if e == nil {
		q.wrong("the report names %q of %s, who knows nothing of it", c.Key, account)
		return
	}
	if told[e] && e.Op != portal.Reserve { // a unit that was held and given back may be held again under the same key
		q.wrong("the report names %q of %s twice", c.Key, account)
	}
	told[e] = true
	against, lasted := "", c.To
	if lasted.IsZero() {
		lasted = time.Now()
	}
	switch {
	case !w.overlaps(c.From, c.To):
		against = "names a case outside of its time, "
	case !impatient(c.Kind) && lasted.Sub(c.From) <= q.in.Late:
		against = "names a case that is not late, "
	case !e.fits(c):
		against = "says what cannot be, "
	default:
		return
	}
	q.wrong("the report %s%s of %q of %s, from %s to %s; they asked %s and had %s %s", against, c.Kind, c.Key, account,
		clock(c.From), clock(c.To), clock(e.Asked), e.Outcome, clock(e.Settled))
}

func clock(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("15:04:05.000")
}
