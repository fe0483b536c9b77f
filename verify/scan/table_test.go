package scan_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
	"github.com/stretchr/testify/require"
	"golang.org/x/image/draw"

	"github.com/seed-574216e4/meterai/verify/scan"
)

// ways are what happens to stamps between printer and reader.
func ways() []way {
	return []way{
		{name: "clean"},
		{name: "module 0.40", module: 0.40},
		{name: "with a TLV", extra: 60},
		{name: "turned 2", turn: 2},
		{name: "turned 10", turn: 10},
		{name: "turned 45", turn: 45},
		{name: "turned 90", turn: 90},
		{name: "turned 187", turn: 187},
		{name: "blur 0.10 mm", blur: 0.10},
		{name: "blur 0.15 mm", blur: 0.15},
		{name: "blur 0.20 mm", blur: 0.20},
		{name: "noise 20", noise: 20},
		{name: "noise 40", noise: 40},
		{name: "shadow", shadow: 0.7},
		{name: "perspective 10 %", tilt: 0.10, turn: 5},
		{name: "perspective 20 %", tilt: 0.20, turn: 5},
		{name: "JPEG 90", quality: 90},
		{name: "JPEG 50", quality: 50},
		{name: "JPEG 30", quality: 30},
		{name: "office scan", turn: 1.3, blur: 0.08, noise: 6, quality: 75},
		{name: "poor scan", turn: 4, blur: 0.12, noise: 15, shadow: 0.3, quality: 40},
		{name: "phone", turn: 7, tilt: 0.08, blur: 0.10, noise: 10, shadow: 0.5, quality: 60},
		{name: "blue pen 0.7 mm", ink: blue, pen: 0.7, turn: 1, blur: 0.06, quality: 80},
		{name: "blue pen 1.6 mm", ink: blue, pen: 1.6, turn: 1, blur: 0.06, quality: 80},
		{name: "red ink 1.6 mm", ink: red, pen: 1.6, turn: 1, blur: 0.06, quality: 80},
		{name: "black pen 0.4 mm", ink: black, pen: 0.4, turn: 1, blur: 0.06, quality: 80},
		{name: "black pen 0.7 mm", ink: black, pen: 0.7, turn: 1, blur: 0.06, quality: 80},
	}
}

// taken gives sample i of a way, and the text of its seal.
func taken(t testing.TB, how way, dpi, i int) (image.Image, string) {
	t.Helper()
	text := sealed(t, uint64(1000+i), how.extra)
	module := 0.45
	if how.module != 0 {
		module = how.module
	}
	p := stampOn(symbolOf(t, text), module)
	if how.pen != 0 {
		p.sign(how.ink, how.pen)
	}
	return picture(t, p, how, dpi, rand.New(rand.NewPCG(uint64(i), uint64(dpi)))), text
}

// stock reads as gozxing does by itself, at 1, 2 and 3 times the size.
func stock(img image.Image) string {
	for factor := 1; factor <= 3; factor++ {
		b := img.Bounds()
		big := image.NewGray(image.Rect(0, 0, b.Dx()*factor, b.Dy()*factor))
		draw.BiLinear.Scale(big, big.Rect, img, b, draw.Src, nil)
		bitmap, err := gozxing.NewBinaryBitmapFromImage(big)
		if err != nil {
			continue
		}
		result, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true})
		if err == nil {
			return result.GetText()
		}
	}
	return ""
}

// beyondRepair are ways that spoil more of a symbol than its level corrects.
var beyondRepair = map[string]bool{"black pen 0.7 mm": true}

// TestTable simulates print and scan. Each kind is taken once, at 150 or at 300 dpi;
// METERAI_SCAN_SAMPLES=6 takes so many samples of each, at three resolutions, and
// with -v prints how many of the seals are read, by us and by two others that read
// the same images.
func TestTable(t *testing.T) {
	c := &contest{dpis: []int{150, 300}, samples: 1}
	if n, err := strconv.Atoi(os.Getenv("METERAI_SCAN_SAMPLES")); err == nil && n > 0 {
		c.dpis, c.samples, c.others = []int{150, 200, 300}, n, true
		if c.zbar, err = exec.LookPath("zbarimg"); err != nil {
			t.Log("zbarimg (Debian package zbar-tools) is not installed: its column is empty")
		}
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%d samples each: this package, zbarimg, gozxing alone at 1, 2, 3 times the size\n%-18s", c.samples, "")
	for _, dpi := range c.dpis {
		fmt.Fprintf(&out, "  %8d dpi", dpi)
	}
	var total [3]int
	n := 0
	for i, how := range ways() {
		fmt.Fprintf(&out, "\n%-18s", how.name)
		for j, dpi := range c.dpis {
			if !c.others && (i+j)%2 == 0 {
				continue
			}
			got := c.take(t, how, dpi)
			fmt.Fprintf(&out, "  %4d%4d%4d", got[0], got[1], got[2])
			if !beyondRepair[how.name] {
				require.GreaterOrEqual(t, 10*got[0], 9*c.samples, "%s at %d dpi", how.name, dpi)
			}
			n += c.samples
			for k := range total {
				total[k] += got[k]
			}
		}
	}
	t.Logf("%s\nof %d: %d, %d, %d; %v an image, gozxing alone %v", out.String(), n, total[0], total[1], total[2],
		(c.spent / time.Duration(n)).Round(10*time.Microsecond), (c.gozxing / time.Duration(n)).Round(10*time.Microsecond))
}

// contest is what is compared.
type contest struct {
	dpis    []int
	samples int
	others  bool   // let the others read, too
	zbar    string // path; empty when there is none

	spent, gozxing time.Duration
}

// take gives how many samples of a way were read, by each.
func (c *contest) take(t *testing.T, how way, dpi int) (got [3]int) {
	for i := range c.samples {
		img, text := taken(t, how, dpi, i)
		start := time.Now()
		texts, err := scan.Image(context.Background(), img, nil)
		c.spent += time.Since(start)
		require.NoError(t, err)
		if len(texts) > 0 {
			require.Equal(t, []string{text}, texts, "a text that no seal has")
			got[0]++
		}
		if !c.others {
			continue
		}
		if c.zbar != "" && read(t, c.zbar, img) == text {
			got[1]++
		}
		start = time.Now()
		if stock(img) == text {
			got[2]++
		}
		c.gozxing += time.Since(start)
	}
	return got
}

// read runs zbarimg over an image.
func read(t testing.TB, zbar string, img image.Image) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "image.png")
	var b bytes.Buffer
	require.NoError(t, (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(&b, img))
	require.NoError(t, os.WriteFile(file, b.Bytes(), 0o600))
	got, _ := exec.Command(zbar, "--raw", "-q", "-Sdisable", "-Sqrcode.enable", file).Output() // exit code 4: no symbol
	return string(bytes.TrimSpace(got))
}
