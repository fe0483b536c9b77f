package serial

import (
	"encoding/binary"
	"fmt"
)

const (
	symbols  = 22                                 // characters of a number
	alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ" // Crockford base32: no I, L, O, U
)

// Number is the serial number of a stamp: 22 symbols of 5 bits, with a correct check code. Numbers are comparable and
// can be keys of a map. The zero value is no number.
type Number struct {
	hi, lo uint64 // 110 bits, left-aligned; the last 18 bits of lo are zero
}

// Parse reads a number as people write it: in either case, I and L as 1, O as 0, with spaces, '-' and '.' anywhere.
// It verifies the check code, which finds every mistake in up to three characters and every swap of two. Any error is a
// [*ParseError].
func Parse(s string) (Number, error) { return parse(s) }

func parse[T string | []byte](s T) (Number, error) {
	if len(s) > maxText {
		return Number{}, &ParseError{Offset: maxText, Reason: "longer than any number"}
	}
	var hi, lo uint64
	count := 0
	for i := 0; i < len(s); i++ {
		v := symbolValue(s[i])
		if v == separator {
			continue
		}
		if v == noSymbol {
			return Number{}, &ParseError{Offset: i, Reason: fmt.Sprintf("character %q has no place in a number", s[i])}
		}
		if count == symbols {
			return Number{}, &ParseError{Offset: i, Reason: "more than 22 symbols"}
		}
		hi, lo = hi<<5|lo>>59, lo<<5|uint64(v)
		count++
	}
	if count < symbols {
		return Number{}, &ParseError{Offset: len(s), Reason: fmt.Sprintf("%d symbols instead of 22", count)}
	}
	return verified(hi<<18|lo>>46, lo<<18)
}

// verified gives the number of left-aligned bits if their check code is right.
func verified(hi, lo uint64) (Number, error) {
	if lo>>18&0x7fff != checkCode(hi, lo) {
		return Number{}, &ParseError{Offset: -1, Reason: "the check code does not fit: one or more characters are wrong"}
	}
	return Number{hi, lo}, nil
}

const (
	noSymbol  = 0xff
	separator = 0xfe
)

// symbolValue reads one character, tolerantly.
func symbolValue(c byte) byte {
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'A' <= c && c <= 'H':
		return c - 'A' + 10
	case c == 'I', c == 'L':
		return 1
	case c == 'J', c == 'K':
		return c - 'J' + 18
	case c == 'M', c == 'N':
		return c - 'M' + 20
	case c == 'O':
		return 0
	case 'P' <= c && c <= 'T':
		return c - 'P' + 22
	case 'V' <= c && c <= 'Z':
		return c - 'V' + 27
	case c == ' ', c == '-', c == '.':
		return separator
	}
	return noSymbol
}

// IsZero reports whether n is the zero value, which is no number.
func (n Number) IsZero() bool { return n == Number{} }

// String gives the 22 characters, "" for the zero value.
func (n Number) String() string {
	if n.IsZero() {
		return ""
	}
	var b [symbols]byte
	n.put(&b)
	return string(b[:])
}

func (n Number) put(b *[symbols]byte) {
	hi, lo := n.hi, n.lo
	for i := range b {
		b[i] = alphabet[hi>>59]
		hi, lo = hi<<5|lo>>59, lo<<5
	}
}

// Grouped gives the number as it is printed, "EII-PPPP-PPPP-PPPP-PPPP-CCC", "" for the zero value.
func (n Number) Grouped() string {
	if n.IsZero() {
		return ""
	}
	var b [symbols]byte
	n.put(&b)
	out := make([]byte, 0, symbols+5)
	out = append(out, b[:3]...)
	for i := 3; i < symbols; i += 4 {
		out = append(out, '-')
		out = append(out, b[i:min(i+4, symbols)]...)
	}
	return string(out)
}

// Epoch gives the first character, which selects the key; 0 for the zero value.
func (n Number) Epoch() byte {
	if n.IsZero() {
		return 0
	}
	return alphabet[n.hi>>59]
}

// Issuer gives the second and third character, "" for the zero value.
func (n Number) Issuer() string {
	if n.IsZero() {
		return ""
	}
	return string([]byte{alphabet[n.hi>>54&31], alphabet[n.hi>>49&31]})
}

// Packed gives the 22 symbols as 110 bits, left-aligned; the last two bits are zero. The zero value gives zero bytes.
func (n Number) Packed() [14]byte {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], n.hi)
	binary.BigEndian.PutUint64(b[8:], n.lo)
	return [14]byte(b[:14])
}

// Unpack reads what [Number.Packed] gives. It verifies the check code and the two zero bits; zero bytes are refused. Any
// error is a [*ParseError].
func Unpack(b [14]byte) (Number, error) {
	if b[13]&3 != 0 {
		return Number{}, &ParseError{Offset: 13, Reason: "the last two bits are not zero"}
	}
	var w [16]byte
	copy(w[:], b[:])
	return verified(binary.BigEndian.Uint64(w[:8]), binary.BigEndian.Uint64(w[8:]))
}

// AppendText appends what [Number.String] gives. It never fails.
func (n Number) AppendText(b []byte) ([]byte, error) {
	if n.IsZero() {
		return b, nil
	}
	var s [symbols]byte
	n.put(&s)
	return append(b, s[:]...), nil
}

// MarshalText gives the 22 characters, and no text for the zero value. It never fails.
func (n Number) MarshalText() ([]byte, error) { return n.AppendText(nil) }

// UnmarshalText reads what [Parse] reads; no text is the zero value.
func (n *Number) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*n = Number{}
		return nil
	}
	v, err := parse(text)
	if err != nil {
		return err
	}
	*n = v
	return nil
}
