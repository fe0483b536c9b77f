package content_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/pdf/content"
)

func deflated(data string) string { return stream("/Filter/FlateDecode", packed(data)) }

func packed(data string) string {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	_, _ = io.WriteString(w, data)
	_ = w.Close()
	return out.String()
}

// spaces is a stream of so many megabytes of white space, which two filters
// make of some hundred bytes.
func spaces(mega int) string {
	return stream("/Filter[/FlateDecode/RunLengthDecode]", packed(strings.Repeat("\x81 ", mega<<20/128)+"\x80"))
}

// white is a sheet whose content is that.
func white(mega int) sheet {
	return sheet{entries: "/Contents 5 0 R", objects: []string{spaces(mega)}}
}

// flate is a sheet whose content is packed.
func flate(data string) sheet {
	return sheet{entries: "/Contents 5 0 R", resources: helvetica, objects: []string{deflated(data)}}
}

// shows is a sheet that shows a string in font 5.
func shows(text string, objects ...string) sheet {
	return sheet{resources: "/Font<</F 5 0 R>>", content: "BT /F 10 Tf 10 10 Td " + text + " Tj ET", objects: objects}
}

const composite = "<</Subtype/Type0/Encoding/Identity-H/ToUnicode 6 0 R/DescendantFonts[7 0 R]>>"

func manyFonts() sheet {
	s := sheet{resources: "/Font<<"}
	for i := range 600 {
		s.resources += fmt.Sprintf("/F%d<</Subtype/Type1>>", i)
		s.content += fmt.Sprintf("/F%d 1 Tf ", i)
	}
	s.resources += ">>"
	return s
}

// What goes beyond a limit makes the layout truncated and names the limit; no
// free spot is claimed on it. "pdf" is a limit or rule of package pdf.
func TestHostile(t *testing.T) {
	x := strings.Repeat
	chain := sheet{resources: "/XObject<</X 5 0 R>>", content: "/X Do"}
	for i := range 100 {
		chain.objects = append(chain.objects, stream(fmt.Sprintf("/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X %d 0 R>>>>", 6+i), "/X Do"))
	}
	tree := sheet{resources: "/XObject<</X 5 0 R>>", content: "/X Do"}
	for i := range 20 {
		tree.objects = append(tree.objects, stream(fmt.Sprintf("/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X %d 0 R>>>>", 6+i), "/X Do /X Do /X Do"))
	}
	for name, test := range map[string]struct {
		s    sheet
		want string
	}{
		"100 MB of white space":       {white(100), "StreamBytes"},
		"40 MB of white space":        {white(40), "Bytes"},
		"20 MB again and again":       {sheet{entries: "/Contents[" + x("5 0 R ", 9999) + "]", objects: []string{spaces(20)}}, "Bytes"},
		"many contents":               {sheet{entries: "/Contents[" + x("4 0 R ", 20_000) + "]"}, "Streams"},
		"1,000,000 q without Q":       {flate(x("q ", 1e6)), "States"},
		"3,000,000 operators":         {flate(x("q Q ", 1_500_000)), "Operators"},
		"operands without end":        {flate(x("1 ", 1e6)), "Operands"},
		"elements without end":        {flate("[" + x("1 ", 1e6)), "Operands"},
		"names without end":           {flate(x("/", 1e6)), "Operands"},
		"nested arrays":               {flate(x("[", 1e6)), "syntax"},
		"nested dictionaries":         {flate(x("<<", 1e6)), "syntax"},
		"closing brackets":            {flate(x("]", 1e6)), "syntax"},
		"string without end":          {flate("(" + x("(", 1e6)), "syntax"},
		"string that ends in escape":  {flate("(\\"), "syntax"},
		"hexadecimal without end":     {flate("<" + x("1", 1e6)), "syntax"},
		"inline image without EI":     {flate("BI /W 1 /H 1 ID " + x("x EIx ", 1e5)), "inline image"},
		"inline images without EI":    {flate(x("BI ID ", 1e5)), "inline image"},
		"2,000,000 glyphs":            {flate("BT /F1 1 Tf (" + x("a", 2e6) + ") Tj ET"), "Glyphs"},
		"300,000 boxes":               {flate(x("1 1 9 9 re f 20 1 9 9 re f ", 150_000)), "Boxes"},
		"300,000 runs":                {flate("BT /F1 1 Tf " + x("9 0 Td (a) Tj -9 0 Td (a) Tj ", 150_000)), "Boxes"},
		"path of 300,000 parts":       {flate(x("1 1 9 9 re ", 300_000)), "Boxes"},
		"path of 300,000 lines":       {flate("0 0 m " + x("1 1 l ", 300_000) + "S"), ""},
		"300,000 annotations":         {sheet{entries: "/Annots[" + x("5 0 R ", 300_000) + "]", objects: []string{"<</Rect[0 0 9 9]>>"}}, "Boxes"},
		"number of 1,000,000 digits":  {flate(x("9", 1e6) + " 0 0 1 0 0 cm 0 0 9 9 re f"), "range"},
		"numbers that are none":       {flate("NaN 0 0 1 0 0 cm Inf 1 w +-. 0 m 1e400 0 l -inf 0 l S"), ""},
		"matrix that grows":           {flate(x("9999 0 0 9999 0 0 cm ", 1e4) + "1 1 9 9 re f"), "range"},
		"matrix of growing text":      {flate("BT /F1 99999999 Tf 99999999 0 0 99999999 0 0 Tm (a) Tj ET"), "range"},
		"text that runs away":         {flate("BT /F1 1 Tf 99999999999 Tc (aaaa) Tj ET"), "range"},
		"font of 1e30":                {flate("BT /F1 " + x("9", 30) + " Tf (aaaa) Tj ET"), "range"},
		"form that draws itself":      {sheet{resources: "/XObject<</X 5 0 R>>", content: "/X Do", objects: []string{stream("/Subtype/Form/BBox[0 0 9 9]", "/X Do /X Do")}}, "draws itself"},
		"forms in a circle":           {sheet{resources: "/XObject<</X 5 0 R/Y 6 0 R>>", content: "/X Do", objects: []string{stream("/Subtype/Form/BBox[0 0 9 9]", "/Y Do"), stream("/Subtype/Form/BBox[0 0 9 9]", "/X Do")}}, "draws itself"},
		"forms 100 deep":              {chain, "Forms"},
		"forms that double":           {tree, "Operators"},
		"a damaged form":              {sheet{resources: "/XObject<</X 5 0 R>>", content: "/X Do", objects: []string{stream("/Subtype/Form/BBox[0 0 9 9]/Filter/FlateDecode", "no zlib")}}, "pdf"},
		"an unknown filter":           {sheet{entries: "/Contents 5 0 R", objects: []string{stream("/Filter/JBIG2Decode", "x")}}, "pdf"},
		"contents of another type":    {sheet{entries: "/Contents/Name"}, "pdf"},
		"resources of another type":   {sheet{resources: "/Font[1 2]"}, "pdf"},
		"an annotation without sense": {sheet{entries: "/Annots[<</Rect[1 2]>>]"}, "pdf"},
		"widths without sense":        {shows("(a)", "<</Subtype/Type1/FirstChar -9"+x("0", 30)+"/Widths[/A]>>"), "range"},
		"huge W":                      {shows("<0001>", composite, "null", "<</W[0["+x("9 ", 900_000)+"]0["+x("9 ", 90_000)+"]]>>"), ""},
		"W twice":                     {shows("<0001>", composite, "null", "<</W[0 8 0 R 0 8 0 R]>>", "["+x("9 ", 999_000)+"]"), "FontEntries"},
		"W of odd shape":              {shows("<0001>", composite, "null", "<</W[[1]2 -9 70000 5 5 1 2 3 4]/DW 9"+x("0", 99)+">>"), "range"},
		"CMap of chars":               {shows("<0001>", composite, deflated(x("<0001><0041>", 40_000)+"endbfchar "+x(x("<0001><0041>", 40_000)+"endbfchar ", 40)), "null"), "FontEntries"},
		"CMap of ranges":              {shows("<0001>", composite, deflated(x("<0000><ffff><0041>", 33_000)+"endbfrange"), "null"), ""},
		"CMap of arrays":              {shows("<0001>", composite, deflated(x("<00><ff>["+x("<41>", 90_000)+"]endbfrange ", 12)), "null"), "FontEntries"},
		"CMap of long texts":          {shows("<"+x("0001", 200_000)+">", composite, deflated("<0001><"+x("0041", 200_000)+">endbfchar"), "null"), "Glyphs"},
		"CMap of 40 MB":               {shows("<0001>", composite, spaces(40), "null"), "Bytes"},
		"CMap that names itself":      {shows("<0001>", composite, stream("/UseCMap 6 0 R", "/X usecmap"), "null"), ""},
		"font program of 40 MB":       {shows("(a)", "<</Subtype/Type1/FontDescriptor<</FontFile 6 0 R>>>>", spaces(40)), "Bytes"},
		"600 fonts":                   {manyFonts(), "Fonts"},
		"descendant of itself":        {shows("<0001>", "<</Subtype/Type0/Encoding/Identity-H/DescendantFonts[5 0 R]>>"), ""},
		"Type 3 in a circle": {shows("(AB)", "<</Subtype/Type3/FontMatrix[1 0 0 1 0 0]/FirstChar 65/Widths[1 1]/Encoding<</Differences[65/A/B]>>/CharProcs<</A 6 0 R/B 6 0 R>>/Resources<</Font<</F 5 0 R>>>>>>",
			stream("", "BT /F 1 Tf (ABAB) Tj ET")), ""},
		"matrix that is none": {shows("(A)", "<</Subtype/Type3/FontMatrix[0 0 0 0 0 0]/FontBBox[0 0 1 1]/CharProcs<<>>>>"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := test.s.limited(t, nil)
			l.Find("aaaa")
			if test.want == "" {
				require.False(t, l.Truncated, "%v", l.Reason)
				return
			}
			require.True(t, l.Truncated)
			requireReason(t, test.want, l.Reason)
			requireNowhere(t, l, 1, 1, 0)
		})
	}
}

func requireReason(t *testing.T, want string, reason error) {
	t.Helper()
	var limit *content.LimitError
	var pdfLimit *pdf.LimitError
	var unsupported *pdf.UnsupportedError
	switch {
	case want == "pdf":
		require.True(t, errors.Is(reason, pdf.ErrDamaged) || errors.As(reason, &unsupported), "%v", reason)
	case errors.As(reason, &limit):
		require.Equal(t, want, limit.Limit)
		require.ErrorContains(t, reason, fmt.Sprint(limit.Max))
	case errors.As(reason, &pdfLimit):
		require.Equal(t, want, pdfLimit.Limit)
	default:
		require.ErrorContains(t, reason, want)
	}
}

// Each limit can be set.
func TestLimits(t *testing.T) {
	font := "<</Subtype/Type0/DescendantFonts[<</W[0[1 2 3]]>>]>>"
	s := sheet{resources: "/Font<</F 5 0 R/G 6 0 R>>/XObject<</X 7 0 R/Y 8 0 R>>", content: "q q Q Q /X Do /Y Do BT /F 9 Tf (ab) Tj 0 50 Td /G 9 Tf [(a)(b)] TJ ET",
		objects: []string{font, font, stream("/Subtype/Form/BBox[0 0 9 9]", "/Y Do"), stream("/Subtype/Form/BBox[0 0 9 9]", "0 0 1 1 re f")}}
	require.False(t, s.limited(t, nil).Truncated)
	for name, lim := range map[string]*content.Limits{
		"Bytes": {Bytes: 20}, "Operators": {Operators: 5}, "Operands": {Operands: 2}, "Streams": {Streams: 1}, "States": {States: 1},
		"Forms": {Forms: 1}, "Glyphs": {Glyphs: 1}, "Boxes": {Boxes: 1}, "Fonts": {Fonts: 1}, "FontEntries": {FontEntries: 4},
	} {
		l := s.limited(t, lim)
		require.True(t, l.Truncated, name)
		requireReason(t, name, l.Reason)
	}
}

// Sizes that make no sense have no place, on pages of any size.
func TestFreeOfNothing(t *testing.T) {
	huge, tiny := "9"+strings.Repeat("0", 37), "0."+strings.Repeat("0", 30)+"1"
	for _, entries := range []string{
		"", fmt.Sprintf("/MediaBox[0 0 %s %s]", huge, huge), fmt.Sprintf("/MediaBox[0 0 %s 1]/UserUnit 75000", huge),
		fmt.Sprintf("/MediaBox[0 0 %s %s]", tiny, tiny), fmt.Sprintf("/MediaBox[0 0 %s %s]", tiny, huge),
	} {
		l := sheet{entries: entries, content: "0 0 9 9 re f"}.layout(t)
		for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 0, 1e43} {
			requireNowhere(t, l, v, 1, 0)
			requireNowhere(t, l, 1, v, 0)
			if v != 0 {
				requireNowhere(t, l, 1, 1, v)
			}
		}
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f, p := openPage(t, sheet{content: "q Q"}.bytes(), "", 1)
	_, err := content.Read(ctx, f, p, nil)
	require.ErrorIs(t, err, context.Canceled)
}

// stopping cancels when it was asked often enough.
type stopping struct {
	context.Context
	left int
}

func (s *stopping) Err() error {
	if s.left--; s.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

func TestCancelledOnTheWay(t *testing.T) {
	f, p := openPage(t, flate(strings.Repeat("q Q ", 1e5)).bytes(), "", 1)
	ctx := &stopping{Context: t.Context(), left: 3}
	_, err := content.Read(ctx, f, p, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, -1, ctx.left, "asked again after the end")
}

// failing fails once the page was found.
type failing struct {
	io.ReaderAt
	fail bool
}

var errMedium = errors.New("medium error")

func (r *failing) ReadAt(p []byte, off int64) (int, error) {
	if r.fail {
		return 0, errMedium
	}
	return r.ReaderAt.ReadAt(p, off)
}

// A file that cannot be read is an error, not a page without text.
func TestReadError(t *testing.T) {
	data := sheet{resources: helvetica, content: strings.Repeat(" ", 100_000)}.bytes()
	r := &failing{ReaderAt: bytes.NewReader(data)}
	f, err := pdf.Open(r, int64(len(data)), nil)
	require.NoError(t, err)
	p, err := f.Page(1)
	require.NoError(t, err)
	r.fail = true
	_, err = content.Read(t.Context(), f, p, nil)
	require.ErrorIs(t, err, errMedium)
}
