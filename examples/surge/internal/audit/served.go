package audit

import (
	"github.com/seed-574216e4/meterai/examples/surge/internal/load"
	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
)

// had is what somebody got.
type had struct {
	stamps         map[load.Document]int
	units          int64
	bought, refund int
	held           int
}

// served looks whether everybody got what they wanted: the units that they paid once, each document stamped once, what was
// left paid back, and nothing left over. Who went away has what they waited for until then.
func (b *book) served(in *Input) *Check {
	c := &Check{Name: "everybody who stayed got what they wanted: units, stamps and money back, each once"}
	got := received(in)
	for i := range in.People {
		c.look(1)
		p := &in.People[i]
		h := got[p.Account]
		if h == nil {
			c.wrong("%s came to nothing", p.Account)
			continue
		}
		if h.bought != 1 || h.units != p.Units {
			c.wrong("%s wanted %d units and got %d in %d times", p.Account, p.Units, h.units, h.bought)
		}
		b.stamps(c, p, h)
		if want := count(p.Refund); h.refund != want {
			c.wrong("%s was to be paid back %d times and was %d times", p.Account, want, h.refund)
		}
		if want := count(p.Leaving == load.Reserves); h.held != want {
			c.wrong("%s was to have %d units held and had %d", p.Account, want, h.held)
		}
	}
	return c
}

// stamps looks at the documents of one person, and at the units that must be left.
func (b *book) stamps(c *Check, p *load.Person, h *had) {
	all := 0
	for i, d := range p.Documents {
		n := h.stamps[d]
		all += n
		last := i == len(p.Documents)-1
		switch {
		case p.Leaving == load.Hangs && last && n <= 1: // they do not know
		case p.Leaving == load.Reserves && i > 0 && n == 0:
		case (p.Leaving == load.Stays || i == 0) && n == 1:
		default:
			c.wrong("%s: document %d was stamped %d times", p.Account, i+1, n)
		}
	}
	for d, n := range h.stamps {
		if d.Index < 0 || d.Index >= len(p.Documents) || p.Documents[d.Index] != d {
			c.wrong("%s: a document that they never brought was stamped %d times", p.Account, n)
		}
	}
	a := b.accounts[p.Account]
	if left := p.Units - int64(all) - int64(h.refund); a != nil && p.Leaving != load.Hangs && a.available != left {
		c.wrong("%s has %d units left instead of %d", p.Account, a.available, left)
	}
}

// received gathers what everybody got, by account.
func received(in *Input) map[string]*had {
	out := make(map[string]*had)
	for _, w := range in.Wants {
		h := out[w.Account]
		if h == nil {
			h = &had{stamps: make(map[load.Document]int)}
			out[w.Account] = h
		}
		if w.Outcome != portal.Done {
			continue
		}
		switch w.Op {
		case portal.Credit, portal.Transfer:
			h.bought++
			h.units += w.Units
		case portal.Stamp:
			h.stamps[w.Document]++
		case portal.Refund:
			h.refund++
		case portal.Reserve:
			h.held++
		}
	}
	return out
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
