package sign_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/storetest"
	"github.com/seed-574216e4/meterai/sign"
)

const (
	batchAccount = "shop-17"
	batchGuard   = time.Minute
)

// newLedger is a ledger in memory with some units, and outputs in a folder.
func newLedger(t testing.TB, store serial.Store, dir string, units int64) *serial.Ledger {
	t.Helper()
	sink, err := serial.NewDirSink(dir)
	require.NoError(t, err)
	scheme, err := serial.NewScheme('0', "ZZ", [32]byte{9})
	require.NoError(t, err)
	l, err := serial.Open(t.Context(), store, &serial.Options{Scheme: scheme, Sink: sink})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	_, err = l.Credit(t.Context(), batchAccount, units, []byte("invoice-1"))
	require.NoError(t, err)
	return l
}

func memoryLedger(t testing.TB, units int64) *serial.Ledger {
	return newLedger(t, storetest.NewMemory(), t.TempDir(), units)
}

func batchSource(i int) []byte { return tinyPDF(fmt.Sprintf("/MeteraiTest %d", i), "", "") }

func batchJob(i int) sign.Job {
	return sign.Job{
		Name: fmt.Sprint("document ", i), Account: batchAccount, Key: fmt.Appendf(nil, "order-%d", i),
		Open: func(context.Context) (io.ReaderAt, int64, error) {
			b := batchSource(i)
			return bytes.NewReader(b), int64(len(b)), nil
		},
	}
}

func batchJobs(n int) iter.Seq[sign.Job] {
	return func(yield func(sign.Job) bool) {
		for i := range n {
			if !yield(batchJob(i)) {
				return
			}
		}
	}
}

// outcomes runs a batch to its end.
func outcomes(t testing.TB, seq iter.Seq2[sign.Outcome, error]) (map[int]sign.Outcome, error) {
	t.Helper()
	out := make(map[int]sign.Outcome)
	var last error
	for o, err := range seq {
		require.NoError(t, last, "an outcome after the end")
		if last = err; err == nil {
			require.NotContains(t, out, o.Index, "a job with two outcomes")
			out[o.Index] = o
		}
	}
	return out, last
}

// settled holds the ledger against what a batch of n documents should have left.
func settled(t testing.TB, l *serial.Ledger, n int64) {
	t.Helper()
	b, err := l.Balance(t.Context(), batchAccount)
	require.NoError(t, err)
	require.Equal(t, n, b.Stamped)
	require.Zero(t, b.Reserved)
	require.Equal(t, b.Purchased, b.Available+b.Stamped)
	report, err := l.Audit(t.Context())
	require.NoError(t, err)
	require.True(t, report.Clean(), "%v", report.Problems)
}

func TestBatch(t *testing.T) {
	const n = 40
	l := memoryLedger(t, 100)
	cred := credential(t, specimen(t).StampP256)
	next, tally := 0, sign.Tally{}
	opt := &sign.BatchOptions{
		Options: stampOptions(t), InFlight: 8, Ordered: true,
		Progress: func(now sign.Tally) {
			require.Equal(t, tally.Stamped+tally.Replayed+1, now.Stamped+now.Replayed)
			tally = now
		},
	}
	numbers := make(map[int]serial.Number)
	for o, err := range sign.Batch(t.Context(), l, cred, batchJobs(n), opt) {
		require.NoError(t, err)
		require.NoError(t, o.Err)
		require.Equal(t, next, o.Index)
		require.Equal(t, fmt.Sprint("document ", o.Index), o.Job.Name)
		require.Equal(t, o.Receipt.Number, o.Result.Number)
		numbers[o.Index] = o.Receipt.Number
		next++
	}
	require.Equal(t, n, next)
	require.Equal(t, n, tally.Stamped)
	require.NotZero(t, tally.Bytes)
	settled(t, l, n)

	// The kept update makes the stamped document of the source.
	kept, err := l.Output(t.Context(), numbers[7])
	require.NoError(t, err)
	defer kept.Close()
	update, err := io.ReadAll(kept)
	require.NoError(t, err)
	require.Equal(t, 0, verified(t, append(batchSource(7), update...)).ExitCode())

	// Run again: the stored answers, no key, no unit.
	tally = sign.Tally{}
	again, err := outcomes(t, sign.Batch(t.Context(), l, cred, batchJobs(n), opt))
	require.NoError(t, err)
	require.Len(t, again, n)
	for i, o := range again {
		require.NoError(t, o.Err)
		require.True(t, o.Receipt.Replayed)
		require.Nil(t, o.Result)
		require.Equal(t, numbers[i], o.Receipt.Number)
	}
	require.Equal(t, n, tally.Replayed)
	settled(t, l, n)
}

func TestBatchKeepsWholeDocuments(t *testing.T) {
	l := memoryLedger(t, 3)
	done := 0
	job := batchJob(1)
	job.Done = func(ctx context.Context, r io.ReaderAt, size int64, o *sign.Outcome) error {
		done++
		kept, err := l.Output(ctx, o.Receipt.Number)
		if err != nil {
			return err
		}
		defer kept.Close()
		b, err := io.ReadAll(kept)
		require.Equal(t, 0, verified(t, b).ExitCode())
		require.True(t, bytes.HasPrefix(b, batchSource(1)))
		require.Equal(t, int64(len(batchSource(1))), size)
		return err
	}
	opt := &sign.BatchOptions{Options: stampOptions(t), Whole: true}
	cred := credential(t, specimen(t).StampP256)
	out, err := outcomes(t, sign.Batch(t.Context(), l, cred, oneJob(job), opt))
	require.NoError(t, err)
	require.NoError(t, out[0].Err)
	require.Equal(t, 1, done)

	// What comes after the booking may fail and be done again.
	broken := errors.New("disk full")
	job = batchJob(2)
	job.Done = func(context.Context, io.ReaderAt, int64, *sign.Outcome) error { return broken }
	out, err = outcomes(t, sign.Batch(t.Context(), l, cred, oneJob(job), opt))
	require.NoError(t, err)
	require.ErrorIs(t, out[0].Err, broken)
	require.False(t, out[0].Receipt.Number.IsZero())
	settled(t, l, 2)
}

func oneJob(job sign.Job) iter.Seq[sign.Job] {
	return func(yield func(sign.Job) bool) { yield(job) }
}

func TestBatchCompletesUpdates(t *testing.T) {
	l := memoryLedger(t, 1)
	opt := &sign.BatchOptions{Options: stampOptions(t), Complete: func(_ context.Context, r io.ReaderAt, size int64, update []byte) ([]byte, error) {
		require.Equal(t, int64(len(batchSource(1))), size)
		return append(update, "% more\n"...), nil
	}}
	out, err := outcomes(t, sign.Batch(t.Context(), l, credential(t, specimen(t).StampP256), oneJob(batchJob(1)), opt))
	require.NoError(t, err)
	require.NoError(t, out[0].Err)
	kept, err := l.Output(t.Context(), out[0].Receipt.Number)
	require.NoError(t, err)
	defer kept.Close()
	b, err := io.ReadAll(kept)
	require.NoError(t, err)
	require.True(t, bytes.HasSuffix(b, []byte("% more\n")))
}

// One document's fault does not stop the others, and takes no unit.
func TestBatchErrorsAreEachDocumentsOwn(t *testing.T) {
	l := memoryLedger(t, 20)
	missing := errors.New("no such file")
	jobs := func(yield func(sign.Job) bool) {
		for i := range 12 {
			job := batchJob(i)
			switch i {
			case 3:
				job.Open = func(context.Context) (io.ReaderAt, int64, error) { return nil, 0, missing }
			case 5:
				job.Open = func(context.Context) (io.ReaderAt, int64, error) { return bytes.NewReader([]byte("text")), 4, nil }
			case 7:
				job.Key = nil
			case 9:
				job.Open = nil
			}
			if !yield(job) {
				return
			}
		}
	}
	opt := &sign.BatchOptions{Options: stampOptions(t)}
	out, err := outcomes(t, sign.Batch(t.Context(), l, credential(t, specimen(t).StampP256), jobs, opt))
	require.NoError(t, err)
	require.Len(t, out, 12)
	require.ErrorIs(t, out[3].Err, missing)
	require.ErrorIs(t, out[5].Err, pdf.ErrNotPDF)
	var refused *serial.RequestError
	require.ErrorAs(t, out[7].Err, &refused)
	require.Error(t, out[9].Err)
	settled(t, l, 8)
}

// A meeting is a key that answers when a number of callers are inside, or when it is
// told to go on.
type meeting struct {
	crypto.Signer
	want   int
	mu     sync.Mutex
	inside int
	all    chan struct{}
}

func newMeeting(t testing.TB, want int) *meeting {
	return &meeting{Signer: specimen(t).StampP256.Key, want: want, all: make(chan struct{})}
}

func (m *meeting) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	m.mu.Lock()
	if m.inside++; m.inside == m.want {
		close(m.all)
	}
	m.mu.Unlock()
	select {
	case <-m.all:
		return m.Signer.Sign(rand.Reader, digest, opts)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func keyed(t testing.TB, key crypto.Signer) *sign.Credential {
	t.Helper()
	id := specimen(t).StampP256
	c, err := sign.NewCredential(id.Cert, id.Chain, key, nil)
	require.NoError(t, err)
	return c
}

// A watched source notes how many are read at a time.
type watchedSource struct {
	*bytes.Reader
	inside, most *atomic.Int32
}

func (w watchedSource) ReadAt(p []byte, off int64) (int, error) {
	n := w.inside.Add(1)
	defer w.inside.Add(-1)
	for most := w.most.Load(); n > most && !w.most.CompareAndSwap(most, n); most = w.most.Load() {
	}
	return w.Reader.ReadAt(p, off)
}

// The key has sixteen documents at a time although only one may use a processor.
func TestBatchOverlapsTheKey(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), batchGuard)
	defer cancel()
	var inside, most atomic.Int32
	jobs := func(yield func(sign.Job) bool) {
		for i := range 16 {
			job := batchJob(i)
			job.Open = func(context.Context) (io.ReaderAt, int64, error) {
				b := batchSource(i)
				return watchedSource{bytes.NewReader(b), &inside, &most}, int64(len(b)), nil
			}
			if !yield(job) {
				return
			}
		}
	}
	l := memoryLedger(t, 16)
	opt := &sign.BatchOptions{Options: stampOptions(t), InFlight: 16, CPU: 1}
	out, err := outcomes(t, sign.Batch(ctx, l, keyed(t, newMeeting(t, 16)), jobs, opt))
	require.NoError(t, err)
	for _, o := range out {
		require.NoError(t, o.Err)
	}
	require.Equal(t, int32(1), most.Load())
	settled(t, l, 16)
}

// Jobs are taken as there is room for them: in work, and not given out yet.
func TestBatchBackPressure(t *testing.T) {
	const inFlight, n = 3, 100
	for _, ordered := range []bool{false, true} {
		l := memoryLedger(t, n)
		var taken atomic.Int32
		jobs := func(yield func(sign.Job) bool) {
			for i := range n {
				taken.Add(1)
				if !yield(batchJob(i)) {
					return
				}
			}
		}
		given := 0
		opt := &sign.BatchOptions{Options: stampOptions(t), InFlight: inFlight, Ordered: ordered}
		for o, err := range sign.Batch(t.Context(), l, credential(t, specimen(t).StampP256), jobs, opt) {
			require.NoError(t, err)
			require.NoError(t, o.Err)
			require.LessOrEqual(t, int(taken.Load()), given+4*inFlight+1)
			given++
		}
		require.Equal(t, n, given)
	}
	// Nothing is given out as long as the key does not answer, so no more are taken.
	key := newMeeting(t, inFlight)
	var taken atomic.Int32
	jobs := func(yield func(sign.Job) bool) {
		for i := range n {
			require.LessOrEqual(t, taken.Add(1), int32(inFlight+1), "before the key answered")
			if i == inFlight {
				<-key.all
				return
			}
			if !yield(batchJob(i)) {
				return
			}
		}
	}
	opt := &sign.BatchOptions{Options: stampOptions(t), InFlight: inFlight}
	out, err := outcomes(t, sign.Batch(t.Context(), memoryLedger(t, n), keyed(t, key), jobs, opt))
	require.NoError(t, err)
	require.Len(t, out, inFlight)
}

// A batch that is cancelled in the middle, and run again, gives every document its
// number and every unit its document.
func TestBatchCancelled(t *testing.T) {
	const n = 30
	l := memoryLedger(t, n)
	key := newMeeting(t, n+1) // answers nobody
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for {
			key.mu.Lock()
			inside := key.inside
			key.mu.Unlock()
			if inside == 8 {
				cancel()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	opt := &sign.BatchOptions{Options: stampOptions(t), InFlight: 8}
	out, err := outcomes(t, sign.Batch(ctx, l, keyed(t, key), batchJobs(n), opt))
	require.ErrorIs(t, err, context.Canceled)
	begun := make(map[int]serial.Number)
	for i, o := range out {
		require.ErrorIs(t, o.Err, context.Canceled)
		r, err := l.LookupKey(t.Context(), batchAccount, o.Job.Key)
		if errors.Is(err, serial.ErrNotFound) {
			continue
		}
		require.NoError(t, err)
		require.Equal(t, serial.Signing, r.State)
		begun[i] = r.Number
	}
	require.Len(t, begun, 8)
	again, err := outcomes(t, sign.Batch(t.Context(), l, credential(t, specimen(t).StampP256), batchJobs(n), opt))
	require.NoError(t, err)
	for i, o := range again {
		require.NoError(t, o.Err)
		if number, ok := begun[i]; ok {
			require.Equal(t, number, o.Receipt.Number)
		}
	}
	require.Len(t, again, n)
	settled(t, l, n)
}

// Who leaves the loop gets what is in work finished.
func TestBatchLeft(t *testing.T) {
	l := memoryLedger(t, 100)
	opt := &sign.BatchOptions{Options: stampOptions(t), InFlight: 4}
	for o, err := range sign.Batch(t.Context(), l, credential(t, specimen(t).StampP256), batchJobs(100), opt) {
		require.NoError(t, err)
		require.NoError(t, o.Err)
		break
	}
	b, err := l.Balance(t.Context(), batchAccount)
	require.NoError(t, err)
	require.Zero(t, b.Reserved)
	require.Positive(t, b.Stamped)
	require.Less(t, b.Stamped, int64(100))
}

type refusingLedger struct{ err error }

func (r refusingLedger) Redeem(context.Context, serial.Request, func(context.Context, serial.Reservation, io.Writer) error) (serial.Receipt, error) {
	return serial.Receipt{}, r.err
}

func TestBatchStops(t *testing.T) {
	cred := credential(t, specimen(t).StampP256)
	opt := &sign.BatchOptions{Options: stampOptions(t), InFlight: 4}
	for _, test := range []struct {
		err   error
		stops bool
	}{{serial.ErrFenced, true}, {serial.ErrClosed, true}, {&serial.ClockError{}, true}, {serial.ErrInsufficient, false}} {
		out, err := outcomes(t, sign.Batch(t.Context(), refusingLedger{test.err}, cred, batchJobs(200), opt))
		if test.stops {
			require.ErrorIs(t, err, test.err)
			require.Less(t, len(out), 200)
		} else {
			require.NoError(t, err)
			require.Len(t, out, 200)
		}
	}
	opt.Fatal = func(err error) bool { return errors.Is(err, serial.ErrInsufficient) }
	_, err := outcomes(t, sign.Batch(t.Context(), refusingLedger{serial.ErrInsufficient}, cred, batchJobs(200), opt))
	require.ErrorIs(t, err, serial.ErrInsufficient)

	// A key that is gone does not take the units of all documents.
	l := memoryLedger(t, 200)
	opt = &sign.BatchOptions{Options: stampOptions(t), InFlight: 4}
	gone := errors.New("key is gone")
	out, err := outcomes(t, sign.Batch(t.Context(), l, keyed(t, goneKey{specimen(t).StampP256.Key, gone}), batchJobs(200), opt))
	require.ErrorIs(t, err, gone)
	require.Less(t, len(out), 30)
	b, err := l.Balance(t.Context(), batchAccount)
	require.NoError(t, err)
	require.Equal(t, int64(len(out)), b.Reserved)
	_, err = outcomes(t, sign.Batch(t.Context(), l, cred, batchJobs(200), opt))
	require.NoError(t, err)
	settled(t, l, 200)
}

type goneKey struct {
	crypto.Signer
	err error
}

func (f goneKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, f.err }

func TestBatchRefuses(t *testing.T) {
	id := specimen(t).StampP256
	cred := credential(t, id)
	bare, err := sign.NewCredential(id.Cert, id.Chain, nil, nil)
	require.NoError(t, err)
	l := refusingLedger{}
	for name, seq := range map[string]iter.Seq2[sign.Outcome, error]{
		"no ledger":     sign.Batch(t.Context(), nil, cred, batchJobs(1), nil),
		"no credential": sign.Batch(t.Context(), l, nil, batchJobs(1), nil),
		"no key":        sign.Batch(t.Context(), l, bare, batchJobs(1), nil),
		"no jobs":       sign.Batch(t.Context(), l, cred, nil, nil),
		"negative":      sign.Batch(t.Context(), l, cred, batchJobs(1), &sign.BatchOptions{InFlight: -1}),
		"both":          sign.Batch(t.Context(), l, cred, batchJobs(1), &sign.BatchOptions{Whole: true, Complete: func(context.Context, io.ReaderAt, int64, []byte) ([]byte, error) { return nil, nil }}),
	} {
		out, err := outcomes(t, seq)
		require.Error(t, err, name)
		require.Empty(t, out, name)
	}
	// Without options a document cannot have a stamp.
	out, err := outcomes(t, sign.Batch(t.Context(), l, cred, batchJobs(1), nil))
	require.NoError(t, err)
	var stamp *sign.StampError
	require.ErrorAs(t, out[0].Err, &stamp)
}
