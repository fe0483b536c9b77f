package verify_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/verify"
)

// written lays out a document from the bodies of its objects, 1 first, with a
// table; root is the number of the catalog.
func written(root int, trailer string, bodies ...string) []byte {
	b := bytes.NewBufferString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	var rows strings.Builder
	for i, body := range bodies {
		fmt.Fprintf(&rows, "%010d 00000 n \n", b.Len())
		fmt.Fprintf(b, "%d 0 obj\n%s\nendobj\n", i+1, body)
	}
	start := b.Len()
	fmt.Fprintf(b, "xref\n0 %d\n0000000000 65535 f \n%strailer\n<</Size %d/Root %d 0 R%s>>\nstartxref\n%d\n%%%%EOF\n",
		len(bodies)+1, rows.String(), len(bodies)+1, root, trailer, start)
	return b.Bytes()
}

func data(entries, text string) string {
	return fmt.Sprintf("<<%s/Length %d>>\nstream\n%s\nendstream", entries, len(text), text)
}

// clause is a document whose object 1 draws a clause and object 5 the rest;
// page and more say what else its page 3 and its catalog 4 hold.
func clause(page, catalog string, more ...string) []byte {
	return written(4, "", append([]string{
		data("", "1 0 0 rg 50 500 400 200 re f"),
		"<</Type/Pages/Kids[3 0 R]/Count 1>>",
		"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]" + page + ">>",
		"<</Type/Catalog/Pages 2 0 R" + catalog + ">>",
		data("", "0 g 50 300 400 50 re f"),
	}, more...)...)
}

const (
	plainPage = "/Resources<<>>/Contents[1 0 R 5 0 R]"
	white     = "1 g 0 0 600 850 re f"
)

// part is one object of a crafted revision; unlisted ones are not in the table.
type part struct {
	n, gen   int
	body     string
	unlisted bool
}

// crafted is a revision written by hand: its objects, rows of the table before
// theirs, and entries of the trailer.
type crafted struct {
	parts   []part
	rows    string
	trailer string
	size    int
}

// appendTo puts the revision behind a document.
func (c crafted) appendTo(t testing.TB, doc []byte) []byte {
	t.Helper()
	f := open(t, doc)
	b := bytes.NewBuffer(bytes.Clone(doc))
	size, _ := f.Trailer()["Size"].(pdf.Integer)
	rows := c.rows
	for _, p := range c.parts {
		if !p.unlisted {
			rows += fmt.Sprintf("%d 1\n%010d %05d n \n", p.n, b.Len(), p.gen)
			size = max(size, pdf.Integer(p.n+1))
		}
		fmt.Fprintf(b, "%d %d obj\n%s\nendobj\n", p.n, p.gen, p.body)
	}
	if rows == "" {
		rows = "0 0\n"
	}
	if c.size > 0 {
		size = pdf.Integer(c.size)
	}
	fmt.Fprintf(b, "xref\n%strailer\n<</Size %d/Root %v/Prev %d%s>>\nstartxref\n%d\n%%%%EOF\n",
		rows, size, f.CatalogRef(), sectionOf(t, f), c.trailer, b.Len())
	return b.Bytes()
}

func sectionOf(t testing.TB, f *pdf.File) int64 {
	t.Helper()
	revs, err := f.Revisions()
	require.NoError(t, err)
	return revs[len(revs)-1].XRef
}

// stampedFrom stamps a document and makes sure that it is good as such.
func stampedFrom(t testing.TB, w *world, base []byte) []byte {
	t.Helper()
	doc := w.sign(t, base, job{stamp: &stampJob{number: serialNumber(t, 1)}})
	r := check(t, doc, w.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	return doc
}

// TestUpdatesThatReadersTakeDifferently: updates that change what some reader
// shows, by ways around the list of changed objects.
func TestUpdatesThatReadersTakeDifferently(t *testing.T) {
	w := newWorld(t)
	other := data("", white)
	for _, c := range []struct {
		name   string
		base   []byte
		update crafted
		why    string
	}{
		{"object 1 freed for good", clause(plainPage, ""), crafted{rows: "1 1\n0000000000 65535 f \n"}, "deleted"},
		{"object 1 freed, and what follows counts from 0", clause(plainPage, ""),
			crafted{rows: "1 2\n0000000000 65535 f \n0000000015 00000 n \n"}, "deleted"},
		{"object 1 freed after object 0", clause(plainPage, ""),
			crafted{rows: "0 2\n0000000001 65535 f \n0000000000 65535 f \n"}, "deleted"},
		{"an unused object 1 freed in a list that begins with it",
			written(4, "", "null", "<</Type/Pages/Kids[3 0 R]/Count 1>>", "<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>", "<</Type/Catalog/Pages 2 0 R>>"),
			crafted{rows: "1 1\n0000000000 65535 f \n"}, "free object 1"},
		{"in use at byte 0", clause(plainPage, ""), crafted{rows: "1 1\n0000000000 00000 n \n"}, "neither free nor in use"},
		{"the same content under another generation", clause(plainPage, ""),
			crafted{parts: []part{{n: 1, gen: 1, body: data("", "1 0 0 rg 50 500 400 200 re f")}}}, "another generation"},
		{"a key twice, last as it was", clause(plainPage, ""),
			crafted{parts: []part{{n: 90, body: other}, {n: 5, body: "<</Length 7/Length 22>>\nstream\n0 g 50 300 400 50 re f\nendstream"}}}, "more than once"},
		{"a smaller /Size", clause(plainPage, ""), crafted{size: 2}, "/Size went down"},
		{"an object above /Size", clause(plainPage, ""), crafted{parts: []part{{n: 90, body: "<</A 1>>"}}, size: 20}, "object 90 is listed"},
		{"a trailer with /Root twice", clause(plainPage, ""), crafted{trailer: "/Root 2 0 R"}, "more than once"},
		{"a trailer with /Prev twice", clause(plainPage, ""), crafted{trailer: "/Prev 5"}, ""},
		{"another object than the table says", clause(plainPage, ""), crafted{rows: "5 1\n0000000015 00000 n \n"}, "replaced"},
		{"an object in a comment", clause(plainPage, ""),
			crafted{parts: []part{{n: 90, body: "<</A 1>>\n%\r1 0 obj " + other + " endobj\n"}}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc := stampedFrom(t, w, c.base)
			r := check(t, c.update.appendTo(t, doc), w.opt)
			require.NotEqual(t, verify.TotalPassed, r.Indication, r.Text())
			require.Contains(t, r.Text(), c.why)
		})
	}
}

// TestZeroObject: some readers know an object 0, which the table does not list
// as changed.
func TestZeroObject(t *testing.T) {
	w := newWorld(t)
	doc := stampedFrom(t, w, clause("/Resources<<>>/Contents[1 0 R 0 0 R]", ""))
	at := len(doc) + len("90 0 obj\n<</Length 999>>\nstream\n")
	hidden := "0 0 obj\n" + data("", white) + "\nendobj\n"
	body := fmt.Sprintf("<</Length %3d>>\nstream\n%s\nendstream", len(hidden), hidden)
	doc = crafted{parts: []part{{n: 90, body: body}}, rows: fmt.Sprintf("0 1\n%010d 00000 n \n", at)}.appendTo(t, doc)
	f := open(t, doc)
	o, err := f.Get(pdf.Ref{})
	require.NoError(t, err)
	require.Nil(t, o)
	r := check(t, doc, w.opt)
	requireModified(t, r)
	require.Contains(t, r.Text(), "object 0 is in use")
}

// TestShadowBeyondTheEnd: the signed table names a place that only a later
// revision fills, inside of something harmless.
func TestShadowBeyondTheEnd(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name string
		base func(at int) []byte
	}{
		{"an object", func(at int) []byte {
			return bytes.Replace(clause("/Resources<<>>/Contents[1 0 R 5 0 R 6 0 R]", ""), []byte("trailer\n<</Size 6"),
				fmt.Appendf(nil, "6 1\n%010d 00000 n \ntrailer\n<</Size 7", at), 1)
		}},
		{"a stream", func(at int) []byte {
			b := clause(plainPage, "")
			i := bytes.Index(b, []byte("5 0 obj"))
			i += bytes.Index(b[i:], []byte("stream\n")) + len("stream\n") + 3 // three digits more
			b = bytes.Replace(b, []byte("0 g 50 300 400 50 re f"), []byte("0 g 5 3 4 50 re f  "), 1)
			return bytes.Replace(b, []byte("/Length 22"), fmt.Appendf(nil, "/Length %d", at+len(white)-i), 1)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			const place = 40_000 // of the hidden bytes, behind the stamp
			doc := stampedFrom(t, w, c.base(place))
			head := fmt.Sprintf("90 0 obj\n<</Length %6d>>\nstream\n", 100_000)
			pad := strings.Repeat(" ", place-len(doc)-len(head))
			hidden := white + "\nendstream\nendobj\n"
			if c.name == "an object" {
				hidden = "6 0 obj\n" + data("", white) + "\nendobj\n"
			}
			body := fmt.Sprintf("<</Length %6d>>\nstream\n%s%s\nendstream", len(pad)+len(hidden), pad, hidden)
			doc = crafted{parts: []part{{n: 90, body: body}}}.appendTo(t, doc)
			r := check(t, doc, w.opt)
			requireModified(t, r)
			require.Contains(t, r.Text(), "is completed")
		})
	}
}

// TestUnreadableUser: content that is reached only through an object that this
// package cannot read, but others can.
func TestUnreadableUser(t *testing.T) {
	w := newWorld(t)
	base := clause("/Resources<</XObject<</X 6 0 R>>>>/Contents 5 0 R", "",
		data("/Subtype/Form/BBox[0 0 9 9]/Resources 7 0 R", "/Y Do"), "<</XObject<</Y 8 0 R>>/Odd 1..2>>", data("/Subtype/Form/BBox[0 0 9 9]", "0 0 9 9 re f"))
	doc := stampedFrom(t, w, base)
	changed := crafted{parts: []part{{n: 8, body: data("/Subtype/Form/BBox[0 0 9 9]", white)}}}.appendTo(t, doc)
	requireModified(t, check(t, changed, w.opt))
	store := crafted{parts: []part{
		{n: 4, body: strings.TrimSuffix(string(pdf.AppendObject(nil, catalogOf(t, doc))), ">>") + "/DSS<</Certs[8 0 R]>>>>"},
		{n: 8, body: data("/Subtype/Form/BBox[0 0 9 9]", white)}}}.appendTo(t, doc)
	r := check(t, store, w.opt)
	requireModified(t, r)
	require.Contains(t, r.Text(), "cannot be read")
}

func catalogOf(t testing.TB, doc []byte) pdf.Dict {
	t.Helper()
	d, err := open(t, doc).Catalog()
	require.NoError(t, err)
	return d
}

// TestNamesThatLookLikeWaysUp: a resource may be called /P, /Parent or /Extends.
func TestNamesThatLookLikeWaysUp(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"P", "Parent", "Extends"} {
		for _, direct := range []bool{true, false} {
			resources := "<</XObject<</" + name + " 6 0 R>>>>"
			if !direct {
				resources = "<</XObject 7 0 R>>"
			}
			base := clause("/Resources"+resources+"/Contents 5 0 R", "/Metadata 6 0 R",
				data("/Type/Metadata/Subtype/XML/BBox[0 0 9 9]", "0 0 9 9 re f"), "<</"+name+" 6 0 R>>")
			doc := stampedFrom(t, w, base)
			doc = crafted{parts: []part{{n: 6, body: data("/Type/Metadata/Subtype/XML/BBox[0 0 9 9]", white)}}}.appendTo(t, doc)
			r := check(t, doc, w.opt)
			requireModified(t, r)
			require.Contains(t, r.Text(), "also used by object")
		}
	}
}

// TestTrailerObjects: what the trailer names is never without use.
func TestTrailerObjects(t *testing.T) {
	w := newWorld(t)
	base := written(4, "/Keys 5 0 R", data("", "f"), "<</Type/Pages/Kids[3 0 R]/Count 1>>",
		"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 1 0 R>>", "<</Type/Catalog/Pages 2 0 R>>", "<</V 1>>")
	doc := stampedFrom(t, w, base)
	requireModified(t, check(t, crafted{parts: []part{{n: 5, body: "<</V 2>>"}}, trailer: "/Keys 5 0 R"}.appendTo(t, doc), w.opt))
}

// TestCoveringWidgets: a widget that nobody signed with can hide the page.
func TestCoveringWidgets(t *testing.T) {
	w := newWorld(t)
	widget := func(u *pdf.Update, f *pdf.File, keys pdf.Dict) pdf.Ref {
		page, err := f.Page(1)
		require.NoError(t, err)
		d := merge(pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Widget"), "F": pdf.Integer(4), "P": page.Ref,
			"Rect": pdf.Array{pdf.Integer(0), pdf.Integer(0), pdf.Integer(595), pdf.Integer(842)},
			"AP": pdf.Dict{"N": u.Add(&pdf.Stream{Dict: pdf.Dict{"Subtype": pdf.Name("Form"),
				"BBox": pdf.Array{pdf.Integer(0), pdf.Integer(0), pdf.Integer(595), pdf.Integer(842)}}, Data: []byte(white)})}}, keys)
		ref := u.Add(d)
		annots, err := f.Annotations(page)
		require.NoError(t, err)
		u.Set(page.Ref, merge(page.Dict, pdf.Dict{"Annots": append(annots, ref)}))
		return ref
	}
	doc := stampedFrom(t, w, clause(plainPage, ""))
	unsigned := update(t, doc, func(u *pdf.Update, f *pdf.File) {
		addToForm(t, u, f, widget(u, f, pdf.Dict{"FT": pdf.Name("Sig"), "T": pdf.String("Later")}))
	})
	r := check(t, unsigned, w.opt)
	requireModified(t, r)
	require.Contains(t, r.Text(), "without a signature")

	second := update(t, doc, func(u *pdf.Update, f *pdf.File) {
		field, _ := firstField(t, f)
		widget(u, f, pdf.Dict{"Parent": field})
	})
	r = check(t, second, w.opt)
	requireModified(t, r)
	require.Contains(t, r.Text(), "signed before")
}

// TestEmptySignatureField: one that waits for a signature shows what the signer
// of the document saw.
func TestEmptySignatureField(t *testing.T) {
	w := newWorld(t)
	base := update(t, clause(plainPage, ""), func(u *pdf.Update, f *pdf.File) {
		ref := u.Add(pdf.Dict{"FT": pdf.Name("Sig"), "T": pdf.String("Later"), "Type": pdf.Name("Annot"), "Subtype": pdf.Name("Widget"),
			"Rect": pdf.Array{pdf.Integer(0), pdf.Integer(0), pdf.Integer(595), pdf.Integer(842)}})
		page, err := f.Page(1)
		require.NoError(t, err)
		u.Set(page.Ref, merge(page.Dict, pdf.Dict{"Annots": pdf.Array{ref}}))
		addToForm(t, u, f, ref)
	})
	doc := stampedFrom(t, w, base)
	doc = update(t, doc, func(u *pdf.Update, f *pdf.File) {
		page, err := f.Page(1)
		require.NoError(t, err)
		annots, err := f.Annotations(page)
		require.NoError(t, err)
		ref := annots[0].(pdf.Ref)
		d, err := f.Dict(ref)
		require.NoError(t, err)
		u.Set(ref, merge(d, pdf.Dict{"AP": pdf.Dict{"N": u.Add(stream(white))}}))
	})
	r := check(t, doc, w.opt)
	requireModified(t, r)
	require.Contains(t, r.Text(), "appearance of the signature field")
}

// TestHybridUpdate: older readers and newer ones see different objects.
func TestHybridUpdate(t *testing.T) {
	w := newWorld(t)
	doc := stampedFrom(t, w, clause(plainPage, ""))
	row := []byte{1, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(row[1:], uint32(len(doc)))
	body := data("/Type/XRef/W[1 4 2]/Index[90 1]/Size 91/Root 4 0 R", string(row))
	doc = crafted{parts: []part{{n: 90, body: body}}, trailer: fmt.Sprintf("/XRefStm %d", len(doc))}.appendTo(t, doc)
	r := check(t, doc, w.opt)
	requireModified(t, r)
	require.Contains(t, r.Text(), "XRefStm")
}

// TestTwoSectionsInOneRevision: the older of the two is no part that a revision
// needs.
func TestTwoSectionsInOneRevision(t *testing.T) {
	w := newWorld(t)
	doc := stampedFrom(t, w, clause(plainPage, ""))
	one := crafted{parts: []part{{n: 90, body: "<</A 1>>"}}}.appendTo(t, doc)
	end := bytes.LastIndex(one, []byte("startxref"))
	first := bytes.LastIndex(one[:end], []byte("xref\n"))
	two := bytes.NewBuffer(bytes.Clone(one[:end]))
	start := two.Len()
	fmt.Fprintf(two, "xref\n1 1\n0000000000 00001 f \ntrailer\n<</Size 91/Root 4 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n", first, start)
	requireModified(t, check(t, two.Bytes(), w.opt))
}

// TestSizeGoesDownAndUp: what the newest /Size covers again is not hidden.
func TestSizeGoesDownAndUp(t *testing.T) {
	w := newWorld(t)
	doc := stampedFrom(t, w, clause(plainPage, ""))
	size, _ := open(t, doc).Trailer()["Size"].(pdf.Integer)
	doc = crafted{size: 1, rows: "0 1\n0000000000 65535 f \n"}.appendTo(t, doc)
	requireModified(t, check(t, doc, w.opt))
	doc = crafted{size: int(size)}.appendTo(t, doc)
	r := check(t, doc, w.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
}

// TestDefaultsOfRedrawnFields: with /NeedAppearances, they decide how old fields
// look.
func TestDefaultsOfRedrawnFields(t *testing.T) {
	w := newWorld(t)
	doc := stampedFrom(t, w, clause(plainPage, "/AcroForm<</Fields[]/NeedAppearances true>>"))
	for want, keys := range map[string]pdf.Dict{
		"default appearance": {"DA": pdf.String("/F1 0 Tf 1 g")},
		"default resources":  {"DR": pdf.Dict{"Font": pdf.Dict{"F1": pdf.Ref{Number: 5}}}},
	} {
		r := check(t, update(t, doc, func(u *pdf.Update, f *pdf.File) {
			_, form, err := f.Form()
			require.NoError(t, err)
			catalogWith(t, u, f, pdf.Dict{"AcroForm": merge(form, keys)})
		}), w.opt)
		requireModified(t, r)
		require.Contains(t, r.Text(), want)
	}
}

// TestRealForInteger: readers ignore a /Rotate that is no integer.
func TestRealForInteger(t *testing.T) {
	w := newWorld(t)
	rotated := func(number string) string {
		return "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842.0]/Rotate " + number + plainPage + ">>"
	}
	base := clause("/Rotate 90"+plainPage, "")
	var field pdf.Ref
	base = update(t, base, func(u *pdf.Update, f *pdf.File) {
		field = u.Add(pdf.Dict{"FT": pdf.Name("Sig"), "T": pdf.String("Approval")})
		addToForm(t, u, f, field)
	})
	doc := w.sign(t, base, job{field: "Approval", fieldRef: field})
	r := check(t, crafted{parts: []part{{n: 3, body: rotated("90")}}}.appendTo(t, doc), w.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	requireModified(t, check(t, crafted{parts: []part{{n: 3, body: rotated("90.0")}}}.appendTo(t, doc), w.opt))
}

// TestEndOutOfReach: readers that do not find the end of the file repair it, and
// take what looks like an object for one.
func TestEndOutOfReach(t *testing.T) {
	w := newWorld(t)
	hidden := "x\nendstream\nendobj\n1 0 obj\n" + data("", white) + "\nendobj\n"
	doc := crafted{parts: []part{{n: 90, body: data("", hidden)}}}.appendTo(t, stampedFrom(t, w, clause(plainPage, "")))
	far := bytes.Repeat([]byte(" "), 1500)
	r := check(t, append(bytes.Clone(doc), far...), w.opt)
	requireModified(t, r)
	require.Contains(t, r.Text(), "do not find it")
	i := bytes.LastIndex(doc, []byte("startxref\n")) + len("startxref\n")
	r = check(t, slices.Concat(doc[:i], far, doc[i:]), w.opt)
	requireModified(t, r)
	require.Contains(t, r.Text(), "startxref stands")
}

// TestUpdateBehindOtherBytes: when the header is not at byte 0, some readers
// count offsets from it and some do not.
func TestUpdateBehindOtherBytes(t *testing.T) {
	w := newWorld(t)
	base := append([]byte("some bytes before\n"), clause(plainPage, "")...)
	doc := stampedFrom(t, w, base)
	doc = update(t, doc, func(u *pdf.Update, f *pdf.File) { addDSS(t, u, f) })
	r := check(t, doc, w.opt)
	requireModified(t, r)
	require.Contains(t, r.Text(), "header")
}
