package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/seed-574216e4/meterai/serial"
)

// addKeep adds the flag that keeps a document from being overwritten by another.
func addKeep(cmd *cobra.Command, keep *bool) {
	cmd.Flags().BoolVar(keep, "keep", false, "refuse to overwrite a file that is there already, but by the identical document")
}

// notSameFile refuses to replace the input, which is needed to write the
// document again.
func notSameFile(src *os.File, out string) error {
	a, err := src.Stat()
	if err != nil {
		return err
	}
	if b, err := os.Stat(out); err == nil && os.SameFile(a, b) {
		return usage("--out must be another file than --in")
	}
	return nil
}

// keepOther refuses to overwrite a document that is not the one to be written. A key
// that stands for another request is left to the ledger, which refuses it.
func (s *stamper) keepOther(ctx context.Context, out string, src io.ReaderAt, size int64, request *serial.Request) error {
	if !s.keep {
		return nil
	}
	begun, err := s.ledger.LookupKey(ctx, request.Account, request.Key)
	switch {
	case errors.Is(err, serial.ErrNotFound):
	case err != nil:
		return err
	case begun.Request.Digest != request.Digest:
		return nil
	}
	if err := s.ledger.mayReplace(ctx, out, src, size, &begun); err != nil {
		return fmt.Errorf("%w; %s", err, noUnit)
	}
	return nil
}

// mayReplace refuses to overwrite what is not the stamped document of a reservation.
func (l *ledger) mayReplace(ctx context.Context, out string, src io.ReaderAt, size int64, r *serial.Reservation) error {
	err := notThere(out)
	if err == nil || r.State != serial.Stamped {
		return err
	}
	update, openErr := l.Output(ctx, r.Number)
	if openErr != nil {
		return openErr
	}
	defer update.Close()
	old, _, openErr := openFile(out)
	if openErr != nil {
		return openErr
	}
	defer old.Close()
	same, readErr := equal(old, io.MultiReader(io.NewSectionReader(src, 0, size), update))
	switch {
	case readErr != nil:
		return readErr
	case same:
		return nil
	}
	return err
}

// notThere refuses a file that would be lost. An empty one has nothing to lose; what
// is no file createOut refuses.
func notThere(out string) error {
	st, err := os.Stat(out)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (!st.Mode().IsRegular() || st.Size() == 0) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", out, bare(err))
	}
	return fmt.Errorf("%s exists and is kept", out)
}

// equal compares two texts to their ends.
func equal(a, b io.Reader) (bool, error) {
	x, y := make([]byte, 32<<10), make([]byte, 32<<10)
	for {
		n, errA := io.ReadFull(a, x)
		m, errB := io.ReadFull(b, y)
		endA, endB := ended(errA), ended(errB)
		switch {
		case errA != nil && !endA:
			return false, errA
		case errB != nil && !endB:
			return false, errB
		case !bytes.Equal(x[:n], y[:m]):
			return false, nil
		case endA || endB:
			return endA == endB, nil
		}
	}
}

func ended(err error) bool { return err == io.EOF || err == io.ErrUnexpectedEOF }
