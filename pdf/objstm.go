package pdf

import (
	"cmp"
	"errors"
	"math"
	"slices"
)

// streamCache keeps the object streams decoded last.
type streamCache struct {
	streams []*objectStream
	bytes   int              // of the streams kept
	failed  map[uint32]error // why object streams could not be decoded
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
	number      uint32
	offset, end uint32 // in data; the end is where the next object begins
	twice       bool   // the stream lists the number at another place as well
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
	place := s.places[e.index]
	if place.twice {
		// Some readers go by the place, some by the number.
		return nil, nil, malformed(-1, "object %d stands twice in object stream %d", ref.Number, s.number)
	}
	l := lexer{buf: s.data, pos: int(place.offset), base: -1, lim: &f.lim}
	o, err := l.object(0)
	f.parsed += int64(l.pos) - int64(place.offset)
	if err != nil {
		return nil, nil, err
	}
	if l.pos > int(place.end) {
		// Readers that cut the data into objects first see another one.
		return nil, nil, malformed(-1, "object %d goes on into the next one of object stream %d", ref.Number, s.number)
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
	if err := f.cache.failed[number]; err != nil {
		return nil, err
	}
	s, err := f.readObjectStream(number)
	if err != nil {
		if lasting(err) {
			f.cache.fail(number, err)
		}
		return nil, err
	}
	f.cache.add(s)
	return s, nil
}

// lasting tells errors that lie in the file from those of its reader.
func lasting(err error) bool {
	var limit *LimitError
	var unsupported *UnsupportedError
	return errors.Is(err, ErrDamaged) || errors.Is(err, ErrEncrypted) || errors.As(err, &limit) || errors.As(err, &unsupported)
}

// fail keeps the reason, so that a stream that is costly to fail is not decoded
// for each object in it.
func (c *streamCache) fail(number uint32, err error) {
	if c.failed == nil {
		c.failed = map[uint32]error{}
	}
	c.failed[number] = err
}

func (f *File) readObjectStream(number uint32) (*objectStream, error) {
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
	defer func() { f.depth-- }()
	return f.decodeObjectStream(number, stm)
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
	if n > int64(f.lim.Elements) {
		return nil, &LimitError{Limit: "Elements", Max: int64(f.lim.Elements), Offset: stm.offset}
	}
	if int64(len(data)) > math.MaxUint32 {
		return nil, &LimitError{Limit: "bytes of an object stream", Max: math.MaxUint32, Offset: stm.offset}
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
		s.places[i] = objectPlace{number: uint32(num), offset: uint32(first) + uint32(off)}
	}
	s.index()
	return s, nil
}

// index finds where each object must end, and the numbers listed twice.
func (s *objectStream) index() {
	order := make([]uint32, len(s.places))
	for i := range order {
		order[i] = uint32(i)
	}
	sorted := func(key func(p *objectPlace) uint32) {
		compare := func(a, b uint32) int { return cmp.Compare(key(&s.places[a]), key(&s.places[b])) }
		if !slices.IsSortedFunc(order, compare) {
			slices.SortFunc(order, compare)
		}
	}
	sorted(func(p *objectPlace) uint32 { return p.offset })
	end := uint32(len(s.data))
	for k := len(order) - 1; k >= 0; k-- {
		p := &s.places[order[k]]
		p.end = end
		if k > 0 && s.places[order[k-1]].offset < p.offset {
			end = p.offset
		}
	}
	sorted(func(p *objectPlace) uint32 { return p.number })
	for k := 1; k < len(order); k++ {
		a, b := &s.places[order[k-1]], &s.places[order[k]]
		if a.number == b.number {
			a.twice, b.twice = true, true
		}
	}
}
