package pdf

import (
	"cmp"
	"slices"
)

// Revision is the original file or one incremental update (ISO 32000-2, 7.5.6).
type Revision struct {
	Start  int64 // the End of the revision before; 0 for the first
	Marker int64 // just after its %%EOF
	End    int64 // after the end of line that follows %%EOF, when there is one
	XRef   int64 // file offset of its cross-reference section
	Stream bool  // the section is a cross-reference stream
	Hybrid bool  // the section is a table with an /XRefStm

	first, count int   // its sections: the newest in File.sections, and how many
	closing      int64 // bytes from startxref to Marker
}

// Revisions returns the revisions of the file, oldest first. Each has one
// cross-reference section; two make one revision together in a linearized file
// (ISO 32000-2, Annex F), and where one follows the other without an end of
// file between them. Bytes after the last End belong to no revision.
//
// Each revision must close with a startxref that gives the place of its
// section, and %%EOF, and sections must follow each other in the file as in
// their chain; otherwise it is a [*MalformedError]. A file that was read by
// repair is one revision.
func (f *File) Revisions() ([]Revision, error) {
	if err := f.findRevisions(); err != nil {
		return nil, err
	}
	return slices.Clone(f.revisions), nil
}

// findRevisions fills in f.revisions once.
func (f *File) findRevisions() error {
	if f.revisions != nil || f.broken != nil {
		return f.broken
	}
	var out []Revision
	var r Revision
	for i := len(f.sections); i > 0; i = r.first {
		var err error
		if r, err = f.nextRevision(i-1, r.End); err != nil {
			if lasting(err) {
				f.broken = err
			}
			return err
		}
		out = append(out, r)
	}
	f.revisions = out
	return nil
}

// nextRevision finds the revision that begins with section i, at start.
func (f *File) nextRevision(i int, start int64) (Revision, error) {
	r := Revision{Start: start, count: 1}
	last := f.sections[i]
	if i > 0 && i == len(f.sections)-1 && f.sections[i-1].start < last.start {
		if err := f.linearized(); err != nil {
			return r, err
		}
		i, r.count = i-1, 2
	}
	for i > 0 && f.follows(last, f.sections[i-1]) {
		i, r.count = i-1, r.count+1
		last = f.sections[i]
	}
	s := f.sections[i]
	if s.start < start {
		return r, malformed(s.start, "cross-reference section lies in an older revision")
	}
	r.XRef, r.Stream, r.Hybrid, r.first = s.start, s.stream, s.hybrid != nil, i
	err := f.closeRevision(&r, last)
	return r, err
}

// follows reports whether nothing lies between two sections.
func (f *File) follows(older, newer *section) bool {
	if newer.start < older.end || newer.start-older.end > windowSize {
		return false
	}
	l := newLexer(f.src, older.end, &f.lim)
	l.space()
	return l.offset() == newer.start
}

// linearized checks that the first object is a linearization dictionary.
func (f *File) linearized() error {
	l := newLexer(f.src, f.base, &f.lim)
	_, o, err := l.indirect()
	if err != nil {
		return err
	}
	if d, ok := o.(Dict); !ok || d["Linearized"] == nil {
		return malformed(f.base, "older cross-reference section lies behind the newer one")
	}
	return nil
}

// closeRevision reads startxref and %%EOF after a section, and sets where the
// revision ends.
func (f *File) closeRevision(r *Revision, last *section) error {
	l := newLexer(f.src, last.end, &f.lim)
	l.space() // some writers leave their name in a comment here
	if last.stream && l.keyword("trailer") {
		if err := l.idleTrailer(); err != nil {
			return err
		}
	}
	keyword := l.offset()
	if !l.keyword("startxref") {
		return l.fail("startxref expected after a cross-reference section")
	}
	l.white()
	at := l.offset()
	v, err := l.unsigned(1<<62, "startxref")
	if err != nil {
		return err
	}
	l.white()
	if !l.endOfFile() {
		return l.fail("%%EOF expected")
	}
	r.Marker = l.offset()
	r.closing = r.Marker - keyword
	if l.peek() == '\r' {
		l.pos++
	}
	if l.peek() == '\n' {
		l.pos++
	}
	if r.End = l.offset(); l.err != nil {
		return l.err
	}
	if !f.leadsTo(f.base+int64(v), r.XRef) {
		return malformed(at, "startxref does not lead to the section before it")
	}
	return nil
}

// idleTrailer skips a trailer after a cross-reference stream, which some writers
// leave there. One that names a catalog would be another file to readers that
// look at it.
func (l *lexer) idleTrailer() error {
	l.space()
	at := l.offset()
	o, err := l.object(0)
	if err != nil {
		return err
	}
	if d, ok := o.(Dict); !ok || d["Root"] != nil {
		return malformed(at, "second trailer after a cross-reference stream")
	}
	l.space()
	return nil
}

// leadsTo reports whether only white space lies between two offsets.
func (f *File) leadsTo(from, to int64) bool {
	if from > to || to-from > windowSize {
		return false
	}
	l := newLexer(f.src, from, &f.lim)
	l.white()
	return l.offset() >= to
}

// revision returns revision i.
func (f *File) revision(i int) (Revision, error) {
	if err := f.findRevisions(); err != nil {
		return Revision{}, err
	}
	if i < 0 || i >= len(f.revisions) {
		return Revision{}, malformed(-1, "no revision %d: there are %d", i, len(f.revisions))
	}
	return f.revisions[i], nil
}

// At returns the file as it was at the end of revision i; 0 is the oldest.
func (f *File) At(i int) (*File, error) {
	r, err := f.revision(i)
	if err != nil {
		return nil, err
	}
	old := &File{
		src:       &source{r: f.src.r, size: r.End, origin: f.src.origin},
		base:      f.base,
		lim:       f.lim,
		header:    f.header,
		sections:  slices.Clone(f.sections[r.first:]),
		revisions: slices.Clone(f.revisions[:i+1]),
		repaired:  f.repaired,
	}
	for k := range old.revisions {
		old.revisions[k].first -= r.first
	}
	return old, old.useNewest()
}

// Change is what a revision says of one object.
type Change struct {
	Ref        Ref
	Free       bool   // the object is deleted
	Offset     int64  // of the object in the file; 0 when Free or Compressed
	Compressed bool   // the object lies in an object stream
	Stream     uint32 // number of that stream
}

// Changed returns what the cross-reference section of revision i lists, sorted
// by object number, without object 0; 0 is the oldest revision.
func (f *File) Changed(i int) ([]Change, error) {
	r, err := f.revision(i)
	if err != nil {
		return nil, err
	}
	var out []Change
	for _, s := range f.sections[r.first : r.first+r.count] {
		if out, err = f.changes(out, s); err != nil {
			return nil, err
		}
		if s.hybrid != nil {
			if out, err = f.changes(out, s.hybrid); err != nil {
				return nil, err
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Change) int { return cmp.Compare(a.Ref.Number, b.Ref.Number) })
	return slices.CompactFunc(out, func(a, b Change) bool { return a.Ref.Number == b.Ref.Number }), nil
}

// changes appends what a section lists. An entry in use goes before one of its
// /XRefStm; a free one gives way to it.
func (f *File) changes(out []Change, s *section) ([]Change, error) {
	for i := range s.subs {
		sub := &s.subs[i]
		for k := range sub.count {
			if len(out) >= f.lim.Changes {
				return nil, &LimitError{Limit: "Changes", Max: int64(f.lim.Changes), Offset: s.start}
			}
			n := sub.first + k
			e, _, err := f.sectionEntry(s, n)
			if err != nil {
				return nil, err
			}
			if n == 0 || s.hybrid != nil && e.kind == entryFree && s.hybrid.find(n) != nil {
				continue
			}
			out = append(out, f.change(n, e))
		}
	}
	return out, nil
}

func (f *File) change(n uint32, e entry) Change {
	switch e.kind {
	case entryInUse:
		return Change{Ref: Ref{n, e.gen}, Offset: f.base + e.offset}
	case entryCompressed:
		return Change{Ref: Ref{Number: n}, Compressed: true, Stream: uint32(e.offset)}
	}
	return Change{Ref: Ref{n, e.gen}, Free: true}
}
