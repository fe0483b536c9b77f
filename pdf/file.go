package pdf

import (
	"bytes"
	"io"
	"maps"
)

// Options adjusts [Open]. Nil stands for the defaults.
type Options struct {
	// Limits bounds what the file may ask for; nil for the defaults.
	Limits *Limits

	// Password opens an encrypted file, as its user or as its owner. The empty
	// password, which most encrypted files have for the user, is tried as well.
	// It is UTF-8. Up to revision 4 of the handler it is taken to
	// PDFDocEncoding; later ones want it prepared by SASLprep (RFC 4013), which
	// is left to the caller: ASCII is so as it is, other text must be in
	// normalization form KC. It appears in no error.
	Password string

	// Repair reads a file whose cross-reference data is missing or wrong; the
	// zero value refuses it. [File.Repaired] tells whether that was needed.
	Repair Repair
}

// File is an open PDF file, or with [File.At] an earlier state of one. It
// holds no file handle and need not be closed.
type File struct {
	src       *source
	base      int64 // file offset of the header, which offsets in the file count from
	lim       Limits
	header    string
	sections  []*section // newest first
	trailer   Dict
	root      Ref
	crypt     *crypt // nil when the file is not encrypted
	depth     int    // of nested calls that read one object for another
	parsed    int64  // bytes of objects read
	xrefBytes int64  // memory for sections, as Limits.XRefBytes counts it
	revisions []Revision
	broken    error // why there are no revisions
	cache     streamCache
	inflate   inflater
	referred  []referred // memory for References
	long      longSpans  // where long objects end
	repaired  *Repaired  // how the file was read by repair; nil when it was not
}

// Open reads the header, the end and the cross-reference sections of the file
// of size bytes behind r. Objects are read when they are asked for, so r must
// stay readable and unchanged as long as the File is in use.
//
// The header must stand in the first 1,024 bytes; when it is not at byte 0,
// offsets in the file count from it (as ISO 32000-2, 7.5.2 has it), and those
// in this package's API from byte 0.
//
// A file that cannot be decrypted is opened all the same, see
// [File.Encryption]. Errors are [ErrNotPDF], a [*MalformedError], a
// [*LimitError], an [*UnsupportedError], or that of r.
func Open(r io.ReaderAt, size int64, opt *Options) (*File, error) {
	if opt == nil {
		opt = &Options{}
	}
	f := &File{src: &source{r: r, size: size, origin: &origin{password: opt.Password}}, lim: opt.Limits.withDefaults()}
	if err := f.readHeader(); err != nil {
		return nil, err
	}
	if err := f.openRepaired(opt.Repair, f.readNewest()); err != nil {
		return nil, err
	}
	return f, nil
}

// readNewest reads what the end of the file leads to.
func (f *File) readNewest() error {
	start, err := f.startXRef()
	if err != nil {
		return err
	}
	if err := f.readSections(start); err != nil {
		return err
	}
	return f.useNewest()
}

// useNewest takes the trailer of the newest section as that of the file.
func (f *File) useNewest() error {
	s := f.sections[0]
	size, ok := s.trailer["Size"].(Integer)
	if !ok || size <= 0 {
		return malformed(s.start, "bad /Size in the trailer")
	}
	if int64(size) > int64(f.lim.ObjectNumber)+1 {
		return &LimitError{Limit: "ObjectNumber", Max: int64(f.lim.ObjectNumber), Offset: s.start}
	}
	root, ok := s.trailer["Root"].(Ref)
	if !ok {
		return malformed(s.start, "no /Root in the trailer")
	}
	f.trailer, f.root = s.trailer, root
	return f.readEncryption()
}

func (f *File) readHeader() error {
	b, err := f.src.at(0, 1024)
	if err != nil {
		return err
	}
	i := bytes.Index(b[:min(len(b), 1024)], []byte("%PDF-"))
	if i < 0 {
		return ErrNotPDF
	}
	v := b[i+5:]
	if len(v) < 3 || !isDigit(int(v[0])) || v[1] != '.' || !isDigit(int(v[2])) {
		return malformed(int64(i), "bad version in the header")
	}
	f.base, f.header = int64(i), string(v[:3])
	return nil
}

// startXRef finds the last startxref (ISO 32000-2, 7.5.5) and returns the
// place it gives.
func (f *File) startXRef() (int64, error) {
	from := max(f.base, f.src.size-int64(f.lim.Tail))
	tail := make([]byte, f.src.size-from)
	if err := f.src.readFull(tail, from); err != nil {
		return 0, err
	}
	i := bytes.LastIndex(tail, []byte("startxref"))
	if i < 0 {
		return 0, malformed(f.src.size, "no startxref at the end of the file")
	}
	l := lexer{buf: tail, pos: i + len("startxref"), base: from, lim: &f.lim}
	l.white()
	at := l.offset()
	v, err := l.unsigned(1<<62, "startxref")
	if err != nil {
		return 0, err
	}
	l.white()
	if !l.endOfFile() {
		return 0, malformed(l.offset(), "no %%%%EOF after startxref")
	}
	if int64(v) >= f.src.size-f.base {
		return 0, malformed(at, "startxref lies beyond the end of the file")
	}
	return f.base + int64(v), nil
}

// endOfFile consumes the marker %%EOF.
func (l *lexer) endOfFile() bool {
	for i, c := range []byte("%%EOF") {
		if l.peekAt(i) != int(c) {
			return false
		}
	}
	l.pos += 5
	return true
}

// Size returns the length of the file in bytes; for a file from [File.At],
// that of the earlier state.
func (f *File) Size() int64 { return f.src.size }

// HeaderOffset returns where the header %PDF- stands: 0 in a well-formed file.
// Otherwise offsets in the file count from it for this package and for some
// readers, and from byte 0 for others, so an update suits only some of them.
func (f *File) HeaderOffset() int64 { return f.base }

// Version returns the PDF version, such as "1.7": that of the header, or the
// /Version of the catalog when that is later (ISO 32000-2, 7.5.2).
func (f *File) Version() string {
	catalog, err := f.Catalog()
	if err != nil {
		return f.header
	}
	v, err := f.Name(catalog["Version"])
	if err != nil || len(v) != 3 || string(v) <= f.header {
		return f.header
	}
	return string(v)
}

// Trailer returns a copy of the trailer dictionary of the newest
// cross-reference section; with a cross-reference stream, its dictionary.
func (f *File) Trailer() Dict { return maps.Clone(f.trailer) }

// Encrypted reports whether the trailer has an /Encrypt entry.
func (f *File) Encrypted() bool { return f.crypt != nil }

// CatalogRef returns the reference of the document catalog.
func (f *File) CatalogRef() Ref { return f.root }

// Catalog returns the document catalog (ISO 32000-2, 7.7.2).
func (f *File) Catalog() (Dict, error) {
	d, err := f.Dict(f.root)
	if err == nil && d == nil {
		err = malformed(-1, "no document catalog")
	}
	return d, err
}
