package scan_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"rsc.io/qr"

	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/verify/scan"
)

// TestPage: several stamps of different sizes among text, one of them blurred away,
// and a symbol that is no seal.
func TestPage(t *testing.T) {
	p := newPaper(150, 110)
	low, high, right := sealed(t, 1, 0), sealed(t, 2, 60), sealed(t, 3, 0)
	p.print(symbolOf(t, low), 10, 70, 0.45)
	p.print(symbolOf(t, high), 10, 8, 0.5)
	p.print(symbolOf(t, right), 100, 40, 0.9)
	for _, turn := range []float64{0, 91, 183} {
		img := picture(t, p, way{turn: turn, blur: 0.08, noise: 6, quality: 75}, 150, rand.New(rand.NewPCG(1, 1)))
		other, err := qr.Encode("https://example.org/other", qr.M)
		require.NoError(t, err)
		both := image.NewRGBA(image.Rect(0, 0, img.Bounds().Dx(), img.Bounds().Dy()+200))
		draw.Draw(both, both.Rect, image.White, image.Point{}, draw.Src)
		draw.Draw(both, img.Bounds(), img, image.Point{}, draw.Src)
		for y := range 4 * other.Size {
			for x := range 4 * other.Size {
				if other.Black(x/4, y/4) {
					both.Set(30+x, img.Bounds().Dy()+40+y, color.Black)
				}
			}
		}
		texts, err := scan.Image(context.Background(), both, nil)
		require.NoError(t, err)
		want := []string{high, right, low, "https://example.org/other"}
		if turn > 0 {
			require.ElementsMatch(t, want, texts)
			require.Equal(t, want[3], texts[3], "seals stand first")
		} else {
			require.Equal(t, want, texts)
		}
	}
}

func TestNothingThere(t *testing.T) {
	img := picture(t, newPaper(60, 40), way{noise: 4}, 150, rand.New(rand.NewPCG(1, 1)))
	texts, err := scan.Image(context.Background(), img, nil)
	require.NoError(t, err)
	require.Empty(t, texts)
}

// own is an image of a type that nobody knows.
type own struct{ image.Image }

// TestKindsOfImages: what decoders give, and what callers may have.
func TestKindsOfImages(t *testing.T) {
	text := sealed(t, 7, 0)
	b, err := seal.PNG(text, 300)
	require.NoError(t, err)
	src, err := png.Decode(bytes.NewReader(b))
	require.NoError(t, err)
	at := image.Rect(-40, 13, 260, 313)
	copied := func(dst draw.Image) image.Image {
		draw.Draw(dst, at, src, image.Point{}, draw.Src)
		return dst
	}
	large := image.NewGray(at.Inset(-50))
	draw.Draw(large, large.Rect, image.White, image.Point{}, draw.Src)
	clear := image.NewNRGBA(at)
	for y := range 300 {
		for x := range 300 {
			if r, _, _, _ := src.At(x, y).RGBA(); r == 0 {
				clear.Set(at.Min.X+x, at.Min.Y+y, color.NRGBA{0, 0, 0, 255})
			}
		}
	}
	var j bytes.Buffer
	require.NoError(t, jpeg.Encode(&j, src, nil))
	gray, err := jpeg.Decode(bytes.NewReader(j.Bytes()))
	require.NoError(t, err)
	j.Reset()
	require.NoError(t, jpeg.Encode(&j, copied(image.NewRGBA(at)), nil))
	colour, err := jpeg.Decode(&j)
	require.NoError(t, err)
	for name, img := range map[string]image.Image{
		"gray":          copied(image.NewGray(at)),
		"gray, 16 bits": copied(image.NewGray16(at)),
		"RGBA":          copied(image.NewRGBA(at)),
		"NRGBA":         copied(image.NewNRGBA(at)),
		"RGBA, 16 bits": copied(image.NewRGBA64(at)),
		"CMYK":          copied(image.NewCMYK(at)),
		"palette":       copied(image.NewPaletted(at, color.Palette{color.White, color.Black})),
		"cut out":       copied(large).(*image.Gray).SubImage(at.Inset(-3)),
		"dark on clear": clear,
		"gray JPEG":     gray,
		"colour JPEG":   colour,
		"own type":      own{src},
	} {
		texts, err := scan.Image(context.Background(), img, nil)
		require.NoError(t, err, name)
		require.Equal(t, []string{text}, texts, name)
	}
}

// mirror is an image seen from behind.
type mirror struct{ image.Image }

func (m mirror) At(x, y int) color.Color { return m.Image.At(m.Bounds().Max.X-1-x+m.Bounds().Min.X, y) }

func TestMirrored(t *testing.T) {
	text := sealed(t, 8, 0)
	b, err := seal.PNG(text, 240)
	require.NoError(t, err)
	src, err := png.Decode(bytes.NewReader(b))
	require.NoError(t, err)
	texts, err := scan.Image(context.Background(), mirror{src}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{text}, texts)
}

func TestFiles(t *testing.T) {
	text := sealed(t, 9, 0)
	b, err := seal.PNG(text, 400)
	require.NoError(t, err)
	img, err := png.Decode(bytes.NewReader(b))
	require.NoError(t, err)
	var j bytes.Buffer
	require.NoError(t, jpeg.Encode(&j, img, &jpeg.Options{Quality: 40}))
	for _, file := range [][]byte{b, j.Bytes()} {
		for _, r := range []io.Reader{bytes.NewReader(file), iotest.OneByteReader(bytes.NewReader(file)), iotest.DataErrReader(bytes.NewReader(file))} {
			texts, err := scan.Seals(context.Background(), r, nil)
			require.NoError(t, err)
			require.Equal(t, []string{text}, texts)
		}
	}
}

// pngOf makes the beginning of a PNG file of that size.
func pngOf(w, h uint32) []byte {
	chunk := append([]byte("IHDR"), binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)...)
	chunk = append(chunk, 8, 0, 0, 0, 0)
	b := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	return binary.BigEndian.AppendUint32(append(b, chunk...), crc32.ChecksumIEEE(chunk))
}

// jpegOf makes the beginning of a JPEG file of that size.
func jpegOf(w, h uint16) []byte {
	return []byte{0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, byte(h >> 8), byte(h), byte(w >> 8), byte(w), 1, 1, 0x11, 0, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0}
}

// TestHostileFiles: refused with a typed error, and before memory is taken.
func TestHostileFiles(t *testing.T) {
	good, err := seal.PNG(sealed(t, 1, 0), 200)
	require.NoError(t, err)
	size, format := new(*scan.SizeError), new(*scan.FormatError)
	for name, c := range map[string]struct {
		file []byte
		want any
	}{
		"empty":                     {nil, format},
		"one byte":                  {[]byte{0x89}, format},
		"PDF":                       {[]byte("%PDF-1.7\n"), format},
		"GIF":                       {[]byte("GIF89a\x01\x00\x01\x00"), format},
		"PNG, 2^31 pixels":          {pngOf(1<<16, 1<<15), size},
		"PNG, 2^31-1 a side":        {pngOf(1<<31-1, 1<<31-1), format}, // more than the decoder can count
		"PNG, 2^31-1 in a row":      {pngOf(1<<31-1, 1), size},
		"PNG, 2^32-1 a side":        {pngOf(1<<32-1, 1<<32-1), format},
		"PNG, zero height":          {pngOf(100, 0), format},
		"PNG, zero width":           {pngOf(0, 100), format},
		"PNG without pixels":        {pngOf(6000, 6000), format},
		"PNG, cut off":              {good[:len(good)/2], format},
		"JPEG, 65,535 a side":       {jpegOf(65535, 65535), size},
		"JPEG, zero height":         {jpegOf(100, 0), format},
		"JPEG, zero width":          {jpegOf(0, 100), format},
		"JPEG without pixels":       {jpegOf(5000, 5000), format},
		"JPEG, only the first mark": {[]byte{0xff, 0xd8, 0xff}, format},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			texts, err := scan.Seals(context.Background(), bytes.NewReader(c.file), nil)
			runtime.ReadMemStats(&after)
			require.ErrorAs(t, err, c.want)
			require.NotEmpty(t, err.Error())
			require.Nil(t, texts)
			if c.want == any(size) {
				require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), "nothing is decoded")
			}
		})
	}
	for n := range len(good) - 12 { // the last chunk has no content
		_, err := scan.Seals(context.Background(), bytes.NewReader(good[:n]), nil)
		require.ErrorAs(t, err, format, n)
	}
}

// TestLimits: the caller's own.
func TestLimits(t *testing.T) {
	text := sealed(t, 1, 0)
	good, err := seal.PNG(text, 200)
	require.NoError(t, err)
	var size *scan.SizeError
	for _, opt := range []*scan.Options{{MaxPixels: 200*200 - 1}, {MaxBytes: int64(len(good) - 12)}} {
		_, err = scan.Seals(context.Background(), bytes.NewReader(good), opt)
		require.ErrorAs(t, err, &size)
	}
	texts, err := scan.Seals(context.Background(), bytes.NewReader(good), &scan.Options{MaxPixels: 200 * 200, MaxBytes: int64(len(good))})
	require.NoError(t, err)
	require.Equal(t, []string{text}, texts)
	_, err = scan.Image(context.Background(), image.NewGray(image.Rect(0, 0, 7000, 7000)), nil)
	require.ErrorAs(t, err, &size)
	_, err = scan.Image(context.Background(), &image.Gray{Rect: image.Rect(0, 0, 1<<40, 1<<40)}, nil)
	require.ErrorAs(t, err, &size)
	var format *scan.FormatError
	_, err = scan.Image(context.Background(), image.NewGray(image.Rectangle{}), nil)
	require.ErrorAs(t, err, &format)
}

// endless gives the beginning of an image and then the same byte for ever.
type endless struct{ io.Reader }

func (e endless) Read(p []byte) (int, error) {
	if n, err := e.Reader.Read(p); err == nil {
		return n, nil
	}
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

var errDisk = errors.New("disk on fire")

func TestReaders(t *testing.T) {
	good, err := seal.PNG(sealed(t, 1, 0), 200)
	require.NoError(t, err)
	var size *scan.SizeError
	_, err = scan.Seals(context.Background(), endless{bytes.NewReader([]byte{0xff, 0xd8})}, &scan.Options{MaxBytes: 1 << 20})
	require.ErrorAs(t, err, &size)
	for n := range 40 {
		_, err = scan.Seals(context.Background(), io.MultiReader(bytes.NewReader(good[:n]), iotest.ErrReader(errDisk)), nil)
		require.ErrorIs(t, err, errDisk, n)
	}
}

// counting cancels its context at the n-th row that is looked at.
type counting struct {
	*image.Gray
	n      int
	cancel func()
}

func (c *counting) At(x, y int) color.Color {
	if c.n--; c.n == 0 {
		c.cancel()
	}
	return c.Gray.At(x, y)
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	good, err := seal.PNG(sealed(t, 1, 0), 200)
	require.NoError(t, err)
	_, err = scan.Seals(ctx, bytes.NewReader(good), nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = scan.Image(ctx, image.NewGray(image.Rect(0, 0, 100, 100)), nil)
	require.ErrorIs(t, err, context.Canceled)
	ctx, cancel = context.WithCancel(context.Background())
	c := &counting{image.NewGray(image.Rect(0, 0, 1000, 1000)), 1000, cancel}
	_, err = scan.Image(ctx, c, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.Greater(t, c.n, -70_000, "it stops after the rows at hand")
}

// TestHostileImages: patterns that look like corners of symbols everywhere. What is
// tried of them is bounded, so the memory for a pixel is.
func TestHostileImages(t *testing.T) {
	const w, h = 1200, 900
	corner := []string{"#######", "#.....#", "#.###.#", "#.###.#", "#.###.#", "#.....#", "#######", "......."}
	grain := rand.New(rand.NewPCG(3, 4))
	for name, dark := range map[string]func(x, y int) bool{
		"corners everywhere": func(x, y int) bool { x /= 2; y /= 2; return x%8 < 7 && y%8 < 7 && corner[y%8][x%8] == '#' },
		"corners with room":  func(x, y int) bool { x /= 3; y /= 3; return x%24 < 7 && y%24 < 7 && corner[y%24][x%24] == '#' },
		"stripes":            func(x, y int) bool { return "#.###.#."[x/2%8] == '#' },
		"chess":              func(x, y int) bool { return (x/3+y/3)%2 == 0 },
		"grain":              func(x, y int) bool { return grain.IntN(2) == 0 },
		"rings":              func(x, y int) bool { return "##..##"[((x-600)*(x-600)+(y-450)*(y-450))/900%6] == '#' },
		"black":              func(x, y int) bool { return true },
	} {
		t.Run(name, func(t *testing.T) {
			img := image.NewGray(image.Rect(0, 0, w, h))
			for i := range img.Pix {
				if !dark(i%w, i/w) {
					img.Pix[i] = 255
				}
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			texts, err := scan.Image(context.Background(), img, nil)
			runtime.ReadMemStats(&after)
			require.NoError(t, err)
			require.Empty(t, texts)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(60*w*h), "bytes taken in all")
		})
	}
}

// FuzzSeals: any file at all.
func FuzzSeals(f *testing.F) {
	good, err := seal.PNG(sealed(f, 1, 0), 150)
	require.NoError(f, err)
	img, err := png.Decode(bytes.NewReader(good))
	require.NoError(f, err)
	var j bytes.Buffer
	require.NoError(f, jpeg.Encode(&j, img, nil))
	f.Add(good)
	f.Add(j.Bytes())
	f.Add(pngOf(1<<16, 1<<15))
	f.Add(jpegOf(16, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		texts, err := scan.Seals(context.Background(), bytes.NewReader(b), &scan.Options{MaxPixels: 200 * 200})
		var size *scan.SizeError
		var format *scan.FormatError
		require.True(t, err == nil || errors.As(err, &size) || errors.As(err, &format))
		require.True(t, err == nil || texts == nil)
	})
}

// FuzzImage: any pixels, in rows of any length; a symbol lies under them.
func FuzzImage(f *testing.F) {
	good, err := seal.PNG(sealed(f, 1, 0), 150)
	require.NoError(f, err)
	src, err := png.Decode(bytes.NewReader(good))
	require.NoError(f, err)
	f.Add([]byte{0, 255, 0, 0, 0, 255, 0}, 150, 0)
	f.Add(bytes.Repeat([]byte{200, 1}, 40), 97, 5000)
	f.Fuzz(func(t *testing.T, b []byte, w, from int) {
		w = 1 + int(uint(w)%300)
		img := image.NewGray(image.Rect(0, 0, w, 1+22500/w))
		draw.Draw(img, img.Rect, src, image.Point{}, draw.Src)
		copy(img.Pix[int(uint(from)%uint(len(img.Pix))):], b)
		_, err := scan.Image(context.Background(), img, nil)
		require.NoError(t, err)
	})
}
