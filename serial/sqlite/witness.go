package sqlite

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
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
func writeWitness(path string, p *position) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	write := func(f *os.File) error {
		_, err := f.Write(append(b, '\n'))
		return err
	}
	if err := publish(path, ".witness-", write, os.Rename); err != nil {
		return fmt.Errorf("write witness: %w", err)
	}
	return nil
}

// witnessNow writes the position to the witness while it holds the write lock, so that of several processes none writes
// an older one over a newer one.
//
// A witness that has seen more than the database has is not overwritten: then another process writes to another file of
// this name, and the store is fenced.
func (s *Store) witnessNow(w *connection) error {
	return s.witnessed(w, func(p *position) error {
		seen, err := readWitness(s.opt.Witness)
		if err != nil {
			return nil // lost or damaged: a new one is better than none
		}
		if err := p.behind(seen); err != nil {
			s.refuse(err)
			return err
		}
		return nil
	})
}

func (s *Store) witnessed(w *connection, check func(*position) error) error {
	return w.locked(func(w *connection) error {
		p, err := w.position(context.Background())
		if err != nil {
			return err
		}
		if err := check(p); err != nil {
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
