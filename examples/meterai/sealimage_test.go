package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/seal"
)

// TestSealInAnImage: what a scanner gives goes in as it is; an image without a seal
// and a file that is no image are errors that say so.
func TestSealInAnImage(t *testing.T) {
	dir, in := demo(t)
	tmp := t.TempDir()
	out := filepath.Join(tmp, "out.pdf")
	ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out)
	image := func(name, text string) string {
		b, err := seal.PNG(text, 300)
		require.NoError(t, err)
		file := filepath.Join(tmp, name)
		require.NoError(t, os.WriteFile(file, b, 0o600))
		return file
	}
	text := sealOf(t, out)
	scanned := image("scan.png", text)
	require.Contains(t, ok(t, "seal", "--dir", dir, "--image", scanned), "genuine SPECIMEN seal")
	code, _, complaint := meterai(t, "seal", "--dir", dir, "--image", image("number.png", "123456789"))
	require.NotZero(t, code)
	require.Contains(t, complaint, "no seal found")
	code, _, complaint = meterai(t, "seal", "--dir", dir, "--image", out)
	require.NotZero(t, code)
	require.Contains(t, complaint, "neither PNG nor JPEG")
	code, _, _ = meterai(t, "seal", "--dir", dir, "--image", scanned, text)
	require.Equal(t, exitUsage, code)
	elsewhere := filepath.Join(tmp, "elsewhere")
	ok(t, "init", "--dir", elsewhere)
	code, _, _ = meterai(t, "seal", "--dir", elsewhere, "--image", scanned)
	require.Equal(t, 5, code)
}
