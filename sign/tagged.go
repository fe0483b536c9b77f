package sign

import (
	"errors"
	"slices"

	"github.com/seed-574216e4/meterai/pdf"
)

// In a tagged document assistive programs find the stamp by its place in the
// structure tree (ISO 32000-2, 14.7.5.4), and PDF/UA wants it there (ISO 14289-1,
// 7.18). The tree of a document with earlier signatures is left alone: readers
// differ in whether a signature bears a change of it.

// errTree says that a structure tree is none that can be added to.
var errTree = errors.New("sign: structure tree")

// A tagging is the place of a new widget in the structure tree.
type tagging struct {
	key  pdf.Integer // /StructParent of the widget
	root node        // of the structure tree
	up   node        // the element above the new one; the root when there is none
	kids pdf.Array   // that up has
	keys []node      // the way to the last leaf of the parent tree
}

// A node is a dictionary that is written anew.
type node struct {
	ref  pdf.Ref // zero when it stands in the node above
	dict pdf.Dict
}

// readTags finds the place in the structure tree; nil when the document is not
// tagged, has earlier signatures, or a tree that is left alone.
func (d *Document) readTags() *tagging {
	ref, ok := d.form.catalog["StructTreeRoot"].(pdf.Ref)
	if d.fill != nil || !d.first || !ok || !d.tagged() {
		return nil
	}
	t := &tagging{}
	if err := t.read(d.file, ref); err != nil || t.taken(d.place.page.Ref, d.file.CatalogRef(), d.form.ref) {
		d.warn("the document is tagged, but its structure tree cannot be added to: assistive programs may not find the signature")
		return nil
	}
	return t
}

// tagged says that the document calls itself tagged (ISO 32000-2, 14.7.1).
func (d *Document) tagged() bool {
	mark, err := d.file.Dict(d.form.catalog["MarkInfo"])
	if err != nil || mark == nil {
		return false
	}
	marked, err := d.file.Bool(mark["Marked"])
	return err == nil && marked
}

// orderedPage is the page for a timestamp of a tagged document, whose pages must
// not be changed any more but for their annotations: one whose annotations are in
// the order of the structure, as every page with any has to be (ISO 14289-1,
// 7.18.3). It is 0, the last page, when that is one, or when there is none.
func (d *Document) orderedPage() int {
	ordered := func(p *pdf.Page) bool { return p.Dict["Tabs"] == pdf.Object(pdf.Name("S")) }
	last, err := d.file.Page(-1)
	if err != nil || !d.tagged() || ordered(last) {
		return 0
	}
	found := 0
	_ = d.file.Pages(func(p *pdf.Page) error {
		if !ordered(p) {
			return nil
		}
		found = p.Number
		return errTree // enough
	})
	return found
}

func (t *tagging) read(f *pdf.File, ref pdf.Ref) error {
	root, err := f.Dict(ref)
	if err != nil {
		return err
	}
	if root["Type"] != nil && root["Type"] != pdf.Object(pdf.Name("StructTreeRoot")) {
		return errTree
	}
	roles, err := f.Dict(root["RoleMap"])
	if err != nil || roles["Form"] != nil {
		return errTree // a form element would be something else here
	}
	t.root = node{ref, cloneDict(root)}
	t.up = t.root
	if t.kids, err = kidsOf(f, root["K"]); err != nil {
		return err
	}
	if err := t.descend(f, roles); err != nil {
		return err
	}
	return t.readKeys(f)
}

// kidsOf is /K of an element or the root: one kid, or an array of them.
func kidsOf(f *pdf.File, o pdf.Object) (pdf.Array, error) {
	value, err := f.Resolve(o)
	if err != nil {
		return nil, err
	}
	switch v := value.(type) {
	case nil:
		return nil, nil
	case pdf.Array:
		if len(v) > maxKids {
			return nil, errTree
		}
		return v, nil
	case pdf.Dict, pdf.Integer:
		return pdf.Array{o}, nil
	}
	return nil, errTree
}

// descend goes from the root to the one element below it that groups all others,
// if there is one: the document.
func (t *tagging) descend(f *pdf.File, roles pdf.Dict) error {
	if len(t.kids) != 1 {
		return nil
	}
	ref, ok := t.kids[0].(pdf.Ref)
	if !ok {
		return nil
	}
	only, err := f.Dict(ref)
	if err != nil || only["Type"] != pdf.Object(pdf.Name("StructElem")) {
		return err
	}
	name, err := f.Name(only["S"])
	for i := 0; err == nil && roles[name] != nil && i < maxRoles; i++ {
		name, err = f.Name(roles[name])
	}
	if err != nil || !slices.Contains([]pdf.Name{"Document", "Part", "Art", "Sect", "Div"}, name) {
		return err
	}
	if t.kids, err = kidsOf(f, only["K"]); err != nil {
		return err
	}
	t.up = node{ref, cloneDict(only)}
	return nil
}

// readKeys looks at the whole parent tree, a number tree (ISO 32000-2, 7.9.7), for
// the highest key, since not every writer keeps /ParentTreeNextKey.
func (t *tagging) readKeys(f *pdf.File) error {
	root := t.root.dict
	next, err := f.Int(root["ParentTreeNextKey"])
	if err != nil {
		return err
	}
	w := keyWalk{file: f, highest: next - 1}
	if root["ParentTree"] != nil {
		if t.keys, err = w.node(root["ParentTree"], 0, true); err != nil {
			return err
		}
	}
	if w.highest >= maxStructKey || w.highest < -1 {
		return errTree
	}
	t.key = pdf.Integer(w.highest + 1)
	root["ParentTreeNextKey"] = t.key + 1
	return nil
}

type keyWalk struct {
	file                  *pdf.File
	highest, nodes, count int64
}

// node visits a node; last says that it is the last of its level, and the way to
// the last leaf from there is returned.
func (w *keyWalk) node(o pdf.Object, depth int, last bool) ([]node, error) {
	if w.nodes++; w.nodes > maxKeyNodes || depth >= maxKeyDepth {
		return nil, errTree
	}
	dict, err := w.file.Dict(o)
	if err != nil || dict == nil {
		return nil, errors.Join(errTree, err)
	}
	for k := range dict {
		if k != "Kids" && k != "Nums" && k != "Limits" {
			return nil, errTree // it is something else as well
		}
	}
	if err := w.leaf(dict["Nums"]); err != nil {
		return nil, err
	}
	kids, err := w.file.Array(dict["Kids"])
	if err != nil {
		return nil, err
	}
	var below []node
	for i, kid := range kids {
		if below, err = w.node(kid, depth+1, last && i == len(kids)-1); err != nil {
			return nil, err
		}
	}
	if !last {
		return nil, nil
	}
	ref, _ := o.(pdf.Ref)
	return append([]node{{ref, cloneDict(dict)}}, below...), nil
}

// leaf looks at the keys that a node has itself.
func (w *keyWalk) leaf(o pdf.Object) error {
	nums, err := w.file.Array(o)
	if err != nil {
		return err
	}
	if w.count += int64(len(nums) / 2); w.count > maxKeys || len(nums)%2 != 0 {
		return errTree
	}
	for i := 0; i < len(nums); i += 2 {
		key, ok := nums[i].(pdf.Integer)
		if !ok {
			return errTree
		}
		w.highest = max(w.highest, int64(key))
	}
	return nil
}

// taken says that two objects which are written anew are one, or one of others.
func (t *tagging) taken(others ...pdf.Ref) bool {
	all := append(others, t.root.ref)
	if t.up.ref != t.root.ref {
		all = append(all, t.up.ref)
	}
	for _, n := range t.keys {
		if n.ref != (pdf.Ref{}) {
			all = append(all, n.ref)
		}
	}
	seen := map[uint32]bool{}
	for _, ref := range all {
		if ref != (pdf.Ref{}) && seen[ref.Number] {
			return true
		}
		seen[ref.Number] = true
	}
	return false
}

// put writes the new element around a widget, and all that leads to it.
func (t *tagging) put(u *pdf.Update, f *pdf.File, widget, page pdf.Ref) error {
	if t == nil {
		return nil
	}
	element := u.Add(pdf.Dict{
		"Type": pdf.Name("StructElem"), "S": pdf.Name("Form"), "P": t.up.ref, "Pg": page, "Lang": pdf.String("id"),
		"K": pdf.Dict{"Type": pdf.Name("OBJR"), "Obj": widget, "Pg": page},
	})
	tree, err := t.putKey(u, f, element)
	if err != nil {
		return err
	}
	t.root.dict["ParentTree"] = tree
	t.up.dict["K"] = append(t.kids[:len(t.kids):len(t.kids)], element)
	u.Set(t.root.ref, t.root.dict)
	u.Set(t.up.ref, t.up.dict)
	return nil
}

// putKey appends the key to the last leaf of the parent tree and widens the limits
// of the nodes above it.
func (t *tagging) putKey(u *pdf.Update, f *pdf.File, element pdf.Ref) (pdf.Object, error) {
	if t.keys == nil {
		return u.Add(pdf.Dict{"Nums": pdf.Array{t.key, element}}), nil
	}
	var below pdf.Object
	for i := len(t.keys) - 1; i >= 0; i-- {
		n := t.keys[i]
		if err := n.grow(f, t.key, element, below); err != nil {
			return nil, err
		}
		if i > 0 || n.dict["Limits"] != nil {
			if err := n.widen(f, t.key); err != nil {
				return nil, err
			}
		}
		if below = n.dict; n.ref != (pdf.Ref{}) {
			u.Set(n.ref, n.dict)
			below = n.ref
		}
	}
	return below, nil
}

// grow gives a node the key, or when below is there the changed node in place of
// its last kid.
func (n *node) grow(f *pdf.File, key pdf.Integer, element pdf.Ref, below pdf.Object) error {
	if below == nil {
		nums, err := f.Array(n.dict["Nums"])
		n.dict["Nums"] = append(nums[:len(nums):len(nums)], key, element)
		return err
	}
	if _, indirect := below.(pdf.Ref); indirect {
		return nil // it is named already
	}
	kids, err := f.Array(n.dict["Kids"])
	if err != nil {
		return err
	}
	n.dict["Kids"] = append(slices.Clone(kids[:len(kids)-1]), below)
	return nil
}

// widen makes the node's /Limits end with the key.
func (n *node) widen(f *pdf.File, key pdf.Integer) error {
	limits, err := f.Array(n.dict["Limits"])
	if err != nil {
		return err
	}
	first := pdf.Object(key)
	if len(limits) == 2 {
		first = limits[0]
	}
	n.dict["Limits"] = pdf.Array{first, key}
	return nil
}

// describe gives a widget of a tagged document its key and the words that are read
// aloud for it (ISO 14289-1, 7.18.1 and 7.18.4).
func (d *Document) describe(widget pdf.Dict, is Issue) {
	t := d.plan.tags
	if t == nil {
		return
	}
	text := "Tanda tangan elektronik"
	if s := d.opt.Stamp; s != nil {
		text = "Meterai elektronik " + is.Number.Grouped() + ", " + s.words()
		if s.Specimen {
			text += ", SPESIMEN"
		}
	}
	widget["StructParent"] = t.key
	widget["TU"], widget["Contents"] = pdf.TextString(text), pdf.TextString(text)
}
