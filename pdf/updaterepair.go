package pdf

import "slices"

// The update of a file that was read by repair has a whole cross-reference
// section: every object of the file and of the update, and no /Prev, so that no
// reader meets the one that is damaged. Not a byte of the file changes.

// asStream reports whether the update ends with a cross-reference stream: when
// the newest section of the file is one, and after a repair when objects lie in
// object streams or beyond what a table can say.
func (u *Update) asStream() bool {
	newest := u.f.sections[0]
	if u.f.repaired == nil {
		return newest.stream
	}
	for i := range newest.subs {
		for _, e := range newest.subs[i].entries {
			if e.kind == entryCompressed {
				return true
			}
		}
	}
	return u.f.src.size-u.f.base > maxTableOffset
}

// whole adds to the objects of the update, sorted by number, those of a file
// that was read by repair, as far as the update does not replace them, and the
// head of the list of free ones.
func (u *Update) whole(sorted []updateObject) []updateObject {
	out := make([]updateObject, 0, len(sorted)+u.kept()+1)
	out = append(out, updateObject{kind: entryFree, ref: Ref{Generation: 65535}})
	s := u.f.sections[0]
	for i := range s.subs {
		for k, e := range s.subs[i].entries {
			n := s.subs[i].first + uint32(k)
			if _, ok := u.index[n]; ok || n == 0 || e.kind == entryFree {
				continue
			}
			out = append(out, updateObject{ref: Ref{n, e.gen}, offset: e.offset, kind: e.kind, place: e.index})
		}
	}
	out = append(out, sorted...)
	slices.SortFunc(out, func(a, b updateObject) int { return int(int64(a.ref.Number) - int64(b.ref.Number)) })
	return fillGaps(out)
}

// kept is how many objects of the file whole may list.
func (u *Update) kept() int {
	n := 0
	s := u.f.sections[0]
	for i := range s.subs {
		n += len(s.subs[i].entries)
	}
	return n
}

// fillGaps lists unused numbers as free, as the only section of a file should
// (ISO 32000-2, 7.5.4), unless they are far more than the objects.
func fillGaps(sorted []updateObject) []updateObject {
	top := int(sorted[len(sorted)-1].ref.Number) + 1
	if top > 4*len(sorted)+1024 {
		return sorted
	}
	out := make([]updateObject, 0, top)
	for _, o := range sorted {
		for len(out) < int(o.ref.Number) {
			out = append(out, updateObject{kind: entryFree, ref: Ref{Number: uint32(len(out)), Generation: 65535}})
		}
		out = append(out, o)
	}
	return out
}
