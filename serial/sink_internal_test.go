package serial

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// recorder notes which directories are made durable, and fails on demand: what no test outside the package can see.
type recorder struct {
	dirs []string
	fail error
}

func (r *recorder) sync(dir string) error {
	r.dirs = append(r.dirs, dir)
	return r.fail
}

func (r *recorder) system() dirSystem {
	s := theSystem()
	s.syncDir = r.sync
	return s
}

func internalNumber(t *testing.T) Number {
	t.Helper()
	s, err := NewScheme('1', "ZK", [32]byte{})
	require.NoError(t, err)
	n, err := s.Number(1)
	require.NoError(t, err)
	return n
}

// TestDirSinkIsDurable: an output is given back for booking only after its names are durable, up to the root, also when
// directories and file were made by a process that crashed. (I7, I10)
func TestDirSinkIsDurable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "er")
	require.NoError(t, os.MkdirAll(dir, 0o700)) // by whom, and durably?
	var r recorder
	s := &DirSink{dir: dir, os: r.system(), settled: make(map[string]bool)}
	require.NoError(t, s.makeDir())
	for d := dir; filepath.Dir(d) != d; {
		d = filepath.Dir(d)
		require.Contains(t, r.dirs, d)
	}
	r.fail = fs.ErrPermission
	require.NoError(t, s.makeDir(), "what is not readable was not made here")
	r.fail = errors.New("disk on fire")
	require.ErrorIs(t, s.makeDir(), r.fail)

	n, claim := internalNumber(t), [32]byte{1}
	text := func(w io.Writer) error {
		_, err := io.WriteString(w, "x")
		return err
	}
	r.fail = nil
	folder, file := s.path(n)
	require.NoError(t, s.settle(folder))
	r.fail, r.dirs = errors.New("disk on fire"), nil
	require.ErrorIs(t, s.PutClaimed(t.Context(), n, claim, text), r.fail)
	require.FileExists(t, file, "there, but perhaps not after a crash")
	_, err := s.OpenClaimed(t.Context(), n, claim)
	require.ErrorIs(t, err, r.fail, "not to be booked")
	require.ErrorIs(t, s.PutClaimed(t.Context(), n, claim, text), fs.ErrExist)

	// A new process finds folder and file; it knows of neither whether they are durable.
	r.fail, r.dirs = nil, nil
	s = &DirSink{dir: dir, os: r.system(), settled: make(map[string]bool)}
	rc, err := s.OpenClaimed(t.Context(), n, claim)
	require.NoError(t, err)
	require.NoError(t, rc.Close())
	require.Equal(t, []string{dir, folder}, r.dirs)
}

// TestClaims holds what [ClaimSink] says, and what a crash between the two names leaves.
func TestClaims(t *testing.T) {
	s, err := NewDirSink(t.TempDir())
	require.NoError(t, err)
	n, mine, other := internalNumber(t), [32]byte{1}, [32]byte{2}
	put := func(claim [32]byte, text string) error {
		return s.PutClaimed(t.Context(), n, claim, func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		})
	}
	read := func(claim [32]byte) (string, error) {
		rc, err := s.OpenClaimed(context.Background(), n, claim)
		if err != nil {
			return "", err
		}
		defer rc.Close()
		b, err := io.ReadAll(rc)
		return string(b), err
	}
	var foreign *ForeignOutputError
	_, err = read(mine)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, put(mine, "first"))
	require.ErrorIs(t, put(mine, "second"), fs.ErrExist)
	require.ErrorIs(t, put(other, "third"), fs.ErrExist)
	got, err := read(mine)
	require.NoError(t, err)
	require.Equal(t, "first", got)
	_, err = read(other)
	require.ErrorAs(t, err, &foreign)

	folder, file := s.path(n)
	names, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, names, 2)
	require.NoError(t, os.Remove(file)) // as after a crash between the links
	got, err = read(mine)
	require.NoError(t, err)
	require.Equal(t, "first", got)
	require.NoError(t, os.Remove(file))
	require.ErrorIs(t, put(mine, "second"), fs.ErrExist)
	got, err = read(mine)
	require.NoError(t, err)
	require.Equal(t, "first", got)

	// A copy without hard links says the same, a changed one does not.
	require.NoError(t, os.Remove(file))
	require.NoError(t, os.WriteFile(file, []byte("first"), 0o600))
	got, err = read(mine)
	require.NoError(t, err)
	require.Equal(t, "first", got)
	require.NoError(t, os.WriteFile(file, []byte("worst"), 0o600))
	_, err = read(mine)
	require.ErrorAs(t, err, &foreign)
	require.NoError(t, os.Remove(claimed(file, mine)))
	_, err = read(mine)
	require.ErrorAs(t, err, &foreign)
	_, err = s.OpenClaimed(t.Context(), Number{}, mine)
	require.ErrorIs(t, err, fs.ErrNotExist)
}
