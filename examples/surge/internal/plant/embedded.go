package plant

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-574216e4/meterai/examples/surge/internal/chaos"
	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/admission"
	"github.com/seed-574216e4/meterai/serial/sqlite"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/testdata/pki/pkiserver"
)

// Options shape a plant.
type Options struct {
	Dir     string         // for everything; it must exist
	Front   portal.Options // of the door
	Issuers int            // how many processes; [Embedded] has one
	Account string         // one with units, in whose name an issuer that was fenced is asked for a stamp
	Sweep   *serial.SweepOptions
}

// Embedded is a system in one process: a ledger in SQLite, a key in memory, outputs in a directory and a timestamp
// authority. A crash is played: the connection to the store and the sink ends in the middle of what is under way, and a
// new ledger is opened on the same files.
type Embedded struct {
	opt       Options
	door      *portal.Front
	authority *pkiserver.Running
	desk      *portal.Desk
	key       *chaos.Signer
	clock     *chaos.Clock
	full      atomic.Bool

	mu    sync.Mutex
	run   *running
	tired sync.WaitGroup // ledgers that are closed behind the scenes
}

// ledgerFile is in the folder of the plant.
const ledgerFile = "ledger.db"

// running is what a crash takes away.
type running struct {
	store  *chaos.Store
	sink   *chaos.Sink
	ledger *serial.Ledger
	issuer *portal.Issuer
	stop   func() // the sweeper
	inner  *sqlite.Store
}

// NewEmbedded starts one.
func NewEmbedded(ctx context.Context, opt Options) (*Embedded, error) {
	authority, err := pkiserver.Start(nil, nil)
	if err != nil {
		return nil, err
	}
	e := &Embedded{opt: opt, door: portal.NewFront(1, opt.Front), authority: authority, clock: new(chaos.Clock)}
	e.key = &chaos.Signer{Signer: authority.PKI.StampP256.Key}
	if e.desk, err = newDesk(authority.PKI, e.key, authority.URL, opt.Dir); err == nil {
		err = e.start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, authority.Close())
	}
	return e, nil
}

// start opens the ledger and lets calls in.
func (e *Embedded) start(ctx context.Context) error {
	scheme, err := scheme(0)
	if err != nil {
		return err
	}
	outputs, err := serial.NewDirSink(Outputs(e.opt.Dir))
	if err != nil {
		return err
	}
	inner, err := sqlite.Open(ctx, filepath.Join(e.opt.Dir, ledgerFile), nil)
	if err != nil {
		return err
	}
	r := &running{store: &chaos.Store{Store: inner}, sink: &chaos.Sink{ClaimSink: outputs, Full: &e.full}, inner: inner}
	r.ledger, err = serial.Open(ctx, r.store, &serial.Options{Scheme: scheme, Sink: r.sink, Now: e.clock.Now, Block: 256})
	if err != nil {
		return errors.Join(err, inner.Close())
	}
	r.issuer = portal.NewIssuer(r.ledger, e.desk)
	sweeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	go func() { _ = r.ledger.SweepEvery(sweeping, time.Second, e.opt.Sweep) }()
	e.mu.Lock()
	e.run = r
	e.mu.Unlock()
	e.door.Set(0, r.issuer)
	return nil
}

// kill ends the ledger as a crash does. What it leaves open is closed behind the scenes.
func (e *Embedded) kill() {
	e.mu.Lock()
	r := e.run
	e.run = nil
	e.mu.Unlock()
	if r == nil {
		return
	}
	e.door.Set(0, nil)
	r.store.Cut()
	r.sink.Cut()
	r.stop()
	e.tired.Go(func() {
		_ = r.ledger.Close()
		_ = r.inner.Close()
	})
}

// Break implements the faults that make sense in one process.
func (e *Embedded) Break(ctx context.Context, ev chaos.Event) (heal func() error, err error) {
	never := func() error { return nil }
	switch ev.Kind {
	case chaos.Crash:
		e.kill()
		return never, e.start(ctx)
	case chaos.Outage:
		e.kill()
		return func() error { return e.restart(ctx) }, nil
	case chaos.TSADown:
		e.authority.SetFault("/tsa", pkiserver.Fault{HTTPStatus: http.StatusServiceUnavailable})
		return func() error { e.authority.SetFault("/tsa", pkiserver.Fault{}); return nil }, nil
	case chaos.DiskFull:
		e.full.Store(true)
		return func() error { e.full.Store(false); return nil }, nil
	case chaos.KeyLost:
		e.key.Lost.Store(true)
		return func() error { e.key.Lost.Store(false); return nil }, nil
	case chaos.ClockOff:
		e.clock.Set(-time.Minute)
		return func() error { e.clock.Set(0); return nil }, nil
	case chaos.DoorFull:
		return narrow(e.door.Queue())
	}
	return nil, fmt.Errorf("no such fault here: %s", ev.Kind)
}

// restart starts again, unless another fault has done so.
func (e *Embedded) restart(ctx context.Context) error {
	e.mu.Lock()
	up := e.run != nil
	e.mu.Unlock()
	if up {
		return nil
	}
	return e.start(ctx)
}

// narrow leaves hardly any places to wait for those who come to stamp.
func narrow(q *admission.Queue) (heal func() error, err error) {
	before := q.Stats().Lanes[admission.Redeem-1].Capacity
	return func() error { return q.Limit(admission.Redeem, before) }, q.Limit(admission.Redeem, min(8, before))
}

// Door is the front door.
func (e *Embedded) Door() *portal.Front { return e.door }

// Direct is the way past the queue.
func (e *Embedded) Direct() portal.Backend { return direct{e} }

type direct struct{ e *Embedded }

func (d direct) Do(ctx context.Context, c *portal.Call) portal.Answer {
	d.e.mu.Lock()
	r := d.e.run
	d.e.mu.Unlock()
	if r == nil {
		return portal.Answer{Outcome: portal.Down}
	}
	return r.issuer.Do(ctx, c)
}

// Ledger is the one that is open, and its store; nil during an outage.
func (e *Embedded) Ledger() (*serial.Ledger, serial.Store) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.run == nil {
		return nil, nil
	}
	return e.run.ledger, e.run.store
}

// PKI is the specimen's, URL the address of its services.
func (e *Embedded) PKI() (p *pki.PKI, url string) { return e.authority.PKI, e.authority.URL }

// Dir is the folder of everything.
func (e *Embedded) Dir() string { return e.opt.Dir }

// Issuers is how many series of numbers there are.
func (e *Embedded) Issuers() int { return 1 }

// Memory is what the issuing processes hold: here the whole program.
func (e *Embedded) Memory() int64 { return resident("self") }

// CPU is the processor time of the whole program.
func (e *Embedded) CPU() time.Duration { return used("self") }

// Facts are figures of the plant for the report.
func (e *Embedded) Facts() map[string]int64 {
	file := filepath.Join(e.opt.Dir, ledgerFile)
	return map[string]int64{"timestamps asked for": int64(e.authority.Requests("/tsa")), onDiskName: (onDisk(file) + onDisk(file+"-wal")) >> 20}
}

// Close ends all.
func (e *Embedded) Close() error {
	e.mu.Lock()
	r := e.run
	e.run = nil
	e.mu.Unlock()
	e.tired.Wait()
	err := e.authority.Close()
	if r == nil {
		return err
	}
	r.stop()
	return errors.Join(r.ledger.Close(), r.inner.Close(), err)
}
