package pdf

import (
	"bytes"
	"fmt"
	"math"
	"slices"
)

// closingBytes is how long startxref, its number and %%EOF may be together:
// readers look for them in the last 1,024 bytes, and repair the file when they
// do not find them.
const closingBytes = 512

// oddityCount is how many oddities are told of one revision.
const oddityCount = 16

// Oddities tells, in words, what in the cross-reference sections of revision i
// readers are known to understand in different ways, so that an honest update
// has none of it and a verifier should not call the revision harmless: keys
// given twice, a /Size below that of an older section or below an object listed
// (unless the newest section of the file has a larger one again), objects
// outside the file or at byte 0, entries of unknown kinds, an object 0 in use, a
// table that seems to count from 1 or is laid out otherwise than in lines of 20
// bytes, an /XRefStm, and a startxref far before %%EOF. Nil when there is
// nothing. 0 is the oldest revision, in which a few of them are usual.
func (f *File) Oddities(i int) ([]string, error) {
	r, err := f.revision(i)
	if err != nil {
		return nil, err
	}
	if f.repaired != nil {
		return slices.Concat(f.repaired.Ambiguities, f.repaired.Lost, f.repaired.Disputed), nil
	}
	w := oddities{f: f, end: r.End, last: sizeOf(f.sections[0])}
	if r.closing > closingBytes {
		w.add("startxref stands %d bytes before %%%%EOF", r.closing)
	}
	plain, err := f.plainClosing(r)
	if err != nil {
		return nil, err
	}
	if !plain {
		w.add("startxref is not followed by a number and %%%%EOF in the usual way, which some readers need")
	}
	for _, s := range f.sections[r.first+r.count:] {
		w.size = max(w.size, sizeOf(s))
	}
	for _, s := range f.sections[r.first : r.first+r.count] {
		w.trailer(s)
		if err := w.entries(s); err != nil {
			return nil, err
		}
		if s.hybrid == nil {
			continue
		}
		w.add("part of the objects is listed for newer readers only (/XRefStm)")
		w.trailer(s.hybrid)
		if err := w.entries(s.hybrid); err != nil {
			return nil, err
		}
	}
	return w.list, nil
}

// plainClosing tells whether only spaces, tabs and ends of lines stand between
// startxref, its number and %%EOF: not all readers take more for white space.
func (f *File) plainClosing(r Revision) (bool, error) {
	b := make([]byte, min(r.closing, closingBytes))
	if err := f.src.readFull(b, r.Marker-int64(len(b))); err != nil {
		return false, err
	}
	return !bytes.ContainsAny(b, "\x00\f"), nil
}

type oddities struct {
	f    *File
	end  int64   // of the revision
	size Integer // the largest /Size of older revisions
	last Integer // the newest /Size, which is the one that readers go by
	list []string
}

func (w *oddities) add(format string, args ...any) {
	if len(w.list) < oddityCount {
		w.list = append(w.list, fmt.Sprintf(format, args...))
	}
}

func sizeOf(s *section) Integer {
	size, _ := s.trailer["Size"].(Integer)
	return size
}

func (w *oddities) trailer(s *section) {
	if len(s.dups) > 0 {
		w.add("the trailer gives /%.64s more than once", string(s.dups[0].Key))
	}
	if s.stream && s.width[0] > 4 {
		w.add("the kinds of the cross-reference stream take %d bytes, which some readers do not read", s.width[0])
	}
	if hasHuge(s.trailer) {
		w.add("a number in the trailer is larger than some readers take")
	}
	size := max(sizeOf(s), w.last)
	if size < w.size {
		w.add("/Size went down from %d to %d, which hides objects", w.size, sizeOf(s))
	}
	if n := len(s.subs); n > 0 {
		if top := Integer(s.subs[n-1].first) + Integer(s.subs[n-1].count); top > size {
			w.add("object %d is listed, but /Size is %d", top-1, sizeOf(s))
		}
	}
}

// hasHuge tells whether a value holds a number above 64 bits. The parser bounds
// the depth.
func hasHuge(o Object) bool {
	switch v := o.(type) {
	case Real:
		return math.Abs(float64(v)) >= 1<<63
	case Array:
		return slices.ContainsFunc(v, hasHuge)
	case Dict:
		for _, e := range v {
			if hasHuge(e) {
				return true
			}
		}
	}
	return false
}

// entries looks at what a section lists.
func (w *oddities) entries(s *section) error {
	for i := range s.subs {
		sub := &s.subs[i]
		for k := range sub.count {
			e, _, err := w.f.sectionEntry(s, sub.first+k)
			if err != nil {
				return err
			}
			w.entry(s, sub, sub.first+k, e)
			if len(w.list) == oddityCount {
				return nil
			}
		}
		s.loose = s.loose || sub.entries != nil
	}
	if s.loose {
		w.add("the table is not laid out in lines of 20 bytes, which some readers need")
	}
	return nil
}

func (w *oddities) entry(s *section, sub *subsection, n uint32, e entry) {
	switch {
	case e.odd:
		w.add("the entry of object %d is neither free nor in use", n)
	case n == 0 && e.kind != entryFree:
		w.add("object 0 is in use")
	case e.kind == entryInUse && e.offset >= w.end-w.f.base:
		w.add("object %d lies beyond the end of the revision", n)
	case n == 1 && !s.stream && sub.first == 1 && e.kind == entryFree:
		// Some readers take it for object 0, and all that follow for one less.
		w.add("a list of objects begins with a free object 1")
	}
}
