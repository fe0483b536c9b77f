package qrtext_test

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/verify/internal/qrtext"
)

// A numeric and an alphanumeric segment, as a seal has them, and cut ones.
func TestSegments(t *testing.T) {
	for _, c := range []struct {
		name string
		data []byte
		text string
	}{
		// 0001 0000000011 0001111011 0000: three digits, 123, and the end.
		{"digits", []byte{0x10, 0x0c, 0x7b, 0x00}, "123"},
		// 0010 000000010 00111001101 0000: A and B are 10 and 11, 10*45+11 = 461.
		{"letters", []byte{0x20, 0x11, 0xcd, 0x00}, "AB"},
		{"digits that are none", []byte{0x10, 0x0f, 0xff, 0x00}, ""},
		{"cut", []byte{0x10, 0x0c}, ""},
		{"nothing", []byte{0x00}, ""},
		{"kanji", []byte{0x80, 0x10}, ""},
	} {
		text, ok := qrtext.Segments(c.data, 1)
		require.Equal(t, c.text, text, c.name)
		require.Equal(t, c.text != "", ok, c.name)
	}
}

// FuzzSegments: whoever makes a symbol decides every bit that is left after error
// correction.
func FuzzSegments(f *testing.F) {
	f.Add([]byte{0x40, 0x54, 0x12, 0x34, 0x56, 0x70}, 8)
	f.Add([]byte{0x71, 0xa4, 0x05, 0x41, 0x42, 0x43, 0x44}, 1) // ECI 26
	f.Add([]byte{0x50, 0x20, 0x10, 0xff, 0xff}, 30)
	f.Add([]byte{0xd1, 0x01, 0x7f, 0xff}, 2) // Hanzi
	f.Add([]byte{0x80, 0x1f, 0xff, 0xf0}, 9) // Kanji
	f.Add([]byte{0x31, 0x23, 0x44, 0x05, 0x41}, 9)
	f.Fuzz(func(t *testing.T, b []byte, version int) {
		b = b[:min(len(b), 2956)] // what the largest symbol holds
		text, ok := qrtext.Segments(b, 1+int(uint(version)%40))
		require.Equal(t, ok, text != "")
		require.True(t, utf8.ValidString(text))
		require.LessOrEqual(t, len(text), 8*2956)
	})
}
