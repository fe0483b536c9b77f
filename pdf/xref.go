package pdf

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// kinds of cross-reference entries
const (
	entryFree = iota
	entryInUse
	entryCompressed
)

// entry is what a cross-reference section says of one object.
type entry struct {
	kind   uint8
	odd    bool // meant to be in use or of a kind unknown, taken as free
	gen    uint16
	index  uint32 // compressed: place in the object stream
	offset int64  // in use: relative to the header; compressed: number of the object stream
}

// subsection is a range of entries of a section.
type subsection struct {
	first, count uint32
	pos          int64   // regular: file offset of the 20-byte entries; stream: index into data
	entries      []entry // when the entries had to be parsed
}

// section is one cross-reference section (ISO 32000-2, 7.5.4 and 7.5.8).
type section struct {
	start   int64 // file offset of "xref" or of the stream's "n g obj"
	end     int64 // file offset after the trailer dictionary or endobj
	stream  bool
	trailer Dict
	dups    []Duplicate // keys repeated in the trailer
	subs    []subsection
	loose   bool     // table: not laid out in lines as ISO 32000-2, 7.5.4 has it
	hybrid  *section // the cross-reference stream that /XRefStm names
	data    []byte   // stream: the packed entries
	width   [3]int   // stream: /W
}

// width of a regular entry of a table, end of line included
const tableEntry = 20

// readSections follows the chain of sections from the newest.
func (f *File) readSections(start int64) error {
	seen := map[int64]bool{}
	for {
		if len(f.sections) >= f.lim.Sections {
			return &LimitError{Limit: "Sections", Max: int64(f.lim.Sections), Offset: start}
		}
		s, err := f.readSection(start)
		if err != nil {
			return err
		}
		if seen[s.start] {
			return malformed(s.start, "chain of cross-reference sections returns to one of them")
		}
		seen[s.start] = true
		f.sections = append(f.sections, s)
		prev, ok := s.trailer["Prev"]
		if !ok || prev == Integer(0) { // no section can be there: some writers mean none
			return f.shiftOldest(s)
		}
		if start, err = f.sectionOffset(prev, "/Prev", s); err != nil {
			return err
		}
	}
}

// shiftProbes is how many entries must lead to objects of the shifted numbers.
const shiftProbes = 16

// shiftOldest corrects the numbers of a table whose writer counted the head of
// the free list as object 1. In an update the same entry frees object 1, so
// only the section without /Prev is looked at, and the objects themselves must
// say that their numbers are the lower ones.
func (f *File) shiftOldest(s *section) error {
	if s.stream || s.trailer["Prev"] != nil || len(s.subs) == 0 || s.subs[0].first != 1 {
		return nil
	}
	sub := &s.subs[0]
	e, _, err := f.tableEntry(sub, 1)
	if err != nil || e.kind != entryFree || e.gen != 65535 || e.offset != 0 {
		return err
	}
	probes := 0
	for n := uint32(2); n <= sub.count && probes < shiftProbes; n++ {
		if e, _, err = f.tableEntry(sub, n); err != nil {
			return err
		}
		if e.kind != entryInUse {
			continue
		}
		if l, err := f.lexerAt(Ref{Number: n}, e); err != nil {
			return nil // no shift: reading the object says what is wrong
		} else if got, err := l.header(); err != nil || got.Number != n-1 {
			return l.err
		}
		probes++
	}
	if probes > 0 {
		sub.first = 0
	}
	return nil
}

// sectionOffset turns the value of /Prev or /XRefStm into a file offset.
func (f *File) sectionOffset(o Object, key string, s *section) (int64, error) {
	v, ok := o.(Integer)
	if !ok || v < 0 || int64(v) >= f.src.size-f.base {
		return 0, malformed(s.start, "%s is no offset in the file", key)
	}
	return f.base + int64(v), nil
}

// readSection reads the section at an offset of the file, after white space.
func (f *File) readSection(off int64) (*section, error) {
	l := newLexer(f.src, off, &f.lim)
	l.white()
	start := l.offset()
	if isDigit(l.peek()) {
		return f.readStreamSection(start)
	}
	if !l.keyword("xref") {
		return nil, l.fail("cross-reference section expected")
	}
	s := &section{start: start}
	if err := f.readTable(s, l.offset()); err != nil {
		return nil, err
	}
	if err := s.sortSubsections(); err != nil {
		return nil, err
	}
	stm, ok := s.trailer["XRefStm"]
	if !ok {
		return s, nil
	}
	off, err := f.sectionOffset(stm, "/XRefStm", s)
	if err != nil {
		return nil, err
	}
	s.hybrid, err = f.readStreamSection(off)
	return s, err
}

// readTable reads the subsections and the trailer of a table from off.
func (f *File) readTable(s *section, off int64) error {
	for n := 0; ; n++ {
		if n > f.lim.Subsections {
			return &LimitError{Limit: "Subsections", Max: int64(f.lim.Subsections), Offset: off}
		}
		l := newLexer(f.src, off, &f.lim)
		broken := l.newLine()
		s.loose = s.loose || n == 0 && !broken || l.peek() == '%'
		l.space()
		if !isDigit(l.peek()) {
			if !l.keyword("trailer") {
				return l.fail("subsection or trailer expected")
			}
			return f.readTrailer(s, &l)
		}
		at := l.offset()
		first, err := l.unsigned(1<<32-1, "first object number")
		if err != nil {
			return err
		}
		l.white()
		count, err := l.unsigned(1<<32-1, "number of entries")
		if err != nil {
			return err
		}
		if first+count > uint64(f.lim.ObjectNumber)+1 {
			return &LimitError{Limit: "ObjectNumber", Max: int64(f.lim.ObjectNumber), Offset: at}
		}
		s.loose = !l.newLine() || s.loose
		if head, err := f.src.at(off, int(min(l.offset()-off, windowSize))); err != nil {
			return err
		} else if bytes.ContainsAny(head[:min(int64(len(head)), l.offset()-off)], "\x00\f") {
			s.loose = true // not all readers take these for white space
		}
		sub := subsection{first: uint32(first), count: uint32(count)}
		if off, err = f.readSubsection(s, sub, l.offset()); err != nil {
			return err
		}
	}
}

func (f *File) readTrailer(s *section, l *lexer) error {
	l.space()
	if l.peek() != '<' || l.peekAt(1) != '<' {
		return l.fail("trailer dictionary expected")
	}
	l.release()
	d, err := l.dict(0)
	if err != nil {
		return err
	}
	s.trailer, s.dups, s.end = d, l.dups, l.offset()
	return f.charge(dictCost*int64(l.pos), s.start)
}

const (
	dictCost       = 16 // memory that a byte of a dictionary may take
	subsectionCost = 48 // memory of a subsection
	entryCost      = 16 // memory of a parsed entry
)

// charge counts memory for cross-reference sections.
func (f *File) charge(n, at int64) error {
	if f.xrefBytes += n; f.xrefBytes > f.lim.XRefBytes {
		return &LimitError{Limit: "XRefBytes", Max: f.lim.XRefBytes, Offset: at}
	}
	return nil
}

// readSubsection adds a subsection whose entries begin at pos and returns the
// offset after them. Entries of the regular shape are left where they are.
func (f *File) readSubsection(s *section, sub subsection, pos int64) (int64, error) {
	if sub.count == 0 {
		return pos, nil
	}
	sub.pos = pos
	end := pos + tableEntry*int64(sub.count)
	regular, err := f.regular(sub, end)
	if err != nil {
		return 0, err
	}
	if !regular {
		if sub.entries, end, err = f.parseEntries(sub); err != nil {
			return 0, err
		}
	}
	s.subs = append(s.subs, sub)
	return end, f.charge(subsectionCost, pos)
}

// regular reports whether the first and last entry have the 20-byte shape and
// what follows at end is another subsection or the trailer.
func (f *File) regular(sub subsection, end int64) (bool, error) {
	for _, pos := range []int64{sub.pos, end - tableEntry} {
		b, err := f.src.at(pos, tableEntry)
		if err != nil {
			return false, err
		}
		if _, ok := parseEntry(b); !ok {
			return false, nil
		}
	}
	l := newLexer(f.src, end, &f.lim)
	l.white()
	c := l.peek()
	return isDigit(c) || c == 't' || c == '%', l.err
}

// parseEntry reads one entry of exactly 20 bytes.
func parseEntry(b []byte) (entry, bool) {
	if len(b) < tableEntry || b[10] != ' ' || b[16] != ' ' {
		return entry{}, false
	}
	if c := b[18]; c != ' ' && c != '\r' {
		return entry{}, false
	}
	if c := b[19]; c != '\n' && c != '\r' {
		return entry{}, false
	}
	var offset, gen int64
	for _, c := range b[:10] {
		if !isDigit(int(c)) {
			return entry{}, false
		}
		offset = offset*10 + int64(c-'0')
	}
	for _, c := range b[11:16] {
		if !isDigit(int(c)) {
			return entry{}, false
		}
		gen = gen*10 + int64(c-'0')
	}
	return makeEntry(offset, gen, b[17])
}

func makeEntry(offset, gen int64, kind byte) (entry, bool) {
	if gen > 65535 {
		if kind != 'f' {
			return entry{}, false
		}
		gen = 65535 // MuPDF gives object 0 the generation 65536; a free one is never reused either way
	}
	switch {
	case kind == 'n' && offset > 0:
		return entry{kind: entryInUse, gen: uint16(gen), offset: offset}, true
	case kind == 'n' || kind == 'f': // in use at 0 can only be meant as free
		return entry{kind: entryFree, odd: kind == 'n', gen: uint16(gen), offset: offset}, true
	}
	return entry{}, false
}

// parseEntries reads entries of any spacing and returns the offset after them.
func (f *File) parseEntries(sub subsection) ([]entry, int64, error) {
	if int64(sub.count) > (f.src.size-sub.pos)/4 {
		return nil, 0, malformed(sub.pos, "%d entries do not fit the file", sub.count)
	}
	if err := f.charge(entryCost*int64(sub.count), sub.pos); err != nil {
		return nil, 0, err
	}
	l := newLexer(f.src, sub.pos, &f.lim)
	var entries []entry
	for range sub.count {
		l.release()
		l.white()
		offset, err := l.unsigned(1<<62, "offset of an object")
		if err != nil {
			return nil, 0, err
		}
		l.white()
		gen, err := l.unsigned(1<<32, "generation number")
		if err != nil {
			return nil, 0, err
		}
		l.white()
		c := l.peek()
		e, ok := makeEntry(int64(offset), int64(gen), byte(c))
		if !ok || c < 0 {
			return nil, 0, l.fail("bad cross-reference entry")
		}
		l.pos++
		entries = append(entries, e)
	}
	return entries, l.offset(), nil
}

// sortSubsections orders the subsections for searching. An object may be
// listed once in a section (ISO 32000-2, 7.5.4).
func (s *section) sortSubsections() error {
	less := func(a, b subsection) int { return int(int64(a.first) - int64(b.first)) }
	if !slices.IsSortedFunc(s.subs, less) {
		slices.SortFunc(s.subs, less)
	}
	for i := 1; i < len(s.subs); i++ {
		if p := s.subs[i-1]; s.subs[i].first < p.first+p.count {
			return malformed(s.start, "object %d stands twice in a cross-reference section", s.subs[i].first)
		}
	}
	return nil
}

// find returns the subsection that lists object n, or nil.
func (s *section) find(n uint32) *subsection {
	i, ok := slices.BinarySearchFunc(s.subs, n, func(u subsection, n uint32) int {
		switch {
		case n < u.first:
			return 1
		case n-u.first >= u.count:
			return -1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return &s.subs[i]
}

// entry returns what the section itself says of object n.
func (f *File) sectionEntry(s *section, n uint32) (entry, bool, error) {
	sub := s.find(n)
	if sub == nil {
		return entry{}, false, nil
	}
	if s.stream {
		return s.unpack(sub, n), true, nil
	}
	return f.tableEntry(sub, n)
}

func (f *File) tableEntry(sub *subsection, n uint32) (entry, bool, error) {
	if sub.entries != nil {
		return sub.entries[n-sub.first], true, nil
	}
	b, err := f.src.at(sub.pos+tableEntry*int64(n-sub.first), tableEntry)
	if err != nil {
		return entry{}, false, err
	}
	if e, ok := parseEntry(b); ok {
		return e, true, nil
	}
	entries, end, err := f.parseEntries(*sub)
	if err != nil {
		return entry{}, false, err
	}
	if want := sub.pos + tableEntry*int64(sub.count); end > want || end < want-2 {
		return entry{}, false, malformed(sub.pos, "entries are of irregular length")
	}
	sub.entries = entries
	return entries[n-sub.first], true, nil
}

// entry returns the newest entry of object n (ISO 32000-2, 7.5.8.4: a section
// is asked before its /XRefStm, and that before /Prev).
func (f *File) entry(n uint32) (entry, bool, error) {
	for _, s := range f.sections {
		e, ok, err := f.sectionEntry(s, n)
		if err != nil {
			return entry{}, false, err
		}
		if s.hybrid != nil && (!ok || e.kind == entryFree) {
			if h, found, _ := f.sectionEntry(s.hybrid, n); found {
				return h, true, nil
			}
		}
		if ok {
			return e, true, nil
		}
	}
	return entry{}, false, nil
}

// unpack reads an entry of a cross-reference stream (ISO 32000-2, 7.5.8.3).
func (s *section) unpack(sub *subsection, n uint32) entry {
	size := s.width[0] + s.width[1] + s.width[2]
	b := s.data[sub.pos+int64(n-sub.first)*int64(size):]
	field := func(w int) uint64 {
		var v [8]byte
		copy(v[8-w:], b[:w])
		b = b[w:]
		return binary.BigEndian.Uint64(v[:])
	}
	kind := uint64(entryInUse)
	if s.width[0] > 0 {
		kind = field(s.width[0])
	}
	second, third := field(s.width[1]), field(s.width[2])
	switch {
	case kind == entryInUse && second > 0 && second < 1<<62 && third <= 65535:
		return entry{kind: entryInUse, gen: uint16(third), offset: int64(second)}
	case kind == entryCompressed && second < 1<<32 && third < 1<<32:
		return entry{kind: entryCompressed, offset: int64(second), index: uint32(third)}
	}
	// Free, and kinds to come, which count as null (ISO 32000-2, 7.5.8.3).
	odd := kind != entryFree || second >= 1<<62 || third >= 1<<31
	return entry{kind: entryFree, odd: odd, gen: uint16(min(third, 65535))}
}
