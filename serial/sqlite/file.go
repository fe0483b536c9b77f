package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// How files get their names.

// create makes an empty file that only its owner can read, durably, if there is none.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close(), syncDir(filepath.Dir(path)))
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
	return errors.Join(d.Sync(), d.Close())
}

// publish makes a file, with mode 0600, that has its name when it is whole and durable: write fills one with another name,
// which place then gives the right one.
func publish(path, prefix string, write func(*os.File) error, place func(from, to string) error) error {
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, prefix)
	if err != nil {
		return err
	}
	err = errors.Join(write(temp), temp.Sync(), temp.Close())
	if err == nil {
		err = place(temp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return syncDir(dir)
}

// placeNew is os.Rename, except that it refuses a name that exists.
func placeNew(from, to string) error {
	if err := os.Link(from, to); err != nil {
		return err
	}
	return os.Remove(from)
}
