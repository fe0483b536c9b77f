package pdf

// streamCache keeps the object streams decoded last.
type streamCache struct {
	streams []*objectStream
	bytes   int   // of the streams kept
	decoded int64 // bytes decoded so far
}

const (
	cachedStreams = 16
	cachedBytes   = 8_000_000 // the one in use is kept whatever its size
)

// objectStream is a decoded object stream (ISO 32000-2, 7.5.7).
type objectStream struct {
	number uint32
	data   []byte
	places []objectPlace
}

type objectPlace struct {
	number uint32
	offset int // in data
}

// getCompressed reads an object from the object stream that its entry names.
func (f *File) getCompressed(ref Ref, e entry) (Object, []Duplicate, error) {
	s, err := f.objectStream(uint32(e.offset))
	if err != nil {
		return nil, nil, err
	}
	if int64(e.index) >= int64(len(s.places)) || s.places[e.index].number != ref.Number {
		return nil, nil, malformed(-1, "object %d is not at its place in object stream %d", ref.Number, s.number)
	}
	l := lexer{buf: s.data, pos: s.places[e.index].offset, base: -1, lim: &f.lim}
	start := l.pos
	o, err := l.object(0)
	f.parsed += int64(l.pos - start)
	if err != nil {
		return nil, nil, err
	}
	return o, l.dups, nil
}

// objectStream returns a decoded object stream. /Extends is not followed: the
// cross-reference entries name the stream that holds an object.
func (f *File) objectStream(number uint32) (*objectStream, error) {
	for i, s := range f.cache.streams {
		if s.number == number {
			copy(f.cache.streams[1:i+1], f.cache.streams[:i]) // to the front
			f.cache.streams[0] = s
			return s, nil
		}
	}
	e, ok, err := f.entry(number)
	if err != nil {
		return nil, err
	}
	if !ok || e.kind != entryInUse {
		return nil, malformed(-1, "object stream %d is no object of its own", number)
	}
	o, err := f.Get(Ref{number, e.gen})
	if err != nil {
		return nil, err
	}
	stm, ok := o.(*Stream)
	if !ok || stm.Dict["Type"] != Name("ObjStm") {
		return nil, malformed(f.base+e.offset, "object stream expected")
	}
	// Entries of its dictionary may lie in other object streams, or in itself.
	if f.depth >= f.lim.References {
		return nil, malformed(stm.offset, "object stream leads back to itself")
	}
	f.depth++
	s, err := f.decodeObjectStream(number, stm)
	f.depth--
	if err != nil {
		return nil, err
	}
	f.cache.add(s)
	return s, nil
}

// add puts a stream at the front of the cache.
func (c *streamCache) add(s *objectStream) {
	c.streams = append([]*objectStream{s}, c.streams...)
	c.bytes += len(s.data)
	for n := len(c.streams); n > 1 && (n > cachedStreams || c.bytes > cachedBytes); n-- {
		c.bytes -= len(c.streams[n-1].data)
		c.streams[n-1] = nil
		c.streams = c.streams[:n-1]
	}
}

func (f *File) decodeObjectStream(number uint32, stm *Stream) (*objectStream, error) {
	data, err := f.Decode(stm)
	if err != nil {
		return nil, err
	}
	if f.cache.decoded += int64(len(data)); f.cache.decoded > f.lim.DecodedBytes {
		return nil, &LimitError{Limit: "DecodedBytes", Max: f.lim.DecodedBytes, Offset: stm.offset}
	}
	n, err := f.Int(stm.Dict["N"])
	if err != nil {
		return nil, err
	}
	first, err := f.Int(stm.Dict["First"])
	if err != nil {
		return nil, err
	}
	// Each pair takes four bytes at least, with its white space.
	if first < 0 || first > int64(len(data)) || n < 0 || n > (first+1)/4 {
		return nil, malformed(stm.offset, "bad /N or /First of an object stream")
	}
	s := &objectStream{number: number, data: data, places: make([]objectPlace, n)}
	l := lexer{buf: data[:first], base: -1, lim: &f.lim}
	for i := range s.places {
		l.space()
		num, err := l.unsigned(1<<32-1, "object number")
		if err != nil {
			return nil, err
		}
		l.space()
		off, err := l.unsigned(uint64(int64(len(data))-first), "offset in an object stream")
		if err != nil {
			return nil, err
		}
		s.places[i] = objectPlace{uint32(num), int(first) + int(off)}
	}
	return s, nil
}
