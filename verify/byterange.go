package verify

import (
	"bytes"
	"encoding/hex"
	"io"

	"github.com/seed-574216e4/meterai/pdf"
)

// byteRange is a /ByteRange in its only acceptable form: [0 gap.Start gap.End
// length], so that everything up to end but the gap is covered.
type byteRange struct {
	gap pdf.Span
	end int64
}

// parseByteRange accepts four non-negative direct integers that begin at 0,
// do not overlap and lie inside the file (ISO 32000-2, 12.8.1).
func parseByteRange(o pdf.Object, size int64) (byteRange, error) {
	if o == nil {
		return byteRange{}, say("the signature has no /ByteRange")
	}
	a, ok := o.(pdf.Array)
	if !ok {
		return byteRange{}, say("/ByteRange is not a direct array")
	}
	if len(a) != 4 {
		return byteRange{}, say("/ByteRange has %d elements instead of four", len(a))
	}
	var v [4]int64
	for i, e := range a {
		n, ok := e.(pdf.Integer)
		if !ok {
			return byteRange{}, say("/ByteRange holds something else than direct integers")
		}
		if n < 0 || int64(n) > size {
			return byteRange{}, say("/ByteRange points outside the file")
		}
		v[i] = int64(n) // at most size, so that no sum below overflows
	}
	switch {
	case v[0] != 0:
		return byteRange{}, say("/ByteRange does not begin at the first byte of the file")
	case v[1] == 0 || v[3] == 0:
		return byteRange{}, say("/ByteRange has an empty part")
	case v[2] <= v[1]:
		return byteRange{}, say("the parts of /ByteRange overlap or leave no gap for /Contents")
	case v[2]+v[3] > size:
		return byteRange{}, say("/ByteRange points outside the file")
	}
	return byteRange{gap: pdf.Span{Start: v[1], End: v[2]}, end: v[2] + v[3]}, nil
}

// checkGap reads the bytes that the range leaves out: they must be the
// hexadecimal string of exactly this /Contents. mixed says that its digits come
// in upper and in lower case.
func checkGap(r io.ReaderAt, gap pdf.Span, contents string, limit int) (mixed bool, err error) {
	if gap.Len() != int64(hex.EncodedLen(len(contents)))+2 {
		return false, say("the gap of /ByteRange has %d bytes, but /Contents takes %d", gap.Len(), hex.EncodedLen(len(contents))+2)
	}
	if len(contents) > limit {
		return false, say("/Contents is longer than %d bytes", limit)
	}
	b := make([]byte, gap.Len())
	if err := readFull(r, b, gap.Start); err != nil {
		return false, err
	}
	last := len(b) - 1
	if b[0] != '<' || b[last] != '>' {
		return false, say("the gap of /ByteRange is not a hexadecimal string")
	}
	mixed = bytes.ContainsAny(b, "abcdef") && bytes.ContainsAny(b, "ABCDEF")
	n, err := hex.Decode(b, b[1:last])
	if err != nil || string(b[:n]) != contents {
		return false, say("the gap of /ByteRange is not the /Contents of this signature")
	}
	return mixed, nil
}

// isWhite tells white space (ISO 32000-2, 7.2.3).
func isWhite(c byte) bool {
	switch c {
	case 0, '\t', '\n', '\f', '\r', ' ':
		return true
	}
	return false
}

// whiteBetween tells whether the bytes [from, to) are all white space, reading
// in pieces.
func whiteBetween(r io.ReaderAt, from, to int64) (bool, error) {
	var buf [4096]byte
	for from < to {
		b := buf[:min(int64(len(buf)), to-from)]
		if err := readFull(r, b, from); err != nil {
			return false, err
		}
		for _, c := range b {
			if !isWhite(c) {
				return false, nil
			}
		}
		from += int64(len(b))
	}
	return true, nil
}
