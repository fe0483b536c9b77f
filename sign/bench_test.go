package sign_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
)

// benchSource is a document of about the size, as people upload them: pages of
// scans, or one small form.
func benchSource(b *testing.B, size int64) []byte {
	b.Helper()
	var buf bytes.Buffer
	require.NoError(b, pdfs.Scan(&buf, size))
	return buf.Bytes()
}

// pagesSource is a document of 4,785 pages and 140,000 objects.
func pagesSource(b *testing.B, kind pdfs.XRef) []byte {
	b.Helper()
	var buf bytes.Buffer
	require.NoError(b, pdfs.Pages(&buf, 4785, kind))
	return buf.Bytes()
}

// BenchmarkStamp makes a visible stamp with a P-256 signature and an Ed25519
// seal. Before it, in the same run, comes the floor that nobody can go below,
// SHA-256 over the source, one P-256 signature, its check, and the seal's
// signature; after it the peer.
func BenchmarkStamp(b *testing.B) {
	for _, bench := range []struct {
		name string
		src  []byte
	}{
		{"62KB", benchSource(b, 62<<10)}, {"1MB", benchSource(b, 1<<20)}, {"20MB", benchSource(b, 20<<20)},
		{"4785pages", pagesSource(b, pdfs.Table)}, {"4785pages-streams", pagesSource(b, pdfs.Stream)},
	} {
		src := bench.src
		var floor float64
		b.Run(bench.name+"/floor", func(b *testing.B) { floor = benchmarkFloor(b, src) })
		b.Run(bench.name+"/meterai", func(b *testing.B) { benchmarkStamp(b, src, floor) })
		b.Run(bench.name+"/pdfsign", func(b *testing.B) { benchmarkPdfsign(b, src) })
	}
}

func perOp(b *testing.B) float64 { return float64(b.Elapsed()) / float64(b.N) }

func benchmarkFloor(b *testing.B, src []byte) float64 {
	key := specimen(b).StampP256.Key.(*ecdsa.PrivateKey)
	sealKey := specimen(b).SealEd25519.(ed25519.PrivateKey)
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		sum := sha256.Sum256(src)
		if _, err := sealKey.Sign(rand.Reader, sum[:], crypto.Hash(0)); err != nil {
			b.Fatal(err)
		}
		sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
		if err != nil || !ecdsa.VerifyASN1(&key.PublicKey, sum[:], sig) {
			b.Fatal("the floor's signature does not verify", err)
		}
	}
	return perOp(b)
}

func benchmarkStamp(b *testing.B, src []byte, floor float64) {
	cred := credential(b, specimen(b).StampP256)
	opt := &sign.Options{Stamp: &sign.Stamp{Value: 10000, Specimen: true, Seal: specimen(b).SealEd25519}}
	number := numberOf(b, 7)
	ctx := context.Background()
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		doc, err := sign.Open(bytes.NewReader(src), int64(len(src)), opt)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := doc.Sign(ctx, io.Discard, cred, sign.Issue{Number: number}); err != nil {
			b.Fatal(err)
		}
	}
	if floor > 0 {
		b.ReportMetric(perOp(b)/floor, "x-floor")
	}
}

// benchmarkPdfsign signs the same source with digitorus/pdfsign and the same
// key: invisible, so without the work of a seal and its drawing.
func benchmarkPdfsign(b *testing.B, src []byte) {
	id := specimen(b).StampP256
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		pdfsigned(b, src, id)
	}
}
