package sqlite_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/sqlite"
)

// TestOpenedForReading: who only looks up waits for no writer, and leaves the files as they are.
func TestOpenedForReading(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l.db")
	read := func() *sqlite.Store {
		s, err := sqlite.Open(t.Context(), path, &sqlite.Options{ReadOnly: true})
		require.NoError(t, err)
		return s
	}
	_, err := sqlite.Open(t.Context(), path, &sqlite.Options{ReadOnly: true})
	var missing *sqlite.MissingError
	require.ErrorAs(t, err, &missing)
	require.NoFileExists(t, path)

	s := open(t, path)
	l := newLedger(t, s, 0)
	_, err = l.Credit(t.Context(), "a", 2, []byte("x"))
	require.NoError(t, err)
	r, err := l.Reserve(t.Context(), req("a", "k"))
	require.NoError(t, err)
	look := func(s *sqlite.Store) {
		reader, err := serial.Open(t.Context(), s, nil)
		require.NoError(t, err)
		got, err := reader.Lookup(t.Context(), r.Number)
		require.NoError(t, err)
		require.Equal(t, serial.Reserved, got.State)
		_, err = reader.Release(t.Context(), r.Number, "x")
		require.ErrorContains(t, err, "opened for reading")
		require.NoError(t, reader.Close())
		require.NoError(t, s.Close())
	}

	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(t.Context(), "BEGIN IMMEDIATE") // a writer that takes its time
	require.NoError(t, err)
	look(read())
	_, err = db.ExecContext(t.Context(), "COMMIT")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	_, err = l.Reserve(t.Context(), req("a", "k2"))
	require.NoError(t, err, "the writer goes on")
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())

	before := map[string][]byte{}
	for _, name := range []string{path, path + ".witness"} {
		before[name], err = os.ReadFile(name)
		require.NoError(t, err)
	}
	look(read())
	for name, b := range before {
		after, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, b, after, name)
	}
	if log, err := os.Stat(path + "-wal"); err == nil {
		require.Zero(t, log.Size())
	}
	again := open(t, path)
	require.NoError(t, again.Close())
}
