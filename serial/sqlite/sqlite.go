// Package sqlite keeps a ledger of package serial in one SQLite file, through the pure Go driver modernc.org/sqlite.
//
// The two calls to make are [Open] and, after the ledger is closed, [Store.Close]. The journal is a write-ahead log that
// is synchronised at each commit (journal_mode=WAL, synchronous=EXTRA): what was answered survives a crash of the machine,
// as far as the disk keeps what it acknowledged. The file must be on a local disk; WAL does not work over a network.
//
// # Several processes
//
// Several processes on one machine may open the same file. Transactions take the write lock at their start and read all
// rows anew, and each ledger has its own leases, so they share accounts and series without harm; they wait for each
// other up to [Options.BusyTimeout].
//
// # The witness
//
// Next to the database, or better on another disk ([Options.Witness]), a small file tells how far the ledger has come:
// its instance, its revision, and the mark and term of each series. It is written, durably, before a leased number is
// used, and within a second after other changes. A database that is behind its witness was restored from an old backup:
// numbers that it would issue may be on stamps already. Then, and when the witness is missing, every Update is refused
// with [serial.ErrFenced], and reading goes on, until an operator calls [Store.Fence] with a counter that is known to be
// safe. What the witness cannot see: a machine that was rolled back as a whole, witness included, and the changes of the
// last second that took no lease. Against the first, keep a checkpoint ([serial.Ledger.WriteCheckpoint]) on another
// machine.
//
// A program that does not mean to make a ledger opens it with [Options.MustExist]: a new database in the place of a lost
// one would begin again with the first numbers.
//
// # Reading
//
// A database that cannot be written, as on a read-only file system, opens for reading; so does one that is behind its
// witness, or whose witness is damaged. Who only looks up opens it with [Options.ReadOnly] and disturbs no writer. At most
// 16 views and 48 scans run at a time, the others wait; a loop through entries or accounts is a scan, and one that begins
// another inside of it takes two.
//
// [serial.Audit] first runs SQLite's own check of the whole file (integrity_check) and reports a fenced database.
//
// # Backup
//
// [Store.Backup] copies the database while it is used. Do not copy the file of an open database by other means. A ledger
// that is restored from a copy has to be fenced before it issues again, with a counter above all that was issued since.
//
// # After an error
//
// A connection whose transaction met an error is closed and opened anew, so that what is durable is read from the file; an
// error of the commit is [serial.ErrUnknownOutcome], and the same request under the same key finds out. The tests let each
// call to the operating system fail, and the power go at each, with the writes that were not synchronised lost in whole or
// in part; METERAI_FAULTS=all takes all calls instead of some, METERAI_KILLS=1000 and METERAI_NUMBERS=1000000 kill and
// allocate more.
//
// # Speed
//
// A unit from the request to "stamped", two transactions in groups of 256 callers, costs little more than its four rows
// when a program inserts them by hand: about 14,000 against 16,000 units a second on 2 shared cores, a twentieth of what a
// bare synchronised log takes (go test ./serial/sqlite -run xxx -bench Compare -benchtime 60000x). That program goes through
// database/sql to the same driver, which the ledger calls directly. The rest is SQLite's own work: the number of a unit
// falls anywhere in its index, so that each unit writes a page of it.
//
// # What is left out
//
// Replication, and any engine but SQLite.
package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	sqlite3 "modernc.org/sqlite"

	"github.com/seed-574216e4/meterai/serial"
)

// Options configures a store. A nil pointer is all zero values.
type Options struct {
	Witness     string        // path of the witness file; "" is the database's path with ".witness" behind
	BusyTimeout time.Duration // how long to wait for another process's transaction; 0 is 10 seconds
	Logger      *slog.Logger  // nil is silent
	vfs         string        // of tests: the file system of SQLite to use; "" is the default one
	step        int32         // of tests: pages that a backup copies at a time; 0 is backupPages
	MustExist   bool          // refuse a database that is missing or empty with a [*MissingError], instead of making it
	ReadOnly    bool          // as MustExist, and write nothing and take no lock that a writer waits for; every Update is refused
}

// Store is a [serial.Store] in a SQLite file.
type Store struct {
	path      string
	opt       Options
	connector driver.Connector
	writing   chan *connection // capacity 1: the writer, nil when it must be opened anew
	views     chan struct{}    // a slot for each view in progress
	scans     chan struct{}    // and each scan; apart, since a scan's caller may view

	readOnly error // why nothing can be written; set before Open returns
	files    files // of who holds the writer

	mu     sync.Mutex // guards the rest
	idle   []*connection
	closed bool
	fenced error       // why updates are refused
	timer  *time.Timer // running when the witness is behind
	ended  chan struct{}
	users  sync.WaitGroup // views in progress, and scans that begin
}

// FormatError refuses a file that is not this package's database, or one of a newer version.
type FormatError struct {
	Path   string
	Reason string
}

func (e *FormatError) Error() string { return fmt.Sprintf("%s: %s", e.Path, e.Reason) }

// MissingError refuses to make a database where [Options.MustExist] says that there is one. It is [fs.ErrNotExist].
type MissingError struct{ Path string }

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s: no ledger database is there; if it was lost, bring it back: a new one would issue the same numbers again", e.Path)
}

// Unwrap gives [fs.ErrNotExist].
func (e *MissingError) Unwrap() error { return fs.ErrNotExist }

// How many connections read at a time. Each has two open files.
const (
	maxViews = 16
	maxScans = 48
)

// Open opens the database at path, which must be a file name, and makes it, with mode 0600, if it is missing, unless
// [Options.MustExist] is set. A path that leads through symbolic links stands for what they lead to. A file that is
// something else is left as it is and refused with a [*FormatError]. A database behind its witness opens, for reading and
// for [Store.Fence]; so does one whose witness cannot be read, and one that cannot be written, for reading.
func Open(ctx context.Context, path string, opt *Options) (*Store, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open ledger database: %w", err)
	}
	s := &Store{writing: make(chan *connection, 1), views: make(chan struct{}, maxViews), scans: make(chan struct{}, maxScans), ended: make(chan struct{})}
	if opt != nil {
		s.opt = *opt
	}
	if s.opt.BusyTimeout <= 0 {
		s.opt.BusyTimeout = 10 * time.Second
	}
	if s.opt.Logger == nil {
		s.opt.Logger = slog.New(slog.DiscardHandler)
	}
	if s.opt.step <= 0 {
		s.opt.step = backupPages
	}
	s.opt.MustExist = s.opt.MustExist || s.opt.ReadOnly
	if !s.opt.MustExist {
		if err := create(abs); err != nil {
			return nil, fmt.Errorf("open ledger database: %w", err)
		}
	}
	// The witness belongs to the file, by whatever name that is opened.
	if s.path, err = filepath.EvalSymlinks(abs); errors.Is(err, fs.ErrNotExist) && s.opt.MustExist {
		return nil, &MissingError{abs}
	}
	if err != nil {
		return nil, fmt.Errorf("open ledger database: %w", err)
	}
	if s.opt.Witness == "" {
		s.opt.Witness = s.path + ".witness"
	}
	if err := s.checkLog(ctx); err != nil {
		return nil, err
	}
	if err := s.inPlace(); err != nil { // remembers the file
		return nil, err
	}
	if s.opt.ReadOnly {
		err = s.openReadOnly(ctx, errReading)
	} else if err = s.open(ctx, "rw", s.start); cannotWrite(err) {
		s.opt.Logger.Warn("ledger database cannot be written", "path", s.path, "error", err)
		err = s.openReadOnly(ctx, err)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// open opens the file in a mode of SQLite and calls start.
func (s *Store) open(ctx context.Context, mode string, start func(context.Context) error) (err error) {
	name := url.URL{Path: filepath.ToSlash(s.path)}
	dsn := fmt.Sprintf("file:%s?mode=%s&_pragma=busy_timeout(%d)", name.EscapedPath(), mode, s.opt.BusyTimeout.Milliseconds())
	if s.opt.vfs != "" {
		dsn += "&vfs=" + s.opt.vfs
	}
	if s.connector, err = sqlite3.NewConnector(dsn); err != nil {
		return fmt.Errorf("open ledger database: %w", err)
	}
	return start(ctx)
}

// errReading is why nothing is written when [Options.ReadOnly] is set.
var errReading = errors.New("it was opened for reading")

// cannotWrite reports whether an error comes from a file or a directory that is not to be written.
func cannotWrite(err error) bool {
	var se *sqlite3.Error
	return errors.As(err, &se) && (se.Code()&0xff == 8 || se.Code()&0xff == 14) // SQLITE_READONLY, SQLITE_CANTOPEN
}

// openReadOnly opens a database that cannot be written. Where not even the files beside it can be made, SQLite must be told
// that nobody else writes; that is only so if there is no write-ahead log.
func (s *Store) openReadOnly(ctx context.Context, why error) error {
	select {
	case w := <-s.writing: // which start may have left
		if w != nil {
			w.close()
		}
	default:
	}
	s.readOnly = fmt.Errorf("the ledger database can only be read: %w", why)
	err := s.open(ctx, "ro", s.startReadOnly)
	if info, statErr := os.Stat(s.path + "-wal"); cannotWrite(err) && (statErr != nil || info.Size() == 0) {
		err = s.open(ctx, "ro&immutable=1", s.startReadOnly)
	}
	if err != nil {
		return errors.Join(why, err)
	}
	s.writing <- nil
	return nil
}

func (s *Store) startReadOnly(ctx context.Context) error {
	err := s.view(ctx, func(r *connection) error {
		empty, err := s.checkFormat(ctx, r)
		if err != nil {
			return err
		}
		if empty {
			return &MissingError{s.path}
		}
		db, err := r.position(ctx)
		if err != nil {
			return err
		}
		_, s.fenced = s.compare(db)
		return nil
	})
	if err == nil {
		return nil
	}
	for _, r := range s.idle {
		r.close()
	}
	s.idle = nil
	return err
}

// compare says whether the witness is behind the database, and why the database may not issue.
func (s *Store) compare(db *position) (behind bool, fenced error) {
	seen, err := readWitness(s.opt.Witness)
	switch {
	case errors.Is(err, os.ErrNotExist) && db.Revision == 0:
		return true, nil
	case errors.Is(err, os.ErrNotExist):
		return false, fmt.Errorf("%w: the witness %s is missing", serial.ErrFenced, s.opt.Witness)
	case err != nil:
		return false, fmt.Errorf("%w: %w", serial.ErrFenced, err)
	}
	if fenced = db.behind(seen); fenced != nil {
		return false, fenced
	}
	return seen.behind(db) != nil, nil
}

// start checks the file, makes the schema if the file is new, and compares with the witness.
func (s *Store) start(ctx context.Context) error {
	w, err := s.newWriter(ctx)
	if err != nil {
		return err
	}
	s.writing <- w
	return s.exclusive(ctx, func(w *connection) error {
		// SQLite takes a write lock on a file that cannot be written; only a change, which is undone, tells.
		if err := w.exec(context.WithoutCancel(ctx), "UPDATE meta SET revision = revision"); err != nil {
			return fmt.Errorf("open ledger database: %w", err)
		}
		db, err := w.position(context.WithoutCancel(ctx))
		if err != nil {
			return err
		}
		var behind bool
		if behind, s.fenced = s.compare(db); behind {
			err := writeWitness(s.opt.Witness, db)
			if err == nil || db.Revision == 0 {
				return err
			}
			s.opt.Logger.Error("witness of the ledger database not written", "path", s.opt.Witness, "error", err)
			s.noteChange()
		}
		if s.fenced != nil {
			s.opt.Logger.Error("ledger database may not issue", "path", s.path, "error", s.fenced)
		}
		return nil
	})
}

// newWriter opens a connection that may write. Nothing is written to a file that is not ours.
func (s *Store) newWriter(ctx context.Context) (*connection, error) {
	w, err := s.newConnection(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, w); err != nil {
		w.close()
		return nil, err
	}
	s.files.log = nil // it may be a new one now
	return w, nil
}

func (s *Store) prepare(ctx context.Context, w *connection) error {
	empty, err := s.checkFormat(ctx, w)
	if err != nil {
		return err
	}
	// EXTRA differs from FULL only while there is no log yet: else the journal by which a new file is made may come back
	// after a power failure, and with it an empty database.
	if err := w.script(ctx, "PRAGMA synchronous=EXTRA"); err != nil {
		return fmt.Errorf("open ledger database: %w", err)
	}
	if err := s.setWAL(ctx, w); err != nil {
		return fmt.Errorf("open ledger database: %w", err)
	}
	for _, p := range []string{"cache_size=-65536", "temp_store=MEMORY", "wal_autocheckpoint=4000", "trusted_schema=OFF"} {
		if err := w.script(ctx, "PRAGMA "+p); err != nil {
			return fmt.Errorf("open ledger database: %w", err)
		}
	}
	if !empty {
		return nil
	}
	if s.opt.MustExist {
		return &MissingError{s.path}
	}
	return s.makeSchema(ctx, w)
}

// setWAL switches the journal. SQLite does not wait for other processes here, so this does.
func (s *Store) setWAL(ctx context.Context, w *connection) error {
	for end := time.Now().Add(s.opt.BusyTimeout); ; {
		var mode string
		err := w.query(ctx, "PRAGMA journal_mode=WAL", nil, func(r *row) error {
			mode = r.text()
			return r.err
		})
		var se *sqlite3.Error
		switch {
		case err == nil && mode == "wal":
			return nil
		case err == nil:
			return fmt.Errorf("write-ahead log not available, journal mode is %s", mode)
		case !errors.As(err, &se) || se.Code()&0xff != 5 || time.Now().After(end): // SQLITE_BUSY
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// checkFormat reports whether the database is new, and refuses one that is not ours.
func (s *Store) checkFormat(ctx context.Context, w *connection) (empty bool, err error) {
	var id, version, tables int64
	err = w.query(ctx, `SELECT a.application_id, v.user_version, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_application_id a, pragma_user_version v`, nil, func(r *row) error {
		id, version, tables = r.integer(), r.integer(), r.integer()
		return r.err
	})
	var se *sqlite3.Error
	switch {
	case errors.As(err, &se) && se.Code()&0xff == 26: // SQLITE_NOTADB
		return false, &FormatError{s.path, "is not a SQLite database"}
	case err != nil:
		return false, fmt.Errorf("open ledger database: %w", err)
	case id == 0 && version == 0 && tables == 0:
		return true, nil
	case id != applicationID:
		return false, &FormatError{s.path, "is the database of another program"}
	case version > schemaVersion:
		return false, &FormatError{s.path, fmt.Sprintf("has schema version %d; this program knows up to %d: use a newer one", version, schemaVersion)}
	case version != schemaVersion:
		return false, &FormatError{s.path, fmt.Sprintf("has schema version %d, which was never released", version)}
	}
	return false, nil
}

func (s *Store) makeSchema(ctx context.Context, w *connection) error {
	if err := w.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("make ledger database: %w", err)
	}
	empty, err := s.checkFormat(ctx, w) // another process may have been faster
	if err != nil {
		return err
	}
	if !empty {
		return w.exec(ctx, "ROLLBACK")
	}
	instance := make([]byte, 16)
	if _, err := rand.Read(instance); err != nil {
		return fmt.Errorf("make ledger database: %w", err)
	}
	for _, stmt := range []string{schema, fmt.Sprintf("PRAGMA application_id=%d", applicationID),
		fmt.Sprintf("PRAGMA user_version=%d", schemaVersion)} {
		if err := w.script(ctx, stmt); err != nil {
			return fmt.Errorf("make ledger database: %w", err)
		}
	}
	if err := w.exec(ctx, "INSERT INTO meta (id, instance, revision, floor) VALUES (1, ?, 0, 0)", instance); err != nil {
		return fmt.Errorf("make ledger database: %w", err)
	}
	if err := w.exec(ctx, "COMMIT"); err != nil {
		return fmt.Errorf("make ledger database: %w", err)
	}
	return nil
}

// Close writes the witness and closes the file. Updates and views under way end first. A scan, such as a walk through
// [serial.Ledger.History], goes on and keeps its connection until it ends: it may be what calls Close.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	behind := s.timer != nil
	if behind {
		s.timer.Stop()
	}
	idle := s.idle
	s.idle = nil
	s.mu.Unlock()
	close(s.ended)

	w := <-s.writing // never put back: whoever waits for it sees that the store has ended
	s.users.Wait()
	var err error
	if behind {
		if w == nil { // dropped after an error
			w, err = s.newWriter(context.Background())
		}
		if err == nil {
			err = s.witnessNow(w)
		}
	}
	for _, r := range append(idle, w) {
		if r != nil {
			r.close()
		}
	}
	return err
}
