package sign_test

import (
	"bytes"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/verify"
)

// tree describes the structure tree of a test document. References in it are those
// of the objects that taggedPDF makes: root, document and paragraph.
type tree struct {
	root     pdf.Dict // entries of the root, added or replaced
	document pdf.Dict // entries of the document element
	catalog  pdf.Dict // entries of the catalog
	page     pdf.Dict // entries of the page
	parents  func(u *pdf.Update, paragraph pdf.Ref) pdf.Object
}

type refs struct{ root, document, paragraph pdf.Ref }

// taggedPDF makes a tagged document of a file: a root, a document element and a
// paragraph whose key is 0.
func taggedPDF(t testing.TB, src []byte, more tree) ([]byte, refs) {
	t.Helper()
	f, err := pdf.Open(bytes.NewReader(src), int64(len(src)), nil)
	require.NoError(t, err)
	catalog, err := f.Catalog()
	require.NoError(t, err)
	page, err := f.Page(-1)
	require.NoError(t, err)
	u := pdf.NewUpdate(f)
	r := refs{u.Alloc(), u.Alloc(), u.Alloc()}
	if more.parents == nil {
		more.parents = func(_ *pdf.Update, p pdf.Ref) pdf.Object {
			return pdf.Dict{"Nums": pdf.Array{pdf.Integer(0), pdf.Array{p}}}
		}
	}
	with := func(d, extra pdf.Dict) pdf.Dict { maps.Copy(d, extra); return d }
	u.Set(r.root, with(pdf.Dict{"Type": pdf.Name("StructTreeRoot"), "K": r.document, "ParentTree": more.parents(u, r.paragraph),
		"ParentTreeNextKey": pdf.Integer(1)}, more.root))
	u.Set(r.document, with(pdf.Dict{"Type": pdf.Name("StructElem"), "S": pdf.Name("Document"), "P": r.root, "K": pdf.Array{r.paragraph}}, more.document))
	u.Set(r.paragraph, pdf.Dict{"Type": pdf.Name("StructElem"), "S": pdf.Name("P"), "P": r.document, "Pg": page.Ref, "K": pdf.Integer(0), "Alt": pdf.String("rahasia")})
	u.Set(page.Ref, with(with(maps.Clone(page.Dict), pdf.Dict{"StructParents": pdf.Integer(0)}), more.page))
	u.Set(f.CatalogRef(), with(with(maps.Clone(catalog), pdf.Dict{"StructTreeRoot": r.root, "Lang": pdf.String("id"),
		"MarkInfo": pdf.Dict{"Marked": true}}), more.catalog))
	b, err := u.Bytes()
	require.NoError(t, err)
	return append(bytes.Clone(src), b...), r
}

// tags reads the signed document's structure: the key of the widget, the element that
// the parent tree has for it, and the object above.
type tags struct {
	widget, element, root pdf.Dict
	page                  pdf.Dict
	widgetRef, elementRef pdf.Ref
	keys                  map[int64]pdf.Object
}

func readTags(t testing.TB, b []byte) tags {
	t.Helper()
	f, err := pdf.Open(bytes.NewReader(b), int64(len(b)), nil)
	require.NoError(t, err)
	var s tags
	require.NoError(t, f.Fields(func(fd *pdf.Field) error {
		if fd.Type == "Sig" && fd.Value != nil {
			s.widget, s.widgetRef = fd.Dict, fd.Ref
		}
		return nil
	}))
	require.NotNil(t, s.widget)
	s.page, err = f.Dict(s.widget["P"])
	require.NoError(t, err)
	catalog, err := f.Catalog()
	require.NoError(t, err)
	s.root, err = f.Dict(catalog["StructTreeRoot"])
	require.NoError(t, err)
	s.keys = map[int64]pdf.Object{}
	if s.widget["StructParent"] == nil {
		return s
	}
	flatten(t, f, s.root["ParentTree"], s.keys)
	key, err := f.Int(s.widget["StructParent"])
	require.NoError(t, err)
	s.elementRef, _ = s.keys[key].(pdf.Ref)
	s.element, err = f.Dict(s.keys[key])
	require.NoError(t, err)
	next, err := f.Int(s.root["ParentTreeNextKey"])
	require.NoError(t, err)
	require.Greater(t, next, key)
	return s
}

// flatten reads a number tree and holds its limits against its keys.
func flatten(t testing.TB, f *pdf.File, o pdf.Object, into map[int64]pdf.Object) (low, high int64) {
	t.Helper()
	d, err := f.Dict(o)
	require.NoError(t, err)
	low, high = 1<<62, -1
	see := func(l, h int64) {
		require.Greater(t, l, high, "keys are in order")
		low, high = min(low, l), max(high, h)
	}
	nums, err := f.Array(d["Nums"])
	require.NoError(t, err)
	for i := 0; i < len(nums); i += 2 {
		k := int64(nums[i].(pdf.Integer))
		see(k, k)
		into[k] = nums[i+1]
	}
	kids, err := f.Array(d["Kids"])
	require.NoError(t, err)
	for _, kid := range kids {
		see(flatten(t, f, kid, into))
	}
	if limits, err := f.Array(d["Limits"]); err == nil && limits != nil {
		require.Equal(t, pdf.Array{pdf.Integer(low), pdf.Integer(high)}, limits)
	}
	return low, high
}

func leaf(first, last int, v pdf.Object) pdf.Dict {
	d := pdf.Dict{"Limits": pdf.Array{pdf.Integer(first), pdf.Integer(last)}}
	var nums pdf.Array
	for k := first; k <= last; k++ {
		nums = append(nums, pdf.Integer(k), v)
	}
	d["Nums"] = nums
	return d
}

// The widget of a tagged document gets its place in the structure tree, whatever the
// tree is made of, and the verifier accepts that of the stamp's own revision.
func TestTagged(t *testing.T) {
	tenParents := func(kids func(u *pdf.Update, leaves ...pdf.Dict) pdf.Object) func(*pdf.Update, pdf.Ref) pdf.Object {
		return func(u *pdf.Update, p pdf.Ref) pdf.Object {
			return pdf.Dict{"Kids": kids(u, leaf(0, 4, p), leaf(5, 9, p))}
		}
	}
	for name, c := range map[string]struct {
		tree
		key  int64
		root bool // the element stands under the root
		tabs pdf.Object
	}{
		"one leaf":         {key: 1},
		"no next key":      {tree: tree{root: pdf.Dict{"ParentTreeNextKey": nil}}, key: 1},
		"a next key below": {tree: tree{root: pdf.Dict{"ParentTreeNextKey": pdf.Integer(0)}}, key: 1},
		"a next key above": {tree: tree{root: pdf.Dict{"ParentTreeNextKey": pdf.Integer(70)}}, key: 70},
		"no parent tree":   {tree: tree{root: pdf.Dict{"ParentTree": nil}}, key: 1},
		"leaves of their own": {tree: tree{parents: tenParents(func(u *pdf.Update, leaves ...pdf.Dict) pdf.Object {
			return u.Add(pdf.Array{u.Add(leaves[0]), u.Add(leaves[1])})
		})}, key: 10},
		"leaves in the root": {tree: tree{parents: tenParents(func(_ *pdf.Update, leaves ...pdf.Dict) pdf.Object {
			return pdf.Array{leaves[0], leaves[1]}
		})}, key: 10},
		"three levels": {tree: tree{parents: func(u *pdf.Update, p pdf.Ref) pdf.Object {
			above := pdf.Dict{"Limits": pdf.Array{pdf.Integer(5), pdf.Integer(9)}, "Kids": pdf.Array{leaf(5, 6, p), u.Add(leaf(7, 9, p))}}
			return u.Add(pdf.Dict{"Kids": pdf.Array{u.Add(leaf(0, 4, p)), u.Add(above)}})
		}}, key: 10},
		"an array of one kid":      {tree: tree{document: pdf.Dict{"S": pdf.Name("Bagian")}, root: pdf.Dict{"RoleMap": pdf.Dict{"Bagian": pdf.Name("Sect")}}}, key: 1},
		"one paragraph":            {tree: tree{document: pdf.Dict{"S": pdf.Name("P")}}, key: 1, root: true},
		"an element without /Type": {tree: tree{document: pdf.Dict{"Type": nil}}, key: 1, root: true},
		"a role without end":       {tree: tree{document: pdf.Dict{"S": pdf.Name("A")}, root: pdf.Dict{"RoleMap": pdf.Dict{"A": pdf.Name("B"), "B": pdf.Name("A")}}}, key: 1, root: true},
		"another order of tabs":    {tree: tree{page: pdf.Dict{"Tabs": pdf.Name("R")}}, key: 1},
	} {
		t.Run(name, func(t *testing.T) {
			src, r := taggedPDF(t, fileBytes(t, "classic.pdf"), c.tree)
			for _, opt := range []*sign.Options{stampOptions(t), nil} {
				doc := open(t, src, opt)
				require.Empty(t, doc.Warnings())
				out := stamp(t, src, opt, sign.Issue{Number: numberOf(t, 60)})
				report := verified(t, out)
				require.Equal(t, verify.TotalPassed, report.Indication, report.Text())
				s := readTags(t, out)
				require.Equal(t, pdf.Integer(c.key), s.widget["StructParent"])
				require.Equal(t, pdf.Name("Form"), s.element["S"])
				require.Equal(t, s.widgetRef, s.element["K"].(pdf.Dict)["Obj"])
				up := r.document
				if c.root {
					up = r.root
				}
				require.Equal(t, up, s.element["P"])
				require.Equal(t, pdf.Name("S"), s.page["Tabs"])
				require.NotEmpty(t, s.widget["TU"])
				require.Equal(t, s.widget["TU"], s.widget["Contents"])
				if opt != nil {
					require.Contains(t, string(s.widget["TU"].(pdf.String)), "SEPULUH RIBU RUPIAH, SPESIMEN")
				}
			}
		})
	}
}

// An encrypted document keeps its strings, which are encrypted anew, and any document
// comes out the same each time.
func TestTaggedEncrypted(t *testing.T) {
	src, _ := taggedPDF(t, fileBytes(t, "encrypted-aes128.pdf"), tree{document: pdf.Dict{"T": pdf.String("judul")}})
	opt, is := stampOptions(t), sign.Issue{Number: numberOf(t, 61), Time: specimen(t).Now()}
	opt.Stamp.Seal = specimen(t).SealEd25519
	out := stamp(t, src, opt, is)
	s := readTags(t, out)
	f, err := pdf.Open(bytes.NewReader(out), int64(len(out)), nil)
	require.NoError(t, err)
	up, err := f.Dict(s.element["P"])
	require.NoError(t, err)
	require.Equal(t, pdf.String("judul"), up["T"])
	first, _, err := open(t, src, opt).Update(t.Context(), credential(t, specimen(t).StampRSA), is)
	require.NoError(t, err)
	again, _, err := open(t, src, opt).Update(t.Context(), credential(t, specimen(t).StampRSA), is)
	require.NoError(t, err)
	require.Equal(t, first, again)
}

// Trees that cannot be added to, or would take long to look at, are left alone, and
// so is that of a document with an earlier signature.
func TestTaggedLeftAlone(t *testing.T) {
	many := func(n int) pdf.Array {
		a := make(pdf.Array, 0, 2*n)
		for i := range n {
			a = append(a, pdf.Integer(i), nil)
		}
		return a
	}
	self := func(u *pdf.Update, _ pdf.Ref) pdf.Object {
		ref := u.Alloc()
		u.Set(ref, pdf.Dict{"Kids": pdf.Array{ref, ref}})
		return ref
	}
	deep := func(u *pdf.Update, p pdf.Ref) pdf.Object {
		o := pdf.Object(u.Add(leaf(0, 0, p)))
		for range 40 {
			o = u.Add(pdf.Dict{"Kids": pdf.Array{o}})
		}
		return o
	}
	wide := func(u *pdf.Update, p pdf.Ref) pdf.Object { // 10^7 ways down
		o := pdf.Object(u.Add(leaf(0, 0, p)))
		for range 7 {
			o = u.Add(pdf.Dict{"Kids": pdf.Array{o, o, o, o, o, o, o, o, o, o}})
		}
		return o
	}
	plain := func(o pdf.Object) func(*pdf.Update, pdf.Ref) pdf.Object {
		return func(*pdf.Update, pdf.Ref) pdf.Object { return o }
	}
	page := pdf.Ref{Number: 3}
	for name, c := range map[string]tree{
		"a node that is its own kid":  {parents: self},
		"deeper than any":             {parents: deep},
		"too many ways":               {parents: wide},
		"too many keys":               {parents: plain(pdf.Dict{"Nums": many(200_001)})},
		"an odd number of entries":    {parents: plain(pdf.Dict{"Nums": pdf.Array{pdf.Integer(0)}})},
		"keys that are no numbers":    {parents: plain(pdf.Dict{"Nums": pdf.Array{pdf.Name("a"), nil}})},
		"the page as a node":          {parents: plain(page)},
		"the font as a node":          {parents: plain(pdf.Ref{Number: 5})},
		"a node that is no node":      {parents: plain(pdf.Integer(7))},
		"a missing node":              {parents: plain(pdf.Ref{Number: 9999})},
		"the highest key":             {root: pdf.Dict{"ParentTreeNextKey": pdf.Integer(1<<31 - 1)}},
		"a next key that is no key":   {root: pdf.Dict{"ParentTreeNextKey": pdf.Name("x")}},
		"kids that are none":          {root: pdf.Dict{"K": pdf.Name("x")}},
		"too many kids":               {root: pdf.Dict{"K": many(50_001)}},
		"a form that is another role": {root: pdf.Dict{"RoleMap": pdf.Dict{"Form": pdf.Name("P")}}},
		"a root that is something":    {root: pdf.Dict{"Type": pdf.Name("Page")}},
	} {
		t.Run(name, func(t *testing.T) {
			src, _ := taggedPDF(t, fileBytes(t, "classic.pdf"), c)
			doc := open(t, src, stampOptions(t))
			require.Len(t, doc.Warnings(), 1)
			require.Contains(t, doc.Warnings()[0], "structure tree")
			requireLeftAlone(t, src)
		})
	}
	notMarked, _ := taggedPDF(t, fileBytes(t, "classic.pdf"), tree{catalog: pdf.Dict{"MarkInfo": pdf.Dict{"Marked": false}}})
	requireLeftAlone(t, notMarked)
	tagged, _ := taggedPDF(t, fileBytes(t, "classic.pdf"), tree{})
	signed := stamp(t, tagged, nil, sign.Issue{})
	requireLeftAlone(t, signed)
	requireLeftAlone(t, withoutFlags(signed))
}

// requireLeftAlone stamps a document whose structure tree is not to be touched.
func requireLeftAlone(t testing.TB, src []byte) {
	t.Helper()
	out := stamp(t, src, stampOptions(t), sign.Issue{Number: numberOf(t, 62)})
	update := string(out[len(src):])
	for _, made := range []string{"/StructElem", "/Type/StructTreeRoot", "/StructParent ", "/TU"} {
		require.False(t, strings.Contains(update, made), made)
	}
}

// A timestamp of a tagged document stands on a page that is in order already, not on
// the last one, which it would have to change.
func TestTaggedTimestamp(t *testing.T) {
	src, _ := taggedPDF(t, fileBytes(t, "forty-pages.pdf"), tree{})
	opt := stampOptions(t)
	opt.Page = 3
	out := stamp(t, src, opt, sign.Issue{Number: numberOf(t, 63)})
	_, client := startTSA(t)
	update, _, err := sign.Extend(t.Context(), bytes.NewReader(out), int64(len(out)), &sign.ExtendOptions{Timestamp: client})
	require.NoError(t, err)
	out = append(out, update...)
	report := verified(t, out)
	require.Equal(t, verify.TotalPassed, report.Indication, report.Text())
	f, err := pdf.Open(bytes.NewReader(out), int64(len(out)), nil)
	require.NoError(t, err)
	third, err := f.Page(3)
	require.NoError(t, err)
	require.Len(t, third.Dict["Annots"], 2)
	last, err := f.Page(-1)
	require.NoError(t, err)
	require.Nil(t, last.Dict["Tabs"])
	require.Nil(t, last.Dict["Annots"])
}

// An invisible signature in a file with metadata has an appearance, as PDF/A-1 wants.
func TestEmptyAppearance(t *testing.T) {
	src := tinyPDF("", "/Metadata 4 0 R", "")
	look := func(b []byte) pdf.Object {
		f, err := pdf.Open(bytes.NewReader(b), int64(len(b)), nil)
		require.NoError(t, err)
		var widget pdf.Dict
		require.NoError(t, f.Fields(func(fd *pdf.Field) error { widget = fd.Dict; return nil }))
		ap, err := f.Dict(widget["AP"])
		require.NoError(t, err)
		return ap["N"]
	}
	out := stamp(t, src, nil, sign.Issue{})
	require.Equal(t, verify.TotalPassed, verified(t, out).Indication)
	require.NotNil(t, look(out))
	require.Nil(t, look(stamp(t, tinyPDF("", "", ""), nil, sign.Issue{})))
}
