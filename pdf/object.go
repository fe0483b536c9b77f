package pdf

import "strconv"

// Object is a PDF object (ISO 32000-2, 7.3): nil (the null object), bool,
// [Integer], [Real], [String], [Name], [Array], [Dict], [Ref] or [*Stream].
// Objects to be written may also be [Raw] and [*Reserved].
type Object any

// Integer is an integer object (ISO 32000-2, 7.3.3).
type Integer int64

// Real is a real number object (ISO 32000-2, 7.3.3). An integer that does not
// fit 64 bits is read as a Real.
type Real float64

// String holds the bytes of a string object (ISO 32000-2, 7.3.4), escapes and
// hexadecimal decoded. Use [File.Text] for a text string.
type String string

// Name is a name object (ISO 32000-2, 7.3.5) without its slash, #-escapes
// decoded.
type Name string

// Array is an array object (ISO 32000-2, 7.3.6).
type Array []Object

// Dict is a dictionary object (ISO 32000-2, 7.3.7). It is written with its
// keys sorted. Entries whose value is null are left out when it is read.
type Dict map[Name]Object

// Ref is an indirect reference (ISO 32000-2, 7.3.10). The zero Ref refers to
// nothing.
type Ref struct {
	Number     uint32
	Generation uint16
}

// String returns the reference as it is written, such as "12 0 R".
func (r Ref) String() string {
	b := strconv.AppendUint(make([]byte, 0, 20), uint64(r.Number), 10)
	b = append(b, ' ')
	b = strconv.AppendUint(b, uint64(r.Generation), 10)
	return string(append(b, " R"...))
}

// Stream is a stream object (ISO 32000-2, 7.3.8).
//
// One read from a file has the place of its data, which [File.RawStream] and
// [File.Decode] read, decrypted by the latter; Data is nil then. It belongs to that file, and to the
// states of it that [File.At] gives: other files refuse it. One to be written
// has its data, already encoded as Dict["Filter"] says, in Data; /Length is set
// when it is written.
type Stream struct {
	Dict Dict
	Data []byte

	offset int64   // of the data in the file; 0 when the stream is not from a file
	origin *origin // of that file
	crypt  *crypt  // how the data is encrypted; nil when it is not
	ref    Ref     // of the stream's object, with crypt
}

// Raw is written as it is, in the place of an object. In the update of an
// encrypted file it must be one object, and strings in it are encrypted.
type Raw []byte

// Reserved is written as a place that is filled in later: Size spaces, or,
// with Hex, '<', Size-2 zeros and '>'. When [Update.Bytes] lays out the
// update, Offset becomes the absolute offset of its first byte in the updated
// file. The same *Reserved must stand in one place only. What is filled in is
// not encrypted, so a string can only be the /Contents of a signature.
type Reserved struct {
	Size   int  // bytes altogether; with Hex even and at least 2
	Hex    bool // a hexadecimal string
	Offset int64
}

// Span is a range of bytes in the file: from Start up to but not including End.
type Span struct {
	Start, End int64
}

// Len returns the number of bytes of the span.
func (s Span) Len() int64 { return s.End - s.Start }

// kindOf names the type of an object for messages.
func kindOf(o Object) string {
	switch o.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case Integer:
		return "integer"
	case Real:
		return "real"
	case String:
		return "string"
	case Name:
		return "name"
	case Array:
		return "array"
	case Dict:
		return "dictionary"
	case Ref:
		return "reference"
	case *Stream:
		return "stream"
	}
	return "unknown"
}
