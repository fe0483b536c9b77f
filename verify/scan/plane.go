package scan

import (
	"context"
	"image"
	"image/color"
	"math"
)

// point is a place in an image: the middle of the first pixel is at 0.5, 0.5.
type point struct{ x, y float64 }

func (p point) minus(q point) point      { return point{p.x - q.x, p.y - q.y} }
func (p point) plus(q point) point       { return point{p.x + q.x, p.y + q.y} }
func (p point) times(f float64) point    { return point{p.x * f, p.y * f} }
func (p point) dot(q point) float64      { return p.x*q.x + p.y*q.y }
func (p point) cross(q point) float64    { return p.x*q.y - p.y*q.x }
func (p point) length() float64          { return math.Hypot(p.x, p.y) }
func (p point) distance(q point) float64 { return p.minus(q).length() }

func middle(p, q point) point { return p.plus(q).times(0.5) }

// plane is an image in shades of gray, 0 black to 255 white.
type plane struct {
	w, h  int
	pix   []uint8
	scale float64 // pixels of the original image to one of this
}

// channel is how a colour becomes a shade.
type channel int

const (
	luma     channel = iota // as bright as it looks
	lightest                // the greatest of red, green and blue: coloured ink is light
)

// newPlane makes the plane of an image. lightest gives nil when the image has no
// colours worth a second search.
func newPlane(ctx context.Context, img image.Image, of channel) (*plane, error) {
	b := img.Bounds()
	p := &plane{w: b.Dx(), h: b.Dy(), scale: 1}
	if of == lightest && !coloured(img) {
		return nil, nil
	}
	p.pix = make([]uint8, p.w*p.h)
	for y := range p.h {
		if y&63 == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
		shades(p.pix[y*p.w:(y+1)*p.w], img, b.Min.X, b.Min.Y+y, of)
	}
	return p, nil
}

// shades fills one row, from the pixel x0, y on.
func shades(row []uint8, img image.Image, x0, y int, of channel) {
	switch m := img.(type) {
	case *image.Gray:
		copy(row, m.Pix[m.PixOffset(x0, y):])
	case *image.YCbCr:
		if of == luma {
			for i := range row {
				row[i] = m.Y[m.YOffset(x0+i, y)]
			}
			return
		}
		for i := range row {
			c := m.COffset(x0+i, y)
			r, g, b := color.YCbCrToRGB(m.Y[m.YOffset(x0+i, y)], m.Cb[c], m.Cr[c])
			row[i] = max(r, g, b)
		}
	case *image.NRGBA:
		pix := m.Pix[m.PixOffset(x0, y):]
		for i := range row {
			c := pix[4*i : 4*i+4 : 4*i+4]
			v, a := uint32(shade(uint32(c[0]), uint32(c[1]), uint32(c[2]), of)), uint32(c[3])
			row[i] = uint8((v*a + 255*(255-a)) / 255)
		}
	case *image.RGBA:
		pix := m.Pix[m.PixOffset(x0, y):]
		for i := range row {
			c := pix[4*i : 4*i+4 : 4*i+4]
			v, a := uint32(shade(uint32(c[0]), uint32(c[1]), uint32(c[2]), of)), uint32(c[3])
			row[i] = uint8(min(255, v+255-a))
		}
	default:
		for i := range row {
			r, g, b, a := img.At(x0+i, y).RGBA()
			row[i] = uint8(min(0xffff, shade(r, g, b, of)+0xffff-min(a, 0xffff)) >> 8)
		}
	}
}

func shade(r, g, b uint32, of channel) uint32 {
	if of == lightest {
		return max(r, g, b)
	}
	return (299*r + 587*g + 114*b) / 1000
}

// coloured says whether an image has colours, by a sample of its pixels: a row in
// four, a pixel in four.
func coloured(img image.Image) bool {
	switch img.(type) {
	case *image.Gray, *image.Gray16:
		return false
	}
	const much = 0x2000 // of 0xffff between the channels
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y += 4 {
		for x := b.Min.X; x < b.Max.X; x += 4 {
			r, g, bl, _ := img.At(x, y).RGBA()
			if max(r, g, bl)-min(r, g, bl) > much {
				return true
			}
		}
	}
	return false
}

// half gives the plane at half its size: each pixel the mean of four.
func (p *plane) half() *plane {
	q := &plane{w: p.w / 2, h: p.h / 2, scale: 2 * p.scale}
	q.pix = make([]uint8, q.w*q.h)
	for y := range q.h {
		up, down := p.pix[2*y*p.w:(2*y+1)*p.w], p.pix[(2*y+1)*p.w:(2*y+2)*p.w]
		row := q.pix[y*q.w : (y+1)*q.w]
		for x := range row {
			row[x] = uint8((uint32(up[2*x]) + uint32(up[2*x+1]) + uint32(down[2*x]) + uint32(down[2*x+1]) + 2) / 4)
		}
	}
	return q
}

// double gives the plane at twice its size, interpolated.
func (p *plane) double() *plane {
	q := &plane{w: 2 * p.w, h: 2 * p.h, scale: p.scale / 2}
	q.pix = make([]uint8, q.w*q.h)
	for y := range q.h {
		row := q.pix[y*q.w : (y+1)*q.w]
		for x := range row {
			row[x] = uint8(p.at((float64(x)+0.5)/2, (float64(y)+0.5)/2) + 0.5)
		}
	}
	return q
}

// at gives the shade at a place, interpolated between pixels; outside it is the
// shade of the edge.
func (p *plane) at(x, y float64) float64 {
	x, y = inside(x-0.5, p.w-1), inside(y-0.5, p.h-1)
	i, j := int(x), int(y)
	fx, fy := x-float64(i), y-float64(j)
	k := j*p.w + i
	right, below := 1, p.w
	if i+1 >= p.w {
		right = 0
	}
	if j+1 >= p.h {
		below = 0
	}
	top := float64(p.pix[k])*(1-fx) + float64(p.pix[k+right])*fx
	bottom := float64(p.pix[k+below])*(1-fx) + float64(p.pix[k+below+right])*fx
	return top*(1-fy) + bottom*fy
}

// inside moves a coordinate to 0 to most; no number at all counts as 0.
func inside(v float64, most int) float64 {
	if !(v > 0) {
		return 0
	}
	return min(v, float64(most))
}
