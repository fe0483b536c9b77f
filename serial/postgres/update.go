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

// Update implements [serial.Store]. It takes three round trips: the locks and the rows, the changes, the commit. The
// accounts are locked in the byte order of their names.
func (s *Store) Update(ctx context.Context, q *serial.Query, decide func(*serial.Snapshot) (*serial.Batch, error)) error {
	for attempt := 0; ; attempt++ {
		err := s.attempt(ctx, q, decide)
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

// attempt runs one transaction.
func (s *Store) attempt(ctx context.Context, q *serial.Query, decide func(*serial.Snapshot) (*serial.Batch, error)) error {
	if err := s.witness.refused(); err != nil {
		return err
	}
	c, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release() // a connection that is left within a transaction is closed, also if decide ended the goroutine
	t := &transaction{s: s, conn: c.Conn(), names: namesOf(q)}
	t.before = s.witness.expect(t.names)
	wait, cancel := context.WithTimeout(ctx, s.opt.Timeout)
	snap, err := t.load(wait, q)
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
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), s.opt.Timeout) // decide may have taken its time
	defer cancel()
	if err != nil || batch.Empty() {
		t.rollback(ctx)
		return err
	}
	if err := t.apply(ctx, batch); err != nil {
		err = t.failed(err)
		t.rollback(ctx)
		return err
	}
	if err := commit(t.conn, s.opt.Timeout); err != nil {
		_ = t.conn.Close(ctx) // never used again; what the server makes of it is settled there
		return fmt.Errorf("ledger database: %w", err)
	}
	s.witness.remember(batch)
	return nil
}

// transaction is one attempt of an update.
type transaction struct {
	s            *Store
	conn         *pgx.Conn
	names        *names
	before       *position
	placeholders []string // accounts that exist only to be locked
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
	locked := make(map[string]bool)
	for pass := range maxPasses {
		snap := newSnapshot(q)
		t.placeholders = t.placeholders[:0]
		clear(locked)
		if err := t.pass(ctx, pass > 0, snap, locked); err != nil {
			return nil, err
		}
		isLocked := func(name string) bool { return locked[name] }
		more := t.names.strangers(snap, isLocked)
		if len(more) == 0 && !slices.ContainsFunc(t.names.accounts, func(name string) bool { return !locked[name] }) {
			return snap, nil
		}
		t.names.accounts = append(t.names.accounts, more...)
		slices.Sort(t.names.accounts)
	}
	return nil, fmt.Errorf("%w: the accounts to lock keep changing", errRetry)
}

func (t *transaction) pass(ctx context.Context, again bool, snap *serial.Snapshot, locked map[string]bool) error {
	n := t.names
	var g guard
	b := &pgx.Batch{}
	if again {
		b.Queue("ROLLBACK")
	}
	b.Queue("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
	b.Queue(selectGuard).QueryRow(g.scan)
	if again {
		b.Queue(makePlaceholders, n.accounts, make([]byte, 32))
	}
	if len(n.accounts) > 0 || len(n.numbers) > 0 {
		b.Queue(lockAccounts, n.accounts, n.numbers).Query(func(rows pgx.Rows) error {
			return each(rows, func() error {
				a, err := scanAccount(rows)
				locked[a.Name] = true
				if a.Sequence == 0 {
					t.placeholders = append(t.placeholders, a.Name)
				} else {
					snap.Accounts[a.Name] = a
				}
				return err
			})
		})
	}
	n.queueKeys(b, snap)
	n.queueReservations(b, snap)
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

// apply writes a batch in one round trip. Every row must have an effect.
func (t *transaction) apply(ctx context.Context, batch *serial.Batch) error {
	b := &pgx.Batch{}
	write := func(what, sql string, n int, args ...any) {
		if n == 0 {
			return
		}
		b.Queue(sql, args...).Exec(func(tag pgconn.CommandTag) error {
			if done := tag.RowsAffected(); done != int64(n) {
				return fmt.Errorf("%d of %d rows refused by the database: %s", int64(n)-done, n, what)
			}
			return nil
		})
	}
	write("entries", writeEntries, len(batch.Entries), bindEntries(batch.Entries)...)
	write("reservations", writeReservations, len(batch.Reservations), bindReservations(batch.Reservations)...)
	write("keys", writeKeys, len(batch.Keys), bindKeys(batch.Keys)...)
	write("accounts", writeAccounts, len(batch.Accounts), bindAccounts(batch.Accounts)...)
	if len(t.placeholders) > 0 {
		b.Queue(removePlaceholders, t.placeholders)
	}
	if s := batch.Series; s != nil {
		if s.Term > math.MaxInt64 || s.Fence > s.Term {
			return &serial.CorruptError{Reason: "term or fence of a series out of range"}
		}
		write("series", writeSeries, 1, s.ID.String(), int64(s.Mark), int64(s.Term), micros(s.Time))
		write("fence", writeFence, 1, s.ID.String(), int64(s.Fence))
	}
	if l := batch.Lease; l != nil {
		write("lease", writeLease, 1, l.Series.String(), int64(l.Term), l.Holder, int64(l.First), int64(l.Last), micros(l.Time))
	}
	return t.conn.SendBatch(ctx, b).Close()
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
