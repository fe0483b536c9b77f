package scan

import (
	"math"
	"slices"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"
)

// read reads the symbol of three corners. looks says that there is one, read or
// not.
func read(p *plane, a, b, c corner) (text string, looks bool) {
	g, score := measured(p, a, b, c)
	if g == nil {
		return "", false
	}
	for _, h := range g.better(p, a, b, c) {
		for _, how := range ways {
			dark := h.sample(p, how)
			for _, mirrored := range []bool{false, true} {
				if text := textOf(matrix(dark, h.dim, mirrored)); text != "" {
					return text, true
				}
			}
		}
	}
	return "", g.dim >= sealModules && score > 0.8
}

// sealModules is the least edge of a symbol that holds a seal: version 8.
const sealModules = 49

// measured finds the number of modules between the corners, and where they lie: of
// what is possible the one whose lines of alternating modules come out best. nil
// when none comes out well.
func measured(p *plane, a, b, c corner) (best *grid, score float64) {
	score = 0.62
	for _, dim := range edgesPossible(p, a, b, c) {
		g := affine(dim, a.at, b.at, c.at)
		for _, h := range []*grid{g, g.byFourth(p, a, b, c)} {
			if h == nil {
				continue
			}
			if t := h.timing(p); t > score {
				best, score = h, t
			}
		}
		if score > 0.9 {
			break
		}
	}
	return best, score
}

// edgesPossible gives the numbers of modules that the symbol can have, the likely
// ones first: the changes from dark to light between the corners are counted. None
// when these do not go with the distance of the corners.
func edgesPossible(p *plane, a, b, c corner) []int {
	u, v := b.at.minus(a.at), c.at.minus(a.at)
	// A row cuts a square that is turned at more than its edge.
	turned := max(math.Abs(u.x), math.Abs(u.y)) / u.length()
	module := turned * (a.module + b.module + c.module) / 3
	guess := (u.length()+v.length())/2/module + 7
	eu, ev := u.times(3*module/u.length()), v.times(3*module/v.length())
	inner := a.at.plus(eu).plus(ev)
	var list []int
	for _, counted := range [...]float64{
		changes(p, inner, b.at.minus(eu).plus(ev), module) + 13,
		changes(p, inner, c.at.plus(eu).minus(ev), module) + 13,
		guess,
	} {
		dim := 17 + 4*int(math.Round((counted-17)/4))
		if math.Abs(counted-guess) < 0.25*guess+3 && dim >= 21 && dim <= 177 && !slices.Contains(list, dim) {
			list = append(list, dim)
		}
	}
	return list
}

// changes counts how often dark and light change on a line.
func changes(p *plane, from, to point, module float64) float64 {
	n := min(int(4*to.distance(from)/module)+1, 4*200)
	step := to.minus(from).times(1 / float64(n))
	shades := make([]float64, n)
	least, most := 255.0, 0.0
	for i := range shades {
		q := from.plus(step.times(float64(i)))
		shades[i] = p.at(q.x, q.y)
		least, most = min(least, shades[i]), max(most, shades[i])
	}
	// A change counts from a valley to a hill: half of the noise is none.
	slack := (most - least) / 8
	count, up, turn := 0, false, shades[0]
	for _, v := range shades {
		switch {
		case up && v > turn || !up && v < turn:
			turn = v
		case math.Abs(v-turn) > slack:
			up, turn = !up, v
			count++
		}
	}
	return float64(count)
}

// byFourth gives the grid by the corners and the alignment pattern of the fourth,
// nil when there is none.
func (g *grid) byFourth(p *plane, a, b, c corner) *grid {
	if g.dim < 25 {
		return nil
	}
	last := float64(g.dim) - 6.5
	fourth, look := g.align(p, last, last, math.Round(max(4, float64(g.dim)/8)), 0.5)
	if look < leastLook {
		return nil
	}
	return fitted(g.dim, append(pinned(g.dim, a, b, c), fourth))
}

func pinned(dim int, a, b, c corner) []pin {
	far := float64(dim) - 3.5
	return []pin{{point{3.5, 3.5}, a.at}, {point{far, 3.5}, b.at}, {point{3.5, far}, c.at}}
}

// better gives the grids to try: one that goes by all alignment patterns that are
// found, and the grid itself.
func (g *grid) better(p *plane, a, b, c corner) []*grid {
	all := append(pinned(g.dim, a, b, c), g.alignments(p)...)
	if len(all) > 3 {
		if h := fitted(g.dim, all); h != nil {
			return []*grid{h, g}
		}
	}
	return []*grid{g}
}

// alignments finds the alignment patterns, each near the place where the grid has
// it.
func (g *grid) alignments(p *plane) (pins []pin) {
	version, err := decoder.Version_GetVersionForNumber((g.dim - 17) / 4)
	if err != nil {
		return nil
	}
	centers := version.GetAlignmentPatternCenters()
	low, high := 6, g.dim-7
	for _, x := range centers {
		for _, y := range centers {
			if x == low && (y == low || y == high) || x == high && y == low {
				continue // a corner stands there
			}
			if near, look := g.align(p, float64(x)+0.5, float64(y)+0.5, 1.2, 0.2); look > leastLook {
				pins = append(pins, near)
			}
		}
	}
	return pins
}

// leastLook is how much lighter the light of an alignment pattern is at least.
const leastLook = 20

// way is a way to tell dark from light.
type way struct {
	spread  float64 // modules around the middle whose shades are averaged
	sharpen float64 // how much of the difference to the modules beside is added
	reach   int     // modules around whose mean divides dark from light
}

// ways are tried in this order.
var ways = [...]way{
	{0.15, 0, 4},
	{0.15, 0.35, 4},
	{0.25, 0.15, 2},
	{0, 0.6, 6},
}

// sample tells of each module, row by row, whether it is dark.
func (g *grid) sample(p *plane, how way) []bool {
	n := g.dim
	shades := make([]float64, n*n)
	for y := range n {
		for x := range n {
			shades[y*n+x] = g.module(p, float64(x)+0.5, float64(y)+0.5, how.spread)
		}
	}
	if how.sharpen > 0 {
		shades = sharpened(shades, n, how.sharpen)
	}
	means := newSums(shades, n)
	dark := make([]bool, n*n)
	for i, v := range shades {
		dark[i] = v < means.around(i%n, i/n, how.reach)
	}
	return dark
}

// matrix gives n x n modules, or the mirrored ones, rows for columns, as the
// decoder takes them.
func matrix(dark []bool, n int, mirrored bool) *gozxing.BitMatrix {
	bits, err := gozxing.NewSquareBitMatrix(n)
	if err != nil { // n is at least 21
		return nil
	}
	for i, d := range dark {
		switch {
		case d && mirrored:
			bits.Set(i/n, i%n)
		case d:
			bits.Set(i%n, i/n)
		}
	}
	return bits
}

// module gives the shade of a module.
func (g *grid) module(p *plane, x, y, spread float64) float64 {
	q := g.at(x, y)
	v := p.at(q.x, q.y)
	if spread == 0 {
		return v
	}
	for _, d := range [...]point{{-1, -1}, {1, -1}, {-1, 1}, {1, 1}} {
		q := g.at(x+d.x*spread, y+d.y*spread)
		v += p.at(q.x, q.y)
	}
	return v / 5
}

// sharpened takes the shade that runs over from the modules beside.
func sharpened(shades []float64, n int, much float64) []float64 {
	out := make([]float64, len(shades))
	at := func(x, y int) float64 { return shades[min(max(y, 0), n-1)*n+min(max(x, 0), n-1)] }
	for y := range n {
		for x := range n {
			v := at(x, y)
			out[y*n+x] = v + much*(v-(at(x-1, y)+at(x+1, y)+at(x, y-1)+at(x, y+1))/4)
		}
	}
	return out
}

// sums holds the sums of all shades above and left of a place.
type sums struct {
	n int
	s []float64
}

func newSums(shades []float64, n int) *sums {
	t := &sums{n: n, s: make([]float64, (n+1)*(n+1))}
	for y := range n {
		row := 0.0
		for x := range n {
			row += shades[y*n+x]
			t.s[(y+1)*(n+1)+x+1] = t.s[y*(n+1)+x+1] + row
		}
	}
	return t
}

// around gives the mean of the modules around x, y.
func (t *sums) around(x, y, reach int) float64 {
	x0, x1 := max(0, x-reach), min(t.n, x+reach+1)
	y0, y1 := max(0, y-reach), min(t.n, y+reach+1)
	w := t.n + 1
	return (t.s[y1*w+x1] - t.s[y0*w+x1] - t.s[y1*w+x0] + t.s[y0*w+x0]) / float64((x1-x0)*(y1-y0))
}
