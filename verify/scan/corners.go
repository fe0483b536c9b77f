package scan

import (
	"context"
	"math"
)

// corner is what may be a corner of a symbol: a dark square of three modules in a
// light ring in a dark ring.
type corner struct {
	at     point
	module float64 // as cut by rows and columns
	hits   int     // rows that found it
}

// corners finds the corners: rows are searched for dark and light in the ratio
// 1:1:3:1:1, and what is found must show the same across.
func (e *edges) corners(ctx context.Context) ([]corner, error) {
	var list []corner
	for y := 0; y < e.h; y += 2 {
		if y&63 == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
		list = e.inRow(y, list)
	}
	kept := list[:0]
	for _, c := range list {
		if c.hits > 1 {
			kept = append(kept, c)
		}
	}
	return kept, nil
}

// inRow adds the corners that a row cuts.
func (e *edges) inRow(y int, list []corner) []corner {
	d := e.d[y*e.w : (y+1)*e.w]
	var b [6]float64 // the last six edges
	n := 0
	for x := 1; x < len(d); x++ {
		if (d[x] < 0) == (d[x-1] < 0) {
			continue
		}
		copy(b[:], b[1:])
		b[5] = float64(x) - 0.5 + between(d[x-1], d[x])
		if n++; n < 6 || d[x] < 0 {
			continue
		}
		if m, ok := ratio(b[1]-b[0], b[2]-b[1], b[3]-b[2], b[4]-b[3], b[5]-b[4]); ok {
			if c, ok := e.across((b[2]+b[3])/2, y, m); ok {
				list = merge(list, c)
			}
		}
	}
	return list
}

// ratio says whether five lengths are dark and light of a corner, and gives the
// module. Blurred or spread dark is wider everywhere, by the same.
func ratio(d1, l1, core, l2, d2 float64) (float64, bool) {
	m := (d1 + l1 + core + l2 + d2) / 7
	if m < 1 {
		return 0, false
	}
	near := 0.65 * m
	return m, math.Abs(d1-m) < near && math.Abs(d2-m) < near && math.Abs(l1-m) < near && math.Abs(l2-m) < near &&
		math.Abs(core-3*m) < 1.3*m
}

// across looks at the column through x, then again at the row through the middle
// of what it has found.
func (e *edges) across(x float64, y int, m float64) (corner, bool) {
	cy, mv, ok := e.along(int(x), y, 0, 1, m)
	if !ok || mv > 1.6*m || m > 1.6*mv {
		return corner{}, false
	}
	cx, mh, ok := e.along(int(x), int(cy), 1, 0, m)
	if !ok {
		return corner{}, false
	}
	cy, mv, ok = e.along(int(cx), int(cy), 0, 1, m)
	if !ok {
		return corner{}, false
	}
	return corner{at: point{cx, cy}, module: (mh + mv) / 2, hits: 1}, true
}

// along measures a corner in the direction of a row or a column from a pixel of
// its core on, both ways; it gives the middle and the module.
func (e *edges) along(x, y, dx, dy int, m float64) (mid, module float64, ok bool) {
	if x < 0 || y < 0 || x >= e.w || y >= e.h {
		return 0, 0, false
	}
	from, size, stride := x, e.w, 1
	if dy != 0 {
		from, size, stride = y, e.h, e.w
	}
	at := y*e.w + x
	most := int(7*m) + 3
	back, ok1 := e.arm(at, -stride, min(from, most))
	ahead, ok2 := e.arm(at, stride, min(size-1-from, most))
	if !ok1 || !ok2 {
		return 0, 0, false
	}
	module, ok = ratio(back[2]-back[1], back[1]-back[0], back[0]+ahead[0], ahead[1]-ahead[0], ahead[2]-ahead[1])
	return float64(from) + 0.5 + (ahead[0]-back[0])/2, module, ok
}

// arm gives how far from a dark pixel the core, the light ring and the dark ring
// end, within so many steps.
func (e *edges) arm(at, stride, steps int) (ends [3]float64, ok bool) {
	if e.d[at] >= 0 {
		return ends, false
	}
	state := 0
	for s := 1; s <= steps; s++ {
		was, now := e.d[at], e.d[at+stride]
		at += stride
		if (was < 0) == (now < 0) {
			continue
		}
		ends[state] = float64(s-1) + between(was, now)
		if state++; state == 3 {
			return ends, true
		}
	}
	return ends, false
}

// merge adds a corner to the list, or to the one there that it is.
func merge(list []corner, c corner) []corner {
	for i := range list {
		o := &list[i]
		if math.Abs(o.at.x-c.at.x) < 1.5*c.module && math.Abs(o.at.y-c.at.y) < 1.5*c.module {
			n := float64(o.hits)
			o.at = o.at.times(n).plus(c.at).times(1 / (n + 1))
			o.module = (o.module*n + c.module) / (n + 1)
			o.hits++
			return list
		}
	}
	if len(list) >= maxCorners {
		return list
	}
	return append(list, c)
}
