package content

import (
	"context"
	"errors"
	"math"

	"github.com/seed-574216e4/meterai/pdf"
)

// A Layout is what a page shows, and where. Its boxes are in default user
// space; [Layout.Seen] takes them to the page as people see it.
type Layout struct {
	// Runs are the pieces of text in the order in which they are drawn. What is
	// drawn without a gap on one line is one run. Text that is not seen (text
	// rendering mode 3, as under scanned pages) is among them; what lies
	// outside of the crop box is not.
	Runs []Run
	// Occupied are boxes around everything that is painted, cut to the crop
	// box; see the package documentation for what counts.
	Occupied []pdf.Rect
	// Annotations are the rectangles of the annotations that can be seen.
	Annotations []pdf.Rect
	// Truncated says that the page was not understood entirely, because it
	// exceeds a limit or is damaged: there may be more on it than is listed.
	// [Layout.Free] then claims no spot.
	Truncated bool
	// Reason is why it is truncated; nil otherwise. The first of several.
	Reason error

	page *pdf.Page
}

// Run is a piece of text that is drawn without a gap.
type Run struct {
	Text string   // U+FFFD where the font does not say what a glyph means
	Box  pdf.Rect // from descent to ascent of the font

	line baseline
	ends []glyph
}

// reader is the work on one page.
type reader struct {
	f    *pdf.File
	done func() error // whether the caller has given up
	lim  Limits
	crop pdf.Rect
	out  *Layout
	err  error // ends the reading; a *LimitError becomes the layout's reason
	run  runBuilder

	bytes, operators, streams, glyphs int
	fontCount, entries                int
	fonts                             map[pdf.Ref]*font
	objects                           map[pdf.Ref]*xobject
	missing                           *font
	coloured                          bool // the page has a background that is not white
}

// Read finds out what page p of f shows. lim may be nil. Errors are those of
// ctx, of reading the file and [pdf.ErrEncrypted]; whatever is wrong with the
// page itself makes the layout truncated.
func Read(ctx context.Context, f *pdf.File, p *pdf.Page, lim *Limits) (*Layout, error) {
	r := &reader{
		f: f, done: ctx.Err, lim: lim.withDefaults(), crop: p.CropBox, out: &Layout{page: p},
		fonts: map[pdf.Ref]*font{}, objects: map[pdf.Ref]*xobject{},
	}
	in := newInterp(r, r.contents(p.Dict["Contents"]), r.newScope(p.Resources))
	in.gs.clip = p.CropBox
	in.run()
	r.run.flush(r)
	r.annotations(p)
	var limit *LimitError
	if errors.As(r.err, &limit) {
		r.note(r.err)
		r.err = nil
	}
	if r.err == nil {
		r.err = ctx.Err()
	}
	if r.err != nil {
		return nil, r.err
	}
	return r.out, nil
}

// note keeps the first reason why the layout is not all there is.
func (r *reader) note(err error) {
	if r.out.Truncated = true; r.out.Reason == nil {
		r.out.Reason = err
	}
}

// keep notes an error of the page, and lets any other end the reading.
func (r *reader) keep(err error) {
	if err == nil {
		return // before anything is allocated
	}
	var limit *pdf.LimitError
	var unsupported *pdf.UnsupportedError
	switch {
	case errors.Is(err, pdf.ErrDamaged), errors.As(err, &limit), errors.As(err, &unsupported):
		r.note(err)
	case r.err == nil:
		r.err = err
	}
}

// exceed ends the reading at a limit.
func (r *reader) exceed(limit string, most int) {
	if r.err == nil {
		r.err = &LimitError{limit, most}
	}
}

// count adds n to one of the counters and reports whether its limit permits it.
func (r *reader) count(counter *int, n int, limit string, most int) bool {
	if *counter += n; *counter > most || *counter < 0 {
		r.exceed(limit, most)
	}
	return r.err == nil
}

func (r *reader) entry() bool  { return r.count(&r.entries, 1, "FontEntries", r.lim.FontEntries) }
func (r *reader) stream() bool { return r.count(&r.streams, 1, "Streams", r.lim.Streams) }

// contents joins the content streams of a page (ISO 32000-2, 7.8.2).
func (r *reader) contents(o pdf.Object) []byte {
	list, ok := r.resolve(o).(pdf.Array)
	if !ok {
		return r.decode(o)
	}
	if len(list) > r.lim.Streams {
		r.exceed("Streams", r.lim.Streams)
		return nil
	}
	var all []byte
	for _, o := range list {
		all = append(append(all, r.decode(o)...), '\n')
		if len(all) > r.lim.Bytes {
			r.exceed("Bytes", r.lim.Bytes)
		}
		if r.err != nil {
			return nil
		}
	}
	return all
}

// lexer reads b, which counts against the limit each time.
func (r *reader) lexer(b []byte) lexer {
	if !r.count(&r.bytes, len(b), "Bytes", r.lim.Bytes) {
		b = nil
	}
	return lexer{buf: b, max: r.lim.Operands}
}

// decode returns the data of a stream, nil when there is none.
func (r *reader) decode(o pdf.Object) []byte {
	s, err := r.f.Stream(o)
	r.keep(err)
	if s == nil || r.err != nil {
		return nil
	}
	b, err := r.f.Decode(s)
	r.keep(err)
	if len(b) > r.lim.Bytes {
		r.exceed("Bytes", r.lim.Bytes)
		return nil
	}
	return b
}

// noteIcon is the size of the icon that readers draw for a note, in whatever
// rectangle.
const noteIcon = 24

func (r *reader) annotations(p *pdf.Page) {
	list, err := r.f.Annotations(p)
	r.keep(err)
	if len(list) > r.lim.Boxes {
		r.exceed("Boxes", r.lim.Boxes)
		return
	}
	for _, o := range list {
		a := r.dict(o)
		const unseen = 2 | 32 // Hidden, NoView (ISO 32000-2, table 167)
		if int64(r.number(a["F"]))&unseen != 0 || r.name(a["Subtype"]) == "Popup" {
			continue
		}
		box := r.rect(a["Rect"])
		if r.name(a["Subtype"]) == "Text" && a["AP"] == nil {
			box = grow(box, max(0, noteIcon-min(box.Width(), box.Height())))
		}
		if box = box.Intersect(r.crop); !box.Empty() {
			r.out.Annotations = append(r.out.Annotations, box)
		}
		if r.err != nil {
			return
		}
	}
}

// everything is a box that cuts nothing off.
var everything = pdf.Rect{LLX: -maxCoordinate, LLY: -maxCoordinate, URX: maxCoordinate, URY: maxCoordinate}

// within reports whether a box has coordinates that can be worked with.
func within(b pdf.Rect) bool { return everything.Contains(b) }

// The following read an object that should be of a type; another one is noted
// and gives the zero value.

func (r *reader) resolve(o pdf.Object) pdf.Object {
	v, err := r.f.Resolve(o)
	r.keep(err)
	return v
}

func (r *reader) dict(o pdf.Object) pdf.Dict {
	v, err := r.f.Dict(o)
	r.keep(err)
	return v
}

func (r *reader) array(o pdf.Object) pdf.Array {
	v, err := r.f.Array(o)
	r.keep(err)
	return v
}

func (r *reader) name(o pdf.Object) pdf.Name {
	v, err := r.f.Name(o)
	r.keep(err)
	return v
}

func (r *reader) rect(o pdf.Object) pdf.Rect {
	v, err := r.f.Rect(o)
	r.keep(err)
	return v
}

// number is finite, and no larger than what can be drawn.
func (r *reader) number(o pdf.Object) float64 {
	v, err := r.f.Number(o)
	r.keep(err)
	if !(math.Abs(v) <= maxCoordinate) {
		r.note(errCoordinate)
		return 0
	}
	return v
}

func (r *reader) matrix(o pdf.Object, otherwise pdf.Matrix) pdf.Matrix {
	list := r.array(o)
	if len(list) != 6 {
		return otherwise
	}
	var m pdf.Matrix
	for i := range m {
		m[i] = r.number(list[i])
	}
	return m
}

// errCoordinate and the following are reasons of a truncated layout.
var (
	errCoordinate  = errors.New("pdf/content: coordinates out of range")
	errInlineImage = errors.New("pdf/content: inline image without an end")
	errSyntax      = errors.New("pdf/content: bad syntax in a content stream")
	errForms       = errors.New("pdf/content: a form that draws itself")
)
