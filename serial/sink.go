package serial

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Sink keeps the outputs of Redeem under their numbers. It is safe for concurrent use.
type Sink interface {
	// Put calls write with a writer and keeps what it wrote, whole or not at all. It returns nil only when the output is
	// durable. If write fails, nothing is kept and its error is returned, perhaps wrapped. An output that exists is never
	// replaced: then the error is [fs.ErrExist]. After any other error of the sink itself the output may be there or not.
	Put(ctx context.Context, n Number, write func(io.Writer) error) error
	// Open reads the output of n, or gives an error that is [fs.ErrNotExist].
	Open(ctx context.Context, n Number) (io.ReadCloser, error)
}

// DirSink is a [Sink] in a directory: one file for each number, named by it, in one of 1,024 folders named by two of its
// enciphered symbols. The file system must know hard links. It must be made with [NewDirSink].
type DirSink struct{ dir string }

// NewDirSink makes the directory, with mode 0700, if it is missing.
func NewDirSink(dir string) (*DirSink, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("output directory: %w", err)
	}
	if err := makeDir(abs); err != nil {
		return nil, fmt.Errorf("output directory: %w", err)
	}
	return &DirSink{abs}, nil
}

func (s *DirSink) path(n Number) (folder, file string) {
	name := n.String()
	folder = filepath.Join(s.dir, name[3:5])
	return folder, filepath.Join(folder, name)
}

// Put implements [Sink]: a temporary file, fsync, a link that fails if the name exists, fsync of the folder. Files that a
// crash leaves behind begin with ".put-".
func (s *DirSink) Put(ctx context.Context, n Number, write func(io.Writer) error) (err error) {
	if n.IsZero() {
		return &RequestError{Field: "number", Reason: "is none"}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	folder, file := s.path(n)
	if err := makeDir(folder); err != nil {
		return fmt.Errorf("keep output: %w", err)
	}
	temp, err := os.CreateTemp(folder, ".put-")
	if err != nil {
		return fmt.Errorf("keep output: %w", err)
	}
	defer func() {
		if rmErr := os.Remove(temp.Name()); err == nil && rmErr != nil {
			err = fmt.Errorf("keep output: %w", rmErr)
		}
	}()
	err = fill(temp, write)
	if closeErr := temp.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	// A link, unlike a rename, does not replace what another process has put there.
	if err := os.Link(temp.Name(), file); err != nil {
		return fmt.Errorf("keep output: %w", err)
	}
	return syncDir(folder)
}

func fill(f *os.File, write func(io.Writer) error) error {
	w := bufio.NewWriterSize(f, 64<<10)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("keep output: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("keep output: %w", err)
	}
	return nil
}

// Open implements [Sink].
func (s *DirSink) Open(ctx context.Context, n Number) (io.ReadCloser, error) {
	if n.IsZero() {
		return nil, fs.ErrNotExist
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	_, file := s.path(n)
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// makeDir makes a directory durably, if it is missing.
func makeDir(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// syncDir makes the names in a directory durable. Windows has no such call and needs none.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}

// checkedOutput compares what is read with what the ledger booked.
type checkedOutput struct {
	io.ReadCloser
	number Number
	want   Output
	hash   hash.Hash
	n      int64
}

func newCheckedOutput(rc io.ReadCloser, n Number, want Output) io.ReadCloser {
	return &checkedOutput{ReadCloser: rc, number: n, want: want, hash: sha256.New()}
}

func (c *checkedOutput) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.hash.Write(p[:n])
	c.n += int64(n)
	if err == io.EOF && c.want != (Output{Digest: [32]byte(c.hash.Sum(nil)), Length: c.n}) {
		err = &CorruptError{Reason: fmt.Sprintf("the kept output of serial %s is not the one that was booked", c.number)}
	}
	return n, err
}
