package verify

import (
	"maps"
	"slices"

	"github.com/seed-574216e4/meterai/pdf"
)

// Programs that sign tagged documents add the new widget to the structure tree
// (ISO 32000-2, 14.7). Nothing of it is drawn, but it decides what is read
// aloud: only new elements around new widgets are accepted.

// structure judges a changed structure tree root, if there is one.
func (c *differ) structure(old, new pdf.Object) {
	ref, ok := new.(pdf.Ref)
	if !ok || old != new {
		return // judged as any other key of the catalog
	}
	ch := c.changes[ref.Number]
	if ch == nil {
		return
	}
	was, ok1 := ch.old.(pdf.Dict)
	now, ok2 := ch.new.(pdf.Dict)
	if !ok1 || !ok2 {
		return
	}
	ch.why = ruled
	c.tree.note(ref)
	for _, k := range sortedUnion(was, now) {
		switch k {
		case "K":
			c.elements(ref.Number, was[k], now[k])
		case "ParentTree":
			c.parentTree(ref.Number, was[k], now[k])
		case "ParentTreeNextKey":
			a, _ := c.old.Int(was[k])
			b, err := c.new.Int(now[k])
			if err != nil || b < a {
				c.other("the structure tree's next key was lowered")
			}
		default:
			if !c.alike(ref.Number, was[k], now[k]) {
				c.other("the structure tree's /%s was changed", cleanText(string(k)))
			}
		}
	}
}

// element compares a structure element that was there: it may only get more
// kids.
func (c *differ) element(ch *change, was, now pdf.Dict) {
	c.tree.note(ch.ref)
	for _, k := range sortedUnion(was, now) {
		if equal(was[k], now[k]) {
			continue
		}
		if k == "K" {
			c.elements(ch.ref.Number, was[k], now[k])
			continue
		}
		if !c.alike(ch.ref.Number, was[k], now[k]) {
			c.other("a structure element was changed (/%s)", cleanText(string(k)))
		}
	}
}

// elements compares the kids of a structure element: what was there stays in
// its order, and what is new is an element around a widget.
func (c *differ) elements(holder uint32, old, new pdf.Object) {
	if equal(old, new) {
		return
	}
	was, ok1 := c.kidsOf(c.old, holder, old)
	now, ok2 := c.kidsOf(c.new, holder, new)
	if !ok1 || !ok2 {
		c.other("the structure tree cannot be read")
		return
	}
	fresh, rest := split(was, now)
	if !slices.EqualFunc(was, rest, equal) {
		c.other("structure elements were removed or put in another order")
	}
	for _, o := range fresh {
		c.newElement(holder, o, 0)
	}
}

// kidsOf reads /K: one kid or an array of them.
func (c *differ) kidsOf(f *pdf.File, holder uint32, o pdf.Object) (pdf.Array, bool) {
	target := c.deref(f, o)
	if a, ok := target.(pdf.Array); ok {
		if ref, ok := o.(pdf.Ref); ok {
			c.allow(holder, ref)
			c.tree.note(ref)
		}
		return a, true
	}
	switch target.(type) {
	case nil:
		return nil, true
	case pdf.Dict, pdf.Integer:
		return pdf.Array{o}, true
	}
	return nil, false
}

// newElement accepts an element whose kids are references to widgets, with
// nothing in it that would be read instead.
func (c *differ) newElement(holder uint32, o pdf.Object, depth int) {
	d, ok := c.deref(c.new, o).(pdf.Dict)
	if !ok || depth > 8 {
		c.other("marked content was given another place in the structure tree")
		return
	}
	if ref, ok := o.(pdf.Ref); ok {
		ch := c.changes[ref.Number]
		if ch == nil || ch.old != nil {
			c.other("an existing object was put into the structure tree")
			return
		}
		ch.why = ruled
		holder = ref.Number
	}
	if d["Type"] == pdf.Name("OBJR") {
		c.newReference(d)
		return
	}
	if d["S"] == nil || d["ActualText"] != nil || d["Alt"] != nil || d["E"] != nil {
		c.other("a structure element was added that has a text of its own")
		return
	}
	kids, ok := c.kidsOf(c.new, holder, d["K"])
	if !ok {
		c.other("a new structure element cannot be read")
		return
	}
	for k, v := range d {
		if k != "K" && k != "Pg" {
			c.allow(holder, v)
		}
	}
	for _, kid := range kids {
		c.newElement(holder, kid, depth+1)
	}
}

// newReference accepts an object reference to a widget.
func (c *differ) newReference(d pdf.Dict) {
	w, ok := c.deref(c.new, d["Obj"]).(pdf.Dict)
	if !ok || w["Subtype"] != pdf.Name("Widget") {
		c.other("the structure tree was given a reference to something else than a widget")
		return
	}
	if ref, ok := d["Obj"].(pdf.Ref); ok {
		c.tree.widgets = append(c.tree.widgets, ref.Number)
	}
}

// parentTree compares the number tree from keys to elements (7.9.7): what was
// there stays, and new keys lead to elements.
func (c *differ) parentTree(holder uint32, old, new pdf.Object) {
	was, now := map[int64]leaf{}, map[int64]leaf{}
	if !c.flatten(c.old, old, was, nil, 0) || !c.flatten(c.new, new, now, &holder, 0) {
		c.other("the parent tree of the structure cannot be read")
		return
	}
	for _, k := range slices.Sorted(maps.Keys(was)) {
		v := was[k]
		if !c.alike(now[k].holder, v.value, now[k].value) {
			c.other("the parent tree of the structure was changed at key %d", k)
			return
		}
	}
	for k, v := range now {
		if _, known := was[k]; known {
			continue
		}
		if d, ok := c.deref(c.new, v.value).(pdf.Dict); !ok || d["S"] == nil {
			c.other("the parent tree of the structure was given something else than an element")
			return
		}
		ref, ok := v.value.(pdf.Ref)
		if ch := c.changes[ref.Number]; !ok || ch == nil || ch.old != nil {
			c.tree.reused = true
		}
	}
}

// leaf is a value of a number tree and the object it stands in.
type leaf struct {
	value  pdf.Object
	holder uint32
}

// flatten reads a number tree. With a holder its changed nodes are accepted as
// its content.
func (c *differ) flatten(f *pdf.File, o pdf.Object, into map[int64]leaf, holder *uint32, depth int) bool {
	if c.d.tree++; c.d.tree > treeNodes || depth > 16 || c.err != nil {
		return false
	}
	d, ok := c.deref(f, o).(pdf.Dict)
	if !ok {
		return o == nil
	}
	at := c.through(holder, o)
	nums, ok := c.deref(f, d["Nums"]).(pdf.Array)
	if d["Nums"] != nil && (!ok || len(nums)%2 != 0) {
		return false
	}
	var stands uint32
	if next := c.through(at, d["Nums"]); next != nil {
		stands = *next
	}
	for i := 0; i+1 < len(nums); i += 2 {
		k, ok := nums[i].(pdf.Integer)
		if c.d.tree++; !ok || c.d.tree > treeNodes {
			return false
		}
		into[int64(k)] = leaf{nums[i+1], stands}
	}
	kids, ok := c.deref(f, d["Kids"]).(pdf.Array)
	if d["Kids"] != nil && !ok {
		return false
	}
	if next := c.through(at, d["Kids"]); next != nil {
		at = next
	}
	for _, k := range kids {
		if !c.flatten(f, k, into, at, depth+1) {
			return false
		}
	}
	return true
}

// through accepts the object behind a reference as content of the holder, and
// returns the holder of what stands in it.
func (c *differ) through(holder *uint32, o pdf.Object) *uint32 {
	ref, ok := o.(pdf.Ref)
	if !ok || holder == nil {
		return holder
	}
	c.allowed[[2]uint32{*holder, ref.Number}] = true
	if ch := c.changes[ref.Number]; ch != nil && ch.why == unexplained {
		ch.why = content
		c.tree.note(ref)
	}
	return &ref.Number
}
