package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"iter"

	"github.com/seed-574216e4/meterai/serial"
)

// acquire waits for the writer and opens it anew if it was dropped.
func (s *Store) acquire(ctx context.Context) (*connection, error) {
	if err := ctx.Err(); err != nil {
		return nil, err // a select would choose at random when the writer is free as well
	}
	select {
	case <-s.ended:
		return nil, serial.ErrClosed
	default:
	}
	if s.readOnly != nil {
		return nil, s.readOnly
	}
	var w *connection
	select {
	case <-s.ended:
		return nil, serial.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	case w = <-s.writing:
	}
	if w != nil {
		return w, nil
	}
	w, err := s.newWriter(ctx)
	if err != nil {
		s.writing <- nil
		return nil, err
	}
	return w, nil
}

// exclusive calls f within a transaction that holds the write lock, and undoes it. The writer comes back ready, or is
// dropped after an error.
func (s *Store) exclusive(ctx context.Context, f func(*connection) error) error {
	w, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	err = w.locked(f)
	if err != nil {
		w.close()
		w = nil
	}
	s.writing <- w
	return err
}

func (c *connection) locked(f func(*connection) error) error {
	ctx := context.Background()
	if err := c.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("ledger database: %w", err)
	}
	if err := f(c); err != nil {
		return err
	}
	return c.exec(ctx, "ROLLBACK")
}

// Update implements [serial.Store]. The transaction takes the write lock at its start, so decide is called once. An
// error of the commit is of unknown outcome: the connection is dropped, and the next transaction opens a new one, whose
// recovery settles what is durable.
func (s *Store) Update(ctx context.Context, q *serial.Query, decide func(*serial.Snapshot) (*serial.Batch, error)) error {
	w, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	fenced := s.fenced
	s.mu.Unlock()
	if fenced == nil {
		if fenced = s.inPlace(); fenced != nil {
			s.refuse(fenced)
		}
	}
	if fenced != nil {
		s.writing <- w
		return fenced
	}
	whole := false
	defer func() {
		if !whole { // also if decide ended the goroutine
			w.close()
			w = nil
		}
		s.writing <- w
	}()
	// From here on nothing is interrupted: a statement that is cut off leaves a connection in an unknown state.
	broken, changed, err := w.update(context.Background(), q, decide)
	if changed {
		s.noteChange()
		if w.leased {
			if err = s.witnessNow(w); err != nil {
				return fmt.Errorf("the lease cannot be used: %w", err)
			}
		}
	}
	whole = !broken
	return err
}

// update runs one transaction. broken says that the connection must not be used again.
func (c *connection) update(ctx context.Context, q *serial.Query, decide func(*serial.Snapshot) (*serial.Batch, error)) (broken, changed bool, err error) {
	if err := c.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return true, false, fmt.Errorf("ledger database: %w", err)
	}
	snap, err := c.load(ctx, q)
	if err != nil {
		return true, false, fmt.Errorf("ledger database: %w", err)
	}
	batch, err := decide(snap)
	if err != nil || batch.Empty() {
		if rollback := c.exec(ctx, "ROLLBACK"); rollback != nil {
			return true, false, errors.Join(err, fmt.Errorf("ledger database: %w", rollback))
		}
		return false, false, err
	}
	if err := c.apply(ctx, batch); err != nil {
		return true, false, fmt.Errorf("ledger database: %w", err)
	}
	if err := c.exec(ctx, "UPDATE meta SET revision = revision + 1"); err != nil {
		return true, false, fmt.Errorf("ledger database: %w", err)
	}
	if err := c.exec(ctx, "COMMIT"); err != nil {
		return true, false, fmt.Errorf("ledger database: commit: %w: %w", serial.ErrUnknownOutcome, err)
	}
	c.leased = batch.Series != nil
	return false, true, nil
}

// view calls f within a transaction on a connection for reading. f is this package's own and short.
func (s *Store) view(ctx context.Context, f func(*connection) error) error {
	r, err := s.reader(ctx, s.views)
	if err != nil {
		return err
	}
	defer s.users.Done()
	return s.reading(ctx, r, s.views, f)
}

// scan is view for an f that runs a caller's code. Close does not wait for it: it may be called from there.
func (s *Store) scan(ctx context.Context, f func(*connection) error) error {
	r, err := s.reader(ctx, s.scans)
	if err != nil {
		return err
	}
	s.users.Done()
	return s.reading(ctx, r, s.scans, f)
}

// reader gives a connection for reading, when there is a slot for it. With it the caller is one of the users.
func (s *Store) reader(ctx context.Context, slots chan struct{}) (r *connection, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.ended:
		return nil, serial.ErrClosed
	}
	defer func() {
		if err != nil {
			<-slots
		}
	}()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, serial.ErrClosed
	}
	s.users.Add(1)
	defer func() {
		if err != nil {
			s.users.Done()
		}
	}()
	if n := len(s.idle); n > 0 {
		r, s.idle = s.idle[n-1], s.idle[:n-1]
	}
	s.mu.Unlock()
	if r == nil {
		r, err = s.newReader(ctx)
	}
	return r, err
}

func (s *Store) newReader(ctx context.Context) (*connection, error) {
	r, err := s.newConnection(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.exec(ctx, "PRAGMA query_only=ON"); err != nil {
		r.close()
		return nil, fmt.Errorf("ledger database: %w", err)
	}
	return r, nil
}

// reading calls f and gives connection and slot back, also if f ends the goroutine.
func (s *Store) reading(ctx context.Context, r *connection, slots chan struct{}, f func(*connection) error) error {
	whole := false
	defer func() {
		s.mu.Lock()
		keep := whole && !s.closed && len(s.idle) < cap(s.views)
		if keep {
			s.idle = append(s.idle, r)
		}
		s.mu.Unlock()
		if !keep {
			r.close()
		}
		<-slots
	}()
	err := r.read(ctx, f)
	whole = err == nil
	return err
}

func (c *connection) read(ctx context.Context, f func(*connection) error) error {
	if err := c.exec(ctx, "BEGIN"); err != nil {
		return fmt.Errorf("ledger database: %w", err)
	}
	if err := f(c); err != nil {
		return err
	}
	return c.exec(ctx, "ROLLBACK")
}

// View implements [serial.Store].
func (s *Store) View(ctx context.Context, q *serial.Query) (*serial.Snapshot, error) {
	var snap *serial.Snapshot
	err := s.view(ctx, func(r *connection) (err error) {
		snap, err = r.load(ctx, q)
		return err
	})
	return snap, err
}

// Scan implements [serial.Store]. As long as it lasts, the write-ahead log cannot start anew and grows with what is
// written meanwhile. At most 48 run at a time, more wait.
func (s *Store) Scan(ctx context.Context, read func(serial.Reader) error) error {
	s.mu.Lock()
	refused := s.fenced
	s.mu.Unlock()
	return s.scan(ctx, func(r *connection) error { return read(&reader{r, refused}) })
}

// reader is a [serial.Reader] in a transaction.
type reader struct {
	c       *connection
	refused error // why updates are
}

func (r *reader) Accounts(ctx context.Context) iter.Seq2[serial.Account, error] {
	return walk(ctx, r.c, scanAccount, "SELECT "+accountColumns+" FROM accounts ORDER BY account")
}

func (r *reader) Entries(ctx context.Context, account string, after int64) iter.Seq2[serial.Entry, error] {
	if account == "" {
		return walk(ctx, r.c, scanEntry, "SELECT "+entryColumns+" FROM entries ORDER BY account, sequence")
	}
	return walk(ctx, r.c, scanEntry, "SELECT "+entryColumns+" FROM entries WHERE account = ? AND sequence > ? ORDER BY sequence", account, after)
}

func (r *reader) Reservations(ctx context.Context, unresolved bool) iter.Seq2[serial.Reservation, error] {
	where := ""
	if unresolved {
		where = " WHERE state < 3"
	}
	return walk(ctx, r.c, scanReservation, "SELECT "+reservationColumns+" FROM reservations"+where+" ORDER BY number")
}

func (r *reader) Keys(ctx context.Context) iter.Seq2[serial.Key, error] {
	// Of the attempts under a key, the newest has it.
	const newest = ` FROM reservations r WHERE sequence IS NOT NULL AND (state <> 4 OR NOT EXISTS (SELECT 1 FROM reservations o
		WHERE o.account = r.account AND o.key = r.key AND o.attempt > r.attempt))`
	return func(yield func(serial.Key, error) bool) {
		for _, keys := range []iter.Seq2[serial.Key, error]{
			walk(ctx, r.c, scanReservationKey, "SELECT "+reservationKeyColumns+newest),
			walk(ctx, r.c, scanKey, "SELECT "+keyColumns+" FROM keys"),
		} {
			for k, err := range keys {
				if !yield(k, err) {
					return
				}
			}
		}
	}
}

func (r *reader) Series(ctx context.Context) iter.Seq2[serial.Series, error] {
	return walk(ctx, r.c, scanSeries, "SELECT series, mark, term, fence, time FROM series ORDER BY series")
}

func (r *reader) Leases(ctx context.Context) iter.Seq2[serial.Lease, error] {
	return walk(ctx, r.c, scanLease, "SELECT series, term, holder, first, last, time FROM leases ORDER BY series, term")
}

// SelfCheck implements [serial.SelfChecker]: whether updates are refused, and SQLite's own check of the file.
func (r *reader) SelfCheck(ctx context.Context) iter.Seq2[serial.Problem, error] {
	return func(yield func(serial.Problem, error) bool) {
		if r.refused != nil && !yield(serial.Problem{Text: r.refused.Error()}, nil) {
			return
		}
		walk(ctx, r.c, func(row *row) (serial.Problem, error) {
			return serial.Problem{Text: row.text()}, row.err
		}, "SELECT 'database file: ' || integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'")(yield)
	}
}

var errStop = errors.New("walk ended by its caller")

func walk[T any](ctx context.Context, c *connection, scan func(*row) (T, error), query string, args ...driver.Value) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var a arguments
		for _, v := range args {
			a.add(v)
		}
		err := c.query(ctx, query, a, func(r *row) error {
			v, err := scan(r)
			if err == nil && !yield(v, nil) {
				err = errStop
			}
			return err
		})
		if err != nil && !errors.Is(err, errStop) {
			var zero T
			yield(zero, fmt.Errorf("ledger database: %w", err))
		}
	}
}
