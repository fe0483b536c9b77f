package pdfs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// handmade are the checked-in files that this package writes itself.
var handmade = map[string]func() []byte{
	"classic.pdf":          func() []byte { return onePage("classic.pdf", "1.4", "\n", a4, "") },
	"pdf13.pdf":            func() []byte { return onePage("pdf13.pdf", "1.3", "\n", a4, "") },
	"pdf20.pdf":            func() []byte { return onePage("pdf20.pdf", "2.0", "\n", a4, "") },
	"crlf.pdf":             func() []byte { return onePage("crlf.pdf", "1.4", "\r\n", a4, "") },
	"cr.pdf":               func() []byte { return onePage("cr.pdf", "1.4", "\r", a4, "") },
	"no-eol.pdf":           noEOL,
	"rotate-90.pdf":        func() []byte { return onePage("rotate-90.pdf", "1.4", "\n", a4, "/Rotate 90") },
	"rotate-180.pdf":       func() []byte { return onePage("rotate-180.pdf", "1.4", "\n", a4, "/Rotate 180") },
	"rotate-270.pdf":       func() []byte { return onePage("rotate-270.pdf", "1.4", "\n", a4, "/Rotate 270") },
	"rotate-inherited.pdf": rotateInherited,
	"cropbox.pdf":          cropBox,
	"cropbox-rotated.pdf":  cropBoxRotated,
	"userunit.pdf":         userUnit,
	"forty-pages.pdf":      fortyPages,
	"form.pdf":             form,
	"hybrid.pdf":           hybrid,
	"incremental.pdf":      incremental,
	"sparse-xref.pdf":      sparse,
}

type box struct{ x0, y0, x1, y1 float64 }

var a4 = box{0, 0, 595.276, 841.89}

func (r box) String() string { return fmt.Sprintf("[%g %g %g %g]", r.x0, r.y0, r.x1, r.y1) }

func (r box) marks(title string, lines ...string) string {
	return marks(title, r.x0, r.y0, r.x1, r.y1, lines...)
}

// base writes catalog 1, page tree 2, page 3, content 4 and font 5.
func (b *builder) base(name string, media, seen box, page, catalog string) {
	b.obj(1, strings.TrimSpace("<< /Type /Catalog /Pages 2 0 R "+catalog)+" >>")
	b.obj(2, "<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
	b.obj(3, fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox %v /Resources << /Font << /F1 5 0 R >> >> /Contents 4 0 R %s >>",
		media, page))
	b.stream(4, "", seen.marks(name, "Dokumen uji untuk pustaka meterai."))
	b.obj(5, helvetica)
}

func onePage(name, version, eol string, media box, page string) []byte {
	b := newBuilderEOL(version, eol)
	b.base(name, media, media, page, "")
	b.finish("/Size 6 /Root 1 0 R " + fileID(name))
	return b.Bytes()
}

func noEOL() []byte {
	return bytes.TrimRight(onePage("no-eol.pdf", "1.4", "\n", a4, ""), "\n")
}

func rotateInherited() []byte {
	b := newBuilder("1.4")
	b.obj(1, "<< /Type /Catalog /Pages 2 0 R >>")
	b.obj(2, "<< /Type /Pages /Kids [3 0 R] /Count 1 /Rotate -90 /MediaBox [0 0 595.276 841.89] /Resources << /Font << /F1 6 0 R >> >> >>")
	b.obj(3, "<< /Type /Pages /Parent 2 0 R /Kids [4 0 R] /Count 1 >>")
	b.obj(4, "<< /Type /Page /Parent 3 0 R /Contents 5 0 R >>")
	b.stream(5, "", a4.marks("rotate-inherited.pdf", "Rotate -90, MediaBox and Resources stand two levels up."))
	b.obj(6, helvetica)
	b.finish("/Size 7 /Root 1 0 R " + fileID("rotate-inherited.pdf"))
	return b.Bytes()
}

func cropBox() []byte {
	b := newBuilder("1.4")
	seen := box{52.5, 79, 647.776, 920.89}
	b.base("cropbox.pdf", box{0, 0, 700, 1000}, seen, "/CropBox "+seen.String(), "")
	b.finish("/Size 6 /Root 1 0 R " + fileID("cropbox.pdf"))
	return b.Bytes()
}

// cropBoxRotated has a negative origin and a CropBox whose corners are given upside down.
func cropBoxRotated() []byte {
	b := newBuilder("1.4")
	seen := box{-60, -40, 535.276, 801.89}
	upsideDown := box{seen.x1, seen.y1, seen.x0, seen.y0}
	b.base("cropbox-rotated.pdf", box{-100, -100, 600, 900}, seen, "/Rotate 90 /CropBox "+upsideDown.String(), "")
	b.finish("/Size 6 /Root 1 0 R " + fileID("cropbox-rotated.pdf"))
	return b.Bytes()
}

func userUnit() []byte {
	b := newBuilder("1.6")
	half := box{0, 0, 297.638, 420.945}
	b.base("userunit.pdf", half, half, "/UserUnit 2", "")
	b.finish("/Size 6 /Root 1 0 R " + fileID("userunit.pdf"))
	return b.Bytes()
}

// fortyPages has four nodes of ten pages.
func fortyPages() []byte {
	const nodes, each = 4, 10
	b := newBuilder("1.5")
	b.obj(1, "<< /Type /Catalog /Pages 2 0 R >>")
	var kids strings.Builder
	for i := range nodes {
		fmt.Fprintf(&kids, "%d 0 R ", 4+i)
	}
	b.obj(2, fmt.Sprintf("<< /Type /Pages /Kids [%s] /Count %d /MediaBox %v /Resources << /Font << /F1 3 0 R >> >> >>",
		strings.TrimSpace(kids.String()), nodes*each, a4))
	b.obj(3, helvetica)
	next := 4 + nodes
	for i := range nodes {
		kids.Reset()
		for j := range each {
			fmt.Fprintf(&kids, "%d 0 R ", next+2*j)
		}
		b.obj(4+i, fmt.Sprintf("<< /Type /Pages /Parent 2 0 R /Kids [%s] /Count %d >>", strings.TrimSpace(kids.String()), each))
		for j := range each {
			b.obj(next, fmt.Sprintf("<< /Type /Page /Parent %d 0 R /Contents %d 0 R >>", 4+i, next+1))
			b.stream(next+1, "", a4.marks(fmt.Sprintf("forty-pages.pdf, halaman %d", i*each+j+1)))
			next += 2
		}
	}
	b.finish(fmt.Sprintf("/Size %d /Root 1 0 R %s", next, fileID("forty-pages.pdf")))
	return b.Bytes()
}

// form has text fields in a hierarchy, an empty signature field, and AcroForm entries that
// a signer must keep. /Fields and /Annots are indirect arrays.
func form() []byte {
	b := newBuilder("1.7")
	b.base("form.pdf", a4, a4, "/Annots 8 0 R", "/AcroForm 6 0 R")
	b.obj(6, "<< /Fields 7 0 R /DR << /Font << /Helv 5 0 R >> >> /DA (/Helv 11 Tf 0 g) /Q 1 /NeedAppearances false /SigFlags 0 >>")
	b.obj(7, "[9 0 R 12 0 R]")
	b.obj(8, "[10 0 R 11 0 R 12 0 R]")
	b.obj(9, "<< /T (pemohon) /FT /Tx /Kids [10 0 R 11 0 R] >>")
	field := "<< /Type /Annot /Subtype /Widget /Parent 9 0 R /T (%s) /V (%s) /F 4 /P 3 0 R /Rect %v /AP << /N %d 0 R >> >>"
	b.obj(10, fmt.Sprintf(field, "nama", "Siti Contoh", box{36, 640, 336, 660}, 13))
	b.obj(11, fmt.Sprintf(field, "kota", "Bandung", box{36, 600, 336, 620}, 14))
	b.obj(12, "<< /Type /Annot /Subtype /Widget /FT /Sig /T (tandatangan) /F 4 /P 3 0 R /Rect [36 480 236 540] >>")
	for i, v := range []string{"Siti Contoh", "Bandung"} {
		b.stream(13+i, "/Type /XObject /Subtype /Form /BBox [0 0 300 20] /Resources << /Font << /Helv 5 0 R >> >>",
			"/Tx BMC q BT /Helv 11 Tf 0 g 100 6 Td ("+v+") Tj ET Q EMC")
	}
	b.finish("/Size 15 /Root 1 0 R " + fileID("form.pdf"))
	return b.Bytes()
}

// hybrid is a hybrid-reference file (ISO 32000-2, 7.5.8.4): the outline, objects 6 and 7,
// lives in an object stream that only the cross-reference stream names.
func hybrid() []byte {
	b := newBuilder("1.5")
	b.base("hybrid.pdf", a4, a4, "", "/Outlines 6 0 R")
	first, second := "<< /Type /Outlines /First 7 0 R /Last 7 0 R /Count 1 >>", "<< /Title (Halaman 1) /Parent 6 0 R /Dest [3 0 R /Fit] >>"
	index := fmt.Sprintf("6 0 7 %d ", len(first)+1)
	b.stream(8, fmt.Sprintf("/Type /ObjStm /N 2 /First %d", len(index)), index+first+" "+second)

	at := b.Len()
	var rows bytes.Buffer
	row := func(kind byte, second uint32, third uint16) {
		rows.WriteByte(kind)
		_ = binary.Write(&rows, binary.BigEndian, second) // a bytes.Buffer takes everything
		_ = binary.Write(&rows, binary.BigEndian, third)
	}
	row(2, 8, 0)
	row(2, 8, 1)
	row(1, uint32(b.entries[8].offset), 0)
	row(1, uint32(at), 0)
	b.stream(9, "/Type /XRef /Size 10 /Root 1 0 R /W [1 4 2] /Index [6 4] "+fileID("hybrid.pdf"), rows.String())

	// The table of old readers: what is hidden is free.
	b.free(0, 65535, 6)
	b.free(6, 0, 7)
	b.free(7, 0, 0)
	b.finish(fmt.Sprintf("/Size 10 /Root 1 0 R /XRefStm %d %s", at, fileID("hybrid.pdf")))
	return b.Bytes()
}

// incremental has two updates: the first replaces the content and frees an object, the
// second adds an annotation.
func incremental() []byte {
	b := newBuilder("1.4")
	id := fileID("incremental.pdf")
	b.base("incremental.pdf", a4, a4, "", "")
	b.obj(6, "(object that the first update frees)")
	prev := b.finish("/Size 7 /Root 1 0 R " + id)

	b.free(0, 65535, 6)
	b.free(6, 1, 0)
	b.stream(4, "", a4.marks("incremental.pdf", "Dokumen uji untuk pustaka meterai.", "Baris ini datang dengan pembaruan pertama."))
	prev = b.finish(fmt.Sprintf("/Size 7 /Root 1 0 R /Prev %d %s", prev, id))

	b.obj(3, fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox %v /Resources << /Font << /F1 5 0 R >> >> /Contents 4 0 R /Annots [7 0 R] >>", a4))
	b.obj(7, "<< /Type /Annot /Subtype /Text /Rect [540 780 560 800] /Contents (Catatan) /F 28 >>")
	b.finish(fmt.Sprintf("/Size 8 /Root 1 0 R /Prev %d %s", prev, id))
	return b.Bytes()
}

// sparse has gaps in its numbering, a free list, an object of generation 2 and objects in
// no order.
func sparse() []byte {
	b := newBuilder("1.4")
	b.obj(900, "<< /Type /Pages /Kids [300 2 R] /Count 1 >>")
	b.stream(41, "", a4.marks("sparse-xref.pdf", "Nomor objek melompat; generasi 2."))
	b.objGen(300, 2, fmt.Sprintf("<< /Type /Page /Parent 900 0 R /MediaBox %v /Resources << /Font << /F1 40 0 R >> >> /Contents 41 0 R >>", a4))
	b.obj(40, helvetica)
	b.obj(7, "<< /Type /Catalog /Pages 900 0 R >>")
	b.free(0, 65535, 3)
	b.free(3, 1, 42)
	b.free(42, 4, 0)
	b.finish("/Size 901 /Root 7 0 R " + fileID("sparse-xref.pdf"))
	return b.Bytes()
}
