package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/seed-574216e4/meterai/serial"
)

const beginRead = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

// View implements [serial.Store]: two round trips, on the primary.
func (s *Store) View(ctx context.Context, q *serial.Query) (*serial.Snapshot, error) {
	var snap *serial.Snapshot
	err := s.reading(ctx, func(c *pgx.Conn) error {
		ctx, cancel := context.WithTimeout(ctx, s.opt.Timeout)
		defer cancel()
		snap = newSnapshot(q)
		n := namesOf(q, func(serial.Number) string { return "" })
		var g guard
		b := &pgx.Batch{}
		b.Queue(beginRead)
		b.Queue(selectGuard).QueryRow(g.scan)
		found := func(s *stored) { snap.Reservations[s.Number] = *s.Reservation }
		n.queueKeys(b, snap, found)
		n.queueReservations(b, found)
		n.queueSeries(b, snap)
		if err := c.SendBatch(ctx, b).Close(); err != nil {
			return err
		}
		if err := g.check(s, false); err != nil {
			return err
		}
		n.accounts = append(n.accounts, n.strangers(snap, func(string) bool { return false })...)
		b = &pgx.Batch{}
		b.Queue(selectAccounts, texts(nil, n.accounts, itself)).Query(func(rows pgx.Rows) error {
			return each(rows, func() error {
				a, err := scanAccount(rows)
				snap.Accounts[a.Name] = a
				return err
			})
		})
		b.Queue("COMMIT")
		return c.SendBatch(ctx, b).Close()
	})
	if err != nil {
		return nil, err
	}
	return snap, nil
}

// reading calls f with a connection, again if the one that it had turned out to be lost. What f leaves open ends with the
// connection.
func (s *Store) reading(ctx context.Context, f func(*pgx.Conn) error) error {
	for attempt := 0; ; attempt++ {
		err := s.readOnce(ctx, f)
		if err == nil || attempt == 2 || ctx.Err() != nil || !errors.Is(err, errRetry) {
			return err
		}
	}
}

func (s *Store) readOnce(ctx context.Context, f func(*pgx.Conn) error) error {
	c, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release() // also if f ends the goroutine
	t := &transaction{s: s, conn: c.Conn()}
	if err := f(t.conn); err != nil {
		return t.failed(err)
	}
	return nil
}

// Scan implements [serial.Store]: one transaction with the snapshot of its start, read in pages, on the primary. As long
// as it lasts, the server cannot clean up rows that were replaced meanwhile. Half of the connections serve scans; further
// ones wait, so that slow readers keep nobody from booking. A scan that begins another inside of it takes two.
func (s *Store) Scan(ctx context.Context, read func(serial.Reader) error) error {
	select {
	case s.scans <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.scans }()
	var result error
	err := s.reading(ctx, func(c *pgx.Conn) error {
		var g guard
		b := &pgx.Batch{}
		b.Queue(beginRead)
		b.Queue("SET LOCAL idle_in_transaction_session_timeout = 0") // read may take its time between two pages
		b.Queue(selectGuard).QueryRow(g.scan)
		if err := c.SendBatch(ctx, b).Close(); err != nil {
			return err
		}
		if err := g.check(s, false); err != nil {
			return err
		}
		result = read(&reader{s, c})
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opt.Timeout)
		defer cancel()
		(&transaction{s: s, conn: c}).rollback(end)
		return nil // whatever read says, it is not called again
	})
	if err != nil {
		return err
	}
	return result
}

// reader is a [serial.Reader] in a transaction.
type reader struct {
	s *Store
	c *pgx.Conn
}

// page is how many rows are fetched at a time.
const page = 512

func (r *reader) Accounts(ctx context.Context) iter.Seq2[serial.Account, error] {
	const sql = "SELECT " + accountColumns + " FROM accounts WHERE account > $1 ORDER BY account LIMIT $2"
	return walk(ctx, r.c, scanAccount, func(last *serial.Account) (string, []any) { return sql, []any{last.Name, page} })
}

func (r *reader) Entries(ctx context.Context, account string, after int64) iter.Seq2[serial.Entry, error] {
	const all = "SELECT " + entryColumns + " FROM entries WHERE (account, sequence) > ($1, $2) ORDER BY account, sequence LIMIT $3"
	const one = "SELECT " + entryColumns + " FROM entries WHERE account = $1 AND sequence > $2 ORDER BY sequence LIMIT $3"
	return walk(ctx, r.c, scanEntry, func(last *serial.Entry) (string, []any) {
		if account == "" {
			return all, []any{last.Account, last.Sequence, page}
		}
		return one, []any{account, max(after, last.Sequence), page}
	})
}

func (r *reader) Reservations(ctx context.Context, unresolved bool) iter.Seq2[serial.Reservation, error] {
	const all = "SELECT " + reservationColumns + " FROM reservations WHERE number > $1 ORDER BY number LIMIT $2"
	const open = "SELECT " + reservationColumns + " FROM reservations WHERE number > $1 AND state IN (1, 2) ORDER BY number LIMIT $2"
	return walk(ctx, r.c, scanReservation, func(last *serial.Reservation) (string, []any) {
		number := blob(last.Number)
		if number == nil {
			number = []byte{}
		}
		if unresolved {
			return open, []any{number, page}
		}
		return all, []any{number, page}
	})
}

// Keys walks those of redeem in the order of account and key, then the others in the order of account, operation and key.
func (r *reader) Keys(ctx context.Context) iter.Seq2[serial.Key, error] {
	const redeem = `SELECT account, key, number, sequence, reserved FROM reservations r
		WHERE (account, key) > ($1, $2) AND sequence IS NOT NULL AND attempt = (
			SELECT max(attempt) FROM reservations WHERE account = r.account AND key = r.key)
		ORDER BY account, key LIMIT $3`
	const others = "SELECT " + keyColumns + " FROM keys WHERE (account, operation, key) > ($1, $2, $3) ORDER BY account, operation, key LIMIT $4"
	return func(yield func(serial.Key, error) bool) {
		for k, err := range walk(ctx, r.c, scanRedeemKey, func(last *serial.Key) (string, []any) {
			return redeem, []any{last.ID.Account, []byte(last.ID.Key), page}
		}) {
			if !yield(k, err) || err != nil {
				return
			}
		}
		for k, err := range walk(ctx, r.c, scanKey, func(last *serial.Key) (string, []any) {
			return others, []any{last.ID.Account, int16(last.ID.Op), []byte(last.ID.Key), page}
		}) {
			if !yield(k, err) {
				return
			}
		}
	}
}

func (r *reader) Series(ctx context.Context) iter.Seq2[serial.Series, error] {
	const sql = `SELECT s.series, s.mark, s.term, coalesce(f.fence, 0), s.time FROM series s LEFT JOIN fences f ON f.series = s.series
		WHERE s.series > $1 AND s.term > 0 ORDER BY s.series LIMIT $2`
	return walk(ctx, r.c, scanNamedSeries, func(last *serial.Series) (string, []any) { return sql, []any{last.ID.String(), page} })
}

func (r *reader) Leases(ctx context.Context) iter.Seq2[serial.Lease, error] {
	const sql = "SELECT " + leaseColumns + " FROM leases WHERE (series, term) > ($1, $2) ORDER BY series, term LIMIT $3"
	return walk(ctx, r.c, scanLease, func(last *serial.Lease) (string, []any) {
		return sql, []any{last.Series.String(), int64(last.Term), page}
	})
}

// SelfCheck implements [serial.SelfChecker]: it says if the store is fenced. Damaged files are for the server to find.
func (r *reader) SelfCheck(context.Context) iter.Seq2[serial.Problem, error] {
	return func(yield func(serial.Problem, error) bool) {
		if err := r.s.witness.refused(); err != nil {
			yield(serial.Problem{Text: err.Error()}, nil)
		}
	}
}

// walk reads page after page; next gives the statement for the rows after the last one, which begins as zero.
func walk[T any](ctx context.Context, c *pgx.Conn, scan func(pgx.Rows) (T, error), next func(last *T) (string, []any)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var last T
		for {
			sql, args := next(&last)
			rows, _ := c.Query(ctx, sql, args...) // its error is that of the rows
			list, err := collect(rows, scan)
			if err != nil {
				var zero T
				yield(zero, fmt.Errorf("ledger database: %w", err))
				return
			}
			for _, v := range list {
				if !yield(v, nil) {
					return
				}
			}
			if len(list) < page {
				return
			}
			last = list[len(list)-1]
		}
	}
}

func collect[T any](rows pgx.Rows, scan func(pgx.Rows) (T, error)) ([]T, error) {
	defer rows.Close()
	list := make([]T, 0, page)
	err := each(rows, func() error {
		v, err := scan(rows)
		list = append(list, v)
		return err
	})
	return list, err
}
