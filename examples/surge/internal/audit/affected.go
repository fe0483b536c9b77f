package audit

import (
	"time"

	"github.com/seed-574216e4/meterai/serial"
)

// harmID names a case: a stamping by its serial number, a payment by its reference.
type harmID struct {
	kind         serial.CaseKind
	account, key string
	number       serial.Number
}

// entries holds a report against the cases that the auditor reads in the entries by its own reckoning: all of them must
// be named, as they are, and no other.
func (q *inquiry) entries(w *Window) {
	wanted := q.book.harms(q.in, w)
	for i := range w.Harms {
		for k := range w.Harms[i].Cases {
			c := &w.Harms[i].Cases[k]
			id := harmID{c.Kind, w.Harms[i].Account, c.Key, c.Number}
			want, ok := wanted[id]
			switch {
			case !ok:
				q.wrong("the report names %s of %q of %s, which the entries do not tell", c.Kind, c.Key, id.account)
			case want.Units != c.Units || !want.From.Equal(c.From) || !want.To.Equal(c.To):
				q.wrong("the report says of %q of %s: %s; the entries tell: %s", c.Key, id.account, c.Text(), want.Text())
			}
			delete(wanted, id)
		}
	}
	for id, c := range wanted {
		q.wrong("the entries tell of %s, which is not in the report: %s", id.account, c.Text())
	}
}

// harms reckons from the entries, and from what the payment provider knows, who was harmed in the window.
func (b *book) harms(in *Input, w *Window) map[harmID]serial.Case {
	out := make(map[harmID]serial.Case)
	add := func(account string, c serial.Case) {
		lasted := c.To
		if lasted.IsZero() {
			lasted = in.Whole.To
		}
		if w.overlaps(c.From, c.To) && (impatient(c.Kind) || lasted.Sub(c.From) > in.Late) {
			out[harmID{c.Kind, account, c.Key, c.Number}] = c
		}
	}
	for n, s := range b.numbers {
		kind := serial.CasePending
		switch s.state {
		case serial.Stamped:
			kind = serial.CaseLateStamp
		case serial.Released:
			kind = serial.CaseReleased
		case serial.Void:
			kind = serial.CaseVoid
		}
		add(s.account, serial.Case{Kind: kind, Key: s.key, Units: 1, Number: n, From: s.begun, To: s.ended})
	}
	told := make(map[request]bool)
	for _, p := range in.Payments {
		told[request{p.Account, string(p.Reference), false}] = b.payment(p, in.Late, add)
	}
	for name, a := range b.accounts {
		for key, c := range a.credits {
			if !told[request{name, key, false}] && !c.paid.IsZero() {
				add(name, serial.Case{Kind: serial.CaseLateCredit, Key: key, Units: c.units, From: c.paid, To: c.time})
			}
		}
	}
	return out
}

// payment judges what the provider says was paid, and whether that is all that there is to say of it.
func (b *book) payment(p serial.Payment, limit time.Duration, add func(string, serial.Case)) bool {
	var c credit
	if a := b.accounts[p.Account]; a != nil {
		c = a.credits[string(p.Reference)]
	}
	switch {
	case c.units < p.Units:
		add(p.Account, serial.Case{Kind: serial.CaseUncredited, Key: string(p.Reference), Units: p.Units - c.units, From: p.Paid})
	case c.time.Sub(p.Paid) > limit:
		add(p.Account, serial.Case{Kind: serial.CaseLateCredit, Key: string(p.Reference), Units: c.units, From: p.Paid, To: c.time})
	default:
		return false
	}
	return true
}
