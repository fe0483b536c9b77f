package sqlite_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/sqlite"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

// stepping is a context that does something each time it is looked at: a backup does so before each step.
type stepping struct {
	context.Context
	step func()
}

func (s stepping) Err() error {
	s.step()
	return s.Context.Err()
}

// TestBackup: a copy that is made while units are used is a whole ledger of one moment, and what is restored from it
// issues nothing until it is fenced. (I8, I12)
func TestBackup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "l.db"), filepath.Join(dir, "a copy?#%.db")
	s, err := sqlite.Open(t.Context(), path, sqlite.InSteps(1))
	require.NoError(t, err)
	l := newLedger(t, s, 16)
	_, err = l.Credit(t.Context(), "a", 1<<20, []byte("x"))
	require.NoError(t, err)
	before := make(map[serial.Number]bool)
	for i := range 300 {
		r, err := l.Reserve(t.Context(), req("a", fmt.Sprint("before", i)))
		require.NoError(t, err)
		before[r.Number] = true
	}
	var during []serial.Number
	require.NoError(t, s.Backup(stepping{t.Context(), func() {
		r, err := l.Reserve(t.Context(), req("a", fmt.Sprint("during", len(during))))
		require.NoError(t, err)
		during = append(during, r.Number)
	}}, copied))
	require.Greater(t, len(during), 20, "many steps")
	require.ErrorIs(t, s.Backup(t.Context(), copied), fs.ErrExist)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Backup(cancelled, filepath.Join(dir, "other.db")), context.Canceled)
	require.Error(t, s.Backup(t.Context(), filepath.Join(dir, "no", "copy.db")))
	left, err := filepath.Glob(filepath.Join(dir, ".backup-*"))
	require.NoError(t, err)
	require.Empty(t, left)
	info, err := os.Stat(copied)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Backup(t.Context(), filepath.Join(dir, "late.db")), serial.ErrClosed)

	requireMoment(t, copied, during)
	requireFencedCopy(t, copied, before)
	require.NoError(t, os.Rename(copied+".witness", filepath.Join(dir, "unused")), "the fence has made one")
	require.NoError(t, os.Remove(copied))

	// Beside the old witness: restored over the original.
	s = open(t, path)
	require.NoError(t, s.Backup(t.Context(), copied))
	l = newLedger(t, s, 16)
	r, err := l.Reserve(t.Context(), req("a", "after the copy"))
	require.NoError(t, err)
	before[r.Number] = true
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())
	require.NoError(t, os.Rename(copied, path))
	delete(before, r.Number)
	requireFencedCopy(t, path, before, r.Number)
}

// requireMoment fails if the copy has a number that was issued after one that it has not, or the last.
func requireMoment(t *testing.T, path string, issued []serial.Number) {
	t.Helper()
	s := open(t, path)
	l := newLedger(t, s, 16)
	in := 0
	for i, n := range issued {
		_, err := l.Lookup(t.Context(), n)
		if err == nil {
			require.Equal(t, in, i)
			in++
			continue
		}
		require.ErrorIs(t, err, serial.ErrNotFound)
	}
	require.Less(t, in, 10, "the moment is the beginning")
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())
}

// TestBackupReplacesNothing: not even a file that appears while the copy is made.
func TestBackupReplacesNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "l.db"))
	taken := filepath.Join(dir, "copy.db")
	err := s.Backup(stepping{t.Context(), func() { require.NoError(t, os.WriteFile(taken, []byte("mine"), 0o600)) }}, taken)
	require.ErrorIs(t, err, fs.ErrExist)
	require.Equal(t, "mine", readFile(t, taken))
	left, err := filepath.Glob(filepath.Join(dir, ".backup-*"))
	require.NoError(t, err)
	require.Empty(t, left)
	require.NoError(t, s.Close())
}

// requireFencedCopy opens a copy of the database that holds some numbers, and others were issued after it was made.
func requireFencedCopy(t *testing.T, path string, has map[serial.Number]bool, lost ...serial.Number) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, &sqlite.Options{MustExist: true})
	require.NoError(t, err)
	l := newLedger(t, s, 16)
	for n := range has {
		_, err := l.Lookup(t.Context(), n)
		require.NoError(t, err)
	}
	_, err = l.Reserve(t.Context(), req("a", "more"))
	require.ErrorIs(t, err, serial.ErrFenced)
	require.NoError(t, s.Fence(t.Context(), 1<<30))
	require.Empty(t, problems(t, s))
	r, err := l.Reserve(t.Context(), req("a", "more"))
	require.NoError(t, err)
	require.NotContains(t, has, r.Number)
	require.NotContains(t, lost, r.Number)
	want, err := storetest.Scheme(t).Number(1 << 30)
	require.NoError(t, err)
	require.Equal(t, want, r.Number)
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())
}
