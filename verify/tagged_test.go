package verify_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/verify"
)

// tagged makes a document with a structure tree: root, document element and a
// parent tree.
func tagged(t testing.TB) (doc []byte, root, element, tree pdf.Ref) {
	doc = update(t, plain("tagged", 1, 0), func(u *pdf.Update, f *pdf.File) {
		root, element, tree = u.Alloc(), u.Alloc(), u.Alloc()
		para := u.Add(pdf.Dict{"Type": pdf.Name("StructElem"), "S": pdf.Name("P"), "P": element, "K": pdf.Integer(0)})
		u.Set(root, pdf.Dict{"Type": pdf.Name("StructTreeRoot"), "K": element, "ParentTree": tree, "ParentTreeNextKey": pdf.Integer(1)})
		u.Set(element, pdf.Dict{"Type": pdf.Name("StructElem"), "S": pdf.Name("Document"), "P": root, "K": pdf.Array{para}})
		u.Set(tree, pdf.Dict{"Nums": pdf.Array{pdf.Integer(0), u.Add(pdf.Array{para})}})
		catalogWith(t, u, f, pdf.Dict{"StructTreeRoot": root})
	})
	return doc, root, element, tree
}

// TestTaggedDocuments: signing programs add new widgets to the structure tree.
func TestTaggedDocuments(t *testing.T) {
	w := newWorld(t)
	base, root, element, tree := tagged(t)
	doc := w.sign(t, base, job{stamp: &stampJob{number: serialNumber(t, 1)}})
	second := func(change func(newElem, rootDict, elemDict, treeDict pdf.Dict)) []byte {
		return w.sign(t, doc, job{field: "Second", extra: func(u *pdf.Update, f *pdf.File) {
			// The widget is the third object that sign adds: value, look, widget.
			ref := pdf.Ref{Number: pdf.NewUpdate(f).Alloc().Number + 2}
			elem := pdf.Dict{"Type": pdf.Name("StructElem"), "S": pdf.Name("Form"), "P": element,
				"K": pdf.Dict{"Type": pdf.Name("OBJR"), "Obj": ref}}
			added := u.Alloc()
			get := func(r pdf.Ref) pdf.Dict {
				d, err := f.Dict(r)
				require.NoError(t, err)
				return d
			}
			rd, ed, td := get(root), get(element), get(tree)
			rd["ParentTreeNextKey"] = pdf.Integer(2)
			ed["K"] = append(ed["K"].(pdf.Array), added)
			td["Nums"] = append(td["Nums"].(pdf.Array), pdf.Integer(1), added)
			change(elem, rd, ed, td)
			u.Set(added, elem)
			u.Set(root, rd)
			u.Set(element, ed)
			u.Set(tree, td)
		}})
	}
	r := check(t, second(func(_, _, _, _ pdf.Dict) {}), w.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	for name, change := range map[string]func(newElem, rootDict, elemDict, treeDict pdf.Dict){
		"text read instead":     func(e, _, _, _ pdf.Dict) { e["ActualText"] = pdf.String("other") },
		"around content":        func(e, _, _, _ pdf.Dict) { e["K"] = pdf.Integer(0) },
		"around a page":         func(e, _, _, _ pdf.Dict) { e["K"] = pdf.Dict{"Type": pdf.Name("OBJR"), "Obj": pdf.Ref{Number: 6}} },
		"element removed":       func(_, _, d, _ pdf.Dict) { d["K"] = d["K"].(pdf.Array)[1:] },
		"element renamed":       func(_, _, d, _ pdf.Dict) { d["S"] = pdf.Name("Artifact") },
		"roles mapped":          func(_, d, _, _ pdf.Dict) { d["RoleMap"] = pdf.Dict{"Form": pdf.Name("P")} },
		"key taken over":        func(_, _, _, d pdf.Dict) { d["Nums"].(pdf.Array)[2] = pdf.Integer(0) },
		"key to something else": func(_, _, _, d pdf.Dict) { d["Nums"].(pdf.Array)[3] = pdf.Ref{Number: 6} },
		"next key lowered":      func(_, d, _, _ pdf.Dict) { d["ParentTreeNextKey"] = pdf.Integer(0) },
	} {
		t.Run(name, func(t *testing.T) {
			requireModified(t, check(t, second(change), w.opt))
		})
	}
}
