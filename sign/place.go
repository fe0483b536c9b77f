package sign

import (
	"errors"
	"fmt"
	"math"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign/internal/artwork"
)

// defaultMargin is the distance of a stamp from the right and lower edges of
// its page, in points.
const defaultMargin = 36

// A placement is where a signature stands.
type placement struct {
	page          *pdf.Page
	seen          pdf.Rect // as people see the page, points
	user          pdf.Rect // default user space
	width, height float64  // of the appearance, points
	matrix        pdf.Matrix
}

// newPlacement finds the page and, for a stamp, its rectangle; without a stamp
// the rectangle is empty, which makes the signature invisible (ISO 32000-2,
// 12.7.5.5).
func (d *Document) newPlacement() (*placement, error) {
	opt, n := &d.opt, d.opt.Page
	if d.fill != nil {
		if opt.Anchor != nil || opt.Free {
			return nil, &FieldError{opt.Field, "says itself where the signature stands: leave anchor and free spot out"}
		}
		return d.placeExisting()
	}
	if n == 0 {
		n = -1
	}
	page, err := d.file.Page(n)
	if err != nil {
		return nil, err
	}
	p := &placement{page: page}
	if opt.Stamp == nil {
		return p, nil
	}
	if err := p.size(opt); err != nil {
		return nil, err
	}
	if opt.Corner < BottomRight || opt.Corner > TopLeft {
		return nil, &PlacementError{Page: page.Number, What: "is in no corner"}
	}
	at, err := d.choose(p)
	if err != nil {
		return nil, err
	}
	if err := p.put(at); err != nil {
		return nil, err
	}
	return p, p.check(opt.Stamp)
}

// size takes the stamp's size from the options, or from the stamp itself.
func (p *placement) size(opt *Options) error {
	w, h, err := opt.Stamp.NaturalSize()
	if err != nil {
		return err
	}
	switch {
	case opt.Width == 0 && opt.Height == 0:
	case opt.Height == 0:
		w, h = opt.Width, opt.Width*h/w
	case opt.Width == 0:
		w, h = opt.Height*w/h, opt.Height
	default:
		w, h = opt.Width, opt.Height
	}
	p.width, p.height = w, h
	return nil
}

// points is the size of the page as people see it.
func (p *placement) points() (w, h float64) {
	w, h = p.page.Size()
	return w * p.page.UserUnit, h * p.page.UserUnit
}

// where is the stamp's lower left corner.
func (p *placement) where(opt *Options) Point {
	if opt.At != nil {
		return *opt.At
	}
	w, h := p.points()
	return p.corner(opt, w, h)
}

// put checks that the stamp lies on the page. The tolerance of a hundredth of
// a point is for coordinates that were rounded.
func (p *placement) put(at Point) error {
	w, h := p.points()
	unit := p.page.UserUnit
	p.seen = pdf.Rect{LLX: at.X, LLY: at.Y, URX: at.X + p.width, URY: at.Y + p.height}
	bad := &PlacementError{Page: p.page.Number, Width: w, Height: h, Rect: p.seen}
	for _, v := range [...]float64{at.X, at.Y, p.width, p.height} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			bad.What = "is not finite"
			return bad
		}
	}
	if p.seen.Empty() {
		bad.What = "is empty"
		return bad
	}
	const slack = 0.01
	if !(pdf.Rect{LLX: -slack, LLY: -slack, URX: w + slack, URY: h + slack}).Contains(p.seen) {
		bad.What = "is outside the page"
		return bad
	}
	p.user = p.page.UserRect(pdf.Rect{
		LLX: p.seen.LLX / unit, LLY: p.seen.LLY / unit, URX: p.seen.URX / unit, URY: p.seen.URY / unit,
	})
	p.matrix = p.page.FormMatrix(p.width, p.height)
	return nil
}

// check asks for the appearance what can be asked before there is a seal.
func (p *placement) check(s *Stamp) error {
	edge, err := s.symbolSize()
	if err != nil {
		return err
	}
	err = artwork.Check(s.artwork(p.width, p.height), edge)
	var size *artwork.SizeError
	if errors.As(err, &size) {
		w, h := p.points()
		return &PlacementError{Page: p.page.Number, Width: w, Height: h, Rect: p.seen,
			What: fmt.Sprintf("is too small to be read from paper: it takes %.1f x %.1f pt", size.MinWidth+0.05, size.MinHeight+0.05)}
	}
	if err != nil {
		return &StampError{What: "appearance", Err: err}
	}
	return nil
}

// addWidget appends the widget to the page's annotations. The page gets an
// array of its own: one that is an object may be shared with other pages. In a
// tagged document the annotations of a page are walked through in the order of the
// structure (ISO 14289-1, 7.18.3), unless the page says otherwise of those it has.
func (p *placement) addWidget(u *pdf.Update, f *pdf.File, widget pdf.Ref, tagged bool) error {
	annots, err := f.Annotations(p.page)
	if err != nil {
		return err
	}
	page := cloneDict(p.page.Dict)
	page["Annots"] = append(annots[:len(annots):len(annots)], widget)
	if tagged && (page["Tabs"] == nil || len(annots) == 0) {
		page["Tabs"] = pdf.Name("S")
	}
	u.Set(p.page.Ref, page)
	return nil
}

// Corner is a corner of the page as people see it.
type Corner int

// The corners. The zero value is where stamps stand by custom.
const (
	BottomRight Corner = iota
	BottomLeft
	TopRight
	TopLeft
)

// Millimetres gives points.
func Millimetres(mm float64) float64 { return mm * 72 / 25.4 }

// corner is the lower left point of a box in a corner of a page of that size.
func (p *placement) corner(opt *Options, w, h float64) Point {
	margin := opt.Margin
	if margin == 0 {
		margin = defaultMargin
	}
	at := Point{X: w - margin - p.width, Y: margin}
	if opt.Corner == BottomLeft || opt.Corner == TopLeft {
		at.X = margin
	}
	if opt.Corner == TopLeft || opt.Corner == TopRight {
		at.Y = h - margin - p.height
	}
	return at
}
