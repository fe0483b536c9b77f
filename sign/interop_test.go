package sign_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
)

// program gives the path of an independent tool, or skips.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

// stampedFiles stamps every shape of file and writes it to a folder.
func stampedFiles(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	paths := map[string]string{}
	for i, f := range pdfs.StampableFiles() {
		path := filepath.Join(dir, f.Name)
		out := stamp(t, f.Bytes(), stampOptions(t), sign.Issue{Number: numberOf(t, uint64(i))})
		require.NoError(t, os.WriteFile(path, out, 0o600))
		paths[f.Name] = path
	}
	require.Greater(t, len(paths), 20)
	return paths
}

func TestPopplerCallsItValid(t *testing.T) {
	pdfsig := program(t, "pdfsig")
	for name, path := range stampedFiles(t) {
		out, _ := exec.Command(pdfsig, "-nocert", path).CombinedOutput()
		f, err := pdfs.Get(name)
		require.NoError(t, err)
		require.Equal(t, f.Signatures+1, strings.Count(string(out), "Signature is Valid."), "%s: %s", name, out)
		require.Contains(t, string(out), "Total document signed", name)
	}
}

func TestQPDFHasNoComplaint(t *testing.T) {
	qpdf := program(t, "qpdf")
	for name, path := range stampedFiles(t) {
		out, err := exec.Command(qpdf, "--check", path).CombinedOutput()
		require.NoError(t, err, "%s: %s", name, out)
	}
}

// A phone reads the printed seal: the last page of each file is drawn at 200
// dpi on paper and read.
func TestThePrintedSealReads(t *testing.T) {
	pdftoppm, zbarimg := program(t, "pdftoppm"), program(t, "zbarimg")
	for name, path := range stampedFiles(t) {
		f, err := pdfs.Get(name)
		require.NoError(t, err)
		dpi := 200
		if name == "userunit.pdf" {
			dpi = 400 // poppler draws units of 1/36 inch as if they were points
		}
		picture := strings.TrimSuffix(path, ".pdf")
		out, err := exec.Command(pdftoppm, "-r", fmt.Sprint(dpi), "-f", fmt.Sprint(f.Pages), "-singlefile", "-gray", "-png", path, picture).CombinedOutput()
		require.NoError(t, err, "%s: %s", name, out)
		text, err := exec.Command(zbarimg, "--raw", "-q", "-Sdisable", "-Sqrcode.enable", picture+".png").Output()
		require.NoError(t, err, name)
		require.Len(t, strings.TrimSpace(string(text)), 314, name)
	}
}
