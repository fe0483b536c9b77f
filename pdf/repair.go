package pdf

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Repair says whether [Open] reads a file whose cross-reference data is missing
// or wrong by looking for its objects.
type Repair int

const (
	// RepairNever, the zero value, refuses such a file as damaged.
	RepairNever Repair = iota
	// RepairDamaged reads regularly whatever can be read so, and by repair a file
	// whose cross-reference data cannot be read, names no catalog with pages, or
	// leads for any object to something else. All of it is checked, which takes
	// a look at every object.
	RepairDamaged
	// RepairAlways sets the cross-reference data aside, right or wrong.
	RepairAlways
)

// Repaired tells of a file that was read by repair.
type Repaired struct {
	// Why says what is wrong with the file.
	Why string
	// Ambiguities say, in words, where readers that repair the file are likely to
	// differ; nil when nothing of that kind was met. At most 16 are told.
	Ambiguities []string
	// Lost are objects, in words, that stand where they should and cannot be read.
	// They count as missing; a file that is read regularly may have such objects
	// too. At most 16 are told.
	Lost []string
	// Disputed tells, in words, where a reader that goes by a table or stream which
	// is still in the file sees another object than this one, or none, and which
	// objects are defined more than once without a table that tells which counts.
	// At most 16 are told.
	Disputed []string
}

// Repaired tells why and how the file was read by repair; nil for a file that
// was read regularly. [File.At] of a repaired file is repaired too.
func (f *File) Repaired() *Repaired {
	if f.repaired == nil {
		return nil
	}
	r := *f.repaired
	r.Ambiguities, r.Lost, r.Disputed = slices.Clone(r.Ambiguities), slices.Clone(r.Lost), slices.Clone(r.Disputed)
	return &r
}

// definition says where a file defines an object.
type definition struct {
	number  uint32
	segment uint32 // definitions of one revision have the same
	at      int64  // file offset of the object, or of the object stream that it lies in
	entry   entry
}

// repairer reads a file by repair; see the package documentation for the rules.
type repairer struct {
	f        *File
	marks    []landmark
	out      *Repaired
	waste    int64 // bytes that were read for nothing
	held     int64 // memory for trailers
	buf      []byte
	trailers []foundTrailer
	cut      []Ref // catalogs named last in trailers that break off
	catalogs []foundCatalog
	holders  []int        // object streams: indices of marks
	signed   map[int]bool // signature dictionaries: indices of marks
	standard bool         // an encryption dictionary was met
	none     map[Ref]bool // what was found to be no catalog
	highest  uint32       // object number met in a definition or reference
	defs     []definition
	again    numberSet // numbers with several definitions
	referred numberSet // numbers that something refers to
}

type foundTrailer struct {
	dict Dict
	dups []Duplicate
}

type foundCatalog struct {
	ref Ref
	at  int64
}

// note keeps what readers may take differently.
func (r *repairer) note(format string, args ...any) {
	if len(r.out.Ambiguities) < oddityCount {
		r.out.Ambiguities = append(r.out.Ambiguities, fmt.Sprintf(format, args...))
	}
}

// repair makes f the file that a search for its objects gives. why is what
// keeps it from being read regularly.
func (f *File) repair(why string) error {
	f.sections, f.trailer, f.root, f.crypt, f.xrefBytes = nil, nil, Ref{}, nil, 0
	f.revisions, f.broken, f.cache, f.long = nil, nil, streamCache{}, longSpans{}
	r := &repairer{f: f, out: &Repaired{Why: why}, signed: map[int]bool{}, none: map[Ref]bool{}}
	f.repaired = r.out
	if err := r.scan(); err != nil {
		return err
	}
	r.provisional()
	if err := r.walk(); err != nil {
		return err
	}
	if err := r.settlePlain(); err != nil {
		return err
	}
	if err := r.chooseTrailer(); err != nil {
		return err
	}
	if err := r.unpackStreams(); err != nil {
		return err
	}
	if err := r.chooseCatalog(); err != nil {
		return err
	}
	if err := r.dispute(); err != nil {
		return err
	}
	f.revisions = []Revision{{Marker: f.src.size, End: f.src.size, XRef: f.src.size, count: 1}}
	return f.charge(0, -1)
}

// provisional lists every place that looks like an object, so that the lengths
// of streams can be looked up while the objects are read one after the other.
func (r *repairer) provisional() {
	for i := range r.marks {
		if m := &r.marks[i]; m.kind == markObject {
			r.defs = append(r.defs, r.definition(m))
		}
	}
	r.list(r.sorted())
}

func (r *repairer) definition(m *landmark) definition {
	return definition{number: m.number, segment: m.segment, at: m.offset,
		entry: entry{kind: entryInUse, gen: m.gen, offset: m.offset - r.f.base}}
}

// sorted orders the definitions by number and place.
func (r *repairer) sorted() []definition {
	slices.SortStableFunc(r.defs, func(a, b definition) int {
		return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.at, b.at))
	})
	return r.defs
}

// list makes the last of the definitions of each number the section of the file.
func (r *repairer) list(defs []definition) {
	s := &section{start: r.f.src.size, end: r.f.src.size, trailer: Dict{}}
	if len(r.f.sections) > 0 {
		s.trailer, s.dups = r.f.sections[0].trailer, r.f.sections[0].dups
	}
	n := 0
	for i := range defs {
		if i+1 == len(defs) || defs[i+1].number != defs[i].number {
			n++
		}
	}
	entries := make([]entry, 0, n) // never grown: subsections are slices of it
	for i, d := range defs {
		if i+1 < len(defs) && defs[i+1].number == d.number {
			continue
		}
		entries = append(entries, d.entry)
		if k := len(s.subs); k > 0 && s.subs[k-1].first+s.subs[k-1].count == d.number {
			s.subs[k-1].count++
			s.subs[k-1].entries = entries[len(entries)-int(s.subs[k-1].count):]
			continue
		}
		s.subs = append(s.subs, subsection{first: d.number, count: 1, entries: entries[len(entries)-1:]})
	}
	r.f.sections = []*section{s}
	r.f.cache, r.f.long = streamCache{}, longSpans{}
	r.f.xrefBytes = r.held + entryCost*int64(cap(entries)) + subsectionCost*int64(len(s.subs)) + landmarkCost*int64(len(r.marks))
}

// settlePlain leaves the definitions that were read, and tells which of them
// compete.
func (r *repairer) settlePlain() error {
	r.defs = r.defs[:0]
	for i := range r.marks {
		m := &r.marks[i]
		if m.kind != markObject || m.state == stateInside {
			continue
		}
		d := r.definition(m)
		if m.state == stateBroken || m.state == stateSection {
			d.entry = entry{kind: entryFree, gen: 65535}
		}
		r.defs = append(r.defs, d)
	}
	r.list(r.sorted())
	return r.f.charge(0, -1)
}

// compete notes the numbers that are defined more than once otherwise than by
// one revision after the other.
func (r *repairer) compete(defs []definition) {
	if len(defs) > 0 {
		r.again = newNumberSet(defs[len(defs)-1].number)
	}
	for i := 1; i < len(defs); i++ {
		a, b := &defs[i-1], &defs[i]
		if a.number == b.number {
			r.again.add(a.number)
		}
		switch {
		case a.number != b.number:
		case a.segment == b.segment:
			r.note("object %d is defined more than once in one revision", a.number)
		case a.entry.gen != b.entry.gen && a.entry.kind != entryFree && b.entry.kind != entryFree:
			r.note("object %d is defined with two generations", a.number)
		}
	}
	for i := range r.marks {
		if r.signed[i] && !r.wins(&r.marks[i]) {
			r.note("object %d, a signature dictionary, is defined anew", r.marks[i].number)
		}
	}
}

// wins reports whether an object is the last that its number has.
func (r *repairer) wins(m *landmark) bool {
	e, ok, err := r.f.entry(m.number)
	return err == nil && ok && e.kind == entryInUse && e.offset == m.offset-r.f.base
}

// sound looks at every entry of the cross-reference sections and at the
// catalog. The error is [ErrDamaged] when the file is better read by repair.
func (f *File) sound() error {
	for _, s := range f.sections {
		for _, part := range []*section{s, s.hybrid} {
			if part == nil {
				continue
			}
			if err := f.soundSection(part); err != nil {
				return err
			}
		}
	}
	catalog, err := f.Catalog()
	if f.crypt != nil && f.crypt.err != nil {
		return nil // it may lie in an encrypted object stream
	}
	if err == nil && catalog["Pages"] == nil {
		err = malformed(-1, "the catalog has no pages")
	}
	return err
}

func (f *File) soundSection(s *section) error {
	for i := range s.subs {
		sub := &s.subs[i]
		for k := range sub.count {
			n := sub.first + k
			e, _, err := f.sectionEntry(s, n)
			if err != nil {
				return err
			}
			if n == 0 || e.kind != entryInUse {
				continue
			}
			l, err := f.lexerAt(Ref{Number: n}, e)
			if err != nil {
				return err
			}
			if got, err := l.header(); err != nil {
				return err
			} else if got.Number != n || got.Generation != e.gen {
				return wrongObject(f.base+e.offset, Ref{n, e.gen}, got)
			}
		}
	}
	return nil
}

// openRepaired reads a file by repair when the options say so and err, or a
// check, calls it damaged.
func (f *File) openRepaired(how Repair, err error) error {
	if how == RepairNever {
		return err
	}
	if how == RepairAlways && (err == nil || lasting(err)) {
		return f.repair("its cross-reference data was set aside")
	}
	opened := err == nil
	if opened {
		err = f.sound()
	}
	var bad *MalformedError
	switch {
	case errors.As(err, &bad):
		return f.repair(bad.What)
	case opened && err != nil && lasting(err): // over a limit, which repair does not help
		return nil
	}
	return err
}

// trailerOf is what a trailer says of the whole file, without what only
// concerns its section.
func trailerOf(d Dict) Dict {
	d = maps.Clone(d)
	for _, k := range []Name{"Prev", "XRefStm", "Type", "W", "Index", "Filter", "DecodeParms", "Length", "DL", "F", "FFilter", "FDecodeParms"} {
		delete(d, k)
	}
	return d
}
