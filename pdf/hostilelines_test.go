package pdf_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
)

// A hostile file has a name by which it is known, and what comes of reading all of it:
// regularly and by repair. "ok" says that it can be read, however odd it is.
type hostile struct {
	name             string
	data             func() []byte
	regular, repairs string
}

// outcome names the gravest of the errors in err.
func outcome(err error) string {
	var limit *pdf.LimitError
	var unsupported *pdf.UnsupportedError
	var page *pdf.PageRangeError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &limit):
		return limit.Limit
	case errors.Is(err, pdf.ErrNotPDF):
		return "no PDF"
	case errors.Is(err, pdf.ErrDamaged):
		return "damaged"
	case errors.Is(err, pdf.ErrEncrypted):
		return "encrypted"
	case errors.As(err, &unsupported):
		return "unsupported"
	case errors.As(err, &page):
		return "no page"
	}
	return err.Error()
}

// exercise opens a file and goes through all of it.
func exercise(r io.ReaderAt, size int64, how pdf.Repair) error {
	f, err := pdf.Open(r, size, &pdf.Options{Repair: how, Limits: &pdf.Limits{StreamBytes: 8 << 20}})
	if err != nil {
		return err
	}
	if _, err := f.Encryption(); err != nil {
		return errors.Join(err, readAll(f))
	}
	_ = f.Version()
	u := pdf.NewUpdate(f)
	u.Add(pdf.Integer(1))
	_, err = u.Bytes()
	return errors.Join(err, readAll(f))
}

// guard ends what would go on for ever, on however busy a machine.
const guard = time.Minute

// memoryFor is what reading all of a file may allocate, freed memory included: an
// object is read some ten times over.
func memoryFor(size int64) int64 { return 64<<20 + 64*size }

// TestHostileLines reads every hostile file in each of the three ways: no panic,
// an error that says what it is, and bounded memory and time.
func TestHostileLines(t *testing.T) {
	for _, c := range hostileFiles(t) {
		t.Run(c.name, func(t *testing.T) {
			data := c.data()
			want := map[pdf.Repair]string{pdf.RepairNever: c.regular, pdf.RepairAlways: c.repairs}
			for _, how := range []pdf.Repair{pdf.RepairNever, pdf.RepairDamaged, pdf.RepairAlways} {
				start, before := time.Now(), heap()
				err := exercise(bytes.NewReader(data), int64(len(data)), how)
				require.Less(t, heap()-before, memoryFor(int64(len(data))), "repair %d", how)
				require.Less(t, time.Since(start), guard, "repair %d", how)
				got := outcome(err)
				require.Contains(t, knownOutcomes, got, "%v", err)
				if text, ok := want[how]; ok {
					require.Equal(t, text, got, "repair %d: %v", how, err)
				}
			}
		})
	}
}

var knownOutcomes = []string{"ok", "no PDF", "damaged", "encrypted", "unsupported", "Nesting", "Sections", "ObjectNumber", "XRefBytes",
	"StreamBytes", "Filters", "Columns", "NameBytes", "Elements", "Fields", "ObjectBytes", "Changes", "Definitions",
	"bytes read in vain by repair", "no page"}

func hostileFiles(t *testing.T) []hostile {
	lists := [][]hostile{hostileFrames(), hostileSections(), hostileObjects(), hostileStreams(), hostileTrees(), hostileGeometry(), hostileEncryption(t)}
	var out []hostile
	for _, list := range lists {
		out = append(out, list...)
	}
	require.Greater(t, len(out), 90)
	return out
}

func text(s string) func() []byte { return func() []byte { return []byte(s) } }

func hostileFrames() []hostile {
	good := newBuilder().onePage().table("").String()
	start := func(s string) func() []byte {
		return text(good[:strings.Index(good, "startxref")] + "startxref\n" + s + "\n%%EOF\n")
	}
	return []hostile{
		{"empty", text(""), "no PDF", "no PDF"},
		{"one byte", text("%"), "no PDF", "no PDF"},
		{"no header", text(good[9:]), "no PDF", "no PDF"},
		{"header not at 0", text("junk\n" + good), "ok", "ok"},
		{"header not at 0, offsets from 0", text("junk\n" + strings.Replace(good, "%PDF-1.7\n%", "%PDF-1.7\n", 1)), "damaged", "ok"},
		{"header at 1020", text(strings.Repeat(" ", 1020) + good), "no PDF", "no PDF"},
		{"no end of file", text(strings.TrimSuffix(good, "%%EOF\n")), "damaged", "ok"},
		{"10^6 ends of file", text(good + strings.Repeat("%%EOF\n", 1_000_000)), "damaged", "ok"},
		{"no startxref", text(good[:strings.Index(good, "startxref")]), "damaged", "ok"},
		{"startxref missing", start(""), "damaged", "ok"},
		{"startxref negative", start("-5"), "damaged", "ok"},
		{"startxref beyond the end", start("99999"), "damaged", "ok"},
		{"startxref not at an xref", start("20"), "damaged", "ok"},
		{"startxref of 30 digits", start(strings.Repeat("9", 30)), "damaged", "ok"},
		{"10^6 headers of objects", text(good + strings.Repeat("1 0 obj\n", 1_000_000)), "damaged", "Definitions"},
		{"10^5 open strings", text(good + strings.Repeat("9 0 obj (", 100_000)), "damaged", "bytes read in vain by repair"},
		{"10^5 open streams", text(good + strings.Repeat("9 0 obj<</Length 9>>stream\n", 100_000)), "damaged", "ok"},
		{"10^5 trailers", text(good + strings.Repeat("trailer<</Root 1 0 R>>\n", 100_000)), "damaged", "ok"},
		{"10^5 lengths in one large object", largeLength, "damaged", "bytes read in vain by repair"},
	}
}

// largeLength has many streams whose length is one large array.
func largeLength() []byte {
	b := newBuilder().onePage()
	for range 100_000 {
		b.WriteString("9 0 obj<</Length 8 0 R>>stream\n\nendstream endobj\n")
	}
	b.obj(8, "["+strings.Repeat("1 ", 100_000)+"]")
	return b.Bytes()
}

func hostileSections() []hostile {
	b := newBuilder().onePage()
	var rows strings.Builder
	for n := range 5 {
		fmt.Fprintf(&rows, "%010d %05d %c \n", b.places[n].offset, map[bool]int{true: 65535}[n == 0], "fnnnn"[n])
	}
	table := func(head, entries string) func() []byte {
		return func() []byte { return withTable(head+rows.String(), entries) }
	}
	stream := func(entries string) func() []byte {
		return func() []byte { return withStream(entries, make([]byte, 60)) }
	}
	const head, root = "xref\n0 5\n", "/Size 5/Root 1 0 R"
	return []hostile{
		{"prev to itself", table(head, root+"/Prev SELF"), "damaged", "ok"},
		{"prev two-cycle", twoCycle, "damaged", "ok"},
		{"prev chain of 10^5", prevChain, "Sections", "ok"},
		{"hybrid loop", table(head, root+"/XRefStm SELF"), "damaged", "ok"},
		{"subsection 0 4294967295", table("xref\n0 4294967295\n", root), "ObjectNumber", "ok"},
		{"size 0", table(head, "/Size 0/Root 1 0 R"), "damaged", "ok"},
		{"size -1", table(head, "/Size -1/Root 1 0 R"), "damaged", "ok"},
		{"size 2^31", table(head, "/Size 2147483648/Root 1 0 R"), "ObjectNumber", "ok"},
		{"size 2^63", table(head, "/Size 9223372036854775808/Root 1 0 R"), "damaged", "ok"},
		{"index odd", stream("/Size 6/W[1 2 1]/Index[0 1 2]"), "damaged", "ok"},
		{"index overlapping", stream("/Size 6/W[1 2 1]/Index[0 3 2 2]"), "damaged", "ok"},
		{"index huge", stream("/Size 6/W[1 2 1]/Index[0 4294967295]"), "ObjectNumber", "ok"},
		{"W of zeros", stream("/Size 6/W[0 0 0]"), "damaged", "ok"},
		{"W 8 8 8", stream("/Size 2/W[8 8 8]"), "damaged", "ok"},
		{"W negative", stream("/Size 6/W[1 -1 1]"), "damaged", "ok"},
		{"xref stream in itself", stream("/Size 6/W[1 2 1]/Length 5 0 R"), "damaged", "ok"},
		{"entries into other objects", func() []byte {
			return withTable(head+strings.ReplaceAll(rows.String(), "00000 n", "00001 n"), root)
		}, "damaged", "ok"},
		{"table after stream", func() []byte { return newBuilder().onePage().xrefStream(5, "").obj(6, "6").table("").Bytes() }, "ok", "ok"},
		{"stream after table", func() []byte { return newBuilder().onePage().table("").obj(6, "6").xrefStream(5, "").Bytes() }, "ok", "ok"},
		{"generation reuse", generationReuse, "damaged", "ok"},
	}
}

func generationReuse() []byte {
	b := newBuilder().onePage().obj(5, "(old)").table("")
	at := b.Len()
	b.WriteString("5 1 obj\n(new)\nendobj\n")
	start := b.Len()
	fmt.Fprintf(b, "xref\n5 1\n%010d 00001 n \ntrailer\n<</Size 6/Root 1 0 R/Prev %d>>\n", at, b.last)
	return b.end(start).Bytes()
}

func twoCycle() []byte {
	b := newBuilder().onePage()
	first := b.Len()
	second := first + len("xref\n0 0\ntrailer\n<</Size 5/Root 1 0 R/Prev 0000000000>>\n")
	for _, prev := range []int{second, first} {
		fmt.Fprintf(b, "xref\n0 0\ntrailer\n<</Size 5/Root 1 0 R/Prev %010d>>\n", prev)
	}
	return b.end(second).Bytes()
}

func prevChain() []byte {
	b := newBuilder().onePage().table("")
	for range 100_000 {
		b.table("")
	}
	return b.Bytes()
}

func hostileObjects() []hostile {
	const million = 1_000_000
	object := func(body string) func() []byte {
		return func() []byte { return newBuilder().onePage().obj(8, body).table("").Bytes() }
	}
	return []hostile{
		{"10^6 nested arrays", object(strings.Repeat("[", million)), "Nesting", "ok"},
		{"10^6 nested dictionaries", object(strings.Repeat("<</A", million)), "Nesting", "ok"},
		{"object stream in an object stream", objectStreamInside, "damaged", "ok"},
		{"N 2^31", func() []byte { return packed("/Type/ObjStm/N 2147483648/First 4", "9 0 true") }, "damaged", "ok"},
		{"First beyond", func() []byte { return packed("/Type/ObjStm/N 1/First 400", "9 0 true") }, "damaged", "ok"},
		{"Extends cycle", func() []byte { return packed("/Type/ObjStm/N 1/First 4/Extends 8 0 R", "9 0 true") }, "ok", "ok"},
		{"length of itself", object("<</Length 8 0 R>>\nstream\nx\nendstream"), "damaged", "damaged"},
		{"length negative", object("<</Length -5>>\nstream\nx\nendstream"), "damaged", "damaged"},
		{"length too large", object("<</Length 99999999>>\nstream\nx\nendstream"), "damaged", "damaged"},
		{"reference chain", func() []byte { return newBuilder().onePage().obj(8, "9 0 R").obj(9, "8 0 R").table("").Bytes() }, "ok", "ok"},
		{"page that is a chain", func() []byte {
			return treeFile("<</Type/Pages/Count 1/Kids[3 0 R]>>", "4 0 R", "3 0 R")
		}, "damaged", "damaged"},
		{"string without end", object("(" + strings.Repeat("(", million)), "damaged", "ok"},
		{"hexadecimal string without end", object("<" + strings.Repeat("a", million)), "damaged", "ok"},
		{"name of 10 MB", object("/" + strings.Repeat("A", 10*million)), "NameBytes", "ok"},
		{"number of 10^6 digits", object(strings.Repeat("9", million)), "damaged", "ok"},
		{"odd UTF-16", func() []byte { return formFile("10 0 R", "<</T<feff00>/FT/Sig>>") }, "no page", "no page"},
		{"2 * 10^6 elements", object("[" + strings.Repeat("1 ", 2*million) + "]"), "Elements", "ok"},
	}
}

func objectStreamInside() []byte {
	b := newBuilder().onePage()
	b.objStm(8, map[int]string{9: "1"})
	b.places[11] = place{2, 9, 0}
	b.places[12] = place{2, 12, 0}
	return b.xrefStream(13, "").Bytes()
}

func hostileStreams() []hostile {
	bomb := deflate(make([]byte, 100_000_000))
	stream := func(entries string, data []byte) func() []byte {
		return func() []byte { return newBuilder().onePage().stream(8, entries, data).table("").Bytes() }
	}
	predictor := func(parms string) func() []byte {
		return stream("/Filter/FlateDecode/DecodeParms<<"+parms+">>", deflate(nil))
	}
	return []hostile{
		{"flate bomb", stream("/Filter/FlateDecode", bomb), "StreamBytes", "StreamBytes"},
		{"stacked filters", stream("/Filter["+strings.Repeat("/FlateDecode", 20)+"]", nil), "Filters", "Filters"},
		{"stacked bomb", stream("/Filter[/FlateDecode/FlateDecode]", deflate(bomb)), "StreamBytes", "StreamBytes"},
		{"LZW early change", stream("/Filter/LZWDecode/DecodeParms<</EarlyChange 0>>", lzwEncode([]byte(strings.Repeat("abcabd", 4000)), 0)), "ok", "ok"},
		{"LZW bad code", stream("/Filter/LZWDecode", []byte{0xff, 0xff}), "damaged", "damaged"},
		{"run length bomb", stream("/Filter[/RunLengthDecode/RunLengthDecode/RunLengthDecode]", bytes.Repeat([]byte{129, 129}, 10_000)), "StreamBytes", "StreamBytes"},
		{"predictor 2^31", predictor("/Predictor 2147483648"), "damaged", "damaged"},
		{"columns 2^31", predictor("/Predictor 12/Columns 2147483648"), "damaged", "damaged"},
		{"columns 2^29", predictor("/Predictor 12/Columns 536870912"), "Columns", "Columns"},
		{"Crypt filter with an unknown name", stream("/Filter/Crypt/DecodeParms<</Name/Mine>>", nil), "unsupported", "unsupported"},
		{"bomb in an object stream", func() []byte {
			return newBuilder().onePage().stream(8, "/Type/ObjStm/N 1/First 4/Filter/FlateDecode", bomb).table("").Bytes()
		}, "StreamBytes", "StreamBytes"},
	}
}

func hostileTrees() []hostile {
	return []hostile{
		{"cyclic kids", func() []byte { return treeFile("<</Type/Pages/Kids[2 0 R]/Count 1>>") }, "Nesting", "Nesting"},
		{"cyclic parent", func() []byte {
			return treeFile("<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 9 9]/Parent 3 0 R>>", "<</Type/Page/Parent 2 0 R>>")
		}, "ok", "ok"},
		{"parent that is the page", func() []byte {
			return treeFile("<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 9 9]>>", "<</Type/Page/Parent 3 0 R>>")
		}, "damaged", "damaged"},
		{"page count 2^31", func() []byte { return treeFile("<</Type/Pages/Kids[]/Count 2147483648>>") }, "damaged", "damaged"},
		{"fields cycle", func() []byte { return formFile("10 0 R", "<</T(a)/Kids[11 0 R]>>", "<</T(b)/Kids[10 0 R]>>") }, "damaged", "damaged"},
		{"10^5 signature fields", manyFields, "no page", "no page"},
		{"field with two widgets", func() []byte {
			return formFile("10 0 R", "<</T(a)/FT/Sig/Kids[11 0 R 12 0 R]>>", "<</Subtype/Widget/Parent 10 0 R>>", "<</Subtype/Widget/Parent 10 0 R>>")
		}, "no page", "no page"},
		{"annotation array of two pages", func() []byte {
			return treeFile("<</Type/Pages/Kids[3 0 R 4 0 R]/Count 2/MediaBox[0 0 9 9]>>", "<</Type/Page/Annots 5 0 R>>", "<</Type/Page/Annots 5 0 R>>", "[]")
		}, "ok", "ok"},
	}
}

func manyFields() []byte {
	const n = 100_000
	var top strings.Builder
	objects := make([]string, n)
	for i := range n {
		fmt.Fprintf(&top, "%d 0 R ", 10+i)
		objects[i] = "<</T(f)/FT/Sig>>"
	}
	return formFile(top.String(), objects...)
}

func hostileGeometry() []hostile {
	page := func(node, leaf string) func() []byte {
		return func() []byte {
			return treeFile("<</Type/Pages/Kids[3 0 R]/Count 1"+node+">>", "<</Type/Page"+leaf+">>")
		}
	}
	const box = "/MediaBox[0 0 9 9]"
	return []hostile{
		{"rotate 45", page(box, "/Rotate 45"), "damaged", "damaged"},
		{"rotate -90", page(box, "/Rotate -90"), "ok", "ok"},
		{"rotate inherited", page(box+"/Rotate 180", ""), "ok", "ok"},
		{"media box reversed", page("", "/MediaBox[9 9 0 0]"), "ok", "ok"},
		{"media box empty", page("", "/MediaBox[0 0 0 9]"), "damaged", "damaged"},
		{"media box not a number", page("", "/MediaBox[0 0 NaN 9]"), "damaged", "damaged"},
		{"media box infinite", page("", "/MediaBox[0 0 "+strings.Repeat("9", 400)+" 9]"), "damaged", "damaged"},
		{"media box through 50 levels", deepTree, "ok", "ok"},
		{"crop box outside", page(box, "/CropBox[100 100 200 200]"), "ok", "ok"},
		{"user unit 75,000", page(box, "/UserUnit 75000"), "ok", "ok"},
		{"user unit 75,001", page(box, "/UserUnit 75001"), "damaged", "damaged"},
	}
}

func deepTree() []byte {
	objects := []string{"<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 9 9]>>"}
	for n := range 50 {
		objects = append(objects, fmt.Sprintf("<</Type/Pages/Parent %d 0 R/Kids[%d 0 R]/Count 1>>", n+2, n+4))
	}
	return treeFile(append(objects, "<</Type/Page/Parent 52 0 R>>")...)
}

func hostileEncryption(t *testing.T) []hostile {
	file := func(name string) func() []byte {
		f, err := pdfs.Get(name)
		require.NoError(t, err)
		return f.Bytes
	}
	locked := func(k *lock, trailer string) func() []byte {
		return func() []byte { return k.start().table(trailer).Bytes() }
	}
	id := strings.Replace(lockTrailer, lockID, "another", 1)
	return []hostile{
		{"owner password only", file("encrypted-restricted.pdf"), "ok", "ok"},
		{"unknown handler", func() []byte {
			return newBuilder().onePage().obj(9, "<</Filter/Unheard>>").table("/Encrypt 9 0 R/ID[(a)(b)]").Bytes()
		}, "unsupported", "unsupported"},
		{"encryption added later", func() []byte {
			return newBuilder().onePage().table("").obj(9, "<</Filter/Unheard>>").table("/Encrypt 9 0 R/ID[(a)(b)]").Bytes()
		}, "unsupported", "damaged"},
		{"no identifier", locked(newLock(t, 5, "AESV3"), "/Encrypt 9 0 R"), "ok", "damaged"},
		{"wrong identifier", locked(newLock(t, 2, "V2"), id), "encrypted", "encrypted"},
		{"password needed", file("encrypted-password.pdf"), "encrypted", "encrypted"},
		{"revision 5", file("encrypted-r5.pdf"), "encrypted", "damaged"},
		{"revision 6", file("encrypted-aes256.pdf"), "ok", "ok"},
		{"identity filter", func() []byte {
			k := newLock(t, 4, "AESV2")
			k.entries["StmF"], k.entries["StrF"] = "/Identity", "/Identity"
			return k.start().table(lockTrailer).Bytes()
		}, "ok", "ok"},
	}
}
