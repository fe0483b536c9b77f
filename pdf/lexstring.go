package pdf

import (
	"bytes"
	"encoding/hex"
	"strings"
)

// literalString reads a string in parentheses (ISO 32000-2, 7.3.4.2).
func (l *lexer) literalString() (String, error) {
	start := l.pos
	l.pos++
	depth, plain := 1, true
	for depth > 0 {
		switch c := l.peek(); c {
		case -1:
			if l.err != nil {
				return "", l.err
			}
			return "", malformed(l.offsetOf(start), "string without end")
		case '(':
			depth++
		case ')':
			depth--
		case '\\':
			plain = false
			l.pos++
			if l.peek() < 0 {
				continue
			}
		case '\r':
			plain = false
		}
		l.pos++
	}
	raw := l.buf[start+1 : l.pos-1]
	if plain {
		return String(raw), nil
	}
	return unescape(raw), nil
}

// unescape decodes the inside of a literal string.
func unescape(raw []byte) String {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c == '\r' { // an end of line is read as a line feed
			if i+1 < len(raw) && raw[i+1] == '\n' {
				i++
			}
			out = append(out, '\n')
			continue
		}
		if c != '\\' || i+1 >= len(raw) {
			out = append(out, c)
			continue
		}
		i++
		switch c = raw[i]; c {
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case '\n':
		case '\r':
			if i+1 < len(raw) && raw[i+1] == '\n' {
				i++
			}
		case '0', '1', '2', '3', '4', '5', '6', '7':
			v, n := octal(raw[i:])
			i += n - 1
			out = append(out, v)
		default:
			out = append(out, c)
		}
	}
	return String(out)
}

// octal reads up to three octal digits and returns how many.
func octal(raw []byte) (v byte, n int) {
	for ; n < 3 && n < len(raw) && raw[n] >= '0' && raw[n] <= '7'; n++ {
		v = v<<3 | (raw[n] - '0') // an overflow is ignored (ISO 32000-2, 7.3.4.2)
	}
	return v, n
}

// hexString reads a string in angle brackets (ISO 32000-2, 7.3.4.3).
func (l *lexer) hexString() (String, error) {
	start := l.pos
	l.pos++
	var out strings.Builder
	var high, digits byte // of a pair of digits that is under way
	for l.peek() >= 0 {
		rest := l.buf[l.pos:]
		if n := bytes.IndexByte(rest, '>'); n >= 0 || out.Len() == 0 {
			out.Grow(max(n, 0)/2 + 1)
		}
		if digits == 0 {
			n := plainHex(&out, rest)
			rest = rest[n:]
			l.pos += n
		}
		for _, c := range rest {
			v := hexValues[c]
			switch {
			case v >= 0 && digits == 0:
				high, digits = byte(v), 1
			case v >= 0:
				out.WriteByte(high<<4 | byte(v))
				digits = 0
			case c == '>':
				l.pos++
				if digits > 0 {
					out.WriteByte(high << 4)
				}
				return String(out.String()), nil
			case !isWhite(int(c)):
				return "", malformed(l.offset(), "bad digit in a hexadecimal string")
			}
			l.pos++
		}
	}
	if l.err != nil {
		return "", l.err
	}
	return "", malformed(l.offsetOf(start), "hexadecimal string without end")
}

// plainHex decodes as many whole blocks of b as hold digits alone, and returns
// how many bytes it took: signatures are long and have nothing else.
func plainHex(out *strings.Builder, b []byte) int {
	const block = 512
	var buf [block / 2]byte
	n := 0
	for len(b)-n >= block {
		if _, err := hex.Decode(buf[:], b[n:n+block]); err != nil {
			break
		}
		out.Write(buf[:])
		n += block
	}
	return n
}

// hexValues gives the value of a hexadecimal digit, -1 for every other byte.
var hexValues = func() (t [256]int8) {
	for c := range t {
		t[c] = int8(hexValue(byte(c)))
	}
	return t
}()
