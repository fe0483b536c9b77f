package pdf_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
)

// treeFile is a document whose page tree is the given objects, from 2 on.
func treeFile(objects ...string) []byte {
	b := newBuilder().obj(1, "<</Type/Catalog/Pages 2 0 R>>")
	for i, o := range objects {
		b.obj(2+i, o)
	}
	return b.table("").Bytes()
}

func TestPageNumbers(t *testing.T) {
	f := open(t, treeFile(
		"<</Type/Pages/Kids[3 0 R 4 0 R 5 0 R 10 0 R]/Count 6/MediaBox[0 0 10 10]/Rotate 90>>",
		"<</Type/Page>>",
		"<</Type/Pages/Kids[6 0 R 7 0 R]/Count 3/MediaBox[0 0 20 20]/Resources<</A 1>>>>",
		"<</Type/Page/Rotate 0>>",
		"<</Type/Pages/Kids[8 0 R 9 0 R]/Count 2>>",
		"<</Type/Page/MediaBox[0 0 30 30]>>",
		"<</Type/Page>>", "<</Type/Page>>",
		"<</Type/Page>>"))
	want := []uint32{3, 8, 9, 7, 5, 10}
	check := func(p *pdf.Page, i int) {
		require.Equal(t, want[i], p.Ref.Number)
		require.Equal(t, i+1, p.Number)
		require.Equal(t, map[uint32]float64{3: 10, 8: 20, 9: 20, 7: 30, 5: 10, 10: 10}[want[i]], p.MediaBox.URX)
		require.Equal(t, map[uint32]int{3: 90, 8: 90, 9: 90, 7: 90, 5: 0, 10: 90}[want[i]], p.Rotate)
	}
	for i := range want {
		for _, n := range []int{i + 1, i - len(want)} {
			p, err := f.Page(n)
			require.NoError(t, err)
			check(p, i)
		}
	}
	i := 0
	require.NoError(t, f.Pages(func(p *pdf.Page) error { check(p, i); i++; return nil }))
	require.Equal(t, len(want), i)
	for _, n := range []int{0, 7, -7, math.MaxInt, math.MinInt} {
		_, err := f.Page(n)
		var out *pdf.PageRangeError
		require.ErrorAs(t, err, &out)
		require.Equal(t, &pdf.PageRangeError{Page: n, Count: 6}, out)
	}
}

// TestPageFlat has more kids than are counted one by one.
func TestPageFlat(t *testing.T) {
	const n = 2000
	var kids strings.Builder
	objects := []string{""}
	for i := range n {
		fmt.Fprintf(&kids, "%d 0 R ", 3+i)
		objects = append(objects, "<</Type/Page/MediaBox[0 0 1 1]>>")
	}
	objects[0] = fmt.Sprintf("<</Type/Pages/Count %d/Kids[%s]>>", n, kids.String())
	f := open(t, treeFile(objects...))
	for _, i := range []int{1, 100, 255, 256, 257, 1000, 1743, 1744, 1999, 2000} {
		p, err := f.Page(i)
		require.NoError(t, err)
		require.Equal(t, uint32(2+i), p.Ref.Number)
	}
}

func TestPageTreeDamaged(t *testing.T) {
	page := "<</Type/Page/MediaBox[0 0 1 1]>>"
	for name, objects := range map[string][]string{
		"cycle":             {"<</Type/Pages/Kids[2 0 R]/Count 1>>"},
		"two-cycle":         {"<</Type/Pages/Kids[3 0 R]/Count 1>>", "<</Type/Pages/Kids[2 0 R]/Count 1>>"},
		"count too large":   {"<</Type/Pages/Kids[3 0 R]/Count 2>>", page},
		"count too small":   {"<</Type/Pages/Kids[3 0 R 4 0 R]/Count 1>>", page, page},
		"page repeated":     {"<</Type/Pages/Kids[3 0 R 3 0 R]/Count 2>>", page},
		"count of a node":   {"<</Type/Pages/Kids[3 0 R]/Count 2>>", "<</Type/Pages/Kids[4 0 R]/Count 2>>", page},
		"count negative":    {"<</Type/Pages/Kids[3 0 R]/Count -1>>", page},
		"count 2^31":        {"<</Type/Pages/Kids[3 0 R]/Count 2147483648>>", page},
		"count missing":     {"<</Type/Pages/Kids[3 0 R]>>", page},
		"count a name":      {"<</Type/Pages/Kids[3 0 R]/Count/One>>", page},
		"kid missing":       {"<</Type/Pages/Kids[9 0 R]/Count 1>>"},
		"kid direct":        {"<</Type/Pages/Kids[" + page + "]/Count 1>>"},
		"kid no dictionary": {"<</Type/Pages/Kids[3 0 R]/Count 1>>", "7"},
		"kid of other type": {"<</Type/Pages/Kids[3 0 R]/Count 1>>", "<</Type/Font>>"},
		"kids no array":     {"<</Type/Pages/Kids 3 0 R/Count 1>>", page},
		"root is a page":    {page},
		"root missing":      {},
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func() {
				f := open(t, treeFile(objects...))
				for _, n := range []int{1, -1} {
					_, err := f.Page(n)
					requireRefused(t, err)
				}
				requireRefused(t, f.Pages(func(*pdf.Page) error { return nil }))
			})
		})
	}
}

func TestGeometry(t *testing.T) {
	deep := []string{"<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 50 60]/Rotate -90>>"}
	for i := range 49 {
		deep = append(deep, fmt.Sprintf("<</Type/Pages/Kids[%d 0 R]/Count 1>>", 4+i))
	}
	deep = append(deep, "<</Type/Page>>")
	page := func(entries string) []string {
		return []string{"<</Type/Pages/Kids[3 0 R]/Count 1>>", "<</Type/Page " + entries + ">>"}
	}
	box := pdf.Rect{LLX: 10, LLY: 20, URX: 110, URY: 220}
	for _, c := range []struct {
		name    string
		objects []string
		want    pdf.Page
	}{
		{"plain", page("/MediaBox[10 20 110 220]"), pdf.Page{MediaBox: box, CropBox: box, UserUnit: 1}},
		{"reversed", page("/MediaBox[110 220 10 20]"), pdf.Page{MediaBox: box, CropBox: box, UserUnit: 1}},
		{"crop", page("/MediaBox[10 20 110 220]/CropBox[50 0 200 100]"),
			pdf.Page{MediaBox: box, CropBox: pdf.Rect{LLX: 50, LLY: 20, URX: 110, URY: 100}, UserUnit: 1}},
		{"crop outside", page("/MediaBox[10 20 110 220]/CropBox[500 500 600 600]"), pdf.Page{MediaBox: box, CropBox: box, UserUnit: 1}},
		{"rotate -90", page("/MediaBox[10 20 110 220]/Rotate -90"), pdf.Page{MediaBox: box, CropBox: box, UserUnit: 1, Rotate: 270}},
		{"rotate 450.0", page("/MediaBox[10 20 110 220]/Rotate 450.0"), pdf.Page{MediaBox: box, CropBox: box, UserUnit: 1, Rotate: 90}},
		{"user unit", page("/MediaBox[10 20 110 220]/UserUnit 75000"), pdf.Page{MediaBox: box, CropBox: box, UserUnit: 75000}},
		{"fifty levels", deep, pdf.Page{MediaBox: pdf.Rect{URX: 50, URY: 60}, CropBox: pdf.Rect{URX: 50, URY: 60}, UserUnit: 1, Rotate: 270}},
	} {
		p, err := open(t, treeFile(c.objects...)).Page(1)
		require.NoError(t, err, c.name)
		c.want.Ref, c.want.Number, c.want.Dict, c.want.Resources = p.Ref, 1, p.Dict, nil
		require.Equal(t, &c.want, p, c.name)
	}
	for _, entries := range []string{
		"", "/MediaBox[0 0 1]", "/MediaBox[0 0 0 0]", "/MediaBox[0 0 1 null]", "/MediaBox[0 0 /A 1]", "/MediaBox 5",
		"/MediaBox[0 0 1 1" + strings.Repeat("0", 400) + "]", "/MediaBox[0 0 1 1]/Rotate 45", "/MediaBox[0 0 1 1]/Rotate/A",
		"/MediaBox[0 0 1 1]/CropBox[0 0]", "/MediaBox[0 0 1 1]/UserUnit 0", "/MediaBox[0 0 1 1]/UserUnit -1",
		"/MediaBox[0 0 1 1]/UserUnit 75001", "/MediaBox[0 0 NaN 1]",
	} {
		_, err := open(t, treeFile(page(entries)...)).Page(1)
		require.ErrorIs(t, err, pdf.ErrDamaged, entries)
	}
}

// TestSeenCoordinates places a mark near the bottom left of the page as people
// see it, for each rotation.
func TestSeenCoordinates(t *testing.T) {
	crop := pdf.Rect{LLX: 100, LLY: 200, URX: 400, URY: 600} // 300 x 400
	seen := pdf.Rect{LLX: 10, LLY: 20, URX: 60, URY: 40}
	for rotate, want := range map[int]pdf.Rect{
		0:   {LLX: 110, LLY: 220, URX: 160, URY: 240},
		90:  {LLX: 360, LLY: 210, URX: 380, URY: 260}, // bottom left as seen is bottom right of the page
		180: {LLX: 340, LLY: 560, URX: 390, URY: 580},
		270: {LLX: 120, LLY: 540, URX: 140, URY: 590},
	} {
		p := &pdf.Page{CropBox: crop, Rotate: rotate}
		w, h := p.Size()
		if rotate%180 == 0 {
			require.Equal(t, []float64{300, 400}, []float64{w, h})
		} else {
			require.Equal(t, []float64{400, 300}, []float64{w, h})
		}
		require.Equal(t, want, p.UserRect(seen), rotate)
		require.Equal(t, seen, p.SeenRect(want), rotate)
		require.Equal(t, crop, p.UserRect(pdf.Rect{URX: w, URY: h}), rotate)

		// The appearance: its box through the form matrix and the fit into the
		// rectangle of the annotation must give what the page matrix gives.
		m := p.FormMatrix(seen.Width(), seen.Height())
		turned := m.Rect(pdf.Rect{URX: seen.Width(), URY: seen.Height()})
		require.Equal(t, pdf.Rect{URX: want.Width(), URY: want.Height()}, turned, rotate)
		for _, point := range [][2]float64{{0, 0}, {50, 0}, {7, 11}} {
			fx, fy := m.Apply(point[0], point[1])
			ux, uy := p.Matrix().Apply(seen.LLX+point[0], seen.LLY+point[1])
			require.Equal(t, [2]float64{ux, uy}, [2]float64{fx + want.LLX, fy + want.LLY}, rotate)
		}
	}
}

func TestAnnotations(t *testing.T) {
	f := open(t, treeFile("<</Type/Pages/Kids[3 0 R 4 0 R 5 0 R 7 0 R]/Count 4/MediaBox[0 0 1 1]>>",
		"<</Type/Page/Annots[9 0 R]>>", "<</Type/Page/Annots 6 0 R>>", "<</Type/Page>>", "[9 0 R 8 0 R]", "<</Type/Page/Annots 6 0 R>>"))
	for i, want := range []int{1, 2, 0, 2} {
		p, err := f.Page(i + 1)
		require.NoError(t, err)
		a, err := f.Annotations(p)
		require.NoError(t, err)
		require.Len(t, a, want)
	}
}
