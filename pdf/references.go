package pdf

import "slices"

// referring collects the references in an object while it is read, and nothing
// else of it. A lexer that has one makes no objects.
type referring struct {
	key     Name // the innermost dictionary key around what is read
	found   []referred
	unclear bool // a dictionary may repeat a key
}

type referred struct {
	to  Ref
	key Name
}

// keysCompared is up to how many keys of a dictionary References compares; one
// with more is left to [File.Read].
const keysCompared = 32

// References visits the references in an object with the innermost dictionary key
// around each, in the order of the file, without making the object: who looks for
// those to a few objects in all the others needs no more. It says how many values
// the object holds, itself included. It is false, and nothing is visited, for what
// only [File.Read] settles: streams, objects in object streams or of encrypted
// files, those that cannot be read or that are not there, and dictionaries that
// repeat keys or have more than a few.
func (f *File) References(ref Ref, visit func(to Ref, key Name)) (values int, ok bool) {
	e, ok, err := f.entry(ref.Number)
	if err != nil || !ok || ref.Number == 0 || e.kind != entryInUse || e.gen != ref.Generation || f.crypt != nil {
		return 0, false
	}
	l, err := f.lexerAt(ref, e)
	if err != nil {
		return 0, false
	}
	l.refs = &referring{found: f.referred[:0]}
	got, err := l.header()
	if err == nil {
		_, err = l.object(0)
	}
	if err == nil {
		l.space()
	}
	f.parsed += int64(l.pos)
	f.referred = l.refs.found
	if err != nil || got != ref || l.refs.unclear || !l.keyword("endobj") {
		return 0, false
	}
	for _, r := range l.refs.found {
		visit(r.to, r.key)
	}
	return l.elements, true
}

// ref makes a reference an object, or notes it.
func (l *lexer) ref(ref Ref) Object {
	if l.refs == nil {
		return ref
	}
	l.refs.found = append(l.refs.found, referred{ref, l.refs.key})
	return nil
}

// dictReferences is dict for the references alone.
func (l *lexer) dictReferences(depth int) error {
	l.pos += 2
	outer := l.refs.key
	var keys [keysCompared]Name
	n := 0
	for {
		done, err := l.dictEnd()
		if err != nil || done {
			l.refs.key = outer
			return err
		}
		key, err := l.name()
		if err != nil {
			return err
		}
		if n == len(keys) || slices.Contains(keys[:n], key) {
			l.refs.unclear = true
		} else {
			keys[n] = key
			n++
		}
		l.refs.key = key
		if _, err := l.object(depth + 1); err != nil {
			return err
		}
	}
}
