package content_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/pdf/content"
)

func TestPaths(t *testing.T) {
	line := func(x1, y1, x2, y2 float64) pdf.Rect { return pdf.Rect{LLX: x1, LLY: y1, URX: x2, URY: y2} }
	for name, test := range map[string]struct {
		ops  string
		want []pdf.Rect
	}{
		"fill":                    {"10 20 30 40 re f", []pdf.Rect{line(10, 20, 40, 60)}},
		"fill of two":             {"10 20 30 40 re 100 100 10 10 re f*", []pdf.Rect{line(10, 20, 40, 60), line(100, 100, 110, 110)}},
		"upside down":             {"40 60 -30 -40 re F", []pdf.Rect{line(10, 20, 40, 60)}},
		"frame":                   {"2 w 10 20 30 40 re S", []pdf.Rect{line(9, 19, 41, 21), line(39, 19, 41, 61), line(9, 59, 41, 61), line(9, 19, 11, 61)}},
		"open":                    {"2 w 10 20 m 40 20 l 40 60 l S", []pdf.Rect{line(9, 19, 41, 21), line(39, 19, 41, 61)}},
		"closed":                  {"2 w 10 20 m 40 20 l 40 60 l s", []pdf.Rect{line(9, 19, 41, 21), line(39, 19, 41, 61), line(9, 19, 41, 61)}},
		"line after h":            {"2 w 10 20 m 40 20 l h 40 60 l S", []pdf.Rect{line(9, 19, 41, 21), line(9, 19, 41, 61)}},
		"curve":                   {"2 w 10 20 m 20 90 30 90 40 20 c S", []pdf.Rect{line(9, 19, 41, 91)}},
		"curves v and y":          {"10 20 m 20 90 30 20 v 40 70 50 20 y f", []pdf.Rect{line(10, 20, 50, 90)}},
		"filled and stroked":      {"2 w 10 20 m 40 20 l 40 60 l b", []pdf.Rect{line(10, 20, 40, 60), line(9, 19, 41, 21), line(39, 19, 41, 61), line(9, 19, 41, 61)}},
		"no paint":                {"10 20 30 40 re n", nil},
		"m after m":               {"0 0 m 10 20 m 40 60 l f", []pdf.Rect{line(10, 20, 40, 60)}},
		"line without width":      {"0 w 10 20 m 40 20 l S", []pdf.Rect{line(10, 19.875, 40, 20.125)}},
		"thin fill":               {"10 20 30 0 re f", []pdf.Rect{line(10, 19.875, 40, 20.125)}},
		"scaled":                  {"2 0 0 3 5 5 cm 1 w 10 20 m 40 20 l S", []pdf.Rect{line(23.5, 63.5, 86.5, 66.5)}},
		"clipped":                 {"q 0 0 20 30 re W n 10 20 30 40 re f Q 50 50 1 1 re f", []pdf.Rect{line(10, 20, 20, 30), line(50, 50, 51, 51)}},
		"clipped away":            {"0 0 5 5 re W* n 10 20 30 40 re f", nil},
		"clip of nothing":         {"W n 10 20 30 40 re f", []pdf.Rect{line(10, 20, 40, 60)}},
		"outside of the page":     {"600 0 10 10 re f 590 10 10 10 re f", []pdf.Rect{line(590, 10, 595, 20)}},
		"more Q than q":           {"Q Q 10 20 30 40 re f", []pdf.Rect{line(10, 20, 40, 60)}},
		"white":                   {"1 g 10 20 30 40 re f 1 1 1 rg 10 20 30 40 re f 0 0 0 0 k 10 20 30 40 re f", nil},
		"white lines":             {"1 G 10 20 30 40 re S", nil},
		"white spaces":            {"/DeviceRGB cs 1 1 1 sc 0 0 9 9 re f /C cs 1 1 1 scn 0 0 9 9 re f /DeviceGray CS 1 SC 0 0 9 9 re S", nil},
		"a new space is black":    {"1 g /DeviceRGB cs 10 20 30 40 re f", []pdf.Rect{line(10, 20, 40, 60)}},
		"a space with a range":    {"/L cs 1 1 1 scn 10 20 30 40 re f", []pdf.Rect{line(10, 20, 40, 60)}},
		"a pattern":               {"/Pattern cs /P scn 10 20 30 40 re f", []pdf.Rect{line(10, 20, 40, 60)}},
		"white that is inverted":  {"/D gs 1 g 10 20 30 40 re f", []pdf.Rect{line(10, 20, 40, 60)}},
		"background":              {"0.5 g 0 0 595 842 re f", nil},
		"white background":        {"1 g 0 0 595 842 re f 10 20 30 40 re f", nil},
		"white on a background":   {"0.5 g 0 0 595 842 re f 1 g 10 20 30 40 re f", []pdf.Rect{line(10, 20, 40, 60)}},
		"background drawn by l":   {"0 0 m 595 0 l 595 842 l 0 842 l f", nil},
		"nearly a background":     {"0.5 g 0 0 595 700 re f", []pdf.Rect{line(0, 0, 595, 700)}},
		"frame of two fills":      {"0 0 595 842 re 5 5 585 832 re f*", []pdf.Rect{line(0, 0, 595, 842)}},
		"drawing across the page": {"0 0 m 595 842 l 0 842 l f", []pdf.Rect{line(0, 0, 595, 842)}},
		"image across the page":   {"595 0 0 842 0 0 cm BI /W 1 /H 1 /BPC 8 /CS /G ID x EI", []pdf.Rect{line(0, 0, 595, 842)}},
		"shading":                 {"q 10 20 30 40 re W n /S sh Q", []pdf.Rect{line(10, 20, 40, 60)}},
		"shading as background":   {"/S sh", nil},
		"width of a state":        {"/W gs 10 20 m 40 20 l S", []pdf.Rect{line(8, 18, 42, 22)}},
	} {
		t.Run(name, func(t *testing.T) {
			l := sheet{
				resources: "/ColorSpace<</C[/ICCBased 5 0 R]/L[/ICCBased 6 0 R]>>/ExtGState<</D<</BM/Difference>>/W<</LW 4/Font[7 0 R 9]>>>>",
				content:   test.ops,
				objects:   []string{stream("/N 3", "x"), stream("/N 3/Range[0 100 -128 127 -128 127]", "x"), "<</Subtype/Type1>>"},
			}.layout(t)
			require.Len(t, l.Occupied, len(test.want))
			for i, want := range test.want {
				near(t, want, l.Occupied[i])
			}
		})
	}
}

// Inline images end where they say or where operators go on, whatever stands in
// their data.
func TestInlineImages(t *testing.T) {
	for name, image := range map[string]string{
		"size of the data":     "BI /W 9 /H 2 /BPC 8 /CS /G ID 1234 EI 9012345678EI",
		"PDF 2.0":              "BI /W 4 /H 1 /F /Fl /L 10 ID ab EI (EI \nEI",
		"EI in it":             "BI /W 9 /H 9 /F /Fl ID a EI\x80 EI \x01 zEI EI",
		"dictionary in it":     "BI /W 2 /H 1 /BPC 8 /CS /G /DP <</K -1>> /D [0 1] ID xy EI",
		"wrong size":           "BI /W 999 /H 1 /BPC 8 /CS /G ID xy EI",
		"nothing":              "BI ID EI",
		"mask":                 "BI /IM true /W 16 /H 2 ID EI E\nEI",
		"long names":           "BI /Width 2 /Height 1 /BitsPerComponent 8 /ColorSpace /DeviceRGB ID EIEI x\nEI",
		"strings in the data":  "BI /W 9 /H 9 /F /Fl ID ((((<<[ EI",
		"space of a resource":  "BI /W 3 /H 1 /BPC 8 /CS /C0 ID abc EI",
		"length that is wrong": "BI /W 3 /H 1 /BPC 8 /CS /G /L 400 ID abc EI",
	} {
		t.Run(name, func(t *testing.T) {
			l := sheet{resources: helvetica, content: "q 10 0 0 10 5 5 cm " + image + " Q BT /F1 10 Tf 100 200 Td (12) Tj ET"}.layout(t)
			require.Equal(t, []string{"12"}, texts(l))
			require.Len(t, l.Occupied, 2)
			near(t, pdf.Rect{LLX: 5, LLY: 5, URX: 15, URY: 15}, l.Occupied[0])
		})
	}
}

func TestAnnotations(t *testing.T) {
	s := sheet{entries: `/Annots[5 0 R<</Subtype/Link/Rect[40 40 20 20]>><</Rect[0 0 10 10]/F 2>><</Rect[0 0 10 10]/F 32>>
<</Subtype/Popup/Rect[0 0 10 10]>><</Rect[0 0 0 0]>>null<</Rect[590 0 700 10]/F 4>><</Subtype/Text/Rect[100 100 118 118]>>]`,
		objects: []string{"<</Subtype/Widget/Rect[100 200 300 400]>>"}}
	l := s.layout(t)
	require.Equal(t, []pdf.Rect{
		{LLX: 100, LLY: 200, URX: 300, URY: 400}, {LLX: 20, LLY: 20, URX: 40, URY: 40}, {LLX: 590, URX: 595, URY: 10},
		{LLX: 94, LLY: 94, URX: 124, URY: 124},
	}, l.Annotations)
	require.Empty(t, l.Occupied)
}

func TestFree(t *testing.T) {
	free := func(x, y float64) pdf.Rect { return pdf.Rect{LLX: x, LLY: y, URX: x + 100, URY: y + 50} }
	for name, test := range map[string]struct {
		entries, ops string
		corner       content.Corner
		want         pdf.Rect
	}{
		"empty":                   {"", "", content.BottomRight, free(595-20-100, 20)},
		"bottom left":             {"", "", content.BottomLeft, free(20, 20)},
		"top left":                {"", "", content.TopLeft, free(20, 842-20-50)},
		"top right":               {"", "", content.TopRight, free(595-20-100, 842-20-50)},
		"line of text below":      {"", "0 20 595 10 re f", content.BottomRight, free(475, 32)},
		"block at the right":      {"", "500 0 95 400 re f", content.BottomRight, free(398, 20)},
		"frame":                   {"", "10 10 575 822 re S", content.BottomLeft, free(20, 20)},
		"inside of a large frame": {"", "30 30 535 782 re S", content.BottomLeft, free(33, 33)},
		"annotation":              {"/Annots[<</Rect[0 0 70 70]>>]", "", content.BottomLeft, free(72, 20)},
		"rotated":                 {"/Rotate 90", "0 0 20 842 re f 495 0 100 100 re f", content.BottomLeft, free(102, 20)},
		"rotated, occupied":       {"/Rotate 90", "495 0 100 30 re f", content.BottomLeft, free(32, 20)},
		"user unit":               {"/UserUnit 2/MediaBox[0 0 300 400]", "0 0 300 20 re f", content.BottomRight, free(480, 42)},
		"crop box":                {"/CropBox[100 100 400 500]", "0 0 595 110 re f", content.BottomLeft, free(20, 20)},
	} {
		t.Run(name, func(t *testing.T) {
			l := sheet{entries: test.entries, content: test.ops}.layout(t)
			got, ok := l.Free(100, 50, 20, test.corner)
			require.True(t, ok)
			require.InDeltaSlice(t, []float64{test.want.LLX, test.want.LLY, test.want.URX, test.want.URY},
				[]float64{got.LLX, got.LLY, got.URX, got.URY}, 1.01, "%v", got)
		})
	}
}

// requireNowhere wants that no corner has a free spot.
func requireNowhere(t *testing.T, l *content.Layout, w, h, margin float64) {
	t.Helper()
	for c := content.BottomRight; c <= content.TopLeft; c++ {
		_, ok := l.Free(w, h, margin, c)
		require.False(t, ok)
	}
}
