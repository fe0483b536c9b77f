package sign_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/pdf/content"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
	"github.com/seed-574216e4/meterai/verify"
)

// pageLayout is what is on a page of a document.
func pageLayout(t *testing.T, src []byte, n int) *content.Layout {
	t.Helper()
	f, err := pdf.Open(bytes.NewReader(src), int64(len(src)), nil)
	require.NoError(t, err)
	page, err := f.Page(n)
	require.NoError(t, err)
	l, err := content.Read(t.Context(), f, page, nil)
	require.NoError(t, err)
	require.False(t, l.Truncated, "%v", l.Reason)
	return l
}

// result stamps a source and gives the document and where the stamp is.
func result(t *testing.T, src []byte, opt *sign.Options, n uint64) ([]byte, *sign.Result) {
	t.Helper()
	var out bytes.Buffer
	res, err := open(t, src, opt).Sign(t.Context(), &out, credential(t, specimen(t).StampP256), sign.Issue{Number: numberOf(t, n)})
	require.NoError(t, err)
	keep(t, fmt.Sprintf("%s-%d.pdf", strings.ReplaceAll(t.Name(), "/", "-"), n), out.Bytes())
	return out.Bytes(), res
}

// keep writes a stamped document into the folder METERAI_KEEP, to be looked at.
func keep(t *testing.T, name string, data []byte) {
	t.Helper()
	if dir := os.Getenv("METERAI_KEEP"); dir != "" {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
}

const statement = "Yang membuat pernyataan,"

func TestAnchor(t *testing.T) {
	for _, name := range []string{"surat-pernyataan.pdf", "cairo.pdf", "ghostscript.pdf", "mupdf.pdf"} {
		t.Run(name, func(t *testing.T) {
			src := fileBytes(t, name)
			l := pageLayout(t, src, 2)
			var text pdf.Rect
			for side, near := range map[sign.Side]func(pdf.Rect) (gap, off float64){
				sign.RightOf: func(r pdf.Rect) (float64, float64) { return r.LLX - text.URX, r.LLY + r.URY - text.LLY - text.URY },
				sign.LeftOf:  func(r pdf.Rect) (float64, float64) { return text.LLX - r.URX, r.LLY + r.URY - text.LLY - text.URY },
				sign.Above:   func(r pdf.Rect) (float64, float64) { return r.LLY - text.URY, r.LLX - text.LLX },
				sign.Below:   func(r pdf.Rect) (float64, float64) { return text.LLY - r.URY, r.LLX - text.LLX },
			} {
				words := statement
				if side == sign.RightOf {
					words = "C. Kebenaran data"
				}
				found := l.Find(words)
				require.Len(t, found, 1)
				text = l.Seen(found[0])
				opt := stampOptions(t)
				opt.Anchor = &sign.Anchor{Text: words, Side: side, Gap: 9}
				out, res := result(t, src, opt, uint64(side))
				require.Equal(t, 2, res.Page)
				gap, off := near(res.Rect)
				require.InDelta(t, 9, gap, 0.01, side)
				require.InDelta(t, 0, off, 0.01, side)
				require.Equal(t, verify.TotalPassed, verified(t, out).Indication)
			}
		})
	}
}

// Sides are those that people see, whatever the page does with its coordinates.
func TestAnchorOnOddPages(t *testing.T) {
	for _, name := range []string{"rotate-90.pdf", "rotate-180.pdf", "rotate-270.pdf", "cropbox.pdf", "cropbox-rotated.pdf", "userunit.pdf"} {
		t.Run(name, func(t *testing.T) {
			src := fileBytes(t, name)
			l := pageLayout(t, src, 1)
			found := l.Find("Dokumen uji")
			require.NotEmpty(t, found)
			text, fits := l.Seen(found[0]), 0
			for side := sign.RightOf; side <= sign.Below; side++ {
				opt := stampOptions(t)
				opt.Page, opt.Anchor = 1, &sign.Anchor{Text: "Dokumen uji", Side: side}
				_, err := sign.Open(bytes.NewReader(src), int64(len(src)), opt)
				var place *sign.PlacementError
				if errors.As(err, &place) {
					require.Equal(t, "is outside the page", place.What)
					continue
				}
				fits++
				_, res := result(t, src, opt, uint64(side))
				gaps := []float64{res.Rect.LLX - text.URX, text.LLX - res.Rect.URX, res.Rect.LLY - text.URY, text.LLY - res.Rect.URY}
				require.InDelta(t, 6, gaps[side], 0.01, side)
			}
			require.NotZero(t, fits)
		})
	}
}

// The place is known, and part of the request, before a number is taken.
func TestAnchorIsPartOfTheRequest(t *testing.T) {
	src := fileBytes(t, "surat-pernyataan.pdf")
	opt := stampOptions(t)
	opt.Anchor = &sign.Anchor{Text: "yang MEMBUAT"}
	_, err := sign.Open(bytes.NewReader(src), int64(len(src)), opt)
	require.ErrorContains(t, err, `anchor text not found on any of pages 1 to 2: "yang MEMBUAT"`)
	opt.Anchor = &sign.Anchor{Text: "Yang  membuat", Side: sign.Below}
	byText, err := open(t, src, opt).Request(t.Context(), "me", []byte("k"))
	require.NoError(t, err)
	_, res := result(t, src, opt, 1)
	opt.Anchor, opt.At = nil, &sign.Point{X: res.Rect.LLX, Y: res.Rect.LLY}
	byPoint, err := open(t, src, opt).Request(t.Context(), "me", []byte("k"))
	require.NoError(t, err)
	require.Equal(t, byPoint, byText)
}

func TestAnchorOccurrence(t *testing.T) {
	src := fileBytes(t, "surat-pernyataan.pdf")
	all := pageLayout(t, src, 1)
	found := all.Find("instansi")
	require.Len(t, found, 3)
	for occurrence, want := range map[int]int{0: 0, 1: 0, 2: 1, 3: 2, -1: 2, -3: 0} {
		opt := stampOptions(t)
		opt.Page = 1
		opt.Anchor = &sign.Anchor{Text: "instansi", Occurrence: occurrence, Side: sign.Below}
		_, res := result(t, src, opt, 1)
		require.InDelta(t, all.Seen(found[want]).LLY-6, res.Rect.URY, 0.01, occurrence)
	}
	for _, occurrence := range []int{4, -4, math.MaxInt, math.MinInt} {
		opt := stampOptions(t)
		opt.Page, opt.Anchor = 1, &sign.Anchor{Text: "instansi", Occurrence: occurrence}
		_, err := sign.Open(bytes.NewReader(src), int64(len(src)), opt)
		var place *sign.PlacementError
		require.ErrorAs(t, err, &place)
		require.Contains(t, place.What, "anchor text not found often enough")
	}
}

func TestPlacesThatAreRefused(t *testing.T) {
	src := fileBytes(t, "surat-pernyataan.pdf")
	for name, test := range map[string]struct {
		change func(*sign.Options)
		what   string
	}{
		"not there":        {func(o *sign.Options) { o.Anchor = &sign.Anchor{Text: "tidak ada"} }, "anchor text not found on any of pages 1 to 2"},
		"on another page":  {func(o *sign.Options) { o.Page, o.Anchor = 1, &sign.Anchor{Text: statement} }, "anchor text not found: "},
		"no text":          {func(o *sign.Options) { o.Anchor = &sign.Anchor{Text: " \t"} }, "anchor text not found"},
		"long text":        {func(o *sign.Options) { o.Anchor = &sign.Anchor{Text: strings.Repeat("x", 1e6)} }, `xxx"...`},
		"no side":          {func(o *sign.Options) { o.Anchor = &sign.Anchor{Text: statement, Side: 4} }, "on no side"},
		"outside":          {func(o *sign.Options) { o.Anchor = &sign.Anchor{Text: statement, Gap: 200} }, "is outside the page"},
		"gap not a number": {func(o *sign.Options) { o.Anchor = &sign.Anchor{Text: statement, Gap: math.NaN()} }, "is not finite"},
		"no free spot":     {func(o *sign.Options) { o.Page, o.Free, o.Width = 1, true, 400 }, "has no free spot"},
		"wide margin":      {func(o *sign.Options) { o.Free, o.Margin = true, 300 }, "has no free spot"},
		"no such margin":   {func(o *sign.Options) { o.Free, o.Margin = true, math.NaN() }, "has no free spot"},
		"both":             {func(o *sign.Options) { o.Free, o.Anchor = true, &sign.Anchor{Text: statement} }, "in two ways"},
		"point and spot":   {func(o *sign.Options) { o.Free, o.At = true, &sign.Point{X: 36, Y: 36} }, "in two ways"},
	} {
		t.Run(name, func(t *testing.T) {
			opt := stampOptions(t)
			test.change(opt)
			_, err := sign.Open(bytes.NewReader(src), int64(len(src)), opt)
			var place *sign.PlacementError
			require.ErrorAs(t, err, &place)
			require.Contains(t, err.Error(), test.what)
			require.Less(t, len(err.Error()), 300)
			require.NotContains(t, err.Error(), "[0.0 0.0")
		})
	}
}

// A page that is not understood entirely has no free spot, and an anchor that
// is not found there is not looked for on earlier pages.
func TestPageNotUnderstood(t *testing.T) {
	src := tinyPDF("/Resources<</XObject<</X 9 0 R>>>>", "", "")
	src = bytes.Replace(src, []byte("<</Length 0>>stream\n\nendstream"), []byte("<</Length 6/Filter/No>>stream\n/X Do \nendstream"), 1)
	src = reindexed(src)
	opt := stampOptions(t)
	opt.Free = true
	_, err := sign.Open(bytes.NewReader(src), int64(len(src)), opt)
	require.ErrorContains(t, err, "no free spot that is known")
	opt.Free, opt.Anchor = false, &sign.Anchor{Text: "x"}
	_, err = sign.Open(bytes.NewReader(src), int64(len(src)), opt)
	require.ErrorContains(t, err, "page 1 was not understood entirely")
}

// reindexed writes the table of a tinyPDF anew.
func reindexed(src []byte) []byte {
	body := src[:bytes.LastIndex(src, []byte("xref\n0 "))]
	out := fmt.Appendf(bytes.Clone(body), "xref\n0 6\n0000000000 65535 f \n")
	for n := 1; n <= 5; n++ {
		out = fmt.Appendf(out, "%010d 00000 n \n", bytes.Index(body, fmt.Appendf(nil, "\n%d 0 obj", n))+1)
	}
	return fmt.Appendf(out, "trailer\n<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(body))
}

// Free finds a place for every file that can be stamped, and nothing is under
// the stamp there.
func TestFree(t *testing.T) {
	for _, f := range pdfs.StampableFiles() {
		t.Run(f.Name, func(t *testing.T) {
			src := f.Bytes()
			for corner := sign.BottomRight; corner <= sign.TopLeft; corner++ {
				opt := stampOptions(t)
				opt.Free, opt.Corner = true, corner
				out, res := result(t, src, opt, uint64(corner))
				requireFree(t, pageLayout(t, src, res.Page), res.Rect)
				if corner == sign.BottomRight {
					require.Equal(t, verify.TotalPassed, lastSignature(t, out).Indication)
				}
			}
		})
	}
}

func lastSignature(t *testing.T, out []byte) verify.Signature {
	t.Helper()
	list := verified(t, out).Signatures
	require.NotEmpty(t, list)
	return list[len(list)-1]
}

func requireFree(t *testing.T, l *content.Layout, at pdf.Rect) {
	t.Helper()
	for _, boxes := range [][]pdf.Rect{l.Occupied, l.Annotations} {
		for _, b := range boxes {
			both := l.Seen(b).Intersect(at)
			require.Less(t, both.Width()*both.Height(), 1e-3, "%v is under the stamp at %v", l.Seen(b), at)
		}
	}
}

// Stamps that look for a free spot do not cover each other, though each begins
// in the same corner, until there is no room any more.
func TestSeveralStamps(t *testing.T) {
	for _, name := range []string{"surat-pernyataan.pdf", "rotate-90.pdf", "cropbox-rotated.pdf", "userunit.pdf"} {
		t.Run(name, func(t *testing.T) {
			doc := fileBytes(t, name)
			var rects []pdf.Rect
			for n := range uint64(3) {
				opt := stampOptions(t)
				opt.Free = true
				var res *sign.Result
				doc, res = result(t, doc, opt, n)
				for _, r := range rects {
					require.True(t, r.Intersect(res.Rect).Empty(), "%v and %v", r, res.Rect)
				}
				rects = append(rects, res.Rect)
			}
			report := verified(t, doc)
			require.Len(t, report.Signatures, 3)
			require.Equal(t, verify.TotalPassed, report.Indication, "%v", report)
		})
	}
}

func ExampleAnchor() {
	file, err := pdfs.Get("surat-pernyataan.pdf")
	if err != nil {
		log.Fatal(err)
	}
	_, sealKey, err := ed25519.GenerateKey(nil)
	if err != nil {
		log.Fatal(err)
	}
	src := file.Bytes()
	doc, err := sign.Open(bytes.NewReader(src), int64(len(src)), &sign.Options{
		Stamp:  &sign.Stamp{Value: 10000, Specimen: true, Seal: sealKey},
		Anchor: &sign.Anchor{Text: "Yang membuat pernyataan,", Side: sign.Below},
	})
	if err != nil {
		log.Fatal(err)
	}
	request, err := doc.Request(context.Background(), "account", []byte("key"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(request.Placement)
	// Output: page 2 at 348.66,335.41, 153.00 x 81.00 pt
}

func TestFreeWithExistingField(t *testing.T) {
	src := fileBytes(t, "form.pdf")
	for name, opt := range map[string]*sign.Options{
		"free":   {Free: true, Field: "Tanda tangan"},
		"anchor": {Anchor: &sign.Anchor{Text: "x"}, Field: "Tanda tangan"},
	} {
		f, err := pdf.Open(bytes.NewReader(src), int64(len(src)), nil)
		require.NoError(t, err)
		require.NoError(t, f.Fields(func(field *pdf.Field) error {
			if field.Type == "Sig" {
				opt.Field = field.Name
			}
			return nil
		}))
		_, err = sign.Open(bytes.NewReader(src), int64(len(src)), opt)
		var bad *sign.FieldError
		require.ErrorAs(t, err, &bad, name)
	}
}
