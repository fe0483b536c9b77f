package artwork_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign/internal/artwork"
	"github.com/seed-574216e4/meterai/sign/seal"
)

// stamp gives the input of stamp i, its box the default one, and the text of
// its symbol; extra is the length of a TLV.
func stamp(t testing.TB, i uint64, extra int) (*artwork.Input, string) {
	t.Helper()
	scheme, err := serial.NewScheme('T', "QA", sha256.Sum256([]byte("scheme of the artwork tests")))
	require.NoError(t, err)
	number, err := scheme.Number(i)
	require.NoError(t, err)
	s := &seal.Seal{
		Serial:         number,
		Issued:         time.Date(2026, 11, 21, 8, 0, int(i), 0, time.UTC),
		Value:          10000,
		DocumentLength: 62345,
		DocumentDigest: sha256.Sum256([]byte{byte(i)}),
	}
	if extra > 0 {
		s.Extra = []seal.TLV{{Type: 1, Value: bytes.Repeat([]byte{0xa5}, extra)}}
	}
	encoded, err := s.Sign(ed25519.NewKeyFromSeed(make([]byte, 32)))
	require.NoError(t, err)
	text, err := seal.Text("HTTPS://STAMP.EXAMPLE/S/", encoded)
	require.NoError(t, err)
	symbol, err := seal.NewSymbol(text)
	require.NoError(t, err)
	w, h := artwork.DefaultSize(symbol.Size())
	return &artwork.Input{
		Width: w, Height: h, Symbol: symbol, Serial: number,
		Figures: "10000", Words: artwork.Words(10000),
	}, text
}

func appended(t testing.TB, in *artwork.Input) string {
	t.Helper()
	b, err := artwork.Append(nil, in)
	require.NoError(t, err)
	return string(b)
}

func TestDefaultSize(t *testing.T) {
	in, _ := stamp(t, 1, 0)
	require.InDelta(t, 153, in.Width, 0.01)
	require.InDelta(t, 81, in.Height, 0.01)
	zero := *in
	zero.Width, zero.Height = 0, 0
	require.Equal(t, appended(t, in), appended(t, &zero))
	big, _ := stamp(t, 1, 200)
	require.Greater(t, big.Width, in.Width+20, "a larger version needs a larger box")
}

func TestSizeRules(t *testing.T) {
	for _, extra := range []int{0, 200} {
		in, _ := stamp(t, 1, extra)
		for _, upright := range []bool{false, true} {
			w, h := artwork.MinSize(in.Symbol.Size(), upright)
			require.Equal(t, upright, h > w)
			in.Width, in.Height = w, h
			_, err := artwork.Append(nil, in)
			require.NoError(t, err, "the least box itself")
			in.Width, in.Height = math.Round(w*100)/100, math.Round(h*100)/100
			_, err = artwork.Append(nil, in)
			require.NoError(t, err, "the least box rounded")
			for _, less := range [][2]float64{{w - 0.5, h}, {w, h - 0.5}} {
				in.Width, in.Height = less[0], less[1]
				_, err := artwork.Append(nil, in)
				var size *artwork.SizeError
				require.ErrorAs(t, err, &size)
				require.InDelta(t, w, size.MinWidth, 0.001)
				require.InDelta(t, h, size.MinHeight, 0.001)
				require.Contains(t, size.Error(), "too small")
			}
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	good, _ := stamp(t, 1, 0)
	nan, inf := math.NaN(), math.Inf(1)
	for _, box := range [][2]float64{{54, 54}, {-153, -81}, {153, 0}, {0, 81}, {nan, 81}, {153, nan}, {inf, inf}, {inf, 81}, {15000, 15000}} {
		in := *good
		in.Width, in.Height = box[0], box[1]
		_, err := artwork.Append(nil, &in)
		var size *artwork.SizeError
		require.ErrorAs(t, err, &size, "%v", box)
	}
	for name, change := range map[string]func(*artwork.Input){
		"no figures":      func(in *artwork.Input) { in.Figures = "" },
		"no words":        func(in *artwork.Input) { in.Words = "" },
		"long figures":    func(in *artwork.Input) { in.Figures = strings.Repeat("1", 25) },
		"long words":      func(in *artwork.Input) { in.Words = strings.Repeat("A", 201) },
		"control":         func(in *artwork.Input) { in.Words = "A\nB" },
		"not Latin-1":     func(in *artwork.Input) { in.Words = "\u4e00" },
		"invalid UTF-8":   func(in *artwork.Input) { in.Figures = "1\xff" },
		"outside the BMP": func(in *artwork.Input) { in.Figures = "\U0001f600" },
	} {
		in := *good
		change(&in)
		_, err := artwork.Append(nil, &in)
		var text *artwork.TextError
		require.ErrorAs(t, err, &text, name)
		require.NotEmpty(t, text.Error())
	}
	for _, in := range []artwork.Input{{Serial: good.Serial}, {Symbol: good.Symbol}} {
		in.Figures, in.Words = "1", "1"
		_, err := artwork.Append(nil, &in)
		require.True(t, errors.Is(err, artwork.ErrIncomplete))
	}
}

// mark is a point of a path.
type mark struct{ x, y float64 }

// interpret runs a content stream, checks its grammar and gives the points of
// its paths in the space of the form.
func interpret(t testing.TB, content string) (marks []mark) {
	t.Helper()
	operands := map[string]int{
		"q": 0, "Q": 0, "cm": 6, "cs": -1, "CS": -1, "sc": 3, "SC": 3, "w": 1, "J": 1, "d": -1,
		"re": 4, "m": 2, "l": 2, "c": 6, "h": 0, "f": 0, "f*": 0, "S": 0, "s": 0,
	}
	ctm := [6]float64{1, 0, 0, 1, 0, 0}
	var stack [][6]float64
	var args []float64
	names := 0
	add := func(x, y float64) {
		marks = append(marks, mark{ctm[0]*x + ctm[2]*y + ctm[4], ctm[1]*x + ctm[3]*y + ctm[5]})
	}
	dash := regexp.MustCompile(`\[[^\]]*\] 0 d`)
	for _, token := range strings.Fields(dash.ReplaceAllString(content, "")) {
		if v, err := strconv.ParseFloat(token, 64); err == nil {
			args = append(args, v)
			continue
		}
		if token == "/C" {
			names++
			continue
		}
		n, known := operands[token]
		require.True(t, known, "operator %q", token)
		if n < 0 {
			require.Equal(t, 1, names, token)
		} else {
			require.Len(t, args, n, token)
		}
		switch token {
		case "q":
			stack = append(stack, ctm)
		case "Q":
			require.NotEmpty(t, stack)
			ctm, stack = stack[len(stack)-1], stack[:len(stack)-1]
		case "cm":
			a, c := args, ctm
			ctm = [6]float64{
				a[0]*c[0] + a[1]*c[2], a[0]*c[1] + a[1]*c[3],
				a[2]*c[0] + a[3]*c[2], a[2]*c[1] + a[3]*c[3],
				a[4]*c[0] + a[5]*c[2] + c[4], a[4]*c[1] + a[5]*c[3] + c[5],
			}
		case "re":
			add(args[0], args[1])
			add(args[0]+args[2], args[1]+args[3])
		case "m", "l", "c":
			for i := 0; i < len(args); i += 2 {
				add(args[i], args[i+1])
			}
		}
		args, names = args[:0], 0
	}
	require.Empty(t, stack, "q without Q")
	require.Empty(t, args)
	return marks
}

// boxes are boxes of all kinds, by version of the symbol.
func boxes(in *artwork.Input) [][2]float64 {
	w, h := artwork.MinSize(in.Symbol.Size(), true)
	return [][2]float64{{in.Width, in.Height}, {w, h}, {w * 1.1, h * 1.2}, {400, 160}, {300, 500}, {1000, 1000}}
}

func TestEverythingStaysInTheBoxAndOffTheSymbol(t *testing.T) {
	long := []string{artwork.Words(10000), artwork.Words(3777777777), "ONE", strings.Repeat("W", 200), strings.Repeat("A ", 100), "\u00c9T\u00c9 \u00fcber"}
	for _, extra := range []int{0, 100, 255} {
		in, _ := stamp(t, 3, extra)
		for _, box := range boxes(in) {
			for i, words := range long {
				in := *in
				in.Width, in.Height = box[0], box[1]
				in.Words, in.Specimen = words, i%2 == 1
				in.Figures = []string{"10000", "3777777777", "1", strings.Repeat("8", 24), "10.000,00", "\u00a3 5"}[i]
				content := appended(t, &in)
				for _, m := range interpret(t, content) {
					require.True(t, m.x > -0.02 && m.x < in.Width+0.02 && m.y > -0.02 && m.y < in.Height+0.02,
						"%v outside %v", m, box)
				}
				offSymbol(t, &in, content)
			}
		}
	}
}

// offSymbol checks that only the symbol's own path, the last one, has points
// in the symbol and its quiet zone, and that its modules are large enough.
func offSymbol(t testing.TB, in *artwork.Input, content string) {
	t.Helper()
	cut := strings.LastIndex(content, "q ")
	symbol := interpret(t, content[cut:])
	left, bottom, right, top := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, m := range symbol {
		left, right = min(left, m.x), max(right, m.x)
		bottom, top = min(bottom, m.y), max(top, m.y)
	}
	module := (right - left) / float64(in.Symbol.Size())
	require.GreaterOrEqual(t, module*25.4/72, 0.399)
	require.InDelta(t, right-left, top-bottom, 0.01)
	quiet := 4 * module * 0.999
	for _, m := range interpret(t, content[:cut]) {
		if m.x > left-quiet && m.x < right+quiet && m.y > bottom-quiet && m.y < top+quiet {
			require.Failf(t, "artwork in the symbol", "%v", m)
		}
	}
}

func TestColoursAreIndependentOfTheDevice(t *testing.T) {
	resources := string(artwork.Resources())
	require.Contains(t, resources, "/CalRGB")
	require.NotContains(t, resources, "/Device")
	require.Equal(t, strings.Count(resources, "<<"), strings.Count(resources, ">>"))
	in, _ := stamp(t, 1, 0)
	for _, specimen := range []bool{false, true} {
		in.Specimen = specimen
		fields := strings.Fields(appended(t, in))
		for _, operator := range []string{"g", "G", "rg", "RG", "k", "K", "Do", "BI", "sh", "gs", "scn", "SCN", "BT", "Tf", "ri"} {
			require.False(t, slices.Contains(fields, operator), operator)
		}
	}
}

func TestContent(t *testing.T) {
	in, _ := stamp(t, 1, 0)
	plain := appended(t, in)
	require.Equal(t, plain, appended(t, in), "the same input, the same bytes")
	require.Less(t, len(plain), 26<<10)
	marked := *in
	marked.Specimen = true
	require.NotEqual(t, plain, appended(t, &marked))
	other, _ := stamp(t, 2, 0)
	other.Symbol = in.Symbol
	require.NotEqual(t, plain, appended(t, other), "the serial number is drawn")
	b, err := artwork.Append([]byte("before "), in)
	require.NoError(t, err)
	require.Equal(t, "before "+plain, string(b))
}

func BenchmarkAppend(b *testing.B) {
	in, text := stamp(b, 1, 0)
	dst := make([]byte, 0, 32<<10)
	b.Run("drawing", func(b *testing.B) {
		b.ReportAllocs()
		var err error
		for b.Loop() {
			if dst, err = artwork.Append(dst[:0], in); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(dst)), "content-bytes")
	})
	b.Run("symbol and drawing", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			symbol, err := seal.NewSymbol(text)
			if err != nil {
				b.Fatal(err)
			}
			in.Symbol = symbol
			if dst, err = artwork.Append(dst[:0], in); err != nil {
				b.Fatal(err)
			}
		}
	})
}
