package main

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-574216e4/meterai/serial"
)

// A document is an upload: a record NAME.json and, until it is stamped, the
// file NAME.pdf, in the folder of its account.
type document struct {
	ID       string    `json:"id"`
	Account  string    `json:"account"`
	Name     string    `json:"name"`
	Size     int64     `json:"size"`
	Pages    int       `json:"pages"`
	Uploaded time.Time `json:"uploaded"`
	Default  place     `json:"default"` // bottom right of the last page
	// Key is the idempotency key of the stamping. It is made with the document
	// and replaced only when the ledger says that its unit is back.
	Key string `json:"key"`
	// Place is where the stamp was wanted when the button was first pressed. The
	// key stands for it, so later presses use it too. Nil: not pressed yet.
	Place *place `json:"place,omitempty"`
	// Returned says that the last try was given up and its unit is back.
	Returned bool `json:"returned,omitempty"`
	// Serial and Stamped say under which number and when it was stamped.
	Serial  serial.Number `json:"serial,omitzero"`
	Stamped time.Time     `json:"stamped,omitzero"`
}

// A place is the lower left corner of the stamp, in points from the bottom left
// of the page as people see it.
type place struct {
	Page int     `json:"page"` // from 1
	X    float64 `json:"x"`
	Y    float64 `json:"y"`
}

// documents keep the uploads of all accounts. An account's documents lie in a
// folder of its own, so that nobody can name another's.
type documents struct {
	dir    string
	locks  [64]sync.Mutex // by the first byte of the id; a record is read and written under one
	bytes  atomic.Int64   // of all uploads, counted by clean and added to since
	coming atomic.Int64   // bytes of the uploads on their way
}

func (s *documents) folder(account string) string { return filepath.Join(s.dir, folderOf(account)) }

func (s *documents) record(account, id string) string {
	return filepath.Join(s.folder(account), id+".json")
}

func (s *documents) source(account, id string) string {
	return filepath.Join(s.folder(account), id+".pdf")
}

// get gives a document of an account. Another's document is fs.ErrNotExist, as
// one that never was.
func (s *documents) get(account, id string) (*document, error) {
	if !validID(id) {
		return nil, fs.ErrNotExist
	}
	var d document
	return &d, readRecord(s.record(account, id), &d)
}

// update changes a document's record, alone among those who do.
func (s *documents) update(account, id string, change func(*document)) (*document, error) {
	if !validID(id) {
		return nil, fs.ErrNotExist
	}
	lock := &s.locks[id[0]%64]
	lock.Lock()
	defer lock.Unlock()
	d, err := s.get(account, id)
	if err != nil {
		return nil, err
	}
	change(d)
	return d, writeRecord(s.record(account, id), d)
}

// list gives the documents of an account, newest first.
func (s *documents) list(account string) ([]*document, error) {
	files, err := os.ReadDir(s.folder(account))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []*document
	for _, f := range files {
		if id, ok := strings.CutSuffix(f.Name(), ".json"); ok {
			if d, err := s.get(account, id); err == nil { // one may have been removed meanwhile
				all = append(all, d)
			}
		}
	}
	slices.SortFunc(all, func(a, b *document) int {
		return cmp.Or(b.Uploaded.Compare(a.Uploaded), cmp.Compare(b.ID, a.ID))
	})
	return all, nil
}

// remove forgets a document: the record first, so that nothing is listed
// without its file.
func (s *documents) remove(account, id string) error {
	if err := os.Remove(s.record(account, id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.removeSource(account, id)
}

// removeSource drops the upload, which a stamped document does not need.
func (s *documents) removeSource(account, id string) error {
	st, err := os.Stat(s.source(account, id))
	if err == nil {
		s.bytes.Add(-st.Size())
		err = os.Remove(s.source(account, id))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// receive writes an upload to its place and gives its size.
func (s *documents) receive(account, id string, r io.Reader) (int64, error) {
	var n int64
	err := writeFile(s.source(account, id), func(w io.Writer) (err error) {
		n, err = io.Copy(w, r)
		return err
	})
	if err == nil {
		s.bytes.Add(n)
	}
	return n, err
}

// clean removes what nobody stamped since a time, unless it is in work, and
// what interrupted uploads have left; and counts what stays.
func (s *documents) clean(before time.Time, idle func(*document) bool) error {
	folders, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var total int64
	for _, folder := range folders {
		n, err := s.cleanFolder(filepath.Join(s.dir, folder.Name()), before, idle)
		if err != nil {
			return err
		}
		total += n
	}
	s.bytes.Store(total)
	return nil
}

func (s *documents) cleanFolder(dir string, before time.Time, idle func(*document) bool) (int64, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	var total int64
	for _, f := range files {
		st, err := f.Info()
		if err != nil {
			continue // removed meanwhile
		}
		id, isSource := strings.CutSuffix(f.Name(), ".pdf")
		old := st.ModTime().Before(before)
		if old && (isSource || strings.HasPrefix(f.Name(), ".new-")) {
			var d document
			err := readRecord(filepath.Join(dir, id+".json"), &d)
			if err != nil || (d.Uploaded.Before(before) && idle(&d)) {
				err = errors.Join(os.RemoveAll(filepath.Join(dir, id+".json")), os.Remove(filepath.Join(dir, f.Name())))
				if err != nil {
					return total, err
				}
				continue
			}
		}
		if isSource {
			total += st.Size()
		}
	}
	return total, nil
}
