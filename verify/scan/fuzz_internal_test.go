package scan

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzModules: whatever the modules are, of every edge that we hand over, there is
// a text or none, and no panic in the parts of the decoder that are called.
func FuzzModules(f *testing.F) {
	f.Add([]byte{1, 2, 3}, 1)
	f.Add([]byte{0xff, 0, 0xaa, 0x55}, 8)
	f.Add([]byte{}, 40)
	f.Fuzz(func(t *testing.T, b []byte, version int) {
		n := 17 + 4*(1+int(uint(version)%40))
		dark := make([]bool, n*n)
		for i := range dark {
			dark[i] = len(b) > 0 && b[i/8%len(b)]>>(i%8)&1 != 0
		}
		text := textOf(matrix(dark, n, false))
		require.True(t, utf8.ValidString(text))
	})
}

// TestNowhere: a grid that maps to no number reads the edge of the plane.
func TestNowhere(t *testing.T) {
	p := &plane{w: 30, h: 30, pix: make([]uint8, 900), scale: 1}
	g := &grid{dim: 21, m: [8]float64{0, 0, 0, 0, 0, 0, -1, 0}}
	require.Zero(t, g.timing(p))
	require.Empty(t, textOf(matrix(g.sample(p, ways[0]), 21, false)))
	require.Nil(t, fitted(21, []pin{{}, {}, {}, {}}), "four pins in one place")
}
