package scan

import "context"

// edges says of each pixel of a plane how much lighter it is than its
// surroundings; below zero it counts as dark. Between two pixels of different sign
// lies an edge, and their values say where.
type edges struct {
	w, h int
	d    []int8
}

const (
	// around is how far the surroundings of a pixel reach: 41 pixels in all, which
	// suits modules of 2 to 8 pixels. Larger ones are found in the halves.
	around = 20
	// darker is how much darker than its surroundings a dark pixel is at least, so
	// that the grain of white paper is none.
	darker = 5
)

// edges compares each pixel with the mean of its surroundings, in one pass with
// the sums of columns.
func (p *plane) edges(ctx context.Context) (*edges, error) {
	e := &edges{w: p.w, h: p.h, d: make([]int8, p.w*p.h)}
	sums := make([]uint32, p.w)
	add := func(y int) {
		for x, v := range p.pix[y*p.w : (y+1)*p.w] {
			sums[x] += uint32(v)
		}
	}
	for y := range min(around, p.h) {
		add(y)
	}
	for y := range p.h {
		if y&63 == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
		if y+around < p.h {
			add(y + around)
		}
		if out := y - around - 1; out >= 0 {
			for x, v := range p.pix[out*p.w : (out+1)*p.w] {
				sums[x] -= uint32(v)
			}
		}
		rows := min(p.h-1, y+around) - max(0, y-around) + 1
		e.row(y, p.pix[y*p.w:(y+1)*p.w], sums, rows)
	}
	return e, nil
}

// row compares the pixels of a row with the sums of columns, each over so many
// rows.
func (e *edges) row(y int, pix []uint8, sums []uint32, rows int) {
	d := e.d[y*e.w : (y+1)*e.w]
	var sum uint32
	for x := range min(around, e.w) {
		sum += sums[x]
	}
	for x := range d {
		if x+around < e.w {
			sum += sums[x+around]
		}
		if x-around-1 >= 0 {
			sum -= sums[x-around-1]
		}
		columns := min(e.w-1, x+around) - max(0, x-around) + 1
		v := int(pix[x]) - int(sum)/(columns*rows) + darker
		d[x] = int8(max(-128, min(127, v)))
	}
}

// between gives how far from the first of two pixels of different sign, of middles
// one pixel apart, the edge between them lies.
func between(a, b int8) float64 { return float64(a) / (float64(a) - float64(b)) }
