package verify

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"rsc.io/qr/coding"

	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/verify/internal/qrtext"
)

// People, and their phones, read the symbol on the page; what counts is the
// seal in the signature. Where the symbol is drawn as package seal draws it, the
// two are compared. Symbols of other writers would have to be rendered: of them
// the report says that they were not read.

// appearanceOf returns the content of the appearance of a signature's widget as
// signed; nil when there is none that is worth reading.
func (d *document) appearanceOf(c *candidate) []byte {
	f, err := d.view(c.revision)
	if err != nil {
		return nil
	}
	widget, err := f.Dict(c.fieldRef)
	if err != nil {
		return nil
	}
	if kids, err := f.Array(widget["Kids"]); err == nil && widget["AP"] == nil && len(kids) > 0 {
		if widget, err = f.Dict(kids[0]); err != nil {
			return nil
		}
	}
	look, err := f.Dict(widget["AP"])
	if err != nil {
		return nil
	}
	s, err := f.Stream(look["N"])
	if err != nil || s == nil {
		return nil
	}
	if span, err := f.StreamSpan(s); err != nil || span.Len() > symbolBytes {
		return nil
	}
	content, err := f.Decode(s)
	if err != nil || len(content) > symbolBytes {
		return nil
	}
	return content
}

// compareSymbol holds the drawn symbol against the seal's bytes.
func (d *document) compareSymbol(c *candidate, claim *stampClaim) {
	content := d.appearanceOf(c)
	if content == nil {
		c.note(say("the symbol drawn on the page was not compared with the seal: there is no appearance that could be read"))
		return
	}
	m := parseSymbol(content)
	if m == nil {
		c.note(say("the symbol drawn on the page was not compared with the seal: it is not drawn as this program draws it"))
		return
	}
	text, level, ok := m.read()
	_, shown, err := seal.ParseText(text)
	switch {
	case !ok:
		claim.inconsistent(FormatFailure, say("the symbol drawn on the page is damaged: it cannot be read without corrections"))
	case err != nil || !bytes.Equal(shown, claim.raw):
		claim.inconsistent(FormatFailure, say("the symbol drawn on the page is not that of the seal in the signature"))
	case !m.drawnAs(text, level):
		claim.inconsistent(FormatFailure, say("the symbol drawn on the page is damaged: readers may read something else in it"))
	}
}

// modules is the matrix of a symbol; dark[y][x].
type modules struct {
	size int
	dark [][]bool
}

// parseSymbol finds the symbol that ends a content stream: a matrix that makes
// a module one unit, rectangles that begin at whole numbers, one fill. Dark
// areas are up to half a module narrower than their modules.
func parseSymbol(content []byte) *modules {
	body, ok := strings.CutSuffix(string(content), "\nf Q\n")
	if !ok {
		return nil
	}
	i := strings.LastIndex(body, " cm\n")
	if i < 0 {
		return nil
	}
	matrix := strings.Fields(body[strings.LastIndexByte(body[:i], '\n')+1 : i])
	if len(matrix) != 7 || matrix[0] != "q" || matrix[2] != "0" || matrix[3] != "0" || matrix[4] != "-"+matrix[1] {
		return nil
	}
	var rects [][4]int
	size := 0
	for line := range strings.SplitSeq(body[i+len(" cm\n"):], "\n") {
		r, ok := parseBar(line)
		if !ok {
			return nil
		}
		rects = append(rects, r)
		size = max(size, r[0]+r[2], r[1]+r[3])
	}
	if size < 21 || size > 17+4*coding.MaxVersion || size%4 != 1 {
		return nil
	}
	return paint(size, rects)
}

// parseBar reads one rectangle in whole modules.
func parseBar(line string) (r [4]int, ok bool) {
	f := strings.Fields(line)
	if len(f) != 5 || f[4] != "re" {
		return r, false
	}
	for i := range r {
		v, err := strconv.ParseFloat(f[i], 64)
		if err != nil || !(v >= 0 && v <= 17+4*coding.MaxVersion) || i < 2 && v != math.Trunc(v) || i >= 2 && v == 0 {
			return r, false
		}
		if r[i] = int(math.Ceil(v)); i >= 2 && float64(r[i])-v >= 0.5 {
			return r, false
		}
	}
	return r, true
}

// paint makes the matrix; nil when the rectangles cover more, again and again,
// than any symbol has.
func paint(size int, rects [][4]int) *modules {
	area := 0
	for _, r := range rects {
		if area += r[2] * r[3]; area > 4*size*size {
			return nil
		}
	}
	m := &modules{size: size, dark: make([][]bool, size)}
	for y := range m.dark {
		m.dark[y] = make([]bool, size)
	}
	for _, r := range rects {
		for y := r[1]; y < r[1]+r[3]; y++ {
			for x := r[0]; x < r[0]+r[2]; x++ {
				m.dark[y][x] = true
			}
		}
	}
	return m
}

// drawnAs tells whether the whole matrix is that of the text, check words and
// patterns included.
func (m *modules) drawnAs(text string, level seal.Level) bool {
	y, err := seal.NewSymbolLevel(text, level)
	if err != nil || y.Size() != m.size {
		return false
	}
	for row := range m.dark {
		for col, dark := range m.dark[row] {
			if dark != y.Dark(col, row) {
				return false
			}
		}
	}
	return true
}

// format reads level and mask (ISO/IEC 18004, 7.9): the first five of fifteen
// bits, which begin in row 8.
func (m *modules) format() (coding.Level, coding.Mask) {
	bits := 0
	for x := range 5 {
		bits <<= 1
		if m.dark[8][x] {
			bits |= 1
		}
	}
	bits ^= 0b10101
	return [4]coding.Level{coding.M, coding.L, coding.H, coding.Q}[bits>>3], coding.Mask(bits & 7)
}

// read decodes the text of an undamaged symbol; false when it is of a level or
// holds segments that seals do not have.
func (m *modules) read() (string, seal.Level, bool) {
	level, mask := m.format()
	ours := map[coding.Level]seal.Level{coding.M: seal.LevelM, coding.Q: seal.LevelQ}
	as, ok := ours[level]
	if !ok {
		return "", as, false
	}
	version := coding.Version((m.size - 17) / 4)
	plan, err := coding.NewPlan(version, level, mask)
	if err != nil {
		return "", as, false
	}
	data := make([]byte, plan.DataBytes)
	for y, row := range plan.Pixel {
		for x, p := range row {
			o := int(p.Offset())
			if p.Role() == coding.Data && o/8 < len(data) && m.dark[y][x] != (p&coding.Black != 0) {
				data[o/8] |= 1 << (7 - o%8)
			}
		}
	}
	text, ok := qrtext.Segments(data, int(version))
	return text, as, ok
}
