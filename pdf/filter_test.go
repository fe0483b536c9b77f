package pdf_test

import (
	"bytes"
	"encoding/ascii85"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/image/tiff/lzw"

	"github.com/seed-574216e4/meterai/pdf"
)

// bitWriter packs codes, most significant bit first.
type bitWriter struct {
	out  []byte
	bits uint
	have int
}

func (w *bitWriter) put(code uint, width int) {
	w.bits, w.have = w.bits<<width|code, w.have+width
	for w.have >= 8 {
		w.have -= 8
		w.out = append(w.out, byte(w.bits>>w.have))
		w.bits &= 1<<w.have - 1
	}
}

func (w *bitWriter) bytes() []byte {
	if w.have > 0 {
		w.put(0, 8-w.have)
	}
	return w.out
}

// lzwEncode compresses as LZWDecode wants it; shift is 1 for the early change.
func lzwEncode(data []byte, shift int) []byte {
	var w bitWriter
	table := map[string]uint{}
	next, width := 258, 9
	reset := func() {
		w.put(256, width)
		clear(table)
		for i := range 256 {
			table[string([]byte{byte(i)})] = uint(i)
		}
		next, width = 258, 9
	}
	reset()
	cur := ""
	for _, c := range data {
		if _, ok := table[cur+string([]byte{c})]; ok {
			cur += string([]byte{c})
			continue
		}
		w.put(table[cur], width)
		table[cur+string([]byte{c})] = uint(next)
		next++
		if next-1+shift >= 1<<width && width < 12 {
			width++
		}
		if next == 4095 {
			reset()
		}
		cur = string([]byte{c})
	}
	if cur != "" {
		w.put(table[cur], width)
		if next+shift >= 1<<width && width < 12 {
			width++
		}
	}
	w.put(257, width)
	return w.bytes()
}

// lzwRuns decodes to about n*n/2 bytes: each code is the one just being made.
func lzwRuns(n int) []byte {
	var w bitWriter
	w.put(256, 9)
	w.put(0, 9)
	for next, width := uint(258), 9; next < uint(258+n); {
		w.put(next, width)
		if next++; next+1 >= 1<<width {
			width++
		}
	}
	return w.bytes()
}

func decodeWith(t *testing.T, entries string, data []byte) []byte {
	t.Helper()
	f := open(t, newBuilder().onePage().stream(8, entries, data).table("").Bytes())
	s, err := f.Stream(pdf.Ref{Number: 8})
	require.NoError(t, err)
	got, err := f.Decode(s)
	require.NoError(t, err)
	return got
}

func TestFilters(t *testing.T) {
	text := []byte(strings.Repeat("Every byte of it, again and again. ", 300))
	for i := range 5000 {
		text = append(text, byte(i*i>>3))
	}
	var a85 bytes.Buffer
	e := ascii85.NewEncoder(&a85)
	_, _ = e.Write(append(text, 1, 2, 3))
	_ = e.Close()
	runs := append([]byte{4}, "hello"...)
	runs = append(runs, 254, 'z', 128, 'y')

	require.Equal(t, text, decodeWith(t, "/Filter/FlateDecode", deflate(text)))
	require.Equal(t, text, decodeWith(t, "/Filter[/ASCIIHexDecode/FlateDecode]/DecodeParms[null null]", append([]byte(hex.EncodeToString(deflate(text))), " >"...)))
	require.Equal(t, "A@", string(decodeWith(t, "/Filter/ASCIIHexDecode", []byte("4 1\n4"))))
	require.Equal(t, append(bytes.Clone(text), 1, 2, 3), decodeWith(t, "/Filter/ASCII85Decode", append(a85.Bytes(), "~>"...)))
	require.Equal(t, "hellozzz", string(decodeWith(t, "/Filter/RunLengthDecode", runs)))
	require.Equal(t, text, decodeWith(t, "/Filter/LZWDecode", lzwEncode(text, 1)))
	require.Equal(t, text, decodeWith(t, "/Filter/LZWDecode/DecodeParms<</EarlyChange 0>>", lzwEncode(text, 0)))
	require.Equal(t, make([]byte, 50_000), decodeWith(t, "/Filter/LZWDecode", lzwEncode(make([]byte, 50_000), 1)))

	require.Len(t, decodeWith(t, "/Filter/LZWDecode", lzwRuns(1000)), 1001*1002/2)

	// The encoder above is right in the eyes of another decoder.
	var back bytes.Buffer
	_, err := back.ReadFrom(lzw.NewReader(bytes.NewReader(lzwEncode(text, 1)), lzw.MSB, 8))
	require.NoError(t, err)
	require.Equal(t, text, back.Bytes())
}

// TestPNGPredictors encodes rows with each filter type in turn.
func TestPNGPredictors(t *testing.T) {
	const columns, colors = 5, 3
	row, bpp := columns*colors, colors
	var want, enc []byte
	prior := make([]byte, row)
	for y := range 10 {
		cur := make([]byte, row)
		for i := range cur {
			cur[i] = byte(y*y*31 + i*i*7)
		}
		enc = append(enc, byte(y%5))
		for i, v := range cur {
			var left, corner byte
			if i >= bpp {
				left, corner = cur[i-bpp], prior[i-bpp]
			}
			up := prior[i]
			enc = append(enc, v-[]byte{0, left, up, byte((int(left) + int(up)) / 2), nearest(left, up, corner)}[y%5])
		}
		want = append(want, cur...)
		prior = cur
	}
	entries := fmt.Sprintf("/Filter/FlateDecode/DecodeParms<</Predictor 15/Columns %d/Colors %d>>", columns, colors)
	require.Equal(t, want, decodeWith(t, entries, deflate(enc)))
	require.Equal(t, want[:len(want)-4], decodeWith(t, entries, deflate(enc[:len(enc)-4])))
}

// nearest is the Paeth predictor, by its description.
func nearest(left, up, corner byte) byte {
	guess := int(left) + int(up) - int(corner)
	best, at := byte(0), 1<<30
	for _, c := range []byte{left, up, corner} {
		if d := max(guess-int(c), int(c)-guess); d < at {
			best, at = c, d
		}
	}
	return best
}

func TestTIFFPredictor(t *testing.T) {
	for _, c := range []struct {
		bits, colors int
		in, want     []byte
	}{
		{8, 1, []byte{1, 1, 1, 1, 5, 1, 1, 1}, []byte{1, 2, 3, 4, 5, 6, 7, 8}},
		{8, 2, []byte{1, 2, 3, 4, 1, 1, 255, 1}, []byte{1, 2, 4, 6, 1, 1, 0, 2}},
		{16, 1, []byte{0, 255, 0, 1}, []byte{0, 255, 1, 0}},
		{4, 1, []byte{0x11, 0x1f}, []byte{0x12, 0x32}},
		{1, 1, []byte{0b10100000}, []byte{0b11000000}},
	} {
		entries := fmt.Sprintf("/Filter/FlateDecode/DecodeParms<</Predictor 2/BitsPerComponent %d/Colors %d/Columns %d>>",
			c.bits, c.colors, min(4, len(c.in)*8/c.bits)/c.colors)
		require.Equal(t, c.want, decodeWith(t, entries, deflate(c.in)), entries)
	}
}
