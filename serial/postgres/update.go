package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-574216e4/meterai/serial"
)

func jitter(d time.Duration) time.Duration { return rand.N(d/2 + 1) }

// Update implements [serial.Store]. It takes three round trips: the locks and the rows, the changes, the commit; more when
// it makes an account, takes a lease, or needs a lock that it did not foresee. The accounts are locked in the byte order of
// their names.
func (s *Store) Update(ctx context.Context, q *serial.Query, decide func(*serial.Snapshot) (*serial.Batch, error)) error {
	careful := false
	for attempt := 0; ; attempt++ {
		err := s.attempt(ctx, q, decide, careful)
		if errors.Is(err, errKnown) && !careful {
			careful = true
			continue
		}
		if !errors.Is(err, errRetry) {
			return err
		}
		s.opt.Logger.Debug("ledger transaction is repeated", "attempt", attempt, "error", err)
		if attempt == maxAttempts {
			return fmt.Errorf("ledger database: given up after %d attempts: %w", attempt+1, err)
		}
		if end := pause(ctx, attempt); end != nil {
			return end
		}
	}
}

// errKnown marks a transaction that the database refuses because a row is there already.
var errKnown = errors.New("a row exists")

// attempt runs one transaction.
func (s *Store) attempt(ctx context.Context, q *serial.Query, decide func(*serial.Snapshot) (*serial.Batch, error), careful bool) error {
	if err := s.witness.refused(); err != nil {
		return err
	}
	c, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release() // a connection that is left within a transaction is closed, also if decide ended the goroutine
	t := &transaction{s: s, conn: c.Conn(), names: namesOf(q, s.homes.of), careful: careful}
	t.before = s.witness.expect(t.names)
	wait, cancel := context.WithTimeout(ctx, s.opt.Timeout)
	var snap *serial.Snapshot
	if err = prepare(wait, t.conn); err == nil {
		snap, err = t.load(wait, q)
	}
	cancel()
	if err != nil {
		return t.failed(err)
	}
	// From here on the caller's context interrupts nothing.
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), s.opt.Timeout)
	defer cancel()
	if err := t.before.check(snap); err != nil {
		t.rollback(ctx)
		s.opt.Logger.Error("ledger database may not issue", "error", err)
		return s.witness.refuse(err)
	}
	batch, err := decide(snap)
	if err != nil || batch.Empty() {
		t.end()
		return err
	}
	return t.finish(ctx, batch)
}

// end rolls back on time of its own.
func (t *transaction) end() {
	ctx, cancel := context.WithTimeout(context.Background(), t.s.opt.Timeout)
	defer cancel()
	t.rollback(ctx)
}

// finish writes a batch and commits.
func (t *transaction) finish(ctx context.Context, batch *serial.Batch) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.s.opt.Timeout) // decide may have taken its time
	defer cancel()
	if err := t.apply(ctx, batch); err != nil {
		err = t.failed(err)
		t.rollback(ctx)
		return err
	}
	if err := commit(t.conn, t.s.opt.Timeout); err != nil {
		_ = t.conn.Close(ctx) // never used again; what the server makes of it is settled there
		return fmt.Errorf("ledger database: %w", err)
	}
	t.s.witness.remember(batch)
	t.s.homes.remember(batch)
	return nil
}

// transaction is one attempt of an update.
type transaction struct {
	s            *Store
	conn         *pgx.Conn
	names        *names
	before       *position
	careful      bool                       // nothing is taken as new because it was not read
	locked       map[string]bool            // accounts; true for those that exist
	placeholders []string                   // accounts that exist only to be locked
	known        map[serial.Number]struct{} // reservations that were read
}

// failed says what an error before the commit means. Nothing was done: if the transaction was in another's way or the
// connection was lost, it is worth another attempt.
func (t *transaction) failed(err error) error {
	var pe *pgconn.PgError
	var se *ServerError
	var fe *FormatError
	again := false
	switch {
	case errors.Is(err, serial.ErrFenced), errors.As(err, &se), errors.As(err, &fe):
		return err
	case errors.As(err, &pe) && pe.Code == "23505": // unique_violation
		return fmt.Errorf("ledger database: %w: %w", errKnown, err)
	case errors.As(err, &pe):
		again = rolledBack(pe) || lost(pe)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	default:
		again = t.conn.IsClosed() || errors.Is(err, errRetry)
	}
	if again && t.conn.IsClosed() {
		t.s.pool.Reset() // the others lead to the same place
	}
	if again {
		return fmt.Errorf("ledger database: %w: %w", errRetry, err)
	}
	return fmt.Errorf("ledger database: %w", err)
}

// lost reports whether the server ended the session, or may no longer write because it became a standby.
func lost(pe *pgconn.PgError) bool {
	switch pe.Code {
	case "57P01", "57P02", "57P03", "25006": // admin_shutdown, crash_shutdown, cannot_connect_now, read_only_sql_transaction
		return true
	}
	return pe.Code[:min(2, len(pe.Code))] == "08" // connection exception
}

// rollback ends the transaction. If that fails the connection goes, and the server does the same.
func (t *transaction) rollback(ctx context.Context) {
	if !t.conn.IsClosed() && t.conn.PgConn().TxStatus() != 'I' {
		if _, err := t.conn.Exec(ctx, "ROLLBACK"); err != nil {
			t.s.opt.Logger.Warn("ledger transaction not rolled back by word", "error", err)
		}
	}
}

// maxPasses bounds how often one attempt begins anew because there are more accounts to lock.
const maxPasses = 4

// load locks and reads what q names, in one round trip if all accounts exist. Names without an account get a row to
// lock, which nobody else ever sees.
func (t *transaction) load(ctx context.Context, q *serial.Query) (*serial.Snapshot, error) {
	t.locked, t.known = make(map[string]bool), make(map[serial.Number]struct{})
	isLocked := func(name string) bool { _, ok := t.locked[name]; return ok }
	for pass := range maxPasses {
		snap := newSnapshot(q)
		t.placeholders = t.placeholders[:0]
		clear(t.locked)
		clear(t.known)
		if err := t.pass(ctx, pass > 0, snap); err != nil {
			return nil, err
		}
		more := t.names.strangers(snap, isLocked)
		if len(more) == 0 && !slices.ContainsFunc(t.names.accounts, func(name string) bool { return !isLocked(name) }) {
			return snap, nil
		}
		t.names.accounts = append(t.names.accounts, more...)
		slices.Sort(t.names.accounts)
	}
	return nil, fmt.Errorf("%w: the accounts to lock keep changing", errRetry)
}

func (t *transaction) pass(ctx context.Context, again bool, snap *serial.Snapshot) error {
	n := t.names
	var g guard
	b := &pgx.Batch{}
	if again {
		b.Queue("ROLLBACK")
	}
	b.Queue("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
	b.Queue(selectGuard).QueryRow(g.scan)
	if again {
		b.Queue(makePlaceholders, texts(nil, n.accounts, itself), make([]byte, 32))
	}
	t.queueLocks(b, snap)
	found := func(s *stored) {
		snap.Reservations[s.Number] = *s.Reservation
		t.known[s.Number] = struct{}{}
	}
	n.queueKeys(b, snap, found)
	n.queueReservations(b, found)
	switch id := n.series.String(); {
	case n.seriesAlone():
		b.Queue(makeSeries, id)
		b.Queue(lockSeries, id)
	case n.series != (serial.SeriesID{}):
		b.Queue(holdFence, id)
	}
	n.queueSeries(b, snap)
	if err := t.conn.SendBatch(ctx, b).Close(); err != nil {
		return err
	}
	return g.check(t.s, true)
}

// queueLocks locks and reads the accounts.
func (t *transaction) queueLocks(b *pgx.Batch, snap *serial.Snapshot) {
	n := t.names
	if len(n.accounts) == 0 && len(n.strange) == 0 {
		return
	}
	sql, args := lockAccounts, []any{texts(nil, n.accounts, itself)}
	if len(n.strange) > 0 {
		sql, args = lockAccountsOf, append(args, numbers(nil, n.strange, itself))
	}
	b.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		return each(rows, func() error {
			a, err := scanAccount(rows)
			t.locked[a.Name] = a.Sequence > 0
			if a.Sequence == 0 {
				t.placeholders = append(t.placeholders, a.Name)
			} else {
				snap.Accounts[a.Name] = a
			}
			return err
		})
	})
}

// apply writes a batch: the rows in one round trip, and in another what is rare. Every row must have an effect.
func (t *transaction) apply(ctx context.Context, batch *serial.Batch) error {
	if s := batch.Series; s != nil && (s.Term > math.MaxInt64 || s.Fence > s.Term) {
		return &serial.CorruptError{Reason: "term or fence of a series out of range"}
	}
	if len(batch.Entries)+len(batch.Accounts)+len(batch.Reservations)+len(batch.Keys) > 0 {
		if err := t.applyRows(ctx, batch); err != nil {
			return err
		}
	}
	b := &pgx.Batch{}
	one := func(what, sql string, args ...any) {
		b.Queue(sql, args...).Exec(func(tag pgconn.CommandTag) error { return affected(tag, 1, what) })
	}
	if len(t.placeholders) > 0 {
		b.Queue(removePlaceholders, texts(nil, t.placeholders, itself))
	}
	if s := batch.Series; s != nil {
		one("series", writeSeries, s.ID.String(), int64(s.Mark), int64(s.Term), optional(s.Time))
		one("fence", writeFence, s.ID.String(), int64(s.Fence))
	}
	if l := batch.Lease; l != nil {
		one("lease", writeLease, l.Series.String(), int64(l.Term), l.Holder, int64(l.First), int64(l.Last), optional(l.Time))
	}
	if b.Len() == 0 {
		return nil
	}
	return t.conn.SendBatch(ctx, b).Close()
}

func affected(tag pgconn.CommandTag, n int, what string) error {
	if done := tag.RowsAffected(); done != int64(n) {
		return &serial.CorruptError{Reason: fmt.Sprintf("%d of %d rows refused by the database: %s", int64(n)-done, n, what)}
	}
	return nil
}

const (
	writeSeries = `INSERT INTO series (series, mark, term, time) VALUES ($1, $2, $3, $4)
		ON CONFLICT (series) DO UPDATE SET mark=excluded.mark, term=excluded.term, time=excluded.time
		WHERE excluded.mark >= series.mark AND excluded.term >= series.term`
	writeLease = `INSERT INTO leases (` + leaseColumns + `) VALUES ($1, $2, $3, $4, $5, $6)`
)

// writeFence touches the row only to raise it, so that a lease does not wait for those who hold the fence. It counts one
// row unless the fence would go down.
const writeFence = `WITH old AS (SELECT fence FROM fences WHERE series = $1),
	raised AS (INSERT INTO fences (series, fence) SELECT $1::text, $2::bigint WHERE NOT EXISTS (SELECT 1 FROM old WHERE fence >= $2)
		ON CONFLICT (series) DO UPDATE SET fence = excluded.fence WHERE excluded.fence > fences.fence RETURNING fence)
	SELECT 1 FROM (SELECT fence FROM raised UNION ALL SELECT fence FROM old WHERE fence = $2) x LIMIT 1`
