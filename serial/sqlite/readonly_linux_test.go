package sqlite_test

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

// asNobody takes from this test's thread the right to write anywhere, which a superuser has.
func asNobody(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	runtime.LockOSThread() // and never unlock: the thread ends with the test
	require.NoError(t, syscall.Setfsuid(65534))
	t.Cleanup(func() { require.NoError(t, syscall.Setfsuid(0)) })
}

// TestReadOnly: a ledger that cannot be written can be read, with a write-ahead log and without, and says why it refuses
// the rest.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	l, s, err := openAll(t.Context(), dir, storetest.Scheme(t))
	require.NoError(t, err)
	_, err = l.Credit(t.Context(), "a", 10, []byte("x"))
	require.NoError(t, err)
	r, err := redeem(t.Context(), l, "k")
	require.NoError(t, err)
	crashed := filepath.Join(dir, "crashed")
	require.NoError(t, os.Mkdir(crashed, 0o700))
	for _, name := range []string{"l.db", "l.db-wal", "l.db-shm", "l.db.witness"} {
		copyFile(t, filepath.Join(dir, name), filepath.Join(crashed, name))
	}
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())

	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		require.NoError(t, os.Chmod(d, 0o755))
	}
	for _, d := range []string{dir, crashed} {
		files, err := filepath.Glob(filepath.Join(d, "l.db*"))
		require.NoError(t, err)
		for _, f := range files {
			require.NoError(t, os.Chmod(f, 0o444))
		}
		require.NoError(t, os.Chmod(d, 0o555))
		t.Cleanup(func() { require.NoError(t, os.Chmod(d, 0o700)) })
	}
	asNobody(t)
	require.Error(t, os.WriteFile(filepath.Join(dir, "probe"), nil, 0o600))
	for _, d := range []string{dir, crashed} {
		s := open(t, filepath.Join(d, "l.db"))
		l := newLedger(t, s, 16)
		b, err := l.Balance(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, serial.Balance{Purchased: 10, Available: 9, Stamped: 1}, b)
		n := 0
		for e, err := range l.History(t.Context(), "a", 0) {
			require.NoError(t, err)
			require.Equal(t, "a", e.Account)
			n++
		}
		require.Equal(t, 4, n)
		got, err := l.Lookup(t.Context(), r.Number)
		require.NoError(t, err)
		require.Equal(t, r.Output, got.Output)
		require.Empty(t, problems(t, s))
		_, err = l.Credit(t.Context(), "a", 1, []byte("y"))
		require.ErrorContains(t, err, "can only be read")
		require.ErrorContains(t, s.Fence(t.Context(), 5000), "can only be read")
		require.NoError(t, l.Close())
		require.NoError(t, s.Close())
	}
}
