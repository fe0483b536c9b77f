package pdf

// readStreamSection reads the cross-reference stream at start.
func (f *File) readStreamSection(start int64) (*section, error) {
	l := newLexer(f.src, start, &f.lim)
	l.white()
	start = l.offset()
	_, o, err := l.indirect()
	if err != nil {
		return nil, err
	}
	stm, ok := o.(*Stream)
	if !ok || stm.Dict["Type"] != Name("XRef") {
		return nil, malformed(start, "cross-reference section expected")
	}
	if err := f.charge(dictCost*int64(l.pos), start); err != nil {
		return nil, err
	}
	s := &section{start: start, stream: true, trailer: stm.Dict, dups: l.dups}
	length, ok := stm.Dict["Length"].(Integer)
	if !ok || length < 0 {
		return nil, malformed(start, "cross-reference stream without a direct /Length")
	}
	if s.end, err = f.streamEnd(stm, int64(length), true); err != nil {
		return nil, err
	}
	if err = f.readIndex(s); err != nil {
		return nil, err
	}
	return s, f.unpackStream(s, stm, int64(length))
}

// xrefSlack is how much more than its entries a cross-reference stream may hold.
const xrefSlack = 65_536

// unpackStream decodes the entries of a cross-reference stream.
func (f *File) unpackStream(s *section, stm *Stream, length int64) error {
	need, err := s.place()
	if err != nil {
		return err
	}
	if err = f.charge(need, s.start); err != nil {
		return err
	}
	raw, err := f.rawStream(stm, length)
	if err != nil {
		return err
	}
	// With a predictor, a row has one byte more than an entry.
	if s.data, err = f.applyFilters(stm, raw, 2*need+xrefSlack); err != nil {
		return err
	}
	if need > int64(len(s.data)) {
		return malformed(s.start, "cross-reference stream has %d bytes, needs %d", len(s.data), need)
	}
	return nil
}

// streamEnd checks that the data of a stream ends where its length says and
// returns the offset after endstream, or with object, after endobj.
func (f *File) streamEnd(stm *Stream, length int64, object bool) (int64, error) {
	if length > f.src.size-stm.offset {
		return 0, malformed(stm.offset, "stream of %d bytes does not fit the file", length)
	}
	l := newLexer(f.src, stm.offset+length, &f.lim)
	l.white()
	if !l.keyword("endstream") {
		return 0, l.fail("endstream expected")
	}
	if object {
		l.space()
		if !l.keyword("endobj") {
			return 0, l.fail("endobj expected")
		}
	}
	return l.offset(), nil
}

// readIndex reads /W, /Size and /Index of a cross-reference stream.
func (f *File) readIndex(s *section) error {
	w, ok := s.trailer["W"].(Array)
	if !ok || len(w) < 3 {
		return malformed(s.start, "bad /W")
	}
	for i := range s.width {
		v, ok := w[i].(Integer)
		if !ok || v < 0 || v > 8 {
			return malformed(s.start, "bad /W")
		}
		s.width[i] = int(v)
	}
	if s.width[0]+s.width[1]+s.width[2] == 0 || len(w) > 3 {
		return malformed(s.start, "bad /W")
	}
	index, ok := s.trailer["Index"].(Array)
	if !ok {
		if s.trailer["Index"] != nil {
			return malformed(s.start, "bad /Index")
		}
		index = Array{Integer(0), s.trailer["Size"]}
	}
	if len(index)%2 != 0 {
		return malformed(s.start, "odd /Index")
	}
	if len(index)/2 > f.lim.Subsections {
		return &LimitError{Limit: "Subsections", Max: int64(f.lim.Subsections), Offset: s.start}
	}
	for i := 0; i < len(index); i += 2 {
		if err := f.addRange(s, index[i], index[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// addRange adds one pair of /Index.
func (f *File) addRange(s *section, a, b Object) error {
	first, ok1 := a.(Integer)
	count, ok2 := b.(Integer)
	if !ok1 || !ok2 || first < 0 || count < 0 {
		return malformed(s.start, "bad /Index or /Size")
	}
	top := Integer(f.lim.ObjectNumber) + 1
	if first > top || count > top-first {
		return &LimitError{Limit: "ObjectNumber", Max: int64(f.lim.ObjectNumber), Offset: s.start}
	}
	if count > 0 {
		s.subs = append(s.subs, subsection{first: uint32(first), count: uint32(count)})
		return f.charge(subsectionCost, s.start)
	}
	return nil
}

// place gives each subsection its place in the packed data and returns how
// long that must be.
func (s *section) place() (int64, error) {
	size := int64(s.width[0] + s.width[1] + s.width[2])
	pos := int64(0)
	for i := range s.subs {
		s.subs[i].pos = pos
		pos += size * int64(s.subs[i].count)
	}
	return pos, s.sortSubsections()
}
