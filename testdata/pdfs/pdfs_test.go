package pdfs_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/testdata"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
)

func TestTableIsComplete(t *testing.T) {
	entries, err := testdata.FS.ReadDir("pdf")
	require.NoError(t, err)
	var onDisk, inTable []string
	for _, e := range entries {
		if !e.IsDir() {
			onDisk = append(onDisk, e.Name())
		}
	}
	total := 0
	for _, f := range pdfs.Files() {
		inTable = append(inTable, f.Name)
		b := f.Bytes()
		total += len(b)
		require.LessOrEqual(t, len(b), 200<<10, "%s: checked-in files are small", f.Name)
		require.True(t, bytes.HasPrefix(b, []byte("%PDF-")), f.Name)
		require.NotEmpty(t, f.Shows, f.Name)
		require.Positive(t, f.Pages, f.Name)
		require.Equal(t, f.Signatures, bytes.Count(b, []byte("/ByteRange")), f.Name)
	}
	require.Equal(t, onDisk, inTable)
	require.Less(t, total, 2<<20)
	require.GreaterOrEqual(t, len(pdfs.StampableFiles()), 30)
}

func TestHandmadeFilesAreWhatTheyWereMadeAs(t *testing.T) {
	made := pdfs.Handmade()
	require.NotEmpty(t, made)
	for name, b := range made {
		f, err := pdfs.Get(name)
		require.NoError(t, err)
		require.True(t, bytes.Equal(b, f.Bytes()), "%s: run testdata/pdf/make.sh --install", name)
	}
}

func TestGet(t *testing.T) {
	f, err := pdfs.Get("truncated")
	require.NoError(t, err)
	require.Equal(t, pdfs.Malformed, f.Expect)
	_, err = pdfs.Get("nothing.pdf")
	require.ErrorIs(t, err, fs.ErrNotExist)
	first := f.Bytes()
	first[0] = 'x'
	require.NotEqual(t, first, f.Bytes(), "each call gives a copy")
}

func qpdf(t *testing.T) func(args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("qpdf")
	if err != nil {
		t.Skip("qpdf is not installed; install it to have it check the files")
	}
	return func(args ...string) (string, error) {
		out, err := exec.Command(path, args...).CombinedOutput()
		return string(out), err
	}
}

func TestQPDFHasNoComplaint(t *testing.T) {
	run := qpdf(t)
	for _, f := range pdfs.Files() {
		t.Run(f.Name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), f.Name)
			require.NoError(t, os.WriteFile(path, f.Bytes(), 0o600))
			if f.Expect == pdfs.Encrypted {
				out, err := run("--check", path)
				require.Error(t, err)
				require.Contains(t, out, "invalid password")
				for _, password := range []string{f.Password, pdfs.OwnerPassword} {
					out, err = run("--check", "--password="+password, path)
					require.NoError(t, err, out)
				}
				return
			}
			checkClean(t, run, path, f.Pages)
		})
	}
}

func checkClean(t *testing.T, run func(...string) (string, error), path string, pages int) {
	t.Helper()
	out, err := run("--check", path)
	require.NoError(t, err, out)
	require.NotContains(t, out, "WARNING")
	require.Contains(t, out, "No syntax or stream encoding errors found")
	out, err = run("--show-npages", path)
	require.NoError(t, err, out)
	require.Equal(t, strconv.Itoa(pages), strings.TrimSpace(out))
}

func TestQPDFFindsTheDamage(t *testing.T) {
	run := qpdf(t)
	// qpdf sees nothing wrong with these: the first lies in what a check does not count,
	// the last is a matter of limits only.
	silent := map[string]bool{"count-huge": true, "deep-array": true}
	for _, f := range pdfs.Damaged() {
		t.Run(f.Name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), f.Name+".pdf")
			require.NoError(t, os.WriteFile(path, f.Bytes(), 0o600))
			out, err := run("--check", path)
			var exit *exec.ExitError
			if silent[f.Name] && err == nil {
				return
			}
			require.True(t, errors.As(err, &exit), out)
		})
	}
}

func TestScan(t *testing.T) {
	for _, size := range []int64{pdfs.MinScan, 100_001, 1_000_000, 2_179_000, 2_180_936, 5_000_003} {
		var a, b bytes.Buffer
		require.NoError(t, pdfs.Scan(&a, size))
		require.EqualValues(t, size, a.Len())
		require.NoError(t, pdfs.Scan(&b, size))
		require.True(t, bytes.Equal(a.Bytes(), b.Bytes()), "the same call gives the same bytes")
	}
	require.ErrorContains(t, pdfs.Scan(io.Discard, pdfs.MinScan-1), "4096")
}

func TestBigFilesStayWhatTheyAre(t *testing.T) {
	h := sha256.New()
	require.NoError(t, pdfs.Scan(h, 1<<20))
	require.NoError(t, pdfs.Pages(h, 50, pdfs.Table))
	require.Equal(t, "c75eecfd2da06b0f83ee965e0d2b37bbaf455853e63929af150338fa12b88a44", hex.EncodeToString(h.Sum(nil)))
}

func TestQPDFReadsBigFiles(t *testing.T) {
	run := qpdf(t)
	for _, c := range []struct {
		name  string
		pages int
		write func(io.Writer) error
	}{
		{"scan", 3, func(w io.Writer) error { return pdfs.Scan(w, 5_000_003) }},
		{"smallest scan", 1, func(w io.Writer) error { return pdfs.Scan(w, pdfs.MinScan) }},
		{"one page", 1, func(w io.Writer) error { return pdfs.Pages(w, 1, pdfs.Table) }},
		{"table", 33, func(w io.Writer) error { return pdfs.Pages(w, 33, pdfs.Table) }},
		{"stream", 1100, func(w io.Writer) error { return pdfs.Pages(w, 1100, pdfs.Stream) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "big.pdf")
			f, err := os.Create(path)
			require.NoError(t, err)
			require.NoError(t, c.write(f))
			require.NoError(t, f.Close())
			checkClean(t, run, path, c.pages)
		})
	}
}

func TestPagesOfTheBenchmark(t *testing.T) {
	var n countWriter
	require.NoError(t, pdfs.Pages(&n, 4785, pdfs.Table))
	require.InDelta(t, 20<<20, int(n), 1<<20)
	require.Error(t, pdfs.Pages(io.Discard, 0, pdfs.Table))
}

type countWriter int

func (n *countWriter) Write(b []byte) (int, error) { *n += countWriter(len(b)); return len(b), nil }

type failing struct{}

var errFull = errors.New("no room")

func (failing) Write([]byte) (int, error) { return 0, errFull }

func TestWriteErrorsCome(t *testing.T) {
	require.ErrorIs(t, pdfs.Scan(failing{}, 1<<20), errFull)
	require.ErrorIs(t, pdfs.Pages(failing{}, 100, pdfs.Stream), errFull)
}
