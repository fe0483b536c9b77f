package sqlite_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/sqlite"
)

// withUnits opens a ledger on a database and gives an account units under a reference.
func withUnits(t *testing.T, s *sqlite.Store, account, reference string) *serial.Ledger {
	t.Helper()
	l := newLedger(t, s, 16)
	_, err := l.Credit(t.Context(), account, 100, []byte(reference))
	require.NoError(t, err)
	return l
}

// A backup in the place of a database that crashed, whose log was left: SQLite would play it onto the backup.
func TestRestoreBesideTheOldLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "l.db"), filepath.Join(dir, "copy.db")
	s := open(t, path)
	l := withUnits(t, s, "a", "before")
	require.NoError(t, s.Backup(t.Context(), copied))
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())
	s = open(t, path) // the log begins anew
	l = withUnits(t, s, "b", "after")
	_, err := l.Reserve(t.Context(), req("b", "1")) // which the witness sees at once
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	t.Cleanup(func() { require.NoError(t, l.Close()) })

	crashed := filepath.Join(dir, "crashed.db")
	copyFile(t, copied, crashed)
	copyFile(t, path+"-wal", crashed+"-wal")
	copyFile(t, path+".witness", crashed+".witness")
	_, err = sqlite.Open(t.Context(), crashed, nil)
	var format *sqlite.FormatError
	require.ErrorAs(t, err, &format)
	require.Contains(t, format.Reason, "belongs to another database")

	require.NoError(t, os.Remove(crashed+"-wal"))
	require.NoError(t, os.RemoveAll(crashed+"-shm"))
	restored := open(t, crashed)
	t.Cleanup(func() { require.NoError(t, restored.Close()) })
	old := newLedger(t, restored, 16)
	t.Cleanup(func() { require.NoError(t, old.Close()) })
	_, err = old.Credit(t.Context(), "b", 100, []byte("after"))
	require.ErrorIs(t, err, serial.ErrFenced, "the witness has seen more")
}

// The log of a database that crashed is its own.
func TestCrashedLogIsTaken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, crashed := filepath.Join(dir, "l.db"), filepath.Join(dir, "crashed.db")
	s := open(t, path)
	l := withUnits(t, s, "a", "x")
	for _, end := range []string{"", "-wal", ".witness"} {
		copyFile(t, path+end, crashed+end)
	}
	again := open(t, crashed)
	m := newLedger(t, again, 16)
	b, err := m.Balance(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, int64(100), b.Available)
	for _, close := range []func() error{m.Close, again.Close, l.Close, s.Close} {
		require.NoError(t, close())
	}
}

func TestFilesTakenAway(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(t *testing.T, s *sqlite.Store, path string){
		"the log": func(t *testing.T, _ *sqlite.Store, path string) { require.NoError(t, os.Remove(path+"-wal")) },
		"the database": func(t *testing.T, s *sqlite.Store, path string) {
			require.NoError(t, s.Backup(t.Context(), path+".copy"))
			require.NoError(t, os.Rename(path+".copy", path))
		},
	} {
		path := filepath.Join(t.TempDir(), "l.db")
		s := open(t, path)
		l := withUnits(t, s, "a", "x")
		_, err := l.Reserve(t.Context(), req("a", "before"))
		require.NoError(t, err)
		take(t, s, path)
		for i := range 3 {
			_, err = l.Reserve(t.Context(), req("a", fmt.Sprint(i)))
			require.ErrorIs(t, err, serial.ErrFenced, name)
		}
		require.NoError(t, l.Close())
		_ = s.Close() // which may say what it met
	}
}

// TestOtherFileOfTheName: another process that works on another file of the name writes the same witness.
func TestOtherFileOfTheName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, other := filepath.Join(dir, "l.db"), filepath.Join(dir, "other.db")
	s := open(t, path)
	require.NoError(t, s.Close())
	copyFile(t, path, other)
	first, err := sqlite.Open(t.Context(), path, nil)
	require.NoError(t, err)
	second, err := sqlite.Open(t.Context(), other, &sqlite.Options{Witness: path + ".witness"})
	require.NoError(t, err)
	l, m := withUnits(t, first, "a", "x"), newLedger(t, second, 16)
	for i := range 40 {
		_, err := l.Reserve(t.Context(), req("a", fmt.Sprint(i)))
		require.NoError(t, err)
	}
	_, err = m.Credit(t.Context(), "a", 100, []byte("x"))
	require.NoError(t, err)
	_, err = m.Reserve(t.Context(), req("a", "1"))
	require.ErrorIs(t, err, serial.ErrFenced, "the first number would be one that was given out")
	for _, close := range []func() error{l.Close, m.Close, first.Close} {
		require.NoError(t, close())
	}
	_ = second.Close() // which cannot write its witness
}

func TestBackupNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "l.db"))
	for _, end := range []string{"-wal", "-shm", "-journal"} {
		path := filepath.Join(dir, "copy"+end+".db")
		require.NoError(t, os.WriteFile(path+end, nil, 0o600))
		require.ErrorIs(t, s.Backup(t.Context(), path), fs.ErrExist, end)
	}
	// A copy of a new ledger is no new ledger.
	empty := filepath.Join(dir, "empty.db")
	require.NoError(t, s.Backup(t.Context(), empty))
	require.NoError(t, s.Close())
	c := open(t, empty)
	l := newLedger(t, c, 16)
	_, err := l.Credit(t.Context(), "a", 1, []byte("x"))
	require.ErrorIs(t, err, serial.ErrFenced)
	require.NoError(t, l.Close())
	require.NoError(t, c.Close())
}
