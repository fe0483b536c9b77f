package pdf

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Text decodes a text string (ISO 32000-2, 7.9.2.2): UTF-16BE or UTF-8 behind
// their byte order mark, else PDFDocEncoding. Bytes that mean nothing become
// U+FFFD.
func (s String) Text() string {
	switch {
	case strings.HasPrefix(string(s), "\xfe\xff"):
		return decodeUTF16(string(s[2:]))
	case strings.HasPrefix(string(s), "\xef\xbb\xbf"):
		return strings.ToValidUTF8(string(s[3:]), string(utf8.RuneError))
	}
	plain := true
	for i := range len(s) {
		plain = plain && s[i] < 0x7f && s[i] >= 0x20
	}
	if plain {
		return string(s)
	}
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(docRune(s[i]))
	}
	return b.String()
}

// decodeUTF16 decodes big-endian UTF-16; a last odd byte becomes U+FFFD.
func decodeUTF16(s string) string {
	units := make([]uint16, 0, len(s)/2)
	for i := 0; i+1 < len(s); i += 2 {
		units = append(units, uint16(s[i])<<8|uint16(s[i+1]))
	}
	text := string(utf16.Decode(units))
	if len(s)%2 != 0 {
		text += string(utf8.RuneError)
	}
	return text
}

// docRune decodes a byte of PDFDocEncoding (ISO 32000-2, Annex D.3).
func docRune(c byte) rune {
	switch {
	case c >= 0x18 && c <= 0x1f:
		return []rune("\u02d8\u02c7\u02c6\u02d9\u02dd\u02db\u02da\u02dc")[c-0x18]
	case c >= 0x80 && c <= 0xa0:
		return []rune("\u2022\u2020\u2021\u2026\u2014\u2013\u0192\u2044\u2039\u203a\u2212\u2030" +
			"\u201e\u201c\u201d\u2018\u2019\u201a\u2122\ufb01\ufb02\u0141\u0152\u0160\u0178\u017d" +
			"\u0131\u0142\u0153\u0161\u017e\ufffd\u20ac")[c-0x80]
	case c == 0x7f || c == 0xad:
		return utf8.RuneError
	}
	return rune(c)
}

// TextString encodes text as a text string: as it is when it is printable
// ASCII, otherwise as UTF-16BE behind a byte order mark.
func TextString(text string) String {
	ascii := true
	for i := range len(text) {
		ascii = ascii && text[i] < 0x7f && text[i] >= 0x20
	}
	if ascii {
		return String(text)
	}
	out := []byte{0xfe, 0xff}
	for _, u := range utf16.Encode([]rune(text)) {
		out = append(out, byte(u>>8), byte(u))
	}
	return String(out)
}
