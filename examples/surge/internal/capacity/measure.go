package capacity

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/seed-574216e4/meterai/examples/surge/internal/load"
	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/sqlite"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

// Measured are figures of this machine.
type Measured struct {
	Stamp  time.Duration // processor time of a stamp but for key and ledger, by one core
	Key    time.Duration // a P-256 signature in memory
	Ledger float64       // units a second, from the request to "stamped", on SQLite
	Disk   time.Duration // until an output of usual size is durable, one after the other
	Disks  float64       // outputs a second, 16 at a time
}

// Measure measures in a folder for some seconds. Each is the best of several runs: what disturbs only makes it slower.
func Measure(ctx context.Context, dir string) (*Measured, error) {
	p, err := pki.New(nil)
	if err != nil {
		return nil, err
	}
	m := &Measured{}
	for _, step := range []func() error{
		func() error { return m.stamp(ctx, p) }, func() error { return m.key(p) },
		func() error { return m.ledger(ctx, dir) }, func() error { return m.disk(ctx, dir) },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// best gives the shortest mean time of a call over several runs.
func best(runs, calls int, call func(i int) error) (time.Duration, error) {
	shortest := time.Hour
	for r := range runs {
		begun := time.Now()
		for i := range calls {
			if err := call(r*calls + i); err != nil {
				return 0, err
			}
		}
		shortest = min(shortest, time.Since(begun)/time.Duration(calls))
	}
	return shortest, nil
}

// numbers are of a specimen.
func numbers() (*serial.Scheme, error) { return serial.NewScheme('0', "Z0", [32]byte{7}) }

func (m *Measured) stamp(ctx context.Context, p *pki.PKI) error {
	scheme, err := numbers()
	if err != nil {
		return err
	}
	cred, err := sign.NewCredential(p.StampP256.Cert, p.StampP256.Chain, p.StampP256.Key, nil)
	if err != nil {
		return err
	}
	opt := &sign.Options{Stamp: &sign.Stamp{Value: 10000, Specimen: true, Seal: p.SealP256}}
	sizes := load.Sizes(1, 1)
	var sources [][]byte
	for i := range 64 {
		sources = append(sources, (&load.Document{Person: i, Size: sizes()}).Bytes())
	}
	m.Stamp, err = best(12, 100, func(i int) error {
		source := sources[i%len(sources)]
		n, err := scheme.Number(uint64(i))
		if err != nil {
			return err
		}
		doc, err := sign.Open(bytes.NewReader(source), int64(len(source)), opt)
		if err != nil {
			return err
		}
		if _, err := doc.Request(ctx, "a", []byte("k")); err != nil {
			return err
		}
		_, err = doc.Sign(ctx, io.Discard, cred, sign.Issue{Number: n})
		return err
	})
	return err
}

func (m *Measured) key(p *pki.PKI) (err error) {
	digest := sha256.Sum256([]byte("document"))
	m.Key, err = best(10, 200, func(int) error {
		_, err := p.StampP256.Key.Sign(rand.Reader, digest[:], crypto.SHA256)
		return err
	})
	m.Stamp -= m.Key // which a token does
	return err
}

// ledger measures as the benchmark of the package does: 256 callers and a thousand accounts.
func (m *Measured) ledger(ctx context.Context, dir string) error {
	const callers, units = 256, 60
	store, err := sqlite.Open(ctx, filepath.Join(dir, "measured.db"), nil)
	if err != nil {
		return err
	}
	defer store.Close()
	scheme, err := numbers()
	if err != nil {
		return err
	}
	ledger, err := serial.Open(ctx, store, &serial.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	defer ledger.Close()
	account := func(c int) string { return fmt.Sprintf("account-%03d", c) }
	if err := each(callers, func(c int) error { _, err := ledger.Credit(ctx, account(c), 5*units, []byte("1")); return err }); err != nil {
		return err
	}
	for run := range 4 {
		begun := time.Now()
		if err := each(callers, func(c int) error { return redeem(ctx, ledger, account(c), run, units) }); err != nil {
			return err
		}
		m.Ledger = max(m.Ledger, callers*units/time.Since(begun).Seconds())
	}
	return nil
}

// redeem takes units of an account through all their steps, one after the other.
func redeem(ctx context.Context, ledger *serial.Ledger, account string, run, units int) error {
	for i := range units {
		r, err := ledger.Reserve(ctx, serial.Request{Account: account, Key: fmt.Appendf(nil, "%d/%d", run, i), Length: 1, Value: 1})
		if err == nil {
			_, err = ledger.Signing(ctx, r.Number)
		}
		if err == nil {
			_, err = ledger.Stamped(ctx, r.Number, serial.Output{Digest: [32]byte{1}, Length: 1})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// each runs callers together and gives the first error.
func each(callers int, call func(c int) error) error {
	errs := make(chan error, callers)
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() { errs <- call(c) })
	}
	wg.Wait()
	for range callers {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

func (m *Measured) disk(ctx context.Context, dir string) error {
	sink, err := serial.NewDirSink(filepath.Join(dir, "measured"))
	if err != nil {
		return err
	}
	scheme, err := numbers()
	if err != nil {
		return err
	}
	output := bytes.Repeat([]byte{'x'}, 50_000)
	put := func(i int) error {
		n, err := scheme.Number(uint64(i))
		if err != nil {
			return err
		}
		return sink.PutClaimed(ctx, n, [32]byte{1}, func(w io.Writer) error { _, err := w.Write(output); return err })
	}
	if m.Disk, err = best(5, 20, put); err != nil {
		return err
	}
	const writers, outputs = 16, 20
	for run := range 4 {
		begun := time.Now()
		if err := each(writers, func(w int) error {
			for i := range outputs {
				if err := put(10_000 + (run*writers+w)*outputs + i); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
		m.Disks = max(m.Disks, writers*outputs/time.Since(begun).Seconds())
	}
	return nil
}
