package scan

import "math"

// grid is where the modules of a symbol lie in a plane: a projective map from
// modules (the top left corner of the symbol is 0, 0) to pixels.
type grid struct {
	dim int // modules of an edge
	m   [8]float64
}

// at maps a place in modules to one in pixels.
func (g *grid) at(x, y float64) point {
	w := g.m[6]*x + g.m[7]*y + 1
	return point{(g.m[0]*x + g.m[1]*y + g.m[2]) / w, (g.m[3]*x + g.m[4]*y + g.m[5]) / w}
}

// pin is a place of the symbol that was found in the plane.
type pin struct{ module, pixel point }

// affine gives the grid of a symbol of dim modules by its three corners, as if it
// was not out of perspective.
func affine(dim int, a, b, c point) *grid {
	n := 1 / float64(dim-7)
	u, v := b.minus(a).times(n), c.minus(a).times(n)
	o := a.minus(u.plus(v).times(3.5))
	return &grid{dim: dim, m: [8]float64{u.x, v.x, o.x, u.y, v.y, o.y, 0, 0}}
}

// fitted gives the grid that is nearest to the pins, four or more, in the sense of
// least squares; nil when they do not determine one.
func fitted(dim int, pins []pin) *grid {
	// Both sides are moved and scaled to about 1, for the sake of precision.
	var shift point
	for _, p := range pins {
		shift = shift.plus(p.pixel)
	}
	shift = shift.times(1 / float64(len(pins)))
	spread := 1.0
	for _, p := range pins {
		spread = max(spread, p.pixel.distance(shift))
	}
	side := float64(dim)
	var a [8][9]float64
	for _, p := range pins {
		x, y := p.module.x/side, p.module.y/side
		q := p.pixel.minus(shift).times(1 / spread)
		add(&a, [8]float64{x, y, 1, 0, 0, 0, -x * q.x, -y * q.x}, q.x)
		add(&a, [8]float64{0, 0, 0, x, y, 1, -x * q.y, -y * q.y}, q.y)
	}
	s, ok := solve(&a)
	if !ok {
		return nil
	}
	// Back: pixel = shift + spread * (s0 x/side + ...) / (s6 x/side + s7 y/side + 1).
	g := &grid{dim: dim}
	for row, d := range [2]float64{shift.x, shift.y} {
		g.m[3*row] = (spread*s[3*row] + d*s[6]) / side
		g.m[3*row+1] = (spread*s[3*row+1] + d*s[7]) / side
		g.m[3*row+2] = spread*s[3*row+2] + d
	}
	g.m[6], g.m[7] = s[6]/side, s[7]/side
	return g
}

// add adds an equation to the normal equations.
func add(a *[8][9]float64, row [8]float64, value float64) {
	for i := range row {
		for j := range row {
			a[i][j] += row[i] * row[j]
		}
		a[i][8] += row[i] * value
	}
}

// solve solves eight linear equations by elimination with pivots.
func solve(a *[8][9]float64) (x [8]float64, ok bool) {
	for i := range a {
		pivot := i
		for k := i + 1; k < len(a); k++ {
			if math.Abs(a[k][i]) > math.Abs(a[pivot][i]) {
				pivot = k
			}
		}
		a[i], a[pivot] = a[pivot], a[i]
		if !(math.Abs(a[i][i]) > 1e-12) {
			return x, false
		}
		for k := i + 1; k < len(a); k++ {
			f := a[k][i] / a[i][i]
			for j := i; j < 9; j++ {
				a[k][j] -= f * a[i][j]
			}
		}
	}
	for i := len(a) - 1; i >= 0; i-- {
		x[i] = a[i][8]
		for j := i + 1; j < len(a); j++ {
			x[i] -= a[i][j] * x[j]
		}
		x[i] /= a[i][i]
	}
	return x, true
}

// timing gives which part of the two lines of alternating modules, between the
// corners in row and column 6, is as it must be.
func (g *grid) timing(p *plane) float64 {
	right, all := 0, 0
	for _, across := range []bool{true, false} {
		shade := func(i int) float64 {
			q := g.at(float64(i)+0.5, 6.5)
			if !across {
				q = g.at(6.5, float64(i)+0.5)
			}
			return p.at(q.x, q.y)
		}
		before := shade(7)
		for i := 8; i < g.dim-7; i++ {
			now := shade(i)
			if (now < before) == (i%2 == 0) && now != before {
				right++
			}
			all++
			before = now
		}
	}
	return float64(right) / float64(all)
}

// match says how much a place looks like an alignment pattern (a dark module in a
// light ring in a dark ring): the difference of the means of light and dark,
// lightest minus darkest.
func (g *grid) match(p *plane, x, y float64) float64 {
	var light, dark float64
	for j := -2.0; j <= 2; j++ {
		for i := -2.0; i <= 2; i++ {
			q := g.at(x+i, y+j)
			v := p.at(q.x, q.y)
			if ring := max(math.Abs(i), math.Abs(j)); ring == 1 {
				light += v
			} else {
				dark += v
			}
		}
	}
	return light/8 - dark/17
}

// align looks for the alignment pattern that should be around x, y, so many
// modules far, and gives where it is.
func (g *grid) align(p *plane, x, y, far, step float64) (pin, float64) {
	best, at := math.Inf(-1), point{x, y}
	for j := -far; j <= far; j += step {
		for i := -far; i <= far; i += step {
			// Of equals the nearest.
			if v := g.match(p, x+i, y+j) - 0.2*math.Hypot(i, j); v > best {
				best, at = v, point{x + i, y + j}
			}
		}
	}
	return pin{module: point{x, y}, pixel: g.at(at.x, at.y)}, best
}
