package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-574216e4/meterai/serial"
)

// wire is the network connection below the driver. When the driver loses a connection it asks the server, over a second
// one, to cancel what is being done. During a commit that must not happen: PostgreSQL would end the wait for the standby
// and make visible what the standby lacks. So the address for such a request is withheld while a commit is under way.
type wire struct {
	net.Conn
	committing atomic.Bool
}

type nowhere struct{}

func (nowhere) Network() string { return "none" }
func (nowhere) String() string  { return "a commit is not cancelled" }

// RemoteAddr gives the server's address, or none during a commit.
func (w *wire) RemoteAddr() net.Addr {
	if w.committing.Load() {
		return nowhere{}
	}
	return w.Conn.RemoteAddr()
}

// wireOf finds the wire below a connection, which may be encrypted.
func wireOf(c *pgconn.PgConn) *wire {
	nc := c.Conn()
	if t, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = t.NetConn()
	}
	w, _ := nc.(*wire)
	return w
}

func dialer(dial pgconn.DialFunc) pgconn.DialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if network == (nowhere{}).Network() {
			return nil, errors.New(addr)
		}
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &wire{Conn: c}, nil
	}
}

// Keys of the data that a connection carries.
const (
	warningKey  = "meterai warning"  // string: the last warning of the server
	timelineKey = "meterai timeline" // int64
)

// configure sets what the store relies on in every connection.
func (s *Store) configure(conf *pgxpool.Config) {
	conf.MaxConns = int32(min(s.opt.Pool, 10000))
	c := conf.ConnConfig
	c.DefaultQueryExecMode, c.StatementCacheCapacity = pgx.QueryExecModeCacheStatement, 128 // rows are read in binary form
	c.DialFunc = dialer(c.DialFunc)
	c.RuntimeParams["search_path"] = s.opt.Schema
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "meterai"
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 10 * time.Second
	}
	c.RuntimeParams["idle_in_transaction_session_timeout"] = strconv.FormatInt(max(s.opt.Timeout.Milliseconds(), 1), 10)
	asked := c.ValidateConnect
	c.ValidateConnect = func(ctx context.Context, c *pgconn.PgConn) error {
		if asked != nil {
			if err := asked(ctx, c); err != nil {
				return err
			}
		}
		return s.meet(ctx, c)
	}
	c.OnNotice = func(pc *pgconn.PgConn, n *pgconn.Notice) {
		if severity(n) == "WARNING" {
			pc.CustomData()[warningKey] = n.Message
		}
	}
	conf.AfterConnect = s.greet
	conf.PrepareConn = func(_ context.Context, c *pgx.Conn) (bool, error) {
		t, _ := c.PgConn().CustomData()[timelineKey].(int64)
		return !s.timeline.older(t), nil
	}
}

// meet takes, of several hosts, only the primary, and no former one.
func (s *Store) meet(ctx context.Context, c *pgconn.PgConn) error {
	recovery, err := ask(ctx, c, "SELECT pg_is_in_recovery()")
	if err != nil {
		return err
	}
	if recovery != "f" {
		return errStandby()
	}
	t, err := readTimeline(ctx, c)
	if err != nil {
		return err
	}
	c.CustomData()[timelineKey] = t
	if !s.timeline.see(t) {
		return fmt.Errorf("%w: the server is on timeline %d, a newer one was seen: a former primary?", serial.ErrFenced, t)
	}
	return nil
}

// ask reads one value as text.
func ask(ctx context.Context, c *pgconn.PgConn, sql string) (string, error) {
	r, err := c.Exec(ctx, sql).ReadAll()
	if err != nil {
		return "", err
	}
	if len(r) != 1 || len(r[0].Rows) != 1 || len(r[0].Rows[0]) != 1 {
		return "", fmt.Errorf("not one value: %s", sql)
	}
	return string(r[0].Rows[0][0]), nil
}

func severity(n *pgconn.Notice) string {
	if n.SeverityUnlocalized != "" {
		return n.SeverityUnlocalized
	}
	return n.Severity
}

// greet checks the server at the other end of a new connection.
func (s *Store) greet(ctx context.Context, c *pgx.Conn) error {
	var commit, fsync, standby, encoding string
	err := c.QueryRow(ctx, `SELECT coalesce(current_setting('synchronous_commit', true), 'on'),
		coalesce(current_setting('fsync', true), 'on'), coalesce(current_setting('synchronous_standby_names', true), ''),
		current_setting('server_encoding')`).Scan(&commit, &fsync, &standby, &encoding)
	switch {
	case err != nil:
		return fmt.Errorf("look at the server: %w", err)
	case !durable(commit):
		return errCommit(commit)
	case fsync != "on":
		return &ServerError{"fsync", fsync, "what it acknowledges is not on disk; it must be on"}
	case encoding != "UTF8":
		return &ServerError{"server_encoding", encoding, "account names need UTF8"}
	case standby == "" && s.opt.RequireStandby:
		return &ServerError{"synchronous_standby_names", standby, "a synchronous standby is required (RequireStandby)"}
	}
	registerArrays(c)
	if _, err := c.Exec(ctx, plans); err != nil {
		return fmt.Errorf("set up the connection: %w", err)
	}
	return nil
}

// plans makes the server plan each statement once for a connection, and with indexes whatever its statistics say: a table
// that was small when the plan was made grows under it, and arrays of unknown size are taken as small. A server that has
// not all of these settings goes without.
const plans = `SELECT set_config(s.name, w.value, false) FROM (VALUES ('plan_cache_mode', 'force_generic_plan'), ('jit', 'off'),
	('enable_seqscan', 'off'), ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off')) AS w(name, value)
	JOIN pg_settings s ON s.name = w.name`

func durable(synchronousCommit string) bool {
	return synchronousCommit == "on" || synchronousCommit == "remote_apply"
}

func errCommit(value string) error {
	return &ServerError{"synchronous_commit", value, "commits would be answered before they are durable; it must be on or remote_apply"}
}

func errStandby() error {
	return &ServerError{"pg_is_in_recovery", "true", "it is a standby; the ledger works on the primary alone"}
}

// readTimeline gives the timeline that the server writes, 0 if it knows none. PostgreSQL begins a new one with each
// promotion; its number is the first part of the name of a log file.
func readTimeline(ctx context.Context, c *pgconn.PgConn) (int64, error) {
	name, err := ask(ctx, c, "SELECT pg_walfile_name(pg_current_wal_lsn())")
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return 0, nil // another engine, or no right to ask
	}
	if err != nil || len(name) < 8 {
		return 0, err
	}
	t, err := strconv.ParseInt(name[:8], 16, 64)
	if err != nil {
		return 0, fmt.Errorf("name of a log file: %w", err)
	}
	return t, nil
}

// timeline is the newest one that was seen.
type timeline struct{ newest atomic.Int64 }

func (t *timeline) older(n int64) bool { return n < t.newest.Load() }

// see takes notice of a timeline; false if it is an older one.
func (t *timeline) see(n int64) bool {
	for {
		was := t.newest.Load()
		if n < was {
			return false
		}
		if n == was || t.newest.CompareAndSwap(was, n) {
			return true
		}
	}
}

// commit ends a transaction. From the moment at which the statement leaves, nothing but the server's plain word says
// what became of it.
func commit(c *pgx.Conn, wait time.Duration) error {
	pc := c.PgConn()
	w := wireOf(pc)
	if w == nil {
		return errors.New("commit: the driver's connection is not the store's own")
	}
	delete(pc.CustomData(), warningKey)
	if err := w.SetDeadline(time.Now().Add(wait)); err != nil {
		return fmt.Errorf("commit not sent: %w", err)
	}
	w.committing.Store(true)
	results, err := pc.Exec(context.Background(), "COMMIT").ReadAll()
	var pe *pgconn.PgError
	switch {
	case errors.As(err, &pe) && rolledBack(pe):
		w.committing.Store(false)
		return fmt.Errorf("%w: %w", errRetry, errors.Join(err, w.SetDeadline(time.Time{})))
	case err != nil:
		_ = w.Close() // so that the server notices soon, if the commit did not arrive
		return fmt.Errorf("commit: %w: %w", serial.ErrUnknownOutcome, err)
	}
	w.committing.Store(false)
	if warning, ok := pc.CustomData()[warningKey].(string); ok {
		return fmt.Errorf("commit: %w: the server warns: %s", serial.ErrUnknownOutcome, warning)
	}
	if len(results) != 1 || results[0].CommandTag.String() != "COMMIT" {
		return errors.New("the server rolled the transaction back")
	}
	// A deadline that stays makes the next use fail, which is plain; this commit is durable all the same.
	_ = w.SetDeadline(time.Time{})
	return nil
}

// rolledBack reports whether the server says that a transaction was undone for the sake of another.
func rolledBack(pe *pgconn.PgError) bool {
	return pe.Code == "40001" || pe.Code == "40P01" // serialization_failure, deadlock_detected
}
