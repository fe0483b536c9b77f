package artwork

import (
	"errors"
	"fmt"
)

// ErrIncomplete says that the input has no symbol or no serial number.
var ErrIncomplete = errors.New("artwork: symbol and serial number are needed")

// SizeError says that a box cannot hold the stamp with modules of at least
// ModuleMin. All sizes are in points; the least ones are of the arrangement
// that comes nearest to the box.
type SizeError struct {
	Width, Height       float64
	MinWidth, MinHeight float64
}

// Error gives the box and the least one, rounded up so that it will do.
func (e *SizeError) Error() string {
	return fmt.Sprintf("artwork: a box of %.4g x %.4g pt is too small for the stamp or no box: it needs %.4g x %.4g pt at least",
		e.Width, e.Height, e.MinWidth+0.05, e.MinHeight+0.05)
}

// TextError says that a text cannot be drawn.
type TextError struct {
	Field  string // "figures" or "words"
	Offset int    // byte offset in the text
	Reason string
}

// Error gives the field, the offset and the reason.
func (e *TextError) Error() string {
	return fmt.Sprintf("artwork: %s at byte %d: %s", e.Field, e.Offset, e.Reason)
}
