package pdf

// Duplicate is a key that a dictionary repeats. Readers differ in which of its
// values they take; this one takes the last.
type Duplicate struct {
	Key    Name
	Offset int64 // of the repeated key in the file, or -1 inside an object stream
}

// object reads one object; depth counts the arrays and dictionaries around it.
func (l *lexer) object(depth int) (Object, error) {
	if depth > l.lim.Nesting {
		return nil, &LimitError{Limit: "Nesting", Max: int64(l.lim.Nesting), Offset: l.offset()}
	}
	if l.elements++; l.elements > l.lim.Elements {
		return nil, &LimitError{Limit: "Elements", Max: int64(l.lim.Elements), Offset: l.offset()}
	}
	l.space()
	switch c := l.peek(); c {
	case '/':
		return boxName(l.name())
	case '(':
		return box(l.literalString())
	case '[':
		return box(l.array(depth))
	case '<':
		if l.peekAt(1) == '<' {
			if l.refs != nil {
				return nil, l.dictReferences(depth)
			}
			return box(l.dict(depth))
		}
		return box(l.hexString())
	case '+', '-', '.', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if ref, ok := l.plainRef(); ok {
			return l.ref(ref), nil
		}
		return l.number()
	case 't', 'f', 'n':
		switch {
		case l.keyword("true"):
			return true, nil
		case l.keyword("false"):
			return false, nil
		case l.keyword("null"):
			return nil, nil
		}
	}
	return nil, l.fail("object expected")
}

// box turns a typed result into an Object, with nil beside an error.
func box[T Array | Dict | String](v T, err error) (Object, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// boxName is box for names, without an allocation for frequent ones.
func boxName(n Name, err error) (Object, error) {
	if err != nil {
		return nil, err
	}
	switch n {
	case "Page":
		return Name("Page"), nil
	case "Pages":
		return Name("Pages"), nil
	case "Catalog":
		return Name("Catalog"), nil
	case "Annot":
		return Name("Annot"), nil
	case "Widget":
		return Name("Widget"), nil
	case "FlateDecode":
		return Name("FlateDecode"), nil
	}
	return n, nil
}

func (l *lexer) array(depth int) (Array, error) {
	l.pos++
	a := Array{}
	for {
		l.space()
		if l.peek() == ']' {
			l.pos++
			if l.refs != nil {
				return nil, nil
			}
			return a, nil
		}
		o, err := l.object(depth + 1)
		if err != nil {
			return nil, err
		}
		if l.refs == nil {
			a = append(a, o)
		}
	}
}

func (l *lexer) dict(depth int) (Dict, error) {
	l.pos += 2
	d := Dict{}
	var nulls map[Name]bool // keys seen whose value is null
	for {
		done, err := l.dictEnd()
		if err != nil || done {
			return d, err
		}
		at := l.offset()
		key, err := l.name()
		if err != nil {
			return nil, err
		}
		o, err := l.object(depth + 1)
		if err != nil {
			return nil, err
		}
		if _, ok := d[key]; ok || nulls[key] {
			l.dups = append(l.dups, Duplicate{Key: key, Offset: at})
		}
		if o != nil {
			d[key] = o
			continue
		}
		delete(d, key)
		if nulls == nil {
			nulls = map[Name]bool{}
		}
		nulls[key] = true
	}
}

// dictEnd moves to the next key of a dictionary, or past its end.
func (l *lexer) dictEnd() (bool, error) {
	l.space()
	switch c := l.peek(); {
	case c == '/':
		return false, nil
	case c == '>' && l.peekAt(1) == '>':
		l.pos += 2
		return true, nil
	}
	return false, l.fail("key of a dictionary or >> expected")
}

// header reads "n g obj" and returns the reference.
func (l *lexer) header() (Ref, error) {
	l.space()
	n, err := l.unsigned(1<<32-1, "object number")
	if err != nil {
		return Ref{}, err
	}
	l.space()
	g, err := l.unsigned(1<<16-1, "generation number")
	if err != nil {
		return Ref{}, err
	}
	l.space()
	if !l.keyword("obj") {
		return Ref{}, l.fail("obj expected")
	}
	return Ref{uint32(n), uint16(g)}, nil
}

// indirect reads an indirect object up to endobj, or up to the data of a
// stream.
func (l *lexer) indirect() (Ref, Object, error) {
	ref, err := l.header()
	if err != nil {
		return ref, nil, err
	}
	o, err := l.object(0)
	if err != nil {
		return ref, nil, err
	}
	l.space()
	if d, ok := o.(Dict); ok && l.keyword("stream") {
		if err := l.streamEOL(); err != nil {
			return ref, nil, err
		}
		return ref, &Stream{Dict: d, offset: l.offset(), origin: l.src.origin}, nil
	}
	if !l.keyword("endobj") {
		return ref, nil, l.fail("endobj expected")
	}
	return ref, o, nil
}

// streamEOL skips the end of line after the keyword stream. A lone carriage
// return is no end of line there (ISO 32000-2, 7.3.8.1), but is met.
func (l *lexer) streamEOL() error {
	for c := l.peek(); c == ' ' || c == '\t'; c = l.peek() {
		l.pos++
	}
	switch l.peek() {
	case '\r':
		l.pos++
		if l.peek() == '\n' {
			l.pos++
		}
		return nil
	case '\n':
		l.pos++
		return nil
	}
	return l.fail("end of line expected after stream")
}
