package sign_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/verify"
)

// One flipped bit anywhere: never TOTAL-PASSED. Every byte of the update is
// tried, and the source at a stride.
func TestFlippedBitIsNeverPassed(t *testing.T) {
	src := fileBytes(t, "classic.pdf")
	out := stamp(t, src, stampOptions(t), sign.Issue{Number: numberOf(t, 5)})
	step := 1
	if testing.Short() || raceEnabled {
		step = 37
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := 0; i < len(out); i += step {
		bad := bytes.Clone(out)
		bad[i] ^= 1 << rng.IntN(8)
		require.NotEqual(t, verify.TotalPassed, verified(t, bad).Indication, "byte %d, %q to %q", i, out[i], bad[i])
	}
}

// A seal that is moved to another document, with the whole signed revision
// made anew around it by a holder of a signing key, is refused with its reason.
func TestSealOfAnotherDocument(t *testing.T) {
	is := sign.Issue{Number: numberOf(t, 6)}
	other := open(t, fileBytes(t, "crlf.pdf"), stampOptions(t))
	s, err := other.NewSeal(t.Context(), is)
	require.NoError(t, err)
	encoded, err := s.Sign(specimen(t).SealP256)
	require.NoError(t, err)
	is.Seal, is.Time = encoded, s.Issued
	_, _, err = open(t, fileBytes(t, "classic.pdf"), stampOptions(t)).Update(t.Context(), credential(t, specimen(t).StampP256), is)
	var bad *sign.StampError
	require.ErrorAs(t, err, &bad)

	// The update of one document under another: the signature and the seal fail.
	src := fileBytes(t, "classic.pdf")
	out := stamp(t, src, stampOptions(t), sign.Issue{Number: numberOf(t, 6)})
	moved := bytes.Clone(out)
	moved[bytes.Index(moved, []byte("Helvetica"))] = 'X'
	report := verified(t, moved)
	require.Equal(t, verify.TotalFailed, report.Indication)
	require.False(t, report.Signatures[0].Stamp != nil && report.Signatures[0].Stamp.DocumentBound)
}

// FuzzSign holds that any input either is refused or comes out as itself with
// an update that verifies.
func FuzzSign(f *testing.F) {
	seeds := []string{"classic.pdf", "form.pdf", "hybrid.pdf", "object-streams.pdf", "rotate-90.pdf", "signed-pdfsign.pdf", "certified-p1.pdf"}
	for _, name := range seeds {
		f.Add(fileBytes(f, name))
	}
	require.NotEmpty(f, seeds)
	cred := credential(f, specimen(f).StampP256)
	opt := stampOptions(f)
	number := numberOf(f, 8)
	f.Fuzz(func(t *testing.T, src []byte) {
		doc, err := sign.Open(bytes.NewReader(src), int64(len(src)), opt)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if _, err := doc.Sign(t.Context(), &out, cred, sign.Issue{Number: number}); err != nil {
			return
		}
		require.True(t, bytes.HasPrefix(out.Bytes(), src))
	})
}
