// Package qrtext reads the segments of a QR symbol: the last step of reading one,
// after its modules were found and its errors corrected.
package qrtext

import (
	"strings"
	"unicode/utf8"
)

// bitReader takes bits from the left; beyond the end there are zeros.
type bitReader struct {
	b   []byte
	pos int
}

func (r *bitReader) take(n int) int {
	v := 0
	for range n {
		v <<= 1
		if r.pos/8 < len(r.b) {
			v |= int(r.b[r.pos/8]>>(7-r.pos%8)) & 1
		}
		r.pos++
	}
	return v
}

// beyond says that more was taken than there was.
func (r *bitReader) beyond() bool { return r.pos > 8*len(r.b) }

const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

// Segments reads the data words of a symbol of that version: numeric and alphanumeric
// segments, and bytes that are UTF-8 (ISO/IEC 18004, 7.4). A symbol with others, or
// with nothing, has no text for us.
func Segments(data []byte, version int) (string, bool) {
	r := &bitReader{b: data}
	wider, bytesWider := 0, 0 // of the counts
	if version >= 10 {
		wider, bytesWider = 2, 8
	}
	if version >= 27 {
		wider = 4
	}
	var b strings.Builder
	for r.pos+4 <= 8*len(data) {
		ok := false
		switch r.take(4) {
		case 0:
			return b.String(), b.Len() > 0
		case 1:
			ok = r.digits(&b, r.take(10+wider))
		case 2:
			ok = r.letters(&b, r.take(9+wider))
		case 4:
			ok = r.bytes(&b, r.take(8+bytesWider))
		}
		if !ok {
			return "", false
		}
	}
	return b.String(), b.Len() > 0
}

// digits reads a numeric segment: three digits in ten bits.
func (r *bitReader) digits(b *strings.Builder, n int) bool {
	for ; n > 0; n -= 3 {
		k := min(n, 3)
		v := r.take([4]int{0, 4, 7, 10}[k])
		if r.beyond() || v >= [4]int{0, 10, 100, 1000}[k] {
			return false
		}
		for unit := [4]int{0, 1, 10, 100}[k]; unit > 0; unit /= 10 {
			b.WriteByte('0' + byte(v/unit%10))
		}
	}
	return true
}

// letters reads an alphanumeric segment: two characters in eleven bits.
func (r *bitReader) letters(b *strings.Builder, n int) bool {
	for ; n > 0; n -= 2 {
		k := min(n, 2)
		v := r.take([3]int{0, 6, 11}[k])
		if r.beyond() || v >= [3]int{0, 45, 45 * 45}[k] {
			return false
		}
		if k == 2 {
			b.WriteByte(alphanumeric[v/45])
		}
		b.WriteByte(alphanumeric[v%45])
	}
	return true
}

// bytes reads a segment of bytes, which must be UTF-8.
func (r *bitReader) bytes(b *strings.Builder, n int) bool {
	if r.pos+8*n > 8*len(r.b) {
		return false
	}
	all := make([]byte, n)
	for i := range all {
		all[i] = byte(r.take(8))
	}
	b.Write(all)
	return utf8.Valid(all)
}
