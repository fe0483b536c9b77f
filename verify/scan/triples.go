package scan

import (
	"math"
	"slices"
)

// triple is three corners that may be those of one symbol, by index: top left, top
// right and bottom left, as the symbol stands (a mirrored one the other way).
type triple struct {
	a, b, c int
	off     float64 // how far from a square; 0 is best
}

// triples gives the groups of three that can be symbols, the best first.
func triples(corners []corner) []triple {
	var all []triple
	for a := range corners {
		near := neighbours(corners, a)
		for i, b := range near {
			for _, c := range near[i+1:] {
				t, ok := grouped(corners, a, b, c)
				if !ok {
					continue
				}
				if all = append(all, t); len(all) >= 64*maxTriples {
					all = best(all)
				}
			}
		}
	}
	return best(all)
}

// best gives the best triples, in order.
func best(all []triple) []triple {
	slices.SortStableFunc(all, func(s, t triple) int {
		switch {
		case s.off < t.off:
			return -1
		case s.off > t.off:
			return 1
		}
		return 0
	})
	return all[:min(len(all), maxTriples)]
}

// neighbours gives the corners of the same size at the distance of a symbol's
// edge: 14 modules and more between the middles.
func neighbours(corners []corner, a int) []int {
	var near []int
	for i, c := range corners {
		if i == a {
			continue
		}
		m := (c.module + corners[a].module) / 2
		d := c.at.distance(corners[a].at) / m
		if c.module < 1.5*corners[a].module && corners[a].module < 1.5*c.module && d > 9 && d < 190 {
			near = append(near, i)
		}
	}
	return near
}

// grouped orders three corners so that b is clockwise before c around a, and says
// whether they stand like those of a symbol.
func grouped(corners []corner, a, b, c int) (triple, bool) {
	u, v := corners[b].at.minus(corners[a].at), corners[c].at.minus(corners[a].at)
	if u.cross(v) < 0 {
		b, c, u, v = c, b, v, u
	}
	lu, lv := u.length(), v.length()
	skew := math.Abs(u.dot(v)) / (lu * lv)
	uneven := math.Abs(lu-lv) / max(lu, lv)
	if !(skew < 0.3 && uneven < 0.25) {
		return triple{}, false
	}
	sizes := []float64{corners[a].module, corners[b].module, corners[c].module}
	spread := slices.Max(sizes)/slices.Min(sizes) - 1
	return triple{a: a, b: b, c: c, off: skew + uneven + spread/2}, true
}
