package verify_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/verify"
)

// widgets makes a document with a text field of two widgets, a merged one, and
// an empty signature field; all have appearances, that of the last one through
// a dictionary that is an object.
func widgets(t testing.TB) (doc []byte, refs map[string]pdf.Ref) {
	refs = map[string]pdf.Ref{}
	doc = update(t, plain("form", 2, 0), func(u *pdf.Update, f *pdf.File) {
		look := func() pdf.Dict { return pdf.Dict{"N": u.Add(stream("(10) Tj"))} }
		rect := num(0, 0, 50, 50)
		refs["field"] = u.Alloc()
		for _, name := range []string{"one", "two"} {
			refs[name] = u.Add(pdf.Dict{"Subtype": pdf.Name("Widget"), "Parent": refs["field"], "Rect": rect, "AP": look()})
		}
		u.Set(refs["field"], pdf.Dict{"FT": pdf.Name("Tx"), "T": pdf.String("amount"), "V": pdf.String("10"), "Kids": u.Add(pdf.Array{refs["one"], refs["two"]})})
		refs["merged"] = u.Add(pdf.Dict{"Subtype": pdf.Name("Widget"), "FT": pdf.Name("Tx"), "T": pdf.String("name"), "Rect": rect, "AP": look()})
		inner := look()
		refs["look"], refs["shared"] = inner["N"].(pdf.Ref), u.Add(inner)
		refs["sig"] = u.Add(pdf.Dict{"Subtype": pdf.Name("Widget"), "FT": pdf.Name("Sig"), "T": pdf.String("Approval"), "Rect": rect, "AP": refs["shared"]})
		refs["note"] = u.Add(pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Text"), "Rect": rect})
		pageWith(t, u, f, 1, pdf.Dict{"Annots": pdf.Array{refs["one"], refs["merged"], refs["sig"], refs["note"]}})
		pageWith(t, u, f, 2, pdf.Dict{"Annots": pdf.Array{refs["two"]}})
		catalogWith(t, u, f, pdf.Dict{"AcroForm": pdf.Dict{"Fields": pdf.Array{refs["field"], refs["merged"], refs["sig"]}}})
	})
	return doc, refs
}

// without appends a revision that takes some annotations from page 1.
func without(t testing.TB, doc []byte, more func(u *pdf.Update, f *pdf.File), gone ...pdf.Ref) []byte {
	return update(t, doc, func(u *pdf.Update, f *pdf.File) {
		p, err := f.Page(1)
		require.NoError(t, err)
		annots, err := f.Array(p.Dict["Annots"])
		require.NoError(t, err)
		var left pdf.Array
		for _, a := range annots {
			stays := true
			for _, g := range gone {
				stays = stays && a != g
			}
			if stays {
				left = append(left, a)
			}
		}
		pageWith(t, u, f, 1, pdf.Dict{"Annots": left})
		if more != nil {
			more(u, f)
		}
	})
}

// A field that may be filled in may be given an empty look, so under DocMDP 3,
// which allows annotations to be deleted, its widgets may go (ISO 32000-2, table
// 257). The field stays, and nothing else may go.
func TestWidgetsThatGo(t *testing.T) {
	w := newWorld(t)
	base, refs := widgets(t)
	kids := func(list ...pdf.Ref) func(*pdf.Update, *pdf.File) {
		return func(u *pdf.Update, f *pdf.File) {
			d, err := f.Dict(refs["field"])
			require.NoError(t, err)
			var a pdf.Array
			for _, r := range list {
				a = append(a, r)
			}
			u.Set(refs["field"], merge(d, pdf.Dict{"Kids": a}))
		}
	}
	fields := func(list ...pdf.Ref) func(*pdf.Update, *pdf.File) {
		return func(u *pdf.Update, f *pdf.File) {
			var a pdf.Array
			for _, r := range list {
				a = append(a, r)
			}
			form, err := f.Catalog()
			require.NoError(t, err)
			catalogWith(t, u, f, pdf.Dict{"AcroForm": merge(form["AcroForm"].(pdf.Dict), pdf.Dict{"Fields": a})})
		}
	}
	lock := func(name string) func(sig, field pdf.Dict) {
		return func(sig, field pdf.Dict) {
			docMDP(3)(sig, field)
			field["Lock"] = pdf.Dict{"Type": pdf.Name("SigFieldLock"), "Action": pdf.Name("Include"), "Fields": pdf.Array{pdf.String(name)}}
		}
	}
	for _, c := range []struct {
		name   string
		edit   func(sig, field pdf.Dict)
		later  func(doc []byte) []byte
		passes bool
	}{
		{"widget and kid, P=3", docMDP(3), func(d []byte) []byte { return without(t, d, kids(refs["two"]), refs["one"]) }, true},
		{"widget alone, P=3", docMDP(3), func(d []byte) []byte { return without(t, d, nil, refs["merged"]) }, true},
		{"widget and kid, P=2", docMDP(2), func(d []byte) []byte { return without(t, d, kids(refs["two"]), refs["one"]) }, false},
		{"widget and kid, no DocMDP", nil, func(d []byte) []byte { return without(t, d, kids(refs["two"]), refs["one"]) }, false},
		{"of a locked field", lock("amount"), func(d []byte) []byte { return without(t, d, kids(refs["two"]), refs["one"]) }, false},
		{"another field locked", lock("name"), func(d []byte) []byte { return without(t, d, kids(refs["two"]), refs["one"]) }, true},
		{"of a signature field", docMDP(3), func(d []byte) []byte { return without(t, d, nil, refs["sig"]) }, false},
		{"a note", docMDP(3), func(d []byte) []byte { return without(t, d, nil, refs["note"]) }, false},
		{"with its field", docMDP(3), func(d []byte) []byte {
			return without(t, d, fields(refs["field"], refs["sig"]), refs["merged"])
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc := w.sign(t, base, job{field: "First", edit: c.edit})
			require.Equal(t, verify.TotalPassed, check(t, doc, w.opt).Indication)
			r := check(t, c.later(doc), w.opt)
			if !c.passes {
				requireModified(t, r)
				return
			}
			require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
			require.Contains(t, r.Text(), "removed")
			requireModified(t, check(t, c.later(doc), with(w.opt, func(o *verify.Options) { o.Policy = verify.Strict })))
		})
	}
}

// An empty signature field that is signed later may be drawn anew in place, also
// when its appearance dictionary is an object of its own, if nobody else uses
// that or the stream.
func TestAppearanceThroughAnObject(t *testing.T) {
	w := newWorld(t)
	base, refs := widgets(t)
	approve := func(t testing.TB, doc []byte) *verify.Report {
		signed := w.sign(t, doc, job{stamp: &stampJob{number: serialNumber(t, 1)}})
		return check(t, w.sign(t, signed, job{field: "Approval", fieldRef: refs["sig"], extra: func(u *pdf.Update, _ *pdf.File) {
			u.Set(refs["look"], stream("(signed) Tj"))
		}}), w.opt)
	}
	r := approve(t, base)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	for name, prepare := range map[string]func(u *pdf.Update, f *pdf.File){
		"dictionary shared": func(u *pdf.Update, f *pdf.File) {
			d, err := f.Dict(refs["note"])
			require.NoError(t, err)
			u.Set(refs["note"], merge(d, pdf.Dict{"AP": refs["shared"]}))
		},
		"stream shared": func(u *pdf.Update, f *pdf.File) {
			pageWith(t, u, f, 2, pdf.Dict{"Contents": pdf.Array{pdf.Ref{Number: 4}, refs["look"]}})
		},
		"dictionary used by a page": func(u *pdf.Update, f *pdf.File) {
			pageWith(t, u, f, 2, pdf.Dict{"PieceInfo": refs["shared"]})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := approve(t, update(t, base, prepare))
			require.Equal(t, verify.TotalFailed, r.Indication, r.Text())
			require.Equal(t, verify.ModificationFailed, r.Signatures[0].Modification)
		})
	}
}

// The lenient policy accepts comments where nobody forbade them, and says which;
// actions, content and other rules it leaves alone.
func TestLenientPolicy(t *testing.T) {
	w := newWorld(t)
	require.Equal(t, "lenient", verify.Lenient.String())
	annotate := func(doc []byte, subtype pdf.Name, keys pdf.Dict) []byte {
		return update(t, doc, func(u *pdf.Update, f *pdf.File) {
			pageWith(t, u, f, 1, pdf.Dict{"Annots": pdf.Array{u.Add(merge(pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": subtype, "Rect": num(0, 0, 9, 9)}, keys))}})
		})
	}
	for _, c := range []struct {
		name              string
		edit              func(sig, field pdf.Dict)
		subtype           pdf.Name
		keys              pdf.Dict
		standard, lenient bool
	}{
		{"note", nil, "Text", nil, false, true},
		{"square", nil, "Square", nil, false, true},
		{"note, P=3", docMDP(3), "Text", nil, true, true},
		{"square, P=3", docMDP(3), "Square", nil, false, true},
		{"stamp, P=3", docMDP(3), "Stamp", nil, false, true},
		{"note, P=2", docMDP(2), "Text", nil, false, false},
		{"square, P=1", docMDP(1), "Square", nil, false, false},
		{"link", nil, "Link", nil, false, false},
		{"redaction, P=3", docMDP(3), "Redact", nil, false, false},
		{"note with an action, P=3", docMDP(3), "Text", pdf.Dict{"A": pdf.Dict{"S": pdf.Name("JavaScript")}}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc := annotate(w.sign(t, plain("agreement", 2, 0), job{edit: c.edit}), c.subtype, c.keys)
			for policy, passes := range map[verify.Policy]bool{verify.Standard: c.standard, verify.Lenient: c.lenient, verify.Strict: c.standard} {
				r := check(t, doc, with(w.opt, func(o *verify.Options) { o.Policy = policy }))
				if !passes {
					requireModified(t, r)
					continue
				}
				require.Equal(t, verify.TotalPassed, r.Indication, "%s: %s", policy, r.Text())
				require.Contains(t, r.Text(), "new "+string(c.subtype))
			}
		})
	}
	r := check(t, update(t, w.stamped(t), func(u *pdf.Update, f *pdf.File) { u.Set(pdf.Ref{Number: 4}, stream("BT ET")) }),
		with(w.opt, func(o *verify.Options) { o.Policy = verify.Lenient }))
	requireModified(t, r)
	require.Contains(t, r.Text(), "page 1: content was replaced")
}

// num makes a rectangle.
func num(v ...int) pdf.Array {
	var a pdf.Array
	for _, n := range v {
		a = append(a, pdf.Integer(n))
	}
	return a
}
