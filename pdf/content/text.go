package content

import (
	"math"

	"github.com/seed-574216e4/meterai/pdf"
)

// Text rendering modes that paint nothing (ISO 32000-2, table 104).
const (
	invisible = 3
	clipOnly  = 7
)

// textOperator obeys the operators of ISO 32000-2, 9.3 and 9.4; false for
// others.
func (in *interp) textOperator(op string) bool {
	switch op {
	case "Tj", "'", "\"", "TJ":
		in.showOperator(op)
	case "Td", "TD":
		if v, ok := in.lex.numbers(2); ok {
			if op == "TD" {
				in.gs.text.leading = -v[1].number
			}
			in.move(v[0].number, v[1].number)
		}
	case "Tm":
		if m, ok := in.lex.matrix(); ok {
			in.tm, in.line = m, m
		}
	case "T*":
		in.move(0, -in.gs.text.leading)
	case "BT":
		in.tm, in.line = identity, identity
	case "ET":
	case "Tf":
		in.setFont()
	case "Tc", "Tw", "Tz", "TL", "Ts", "Tr":
		if v, ok := in.lex.numbers(1); ok {
			in.gs.text.set(op, v[0].number)
		}
	default:
		return false
	}
	return true
}

func (t *textState) set(op string, v float64) {
	switch op {
	case "Tc":
		t.char = v
	case "Tw":
		t.word = v
	case "Tz":
		t.scale = v / 100
	case "TL":
		t.leading = v
	case "Ts":
		t.rise = v
	case "Tr":
		t.mode = int(v)
	}
}

func (in *interp) setFont() {
	args := in.lex.args
	n := len(args)
	if n < 2 || args[n-2].kind != kindName || args[n-1].kind != kindNumber {
		return
	}
	name := pdf.Name(args[n-2].text)
	in.gs.text.size = args[n-1].number
	o := in.scope.fonts[name]
	if _, ok := o.(pdf.Ref); ok {
		in.gs.text.font = in.r.font(o)
		return
	}
	f := in.scope.direct[name]
	if f == nil {
		f = in.r.font(o)
		in.scope.direct[name] = f
	}
	in.gs.text.font = f
}

// move begins a line (Td).
func (in *interp) move(x, y float64) {
	in.line[4], in.line[5] = in.line.Apply(x, y)
	in.tm = in.line
}

func (in *interp) showOperator(op string) {
	l := &in.lex
	if op == "TJ" {
		a, ok := l.last(kindArray)
		if !ok {
			return
		}
		for _, o := range l.elements[a.from:a.to] {
			switch o.kind {
			case kindString:
				in.show(o.text)
			case kindNumber:
				in.adjust(o.number)
			}
		}
		return
	}
	if op == "\"" && len(l.args) >= 3 {
		in.gs.text.word, in.gs.text.char = l.args[len(l.args)-3].number, l.args[len(l.args)-2].number
	}
	if op != "Tj" {
		in.move(0, -in.gs.text.leading)
	}
	if s, ok := l.last(kindString); ok {
		in.show(s.text)
	}
}

// adjust moves by thousandths of an em, against the direction of writing.
func (in *interp) adjust(v float64) {
	t := &in.gs.text
	if v *= -t.size / 1000; t.font != nil && t.font.vertical() {
		in.advance(0, v)
	} else {
		in.advance(v*t.scale, 0)
	}
}

func (in *interp) advance(x, y float64) { in.tm[4], in.tm[5] = in.tm.Apply(x, y) }

// show shows a string (ISO 32000-2, 9.4.4).
func (in *interp) show(s []byte) {
	t, r := &in.gs.text, in.r
	if t.font == nil {
		t.font = r.substitute()
	}
	p := in.pen()
	for len(s) > 0 && r.err == nil {
		code, n := t.font.code(s)
		g := shown{text: t.font.meaning(code), advance: t.font.width(code) * p.size, baseline: p.baseline}
		if !r.count(&r.glyphs, 1+len(g.text)/8, "Glyphs", r.lim.Glyphs) {
			return
		}
		m := multiply(in.tm, in.gs.ctm)
		g.origin = point{m[4], m[5]}
		extra := t.char
		if n == 1 && s[0] == ' ' {
			extra += t.word
		}
		s = s[n:]
		if p.vertical {
			in.advance(0, t.font.width(code)*t.size+extra)
			extra = -extra
		} else {
			in.advance((t.font.width(code)*t.size+extra)*t.scale, 0)
			extra *= t.scale * p.sign
		}
		g.next = g.advance + extra*p.unit
		if t.font.simple != nil && t.font.simple.glyphs != nil {
			in.markGlyph(code, m)
		}
		in.place(g)
	}
}

// markGlyph marks what a glyph of a Type 3 font paints; m is the text matrix.
func (in *interp) markGlyph(code uint32, m pdf.Matrix) {
	t := &in.gs.text
	box := in.r.glyphBox(t.font, code, in.scope, in.depth)
	if box != (pdf.Rect{}) && t.mode != invisible {
		in.mark(multiply(pdf.Matrix{t.size * t.scale, 0, 0, t.size, 0, t.rise}, m).Rect(box))
	}
}

// A penState is what the glyphs of one string have in common.
type penState struct {
	baseline
	vertical bool
	sign     float64 // -1 when the text is mirrored
	unit     float64 // of text space along the line, in user space
	size     float64 // of an em along the line, in user space
}

// pen finds out in which direction and how high the current font writes.
func (in *interp) pen() penState {
	t, m := &in.gs.text, multiply(in.tm, in.gs.ctm)
	f := t.font
	p := penState{vertical: f.vertical(), sign: 1}
	vector := func(x, y float64) point { return point{m[0]*x + m[2]*y, m[1]*x + m[3]*y} }
	along := vector(1, 0)
	if p.vertical {
		along = vector(0, -1)
	}
	p.unit = math.Hypot(along.x, along.y)
	p.size = p.unit * math.Abs(t.size)
	if t.size*t.scale < 0 && !p.vertical {
		p.sign = -1
	}
	if p.unit > 0 {
		p.dir = point{along.x / p.unit * p.sign, along.y / p.unit * p.sign}
	}
	if p.vertical {
		p.size = -p.size // widths are negative
		p.up, p.down = vector(t.size/2, 0), vector(-t.size/2, 0)
	} else {
		p.size *= math.Abs(t.scale)
		p.up, p.down = vector(0, f.ascent*t.size+t.rise), vector(0, f.descent*t.size+t.rise)
	}
	p.em = math.Hypot(vector(0, t.size).x, vector(0, t.size).y) * f.em
	p.clip, p.seen = in.gs.clip, t.mode != invisible && t.mode != clipOnly
	p.marked = f.simple != nil && f.simple.glyphs != nil
	return p
}
