package content

import (
	"bytes"

	"github.com/seed-574216e4/meterai/pdf"
)

// xobject is a form or an image (ISO 32000-2, 8.8).
type xobject struct {
	form    bool
	content []byte
	box     pdf.Rect
	matrix  pdf.Matrix
	scope   *scope // nil when the form has no resources of its own
	busy    bool   // being drawn
}

// xobject reads an external object once.
func (r *reader) xobject(o pdf.Object) *xobject {
	ref, ok := o.(pdf.Ref)
	if x, known := r.objects[ref]; known || !ok || !r.stream() {
		return x
	}
	r.objects[ref] = nil
	s, err := r.f.Stream(o)
	if r.keep(err); s == nil {
		return nil
	}
	x := &xobject{}
	r.objects[ref] = x
	switch r.name(s.Dict["Subtype"]) {
	case "Form":
		x.form, x.content = true, r.decode(o)
		x.box, x.matrix = r.rect(s.Dict["BBox"]), r.matrix(s.Dict["Matrix"], identity)
		if res, ok := s.Dict["Resources"]; ok {
			x.scope = r.newScope(res)
		}
	}
	return x
}

// draw paints an external object; a form with the graphics state as it is.
func (in *interp) draw(o pdf.Object) {
	x := in.r.xobject(o)
	switch {
	case x == nil:
		return
	case !x.form:
		in.mark(in.unitSquare())
		return
	case x.busy:
		in.r.note(errForms)
		return
	case in.depth >= in.r.lim.Forms:
		in.r.exceed("Forms", in.r.lim.Forms)
		return
	}
	s := x.scope
	if s == nil {
		s = in.scope // as in PDF 1.1
	}
	sub := newInterp(in.r, x.content, s)
	sub.gs, sub.depth, sub.glyph = in.gs, in.depth+1, in.glyph
	sub.gs.ctm = multiply(x.matrix, in.gs.ctm)
	box := sub.gs.ctm.Rect(x.box)
	if !within(box) {
		in.r.note(errCoordinate)
		return
	}
	if sub.gs.clip = in.gs.clip.Intersect(box); sub.gs.clip.Empty() {
		return
	}
	x.busy = true
	sub.run()
	x.busy = false
}

// skipImage passes over the data of an inline image (ISO 32000-2, 8.9.7). It
// is false when the data has no end; then nothing more of the stream is read.
func (in *interp) skipImage() bool {
	l := &in.lex
	at := l.pos + 1 // one white space character follows ID
	if n, ok := l.imageLength(); ok && at+n <= len(l.buf) {
		if end, ok := imageEnd(l.buf, at+n); ok {
			l.pos = end
			return true
		}
	}
	for from := min(at, len(l.buf)); ; {
		i := bytes.Index(l.buf[from:], []byte("EI"))
		if i < 0 {
			l.pos = len(l.buf)
			return false
		}
		from += i
		if end, ok := imageEnd(l.buf, from); ok && (from == at || classes[l.buf[from-1]] == white) && plausible(l.buf[end:]) {
			l.pos = end
			return true
		}
		from += 2
	}
}

// imageEnd passes over white space and EI.
func imageEnd(b []byte, at int) (int, bool) {
	for at < len(b) && classes[b[at]] == white {
		at++
	}
	if !bytes.HasPrefix(b[at:], []byte("EI")) {
		return 0, false
	}
	at += 2
	return at, at == len(b) || classes[b[at]] != regular
}

// plausible tells operators from image data that has EI in it.
func plausible(b []byte) bool {
	for _, c := range b[:min(len(b), 12)] {
		if c > 0x7e || c < ' ' && classes[c] != white || c == 0 {
			return false
		}
	}
	return true
}

// imageLength is how long the data of an inline image is, when that follows
// from its entries: /Length of PDF 2.0, or the size of one without a filter.
func (l *lexer) imageLength() (int, bool) {
	v := map[string]operand{}
	for i := 0; i+1 < len(l.args) && i < 64; i += 2 {
		v[string(l.args[i].text)] = l.args[i+1]
	}
	get := func(short, long string) operand {
		if o, ok := v[short]; ok {
			return o
		}
		return v[long]
	}
	if n := get("L", "Length").number; n > 0 && n < maxCoordinate {
		return int(n), true
	}
	if get("F", "Filter").kind != kindOther {
		return 0, false
	}
	components, bits := 0.0, get("BPC", "BitsPerComponent").number
	switch string(get("CS", "ColorSpace").text) {
	case "G", "DeviceGray":
		components = 1
	case "RGB", "DeviceRGB":
		components = 3
	case "CMYK", "DeviceCMYK":
		components = 4
	}
	if components == 0 { // an image mask, or a space that would have to be looked up
		components, bits = 1, 1
	}
	row := (get("W", "Width").number*components*bits + 7) / 8
	n := float64(int(min(row, maxCoordinate))) * get("H", "Height").number
	return int(n), n > 0 && n < maxCoordinate
}
