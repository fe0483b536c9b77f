package content

import (
	"math"
	"slices"
	"sort"
	"strings"
	"unicode"

	"github.com/seed-574216e4/meterai/pdf"
)

// In em: how far runs may stand apart to be one line to search in, how far off
// it, and how far into each other.
const (
	lineGap  = 3
	lineSlip = 0.3
)

// Find returns the places of text on the page, in default user space, in the
// order in which people read: from the top down and from left to right.
//
// Capital and small letters differ. White space does not count, on either side,
// since many files draw none and move the pen instead; ligatures are the letters
// that they join. Text may be drawn in pieces and in any order, as long as they
// stand on one line with gaps of less than three times the font size; text that
// goes on in the next line is not found. What is drawn twice in one place is
// found once, and places do not overlap.
func (l *Layout) Find(text string) []pdf.Rect {
	want := fold(text)
	if want == "" {
		return nil
	}
	var found []pdf.Rect
	for _, line := range l.lines() {
		s := l.searchable(line)
		for from := 0; ; {
			i := strings.Index(s.text[from:], want)
			if i < 0 {
				break
			}
			from += i
			found = append(found, l.box(s.places[from], s.places[from+len(want)-1]))
			from += len(want)
		}
	}
	return l.inOrder(found)
}

// fold drops white space and takes ligatures apart.
func fold(s string) string {
	plain := true
	for i := range len(s) {
		plain = plain && s[i] > ' ' && s[i] < 0x7f
	}
	if plain {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case unicode.IsSpace(r) || r == '\u200b':
		case r >= '\ufb00' && r <= '\ufb06':
			b.WriteString([]string{"ff", "fi", "fl", "ffi", "ffl", "ft", "st"}[r-'\ufb00'])
		case r == '\u00ad' || r == '\u2010' || r == '\u2011':
			b.WriteByte('-')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// spot is a run with its place among the lines of its direction.
type spot struct {
	run              int
	angle            int // hundredths of a radian
	above, from, end float64
	em               float64
}

// lines puts runs together that stand on one line, in order of writing.
func (l *Layout) lines() [][]int {
	spots := make([]spot, len(l.Runs))
	for i := range l.Runs {
		b := &l.Runs[i].line
		at := b.origin.x*b.dir.x + b.origin.y*b.dir.y
		ends := runBuilder{glyphs: l.Runs[i].ends}
		from, end := ends.extent()
		spots[i] = spot{
			run: i, angle: int(math.Round(100 * math.Atan2(b.dir.y, b.dir.x))), em: b.em,
			above: b.origin.y*b.dir.x - b.origin.x*b.dir.y, from: at + from, end: at + end,
		}
	}
	sort.SliceStable(spots, func(i, j int) bool {
		if spots[i].angle != spots[j].angle {
			return spots[i].angle < spots[j].angle
		}
		return spots[i].above < spots[j].above
	})
	var lines [][]int
	for len(spots) > 0 {
		n, first := 1, spots[0]
		for n < len(spots) && spots[n].angle == first.angle && spots[n].above-first.above <= lineSlip*first.em {
			n++
		}
		lines = append(lines, split(spots[:n])...)
		spots = spots[n:]
	}
	return lines
}

// split takes the runs at one height apart where they are too far from each
// other or lie over each other.
func split(spots []spot) [][]int {
	sort.SliceStable(spots, func(i, j int) bool { return spots[i].from < spots[j].from })
	type layer struct {
		runs []int
		end  float64
	}
	var open []layer
	var done [][]int
	for _, s := range spots {
		best := -1
		for i, o := range open {
			gap := s.from - o.end
			if gap > -overlap*s.em && gap < lineGap*s.em && (best < 0 || o.end > open[best].end) {
				best = i
			}
		}
		if best < 0 {
			if len(open) == maxLayers {
				done = append(done, open[0].runs)
				open = slices.Delete(open, 0, 1)
			}
			open = append(open, layer{})
			best = len(open) - 1
		}
		open[best].runs = append(open[best].runs, s.run)
		open[best].end = s.end
	}
	for _, o := range open {
		done = append(done, o.runs)
	}
	return done
}

// place is a glyph of a run.
type place struct{ run, glyph int32 }

// searchable is the folded text of a line, with the place of each of its bytes.
type searchable struct {
	text   string
	places []place
}

func (l *Layout) searchable(line []int) searchable {
	var b strings.Builder
	var s searchable
	for _, i := range line {
		r := &l.Runs[i]
		for k, g := range r.ends {
			end := len(r.Text)
			if k+1 < len(r.ends) {
				end = int(r.ends[k+1].at)
			}
			t := fold(r.Text[g.at:end])
			b.WriteString(t)
			for range len(t) {
				s.places = append(s.places, place{int32(i), int32(k)})
			}
		}
	}
	s.text = b.String()
	return s
}

// box is around the glyphs from one place to another on one line.
func (l *Layout) box(a, b place) pdf.Rect {
	if a.run == b.run {
		return l.Runs[a.run].part(int(a.glyph), int(b.glyph))
	}
	first, last := &l.Runs[a.run], &l.Runs[b.run]
	return union(first.part(int(a.glyph), len(first.ends)-1), last.part(0, int(b.glyph)))
}

// part is the box around glyphs i to j.
func (r *Run) part(i, j int) pdf.Rect {
	some := runBuilder{glyphs: r.ends[i : j+1]}
	from, to := some.extent()
	return r.line.box(from, to)
}

// inOrder sorts boxes as people read and drops those that were found twice.
func (l *Layout) inOrder(found []pdf.Rect) []pdf.Rect {
	height := func(b pdf.Rect) float64 {
		s := l.Seen(b)
		return math.Round((s.LLY + s.URY) / 4) // lines are at least two points apart
	}
	sort.SliceStable(found, func(i, j int) bool {
		if a, b := height(found[i]), height(found[j]); a != b {
			return a > b
		}
		return l.Seen(found[i]).LLX < l.Seen(found[j]).LLX
	})
	out := found[:0]
	for _, b := range found {
		twice := false
		for _, o := range out[max(0, len(out)-maxLayers):] {
			both := o.Intersect(b)
			twice = twice || both.Width()*both.Height() > b.Width()*b.Height()*0.6
		}
		if !twice {
			out = append(out, b)
		}
	}
	return out
}

// Seen takes a box of default user space to the page as people see it: in
// points from the bottom left of what is visible, after /CropBox, /Rotate and
// /UserUnit.
func (l *Layout) Seen(user pdf.Rect) pdf.Rect {
	return scaled(l.page.SeenRect(user), l.page.UserUnit)
}

func scaled(b pdf.Rect, by float64) pdf.Rect {
	return pdf.Rect{LLX: b.LLX * by, LLY: b.LLY * by, URX: b.URX * by, URY: b.URY * by}
}
