package capacity

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign"
)

// sink measures outputs alone. The first round is left out: it makes folders.
func (b *bench) sink(ctx context.Context) error {
	sink, err := serial.NewDirSink(filepath.Join(b.dir, "outputs"))
	if err != nil {
		return err
	}
	calls := Callers * b.calls
	var puts notes
	round := func(round int) error {
		return together(Callers, b.calls, func(i int) error {
			n, err := b.scheme.Number(uint64(round*calls + i))
			if err != nil {
				return err
			}
			defer puts.add(time.Now())
			return sink.PutClaimed(ctx, n, [32]byte{1}, output)
		})
	}
	if err := round(b.rounds); err != nil {
		return err
	}
	puts.take()
	b.m.Sink, err = b.cpu(1, round)
	b.m.Sink, b.m.Disk = b.m.Sink/float64(calls), puts.take()
	return err
}

// commits measures how long transactions last beside the outputs of the same stamps: here they share a disk.
func (b *bench) commits(ctx context.Context) error {
	sink, err := serial.NewDirSink(filepath.Join(b.dir, "commits"))
	if err != nil {
		return err
	}
	var updates notes
	ledger, stop, err := b.open(ctx, "commits.db", func(s serial.Store) serial.Store { return &watchedStore{s, &updates} }, sink)
	if err != nil {
		return err
	}
	defer stop()
	for round := range b.rounds + 1 {
		if round == 1 { // the first makes folders
			updates.take()
		}
		if err := together(Callers, b.calls, func(i int) error { return redeem(ctx, ledger, round, i) }); err != nil {
			return err
		}
	}
	b.m.Commit = updates.take()
	return nil
}

// notes are how long calls took.
type notes struct {
	mu   sync.Mutex
	took Samples
}

func (n *notes) add(begun time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.took = append(n.took, time.Since(begun).Seconds())
}

// take gives the notes and begins anew.
func (n *notes) take() Samples {
	n.mu.Lock()
	defer n.mu.Unlock()
	took := n.took
	n.took = nil
	return took
}

// watchedStore notes its updates.
type watchedStore struct {
	serial.Store
	notes *notes
}

func (w *watchedStore) Update(ctx context.Context, q *serial.Query, decide func(*serial.Snapshot) (*serial.Batch, error)) error {
	defer w.notes.add(time.Now())
	return w.Store.Update(ctx, q, decide)
}

// whole measures stamps from end to end: preflight, ledger on SQLite, key in memory, outputs in a folder.
func (b *bench) whole(ctx context.Context) error {
	sink, err := serial.NewDirSink(filepath.Join(b.dir, "stamps"))
	if err != nil {
		return err
	}
	ledger, stop, err := b.open(ctx, "whole.db", func(s serial.Store) serial.Store { return s }, sink)
	if err != nil {
		return err
	}
	defer stop()
	if b.m.Plain, err = b.closed(ctx, ledger, "plain", b.options(false)); err != nil {
		return err
	}
	b.m.Timed, err = b.closed(ctx, ledger, "timed", b.options(true))
	return err
}

// closed lets every caller stamp one document after the other, and leaves out the first round.
func (b *bench) closed(ctx context.Context, ledger *serial.Ledger, name string, opt *sign.Options) (w Whole, err error) {
	var cpu, served, cores Samples
	n := float64(Callers * b.calls)
	for round := range b.rounds + 1 {
		var mu sync.Mutex
		var bytes float64
		begun, before := time.Now(), used()
		if err := together(Callers, b.calls, func(i int) error {
			length, err := b.stamp(ctx, ledger, fmt.Sprintf("%s/%d/%d", name, round, i), i, opt)
			mu.Lock()
			defer mu.Unlock()
			bytes += float64(length)
			return err
		}); err != nil {
			return Whole{}, err
		}
		took, wall := (used() - before).Seconds(), time.Since(begun).Seconds()
		b.m.Stamped = bytes / n
		if round > 0 {
			cpu, served, cores = append(cpu, took/n), append(served, n/wall), append(cores, took/wall)
		}
	}
	return Whole{CPU: median(cpu), Served: median(served), Cores: median(cores)}, nil
}

func (b *bench) stamp(ctx context.Context, ledger *serial.Ledger, key string, i int, opt *sign.Options) (int64, error) {
	source := b.sources[i%len(b.sources)]
	doc, err := sign.Open(bytes.NewReader(source), int64(len(source)), opt)
	if err != nil {
		return 0, err
	}
	req, err := doc.Request(ctx, account(i/b.calls), []byte(key))
	if err != nil {
		return 0, err
	}
	receipt, err := ledger.Redeem(ctx, req, func(ctx context.Context, r serial.Reservation, w io.Writer) error {
		_, err := doc.Sign(ctx, w, b.credential, sign.Issue{Number: r.Number, Time: r.Time})
		return err
	})
	return receipt.Output.Length, err
}

// Parts is the processor time of a stamp as the sum of its parts, the timestamp authority's work included if it has one:
// where the whole is measured, the authority runs on the same cores.
func (m *Measured) Parts(timestamp bool) float64 {
	sum := m.Document.Mean() + m.Key + m.Ledger + m.Sink
	if timestamp {
		sum += m.Timestamp
	}
	return sum
}

// cores is how many this process may use.
func cores() int { return min(runtime.NumCPU(), runtime.GOMAXPROCS(0)) }

// Predict is what the model gives for the callers of the measurement on this machine, from the processor time of a stamp and
// how long disk and commits last. All processor time is taken from the same cores, so that a transaction only waits.
func (m *Measured) Predict(w Whole, seed uint64) Load {
	c := Costs{Stamp: m.Document.Scaled(w.CPU), Commit: m.Commit, Disk: m.Disk, Sessions: Callers, Writers: Callers}
	f := Fleet{Issuers: 1, Cores: cores(), Tokens: 1, Databases: 1, Disks: 1}
	return Simulate(c, f, Traffic{Callers: Callers}, 10, seed)
}

// Issuer is the processor time of an issuer for a stamp with a timestamp: the whole, with SQLite in the place of the client of
// a database and the key in memory in that of a token's, but without the authority's work.
func (m *Measured) Issuer() Samples { return m.Document.Scaled(m.Timed.CPU - m.Authority) }
