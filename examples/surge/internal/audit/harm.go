package audit

import (
	"fmt"
	"time"

	"github.com/seed-574216e4/meterai/examples/surge/internal/crowd"
	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
	"github.com/seed-574216e4/meterai/serial"
)

// Harmed is how "who was harmed" and what people experienced agree. A person knows when they asked, when their turn
// came, when they were told that a unit is held for them and when they had it: so of each case a person can say that it
// must be in the report, that it may be, or that it must not be.
type Harmed struct {
	Accounts int              `json:"accounts"` // named by the ledger
	Cases    map[string]int64 `json:"cases"`    // of the ledger, by kind
	Sure     int64            `json:"sure"`     // experiences that had to be in the report, and were
	Open     int64            `json:"open"`     // experiences that could have been in it, and were not: the wait was before a unit was taken
}

// experience is what one request has meant to the one who made it.
type experience struct {
	*crowd.Want
	told bool // the report has named it
}

type request struct {
	account, key string
	stamping     bool
}

// compare holds the report against the experiences, case by case and person by person.
func (h *Harmed) compare(in *Input) *Check {
	c := &Check{Name: "who was harmed: the ledger's report and what people experienced agree, person by person"}
	h.Cases = make(map[string]int64)
	lived := make(map[request]*experience)
	for _, w := range in.Wants {
		switch w.Op {
		case portal.Stamp, portal.Reserve:
			lived[request{w.Account, w.Key, true}] = &experience{Want: w}
		case portal.Credit:
			lived[request{w.Account, w.Key, false}] = &experience{Want: w}
		}
	}
	for i := range in.Harms {
		h.Accounts++
		if in.Harms[i].Omitted > 0 {
			c.wrong("the report leaves out %d cases of %q", in.Harms[i].Omitted, in.Harms[i].Account)
		}
		for k := range in.Harms[i].Cases {
			c.look(1)
			h.one(c, in, in.Harms[i].Account, &in.Harms[i].Cases[k], lived)
		}
	}
	for _, e := range lived {
		c.look(1)
		h.missing(c, in, e)
	}
	return c
}

// one holds a case of the report against the experience of that person.
func (h *Harmed) one(c *Check, in *Input, account string, harm *serial.Case, lived map[request]*experience) {
	h.Cases[string(harm.Kind)]++
	credit := harm.Kind == serial.CaseLateCredit || harm.Kind == serial.CaseUncredited
	e := lived[request{account, harm.Key, !credit}]
	if e == nil {
		c.wrong("the report names %q of %s, who knows nothing of it", harm.Key, account)
		return
	}
	e.told = true
	var against string
	switch harm.Kind {
	case serial.CaseUncredited:
		against = "says not credited, at the end"
	case serial.CasePending:
		against = "says not finished, at the end"
	case serial.CaseLateCredit:
		if !e.Settled.IsZero() && (harm.From.Sub(e.Paid).Abs() > time.Millisecond || e.Settled.Before(harm.To)) {
			against = fmt.Sprintf("says paid %s and credited %s", clock(harm.From), clock(harm.To))
		}
	case serial.CaseLateStamp:
		if harm.From.Before(e.Asked.Truncate(time.Microsecond)) || e.Outcome == portal.Done && e.Settled.Before(harm.To) {
			against = fmt.Sprintf("says accepted %s and stamped %s", clock(harm.From), clock(harm.To))
		}
	case serial.CaseVoid:
		if e.Outcome == portal.Done {
			against = "says void"
		}
	case serial.CaseReleased:
		if e.Op != portal.Reserve {
			against = "says released"
		}
	}
	if against != "" {
		c.wrong("the report %s of %q of %s, who asked %s and had %s %s", against, harm.Key, account, clock(e.Asked), e.Outcome, clock(e.Settled))
	}
}

// missing looks whether an experience that the report does not name had to be in it.
func (h *Harmed) missing(c *Check, in *Input, e *experience) {
	must, may := e.harmed(in)
	switch {
	case must && !e.told:
		c.wrong("%s waited for %q, asked %s, held %s, had %s %s, and is not in the report", e.Account, e.Key, clock(e.Asked), clock(e.Held), e.Outcome, clock(e.Settled))
	case must:
		h.Sure++
	case may && !e.told:
		h.Open++
	}
}

// harmed says whether somebody must have been harmed in the sense of the report, and whether they may have been.
func (e *experience) harmed(in *Input) (must, may bool) {
	if e.Settled.IsZero() || e.Settled.Before(in.From) || e.Asked.After(in.To) {
		return false, false
	}
	switch {
	case e.Outcome == portal.Void:
		return true, true
	case e.Op == portal.Credit && !e.Paid.IsZero():
		return e.Began.Sub(e.Paid) > in.Late && !e.Began.IsZero(), e.Settled.Sub(e.Paid) > in.Late
	case e.Op == portal.Stamp && e.Outcome == portal.Done:
		sure := !e.Held.IsZero() && !e.Worked.IsZero() && e.Worked.Sub(e.Held) > in.Late
		return sure, e.Settled.Sub(e.Asked) > in.Late
	}
	return false, false
}

func clock(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("15:04:05.000")
}
