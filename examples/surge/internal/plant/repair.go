package plant

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/tsa"
)

// Repairer makes good the timestamps that are owed: it extends the documents with document timestamps. The output under
// the serial stays as it is; the extended document stands beside it.
type Repairer struct {
	Dir       string // of the plant
	Authority tsa.Timestamper
	Output    func(ctx context.Context, n serial.Number) (io.ReadCloser, error)
}

// Repair does what is owed now. It gives how many documents were extended and how many notes are left; it stops at the
// first error of the authority, which is not an error of Repair.
func (r *Repairer) Repair(ctx context.Context) (done, left int, err error) {
	if err := os.MkdirAll(Extended(r.Dir), 0o700); err != nil {
		return 0, 0, err
	}
	notes, err := os.ReadDir(filepath.Join(r.Dir, owedDir))
	if err != nil {
		return 0, 0, err
	}
	for i, note := range notes {
		switch ok, err := r.one(ctx, note.Name()); {
		case errors.Is(err, tsa.ErrRetry):
			return done, left + len(notes) - i, nil
		case err != nil:
			return done, left, fmt.Errorf("owed timestamp of %s: %w", note.Name(), err)
		case ok:
			done++
		default:
			left++
		}
	}
	return done, left, nil
}

// one extends a document, if it is stamped by now.
func (r *Repairer) one(ctx context.Context, name string) (bool, error) {
	n, err := serial.Parse(name)
	if err != nil {
		return false, err
	}
	rc, err := r.Output(ctx, n)
	if err != nil {
		return false, nil // not finished, or the ledger is down: at the next pass
	}
	defer rc.Close()
	source, err := io.ReadAll(rc)
	if err != nil {
		return false, err
	}
	update, _, err := sign.Extend(ctx, bytes.NewReader(source), int64(len(source)), &sign.ExtendOptions{Timestamp: r.Authority})
	if err != nil {
		return false, err
	}
	temp := filepath.Join(Extended(r.Dir), "."+name)
	if err := os.WriteFile(temp, append(source, update...), 0o600); err != nil {
		return false, err
	}
	if err := os.Rename(temp, filepath.Join(Extended(r.Dir), name)); err != nil {
		return false, err
	}
	return true, os.Remove(filepath.Join(r.Dir, owedDir, name))
}
