package verify

import (
	"github.com/seed-574216e4/meterai/pdf"
)

// Some things a document is given only before it is signed: its certification,
// and the order in which the annotations of a page are walked through. The
// first signature's revision may bring them along; to every earlier signature
// they are changes that nobody may make.

// setUp records such a thing, or in a revision that holds no stamp a change
// that nobody may make.
func (c *differ) setUp(format string, args ...any) {
	if c.d.sealedIn(c.i) == nil {
		c.other(format, args...)
		return
	}
	if len(c.step.setup) < c.d.lim.Reasons {
		c.step.setup = append(c.step.setup, say(format, args...))
	}
}

// perms compares the /Perms of the catalog (ISO 32000-2, 12.8.6), which a stamp
// that certifies the document adds.
func (c *differ) perms(root uint32, old, new pdf.Object) {
	switch {
	case c.alike(root, old, new):
	case old == nil && c.certifies(new):
		c.allow(root, new)
		c.setUp("the catalog's /Perms was added")
	default:
		c.other("the catalog's /Perms was changed")
	}
}

// certifies tells whether permissions name the stamp of this revision and
// nothing else.
func (c *differ) certifies(perms pdf.Object) bool {
	stamp := c.d.sealedIn(c.i)
	d, ok := c.deref(c.new, perms).(pdf.Dict)
	return ok && stamp != nil && !stamp.direct && len(d) == 1 && d["DocMDP"] == pdf.Object(stamp.holder)
}

// tabs compares the order of the annotations of a page: /S is that of the
// structure tree, which tagged documents ask for (ISO 14289-1, 7.18.3).
func (c *differ) tabs(page uint32, new pdf.Object) {
	if new == pdf.Object(pdf.Name("S")) {
		c.setUp("the page's /Tabs was changed%s", c.where(page))
		return
	}
	c.other("the page's /Tabs was changed%s", c.where(page))
}

// tagged holds the part of a structure tree that a revision changed.
type tagged struct {
	objects map[uint32]bool // root, elements, nodes of the parent tree and their arrays
	widgets []uint32        // that new elements refer to
	reused  bool            // a new key leads to an element that was there
}

func (t *tagged) note(o pdf.Object) {
	if ref, ok := o.(pdf.Ref); ok {
		t.objects[ref.Number] = true
	}
}

// places judges what the stamp's revision did to the structure tree: a place
// for the stamp's own widget, and no other.
func (s *stamping) places() {
	for _, n := range s.tree.widgets {
		if !s.mine[n] {
			s.more("the structure tree was given a widget (object %d) that is not the stamp's", n)
		}
	}
	if s.tree.reused {
		s.more("a structure element that was there was given another key")
	}
}

// certification says which changes the author of the document permits, when c
// is the certification signature that the catalog of its revision names
// (ISO 32000-2, 12.8.2.2); "" for all other signatures.
func (c *candidate) certification(f *pdf.File) string {
	if !c.perms.certified || c.direct || c.holder == (pdf.Ref{}) {
		return ""
	}
	catalog, err := f.Catalog()
	if err != nil {
		return ""
	}
	perms, err := f.Dict(catalog["Perms"])
	if err != nil || perms["DocMDP"] != pdf.Object(c.holder) {
		return ""
	}
	switch c.perms.level {
	case formFilling:
		return "forms"
	case annotating:
		return "comments"
	}
	return "no-changes"
}
