package content

import (
	"sort"
	"strings"
	"unicode/utf16"

	"github.com/seed-574216e4/meterai/pdf"
)

// compositeFont is a Type 0 font with its descendant (ISO 32000-2, 9.7).
type compositeFont struct {
	cmap      *cmap // an embedded /Encoding; nil has codes of two bytes
	unicode   bool  // the codes are UTF-16
	vertical  bool
	widths    map[uint32]float64
	ranges    []widthRange // in order of lo
	otherwise float64
	down      float64 // advance of every glyph when vertical
}

type widthRange struct {
	lo, hi uint32
	width  float64
}

// compositeFont reads a Type 0 font; the dictionary it returns is that of the
// descendant. Of the predefined CMaps it knows Identity and those that are
// UTF-16. In others it takes two bytes for a code, whose width is then the
// default of the font, an em as a rule: no less than what two bytes show.
func (r *reader) compositeFont(d pdf.Dict) (*compositeFont, pdf.Dict) {
	f := &compositeFont{otherwise: 1, down: -1, widths: map[uint32]float64{}}
	var desc pdf.Dict
	if list := r.array(d["DescendantFonts"]); len(list) > 0 {
		desc = r.dict(list[0])
	}
	switch e := r.resolve(d["Encoding"]).(type) {
	case pdf.Name:
		f.vertical = strings.HasSuffix(string(e), "-V")
		f.unicode = strings.Contains(string(e), "UCS2") || strings.Contains(string(e), "UTF16")
		if f.unicode || !strings.HasPrefix(string(e), "Identity") {
			desc = withoutWidths(desc)
		}
	case *pdf.Stream:
		f.vertical = r.number(e.Dict["WMode"]) == 1
		f.cmap = r.readCMap(d["Encoding"])
	}
	if o, ok := desc["DW"]; ok {
		f.otherwise = r.number(o) / 1000
	}
	if list := r.array(desc["DW2"]); len(list) == 2 {
		f.down = r.number(list[1]) / 1000
	}
	f.readWidths(r, r.array(desc["W"]))
	return f, desc
}

// withoutWidths drops widths by CIDs that the codes do not give.
func withoutWidths(d pdf.Dict) pdf.Dict {
	return pdf.Dict{"FontDescriptor": d["FontDescriptor"], "DW": pdf.Integer(1000)}
}

// readWidths reads /W (ISO 32000-2, 9.7.4.3): "c [w1 w2]" and "c1 c2 w".
func (f *compositeFont) readWidths(r *reader, w pdf.Array) {
	for len(w) >= 2 && r.err == nil {
		first, ok := cid(r.number(w[0]))
		if list, isList := r.resolve(w[1]).(pdf.Array); isList {
			for i, o := range list {
				if !ok || !r.entry() {
					break
				}
				f.widths[first+uint32(i)] = r.number(o) / 1000
			}
			w = w[2:]
			continue
		}
		if len(w) < 3 {
			break
		}
		if last, good := cid(r.number(w[1])); ok && good && r.entry() {
			f.ranges = append(f.ranges, widthRange{first, last, r.number(w[2]) / 1000})
		}
		w = w[3:]
	}
	sort.SliceStable(f.ranges, func(i, j int) bool { return f.ranges[i].lo < f.ranges[j].lo })
}

// cid takes a number as a CID, which is at most 65,535.
func cid(v float64) (uint32, bool) {
	return uint32(min(max(v, 0), 65535)), v >= 0 && v <= 65535
}

func (f *compositeFont) code(s []byte) (uint32, int) {
	if f.cmap != nil {
		return f.cmap.code(s)
	}
	if len(s) < 2 {
		return uint32(s[0]), 1
	}
	return uint32(s[0])<<8 | uint32(s[1]), 2
}

func (f *compositeFont) width(code uint32) float64 {
	if f.vertical {
		return f.down
	}
	if f.cmap != nil {
		code = f.cmap.cid(code)
	}
	if w, ok := f.widths[code]; ok {
		return w
	}
	i := sort.Search(len(f.ranges), func(i int) bool { return f.ranges[i].lo > code }) - 1
	if i >= 0 && code <= f.ranges[i].hi {
		return f.ranges[i].width
	}
	return f.otherwise
}

func (f *compositeFont) text(code uint32) string {
	if f.unicode && code <= 0xffff && !utf16.IsSurrogate(rune(code)) {
		return string(rune(code))
	}
	return unknown
}
