package sqlite

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/seed-574216e4/meterai/serial"
)

// witnessDelay is how long a change that took no lease may go without being witnessed.
const witnessDelay = time.Second

const maxWitness = 1 << 20 // bytes of a witness file that are read

// position is how far a database has come: what the witness file holds, as JSON.
type position struct {
	Instance string       `json:"instance"` // 16 bytes in hex: says which database
	Revision int64        `json:"revision"` // transactions
	Series   []seriesMark `json:"series"`
}

type seriesMark struct {
	Series string `json:"series"`
	Mark   uint64 `json:"mark"`
	Term   uint64 `json:"term"`
}

// behind explains why a database at p may not issue after what the witness has seen; nil if it may.
func (p *position) behind(seen *position) error {
	if p.Instance != seen.Instance {
		return fmt.Errorf("%w: the witness belongs to another database", serial.ErrFenced)
	}
	if p.Revision < seen.Revision {
		return fmt.Errorf("%w: the database is at revision %d, its witness has seen %d: an old backup?", serial.ErrFenced, p.Revision, seen.Revision)
	}
	for _, m := range seen.Series {
		i := slices.IndexFunc(p.Series, func(o seriesMark) bool { return o.Series == m.Series })
		if i < 0 || p.Series[i].Mark < m.Mark || p.Series[i].Term < m.Term {
			return fmt.Errorf("%w: the witness has seen counter %d and term %d of series %s, the database has not: an old backup?",
				serial.ErrFenced, m.Mark, m.Term, m.Series)
		}
	}
	return nil
}

// beyond gives for each series the mark, at least the counter given, and the term that neither p nor seen is above.
func (p *position) beyond(seen *position, counter uint64) map[string]seriesMark {
	marks := make(map[string]seriesMark)
	for _, list := range [][]seriesMark{p.Series, seen.Series} {
		for _, m := range list {
			o := marks[m.Series]
			marks[m.Series] = seriesMark{m.Series, max(m.Mark, o.Mark, counter), max(m.Term, o.Term)}
		}
	}
	return marks
}

// position reads how far the database has come.
func (c *connection) position(ctx context.Context) (*position, error) {
	var p position
	err := c.query(ctx, "SELECT instance, revision FROM meta", nil, func(r *row) error {
		p.Instance, p.Revision = hex.EncodeToString(r.blob()), r.integer()
		return r.err
	})
	if err != nil {
		return nil, fmt.Errorf("ledger database: %w", err)
	}
	err = c.query(ctx, "SELECT series, mark, term FROM series ORDER BY series", nil, func(r *row) error {
		p.Series = append(p.Series, seriesMark{r.text(), uint64(r.integer()), uint64(r.integer())})
		return r.err
	})
	if err != nil {
		return nil, fmt.Errorf("ledger database: %w", err)
	}
	return &p, nil
}

func readWitness(path string) (*position, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxWitness {
		return nil, &FormatError{path, "is too large for a witness"}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var p position
	if err := json.Unmarshal(b, &p); err != nil || p.Instance == "" {
		return nil, &FormatError{path, "is not a witness; if it is lost, move it away and fence the database"}
	}
	return &p, nil
}

// writeWitness replaces the file durably.
func writeWitness(path string, p *position) (err error) {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, ".witness-")
	if err != nil {
		return fmt.Errorf("write witness: %w", err)
	}
	_, err = temp.Write(append(b, '\n'))
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write witness: %w", errors.Join(err, os.Remove(temp.Name())))
	}
	return syncDir(dir)
}

// witnessNow writes the position to the witness while it holds the write lock, so that of several processes none writes
// an older one over a newer one.
func (s *Store) witnessNow(w *connection) error {
	return w.locked(func(w *connection) error {
		p, err := w.position(context.Background())
		if err != nil {
			return err
		}
		return writeWitness(s.opt.Witness, p)
	})
}

// noteChange sees to it that the witness follows.
func (s *Store) noteChange() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer == nil && !s.closed {
		s.timer = time.AfterFunc(witnessDelay, s.witnessLater)
	}
}

func (s *Store) witnessLater() {
	w, err := s.acquire(context.Background())
	if err != nil {
		return // closed, and then Close has written it; or the next transaction meets the same error
	}
	s.mu.Lock()
	s.timer = nil
	s.mu.Unlock()
	if err := s.witnessNow(w); err != nil {
		s.opt.Logger.Error("witness of the ledger database not written", "path", s.opt.Witness, "error", err)
		w.close()
		w = nil
		s.noteChange()
	}
	s.writing <- w
}

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
	if err := s.witnessNow(w); err != nil {
		return err
	}
	s.mu.Lock()
	s.fenced = nil
	s.mu.Unlock()
	return nil
}
