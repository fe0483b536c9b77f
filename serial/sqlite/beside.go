package sqlite

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	sqlite3 "modernc.org/sqlite"

	"github.com/seed-574216e4/meterai/serial"
)

// What people do with the files of a database: SQLite trusts the names, and a file that was put in the place of another,
// or a log that was taken away, would take answers with it.

// files are the database and its write-ahead log as they were opened. They are the writer's.
type files struct {
	database, log os.FileInfo // nil if not known yet
}

// inPlace reports, with an error that is [serial.ErrFenced], a database or a log that is not the one that was opened.
func (s *Store) inPlace() error {
	for _, f := range []struct {
		path string
		was  *os.FileInfo
	}{{s.path, &s.files.database}, {s.path + "-wal", &s.files.log}} {
		is, err := os.Stat(f.path)
		if *f.was == nil {
			if err == nil {
				*f.was = is
			}
			continue
		}
		if err != nil || !os.SameFile(is, *f.was) {
			return fmt.Errorf("%w: %s was taken away or replaced while it was open: stop all programs, bring one database back, fence it",
				serial.ErrFenced, f.path)
		}
	}
	return nil
}

// refuse stops the updates of this store for good.
func (s *Store) refuse(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fenced == nil {
		s.fenced = why
		s.opt.Logger.Error("ledger database may not issue", "path", s.path, "error", why)
	}
}

// checkLog refuses a write-ahead log that belongs to another file, as when a backup was put in the place of a database
// that had crashed: SQLite would play the log onto it. A copy made by [Store.Backup] has a mark of its own, and the log
// brings the mark of the file that it was written for.
func (s *Store) checkLog(ctx context.Context) error {
	if info, err := os.Stat(s.path + "-wal"); err != nil || info.Size() == 0 {
		return nil
	}
	alone, err := s.mark(ctx, "ro&immutable=1")
	if err != nil {
		return nil // all of it may still be in the log
	}
	with, err := s.mark(ctx, "ro")
	if err != nil || bytes.Equal(alone, with) {
		return nil // what is wrong is said by who opens it
	}
	return &FormatError{s.path, "the write-ahead log beside it belongs to another database: if this is a restored backup, move the files -wal and -shm away, and keep the witness"}
}

// mark reads which copy a file is, in a mode of SQLite.
func (s *Store) mark(ctx context.Context, mode string) (mark []byte, err error) {
	name := url.URL{Path: filepath.ToSlash(s.path)}
	connector, err := sqlite3.NewConnector("file:" + name.EscapedPath() + "?mode=" + mode)
	if err != nil {
		return nil, err
	}
	conn, err := connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	c := &connection{conn: conn, stmts: make(map[string]statement)}
	defer c.close()
	err = c.query(ctx, "SELECT copy FROM meta", nil, func(r *row) error {
		mark = bytes.Clone(r.blob())
		return r.err
	})
	return mark, err
}

// notBeside refuses a name that has files of an earlier database beside it, which SQLite would take for its own.
func notBeside(path string) error {
	for _, end := range []string{"", "-wal", "-shm", "-journal"} {
		if _, err := os.Lstat(path + end); err == nil {
			return &fs.PathError{Op: "create", Path: path + end, Err: fs.ErrExist}
		}
	}
	return nil
}

// markCopy makes a file that was copied tell itself from what it was copied from, and from a new database.
func markCopy(ctx context.Context, path string, mark []byte) error {
	name := url.URL{Path: filepath.ToSlash(path)}
	connector, err := sqlite3.NewConnector("file:" + name.EscapedPath() + "?mode=rw")
	if err != nil {
		return err
	}
	conn, err := connector.Connect(ctx)
	if err != nil {
		return err
	}
	c := &connection{conn: conn, stmts: make(map[string]statement)}
	defer c.close()
	if err := c.script(ctx, "PRAGMA journal_mode=DELETE"); err != nil {
		return err
	}
	return c.exec(ctx, "UPDATE meta SET copy = ?, revision = max(revision, 1)", mark)
}
