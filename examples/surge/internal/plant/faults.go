//go:build unix && cgo

package plant

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-574216e4/meterai/examples/surge/internal/chaos"
	"github.com/seed-574216e4/meterai/examples/surge/internal/load"
	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
	"github.com/seed-574216e4/meterai/testdata/pki/pkiserver"
)

// Break makes a fault happen.
func (c *Cluster) Break(ctx context.Context, e chaos.Event) (heal func() error, err error) {
	switch e.Kind {
	case chaos.Crash:
		c.count("issuing processes killed", 1)
		p := c.process(e.Target)
		c.keep(p, e.Target)
		c.collect(p)
		p.kill()
		return func() error { return c.replace(ctx, e.Target, p) }, nil
	case chaos.Outage:
		return c.failover(ctx)
	case chaos.TSADown:
		c.authority.SetFault("/tsa", tsaDown)
		return func() error { c.authority.SetFault("/tsa", pkiserver.Fault{}); return nil }, nil
	case chaos.DiskFull:
		return c.everywhere(func(o *Order) { o.Full = true }, func(o *Order) { o.Full = false })
	case chaos.KeyLost:
		return c.loseSessions(e.For)
	case chaos.TokenOut:
		back, err := c.tokens.hide()
		if err == nil {
			err = c.loseAll() // so that everybody notices: what is open would go on in memory
		}
		return back, err
	case chaos.ClockOff:
		err := c.order(e.Target, func(o *Order) { o.Clock = -time.Minute })
		return func() error { return c.order(e.Target, func(o *Order) { o.Clock = 0 }) }, err
	case chaos.Paused:
		return c.pause(ctx, e)
	case chaos.DoorFull:
		return narrow(c.door.Queue())
	}
	return nil, fmt.Errorf("no such fault here: %s", e.Kind)
}

// everywhere gives an order to all issuers, and takes it back. A process that is away at the moment gets it when it
// starts.
func (c *Cluster) everywhere(do, undo func(*Order)) (func() error, error) {
	for i := range c.opt.Issuers {
		_ = c.order(i, do)
	}
	return func() error {
		for i := range c.opt.Issuers {
			_ = c.order(i, undo)
		}
		return nil
	}, nil
}

// keep adds the figures of a process that is about to end.
func (c *Cluster) keep(p *process, issuer int) {
	c.mu.Lock()
	o := c.orders[issuer]
	c.mu.Unlock()
	if p.gone() {
		return
	}
	if f, err := p.control(o); err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		sum(c.figures, f)
	}
}

// collect keeps the processor time of a process that is about to end.
func (c *Cluster) collect(p *process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !p.counted {
		p.counted = true
		c.gone += used(p.pid())
	}
}

// loseAll ends the sessions of all processes that are there.
func (c *Cluster) loseAll() error {
	var errs []error
	for i := range c.opt.Issuers {
		p := c.process(i)
		if p.away() {
			continue
		}
		if _, err := p.control(c.lossOrder(i)); err != nil && !p.away() {
			errs = append(errs, fmt.Errorf("issuer %d has not lost its sessions: %w", i, err))
			continue
		}
		c.count("times that all sessions were lost", 1)
	}
	return errors.Join(errs...)
}

func (c *Cluster) lossOrder(issuer int) Order {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.orders[issuer]
	o.Lose = true
	return o
}

// loseSessions ends the sessions of all processes again and again for a while.
func (c *Cluster) loseSessions(long time.Duration) (func() error, error) {
	stop := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		tick := time.NewTicker(max(long/8, 100*time.Millisecond))
		defer tick.Stop()
		for {
			select {
			case <-stop:
				done <- nil
				return
			case <-tick.C:
				_ = c.loseAll() // once is what the fault is, and was done
			}
		}
	}()
	return func() error { close(stop); return <-done }, c.loseAll()
}

// failover kills the primary. After the time of the fault the standby is promoted; when there is none any more, the
// server starts again on what is durable.
func (c *Cluster) failover(ctx context.Context) (func() error, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	primary, standby := c.primary, c.standby
	c.gone += primary.cpu()
	if standby != nil {
		defer standby.freeze()() // what the primary confirms from now on without the standby would be lost
		time.Sleep(frozen)
	}
	primary.crash()
	c.figures["database primaries killed"]++
	if standby == nil {
		return func() error { return primary.start(ctx) }, nil
	}
	return func() error {
		if err := standby.promote(ctx); err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.primary, c.standby, c.was = standby, nil, primary
		c.figures["standbys promoted"]++
		c.building.Go(func() { c.rebuild(ctx, standby, primary) })
		return nil
	}, nil
}

// rebuild makes a standby of the new primary, in the place and at the port of the former one.
func (c *Cluster) rebuild(ctx context.Context, primary, former *database) {
	dir := filepath.Dir(former.dir)
	err := os.RemoveAll(dir)
	var standby *database
	if err == nil {
		standby, err = primary.standby(ctx, dir, former.port)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.figures["standbys that could not be made anew"]++
		return
	}
	c.standby, c.was = standby, nil
	c.figures["standbys made anew"]++
}

// pause lets a process stand still. The operator fences its series and starts another in its place; when the first goes
// on, it must not issue any more.
func (c *Cluster) pause(ctx context.Context, e chaos.Event) (func() error, error) {
	old := c.process(e.Target)
	old.still.Store(true)
	old.signal(syscall.SIGSTOP)
	replaced := make(chan struct{})
	patience := time.AfterFunc(e.For/3, func() {
		defer close(replaced)
		c.cutOff(ctx, old)
		if err := c.fence(ctx, e.Target); err == nil && c.process(e.Target) == old {
			c.count("series fenced", 1)
			_ = c.replace(ctx, e.Target, old) // what failed is counted
		}
	})
	return func() error {
		if !patience.Stop() {
			<-replaced
		}
		if c.process(e.Target) == old {
			old.still.Store(false)
			old.signal(syscall.SIGCONT)
			c.count("issuers that stood still and were not fenced: the database was away", 1)
			return nil
		}
		c.collect(old)
		defer old.kill()
		old.signal(syscall.SIGCONT)
		defer c.keep(old, e.Target)
		return c.probe(ctx, old)
	}, nil
}

// cutOff ends the database sessions of a process that stands still: a transaction that it has begun holds locks, for which
// the others and the fence wait.
func (c *Cluster) cutOff(ctx context.Context, old *process) {
	c.mu.Lock()
	primary := c.primary
	c.mu.Unlock()
	conn, err := pgx.Connect(ctx, primary.url())
	if err != nil {
		return // the database is away, and its locks with it
	}
	defer conn.Close(ctx)
	_, _ = conn.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", old.name)
}

// probe asks a process that was fenced for a stamp, which it must refuse. A process that has used up its block before
// would be refused a new one in the same way.
func (c *Cluster) probe(ctx context.Context, old *process) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	for n := 0; ctx.Err() == nil; n++ {
		a := old.Do(ctx, &portal.Call{
			Op: portal.Stamp, Account: c.opt.Account, Key: fmt.Sprintf("for the fenced issuer %d", n),
			Document: load.Document{Person: -1000, Index: n, Size: load.MinSize},
		})
		switch {
		case old.gone():
			return nil // another fault has killed it
		case a.Fenced:
			c.count("fenced issuers that refused to issue", 1)
			return nil
		case a.Outcome == portal.Done || a.Serial != "":
			return errors.New("the issuer that was fenced has issued a number")
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.New("the issuer that was fenced does not say so")
}
