package pdf_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
)

// bigFile has n objects besides a page tree of one page and a form; kind says
// which cross-reference section.
func bigFile(n int, kind string, padding int) []byte {
	b := newBuilder().obj(1, "<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[]/SigFlags 3>>>>").
		obj(2, "<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 612 792]>>").
		obj(3, "<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>/ProcSet[/PDF/Text]>>>>").
		stream(4, "", bytes.Repeat([]byte("x"), padding))
	for i := range n {
		b.obj(5+i, "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>")
	}
	if kind == "stream" {
		return b.xrefStream(5+n, "").Bytes()
	}
	at := b.Len()
	fmt.Fprintf(b, "xref\n0 %d\n0000000000 65535 f \n", 5+n)
	for k := 1; k < 5+n; k++ {
		fmt.Fprintf(b, "%010d 00000 n \n", b.places[k].offset)
	}
	fmt.Fprintf(b, "trailer\n<</Size %d/Root 1 0 R>>\n", 5+n)
	return b.end(at).Bytes()
}

// openAndLook is what a signer reads of a file.
func openAndLook(tb testing.TB, data []byte) *pdf.File {
	f := open(tb, data)
	_, err := f.Page(-1)
	require.NoError(tb, err)
	_, form, err := f.Form()
	require.NoError(tb, err)
	require.NotNil(tb, form)
	return f
}

func BenchmarkOpen(b *testing.B) {
	for _, kind := range []string{"table", "stream"} {
		for _, size := range []struct {
			name             string
			objects, padding int
		}{{"62KB", 60, 56_000}, {"140000objects", 140_000, 0}} {
			data := bigFile(size.objects, kind, size.padding)
			b.Run(kind+"/"+size.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					openAndLook(b, data)
				}
			})
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, kind := range []string{"table", "stream"} {
		data := bigFile(60, kind, 56_000)
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				u, _, _ := change(b, open(b, data))
				_, err := u.Bytes()
				require.NoError(b, err)
			}
		})
	}
}

func BenchmarkPage(b *testing.B) {
	const n = 4785
	kids, objects := "", []string{""}
	for i := range n {
		kids += fmt.Sprintf("%d 0 R ", 3+i)
		objects = append(objects, "<</Type/Page/MediaBox[0 0 1 1]/Contents 2 0 R/Parent 2 0 R>>")
	}
	objects[0] = fmt.Sprintf("<</Type/Pages/Count %d/Kids[%s]>>", n, kids)
	data := treeFile(objects...)
	for _, page := range []int{1, n / 2, n} {
		b.Run(fmt.Sprint(page), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := open(b, data).Page(page)
				require.NoError(b, err)
			}
		})
	}
}

// TestOpenIsCheap holds allocations and memory of opening to what a small
// document and a very large one may take.
func TestOpenIsCheap(t *testing.T) {
	small := bigFile(60, "table", 56_000)
	require.Less(t, testing.AllocsPerRun(10, func() { openAndLook(t, small) }), 250.0)
	large := bigFile(140_000, "table", 0)
	before := heap()
	openAndLook(t, large)
	require.Less(t, heap()-before, int64(100_000))
}

// BenchmarkOpenEncrypted opens a file of one page with the empty password and
// decodes the page: what a password costs, of which revision 6 means to be slow.
func BenchmarkOpenEncrypted(b *testing.B) {
	for _, name := range []string{"classic.pdf", "encrypted-rc4-40.pdf", "encrypted-aes128.pdf", "encrypted-aes256.pdf"} {
		file, err := pdfs.Get(name)
		require.NoError(b, err)
		data := file.Bytes()
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				require.NotEmpty(b, content(b, open(b, data)))
			}
		})
	}
}
