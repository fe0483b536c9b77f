package content_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/pdf/content"
)

// fuzzLimits keep a single input cheap.
func fuzzLimits() *content.Limits {
	return &content.Limits{Bytes: 1 << 20, Operators: 20_000, Operands: 2_000, Streams: 100, States: 50, Glyphs: 5_000, Boxes: 2_000, Fonts: 20, FontEntries: 5_000}
}

// FuzzRead interprets any content with any font, CMap, form and annotations.
// Whatever is found lies on the page, every run can be found by its own text, and a
// free spot overlaps nothing.
func FuzzRead(f *testing.F) {
	const type0 = "<</Subtype/Type0/Encoding/Identity-H/ToUnicode 6 0 R/DescendantFonts[<</W[1[100 200]5 9 300]>>]>>"
	const type3 = "<</Subtype/Type3/FontMatrix[0.1 0 0 0.1 0 0]/FontBBox[0 0 0 0]/FirstChar 65/Widths[10 10]/Encoding<</Differences[65/A/uni0042]>>/CharProcs<</A 7 0 R/uni0042 7 0 R>>>>"
	const cmap = "1 begincodespacerange <0000> <ffff> endcodespacerange 1 beginbfchar <0001> <0041> endbfchar 2 beginbfrange <05> <09> <0061> <0a> <0b> [<42> <D83DDE00>] endbfrange"
	seeds := []string{
		"BT /F 10 Tf 20 100 Td [(T) 80 (a) -300 <0001000b>] TJ T* (x) ' 1 2 (y) \" ET",
		"q 2 0 0 2 5 5 cm /X Do Q 0.5 g 0 0 595 842 re f 1 1 1 rg 10 10 20 20 re B* 5 5 m 9 9 l 1 2 3 4 5 6 c h W n",
		"BI /W 4 /H 1 /BPC 8 /CS /G ID ab EI EI /S sh /P <</MCID 1>> BDC EMC BT 3 Tr 0.7 0.7 -0.7 0.7 50 50 Tm /F 20 Tf (abc) Tj ET",
		"-1e5 --5 1.2.3 .5 4. +6 12-3 (a\\(\\053\\\n) <4> [ /A#42 << /K [ 1 ] >> true ] TJ ] >> )",
	}
	require.NotEmpty(f, seeds)
	for i, s := range seeds {
		f.Add([]byte(s), []string{type0, type3, "<</Subtype/TrueType/BaseFont/Arial/Encoding/WinAnsiEncoding>>", "null"}[i], []byte(cmap), []byte("1 1 5 5 re f BT /F 2 Tf (B) Tj ET"), "<</Rect[10 10 100 50]>>")
	}
	f.Fuzz(func(t *testing.T, ops []byte, font string, cmap, form []byte, annotation string) {
		s := sheet{
			entries: "/Rotate 90/CropBox[10 10 210 160]/Annots[8 0 R]", resources: "/Font<</F 5 0 R>>/XObject<</X 7 0 R>>",
			content: string(ops), objects: []string{font, stream("", string(cmap)), stream("/Subtype/Form/BBox[0 0 50 50]", string(form)), annotation},
		}
		data := s.bytes()
		file, err := pdf.Open(bytes.NewReader(data), int64(len(data)), &pdf.Options{Limits: &pdf.Limits{StreamBytes: 1 << 20, DecodedBytes: 8 << 20, Elements: 10_000}})
		if err != nil {
			return // the text holds a startxref of its own
		}
		page, err := file.Page(1)
		if err != nil {
			return
		}
		l, err := content.Read(t.Context(), file, page, fuzzLimits())
		if err != nil {
			require.ErrorIs(t, err, pdf.ErrEncrypted)
			return
		}
		checkLayout(t, l, page)
	})
}

func checkLayout(t *testing.T, l *content.Layout, page *pdf.Page) {
	t.Helper()
	require.Equal(t, l.Truncated, l.Reason != nil)
	for _, boxes := range [][]pdf.Rect{l.Occupied, l.Annotations} {
		for _, b := range boxes {
			require.False(t, b.Empty(), "%v", b)
			require.True(t, page.CropBox.Contains(b), "%v", b)
		}
	}
	for i, r := range l.Runs {
		require.False(t, r.Box.Intersect(page.CropBox).Empty(), "%v", r.Box)
		if i < 5 && len(bytes.TrimSpace([]byte(r.Text))) == len(r.Text) && r.Text != "" && r.Text[0] > ' ' && r.Text[0] < 0x7f {
			require.NotEmpty(t, l.Find(r.Text), "%q", r.Text)
		}
	}
	if at, ok := l.Free(30, 20, 5, content.TopLeft); ok {
		for _, boxes := range [][]pdf.Rect{l.Occupied, l.Annotations} {
			for _, b := range boxes {
				both := l.Seen(b).Intersect(at)
				require.Less(t, both.Width()*both.Height(), 1e-3, "%v in %v", l.Seen(b), at)
			}
		}
	}
}
