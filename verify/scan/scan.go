package scan

import (
	"context"
	"image"
	"io"
	"slices"

	"github.com/seed-574216e4/meterai/sign/seal"
)

// Options bounds a search; nil means the defaults.
type Options struct {
	// MaxPixels is the greatest width x height of an image; zero means 36
	// million, an A4 page at 600 dpi.
	MaxPixels int
	// MaxBytes is the greatest length of an image file; zero means 64 MiB.
	MaxBytes int64
}

func (o *Options) maxPixels() int {
	if o == nil || o.MaxPixels <= 0 {
		return defaultPixels
	}
	return o.MaxPixels
}

func (o *Options) maxBytes() int64 {
	if o == nil || o.MaxBytes <= 0 {
		return defaultBytes
	}
	return o.MaxBytes
}

// Seals reads an image, PNG or JPEG, and gives the texts of the QR symbols in it,
// each once: those that have the form of a seal first, from the top of the page to
// its bottom, then others. None is no error. The texts of seals are for
// verify.Seal; they are as the paper has them and not proved to be anything.
//
// An image larger than the options allow is a *SizeError before it is decoded,
// what is no image a *FormatError; errors of r and of ctx are given as they are.
func Seals(ctx context.Context, r io.Reader, opt *Options) ([]string, error) {
	img, err := decode(ctx, r, opt)
	if err != nil {
		return nil, err
	}
	return Image(ctx, img, opt)
}

// Image is Seals for an image that is decoded already, such as a page that the
// caller rasterised; 150 to 300 dpi are best. Options.MaxPixels counts here too.
// The image is not changed and not kept.
func Image(ctx context.Context, img image.Image, opt *Options) ([]string, error) {
	b := img.Bounds()
	if err := checkSize(b.Dx(), b.Dy(), opt.maxPixels()); err != nil {
		return nil, err
	}
	s := &search{ctx: ctx}
	for _, of := range []channel{luma, lightest} {
		p, err := newPlane(ctx, img, of)
		if err != nil {
			return nil, err
		}
		if p == nil { // the image has no colours
			break
		}
		if err := s.sizes(p); err != nil {
			return nil, err
		}
		if s.done() {
			break
		}
	}
	return s.texts(), nil
}

// checkSize refuses images without pixels and such with too many.
func checkSize(w, h, most int) error {
	if w <= 0 || h <= 0 {
		return &FormatError{Reason: "an image without pixels"}
	}
	if w > most || h > most || w > most/h {
		return &SizeError{Width: w, Height: h, MaxPixels: most}
	}
	return nil
}

// found is a symbol that was read.
type found struct {
	text string
	seal bool
	at   point // its middle, in pixels of the image
}

// search is the search through one image.
type search struct {
	ctx   context.Context
	found []found
	// open holds the middles of what looks like a symbol and was not read.
	open []point
}

// done says that seals were read and nothing was left that looks like one.
func (s *search) done() bool {
	return len(s.open) == 0 && slices.ContainsFunc(s.found, func(f found) bool { return f.seal })
}

// sizes searches a plane at its own size, at halves, and at last at its double,
// until there is nothing left to find.
func (s *search) sizes(p *plane) error {
	var order []*plane
	for q := p; min(q.w, q.h) >= leastEdge && len(order) < 5; q = q.half() {
		order = append(order, q)
	}
	if len(order) > 1 && p.w*p.h > halfFirst {
		order[0], order[1] = order[1], order[0]
	}
	for _, q := range order {
		if err := s.one(q); err != nil || s.done() {
			return err
		}
	}
	if len(order) > 0 && p.w*p.h <= doublePixels {
		return s.one(p.double())
	}
	return nil
}

// one searches a plane at one size.
func (s *search) one(p *plane) error {
	d, err := p.edges(s.ctx)
	if err != nil {
		return err
	}
	corners, err := d.corners(s.ctx)
	if err != nil {
		return err
	}
	used := map[int]bool{}
	for _, t := range triples(corners) {
		if used[t.a] || used[t.b] || used[t.c] {
			continue
		}
		if err := s.ctx.Err(); err != nil {
			return err
		}
		text, looks := read(p, corners[t.a], corners[t.b], corners[t.c])
		at := middle(corners[t.b].at, corners[t.c].at).times(p.scale)
		if text == "" {
			if looks {
				s.missed(at, corners[t.a].module*p.scale)
			}
			continue
		}
		used[t.a], used[t.b], used[t.c] = true, true, true
		s.add(text, at, corners[t.a].module*p.scale)
	}
	return nil
}

// missed notes that a symbol could not be read, unless it was by now.
func (s *search) missed(at point, module float64) {
	for _, f := range s.found {
		if f.at.distance(at) < 10*module {
			return
		}
	}
	for _, o := range s.open {
		if o.distance(at) < 10*module {
			return
		}
	}
	s.open = append(s.open, at)
}

// add notes a text, once.
func (s *search) add(text string, at point, module float64) {
	s.open = slices.DeleteFunc(s.open, func(o point) bool { return o.distance(at) < 10*module })
	for _, f := range s.found {
		if f.text == text {
			return
		}
	}
	if len(s.found) < maxTexts {
		_, _, err := seal.ParseText(text)
		s.found = append(s.found, found{text: text, seal: err == nil, at: at})
	}
}

// texts gives what was found: seals first, from top to bottom.
func (s *search) texts() []string {
	slices.SortStableFunc(s.found, func(a, b found) int {
		switch {
		case a.seal != b.seal && a.seal:
			return -1
		case a.seal != b.seal:
			return 1
		case a.at.y < b.at.y:
			return -1
		case a.at.y > b.at.y:
			return 1
		}
		return 0
	})
	texts := make([]string, len(s.found))
	for i, f := range s.found {
		texts[i] = f.text
	}
	return texts
}
