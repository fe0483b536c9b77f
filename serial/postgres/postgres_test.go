//go:build unix

package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/postgres"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

func TestMain(m *testing.M) {
	if os.Getenv(childDir) != "" {
		if err := child(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if shared != nil {
		shared.remove()
	}
	if template != "" {
		_ = os.RemoveAll(filepath.Dir(template))
	}
	os.Exit(code)
}

func TestStore(t *testing.T) {
	srv := sharedServer(t)
	storetest.Run(t, func(t *testing.T) func() serial.Store {
		opt := newSchema(t, srv)
		return func() serial.Store {
			s, err := postgres.Open(t.Context(), srv.url(), opt)
			require.NoError(t, err)
			return s
		}
	})
}

func newLedger(t testing.TB, s serial.Store, block uint64) *serial.Ledger {
	t.Helper()
	l, err := serial.Open(t.Context(), s, &serial.Options{Scheme: storetest.Scheme(t), Block: block})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

func req(account, key string) serial.Request {
	return serial.Request{Account: account, Key: []byte(key), Digest: [32]byte{1}, Length: 10, Value: 10000}
}

func requireClean(t testing.TB, s serial.Store) *serial.AuditReport {
	t.Helper()
	report, err := serial.Audit(t.Context(), s)
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	return report
}

func credit(t testing.TB, l *serial.Ledger, account string, units int64) {
	t.Helper()
	_, err := l.Credit(t.Context(), account, units, []byte("payment"))
	require.NoError(t, err)
}

func TestSchemaIsRefused(t *testing.T) {
	srv := sharedServer(t)
	srv.exec(t, "CREATE SCHEMA foreign_tables", "CREATE TABLE foreign_tables.t (x integer)",
		"CREATE SCHEMA foreign_meta", "CREATE TABLE foreign_meta.meta (id integer, name text)")
	newer, older, other := newSchema(t, srv).Schema, newSchema(t, srv).Schema, newSchema(t, srv).Schema
	srv.exec(t, "UPDATE "+newer+".meta SET version = 99", "UPDATE "+older+".meta SET version = 0", "UPDATE "+other+".meta SET program = 'x'")
	for schema, want := range map[string]struct{ open, migrate string }{
		"missing":        {"call postgres.Migrate", ""},
		"foreign_tables": {"call postgres.Migrate", "another program"},
		"foreign_meta":   {"another program", "another program"},
		newer:            {"use a newer one", "use a newer one"},
		older:            {"call postgres.Migrate", "already exists"},
		other:            {"another program", "another program"},
		"Bad; DROP":      {"not allowed", "not allowed"},
	} {
		opt := &postgres.Options{Schema: schema}
		_, err := postgres.Open(t.Context(), srv.url(), opt)
		var fe *postgres.FormatError
		require.ErrorAs(t, err, &fe, schema)
		require.ErrorContains(t, err, want.open)
		err = postgres.Migrate(t.Context(), srv.url(), opt)
		if want.migrate == "" {
			require.NoError(t, err, schema)
			require.NoError(t, open(t, srv.url(), opt).Close())
		} else {
			require.ErrorContains(t, err, want.migrate, schema)
		}
	}
}

func TestMigrateAtOnce(t *testing.T) {
	srv := sharedServer(t)
	opt := &postgres.Options{Schema: "at_once"}
	var wg sync.WaitGroup
	errs := make([]error, 6)
	for i := range errs {
		wg.Go(func() { errs[i] = postgres.Migrate(t.Context(), srv.url(), opt) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.NoError(t, postgres.Migrate(t.Context(), srv.url(), opt), "again")
	require.Equal(t, int64(1), srv.value(t, "SELECT count(*) FROM at_once.meta"))
	open(t, srv.url(), opt)
}

// TestServerIsRefused: settings under which an answer would not be durable. (I7)
func TestServerIsRefused(t *testing.T) {
	srv := sharedServer(t)
	opt := newSchema(t, srv)
	var se *postgres.ServerError
	for _, value := range []string{"off", "local", "remote_write"} {
		_, err := postgres.Open(t.Context(), srv.url()+"&synchronous_commit="+value, opt)
		require.ErrorAs(t, err, &se)
		require.Equal(t, "synchronous_commit", se.Setting)
	}
	open(t, srv.url()+"&synchronous_commit=remote_apply", opt)
	strict := *opt
	strict.RequireStandby = true
	_, err := postgres.Open(t.Context(), srv.url(), &strict)
	require.ErrorAs(t, err, &se)
	require.Equal(t, "synchronous_standby_names", se.Setting)

	// Also when it changes under an open store.
	s := open(t, srv.url(), opt)
	l := newLedger(t, s, 16)
	credit(t, l, "a", 5)
	srv.exec(t, "ALTER SYSTEM SET synchronous_commit = off", "SELECT pg_reload_conf()")
	t.Cleanup(func() { srv.exec(t, "ALTER SYSTEM RESET synchronous_commit", "SELECT pg_reload_conf()") })
	require.Eventually(t, func() bool {
		_, err := l.Credit(t.Context(), "a", 5, fmt.Append(nil, time.Now().UnixNano()))
		return errors.As(err, &se)
	}, 10*time.Second, 20*time.Millisecond)
}

// TestSecondGuard: the constraints of the database itself. (I1, I2)
func TestSecondGuard(t *testing.T) {
	srv := sharedServer(t)
	opt := newSchema(t, srv)
	l := newLedger(t, open(t, srv.url(), opt), 16)
	credit(t, l, "a", 5)
	_, err := l.Reserve(t.Context(), req("a", "k"))
	require.NoError(t, err)
	c, err := pgx.Connect(t.Context(), srv.url()+"&search_path="+opt.Schema)
	require.NoError(t, err)
	defer c.Close(context.Background())
	for _, bad := range []string{
		"UPDATE entries SET units = 2", "DELETE FROM entries", "UPDATE accounts SET available = available + 1",
		"UPDATE accounts SET available = -1, reserved = 6", "UPDATE series SET mark = -1",
		"INSERT INTO reservations SELECT decode(repeat('00', 14), 'hex'), account, key, state, reserved, intent, resolved, digest, length, value, kind, placement, profile, output_digest, output_length, note FROM reservations",
	} {
		_, err := c.Exec(t.Context(), bad)
		require.Error(t, err, bad)
	}
}

// TestUnknownAccountsLeaveNothing: the rows that lock a name go away, in a refused group and in one that is booked.
func TestUnknownAccountsLeaveNothing(t *testing.T) {
	srv := sharedServer(t)
	opt := newSchema(t, srv)
	s := open(t, srv.url(), opt)
	l := newLedger(t, s, 16)
	_, err := l.Reserve(t.Context(), req("nobody", "k"))
	require.ErrorIs(t, err, serial.ErrInsufficient)
	require.NoError(t, s.Update(t.Context(), &serial.Query{Accounts: []string{"x", "nobody", "a"}}, func(snap *serial.Snapshot) (*serial.Batch, error) {
		require.Empty(t, snap.Accounts)
		a := serial.Account{Name: "a", Sequence: 1, Head: [32]byte{1}, Time: time.UnixMicro(1).UTC()}
		return &serial.Batch{Accounts: []serial.Account{a}}, nil
	}))
	require.Equal(t, int64(1), srv.value(t, "SELECT count(*) FROM "+opt.Schema+".accounts"))
}

// TestNewAccountRace: many stores make one account at once; nobody is refused.
func TestNewAccountRace(t *testing.T) {
	srv := sharedServer(t)
	opt := newSchema(t, srv)
	var wg sync.WaitGroup
	errs := make([]error, 24)
	for i := range errs {
		l := newLedger(t, open(t, srv.url(), &postgres.Options{Schema: opt.Schema, Pool: 1}), 16)
		wg.Go(func() { _, errs[i] = l.Credit(t.Context(), "a", 1, fmt.Append(nil, i)) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, int64(24), srv.value(t, "SELECT available FROM "+opt.Schema+".accounts"))
}

// TestDeadlock: a transaction that PostgreSQL gives up is decided again. (I6)
func TestDeadlock(t *testing.T) {
	srv := sharedServer(t)
	opt := newSchema(t, srv)
	s := open(t, srv.url(), opt)
	l := newLedger(t, s, 16)
	credit(t, l, "a", 5)
	credit(t, l, "b", 5)
	c, err := pgx.Connect(t.Context(), srv.url()+"&search_path="+opt.Schema+"&deadlock_timeout=60000")
	require.NoError(t, err)
	defer c.Close(context.Background())
	tx, err := c.Begin(t.Context())
	require.NoError(t, err)
	lock := func(name string) {
		_, err := tx.Exec(t.Context(), "SELECT 1 FROM accounts WHERE account = $1 FOR UPDATE", name)
		require.NoError(t, err)
	}
	lock("b")
	got := make(chan error, 1)
	calls := 0
	go func() {
		got <- s.Update(t.Context(), &serial.Query{Accounts: []string{"b", "a"}}, func(snap *serial.Snapshot) (*serial.Batch, error) {
			calls++
			return bookOne(snap, "a"), nil
		})
	}()
	require.Eventually(t, func() bool {
		return srv.value(t, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == 1
	}, 10*time.Second, 10*time.Millisecond)
	lock("a") // against the order: the store's transaction is the one that is given up
	require.NoError(t, tx.Commit(t.Context()))
	require.NoError(t, <-got)
	require.Equal(t, 1, calls, "the lock comes before the decision")
	requireClean(t, s)
}

// bookOne gives a batch that adds one purchased unit.
func bookOne(snap *serial.Snapshot, name string) *serial.Batch {
	a := snap.Accounts[name]
	key := fmt.Sprint("purchase ", a.Sequence+1)
	e := serial.Entry{Account: name, Sequence: a.Sequence + 1, Kind: serial.KindPurchase, Units: 1, Key: []byte(key), Time: a.Time.Add(time.Microsecond)}
	if a.Time.IsZero() {
		e.Time = time.UnixMicro(1725436800123456).UTC()
	}
	e.Hash = e.Chain(a.Head)
	a.Name, a.Sequence, a.Head, a.Time = name, e.Sequence, e.Hash, e.Time
	a.Purchased++
	a.Available++
	k := serial.Key{ID: serial.KeyID{Account: name, Op: serial.OpCredit, Key: key}, Sequence: e.Sequence, Units: 1, Time: e.Time}
	return &serial.Batch{Entries: []serial.Entry{e}, Accounts: []serial.Account{a}, Keys: []serial.Key{k}}
}

// TestSerialisationFailure: SQLSTATE 40001 is repeated, at a statement and at the commit; another error of the commit is
// of unknown outcome.
func TestSerialisationFailure(t *testing.T) {
	srv := sharedServer(t)
	for _, c := range []struct{ name, trigger, code string }{
		{"statement", "CREATE TRIGGER x BEFORE INSERT ON entries", "40001"},
		{"commit", "CREATE CONSTRAINT TRIGGER x AFTER INSERT ON entries DEFERRABLE INITIALLY DEFERRED", "40001"},
		{"commit, other error", "CREATE CONSTRAINT TRIGGER x AFTER INSERT ON entries DEFERRABLE INITIALLY DEFERRED", "23514"},
	} {
		t.Run(c.name, func(t *testing.T) {
			opt := newSchema(t, srv)
			srv.exec(t, "SET search_path = "+opt.Schema, "CREATE SEQUENCE n", `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
				$$ BEGIN IF nextval('n') <= 3 THEN RAISE EXCEPTION 'injected' USING ERRCODE = '`+c.code+`'; END IF; RETURN NEW; END $$`,
				c.trigger+" FOR EACH ROW EXECUTE FUNCTION fail()")
			s := open(t, srv.url(), opt)
			calls := 0
			err := s.Update(t.Context(), &serial.Query{Accounts: []string{"a"}}, func(snap *serial.Snapshot) (*serial.Batch, error) {
				calls++
				return bookOne(snap, "a"), nil
			})
			if c.code == "40001" {
				require.NoError(t, err)
				require.Equal(t, 4, calls)
				require.Equal(t, int64(1), requireClean(t, s).Entries)
				return
			}
			require.ErrorIs(t, err, serial.ErrUnknownOutcome)
			require.Equal(t, 1, calls)
			require.Zero(t, requireClean(t, s).Entries)
		})
	}
}

// TestOwnErrorsAreNotRepeated: an error of decide is nobody else's, whatever it looks like.
func TestOwnErrorsAreNotRepeated(t *testing.T) {
	srv := sharedServer(t)
	s := open(t, srv.url(), newSchema(t, srv))
	mine := errors.New("mine")
	calls := 0
	err := s.Update(t.Context(), &serial.Query{Accounts: []string{"a"}}, func(*serial.Snapshot) (*serial.Batch, error) {
		calls++
		return nil, mine
	})
	require.Equal(t, mine, err)
	require.Equal(t, 1, calls)
}

// TestLockWaitIsBounded: by the caller's context and by the store's own time; both leave nothing.
func TestLockWaitIsBounded(t *testing.T) {
	srv := sharedServer(t)
	opt := newSchema(t, srv)
	opt.Timeout = 300 * time.Millisecond
	s := open(t, srv.url(), opt)
	credit(t, newLedger(t, s, 16), "a", 5)
	c, err := pgx.Connect(t.Context(), srv.url())
	require.NoError(t, err)
	defer c.Close(context.Background())
	_, err = c.Exec(t.Context(), "BEGIN")
	require.NoError(t, err)
	_, err = c.Exec(t.Context(), "SELECT 1 FROM "+opt.Schema+".accounts FOR UPDATE")
	require.NoError(t, err)
	book := func(ctx context.Context) error {
		return s.Update(ctx, &serial.Query{Accounts: []string{"a"}}, func(snap *serial.Snapshot) (*serial.Batch, error) {
			return bookOne(snap, "a"), nil
		})
	}
	err = book(t.Context())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, serial.ErrUnknownOutcome)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, book(ctx), context.DeadlineExceeded)
	_, err = c.Exec(t.Context(), "ROLLBACK")
	require.NoError(t, err)
	require.NoError(t, book(t.Context()))
	require.Equal(t, int64(6), srv.value(t, "SELECT available FROM "+opt.Schema+".accounts"))
}

// TestFenceWaits: a fence comes after the transactions that hold the old one, and a lease does not wait for them. (I12)
func TestFenceWaits(t *testing.T) {
	srv := sharedServer(t)
	opt := newSchema(t, srv)
	s, other := open(t, srv.url(), opt), open(t, srv.url(), opt)
	l := newLedger(t, s, 16)
	credit(t, l, "a", 5)
	_, err := l.Reserve(t.Context(), req("a", "1"))
	require.NoError(t, err)
	id := storetest.Scheme(t).Series()
	inside, leave, fenced := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	updated := make(chan error, 1)
	release := sync.OnceFunc(func() { close(leave) })
	defer release()
	go func() {
		updated <- s.Update(t.Context(), &serial.Query{Accounts: []string{"a"}, Series: id}, func(snap *serial.Snapshot) (*serial.Batch, error) {
			close(inside)
			<-leave
			return bookOne(snap, "a"), nil
		})
	}()
	<-inside
	m := newLedger(t, other, 16)
	credit(t, m, "b", 5)
	_, err = m.Reserve(t.Context(), req("b", "1"))
	require.NoError(t, err, "another lease")
	go func() { fenced <- serial.Fence(t.Context(), other, id, 1000, time.Now()) }()
	require.Eventually(t, func() bool {
		return srv.value(t, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == 1
	}, 10*time.Second, 10*time.Millisecond)
	require.Empty(t, fenced)
	release()
	require.NoError(t, <-updated)
	require.NoError(t, <-fenced)
	_, err = l.Reserve(t.Context(), req("a", "2"))
	require.ErrorIs(t, err, serial.ErrFenced)
	requireClean(t, s)
}

// TestLeastPrivilege: the rights that the package asks for are enough.
func TestLeastPrivilege(t *testing.T) {
	srv := sharedServer(t)
	opt := newSchema(t, srv)
	in := " ON ALL TABLES IN SCHEMA " + opt.Schema + " TO clerk"
	srv.exec(t, "CREATE ROLE clerk LOGIN", "GRANT USAGE ON SCHEMA "+opt.Schema+" TO clerk", "GRANT SELECT, INSERT, UPDATE"+in,
		"GRANT DELETE ON "+opt.Schema+".accounts TO clerk", "REVOKE UPDATE ON "+opt.Schema+".entries FROM clerk")
	s := open(t, strings.Replace(srv.url(), "meterai@", "clerk@", 1), opt)
	l := newLedger(t, s, 16)
	credit(t, l, "a", 5)
	r, err := l.Reserve(t.Context(), req("a", "1"))
	require.NoError(t, err)
	_, err = l.Signing(t.Context(), r.Number)
	require.NoError(t, err)
	_, err = l.Void(t.Context(), r.Number, "why")
	require.NoError(t, err)
	require.NoError(t, s.Fence(t.Context(), 1000))
	requireClean(t, s)
}

// TestLongWalks cross page ends and stop early.
func TestLongWalks(t *testing.T) {
	srv := sharedServer(t)
	s := open(t, srv.url(), newSchema(t, srv))
	const accounts, each = 1100, 2
	for range each {
		require.NoError(t, s.Update(t.Context(), &serial.Query{Accounts: many(accounts)}, func(snap *serial.Snapshot) (*serial.Batch, error) {
			b := &serial.Batch{}
			for _, name := range many(accounts) {
				one := bookOne(snap, name)
				b.Entries, b.Accounts, b.Keys = append(b.Entries, one.Entries...), append(b.Accounts, one.Accounts...), append(b.Keys, one.Keys...)
			}
			return b, nil
		}))
	}
	report := requireClean(t, s)
	require.Equal(t, int64(accounts), report.Accounts)
	require.Equal(t, int64(accounts*each), report.Entries)
	require.NoError(t, s.Scan(t.Context(), func(r serial.Reader) error {
		n := 0
		for _, err := range r.Entries(t.Context(), "", 0) {
			require.NoError(t, err)
			if n++; n == 700 {
				break
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, err := range r.Accounts(ctx) {
			require.ErrorIs(t, err, context.Canceled)
		}
		return nil
	}))
	requireClean(t, s)
}

func many(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("account %05d", i)
	}
	return out
}
