// Package postgres keeps a ledger of package serial in a PostgreSQL database, through the driver github.com/jackc/pgx/v5,
// for several issuing processes on several machines at once.
//
// The two calls to make are [Migrate], once for each release and by hand or by the deployment, and [Open]; after the
// ledger is closed, [Store.Close]. PostgreSQL 12 or newer is needed; the tests run on 15.
//
// # What to configure
//
//   - synchronous_commit on, or remote_apply, and fsync on. Each transaction looks, and is refused otherwise.
//   - For failover, synchronous_standby_names with at least one standby, better "ANY 1 (a, b)" of two. Only then is what
//     was answered on a second machine. [Options.RequireStandby] refuses a server without; the default only warns.
//   - A connection string that leads to the primary: a host name that follows it, or several hosts. A standby is always
//     refused, also for reading.
//   - No pool between that gives a session to several clients by transaction: the store keeps prepared statements and a
//     search path.
//   - For the role of the program: USAGE of the schema, SELECT, INSERT and UPDATE on its tables, DELETE on accounts
//     alone (where it removes the rows that it made to lock a name, and that nothing was booked on). A trigger refuses
//     changes of entries to everybody.
//
// # What is promised
//
// [Store.Update] returns nil when PostgreSQL has acknowledged the commit, under the settings above: it is on disk, and
// with a synchronous standby on two. The accounts are locked in one order before anything is decided on them, missing ones
// too, so ledgers on any number of machines never decide twice on one state. The fence of the series is locked, shared,
// until the commit: when [serial.Fence] has returned, no lease that it ended gives out a number. A fence waits for the
// transactions under way, and may be overtaken by new ones as long as every moment has one. Transactions that PostgreSQL
// gives up (SQLSTATE 40001 and 40P01), and those that lose their connection before the commit is sent, are tried again.
//
// A commit is never interrupted: no cancel request is sent for it, whatever happens to the context or the connection. If
// its answer does not come, is an error, or has a warning, as when an administrator ends the wait for the standby, then
// the error is [serial.ErrUnknownOutcome]. Repeating with the same key is always right, since it waits for the locks; a
// lookup may come before the server has ended such a transaction, and not find it yet.
//
// # A standby that lacks transactions
//
// A standby that was not synchronous, or a restored backup, may lack what was answered, and would give out the same
// numbers again. Each store remembers, as long as it is open, how far the database has come: the mark, term and fence of
// each series, and the newest entry of the accounts that it wrote last. A database that falls behind, or is another one,
// is refused from then on: every Update returns [serial.ErrFenced], reading goes on, until an operator calls [Store.Fence]
// with a counter that is known to be safe. A connection to an older timeline than one that was seen, such as to a former
// primary that came back, is refused as well.
//
// What this cannot see: a loss while all processes are down, or one that touched nothing that this store remembers. After
// any restore, and after promoting a standby that was not synchronous, call [serial.Fence] or [Store.Fence] before the
// first ledger is opened, and compare with a checkpoint ([serial.Ledger.WriteCheckpoint]) that was kept elsewhere.
//
// # What it costs
//
// A Redeem is two transactions of three round trips each, which it shares with the other callers of its ledger. With 256
// callers it takes some 75 µs of processor time in the process and 80 in the server on 1,000 accounts, 60 and 60 on one; a
// Reserve some 28 and 31 (go test ./serial/postgres -run xxx -bench . -benchtime 40000x, on two cores shared with others).
// In the process a third is the garbage collector of a program with a small heap: with GOGC=400 it is 43 rather than 75.
// In the server each transaction costs some 1 ms, whatever its size, so more callers are cheaper: with 1,024 it is 58.
//
// Rows are read and written by name through an index. So that this stays so while a table grows, the store's sessions
// plan each statement once (plan_cache_mode) and without sequential scans, hash and merge joins.
//
// # What is left out
//
// Failover itself, backups, and partitioning. The SQL has no advisory locks, no notifications and no sequences, so that
// distributed engines that speak PostgreSQL's protocol can run it; only PostgreSQL is tested.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-574216e4/meterai/serial"
)

// Options configures a store. A nil pointer is all zero values.
type Options struct {
	Schema  string        // of the tables: a letter a-z, then at most 62 letters, digits and "_"; "" is "meterai"
	Pool    int           // connections at most, of which half serve scans; 0 is 8, 1 is 2
	Timeout time.Duration // how long a transaction waits for locks, and for the answer to its commit; 0 is 30 seconds
	// RequireStandby refuses a server that has no synchronous_standby_names. False only warns.
	RequireStandby bool
	Logger         *slog.Logger // nil is silent
}

// Store is a [serial.Store] in a PostgreSQL database.
type Store struct {
	opt      Options
	pool     *pgxpool.Pool
	scans    chan struct{} // a slot for each scan in progress: half of the connections stay for the others
	instance []byte
	witness  witness
	homes    homes
	buffers  buffers
	timeline timeline

	mu     sync.Mutex
	closed bool
}

// FormatError refuses a schema that is not there, is not this package's, or is of another version.
type FormatError struct {
	Schema  string
	Version int // of the schema; 0 if there is none
	Reason  string
}

func (e *FormatError) Error() string { return fmt.Sprintf("database schema %q %s", e.Schema, e.Reason) }

// ServerError refuses a server that cannot keep what the ledger promises.
type ServerError struct {
	Setting string // such as "synchronous_commit"
	Value   string
	Reason  string // what it must be
}

func (e *ServerError) Error() string {
	return fmt.Sprintf("the database server has %s = %q: %s", e.Setting, e.Value, e.Reason)
}

// schemaName reports whether a name may be that of the schema.
func schemaName(s string) bool {
	for i, c := range s {
		if !(c >= 'a' && c <= 'z' || i > 0 && (c >= '0' && c <= '9' || c == '_')) {
			return false
		}
	}
	return s != "" && len(s) <= 63
}

func complete(opt *Options) (Options, error) {
	var o Options
	if opt != nil {
		o = *opt
	}
	if o.Schema == "" {
		o.Schema = "meterai"
	}
	if !schemaName(o.Schema) {
		return o, &FormatError{Schema: o.Schema, Reason: "has a name that is not allowed"}
	}
	if o.Pool <= 0 {
		o.Pool = 8
	}
	o.Pool = max(o.Pool, 2)
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// Open connects to the database of a connection string, as pgx and libpq understand it (URL or key=value, the PG
// variables of the environment, several hosts). The schema must be there: see [Migrate]. Refusals are a [*FormatError] or
// a [*ServerError].
func Open(ctx context.Context, connString string, opt *Options) (*Store, error) {
	o, err := complete(opt)
	if err != nil {
		return nil, err
	}
	conf, err := pgxpool.ParseConfig(connString)
	if err != nil {
		return nil, fmt.Errorf("open ledger database: %w", err)
	}
	s := &Store{opt: o, scans: make(chan struct{}, o.Pool/2)}
	s.configure(conf)
	if s.pool, err = pgxpool.NewWithConfig(ctx, conf); err != nil {
		return nil, fmt.Errorf("open ledger database: %w", err)
	}
	if err := s.start(ctx); err != nil {
		s.pool.Close()
		return nil, err
	}
	return s, nil
}

// start checks the server and the schema.
func (s *Store) start(ctx context.Context) error {
	c, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("open ledger database: %w", err)
	}
	defer c.Release()
	m, err := readMeta(ctx, c.Conn(), s.opt.Schema)
	if err != nil {
		return err
	}
	if err := m.check(s.opt.Schema); err != nil {
		return err
	}
	s.instance = m.instance
	standby, err := setting(ctx, c.Conn(), "synchronous_standby_names")
	if err != nil {
		return fmt.Errorf("open ledger database: %w", err)
	}
	if standby == "" {
		s.opt.Logger.Warn("the ledger's database server has no synchronous standby: what was answered is lost with its disk")
	}
	return nil
}

// Close waits for the transactions under way and closes all connections. It is nil.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.pool.Close()
	return nil
}

// acquire gives a connection to the primary.
func (s *Store) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return nil, serial.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.opt.Timeout)
	defer cancel()
	c, err := s.pool.Acquire(ctx)
	if err == nil {
		return c, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, serial.ErrClosed
	}
	return nil, fmt.Errorf("ledger database: %w", err)
}

// setting reads a setting of the server, "" if it is not known.
func setting(ctx context.Context, c *pgx.Conn, name string) (value string, err error) {
	err = c.QueryRow(ctx, "SELECT coalesce(current_setting($1, true), '')", name).Scan(&value)
	return value, err
}

var _ serial.Store = (*Store)(nil)

// errRetry marks what is worth another attempt.
var errRetry = errors.New("transaction must be repeated")
