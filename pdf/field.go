package pdf

import (
	"encoding/hex"
	"slices"
)

// Field is a field of the interactive form that has no fields below it
// (ISO 32000-2, 12.7.4), with what it inherits.
type Field struct {
	Ref     Ref      // zero when the field stands directly in an array
	Parent  Ref      // of the field above; zero at the top
	Dict    Dict     // the field dictionary itself, without what it inherits
	Name    string   // fully qualified: partial names with dots between them
	Type    Name     // /FT, own or inherited: Btn, Tx, Ch or Sig
	Flags   int64    // /Ff, own or inherited
	Value   Object   // /V, own or inherited, unresolved
	Widgets []Widget // its widget annotations; the field itself when it is merged with one
}

// Widget is a widget annotation of a field (ISO 32000-2, 12.5.6.19).
type Widget struct {
	Ref  Ref
	Dict Dict
}

// Form returns the interactive form dictionary (ISO 32000-2, 12.7.3) and its
// reference; nil when there is none, and the zero Ref when it stands directly
// in the catalog.
func (f *File) Form() (Ref, Dict, error) {
	catalog, err := f.Catalog()
	if err != nil {
		return Ref{}, nil, err
	}
	ref, _ := catalog["AcroForm"].(Ref)
	d, err := f.Dict(catalog["AcroForm"])
	return ref, d, err
}

// Fields calls visit for each field of the form that has no fields below it,
// in the order of the tree, until it returns an error. An object that the tree
// reaches again is visited once; one that is its own ancestor is a
// [*MalformedError]. In a file that cannot be decrypted, each partial name is
// the hexadecimal of the bytes in the file.
func (f *File) Fields(visit func(*Field) error) error {
	_, form, err := f.Form()
	if err != nil || form == nil {
		return err
	}
	kids, err := f.Array(form["Fields"])
	if err != nil {
		return err
	}
	w := fieldWalk{f: f, visit: visit, seen: map[Ref]bool{}, start: f.parsed}
	for _, o := range kids {
		ref, d, err := w.kid(o)
		if err != nil {
			return err
		}
		if d == nil {
			continue
		}
		if err := w.field(ref, d, Field{}); err != nil {
			return err
		}
	}
	return nil
}

type fieldWalk struct {
	f     *File
	visit func(*Field) error
	seen  map[Ref]bool
	path  []Ref
	count int
	names int64 // bytes of full names made
	start int64
}

// kid reads a node of the field tree; nil when it is missing or was met
// before.
func (w *fieldWalk) kid(o Object) (Ref, Dict, error) {
	ref, indirect := o.(Ref)
	if indirect {
		if slices.Contains(w.path, ref) {
			return ref, nil, malformed(-1, "object %d of the field tree is its own ancestor", ref.Number)
		}
		if w.seen[ref] {
			return ref, nil, nil
		}
		w.seen[ref] = true
	}
	if w.count++; w.count > w.f.lim.Fields {
		return ref, nil, &LimitError{Limit: "Fields", Max: int64(w.f.lim.Fields), Offset: -1}
	}
	if w.f.parsed-w.start+w.names > w.f.lim.WalkBytes {
		return ref, nil, &LimitError{Limit: "WalkBytes", Max: w.f.lim.WalkBytes, Offset: -1}
	}
	d, err := w.f.Dict(o)
	return ref, d, err
}

// field visits a field, or the fields below it; up is the field above.
func (w *fieldWalk) field(ref Ref, d Dict, up Field) error {
	if len(w.path) >= w.f.lim.Nesting {
		return &LimitError{Limit: "Nesting", Max: int64(w.f.lim.Nesting), Offset: -1}
	}
	w.path = append(w.path, ref)
	defer func() { w.path = w.path[:len(w.path)-1] }()
	fd, err := w.inherit(ref, d, up)
	if err != nil {
		return err
	}
	kids, err := w.f.Array(d["Kids"])
	if err != nil {
		return err
	}
	below := 0
	for _, o := range kids {
		ref, kid, err := w.kid(o)
		if err != nil {
			return err
		}
		switch {
		case kid == nil:
		case kid["T"] != nil || kid["Kids"] != nil:
			below++
			if err := w.field(ref, kid, fd); err != nil {
				return err
			}
		default:
			fd.Widgets = append(fd.Widgets, Widget{ref, kid})
		}
	}
	if below > 0 && len(fd.Widgets) == 0 {
		return nil
	}
	if len(fd.Widgets) == 0 && d["Subtype"] == Name("Widget") {
		fd.Widgets = []Widget{{ref, d}}
	}
	return w.visit(&fd)
}

// inherit fills in a field from its dictionary and the field above.
func (w *fieldWalk) inherit(ref Ref, d Dict, up Field) (Field, error) {
	fd := Field{Ref: ref, Parent: up.Ref, Dict: d, Name: up.Name, Type: up.Type, Flags: up.Flags, Value: up.Value}
	var err error
	if d["T"] != nil {
		part, err := w.partialName(d["T"])
		if err != nil {
			return fd, err
		}
		if fd.Name != "" {
			fd.Name += "."
		}
		fd.Name += part
		w.names += int64(len(fd.Name)) // every field has a copy of those above
		if len(fd.Name) > w.f.lim.NameBytes {
			return fd, &LimitError{Limit: "NameBytes", Max: int64(w.f.lim.NameBytes), Offset: -1}
		}
	}
	if d["FT"] != nil {
		if fd.Type, err = w.f.Name(d["FT"]); err != nil {
			return fd, err
		}
	}
	if d["Ff"] != nil {
		if fd.Flags, err = w.f.Int(d["Ff"]); err != nil {
			return fd, err
		}
	}
	if v, ok := d["V"]; ok {
		fd.Value = v
	}
	return fd, nil
}

func (w *fieldWalk) partialName(o Object) (string, error) {
	if !w.f.lockedStrings() {
		return w.f.Text(o)
	}
	s, err := w.f.String(o)
	return hex.EncodeToString([]byte(s)), err
}
