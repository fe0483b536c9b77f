package content

import "fmt"

// Limits bounds what a page may ask of [Read]. A field that is zero (or
// negative) has the default given with it, far above what honest pages need: with
// the defaults no page of TestHostile takes more than half a second. Single streams
// are bounded by the pdf.Limits of the file, and so is the memory for them.
type Limits struct {
	// Bytes is how many bytes of content are interpreted, those of a form
	// each time that it is drawn, together with the bytes of CMaps and font
	// programs. Default 32,000,000.
	Bytes int

	// Operators is how many operators are obeyed. Default 2,000,000.
	Operators int

	// Operands is how many operands one operator may have, the elements of
	// its arrays included. Default 100,000.
	Operands int

	// Streams is how many parts /Contents may have, how many forms and images
	// are read and how many glyph descriptions. Default 10,000 of each.
	Streams int

	// States is how many graphics states may be saved at a time in one
	// content stream. Default 1,024.
	States int

	// Forms is how deep forms may be drawn in each other. Default 24.
	Forms int

	// Glyphs is how many characters may be shown. Default 1,000,000.
	Glyphs int

	// Boxes is how many runs of text, how many occupied boxes, how many
	// annotations and how many parts of one path there may be.
	// Default 200,000 of each.
	Boxes int

	// Fonts is how many fonts are read. Default 500.
	Fonts int

	// FontEntries is how many widths and CMap entries all fonts may have
	// together. Default 1,000,000.
	FontEntries int
}

// withDefaults returns l with its zero fields filled in; l may be nil.
func (l *Limits) withDefaults() Limits {
	var v Limits
	if l != nil {
		v = *l
	}
	setDefault(&v.Bytes, 32_000_000)
	setDefault(&v.Operators, 2_000_000)
	setDefault(&v.Operands, 100_000)
	setDefault(&v.Streams, 10_000)
	setDefault(&v.States, 1_024)
	setDefault(&v.Forms, 24)
	setDefault(&v.Glyphs, 1_000_000)
	setDefault(&v.Boxes, 200_000)
	setDefault(&v.Fonts, 500)
	setDefault(&v.FontEntries, 1_000_000)
	return v
}

func setDefault(p *int, v int) {
	if *p <= 0 {
		*p = v
	}
}

// LimitError says that a page asks for more than [Limits] allow.
type LimitError struct {
	Limit string // name of the field of Limits
	Max   int    // its value
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("pdf/content: over the limit %s of %d", e.Limit, e.Max)
}

// Fixed limits.
const (
	maxCoordinate = 1e9     // of anything drawn, in units of default user space
	maxName       = 128     // bytes of a glyph name, and of the text of one
	maxSegments   = 16      // straight lines of a path that are boxes of their own
	maxCells      = 1 << 20 // of the grid that a free spot is looked for on
	maxLayers     = 8       // runs of text over each other on one line
	ctxInterval   = 1024    // operators between two looks at the context
)
