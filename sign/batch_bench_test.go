package sign_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/sqlite"
	"github.com/seed-574216e4/meterai/sign"
)

// benchDocuments is how many documents BenchmarkBatch stamps: METERAI_BATCH, or a few.
func benchDocuments(b *testing.B) int {
	b.Helper()
	text := os.Getenv("METERAI_BATCH")
	if text == "" {
		return 200
	}
	n, err := strconv.Atoi(text)
	require.NoError(b, err)
	return n
}

const benchInFlight = 64

// BenchmarkBatch stamps documents of 50 KB, each its own, with a P-256 key, an Ed25519
// seal, the embedded ledger and the folder of outputs. The parts are then done alone,
// as often and as many at a time, and reported as their share of the whole: they
// overlap, so that shares need not make one; the processor time of each says more on a
// machine that does other things. With latency=20ms the key is a service
// that has 32 signatures in flight, and share says how much of its 1,600 a second is
// reached.
//
//	METERAI_BATCH=10000 go test ./sign -run xxx -bench Batch -benchtime 1x
func BenchmarkBatch(b *testing.B) {
	n := benchDocuments(b)
	src := benchSource(b, 50<<10)
	id := specimen(b).StampP256
	var whole time.Duration
	b.Run("all", func(b *testing.B) {
		whole = benchmarkBatch(b, n, src, id.Key)
		b.ReportMetric(float64(n)/whole.Seconds(), "stamps/s")
	})
	for _, part := range benchParts(b, src) {
		b.Run("alone="+part.name, func(b *testing.B) {
			do := part.start(b)
			cpu := cpuTime()
			b.ReportMetric(float64(timed(n, do))/float64(whole), "of-all")
			b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(n), "cpu-µs/stamp")
			b.ReportMetric(0, "ns/op")
		})
	}
	b.Run("latency=20ms", func(b *testing.B) {
		const latency, places = 20 * time.Millisecond, 32
		took := benchmarkBatch(b, n, src, &narrowKey{distantKey{id.Key, latency}, make(chan struct{}, places)})
		rate := float64(n) / took.Seconds()
		b.ReportMetric(rate, "stamps/s")
		b.ReportMetric(rate/(places/latency.Seconds()), "share")
	})
}

// A narrowKey is a distant one that has so many signatures at a time.
type narrowKey struct {
	distantKey
	places chan struct{}
}

func (k *narrowKey) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	select {
	case k.places <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-k.places }()
	return k.distantKey.SignContext(ctx, digest, opts)
}

// variant is the same document with other bytes after its end, as readers allow.
func variant(src []byte, i int) []byte { return fmt.Appendf(bytes.Clone(src), "%%%010d\n", i) }

func benchmarkBatch(b *testing.B, n int, src []byte, key crypto.Signer) time.Duration {
	b.Helper()
	dir := b.TempDir()
	store, err := sqlite.Open(b.Context(), filepath.Join(dir, "ledger.db"), nil)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, store.Close()) })
	l := newLedger(b, store, filepath.Join(dir, "stamps"), int64(n))
	jobs := func(yield func(sign.Job) bool) {
		for i := range n {
			job := sign.Job{Account: batchAccount, Key: fmt.Append(nil, i)}
			job.Open = func(context.Context) (io.ReaderAt, int64, error) {
				v := variant(src, i)
				return bytes.NewReader(v), int64(len(v)), nil
			}
			if !yield(job) {
				return
			}
		}
	}
	opt := &sign.BatchOptions{InFlight: benchInFlight, Options: &sign.Options{
		Stamp: &sign.Stamp{Value: 10000, Specimen: true, Seal: specimen(b).SealEd25519},
	}}
	b.ResetTimer()
	begun, cpu := time.Now(), cpuTime()
	for o, err := range sign.Batch(b.Context(), l, keyed(b, key), jobs, opt) {
		if err != nil || o.Err != nil {
			b.Fatal(err, o.Err)
		}
	}
	took := time.Since(begun)
	b.StopTimer()
	b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(n), "cpu-µs/stamp")
	b.ReportMetric(0, "ns/op")
	return took
}

// timed says how long n calls take, as many at a time as a batch has in work.
func timed(n int, do func(i int)) time.Duration {
	begun := time.Now()
	var wg sync.WaitGroup
	for w := range benchInFlight {
		wg.Go(func() {
			for i := w; i < n; i += benchInFlight {
				do(i)
			}
		})
	}
	wg.Wait()
	return time.Since(begun)
}

type benchPart struct {
	name  string
	start func(b *testing.B) func(i int)
}

func benchParts(b *testing.B, src []byte) []benchPart {
	key := specimen(b).StampP256.Key.(*ecdsa.PrivateKey)
	sealKey := specimen(b).SealEd25519.(ed25519.PrivateKey)
	cred := credential(b, specimen(b).StampP256)
	opt := &sign.Options{Stamp: &sign.Stamp{Value: 10000, Specimen: true, Seal: sealKey}}
	return []benchPart{
		{"hash", func(*testing.B) func(int) { return func(i int) { sha256.Sum256(variant(src, i)) } }},
		{"keys", func(b *testing.B) func(int) {
			sum := sha256.Sum256(src)
			return func(int) {
				seal := ed25519.Sign(sealKey, sum[:])
				sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
				if err != nil || !ecdsa.VerifyASN1(&key.PublicKey, sum[:], sig) || !ed25519.Verify(sealKey.Public().(ed25519.PublicKey), sum[:], seal) {
					b.Error("a signature does not verify")
				}
			}
		}},
		{"stamp", func(b *testing.B) func(int) { // open, hash, draw, lay out, both keys
			number := numberOf(b, 7)
			return func(i int) {
				doc := open(b, variant(src, i), opt)
				if _, _, err := doc.Update(context.Background(), cred, sign.Issue{Number: number}); err != nil {
					b.Error(err)
				}
			}
		}},
		{"ledger", benchLedger},
		{"disk", func(b *testing.B) func(int) {
			sink, err := serial.NewDirSink(b.TempDir())
			require.NoError(b, err)
			_, update, err := updateOf(b, src, opt)
			require.NoError(b, err)
			return func(i int) {
				err := sink.Put(context.Background(), numberOf(b, uint64(i)), func(w io.Writer) error {
					_, err := w.Write(update)
					return err
				})
				if err != nil {
					b.Error(err)
				}
			}
		}},
	}
}

func updateOf(b *testing.B, src []byte, opt *sign.Options) (*sign.Result, []byte, error) {
	update, result, err := open(b, src, opt).Update(b.Context(), credential(b, specimen(b).StampP256), sign.Issue{Number: numberOf(b, 7)})
	return result, update, err
}

// benchLedger redeems without a document, and keeps nothing.
func benchLedger(b *testing.B) func(int) {
	store, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "ledger.db"), nil)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, store.Close()) })
	scheme, err := serial.NewScheme('0', "ZZ", [32]byte{9})
	require.NoError(b, err)
	l, err := serial.Open(b.Context(), store, &serial.Options{Scheme: scheme, Sink: nowhere{}})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, l.Close()) })
	_, err = l.Credit(b.Context(), batchAccount, 1<<40, []byte("invoice-1"))
	require.NoError(b, err)
	return func(i int) {
		req := serial.Request{Account: batchAccount, Key: fmt.Append(nil, i), Length: 1, Value: 1}
		_, err := l.Redeem(context.Background(), req, func(_ context.Context, _ serial.Reservation, w io.Writer) error {
			_, err := w.Write([]byte{1})
			return err
		})
		if err != nil {
			b.Error(err)
		}
	}
}

// nowhere is a sink that keeps nothing.
type nowhere struct{}

func (nowhere) Put(_ context.Context, _ serial.Number, write func(io.Writer) error) error {
	return write(io.Discard)
}

func (nowhere) Open(context.Context, serial.Number) (io.ReadCloser, error) {
	return nil, fs.ErrNotExist
}
