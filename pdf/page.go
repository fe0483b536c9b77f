package pdf

import "slices"

// Page is a page object with what it inherits (ISO 32000-2, 7.7.3).
type Page struct {
	Ref       Ref
	Number    int     // 1 is the first
	Dict      Dict    // the page dictionary itself, without what it inherits
	Resources Object  // own or inherited, unresolved; nil when there are none
	MediaBox  Rect    // in default user space
	CropBox   Rect    // within MediaBox; equal to it when there is none
	Rotate    int     // clockwise: 0, 90, 180 or 270
	UserUnit  float64 // size of a unit of default user space in 1/72 inch
}

// inherited holds the entries that pages inherit, as found on the way down.
type inherited struct {
	resources, mediaBox, cropBox, rotate Object
}

func (h inherited) with(d Dict) inherited {
	own := func(p *Object, key Name) {
		if o, ok := d[key]; ok {
			*p = o
		}
	}
	own(&h.resources, "Resources")
	own(&h.mediaBox, "MediaBox")
	own(&h.cropBox, "CropBox")
	own(&h.rotate, "Rotate")
	return h
}

// maxUserUnit keeps the size of a page finite in points.
const maxUserUnit = 75_000

// siblings is how many kids a node may have for all of them to be read and
// counted. When there are more, and the node has as many pages as kids, each kid
// is taken to be one page.
const siblings = 256

// PageCount returns the number of pages that the root of the page tree claims.
func (f *File) PageCount() (int, error) {
	_, _, count, err := f.pageRoot()
	return count, err
}

func (f *File) pageRoot() (Ref, Dict, int, error) {
	catalog, err := f.Catalog()
	if err != nil {
		return Ref{}, nil, 0, err
	}
	ref, ok := catalog["Pages"].(Ref)
	if !ok {
		return Ref{}, nil, 0, malformed(-1, "no page tree in the catalog")
	}
	root, err := f.Dict(ref)
	if err != nil {
		return Ref{}, nil, 0, err
	}
	if root == nil || root["Type"] == Name("Page") {
		return Ref{}, nil, 0, malformed(-1, "no page tree in the catalog")
	}
	count, err := f.nodeCount(root)
	return ref, root, count, err
}

// nodeCount returns the number of pages below a node: 1 for a page.
func (f *File) nodeCount(d Dict) (int, error) {
	leaf, err := f.isPage(d)
	if err != nil || leaf {
		return 1, err
	}
	n, err := f.Int(d["Count"])
	if err != nil {
		return 0, err
	}
	if d["Count"] == nil || n < 0 || n > int64(f.lim.ObjectNumber) {
		return 0, malformed(-1, "bad /Count in the page tree")
	}
	return int(n), nil
}

// isPage tells pages from the nodes above them.
func (f *File) isPage(d Dict) (bool, error) {
	switch d["Type"] {
	case Name("Page"):
		return true, nil
	case Name("Pages"):
		return false, nil
	}
	if d["Type"] != nil {
		if _, ok := d["Type"].(Ref); !ok {
			return false, malformed(-1, "node of the page tree is of another /Type")
		}
	}
	return d["Kids"] == nil, nil
}

// Page returns page n; 1 is the first, -1 the last, -2 the one before. The way
// to it leads through the /Count of the nodes beside it, without a walk over
// the whole tree. It gives a [*PageRangeError] when there is no such page, and
// a [*MalformedError] when the tree does not keep what /Count promises.
//
// On the way down, the kids of a node of at most 256 kids must add up to its
// /Count and be different from each other; one that is a node above makes a
// tree without end, a [*LimitError]. In larger nodes only the kids up to the
// page, from the nearer end, are looked at, and none but the page itself when
// the node has one page for each kid; repeated kids are not met there. The
// /Parent of the page, when it has one, must be the node that it was found in.
// Nodes beside the way are taken at their word; [File.Pages] checks the whole
// tree.
func (f *File) Page(n int) (*Page, error) {
	ref, d, count, err := f.pageRoot()
	if err != nil {
		return nil, err
	}
	index := n - 1
	if n < 0 {
		index = count + n
	}
	if n == 0 || index < 0 || index >= count {
		return nil, &PageRangeError{Page: n, Count: count}
	}
	number, start := index+1, f.parsed
	var in inherited
	path := []Ref{ref}
	for range f.lim.Nesting {
		leaf, err := f.isPage(d)
		if err != nil {
			return nil, err
		}
		if leaf {
			if up := d["Parent"]; up != nil && len(path) > 1 && up != path[len(path)-2] {
				return nil, malformed(-1, "/Parent of object %d is not the node that has it as a kid", ref.Number)
			}
			return f.makePage(ref, number, d, in)
		}
		in = in.with(d)
		if ref, d, index, count, err = f.descend(d, index, count, start, path); err != nil {
			return nil, err
		}
		path = append(path, ref)
	}
	return nil, &LimitError{Limit: "Nesting", Max: int64(f.lim.Nesting), Offset: -1}
}

// descend finds the kid that holds page index of the count pages below d, and
// the page's index and the number of pages there. It counts from the nearer
// end. path leads to d.
func (f *File) descend(d Dict, index, count int, start int64, path []Ref) (Ref, Dict, int, int, error) {
	kids, err := f.Array(d["Kids"])
	if err != nil {
		return Ref{}, nil, 0, 0, err
	}
	if len(kids) <= siblings {
		return f.descendAll(kids, index, count, start, path)
	}
	if len(kids) == count && min(index, count-index-1) >= siblings {
		ref, kid, n, err := f.kid(kids[index])
		if err == nil && n == 1 {
			return ref, kid, 0, 1, nil
		}
	}
	backward := index > count/2
	before := 0 // pages passed, from the end when backward
	if backward {
		index = count - 1 - index
	}
	for i := range kids {
		if backward {
			i = len(kids) - 1 - i
		}
		ref, kid, n, err := f.kid(kids[i])
		if err != nil {
			return Ref{}, nil, 0, 0, err
		}
		if before+n > index {
			index -= before
			if backward {
				index = n - 1 - index
			}
			return ref, kid, index, n, nil
		}
		before += n
		if f.parsed-start > f.lim.WalkBytes {
			return Ref{}, nil, 0, 0, &LimitError{Limit: "WalkBytes", Max: f.lim.WalkBytes, Offset: -1}
		}
	}
	return Ref{}, nil, 0, 0, malformed(-1, "page tree has fewer pages than /Count says")
}

// descendAll is descend for a node whose kids are all read and held against the
// node's count.
func (f *File) descendAll(kids Array, index, count int, start int64, path []Ref) (Ref, Dict, int, int, error) {
	var ref Ref
	var d Dict
	total, at, pages := 0, 0, 0
	seen := make(map[Ref]bool, len(kids))
	for _, o := range kids {
		r, kid, n, err := f.kid(o)
		if err != nil {
			return Ref{}, nil, 0, 0, err
		}
		if slices.Contains(path, r) { // the tree has no end
			return Ref{}, nil, 0, 0, &LimitError{Limit: "Nesting", Max: int64(f.lim.Nesting), Offset: -1}
		}
		if seen[r] {
			return Ref{}, nil, 0, 0, malformed(-1, "object %d stands twice in the page tree", r.Number)
		}
		seen[r] = true
		if total <= index && index < total+n {
			ref, d, at, pages = r, kid, index-total, n
		}
		total += n
		if f.parsed-start > f.lim.WalkBytes {
			return Ref{}, nil, 0, 0, &LimitError{Limit: "WalkBytes", Max: f.lim.WalkBytes, Offset: -1}
		}
	}
	if total != count {
		return Ref{}, nil, 0, 0, malformed(-1, "node of the page tree has %d pages, its /Count says %d", total, count)
	}
	return ref, d, at, pages, nil
}

// kid reads a node of the page tree and its number of pages.
func (f *File) kid(o Object) (Ref, Dict, int, error) {
	ref, ok := o.(Ref)
	if !ok {
		return Ref{}, nil, 0, malformed(-1, "kid in the page tree is no reference")
	}
	d, err := f.Dict(ref)
	if err != nil {
		return Ref{}, nil, 0, err
	}
	if d == nil {
		return Ref{}, nil, 0, malformed(-1, "object %d of the page tree is missing", ref.Number)
	}
	n, err := f.nodeCount(d)
	return ref, d, n, err
}

// Pages calls visit for each page in order, until it returns an error. A tree
// with a cycle, with another number of pages than its root's /Count, or with
// one page at two places is a [*MalformedError].
func (f *File) Pages(visit func(*Page) error) error {
	ref, root, count, err := f.pageRoot()
	if err != nil {
		return err
	}
	w := pageWalk{f: f, visit: visit, count: count, seen: map[Ref]bool{ref: true}, start: f.parsed}
	if err := w.node(root, inherited{}, 0); err != nil {
		return err
	}
	if w.done != count {
		return malformed(-1, "page tree has %d pages, /Count says %d", w.done, count)
	}
	return nil
}

type pageWalk struct {
	f           *File
	visit       func(*Page) error
	count, done int
	seen        map[Ref]bool
	start       int64
}

func (w *pageWalk) node(d Dict, in inherited, depth int) error {
	if depth > w.f.lim.Nesting {
		return &LimitError{Limit: "Nesting", Max: int64(w.f.lim.Nesting), Offset: -1}
	}
	kids, err := w.f.Array(d["Kids"])
	if err != nil {
		return err
	}
	in = in.with(d)
	for _, o := range kids {
		ref, kid, _, err := w.f.kid(o)
		if err != nil {
			return err
		}
		if w.seen[ref] {
			return malformed(-1, "object %d stands twice in the page tree", ref.Number)
		}
		w.seen[ref] = true
		if w.f.parsed-w.start > w.f.lim.WalkBytes {
			return &LimitError{Limit: "WalkBytes", Max: w.f.lim.WalkBytes, Offset: -1}
		}
		leaf, err := w.f.isPage(kid)
		if err == nil && leaf {
			err = w.page(ref, kid, in)
		} else if err == nil {
			err = w.node(kid, in, depth+1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *pageWalk) page(ref Ref, d Dict, in inherited) error {
	if w.done++; w.done > w.count {
		return malformed(-1, "page tree has more pages than /Count says")
	}
	p, err := w.f.makePage(ref, w.done, d, in)
	if err != nil {
		return err
	}
	return w.visit(p)
}

// makePage resolves what a page has and inherits.
func (f *File) makePage(ref Ref, number int, d Dict, in inherited) (*Page, error) {
	in = in.with(d)
	p := &Page{Ref: ref, Number: number, Dict: d, Resources: in.resources, UserUnit: 1}
	var err error
	if p.MediaBox, err = f.Rect(in.mediaBox); err != nil {
		return nil, err
	}
	if p.MediaBox.Empty() {
		return nil, malformed(-1, "page %d (object %d) has no usable /MediaBox", number, ref.Number)
	}
	crop, err := f.Rect(in.cropBox)
	if err != nil {
		return nil, err
	}
	// A crop box outside the media box is as good as none.
	if p.CropBox = crop.Intersect(p.MediaBox); p.CropBox.Empty() {
		p.CropBox = p.MediaBox
	}
	rotate, err := f.Int(in.rotate)
	if err != nil {
		return nil, err
	}
	if rotate%90 != 0 {
		return nil, malformed(-1, "page %d (object %d) has a /Rotate of %d", number, ref.Number, rotate)
	}
	p.Rotate = int((rotate%360 + 360) % 360)
	if o, ok := d["UserUnit"]; ok {
		if p.UserUnit, err = f.Number(o); err != nil {
			return nil, err
		}
		if !(p.UserUnit > 0 && p.UserUnit <= maxUserUnit) {
			return nil, malformed(-1, "page %d (object %d) has a bad /UserUnit", number, ref.Number)
		}
	}
	return p, nil
}

// Annotations returns the /Annots of a page (ISO 32000-2, 12.5.2), elements as
// they stand in the file; nil when there are none. The array may be shared
// with other pages when it is an object of its own.
func (f *File) Annotations(p *Page) (Array, error) { return f.Array(p.Dict["Annots"]) }
