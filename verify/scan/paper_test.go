package scan_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign/seal"
)

// sealed gives the text of seal i, with a TLV of so many bytes if extra is not 0.
func sealed(t testing.TB, i uint64, extra int) string {
	t.Helper()
	scheme, err := serial.NewScheme('T', "QA", sha256.Sum256([]byte("scheme of the scan tests")))
	require.NoError(t, err)
	number, err := scheme.Number(i)
	require.NoError(t, err)
	s := &seal.Seal{
		Specimen: true, Serial: number, Issued: time.Date(2026, 11, 21, 8, 0, int(i%60), 0, time.UTC), Value: 10000,
		DocumentLength: 62345, DocumentDigest: sha256.Sum256([]byte{byte(i), byte(i >> 8)}),
	}
	if extra > 0 {
		s.Extra = []seal.TLV{{Type: 1, Value: bytes.Repeat([]byte{0xa5}, extra)}}
	}
	encoded, err := s.Sign(ed25519.NewKeyFromSeed(make([]byte, 32)))
	require.NoError(t, err)
	text, err := seal.Text("HTTPS://STAMP.EXAMPLE/S/", encoded)
	require.NoError(t, err)
	return text
}

func symbolOf(t testing.TB, text string) *seal.Symbol {
	t.Helper()
	y, err := seal.NewSymbol(text)
	require.NoError(t, err)
	return y
}

// paper is a piece of paper, drawn with perDot dots a millimetre.
type paper struct{ *image.RGBA }

const perDot = 40 // dots a millimetre

var (
	blue  = color.RGBA{30, 50, 190, 255}
	red   = color.RGBA{200, 30, 40, 255}
	black = color.RGBA{25, 25, 30, 255}
)

// newPaper makes paper of so many millimetres with lines of dark spots like
// letters.
func newPaper(w, h float64) *paper {
	p := &paper{image.NewRGBA(image.Rect(0, 0, int(w*perDot), int(h*perDot)))}
	for i := range p.Pix {
		p.Pix[i] = 255
	}
	r := rand.New(rand.NewPCG(1, 2))
	for y := 1.0; y < h-3; y += 4.2 {
		for x := 2.0; x < w-3; x += 0.35 {
			for part := range 5 {
				if r.IntN(4) == 0 {
					p.ink(x, y+float64(part)*0.4, 0.35, 0.4, black)
				}
			}
		}
	}
	return p
}

// ink prints a rectangle; what is dark stays dark.
func (p *paper) ink(x, y, w, h float64, c color.RGBA) {
	for j := int(y * perDot); j < int((y+h)*perDot); j++ {
		for i := int(x * perDot); i < int((x+w)*perDot); i++ {
			if !(image.Point{i, j}).In(p.Rect) {
				continue
			}
			at := p.PixOffset(i, j)
			p.Pix[at] = min(p.Pix[at], c.R)
			p.Pix[at+1] = min(p.Pix[at+1], c.G)
			p.Pix[at+2] = min(p.Pix[at+2], c.B)
		}
	}
}

// print prints a symbol with its quiet zone: x, y is the top left corner of the
// symbol itself, module its module.
func (p *paper) print(y0 *seal.Symbol, x, y, module float64) {
	quiet := 4 * module
	edge := int((float64(y0.Size())*module + 2*quiet) * perDot)
	left, top := int((x-quiet)*perDot), int((y-quiet)*perDot)
	for j := range edge {
		for i := range edge {
			c := color.RGBA{255, 255, 255, 255}
			if y0.Dark(int(math.Floor(float64(i)/perDot/module))-4, int(math.Floor(float64(j)/perDot/module))-4) {
				c = black
			}
			p.SetRGBA(left+i, top+j, c)
		}
	}
}

// sign draws what a pen of so many millimetres draws across a stamp.
func (p *paper) sign(ink color.RGBA, width float64) {
	for i := range 8000 {
		a := float64(i) / 500
		p.ink(4+a*2.6, 18+7*math.Sin(a*1.7)*math.Cos(a*0.45), width*0.8, width*0.8, ink)
	}
}

// stampOn gives a stamp among text.
func stampOn(y *seal.Symbol, module float64) *paper {
	p := newPaper(62, 40)
	p.print(y, 8, 7, module)
	return p
}

// way is what scanners and cameras do to a page.
type way struct {
	name    string
	turn    float64    // degrees
	tilt    float64    // perspective: how much nearer one side is, as a part
	blur    float64    // mm, standard deviation
	noise   float64    // of 255, standard deviation
	shadow  float64    // how much darker one corner is, as a part
	quality int        // JPEG; 0 is no loss
	module  float64    // mm; 0 is 0.45
	extra   int        // TLV of the seal
	ink     color.RGBA // of a pen across it
	pen     float64    // mm
	invert  bool
}

// picture takes a picture of paper at dpi.
func picture(t testing.TB, p *paper, how way, dpi int, r *rand.Rand) image.Image {
	t.Helper()
	ppm := float64(dpi) / 25.4
	sin, cos := math.Sincos(how.turn * math.Pi / 180)
	pw, ph := float64(p.Rect.Dx())/perDot, float64(p.Rect.Dy())/perDot
	w := math.Abs(cos)*pw + math.Abs(sin)*ph
	h := math.Abs(sin)*pw + math.Abs(cos)*ph
	img := image.NewRGBA(image.Rect(0, 0, int(w*ppm), int(h*ppm)))
	offX, offY := r.Float64(), r.Float64()
	const n = 3
	for y := range img.Rect.Max.Y {
		for x := range img.Rect.Max.X {
			var sum [3]int
			for k := range n * n {
				// Millimetres from the middle of the picture.
				u := (float64(x)+offX+(float64(k%n)+0.5)/n)/ppm - w/2
				v := (float64(y)+offY+(float64(k/n)+0.5)/n)/ppm - h/2
				z := 1 + how.tilt*(u*0.8+v*0.6)/(w/2)
				u, v = u*z, v*z
				c := color.RGBA{255, 255, 255, 255}
				if at := image.Pt(int((cos*u+sin*v+pw/2)*perDot), int((-sin*u+cos*v+ph/2)*perDot)); at.In(p.Rect) {
					c = p.RGBAAt(at.X, at.Y)
				}
				sum[0], sum[1], sum[2] = sum[0]+int(c.R), sum[1]+int(c.G), sum[2]+int(c.B)
			}
			i := img.PixOffset(x, y)
			for k := range sum {
				img.Pix[i+k] = uint8(sum[k] / (n * n))
			}
			img.Pix[i+3] = 255
		}
	}
	blurred(img, how.blur*ppm)
	light(img, how, r)
	if how.quality == 0 {
		return img
	}
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, img, &jpeg.Options{Quality: how.quality}))
	out, err := jpeg.Decode(&b)
	require.NoError(t, err)
	return out
}

// light adds shadow and noise.
func light(img *image.RGBA, how way, r *rand.Rand) {
	b := img.Rect.Max
	for y := range b.Y {
		for x := range b.X {
			f := 1 - how.shadow*(float64(x)/float64(b.X)+float64(y)/float64(b.Y))/2
			g := r.NormFloat64() * how.noise
			i := img.PixOffset(x, y)
			for k := range 3 {
				v := float64(img.Pix[i+k])*f + g
				if how.invert {
					v = 255 - v
				}
				img.Pix[i+k] = uint8(min(max(v, 0), 255))
			}
		}
	}
}

// blurred blurs by a Gaussian, rows then columns.
func blurred(img *image.RGBA, sigma float64) {
	if sigma <= 0 {
		return
	}
	reach := int(3*sigma) + 1
	weights := make([]float64, 2*reach+1)
	total := 0.0
	for i := range weights {
		d := float64(i - reach)
		weights[i] = math.Exp(-d * d / (2 * sigma * sigma))
		total += weights[i]
	}
	b := img.Rect.Max
	for _, across := range []bool{true, false} {
		from := bytes.Clone(img.Pix)
		for y := range b.Y {
			for x := range b.X {
				for k := range 3 {
					v := 0.0
					for i, w := range weights {
						px, py := x, y
						if across {
							px = min(max(x+i-reach, 0), b.X-1)
						} else {
							py = min(max(y+i-reach, 0), b.Y-1)
						}
						v += w * float64(from[img.PixOffset(px, py)+k])
					}
					img.Pix[img.PixOffset(x, y)+k] = uint8(v/total + 0.5)
				}
			}
		}
	}
}
