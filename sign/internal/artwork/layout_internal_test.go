package artwork

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// overlap says whether two places have more than an edge in common.
func (r rect) overlap(o rect) bool {
	return r.x < o.x+o.w && o.x < r.x+r.w && r.y < o.y+o.h && o.y < r.y+r.h
}

func TestPlacesDoNotOverlap(t *testing.T) {
	for _, l := range layouts() {
		places := []rect{l.symbol, l.figures, l.words, l.band, l.serial[0], l.serial[1]}
		for _, h := range l.header {
			places = append(places, h.at)
		}
		inside := rect{0, 0, l.w, l.h}.inset(3.4, 3.4)
		for i, p := range places {
			require.True(t, p.x >= inside.x && p.x+p.w <= inside.x+inside.w, "%v", p)
			require.True(t, p.y >= inside.y && p.y+p.h <= inside.y+inside.h, "%v", p)
			for _, o := range places[:i] {
				require.False(t, p.overlap(o), "%v and %v", p, o)
			}
		}
		require.False(t, l.rosette.overlap(l.symbol))
		for _, edge := range []float64{l.w, l.h} {
			require.Zero(t, math.Mod(edge, pitch), "whole perforations")
		}
	}
}

// Lines must be no wider than the place, whatever is broken.
func TestBreakLines(t *testing.T) {
	s, err := kit()
	require.NoError(t, err)
	for _, text := range []string{"A", "SEPULUH RIBU RUPIAH", "A  B ", "   ", Words(3777777777)} {
		for n := 1; n <= maxLines; n++ {
			lines, width := s.text.breakLines(text, n)
			require.NotEmpty(t, lines)
			require.LessOrEqual(t, len(lines), n)
			for _, line := range lines {
				require.LessOrEqual(t, s.text.width(line, spacing{}), width)
			}
		}
	}
}

// The polygons must stay close to the outlines they stand for: the area of a
// glyph with a known shape says so.
func TestGlyphsKeepTheirShape(t *testing.T) {
	s, err := kit()
	require.NoError(t, err)
	for name, f := range map[string]*face{"figures": s.figures, "head": s.head, "text": s.text} {
		require.InDelta(t, 0.72, f.cap, 0.01, name)
		require.Equal(t, -1, f.check("ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789-.,"), name)
		require.Equal(t, 1, f.check("A\u4e00"), name)
		for r := 'A'; r <= 'Z'; r++ {
			g := f.glyph(r)
			require.GreaterOrEqual(t, len(g.points), 4, "%c", r)
			require.True(t, g.points[0].begin)
			for _, p := range g.points {
				require.True(t, float64(p.y) > -0.3*f.grid && float64(p.y) < 0.8*f.grid, "%c", r)
			}
		}
		stem := f.glyph('I').points
		low, high := stem[0], stem[0]
		for _, p := range stem {
			low.x, low.y = min(low.x, p.x), min(low.y, p.y)
			high.x, high.y = max(high.x, p.x), max(high.y, p.y)
		}
		require.Zero(t, low.y, name)
		require.InDelta(t, f.cap*f.grid, float64(high.y), 1, name)
	}
}
