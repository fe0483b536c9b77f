package verify_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/verify"
)

// TestSneakyRevisions: documents prepared before signing so that an allowed
// change does something else as well.
func TestSneakyRevisions(t *testing.T) {
	w := newWorld(t)
	num := func(list ...int) pdf.Array {
		var a pdf.Array
		for _, n := range list {
			a = append(a, pdf.Integer(n))
		}
		return a
	}
	for _, c := range []struct {
		name    string
		prepare func(t testing.TB, u *pdf.Update, f *pdf.File) pdf.Ref
		later   func(t testing.TB, u *pdf.Update, f *pdf.File, shared pdf.Ref)
	}{
		{"the list of fields is the list of pages",
			func(t testing.TB, u *pdf.Update, f *pdf.File) pdf.Ref {
				kids := u.Add(pdf.Array{pdf.Ref{Number: 6}})
				u.Set(pdf.Ref{Number: 2}, pdf.Dict{"Type": pdf.Name("Pages"), "Kids": kids, "Count": pdf.Integer(1)})
				catalogWith(t, u, f, pdf.Dict{"AcroForm": pdf.Dict{"Fields": kids, "SigFlags": pdf.Integer(3)}})
				return kids
			},
			func(t testing.TB, u *pdf.Update, f *pdf.File, kids pdf.Ref) {
				a, err := f.Array(kids)
				require.NoError(t, err)
				u.Set(kids, append(a, u.Add(pdf.Dict{"FT": pdf.Name("Sig"), "T": pdf.String("x")})))
			}},
		{"default resources are those of the page",
			func(t testing.TB, u *pdf.Update, f *pdf.File) pdf.Ref {
				look := u.Add(pdf.Dict{"Font": pdf.Dict{"F1": pdf.Ref{Number: 3}}, "XObject": pdf.Dict{}})
				pageWith(t, u, f, 1, pdf.Dict{"Resources": look})
				catalogWith(t, u, f, pdf.Dict{"AcroForm": pdf.Dict{"Fields": pdf.Array{}, "DR": look}})
				return look
			},
			func(t testing.TB, u *pdf.Update, f *pdf.File, look pdf.Ref) {
				u.Set(look, pdf.Dict{"Font": pdf.Dict{"F1": pdf.Ref{Number: 3}}, "XObject": pdf.Dict{"X": u.Add(stream("f"))}})
			}},
		{"the appearance of a text field is drawn by the page",
			func(t testing.TB, u *pdf.Update, f *pdf.File) pdf.Ref {
				form := u.Add(&pdf.Stream{Dict: pdf.Dict{"Type": pdf.Name("XObject"), "Subtype": pdf.Name("Form"), "BBox": num(0, 0, 9, 9)}, Data: []byte("n")})
				field := u.Add(pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Widget"), "FT": pdf.Name("Tx"), "T": pdf.String("t"),
					"Rect": num(0, 0, 1, 1), "AP": pdf.Dict{"N": form}})
				pageWith(t, u, f, 1, pdf.Dict{"Resources": pdf.Dict{"XObject": pdf.Dict{"X": form}}, "Annots": pdf.Array{field}})
				catalogWith(t, u, f, pdf.Dict{"AcroForm": pdf.Dict{"Fields": pdf.Array{field}}})
				return field
			},
			func(t testing.TB, u *pdf.Update, f *pdf.File, field pdf.Ref) {
				d, err := f.Dict(field)
				require.NoError(t, err)
				u.Set(field, merge(d, pdf.Dict{"V": pdf.String("new")}))
				u.Set(d["AP"].(pdf.Dict)["N"].(pdf.Ref), stream("0 0 9 9 re f"))
			}},
		{"the metadata are the content of the page",
			func(t testing.TB, u *pdf.Update, f *pdf.File) pdf.Ref {
				catalogWith(t, u, f, pdf.Dict{"Metadata": pdf.Ref{Number: 4}})
				return pdf.Ref{Number: 4}
			},
			func(t testing.TB, u *pdf.Update, f *pdf.File, content pdf.Ref) { u.Set(content, stream("BT ET")) }},
		{"an annotation calls itself a field and a configuration",
			func(t testing.TB, u *pdf.Update, f *pdf.File) pdf.Ref {
				d := u.Add(pdf.Dict{"FT": pdf.Name("Tx"), "T": pdf.String("x"), "AS": pdf.Array{}})
				catalogWith(t, u, f, pdf.Dict{"OCProperties": pdf.Dict{"D": d, "OCGs": pdf.Array{}}})
				return d
			},
			func(t testing.TB, u *pdf.Update, f *pdf.File, d pdf.Ref) {
				u.Set(d, pdf.Dict{"FT": pdf.Name("Tx"), "T": pdf.String("x"), "AS": pdf.Array{pdf.Dict{"Event": pdf.Name("View")}}})
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var shared pdf.Ref
			base := update(t, plain("agreement", 1, 0), func(u *pdf.Update, f *pdf.File) { shared = c.prepare(t, u, f) })
			// Signed without touching what was prepared: the field exists already.
			var empty pdf.Ref
			base = update(t, base, func(u *pdf.Update, f *pdf.File) {
				empty = u.Add(pdf.Dict{"FT": pdf.Name("Sig"), "T": pdf.String("Approval"), "Type": pdf.Name("Annot"), "Subtype": pdf.Name("Widget"), "Rect": num(0, 0, 0, 0)})
				ref, form, err := f.Form()
				require.NoError(t, err)
				require.Zero(t, ref)
				if _, direct := form["Fields"].(pdf.Ref); direct {
					a, err := f.Array(form["Fields"])
					require.NoError(t, err)
					u.Set(form["Fields"].(pdf.Ref), append(a, empty))
					return
				}
				addToForm(t, u, f, empty)
			})
			doc := w.sign(t, base, job{field: "Approval", fieldRef: empty})
			r := check(t, doc, w.opt)
			require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
			doc = update(t, doc, func(u *pdf.Update, f *pdf.File) { c.later(t, u, f, shared) })
			requireModified(t, check(t, doc, w.opt))
		})
	}
}

// TestAmbiguousRevision: a later object with a key given twice is read
// differently by different readers.
func TestAmbiguousRevision(t *testing.T) {
	w := newWorld(t)
	doc := update(t, w.stamped(t), func(u *pdf.Update, f *pdf.File) {
		catalogWith(t, u, f, pdf.Dict{"Extensions": pdf.Raw("<< /A 1 /A 2 >>")})
	})
	r := check(t, doc, w.opt)
	requireModified(t, r)
	require.Contains(t, r.Text(), "more than once")
}
