package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A file whose end is lost is stamped on request only, and verifies.
func TestStampRepairs(t *testing.T) {
	dir, in := demo(t)
	whole, err := os.ReadFile(in)
	require.NoError(t, err)
	before := available(t, dir)
	bad, out := filepath.Join(t.TempDir(), "bad.pdf"), filepath.Join(t.TempDir(), "out.pdf")
	require.NoError(t, os.WriteFile(bad, whole[:bytes.LastIndex(whole, []byte("startxref"))], 0o600))
	code, _, errOut := meterai(t, "stamp", "--dir", dir, "--account", "me", "--in", bad, "--out", out)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errOut, "--repair")
	require.Equal(t, before, available(t, dir))
	code, _, errOut = meterai(t, "stamp", "--dir", dir, "--account", "me", "--in", bad, "--out", out, "--repair")
	require.Zero(t, code, errOut)
	require.Contains(t, errOut, "read by repair")
	require.Contains(t, ok(t, "verify", "--dir", dir, out), "the document was damaged")
	require.Equal(t, before-1, available(t, dir))
}
