package verify

import (
	"cmp"
	"errors"
	"slices"

	"github.com/seed-574216e4/meterai/pdf"
)

// trailer compares the trailers: the catalog must stay the same object and the
// encryption must not change; /Info may be anything (ISO 32000-2, 7.5.5).
func (c *differ) trailer() {
	old, new := c.old.Trailer(), c.new.Trailer()
	if old["Root"] != new["Root"] {
		// Some programs write the catalog as a new object; it is compared with
		// the old one all the same. An object that was something else is none.
		root, _ := new["Root"].(pdf.Ref)
		if ch := c.changes[root.Number]; ch == nil || ch.old != nil {
			c.other("the document catalog was replaced by another object that was there")
		}
	}
	if !equal(old["Encrypt"], new["Encrypt"]) || c.touched(new["Encrypt"]) {
		c.other("the encryption of the document was changed")
	}
	if oi, ok := old["ID"].(pdf.Array); ok && len(oi) > 0 && c.new.Encrypted() { // elsewhere it decides nothing
		if ni, ok := new["ID"].(pdf.Array); ok && (len(ni) == 0 || !equal(oi[0], ni[0])) {
			c.other("the permanent file identifier was changed")
		}
	}
	c.infos(old["Info"], new["Info"])
}

func (c *differ) infos(old, new pdf.Object) {
	if !equal(old, new) {
		c.raise(validationData)
	}
	if ref, ok := new.(pdf.Ref); ok {
		if ch := c.changes[ref.Number]; ch != nil && ch.why == unexplained {
			if _, ok := ch.new.(pdf.Dict); ok && !structural(ch.new) && !structural(ch.old) {
				c.raise(validationData)
				c.allow(0, ref)
			}
		}
	}
}

// catalog compares the document catalog key by key (ISO 32000-2, 7.7.2).
func (c *differ) catalog() {
	old, err := c.d.catalogOf(c.i-1, c.old)
	if err != nil {
		c.other("the document catalog of the signed revision cannot be read")
		return
	}
	new := old
	if c.changes[c.new.CatalogRef().Number] != nil || c.old.CatalogRef() != c.new.CatalogRef() {
		if new, err = c.new.Catalog(); err != nil {
			c.other("the document catalog cannot be read any more")
			return
		}
	}
	c.d.newest = catalogAt{c.i, new}
	root := c.new.CatalogRef()
	c.explain(root)
	c.structure(old["StructTreeRoot"], new["StructTreeRoot"])
	for _, k := range sortedUnion(old, new) {
		c.catalogKey(root.Number, k, old[k], new[k])
	}
}

// catalogAt is the catalog of a revision, kept from one comparison to the next.
type catalogAt struct {
	revision int
	dict     pdf.Dict
}

func (d *document) catalogOf(i int, f *pdf.File) (pdf.Dict, error) {
	if d.newest.dict != nil && d.newest.revision == i {
		return d.newest.dict, nil
	}
	return f.Catalog()
}

func (c *differ) catalogKey(root uint32, k pdf.Name, old, new pdf.Object) {
	switch k {
	case "DSS":
		c.dss(root, old, new)
	case "AcroForm":
		c.form(root, old, new)
	case "Extensions":
		if !equal(old, new) || c.touched(new) {
			c.raise(validationData)
			c.allow(root, new)
		}
	case "Metadata":
		if (!equal(old, new) || c.touched(new)) && new != nil {
			c.raise(validationData)
			c.allow(root, new)
		} else if new == nil {
			c.other("the metadata of the document was removed")
		}
	case "Perms":
		c.perms(root, old, new)
	case "Version":
		v, ok := new.(pdf.Name)
		was, _ := old.(pdf.Name)
		if !equal(old, new) && (!ok || len(v) != 3 || v < was) {
			c.other("the version in the document catalog was changed to something lower or odd")
		}
	default:
		if !c.alike(root, old, new) {
			c.other("the catalog's /%s was changed", cleanText(string(k)))
		}
	}
}

// touched tells whether a value is a reference to a changed object.
func (c *differ) touched(o pdf.Object) bool {
	ref, ok := o.(pdf.Ref)
	return ok && c.changes[ref.Number] != nil
}

// dss accepts any change of the document security store but its removal.
func (c *differ) dss(root uint32, old, new pdf.Object) {
	if old == nil && new == nil {
		return
	}
	d, err := c.new.Dict(new)
	if err != nil || d == nil {
		c.other("the document security store (/DSS) was removed or broken")
		return
	}
	c.raise(validationData)
	c.allow(root, new)
	if ref, ok := new.(pdf.Ref); ok {
		c.allowUnder(ref.Number, d)
	} else {
		c.allowUnder(root, d)
	}
}

// allowUnder follows the two unchanged levels that a security store may have
// between its dictionary and what was added: arrays and the VRI dictionaries.
func (c *differ) allowUnder(from uint32, d pdf.Dict) {
	var down func(from uint32, o pdf.Object, depth int)
	down = func(from uint32, o pdf.Object, depth int) {
		if depth > 8 || c.err != nil {
			return
		}
		switch v := o.(type) {
		case pdf.Ref:
			c.allow(from, v)
			if ch := c.changes[v.Number]; ch == nil {
				target, err := c.d.get(c.new, v)
				if err != nil {
					c.err = err
					return
				}
				if _, leaf := target.(*pdf.Stream); !leaf {
					down(v.Number, target, depth+1)
				}
			}
		case pdf.Array:
			for _, e := range v {
				down(from, e, depth+1)
			}
		case pdf.Dict:
			for _, e := range v {
				down(from, e, depth+1)
			}
		}
	}
	down(from, d, 0)
}

// alike tells whether two values mean the same, following references where
// they differ. Copies that are equal are accepted as content of the holder.
func (c *differ) alike(from uint32, old, new pdf.Object) bool {
	if equal(old, new) {
		return true
	}
	budget := 4096
	if !c.alikeDepth(old, new, 0, &budget) {
		return false
	}
	c.allow(from, new)
	return true
}

func (c *differ) alikeDepth(old, new pdf.Object, depth int, budget *int) bool {
	if *budget--; *budget < 0 || depth > c.d.lim.Depth || c.err != nil {
		return false
	}
	if a, ok := old.(pdf.Ref); ok {
		if b, ok := new.(pdf.Ref); ok && a == b {
			return true // whether it changed is judged by itself
		}
	}
	a, b := c.deref(c.old, old), c.deref(c.new, new)
	switch x := a.(type) {
	case pdf.Array:
		y, ok := b.(pdf.Array)
		return ok && slices.EqualFunc(x, y, func(p, q pdf.Object) bool {
			return equalElement(p, q) || c.alikeDepth(p, q, depth+1, budget)
		})
	case pdf.Dict:
		y, ok := b.(pdf.Dict)
		return ok && c.alikeDicts(x, y, depth, budget)
	case *pdf.Stream:
		y, ok := b.(*pdf.Stream)
		return ok && c.alikeDicts(x.Dict, y.Dict, depth, budget) && c.sameData(x, y)
	}
	return equal(a, b)
}

func (c *differ) alikeDicts(x, y pdf.Dict, depth int, budget *int) bool {
	for k := range union(x, y) {
		if !c.alikeDepth(x[k], y[k], depth+1, budget) {
			return false
		}
	}
	return true
}

func (c *differ) deref(f *pdf.File, o pdf.Object) pdf.Object {
	for range 8 {
		ref, ok := o.(pdf.Ref)
		if !ok {
			return o
		}
		var err error
		if o, err = c.d.get(f, ref); err != nil {
			c.err = err
			return unread{}
		}
	}
	return unread{say("a chain of references")}
}

// tiles makes sure that the bytes of the newer revision are its objects, its
// cross-reference section and its end, and nothing else: whatever stands
// between them is invisible to readers that follow the table, and is read by
// those that repair.
func (c *differ) tiles(list []pdf.Change) error {
	rev := c.d.revs[c.i]
	spans := []pdf.Span{{Start: rev.XRef, End: rev.End}}
	for _, ch := range list {
		if ch.Free || ch.Compressed || ch.Offset < rev.Start || ch.Offset >= rev.End {
			continue
		}
		span, compressed, err := c.new.ObjectSpan(ch.Ref)
		if err != nil {
			if c.d.src.err != nil {
				return err
			}
			c.other("object %d cannot be read", ch.Ref.Number)
			continue
		}
		if !compressed {
			spans = append(spans, span)
		}
	}
	slices.SortFunc(spans, func(a, b pdf.Span) int { return cmp.Compare(a.Start, b.Start) })
	pos, err := c.ownStart(rev.Start)
	if err != nil {
		return err
	}
	for _, s := range spans {
		blank, err := c.d.blank(pos, s.Start)
		if err != nil {
			return err
		}
		if !blank {
			c.other("bytes %d to %d are no object that the cross-reference table knows", pos, s.Start)
		}
		pos = max(pos, s.End)
	}
	return c.searched(spans)
}

// searched refuses what readers that search the revision for objects find.
func (c *differ) searched(spans []pdf.Span) error {
	rev := c.d.revs[c.i]
	start, err := c.ownStart(rev.Start)
	if err != nil {
		return err
	}
	object, trailer, err := c.d.hidden(start, rev.End, rev.XRef, spans)
	if object >= 0 {
		c.other("bytes inside another object, or a comment, look like an object at byte %d: readers that repair the file take them for one", object)
	}
	if trailer >= 0 {
		c.other("bytes look like a trailer at byte %d: readers that repair the file take them for one", trailer)
	}
	return err
}

// ownStart is where the bytes of the revision begin: for that of a stamp behind
// what its seal covers. What lies in between only earlier signatures mind.
func (c *differ) ownStart(start int64) (int64, error) {
	stamp := c.d.sealedIn(c.i)
	if stamp == nil || !stamp.claim.boundary {
		return start, nil
	}
	sealed := stamp.claim.seal.DocumentLength
	blank, err := c.d.blank(start, sealed)
	if err == nil && !blank {
		c.step.between = say("bytes %d to %d belong to no revision", start, sealed)
	}
	return max(start, sealed), err
}

// frame refuses what readers take differently in the cross-reference sections
// of the revision, and what lets it change objects that it does not list: an
// object stream that holds older objects, or bytes that complete what was
// incomplete in the signed revision.
func (c *differ) frame() error {
	odd, err := c.d.oddities(c.i)
	if err != nil {
		return err
	}
	for _, what := range odd {
		c.other("%s", what)
	}
	for _, n := range c.numbers() {
		if first, ok := c.edges.holders[n]; ok && first < c.i {
			c.other("object %d, a stream that holds older objects, was replaced", n)
		}
	}
	for _, ref := range slices.Concat(c.edges.unread, c.edges.loose) {
		if c.changes[ref.Number] != nil {
			continue
		}
		o, err := c.d.get(c.new, ref)
		if err != nil {
			return err
		}
		whole, err := c.d.whole(c.new, o)
		if err != nil {
			return err
		}
		if whole {
			c.other("object %d, which was incomplete in the signed revision, is completed", ref.Number)
		}
	}
	return nil
}

// whole tells whether an object can be read, the data of a stream included.
func (d *document) whole(f *pdf.File, o pdf.Object) (bool, error) {
	switch v := o.(type) {
	case unread:
		return false, nil
	case *pdf.Stream:
		if _, err := f.StreamSpan(v); err != nil {
			return false, d.src.err
		}
	}
	return true, nil
}

// blank tells whether the bytes are white space and comments.
func (d *document) blank(from, to int64) (bool, error) {
	const most = 1 << 16 // longer is no honest space between objects
	if to-from > most {
		return whiteBetween(d.src, from, to)
	}
	if to <= from {
		return true, nil
	}
	b := make([]byte, to-from)
	if err := readFull(d.src, b, from); err != nil {
		return false, err
	}
	comment := false
	for _, ch := range b {
		switch {
		case ch == '\n' || ch == '\r':
			comment = false
		case ch == '%':
			comment = true
		case !comment && !isWhite(ch):
			return false, nil
		}
	}
	return true, nil
}

// firstObject returns the offset of the first object, or else the
// cross-reference section, of revision i.
func (d *document) firstObject(i int) (int64, error) {
	first := d.revs[i].XRef
	list, err := d.changed(i)
	if err != nil {
		return 0, err
	}
	for _, ch := range list {
		if ch.Free || ch.Compressed {
			continue
		}
		if ch.Offset < d.revs[i].Start {
			return 0, say("object %d lies in an earlier revision", ch.Ref.Number)
		}
		first = min(first, ch.Offset)
	}
	return first, nil
}

// describe says in words what an unexplained change is.
func (c *differ) describe(ch *change) *phrase {
	n := ch.ref.Number
	switch {
	case ch.new == nil:
		return say("object %d%s was deleted", n, c.where(n))
	case ch.old == nil:
		return say("object %d (%s) was added%s", n, kind(ch.new), c.where(n))
	}
	if page := c.contentOf(n); page > 0 {
		return say("page %d: content was replaced (object %d, %s)", page, n, kind(ch.old))
	}
	return say("object %d (%s) was replaced%s", n, kind(ch.old), c.where(n))
}

// contentOf gives the number of a page whose /Contents an object is part of, or
// zero.
func (c *differ) contentOf(n uint32) (page int) {
	c.edges.alive(n, c.i, func(e edge) bool {
		if e.key == "Contents" {
			page = c.d.pageNumbers()[e.from]
		}
		return page == 0
	})
	return page
}

// where names the page that an object is, or that uses it directly.
func (c *differ) where(n uint32) *phrase {
	if page := c.d.pageNumbers()[n]; page > 0 {
		return say(" (page %d)", page)
	}
	var place *phrase
	c.edges.alive(n, c.i, func(e edge) bool {
		if page := c.d.pageNumbers()[e.from]; page > 0 {
			place = say(" (page %d, /%s)", page, cleanText(string(e.key)))
		}
		return place == nil
	})
	return place
}

// errEnough ends a walk.
var errEnough = errors.New("enough")

// pageNumbers gives the numbers of the first pages by their objects.
func (d *document) pageNumbers() map[uint32]int {
	if d.pages == nil {
		d.pages = map[uint32]int{}
		// In a broken tree reasons do without the pages behind the damage.
		_ = d.f.Pages(func(p *pdf.Page) error {
			if p.Number > pagesNamed {
				return errEnough
			}
			d.pages[p.Ref.Number] = p.Number
			return nil
		})
	}
	return d.pages
}

func kind(o pdf.Object) *phrase {
	var d pdf.Dict
	switch v := o.(type) {
	case pdf.Dict:
		d = v
	case *pdf.Stream:
		d = v.Dict
	case pdf.Array:
		return say("an array")
	case unread:
		return say("unreadable")
	default:
		return say("a value")
	}
	t, _ := d["Type"].(pdf.Name)
	s, _ := d["Subtype"].(pdf.Name)
	if t == "" && s == "" {
		if _, ok := o.(*pdf.Stream); ok {
			return say("a stream")
		}
		return say("a dictionary")
	}
	return say("%s", cleanText(string(t)+map[bool]string{true: " ", false: ""}[t != "" && s != ""]+string(s)))
}

func sortedUnion(a, b pdf.Dict) []pdf.Name {
	var keys []pdf.Name
	for k := range union(a, b) {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
