package verify

import (
	"bytes"
	"slices"

	"github.com/seed-574216e4/meterai/pdf"
)

// Readers that cannot follow the cross-reference data of a file, for whatever
// reason, search its bytes for objects, and some of them do not mind where they
// find one: in the data of a stream, in a string, in a comment. The last one
// counts for them. So no revision that is to be harmless may hold bytes that
// look like an object or a trailer where none is.

const (
	hiddenChunk  = 64 << 10
	hiddenBefore = 64 // bytes before "obj" that numbers, and the space between, may take
)

// hidden says where in the bytes [from, to) of a revision something looks like an
// object, or like a trailer, and is none; -1 when nothing does. spans are the
// objects of the revision in their order, xref where its cross-reference section
// begins.
func (d *document) hidden(from, to, xref int64, spans []pdf.Span) (object, trailer int64, err error) {
	buf := make([]byte, min(hiddenBefore+hiddenChunk+hiddenBefore, to-from))
	trailers := 0
	for at := from; at < to; at += hiddenChunk {
		start := max(at-hiddenBefore, from)
		b := buf[:min(int64(len(buf)), to-start)]
		if err := readFull(d.src, b, start); err != nil {
			return -1, -1, err
		}
		for i := range words(b, "obj", at-start) {
			if pos := start + int64(i); headsObject(b[:i]) && !heads(spans, pos, b[:i]) {
				return pos, -1, nil
			}
		}
		for i := range words(b, "trailer", at-start) {
			pos := start + int64(i)
			if !bytes.HasPrefix(bytes.TrimLeft(b[i+len("trailer"):], "\x00\t\n\f\r "), []byte("<<")) {
				continue
			}
			if trailers++; pos < xref || trailers > 1 {
				return -1, pos, nil
			}
		}
	}
	return -1, -1, nil
}

// words visits where a word begins in the chunk of b that begins at from.
func words(b []byte, word string, from int64) func(func(int) bool) {
	return func(yield func(int) bool) {
		end := min(int(from)+hiddenChunk+len(word)-1, len(b))
		for i := int(from); i < end; i++ {
			k := bytes.Index(b[i:end], []byte(word))
			if k < 0 {
				return
			}
			if i += k; !yield(i) {
				return
			}
		}
	}
}

// headsObject tells whether bytes end in two numbers, as they do before "obj".
func headsObject(b []byte) bool {
	for range 2 {
		number := bytes.TrimRight(b, "\x00\t\n\f\r ")
		if b = bytes.TrimRight(number, "0123456789"); len(b) == len(number) {
			return false
		}
		if number = b; len(number) > 0 && (number[len(number)-1] == '+' || number[len(number)-1] == '-') {
			b = b[:len(b)-1]
		}
	}
	return true
}

// heads tells whether "obj" at pos, which b stands before, belongs to the head of
// one of the spans.
func heads(spans []pdf.Span, pos int64, b []byte) bool {
	i, found := slices.BinarySearchFunc(spans, pos, func(s pdf.Span, pos int64) int { return int(min(max(s.Start-pos, -1), 1)) })
	if found || i == 0 {
		return false
	}
	n := pos - spans[i-1].Start
	return n <= int64(len(b)) && len(bytes.Trim(b[int64(len(b))-n:], "0123456789\x00\t\n\f\r ")) == 0 &&
		len(bytes.Fields(bytes.ReplaceAll(b[int64(len(b))-n:], []byte{0}, []byte{' '}))) == 2
}
