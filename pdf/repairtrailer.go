package pdf

import (
	"cmp"
	"slices"
)

// chooseTrailer takes the last trailer that names a catalog, or without one the
// last, for the trailer of the file, and reads how the file is encrypted.
func (r *repairer) chooseTrailer() error {
	chosen := foundTrailer{dict: Dict{}}
	for _, t := range r.trailers {
		if _, ok := t.dict["Root"].(Ref); ok || chosen.dict["Root"] == nil {
			chosen = t
		}
	}
	for _, t := range r.trailers {
		if size, ok := t.dict["Size"].(Integer); ok && size > 0 && int64(size) <= int64(r.f.lim.ObjectNumber)+1 {
			r.highest = max(r.highest, uint32(size-1))
		}
		if len(t.dups) > 0 {
			r.note("a trailer gives /%.64s more than once", string(t.dups[0].Key))
		}
		if t.dict["Root"] != nil && !sameEncryption(t.dict["Encrypt"], chosen.dict["Encrypt"]) {
			return malformed(-1, "trailers differ in how the file is encrypted")
		}
	}
	s := r.f.sections[0]
	s.trailer, s.dups = chosen.dict, chosen.dups
	r.f.trailer = s.trailer
	if s.trailer["Encrypt"] == nil {
		if r.standard {
			return malformed(-1, "the file may be encrypted, but no trailer says so")
		}
		return nil
	}
	if s.trailer["ID"] == nil {
		return malformed(-1, "the file is encrypted, and the trailer that was found has no /ID")
	}
	return r.f.readEncryption()
}

// sameEncryption compares two values of /Encrypt.
func sameEncryption(a, b Object) bool {
	x, ok1 := a.(Ref)
	y, ok2 := b.(Ref)
	if ok1 || ok2 {
		return ok1 && ok2 && x == y
	}
	return string(AppendObject(nil, a)) == string(AppendObject(nil, b))
}

// chooseCatalog decides which object is the catalog, and closes the trailer.
func (r *repairer) chooseCatalog() error {
	s := r.f.sections[0]
	root, ok := s.trailer["Root"].(Ref)
	if !ok || r.catalog(root) == nil && r.readable() {
		if root, ok = r.lastCatalog(); !ok {
			return malformed(-1, "no trailer and no catalog was found")
		}
		if s.trailer["Root"] != nil {
			r.note("the trailer names a catalog that is none")
		}
		s.trailer["Root"] = root
	}
	r.highest = max(r.highest, root.Number)
	s.trailer["Size"] = Integer(r.highest) + 1
	r.f.trailer, r.f.root = s.trailer, root
	r.rivals(root)
	return nil
}

// readable is false when the catalog may be there but cannot be decrypted.
func (r *repairer) readable() bool { return r.f.crypt == nil || r.f.crypt.err == nil }

// catalog reads a catalog; nil when it is none.
func (r *repairer) catalog(ref Ref) Dict {
	if r.none[ref] { // an object may be large, and be asked for often
		return nil
	}
	d, err := r.f.Dict(ref)
	if err != nil || d["Pages"] == nil {
		r.none[ref] = true
		return nil
	}
	return d
}

// lastCatalog is the last object of the file that calls itself a catalog.
func (r *repairer) lastCatalog() (Ref, bool) {
	slices.SortStableFunc(r.catalogs, func(a, b foundCatalog) int { return cmp.Compare(a.at, b.at) })
	for _, c := range slices.Backward(r.catalogs) {
		if r.catalog(c.ref) != nil {
			return c.ref, true
		}
	}
	return Ref{}, false
}

// rivalsTold is how many other catalogs are looked at.
const rivalsTold = 64

// rivals notes other catalogs than the one that was chosen, in trailers and
// among the objects, when they would show another document.
func (r *repairer) rivals(root Ref) {
	chosen := r.catalog(root)
	told := map[Ref]bool{root: true}
	rival := func(ref Ref, where string) {
		if told[ref] || len(told) > rivalsTold {
			return
		}
		told[ref] = true
		if d := r.catalog(ref); d == nil || !sameDocument(d, chosen) {
			r.note("object %d is another catalog%s", ref.Number, where)
		}
	}
	for _, ref := range r.cut {
		rival(ref, ", which a trailer that breaks off names")
	}
	for _, t := range r.trailers {
		if ref, ok := t.dict["Root"].(Ref); ok {
			rival(ref, ", which a trailer names")
		}
	}
	for _, c := range r.catalogs {
		if !told[c.ref] && len(told) <= rivalsTold && r.catalog(c.ref) != nil {
			rival(c.ref, "")
		}
	}
}

// sameDocument reports whether two catalogs differ in nothing but what signing
// and describing a document changes: what they show is the same then.
func sameDocument(a, b Dict) bool {
	for _, pair := range [2][2]Dict{{a, b}, {b, a}} {
		for k := range pair[0] {
			switch k {
			case "AcroForm", "Extensions", "Perms", "DSS", "Version", "Metadata":
				continue
			}
			x, y := AppendObject(nil, pair[0][k]), AppendObject(nil, pair[1][k])
			if string(x) != string(y) {
				return false
			}
		}
	}
	return true
}
