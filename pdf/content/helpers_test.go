package content_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/pdf/content"
)

// sheet describes a file of one page, 595 x 842 unless entries say otherwise.
// Object 4 is its content, and objects follow from number 5 on.
type sheet struct {
	entries   string // of the page
	resources string // inside of the dictionary
	content   string
	objects   []string
}

// object writes a stream with entries in its dictionary.
func stream(entries, data string) string {
	return fmt.Sprintf("<<%s/Length %d>>stream\n%s\nendstream", entries, len(data), data)
}

func (s sheet) bytes() []byte {
	box := "/MediaBox[0 0 595 842]"
	if bytes.Contains([]byte(s.entries), []byte("/MediaBox")) {
		box = ""
	}
	contents := "/Contents 4 0 R"
	if bytes.Contains([]byte(s.entries), []byte("/Contents")) {
		contents = ""
	}
	objects := append([]string{
		"<</Type/Catalog/Pages 2 0 R>>",
		"<</Type/Pages/Count 1/Kids[3 0 R]>>",
		"<</Type/Page/Parent 2 0 R/Resources<<" + s.resources + ">>" + box + contents + s.entries + ">>",
		stream("", s.content),
	}, s.objects...)
	out := []byte("%PDF-1.7\n")
	var offsets []int
	for i, o := range objects {
		offsets = append(offsets, len(out))
		out = fmt.Appendf(out, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	xref := len(out)
	out = fmt.Appendf(out, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, offset := range offsets {
		out = fmt.Appendf(out, "%010d 00000 n \n", offset)
	}
	return fmt.Appendf(out, "trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, xref)
}

// helvetica is a resource /F1, in which digits are 0.556 em wide.
const helvetica = "/Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>>>"

func openPage(t testing.TB, data []byte, password string, n int) (*pdf.File, *pdf.Page) {
	t.Helper()
	f, err := pdf.Open(bytes.NewReader(data), int64(len(data)), &pdf.Options{Password: password})
	require.NoError(t, err)
	p, err := f.Page(n)
	require.NoError(t, err)
	return f, p
}

// layout reads the page of a sheet, which must be understood entirely.
func (s sheet) layout(t testing.TB) *content.Layout {
	t.Helper()
	l := s.limited(t, nil)
	require.False(t, l.Truncated, "%v", l.Reason)
	require.NoError(t, l.Reason)
	return l
}

func (s sheet) limited(t testing.TB, lim *content.Limits) *content.Layout {
	t.Helper()
	f, p := openPage(t, s.bytes(), "", 1)
	l, err := content.Read(context.Background(), f, p, lim)
	require.NoError(t, err)
	return l
}

func texts(l *content.Layout) []string {
	var out []string
	for _, r := range l.Runs {
		out = append(out, r.Text)
	}
	return out
}

// near compares boxes to a hundredth of a point.
func near(t testing.TB, want, got pdf.Rect) {
	t.Helper()
	require.InDeltaSlice(t,
		[]float64{want.LLX, want.LLY, want.URX, want.URY}, []float64{got.LLX, got.LLY, got.URX, got.URY}, 0.01)
}
