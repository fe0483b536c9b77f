package verify

import (
	"bytes"
	"context"
	"crypto"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/cms"
)

// TestDigests holds the one pass against hashing each range by itself, with
// random ranges, prefixes and hash functions, one of which cannot be cloned.
func TestDigests(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	algs := []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA3_256, crypto.RIPEMD160}
	for round := range 200 {
		data := make([]byte, 1+rng.IntN(3*bufferSize))
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		var jobs []*digestJob
		for range 1 + rng.IntN(6) {
			end := 1 + rng.IntN(len(data))
			a, b := rng.IntN(end+1), rng.IntN(end+1)
			jobs = append(jobs, &digestJob{alg: cms.Digest(algs[rng.IntN(len(algs))]), gapStart: int64(min(a, b)), gapEnd: int64(max(a, b)), end: int64(end)})
		}
		require.NoError(t, digests(context.Background(), bytes.NewReader(data), jobs))
		for _, j := range jobs {
			h := j.alg.New()
			h.Write(data[:j.gapStart])
			h.Write(data[j.gapEnd:j.end])
			require.Equal(t, h.Sum(nil), j.sum, "round %d: %v [0,%d) [%d,%d)", round, j.alg, j.gapStart, j.gapEnd, j.end)
		}
	}
	require.NoError(t, digests(context.Background(), bytes.NewReader(nil), nil))
	require.Error(t, digests(context.Background(), bytes.NewReader([]byte("short")), []*digestJob{{alg: cms.Digest(crypto.SHA256), gapStart: 9, gapEnd: 9, end: 9}}))
}
