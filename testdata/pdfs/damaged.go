package pdfs

import (
	"bytes"
	"fmt"
	"sort"
	"strings"
)

// Damaged returns files that are to be refused, each with a typed error, in short time
// and little memory. They are made on the fly; in order of name.
func Damaged() []File {
	classic := func() []byte { return onePage("classic.pdf", "1.4", "\n", a4, "") }
	edit := func(old, new string) func() []byte {
		return func() []byte { return bytes.Replace(classic(), []byte(old), []byte(new), 1) }
	}
	out := []File{
		{Name: "empty", Expect: NotPDF, Shows: "no bytes at all", data: func() []byte { return []byte{} }},
		{Name: "text", Expect: NotPDF, Shows: "a text that only talks about PDF", data: func() []byte {
			return []byte(strings.Repeat("Ini bukan berkas PDF.\n", 100))
		}},
		{Name: "png", Expect: NotPDF, Shows: "the beginning of an image", data: func() []byte {
			return append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), make([]byte, 2000)...)
		}},
		{Name: "header-only", Expect: Malformed, Shows: "a header and nothing else", data: func() []byte { return []byte("%PDF-1.7\n") }},
		{Name: "truncated", Expect: Malformed, Shows: "the last third is missing", data: func() []byte {
			b := classic()
			return b[:len(b)*2/3]
		}},
		{Name: "truncated-in-xref", Expect: Malformed, Shows: "cut within the table", data: func() []byte {
			b := classic()
			return b[:bytes.LastIndex(b, []byte("trailer"))-30]
		}},
		{Name: "startxref-missing", Expect: Malformed, Shows: "no startxref", data: edit("startxref", "startXref")},
		{Name: "startxref-outside", Expect: Malformed, Shows: "startxref points behind the end", data: lastNumber("99999999")},
		{Name: "startxref-negative", Expect: Malformed, Shows: "startxref is negative", data: lastNumber("-1")},
		{Name: "startxref-huge", Expect: Malformed, Shows: "startxref does not fit in 64 bits", data: lastNumber(strings.Repeat("9", 40))},
		{Name: "startxref-elsewhere", Expect: Malformed, Shows: "startxref points at an object", data: lastNumber("15")},
		{Name: "offsets-shifted", Expect: Malformed, Shows: "a line lost before the first object: every offset is wrong", data: edit("%\xe2\xe3\xcf\xd3\n", "")},
		{Name: "root-missing", Expect: Malformed, Shows: "the trailer has no /Root", data: edit("/Root 1 0 R", "")},
		{Name: "root-wrong", Expect: Malformed, Shows: "/Root is the font", data: edit("/Root 1 0 R", "/Root 5 0 R")},
		{Name: "pages-missing", Expect: Malformed, Shows: "the catalog has no /Pages", data: edit("/Pages 2 0 R", "/Paged 2 0 R")},
		{Name: "pages-cycle", Expect: BeyondLimits, Shows: "a node of the page tree is its own child: endlessly deep", data: edit("/Kids [3 0 R]", "/Kids [2 0 R]")},
		{Name: "count-huge", Expect: Malformed, Shows: "/Count says 2147483647 pages", data: countHuge},
		{Name: "prev-cycle", Expect: Malformed, Shows: "/Prev points at its own section", data: prevCycle},
		{Name: "size-huge", Expect: Malformed, Shows: "a subsection of 9999999999 entries", data: edit("0 6\n", "0 9999999999\n")},
		{Name: "length-cycle", Expect: Malformed, Shows: "the /Length of the catalog's object stream lies in that stream", data: lengthCycle},
		{Name: "deep-array", Expect: BeyondLimits, Shows: "a page dictionary with 100,000 nested arrays", data: deepArray},
		{Name: "objstm-extends-cycle", Expect: Malformed, Shows: "an object stream within itself", data: objStmCycle},
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// lastNumber puts another number after startxref.
func lastNumber(number string) func() []byte {
	return func() []byte {
		b := onePage("classic.pdf", "1.4", "\n", a4, "")
		at := bytes.LastIndex(b, []byte("startxref"))
		return append(b[:at:at], "startxref\n"+number+"\n%%EOF\n"...)
	}
}

func countHuge() []byte {
	b := newBuilder("1.4")
	b.obj(1, "<< /Type /Catalog /Pages 2 0 R >>")
	b.obj(2, "<< /Type /Pages /Kids [] /Count 2147483647 >>")
	b.finish("/Size 3 /Root 1 0 R")
	return b.Bytes()
}

func prevCycle() []byte {
	b := newBuilder("1.4")
	b.base("prev-cycle", a4, a4, "", "")
	at := b.Len()
	b.finish(fmt.Sprintf("/Size 6 /Root 1 0 R /Prev %d", at))
	return b.Bytes()
}

// lengthCycle has a catalog in object stream 4, whose length is an object in that stream.
func lengthCycle() []byte {
	b := newBuilder("1.5")
	b.obj(4, "<< /Type /ObjStm /N 2 /First 9 /Length 3 0 R >>\nstream\n1 0 3 33 << /Type /Catalog /Pages 2 0 R >> 45\nendstream")
	return b.streamXRef([]byte{
		0, 0, 0, 0,
		2, 0, 4, 0,
		0, 0, 0, 0,
		2, 0, 4, 1,
		1, 0, byte(b.entries[4].offset), 0,
	})
}

func deepArray() []byte {
	const depth = 100_000
	b := newBuilder("1.4")
	b.base("deep-array", a4, a4, "/PieceInfo "+strings.Repeat("[", depth)+strings.Repeat("]", depth), "")
	b.finish("/Size 6 /Root 1 0 R")
	return b.Bytes()
}

// objStmCycle has a catalog in object stream 4, which claims to be in itself.
func objStmCycle() []byte {
	b := newBuilder("1.5")
	b.stream(4, "/Type /ObjStm /N 1 /First 4 /Extends 4 0 R", "1 0 << /Type /Catalog /Pages 2 0 R >>")
	return b.streamXRef([]byte{
		0, 0, 0, 0,
		2, 0, 4, 0,
		2, 0, 4, 1,
		0, 0, 0, 0,
		2, 0, 4, 0,
	})
}

// streamXRef ends a file with a cross-reference stream, object 5, of the rows of objects
// 0 to 4 and its own.
func (b *builder) streamXRef(rows []byte) []byte {
	at := b.Len()
	rows = append(rows, 1, byte(at>>8), byte(at), 0)
	b.stream(5, "/Type /XRef /Size 6 /Root 1 0 R /W [1 2 1]", string(rows))
	b.WriteString(fmt.Sprintf("startxref\n%d\n%%%%EOF\n", at))
	return b.Bytes()
}
