package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/seed-574216e4/meterai/serial"
)

// Fence lets a database that is behind its witness, or has lost it, issue again. No counter below the one given, and none
// that the database or the witness has seen, is used any more; all leases end. The operator vouches for the counter: the
// whole history of every series must lie below it. It is also a way to end all leases of a healthy database. It leaves the
// times as they are; [serial.Fence] sets them back.
func (s *Store) Fence(ctx context.Context, counter uint64) error {
	if counter > serial.MaxCounter {
		return &serial.RequestError{Field: "counter", Reason: "is above 2^48"}
	}
	w, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	err = s.fence(w, counter)
	if err != nil {
		w.close()
		w = nil
	}
	s.writing <- w
	return err
}

// noteSkipped notes the counters from the database's mark to the new one as a lease of the fence, as [serial.Lease] wants.
func (c *connection) noteSkipped(ctx context.Context, p *position, m seriesMark) error {
	var first uint64
	for _, was := range p.Series {
		if was.Series == m.Series {
			first = was.Mark
		}
	}
	if first == m.Mark {
		return nil
	}
	id, err := toSeries(m.Series)
	if err != nil {
		return err
	}
	lease := serial.Lease{Series: id, Term: m.Term + 1, Holder: serial.FenceHolder, First: first, Last: m.Mark, Time: time.Now()}
	return c.applySeries(ctx, &serial.Batch{Lease: &lease})
}

func (s *Store) fence(w *connection, counter uint64) error {
	ctx := context.Background()
	if err := w.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("ledger database: %w", err)
	}
	p, err := w.position(ctx)
	if err != nil {
		return err
	}
	seen, err := readWitness(s.opt.Witness)
	if errors.Is(err, os.ErrNotExist) {
		seen, err = p, nil
	}
	if err != nil {
		return err
	}
	for _, m := range p.beyond(seen, counter) {
		if err := w.noteSkipped(ctx, p, m); err != nil {
			return err
		}
		err := w.exec(ctx, `INSERT INTO series (series, mark, term, fence, time) VALUES (?1, ?2, ?3, ?3, NULL)
			ON CONFLICT (series) DO UPDATE SET mark=?2, term=?3, fence=?3`, m.Series, int64(m.Mark), int64(m.Term+1))
		if err != nil {
			return fmt.Errorf("ledger database: %w", err)
		}
	}
	if err := w.exec(ctx, "UPDATE meta SET revision = max(revision, ?) + 1, floor = max(floor, ?)", seen.Revision, int64(counter)); err != nil {
		return fmt.Errorf("ledger database: %w", err)
	}
	if err := w.exec(ctx, "COMMIT"); err != nil {
		return fmt.Errorf("ledger database: commit: %w: %w", serial.ErrUnknownOutcome, err)
	}
	// The operator has said what counts: whatever the witness has seen.
	if err := s.witnessed(w, func(*position) error { return nil }); err != nil {
		return err
	}
	s.mu.Lock()
	s.fenced = nil
	s.mu.Unlock()
	return nil
}
