package cms

import (
	"bytes"
	"slices"
)

// definite appends the next element with definite lengths of fewest octets and
// strings in one piece: DER, but for the order of sets, which it keeps.
func (r *reader) definite(dst []byte, end int) ([]byte, error) {
	h, err := r.next(end)
	if err != nil {
		return nil, err
	}
	start := len(dst)
	dst = append(dst, r.identifier(h)...)
	if !h.constructed() {
		r.pos = h.end
		dst = appendLength(dst, h.end-h.body)
		return append(dst, r.b[h.body:h.end]...), nil
	}
	body := len(dst)
	if tag := h.id &^ 0x20; isString(tag) {
		dst[start] = tag
		dst, err = r.segments(dst, h, tag)
	} else {
		dst, err = r.children(dst, h)
	}
	if err != nil {
		return nil, err
	}
	return slices.Insert(dst, body, appendLength(nil, len(dst)-body)...), nil
}

// children appends the elements in h, whose header has just been read.
func (r *reader) children(dst []byte, h header) ([]byte, error) {
	if err := r.enter(); err != nil {
		return nil, err
	}
	for {
		more, err := r.more(h)
		if err != nil || !more {
			return dst, err
		}
		if dst, err = r.definite(dst, h.end); err != nil {
			return nil, err
		}
	}
}

// identifier returns the identifier octets of h.
func (r *reader) identifier(h header) []byte {
	n := h.start + 1
	if h.id&0x1f == 0x1f {
		for r.b[n]&0x80 != 0 {
			n++
		}
		n++
	}
	return r.b[h.start:n]
}

// isString says whether tag, a primitive identifier octet, is that of a
// universal string type whose segments can simply be joined. BIT STRING is not:
// its segments count unused bits.
func isString(tag byte) bool {
	return tag == tagOctets || tag == 0x0c || tag >= 0x12 && tag <= 0x1e
}

// rewritten returns the SET OF in raw as DER would have it, with its elements in
// their order and in the order of DER (X.690, 11.6). Either is nil when it is
// the same as raw, or when raw cannot be read.
func rewritten(raw []byte) (kept, sorted []byte) {
	r := reader{b: raw, max: defaultDepth}
	kept, err := r.definite(nil, len(raw))
	if err != nil {
		return nil, nil
	}
	in := reader{b: kept, max: defaultDepth}
	set, err := in.next(len(kept))
	if err != nil {
		return nil, nil
	}
	var list [][]byte
	for in.pos < set.end {
		_, one, err := in.any(set.end)
		if err != nil {
			return nil, nil
		}
		list = append(list, one)
	}
	if !slices.IsSortedFunc(list, bytes.Compare) {
		slices.SortFunc(list, bytes.Compare)
		sorted = element(kept[0], list...)
	}
	if bytes.Equal(kept, raw) {
		kept = nil
	}
	return kept, sorted
}
