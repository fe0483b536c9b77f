package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/seed-574216e4/meterai/serial"
)

// witness remembers, in the process, how far the database has come, so that one that lost transactions is noticed.
type witness struct {
	mu       sync.Mutex
	series   map[serial.SeriesID]serial.Series
	accounts map[string]head
	broken   error // why updates are refused
}

// head is the newest entry of an account.
type head struct {
	sequence int64
	hash     [32]byte
}

// maxHeads bounds the accounts that are remembered, some 200 bytes each. When there are more, any one is forgotten.
const maxHeads = 1 << 16

// position is what a transaction must find at least: what was remembered before it began.
type position struct {
	series   serial.Series
	accounts map[string]head
}

func (w *witness) refused() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.broken
}

// refuse ends all updates, for the first reason given.
func (w *witness) refuse(reason error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken == nil {
		w.broken = reason
	}
	return w.broken
}

// remember takes notice of a batch that is durable.
func (w *witness) remember(b *serial.Batch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.accounts == nil {
		w.accounts, w.series = make(map[string]head), make(map[serial.SeriesID]serial.Series)
	}
	for i := range b.Accounts {
		a := &b.Accounts[i]
		was, known := w.accounts[a.Name]
		if was.sequence > a.Sequence {
			continue // another goroutine was faster to come here
		}
		if !known && len(w.accounts) >= maxHeads {
			for name := range w.accounts {
				delete(w.accounts, name)
				break
			}
		}
		w.accounts[a.Name] = head{a.Sequence, a.Head}
	}
	if s := b.Series; s != nil && s.Term >= w.series[s.ID].Term {
		w.series[s.ID] = *s
	}
}

func (w *witness) expect(n *names) *position {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := &position{series: w.series[n.series], accounts: make(map[string]head)}
	for _, name := range n.accounts {
		if h, ok := w.accounts[name]; ok {
			p.accounts[name] = h
		}
	}
	return p
}

// check explains why a database with this snapshot may not issue; nil if it may. The accounts of the snapshot are locked.
func (p *position) check(snap *serial.Snapshot) error {
	if s, seen := &snap.Series, &p.series; s.Mark < seen.Mark || s.Term < seen.Term || s.Fence < seen.Fence {
		return fmt.Errorf("%w: counter %d, term %d and fence %d of series %s were seen, the database is at %d, %d and %d: it lost transactions",
			serial.ErrFenced, seen.Mark, seen.Term, seen.Fence, seen.ID, s.Mark, s.Term, s.Fence)
	}
	for name, seen := range p.accounts {
		a := snap.Accounts[name]
		if a.Sequence < seen.sequence || a.Sequence == seen.sequence && a.Head != seen.hash {
			return fmt.Errorf("%w: entry %d of account %q was durable, the database is at %d or has another one: it lost transactions",
				serial.ErrFenced, seen.sequence, name, a.Sequence)
		}
	}
	return nil
}

// forget begins anew.
func (w *witness) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.accounts, w.series, w.broken = nil, nil, nil
}

// Fence lets this store issue again on a database that fell behind, and ends all leases of all series. No counter below
// the one given, and none that the database or this store has seen, is used any more, of any series. The operator
// vouches for the counter: the whole history of every series must lie below it. Other stores that were refused are closed
// and opened again afterwards.
func (s *Store) Fence(ctx context.Context, counter uint64) error {
	if counter > serial.MaxCounter {
		return &serial.RequestError{Field: "counter", Reason: "is above 2^48"}
	}
	c, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	ctx, cancel := context.WithTimeout(ctx, s.opt.Timeout)
	defer cancel()
	t := &transaction{s: s, conn: c.Conn()}
	if err := t.fence(ctx, counter); err != nil {
		t.rollback(ctx)
		return fmt.Errorf("fence ledger database: %w", err)
	}
	if err := commit(t.conn, s.opt.Timeout); err != nil {
		_ = t.conn.Close(context.WithoutCancel(ctx))
		return fmt.Errorf("fence ledger database: %w", err)
	}
	s.witness.forget()
	return nil
}

// fence raises all series in the transaction that it begins.
func (t *transaction) fence(ctx context.Context, counter uint64) error {
	var g guard
	var marks []serial.Series
	b := &pgx.Batch{}
	b.Queue("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
	b.Queue(selectGuard + " FOR UPDATE").QueryRow(g.scan)
	b.Queue("SELECT series FROM series ORDER BY series FOR UPDATE")
	b.Queue(`SELECT s.series, s.mark, s.term, coalesce(f.fence, 0), s.time FROM series s LEFT JOIN fences f ON f.series = s.series
		ORDER BY s.series`).Query(func(rows pgx.Rows) error {
		return each(rows, func() error {
			s, err := scanNamedSeries(rows)
			marks = append(marks, s)
			return err
		})
	})
	if err := t.conn.SendBatch(ctx, b).Close(); err != nil {
		return err
	}
	if err := g.check(t.s, true); err != nil {
		return err
	}
	if err := t.raiseFences(ctx, marks, counter); err != nil {
		return err
	}
	_, err := t.conn.Exec(ctx, "UPDATE meta SET floor = greatest(floor, $1)", int64(counter))
	return err
}

// raiseFences writes, for each series of the database or of the witness, a new term that ends all before it, and notes
// what it skips as a lease that is ended.
func (t *transaction) raiseFences(ctx context.Context, marks []serial.Series, counter uint64) error {
	for _, seen := range t.s.witness.known() {
		if !slices.ContainsFunc(marks, func(s serial.Series) bool { return s.ID == seen.ID }) {
			marks = append(marks, serial.Series{ID: seen.ID})
		}
	}
	for _, s := range marks {
		seen := t.s.witness.of(s.ID)
		next := serial.Series{ID: s.ID, Mark: max(s.Mark, seen.Mark, counter), Term: max(s.Term, seen.Term) + 1, Time: s.Time}
		next.Fence = next.Term
		batch := &serial.Batch{Series: &next}
		first := s.Mark
		if s.Term == 0 {
			first = 0 // a mark to begin at, which no lease has led to
		}
		if next.Mark > first {
			batch.Lease = &serial.Lease{Series: s.ID, Term: next.Term, Holder: serial.FenceHolder, First: first, Last: next.Mark, Time: s.Time}
		}
		if err := t.apply(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// known gives what was seen of all series, of what was seen of one.
func (w *witness) known() []serial.Series {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Values(w.series))
}

func (w *witness) of(id serial.SeriesID) serial.Series {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.series[id]
}
