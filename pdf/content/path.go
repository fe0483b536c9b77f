package content

import (
	"math"

	"github.com/seed-574216e4/meterai/pdf"
)

// path is the current path (ISO 32000-2, 8.5.2) in default user space.
type path struct {
	parts  []subpath
	points []point // of all parts, one after the other
	clip   bool    // W or W* was met
}

type point struct{ x, y float64 }

// subpath has the box around its points and control points. Its straight lines
// are points[from:to]; one with curves or too many lines keeps only the box.
type subpath struct {
	box      pdf.Rect
	from, to int
	coarse   bool
	closed   bool
	first    point
	last     point
}

// background is how much of the page a filled rectangle covers at least to be
// its background.
const background = 0.9

// pathOperator obeys the operators of ISO 32000-2, 8.5; false for others.
func (in *interp) pathOperator(op string) bool {
	switch op {
	case "m", "l":
		if v, ok := in.lex.numbers(2); ok {
			in.point(v[0].number, v[1].number, op == "m", true)
		}
	case "c", "v", "y":
		in.curve(op)
	case "re":
		in.rectangle()
	case "h":
		in.path.close()
	case "W", "W*":
		in.path.clip = true
	case "n":
		in.paintPath(false, false)
	case "S":
		in.paintPath(false, true)
	case "s":
		in.path.close()
		in.paintPath(false, true)
	case "f", "F", "f*":
		in.paintPath(true, false)
	case "B", "B*":
		in.paintPath(true, true)
	case "b", "b*":
		in.path.close()
		in.paintPath(true, true)
	default:
		return false
	}
	return true
}

// point adds a point; begin starts a new part, and a point of a curve is not
// on the line.
func (in *interp) point(x, y float64, begin, straight bool) {
	p := &in.path
	x, y = in.gs.ctm.Apply(x, y)
	if !(math.Abs(x) <= maxCoordinate && math.Abs(y) <= maxCoordinate) {
		in.r.note(errCoordinate)
		return
	}
	at := point{x, y}
	if begin || len(p.parts) == 0 || p.parts[len(p.parts)-1].closed {
		in.begin(at, begin)
	}
	s := &p.parts[len(p.parts)-1]
	s.box = pdf.Rect{LLX: min(s.box.LLX, x), LLY: min(s.box.LLY, y), URX: max(s.box.URX, x), URY: max(s.box.URY, y)}
	s.last = at
	if s.coarse = s.coarse || !straight || s.to-s.from > maxSegments; !s.coarse {
		p.points = append(p.points, at)
		s.to++
	}
}

// begin starts a part; after a closed one without m it begins where that did.
func (in *interp) begin(at point, move bool) {
	p := &in.path
	n := len(p.parts)
	if n >= in.r.lim.Boxes {
		in.r.exceed("Boxes", in.r.lim.Boxes)
	}
	if move && n > 0 && p.parts[n-1].to-p.parts[n-1].from == 1 && !p.parts[n-1].coarse {
		p.points = p.points[:p.parts[n-1].from]
		p.parts = p.parts[:n-1] // m after m
	}
	from := at
	if n > 0 && !move {
		from = p.parts[n-1].first
	}
	s := subpath{box: pdf.Rect{LLX: from.x, LLY: from.y, URX: from.x, URY: from.y}, from: len(p.points), to: len(p.points), first: from, last: from}
	if from != at {
		p.points = append(p.points, from)
		s.to++
	}
	p.parts = append(p.parts, s)
}

func (in *interp) curve(op string) {
	n := 4
	if op == "c" {
		n = 6
	}
	if v, ok := in.lex.numbers(n); ok {
		for i := 0; i < n; i += 2 {
			in.point(v[i].number, v[i+1].number, false, false)
		}
	}
}

func (in *interp) rectangle() {
	v, ok := in.lex.numbers(4)
	if !ok {
		return
	}
	x, y, w, h := v[0].number, v[1].number, v[2].number, v[3].number
	in.point(x, y, true, true)
	in.point(x+w, y, false, true)
	in.point(x+w, y+h, false, true)
	in.point(x, y+h, false, true)
	in.path.close()
}

// close draws the line back to the beginning of the part.
func (p *path) close() {
	if len(p.parts) == 0 {
		return
	}
	s := &p.parts[len(p.parts)-1]
	if !s.closed && !s.coarse && s.last != s.first {
		p.points = append(p.points, s.first)
		s.to++
	}
	s.closed, s.last = true, s.first
}

// rectangle reports whether a part is an upright rectangle, closed or not.
func (p *path) rectangle(s subpath) bool {
	v := p.points[s.from:s.to]
	if s.coarse || len(v) < 4 || len(v) > 5 || len(v) == 5 && v[4] != v[0] {
		return false
	}
	const slack = 1e-3
	for i := range 4 {
		a, b := v[i], v[(i+1)%4]
		across, up := math.Abs(a.x-b.x) > slack, math.Abs(a.y-b.y) > slack
		if across == up || i > 0 && across == (math.Abs(a.x-v[i-1].x) > slack) {
			return false
		}
	}
	return true
}

// paintPath ends the path: paints it, and clips to it when W was there. A path
// of nothing does not clip.
func (in *interp) paintPath(fill, stroke bool) {
	p := &in.path
	for _, s := range p.parts {
		if fill {
			in.fillPart(s)
		}
		if stroke {
			in.strokePart(s)
		}
	}
	if p.clip && len(p.parts) > 0 {
		box := p.parts[0].box
		for _, s := range p.parts[1:] {
			box = pdf.Rect{LLX: min(box.LLX, s.box.LLX), LLY: min(box.LLY, s.box.LLY), URX: max(box.URX, s.box.URX), URY: max(box.URY, s.box.URY)}
		}
		in.gs.clip = in.gs.clip.Intersect(box)
	}
	p.parts, p.points, p.clip = p.parts[:0], p.points[:0], false
}

// fillPart marks a filled part, unless it is white or the page's background.
func (in *interp) fillPart(s subpath) {
	if in.unseen(in.gs.fill) {
		return
	}
	if len(in.path.parts) == 1 && in.path.rectangle(s) {
		in.fillRect(s.box)
		return
	}
	in.mark(s.box)
}

// fillRect marks a filled rectangle, unless it is the page's background. White
// may be seen on that.
func (in *interp) fillRect(box pdf.Rect) {
	if in.glyph == nil {
		crop, seen := in.r.crop, box.Intersect(in.gs.clip).Intersect(in.r.crop)
		if seen.Width()*seen.Height() >= background*crop.Width()*crop.Height() {
			in.r.coloured = true
			return
		}
	}
	in.mark(box)
}

// unseen reports whether painting leaves white paper white.
func (in *interp) unseen(p paint) bool {
	return p.white && !in.gs.blend && !in.r.coloured && in.glyph == nil
}

// strokePart marks the lines of a part one by one, so that what a frame is drawn
// around is not occupied by it. Mitres may stick out of the boxes a little.
func (in *interp) strokePart(s subpath) {
	if in.unseen(in.gs.stroke) {
		return
	}
	m := in.gs.ctm
	half := in.gs.lineWidth / 2 * max(math.Hypot(m[0], m[1]), math.Hypot(m[2], m[3]))
	v := in.path.points[s.from:s.to]
	if s.coarse || len(v) < 2 {
		in.mark(grow(s.box, half))
		return
	}
	for i := 1; i < len(v); i++ {
		in.mark(grow(pdf.NewRect(v[i-1].x, v[i-1].y, v[i].x, v[i].y), half))
	}
}

func grow(b pdf.Rect, by float64) pdf.Rect { return grow2(b, by, by) }

func grow2(b pdf.Rect, x, y float64) pdf.Rect {
	return pdf.Rect{LLX: b.LLX - x, LLY: b.LLY - y, URX: b.URX + x, URY: b.URY + y}
}
