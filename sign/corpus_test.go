package sign_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/verify"
)

// TestCorpusStamped stamps every file of the folder that METERAI_CORPUS names:
// signed files that nobody here wrote, some of them forged or broken. Each is
// stamped or refused with one of the errors that Open promises. In what was
// stamped our signature is good, for package verify and for pdfsig, and every
// earlier signature has the indication that it had before. The counts per reason
// are printed.
func TestCorpusStamped(t *testing.T) {
	dir := os.Getenv("METERAI_CORPUS")
	if dir == "" {
		t.Skip("METERAI_CORPUS names no folder with a manifest.tsv")
	}
	counts := map[string]int{}
	for _, path := range corpusPaths(t, dir) {
		src, err := os.ReadFile(filepath.Join(dir, path))
		require.NoError(t, err)
		stamped, err := stampCorpusFile(t, src)
		if err != nil {
			reason := refusal(err)
			assert.NotEmpty(t, reason, "%s: %T %v", path, err, err)
			counts["refused: "+reason]++
			if testing.Verbose() {
				t.Logf("%s: %v", path, err)
			}
			continue
		}
		counts["stamped"]++
		require.True(t, bytes.HasPrefix(stamped, src), path)
		sameVerdicts(t, path, src, stamped)
		witnessed(t, path, stamped)
	}
	reasons := make([]string, 0, len(counts))
	for r := range counts {
		reasons = append(reasons, r)
	}
	sort.Strings(reasons)
	for _, r := range reasons {
		fmt.Printf("%4d %s\n", counts[r], r)
	}
	require.Greater(t, counts["stamped"], 0)
}

// corpusPaths reads the first column of the manifest.
func corpusPaths(t *testing.T, dir string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "manifest.tsv"))
	require.NoError(t, err)
	var out []string
	for line := range strings.Lines(string(b)) {
		if path, _, ok := strings.Cut(line, "\t"); ok && path != "path" {
			out = append(out, path)
		}
	}
	require.NotEmpty(t, out)
	return out
}

func stampCorpusFile(t *testing.T, src []byte) ([]byte, error) {
	t.Helper()
	doc, err := sign.Open(bytes.NewReader(src), int64(len(src)), &sign.Options{
		Stamp: &sign.Stamp{Value: 10000, Specimen: true, Seal: specimen(t).SealEd25519},
	})
	if err != nil {
		return nil, err
	}
	// Whatever keeps a document from being stamped was found by now.
	var out bytes.Buffer
	_, err = doc.Sign(context.Background(), &out, credential(t, specimen(t).StampP256), sign.Issue{Number: numberOf(t, 77)})
	require.NoError(t, err)
	return out.Bytes(), nil
}

// refusal names the promised error that err is; "" for any other.
func refusal(err error) string {
	var (
		access    *sign.AccessError
		field     *sign.FieldError
		placement *sign.PlacementError
		limit     *pdf.LimitError
		feature   *pdf.UnsupportedError
	)
	switch {
	case errors.Is(err, pdf.ErrNotPDF):
		return "not a PDF"
	case errors.Is(err, pdf.ErrDamaged):
		return "damaged"
	case errors.Is(err, pdf.ErrEncrypted):
		return "locked by a password"
	case errors.Is(err, sign.ErrCertified):
		return "certified"
	case errors.Is(err, sign.ErrAmbiguous):
		return "readers disagree"
	case errors.As(err, &access):
		return "not permitted"
	case errors.As(err, &field):
		return "fields are locked"
	case errors.As(err, &placement):
		return "no place"
	case errors.As(err, &limit):
		return "limit " + limit.Limit
	case errors.As(err, &feature):
		return "unsupported: " + feature.Feature
	}
	return ""
}

// sameVerdicts compares what verify says of the earlier signatures before and
// after, and wants the stamp's to be good.
func sameVerdicts(t *testing.T, path string, before, after []byte) {
	t.Helper()
	opt := &verify.Options{IntegrityOnly: true}
	old, err := verify.Document(context.Background(), bytes.NewReader(before), int64(len(before)), opt)
	require.NoError(t, err, path)
	now, err := verify.Document(context.Background(), bytes.NewReader(after), int64(len(after)), opt)
	require.NoError(t, err, path)
	stamp := slices.IndexFunc(now.Signatures, func(s verify.Signature) bool { return s.Stamp != nil && s.Stamp.Serial == numberOf(t, 77).String() })
	if !assert.GreaterOrEqual(t, stamp, 0, "%s\n%s", path, now.Text()) {
		return
	}
	assert.Equal(t, verify.TotalPassed, now.Signatures[stamp].Indication, "%s\n%s", path, now.Text())
	earlier := slices.Delete(slices.Clone(now.Signatures), stamp, stamp+1)
	if !assert.Len(t, earlier, len(old.Signatures), "%s\n%s\n%s", path, old.Text(), now.Text()) {
		return
	}
	for i := range earlier {
		// One object that cannot be read keeps a verifier from telling what a
		// later revision's objects are used for, whatever it does.
		if strings.Contains(strings.Join(earlier[i].Reasons, " "), "of the signed revision cannot be read") {
			continue
		}
		assert.Equal(t, old.Signatures[i].Indication, earlier[i].Indication, "%s\n%s\n%s", path, old.Text(), now.Text())
	}
}

// witnessed asks pdfsig for its opinion of the stamp's signature.
func witnessed(t *testing.T, path string, stamped []byte) {
	t.Helper()
	if _, err := exec.LookPath("pdfsig"); err != nil {
		t.Log("pdfsig is missing: no witness")
		return
	}
	file := filepath.Join(t.TempDir(), "stamped.pdf")
	require.NoError(t, os.WriteFile(file, stamped, 0o600))
	out, _ := exec.Command("pdfsig", "-nocert", file).CombinedOutput() // its status is about the certificates too
	_, block, found := strings.Cut(string(out), "Signature Field Name: Stamp"+numberOf(t, 77).String())
	assert.True(t, found, "%s\n%s", path, out)
	block, _, _ = strings.Cut(block, "\nSignature #")
	assert.Contains(t, block, "Signature Validation: Signature is Valid.", "%s\n%s", path, out)
	assert.Contains(t, block, "Total document signed", "%s\n%s", path, out)
}
