package pdf

import (
	"bytes"
	"fmt"
)

// walk reads the objects at the landmarks in the order of the file and finds
// out what they are. What lies inside an object that could be read is no object.
func (r *repairer) walk() error {
	end, segment, objects := r.f.base, uint32(0), false
	for i := range r.marks {
		m := &r.marks[i]
		m.segment = segment
		if m.offset < end {
			m.state = stateInside
			r.inside(m)
			continue
		}
		switch m.kind {
		case markEnd:
			if objects { // else it is the end of nothing
				segment, objects = segment+1, false
			}
		case markTrailer:
			next, err := r.readTrailer(m)
			if err != nil {
				return err
			}
			end = next
		case markObject:
			objects = true
			next, err := r.readMark(i)
			if err != nil {
				return err
			}
			end = next
		}
	}
	return nil
}

func (r *repairer) inside(m *landmark) {
	switch m.kind {
	case markObject:
		r.note("bytes inside another object look like object %d", m.number)
	case markTrailer:
		r.note("bytes inside an object look like a trailer")
	}
}

// spent tells whether spend has given out.
func (r *repairer) spent() bool { return r.waste > r.f.src.size+repairWaste }

// spend counts bytes that were read for nothing, which a file could ask for
// again and again.
func (r *repairer) spend(n int, at int64) error {
	if r.waste += int64(n); r.spent() {
		return &LimitError{Limit: "bytes read in vain by repair", Max: r.f.src.size + repairWaste, Offset: at}
	}
	return nil
}

// readTrailer reads the dictionary of a trailer and returns where it ends.
func (r *repairer) readTrailer(m *landmark) (int64, error) {
	l := newLexer(r.f.src, m.offset+int64(len("trailer")), &r.f.lim)
	l.space()
	d, err := l.dict(0)
	if err != nil {
		if !lasting(err) {
			return 0, err
		}
		return m.offset, r.readCutTrailer(m)
	}
	return l.offset(), r.addTrailer(m, d, &l)
}

// readCutTrailer takes what there is of a trailer that cannot be read: where the
// file breaks off in it, that is what every reader has.
func (r *repairer) readCutTrailer(m *landmark) error {
	l := newLexer(r.f.src, m.offset+int64(len("trailer")), &r.f.lim)
	l.space()
	l.pos += len("<<")
	d := Dict{}
	last := Name("")
	for {
		if done, err := l.dictEnd(); err != nil || done {
			break
		}
		key, err := l.name()
		if err != nil {
			break
		}
		o, err := l.object(1)
		if err != nil {
			break
		}
		last, d[key] = key, o
	}
	if ref, ok := d["Root"].(Ref); ok && last == "Root" {
		r.cut = append(r.cut, ref)
	}
	delete(d, last) // it may not be whole: a reference may begin with a number
	for c := l.peek(); isDigit(c) || isWhite(c) || c == '>'; c = l.peek() {
		l.pos++
	}
	if l.peek() >= 0 || l.err != nil {
		r.note("the trailer at byte %d cannot be read", m.offset)
	}
	if err := r.spend(l.pos, m.offset); err != nil {
		return err
	}
	return r.addTrailer(m, d, &l)
}

func (r *repairer) addTrailer(m *landmark, d Dict, l *lexer) error {
	r.refer(d)
	r.trailers = append(r.trailers, foundTrailer{dict: trailerOf(d), dups: l.dups})
	n := dictCost * int64(l.pos)
	r.held += n
	return r.f.charge(n, m.offset)
}

// readMark reads the object at a landmark and returns where it ends, or where it
// begins when it cannot be read.
func (r *repairer) readMark(i int) (int64, error) {
	m := &r.marks[i]
	l := newLexer(r.f.src, m.offset, &r.f.lim)
	_, o, err := l.indirect()
	end := l.offset()
	if err != nil {
		if !lasting(err) {
			return 0, err
		}
		return m.offset, r.broken(i, l.pos)
	}
	if stm, ok := o.(*Stream); ok {
		if end, err = r.streamEnds(i, stm); err != nil {
			return 0, err
		}
		if end < 0 {
			return m.offset, r.broken(i, l.pos)
		}
	}
	r.highest = max(r.highest, m.number)
	r.refer(o)
	return end, r.classify(i, o, &l)
}

// broken gives an object up. One that does not even end may be anything.
func (r *repairer) broken(i int, read int) error {
	m := &r.marks[i]
	m.state = stateBroken
	end, err := r.find("endobj", m.offset, r.next(i))
	if err != nil {
		return err
	}
	text := fmt.Sprintf("object %d at byte %d cannot be read and counts as missing", m.number, m.offset)
	if end < 0 {
		r.note("%s", text)
	} else if len(r.out.Lost) < oddityCount {
		r.out.Lost = append(r.out.Lost, text)
	}
	return r.spend(read, m.offset)
}

// next is where the landmark after landmark i is, or the end of the file.
func (r *repairer) next(i int) int64 {
	if i+1 < len(r.marks) {
		return r.marks[i+1].offset
	}
	return r.f.src.size
}

// usualLength is up to how many bytes an object may take that holds a /Length.
const usualLength = 128

// streamEnds returns the offset after endstream: the one that /Length leads to,
// or else the first before the next landmark; -1 when there is none.
func (r *repairer) streamEnds(i int, stm *Stream) (int64, error) {
	m := &r.marks[i]
	before := r.f.parsed
	length, err := r.f.streamLength(stm)
	if read := int(r.f.parsed - before); read > usualLength {
		if err := r.spend(read, m.offset); err != nil {
			return 0, err
		}
	}
	if err == nil && length <= r.f.src.size-stm.offset {
		l := newLexer(r.f.src, stm.offset+length, &r.f.lim)
		for range 2 { // an end of line, which /Length does not count
			if c := l.peek(); c == '\r' || c == '\n' {
				l.pos++
			}
		}
		if l.white(); l.keyword("endstream") {
			return l.offset(), nil
		}
		err = l.err
	}
	if err != nil && !lasting(err) {
		return 0, err
	}
	end, err := r.find("endstream", stm.offset, r.next(i))
	if err == nil && end >= 0 {
		r.note("stream %d does not end where its /Length says", m.number)
	}
	return end, err
}

// find looks for a word between two offsets and returns the one after it, or -1.
func (r *repairer) find(word string, from, to int64) (int64, error) {
	if r.buf == nil {
		r.buf = make([]byte, windowSize+scanAfter)
	}
	for at := from; at < to; at += windowSize {
		b := r.buf[:min(windowSize+int64(len(word)), to-at)]
		if err := r.f.src.readFull(b, at); err != nil {
			return 0, err
		}
		if k := bytes.Index(b, []byte(word)); k >= 0 {
			return at + int64(k+len(word)), nil
		}
	}
	return -1, nil
}

// classify keeps what is special about an object that was read.
func (r *repairer) classify(i int, o Object, l *lexer) error {
	m := &r.marks[i]
	switch v := o.(type) {
	case Dict:
		r.dictionary(Ref{m.number, m.gen}, m.offset, v)
		if v["ByteRange"] != nil && v["Contents"] != nil {
			r.signed[i] = true
		}
	case *Stream:
		switch v.Dict["Type"] {
		case Name("XRef"):
			m.state = stateSection
			return r.addTrailer(m, v.Dict, l)
		case Name("ObjStm"):
			r.holders = append(r.holders, i)
		}
	}
	return nil
}

// dictionary notes catalogs and encryption dictionaries.
func (r *repairer) dictionary(ref Ref, at int64, d Dict) {
	if d["Type"] == Name("Catalog") {
		r.catalogs = append(r.catalogs, foundCatalog{ref: ref, at: at})
	}
	if d["Filter"] == Name("Standard") && d["O"] != nil && d["U"] != nil {
		r.standard = true
	}
}

// refer notes the highest number that an object refers to: a new object must
// not become what a reference to a lost one meant. The parser bounds the depth.
func (r *repairer) refer(o Object) {
	switch v := o.(type) {
	case Ref:
		if v.Number <= r.f.lim.ObjectNumber {
			r.highest = max(r.highest, v.Number)
			r.referred = r.referred.grow(v.Number)
		}
	case Array:
		for _, e := range v {
			r.refer(e)
		}
	case Dict:
		for _, e := range v {
			r.refer(e)
		}
	case *Stream:
		r.refer(v.Dict)
	}
}

// unpackStreams adds the objects of the object streams, now that the file can be
// decrypted.
func (r *repairer) unpackStreams() error {
	for _, i := range r.holders {
		m := &r.marks[i]
		if !r.wins(m) {
			r.note("object stream %d is defined anew", m.number)
			continue
		}
		s, err := r.f.objectStream(m.number)
		if err != nil {
			if !lasting(err) {
				return err
			}
			r.note("object stream %d cannot be read: %v", m.number, err)
			continue
		}
		if err := r.unpack(m, s); err != nil {
			return err
		}
	}
	defs := r.sorted()
	r.list(defs)
	r.compete(defs)
	return r.f.charge(0, -1)
}

func (r *repairer) unpack(m *landmark, s *objectStream) error {
	if len(s.places) > r.f.lim.Definitions-len(r.defs) {
		return &LimitError{Limit: "Definitions", Max: int64(r.f.lim.Definitions), Offset: m.offset}
	}
	for k, p := range s.places {
		if p.number == 0 || p.number > r.f.lim.ObjectNumber {
			r.note("object %d of object stream %d is over the limit of object numbers", p.number, m.number)
			continue
		}
		e := entry{kind: entryCompressed, offset: int64(m.number), index: uint32(k)}
		d := definition{number: p.number, segment: m.segment, at: m.offset, entry: e}
		o, _, err := r.f.getCompressed(Ref{Number: p.number}, e)
		switch {
		case err != nil && !lasting(err):
			return err
		case err != nil:
			r.note("object %d of object stream %d cannot be read and counts as missing", p.number, m.number)
			d.entry = entry{kind: entryFree, gen: 65535}
		}
		if c, ok := o.(Dict); ok {
			r.dictionary(Ref{Number: p.number}, m.offset, c)
		}
		r.highest = max(r.highest, p.number)
		r.refer(o)
		r.defs = append(r.defs, d)
	}
	return nil
}
