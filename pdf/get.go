package pdf

// Get returns the object that ref refers to, read anew each time, so that the
// caller may change it. It is nil for a free or missing object, and for one of
// another generation (ISO 32000-2, 7.3.10). There is no object 0. Strings are
// decrypted, but for those that never are encrypted: of the encryption
// dictionary, of cross-reference streams, and /Contents of signatures. In a file
// that cannot be decrypted (see [File.Encryption]) strings are returned as they
// stand, and objects in object streams give its error.
func (f *File) Get(ref Ref) (Object, error) {
	o, _, err := f.Read(ref)
	return o, err
}

// Read is [File.Get] and [File.Duplicates] in one.
func (f *File) Read(ref Ref) (Object, []Duplicate, error) {
	e, ok, err := f.entry(ref.Number)
	if err != nil || !ok || ref.Number == 0 {
		return nil, nil, err
	}
	switch {
	case e.kind == entryInUse && e.gen == ref.Generation:
		l, err := f.lexerAt(ref, e)
		if err != nil {
			return nil, nil, err
		}
		l.white()
		start := l.offset()
		got, o, err := l.indirect()
		f.parsed += int64(l.pos)
		if err == nil && got != ref {
			err = wrongObject(f.base+e.offset, ref, got)
		}
		if _, stream := o.(*Stream); err == nil && !stream {
			f.long.note(ref, Span{start, l.offset()})
		}
		if err == nil && f.crypt != nil {
			o, err = f.crypt.open(ref, o)
		}
		if err != nil {
			return nil, nil, err
		}
		return o, l.dups, nil
	case e.kind == entryCompressed && ref.Generation == 0:
		return f.getCompressed(ref, e)
	}
	return nil, nil, nil
}

// RefOf returns the reference with the generation that object n has; false when
// it is free or missing.
func (f *File) RefOf(n uint32) (Ref, bool, error) {
	e, ok, err := f.entry(n)
	if err != nil || !ok || n == 0 || e.kind == entryFree {
		return Ref{}, false, err
	}
	return Ref{n, e.gen}, true, nil
}

// lexerAt returns a lexer at the place that an entry gives.
func (f *File) lexerAt(ref Ref, e entry) (lexer, error) {
	if e.offset >= f.src.size-f.base {
		return lexer{}, malformed(-1, "object %d lies beyond the end of the file", ref.Number)
	}
	return newLexer(f.src, f.base+e.offset, &f.lim), nil
}

func wrongObject(offset int64, want, got Ref) error {
	return malformed(offset, "object %d %d expected, found %d %d",
		want.Number, want.Generation, got.Number, got.Generation)
}

// Resolve returns o, or what it refers to when it is a reference.
func (f *File) Resolve(o Object) (Object, error) {
	for range f.lim.References {
		ref, ok := o.(Ref)
		if !ok {
			return o, nil
		}
		var err error
		if o, err = f.Get(ref); err != nil {
			return nil, err
		}
	}
	if ref, ok := o.(Ref); ok {
		return nil, malformed(-1, "references lead on and on at %v", ref)
	}
	return o, nil
}

// typed resolves o and checks its type; null gives the zero value.
func typed[T Object](f *File, o Object) (T, error) {
	var zero T
	o, err := f.Resolve(o)
	if err != nil || o == nil {
		return zero, err
	}
	v, ok := o.(T)
	if !ok {
		return zero, malformed(-1, "%s expected, found %s", kindOf(zero), kindOf(o))
	}
	return v, nil
}

// Dict resolves o to a dictionary; nil for null. Another type is a
// [*MalformedError], here and in the following.
func (f *File) Dict(o Object) (Dict, error) { return typed[Dict](f, o) }

// Array resolves o to an array; nil for null.
func (f *File) Array(o Object) (Array, error) { return typed[Array](f, o) }

// Name resolves o to a name; "" for null.
func (f *File) Name(o Object) (Name, error) { return typed[Name](f, o) }

// Bool resolves o to a boolean; false for null.
func (f *File) Bool(o Object) (bool, error) { return typed[bool](f, o) }

// String resolves o to the bytes of a string; "" for null. In a file that
// cannot be decrypted they are those that stand in the file.
func (f *File) String(o Object) (String, error) { return typed[String](f, o) }

// Stream resolves o to a stream; nil for null.
func (f *File) Stream(o Object) (*Stream, error) { return typed[*Stream](f, o) }

// Int resolves o to an integer; 0 for null. A real without a fraction is taken
// as an integer.
func (f *File) Int(o Object) (int64, error) {
	o, err := f.Resolve(o)
	if err != nil {
		return 0, err
	}
	switch v := o.(type) {
	case nil:
		return 0, nil
	case Integer:
		return int64(v), nil
	case Real:
		if n := int64(v); v > -1<<53 && v < 1<<53 && Real(n) == v {
			return n, nil
		}
	}
	return 0, malformed(-1, "integer expected, found %s", kindOf(o))
}

// Number resolves o to an integer or real; 0 for null.
func (f *File) Number(o Object) (float64, error) {
	o, err := f.Resolve(o)
	if err != nil {
		return 0, err
	}
	switch v := o.(type) {
	case nil:
		return 0, nil
	case Integer:
		return float64(v), nil
	case Real:
		return float64(v), nil
	}
	return 0, malformed(-1, "number expected, found %s", kindOf(o))
}

// Text resolves o to a text string (ISO 32000-2, 7.9.2.2) in UTF-8; "" for
// null. Bytes that mean nothing become U+FFFD. In a file that cannot be
// decrypted it is the error of [File.Encryption].
func (f *File) Text(o Object) (string, error) {
	s, err := f.String(o)
	if err != nil || s == "" {
		return "", err
	}
	if f.lockedStrings() {
		return "", f.crypt.err
	}
	return s.Text(), nil
}

// Duplicates lists the keys that dictionaries of an object repeat, in the
// order met; with the zero Ref, those of the newest trailer. A verifier
// refuses a signature dictionary that has any.
func (f *File) Duplicates(ref Ref) ([]Duplicate, error) {
	if ref == (Ref{}) {
		return f.sections[0].dups, nil
	}
	_, dups, err := f.Read(ref)
	return dups, err
}
