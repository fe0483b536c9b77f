//go:build unix && cgo

package plant

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/postgres"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/testdata/pki/pkiserver"
)

// Cluster is a system of several processes: issuers that book in PostgreSQL with a synchronous standby and sign with a
// key that two SoftHSM tokens hold. This process has the front door, the timestamp authority and the operator's ledger,
// which books and reads and issues nothing.
type Cluster struct {
	opt       Options
	program   string
	door      *portal.Front
	authority *pkiserver.Running
	tokens    *tokens
	dbDir     string
	store     *postgres.Store
	ledger    *serial.Ledger
	stop      func()         // the sweeper
	building  sync.WaitGroup // of a standby, and of processes
	starting  []sync.Mutex   // by issuer: who starts a process for it
	life      context.Context
	die       context.CancelFunc

	mu        sync.Mutex
	processes []*process
	orders    []Order // in force, by issuer
	primary   *database
	standby   *database // nil after a failover
	was       *database // the former primary
	gone      time.Duration
	figures   map[string]int64 // of processes that have ended, and of the faults
	serial    int
}

// Missing says which program a [Cluster] needs and does not find, or gives nil.
func Missing() error {
	_, database := databasePrograms()
	_, token := softHSM()
	return errors.Join(database, token)
}

// NewCluster starts one. The program is the one to run for each issuing process.
func NewCluster(ctx context.Context, opt Options) (_ *Cluster, err error) {
	c := &Cluster{
		opt: opt, door: portal.NewFront(opt.Issuers, opt.Front), processes: make([]*process, opt.Issuers),
		orders: make([]Order, opt.Issuers), starting: make([]sync.Mutex, opt.Issuers), figures: make(map[string]int64),
	}
	c.life, c.die = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if c.program, err = os.Executable(); err != nil {
		return nil, err
	}
	if c.authority, err = pkiserver.Start(nil, nil); err != nil {
		return nil, err
	}
	if err := c.authority.PKI.Write(filepath.Join(opt.Dir, "pki")); err != nil {
		return nil, err
	}
	if c.tokens, err = newTokens(ctx, opt.Dir, &c.authority.PKI.StampP256); err != nil {
		return nil, err
	}
	if err := c.databases(ctx); err != nil {
		return nil, err
	}
	if err := c.operator(ctx); err != nil {
		return nil, err
	}
	for i := range opt.Issuers {
		if err := c.run(ctx, i); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// databases starts primary and standby, in a folder that the server's user can reach.
func (c *Cluster) databases(ctx context.Context) error {
	var err error
	if c.dbDir, err = os.MkdirTemp("", "meterai-surge-db-"); err != nil {
		return err
	}
	if err := os.Chmod(c.dbDir, 0o755); err != nil {
		return err
	}
	if c.primary, err = newDatabase(ctx, filepath.Join(c.dbDir, "a")); err != nil {
		return err
	}
	if c.standby, err = c.primary.standby(ctx, filepath.Join(c.dbDir, "b"), 0); err != nil {
		return err
	}
	return postgres.Migrate(ctx, c.primary.url(), nil)
}

// operator opens the ledger of this process and sweeps with it.
func (c *Cluster) operator(ctx context.Context) error {
	var err error
	if c.store, err = postgres.Open(ctx, bothURL(c.primary, c.standby), &postgres.Options{Pool: 8}); err != nil {
		return err
	}
	outputs, err := serial.NewDirSink(Outputs(c.opt.Dir))
	if err != nil {
		return err
	}
	if c.ledger, err = serial.Open(ctx, c.store, &serial.Options{Sink: outputs}); err != nil {
		return err
	}
	sweeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	go func() { _ = c.ledger.SweepEvery(sweeping, 3*time.Second, c.opt.Sweep) }()
	return nil
}

// run starts the process of an issuer and puts it behind the door.
func (c *Cluster) run(ctx context.Context, issuer int) error {
	c.mu.Lock()
	c.serial++
	w := &work{
		Dir: c.opt.Dir, Issuer: issuer, Authority: c.authority.URL, Tokens: c.tokens,
		Socket:   filepath.Join(c.opt.Dir, fmt.Sprintf("issuer-%d-%d", issuer, c.serial)),
		Database: bothURL(c.primary, c.other()),
	}
	name := sessionName(issuer, c.serial)
	w.Database += " application_name=" + name
	c.mu.Unlock()
	p, err := startProcess(ctx, c.program, w)
	if err != nil {
		return err
	}
	p.name = name
	c.mu.Lock()
	c.processes[issuer] = p
	o := c.orders[issuer]
	c.mu.Unlock()
	if o != (Order{}) {
		if _, err := p.control(o); err != nil {
			return err
		}
	}
	c.door.Set(issuer, p)
	c.building.Go(func() { c.guard(issuer, p) })
	return nil
}

// sessionName is what the sessions of a process call themselves in the database.
func sessionName(issuer, n int) string { return fmt.Sprintf("issuer-%d-%d", issuer, n) }

// guard replaces a process that dies and was not meant to.
func (c *Cluster) guard(issuer int, p *process) {
	select {
	case <-p.ended:
	case <-c.life.Done():
		return
	}
	if p.meant.Load() || c.process(issuer) != p {
		return
	}
	c.collect(p)
	c.count("issuing processes that died by themselves", 1)
	_ = c.replace(c.life, issuer, p) // what failed is counted
}

// The pause between tries to start a process, and how many there are.
const (
	startPause = 500 * time.Millisecond
	startTries = 120
)

// replace starts a process in the place of one that is gone, and tries again when it cannot start, as without a
// database.
func (c *Cluster) replace(ctx context.Context, issuer int, was *process) error {
	c.starting[issuer].Lock()
	defer c.starting[issuer].Unlock()
	var err error
	for range startTries {
		if c.process(issuer) != was {
			return nil // somebody else has done so
		}
		if err = c.run(ctx, issuer); err == nil {
			return nil
		}
		c.count("starts of an issuing process that failed", 1)
		select {
		case <-time.After(startPause):
		case <-ctx.Done():
			return err
		}
	}
	c.count("issuers that could not be replaced", 1)
	return err
}

// other is the server that is not the primary, running or not.
func (c *Cluster) other() *database {
	if c.standby != nil {
		return c.standby
	}
	return c.was
}

func (c *Cluster) process(issuer int) *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.processes[issuer]
}

// count adds to a figure of the report.
func (c *Cluster) count(name string, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.figures[name] += n
}

// order changes what is in force at an issuer, and tells its process. One that is away hears of it when it is back, and
// who takes its place when it starts.
func (c *Cluster) order(issuer int, change func(*Order)) error {
	c.mu.Lock()
	change(&c.orders[issuer])
	o, p := c.orders[issuer], c.processes[issuer]
	c.mu.Unlock()
	if _, err := p.control(o); err != nil && !p.away() {
		return err
	}
	return nil
}

// Door is the front door.
func (c *Cluster) Door() *portal.Front { return c.door }

// Direct is the way past the queue.
func (c *Cluster) Direct() portal.Backend { return around{c} }

type around struct{ c *Cluster }

func (a around) Do(ctx context.Context, call *portal.Call) portal.Answer {
	return a.c.door.Pass(ctx, call)
}

// Ledger is the operator's.
func (c *Cluster) Ledger() (*serial.Ledger, serial.Store) { return c.ledger, c.store }

// Dir is the folder of everything but the databases.
func (c *Cluster) Dir() string { return c.opt.Dir }

// PKI is the specimen's, URL the address of its services.
func (c *Cluster) PKI() (p *pki.PKI, url string) { return c.authority.PKI, c.authority.URL }

// Issuers is how many series of numbers there are.
func (c *Cluster) Issuers() int { return c.opt.Issuers }

// Memory is what the issuing processes hold.
func (c *Cluster) Memory() (sum int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.processes {
		sum += resident(p.pid())
	}
	return sum
}

// CPU is the processor time of this process, the issuers and the databases that run, and what was seen of others.
func (c *Cluster) CPU() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := used("self") + c.primary.cpu() + c.standby.cpu() + c.gone
	for _, p := range c.processes {
		if !p.counted {
			sum += used(p.pid())
		}
	}
	return sum
}

// Facts are figures of the plant for the report.
func (c *Cluster) Facts() map[string]int64 {
	out := map[string]int64{"timestamps asked for": int64(c.authority.Requests("/tsa")), "issuing processes": int64(c.opt.Issuers), onDiskName: onDisk(c.dbDir) >> 20}
	for i := range c.opt.Issuers {
		if f, err := c.process(i).control(c.orders[i]); err == nil {
			sum(out, f)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	sum(out, c.figures)
	return out
}

// Close ends everything and removes the databases.
func (c *Cluster) Close() error {
	var err error
	if c.stop != nil {
		c.stop()
	}
	c.die()
	c.building.Wait()
	for _, p := range c.processes {
		if p != nil {
			p.signal(syscall.SIGCONT)
			p.end()
		}
	}
	if c.ledger != nil {
		err = errors.Join(err, c.ledger.Close())
	}
	if c.store != nil {
		err = errors.Join(err, c.store.Close())
	}
	for _, d := range []*database{c.standby, c.primary, c.was} {
		if d != nil {
			d.crash()
		}
	}
	if c.dbDir != "" {
		err = errors.Join(err, os.RemoveAll(c.dbDir))
	}
	if c.authority != nil {
		err = errors.Join(err, c.authority.Close())
	}
	return err
}

// tsaDown is how the authority answers when it is down.
var tsaDown = pkiserver.Fault{HTTPStatus: http.StatusServiceUnavailable}

// fence ends the leases of an issuer's series.
func (c *Cluster) fence(ctx context.Context, issuer int) error {
	s, err := scheme(issuer)
	if err != nil {
		return err
	}
	return serial.Fence(ctx, c.store, s.Series(), 0, time.Now())
}
