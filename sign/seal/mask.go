package seal

import "math/bits"

// row is a row of modules: column x is bit x, dark is 1. 128 columns are
// enough for maxVersion, which has 105.
type row struct{ lo, hi uint64 }

// newRow reads a row of size modules, most significant bit first.
func newRow(b []byte, size int) (r row) {
	for i := range (size + 7) / 8 {
		v := uint64(bits.Reverse8(b[i]))
		if i < 8 {
			r.lo |= v << (8 * i)
		} else {
			r.hi |= v << (8 * (i - 8))
		}
	}
	return r
}

func (r row) bit(x int) bool {
	if x < 64 {
		return r.lo>>x&1 != 0
	}
	return r.hi>>(x-64)&1 != 0
}

func (r *row) set(x int) {
	if x < 64 {
		r.lo |= 1 << x
	} else {
		r.hi |= 1 << (x - 64)
	}
}

// ones is the row whose first n columns are set; n below 0 counts as 0.
func ones(n int) row {
	switch {
	case n <= 0:
		return row{}
	case n < 64:
		return row{lo: 1<<n - 1}
	}
	return row{lo: ^uint64(0), hi: 1<<(n-64) - 1}
}

func (r row) and(o row) row    { return row{r.lo & o.lo, r.hi & o.hi} }
func (r row) andNot(o row) row { return row{r.lo &^ o.lo, r.hi &^ o.hi} }
func (r row) or(o row) row     { return row{r.lo | o.lo, r.hi | o.hi} }
func (r row) xor(o row) row    { return row{r.lo ^ o.lo, r.hi ^ o.hi} }
func (r row) count() int       { return bits.OnesCount64(r.lo) + bits.OnesCount64(r.hi) }

// down moves every column n (1 to 63) towards column 0, up away from it.
func (r row) down(n uint) row { return row{r.lo>>n | r.hi<<(64-n), r.hi >> n} }
func (r row) up(n uint) row   { return row{r.lo << n, r.hi<<n | r.lo>>(64-n)} }

// next gives the first set column from column x on, or 128.
func (r row) next(x int) int {
	if x < 64 {
		if lo := r.lo >> x; lo != 0 {
			return x + bits.TrailingZeros64(lo)
		}
		x = 64
	}
	if x >= 128 {
		return 128
	}
	if hi := r.hi >> (x - 64); hi != 0 {
		return x + bits.TrailingZeros64(hi)
	}
	return 128
}

// Weights of ISO/IEC 18004, table 11.
const (
	weightRun     = 3
	weightBlock   = 3
	weightPattern = 40
	weightBalance = 10
)

// penalty scores a symbol by ISO/IEC 18004, 7.8.3.1. Runs of n >= 5 modules of
// one colour weigh 3 + n - 5, which is the number of windows of 5 in the run,
// plus 2: so both directions are counted with whole rows at a time.
func penalty(rows []row) int {
	size := len(rows)
	width, total, dark := ones(size), 0, 0
	same := make([]row, 0, maxRows) // module and the one below have one colour
	for y, r := range rows {
		dark += r.count()
		below := row{}
		if y+1 < size {
			below = width.andNot(r.xor(rows[y+1]))
		}
		same = append(same, below)
		side := ones(size - 1).andNot(r.xor(r.down(1)))
		runs := side.and(side.down(1))
		runs = runs.and(runs.down(2))
		total += runs.count() + (weightRun-1)*runs.andNot(runs.up(1)).count()
		total += weightBlock * side.and(below).and(below.down(1)).count()
		total += weightPattern * acrossPatterns(r, size)
	}
	var before row
	for y := 0; y+4 < size; y++ {
		runs := same[y].and(same[y+1]).and(same[y+2]).and(same[y+3])
		total += runs.count() + (weightRun-1)*runs.andNot(before).count()
		before = runs
	}
	total += weightPattern * downPatterns(rows)
	// 50 % plus or minus 5 k % to 5 (k + 1) % weighs 10 k.
	off := 2*dark - size*size
	if off < 0 {
		off = -off
	}
	return total + weightBalance*(off*10/(size*size))
}

// maxRows is the greatest number of rows.
const maxRows = 17 + 4*maxVersion

// acrossPatterns counts dark-light-dark-light-dark in the ratio 1:1:3:1:1 with
// 4 light modules before or after; the quiet zone counts as light.
func acrossPatterns(r row, size int) int {
	core := r.andNot(r.down(1)).and(r.down(2)).and(r.down(3)).and(r.down(4)).andNot(r.down(5)).and(r.down(6))
	core = core.and(ones(size - 6))
	after := r.down(7).or(r.down(8)).or(r.down(9)).or(r.down(10))
	before := r.up(1).or(r.up(2)).or(r.up(3)).or(r.up(4))
	return core.count()*2 - core.and(after).count() - core.and(before).count()
}

// downPatterns is acrossPatterns for columns.
func downPatterns(rows []row) int {
	size, total := len(rows), 0
	at := func(y int) row {
		if y < 0 || y >= size {
			return row{}
		}
		return rows[y]
	}
	for y := 0; y+6 < size; y++ {
		core := rows[y].andNot(rows[y+1]).and(rows[y+2]).and(rows[y+3]).and(rows[y+4]).andNot(rows[y+5]).and(rows[y+6])
		if core == (row{}) {
			continue
		}
		after := at(y + 7).or(at(y + 8)).or(at(y + 9)).or(at(y + 10))
		before := at(y - 1).or(at(y - 2)).or(at(y - 3)).or(at(y - 4))
		total += core.count()*2 - core.and(after).count() - core.and(before).count()
	}
	return total
}
