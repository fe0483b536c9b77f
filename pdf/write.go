package pdf

import (
	"math"
	"slices"
	"strconv"
)

// AppendObject appends o as it is written in a file: dictionaries with sorted
// keys, no more white space than needed, reals without exponents. A *Stream is
// written with its dictionary, /Length set, and its Data. Bytes in place of a
// [*Reserved] are blank, its Offset is left alone.
//
// What is no [Object], a number that is not finite and what lies deeper than
// 256 arrays and dictionaries is written as null; [Update.Bytes] refuses them
// instead.
func AppendObject(dst []byte, o Object) []byte {
	w := writer{b: dst}
	w.object(o, 0)
	return w.b
}

// maxWriteDepth bounds what is written; a value that contains itself ends here.
const maxWriteDepth = 256

// writer appends objects; offset is the file offset of b[0] when the places of
// reserved bytes are to be recorded.
type writer struct {
	b      []byte
	offset int64
	record bool
	seal   *sealer // encrypts the object under way; nil when there is nothing to be encrypted
	err    error
}

// refuse writes null and keeps the first error.
func (w *writer) refuse(err error) {
	if w.err == nil {
		w.err = err
	}
	w.b = append(w.b, "null"...)
}

func (w *writer) object(o Object, depth int) {
	if depth > maxWriteDepth {
		w.refuse(&LimitError{Limit: "Nesting", Max: maxWriteDepth, Offset: -1})
		return
	}
	switch v := o.(type) {
	case nil:
		w.b = append(w.b, "null"...)
	case bool:
		w.b = strconv.AppendBool(w.b, v)
	case Integer:
		w.b = strconv.AppendInt(w.b, int64(v), 10)
	case Real:
		w.real(float64(v))
	case String:
		w.string(v)
	case Name:
		w.b = appendName(w.b, v)
	case Array:
		w.array(v, depth)
	case Dict:
		w.dict(v, depth)
	case Ref:
		w.ref(v)
	case *Stream:
		if v == nil {
			w.refuse(&UnsupportedError{Feature: "writing a nil *Stream"})
			return
		}
		w.stream(v, depth)
	case Raw:
		w.raw(v, depth)
	case *Reserved:
		if v == nil {
			w.refuse(&UnsupportedError{Feature: "writing a nil *Reserved"})
			return
		}
		w.reserved(v)
	default:
		w.refuse(&UnsupportedError{Feature: "writing a value that is no Object"})
	}
}

func (w *writer) string(s String) {
	if w.seal != nil {
		var err error
		if s, err = w.seal.string(s); err != nil {
			w.refuse(err)
			return
		}
	}
	w.b = appendString(w.b, s)
}

// raw writes bytes as they are, unless there are strings in them to be encrypted.
func (w *writer) raw(r Raw, depth int) {
	if w.seal != nil {
		o, err := w.seal.parse(r)
		if err != nil {
			w.refuse(err)
			return
		}
		if holdsString(o) {
			w.object(o, depth)
			return
		}
	}
	w.b = append(w.b, r...)
}

func (w *writer) ref(r Ref) {
	w.b = strconv.AppendUint(w.b, uint64(r.Number), 10)
	w.b = append(w.b, ' ')
	w.b = strconv.AppendUint(w.b, uint64(r.Generation), 10)
	w.b = append(w.b, " R"...)
}

func (w *writer) real(v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		w.refuse(&UnsupportedError{Feature: "writing a number that is not finite"})
		return
	}
	start := len(w.b)
	w.b = strconv.AppendFloat(w.b, v, 'f', -1, 64)
	if string(w.b[start:]) == "-0" {
		w.b = append(w.b[:start], '0')
	}
}

// separate writes the space that keeps apart two tokens without delimiters.
func (w *writer) separate(o Object) {
	switch v := o.(type) {
	case String, Name, Array, Dict:
		return
	case *Reserved:
		if v != nil && v.Hex {
			return
		}
	}
	w.b = append(w.b, ' ')
}

func (w *writer) array(a Array, depth int) {
	w.b = append(w.b, '[')
	for i, o := range a {
		if i > 0 {
			w.b = append(w.b, ' ')
		}
		w.object(o, depth+1)
	}
	w.b = append(w.b, ']')
}

func (w *writer) dict(d Dict, depth int) {
	var room [24]Name
	keys := room[:0]
	for k := range d {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	w.b = append(w.b, "<<"...)
	for _, k := range keys {
		if d[k] == nil {
			continue
		}
		w.b = appendName(w.b, k)
		w.separate(d[k])
		if w.seal != nil && plainEntry(d, k) {
			w.b = appendString(w.b, d[k].(String))
			continue
		}
		w.object(d[k], depth+1)
	}
	w.b = append(w.b, ">>"...)
}

func (w *writer) stream(s *Stream, depth int) {
	if depth > 0 {
		w.refuse(&UnsupportedError{Feature: "writing a stream inside another object"})
		return
	}
	d := make(Dict, len(s.Dict)+1)
	for k, v := range s.Dict {
		d[k] = v
	}
	data := s.Data
	if w.seal != nil {
		var err error
		if data, err = w.seal.stream(s.Dict, data); err != nil {
			w.refuse(err)
			return
		}
	}
	d["Length"] = Integer(len(data))
	w.dict(d, depth)
	w.b = append(w.b, "\nstream\n"...)
	w.b = append(w.b, data...)
	w.b = append(w.b, "\nendstream"...)
}

func (w *writer) reserved(r *Reserved) {
	if r.Size < 0 || r.Hex && (r.Size < 2 || r.Size%2 != 0) {
		w.refuse(&UnsupportedError{Feature: "reserving " + strconv.Itoa(r.Size) + " bytes"})
		return
	}
	start := len(w.b)
	if w.record {
		r.Offset = w.offset + int64(start)
	}
	fill := byte(' ')
	if r.Hex {
		fill = '0'
	}
	w.b = slices.Grow(w.b, r.Size)[:start+r.Size]
	for i := start; i < len(w.b); i++ {
		w.b[i] = fill
	}
	if r.Hex {
		w.b[start], w.b[len(w.b)-1] = '<', '>'
	}
}

const hexDigits = "0123456789ABCDEF"

func appendName(dst []byte, n Name) []byte {
	dst = append(dst, '/')
	for i := range len(n) {
		c := n[i]
		if c <= ' ' || c > '~' || c == '#' || isDelimiter(int(c)) {
			dst = append(dst, '#', hexDigits[c>>4], hexDigits[c&15])
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

// appendString writes a literal string, or a hexadecimal one when that is
// shorter or the bytes are no text.
func appendString(dst []byte, s String) []byte {
	other := 0
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			other++
		}
	}
	if other > len(s)/4 {
		dst = append(dst, '<')
		for i := range len(s) {
			dst = append(dst, hexDigits[s[i]>>4], hexDigits[s[i]&15])
		}
		return append(dst, '>')
	}
	dst = append(dst, '(')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '(' || c == ')' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ' || c > '~':
			dst = append(dst, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, ')')
}
