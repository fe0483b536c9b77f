package verify_test

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/verify"
)

// settingUp is what the revision of a stamp may bring along, or abuse.
type settingUp struct {
	sig, widget, other pdf.Ref // signature, its widget, and a widget that was there
	catalog, page      pdf.Dict
	root, document     pdf.Dict
	tree, element      pdf.Dict
}

// setUp stamps a tagged document and lets change say what else the revision does.
func setUp(t *testing.T, w *world, base []byte, root, document, tree pdf.Ref, change func(s *settingUp)) []byte {
	t.Helper()
	certify := func(sig, _ pdf.Dict) {
		sig["Reference"] = pdf.Array{pdf.Dict{"TransformMethod": pdf.Name("DocMDP"), "TransformParams": pdf.Dict{"P": pdf.Integer(2), "V": pdf.Name("1.2")}}}
	}
	return w.sign(t, base, job{stamp: &stampJob{number: serialNumber(t, 3)}, edit: certify, extra: func(u *pdf.Update, f *pdf.File) {
		first := pdf.NewUpdate(f).Alloc().Number // value, look, widget, in this order
		get := func(r pdf.Ref) pdf.Dict {
			d, err := f.Dict(r)
			require.NoError(t, err)
			return maps.Clone(d)
		}
		page, err := f.Page(-1)
		require.NoError(t, err)
		annots, err := f.Annotations(page)
		require.NoError(t, err)
		_, form, err := f.Form()
		require.NoError(t, err)
		fields, err := f.Array(form["Fields"])
		require.NoError(t, err)
		s := &settingUp{sig: pdf.Ref{Number: first}, widget: pdf.Ref{Number: first + 2}, root: get(root), document: get(document), tree: get(tree),
			catalog: get(f.CatalogRef()), page: maps.Clone(page.Dict)}
		if len(annots) > 0 {
			s.other, _ = annots[0].(pdf.Ref)
		}
		s.catalog["AcroForm"] = pdf.Dict{"Fields": append(fields[:len(fields):len(fields)], s.widget), "SigFlags": pdf.Integer(3)}
		s.page["Annots"] = append(annots[:len(annots):len(annots)], s.widget)
		s.catalog["Perms"] = pdf.Dict{"DocMDP": s.sig}
		s.page["Tabs"] = pdf.Name("S")
		added := u.Alloc()
		next, err := f.Int(s.root["ParentTreeNextKey"])
		require.NoError(t, err)
		s.element = pdf.Dict{"Type": pdf.Name("StructElem"), "S": pdf.Name("Form"), "P": document, "K": pdf.Dict{"Type": pdf.Name("OBJR"), "Obj": s.widget}}
		s.root["ParentTreeNextKey"] = pdf.Integer(next + 1)
		kids, nums := s.document["K"].(pdf.Array), s.tree["Nums"].(pdf.Array)
		s.document["K"] = append(kids[:len(kids):len(kids)], added)
		s.tree["Nums"] = append(nums[:len(nums):len(nums)], pdf.Integer(next), added)
		change(s)
		for ref, d := range map[pdf.Ref]pdf.Dict{f.CatalogRef(): s.catalog, page.Ref: s.page, root: s.root, document: s.document, tree: s.tree, added: s.element} {
			u.Set(ref, d)
		}
	}})
}

// The revision of a first stamp may certify the document and put the stamp's widget
// into the structure tree. It may do no more of that kind, and after an earlier
// signature not even that.
func TestStampSetsUp(t *testing.T) {
	w := newWorld(t)
	base, root, document, tree := tagged(t)
	none := func(*settingUp) {}
	r := check(t, setUp(t, w, base, root, document, tree, none), w.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	require.Equal(t, "forms", r.Signatures[0].Certified)
	require.True(t, r.Signatures[0].Stamp.DocumentBound)

	// A text field that was there before, for changes that reach for it.
	form := update(t, base, func(u *pdf.Update, f *pdf.File) {
		page, err := f.Page(-1)
		require.NoError(t, err)
		ref := u.Add(pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Widget"), "FT": pdf.Name("Tx"), "T": pdf.String("text"), "Rect": pdf.Rect{}.Array()})
		d := maps.Clone(page.Dict)
		d["Annots"] = pdf.Array{ref}
		u.Set(page.Ref, d)
		catalogWith(t, u, f, pdf.Dict{"AcroForm": pdf.Dict{"Fields": pdf.Array{ref}}})
	})
	r = check(t, setUp(t, w, form, root, document, tree, none), w.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	for name, change := range map[string]func(s *settingUp){
		"permissions of more":          func(s *settingUp) { s.catalog["Perms"] = pdf.Dict{"DocMDP": s.sig, "UR3": s.sig} },
		"permissions of another":       func(s *settingUp) { s.catalog["Perms"] = pdf.Dict{"DocMDP": s.widget} },
		"usage rights":                 func(s *settingUp) { s.catalog["Perms"] = pdf.Dict{"UR3": s.sig} },
		"another order of annotations": func(s *settingUp) { s.page["Tabs"] = pdf.Name("R") },
		"a widget that was there":      func(s *settingUp) { s.element["K"] = pdf.Dict{"Type": pdf.Name("OBJR"), "Obj": s.other} },
		"two widgets": func(s *settingUp) {
			s.element["K"] = pdf.Array{s.element["K"], pdf.Dict{"Type": pdf.Name("OBJR"), "Obj": s.other}}
		},
		"a key for what was there": func(s *settingUp) { nums := s.tree["Nums"].(pdf.Array); nums[len(nums)-1] = document },
		"a text read instead":      func(s *settingUp) { s.element["ActualText"] = pdf.String("other") },
		"a role":                   func(s *settingUp) { s.root["RoleMap"] = pdf.Dict{"Form": pdf.Name("P")} },
		"a language":               func(s *settingUp) { s.catalog["Lang"] = pdf.String("en") },
	} {
		t.Run(name, func(t *testing.T) {
			r := check(t, setUp(t, w, form, root, document, tree, change), w.opt)
			require.Equal(t, verify.TotalFailed, r.Indication, r.Text())
			require.False(t, r.Signatures[0].Stamp.DocumentBound)
		})
	}

	signed := w.sign(t, base, job{field: "Before"})
	r = check(t, setUp(t, w, signed, root, document, tree, none), w.opt)
	require.Equal(t, verify.ModificationFailed, r.Signatures[0].Modification, r.Text())
	require.Contains(t, r.Text(), "/Perms")
	require.Contains(t, r.Text(), "/Tabs")
}
