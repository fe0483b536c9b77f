package content

import "github.com/seed-574216e4/meterai/pdf"

// glyphProcs are the glyph descriptions of a Type 3 font (ISO 32000-2, 9.6.4).
type glyphProcs struct {
	matrix    pdf.Matrix // glyph space to text space
	names     map[int]string
	procs     pdf.Dict
	resources pdf.Object
	boxes     map[uint32]pdf.Rect // what glyphs paint, in text space of size 1
	busy      bool                // a description that shows text in its own font
}

func (r *reader) type3Font(d pdf.Dict) *simpleFont {
	f := &simpleFont{glyphs: &glyphProcs{
		matrix: r.matrix(d["FontMatrix"], pdf.Matrix{0.001, 0, 0, 0.001, 0, 0}),
		names:  r.encodingNames(d["Encoding"]), procs: r.dict(d["CharProcs"]), resources: d["Resources"],
		boxes: map[uint32]pdf.Rect{},
	}}
	for code, name := range f.glyphs.names {
		f.text[code] = nameText(name)
	}
	f.setWidths(r, d, r.array(d["Widths"]), f.glyphs.matrix[0])
	return f
}

// setType3Height takes the height from the font's bounding box.
func (f *font) setType3Height(box pdf.Rect) {
	box = f.simple.glyphs.matrix.Rect(box)
	f.ascent, f.descent, f.em = box.URY, box.LLY, box.Height()
	if !(f.em > 0 && f.em < maxCoordinate) { // all zero is allowed, and says nothing
		f.ascent, f.descent, f.em = defaultAscent, defaultDescent, 1
	}
}

// glyphBox is what a glyph paints, found by interpreting its description once.
func (r *reader) glyphBox(f *font, code uint32, page *scope, depth int) pdf.Rect {
	g := f.simple.glyphs
	if box, ok := g.boxes[code]; ok || g.busy || depth >= r.lim.Forms {
		return box
	}
	var box pdf.Rect
	if proc, ok := g.procs[pdf.Name(g.names[int(code)])]; ok && r.stream() {
		in := newInterp(r, r.decode(proc), page)
		if g.resources != nil {
			in.scope = r.newScope(g.resources)
		}
		in.depth, in.glyph = depth+1, &box
		in.gs.ctm, in.gs.clip = g.matrix, everything
		g.busy = true
		in.run()
		g.busy = false
	}
	g.boxes[code] = box
	return box
}
