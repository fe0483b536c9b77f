package serial

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Sink keeps the outputs of Redeem under their numbers. It is safe for concurrent use.
type Sink interface {
	// Put calls write with a writer and keeps what it wrote, whole or not at all. It returns nil only when the output is
	// durable. If write fails, nothing is kept and its error is returned, perhaps wrapped. An output that exists is never
	// replaced: then the error is [fs.ErrExist]. After any other error of the sink itself the output may be there or not.
	Put(ctx context.Context, n Number, write func(io.Writer) error) error
	// Open reads the output of n, or gives an error that is [fs.ErrNotExist]. What it finds must be durable, or the sink
	// must be a [ClaimSink].
	Open(ctx context.Context, n Number) (io.ReadCloser, error)
}

// ClaimSink is what a [Sink] should be as well, and what a wrapper around one should pass on: it keeps with each output
// for which reservation it was made. The ledger then books no output that belongs to another ledger which issued the
// same number, such as one that was lost and made anew. With a plain Sink it can tell that only for a number that was
// issued just now, not when it resumes after a crash.
type ClaimSink interface {
	Sink
	// PutClaimed is Put, and keeps the claim with the output.
	PutClaimed(ctx context.Context, n Number, claim [32]byte, write func(io.Writer) error) error
	// OpenClaimed makes the output of n durable, which a crash or a failed Put may have left in doubt, and reads it. The
	// error is a [*ForeignOutputError] if the output was kept with another claim or with none, and is [fs.ErrNotExist] if
	// there is no output.
	OpenClaimed(ctx context.Context, n Number, claim [32]byte) (io.ReadCloser, error)
}

// DirSink is a [ClaimSink] in a directory: one file for each number, named by it, in one of 1,024 folders named by two of
// its enciphered symbols. A claim is a second name of the same file, made before the first. The file system must know hard
// links and must not lose, in a crash, the older of two changes of a directory alone: those with a journal do not. A copy of
// the directory should keep the links. It must be made with [NewDirSink].
type DirSink struct {
	dir string
	os  dirSystem

	mu      sync.Mutex
	settled map[string]bool // folders whose names are known to be durable
}

// dirSystem is what a [DirSink] has the operating system change, one function a step, so that a test can fail each.
type dirSystem struct {
	mkdir   func(dir string) error // with those above it
	syncDir func(dir string) error
	create  func(dir, prefix string) (tempFile, error)
	link    func(from, to string) error
	remove  func(file string) error
}

// tempFile is an [os.File] that is written.
type tempFile interface {
	io.Writer
	Name() string
	Sync() error
	Close() error
}

func theSystem() dirSystem {
	return dirSystem{
		mkdir:   func(dir string) error { return os.MkdirAll(dir, 0o700) },
		syncDir: syncDir,
		create: func(dir, prefix string) (tempFile, error) {
			f, err := os.CreateTemp(dir, prefix)
			if err != nil {
				return nil, err
			}
			return f, nil
		},
		link:   os.Link,
		remove: os.Remove,
	}
}

const (
	tempPrefix = ".put-"
	staleAfter = 24 * time.Hour // a temporary file this old belongs to nobody
)

// NewDirSink makes the directory, with mode 0700, if it is missing.
func NewDirSink(dir string) (*DirSink, error) { return newDirSink(dir, theSystem()) }

func newDirSink(dir string, system dirSystem) (*DirSink, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("output directory: %w", err)
	}
	s := &DirSink{dir: abs, os: system, settled: make(map[string]bool)}
	if err := s.makeDir(); err != nil {
		return nil, fmt.Errorf("output directory: %w", err)
	}
	return s, nil
}

// makeDir makes the directory durably. That it exists does not say that its name, or one above it, is durable: who made
// it may have crashed. A directory that this process may not read it has not made.
func (s *DirSink) makeDir() error {
	if err := s.os.mkdir(s.dir); err != nil {
		return err
	}
	for dir := s.dir; filepath.Dir(dir) != dir; {
		dir = filepath.Dir(dir)
		err := s.os.syncDir(dir)
		if errors.Is(err, fs.ErrPermission) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settle makes a folder durably; the first time in a process also if it exists.
func (s *DirSink) settle(folder string) error {
	s.mu.Lock()
	settled := s.settled[folder]
	s.mu.Unlock()
	if info, err := os.Stat(folder); settled && err == nil && info.IsDir() {
		return nil
	}
	if err := s.os.mkdir(folder); err != nil {
		return err
	}
	if err := s.os.syncDir(s.dir); err != nil {
		return err
	}
	sweep(folder)
	s.mu.Lock()
	s.settled[folder] = true
	s.mu.Unlock()
	return nil
}

// sweep removes what a crash left behind. That it cannot is no reason to fail.
func sweep(folder string) {
	d, err := os.Open(folder)
	if err != nil {
		return
	}
	defer d.Close()
	for {
		names, err := d.Readdirnames(1024)
		for _, name := range names {
			if !strings.HasPrefix(name, tempPrefix) {
				continue
			}
			file := filepath.Join(folder, name)
			if info, err := os.Lstat(file); err == nil && time.Since(info.ModTime()) > staleAfter {
				_ = os.Remove(file)
			}
		}
		if err != nil {
			return
		}
	}
}

func (s *DirSink) path(n Number) (folder, file string) {
	name := n.String()
	folder = filepath.Join(s.dir, name[3:5])
	return folder, filepath.Join(folder, name)
}

// claimed names the output of a number for a claim.
func claimed(file string, claim [32]byte) string { return file + "-" + hex.EncodeToString(claim[:16]) }

// Put implements [Sink]: a temporary file, fsync, a link that fails if the name exists, fsync of the folder. Files that a
// crash leaves behind begin with ".put-"; those older than a day are removed when a process first uses their folder.
func (s *DirSink) Put(ctx context.Context, n Number, write func(io.Writer) error) error {
	return s.put(ctx, n, nil, write)
}

// PutClaimed implements [ClaimSink].
func (s *DirSink) PutClaimed(ctx context.Context, n Number, claim [32]byte, write func(io.Writer) error) error {
	return s.put(ctx, n, &claim, write)
}

func (s *DirSink) put(ctx context.Context, n Number, claim *[32]byte, write func(io.Writer) error) (err error) {
	if n.IsZero() {
		return &RequestError{Field: "number", Reason: "is none"}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	folder, file := s.path(n)
	if err := s.settle(folder); err != nil {
		return fmt.Errorf("keep output: %w", err)
	}
	temp, err := s.os.create(folder, tempPrefix)
	if err != nil {
		return fmt.Errorf("keep output: %w", err)
	}
	defer func() {
		_ = temp.Close() // again, unless write has ended the goroutine
		if rmErr := s.os.remove(temp.Name()); err == nil && rmErr != nil {
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
	if claim == nil {
		err = s.os.link(temp.Name(), file)
	} else {
		err = s.linkClaimed(temp.Name(), file, claimed(file, *claim))
	}
	if err != nil {
		return fmt.Errorf("keep output: %w", err)
	}
	return s.os.syncDir(folder)
}

// linkClaimed names an output by its claim, then by its number: what has both names as one file was kept with this
// claim. A link, unlike a rename, does not replace what another process has put there.
func (s *DirSink) linkClaimed(temp, file, claim string) error {
	first := s.os.link(temp, claim)
	if first != nil && !errors.Is(first, fs.ErrExist) {
		return first
	}
	err := s.os.link(claim, file)
	if err == nil || first != nil || !errors.Is(err, fs.ErrExist) {
		return cmp.Or(err, first)
	}
	same, statErr := sameOutput(file, claim)
	if same {
		return nil // another call with this claim has given this output its second name
	}
	if statErr == nil {
		statErr = s.os.remove(claim) // the number has an output with another claim
	}
	return errors.Join(err, statErr)
}

func fill(f tempFile, write func(io.Writer) error) error {
	w := bufio.NewWriterSize(f, 16<<10)
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

// OpenClaimed implements [ClaimSink]. It completes an output whose Put was interrupted between its two names.
func (s *DirSink) OpenClaimed(ctx context.Context, n Number, claim [32]byte) (io.ReadCloser, error) {
	f, err := s.Open(ctx, n)
	if err != nil && (n.IsZero() || !errors.Is(err, fs.ErrNotExist)) {
		return nil, err
	}
	folder, file := s.path(n)
	if err != nil {
		if err := s.os.link(claimed(file, claim), file); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if f, err = s.Open(ctx, n); err != nil {
			return nil, err
		}
	}
	same, err := sameOutput(file, claimed(file, claim))
	if err == nil && !same {
		err = &ForeignOutputError{Number: n}
	}
	if err == nil {
		err = s.settle(folder)
	}
	if err == nil {
		err = s.os.syncDir(folder)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// sameOutput reports whether two names stand for one file or, after a copy that knew no hard links, for equal ones.
func sameOutput(file, claim string) (bool, error) {
	a, err := os.Stat(file)
	if err != nil {
		return false, err
	}
	b, err := os.Stat(claim)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case os.SameFile(a, b):
		return true, nil
	case a.Size() != b.Size():
		return false, nil
	}
	first, err := fileDigest(file)
	if err != nil {
		return false, err
	}
	second, err := fileDigest(claim)
	return bytes.Equal(first, second), err
}

func fileDigest(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return h.Sum(nil), err
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
