package scan_test

import (
	"context"
	"image"
	"image/color"
	"image/draw"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/verify/scan"
)

// BenchmarkImage searches pages of A4 with one stamp, and such without.
func BenchmarkImage(b *testing.B) {
	text := sealed(b, 1, 0)
	for _, c := range []struct {
		name string
		dpi  int
		with bool
	}{{"150 dpi", 150, true}, {"300 dpi", 300, true}, {"300 dpi, nothing there", 300, false}} {
		b.Run(c.name, func(b *testing.B) {
			p := newPaper(180, 250)
			if c.with {
				p.print(symbolOf(b, text), 140, 220, 0.45)
			}
			img := picture(b, p, way{noise: 4, blur: 0.06, quality: 75}, c.dpi, rand.New(rand.NewPCG(1, 1)))
			for b.Loop() {
				texts, err := scan.Image(context.Background(), img, nil)
				require.NoError(b, err)
				require.Equal(b, c.with, len(texts) == 1)
			}
		})
	}
	b.Run("hostile 1 MP", func(b *testing.B) {
		img := image.NewGray(image.Rect(0, 0, 1000, 1000))
		draw.Draw(img, img.Rect, image.White, image.Point{}, draw.Src)
		for y := range 1000 {
			for x := range 1000 {
				if i, j := x/3%24, y/3%24; max(i, j) < 7 && (max(i, j) == 6 || min(i, j) == 0 || max(i, j) < 5 && min(i, j) > 1) {
					img.SetGray(x, y, color.Gray{})
				}
			}
		}
		for b.Loop() {
			_, err := scan.Image(context.Background(), img, nil)
			require.NoError(b, err)
		}
	})
}
