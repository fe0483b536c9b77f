package cms

// reader goes through BER (X.690, 8) once, from front to back. Elements are
// opened as they come, also those of indefinite length, whose end is only known
// when it is met: nothing is scanned ahead and then read again, so time is
// linear in the input whatever the nesting.
type reader struct {
	b     []byte
	pos   int
	depth int // elements open
	max   int // how many may be
	cut   int // Limits.Size when b was cut there, else 0
	loose bool
}

// header is the start of an element. Tags of one octet are told apart by id;
// longer ones have the low five bits of id set.
type header struct {
	id         byte
	indefinite bool
	start      int // of the identifier octets
	body       int // of the contents
	end        int // after the contents; when indefinite, the bound of what encloses it
}

func (h header) constructed() bool { return h.id&0x20 != 0 }

func (r *reader) fail(offset int, what string) error {
	return &ParseError{Offset: offset, What: what}
}

// short is the answer to an element that goes on after end.
func (r *reader) short(end int) error {
	if r.cut > 0 && end == len(r.b) {
		return &LimitError{Limit: "Size", Max: r.cut}
	}
	return r.fail(r.pos, "element ends beyond what encloses it")
}

// next reads identifier and length octets, with end the bound of the enclosing
// element, and leaves the reader at the contents.
func (r *reader) next(end int) (header, error) {
	h := header{start: r.pos}
	p := r.pos
	if p >= end {
		return h, r.short(end)
	}
	h.id = r.b[p]
	p++
	if h.id == 0 {
		return h, r.fail(h.start, "end-of-contents without a beginning")
	}
	if h.id&0x1f == 0x1f {
		n := 0
		for ; p < end && r.b[p]&0x80 != 0; p++ {
			n++
		}
		if n > 4 {
			return h, r.fail(h.start, "tag number beyond 2^28")
		}
		p++
	}
	if p >= end {
		return h, r.short(end)
	}
	return r.length(h, p, end)
}

// length reads the length octets at p.
func (r *reader) length(h header, p, end int) (header, error) {
	c := r.b[p]
	p++
	n := int(c)
	switch {
	case c == 0x80:
		if !h.constructed() {
			return h, r.fail(h.start, "primitive element of indefinite length")
		}
		r.loose = true
		h.indefinite, h.body, h.end = true, p, end
		r.pos = p
		return h, nil
	case c == 0xff:
		return h, r.fail(h.start, "reserved length")
	case c > 0x80:
		n = 0
		octets := int(c & 0x7f)
		if octets > end-p {
			return h, r.short(end)
		}
		r.loose = r.loose || r.b[p] == 0 || octets == 1 && r.b[p] < 0x80
		for _, o := range r.b[p : p+octets] {
			if n = n<<8 | int(o); n > 1<<30 {
				return h, r.short(end)
			}
		}
		p += octets
	}
	if n > end-p {
		return h, r.short(end)
	}
	h.body, h.end = p, p+n
	r.pos = p
	return h, nil
}

// open reads a header and checks its identifier octet.
func (r *reader) open(end int, id byte, what string) (header, error) {
	h, err := r.next(end)
	if err != nil {
		return h, err
	}
	if h.id != id {
		return h, r.fail(h.start, what+" expected")
	}
	return h, r.enter()
}

// enter counts an element as open; more closes it.
func (r *reader) enter() error {
	if r.depth++; r.depth > r.max {
		return &LimitError{Limit: "Depth", Max: r.max}
	}
	return nil
}

// more says whether the open element h has another element in it. When not, it
// is closed: a definite one has been read to its end, an indefinite one has its
// end-of-contents octets taken.
func (r *reader) more(h header) (bool, error) {
	if h.indefinite {
		if h.end-r.pos < 2 {
			return false, r.short(h.end)
		}
		if r.b[r.pos] != 0 {
			return true, nil
		}
		if r.b[r.pos+1] != 0 {
			return false, r.fail(r.pos, "end-of-contents with a length")
		}
		r.pos += 2
	} else if r.pos < h.end {
		return true, nil
	}
	r.depth--
	return false, nil
}

// is says whether the open element h goes on with the identifier octet id.
func (r *reader) is(h header, id byte) bool { return r.pos < h.end && r.b[r.pos] == id }

// close checks that the open element h ends here.
func (r *reader) close(h header) error {
	more, err := r.more(h)
	if err == nil && more {
		err = r.fail(r.pos, "element not expected")
	}
	return err
}

// skip leaves the reader after the element whose header has just been read.
// Elements of definite length are jumped over, so those open here are all
// indefinite and a counter is enough.
func (r *reader) skip(h header) error {
	if !h.indefinite {
		r.pos = h.end
		return nil
	}
	outside := r.depth
	if err := r.enter(); err != nil {
		return err
	}
	for r.depth > outside {
		more, err := r.more(h)
		if err != nil {
			return err
		}
		if !more {
			continue
		}
		in, err := r.next(h.end)
		if err != nil {
			return err
		}
		if !in.indefinite {
			r.pos = in.end
		} else if err := r.enter(); err != nil {
			return err
		}
	}
	return nil
}

// any reads one element of any kind and returns all its octets.
func (r *reader) any(end int) (id byte, raw []byte, err error) {
	h, err := r.next(end)
	if err != nil {
		return 0, nil, err
	}
	if err := r.skip(h); err != nil {
		return 0, nil, err
	}
	return h.id, r.b[h.start:r.pos:r.pos], nil
}

// primitive reads a primitive element and returns its contents.
func (r *reader) primitive(end int, id byte, what string) ([]byte, error) {
	h, err := r.next(end)
	if err != nil {
		return nil, err
	}
	if h.id != id {
		return nil, r.fail(h.start, what+" expected")
	}
	r.pos = h.end
	return r.b[h.body:h.end:h.end], nil
}

// integer reads the contents of an INTEGER of bounded length.
func (r *reader) integer(end int, what string) ([]byte, error) {
	at := r.pos
	c, err := r.primitive(end, tagInteger, what)
	if err != nil {
		return nil, err
	}
	if len(c) == 0 || len(c) > maxSerial {
		return nil, r.fail(at, what+" of no or too many octets")
	}
	if len(c) > 1 && (c[0] == 0 && c[1] < 0x80 || c[0] == 0xff && c[1] >= 0x80) {
		r.loose = true
	}
	return c, nil
}

// octets reads an OCTET STRING, primitive or constructed; prim is the identifier
// octet of the primitive form, which differs under implicit tagging.
func (r *reader) octets(end int, prim byte, what string) ([]byte, error) {
	h, err := r.next(end)
	if err != nil {
		return nil, err
	}
	switch h.id {
	case prim:
		r.pos = h.end
		return r.b[h.body:h.end:h.end], nil
	case prim | 0x20:
		r.loose = true
		out, err := r.segments([]byte{}, h, tagOctets)
		return out, err
	}
	return nil, r.fail(h.start, what+" expected")
}

// segments appends the contents of a constructed string whose header has just
// been read. The segments have the universal tag of the string type (X.690,
// 8.7.3.2) and may again be constructed; the recursion ends at Limits.Depth.
func (r *reader) segments(dst []byte, h header, tag byte) ([]byte, error) {
	if err := r.enter(); err != nil {
		return nil, err
	}
	for {
		more, err := r.more(h)
		if err != nil || !more {
			return dst, err
		}
		in, err := r.next(h.end)
		if err != nil {
			return nil, err
		}
		switch in.id {
		case tag:
			dst = append(dst, r.b[in.body:in.end]...)
			r.pos = in.end
		case tag | 0x20:
			if dst, err = r.segments(dst, in, tag); err != nil {
				return nil, err
			}
		default:
			return nil, r.fail(in.start, "segment of a string expected")
		}
	}
}

// single says whether b is exactly one element.
func single(b []byte) bool {
	r := reader{b: b, max: defaultDepth}
	_, _, err := r.any(len(b))
	return err == nil && r.pos == len(b)
}
