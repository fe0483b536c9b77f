package pdf

import (
	"math"
	"strconv"
)

// lexer reads objects from a growing piece of a file, or from decoded bytes.
// Fields of it are indices, never slices into buf, since refill replaces buf.
type lexer struct {
	src      *source // nil when buf is everything
	buf      []byte
	pos      int
	base     int64 // file offset of buf[0]; -1 for decoded bytes
	lim      *Limits
	elements int   // values read
	err      error // why refill gave up, when it is not the end of the file
	dups     []Duplicate
	refs     *referring // only references are wanted; nil: objects
}

// newLexer returns a lexer that reads the file from off. Its buffer is a window
// of src, so it must be done with before anything else reads through src.
func newLexer(src *source, off int64, lim *Limits) lexer {
	l := lexer{src: src, base: off, lim: lim}
	l.buf, l.err = src.at(off, 512)
	return l
}

// offset returns the place in the file of the next byte, or -1.
func (l *lexer) offset() int64 { return l.offsetOf(l.pos) }

func (l *lexer) offsetOf(pos int) int64 {
	if l.base < 0 {
		return -1
	}
	return l.base + int64(pos)
}

// peek returns the next byte, or -1 at the end.
func (l *lexer) peek() int {
	if l.pos < len(l.buf) {
		return int(l.buf[l.pos])
	}
	return l.refill()
}

// peekAt returns the byte i after the next one, or -1.
func (l *lexer) peekAt(i int) int {
	for l.pos+i >= len(l.buf) {
		if l.refillOnce() < 0 {
			return -1
		}
	}
	return int(l.buf[l.pos+i])
}

func (l *lexer) refill() int {
	for l.pos >= len(l.buf) {
		if l.refillOnce() < 0 {
			return -1
		}
	}
	return int(l.buf[l.pos])
}

// refillOnce makes buf longer. It returns -1 when there is no more.
func (l *lexer) refillOnce() int {
	if l.src == nil || l.err != nil {
		return -1
	}
	end := l.base + int64(len(l.buf))
	left := l.src.size - end
	if left <= 0 {
		return -1
	}
	if len(l.buf) >= l.lim.ObjectBytes {
		l.err = &LimitError{Limit: "ObjectBytes", Max: int64(l.lim.ObjectBytes), Offset: end}
		return -1
	}
	n := max(len(l.buf), windowSize)
	if len(l.buf) == windowSize { // a long object, a signature for instance: in one step more
		n = longObject - windowSize
	}
	n = int(min(int64(n), left))
	had := len(l.buf)
	nb := make([]byte, had+n)
	copy(nb, l.buf)
	if err := l.src.readFull(nb[had:], end); err != nil {
		l.err = err
		return -1
	}
	l.buf = nb
	return 0
}

// release drops what has been read, for lists that are longer than an object.
func (l *lexer) release() {
	l.base += int64(l.pos)
	l.buf = l.buf[l.pos:]
	l.pos = 0
}

// eof is the error for a file that ends too early.
func (l *lexer) eof() error {
	if l.err != nil {
		return l.err
	}
	return malformed(l.offset(), "unexpected end")
}

// fail is a malformed error at the next byte, or the reader's error.
func (l *lexer) fail(what string) error {
	if l.peek() < 0 {
		return l.eof()
	}
	return malformed(l.offset(), "%s", what)
}

func isWhite(c int) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == 0 || c == '\f'
}

func isDelimiter(c int) bool {
	switch c {
	case '(', ')', '<', '>', '[', ']', '{', '}', '/', '%':
		return true
	}
	return false
}

// isRegular reports whether c continues a name, number or keyword.
func isRegular(c int) bool { return c >= 0 && !isWhite(c) && !isDelimiter(c) }

func isDigit(c int) bool { return c >= '0' && c <= '9' }

// white skips white space only.
func (l *lexer) white() {
	for isWhite(l.peek()) {
		l.pos++
	}
}

// newLine skips white space and reports whether there was an end of line.
func (l *lexer) newLine() bool {
	found := false
	for c := l.peek(); isWhite(c); c = l.peek() {
		found = found || c == '\n' || c == '\r'
		l.pos++
	}
	return found
}

// space skips white space and comments.
func (l *lexer) space() {
	for {
		l.white()
		if l.peek() != '%' {
			return
		}
		for c := l.peek(); c >= 0 && c != '\n' && c != '\r'; c = l.peek() {
			l.pos++
		}
	}
}

// keyword consumes word if it stands next and ends there.
func (l *lexer) keyword(word string) bool {
	for i := range len(word) {
		if l.peekAt(i) != int(word[i]) {
			return false
		}
	}
	if isRegular(l.peekAt(len(word))) {
		return false
	}
	l.pos += len(word)
	return true
}

// unsigned reads digits as a number of at most max.
func (l *lexer) unsigned(max uint64, what string) (uint64, error) {
	start := l.pos
	var v uint64
	for c := l.peek(); isDigit(c); c = l.peek() {
		if v > (math.MaxUint64-9)/10 {
			return 0, malformed(l.offsetOf(start), "%s is too large", what)
		}
		v = v*10 + uint64(c-'0')
		l.pos++
	}
	if l.pos == start {
		return 0, l.fail(what + " expected")
	}
	if v > max {
		return 0, malformed(l.offsetOf(start), "%s is too large", what)
	}
	return v, nil
}

// number reads an integer, a real or, when two integers and R follow each
// other, a reference.
func (l *lexer) number() (Object, error) {
	start := l.pos
	digits, dot, signed := 0, false, false
	var mant uint64
	frac := 0
	if c := l.peek(); c == '+' || c == '-' {
		signed = true
		l.pos++
	}
	for c := l.peek(); ; c = l.peek() {
		if isDigit(c) {
			if mant < 1e17 {
				mant = mant*10 + uint64(c-'0')
			}
			digits++
			if dot {
				frac++
			}
		} else if c == '.' && !dot {
			dot = true
		} else {
			break
		}
		l.pos++
	}
	if isRegular(l.peek()) || digits == 0 || digits > 1000 {
		return nil, malformed(l.offsetOf(start), "bad number")
	}
	text := l.buf[start:l.pos]
	if !dot && digits <= 17 {
		if !signed {
			if ref, ok := l.reference(mant); ok {
				return l.ref(ref), nil
			}
		}
		if l.buf[start] == '-' {
			return Integer(-int64(mant)), nil
		}
		return Integer(mant), nil
	}
	return slowNumber(text, dot, digits, frac, mant), nil
}

var powersOfTen = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// slowNumber converts reals and integers of many digits. text holds only a
// sign, digits and a dot, so that the conversions fail by range alone.
func slowNumber(text []byte, dot bool, digits, frac int, mant uint64) Object {
	if dot && digits <= 15 {
		v := float64(mant) / powersOfTen[frac] // exact operands: correctly rounded
		if text[0] == '-' {
			v = -v
		}
		return Real(v)
	}
	if !dot {
		if v, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			return Integer(v)
		}
	}
	v, _ := strconv.ParseFloat(string(text), 64) // ±Inf when out of range
	return Real(v)
}

// reference finishes "n g R" after n has been read; otherwise it stays there.
func (l *lexer) reference(n uint64) (Ref, bool) {
	if n > math.MaxUint32 || !isWhite(l.peek()) {
		return Ref{}, false
	}
	start := l.pos
	l.white()
	gen, digits := 0, 0
	for c := l.peek(); isDigit(c) && digits < 6; c = l.peek() {
		gen = gen*10 + c - '0'
		digits++
		l.pos++
	}
	if digits > 0 && gen <= math.MaxUint16 && isWhite(l.peek()) {
		l.white()
		if l.peek() == 'R' && !isRegular(l.peekAt(1)) {
			l.pos++
			return Ref{uint32(n), uint16(gen)}, true
		}
	}
	l.pos = start
	return Ref{}, false
}

// plainRef reads "n g R" in its usual spelling, of which page trees have long
// arrays. Anything else, and anything near the end of buf, is left alone.
func (l *lexer) plainRef() (Ref, bool) {
	b := l.buf[l.pos:]
	if len(b) < 24 {
		return Ref{}, false
	}
	var v [2]uint32
	i := 0
	for k := range v {
		start := i
		for ; i < start+9 && b[i]-'0' < 10; i++ {
			v[k] = v[k]*10 + uint32(b[i]-'0')
		}
		if i == start || b[i] != ' ' {
			return Ref{}, false
		}
		i++
	}
	if v[1] > math.MaxUint16 || b[i] != 'R' || isRegular(int(b[i+1])) {
		return Ref{}, false
	}
	l.pos += i + 1
	return Ref{v[0], uint16(v[1])}, true
}

// name reads a name; the slash stands next.
func (l *lexer) name() (Name, error) {
	l.pos++
	start, escaped := l.pos, false
	for c := l.peek(); isRegular(c); c = l.peek() {
		escaped = escaped || c == '#'
		l.pos++
		if l.pos-start > l.lim.NameBytes {
			return "", &LimitError{Limit: "NameBytes", Max: int64(l.lim.NameBytes), Offset: l.offsetOf(start)}
		}
	}
	if l.err != nil {
		return "", l.err
	}
	raw := l.buf[start:l.pos]
	if !escaped {
		return internName(raw), nil
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] == '#' && i+2 < len(raw) && hexValue(raw[i+1]) >= 0 && hexValue(raw[i+2]) >= 0 {
			out = append(out, byte(hexValue(raw[i+1])<<4|hexValue(raw[i+2])))
			i += 2
			continue
		}
		out = append(out, raw[i]) // a lone # is what PDF 1.1 took it for
	}
	return Name(out), nil
}

func hexValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// internName saves the allocation for names that every file has.
func internName(b []byte) Name {
	switch string(b) {
	case "Type":
		return "Type"
	case "Page":
		return "Page"
	case "Pages":
		return "Pages"
	case "Parent":
		return "Parent"
	case "Kids":
		return "Kids"
	case "Count":
		return "Count"
	case "Resources":
		return "Resources"
	case "MediaBox":
		return "MediaBox"
	case "Contents":
		return "Contents"
	case "Annots":
		return "Annots"
	case "Font":
		return "Font"
	case "Size":
		return "Size"
	case "Root":
		return "Root"
	case "Info":
		return "Info"
	case "Length":
		return "Length"
	case "Filter":
		return "Filter"
	case "Subtype":
		return "Subtype"
	case "Rect":
		return "Rect"
	}
	return Name(b)
}
