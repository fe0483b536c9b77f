package content

import (
	"math"

	"github.com/seed-574216e4/meterai/pdf"
)

// Corner is a corner of the page as people see it.
type Corner int

// The corners.
const (
	BottomRight Corner = iota
	BottomLeft
	TopRight
	TopLeft
)

// clearance is kept around everything, in points.
const clearance = 2

// Free finds room for a box of width w and height h that stays two points away
// from everything occupied and from all annotations, and keeps the margin from
// all edges: the place nearest to the corner, to within a point (more on pages
// of more than a square metre or so). All lengths are points, and the result
// lies on the page as people see it. It is false when there is no such place,
// when w, h or margin make no sense, and when the layout is truncated, since
// there may be more on the page.
func (l *Layout) Free(w, h, margin float64, c Corner) (pdf.Rect, bool) {
	pw, ph := l.page.Size()
	pw, ph = pw*l.page.UserUnit, ph*l.page.UserUnit
	roomX, roomY := pw-2*margin-w, ph-2*margin-h
	if l.Truncated || !(w > 0 && h > 0 && margin >= 0 && roomX >= 0 && roomY >= 0) {
		return pdf.Rect{}, false
	}
	g := newGrid(pw, ph, margin, c)
	for _, boxes := range [...][]pdf.Rect{l.Occupied, l.Annotations} {
		for _, b := range boxes {
			g.fill(grow(l.Seen(b), clearance))
		}
	}
	g.sum()
	x, y, ok := g.nearest(w, h, roomX, roomY)
	if !ok {
		return pdf.Rect{}, false
	}
	return g.seen(x, y, w, h), true
}

// grid has the page in cells, from the corner less its margin inwards. After
// sum, cells[y][x] is how many cells are taken below and before.
type grid struct {
	pageW, pageH, margin float64
	right, top           bool // which corner it counts from
	step                 float64
	w, h                 int
	cells                []int32
}

func newGrid(pw, ph, margin float64, c Corner) *grid {
	g := &grid{
		pageW: pw, pageH: ph, margin: margin,
		right: c == BottomRight || c == TopRight, top: c == TopLeft || c == TopRight,
		step: max(1, math.Sqrt(pw*ph/maxCells), 4*pw/maxCells, 4*ph/maxCells),
	}
	g.w, g.h = int((pw-2*margin)/g.step)+2, int((ph-2*margin)/g.step)+2
	g.cells = make([]int32, (g.w+1)*(g.h+1))
	return g
}

// inward takes a box as seen to distances from the corner less its margin.
func (g *grid) inward(b pdf.Rect) pdf.Rect {
	if g.right {
		b.LLX, b.URX = g.pageW-b.URX, g.pageW-b.LLX
	}
	if g.top {
		b.LLY, b.URY = g.pageH-b.URY, g.pageH-b.LLY
	}
	m := g.margin
	return pdf.Rect{LLX: b.LLX - m, LLY: b.LLY - m, URX: b.URX - m, URY: b.URY - m}
}

// seen is the inverse of inward, for the lower left point of a box.
func (g *grid) seen(x, y, w, h float64) pdf.Rect {
	x, y = x+g.margin, y+g.margin
	if g.right {
		x = g.pageW - x - w
	}
	if g.top {
		y = g.pageH - y - h
	}
	return pdf.Rect{LLX: x, LLY: y, URX: x + w, URY: y + h}
}

// touch is how far boxes may lie in each other, for edges that meet.
const touch = 1e-6

// span gives the cells that a box touches.
func (g *grid) span(from, to float64, n int) (int, int) {
	a := math.Floor((from + touch) / g.step)
	b := math.Ceil((to - touch) / g.step)
	return int(min(max(a, 0), float64(n))), int(min(max(b, 0), float64(n)))
}

// fill marks the cells that a box touches; the first at which it begins, one
// behind its end. The grid holds differences until sum.
func (g *grid) fill(b pdf.Rect) {
	b = g.inward(b)
	x1, x2 := g.span(b.LLX, b.URX, g.w)
	y1, y2 := g.span(b.LLY, b.URY, g.h)
	if x1 >= x2 || y1 >= y2 {
		return
	}
	row := g.w + 1
	g.cells[y1*row+x1]++
	g.cells[y1*row+x2]--
	g.cells[y2*row+x1]--
	g.cells[y2*row+x2]++
}

// sum turns the differences into cells, and these into sums.
func (g *grid) sum() {
	row := g.w + 1
	g.prefix()
	for i, n := range g.cells {
		g.cells[i] = min(max(n, 0), 1)
	}
	// Sums begin with a row and a column of zeros.
	for y := g.h; y > 0; y-- {
		copy(g.cells[y*row+1:(y+1)*row], g.cells[(y-1)*row:y*row-1])
		g.cells[y*row] = 0
	}
	clear(g.cells[:row])
	g.prefix()
}

// prefix adds to each cell those below and before it.
func (g *grid) prefix() {
	row := g.w + 1
	var below []int32
	for at := 0; at < len(g.cells); at += row {
		line, n := g.cells[at:at+row], int32(0)
		for i, v := range line {
			n += v
			line[i] = n
		}
		for i, v := range below {
			line[i] += v
		}
		below = line
	}
}

// nearest goes over the places in the order of rows and keeps the nearest free.
func (g *grid) nearest(w, h, roomX, roomY float64) (x, y float64, found bool) {
	best := math.Inf(1)
	for j := 0; float64(j)*g.step <= roomY; j++ {
		up := float64(j) * g.step
		if up*up >= best {
			break
		}
		for i := 0; float64(i)*g.step <= roomX; i++ {
			in := float64(i) * g.step
			if in*in+up*up >= best {
				break
			}
			if g.free(in, up, w, h) {
				best, x, y, found = in*in+up*up, in, up, true
				break
			}
		}
	}
	return x, y, found
}

// free reports whether no cell is taken that a box at that place touches.
func (g *grid) free(x, y, w, h float64) bool {
	row := g.w + 1
	x1, x2 := g.span(x, x+w, g.w)
	y1, y2 := g.span(y, y+h, g.h)
	return g.cells[y2*row+x2]-g.cells[y1*row+x2]-g.cells[y2*row+x1]+g.cells[y1*row+x1] == 0
}
