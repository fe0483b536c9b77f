package verify_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/verify"
)

// packedDoc has a cross-reference stream, its page 3 in object stream 6, and
// entries of type 1 for the rest.
func packedDoc() []byte {
	b := bytes.NewBufferString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	var rows []byte
	row := func(kind byte, at, index int) {
		rows = append(rows, kind)
		rows = binary.BigEndian.AppendUint32(rows, uint32(at))
		rows = binary.BigEndian.AppendUint16(rows, uint16(index))
	}
	row(0, 0, 65535)
	object := func(n int, body string) {
		row(1, b.Len(), 0)
		fmt.Fprintf(b, "%d 0 obj\n%s\nendobj\n", n, body)
	}
	object(1, data("", "1 0 0 rg 50 500 400 200 re f"))
	object(2, "<</Type/Pages/Kids[3 0 R]/Count 1>>")
	row(2, 6, 0)
	object(4, "<</Type/Catalog/Pages 2 0 R>>")
	object(5, data("", white))
	object(6, packedPage(1, 3))
	row(1, b.Len(), 0)
	start := b.Len()
	fmt.Fprintf(b, "7 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n", data("/Type/XRef/W[1 4 2]/Size 8/Root 4 0 R", string(rows)), start)
	return b.Bytes()
}

// packedPage is an object stream with page 3, which draws the object.
func packedPage(content int, numbers ...int) string {
	page := fmt.Sprintf("<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<<>>/Contents %d 0 R>>", content)
	head, body := "", ""
	for _, n := range numbers {
		head += fmt.Sprintf("%d %d ", n, len(body))
		body += page + " "
		page = strings.Replace(page, "/Contents 1 ", "/Contents 5 ", 1)
	}
	return data(fmt.Sprintf("/Type/ObjStm/N %d/First %d", len(numbers), len(head)), head+body)
}

// TestObjectStreamRedefined: the objects in it change without being listed. The
// field is prepared, so that stamping leaves the page in its stream.
func TestObjectStreamRedefined(t *testing.T) {
	w := newWorld(t)
	var field pdf.Ref
	base := update(t, packedDoc(), func(u *pdf.Update, f *pdf.File) {
		field = u.Add(pdf.Dict{"FT": pdf.Name("Sig"), "T": pdf.String("Approval")})
		addToForm(t, u, f, field)
	})
	doc := w.sign(t, base, job{field: "Approval", fieldRef: field})
	r := check(t, doc, w.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	for name, change := range map[string]func(u *pdf.Update, f *pdf.File){
		"other content": func(u *pdf.Update, f *pdf.File) {
			page := "3 0 <</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<<>>/Contents 5 0 R>>"
			u.Set(pdf.Ref{Number: 6}, &pdf.Stream{Dict: pdf.Dict{"Type": pdf.Name("ObjStm"), "N": pdf.Integer(1), "First": pdf.Integer(4)}, Data: []byte(page)})
		},
		"no object stream": func(u *pdf.Update, f *pdf.File) { u.Set(pdf.Ref{Number: 6}, pdf.Dict{}) },
	} {
		r := check(t, update(t, doc, change), w.opt)
		requireModified(t, r)
		require.Contains(t, r.Text(), "holds older objects", name)
	}
}

// packedUpdate appends a revision with an object stream 90 of these objects,
// and a cross-reference stream with one row for page 3.
func packedUpdate(t testing.TB, doc []byte, objects string, index byte) []byte {
	f := open(t, doc)
	b := bytes.NewBuffer(bytes.Clone(doc))
	at := b.Len()
	fmt.Fprintf(b, "90 0 obj\n%s\nendobj\n", objects)
	start := b.Len()
	rows := []byte{2, 0, 0, 0, 90, 0, index}
	for _, offset := range []int{at, start} {
		rows = append(binary.BigEndian.AppendUint32(append(rows, 1), uint32(offset)), 0, 0)
	}
	fmt.Fprintf(b, "91 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n",
		data(fmt.Sprintf("/Type/XRef/W[1 4 2]/Index[3 1 90 2]/Size 92/Root 4 0 R/Prev %d", sectionOf(t, f)), string(rows)), start)
	return b.Bytes()
}

// TestObjectTwiceInAStream: readers that go by the number show another page
// than those that go by the place.
func TestObjectTwiceInAStream(t *testing.T) {
	w := newWorld(t)
	var field pdf.Ref
	base := update(t, packedDoc(), func(u *pdf.Update, f *pdf.File) {
		field = u.Add(pdf.Dict{"FT": pdf.Name("Sig"), "T": pdf.String("Approval")})
		addToForm(t, u, f, field)
	})
	doc := w.sign(t, base, job{field: "Approval", fieldRef: field})
	r := check(t, packedUpdate(t, doc, packedPage(1, 3), 0), w.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, "the same page in another place: %s", r.Text())
	r = check(t, packedUpdate(t, doc, packedPage(1, 3, 3), 0), w.opt)
	requireModified(t, r)
}
