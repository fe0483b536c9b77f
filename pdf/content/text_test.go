package content_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
)

// Every digit of Helvetica is 0.556 em wide, and its box goes from 0.25 em below
// the line to 0.95 em above it.
func TestTextBoxes(t *testing.T) {
	for name, test := range map[string]struct {
		ops  string
		text string
		box  pdf.Rect
	}{
		"Tj":            {"100 200 Td (12) Tj", "12", pdf.Rect{LLX: 100, LLY: 197.5, URX: 111.12, URY: 209.5}},
		"Tm":            {"2 0 0 2 100 200 Tm (12) Tj", "12", pdf.Rect{LLX: 100, LLY: 195, URX: 122.24, URY: 219}},
		"turned by 90":  {"0 1 -1 0 100 200 Tm (12) Tj", "12", pdf.Rect{LLX: 90.5, LLY: 200, URX: 102.5, URY: 211.12}},
		"turned by 180": {"-1 0 0 -1 100 200 Tm (12) Tj", "12", pdf.Rect{LLX: 88.88, LLY: 190.5, URX: 100, URY: 202.5}},
		"mirrored":      {"-1 0 0 1 100 200 Tm (12) Tj", "12", pdf.Rect{LLX: 88.88, LLY: 197.5, URX: 100, URY: 209.5}},
		"negative size": {"/F1 -10 Tf 100 200 Td (12) Tj", "12", pdf.Rect{LLX: 88.88, LLY: 190.5, URX: 100, URY: 202.5}},
		"Tz":            {"50 Tz 100 200 Td (12) Tj", "12", pdf.Rect{LLX: 100, LLY: 197.5, URX: 105.56, URY: 209.5}},
		"Tc":            {"3 Tc 100 200 Td (12) Tj", "12", pdf.Rect{LLX: 100, LLY: 197.5, URX: 114.12, URY: 209.5}},
		"Tw":            {"7 Tw 100 200 Td (1 2) Tj", "1 2", pdf.Rect{LLX: 100, LLY: 197.5, URX: 120.9, URY: 209.5}},
		"Ts":            {"5 Ts 100 200 Td (12) Tj", "12", pdf.Rect{LLX: 100, LLY: 202.5, URX: 111.12, URY: 214.5}},
		"TJ":            {"100 200 Td [(1) -100 (2)] TJ", "12", pdf.Rect{LLX: 100, LLY: 197.5, URX: 112.12, URY: 209.5}},
		"TL and T*":     {"12 TL 100 200 Td T* (12) Tj", "12", pdf.Rect{LLX: 100, LLY: 185.5, URX: 111.12, URY: 197.5}},
		"TD":            {"100 200 TD 0 -12 TD T* (12) Tj", "12", pdf.Rect{LLX: 100, LLY: 173.5, URX: 111.12, URY: 185.5}},
		"'":             {"12 TL 100 200 Td (12) '", "12", pdf.Rect{LLX: 100, LLY: 185.5, URX: 111.12, URY: 197.5}},
		"\"":            {"12 TL 100 200 Td 0 3 (12) \"", "12", pdf.Rect{LLX: 100, LLY: 185.5, URX: 114.12, URY: 197.5}},
		"escapes": {`100 200 Td (\061\
2) Tj`, "12", pdf.Rect{LLX: 100, LLY: 197.5, URX: 111.12, URY: 209.5}},
		"hexadecimal":     {"100 200 Td <31 3 2> Tj", "12", pdf.Rect{LLX: 100, LLY: 197.5, URX: 111.12, URY: 209.5}},
		"unknown op":      {"100 200 Td (x) Foo 7 Bar (12) Tj", "12", pdf.Rect{LLX: 100, LLY: 197.5, URX: 111.12, URY: 209.5}},
		"in two pieces":   {"100 200 Td (1) Tj (2) Tj", "12", pdf.Rect{LLX: 100, LLY: 197.5, URX: 111.12, URY: 209.5}},
		"glued operators": {"100 200Td(12)Tj", "12", pdf.Rect{LLX: 100, LLY: 197.5, URX: 111.12, URY: 209.5}},
	} {
		t.Run(name, func(t *testing.T) {
			l := sheet{resources: helvetica, content: "BT /F1 10 Tf " + test.ops + " ET"}.layout(t)
			require.Len(t, l.Runs, 1)
			require.Equal(t, test.text, l.Runs[0].Text)
			near(t, test.box, l.Runs[0].Box)
			require.Len(t, l.Occupied, 1)
			near(t, test.box, l.Occupied[0])
			found := l.Find(test.text)
			require.Len(t, found, 1)
			near(t, test.box, found[0])
		})
	}
}

// Text that is not painted can be found and occupies nothing; what lies outside
// of the page or its clipping path cannot.
func TestUnseenText(t *testing.T) {
	for ops, want := range map[string][2]int{
		"3 Tr 100 200 Td (12) Tj":                     {1, 0},
		"7 Tr 100 200 Td (12) Tj":                     {1, 0},
		"1 Tr 100 200 Td (12) Tj":                     {1, 1},
		"1 g 100 200 Td (12) Tj":                      {1, 1},
		"100 200 Td (   ) Tj":                         {1, 0},
		"600 200 Td (12) Tj":                          {0, 0},
		"ET 0 0 50 50 re W n BT 100 200 Td (12) Tj":   {0, 0},
		"ET 0 0 105 300 re W n BT 100 200 Td (12) Tj": {1, 1},
		"/F1 0 Tf 100 200 Td (12) Tj":                 {0, 0},
	} {
		l := sheet{resources: helvetica, content: "BT /F1 10 Tf " + ops + " ET"}.layout(t)
		require.Len(t, l.Runs, want[0], ops)
		require.Len(t, l.Occupied, want[1], ops)
	}
}

// Occupied text leaves white space at its ends out; slanting text is marked
// glyph by glyph, so that the box around all of it stays free.
func TestOccupiedText(t *testing.T) {
	l := sheet{resources: helvetica, content: "BT /F1 10 Tf 100 200 Td ( 12 ) Tj ET"}.layout(t)
	require.Len(t, l.Occupied, 1)
	near(t, pdf.Rect{LLX: 102.78, LLY: 197.5, URX: 113.9, URY: 209.5}, l.Occupied[0])
	l = sheet{resources: helvetica, content: "BT /F1 60 Tf 0.7 0.7 -0.7 0.7 100 200 Tm (11111111) Tj ET"}.layout(t)
	require.Len(t, l.Runs, 1)
	require.Len(t, l.Occupied, 8)
	_, ok := l.Free(100, 60, 10, 0)
	require.True(t, ok)
}

func TestFind(t *testing.T) {
	const ops = `BT /F1 10 Tf 100 700 Td [(T) 80 (anda) -300 (tan) -20 (gan)] TJ (:) Tj ET
BT /F1 10 Tf 300 700 Td (Saksi) Tj 60 0 Td (jauh) Tj ET
BT /F1 10 Tf 100 650 Td (kiri) Tj 40 0 Td (kanan) Tj ET
BT /F1 10 Tf 140 600 Td (kanan) Tj -40 0 Td (kiri) Tj ET
BT /F1 10 Tf 100 550 Td (tebal) Tj 0.3 0 Td (tebal) Tj ET
BT /F1 10 Tf 12 Tc 100 500 Td (RENGGANG) Tj 0 Tc ET
BT /F1 10 Tf 100 450 Td (baris satu) Tj 0 -12 Td (baris dua) Tj ET`
	l := sheet{resources: helvetica, content: ops}.layout(t)
	for text, want := range map[string]int{
		"Tanda tangan:": 1, "Tandatangan": 1, " Tanda\u00a0\ntangan ": 1, "tanda": 0, "anda tan": 1,
		"Saksi": 1, "Saksi jauh": 0, "kiri kanan": 2, "kanan kiri": 0, "kiri": 2, "tebal": 1,
		"RENGGANG": 1, "R E": 1, "baris": 2, "satu baris": 0, "": 0, " ": 0, "\xff": 0, "a": 15,
	} {
		require.Len(t, l.Find(text), want, text)
	}
	boxes := l.Find("kiri kanan")
	near(t, pdf.Rect{LLX: 100, LLY: 647.5, URX: 140 + 5*5.56 - 0.56, URY: 659.5}, boxes[0])
	require.Greater(t, boxes[0].LLY, boxes[1].LLY, "not from the top down")
	part := l.Find("nda")
	require.Len(t, part, 1)
	near(t, pdf.Rect{LLX: 100 + 6.11 - 0.8 + 5.56, LLY: 697.5, URX: 100 + 6.11 - 0.8 + 4*5.56, URY: 709.5}, part[0])
}

// People read a turned page from their top down.
func TestFindOnTurnedPage(t *testing.T) {
	const ops = "BT /F1 10 Tf 0 1 -1 0 100 200 Tm (satu) Tj 0 -50 Td (satu) Tj ET"
	l := sheet{entries: "/Rotate 90", resources: helvetica, content: ops}.layout(t)
	found := l.Find("satu")
	require.Len(t, found, 2)
	first, second := l.Seen(found[0]), l.Seen(found[1])
	require.Greater(t, first.LLY, second.URY)
	require.InDelta(t, 12, first.Height(), 0.01)
	require.Greater(t, first.Width(), first.Height())
}

// Strings of each encoding come out as text.
func TestEncodings(t *testing.T) {
	simple := func(entries string) string { return "<</Type/Font/Subtype/Type1/BaseFont/X" + entries + ">>" }
	cid := "<</Subtype/CIDFontType2/DW 500>>"
	unicode := stream("", `1 begincodespacerange <00> <ff> endcodespacerange
2 beginbfchar <01> <0041> <02> <00660069> endbfchar
2 beginbfrange <0010> <0012> <0061> <20> <21> [<0058> <D83DDE00>] endbfrange`)
	for name, test := range map[string]struct{ font, show, want string }{
		"WinAnsi":        {simple("/Encoding/WinAnsiEncoding"), `<80 95 e9 92>`, "€•é’"},
		"MacRoman":       {simple("/Encoding/MacRomanEncoding"), `<8e a5 db f0 f5>`, "é•€\ufffdı"},
		"Standard":       {simple("/Encoding/StandardEncoding"), `<27 60 ae e1 80>`, "’‘ﬁÆ\ufffd"},
		"none":           {simple(""), `(A')`, "A’"},
		"none, TrueType": {strings.Replace(simple(""), "Type1", "TrueType", 1), `<41 27 e9>`, "A'é"},
		"symbols":        {strings.Replace(simple(""), "/X", "/Symbol", 1), `(ab)`, "\ufffd\ufffd"},
		"differences": {simple("/Encoding<</BaseEncoding/WinAnsiEncoding/Differences[65/eacute/uni0141/u1F600/f_i 90/A.sc/g17/Euro]>>"),
			`(ABCDZ[\\]^)`, "éŁ😀fiA\ufffd€]^"},
		"program":                            {simple("/FontDescriptor<</FontFile 6 0 R>>"), `<010203>`, "Aﬁ\ufffd"},
		"program with the standard encoding": {simple("/FontDescriptor<</FontFile 9 0 R>>"), `(A')`, "A’"},
		"ToUnicode":                          {simple("/ToUnicode 7 0 R/Encoding/WinAnsiEncoding"), `<01 02 10 12 20 21 41>`, "AfiacX😀A"},
		"Identity":                           {"<</Subtype/Type0/Encoding/Identity-H/ToUnicode 7 0 R/DescendantFonts[" + cid + "]>>", `<0001 0011 0099>`, "Ab\ufffd"},
		"UTF-16":                             {"<</Subtype/Type0/Encoding/UniJIS-UTF16-H/DescendantFonts[" + cid + "]>>", `<00e9 6f22>`, "é漢"},
		"embedded CMap":                      {"<</Subtype/Type0/Encoding 8 0 R/ToUnicode 7 0 R/DescendantFonts[" + cid + "]>>", `<01 8010 02>`, "A\ufffdfi"},
		"not there":                          {"null", `(A)`, "A"},
	} {
		t.Run(name, func(t *testing.T) {
			l := sheet{
				resources: "/Font<</F 5 0 R>>", content: "BT /F 10 Tf 100 700 Td " + test.show + " Tj ET",
				objects: []string{test.font,
					stream("", "%!PS\n/Encoding 256 array 0 1 255 {1 index exch /.notdef put} for\ndup 1 /A put dup 2 /fi put\nreadonly def currentfile eexec dup 3 /B put"),
					unicode,
					stream("/WMode 0", "2 begincodespacerange <00> <7f> <8000> <ffff> endcodespacerange 1 begincidrange <8000> <80ff> 100 endcidrange"),
					stream("", "%!PS\n/Encoding StandardEncoding def currentfile eexec")},
			}.layout(t)
			require.Equal(t, []string{test.want}, texts(l))
		})
	}
}

// Widths are those of the font dictionary.
func TestWidths(t *testing.T) {
	for name, test := range map[string]struct {
		font, show string
		want       float64 // em
	}{
		"Widths":        {"<</Subtype/Type1/FirstChar 65/Widths[100 200]/FontDescriptor<</MissingWidth 50>>>>", "(ABC)", 0.35},
		"Helvetica":     {"<</Subtype/Type1/BaseFont/Helvetica>>", "(Wi)", 1.166},
		"Arial bold":    {"<</Subtype/TrueType/BaseFont/ABCDEF+Arial,Bold>>", "(Wi)", 1.222},
		"Times":         {"<</Subtype/Type1/BaseFont/Times-Roman>>", "(Wi)", 1.222},
		"Courier":       {"<</Subtype/Type1/BaseFont/Courier-Bold>>", "(Wi)", 1.2},
		"W":             {"<</Subtype/Type0/Encoding/Identity-H/DescendantFonts[<</DW 500/W[1[100 200]5 7 300]>>]>>", "<0001000200030005000600070008>", 2.2},
		"no W":          {"<</Subtype/Type0/Encoding/Identity-H/DescendantFonts[<<>>]>>", "<00010002>", 2},
		"Type 3":        {"<</Subtype/Type3/FontMatrix[0.01 0 0 0.01 0 0]/FirstChar 65/Widths[40 60]/CharProcs<<>>/Encoding<<>>>>", "(AB)", 1},
		"odd last byte": {"<</Subtype/Type0/Encoding/Identity-H/DescendantFonts[<<>>]>>", "<000102>", 2},
	} {
		t.Run(name, func(t *testing.T) {
			l := sheet{resources: "/Font<</F 5 0 R>>", content: "BT /F 10 Tf 100 700 Td " + test.show + " Tj ET", objects: []string{test.font}}.layout(t)
			require.Len(t, l.Runs, 1)
			require.InDelta(t, test.want*10, l.Runs[0].Box.Width(), 0.001)
		})
	}
}

func TestVerticalText(t *testing.T) {
	font := "<</Subtype/Type0/Encoding/UniJIS-UCS2-V/DescendantFonts[<<>>]>>"
	l := sheet{resources: "/Font<</F 5 0 R>>", content: "BT /F 10 Tf 100 700 Td <6f225b57> Tj ET", objects: []string{font}}.layout(t)
	found := l.Find("漢字")
	require.Len(t, found, 1)
	near(t, pdf.Rect{LLX: 95, LLY: 680, URX: 105, URY: 700}, found[0])
}

// What a glyph of a Type 3 font paints is what is occupied.
func TestType3(t *testing.T) {
	font := `<</Subtype/Type3/FontMatrix[0.1 0 0 0.1 0 0]/FontBBox[0 0 0 0]/FirstChar 65/Widths[10 10 10]
/Encoding<</Differences[65/A/B/space]>>/CharProcs<</A 6 0 R/B 7 0 R/space 8 0 R>>/Resources<</Font<</T 5 0 R>>>>>>`
	s := sheet{resources: "/Font<</F 5 0 R>>", content: "BT /F 10 Tf 100 700 Td (ACB) Tj ET", objects: []string{
		font, stream("", "10 0 1 2 5 8 d1 1 2 4 6 re f"), stream("", "10 0 d0 q 4 0 0 4 3 0 cm BI /W 1 /H 1 /IM true ID \x80 EI Q"),
		stream("", "10 0 d0 BT /T 1 Tf (A) Tj ET"),
	}}
	l := s.layout(t)
	require.Equal(t, []string{"A B"}, texts(l))
	require.Len(t, l.Occupied, 3)
	near(t, pdf.Rect{LLX: 101, LLY: 702, URX: 105, URY: 708}, l.Occupied[0])
	near(t, pdf.Rect{LLX: 110.1, LLY: 700.2, URX: 110.5, URY: 700.8}, l.Occupied[1])
	near(t, pdf.Rect{LLX: 123, LLY: 700, URX: 127, URY: 704}, l.Occupied[2])
}

// Forms draw with their own resources, matrix and clipping, and text goes on
// after them.
func TestForms(t *testing.T) {
	s := sheet{
		resources: helvetica + "/XObject<</X 5 0 R/I 7 0 R>>",
		content:   "q 2 0 0 2 100 100 cm /X Do Q BT /F1 10 Tf 10 10 Td (luar) Tj ET /I Do /Missing Do",
		objects: []string{
			stream("/Subtype/Form/BBox[0 0 20 20]/Matrix[1 0 0 1 5 5]/Resources<</Font<</F1 6 0 R>>>>", "BT /F1 5 Tf (dalam) Tj ET 10 10 50 50 re f"),
			"<</Subtype/Type1/BaseFont/Courier>>",
			stream("/Subtype/Image/Width 1/Height 1", "x"),
		},
	}
	l := s.layout(t)
	require.Equal(t, []string{"dalam", "luar"}, texts(l))
	near(t, pdf.Rect{LLX: 110, LLY: 107.5, URX: 140, URY: 119.5}, l.Runs[0].Box)
	require.Len(t, l.Occupied, 4)
	near(t, pdf.Rect{LLX: 130, LLY: 130, URX: 150, URY: 150}, l.Occupied[0])
	near(t, pdf.Rect{LLX: 110, LLY: 110, URX: 140, URY: 119.5}, l.Occupied[1])
	near(t, pdf.Rect{LLX: 0, LLY: 0, URX: 1, URY: 1}, l.Occupied[2])
}

// Content in pieces is one stream, whose tokens end with each piece.
func TestContentsArray(t *testing.T) {
	s := sheet{entries: "/Contents[5 0 R 6 0 R null 7 0 R]", resources: helvetica, objects: []string{
		stream("", "q BT /F1 10 Tf 100"), stream("", "200 Td (12)"), stream("", "Tj ET Q"),
	}}
	require.Equal(t, []string{"12"}, texts(s.layout(t)))
}
