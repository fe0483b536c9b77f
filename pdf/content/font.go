package content

import (
	"math"

	"github.com/seed-574216e4/meterai/pdf"
)

// A font is what showing text needs of a font dictionary (ISO 32000-2, 9.5):
// how strings are cut into codes, how wide the glyphs are and what they mean.
// Lengths are in em, which is the unit of a text space of font size 1.
type font struct {
	simple          *simpleFont // one of the two is there
	composite       *compositeFont
	unicode         *cmap // /ToUnicode; nil when there is none
	ascent, descent float64
	em              float64 // what gaps between glyphs are measured by
}

// simpleFont is a font of one-byte codes (ISO 32000-2, 9.6).
type simpleFont struct {
	widths [256]float64
	text   [256]string
	glyphs *glyphProcs // of a Type 3 font; nil for others
}

// height of glyphs in em when a font does not say it: a little more than most
// fonts take.
const (
	defaultAscent  = 0.95
	defaultDescent = -0.25
	leastAscent    = 0.75
	leastDescent   = 0.22
)

// code takes the next code off a string and says how many bytes it has.
func (f *font) code(s []byte) (code uint32, n int) {
	if f.composite != nil {
		return f.composite.code(s)
	}
	return uint32(s[0]), 1
}

// width is the advance of a glyph, downwards (and negative) in vertical fonts.
func (f *font) width(code uint32) float64 {
	if f.composite != nil {
		return f.composite.width(code)
	}
	return f.simple.widths[code&0xff]
}

// meaning is the text of a code; [unknown] when the font does not say it.
func (f *font) meaning(code uint32) string {
	if f.unicode != nil {
		if s, ok := f.unicode.text(code); ok {
			return s
		}
	}
	if f.composite != nil {
		return f.composite.text(code)
	}
	if s := f.simple.text[code&0xff]; s != "" {
		return s
	}
	return unknown
}

func (f *font) vertical() bool { return f.composite != nil && f.composite.vertical }

// font reads a font once. A font that is not there shows text as Helvetica does.
func (r *reader) font(o pdf.Object) *font {
	ref, indirect := o.(pdf.Ref)
	if f := r.fonts[ref]; indirect && f != nil {
		return f
	}
	if r.fontCount++; r.fontCount > r.lim.Fonts {
		r.exceed("Fonts", r.lim.Fonts)
		return r.substitute()
	}
	f := r.newFont(r.dict(o))
	if indirect {
		r.fonts[ref] = f
	}
	return f
}

func (r *reader) newFont(d pdf.Dict) *font {
	if d == nil {
		return r.substitute()
	}
	f := &font{em: 1}
	if o, ok := d["ToUnicode"]; ok {
		f.unicode = r.readCMap(o)
	}
	desc := d
	switch r.name(d["Subtype"]) {
	case "Type0":
		f.composite, desc = r.compositeFont(d)
	case "Type3":
		f.simple = r.type3Font(d)
		f.useUnicode()
		f.setType3Height(r.rect(d["FontBBox"]))
		return f
	default:
		f.simple = r.simpleFont(d)
	}
	f.useUnicode()
	f.setHeight(r, r.dict(desc["FontDescriptor"]))
	return f
}

// useUnicode prefers the text of /ToUnicode in a font of few codes.
func (f *font) useUnicode() {
	if f.simple == nil || f.unicode == nil {
		return
	}
	for code := range f.simple.text {
		if s, ok := f.unicode.text(uint32(code)); ok {
			f.simple.text[code] = s
		}
	}
	f.unicode = nil
}

// setHeight takes ascent and descent from a font descriptor, when they are what
// letters can have, but no less than capitals and parentheses take in most fonts:
// many descriptors speak of other letters.
func (f *font) setHeight(r *reader, desc pdf.Dict) {
	f.ascent, f.descent = r.number(desc["Ascent"])/1000, r.number(desc["Descent"])/1000
	if !(f.ascent >= 0.4 && f.ascent <= 1.5) {
		f.ascent = defaultAscent
	}
	if f.descent = -math.Abs(f.descent); !(f.descent <= -0.05 && f.descent >= -0.8) {
		f.descent = defaultDescent
	}
	f.ascent, f.descent = max(f.ascent, leastAscent), min(f.descent, -leastDescent)
}

// substitute stands for a font that is missing.
func (r *reader) substitute() *font {
	if r.missing == nil {
		r.missing = &font{em: 1, ascent: defaultAscent, descent: defaultDescent, simple: &simpleFont{}}
		r.missing.simple.text = *namedEncoding("StandardEncoding")
		r.missing.simple.standardWidths("Helvetica")
	}
	return r.missing
}

func (r *reader) simpleFont(d pdf.Dict) *simpleFont {
	f := &simpleFont{}
	desc := r.dict(d["FontDescriptor"])
	names := r.encodingNames(d["Encoding"])
	base := namedEncoding(string(r.baseEncoding(d["Encoding"])))
	if base == nil {
		base = r.ownEncoding(d, desc)
	}
	f.text = *base
	for code, name := range names {
		f.text[code] = nameText(name)
	}
	if widths := r.array(d["Widths"]); widths != nil {
		missing := r.number(desc["MissingWidth"]) / 1000
		for i := range f.widths {
			f.widths[i] = missing
		}
		f.setWidths(r, d, widths, 0.001)
		return f
	}
	f.standardWidths(string(r.name(d["BaseFont"])))
	return f
}

// setWidths takes /Widths from /FirstChar on, in units of that size.
func (f *simpleFont) setWidths(r *reader, d pdf.Dict, widths pdf.Array, unit float64) {
	first := int(min(max(r.number(d["FirstChar"]), 0), 256))
	for i := first; i < 256 && i-first < len(widths); i++ {
		f.widths[i] = r.number(widths[i-first]) * unit
	}
}

func (f *simpleFont) standardWidths(name string) {
	table, fixed := standardWidths(name)
	for code := range f.widths {
		f.widths[code] = standardWidth(table, fixed, f.text[code])
	}
}

// baseEncoding is the name that /Encoding, or its /BaseEncoding, has.
func (r *reader) baseEncoding(o pdf.Object) pdf.Name {
	switch v := r.resolve(o).(type) {
	case pdf.Name:
		return v
	case pdf.Dict:
		return r.name(v["BaseEncoding"])
	}
	return ""
}

// encodingNames are the glyph names of /Differences (ISO 32000-2, 9.6.5), by
// code; nil when there are none.
func (r *reader) encodingNames(o pdf.Object) map[int]string {
	d, ok := r.resolve(o).(pdf.Dict)
	if !ok {
		return nil
	}
	names, code := map[int]string{}, 0
	for _, o := range r.array(d["Differences"]) {
		switch v := r.resolve(o).(type) {
		case pdf.Integer:
			code = int(min(max(v, 0), 256))
		case pdf.Name:
			if code < 256 {
				names[code] = string(v)
			}
			code++
		}
	}
	return names
}

// ownEncoding is that of a font whose dictionary names none: of the font
// program where that is Type 1, and else what other readers take it for. With a
// program in which codes mean something else the text is then wrong, but writers
// that leave the encoding out keep to character codes as a rule.
func (r *reader) ownEncoding(d, desc pdf.Dict) *encoding {
	name := string(r.name(d["BaseFont"]))
	switch {
	case desc["FontFile"] != nil:
		return r.programEncoding(desc["FontFile"])
	case name == "Symbol", name == "ZapfDingbats":
		return new(encoding)
	case r.name(d["Subtype"]) == "TrueType":
		return namedEncoding("WinAnsiEncoding")
	}
	return namedEncoding("StandardEncoding")
}

// programEncoding reads the encoding in the clear part of a Type 1 font program,
// in lines like "dup 65 /A put".
func (r *reader) programEncoding(o pdf.Object) *encoding {
	e := new(encoding)
	l := r.lexer(r.decode(o))
	for r.err == nil {
		op, err := l.next()
		if err != nil || op == nil {
			r.keep(err)
			return e
		}
		switch string(op) {
		case "eexec":
			return e
		case "StandardEncoding":
			return namedEncoding("StandardEncoding")
		case "put":
			if n := len(l.args); n >= 2 && l.args[n-2].kind == kindNumber && l.args[n-1].kind == kindName {
				if code := l.args[n-2].number; code >= 0 && code < 256 {
					e[int(code)] = nameText(string(l.args[n-1].text))
				}
			}
		}
	}
	return e
}
