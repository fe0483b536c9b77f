package capacity

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"

	"github.com/seed-574216e4/meterai/examples/surge/internal/load"
	"github.com/seed-574216e4/meterai/examples/surge/internal/plant"
	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/sqlite"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/tsa"
	"github.com/seed-574216e4/meterai/testdata/pki/pkiserver"
)

// Callers is how many work at a time where the parts and the whole are measured together.
const Callers = 16

// Measured are figures of this machine, each the median of several rounds. Times are in seconds; processor time is that of
// the process, user and system, which other programs on the machine disturb little.
type Measured struct {
	Document  Samples // processor time: preflight, hash, seal, page, signature and its check; without the key
	Key       float64 // processor time of a P-256 signature in memory
	Ledger    float64 // processor time of a unit on SQLite, both transactions, caller and database
	Credit    float64 // processor time of a purchase on SQLite
	Sink      float64 // processor time of an output
	Disk      Samples // until an output is durable, with all callers in the sink
	Commit    Samples // how long a transaction of SQLite lasts, with as many outputs on the same disk as real stamps have
	Timestamp float64 // processor time of a timestamp: request, answer, check, and both ends of the connection
	Authority float64 // processor time of the authority alone, which is another machine's

	Plain, Timed Whole // stamps from end to end, without and with a timestamp
	Source       float64
	Stamped      float64 // bytes, with a timestamp
}

// Whole is what stamps take from end to end in this process, several callers at a time.
type Whole struct {
	CPU    float64 // processor seconds of one
	Served float64 // a second
	Cores  float64 // how many cores the process had
}

// Effort is how much is measured. Nil takes some ten seconds.
type Effort struct {
	Rounds int // zero is 5
	Calls  int // of each caller in a round; zero is 25
}

// bench is where it is measured.
type bench struct {
	rounds, calls int
	dir           string
	authority     *pkiserver.Running
	client        *tsa.Client
	credential    *sign.Credential
	scheme        *serial.Scheme
	sources       [][]byte
	m             Measured
}

// Measure measures in a folder, which is filled with stamped documents.
func Measure(ctx context.Context, dir string, e *Effort) (_ *Measured, err error) {
	e = cmp.Or(e, &Effort{})
	b := &bench{rounds: cmp.Or(e.Rounds, 5), calls: cmp.Or(e.Calls, 25), dir: dir}
	if b.authority, err = pkiserver.Start(nil, nil); err != nil {
		return nil, err
	}
	defer b.authority.Close()
	p := b.authority.PKI
	if b.client, err = plant.NewTimestamper(p, b.authority.URL); err != nil {
		return nil, err
	}
	if b.credential, err = sign.NewCredential(p.StampP256.Cert, p.StampP256.Chain, p.StampP256.Key, nil); err != nil {
		return nil, err
	}
	if b.scheme, err = serial.NewScheme('0', "Z0", [32]byte{7}); err != nil {
		return nil, err
	}
	sizes := load.Sizes(1, 1)
	for i := range 64 {
		b.sources = append(b.sources, (&load.Document{Person: i, Size: sizes()}).Bytes())
		b.m.Source += float64(len(b.sources[i])) / 64
	}
	for _, step := range []func(context.Context) error{b.document, b.key, b.timestamp, b.ledger, b.sink, b.commits, b.whole} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return &b.m, nil
}

// cpu gives the processor time of a call: the median over the rounds.
func (b *bench) cpu(calls int, call func(i int) error) (float64, error) {
	rounds := make(Samples, b.rounds)
	for r := range rounds {
		begun := used()
		for i := range calls {
			if err := call(r*calls + i); err != nil {
				return 0, err
			}
		}
		rounds[r] = (used() - begun).Seconds() / float64(calls)
	}
	return median(rounds), nil
}

func median(s Samples) float64 {
	s = slices.Clone(s)
	slices.Sort(s)
	return s[len(s)/2]
}

// together lets callers call at a time, and gives the first error.
func together(callers, calls int, call func(i int) error) error {
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := 0; i < calls && errs[c] == nil; i++ {
				errs[c] = call(c*calls + i)
			}
		})
	}
	wg.Wait()
	return cmp.Or(errs...)
}

func (b *bench) options(timestamp bool) *sign.Options {
	opt := &sign.Options{Stamp: &sign.Stamp{Value: plant.Value, Specimen: true, Seal: b.authority.PKI.SealP256}}
	if timestamp {
		opt.Timestamp = &sign.Timestamp{Authority: b.client}
	}
	return opt
}

// document measures each call alone, since documents differ, and the mean while all callers are at work. The first round is
// left out.
func (b *bench) document(ctx context.Context) error {
	opt, calls := b.options(false), Callers*b.calls
	one := func(i int) error {
		source := b.sources[i%len(b.sources)]
		n, err := b.scheme.Number(uint64(i))
		if err != nil {
			return err
		}
		doc, err := sign.Open(bytes.NewReader(source), int64(len(source)), opt)
		if err != nil {
			return err
		}
		if _, err = doc.Request(ctx, "a", []byte("k")); err != nil {
			return err
		}
		_, err = doc.Sign(ctx, io.Discard, b.credential, sign.Issue{Number: n})
		return err
	}
	for i := range 2 * calls {
		begun := used()
		if err := one(i); err != nil {
			return err
		}
		if took := used() - begun; i >= calls {
			b.m.Document = append(b.m.Document, took.Seconds())
		}
	}
	mean, err := b.cpu(1, func(int) error { return together(Callers, b.calls, one) })
	b.m.Document = b.m.Document.Scaled(mean / float64(calls))
	return err
}

func (b *bench) key(context.Context) (err error) {
	digest := sha256.Sum256([]byte("document"))
	b.m.Key, err = b.cpu(20*b.calls, func(int) error {
		_, err := b.authority.PKI.StampP256.Key.Sign(rand.Reader, digest[:], crypto.SHA256)
		return err
	})
	b.m.Document = b.m.Document.Scaled(b.m.Document.Mean() - b.m.Key)
	return err
}

// timestamp measures both sides together, and the authority by the last request again, without a connection.
func (b *bench) timestamp(ctx context.Context) (err error) {
	digest := sha256.Sum256([]byte("signature"))
	if b.m.Timestamp, err = b.cpu(4*b.calls, func(int) error {
		_, err := b.client.Timestamp(ctx, crypto.SHA256, digest[:])
		return err
	}); err != nil {
		return err
	}
	var request []byte
	keep := roundTripper(func(r *http.Request) (*http.Response, error) {
		request, err = io.ReadAll(r.Body)
		return nil, cmp.Or(err, http.ErrAbortHandler)
	})
	other, err := tsa.New(&tsa.Options{HTTP: &http.Client{Transport: keep}, Servers: []tsa.Server{{URL: b.authority.URL + "/tsa"}}})
	if err != nil {
		return err
	}
	_, _ = other.Timestamp(ctx, crypto.SHA256, digest[:]) // only the request is wanted
	b.m.Authority, err = b.cpu(4*b.calls, func(int) error {
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/tsa", bytes.NewReader(request))
		r.Header.Set("Content-Type", "application/timestamp-query")
		w := httptest.NewRecorder()
		if b.authority.ServeHTTP(w, r); w.Code != http.StatusOK {
			return fmt.Errorf("the timestamp authority answered %d", w.Code)
		}
		return nil
	})
	return err
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// open opens a ledger on a store that is made by wrap, with units for every caller.
func (b *bench) open(ctx context.Context, name string, wrap func(serial.Store) serial.Store, sink serial.Sink) (*serial.Ledger, func(), error) {
	store, err := sqlite.Open(ctx, filepath.Join(b.dir, name), nil)
	if err != nil {
		return nil, nil, err
	}
	ledger, err := serial.Open(ctx, wrap(store), &serial.Options{Scheme: b.scheme, Sink: sink})
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	err = together(Callers, 1, func(i int) error {
		_, err := ledger.Credit(ctx, account(i), 1_000_000, []byte("first"))
		return err
	})
	return ledger, func() { ledger.Close(); store.Close() }, err
}

func account(i int) string { return fmt.Sprintf("account-%02d", i%Callers) }

// ledger measures the callers together, with a sink that keeps nothing.
func (b *bench) ledger(ctx context.Context) error {
	ledger, stop, err := b.open(ctx, "ledger.db", func(s serial.Store) serial.Store { return s }, nowhere{})
	if err != nil {
		return err
	}
	defer stop()
	calls := float64(Callers * b.calls)
	b.m.Ledger, err = b.cpu(1, func(round int) error {
		return together(Callers, b.calls, func(i int) error { return redeem(ctx, ledger, round, i) })
	})
	if err != nil {
		return err
	}
	b.m.Credit, err = b.cpu(1, func(round int) error {
		return together(Callers, b.calls, func(i int) error {
			_, err := ledger.Credit(ctx, account(i), 2, fmt.Appendf(nil, "%d/%d", round, i))
			return err
		})
	})
	b.m.Ledger, b.m.Credit = b.m.Ledger/calls, b.m.Credit/calls
	return err
}

func redeem(ctx context.Context, ledger *serial.Ledger, round, i int) error {
	_, err := ledger.Redeem(ctx, serial.Request{Account: account(i), Key: fmt.Appendf(nil, "%d/%d", round, i), Length: 1, Value: 1},
		func(_ context.Context, _ serial.Reservation, w io.Writer) error { return output(w) })
	return err
}

// output writes as much as a stamped document has.
func output(w io.Writer) error {
	_, err := w.Write(make([]byte, 50_000))
	return err
}

// nowhere is a sink for measuring the ledger alone.
type nowhere struct{}

func (nowhere) Put(_ context.Context, _ serial.Number, write func(io.Writer) error) error {
	return write(io.Discard)
}

func (nowhere) Open(context.Context, serial.Number) (io.ReadCloser, error) {
	return nil, fs.ErrNotExist
}
