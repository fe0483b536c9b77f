package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/testdata/pki"
)

// valid has poppler look at the signature.
func valid(t *testing.T, file string) {
	t.Helper()
	if _, err := exec.LookPath("pdfsig"); err != nil {
		t.Skip("pdfsig is not installed: nobody else looks at the signature")
	}
	text, err := exec.Command("pdfsig", "-nocert", file).CombinedOutput()
	require.NoError(t, err, "%s", text)
	require.Contains(t, string(text), "Signature is Valid")
	require.Contains(t, string(text), "Total document signed")
}

func TestSpecimen(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.pdf")
	var said bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"--out", out}, &said))
	require.Contains(t, said.String(), "signature: TOTAL-PASSED")
	require.Contains(t, said.String(), "genuine SPECIMEN seal of 0ZZ")
	valid(t, out)
}

// The symbol is read from the page as a phone reads it.
func TestSymbolIsRead(t *testing.T) {
	for _, program := range []string{"pdftoppm", "zbarimg"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not installed: nothing reads the symbol from the page")
		}
	}
	dir := t.TempDir()
	p, err := pki.New(nil)
	require.NoError(t, err)
	c, err := parse(nil)
	require.NoError(t, err)
	who, err := c.identity(t.Context(), p)
	require.NoError(t, err)
	source, err := c.source()
	require.NoError(t, err)
	text, signed, err := stamp(t.Context(), who, p.SealP256, source)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "out.pdf"), signed, 0o600))
	said, err := exec.Command("pdftoppm", "-r", "200", "-f", "1", "-singlefile", "-png", filepath.Join(dir, "out.pdf"), filepath.Join(dir, "page")).CombinedOutput()
	require.NoError(t, err, "%s", said)
	read, err := exec.Command("zbarimg", "--raw", "-q", filepath.Join(dir, "page.png")).Output()
	require.NoError(t, err)
	require.Contains(t, string(read), text)
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{{"--module", "x"}, {"--nothing"}, {"--in", filepath.Join(t.TempDir(), "missing.pdf"), "--out", filepath.Join(t.TempDir(), "out.pdf")}} {
		require.Error(t, run(t.Context(), args, &bytes.Buffer{}), strings.Join(args, " "))
	}
}
