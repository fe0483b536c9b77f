package sqlite

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	sqlite3 "modernc.org/sqlite"
)

// backupPages are copied at a time: 16 MiB, between which the context is looked at.
const backupPages = 4096

// Backup copies the database, as of one moment, to a new file while updates go on. The file appears under its name when it
// is whole and durable; one that exists is refused with [io/fs.ErrExist], also if it appears meanwhile. The file system must
// have hard links. As long as it lasts, the write-ahead log of the database grows with what is written meanwhile, and it
// takes the place of one scan. A process that is killed leaves a file .backup-* beside the name, which nobody removes.
//
// The copy has no witness, so it can be opened and read, but a ledger that is restored from it issues nothing until
// [Store.Fence]: neither beside the old witness, which has seen more, nor without one. To restore it, stop all programs,
// move the old database away with its -wal and -shm, keep the witness, and give the copy the old name.
func (s *Store) Backup(ctx context.Context, path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("back up ledger database: %w", err)
	}
	if err := notBeside(abs); err != nil { // before the work is done
		return fmt.Errorf("back up ledger database: %w", err)
	}
	mark := make([]byte, 16)
	rand.Read(mark)
	write := func(f *os.File) error {
		if err := s.scan(ctx, func(r *connection) error { return r.copyTo(ctx, f.Name(), s.opt.step) }); err != nil {
			return err
		}
		return markCopy(ctx, f.Name(), mark)
	}
	if err := publish(abs, ".backup-", write, placeNew); err != nil {
		return fmt.Errorf("back up ledger database: %w", err)
	}
	return nil
}

// copyTo copies the moment that the transaction sees, so many pages at a time.
func (c *connection) copyTo(ctx context.Context, path string, pages int32) error {
	source, ok := c.conn.(interface {
		NewBackup(string) (*sqlite3.Backup, error)
	})
	if !ok {
		return errOldDriver
	}
	// The transaction has begun with the first read. Until then the database could change between two steps.
	if _, err := c.position(ctx); err != nil {
		return err
	}
	name := url.URL{Path: filepath.ToSlash(path)}
	b, err := source.NewBackup("file:" + name.EscapedPath())
	if err != nil {
		return err
	}
	for more := true; more && err == nil; {
		if err = ctx.Err(); err == nil {
			more, err = b.Step(pages)
		}
	}
	return errors.Join(err, b.Finish())
}
