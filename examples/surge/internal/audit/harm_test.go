package audit_test

import (
	"slices"
	"testing"
	"time"

	"github.com/seed-574216e4/meterai/examples/surge/internal/audit"
	"github.com/seed-574216e4/meterai/examples/surge/internal/crowd"
	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
	"github.com/seed-574216e4/meterai/serial"
)

// said adds a case to a report, counted as the ledger counts.
func said(t *testing.T, w *audit.Window, account string, c serial.Case) {
	harms := slices.Clone(w.Harms)
	i := slices.IndexFunc(harms, func(h serial.Harm) bool { return h.Account == account })
	if i < 0 {
		i, harms = len(harms), append(harms, serial.Harm{Account: account})
	}
	h := &harms[i]
	h.Cases = append(slices.Clone(h.Cases), c)
	switch c.Kind {
	case serial.CaseUncredited:
		h.Uncredited++
		h.Owed += c.Units
	case serial.CaseLateCredit:
		h.LateCredit++
	case serial.CaseLateStamp:
		h.LateStamp++
	case serial.CaseReleased:
		h.Released++
	case serial.CaseVoid:
		h.Void++
	case serial.CasePending:
		h.Pending++
		h.Held += c.Units
	}
	change(t, &w.Harms, harms)
}

// stampCase is a case of a stamping.
func stampCase(kind serial.CaseKind, w *crowd.Want, from, to time.Time) serial.Case {
	n, _ := serial.Parse(w.Serial)
	return serial.Case{Kind: kind, Key: w.Key, Units: 1, Number: n, From: from, To: to}
}

// waited makes somebody wait from one time to another for a stamp, knowing it.
func waited(t *testing.T, w *crowd.Want, from, to time.Time) {
	change(t, &w.Asked, from)
	change(t, &w.Began, from)
	change(t, &w.Held, from)
	change(t, &w.Worked, to)
	change(t, &w.Settled, to)
}

// edited changes the harm of the account that is first in a report.
func edited(t *testing.T, w *audit.Window, edit func(*serial.Harm)) {
	harms := slices.Clone(w.Harms)
	harms[0].Cases = slices.Clone(harms[0].Cases)
	edit(&harms[0])
	change(t, &w.Harms, harms)
}

// harmFaults are reports of who was harmed that leave somebody out.
func harmFaults(in *audit.Input, s []*crowd.Want) map[string]fault {
	w := &in.Whole
	unsaid := func(t *testing.T) {
		reserved := done(t, in, portal.Reserve)
		change(t, &w.Harms, slices.DeleteFunc(slices.Clone(w.Harms), func(h serial.Harm) bool { return h.Account == reserved.Account }))
	}
	return map[string]fault{
		"nobody is said to be harmed": {harm, "and is not in the report", func(t *testing.T) {
			waited(t, s[7], s[7].Asked, s[7].Asked.Add(guard))
			change(t, &w.Harms, nil)
		}},
		"a unit came back and nobody is told":              {harm, "and is not in the report", unsaid},
		"the entries tell of harm and the report does not": {harm, "the entries tell of", unsaid},
		"a lost payment is not told": {harm, "and is not in the report", func(t *testing.T) {
			change(t, &in.Wants, append(slices.Clone(in.Wants), &crowd.Want{Op: portal.Credit, Account: s[7].Account, Key: "lost", Units: 2, Asked: w.From, Paid: w.From}))
		}},
	}
}

// stampFaults are reports of stamps that were no harm.
func stampFaults(in *audit.Input, s []*crowd.Want) map[string]fault {
	w := &in.Whole
	return map[string]fault{
		"somebody is said to be harmed who does not exist": {harm, "who knows nothing of it", func(t *testing.T) {
			said(t, w, "nobody", serial.Case{Kind: serial.CaseVoid, Key: "x", Units: 1, From: w.From, To: w.To})
		}},
		"a stamp is said to be late that was handed out before": {harm, "says what cannot be", func(t *testing.T) {
			said(t, w, s[8].Account, stampCase(serial.CaseLateStamp, s[8], s[8].Began, s[8].Settled.Add(guard)))
		}},
		"a stamp is said to be late that was not": {harm, "names a case that is not late", func(t *testing.T) {
			said(t, w, s[8].Account, stampCase(serial.CaseLateStamp, s[8], s[8].Began, s[8].Began.Add(in.Late)))
		}},
		"a stamp is said to be late of which the entries say otherwise": {harm, "which the entries do not tell", func(t *testing.T) {
			from, to := s[8].Began.Add(-2*guard), s[8].Settled
			waited(t, s[8], from, to)
			change(t, &in.Late, guard)
			change(t, &w.Harms, nil)
			said(t, w, s[8].Account, stampCase(serial.CaseLateStamp, s[8], from, to))
		}},
		"somebody is said to be harmed who was not": {harm, "who was not harmed", func(t *testing.T) {
			waited(t, s[8], s[8].Settled, s[8].Settled)
			said(t, w, s[8].Account, stampCase(serial.CaseLateStamp, s[8], s[8].Settled, s[8].Settled.Add(guard)))
		}},
		"a stamp is said to be not finished that was just begun": {harm, "names a case that is not late", func(t *testing.T) {
			change(t, &s[8].Outcome, portal.None)
			change(t, &in.Late, 24*time.Hour)
			said(t, w, s[8].Account, stampCase(serial.CasePending, s[8], s[8].Began, time.Time{}))
		}},
		"a stamp is said to be void that was handed out": {harm, "says what cannot be", func(t *testing.T) {
			said(t, w, s[8].Account, stampCase(serial.CaseVoid, s[8], s[8].Began, s[8].Settled))
		}},
		"a stamp is said to be not finished that was handed out": {harm, "says what cannot be", func(t *testing.T) {
			said(t, w, s[8].Account, stampCase(serial.CasePending, s[8], s[8].Began, time.Time{}))
		}},
		"a stamp is said to be released": {harm, "says what cannot be", func(t *testing.T) {
			said(t, w, s[8].Account, stampCase(serial.CaseReleased, s[8], s[8].Began, s[8].Settled))
		}},
	}
}

// caseFaults are reports of payments that were no harm, and reports that are not in order.
func caseFaults(in *audit.Input, _ []*crowd.Want) map[string]fault {
	w := &in.Whole
	return map[string]fault{
		"a payment is said to be missing at the end": {harm, "says what cannot be", func(t *testing.T) {
			c := done(t, in, portal.Credit)
			said(t, w, c.Account, serial.Case{Kind: serial.CaseUncredited, Key: c.Key, Units: c.Units, From: c.Paid})
		}},
		"a payment is said to be late that was not": {harm, "names a case that is not late", func(t *testing.T) {
			c := done(t, in, portal.Credit)
			said(t, w, c.Account, serial.Case{Kind: serial.CaseLateCredit, Key: c.Key, Units: c.Units, From: c.Paid, To: c.Paid.Add(in.Late)})
		}},
		"cases are left out":        {harm, "the report leaves out 1 cases", func(t *testing.T) { edited(t, w, func(h *serial.Harm) { h.Omitted = 1 }) }},
		"cases are counted wrong":   {harm, "counts other cases", func(t *testing.T) { edited(t, w, func(h *serial.Harm) { h.LateStamp++ }) }},
		"units are owed to nobody":  {harm, "counts other cases", func(t *testing.T) { edited(t, w, func(h *serial.Harm) { h.Owed++ }) }},
		"an account without a case": {harm, "counts other cases", func(t *testing.T) { edited(t, w, func(h *serial.Harm) { *h = serial.Harm{Account: h.Account} }) }},
		"an account is named twice": {harm, "twice", func(t *testing.T) { change(t, &w.Harms, append(slices.Clone(w.Harms), w.Harms[0])) }},
		"a case is of other units":  {harm, "the entries tell:", func(t *testing.T) { edited(t, w, func(h *serial.Harm) { h.Cases[0].Units += 5 }) }},
		"a case ended at other times": {harm, "the entries tell:", func(t *testing.T) {
			edited(t, w, func(h *serial.Harm) { h.Cases[0].To = h.Cases[0].To.Add(time.Microsecond) })
		}},
	}
}

// windowFaults are reports about the time of an outage.
func windowFaults(in *audit.Input, s []*crowd.Want) map[string]fault {
	w := &in.Outages[0]
	return map[string]fault{
		"nobody is said to be harmed by the outage": {outage, "and is not in the report", func(t *testing.T) {
			waited(t, s[7], w.From.Add(-in.Late), w.To.Add(in.Late))
			change(t, &w.Harms, nil)
		}},
		"somebody who paid before the outage was credited after it": {outage, "and is not in the report", func(t *testing.T) {
			c := done(t, in, portal.Credit)
			change(t, &c.Paid, w.From.Add(-in.Late))
			change(t, &c.Began, w.To.Add(in.Late))
			change(t, &c.Settled, w.To.Add(in.Late))
			change(t, &w.Harms, nil)
		}},
		"a case from before the outage": {outage, "names a case outside of its time", func(t *testing.T) {
			from, to := w.From.Add(-guard), w.From.Add(-time.Millisecond)
			waited(t, s[8], from, to)
			said(t, w, s[8].Account, stampCase(serial.CaseLateStamp, s[8], from, to))
		}},
		"a case from after the outage": {outage, "names a case outside of its time", func(t *testing.T) {
			from, to := w.To.Add(time.Millisecond), w.To.Add(guard)
			waited(t, s[8], from, to)
			said(t, w, s[8].Account, stampCase(serial.CaseLateStamp, s[8], from, to))
		}},
	}
}

// harmless are experiences that may have been a harm or not, for all that people know: no report of them is no fault.
func harmless(in *audit.Input, s []*crowd.Want) map[string]func(*testing.T) {
	w := &in.Outages[0]
	unknown := func(t *testing.T, x *crowd.Want) {
		change(t, &x.Held, time.Time{})
		change(t, &x.Worked, time.Time{})
	}
	return map[string]func(*testing.T){
		"somebody waited, perhaps before a unit was taken": func(t *testing.T) {
			unknown(t, s[7])
			change(t, &s[7].Began, s[7].Began.Add(-guard))
			change(t, &s[7].Asked, s[7].Asked.Add(-guard))
		},
		"somebody waited through the outage, and was perhaps served before": func(t *testing.T) {
			unknown(t, s[7])
			change(t, &s[7].Began, w.From.Add(-guard))
			change(t, &s[7].Settled, w.To.Add(guard))
		},
	}
}
