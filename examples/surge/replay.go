package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/seed-574216e4/meterai/examples/surge/internal/audit"
	"github.com/seed-574216e4/meterai/examples/surge/internal/plant"
	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
	"github.com/seed-574216e4/meterai/examples/surge/internal/replay"
	"github.com/seed-574216e4/meterai/examples/surge/internal/report"
	"github.com/seed-574216e4/meterai/examples/surge/internal/view"
	"github.com/seed-574216e4/meterai/serial"
)

// system is a plant that ends.
type system interface {
	replay.Plant
	Close() error
}

// replayAndAudit replays, audits, reports, and says whether all is well.
func replayAndAudit(ctx context.Context, f *flags, out io.Writer) (clean bool, err error) {
	if err := report.Writable(f.out); err != nil { // before minutes of work for it
		return false, err
	}
	dir, remove, err := workDir(f)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	cfg := embeddedConfig(f)
	if f.full {
		cfg = fullConfig(f)
	}
	screen := view.New(out)
	defer screen.Close()
	screen.Phase(fmt.Sprintf("seed %d, chaos %d", f.seed, f.chaos))
	meter := &portal.Meter{}
	p, err := build(ctx, f, plantOptions(&cfg, dir, meter), screen)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	result, err := replay.Run(ctx, cfg, p, meter, screen)
	if err != nil {
		return false, err
	}
	found, err := auditPlant(ctx, f, p, result, screen)
	if err != nil {
		return false, err
	}
	sum := report.Summarise(result, found, p.Facts(), report.Mode(f.full))
	screen.Close()
	fmt.Fprint(out, sum.Text())
	files, err := report.Write(f.out, sum)
	if err != nil {
		return false, err
	}
	fmt.Fprintf(out, "\nwritten: %s\nthe same people again: %s\n", files, repeat(f, result))
	return sum.Clean, keepTrust(f, p, out)
}

// repeat is the command that brings the same people and faults.
func repeat(f *flags, r *replay.Result) string {
	mode := "--embedded"
	if f.full {
		mode = "--full"
	}
	return fmt.Sprintf("go run ./examples/surge %s --seed %d --chaos %d --duration %s --scale %g --capacity %.1f",
		mode, f.seed, f.chaos, r.Config.Length, f.scale, r.Capacity)
}

// keepTrust puts what a verifier needs beside documents that are kept, and says how to use it.
func keepTrust(f *flags, p replay.Plant, out io.Writer) error {
	if !f.keep {
		return nil
	}
	specimen, _ := p.PKI()
	flags, err := plant.Publish(p.Dir(), specimen, p.Issuers())
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "kept in %s; each of the documents in its folder stamps can be verified:\n  go run ./examples/meterai verify %s FILE\n", p.Dir(), flags)
	return nil
}

// build starts the system that is replayed.
func build(ctx context.Context, f *flags, opt plant.Options, screen *view.Screen) (system, error) {
	if !f.full {
		return plant.NewEmbedded(ctx, opt)
	}
	screen.Phase("starting PostgreSQL with a standby, tokens and issuers")
	opt.Issuers = fullIssuers
	return plant.NewCluster(ctx, opt)
}

// workDir is where ledger and documents are, and how they go away.
func workDir(f *flags) (dir string, remove func() error, err error) {
	if f.dir != "" {
		if err := os.MkdirAll(f.dir, 0o755); err != nil {
			return "", nil, err
		}
	}
	dir, err = os.MkdirTemp(f.dir, "meterai-surge-")
	if err != nil {
		return "", nil, err
	}
	if f.keep {
		return dir, func() error { return nil }, nil
	}
	return dir, func() error { return os.RemoveAll(dir) }, nil
}

// auditPlant lets the auditor look, with the ledger's own answer to who was harmed.
func auditPlant(ctx context.Context, f *flags, p replay.Plant, r *replay.Result, screen *view.Screen) (*audit.Report, error) {
	ledger, store := p.Ledger()
	if ledger == nil {
		return nil, errors.New("there is no ledger to audit")
	}
	screen.Phase("the auditor reads the ledger and verifies every document")
	specimen, _ := p.PKI()
	trust, err := plant.Trust(specimen, p.Issuers())
	if err != nil {
		return nil, err
	}
	in := &audit.Input{
		Outputs: plant.Outputs(p.Dir()), Extended: plant.Extended(p.Dir()), Verify: trust,
		Genuine: func(n serial.Number) bool { return plant.Genuine(n, p.Issuers()) },
		People:  r.Plan, Wants: r.Crowd.Wants(), Payments: r.Crowd.Payments(), Late: r.Config.Late,
		AtOnce: f.atOnce, Answer: f.answer, Workers: runtime.GOMAXPROCS(0), Progress: screen.Audited,
	}
	if err := in.AskAll(ctx, ledger, r.Start, r.Faults); err != nil {
		return nil, err
	}
	own, err := ledger.Audit(ctx)
	if err != nil {
		return nil, err
	}
	in.Entries = audit.Export(ctx, store)
	found, err := audit.Run(ctx, in)
	if err != nil {
		return nil, err
	}
	found.Ledger(own)
	return found, nil
}
