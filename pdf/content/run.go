package content

import (
	"math"
	"strings"
	"unicode"

	"github.com/seed-574216e4/meterai/pdf"
)

// baseline is how and where a run of text stands in default user space.
type baseline struct {
	origin   point
	dir      point   // of writing, of length 1
	up, down point   // from the baseline to ascent and descent
	em       float64 // font size
	clip     pdf.Rect
	seen     bool // painted at all
	marked   bool // what its glyphs paint is marked elsewhere
}

// shown is a glyph as it is shown.
type shown struct {
	baseline
	text          string
	advance, next float64 // along the line: where it ends, and where the next stands
}

// glyph is a character of a run: its text begins at that byte, and it takes
// that part of the line.
type glyph struct {
	at       int32
	from, to float32
}

// Gaps, in em. What is drawn wordGap or more behind the place where the pen was
// left begins another run; so does what goes back by more than overlap.
const (
	wordGap = 0.13
	overlap = 0.6
	offLine = 0.1
)

// runBuilder collects the glyphs of a run.
type runBuilder struct {
	baseline
	text   []byte
	glyphs []glyph
	pen    float64 // where the next glyph is expected
}

// place adds a glyph to the run, or begins another run.
func (in *interp) place(g shown) {
	if g.em == 0 || g.dir == (point{}) {
		return // of no size
	}
	if !(math.Abs(g.origin.x) <= maxCoordinate && math.Abs(g.origin.y) <= maxCoordinate && math.Abs(g.advance) <= maxCoordinate && g.em <= maxCoordinate) {
		in.r.note(errCoordinate)
		return
	}
	if in.glyph != nil {
		if g.seen && !g.marked {
			in.mark(g.box(0, g.advance))
		}
		return
	}
	b := &in.r.run
	at := 0.0
	if len(b.glyphs) > 0 {
		at = b.along(g.origin)
	}
	if len(b.glyphs) == 0 || !b.continues(&g, at) {
		b.flush(in.r)
		b.baseline, at = g.baseline, 0
	}
	b.glyphs = append(b.glyphs, glyph{int32(len(b.text)), float32(at), float32(at + g.advance)})
	b.text = append(b.text, g.text...)
	b.pen = at + g.next
}

// along is how far behind the origin of a line a point is.
func (b *baseline) along(p point) float64 {
	return (p.x-b.origin.x)*b.dir.x + (p.y-b.origin.y)*b.dir.y
}

// above is how far above a line a point is.
func (b *baseline) above(p point) float64 {
	return (p.y-b.origin.y)*b.dir.x - (p.x-b.origin.x)*b.dir.y
}

// continues reports whether a glyph at that place goes on with the run.
func (b *runBuilder) continues(g *shown, at float64) bool {
	em := b.em
	near := func(p, q point) bool { return math.Abs(p.x-q.x) < offLine*em && math.Abs(p.y-q.y) < offLine*em }
	gap := at - b.pen
	return gap < wordGap*em && gap > -overlap*em && math.Abs(b.above(g.origin)) < offLine*em &&
		g.dir.x*b.dir.x+g.dir.y*b.dir.y > 0.9999 && near(g.up, b.up) && near(g.down, b.down) &&
		g.seen == b.seen && g.marked == b.marked && g.clip == b.clip
}

// box is around a part of the line.
func (b *baseline) box(from, to float64) pdf.Rect {
	x1, y1 := b.origin.x+b.dir.x*from, b.origin.y+b.dir.y*from
	x2, y2 := b.origin.x+b.dir.x*to, b.origin.y+b.dir.y*to
	return pdf.Rect{
		LLX: min(x1, x2) + min(b.up.x, b.down.x), LLY: min(y1, y2) + min(b.up.y, b.down.y),
		URX: max(x1, x2) + max(b.up.x, b.down.x), URY: max(y1, y2) + max(b.up.y, b.down.y),
	}
}

// flush ends the run.
func (b *runBuilder) flush(r *reader) {
	defer func() { b.text, b.glyphs = b.text[:0], b.glyphs[:0] }()
	from, to := b.extent()
	if len(b.glyphs) == 0 || r.err != nil {
		return
	}
	box := b.box(from, to)
	if !within(box) {
		r.note(errCoordinate)
		return
	}
	if box.Intersect(b.clip).Empty() || box.Intersect(r.crop).Empty() {
		return
	}
	if len(r.out.Runs) >= r.lim.Boxes {
		r.exceed("Boxes", r.lim.Boxes)
		return
	}
	r.out.Runs = append(r.out.Runs, Run{Text: string(b.text), Box: box, line: b.baseline, ends: append([]glyph(nil), b.glyphs...)})
	if b.seen && !b.marked {
		b.occupy(r)
	}
}

// extent is the part of the line that the glyphs take, whatever their order.
func (b *runBuilder) extent() (from, to float64) {
	for i, g := range b.glyphs {
		if i == 0 {
			from, to = float64(g.from), float64(g.from)
		}
		from, to = min(from, float64(min(g.from, g.to))), max(to, float64(max(g.from, g.to)))
	}
	return from, to
}

// occupy marks the run without white space at its ends; a slanting one glyph
// by glyph, since the box around it has room for more than itself.
func (b *runBuilder) occupy(r *reader) {
	in := interp{r: r}
	in.gs.clip = b.clip
	slanting := math.Abs(b.dir.x) > 0.01 && math.Abs(b.dir.y) > 0.01
	var box pdf.Rect
	for i, g := range b.glyphs {
		end := len(b.text)
		if i+1 < len(b.glyphs) {
			end = int(b.glyphs[i+1].at)
		}
		if strings.TrimFunc(string(b.text[g.at:end]), unicode.IsSpace) == "" && end > int(g.at) {
			continue
		}
		one := b.box(float64(min(g.from, g.to)), float64(max(g.from, g.to)))
		if slanting {
			in.mark(one)
			continue
		}
		box = union(box, one)
	}
	if box != (pdf.Rect{}) {
		in.mark(box)
	}
}
