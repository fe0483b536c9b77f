//go:build unix && cgo

package plant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/rpc"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/seed-574216e4/meterai/examples/surge/internal/chaos"
	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/postgres"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

// work is what an issuing process is told on its standard input, which stays open as long as it shall live.
type work struct {
	Dir       string
	Issuer    int
	Socket    string
	Database  string
	Authority string // address of the timestamp authority
	Tokens    *tokens
}

// service is what an issuing process answers.
type service struct {
	issuer *portal.Issuer
	key    *held
	clock  chaos.Clock
	full   atomic.Bool
	fenced atomic.Int64 // calls that were refused because of a fence
}

// callTimeout bounds what an issuing process does for one call.
const callTimeout = 20 * time.Second

// Do answers a call.
func (s *service) Do(c *portal.Call, a *portal.Answer) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	*a = s.issuer.Do(ctx, c)
	if a.Fenced {
		s.fenced.Add(1)
	}
	return nil
}

// Order is what the operator of a replay has an issuing process do to itself.
type Order struct {
	Clock time.Duration // by how much its clock is off from now on
	Full  bool          // whether its disk is full from now on
	Lose  bool          // end all sessions on the tokens
}

// Control obeys an order, and gives figures.
func (s *service) Control(o *Order, figures *map[string]int64) error {
	s.clock.Set(o.Clock)
	s.full.Store(o.Full)
	var err error
	if o.Lose {
		err = s.key.lose()
	}
	*figures = s.key.figures()
	(*figures)["calls refused by a fence"] = s.fenced.Load()
	return err
}

// Worker is the program of an issuing process. It ends when its input ends.
func Worker(ctx context.Context, in io.Reader) error {
	var w work
	if err := json.NewDecoder(in).Decode(&w); err != nil {
		return fmt.Errorf("read what to do: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	s, store, err := w.open(ctx)
	if err != nil {
		return err
	}
	l, err := net.Listen("unix", w.Socket)
	if err != nil {
		return err
	}
	server := rpc.NewServer()
	if err := server.RegisterName("Issuer", s); err != nil {
		return err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // the listener was closed
			}
			go server.ServeConn(conn)
		}
	}()
	<-ctx.Done()
	return errors.Join(l.Close(), s.issuer.Ledger().Close(), store.Close())
}

// open brings the parts of an issuer together.
func (w *work) open(ctx context.Context) (*service, *postgres.Store, error) {
	specimen, err := pki.Load(filepath.Join(w.Dir, "pki"), nil)
	if err != nil {
		return nil, nil, err
	}
	s := &service{}
	if s.key, err = w.Tokens.open(ctx, specimen.StampP256.Cert.PublicKey); err != nil {
		return nil, nil, err
	}
	desk, err := newDesk(specimen, s.key, w.Authority, w.Dir)
	if err != nil {
		return nil, nil, err
	}
	outputs, err := serial.NewDirSink(Outputs(w.Dir))
	if err != nil {
		return nil, nil, err
	}
	scheme, err := scheme(w.Issuer)
	if err != nil {
		return nil, nil, err
	}
	store, err := postgres.Open(ctx, w.Database, &postgres.Options{Pool: 8})
	if err != nil {
		return nil, nil, err
	}
	ledger, err := serial.Open(ctx, store, &serial.Options{
		Scheme: scheme, Sink: &chaos.Sink{ClaimSink: outputs, Full: &s.full}, Now: s.clock.Now, Block: 512,
		Holder: fmt.Sprintf("issuer %d, process %d", w.Issuer, os.Getpid()),
	})
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	s.issuer = portal.NewIssuer(ledger, desk)
	return s, store, nil
}

// sum adds figures of several processes.
func sum(into, more map[string]int64) {
	for k, v := range maps.All(more) {
		into[k] += v
	}
}
