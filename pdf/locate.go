package pdf

import "slices"

// Locate returns the bytes in the file of the direct value of a key in the
// dictionary (of a stream too) that is object ref. With more keys it goes on
// into the direct dictionary that is the value. A value that is missing, that
// is a reference, whose key stands twice, or that lies in an object stream is a
// [*MalformedError].
func (f *File) Locate(ref Ref, key Name, more ...Name) (Span, error) {
	e, ok, err := f.entry(ref.Number)
	if err != nil {
		return Span{}, err
	}
	if !ok || e.kind != entryInUse || e.gen != ref.Generation {
		return Span{}, malformed(-1, "object %d %d has no place of its own in the file", ref.Number, ref.Generation)
	}
	l, err := f.lexerAt(ref, e)
	if err != nil {
		return Span{}, err
	}
	got, err := l.header()
	if err == nil && got != ref {
		err = wrongObject(f.base+e.offset, ref, got)
	}
	if err != nil {
		return Span{}, err
	}
	return l.locate(append([]Name{key}, more...))
}

// locate finds the value at path in the dictionary that stands next.
func (l *lexer) locate(path []Name) (Span, error) {
	l.space()
	if l.peek() != '<' || l.peekAt(1) != '<' {
		return Span{}, l.fail("dictionary expected")
	}
	start := l.offset()
	l.pos += 2
	var span Span
	found := false
	for {
		done, err := l.dictEnd()
		if err != nil {
			return Span{}, err
		}
		if done {
			break
		}
		key, err := l.name()
		if err != nil {
			return Span{}, err
		}
		s, err := l.value(key, path)
		if err != nil {
			return Span{}, err
		}
		if key != path[0] {
			continue
		}
		if found {
			return Span{}, malformed(s.Start, "key stands twice in a dictionary")
		}
		span, found = s, true
	}
	if !found {
		return Span{}, malformed(start, "dictionary has no /%s", path[0])
	}
	return span, nil
}

// value reads the value of a key; for the one that path leads to it returns
// its span.
func (l *lexer) value(key Name, path []Name) (Span, error) {
	l.space()
	start := l.offset()
	if key == path[0] && len(path) > 1 && len(path) <= l.lim.Nesting {
		return l.locate(path[1:])
	}
	o, err := l.object(1)
	if err != nil {
		return Span{}, err
	}
	if _, ok := o.(Ref); ok && key == path[0] {
		return Span{}, malformed(start, "value of /%s is a reference", key)
	}
	return Span{start, l.offset()}, nil
}

// ObjectSpan returns the bytes of an object in the file, from its number to
// the end of endobj. For one in an object stream it returns true and the span
// of that stream. A free or missing object is a [*MalformedError].
func (f *File) ObjectSpan(ref Ref) (Span, bool, error) {
	e, ok, err := f.entry(ref.Number)
	if err != nil {
		return Span{}, false, err
	}
	switch {
	case ok && e.kind == entryInUse && e.gen == ref.Generation:
		s, err := f.span(ref, e)
		return s, false, err
	case ok && e.kind == entryCompressed && ref.Generation == 0:
		holder := uint32(e.offset)
		e, ok, err := f.entry(holder)
		if err == nil && (!ok || e.kind != entryInUse) {
			err = malformed(-1, "object stream %d is no object of its own", holder)
		}
		if err != nil {
			return Span{}, true, err
		}
		s, err := f.span(Ref{holder, e.gen}, e)
		return s, true, err
	}
	return Span{}, false, malformed(-1, "no object %d %d", ref.Number, ref.Generation)
}

func (f *File) span(ref Ref, e entry) (Span, error) {
	if s, ok := f.long.of(ref); ok {
		return s, nil
	}
	l, err := f.lexerAt(ref, e)
	if err != nil {
		return Span{}, err
	}
	l.white()
	start := l.offset()
	got, o, err := l.indirect()
	if err == nil && got != ref {
		err = wrongObject(start, ref, got)
	}
	if err != nil {
		return Span{}, err
	}
	stm, ok := o.(*Stream)
	if !ok {
		s := Span{start, l.offset()}
		f.long.note(ref, s)
		return s, nil
	}
	length, err := f.streamLength(stm)
	if err != nil {
		return Span{}, err
	}
	end, err := f.streamEnd(stm, length, true)
	return Span{start, end}, err
}

// longSpans remembers the last objects that are longer than a window, as signatures are: whoever has read one wants to
// know its place as well, and would read it again.
type longSpans struct {
	refs  [4]Ref
	spans [4]Span
	next  int
}

func (s *longSpans) note(ref Ref, span Span) {
	if _, known := s.of(ref); known || span.Len() <= windowSize {
		return
	}
	s.refs[s.next], s.spans[s.next] = ref, span
	s.next = (s.next + 1) % len(s.refs)
}

func (s *longSpans) of(ref Ref) (Span, bool) {
	i := slices.Index(s.refs[:], ref)
	if i < 0 || s.spans[i].Len() == 0 {
		return Span{}, false
	}
	return s.spans[i], true
}
