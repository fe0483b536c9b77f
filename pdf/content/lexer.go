package content

import (
	"math"

	"github.com/seed-574216e4/meterai/pdf"
)

// kind is what an operand is.
type kind uint8

const (
	kindOther kind = iota // a dictionary, a boolean, null
	kindNumber
	kindName
	kindString
	kindArray
)

// operand is one operand of an operator. text is that of a name or string;
// from and to are the elements of an array in lexer.elements, those of arrays in
// it included.
type operand struct {
	kind     kind
	number   float64
	text     []byte
	from, to int
}

// A lexer reads operators with their operands from a content stream or a CMap
// (ISO 32000-2, 7.8.2 and 9.7.5.4). Its operands are valid until the next call
// of next. Like other readers it takes what it can of bad syntax.
type lexer struct {
	buf      []byte
	pos      int
	max      int // operands and elements of one operator
	args     []operand
	elements []operand
	arrays   int // open brackets
	dicts    int // open dictionaries, whose contents are passed over
	damaged  bool
}

// next returns the next operator; nil at the end. Operands are in args.
func (l *lexer) next() ([]byte, error) {
	l.args, l.elements = l.args[:0], l.elements[:0]
	l.arrays, l.dicts = 0, 0
	for {
		l.space()
		if l.pos >= len(l.buf) {
			l.damaged = l.damaged || l.arrays+l.dicts > 0
			return nil, nil
		}
		if len(l.args)+len(l.elements) > l.max {
			return nil, &LimitError{"Operands", l.max}
		}
		if op := l.token(); op != nil {
			return op, nil
		}
	}
}

// token reads one token. It returns an operator and keeps everything else.
func (l *lexer) token() []byte {
	switch c := l.buf[l.pos]; c {
	case '/':
		l.push(operand{kind: kindName, text: l.name()})
	case '(':
		l.push(operand{kind: kindString, text: l.literal()})
	case '<':
		if l.peek(1) == '<' {
			l.pos += 2
			l.dicts++
			return nil
		}
		l.push(operand{kind: kindString, text: l.hex()})
	case '>':
		l.closeDict()
	case '[', ']':
		l.bracket(c)
	case ')', '{', '}':
		l.damaged = l.damaged || c == ')'
		l.pos++
	default:
		return l.word()
	}
	return nil
}

func (l *lexer) closeDict() {
	if l.peek(1) != '>' || l.dicts == 0 {
		l.damaged = true
		l.pos++
		return
	}
	l.pos += 2
	if l.dicts--; l.dicts == 0 {
		l.push(operand{kind: kindOther})
	}
}

func (l *lexer) bracket(c byte) {
	l.pos++
	switch {
	case l.dicts > 0:
	case c == '[':
		if l.arrays++; l.arrays == 1 {
			l.args = append(l.args, operand{kind: kindArray, from: len(l.elements), to: len(l.elements)})
		}
	case l.arrays == 0:
		l.damaged = true
	default:
		if l.arrays--; l.arrays == 0 {
			l.args[len(l.args)-1].to = len(l.elements)
		}
	}
}

// push keeps an operand where it belongs.
func (l *lexer) push(o operand) {
	switch {
	case l.dicts > 0:
	case l.arrays > 0:
		l.elements = append(l.elements, o)
		l.args[len(l.args)-1].to = len(l.elements)
	default:
		l.args = append(l.args, o)
	}
}

// word reads a number, a keyword or an operator. An operator ends arrays and
// dictionaries that were left open.
func (l *lexer) word() []byte {
	if v, ok := l.number(); ok {
		l.push(operand{kind: kindNumber, number: v})
		return nil
	}
	start := l.pos
	for l.pos < len(l.buf) && classes[l.buf[l.pos]] == regular {
		l.pos++
	}
	w := l.buf[start:l.pos]
	switch string(w) {
	case "true", "false", "null":
		l.push(operand{kind: kindOther})
		return nil
	}
	if l.arrays+l.dicts > 0 {
		l.damaged = true
	}
	return w
}

// number reads a number; false when none stands next. A sign behind digits ends
// it, and is dropped with the digits that follow, as in "12-3".
func (l *lexer) number() (float64, bool) {
	b, i := l.buf, l.pos
	negative := false
	for i < len(b) && (b[i] == '+' || b[i] == '-') {
		negative = b[i] == '-'
		i++
	}
	v, scale, digits := 0.0, 1.0, 0
	for ; i < len(b) && b[i]-'0' < 10; i++ {
		v = v*10 + float64(b[i]-'0')
		digits++
	}
	if i < len(b) && b[i] == '.' {
		for i++; i < len(b) && b[i]-'0' < 10; i++ {
			if scale < 1e15 {
				v = v*10 + float64(b[i]-'0')
				scale *= 10
			}
			digits++
		}
	}
	if digits == 0 && (i == l.pos || i < len(b) && classes[b[i]] == regular) {
		return 0, false
	}
	if i < len(b) && b[i] == '-' {
		for i < len(b) && (b[i] == '-' || b[i] == '.' || b[i]-'0' < 10) {
			i++
		}
	}
	l.pos = i
	if v = math.Min(v/scale, math.MaxFloat32); negative {
		v = -v
	}
	return v, true
}

// peek returns the byte i after the next one, 0 at the end.
func (l *lexer) peek(i int) byte {
	if l.pos+i < len(l.buf) {
		return l.buf[l.pos+i]
	}
	return 0
}

// class tells white space and delimiters from the rest (ISO 32000-2, 7.2.3).
type class uint8

const (
	regular class = iota
	white
	delimiter
)

var classes = func() (t [256]class) {
	for _, c := range "\x00\t\n\f\r " {
		t[c] = white
	}
	for _, c := range "()<>[]{}/%" {
		t[c] = delimiter
	}
	return t
}()

// space skips white space and comments.
func (l *lexer) space() {
	for l.pos < len(l.buf) {
		c := l.buf[l.pos]
		if c == '%' {
			for l.pos < len(l.buf) && l.buf[l.pos] != '\n' && l.buf[l.pos] != '\r' {
				l.pos++
			}
			continue
		}
		if classes[c] != white {
			return
		}
		l.pos++
	}
}

// numbers returns the last n operands when they are numbers.
func (l *lexer) numbers(n int) ([]operand, bool) {
	if len(l.args) < n {
		return nil, false
	}
	args := l.args[len(l.args)-n:]
	for _, a := range args {
		if a.kind != kindNumber {
			return nil, false
		}
	}
	return args, true
}

// last returns the last operand when it is of that kind.
func (l *lexer) last(k kind) (operand, bool) {
	if len(l.args) == 0 || l.args[len(l.args)-1].kind != k {
		return operand{}, false
	}
	return l.args[len(l.args)-1], true
}

// matrix returns six numbers as a matrix.
func (l *lexer) matrix() (m pdf.Matrix, ok bool) {
	args, ok := l.numbers(6)
	for i, a := range args {
		m[i] = a.number
	}
	return m, ok
}
