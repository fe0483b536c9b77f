package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	sqlite3 "modernc.org/sqlite"
)

// backupPages are copied at a time: 16 MiB, between which the context is looked at.
const backupPages = 4096

// Backup copies the database, as of one moment, to a new file while updates go on. The file appears under its name when it
// is whole and durable; one that exists is refused with [fs.ErrExist]. As long as it lasts, the write-ahead log of the
// database grows with what is written meanwhile.
//
// The copy has no witness, so it can be opened and read, but a ledger that is restored from it issues nothing until
// [Store.Fence]: neither beside the old witness, which has seen more, nor without one.
func (s *Store) Backup(ctx context.Context, path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("back up ledger database: %w", err)
	}
	if _, err := os.Lstat(abs); err == nil {
		return fmt.Errorf("back up ledger database: %w", &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist})
	}
	dir := filepath.Dir(abs)
	temp, err := os.CreateTemp(dir, ".backup-") // with mode 0600
	if err != nil {
		return fmt.Errorf("back up ledger database: %w", err)
	}
	err = s.scan(ctx, func(r *connection) error { return r.copyTo(ctx, temp.Name()) })
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), abs)
	}
	if err != nil {
		return fmt.Errorf("back up ledger database: %w", errors.Join(err, os.Remove(temp.Name())))
	}
	return syncDir(dir)
}

// copyTo copies the moment that the transaction sees.
func (c *connection) copyTo(ctx context.Context, path string) error {
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
			more, err = b.Step(backupPages)
		}
	}
	return errors.Join(err, b.Finish())
}
