package seal_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/seal"
)

// sampleText gives the text of a seal with the given number of bytes in a TLV.
func sampleText(t testing.TB, prefix string, extra int) string {
	t.Helper()
	s := sample(t)
	for typ := byte(1); extra > 0; typ++ {
		s.Extra = append(s.Extra, seal.TLV{Type: typ, Value: bytes.Repeat([]byte{typ}, min(extra, 255))})
		extra -= min(extra, 255)
	}
	text, err := seal.Text(prefix, signed(t, s, signers(t)["Ed25519"]))
	require.NoError(t, err)
	return text
}

func TestSymbolVersions(t *testing.T) {
	longest := "HTTPS://STAMP.EXAMPLE.ORG/S/"
	require.Len(t, longest, seal.MaxPrefix)
	cases := []struct {
		prefix  string
		extra   int
		level   seal.Level
		version int
	}{
		{"", 0, seal.LevelM, 8},
		{longest, 0, seal.LevelM, 8},
		{"", 0, seal.LevelQ, 10},
		{longest, 0, seal.LevelQ, 10},
		{longest, 40, seal.LevelM, 10},
		{longest, 378, seal.LevelM, 18},
		{longest, 378, seal.LevelQ, 22},
	}
	for _, c := range cases {
		y, err := seal.NewSymbolLevel(sampleText(t, c.prefix, c.extra), c.level)
		require.NoError(t, err)
		require.Equal(t, c.version, y.Version(), "%+v", c)
		require.Equal(t, 17+4*c.version, y.Size())
		require.True(t, y.Dark(0, 0) && y.Dark(y.Size()-1, 0) && y.Dark(0, y.Size()-1), "finder patterns")
		require.False(t, y.Dark(-1, 0) || y.Dark(0, -1) || y.Dark(y.Size(), 0) || y.Dark(0, y.Size()), "outside")
	}
}

func TestKnownSymbol(t *testing.T) {
	y, err := seal.NewSymbol(knownText)
	require.NoError(t, err)
	var b strings.Builder
	for row := range y.Size() {
		for x := range y.Size() {
			b.WriteString(map[bool]string{true: "#", false: "."}[y.Dark(x, row)])
		}
	}
	sum := sha256.Sum256([]byte(b.String()))
	require.Equal(t, knownSymbol, hex.EncodeToString(sum[:]))
}

func TestSymbolRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "lower case": "https://a/1", "letters": "ABC", "leading zero": "01",
		"too many digits": strings.Repeat("9", 1235), "a megabyte": strings.Repeat("9", 1<<20),
		"white space": " 1",
	} {
		_, err := seal.NewSymbol(text)
		var bad *seal.TextError
		require.ErrorAs(t, err, &bad, name)
		_, err = seal.PNG(text, 400)
		require.ErrorAs(t, err, &bad, name)
	}
	_, err := seal.NewSymbolLevel("123", seal.Level(7))
	var size *seal.SizeError
	require.ErrorAs(t, err, &size)
}

// rectangles reads what AppendPath wrote: the transformation and the path.
func rectangles(t testing.TB, content string) (cm [6]float64, rects [][4]float64) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(content, "\n"), "\n")
	require.Regexp(t, `^q .* cm$`, lines[0])
	require.Equal(t, "f Q", lines[len(lines)-1])
	for i, field := range strings.Fields(strings.TrimSuffix(lines[0], " cm"))[1:] {
		v, err := strconv.ParseFloat(field, 64)
		require.NoError(t, err)
		cm[i] = v
	}
	shape := regexp.MustCompile(`^(\d+) (\d+) (\d*\.?\d+) (\d*\.?\d+) re$`)
	for _, line := range lines[1 : len(lines)-1] {
		m := shape.FindStringSubmatch(line)
		require.NotNil(t, m, line)
		var r [4]float64
		for i := range r {
			r[i], _ = strconv.ParseFloat(m[i+1], 64)
		}
		rects = append(rects, r)
	}
	return cm, rects
}

// The filled area must be exactly the dark modules less half of the shrinkage
// on every outer edge: a point is dark when the square of that half width
// around it touches dark modules only.
func TestPathIsTheErodedSymbol(t *testing.T) {
	const module, shrink = 1.25, 0.125 // a cut of 0.1 modules
	const steps = 20                   // points a module
	for _, extra := range []int{0, 120} {
		y, err := seal.NewSymbol(sampleText(t, "HTTPS://STAMP.EXAMPLE/S/", extra))
		require.NoError(t, err)
		cm, rects := rectangles(t, string(y.AppendPath(nil, 10, 20, module, shrink)))
		require.Equal(t, [4]float64{module, 0, 0, -module}, [4]float64(cm[:4]))
		require.InDelta(t, 10+shrink/2, cm[4], 0.001)
		require.InDelta(t, 20+module*float64(y.Size())-shrink/2, cm[5], 0.001)

		// Points lie at odd multiples of half a step: never on an edge.
		n := y.Size() * steps
		painted := make([]bool, n*n)
		const cut = shrink / module
		for _, r := range rects {
			for py := range n {
				v := (float64(py)+0.5)/steps - cut/2 - r[1]
				if v < 0 || v > r[3] {
					continue
				}
				for px := int(r[0] * steps); px < n && (float64(px)+0.5)/steps-cut/2 < r[0]+r[2]; px++ {
					if (float64(px)+0.5)/steps-cut/2 > r[0] {
						painted[py*n+px] = true
					}
				}
			}
		}
		for py := range n {
			for px := range n {
				want := true
				for _, d := range [][2]float64{{-1, -1}, {-1, 1}, {1, -1}, {1, 1}} {
					mx := int(((float64(px)+0.5)/steps + d[0]*cut/2) + 1)
					my := int(((float64(py)+0.5)/steps + d[1]*cut/2) + 1)
					want = want && y.Dark(mx-1, my-1)
				}
				if painted[py*n+px] != want {
					require.Failf(t, "path differs", "at module %.3f, %.3f: painted %v", (float64(px)+.5)/steps, (float64(py)+.5)/steps, !want)
				}
			}
		}
	}
}

func TestPathBounds(t *testing.T) {
	y, err := seal.NewSymbol(sampleText(t, "", 0))
	require.NoError(t, err)
	for _, shrink := range []float64{-1, 0, 5} {
		_, rects := rectangles(t, string(y.AppendPath(nil, 0, 0, 1.2755, shrink)))
		for _, r := range rects {
			require.Greater(t, min(r[2], r[3]), 0.5)
			require.LessOrEqual(t, r[0]+r[2], float64(y.Size()))
			require.LessOrEqual(t, r[1]+r[3], float64(y.Size()))
		}
	}
	require.Equal(t, "x", string(y.AppendPath([]byte("x"), 0, 0, 1, 0)[:1]), "appends")
}

func TestPNG(t *testing.T) {
	text := sampleText(t, "HTTPS://STAMP.EXAMPLE/S/", 0)
	b, err := seal.PNG(text, 300)
	require.NoError(t, err)
	config, err := png.DecodeConfig(bytes.NewReader(b))
	require.NoError(t, err)
	require.Equal(t, [2]int{300, 300}, [2]int{config.Width, config.Height})
	for _, pixels := range []int{-4, 0, 100, 4097, 1 << 31} {
		_, err := seal.PNG(text, pixels)
		var size *seal.SizeError
		require.ErrorAs(t, err, &size)
		require.NotEmpty(t, size.Error())
	}
}

// zbar reads an image with zbarimg, an independent reader.
func zbar(t *testing.T, image []byte) string {
	t.Helper()
	tool, err := exec.LookPath("zbarimg")
	if err != nil {
		t.Skip("zbarimg (Debian package zbar-tools) is not installed: symbols are not read back")
	}
	file := filepath.Join(t.TempDir(), "symbol.png")
	require.NoError(t, os.WriteFile(file, image, 0o600))
	out, err := exec.Command(tool, "--raw", "-q", "-Sdisable", "-Sqrcode.enable", file).Output()
	require.NoError(t, err)
	return strings.TrimSuffix(string(out), "\n")
}

// draw paints a symbol, 4 pixels a module.
func draw(t *testing.T, y *seal.Symbol) []byte {
	t.Helper()
	n := y.Size() + 2*seal.Quiet
	m := image.NewGray(image.Rect(0, 0, 4*n, 4*n))
	for py := range 4 * n {
		for px := range 4 * n {
			if !y.Dark(px/4-seal.Quiet, py/4-seal.Quiet) {
				m.SetGray(px, py, color.Gray{Y: 255})
			}
		}
	}
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, m))
	return b.Bytes()
}

// The two ways to draw a symbol hold the same text.
func TestReadersSeeTheSameText(t *testing.T) {
	for _, extra := range []int{0, 1, 30, 100, 255, 378} {
		for _, prefix := range []string{"", "HTTPS://STAMP.EXAMPLE/S/"} {
			text := sampleText(t, prefix, extra)
			image, err := seal.PNG(text, 700)
			require.NoError(t, err)
			require.Equal(t, text, zbar(t, image))
			for _, level := range []seal.Level{seal.LevelM, seal.LevelQ} {
				y, err := seal.NewSymbolLevel(text, level)
				require.NoError(t, err)
				require.Equal(t, text, zbar(t, draw(t, y)), "version %d", y.Version())
			}
		}
	}
}

// The plans of the versions are made on first use: by several at once too.
func TestSymbolsAtOnce(t *testing.T) {
	text := sampleText(t, "HTTPS://STAMP.EXAMPLE/S/", 60)
	made := make(chan *seal.Symbol)
	for range 8 {
		go func() {
			y, _ := seal.NewSymbol(text)
			made <- y
		}()
	}
	first := <-made
	require.NotNil(t, first)
	for range 7 {
		require.Equal(t, first, <-made)
	}
}
