package pdf

// RawStream returns the data of a stream as it stands in the file, filters
// not applied and not decrypted, after checking that endstream follows it. For a
// stream made for writing it returns its Data.
func (f *File) RawStream(s *Stream) ([]byte, error) {
	if s.offset == 0 {
		return s.Data, nil
	}
	if s.origin != f.src.origin {
		return nil, errForeign()
	}
	length, err := f.streamLength(s)
	if err != nil {
		return nil, err
	}
	if _, err := f.streamEnd(s, length, false); err != nil {
		return nil, err
	}
	return f.rawStream(s, length)
}

// StreamSpan returns where the data of a stream from the file lies.
func (f *File) StreamSpan(s *Stream) (Span, error) {
	if s.offset == 0 {
		return Span{}, malformed(-1, "stream is not from a file")
	}
	if s.origin != f.src.origin {
		return Span{}, errForeign()
	}
	length, err := f.streamLength(s)
	if err != nil {
		return Span{}, err
	}
	_, err = f.streamEnd(s, length, false)
	return Span{s.offset, s.offset + length}, err
}

// errForeign refuses a stream that was read from another file: its offset means
// nothing in this one.
func errForeign() error { return &UnsupportedError{Feature: "stream of another File"} }

// streamLength resolves /Length.
func (f *File) streamLength(s *Stream) (int64, error) {
	o, err := f.Resolve(s.Dict["Length"])
	if err != nil {
		return 0, err
	}
	v, ok := o.(Integer)
	if !ok || v < 0 {
		return 0, malformed(s.offset, "bad /Length of a stream")
	}
	return int64(v), nil
}

func (f *File) rawStream(s *Stream, length int64) ([]byte, error) {
	if length > f.lim.StreamBytes {
		return nil, &LimitError{Limit: "StreamBytes", Max: f.lim.StreamBytes, Offset: s.offset}
	}
	b := make([]byte, length)
	if err := f.src.readFull(b, s.offset); err != nil {
		return nil, err
	}
	return b, nil
}

// Decode returns the data of a stream with its filters applied (ISO 32000-2,
// 7.4): FlateDecode and LZWDecode with their predictors, ASCIIHexDecode,
// ASCII85Decode, RunLengthDecode and Crypt. Others are an [*UnsupportedError].
// The data is decrypted before; where that cannot be done it is the error of
// [File.Encryption].
func (f *File) Decode(s *Stream) ([]byte, error) {
	if s.Dict["F"] != nil {
		return nil, &UnsupportedError{Feature: "stream in another file"}
	}
	data, err := f.plainStream(s)
	if err != nil {
		return nil, err
	}
	return f.applyFilters(s, data, f.lim.StreamBytes)
}

// plainStream returns the data of a stream decrypted, filters not applied.
func (f *File) plainStream(s *Stream) ([]byte, error) {
	if s.crypt == nil {
		return f.RawStream(s)
	}
	m, err := f.streamMethod(s.crypt, s.Dict)
	if err != nil {
		return nil, err
	}
	data, err := f.RawStream(s)
	if err != nil || m == methodIdentity {
		return data, err
	}
	key := objectKey{c: s.crypt, ref: s.ref}
	data, ok := key.decrypt(m, data)
	if !ok {
		return nil, malformed(s.offset, "bad data of an encrypted stream")
	}
	return data, nil
}

// applyFilters decodes data as /Filter and /DecodeParms say, each filter to at
// most max bytes. What each of them puts out counts against DecodedBytes, that
// of a failed one as well.
func (f *File) applyFilters(s *Stream, data []byte, max int64) ([]byte, error) {
	filters, err := f.listOf(s.Dict["Filter"])
	if err != nil {
		return nil, err
	}
	if len(filters) == 0 {
		return data, nil
	}
	if len(filters) > f.lim.Filters {
		return nil, &LimitError{Limit: "Filters", Max: int64(f.lim.Filters), Offset: s.offset}
	}
	parms, err := f.listOf(s.Dict["DecodeParms"])
	if err != nil {
		return nil, err
	}
	for i := range filters {
		name, p, err := f.filterAt(s, filters, parms, i)
		if err != nil {
			return nil, err
		}
		if name == "Crypt" && s.crypt != nil {
			continue // that is how it was decrypted
		}
		if f.src.origin.decoded > f.lim.DecodedBytes {
			return nil, f.tooMuchDecoded(s)
		}
		out := sink{max: min(max, f.lim.StreamBytes), at: s.offset}
		data, err = f.applyFilter(name, p, data, &out)
		f.src.origin.decoded += int64(len(out.b))
		if err != nil {
			return nil, err
		}
	}
	if f.src.origin.decoded > f.lim.DecodedBytes {
		return nil, f.tooMuchDecoded(s)
	}
	return data, nil
}

// filterAt returns a filter of a stream and its parameters.
func (f *File) filterAt(s *Stream, filters, parms Array, i int) (Name, Dict, error) {
	name, err := f.Name(filters[i])
	if name == "Crypt" && s.crypt != nil && i > 0 { // readers differ in whether it counts there
		return name, nil, malformed(s.offset, "the Crypt filter of a stream is not its first")
	}
	if err != nil || i >= len(parms) {
		return name, nil, err
	}
	p, err := f.Dict(parms[i])
	return name, p, err
}

func (f *File) tooMuchDecoded(s *Stream) error {
	return &LimitError{Limit: "DecodedBytes", Max: f.lim.DecodedBytes, Offset: s.offset}
}

// listOf resolves an entry that may be one object or an array of them.
func (f *File) listOf(o Object) (Array, error) {
	o, err := f.Resolve(o)
	if err != nil || o == nil {
		return nil, err
	}
	if a, ok := o.(Array); ok {
		return a, nil
	}
	return Array{o}, nil
}
