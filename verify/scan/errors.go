package scan

import "fmt"

// SizeError says that an image is larger than the options allow. Nothing of it
// but its header was decoded.
type SizeError struct {
	Width, Height int   // in pixels; both zero when the file is too long
	MaxPixels     int   // allowed, width x height
	MaxBytes      int64 // allowed length of the file
}

func (e *SizeError) Error() string {
	if e.Width == 0 && e.Height == 0 {
		return fmt.Sprintf("scan: the file is longer than %d bytes", e.MaxBytes)
	}
	return fmt.Sprintf("scan: %d x %d pixels are more than %d", e.Width, e.Height, e.MaxPixels)
}

// FormatError says that the file is no PNG or JPEG image that can be decoded, or
// has no pixels.
type FormatError struct {
	Reason string
	Err    error // of the decoder; may be nil
}

func (e *FormatError) Error() string {
	if e.Err != nil {
		return "scan: " + e.Reason + ": " + e.Err.Error()
	}
	return "scan: " + e.Reason
}

// Unwrap gives the error of the decoder.
func (e *FormatError) Unwrap() error { return e.Err }
