package verify_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/verify"
)

// BenchmarkVerify measures one stamp (P-256 signature, P-256 seal) against the
// floor: SHA-256 over the file and the signatures of the CMS, of the seal and
// of two certificates. x-floor is the ratio; x-floor-crl has the signatures of
// the two revocation lists in the floor as well, which a cache spares all but
// the first document: the runs named cached.
func BenchmarkVerify(b *testing.B) {
	w := newWorld(b)
	opt := *w.opt
	opt.Cache = new(verify.Cache)
	for _, c := range []struct {
		name        string
		pages, fill int
	}{{"62KB", 2, 42 << 10}, {"1MB", 20, 950 << 10}, {"20MB", 100, 20 << 20}, {"20MB-4785pages", 4785, 19 << 20}} {
		doc := w.sign(b, plain("agreement", c.pages, c.fill), job{stamp: &stampJob{number: serialNumber(b, 1)}})
		b.Run(c.name, func(b *testing.B) {
			floor, lists := floorOf(b, w, doc)
			took := timed(b, doc, w.opt)
			b.ReportMetric(took/float64(floor), "x-floor")
			b.ReportMetric(took/float64(floor+lists), "x-floor-crl")
		})
		b.Run(c.name+"-cached", func(b *testing.B) {
			floor, _ := floorOf(b, w, doc)
			b.ReportMetric(timed(b, doc, &opt)/float64(floor), "x-floor")
		})
	}
}

// timed judges the document again and again and gives the median, in nanoseconds.
func timed(b *testing.B, doc []byte, opt *verify.Options) float64 {
	r := bytes.NewReader(doc)
	b.ReportAllocs()
	b.SetBytes(int64(len(doc)))
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		report, err := verify.Document(context.Background(), r, int64(len(doc)), opt)
		if err != nil || report.Indication != verify.TotalPassed {
			b.Fatal(err, report)
		}
		took = append(took, time.Since(start))
	}
	return float64(median(took))
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// floorOf times the floor and the two lists on this machine: the median of
// many runs.
func floorOf(tb testing.TB, w *world, doc []byte) (floor, lists time.Duration) {
	key := w.pki.StampP256.Cert.PublicKey.(*ecdsa.PublicKey)
	digest := sha256.Sum256(doc)
	sig, err := w.pki.StampP256.Key.Sign(nil, digest[:], crypto.SHA256)
	require.NoError(tb, err)
	k, err := seal.NewKey(w.pki.SealP256.Public())
	require.NoError(tb, err)
	s, err := seal.Parse(w.seal(tb, doc, &stampJob{number: serialNumber(tb, 1)}))
	require.NoError(tb, err)
	typical := func(f func() bool) time.Duration {
		var took []time.Duration
		for range 41 {
			start := time.Now()
			ok := f()
			took = append(took, time.Since(start))
			require.True(tb, ok)
		}
		return median(took)
	}
	floor = typical(func() bool {
		sum := sha256.Sum256(doc)
		return ecdsa.VerifyASN1(key, sum[:], sig) && s.Verify(k) == nil &&
			w.pki.StampP256.Cert.CheckSignatureFrom(w.pki.Issuing.Cert) == nil &&
			w.pki.Issuing.Cert.CheckSignatureFrom(w.pki.Root.Cert) == nil
	})
	lists = typical(func() bool {
		return w.crls[0].CheckSignatureFrom(w.pki.Root.Cert) == nil && w.crls[1].CheckSignatureFrom(w.pki.Issuing.Cert) == nil
	})
	return floor, lists
}

// BenchmarkVerifyLater has a second signature and a security store after the
// stamp, so that revisions are compared.
func BenchmarkVerifyLater(b *testing.B) {
	w := newWorld(b)
	for _, pages := range []int{2, 4785} {
		doc := w.sign(b, plain("agreement", pages, 1<<20), job{stamp: &stampJob{number: serialNumber(b, 1)}})
		doc = withStore(b, w, w.sign(b, doc, job{field: "Second"}))
		b.Run(fmt.Sprintf("%dpages", pages), func(b *testing.B) {
			b.ReportAllocs()
			r := bytes.NewReader(doc)
			for b.Loop() {
				report, err := verify.Document(context.Background(), r, int64(len(doc)), w.opt)
				if err != nil || report.Indication != verify.TotalPassed {
					b.Fatal(err, report)
				}
			}
		})
	}
}

func BenchmarkSeal(b *testing.B) {
	w := newWorld(b)
	text, err := seal.Text("HTTPS://EXAMPLE.TEST/S/", w.seal(b, plain("x", 1, 0), &stampJob{number: serialNumber(b, 1)}))
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if r, err := verify.Seal(text, w.opt); err != nil || !r.Genuine {
			b.Fatal(err)
		}
	}
}
