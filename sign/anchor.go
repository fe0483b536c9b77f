package sign

import (
	"context"
	"fmt"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/pdf/content"
)

// An Anchor puts a stamp next to words that stand on a page. White space in them
// does not count, capital and small letters differ, and they must stand on one
// line; see content.Layout.Find.
type Anchor struct {
	// Text is what to look for.
	Text string
	// Occurrence is which one of the page, from the top down and from left to
	// right: zero and 1 are the first, -1 is the last.
	Occurrence int
	// Side is where the stamp stands, as people see the page. Right and left of
	// the text it is centred on the line; above and below it begins where the
	// text begins.
	Side Side
	// Gap is the distance between text and stamp in points; zero is 6.
	Gap float64
}

// Side is a side of a text.
type Side int

// The sides.
const (
	RightOf Side = iota
	LeftOf
	Above
	Below
)

// defaultGap is the distance of a stamp from its anchor in points.
const defaultGap = 6

// maxAnchorPages is how many pages, from the last, are searched for an anchor
// when the options name none. A dense page takes some milliseconds.
const maxAnchorPages = 100

// choose finds the stamp's lower left corner, and with an anchor its page.
func (d *Document) choose(p *placement) (Point, error) {
	opt, ways := &d.opt, 0
	for _, asked := range [...]bool{opt.At != nil, opt.Anchor != nil, opt.Free} {
		if asked {
			ways++
		}
	}
	switch {
	case ways > 1:
		return Point{}, p.nowhere("is asked for in two ways: by point, anchor or free spot")
	case opt.Anchor != nil:
		return d.beside(p)
	case opt.Free:
		return d.freeSpot(p)
	}
	return p.where(opt), nil
}

// nowhere is the error of a stamp without a rectangle.
func (p *placement) nowhere(what string) error {
	w, h := p.points()
	return &PlacementError{Page: p.page.Number, Width: w, Height: h, What: what}
}

// readPage finds out what is on page n. The file is opened for it once more, so
// that what is decoded does not count against the limits of the signing itself.
func (d *Document) readPage(n int, lim *content.Limits) (*content.Layout, error) {
	f, err := pdf.Open(d.r, d.file.Size(), &pdf.Options{Limits: d.opt.Limits, Password: d.opt.Password})
	if err != nil {
		return nil, err
	}
	page, err := f.Page(n)
	if err != nil {
		return nil, err
	}
	return content.Read(context.Background(), f, page, lim)
}

// freeSpot is the free place nearest to the corner.
func (d *Document) freeSpot(p *placement) (Point, error) {
	l, err := d.readPage(p.page.Number, nil)
	if err != nil {
		return Point{}, err
	}
	margin := d.opt.Margin
	if margin == 0 {
		margin = defaultMargin
	}
	at, ok := l.Free(p.width, p.height, margin, content.Corner(d.opt.Corner))
	switch {
	case ok:
		return Point{X: at.LLX, Y: at.LLY}, nil
	case l.Truncated:
		return Point{}, p.nowhere(fmt.Sprintf("has no free spot that is known, since the page was not understood entirely: %v", l.Reason))
	}
	return Point{}, p.nowhere(fmt.Sprintf("of %.1f x %.1f pt has no free spot", p.width, p.height))
}

// beside finds the anchor, on the page that the options name or on the last one
// that has it, and the place next to it.
func (d *Document) beside(p *placement) (Point, error) {
	a := d.opt.Anchor
	if a.Side < RightOf || a.Side > Below {
		return Point{}, p.nowhere("is on no side of its anchor")
	}
	first, last := p.page.Number, p.page.Number
	var lim *content.Limits
	if d.opt.Page == 0 && last > 1 {
		first, lim = max(1, last-maxAnchorPages+1), searchLimits()
	}
	for n := last; n >= first; n-- {
		l, err := d.readPage(n, lim)
		if err != nil {
			return Point{}, err
		}
		found := l.Find(a.Text)
		if i, ok := a.pick(len(found)); ok {
			p.page, err = d.file.Page(n)
			return a.place(l.Seen(found[i]), p.width, p.height), err
		}
		if l.Truncated { // it may be there, so no earlier page will do
			return Point{}, p.nowhere(a.missing(first, last, fmt.Errorf("page %d was not understood entirely: %w", n, l.Reason)))
		}
	}
	return Point{}, p.nowhere(a.missing(first, last, nil))
}

// searchLimits are those of a page when many are searched. A dense page has
// some 10,000 operators.
func searchLimits() *content.Limits {
	return &content.Limits{Bytes: 4_000_000, Operators: 200_000, Glyphs: 200_000, Streams: 1_000, FontEntries: 300_000}
}

// pick takes the occurrence out of n.
func (a *Anchor) pick(n int) (int, bool) {
	i := a.Occurrence - 1
	switch {
	case a.Occurrence == 0:
		i = 0
	case a.Occurrence < 0:
		i = n + a.Occurrence
	}
	return i, i >= 0 && i < n
}

// missing says that the anchor is on none of the pages.
func (a *Anchor) missing(first, last int, unread error) string {
	what := "has no place: anchor text not found"
	if a.Occurrence != 0 && a.Occurrence != 1 {
		what += fmt.Sprintf(" often enough for occurrence %d", a.Occurrence)
	}
	if first < last {
		what += fmt.Sprintf(" on any of pages %d to %d", first, last)
	}
	text, dots := []rune(a.Text), ""
	if len(text) > 80 {
		text, dots = text[:80], "..."
	}
	what += fmt.Sprintf(": %q%s", string(text), dots)
	if unread != nil {
		what += fmt.Sprintf("; %v", unread)
	}
	return what
}

// place is the lower left corner of a box of that size beside the text.
func (a *Anchor) place(text pdf.Rect, w, h float64) Point {
	gap := a.Gap
	if gap == 0 {
		gap = defaultGap
	}
	middle := (text.LLY+text.URY)/2 - h/2
	switch a.Side {
	case LeftOf:
		return Point{X: text.LLX - gap - w, Y: middle}
	case Above:
		return Point{X: text.LLX, Y: text.URY + gap}
	case Below:
		return Point{X: text.LLX, Y: text.LLY - gap - h}
	}
	return Point{X: text.URX + gap, Y: middle}
}
