package sign_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
	"github.com/seed-574216e4/meterai/verify"
)

// beheaded takes the end of a file away, so that nothing leads to its objects.
func beheaded(b []byte) []byte {
	b = b[:bytes.LastIndex(b, []byte("startxref"))]
	return bytes.ReplaceAll(b, []byte("startxref"), []byte("startXref"))
}

// repairOptions stamp what can be read by repair.
func repairOptions(t testing.TB) *sign.Options {
	opt := stampOptions(t)
	opt.AllowRepair = true
	return opt
}

// TestStampDamagedShapes stamps every shape of file after it has lost what leads
// to its objects: by default none, and with the option as what a search finds.
// Others' programs open the result without complaint, and the verifier finds
// nothing changed but by the stamp.
func TestStampDamagedShapes(t *testing.T) {
	stamped := 0
	for i, f := range pdfs.Files() {
		t.Run(f.Name, func(t *testing.T) {
			src := beheaded(f.Bytes())
			_, err := sign.Open(bytes.NewReader(src), int64(len(src)), stampOptions(t))
			require.ErrorIs(t, err, pdf.ErrDamaged)
			doc, err := sign.Open(bytes.NewReader(src), int64(len(src)), repairOptions(t))
			var repair *sign.RepairError
			var access *sign.AccessError
			switch {
			case f.Expect == pdfs.Encrypted:
				require.ErrorIs(t, err, pdf.ErrEncrypted)
			case f.Expect == pdfs.Restricted:
				require.ErrorAs(t, err, &access)
			case f.Signatures > 0:
				require.ErrorAs(t, err, &repair)
				require.ErrorIs(t, err, pdf.ErrDamaged)
			default:
				require.NoError(t, err)
				require.Contains(t, strings.Join(doc.Warnings(), "\n"), "read by repair")
				requireRepairStamp(t, stamp(t, src, repairOptions(t), sign.Issue{Number: numberOf(t, uint64(i))}))
				stamped++
			}
		})
	}
	require.Greater(t, stamped, 30)
}

func requireRepairStamp(t *testing.T, out []byte) {
	t.Helper()
	contented(t, out)
	report := verified(t, out)
	require.Equal(t, verify.TotalPassed, report.Indication, report.Text())
	require.Len(t, report.Signatures, 1)
	require.True(t, report.Signatures[0].Stamp.DocumentBound)
	require.Contains(t, report.Text(), "the document was damaged")
}

// contented has programs that others wrote open a file: it needs no repair, and
// its signature is valid.
func contented(t *testing.T, b []byte) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "stamped.pdf")
	require.NoError(t, os.WriteFile(name, b, 0o600))
	for program, args := range map[string][]string{"qpdf": {"--check", name}, "pdfsig": {"-nocert", name}, "mutool": {"info", name}} {
		if _, err := exec.LookPath(program); err != nil {
			t.Logf("%s is not installed", program)
			continue
		}
		out, err := exec.Command(program, args...).CombinedOutput()
		text := strings.ToLower(strings.ReplaceAll(string(out), name, ""))
		require.NoError(t, err, "%s: %s", program, text)
		for _, complaint := range []string{"warning", "error:", "repair", "damaged"} {
			require.NotContains(t, text, complaint, program)
		}
		if program == "pdfsig" {
			require.Contains(t, text, "signature is valid")
			require.Contains(t, text, "total document signed")
		}
	}
}

// TestStampDamagedFiles are the files that are damaged in other ways: those that
// a search makes whole are stamped, the others refused, most of them as without
// the option.
func TestStampDamagedFiles(t *testing.T) {
	whole := []string{
		"offsets-shifted", "prev-cycle", "root-missing", "size-huge", "startxref-elsewhere", "startxref-huge",
		"startxref-missing", "startxref-negative", "startxref-outside", "truncated-in-xref",
	}
	var done, ambiguous []string
	for i, f := range pdfs.Damaged() {
		src := f.Bytes()
		_, without := sign.Open(bytes.NewReader(src), int64(len(src)), stampOptions(t))
		require.Error(t, without, f.Name)
		opt := repairOptions(t)
		_, err := sign.Open(bytes.NewReader(src), int64(len(src)), opt)
		if errors.Is(err, sign.ErrAmbiguous) {
			ambiguous = append(ambiguous, f.Name)
			continue
		}
		if err != nil {
			require.Equal(t, errors.Is(without, pdf.ErrDamaged), errors.Is(err, pdf.ErrDamaged), f.Name)
			require.Equal(t, errors.Is(without, pdf.ErrNotPDF), errors.Is(err, pdf.ErrNotPDF), f.Name)
			continue
		}
		done = append(done, f.Name)
		requireRepairStamp(t, stamp(t, src, opt, sign.Issue{Number: numberOf(t, uint64(i))}))
	}
	require.Equal(t, whole, done)
	require.Equal(t, []string{"objstm-extends-cycle", "root-wrong", "truncated"}, ambiguous)
}

// TestRepairChangesNothingElse stamps a file that needs no repair.
func TestRepairChangesNothingElse(t *testing.T) {
	src := fileBytes(t, "classic.pdf")
	doc := open(t, src, repairOptions(t))
	require.Empty(t, doc.Warnings())
	require.Contains(t, string(stamp(t, src, repairOptions(t), sign.Issue{Number: numberOf(t, 1)})[len(src):]), "/Prev")
}

// TestStampAmbiguousRepair: where readers that repair a file are known to differ,
// the stamp needs two permissions, and no verifier will call it good.
func TestStampAmbiguousRepair(t *testing.T) {
	src := append(beheaded(tinyPDF("", "", "")), "5 0 obj\n[1]\nendobj\n"...)
	opt := repairOptions(t)
	_, err := sign.Open(bytes.NewReader(src), int64(len(src)), opt)
	require.ErrorIs(t, err, sign.ErrAmbiguous)
	require.ErrorContains(t, err, "object 5 is defined more than once")
	opt.AllowAmbiguous = true
	require.Contains(t, strings.Join(open(t, src, opt).Warnings(), "\n"), "readers that repair the document differ")
	out := stamp(t, src, opt, sign.Issue{Number: numberOf(t, 1)})
	contented(t, out)
	report := verified(t, out)
	require.Equal(t, verify.Indeterminate, report.Indication, report.Text())
}
