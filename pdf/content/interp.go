package content

import (
	"math"

	"github.com/seed-574216e4/meterai/pdf"
)

// state is the graphics state as far as it decides where something is painted
// (ISO 32000-2, 8.4 and 9.3).
type state struct {
	ctm          pdf.Matrix
	clip         pdf.Rect // around the clipping path, in default user space
	fill, stroke paint
	lineWidth    float64
	blend        bool // in a mode in which white may be seen
	text         textState
}

// paint is a colour as far as it decides whether it is seen.
type paint struct {
	components int  // of the colour space when 1 is the full light of each; 0 for other spaces
	ink        bool // the components are those of CMYK
	white      bool
}

type textState struct {
	font                 *font
	size, char, word     float64
	scale, leading, rise float64
	mode                 int
}

// A scope is a resource dictionary (ISO 32000-2, 7.8.3).
type scope struct {
	fonts, xobjects, states, spaces pdf.Dict
	direct                          map[pdf.Name]*font // fonts that are no objects of their own
}

func (r *reader) newScope(o pdf.Object) *scope {
	d := r.dict(o)
	return &scope{
		fonts: r.dict(d["Font"]), xobjects: r.dict(d["XObject"]), states: r.dict(d["ExtGState"]),
		spaces: r.dict(d["ColorSpace"]), direct: map[pdf.Name]*font{},
	}
}

// interp interprets one content stream: of a page, a form or a glyph.
type interp struct {
	r        *reader
	lex      lexer
	scope    *scope
	gs       state
	stack    []state
	path     path
	line, tm pdf.Matrix // of the text object
	depth    int        // of forms and glyphs drawn in each other
	glyph    *pdf.Rect  // collects what a glyph paints; nil elsewhere
}

var identity = pdf.Matrix{1, 0, 0, 1, 0, 0}

func newInterp(r *reader, content []byte, s *scope) *interp {
	in := &interp{r: r, lex: r.lexer(content), scope: s, line: identity, tm: identity}
	in.gs.ctm, in.gs.lineWidth, in.gs.text.scale = identity, 1, 1
	in.gs.fill.components, in.gs.stroke.components = 1, 1
	return in
}

// run obeys operators to the end of the stream.
func (in *interp) run() {
	r := in.r
	for r.err == nil {
		op, err := in.lex.next()
		r.keep(err)
		if op == nil || !r.count(&r.operators, 1, "Operators", r.lim.Operators) {
			break
		}
		if r.operators%ctxInterval == 0 {
			if err := r.done(); err != nil {
				r.err = err
				break
			}
		}
		in.obey(op)
	}
	if in.lex.damaged {
		r.note(errSyntax)
	}
}

// obey carries out one operator. Unknown ones, and those whose operands are
// missing, do nothing, as in other readers.
func (in *interp) obey(op []byte) {
	if in.textOperator(string(op)) || in.pathOperator(string(op)) || in.colourOperator(string(op)) {
		return
	}
	l := &in.lex
	switch string(op) {
	case "q":
		if len(in.stack) >= in.r.lim.States {
			in.r.exceed("States", in.r.lim.States)
			return
		}
		in.stack = append(in.stack, in.gs)
	case "Q":
		if n := len(in.stack); n > 0 {
			in.gs, in.stack = in.stack[n-1], in.stack[:n-1]
		}
	case "cm":
		if m, ok := l.matrix(); ok {
			in.gs.ctm = multiply(m, in.gs.ctm)
		}
	case "w":
		if v, ok := l.numbers(1); ok {
			in.gs.lineWidth = math.Abs(v[0].number)
		}
	case "gs":
		in.setState()
	case "Do":
		if o, ok := l.last(kindName); ok {
			in.draw(in.scope.xobjects[pdf.Name(o.text)])
		}
	case "sh":
		in.fillRect(in.gs.clip)
	case "ID":
		if in.mark(in.unitSquare()); !in.skipImage() {
			in.r.note(errInlineImage)
		}
	}
}

// setState takes over from an extended graphics state (ISO 32000-2, table 57).
func (in *interp) setState() {
	o, ok := in.lex.last(kindName)
	if !ok {
		return
	}
	d := in.r.dict(in.scope.states[pdf.Name(o.text)])
	if list := in.r.array(d["Font"]); len(list) == 2 {
		in.gs.text.font, in.gs.text.size = in.r.font(list[0]), in.r.number(list[1])
	}
	if o, ok := d["LW"]; ok {
		in.gs.lineWidth = math.Abs(in.r.number(o))
	}
	if o, ok := d["BM"]; ok {
		mode := in.r.resolve(o)
		in.gs.blend = mode != pdf.Name("Normal") && mode != pdf.Name("Compatible")
	}
}

// multiply gives the matrix that applies a first and then b.
func multiply(a, b pdf.Matrix) pdf.Matrix {
	return pdf.Matrix{
		a[0]*b[0] + a[1]*b[2], a[0]*b[1] + a[1]*b[3],
		a[2]*b[0] + a[3]*b[2], a[2]*b[1] + a[3]*b[3],
		a[4]*b[0] + a[5]*b[2] + b[4], a[4]*b[1] + a[5]*b[3] + b[5],
	}
}

// unitSquare is where an image is painted.
func (in *interp) unitSquare() pdf.Rect { return in.gs.ctm.Rect(pdf.Rect{URX: 1, URY: 1}) }

// hairline is how wide something is at least that is painted without width.
const hairline = 0.25

// mark notes that something is painted within a box. Of a glyph only the box
// around everything is kept.
func (in *interp) mark(b pdf.Rect) {
	if !within(b) {
		in.r.note(errCoordinate)
		return
	}
	least := hairline
	if in.glyph != nil {
		least = 1e-6 // in em
	}
	b = grow2(b, max(0, least-b.Width())/2, max(0, least-b.Height())/2)
	if b = b.Intersect(in.gs.clip); b.Empty() {
		return
	}
	if in.glyph != nil {
		*in.glyph = union(*in.glyph, b)
		return
	}
	list := in.r.out.Occupied
	if n := len(list); n > 0 && list[n-1].Contains(b) {
		return
	}
	if len(list) >= in.r.lim.Boxes {
		in.r.exceed("Boxes", in.r.lim.Boxes)
		return
	}
	in.r.out.Occupied = append(list, b)
}

// union is the box around two, of which an empty one does not count.
func union(a, b pdf.Rect) pdf.Rect {
	switch {
	case a == pdf.Rect{}:
		return b
	case b == pdf.Rect{}:
		return a
	}
	return pdf.Rect{LLX: min(a.LLX, b.LLX), LLY: min(a.LLY, b.LLY), URX: max(a.URX, b.URX), URY: max(a.URY, b.URY)}
}
