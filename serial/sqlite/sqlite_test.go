package sqlite_test

import (
	"database/sql"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/sqlite"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

func open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, nil)
	require.NoError(t, err)
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) func() serial.Store {
		path := filepath.Join(t.TempDir(), "a ledger?#%.db")
		return func() serial.Store { return open(t, path) }
	})
}

func newLedger(t testing.TB, s serial.Store, block uint64) *serial.Ledger {
	t.Helper()
	l, err := serial.Open(t.Context(), s, &serial.Options{Scheme: storetest.Scheme(t), Block: block})
	require.NoError(t, err)
	return l
}

func req(account, key string) serial.Request {
	return serial.Request{Account: account, Key: []byte(key), Digest: [32]byte{1}, Length: 10, Value: 10000}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, b, 0o600))
}

func execSQL(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	for _, s := range statements {
		_, err := db.ExecContext(t.Context(), s)
		require.NoError(t, err, s)
	}
	require.NoError(t, db.Close())
}

func TestFilesAreForTheOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l.db")
	s := open(t, path)
	l := newLedger(t, s, 0)
	_, err := l.Credit(t.Context(), "a", 1, []byte("x"))
	require.NoError(t, err)
	files, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	require.Len(t, files, 4, "database, log, shared memory, witness: %v", files)
	for _, f := range files {
		info, err := os.Stat(f)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), f)
	}
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())
}

func TestForeignFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	require.NoError(t, os.WriteFile(text, []byte("this is no database, but it is long enough to have a header of 100 bytes; "+
		"so the driver must look at it and say that it is none of its own"), 0o600))
	foreign := filepath.Join(dir, "foreign.db")
	execSQL(t, foreign, "CREATE TABLE t (x)")
	marked := filepath.Join(dir, "marked.db")
	execSQL(t, marked, "PRAGMA application_id=77")
	newer := filepath.Join(dir, "newer.db")
	require.NoError(t, open(t, newer).Close())
	execSQL(t, newer, "PRAGMA user_version=2")
	older := filepath.Join(dir, "older.db")
	require.NoError(t, open(t, older).Close())
	execSQL(t, older, "PRAGMA user_version=0")
	for path, reason := range map[string]string{
		text: "not a SQLite database", foreign: "another program", marked: "another program", newer: "schema version 2", older: "schema version 0",
	} {
		before, err := os.ReadFile(path)
		require.NoError(t, err)
		_, err = sqlite.Open(t.Context(), path, nil)
		var fe *sqlite.FormatError
		require.ErrorAs(t, err, &fe, path)
		require.Contains(t, fe.Error(), reason)
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, before, after, "%s was changed", path)
	}
	_, err := sqlite.Open(t.Context(), filepath.Join(dir, "no", "such", "directory"), nil)
	require.Error(t, err)
	_, err = sqlite.Open(t.Context(), dir, nil)
	require.Error(t, err)
}

// TestEntriesAreAppendOnly: the second guard, in the database itself. (I2)
func TestEntriesAreAppendOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l.db")
	s := open(t, path)
	l := newLedger(t, s, 0)
	_, err := l.Credit(t.Context(), "a", 1, []byte("x"))
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer db.Close()
	for _, bad := range []string{
		"UPDATE entries SET units = 2", "DELETE FROM entries", "UPDATE accounts SET available = available + 1",
		"UPDATE accounts SET available = -1, stamped = 2", "UPDATE accounts SET purchased = 'x'",
	} {
		_, err := db.ExecContext(t.Context(), bad)
		require.Error(t, err, bad)
	}
}

// TestOldBackup: a database behind its witness issues nothing until it is fenced. (I12)
func TestOldBackup(t *testing.T) {
	dir := t.TempDir()
	path, backup := filepath.Join(dir, "l.db"), filepath.Join(dir, "backup.db")
	seen := make(map[serial.Number]bool)
	use := func(keys ...string) {
		s := open(t, path)
		l := newLedger(t, s, 16)
		_, err := l.Credit(t.Context(), "a", 100, []byte("x"))
		require.NoError(t, err)
		for _, k := range keys {
			r, err := l.Reserve(t.Context(), req("a", k))
			require.NoError(t, err)
			require.False(t, seen[r.Number])
			seen[r.Number] = true
		}
		require.NoError(t, l.Close())
		require.NoError(t, s.Close())
	}
	use("1")
	copyFile(t, path, backup)
	use("2", "3")
	copyFile(t, backup, path)

	s := open(t, path)
	l := newLedger(t, s, 16)
	_, err := l.Reserve(t.Context(), req("a", "4"))
	require.ErrorIs(t, err, serial.ErrFenced)
	_, err = l.Credit(t.Context(), "a", 5, []byte("y"))
	require.ErrorIs(t, err, serial.ErrFenced)
	_, err = l.LookupKey(t.Context(), "a", []byte("1"))
	require.NoError(t, err, "reading goes on")
	require.Error(t, s.Fence(t.Context(), serial.MaxCounter+1))
	require.NoError(t, s.Fence(t.Context(), 1000))
	r, err := l.Reserve(t.Context(), req("a", "4"))
	require.NoError(t, err)
	want, err := storetest.Scheme(t).Number(1000)
	require.NoError(t, err)
	require.Equal(t, want, r.Number)
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())
	use("5")
}

func TestLostOrForeignWitness(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "l.db")
	require.NoError(t, open(t, path).Close())
	require.NoError(t, os.Remove(path+".witness"))
	s := open(t, path) // nothing was done yet, so nothing is lost
	l := newLedger(t, s, 16)
	_, err := l.Credit(t.Context(), "a", 5, []byte("x"))
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())

	other := filepath.Join(dir, "other.db")
	require.NoError(t, open(t, other).Close())
	for name, spoil := range map[string]func(){
		"lost":    func() { require.NoError(t, os.Remove(path+".witness")) },
		"foreign": func() { copyFile(t, other+".witness", path+".witness") },
	} {
		spoil()
		s := open(t, path)
		l := newLedger(t, s, 16)
		_, err := l.Reserve(t.Context(), req("a", name))
		require.ErrorIs(t, err, serial.ErrFenced, name)
		require.NoError(t, s.Fence(t.Context(), 5000), name)
		_, err = l.Reserve(t.Context(), req("a", name))
		require.NoError(t, err, name)
		require.NoError(t, l.Close())
		require.NoError(t, s.Close())
		require.NoError(t, open(t, path).Close())
	}
	require.NoError(t, os.WriteFile(path+".witness", []byte("{"), 0o600))
	s = open(t, path)
	l = newLedger(t, s, 16)
	_, err = l.Reserve(t.Context(), req("a", "damaged"))
	var fe *sqlite.FormatError
	require.ErrorAs(t, err, &fe)
	require.ErrorIs(t, err, serial.ErrFenced)
	require.ErrorAs(t, s.Fence(t.Context(), 9000), &fe)
	_, err = l.Balance(t.Context(), "a")
	require.NoError(t, err, "reading goes on")
	require.Contains(t, problems(t, s), "not a witness")
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())
}

func problems(t *testing.T, s serial.Store) string {
	t.Helper()
	report, err := serial.Audit(t.Context(), s)
	require.NoError(t, err)
	var all strings.Builder
	for _, p := range report.Problems {
		all.WriteString(p.String() + "\n")
	}
	return all.String()
}

// TestWitnessIsWrittenBeforeTheLeaseIsUsed: without a witness, no numbers.
func TestWitnessIsWrittenBeforeTheLeaseIsUsed(t *testing.T) {
	dir := t.TempDir()
	away := filepath.Join(dir, "away")
	require.NoError(t, os.Mkdir(away, 0o700))
	s, err := sqlite.Open(t.Context(), filepath.Join(dir, "l.db"), &sqlite.Options{Witness: filepath.Join(away, "w")})
	require.NoError(t, err)
	l := newLedger(t, s, 16)
	_, err = l.Credit(t.Context(), "a", 5, []byte("x"))
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(away))
	_, err = l.Reserve(t.Context(), req("a", "1"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = l.LookupKey(t.Context(), "a", []byte("1"))
	require.ErrorIs(t, err, serial.ErrNotFound)
	require.NoError(t, os.Mkdir(away, 0o700))
	_, err = l.Reserve(t.Context(), req("a", "1"))
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())
}

// TestWitnessFollows: what takes no lease is witnessed soon, without Close.
func TestWitnessFollows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l.db")
	s := open(t, path)
	l := newLedger(t, s, 16)
	before, err := os.ReadFile(path + ".witness")
	require.NoError(t, err)
	_, err = l.Credit(t.Context(), "a", 5, []byte("x"))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		now, err := os.ReadFile(path + ".witness")
		return err == nil && string(now) != string(before)
	}, 10*time.Second, 20*time.Millisecond)
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())
}

func TestBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l.db")
	s, err := sqlite.Open(t.Context(), path, &sqlite.Options{BusyTimeout: 50 * time.Millisecond})
	require.NoError(t, err)
	other := open(t, path)
	err = other.Update(t.Context(), &serial.Query{}, func(*serial.Snapshot) (*serial.Batch, error) {
		err := s.Update(t.Context(), &serial.Query{}, func(*serial.Snapshot) (*serial.Batch, error) { return nil, nil })
		require.ErrorContains(t, err, "locked")
		require.NotErrorIs(t, err, serial.ErrUnknownOutcome)
		return nil, nil
	})
	require.NoError(t, err)
	require.NoError(t, s.Update(t.Context(), &serial.Query{}, func(*serial.Snapshot) (*serial.Batch, error) { return nil, nil }))
	require.NoError(t, s.Close())
	require.NoError(t, other.Close())
}
