package pdf

import (
	"bytes"
	"cmp"
	"slices"
)

// kinds of landmarks
const (
	markObject  = iota // "n g obj"
	markTrailer        // "trailer <<"
	markEnd            // "%%EOF"
	markTable          // "xref"
)

// what became of the object at a landmark
const (
	stateWhole   = iota
	stateInside  // it lies inside another object: it is none
	stateBroken  // it cannot be read
	stateSection // a cross-reference stream, which means nothing any more
)

// landmark is a place that a search of the file stops at.
type landmark struct {
	offset  int64 // file offset
	number  uint32
	segment uint32 // how many revisions end before it
	gen     uint16
	kind    uint8
	state   uint8
}

const (
	scanChunk    = 64 << 10
	scanBefore   = 48  // bytes before "obj" that its numbers may take
	scanAfter    = 32  // bytes that may be looked at behind the beginning of a keyword
	scanLine     = 256 // bytes before an object that are looked at to find where its line begins
	landmarkCost = 56  // memory of a landmark and of the definition that it becomes
)

// scan finds the landmarks of the file in one pass over it.
func (r *repairer) scan() error {
	buf := make([]byte, scanBefore+scanChunk+scanAfter)
	size := r.f.src.size
	for at := r.f.base; at < size; at += scanChunk {
		from := max(at-scanBefore, r.f.base)
		b := buf[:min(int64(len(buf)), min(at+scanChunk+scanAfter, size)-from)]
		if err := r.f.src.readFull(b, from); err != nil {
			return err
		}
		first := len(r.marks)
		r.scanChunk(b, from, int(at-from), int(min(at+scanChunk, size)-from))
		slices.SortFunc(r.marks[first:], func(a, b landmark) int { return cmp.Compare(a.offset, b.offset) })
		r.thin(first)
		if len(r.marks) > r.f.lim.Definitions {
			return &LimitError{Limit: "Definitions", Max: int64(r.f.lim.Definitions), Offset: at}
		}
	}
	return nil
}

// scanChunk adds the landmarks whose keyword begins in b[start:end]. from is the
// file offset of b.
func (r *repairer) scanChunk(b []byte, from int64, start, end int) {
	each := func(word string, found func(i int)) {
		for i := start; ; i++ {
			k := bytes.Index(b[i:min(end+len(word)-1, len(b))], []byte(word))
			if k < 0 {
				return
			}
			i += k
			found(i)
		}
	}
	each("obj", func(i int) {
		at, number, gen, ok := headerBefore(b, i)
		if ok {
			r.marks = append(r.marks, landmark{offset: from + int64(at), number: number, gen: gen, kind: markObject})
		}
		if ok && (!startsLine(b[max(0, at-scanLine):at]) || bytes.IndexByte(b[at:i], 0) >= 0) || !ok && nearlyHeader(b[max(0, i-scanLine):i]) {
			r.note("bytes at %d look like an object to some readers and not to others", from+int64(i))
		}
	})
	each("trailer", func(i int) {
		near := b[i+len("trailer") : min(i+len("trailer")+scanAfter, len(b))]
		entry := i > 2 && b[i-2] == ' ' && (b[i-1] == 'n' || b[i-1] == 'f') // of a table without ends of lines
		odd := i > 0 && !isWhite(int(b[i-1])) && !entry || !bytes.HasPrefix(bytes.TrimLeft(near, "\x00\t\n\f\r "), []byte("<<"))
		if odd && bytes.Contains(near, []byte("<<")) {
			r.note("bytes at %d look like a trailer to some readers and not to others", from+int64(i))
		}
		if (i == 0 || !isRegular(int(b[i-1]))) && bytes.HasPrefix(bytes.TrimLeft(b[i+len("trailer"):], "\x00\t\n\f\r "), []byte("<<")) {
			r.marks = append(r.marks, landmark{offset: from + int64(i), kind: markTrailer})
		}
	})
	each("xref", func(i int) {
		if (i == 0 || !isRegular(int(b[i-1]))) && i+4 < len(b) && isWhite(int(b[i+4])) {
			r.marks = append(r.marks, landmark{offset: from + int64(i), kind: markTable})
		}
	})
	each("%%EOF", func(i int) { r.marks = append(r.marks, landmark{offset: from + int64(i), kind: markEnd}) })
}

// startsLine tells whether nothing but white space, or the end of an object, stands
// between the last end of line in b and its end. Some readers look for objects
// there only, and what follows a per cent sign is a comment for others.
func startsLine(b []byte) bool {
	line := b[bytes.LastIndexAny(b, "\r\n")+1:]
	line = bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimRight(line, "\t "), []byte("endobj")))
	return len(line) == 0
}

// nearlyHeader tells whether b, before a keyword obj, ends in what some readers take
// for the two numbers of an object: with signs, points or zeros, or with a comment or
// much space in between.
func nearlyHeader(b []byte) bool {
	for range 2 {
		if b = beforeSpace(b); len(b) == 0 {
			return true // so much space that what is before it is not known
		}
		number := b
		if b = bytes.TrimRight(b, "0123456789.+-"); len(b) == len(number) {
			return false
		}
	}
	return true
}

// beforeSpace cuts off white space at the end of b and a comment that ends there.
func beforeSpace(b []byte) []byte {
	b = bytes.TrimRight(b, "\x00\t\n\f\r ")
	if at := bytes.LastIndexAny(b, "\r\n%"); at >= 0 && b[at] == '%' {
		b = bytes.TrimRight(b[:at], "\x00\t\n\f\r ")
	}
	return b
}

// headerBefore reads the numbers that make the keyword obj at b[i] the beginning
// of an object, and returns where they begin.
func headerBefore(b []byte, i int) (at int, number uint32, gen uint16, ok bool) {
	if i+3 < len(b) && isRegular(int(b[i+3])) {
		return 0, 0, 0, false
	}
	g, at, ok := digitsBefore(b, i, 5)
	if !ok || g > 65535 {
		return 0, 0, 0, false
	}
	n, at, ok := digitsBefore(b, at, 10)
	if !ok || n == 0 || n > 1<<32-1 || at > 0 && isRegular(int(b[at-1])) {
		return 0, 0, 0, false
	}
	return at, uint32(n), uint16(g), true
}

// digitsBefore reads a number that ends, with white space after it, before b[i].
func digitsBefore(b []byte, i, most int) (v uint64, at int, ok bool) {
	end := i
	for i > 0 && isWhite(int(b[i-1])) {
		i--
	}
	if i == end {
		return 0, 0, false
	}
	end = i
	for i > 0 && isDigit(int(b[i-1])) && end-i < most {
		i--
	}
	for _, c := range b[i:end] {
		v = v*10 + uint64(c-'0')
	}
	return v, i, i < end
}

// thin drops landmarks from the first on that say nothing new: an end of file
// after another, and objects whose number is over the limit.
func (r *repairer) thin(first int) {
	kept := r.marks[:first]
	for _, m := range r.marks[first:] {
		switch {
		case m.kind == markEnd && (len(kept) == 0 || kept[len(kept)-1].kind == markEnd):
		case m.kind == markObject && m.number > r.f.lim.ObjectNumber:
			r.note("object %d is over the limit of object numbers", m.number)
		default:
			kept = append(kept, m)
		}
	}
	r.marks = kept
}
