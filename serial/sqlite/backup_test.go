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

// TestBackup: a copy that is made while units are used is a whole ledger of one moment, and what is restored from it
// issues nothing until it is fenced. (I8, I12)
func TestBackup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "l.db"), filepath.Join(dir, "a copy?#%.db")
	s := open(t, path)
	l := newLedger(t, s, 16)
	_, err := l.Credit(t.Context(), "a", 1<<20, []byte("x"))
	require.NoError(t, err)
	before := make(map[serial.Number]bool)
	for i := range 300 {
		r, err := l.Reserve(t.Context(), req("a", fmt.Sprint("before", i)))
		require.NoError(t, err)
		before[r.Number] = true
	}
	stop, ended := make(chan bool), make(chan error)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				close(ended)
				return
			default:
			}
			if _, err := l.Reserve(context.Background(), req("a", fmt.Sprint("during", i))); err != nil {
				ended <- err
				return
			}
		}
	}()
	require.NoError(t, s.Backup(t.Context(), copied))
	close(stop)
	require.NoError(t, <-ended)
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
