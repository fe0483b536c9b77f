package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/sqlite"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

func TestMustExist(t *testing.T) {
	dir := t.TempDir()
	path, empty := filepath.Join(dir, "l.db"), filepath.Join(dir, "empty.db")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	must := &sqlite.Options{MustExist: true}
	var me *sqlite.MissingError
	for _, p := range []string{path, empty, filepath.Join(dir, "no", "l.db")} {
		_, err := sqlite.Open(t.Context(), p, must)
		require.ErrorAs(t, err, &me, p)
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Equal(t, []string{empty}, left, "nothing was made")
	require.NoError(t, open(t, path).Close())
	s, err := sqlite.Open(t.Context(), path, must)
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

// TestAuditFindsChangedFiles: what somebody with the file can do, the audit finds.
func TestAuditFindsChangedFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "l.db")
	l, s, err := openAll(t.Context(), dir, storetest.Scheme(t))
	require.NoError(t, err)
	_, err = l.Credit(t.Context(), "a", 10, []byte("x"))
	require.NoError(t, err)
	for i := range 3 {
		_, err = redeem(t.Context(), l, fmt.Sprint(i))
		require.NoError(t, err)
	}
	require.Empty(t, problems(t, s))
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())
	for statement, want := range map[string]string{
		"DELETE FROM keys WHERE key = CAST('x' AS BLOB)":                            "not stored",
		"UPDATE reservations SET sequence = NULL WHERE key = CAST('1' AS BLOB)":     "not stored",
		"UPDATE reservations SET sequence = sequence + 1":                           "not what the entries say",
		"UPDATE reservations SET output_digest = zeroblob(32)":                      "stored otherwise",
		"UPDATE reservations SET output_length = 1":                                 "stored otherwise",
		"UPDATE reservations SET intent = intent + 1000000":                         "stored otherwise",
		"UPDATE reservations SET value = 1":                                         "stored otherwise",
		"DELETE FROM leases":                                                        "leases end at counter 0",
		"UPDATE series SET mark = 1":                                                "its mark is 1",
		"PRAGMA ignore_check_constraints=ON; UPDATE accounts SET postpaid_limit=-1": "CHECK constraint",
	} {
		bad := filepath.Join(dir, "bad.db")
		copyFile(t, path, bad)
		copyFile(t, path+".witness", bad+".witness")
		execSQL(t, bad, statement)
		s := open(t, bad)
		require.Contains(t, problems(t, s), want, statement)
		require.NoError(t, s.Close())
	}
	require.NoError(t, os.Remove(path+".witness"))
	s = open(t, path)
	require.Contains(t, problems(t, s), "fenced")
	require.NoError(t, s.Fence(t.Context(), 5000))
	require.Empty(t, problems(t, s))
	require.NoError(t, serial.Fence(t.Context(), s, storetest.Scheme(t).Series(), 4000, time.Now()))
	l = newLedger(t, s, 16)
	_, err = l.Reserve(t.Context(), req("a", "after"))
	require.NoError(t, err)
	require.Empty(t, problems(t, s), "fences and leases follow each other")
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())
}

func walked[T any](walk iter.Seq2[T, error]) error {
	for _, err := range walk {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestNumbersOutOfRange: a number that does not fit its type is damage, and not read as another.
func TestNumbersOutOfRange(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "l.db")
	l, s, err := openAll(t.Context(), dir, storetest.Scheme(t))
	require.NoError(t, err)
	_, err = l.Credit(t.Context(), "a", 10, []byte("x"))
	require.NoError(t, err)
	_, err = l.Reserve(t.Context(), req("a", "k"))
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())
	for _, change := range []string{
		"UPDATE reservations SET state = 259", "UPDATE reservations SET state = -1", "UPDATE reservations SET value = 4294967297",
		"DROP TRIGGER entries_are_not_changed; UPDATE entries SET kind = kind + 256", "UPDATE keys SET operation = 258",
	} {
		bad := filepath.Join(dir, "bad.db")
		copyFile(t, path, bad)
		copyFile(t, path+".witness", bad+".witness")
		execSQL(t, bad, "PRAGMA ignore_check_constraints=ON; "+change)
		s := open(t, bad)
		err := s.Scan(t.Context(), func(r serial.Reader) error {
			ctx := t.Context()
			return errors.Join(walked(r.Entries(ctx, "", 0)), walked(r.Reservations(ctx, false)), walked(r.Keys(ctx)))
		})
		var ce *serial.CorruptError
		require.ErrorAs(t, err, &ce, change)
		require.ErrorContains(t, err, "out of range", change)
		require.NoError(t, s.Close())
	}
}

// TestFencedNewSeries: a series that begins at the counter of a fence, and is fenced before it has a lease.
func TestFencedNewSeries(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "l.db"))
	require.NoError(t, s.Fence(t.Context(), 700))
	require.NoError(t, serial.Fence(t.Context(), s, storetest.Scheme(t).Series(), 0, time.Now()))
	l := newLedger(t, s, 16)
	_, err := l.Credit(t.Context(), "a", 1, []byte("x"))
	require.NoError(t, err)
	r, err := l.Reserve(t.Context(), req("a", "k"))
	require.NoError(t, err)
	want, err := storetest.Scheme(t).Number(700)
	require.NoError(t, err)
	require.Equal(t, want, r.Number)
	require.Empty(t, problems(t, s))
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())
}

// requireNoReader fails if a reading transaction is still open: then the log cannot be emptied.
func requireNoReader(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	var busy, log, done int
	require.NoError(t, db.QueryRowContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &done))
	require.NoError(t, db.Close())
	require.Zero(t, busy, "a transaction was left open")
}

func TestPanicInWalk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l.db")
	s := open(t, path)
	l := newLedger(t, s, 16)
	_, err := l.Credit(t.Context(), "a", 5, []byte("x"))
	require.NoError(t, err)
	require.Panics(t, func() {
		for range l.History(t.Context(), "a", 0) {
			panic("body")
		}
	})
	require.Panics(t, func() {
		for range l.Accounts(t.Context()) {
			panic("body")
		}
	})
	_, err = l.Credit(t.Context(), "a", 5, []byte("y"))
	require.NoError(t, err)
	requireNoReader(t, path)
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())
}

// TestCloseInsideWalk: the walk goes on, and gives back what it holds when it ends.
func TestCloseInsideWalk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l.db")
	s := open(t, path)
	l := newLedger(t, s, 16)
	for i := range 3 {
		_, err := l.Credit(t.Context(), "a", 5, []byte{byte(i)})
		require.NoError(t, err)
	}
	n := 0
	for _, err := range l.History(t.Context(), "a", 0) {
		require.NoError(t, err)
		if n++; n == 1 {
			require.NoError(t, l.Close())
			require.NoError(t, s.Close())
		}
	}
	require.Equal(t, 3, n)
	_, err := l.Balance(t.Context(), "a")
	require.ErrorIs(t, err, serial.ErrClosed)
	requireNoReader(t, path)
}

// TestReadersAreBounded: scans that are held up neither take all connections nor keep views out.
func TestReadersAreBounded(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "l.db"))
	hold := make(chan bool)
	var inside, wg sync.WaitGroup
	const most = 48
	inside.Add(most)
	for range most {
		wg.Go(func() {
			err := s.Scan(context.Background(), func(serial.Reader) error {
				inside.Done()
				<-hold
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	inside.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.Scan(ctx, func(serial.Reader) error { return nil }), context.DeadlineExceeded)
	var views sync.WaitGroup
	for range 100 {
		views.Go(func() {
			if _, err := s.View(context.Background(), &serial.Query{Accounts: []string{"a"}}); err != nil {
				t.Error(err)
			}
		})
	}
	views.Wait() // while all scans are held up
	close(hold)
	wg.Wait()
	require.NoError(t, s.Close())
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

// TestWitnessCatchesUp: after an update that failed and dropped the writer, Close still writes the witness; and Open does
// what a crash has left undone.
func TestWitnessCatchesUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l.db")
	s := open(t, path)
	l := newLedger(t, s, 16)
	for i := range 5 {
		_, err := l.Credit(t.Context(), "a", 5, []byte{byte(i)})
		require.NoError(t, err)
	}
	old := readFile(t, path+".witness")
	require.Error(t, s.Update(t.Context(), &serial.Query{}, func(*serial.Snapshot) (*serial.Batch, error) {
		return &serial.Batch{Entries: []serial.Entry{{Account: "a", Sequence: 1, Kind: serial.KindGrant}}}, nil
	}))
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())
	now := readFile(t, path+".witness")
	require.Contains(t, now, `"revision":5`)
	require.NotEqual(t, old, now)

	require.NoError(t, os.WriteFile(path+".witness", []byte(old), 0o600))
	require.NoError(t, open(t, path).Close())
	require.Equal(t, now, readFile(t, path+".witness"))
}

// TestSymbolicLink: by whatever name a database is opened, its witness is one.
func TestSymbolicLink(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "l.db"), filepath.Join(dir, "elsewhere", "link.db")
	require.NoError(t, open(t, path).Close())
	require.NoError(t, os.Mkdir(filepath.Dir(link), 0o700))
	if err := os.Symlink(path, link); errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no symbolic links on this system")
	}
	for i, p := range []string{link, path, link} {
		s := open(t, p)
		l := newLedger(t, s, 16)
		_, err := l.Credit(t.Context(), "a", 5, []byte{byte(i)})
		require.NoError(t, err)
		require.NoError(t, l.Close())
		require.NoError(t, s.Close())
	}
	require.NoFileExists(t, link+".witness")
}

// waiting is a store before whose every transaction something else happens.
type waiting struct {
	serial.Store
	meanwhile func()
}

func (w *waiting) Update(ctx context.Context, q *serial.Query, decide func(*serial.Snapshot) (*serial.Batch, error)) error {
	w.meanwhile()
	return w.Store.Update(ctx, q, decide)
}

// TestClockAfterWait: a transaction that waited long for others is not older than theirs. (I13)
func TestClockAfterWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l.db")
	now := time.Unix(1_700_000_000, 0)
	clock := func() time.Time { return now }
	ledger := func(s serial.Store) *serial.Ledger {
		l, err := serial.Open(t.Context(), s, &serial.Options{Scheme: storetest.Scheme(t), Block: 1, Now: clock})
		require.NoError(t, err)
		return l
	}
	one, two := open(t, path), open(t, path)
	other := ledger(one)
	n := 0
	late := ledger(&waiting{two, func() {
		n++
		now = now.Add(time.Minute)
		_, err := other.Credit(t.Context(), "a", 1, []byte{byte(n)})
		require.NoError(t, err)
		_, err = other.Reserve(t.Context(), req("a", fmt.Sprint("other", n)))
		require.NoError(t, err)
	}})
	for i := range 3 {
		_, err := late.Credit(t.Context(), "a", 1, fmt.Append(nil, "late", i))
		require.NoError(t, err)
		_, err = late.Reserve(t.Context(), req("a", fmt.Sprint(i)))
		require.NoError(t, err)
	}
	require.Empty(t, problems(t, one))
	for _, c := range []interface{ Close() error }{late, other, one, two} {
		require.NoError(t, c.Close())
	}
}
