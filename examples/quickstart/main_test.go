package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestQuickstart(t *testing.T) {
	out := filepath.Join(t.TempDir(), "stamped.pdf")
	var log bytes.Buffer
	require.NoError(t, run(t.Context(), out, &log))
	b, err := os.ReadFile(out)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(b, []byte("%PDF-")))
	require.Contains(t, log.String(), "TOTAL-PASSED")
	require.Contains(t, log.String(), "SPECIMEN")
}
