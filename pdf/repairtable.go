package pdf

import (
	"errors"
	"fmt"
)

// A file that is damaged for one reader may be whole for another, which goes by a
// table that is still there. What such a table says is held against the repaired
// reading: where both differ, the readers show different documents.

// numberSet is a set of object numbers.
type numberSet []uint64

func newNumberSet(highest uint32) numberSet { return make(numberSet, highest/64+1) }

func (s numberSet) has(n uint32) bool { return int(n/64) < len(s) && s[n/64]>>(n%64)&1 != 0 }
func (s numberSet) add(n uint32)      { s[n/64] |= 1 << (n % 64) }

// grow is add for a set that may have to be longer.
func (s numberSet) grow(n uint32) numberSet {
	for int(n/64) >= len(s) {
		s = append(s, 0)
	}
	s.add(n)
	return s
}

// tables is what comparing them has come to.
type tables struct {
	seen   numberSet // an entry leads to the object
	misled numberSet // an entry was to lead there, and does not: every reader must search
	usable bool      // readers can go by a table
}

// dispute compares the tables and cross-reference streams of the file, the newest
// first, with what was found.
func (r *repairer) dispute() error {
	t := &tables{seen: newNumberSet(r.highest), misled: newNumberSet(r.highest)}
	for i := len(r.marks) - 1; i >= 0; i-- {
		m := &r.marks[i]
		if m.state == stateInside || m.kind != markTable && m.state != stateSection {
			continue
		}
		before := r.f.xrefBytes
		s, err := r.f.readSection(m.offset)
		r.f.xrefBytes = before
		if err == nil {
			err = r.compareTable(s, t)
		}
		if err == nil {
			continue
		}
		if !lasting(err) || r.spent() {
			return err
		}
		var limit *LimitError
		if errors.As(err, &limit) {
			r.disputed("the table at byte %d cannot be read: %v", m.offset, err)
		}
	}
	r.unlisted(t)
	return nil
}

func (r *repairer) disputed(format string, args ...any) {
	if len(r.out.Disputed) < oddityCount {
		r.out.Disputed = append(r.out.Disputed, fmt.Sprintf(format, args...))
	}
}

// compareTable looks at the entries of objects that no newer table lists, when
// one of them leads to its object: otherwise nobody can go by the table.
func (r *repairer) compareTable(s *section, t *tables) error {
	usable := false
	err := r.eachEntry(s, t, func(n uint32, e entry) (bool, error) {
		leads, _, err := r.follow(n, e)
		usable = leads && e.kind != entryFree
		return !usable, err
	})
	if err != nil || !usable {
		return err
	}
	t.usable = true
	return r.eachEntry(s, t, func(n uint32, e entry) (bool, error) {
		leads, same, err := r.follow(n, e)
		switch {
		case err != nil:
		case !leads:
			t.misled.add(n)
		case !same && (e.kind != entryFree || r.referred.has(n)): // what is deleted and not referred to is nowhere seen
			r.disputed("object %d is elsewhere, or not there, for readers that go by the table at byte %d", n, s.start)
			fallthrough
		default:
			t.seen.add(n)
		}
		return true, err
	})
}

// eachEntry visits the entries of a section for objects that no newer one lists,
// until visit returns false.
func (r *repairer) eachEntry(s *section, t *tables, visit func(n uint32, e entry) (bool, error)) error {
	for i := range s.subs {
		for k := range s.subs[i].count {
			n := s.subs[i].first + k
			if n == 0 || n > r.highest || t.seen.has(n) {
				continue
			}
			e, _, err := r.f.sectionEntry(s, n)
			if err == nil && s.hybrid != nil && e.kind == entryFree {
				if h, ok, _ := r.f.sectionEntry(s.hybrid, n); ok {
					e = h
				}
			}
			if err == nil {
				err = r.spend(1, s.start)
			}
			if err != nil {
				return err
			}
			if more, err := visit(n, e); err != nil || !more {
				return err
			}
		}
	}
	return nil
}

// follow tells whether an entry leads to object n, and to the same as the repair
// found.
func (r *repairer) follow(n uint32, e entry) (leads, same bool, err error) {
	found, ok, err := r.f.entry(n)
	if err != nil {
		return false, false, err
	}
	switch e.kind {
	case entryFree:
		return true, !ok || found.kind == entryFree, nil
	case entryCompressed:
		holder, ok, err := r.f.entry(uint32(e.offset))
		leads = ok && holder.kind == entryInUse && e.offset < 1<<32
		return leads, found.kind == entryCompressed && found.offset == e.offset && found.index == e.index, err
	}
	l, err := r.f.lexerAt(Ref{Number: n}, e)
	if err != nil {
		return false, false, nil // beyond the end
	}
	l.space()
	at := l.offset() - r.f.base
	got, err := l.header()
	if err != nil && !lasting(err) {
		return false, false, err
	}
	leads = err == nil && got.Number == n
	free := !ok || found.kind == entryFree // it is a cross-reference stream, or cannot be read
	return leads, free || found.kind == entryInUse && found.offset == at && found.gen == e.gen, nil
}

// unlisted notes the objects that no table leads to, when readers can go by one,
// and those of which only a table could tell which definition counts.
func (r *repairer) unlisted(t *tables) {
	s := r.f.sections[0]
	for i := range s.subs {
		for k, e := range s.subs[i].entries {
			n := s.subs[i].first + uint32(k)
			if e.kind == entryFree || t.seen.has(n) {
				continue
			}
			switch {
			case t.usable && !t.misled.has(n) && r.referred.has(n):
				r.disputed("object %d is not there for readers that go by the tables of the file", n)
			case r.again.has(n):
				r.disputed("object %d is defined more than once, and no table tells which definition counts", n)
			}
			if len(r.out.Disputed) == oddityCount {
				return
			}
		}
	}
}
