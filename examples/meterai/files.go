package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// An outFile appears under its name when it is complete and durable, or not at
// all.
type outFile struct {
	*os.File
	path string
}

// createOut opens the file that will be path. A path that is a link is followed;
// one that is no regular file is refused.
func createOut(path string) (*outFile, error) {
	if st, err := os.Stat(path); err == nil {
		if !st.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is not a regular file", path)
		}
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	dir := filepath.Dir(path)
	if st, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist", dir)
	} else if err == nil && !st.IsDir() {
		return nil, fmt.Errorf("%s is no folder", dir)
	}
	var random [6]byte
	rand.Read(random[:])
	tmp := filepath.Join(dir, ".meterai-"+hex.EncodeToString(random[:])+".tmp")
	f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666) // the umask says who may read it
	if err != nil {
		return nil, fmt.Errorf("cannot write in %s: %w", dir, bare(err))
	}
	return &outFile{File: f, path: path}, nil
}

// commit makes the file durable and gives it its name.
func (f *outFile) commit() error {
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), f.path); err != nil {
		return fmt.Errorf("cannot write %s: %w", f.path, bare(err))
	}
	return syncDir(filepath.Dir(f.path))
}

// bare is an error of the system without the names of files, which may be temporary
// ones that mean nothing to people.
func bare(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

// discard removes a file that was not committed; afterwards it does nothing.
func (f *outFile) discard() {
	f.Close()
	os.Remove(f.Name())
}

// replaceFile writes a file that appears whole or not at all, in the place of an older
// one of its kind. Only a slip of the fingers names a document, which nobody gets back.
func replaceFile(path string, write func(io.Writer) error) error {
	if isPDF(path) {
		return errDocument(path)
	}
	return writeFile(path, write)
}

// checkPlace refuses a place that replaceFile would refuse, before anything is done.
func checkPlace(path string) error {
	if isPDF(path) {
		return errDocument(path)
	}
	f, err := createOut(path)
	if err == nil {
		f.discard()
	}
	return err
}

func errDocument(path string) error {
	return fmt.Errorf("%s is a PDF document, which is not overwritten; choose another file", path)
}

// isPDF tells whether a file begins as a PDF document.
func isPDF(path string) bool {
	st, err := os.Stat(path)
	if err != nil || !st.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var head [5]byte
	_, err = io.ReadFull(f, head[:])
	return err == nil && string(head[:]) == "%PDF-"
}

// writeFile writes a file that appears whole or not at all.
func writeFile(path string, write func(io.Writer) error) error {
	f, err := createOut(path)
	if err != nil {
		return err
	}
	defer f.discard()
	if err := write(f); err != nil {
		return err
	}
	return f.commit()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// writeJSON writes a file that only its owner may read.
func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	return errors.Join(err, f.Sync(), f.Close())
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// maxPassword is how much of a password file is read, in bytes.
const maxPassword = 4096

// readPassword reads the first line of a file; "" without one. A flag would show
// it to everybody on the machine.
func readPassword(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPassword))
	line, _, _ := strings.Cut(string(b), "\n")
	return strings.TrimSuffix(line, "\r"), err
}

// openFile opens a regular file for reading at any offset and gives its size.
// Asking first keeps it from waiting for the writer of a pipe.
func openFile(path string) (*os.File, int64, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if !st.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	if st, err = f.Stat(); err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, st.Size(), nil
}
