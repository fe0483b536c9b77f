package content

import (
	"sort"
	"unicode/utf16"

	"github.com/seed-574216e4/meterai/pdf"
)

// A cmap is a CMap in a stream (ISO 32000-2, 9.7.5 and 9.10.3): from codes to
// CIDs, or to text. Another CMap that it builds on is left out.
type cmap struct {
	spaces []codespace
	chars  map[uint32]string
	ranges []textRange // in order of lo
	cids   []cidRange  // in order of lo
}

// codespace is a range of codes of so many bytes.
type codespace struct {
	bytes  int
	lo, hi uint32
}

// textRange gives codes their text: one for each, or the first text, whose last
// unit is counted up.
type textRange struct {
	lo, hi uint32
	first  []uint16
	each   []string
}

type cidRange struct{ lo, hi, cid uint32 }

// readCMap reads a CMap; nil when it is a name.
func (r *reader) readCMap(o pdf.Object) *cmap {
	if _, ok := r.resolve(o).(*pdf.Stream); !ok {
		return nil
	}
	m := &cmap{chars: map[uint32]string{}}
	l := r.lexer(r.decode(o))
	for r.err == nil {
		op, err := l.next()
		if err != nil || op == nil {
			r.keep(err)
			break
		}
		switch string(op) {
		case "endcodespacerange":
			m.addSpaces(r, l.args)
		case "endbfchar":
			m.addChars(r, l.args)
		case "endbfrange":
			m.addRanges(r, &l)
		case "endcidchar":
			m.addCIDs(r, l.args, 1)
		case "endcidrange":
			m.addCIDs(r, l.args, 2)
		}
	}
	sort.SliceStable(m.ranges, func(i, j int) bool { return m.ranges[i].lo < m.ranges[j].lo })
	sort.SliceStable(m.cids, func(i, j int) bool { return m.cids[i].lo < m.cids[j].lo })
	return m
}

func (m *cmap) addSpaces(r *reader, args []operand) {
	for ; len(args) >= 2 && len(m.spaces) < 256; args = args[2:] {
		n := len(args[0].text)
		if args[0].kind == kindString && args[1].kind == kindString && n >= 1 && n <= 4 && n == len(args[1].text) && r.entry() {
			m.spaces = append(m.spaces, codespace{n, number32(args[0].text), number32(args[1].text)})
		}
	}
}

func (m *cmap) addChars(r *reader, args []operand) {
	for ; len(args) >= 2; args = args[2:] {
		if args[0].kind == kindString && args[1].kind == kindString && r.entry() {
			m.chars[number32(args[0].text)] = utf16Text(args[1].text)
		}
	}
}

func (m *cmap) addRanges(r *reader, l *lexer) {
	for args := l.args; len(args) >= 3; args = args[3:] {
		if args[0].kind != kindString || args[1].kind != kindString || !r.entry() {
			continue
		}
		t := textRange{lo: number32(args[0].text), hi: number32(args[1].text)}
		switch args[2].kind {
		case kindString:
			t.first = utf16Units(args[2].text)
		case kindArray:
			for _, o := range l.elements[args[2].from:args[2].to] {
				if !r.entry() {
					return
				}
				t.each = append(t.each, utf16Text(o.text))
			}
		}
		m.ranges = append(m.ranges, t)
	}
}

// addCIDs reads "lo hi cid" with two keys, "code cid" with one.
func (m *cmap) addCIDs(r *reader, args []operand, keys int) {
	for ; len(args) > keys; args = args[keys+1:] {
		c, ok := cid(args[keys].number)
		if args[0].kind == kindString && args[keys-1].kind == kindString && ok && r.entry() {
			m.cids = append(m.cids, cidRange{number32(args[0].text), number32(args[keys-1].text), c})
		}
	}
}

// code takes the next code off a string: as long as the first codespace says
// that has it, else one byte, or two when none has codes of one.
func (m *cmap) code(s []byte) (uint32, int) {
	shortest := 5
	for _, c := range m.spaces {
		if c.bytes <= len(s) {
			if v := number32(s[:c.bytes]); c.has(v) {
				return v, c.bytes
			}
		}
		shortest = min(shortest, c.bytes)
	}
	if shortest == 5 {
		shortest = 2
	}
	n := min(shortest, len(s))
	return number32(s[:n]), n
}

// has compares byte by byte, as codespaces are defined.
func (c codespace) has(v uint32) bool {
	for shift := 0; shift < 8*c.bytes; shift += 8 {
		if b := byte(v >> shift); b < byte(c.lo>>shift) || b > byte(c.hi>>shift) {
			return false
		}
	}
	return true
}

// cid maps a code; those that the CMap leaves out are their own CIDs, as with
// the Identity CMap, on which such a CMap builds as a rule.
func (m *cmap) cid(code uint32) uint32 {
	i := sort.Search(len(m.cids), func(i int) bool { return m.cids[i].lo > code }) - 1
	if i >= 0 && code <= m.cids[i].hi {
		return m.cids[i].cid + code - m.cids[i].lo
	}
	return code
}

// text maps a code to text. Lengths of codes are not told apart: some writers
// give codes of one byte with two.
func (m *cmap) text(code uint32) (string, bool) {
	if s, ok := m.chars[code]; ok {
		return s, s != ""
	}
	i := sort.Search(len(m.ranges), func(i int) bool { return m.ranges[i].lo > code }) - 1
	if i < 0 || code > m.ranges[i].hi {
		return "", false
	}
	t := &m.ranges[i]
	at := code - t.lo
	switch {
	case t.each != nil && int(at) < len(t.each):
		return t.each[at], t.each[at] != ""
	case len(t.first) == 0:
		return "", false
	}
	units := append([]uint16(nil), t.first...)
	units[len(units)-1] += uint16(at)
	return string(utf16.Decode(units)), true
}

// number32 reads the last four bytes as a number.
func number32(b []byte) (v uint32) {
	for _, c := range b {
		v = v<<8 | uint32(c)
	}
	return v
}

// utf16Units reads text of a CMap, which has at most so many bytes as matter.
func utf16Units(b []byte) []uint16 {
	b = b[:min(len(b), maxName)]
	if len(b) == 1 {
		return []uint16{uint16(b[0])}
	}
	units := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		units = append(units, uint16(b[0])<<8|uint16(b[1]))
	}
	return units
}

func utf16Text(b []byte) string { return string(utf16.Decode(utf16Units(b))) }
