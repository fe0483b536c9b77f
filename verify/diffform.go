package verify

import (
	"github.com/seed-574216e4/meterai/pdf"
)

// form compares the interactive form dictionaries (ISO 32000-2, 12.7.3).
func (c *differ) form(root uint32, old, new pdf.Object) {
	was, err := c.old.Dict(old)
	if err != nil {
		c.other("the form of the signed revision cannot be read")
		return
	}
	now, err := c.new.Dict(new)
	if err != nil || now == nil && was != nil {
		c.other("the form (/AcroForm) was removed or broken")
		return
	}
	holder := root
	if ref, ok := new.(pdf.Ref); ok {
		holder = ref.Number
		c.allowed[[2]uint32{root, holder}] = true
		c.explain(ref)
	}
	c.redrawn, _ = c.old.Bool(was["NeedAppearances"])
	for _, k := range sortedUnion(was, now) {
		c.formKey(holder, k, was[k], now[k])
	}
}

func (c *differ) formKey(holder uint32, k pdf.Name, old, new pdf.Object) {
	switch k {
	case "Fields":
		c.fieldList(holder, "Fields", old, new)
	case "SigFlags":
		a, _ := c.old.Int(old)
		b, err := c.new.Int(new)
		if err != nil || b&a != a || b > 3 {
			c.other("the form's /SigFlags were lowered")
		}
		c.allow(holder, new)
	case "DR":
		c.resources(holder, old, new)
	case "DA":
		if old == nil && new != nil && c.redrawn {
			c.other("fields that readers draw anew were given a default appearance")
		}
		if old != nil && !c.alike(holder, old, new) {
			c.other("the form's default appearance was changed")
		}
	case "NeedAppearances":
		if v, _ := c.new.Bool(new); v && !equal(old, new) {
			c.other("the form asks readers to draw all fields anew (/NeedAppearances)")
		}
	default:
		if !c.alike(holder, old, new) {
			c.other("the form's /%s was changed", cleanText(string(k)))
		}
	}
}

// resources accepts default resources that only grew: fonts that a signing
// program brings along. XObjects may be replaced, since the default appearance
// of a field, the only user of these resources, cannot draw any (12.7.4.3).
func (c *differ) resources(holder uint32, old, new pdf.Object) {
	if equal(old, new) && !c.touched(new) {
		return
	}
	if c.redrawn {
		c.other("the default resources of fields that readers draw anew were changed")
	}
	was, err1 := c.old.Dict(old)
	now, err2 := c.new.Dict(new)
	if err1 != nil || err2 != nil || now == nil {
		c.other("the form's default resources were removed or broken")
		return
	}
	for k, v := range was {
		a, err1 := c.old.Dict(v)
		b, err2 := c.new.Dict(now[k])
		if err1 != nil || err2 != nil {
			if !c.alike(holder, v, now[k]) {
				c.other("the form's default resources (/%s) were changed", cleanText(string(k)))
			}
			continue
		}
		for name := range a {
			if k != "XObject" && !c.alike(holder, a[name], b[name]) {
				c.other("the form's default resource /%s was changed", cleanText(string(name)))
			}
		}
	}
	c.raise(validationData)
	c.allow(holder, new)
	if ref, ok := new.(pdf.Ref); ok {
		holder = ref.Number
	}
	for _, v := range now {
		c.allow(holder, v)
	}
}

// refsOf reads an array whose elements should be references, and the object
// that holds it.
func (c *differ) refsOf(f *pdf.File, holder uint32, o pdf.Object) (pdf.Array, uint32, bool) {
	a, err := f.Array(o)
	if err != nil {
		return nil, holder, false
	}
	if ref, ok := o.(pdf.Ref); ok {
		c.allowed[[2]uint32{holder, ref.Number}] = true
		holder = ref.Number
	}
	return a, holder, true
}

// fieldList compares /Fields or /Kids: what was there stays, and what is new
// is a signature field.
func (c *differ) fieldList(holder uint32, key pdf.Name, old, new pdf.Object) {
	if equal(old, new) && !c.touched(new) {
		return
	}
	was, _, ok1 := c.refsOf(c.old, holder, old)
	now, at, ok2 := c.refsOf(c.new, holder, new)
	if !ok1 || !ok2 {
		c.other("the list of fields cannot be read")
		return
	}
	c.listOnly(new, key)
	there := identities(now)
	for _, o := range was {
		if !there[identity(o)] && (key != "Kids" || !c.bareWidget(o) || !c.mayGo(o)) {
			c.other("a form field was removed%s", c.fieldWords(c.old, o))
		}
	}
	fresh, _ := split(was, now)
	for _, o := range fresh {
		c.newField(at, o, 0)
	}
}

// bareWidget tells a widget of the field above it from a field of its own.
func (c *differ) bareWidget(o pdf.Object) bool {
	d, ok := c.deref(c.old, o).(pdf.Dict)
	return ok && d["T"] == nil && d["Kids"] == nil && d["FT"] == nil && d["V"] == nil
}

// listOnly explains a changed array of fields or annotations, and makes sure
// that it is nothing else as well.
func (c *differ) listOnly(o pdf.Object, key pdf.Name) {
	ref, ok := o.(pdf.Ref)
	if !ok {
		return
	}
	if _, changed := c.explain(ref); !changed {
		return
	}
	c.edges.alive(ref.Number, c.i, func(e edge) bool {
		if e.key == key && (key != "Kids" || c.isFieldObject(e.from)) {
			return true
		}
		c.other("a list of fields or annotations is also used by object %d", e.from)
		return false
	})
}

func (c *differ) isFieldObject(n uint32) bool {
	o, err := c.d.get(c.new, c.refOf(n))
	if err != nil {
		c.err = err
		return false
	}
	d, ok := o.(pdf.Dict)
	return ok && isField(d)
}

// identity is a key for an element of a list: its reference, or its written
// form when it is no reference.
func identity(o pdf.Object) any {
	if ref, ok := o.(pdf.Ref); ok {
		return ref
	}
	return string(pdf.AppendObject(nil, o))
}

func identities(list pdf.Array) map[any]bool {
	set := make(map[any]bool, len(list))
	for _, o := range list {
		set[identity(o)] = true
	}
	return set
}

// split parts the elements of now into those that were not there and the rest,
// both in their order.
func split(was, now pdf.Array) (fresh, rest pdf.Array) {
	known := identities(was)
	for _, o := range now {
		if known[identity(o)] {
			rest = append(rest, o)
		} else {
			fresh = append(fresh, o)
		}
	}
	return fresh, rest
}

// newField accepts a signature field that the revision added, with everything
// that it consists of.
func (c *differ) newField(holder uint32, o pdf.Object, depth int) {
	ref, ok := o.(pdf.Ref)
	if !ok || depth > 16 {
		c.other("a form field was added that is no object of its own")
		return
	}
	ch := c.changes[ref.Number]
	d, isDict := dictOf(ch)
	if !isDict || ch.old != nil {
		c.other("an existing object was made a form field%s", c.fieldWords(c.new, o))
		return
	}
	if ch.why == ruled {
		return // seen through the other list that names it
	}
	ch.why = ruled
	if !fieldShape(d) {
		c.other("something else than a form field was put into the form (object %d)", ref.Number)
		return
	}
	name, kind := c.fieldName(c.new, d)
	if d["Kids"] != nil {
		kids, at, ok := c.refsOf(c.new, ref.Number, d["Kids"])
		if !ok {
			c.other("the kids of the new field %s cannot be read", cleanText(name))
			return
		}
		for _, k := range kids {
			c.newField(at, k, depth+1)
		}
		c.listOnly(d["Kids"], "Kids")
	}
	if kind != "Sig" && (kind != "" || d["Kids"] == nil) {
		c.other("the form field %s was added, which is no signature field", cleanText(name))
		return
	}
	c.signing(ref.Number, name, d)
}

// fieldShape refuses dictionaries that are a field and something else at once,
// such as a page.
func fieldShape(d pdf.Dict) bool {
	if t := d["Type"]; t != nil && t != pdf.Name("Annot") {
		return false
	}
	if t := d["Subtype"]; t != nil && t != pdf.Name("Widget") {
		return false
	}
	switch d["Contents"].(type) {
	case nil, pdf.String:
		return d["Resources"] == nil && d["MediaBox"] == nil
	}
	return false
}

// signing accepts the entries of a new signature field or widget, or the value
// that an empty one gets.
func (c *differ) signing(holder uint32, name string, d pdf.Dict) {
	if d["A"] != nil || d["AA"] != nil {
		c.other("the signature field %s brings an action", cleanText(name))
	}
	if !c.isTimestamp(d["V"]) {
		c.raise(formFilling)
		c.step.signed = append(c.step.signed, name)
	}
	c.raise(validationData)
	if value, before := c.valueOf(d); before {
		c.other("a widget was added to the field %s, which was signed before", cleanText(name))
	} else if !value && d["AP"] != nil && c.shows(d) {
		c.other("the signature field %s was added with an appearance but without a signature", cleanText(name))
	}
	if c.shows(d) {
		c.step.visible = append(c.step.visible, name)
	}
	for k, v := range d {
		if k != "Kids" && k != "Parent" && k != "P" {
			c.allow(holder, v)
		}
	}
}

// valueOf tells whether a new field has a value, own or inherited, and whether
// a field above it had one before this revision.
func (c *differ) valueOf(d pdf.Dict) (value, before bool) {
	for range 32 {
		value = value || c.deref(c.new, d["V"]) != nil
		up, ok := d["Parent"].(pdf.Ref)
		if !ok {
			break
		}
		if was, ok := c.deref(c.old, up).(pdf.Dict); ok && c.deref(c.old, inheritedValue(c.old, was)) != nil {
			return value, true
		}
		if d, ok = c.deref(c.new, up).(pdf.Dict); !ok {
			break
		}
	}
	return value, false
}

// isTimestamp tells document timestamps, which every DocMDP allows, from
// signatures.
func (c *differ) isTimestamp(v pdf.Object) bool {
	o := v
	if ref, ok := v.(pdf.Ref); ok { // read before, and kept
		var err error
		if o, err = c.d.get(c.new, ref); err != nil {
			return false
		}
	}
	sig, err := c.new.Dict(o)
	return err == nil && sig["SubFilter"] == subRFC3161
}

// shows tells whether a widget is visible: it has an area and is not hidden.
func (c *differ) shows(d pdf.Dict) bool {
	if d["Rect"] == nil {
		return false
	}
	r, err := c.new.Rect(d["Rect"])
	if err != nil {
		return true
	}
	flags, _ := c.new.Int(d["F"])
	return !r.Empty() && flags&(2|32) == 0
}

func dictOf(ch *change) (pdf.Dict, bool) {
	if ch == nil {
		return nil, false
	}
	d, ok := ch.new.(pdf.Dict)
	return d, ok
}

// fieldName gives the full name and the inherited type of a field.
func (c *differ) fieldName(f *pdf.File, d pdf.Dict) (string, pdf.Name) {
	var name string
	var kind pdf.Name
	for range 32 {
		if t, err := f.String(d["T"]); err == nil && d["T"] != nil {
			if name != "" {
				name = "." + name
			}
			name = t.Text() + name
		}
		if kind == "" {
			kind, _ = f.Name(d["FT"])
		}
		up, err := f.Dict(d["Parent"])
		if err != nil || up == nil {
			break
		}
		d = up
	}
	return name, kind
}

func (c *differ) fieldWords(f *pdf.File, o pdf.Object) *phrase {
	d, err := f.Dict(o)
	if err != nil || d == nil {
		return nil
	}
	name, _ := c.fieldName(f, d)
	return say(" (%s)", cleanText(name))
}

// byType judges changed objects that are parts of the document, wherever they
// hang: only the changes listed for their kind are accepted, so it does not
// matter who refers to them.
func (c *differ) byType() {
	for _, n := range c.numbers() {
		ch := c.changes[n]
		if ch.why != unexplained {
			continue
		}
		switch was := ch.old.(type) {
		case nil:
			c.newStream(ch)
		case pdf.Array:
			c.listByUse(ch, was)
		case pdf.Dict:
			now, ok := ch.new.(pdf.Dict)
			switch {
			case !ok:
			case was["Type"] == pdf.Name("Page"):
				ch.why = ruled
				c.page(ch, was, now)
			case was["Type"] == pdf.Name("StructElem"):
				ch.why = ruled
				c.element(ch, was, now)
			case isField(was):
				ch.why = ruled
				c.field(ch, was, now)
			}
		}
	}
}

// newStream accepts the containers of objects that a revision brings.
func (c *differ) newStream(ch *change) {
	s, ok := ch.new.(*pdf.Stream)
	if ok && (s.Dict["Type"] == pdf.Name("XRef") || s.Dict["Type"] == pdf.Name("ObjStm")) {
		ch.why = container
	}
}

// listByUse judges an array that is an object of its own by those who use it.
func (c *differ) listByUse(ch *change, was pdf.Array) {
	now, ok := ch.new.(pdf.Array)
	if !ok {
		return
	}
	keys := map[pdf.Name]bool{}
	c.edges.alive(ch.ref.Number, c.i, func(e edge) bool {
		o, err := c.d.get(c.new, c.refOf(e.from))
		d, ok := o.(pdf.Dict)
		if err != nil || !ok {
			keys["?"] = true
			return false
		}
		switch {
		case e.key == "Annots" && d["Type"] == pdf.Name("Page"), e.key == "Kids" && isField(d):
			keys[e.key] = true
		default:
			keys["?"] = true
		}
		return len(keys) < 2
	})
	switch {
	case len(keys) != 1:
	case keys["Annots"]:
		ch.why = ruled
		c.annotations(ch.ref.Number, was, now)
	case keys["Kids"]:
		ch.why = ruled
		c.fieldList(ch.ref.Number, "Kids", was, now)
	}
}

// refOf gives the reference of an object by its number alone: as changed in
// this revision, or of generation 0.
func (c *differ) refOf(n uint32) pdf.Ref {
	if ch := c.changes[n]; ch != nil {
		return ch.ref
	}
	return pdf.Ref{Number: n}
}
