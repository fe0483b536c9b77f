package pdf

import (
	"errors"
	"fmt"
)

var (
	// ErrNotPDF says that no PDF header stands in the first 1,024 bytes.
	ErrNotPDF = errors.New("pdf: not a PDF file")

	// ErrDamaged is what every [*MalformedError] is: the file, or the object
	// asked for, breaks the rules of ISO 32000-2 in a way that this package
	// does not guess around.
	ErrDamaged = errors.New("pdf: damaged file")

	// ErrEncrypted says that the answer lies in an encrypted string or stream,
	// and that the password is missing or another one.
	ErrEncrypted = errors.New("pdf: encrypted file: the password is missing or wrong")
)

// MalformedError says what is wrong with a file and where.
// errors.Is(err, ErrDamaged) holds for it.
type MalformedError struct {
	Offset int64  // byte offset in the file, or -1 when there is no single place
	What   string // what was found or missing there
}

func (e *MalformedError) Error() string {
	if e.Offset < 0 {
		return "pdf: damaged file: " + e.What
	}
	return fmt.Sprintf("pdf: damaged file at byte %d: %s", e.Offset, e.What)
}

// Is reports whether target is [ErrDamaged].
func (e *MalformedError) Is(target error) bool { return target == ErrDamaged }

// LimitError says that a file asks for more than [Limits] allow.
type LimitError struct {
	Limit  string // name of the field of Limits, or a fixed limit of the format
	Max    int64  // its value
	Offset int64  // byte offset in the file where it was met, or -1
}

func (e *LimitError) Error() string {
	if e.Offset < 0 {
		return fmt.Sprintf("pdf: over the limit %s of %d", e.Limit, e.Max)
	}
	return fmt.Sprintf("pdf: over the limit %s of %d at byte %d", e.Limit, e.Max, e.Offset)
}

// PageRangeError says that a document has no page of that number.
type PageRangeError struct {
	Page  int // as asked for, 1 is the first
	Count int // pages of the document
}

func (e *PageRangeError) Error() string {
	return fmt.Sprintf("pdf: no page %d: the document has %d", e.Page, e.Count)
}

// UnsupportedError names a feature of the format that the package leaves out,
// such as an image filter.
type UnsupportedError struct {
	Feature string
}

func (e *UnsupportedError) Error() string { return "pdf: not supported: " + e.Feature }

// malformed makes a *MalformedError for a place in the file.
func malformed(offset int64, format string, args ...any) error {
	return &MalformedError{Offset: offset, What: fmt.Sprintf(format, args...)}
}
