package verify_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/verify"
)

// Objects of plain: 1 catalog, 2 pages, 3 font, 4 content, 5 outlines, 6 and 7
// the pages. place allocates the field last.

// exchange is something done beside a stamp, whose field is given.
type exchange struct {
	name   string
	change func(t testing.TB, u *pdf.Update, f *pdf.File, field pdf.Ref)
}

// catalogToo stamps as place does and changes more of the catalog.
func catalogToo(t testing.TB, u *pdf.Update, f *pdf.File, field pdf.Ref, keys, form pdf.Dict) {
	catalogWith(t, u, f, merge(pdf.Dict{"AcroForm": merge(pdf.Dict{"Fields": pdf.Array{field}, "SigFlags": pdf.Integer(3)}, form)}, keys))
}

// lastPageToo stamps as place does and changes more of the last page.
func lastPageToo(t testing.TB, u *pdf.Update, f *pdf.File, field pdf.Ref, annots pdf.Array, keys pdf.Dict) {
	pageWith(t, u, f, -1, merge(pdf.Dict{"Annots": append(pdf.Array{field}, annots...)}, keys))
}

// What is exchanged while stamping is bound neither by the seal, which is over
// the bytes before, nor refused by the signature, which is over all of them.
func TestAttackContentExchangedWhileStamping(t *testing.T) {
	w := newWorld(t)
	for _, c := range []exchange{
		{"content of a page", func(t testing.TB, u *pdf.Update, f *pdf.File, field pdf.Ref) {
			u.Set(pdf.Ref{Number: 4}, stream("BT ET"))
		}},
		{"font", func(t testing.TB, u *pdf.Update, f *pdf.File, field pdf.Ref) {
			u.Set(pdf.Ref{Number: 3}, pdf.Dict{"Type": pdf.Name("Font"), "Subtype": pdf.Name("Type1"), "BaseFont": pdf.Name("ZapfDingbats")})
		}},
		{"outlines", func(t testing.TB, u *pdf.Update, f *pdf.File, field pdf.Ref) { u.Set(pdf.Ref{Number: 5}, pdf.Dict{}) }},
		{"contents of the stamped page", func(t testing.TB, u *pdf.Update, f *pdf.File, field pdf.Ref) {
			lastPageToo(t, u, f, field, nil, pdf.Dict{"Contents": u.Add(stream("BT ET"))})
		}},
		{"resources of the stamped page", func(t testing.TB, u *pdf.Update, f *pdf.File, field pdf.Ref) {
			lastPageToo(t, u, f, field, nil, pdf.Dict{"Resources": pdf.Dict{}})
		}},
		{"date of the stamped page", func(t testing.TB, u *pdf.Update, f *pdf.File, field pdf.Ref) {
			lastPageToo(t, u, f, field, nil, pdf.Dict{"LastModified": pdf.String("D:2026")})
		}},
		{"another page", func(t testing.TB, u *pdf.Update, f *pdf.File, field pdf.Ref) {
			pageWith(t, u, f, 1, pdf.Dict{"CropBox": pdf.Array{pdf.Integer(0), pdf.Integer(0), pdf.Integer(9), pdf.Integer(9)}})
		}},
		{"the stamp on two pages", func(t testing.TB, u *pdf.Update, f *pdf.File, field pdf.Ref) {
			pageWith(t, u, f, 1, pdf.Dict{"Annots": pdf.Array{field}})
		}},
		{"highlight beside the stamp", func(t testing.TB, u *pdf.Update, f *pdf.File, field pdf.Ref) {
			lastPageToo(t, u, f, field, pdf.Array{u.Add(pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Highlight"), "Contents": pdf.String("not this")})}, nil)
		}},
		{"highlight in the list itself", func(t testing.TB, u *pdf.Update, f *pdf.File, field pdf.Ref) {
			lastPageToo(t, u, f, field, pdf.Array{pdf.Dict{"Subtype": pdf.Name("Highlight")}}, nil)
		}},
		{"second signature field", func(t testing.TB, u *pdf.Update, f *pdf.File, field pdf.Ref) {
			second := u.Add(pdf.Dict{"FT": pdf.Name("Sig"), "T": pdf.String("later")})
			catalogWith(t, u, f, pdf.Dict{"AcroForm": pdf.Dict{"Fields": pdf.Array{field, second}, "SigFlags": pdf.Integer(3)}})
		}},
		{"default appearance of the form", func(t testing.TB, u *pdf.Update, f *pdf.File, field pdf.Ref) {
			catalogToo(t, u, f, field, nil, pdf.Dict{"DA": pdf.String("0 g")})
		}},
		{"default resources of the form", func(t testing.TB, u *pdf.Update, f *pdf.File, field pdf.Ref) {
			catalogToo(t, u, f, field, nil, pdf.Dict{"DR": pdf.Dict{"Font": pdf.Dict{}}})
		}},
		{"action at opening", func(t testing.TB, u *pdf.Update, f *pdf.File, field pdf.Ref) {
			catalogToo(t, u, f, field, pdf.Dict{"OpenAction": pdf.Dict{"S": pdf.Name("JavaScript"), "JS": pdf.String("x")}}, nil)
		}},
		{"metadata", func(t testing.TB, u *pdf.Update, f *pdf.File, field pdf.Ref) {
			catalogToo(t, u, f, field, pdf.Dict{"Metadata": u.Add(stream("<xmp/>"))}, nil)
		}},
		{"security store", func(t testing.TB, u *pdf.Update, f *pdf.File, field pdf.Ref) {
			catalogToo(t, u, f, field, pdf.Dict{"DSS": u.Add(pdf.Dict{})}, nil)
		}},
		{"version", func(t testing.TB, u *pdf.Update, f *pdf.File, field pdf.Ref) {
			catalogToo(t, u, f, field, pdf.Dict{"Version": pdf.Name("2.0")}, nil)
		}},
		{"permissions", func(t testing.TB, u *pdf.Update, f *pdf.File, field pdf.Ref) {
			catalogToo(t, u, f, field, pdf.Dict{"Perms": pdf.Dict{}}, nil)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc := w.sign(t, plain("I owe 10", 2, 0), job{stamp: &stampJob{number: serialNumber(t, 1)},
				extra: func(u *pdf.Update, f *pdf.File) {
					c.change(t, u, f, pdf.Ref{Number: u.Alloc().Number - 1})
				}})
			requireExchanged(t, check(t, doc, w.opt))
			requireExchanged(t, check(t, doc, &verify.Options{IntegrityOnly: true}))
		})
	}
}

func requireExchanged(t testing.TB, r *verify.Report) {
	t.Helper()
	require.Equal(t, verify.TotalFailed, r.Indication, r.Text())
	require.Equal(t, verify.FormatFailure, r.SubIndication)
	require.Contains(t, r.Signatures[0].Reasons[0], "content exchanged while stamping")
	require.False(t, r.Signatures[0].Stamp.DocumentBound)
}

// A document can be sealed with a reference to nothing, which the stamp's
// revision then gives an object.
func TestAttackDanglingReferenceFilledWhileStamping(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		old, new string
		number   uint32
	}{
		"content":                    {"/Contents 4 0 R >>", "/Contents [4 0 R 99 0 R] >>", 99},
		"content, appearance itself": {"/Contents 4 0 R >>", "/Contents [4 0 R 9 0 R] >>", 0},
		"information":                {"/Size 8 /Root 1 0 R", "/Size 8 /Root 1 0 R /Info 99 0 R", 99},
		"annotations":                {"/Contents 4 0 R >>", "/Contents 4 0 R /Annots [99 0 R] >>", 99},
	} {
		t.Run(name, func(t *testing.T) {
			base := replaceOnce(t, plain("I owe 10", 2, 0), c.old, c.new)
			require.Equal(t, verify.NoSignature, check(t, base, w.opt).Indication)
			requireExchanged(t, check(t, w.sign(t, base, job{stamp: &stampJob{number: serialNumber(t, 1)}, extra: func(u *pdf.Update, _ *pdf.File) {
				if c.number != 0 {
					u.Set(pdf.Ref{Number: c.number}, danglingObject(name))
				}
			}}), w.opt))
		})
	}
}

func danglingObject(name string) pdf.Object {
	switch name {
	case "content":
		return stream("BT /F1 24 Tf 72 700 Td (and 1,000 more) Tj ET")
	case "annotations":
		return pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Stamp")}
	}
	return pdf.Dict{"Title": pdf.String("another")}
}

// replaceOnce changes the first of the places where the text stands in a
// document with a table; offsets behind it are corrected by writing it anew.
func replaceOnce(t testing.TB, doc []byte, old, new string) []byte {
	t.Helper()
	require.Contains(t, string(doc), old)
	body := bytes.Replace(doc[:bytes.LastIndex(doc, []byte("\nxref\n"))+1], []byte(old), []byte(new), 1)
	trailer := bytes.Replace(doc[bytes.LastIndex(doc, []byte("trailer\n")):], []byte(old), []byte(new), 1)
	return retable(t, body, trailer)
}

// Bytes of the revision that no table knows are found by readers that repair.
func TestAttackHiddenBytesInTheStampsRevision(t *testing.T) {
	w := newWorld(t)
	base := plain("I owe 10", 2, 0)
	doc := w.sign(t, base, job{stamp: &stampJob{number: serialNumber(t, 1)}, extra: func(u *pdf.Update, _ *pdf.File) {
		u.Set(u.Alloc(), pdf.Raw("null\nendobj\n4 0 obj\n<< /Length 5 >>\nstream\nBT ET\nendstream"))
	}})
	requireExchanged(t, check(t, doc, w.opt))
}

// The stamp may fill a field that was there, and its name stays.
func TestStampInAnExistingField(t *testing.T) {
	w := newWorld(t)
	var field pdf.Ref
	base := update(t, plain("agreement", 2, 0), func(u *pdf.Update, f *pdf.File) {
		page, err := f.Page(1)
		require.NoError(t, err)
		field = u.Add(pdf.Dict{"FT": pdf.Name("Sig"), "T": pdf.String("Approval"), "Type": pdf.Name("Annot"), "Subtype": pdf.Name("Widget"),
			"Rect": pdf.Array{pdf.Integer(9), pdf.Integer(9), pdf.Integer(99), pdf.Integer(99)}, "P": page.Ref, "F": pdf.Integer(4)})
		pageWith(t, u, f, 1, pdf.Dict{"Annots": pdf.Array{field}})
		addToForm(t, u, f, field)
	})
	stampIt := func(extra pdf.Dict) *verify.Report {
		return check(t, w.sign(t, base, job{fieldRef: field, field: "Approval", stamp: &stampJob{number: serialNumber(t, 1)}, extra: func(u *pdf.Update, f *pdf.File) {
			old, err := f.Dict(field)
			require.NoError(t, err)
			look := u.Add(&pdf.Stream{Dict: pdf.Dict{"Type": pdf.Name("XObject"), "Subtype": pdf.Name("Form")}, Data: []byte("0 0 9 9 re S")})
			u.Set(field, merge(merge(old, pdf.Dict{"V": pdf.Ref{Number: look.Number - 1}, "AP": pdf.Dict{"N": look}}), extra))
		}}), w.opt)
	}
	r := stampIt(nil)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	require.True(t, r.Signatures[0].Stamp.DocumentBound)
	requireExchanged(t, stampIt(pdf.Dict{"Rect": pdf.Array{pdf.Integer(0), pdf.Integer(0), pdf.Integer(500), pdf.Integer(800)}}))
	requireExchanged(t, stampIt(pdf.Dict{"T": pdf.String("Another")}))
}

// Later stamps and signatures keep the earlier ones, and each is judged by its
// own revision.
func TestStampOverStamp(t *testing.T) {
	w := newWorld(t)
	doc := w.sign(t, w.stamped(t), job{stamp: &stampJob{number: serialNumber(t, 2)}})
	r := check(t, doc, w.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	bad := w.sign(t, w.stamped(t), job{stamp: &stampJob{number: serialNumber(t, 2)}, extra: func(u *pdf.Update, f *pdf.File) {
		u.Add(pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Text")})
	}})
	r = check(t, bad, w.opt)
	require.Equal(t, verify.TotalPassed, r.Signatures[0].Indication, r.Text())
	require.Equal(t, verify.TotalFailed, r.Signatures[1].Indication, r.Text())
}

// retable gives the objects of a body that plain made a fresh table.
func retable(t testing.TB, body, trailer []byte) []byte {
	t.Helper()
	var table bytes.Buffer
	n := 1
	for ; ; n++ {
		at := bytes.Index(body, fmt.Appendf(nil, "\n%d 0 obj\n", n))
		if at < 0 {
			break
		}
		fmt.Fprintf(&table, "%010d 00000 n \n", at+1)
	}
	end := bytes.Index(trailer, []byte("startxref"))
	return fmt.Appendf(bytes.Clone(body), "xref\n0 %d\n0000000000 65535 f \n%s%sstartxref\n%d\n%%%%EOF\n", n, table.Bytes(), trailer[:end], len(body))
}

// Bytes that follow the end of a document belong to what was sealed: they are no
// fault of the stamp, but one for earlier signatures.
func TestBytesBeforeTheStamp(t *testing.T) {
	w := newWorld(t)
	base := append(plain("agreement", 1, 0), "junk\n"...)
	r := check(t, w.sign(t, base, job{stamp: &stampJob{number: serialNumber(t, 1)}}), w.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	base = append(w.stamped(t), "junk\n"...)
	r = check(t, w.sign(t, base, job{stamp: &stampJob{number: serialNumber(t, 2)}}), w.opt)
	require.Equal(t, verify.TotalFailed, r.Signatures[0].Indication, r.Text())
	require.Equal(t, verify.TotalPassed, r.Signatures[1].Indication, r.Text())
}

// A stamp as large as its page is another page drawn over the sealed one.
func TestAttackStampOverThePage(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name string
		rect pdf.Array
		sub  verify.SubIndication
	}{
		{"usual", num(400, 36, 553, 117), ""},
		{"four times as large", num(100, 36, 406, 198), ""},
		{"half the page", num(0, 0, 595, 421), verify.SigConstraintsFailure},
		{"beyond the page", num(-1000, -1000, 5000, 5000), verify.SigConstraintsFailure},
		{"beside the page", num(600, 0, 5000, 5000), ""},
		{"corners exchanged", num(595, 842, 0, 0), verify.SigConstraintsFailure},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := check(t, w.sign(t, plain("I owe 10", 1, 0), job{rect: c.rect, stamp: &stampJob{number: serialNumber(t, 1)}}), w.opt)
			requireSub(t, c.sub, r)
		})
	}
}
