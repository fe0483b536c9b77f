package seal

import (
	"math"
	"strconv"
)

// AppendPath appends PDF content (ISO 32000-2, 8.5) that fills the dark modules
// with the colour that is set: one path of rectangles under its own q and Q.
// (x, y0) is the lower left corner of the symbol, without quiet zone, and
// module the edge of a module, in user space units; shrink is how much
// narrower than whole modules each dark area becomes in all, half of it on
// each side, against the spread of ink. Only outer edges move: dark modules
// side by side stay joined and show no seam. shrink below 0 or from half of
// the module on counts as the nearest that is possible.
func (y *Symbol) AppendPath(dst []byte, x, y0, module, shrink float64) []byte {
	cut := min(max(shrink/module, 0), 0.49)
	// In this space a module is 1 wide, rows count from the top, and dark areas
	// begin at whole numbers.
	dst = append(dst, "q "...)
	dst = appendReal(dst, module, 5)
	dst = append(dst, " 0 0 "...)
	dst = appendReal(dst, -module, 5)
	dst = append(dst, ' ')
	dst = appendReal(dst, x+module*cut/2, 3)
	dst = append(dst, ' ')
	dst = appendReal(dst, y0+module*(float64(y.size)-cut/2), 3)
	dst = append(dst, " cm\n"...)
	w := newPathWriter(y.rows, cut)
	for i := range y.rows {
		dst = w.appendBars(dst, i)
	}
	return append(dst, "f Q\n"...)
}

// pathWriter covers the dark modules with rectangles. Each row has a bar for
// each run of dark modules. Where dark lies under dark, a joint closes the gap
// that shrinking leaves: if the joint is as wide as one of the two bars, that
// bar grows; else it is a rectangle of its own. Bars of the same run in
// several rows become one.
type pathWriter struct {
	rows   []row
	places []string // a coordinate in modules as text, with a space after
	sizes  []string // a length in modules, less the cut, the same
}

func newPathWriter(rows []row, cut float64) *pathWriter {
	n := len(rows) + 1
	texts := make([]string, 2*n)
	w := &pathWriter{rows: rows, places: texts[:n], sizes: texts[n:]}
	// One string holds all texts.
	all := make([]byte, 0, 12*n)
	ends := make([]int, 0, 2*maxRows+2)
	for i := range n {
		all = append(strconv.AppendInt(all, int64(i), 10), ' ')
		ends = append(ends, len(all))
	}
	for i := range n {
		all = append(appendReal(all, max(0, float64(i)-cut), 2), ' ')
		ends = append(ends, len(all))
	}
	joined, start := string(all), 0
	for i, end := range ends {
		texts[i] = joined[start:end]
		start = end
	}
	return w
}

// at gives row i, light outside the symbol.
func (w *pathWriter) at(i int) row {
	if i < 0 || i >= len(w.rows) {
		return row{}
	}
	return w.rows[i]
}

// isRun says whether columns from a to before b are exactly one run of r.
func isRun(r row, a, b int) bool {
	return r.end(a) == b && r.bit(a) && (a == 0 || !r.bit(a-1))
}

// covers says whether all columns from a to before b are dark in r.
func covers(r row, a, b int) bool { return r.bit(a) && r.end(a) >= b }

// end gives the first light column from x on.
func (r row) end(x int) int { return row{^r.lo, ^r.hi}.next(x) }

// appendBars appends the bars that begin in row i and the joints below it that
// neither bar can take.
func (w *pathWriter) appendBars(dst []byte, i int) []byte {
	r, above, below := w.rows[i], w.at(i-1), w.at(i+1)
	for a := r.next(0); a < len(w.rows); {
		b := r.end(a)
		if !isRun(above, a, b) { // else the bar above took this one in
			dst = w.appendBar(dst, i, a, b)
		}
		a = r.next(b)
	}
	both := r.and(below)
	for a := both.next(0); a < len(w.rows); {
		b := both.end(a)
		if !isRun(r, a, b) && !isRun(below, a, b) {
			dst = w.appendRect(dst, a, i, b-a, 2)
		}
		a = both.next(b)
	}
	return dst
}

// appendBar appends the bar of the run from a to before b in row i: down over
// the rows with the same run, and one further up and down into a wider run.
func (w *pathWriter) appendBar(dst []byte, i, a, b int) []byte {
	first, last := i, i
	for isRun(w.at(last+1), a, b) {
		last++
	}
	if covers(w.at(first-1), a, b) {
		first--
	}
	if covers(w.at(last+1), a, b) {
		last++
	}
	return w.appendRect(dst, a, first, b-a, last-first+1)
}

// appendRect appends a rectangle in whole modules; its sizes lose the cut.
func (w *pathWriter) appendRect(dst []byte, x, y, width, height int) []byte {
	dst = append(dst, w.places[x]...)
	dst = append(dst, w.places[y]...)
	dst = append(dst, w.sizes[width]...)
	dst = append(dst, w.sizes[height]...)
	return append(dst, "re\n"...)
}

// appendReal appends a number with at most the given decimals, without what a
// PDF reader does not need: trailing zeros, and the zero before the point.
func appendReal(dst []byte, v float64, decimals int) []byte {
	scale := math.Pow10(decimals)
	n := int64(math.Round(v * scale))
	if n < 0 {
		dst = append(dst, '-')
		n = -n
	}
	whole, part := n/int64(scale), n%int64(scale)
	if whole > 0 || part == 0 {
		dst = strconv.AppendInt(dst, whole, 10)
	}
	if part == 0 {
		return dst
	}
	dst = append(dst, '.')
	for unit := int64(scale) / 10; part > 0; unit /= 10 {
		dst = append(dst, byte('0'+part/unit))
		part %= unit
	}
	return dst
}
