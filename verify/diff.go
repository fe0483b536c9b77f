package verify

import (
	"bytes"
	"slices"

	"github.com/seed-574216e4/meterai/pdf"
)

// change is one object that a revision really changed.
type change struct {
	ref      pdf.Ref
	old, new pdf.Object
	why      role // what allows it; unexplained at first
}

// role is what an allowed change is part of.
type role int

const (
	unexplained role = iota
	ruled            // checked key by key: catalog, form, field, page, annotation list
	content          // part of something allowed, with any content, and so of nothing else
	container        // object stream or cross-reference stream
)

// differ compares one revision with the one before it.
type differ struct {
	d        *document
	i        int // the newer revision
	old, new *pdf.File
	edges    *edgeIndex
	changes  map[uint32]*change
	allowed  map[[2]uint32]bool // edges (from, to) through which content was allowed
	step     step
	err      error // the budget or the reader gave out
	redrawn  bool  // the form asks readers to draw its fields anew
	tree     tagged
}

// step compares revision i with the one before it.
func (d *document) step(i int, list []pdf.Change, edges *edgeIndex) (step, error) {
	old, err := d.view(i - 1)
	if err != nil {
		return step{}, err
	}
	new, err := d.view(i)
	if err != nil {
		return step{}, err
	}
	c := &differ{d: d, i: i, old: old, new: new, edges: edges,
		changes: map[uint32]*change{}, allowed: map[[2]uint32]bool{}, tree: tagged{objects: map[uint32]bool{}}}
	if err := c.load(list); err != nil {
		return step{}, err
	}
	if err := c.tiles(list); err != nil {
		return step{}, err
	}
	if err := c.frame(); err != nil {
		return step{}, err
	}
	c.trailer()
	c.catalog()
	c.byType()
	c.restOf()
	if stamp := d.sealedIn(i); stamp != nil {
		c.step.own = c.ownRevision(stamp)
	}
	return c.step, c.err
}

// other records something that nobody may do.
func (c *differ) other(format string, args ...any) {
	c.raise(otherChange)
	if len(c.step.reasons) < c.d.lim.Reasons {
		c.step.reasons = append(c.step.reasons, say(format, args...))
	}
}

func (c *differ) raise(l changeLevel) { c.step.level = max(c.step.level, l) }

// load reads both states of every listed object and keeps those that differ.
func (c *differ) load(list []pdf.Change) error {
	for _, ch := range list {
		now, dups, err := c.d.read(c.new, ch.Ref)
		if err != nil {
			return err
		}
		if len(dups) > 0 { // of two equal keys some readers take the first and some the last
			c.other("object %d gives /%s more than once", ch.Ref.Number, cleanText(string(dups[0].Key)))
		}
		was, err := c.was(ch, now)
		if err != nil {
			return err
		}
		if was == nil && now == nil || c.sameObject(was, now) {
			continue
		}
		c.changes[ch.Ref.Number] = &change{ref: ch.Ref, old: was, new: now}
	}
	return nil
}

// was reads the earlier state of an object, whatever its generation was. An
// object that goes on under another generation is lost to all who refer to it.
func (c *differ) was(ch pdf.Change, now pdf.Object) (pdf.Object, error) {
	ref, ok, err := c.old.RefOf(ch.Ref.Number)
	if err != nil || !ok {
		return nil, err
	}
	was, err := c.d.get(c.old, ref)
	if err == nil && was != nil && now != nil && ref != ch.Ref {
		c.other("object %d was given another generation", ch.Ref.Number)
	}
	return was, err
}

// sameObject tells whether two states of an object are alike: the same values
// and, for streams, the same encoded bytes.
func (c *differ) sameObject(a, b pdf.Object) bool {
	s, ok := a.(*pdf.Stream)
	if !ok {
		return equal(a, b)
	}
	t, ok := b.(*pdf.Stream)
	if !ok || !equalDict(s.Dict, t.Dict, "Length") {
		return false
	}
	return c.sameData(s, t)
}

func (c *differ) sameData(s, t *pdf.Stream) bool {
	sp, err := c.old.StreamSpan(s)
	if err != nil {
		return false
	}
	tp, err := c.new.StreamSpan(t)
	if err != nil || sp.Len() != tp.Len() {
		return false
	}
	if sp == tp {
		return true
	}
	if c.d.compared += 2 * sp.Len(); c.d.compared > 4*c.d.size+dssBytes {
		return false // honest updates do not rewrite everything again and again
	}
	x, err := c.old.RawStream(s)
	if err != nil {
		return false
	}
	y, err := c.new.RawStream(t)
	return err == nil && bytes.Equal(x, y)
}

// equal compares two values without following references. A whole number may
// lose its fraction of zero but not get one: many readers take no real where an
// integer belongs, as in /Rotate.
func equal(a, b pdf.Object) bool {
	switch x := a.(type) {
	case pdf.Array:
		y, ok := b.(pdf.Array)
		return ok && slices.EqualFunc(x, y, equalElement)
	case pdf.Dict:
		y, ok := b.(pdf.Dict)
		return ok && equalDict(x, y)
	case *pdf.Stream, unread:
		return false
	}
	switch b.(type) {
	case pdf.Array, pdf.Dict, *pdf.Stream, unread:
		return false
	}
	if x, ok := a.(pdf.Real); ok {
		y, ok := number(b)
		return ok && float64(x) == y
	}
	return a == b
}

// equalElement is equal for elements of arrays, such as rectangles, where reals
// and integers are one.
func equalElement(a, b pdf.Object) bool {
	if x, ok := a.(pdf.Integer); ok {
		y, ok := b.(pdf.Real)
		if ok {
			return float64(x) == float64(y)
		}
	}
	return equal(a, b)
}

func number(o pdf.Object) (float64, bool) {
	switch v := o.(type) {
	case pdf.Integer:
		return float64(v), true
	case pdf.Real:
		return float64(v), true
	}
	return 0, false
}

func equalDict(a, b pdf.Dict, but ...pdf.Name) bool {
	for k := range union(a, b) {
		if !slices.Contains(but, k) && !equal(a[k], b[k]) {
			return false
		}
	}
	return true
}

// union gives the keys of two dictionaries.
func union(a, b pdf.Dict) map[pdf.Name]bool {
	keys := make(map[pdf.Name]bool, len(a)+len(b))
	for k := range a {
		keys[k] = true
	}
	for k := range b {
		keys[k] = true
	}
	return keys
}

// explain marks a change as checked key by key; it tells whether there is one.
func (c *differ) explain(ref pdf.Ref) (*change, bool) {
	ch := c.changes[ref.Number]
	if ch == nil {
		return nil, false
	}
	ch.why = ruled
	return ch, true
}

// allow accepts everything changed that a value holds or leads to, as content
// of the object that holds it. Ways back up the document are not followed.
func (c *differ) allow(from uint32, o pdf.Object) { c.allowDepth(from, o, 0) }

func (c *differ) allowDepth(from uint32, o pdf.Object, depth int) {
	if depth > c.d.lim.Depth {
		c.other("objects added after the signature are nested too deeply to compare")
		return
	}
	switch v := o.(type) {
	case pdf.Ref:
		c.allowRef(from, v, depth)
	case pdf.Array:
		for _, e := range v {
			c.allowDepth(from, e, depth+1)
		}
	case pdf.Dict:
		for k, e := range v {
			if k != "Parent" && k != "P" && k != "Popup" {
				c.allowDepth(from, e, depth+1)
			}
		}
	case *pdf.Stream:
		c.allowDepth(from, v.Dict, depth)
	}
}

func (c *differ) allowRef(from uint32, ref pdf.Ref, depth int) {
	c.allowed[[2]uint32{from, ref.Number}] = true
	ch := c.changes[ref.Number]
	if ch == nil || ch.why != unexplained || ch.new == nil {
		return
	}
	if structural(ch.old) || structural(ch.new) {
		return // a page or the like is never content of something else
	}
	ch.why = content
	c.allowDepth(ref.Number, ch.new, depth+1)
}

// structural tells objects that stand for parts of the document.
func structural(o pdf.Object) bool {
	d, ok := o.(pdf.Dict)
	if !ok {
		if s, ok := o.(*pdf.Stream); ok {
			return s.Dict["Type"] == pdf.Name("ObjStm") || s.Dict["Type"] == pdf.Name("XRef")
		}
		return false
	}
	switch d["Type"] {
	case pdf.Name("Catalog"), pdf.Name("Pages"), pdf.Name("Page"), pdf.Name("StructTreeRoot"), pdf.Name("StructElem"):
		return true
	}
	return isField(d)
}

// isField tells fields and widgets.
func isField(d pdf.Dict) bool {
	if t := d["Type"]; t != nil && t != pdf.Name("Annot") {
		return false
	}
	if d["Subtype"] == pdf.Name("Widget") || d["FT"] != nil {
		return true
	}
	return d["T"] != nil && (d["Kids"] != nil || d["Parent"] != nil || d["V"] != nil)
}

// restOf accepts what is left only when nothing can show it, and checks that
// allowed content is not used for anything else.
func (c *differ) restOf() {
	orphans := c.orphans()
	for _, n := range c.numbers() {
		ch := c.changes[n]
		switch ch.why {
		case unexplained:
			if !orphans[n] {
				c.other("%s", c.describe(ch))
			}
		case content, container:
			c.exclusive(ch, orphans)
		}
	}
}

// numbers returns the changed objects in order, so that reasons are stable.
func (c *differ) numbers() []uint32 {
	out := make([]uint32, 0, len(c.changes))
	for n := range c.changes {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// exclusive checks that only the places through which content was allowed
// refer to it, before and after.
func (c *differ) exclusive(ch *change, orphans map[uint32]bool) {
	n := ch.ref.Number
	if ch.why == content && len(c.edges.unread) > 0 {
		c.step.unclear = say("whether object %d is used elsewhere cannot be told: object %d of the signed revision cannot be read", n, c.edges.unread[0].Number)
		return
	}
	ok := func(e edge) bool {
		if c.allowed[[2]uint32{e.from, n}] || orphans[e.from] || e.extends && ch.why == container {
			return true
		}
		c.other("object %d, added or changed for one purpose, is also used by object %d%s", n, e.from, c.where(e.from))
		return false
	}
	if c.edges.alive(n, c.i, ok) && ch.old != nil {
		c.edges.alive(n, c.i-1, ok)
	}
}

// orphans are new, freed or changed objects that nothing but other orphans
// refers to: no reader that follows the cross-reference table ever meets them.
// Catalogs, pages and signatures are never taken as such, since readers that
// repair files look for them.
func (c *differ) orphans() map[uint32]bool {
	set := map[uint32]bool{}
	if len(c.edges.unread) > 0 {
		return set // they may refer to anything
	}
	roots := c.roots()
	for n, ch := range c.changes {
		if ch.why == unexplained && !attractive(ch.new) && !structural(ch.old) && !roots[n] {
			set[n] = true
		}
	}
	below := map[uint32][]uint32{} // by candidate: those it refers to
	var used []uint32              // referred to from elsewhere
	for n := range set {
		visit := func(e edge) bool {
			if set[e.from] {
				below[e.from] = append(below[e.from], n)
				return true
			}
			if c.edges.dead(e.from, c.i, roots) {
				return true
			}
			used = append(used, n)
			return false
		}
		ch := c.changes[n]
		if c.edges.alive(n, c.i, visit) && ch.old != nil && ch.new != nil {
			c.edges.alive(n, c.i-1, visit)
		}
	}
	for len(used) > 0 {
		n := used[len(used)-1]
		used = used[:len(used)-1]
		if set[n] {
			delete(set, n)
			used = append(used, below[n]...)
		}
	}
	return set
}

// roots are the objects that the trailer names.
func (c *differ) roots() map[uint32]bool {
	out := map[uint32]bool{}
	for _, f := range []*pdf.File{c.old, c.new} {
		references(f.Trailer(), "", func(ref pdf.Ref, _ pdf.Name) { out[ref.Number] = true })
	}
	return out
}

// attractive tells objects that a repairing reader would look for.
func attractive(o pdf.Object) bool {
	switch v := o.(type) {
	case unread:
		return true
	case pdf.Dict:
		switch v["Type"] {
		case pdf.Name("Catalog"), pdf.Name("Pages"), pdf.Name("Page"):
			return true
		}
		return v["ByteRange"] != nil || v["Root"] != nil
	}
	return false
}
