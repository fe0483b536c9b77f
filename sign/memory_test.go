package sign_test

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
	"github.com/seed-574216e4/meterai/verify"
)

// allocated is how many bytes f allocates altogether.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Stamping and verifying 64 MB takes as much memory as 1 MB does.
func TestMemoryDoesNotGrowWithTheSource(t *testing.T) {
	const most = 2 << 20
	path := filepath.Join(t.TempDir(), "scan.pdf")
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	w := bufio.NewWriter(f)
	size := int64(64 << 20)
	require.NoError(t, pdfs.Scan(w, size))
	require.NoError(t, w.Flush())
	out, err := os.Create(path + ".stamped")
	require.NoError(t, err)
	defer out.Close()
	cred := credential(t, specimen(t).StampP256)
	opt := stampOptions(t)
	require.Less(t, allocated(func() {
		doc, err := sign.Open(f, size, opt)
		require.NoError(t, err)
		_, err = doc.Sign(t.Context(), out, cred, sign.Issue{Number: numberOf(t, 1)})
		require.NoError(t, err)
	}), uint64(most))
	length, err := out.Seek(0, io.SeekCurrent)
	require.NoError(t, err)
	trust := trusted(t)
	require.Less(t, allocated(func() {
		report, err := verify.Document(t.Context(), out, length, trust)
		require.NoError(t, err)
		require.Equal(t, verify.TotalPassed, report.Indication, "%v", report)
	}), uint64(most))
}
