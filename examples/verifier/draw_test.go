package main

import (
	"image"
	"math"

	"github.com/seed-574216e4/meterai/sign/seal"
)

// draw puts a symbol in the middle of a grey picture, turned by an angle in
// radians; each pixel is the mean of nine points.
func draw(symbol *seal.Symbol, width, height int, module, turn float64) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, width, height))
	sin, cos := math.Sincos(turn)
	half := float64(symbol.Size()) / 2
	for y := range height {
		for x := range width {
			dark := 0
			for i := range 9 {
				dx := float64(x) + float64(i%3)/3 - float64(width)/2
				dy := float64(y) + float64(i/3)/3 - float64(height)/2
				u, v := (cos*dx+sin*dy)/module+half, (cos*dy-sin*dx)/module+half
				if symbol.Dark(int(math.Floor(u)), int(math.Floor(v))) {
					dark++
				}
			}
			img.Pix[y*img.Stride+x] = uint8(226 - 20*dark)
		}
	}
	return img
}
