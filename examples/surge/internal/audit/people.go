package audit

import (
	"time"

	"github.com/seed-574216e4/meterai/examples/surge/internal/crowd"
	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
	"github.com/seed-574216e4/meterai/serial"
)

// promises holds what people were told is done against the ledger.
func (b *book) promises(in *Input) *Check {
	c := &Check{Name: "everything that was acknowledged is in the ledger, once, as it was told"}
	for _, w := range in.Wants {
		if w.Outcome != portal.Done && w.Outcome != portal.Void {
			continue
		}
		c.look(1)
		a := b.accounts[w.Account]
		if a == nil {
			c.wrong("%s: %s was %s, and the ledger does not know the account", w.Account, w.Op, w.Outcome)
			continue
		}
		switch w.Op {
		case portal.Stamp, portal.Reserve:
			b.number(c, w)
		case portal.Credit:
			a.once(c, w, move{serial.KindPurchase, w.Key, w.Units, ""})
		case portal.Refund:
			a.once(c, w, move{serial.KindRefund, w.Key, w.Units, ""})
		case portal.Transfer:
			a.once(c, w, move{serial.KindTransferIn, w.Key, w.Units, w.From})
			if from := b.accounts[w.From]; from == nil {
				c.wrong("%s: %q was handed over, and the ledger does not know %q", w.Account, w.Key, w.From)
			} else {
				from.once(c, w, move{serial.KindTransferOut, w.Key, w.Units, w.Account})
			}
		}
	}
	return c
}

func (a *account) once(c *Check, w *crowd.Want, m move) {
	if n := a.moves[m]; n != 1 {
		c.wrong("%s: %s %q of %d units was confirmed and is %d times in the ledger", w.Account, w.Op, w.Key, w.Units, n)
	}
}

// number holds what somebody was told of a serial number against what became of it.
func (b *book) number(c *Check, w *crowd.Want) {
	n, err := serial.Parse(w.Serial)
	if err != nil {
		c.wrong("%s: %s %q was %s with the serial %q: %v", w.Account, w.Op, w.Key, w.Outcome, w.Serial, err)
		return
	}
	s := b.numbers[n]
	switch {
	case s == nil:
		c.wrong("%s: %s of serial %s was %s, and it is not in the ledger", w.Account, w.Op, n, w.Outcome)
	case s.account != w.Account || s.key != w.Key:
		c.wrong("%s: %s of serial %s was %s, and it belongs to %q, request %q", w.Account, w.Op, n, w.Outcome, s.account, s.key)
	case w.Outcome == portal.Void:
		if s.state != serial.Void {
			c.wrong("%s: serial %s was said to be void and is %s", w.Account, n, s.state)
		}
	case w.Op == portal.Reserve:
		if s.state == serial.Stamped || s.state == serial.Signing || s.state == serial.Void {
			c.wrong("%s: serial %s was only held, and is %s", w.Account, n, s.state)
		}
	case s.state != serial.Stamped:
		c.wrong("%s: serial %s was confirmed and is %s", w.Account, n, s.state)
	case s.digest != w.Digest || s.length != w.Length:
		c.wrong("%s: serial %s was confirmed with another document than the one booked", w.Account, n)
	}
}

// money holds what was paid against what was credited, both ways.
func (b *book) money(in *Input) *Check {
	c := &Check{Name: "every payment is credited once, and nothing else is"}
	paid, back := asked(in.Wants)
	for m, name := range paid {
		c.look(1)
		if b.accounts[name] == nil {
			c.wrong("%s has paid %q and has no account", name, m.key)
		}
	}
	seen := make(map[move]int)
	for name, a := range b.accounts {
		for m, n := range a.moves {
			if m.kind == serial.KindPurchase || m.kind == serial.KindTransferIn {
				m.peer = name
				seen[m] += n
				if _, ok := paid[m]; !ok {
					c.wrong("%s was credited %d units under %q, which nobody paid", name, m.units, m.key)
				}
			} else if m.peer = name; m.kind == serial.KindGrant || m.kind == serial.KindRefund && (n != 1 || !back[m]) {
				c.wrong("%s: %s of %d units under %q, %d times, for which nobody asked", name, m.kind, m.units, m.key, n)
			}
		}
	}
	for m, name := range paid {
		if n := seen[m]; n != 1 {
			c.wrong("%s has paid %q, %d units, and was credited %d times", name, m.key, m.units, n)
		}
	}
	for _, p := range in.Payments {
		c.look(1)
		if m := (move{serial.KindPurchase, string(p.Reference), p.Units, p.Account}); seen[m] != 1 {
			c.wrong("the provider knows of payment %q by %s, which was credited %d times", p.Reference, p.Account, seen[m])
		}
	}
	return c
}

// asked is what was paid, by purchase or to a distributor, and what was to be paid back.
func asked(wants []*crowd.Want) (paid map[move]string, back map[move]bool) {
	paid, back = make(map[move]string), make(map[move]bool)
	for _, w := range wants {
		switch w.Op {
		case portal.Credit:
			paid[move{serial.KindPurchase, w.Key, w.Units, w.Account}] = w.Account
		case portal.Transfer:
			paid[move{serial.KindTransferIn, w.Key, w.Units, w.Account}] = w.Account
		case portal.Refund:
			back[move{serial.KindRefund, w.Key, w.Units, w.Account}] = true
		}
	}
	return paid, back
}

// manners looks at how people were answered.
func manners(in *Input) *Check {
	c := &Check{Name: "everybody was answered: refusals at once with a time to come back, nobody left waiting"}
	for _, w := range in.Wants {
		c.look(w.Calls)
		switch {
		case w.Outcome == portal.None && !w.Left && !w.Optional:
			c.wrong("%s: %s %q has no answer after %d calls, %s (%s)", w.Account, w.Op, w.Key, w.Calls, span(w), w.Reason)
		case w.Outcome == portal.Wrong:
			c.wrong("%s: %s %q was refused for good: %s", w.Account, w.Op, w.Key, w.Reason)
		}
		if w.Refusal > in.AtOnce {
			c.wrong("%s: %s %q was refused after %s", w.Account, w.Op, w.Key, w.Refusal)
		}
		if w.Longest > in.Answer {
			c.wrong("%s: %s %q had no answer for %s", w.Account, w.Op, w.Key, w.Longest)
		}
		if w.NoReturn > 0 {
			c.wrong("%s: %s %q was sent away %d times without a time to come back", w.Account, w.Op, w.Key, w.NoReturn)
		}
		if w.Unanswered > 0 {
			c.wrong("%s: %d calls of %s %q ended without an answer", w.Account, w.Unanswered, w.Op, w.Key)
		}
		if w.Contradicts != "" {
			c.wrong("%s: %s %q was answered in two ways: %s", w.Account, w.Op, w.Key, w.Contradicts)
		}
	}
	return c
}

func span(w *crowd.Want) time.Duration { return time.Since(w.Asked).Round(time.Second) }
