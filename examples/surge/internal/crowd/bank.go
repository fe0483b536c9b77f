package crowd

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seed-574216e4/meterai/examples/surge/internal/load"
	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
	"github.com/seed-574216e4/meterai/serial"
)

// bill is one payment and what the provider, or the distributor, has to tell the issuer of it.
type bill struct {
	want *Want
	call portal.Call
	once sync.Once
	done chan struct{} // closed when the customer was told that the units are there
}

// pay pays. The provider's messages come as the plan says: late, several times, in any order, or never. Each is sent
// again until the issuer confirms it.
func (c *Crowd) pay(ctx context.Context, p *load.Person) <-chan struct{} {
	now := time.Now()
	reference := fmt.Sprintf("payment %06d", p.Index)
	b := &bill{done: make(chan struct{})}
	if p.Way == load.Direct {
		b.call = portal.Call{Op: portal.Credit, Account: p.Account, Units: p.Units, Key: reference, Paid: now}
		b.want = c.want(&Want{Op: portal.Credit, Account: p.Account, Key: reference, Units: p.Units, Paid: now, Lost: len(p.Callbacks) == 0})
	} else {
		b.call = portal.Call{Op: portal.Transfer, Account: Pool(p.Dealer), Peer: p.Account, Units: p.Units, Key: reference}
		b.want = c.want(&Want{Op: portal.Transfer, Account: p.Account, From: Pool(p.Dealer), Key: reference, Units: p.Units, Paid: now})
	}
	c.mu.Lock()
	if p.Way == load.Direct {
		c.payments = append(c.payments, serial.Payment{Account: p.Account, Units: p.Units, Reference: []byte(reference), Paid: now})
	}
	if len(p.Callbacks) == 0 {
		c.lost[reference] = b
	}
	c.mu.Unlock()
	for _, after := range p.Callbacks {
		c.messages.Go(func() {
			select {
			case <-time.After(after):
				c.deliver(ctx, b)
			case <-ctx.Done():
			}
		})
	}
	return b.done
}

// deliver sends one message until it is confirmed.
func (c *Crowd) deliver(ctx context.Context, b *bill) {
	for ctx.Err() == nil {
		call := b.call
		a := c.tell(ctx, b.want, &call)
		if a.Outcome.Final() {
			b.once.Do(func() { close(b.done) })
			return
		}
		select {
		case <-time.After(a.After):
		case <-ctx.Done():
		}
	}
}

// MakeGood delivers, under its own reference, a payment whose message was lost. It is what an operator does with what
// [serial.Ledger.Affected] says was paid and not credited. It reports whether there is such a payment.
func (c *Crowd) MakeGood(ctx context.Context, reference string) bool {
	c.mu.Lock()
	b := c.lost[reference]
	delete(c.lost, reference)
	c.mu.Unlock()
	if b == nil {
		return false
	}
	c.deliver(ctx, b)
	return true
}
