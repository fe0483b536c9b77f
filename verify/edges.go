package verify

import (
	"context"

	"github.com/seed-574216e4/meterai/pdf"
)

// edge says that an object refers to another, in some revisions.
type edge struct {
	from        uint32   // the object that holds the reference; 0 for the trailer
	key         pdf.Name // the innermost dictionary key around the reference
	first, last int      // revisions in which it holds; last is math.MaxInt32 while current
	extends     bool     // it is the /Extends of an object stream
}

const current = 1<<31 - 1

// edgeIndex answers which objects refer to those that revisions after the
// first signed one define. It is filled by one pass over the document, so a
// dangling reference that a signer overlooked and an update fills in is seen.
type edgeIndex struct {
	all  []edge
	to   map[uint32][]int // by target: indices into all
	open map[uint32][]int // by holder: its current edges

	targets map[uint32]bool // the objects whose referrers are known

	holders map[uint32]int // object streams in use: the first revision that has objects in them
	unread  []pdf.Ref      // objects of the base that cannot be read, so that what they refer to is not known
	loose   []pdf.Ref      // streams of the base whose data do not end where they should
}

// dead tells whether no way leads to object n in revision i: all that refer to
// it are dead themselves. Only objects whose referrers are known can be, and
// what takes too long to find out counts as alive.
func (x *edgeIndex) dead(n uint32, i int, roots map[uint32]bool) bool {
	budget := 256
	var dead func(n uint32, depth int) bool
	dead = func(n uint32, depth int) bool {
		if budget--; budget < 0 || depth > 8 || roots[n] || !x.targets[n] {
			return false
		}
		return x.alive(n, i, func(e edge) bool { return dead(e.from, depth+1) })
	}
	return dead(n, 0)
}

// alive visits the edges to n that hold in revision i until visit returns
// false; it tells whether it came to the end.
func (x *edgeIndex) alive(n uint32, i int, visit func(edge) bool) bool {
	for _, k := range x.to[n] {
		e := x.all[k]
		if e.first <= i && i <= e.last && !visit(e) {
			return false
		}
	}
	return true
}

// indexEdges reads all objects of the document as it was after revision base,
// and those of later revisions, and notes the references to objects that later
// revisions define.
func (d *document) indexEdges(ctx context.Context, base int, changed [][]pdf.Change) (*edgeIndex, error) {
	targets := map[uint32]bool{}
	x := &edgeIndex{to: map[uint32][]int{}, open: map[uint32][]int{}, targets: targets, holders: map[uint32]int{}}
	for i := base + 1; i < len(d.revs); i++ {
		for _, ch := range changed[i] {
			targets[ch.Ref.Number] = true
		}
		if err := d.dssObjects(i-1, targets); err != nil {
			return nil, err
		}
		if err := d.appearanceObjects(i, changed[i], targets); err != nil {
			return nil, err
		}
	}
	seen := map[uint32]bool{}
	for i := base; i >= 0; i-- {
		if err := d.indexBase(ctx, x, base, i, seen); err != nil {
			return nil, err
		}
	}
	for i := base + 1; i < len(d.revs); i++ {
		if err := d.indexRevision(x, i, changed[i], targets); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// appearanceObjects adds the appearance dictionaries of fields that revision i
// redefines, when they are objects: what they name may be redrawn.
func (d *document) appearanceObjects(i int, list []pdf.Change, into map[uint32]bool) error {
	f, err := d.view(i)
	if err != nil {
		return err
	}
	for _, ch := range list {
		if ch.Free {
			continue
		}
		o, err := d.get(f, ch.Ref)
		if err != nil {
			return err
		}
		if field, ok := o.(pdf.Dict); ok && isField(field) {
			if ref, ok := field["AP"].(pdf.Ref); ok {
				into[ref.Number] = true
			}
		}
	}
	return nil
}

// indexBase adds the objects that revision i defined, as they were after
// revision base, except those seen in newer revisions.
func (d *document) indexBase(ctx context.Context, x *edgeIndex, base, i int, seen map[uint32]bool) error {
	old, err := d.view(base)
	if err != nil {
		return err
	}
	list, err := d.changed(i)
	if err != nil {
		return err
	}
	for n, ch := range list {
		if n%1024 == 0 && ctx.Err() != nil {
			d.src.err = ctx.Err()
			return d.src.err
		}
		if seen[ch.Ref.Number] {
			continue
		}
		if i > 0 { // nothing older is left to come after revision 0
			seen[ch.Ref.Number] = true
		}
		if ch.Free {
			continue
		}
		if done, err := d.indexPlain(x, old, ch.Ref, base); done || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		o, err := d.get(old, ch.Ref)
		if err != nil {
			return err
		}
		x.hold(ch, base)
		x.add(ch.Ref.Number, base, o, x.targets)
		if err := d.noteIncomplete(x, old, ch.Ref, o); err != nil {
			return err
		}
	}
	return nil
}

// indexPlain adds an object of which nothing is wanted but its references, as most
// are; false when it must be read.
func (d *document) indexPlain(x *edgeIndex, f *pdf.File, ref pdf.Ref, base int) (bool, error) {
	n, ok := f.References(ref, x.adder(ref.Number, base, x.targets, nil))
	if !ok {
		return false, nil
	}
	if d.objects += 1 + n/workPerObject; d.objects > d.lim.Objects {
		return false, errObjects
	}
	return true, nil
}

// noteIncomplete keeps the objects of the base that later bytes could complete.
func (d *document) noteIncomplete(x *edgeIndex, f *pdf.File, ref pdf.Ref, o pdf.Object) error {
	whole, err := d.whole(f, o)
	if err != nil || whole {
		return err
	}
	if _, ok := o.(unread); ok {
		x.unread = append(x.unread, ref)
	} else {
		x.loose = append(x.loose, ref)
	}
	return nil
}

// hold notes the object stream that an object lies in.
func (x *edgeIndex) hold(ch pdf.Change, i int) {
	if !ch.Compressed {
		return
	}
	if first, ok := x.holders[ch.Stream]; !ok || i < first {
		x.holders[ch.Stream] = i
	}
}

func (d *document) indexRevision(x *edgeIndex, i int, list []pdf.Change, targets map[uint32]bool) error {
	f, err := d.view(i)
	if err != nil {
		return err
	}
	for _, ch := range list {
		x.close(ch.Ref.Number, i-1)
		if ch.Free {
			continue
		}
		o, err := d.get(f, ch.Ref)
		if err != nil {
			return err
		}
		x.hold(ch, i)
		x.add(ch.Ref.Number, i, o, targets)
	}
	return nil
}

// close ends the edges of a holder that a revision redefines.
func (x *edgeIndex) close(from uint32, last int) {
	for _, k := range x.open[from] {
		x.all[k].last = last
	}
	delete(x.open, from)
}

// add notes the references of an object as of revision i, each once.
func (x *edgeIndex) add(from uint32, i int, o pdf.Object, targets map[uint32]bool) {
	var extends pdf.Object
	if s, ok := o.(*pdf.Stream); ok && s.Dict["Type"] == pdf.Name("ObjStm") {
		extends = s.Dict["Extends"]
	}
	references(o, "", x.adder(from, i, targets, extends))
}

// adder notes references of one object; extends is the /Extends of an object
// stream.
func (x *edgeIndex) adder(from uint32, i int, targets map[uint32]bool, extends pdf.Object) func(pdf.Ref, pdf.Name) {
	type link struct {
		to  uint32
		key pdf.Name
	}
	var seen map[link]bool
	return func(ref pdf.Ref, key pdf.Name) {
		if !targets[ref.Number] || ref.Number == from || seen[link{ref.Number, key}] {
			return
		}
		if seen == nil {
			seen = map[link]bool{}
		}
		seen[link{ref.Number, key}] = true
		x.to[ref.Number] = append(x.to[ref.Number], len(x.all))
		x.open[from] = append(x.open[from], len(x.all))
		x.all = append(x.all, edge{from: from, key: key, first: i, last: current,
			extends: key == "Extends" && extends == ref})
	}
}

// references visits all references in an object. The parser bounds its depth.
func references(o pdf.Object, key pdf.Name, visit func(pdf.Ref, pdf.Name)) {
	switch v := o.(type) {
	case pdf.Ref:
		visit(v, key)
	case pdf.Array:
		for _, e := range v {
			references(e, key, visit)
		}
	case pdf.Dict:
		for k, e := range v {
			references(e, k, visit)
		}
	case *pdf.Stream:
		if v.Dict["Type"] == pdf.Name("XRef") {
			return // a trailer, which is compared as such
		}
		references(v.Dict, key, visit)
	}
}
