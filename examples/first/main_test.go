package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/testdata/pdfs"
	"github.com/seed-574216e4/meterai/verify"
	"github.com/seed-574216e4/meterai/verify/verifytest"
)

func TestFirst(t *testing.T) {
	file, err := pdfs.Get("surat-pernyataan.pdf")
	require.NoError(t, err)
	in, out := filepath.Join(t.TempDir(), "in.pdf"), filepath.Join(t.TempDir(), "out.pdf")
	require.NoError(t, os.WriteFile(in, file.Bytes(), 0o600))
	args := os.Args
	t.Cleanup(func() { os.Args = args })
	os.Args = []string{"first", in, out}
	main()
	stamped, err := os.ReadFile(out)
	require.NoError(t, err)
	verifytest.Stamped(t, stamped, &verify.Options{IntegrityOnly: true})
}
