package verify

import (
	"slices"

	"github.com/seed-574216e4/meterai/pdf"
)

// page compares a page object: only its list of annotations may change.
func (c *differ) page(ch *change, was, now pdf.Dict) {
	for _, k := range sortedUnion(was, now) {
		if equal(was[k], now[k]) {
			continue
		}
		switch k {
		case "Annots":
			c.annots(ch.ref.Number, was[k], now[k])
		case "Tabs":
			c.tabs(ch.ref.Number, now[k])
		case "LastModified":
		default:
			if !c.alike(ch.ref.Number, was[k], now[k]) {
				c.other("the page's /%s was changed%s", cleanText(string(k)), c.where(ch.ref.Number))
			}
		}
	}
}

func (c *differ) annots(holder uint32, old, new pdf.Object) {
	was, _, ok1 := c.refsOf(c.old, holder, old)
	now, at, ok2 := c.refsOf(c.new, holder, new)
	if !ok1 || !ok2 {
		c.other("the list of annotations cannot be read%s", c.where(holder))
		return
	}
	c.listOnly(new, "Annots")
	c.annotations(at, was, now)
}

// annotations compares two lists of annotations: what was there stays, in its
// order, and what is new is a widget of a signature field.
func (c *differ) annotations(holder uint32, was, now pdf.Array) {
	fresh, rest := split(was, now)
	if !slices.EqualFunc(c.staying(was, now), rest, equal) {
		c.other("annotations were removed or put in another order%s", c.where(holder))
	}
	for _, o := range fresh {
		c.newAnnotation(holder, o)
	}
}

// staying leaves out of a list of annotations or kids the widgets that a later
// one does not name any more, if they may go. Their field stays, and since
// whoever may fill it in may give it any look, an empty one among them, nothing
// is gained by it; but it deletes annotations, which only DocMDP 3 allows.
func (c *differ) staying(was, now pdf.Array) pdf.Array {
	there := identities(now)
	var out pdf.Array
	for _, o := range was {
		if there[identity(o)] || !c.mayGo(o) {
			out = append(out, o)
		}
	}
	return out
}

// mayGo tells whether an annotation is a widget of a field that is filled in,
// not signed, and notes that it went.
func (c *differ) mayGo(o pdf.Object) bool {
	d, ok := c.deref(c.old, o).(pdf.Dict)
	if !ok || d["Subtype"] != pdf.Name("Widget") {
		return false
	}
	name, kind := c.fieldName(c.old, d)
	if name == "" || !slices.Contains([]pdf.Name{"Tx", "Ch", "Btn"}, kind) {
		return false
	}
	c.raise(annotating)
	c.step.annots = append(c.step.annots, say("widget of %s removed", cleanText(name)))
	if !slices.Contains(c.step.filled, name) {
		c.step.filled = append(c.step.filled, name)
	}
	return true
}

func (c *differ) newAnnotation(holder uint32, o pdf.Object) {
	ref, ok := o.(pdf.Ref)
	d, isDict := o.(pdf.Dict)
	var ch *change
	if ok {
		ch = c.changes[ref.Number]
		d, isDict = dictOf(ch)
	}
	if !isDict || ch != nil && ch.old != nil {
		c.other("an existing object was put among the annotations%s", c.where(holder))
		return
	}
	if d["Subtype"] == pdf.Name("Widget") && ok {
		c.newWidget(holder, ref, ch, d)
		return
	}
	subtype, _ := d["Subtype"].(pdf.Name)
	c.raise(annotating)
	c.step.annots = append(c.step.annots, say("new %s", cleanText(string(subtype))))
	switch subtype {
	case "Text", "FreeText", "Highlight", "Underline", "Squiggly", "StrikeOut", "Ink", "Popup":
	case "Square", "Circle", "Line", "Polygon", "PolyLine", "Caret", "Stamp":
		c.step.covers = append(c.step.covers, say("an annotation that can cover content (%s) was added%s", subtype, c.where(holder)))
	default:
		c.other("an annotation that is no comment (%s) was added%s", cleanText(string(subtype)), c.where(holder))
		return
	}
	if d["A"] != nil || d["AA"] != nil {
		c.other("an annotation with an action was added%s", c.where(holder))
	}
	if ok {
		ch.why = ruled
		holder = ref.Number
	}
	c.allow(holder, d)
}

// newWidget accepts a widget of a signature field: one that the form already
// named, or a further widget of a field of that type.
func (c *differ) newWidget(holder uint32, ref pdf.Ref, ch *change, d pdf.Dict) {
	if ch.why == ruled {
		return
	}
	if d["T"] == nil && d["Parent"] != nil {
		c.newField(holder, ref, 0)
		return
	}
	c.other("a widget was added that belongs to no field of the form%s", c.where(holder))
}

// field compares a field or widget that was there.
func (c *differ) field(ch *change, was, now pdf.Dict) {
	name, kind := c.fieldName(c.old, was)
	f := fieldChange{c: c, n: ch.ref.Number, name: name, was: was, now: now, sig: kind == "Sig"}
	value, err := c.old.Resolve(inheritedValue(c.old, was))
	f.empty = err == nil && value == nil
	f.signing = f.sig && f.empty && inheritedValue(c.new, now) != nil
	for _, k := range sortedUnion(was, now) {
		if !equal(was[k], now[k]) {
			f.key(k, was[k], now[k])
		}
	}
	if f.signing || !f.sig {
		c.allow(f.n, now["AP"]) // may be redrawn in place
		c.appearances(f.n, now["AP"])
	}
}

// appearances lets a field that may be redrawn be so also when its appearance
// dictionary is an object that stays, as long as nobody else uses that.
func (c *differ) appearances(field uint32, o pdf.Object) {
	ref, ok := o.(pdf.Ref)
	if !ok || c.changes[ref.Number] != nil || !c.edges.targets[ref.Number] {
		return
	}
	own := func(e edge) bool { return e.from == field && e.key == "AP" }
	if !c.edges.alive(ref.Number, c.i, own) || !c.edges.alive(ref.Number, c.i-1, own) {
		return
	}
	if d, ok := c.deref(c.new, ref).(pdf.Dict); ok {
		c.allow(ref.Number, pdf.Array{d["N"], d["R"], d["D"]})
	}
}

// inheritedValue is a field's value, or that of the field above a widget.
func inheritedValue(f *pdf.File, d pdf.Dict) pdf.Object {
	for range 32 {
		if d["V"] != nil {
			return d["V"]
		}
		up, err := f.Dict(d["Parent"])
		if err != nil || up == nil {
			return nil
		}
		d = up
	}
	return nil
}

// fieldChange is one field or widget that a revision redefined.
type fieldChange struct {
	c        *differ
	n        uint32
	name     string
	was, now pdf.Dict
	sig      bool // a signature field
	empty    bool // without a value before
	signing  bool // an empty signature field that gets its value now
}

func (f *fieldChange) key(k pdf.Name, old, new pdf.Object) {
	switch k {
	case "V":
		f.value(old, new)
	case "AP", "AS", "M":
		if f.sig && !f.signing {
			f.c.other("the appearance of the signature field %s was changed", cleanText(f.name))
			return
		}
		if _, isName := new.(pdf.Name); k == "AS" && new != nil && !isName {
			f.changed(k, old, new)
			return
		}
		f.look(new)
	case "I", "TI", "RV":
		if f.sig {
			f.c.other("the field %s was changed (/%s)", cleanText(f.name), k)
			return
		}
		f.look(new)
	case "Kids":
		f.c.fieldList(f.n, "Kids", old, new)
	case "P":
		if old != nil {
			f.c.other("the field %s was moved to another page", cleanText(f.name))
		}
	case "Ff":
		f.flags(old, new)
	case "F", "MK", "DA", "DR", "Q", "BS", "Border", "H", "Type":
		if !f.signing {
			f.changed(k, old, new)
			return
		}
		f.look(new)
	default:
		f.changed(k, old, new)
	}
}

func (f *fieldChange) changed(k pdf.Name, old, new pdf.Object) {
	if !f.c.alike(f.n, old, new) {
		f.c.other("the field %s was changed (/%s)", cleanText(f.name), cleanText(string(k)))
	}
}

// value judges another value: signing for an empty signature field, filling in
// for other fields.
func (f *fieldChange) value(old, new pdf.Object) {
	switch {
	case f.signing:
		f.c.signing(f.n, f.name, pdf.Dict{"V": new})
	case f.sig:
		f.c.other("the signature in %s was removed or replaced", cleanText(f.name))
	default:
		f.look(new)
	}
}

// look accepts another value or appearance of a field, as filling in.
func (f *fieldChange) look(new pdf.Object) {
	f.c.allow(f.n, new)
	if f.sig {
		return
	}
	f.c.raise(formFilling)
	if !slices.Contains(f.c.step.filled, f.name) {
		f.c.step.filled = append(f.c.step.filled, f.name)
	}
}

// flags accepts that a field becomes read-only, which signing may do.
func (f *fieldChange) flags(old, new pdf.Object) {
	a, err1 := f.c.old.Int(old)
	b, err2 := f.c.new.Int(new)
	if err1 != nil || err2 != nil || a|1 != b {
		f.c.other("the flags of the field %s were changed", cleanText(f.name))
	}
}
