package seal

import (
	"errors"
	"fmt"
)

var (
	// ErrKey says that the seal names another key, or another algorithm, than
	// the key it was checked with. Nothing is said about its signature.
	ErrKey = errors.New("seal: made with another key")

	// ErrSignature says that the signature does not verify with the key.
	ErrSignature = errors.New("seal: signature does not verify")
)

// FormatError says why bytes are no seal, or why a Seal cannot be encoded.
type FormatError struct {
	Offset int    // byte offset in the encoded seal of what is wrong
	Field  string // name of the field, for example "flags"
	Reason string
}

// Error gives the offset, the field and the reason on one line.
func (e *FormatError) Error() string {
	return fmt.Sprintf("seal: %s at byte %d: %s", e.Field, e.Offset, e.Reason)
}

// TextError says why a text is not the text form of a seal, or why a prefix
// cannot stand in one.
type TextError struct {
	Offset int // byte offset in the text without surrounding white space
	Reason string
}

// Error gives the offset and the reason on one line; never the text itself.
func (e *TextError) Error() string {
	return fmt.Sprintf("seal: text at byte %d: %s", e.Offset, e.Reason)
}

// KeyError says why a public key cannot be a seal key.
type KeyError struct {
	Reason string
	Err    error // what the parser said, or nil
}

// Error gives the reason and the cause on one line.
func (e *KeyError) Error() string {
	if e.Err != nil {
		return "seal: key: " + e.Reason + ": " + e.Err.Error()
	}
	return "seal: key: " + e.Reason
}

// Unwrap gives the cause.
func (e *KeyError) Unwrap() error { return e.Err }

// SizeError says that a text or an image is beyond what is made: the text too
// long for a symbol, or the image too small for it or too large.
type SizeError struct {
	What     string
	Got      int
	Min, Max int // both possible
}

// Error gives what was asked for and what is possible.
func (e *SizeError) Error() string {
	return fmt.Sprintf("seal: %s %d is outside %d to %d", e.What, e.Got, e.Min, e.Max)
}
