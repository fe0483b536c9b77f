package verify

import (
	"slices"

	"github.com/seed-574216e4/meterai/pdf"
)

// A seal binds the bytes before the stamp's revision, and the signature binds
// the revision itself; what the revision does to those bytes is bound by
// nothing. Whoever may carry a seal could replace content while stamping, and
// the document would still be called the one that was sealed. So this revision
// may do what a stamp needs and nothing else.

// sealedIn returns the stamp whose revision is i, if there is one.
func (d *document) sealedIn(i int) *candidate {
	for _, c := range d.list {
		if c.placed && c.revision == i && c.claim != nil && c.claim.seal != nil {
			return c
		}
	}
	return nil
}

// stamping holds what a revision changed against what a stamp needs: new
// objects, one signature field, one entry in the annotations of one page, the
// form's list of fields and /SigFlags, the catalog's /AcroForm and /Extensions,
// its certification in /Perms, and a place in the structure tree.
type stamping struct {
	*differ
	mine    map[uint32]bool // the stamp's field, what is above and below it
	widgets []uint32
	list    []*phrase // what is more than that
}

// ownRevision judges the revision as that of the stamp c; the step must have
// been compared by the rules for all revisions before.
func (c *differ) ownRevision(stamp *candidate) []*phrase {
	s := &stamping{differ: c, mine: map[uint32]bool{}}
	s.list = slices.Clone(c.step.reasons)
	s.family(stamp.fieldRef)
	s.trailers()
	for _, n := range c.numbers() {
		ch := c.changes[n]
		switch {
		case ch.old == nil:
			s.added(ch)
		case ch.new == nil:
			s.more("%s", c.describe(ch))
		default:
			s.replaced(ch)
		}
	}
	s.onePage()
	s.places()
	c.step.hides = s.hides()
	if len(c.step.annots) > 0 {
		s.more("annotations were added or changed: %s", list(c.step.annots))
	}
	if len(c.step.filled) > 0 {
		s.more("form fields were filled in: %s", list(c.step.filled))
	}
	return s.list
}

func (s *stamping) more(format string, args ...any) {
	why := say(format, args...)
	same := func(p *phrase) bool { return p.english == why.english }
	if len(s.list) < s.d.lim.Reasons && !slices.ContainsFunc(s.list, same) {
		s.list = append(s.list, why)
	}
}

// family collects the objects that the stamp's field consists of.
func (s *stamping) family(field pdf.Ref) {
	s.mine[field.Number] = true
	d, ok := s.deref(s.new, field).(pdf.Dict)
	if !ok {
		return
	}
	if d["Subtype"] == pdf.Name("Widget") {
		s.widgets = append(s.widgets, field.Number)
	}
	kids, _ := s.deref(s.new, d["Kids"]).(pdf.Array)
	for i, o := range kids {
		if ref, ok := o.(pdf.Ref); ok && i < 16 {
			s.mine[ref.Number] = true
			s.widgets = append(s.widgets, ref.Number)
		}
	}
	for range 32 { // fields above
		up, ok := d["Parent"].(pdf.Ref)
		if !ok {
			return
		}
		s.mine[up.Number] = true
		if d, ok = s.deref(s.new, up).(pdf.Dict); !ok {
			return
		}
	}
}

// trailers: what the trailer names stays the same.
func (s *stamping) trailers() {
	was, now := s.old.Trailer(), s.new.Trailer()
	if was["Root"] != now["Root"] {
		s.more("the document catalog was replaced by another object")
	}
	if !equal(was["Info"], now["Info"]) || s.touched(now["Info"]) {
		s.more("the document information was changed")
	}
	old, _ := s.old.Array(was["ID"])
	new, _ := s.new.Array(now["ID"])
	if len(old) > 0 && (len(new) == 0 || !equal(old[0], new[0])) {
		if _, ok := old[0].(pdf.String); ok {
			s.more("the permanent file identifier was changed")
		}
	}
}

// added: fields and annotations must be the stamp's.
func (s *stamping) added(ch *change) {
	d, ok := ch.new.(pdf.Dict)
	if !ok || s.mine[ch.ref.Number] {
		return
	}
	switch {
	case isField(d):
		s.more("the form field%s was added beside the stamp", s.fieldWords(s.new, ch.ref))
	case d["Type"] == pdf.Name("Annot"):
		s.more("an annotation (object %d) was added beside the stamp%s", ch.ref.Number, s.where(ch.ref.Number))
	}
}

// replaced: of the objects that were there only a few may change, and of these
// only a few keys.
func (s *stamping) replaced(ch *change) {
	was, ok1 := ch.old.(pdf.Dict)
	now, ok2 := ch.new.(pdf.Dict)
	form, _, _ := s.new.Form()
	n := ch.ref.Number
	switch {
	case s.tree.objects[n]: // judged by the rules of structure trees, and by places
	case !ok1 || !ok2:
		if _, isList := ch.old.(pdf.Array); !isList || ch.why != ruled {
			s.more("%s", s.describe(ch))
		}
	case n == s.new.CatalogRef().Number:
		s.keys(say("the catalog's"), was, now, "AcroForm", "Extensions", "Perms") // the last is judged with the catalog
		s.direct(was["AcroForm"], now["AcroForm"])
		s.extensions(was["Extensions"], now["Extensions"])
	case n == form.Number:
		s.keys(say("the form's"), was, now, "Fields", "SigFlags")
	case was["Type"] == pdf.Name("Page"):
		s.keys(say("the page's"), was, now, "Annots", "Tabs") // the last is judged with the page
	case s.mine[n] && isField(was):
		s.keys(say("the stamp field's"), was, now, "V", "AP", "AS", "F", "M", "P", "Type", "Subtype")
	default:
		s.more("%s", s.describe(ch))
	}
}

// keys refuses changes of all keys but some.
func (s *stamping) keys(whose *phrase, was, now pdf.Dict, but ...pdf.Name) {
	for _, k := range sortedUnion(was, now) {
		if !slices.Contains(but, k) && !equal(was[k], now[k]) {
			s.more("%s /%s was changed", whose, cleanText(string(k)))
		}
	}
}

// direct judges a form that stands in the catalog, or that was made an object.
func (s *stamping) direct(old, new pdf.Object) {
	if equal(old, new) {
		return
	}
	was, _ := s.deref(s.old, old).(pdf.Dict)
	now, _ := s.deref(s.new, new).(pdf.Dict)
	s.keys(say("the form's"), was, now, "Fields", "SigFlags")
}

// extensions may only grow (ISO 32000-2, 7.12).
func (s *stamping) extensions(old, new pdf.Object) {
	if equal(old, new) && !s.touched(new) {
		return
	}
	was, _ := s.deref(s.old, old).(pdf.Dict)
	now, _ := s.deref(s.new, new).(pdf.Dict)
	for _, k := range sortedUnion(was, nil) {
		if !s.alike(s.new.CatalogRef().Number, was[k], now[k]) {
			s.more("the extension /%s was changed", cleanText(string(k)))
		}
	}
}

// onePage: the stamp shows on one page, and no other page was changed.
func (s *stamping) onePage() {
	pages := map[uint32]bool{}
	for n, ch := range s.changes {
		if d, ok := ch.new.(pdf.Dict); ok && ch.old != nil && d["Type"] == pdf.Name("Page") {
			pages[n] = true
		}
	}
	for _, w := range s.widgets {
		if s.changes[w] != nil {
			s.listedBy(w, pages, 0)
		}
	}
	if len(pages) > 1 {
		s.more("the stamp was put on %d pages", len(pages))
	}
}

// hides says that the stamp covers so much of its page that it shows what its
// signer drew instead of what was sealed; "" for stamps of usual size.
func (s *stamping) hides() *phrase {
	for _, n := range s.widgets {
		w, ok := s.deref(s.new, s.refOf(n)).(pdf.Dict)
		if !ok || !s.shows(w) {
			continue
		}
		rect, err := s.new.Rect(w["Rect"])
		box, known := s.pageBox(n, w)
		if err != nil || !known {
			continue
		}
		seen := rect.Intersect(box)
		covered := max(0, seen.Width()) * max(0, seen.Height())
		if page := box.Width() * box.Height(); covered > usualStamp && covered > page/4 {
			return say("the stamp covers %.0f %% of its page: what it hides, or shows instead, cannot be told", 100*covered/page)
		}
	}
	return nil
}

// pageBox is what is seen of the page that a widget stands on: /CropBox or else
// /MediaBox, own or inherited (ISO 32000-2, 7.7.3.4).
func (s *stamping) pageBox(widget uint32, w pdf.Dict) (pdf.Rect, bool) {
	on := map[uint32]bool{}
	s.listedBy(widget, on, 0)
	page, ok := s.deref(s.new, w["P"]).(pdf.Dict)
	for n := range on {
		page, ok = s.deref(s.new, s.refOf(n)).(pdf.Dict)
	}
	for _, key := range []pdf.Name{"CropBox", "MediaBox"} {
		d := page
		for range 32 {
			if !ok || d == nil {
				break
			}
			if d[key] != nil {
				box, err := s.new.Rect(d[key])
				return box, err == nil && !box.Empty()
			}
			d, _ = s.deref(s.new, d["Parent"]).(pdf.Dict)
		}
	}
	return pdf.Rect{}, false
}

// listedBy collects the pages whose annotations name an object.
func (s *stamping) listedBy(n uint32, pages map[uint32]bool, depth int) {
	s.edges.alive(n, s.i, func(e edge) bool {
		switch {
		case e.key == "Annots":
			pages[e.from] = true
		case e.key == "" && depth < 4:
			s.listedBy(e.from, pages, depth+1)
		}
		return len(pages) < 2
	})
}
