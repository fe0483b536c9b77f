package content

// name reads a name; the slash stands next.
func (l *lexer) name() []byte {
	l.pos++
	start, escaped := l.pos, false
	for l.pos < len(l.buf) && classes[l.buf[l.pos]] == regular {
		escaped = escaped || l.buf[l.pos] == '#'
		l.pos++
	}
	raw := l.buf[start:l.pos]
	if !escaped {
		return raw
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] == '#' && i+2 < len(raw) && hexValues[raw[i+1]] >= 0 && hexValues[raw[i+2]] >= 0 {
			out = append(out, byte(hexValues[raw[i+1]])<<4|byte(hexValues[raw[i+2]]))
			i += 2
			continue
		}
		out = append(out, raw[i])
	}
	return out
}

// literal reads a string in parentheses (ISO 32000-2, 7.3.4.2). One without an
// end goes on to the end of the content.
func (l *lexer) literal() []byte {
	l.pos++
	start, depth, plain := l.pos, 1, true
	for l.pos < len(l.buf) {
		switch l.buf[l.pos] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				raw := l.buf[start:l.pos]
				l.pos++
				if plain {
					return raw
				}
				return unescape(raw)
			}
		case '\\':
			plain = false
			l.pos++
		case '\r':
			plain = false
		}
		l.pos++
	}
	l.pos = len(l.buf)
	l.damaged = true
	return unescape(l.buf[min(start, len(l.buf)):])
}

// unescape decodes the inside of a string in parentheses.
func unescape(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '\r':
			if i+1 < len(raw) && raw[i+1] == '\n' {
				i++
			}
			out = append(out, '\n')
		case c != '\\' || i+1 >= len(raw):
			out = append(out, c)
		default:
			var n int
			out, n = escape(out, raw[i+1:])
			i += n
		}
	}
	return out
}

// escape decodes what follows a backslash and returns how many bytes that is.
func escape(out, b []byte) ([]byte, int) {
	switch c := b[0]; c {
	case 'n':
		return append(out, '\n'), 1
	case 'r':
		return append(out, '\r'), 1
	case 't':
		return append(out, '\t'), 1
	case 'b':
		return append(out, '\b'), 1
	case 'f':
		return append(out, '\f'), 1
	case '\n':
		return out, 1
	case '\r':
		if len(b) > 1 && b[1] == '\n' {
			return out, 2
		}
		return out, 1
	case '0', '1', '2', '3', '4', '5', '6', '7':
		n, v := 0, byte(0)
		for ; n < 3 && n < len(b) && b[n]-'0' < 8; n++ {
			v = v<<3 | (b[n] - '0')
		}
		return append(out, v), n
	default:
		return append(out, c), 1
	}
}

// hex reads a string in angle brackets (ISO 32000-2, 7.3.4.3). Bytes that are
// no digits are passed over.
func (l *lexer) hex() []byte {
	l.pos++
	var out []byte
	high := int8(-1)
	for ; l.pos < len(l.buf); l.pos++ {
		c := l.buf[l.pos]
		v := hexValues[c]
		switch {
		case v >= 0 && high < 0:
			high = v
		case v >= 0:
			out = append(out, byte(high)<<4|byte(v))
			high = -1
		case c == '>':
			l.pos++
			if high >= 0 {
				out = append(out, byte(high)<<4)
			}
			return out
		}
	}
	l.damaged = true
	return out
}

// hexValues gives the value of a hexadecimal digit, -1 for every other byte.
var hexValues = func() (t [256]int8) {
	for c := range t {
		switch {
		case c >= '0' && c <= '9':
			t[c] = int8(c - '0')
		case c >= 'a' && c <= 'f':
			t[c] = int8(c - 'a' + 10)
		case c >= 'A' && c <= 'F':
			t[c] = int8(c - 'A' + 10)
		default:
			t[c] = -1
		}
	}
	return t
}()
