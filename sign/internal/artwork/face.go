package artwork

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// A face holds the glyphs of a font as polygons on a coarse grid: at the sizes
// of a stamp no eye tells them from curves, and they need few bytes. Each glyph
// is made when it is first drawn.
type face struct {
	grid   float64 // units per em
	flat   float64 // units that a polygon may be from its curve
	cap    float64 // height of capitals, in em
	font   *sfnt.Font
	glyphs [lastRune + 1]func() *glyph
}

// firstRune and lastRune are what can be drawn: Latin-1.
const (
	firstRune = 0x20
	lastRune  = 0xff
)

// glyph is an outline. Its contours follow each other; begin marks the first
// point of each.
type glyph struct {
	advance int
	points  []point
}

type point struct {
	x, y  int16
	begin bool
}

// newFace reads a TrueType font; flat is how far, in em, a polygon may be from
// its curve.
func newFace(ttf []byte, grid, flat float64) (*face, error) {
	parsed, err := sfnt.Parse(ttf)
	if err != nil {
		return nil, fmt.Errorf("artwork: font: %w", err)
	}
	f := &face{grid: grid, flat: flat * grid, font: parsed}
	for r := rune(firstRune); r <= lastRune; r++ {
		f.glyphs[r] = sync.OnceValue(func() *glyph { return f.load(r) })
	}
	h := f.glyph('H')
	if h == nil {
		return nil, errors.New("artwork: font: no letters")
	}
	for _, p := range h.points {
		f.cap = max(f.cap, float64(p.y)/grid)
	}
	return f, nil
}

// glyph gives the glyph of a character, nil if there is none.
func (f *face) glyph(r rune) *glyph {
	if r < firstRune || r > lastRune {
		return nil
	}
	return f.glyphs[r]()
}

// load makes the glyph of a character, nil if the font has none.
func (f *face) load(r rune) *glyph {
	var buf sfnt.Buffer
	index, err := f.font.GlyphIndex(&buf, r)
	if err != nil || index == 0 {
		return nil
	}
	// Loaded with one pixel per unit of the grid; fixed.Int26_6 adds 6 bits.
	ppem := fixed.Int26_6(f.grid * 64)
	advance, err := f.font.GlyphAdvance(&buf, index, ppem, font.HintingNone)
	if err != nil {
		return nil
	}
	segments, err := f.font.LoadGlyph(&buf, index, ppem, nil)
	if err != nil {
		return nil
	}
	o := outline{flat: f.flat}
	for _, s := range segments {
		o.add(s)
	}
	return &glyph{advance: int(math.Round(float64(advance) / 64)), points: o.points()}
}

// plainZero replaces the slashed zero of the Go fonts, which is for code, by a
// capital O made as narrow: a tariff reads better so.
func (f *face) plainZero() {
	zero, o := f.glyph('0'), f.glyph('O')
	const side = 0.09 // room on each side, as a part of the width
	left, right := o.points[0].x, o.points[0].x
	for _, p := range o.points {
		left, right = min(left, p.x), max(right, p.x)
	}
	width := float64(zero.advance)
	scale := width * (1 - 2*side) / float64(right-left)
	plain := &glyph{advance: zero.advance}
	for _, p := range o.points {
		p.x = int16(math.Round(width*side + float64(p.x-left)*scale))
		plain.points = append(plain.points, p)
	}
	f.glyphs['0'] = func() *glyph { return plain }
}

// outline flattens the segments of a glyph, then leaves out points.
type outline struct {
	flat     float64
	x, y     float64 // current point
	contours [][]vertex
}

type vertex struct{ x, y float64 }

func (o *outline) add(s sfnt.Segment) {
	at := func(i int) (x, y float64) { return float64(s.Args[i].X) / 64, -float64(s.Args[i].Y) / 64 }
	x1, y1 := at(0)
	switch s.Op {
	case sfnt.SegmentOpMoveTo:
		o.contours = append(o.contours, nil)
		o.to(x1, y1)
	case sfnt.SegmentOpLineTo:
		o.to(x1, y1)
	case sfnt.SegmentOpQuadTo:
		x2, y2 := at(1)
		x0, y0 := o.x, o.y
		const chords = 8
		for i := 1.0; i <= chords; i++ {
			t := i / chords
			o.to((1-t)*(1-t)*x0+2*t*(1-t)*x1+t*t*x2, (1-t)*(1-t)*y0+2*t*(1-t)*y1+t*t*y2)
		}
	}
}

// to adds a point to the last contour.
func (o *outline) to(x, y float64) {
	o.x, o.y = x, y
	last := len(o.contours) - 1
	o.contours[last] = append(o.contours[last], vertex{x, y})
}

// points gives the contours rounded to the grid, each without the points that
// are closer than flat to the polygon of the others.
func (o *outline) points() []point {
	var all []point
	for _, c := range o.contours {
		if n := len(c); n > 1 && c[0] == c[n-1] {
			c = c[:n-1]
		}
		if len(c) < 3 {
			continue
		}
		far, best := 0, 0.0
		for i, v := range c {
			if d := math.Hypot(v.x-c[0].x, v.y-c[0].y); d > best {
				far, best = i, d
			}
		}
		kept := append(o.thin(c[:far+1]), o.thin(append(c[far:len(c):len(c)], c[0]))...)
		for i, v := range kept {
			all = append(all, point{int16(math.Round(v.x)), int16(math.Round(v.y)), i == 0})
		}
	}
	return all
}

// thin leaves out points of an open line (Douglas and Peucker, 1973) and gives
// what is left but the last point.
func (o *outline) thin(c []vertex) []vertex {
	first, last := c[0], c[len(c)-1]
	dx, dy := last.x-first.x, last.y-first.y
	far, best := 0, o.flat*math.Hypot(dx, dy)
	for i := 1; i < len(c)-1; i++ {
		d := math.Abs(dx*(c[i].y-first.y) - dy*(c[i].x-first.x))
		if d > best {
			far, best = i, d
		}
	}
	if far == 0 {
		return []vertex{first}
	}
	return append(o.thin(c[:far+1]), o.thin(c[far:])...)
}

// check says which byte of a text has no glyph, or -1.
func (f *face) check(text string) int {
	for i, r := range text {
		if f.glyph(r) == nil {
			return i
		}
	}
	return -1
}

// spacing is how the glyphs of a text follow each other.
type spacing struct {
	extra float64 // em between the glyphs
	pitch float64 // em that each glyph takes, itself in the middle; 0 its own width
}

// width gives the width of a text in em.
func (f *face) width(text string, sp spacing) float64 {
	sum, n := 0, -1
	for _, r := range text {
		sum += f.glyph(r).advance
		n++
	}
	if sp.pitch > 0 {
		return sp.pitch * float64(n+1)
	}
	return float64(sum)/f.grid + sp.extra*float64(max(n, 0))
}

// appendText fills a text with the colour that is set: x and y are the left
// end of its baseline, size the em in points. The text must have passed check.
func (f *face) appendText(dst []byte, text string, x, y, size float64, sp spacing) []byte {
	dst = append(dst, "q "...)
	dst = appendReals(dst, 5, size/f.grid)
	dst = append(dst, "0 0 "...)
	dst = appendReals(dst, 5, size/f.grid)
	dst = appendReals(dst, 2, x, y)
	dst = append(dst, "cm\n"...)
	origin := 0.0
	for _, r := range text {
		g := f.glyph(r)
		if sp.pitch > 0 {
			dst = g.append(dst, int(math.Round(origin+(sp.pitch*f.grid-float64(g.advance))/2)))
			origin += sp.pitch * f.grid
			continue
		}
		dst = g.append(dst, int(math.Round(origin)))
		origin += float64(g.advance) + sp.extra*f.grid
	}
	return append(dst, "f Q\n"...)
}

// append appends the contours of a glyph, moved right by dx; filling closes
// them.
func (g *glyph) append(dst []byte, dx int) []byte {
	for _, p := range g.points {
		dst = appendInt(dst, int(p.x)+dx)
		dst = append(dst, ' ')
		dst = appendInt(dst, int(p.y))
		if p.begin {
			dst = append(dst, " m\n"...)
		} else {
			dst = append(dst, " l\n"...)
		}
	}
	return dst
}

// appendInt appends an integer: a stamp has two thousand of at most 3 digits,
// for which this is much faster than strconv.
func appendInt(dst []byte, v int) []byte {
	if v < 0 || v > 999 {
		return strconv.AppendInt(dst, int64(v), 10)
	}
	switch {
	case v > 99:
		return append(dst, byte('0'+v/100), byte('0'+v/10%10), byte('0'+v%10))
	case v > 9:
		return append(dst, byte('0'+v/10), byte('0'+v%10))
	}
	return append(dst, byte('0'+v))
}

// appendReals appends numbers with at most the given decimals, each with a
// space after it.
func appendReals(dst []byte, decimals int, values ...float64) []byte {
	for _, v := range values {
		n := len(dst)
		dst = strconv.AppendFloat(dst, v, 'f', decimals, 64)
		if decimals > 0 {
			for dst[len(dst)-1] == '0' {
				dst = dst[:len(dst)-1]
			}
			if dst[len(dst)-1] == '.' {
				dst = dst[:len(dst)-1]
			}
		}
		if string(dst[n:]) == "-0" {
			dst = append(dst[:n], '0')
		}
		dst = append(dst, ' ')
	}
	return dst
}
