package sign

import (
	"errors"
	"fmt"

	"github.com/seed-574216e4/meterai/pdf"
)

var (
	// ErrCertified reports a document whose author certified it and whose
	// certification a stamp would break (DocMDP; ISO 32000-2, 12.8.2.2); see
	// [Options.AllowCertified].
	ErrCertified = errors.New("sign: the document is certified against changes")
	// ErrAmbiguous reports a file that readers read differently, so that what
	// some show as signed others call broken; see [Options.AllowAmbiguous].
	ErrAmbiguous = errors.New("sign: readers disagree about the file")
	// ErrChanged reports a source whose bytes are not those that were opened,
	// digested or prepared before.
	ErrChanged = errors.New("sign: the source changed since it was read first")
	// ErrNoKey reports a credential or stamp without the key that the call
	// needs.
	ErrNoKey = errors.New("sign: no key to sign with")
)

// A PlacementError reports a stamp that does not lie on its page as people see
// it: outside, empty, or too small for its symbol to be read from paper; or that
// has no place, since its anchor text is not found or there is no free spot.
type PlacementError struct {
	Page          int      // 1-based
	Width, Height float64  // of the page, points
	Rect          pdf.Rect // asked for, points from the bottom left of the page; zero when none was found
	What          string
}

func (e *PlacementError) Error() string {
	if e.Rect == (pdf.Rect{}) {
		return fmt.Sprintf("sign: page %d (%.0f x %.0f pt): the stamp %s", e.Page, e.Width, e.Height, e.What)
	}
	return fmt.Sprintf("sign: page %d (%.0f x %.0f pt): the stamp's rectangle [%.1f %.1f %.1f %.1f] %s",
		e.Page, e.Width, e.Height, e.Rect.LLX, e.Rect.LLY, e.Rect.URX, e.Rect.URY, e.What)
}

// An AccessError reports an encrypted file whose author does not permit what a
// signature changes (ISO 32000-2, 7.6.4.2). The owner password, in
// [Options.Password], opens it without these restrictions.
type AccessError struct {
	Permissions pdf.Permissions // of the file
	Need        pdf.Permissions // all of these
}

func (e *AccessError) Error() string {
	what := "signature fields to be signed"
	if e.Need == pdf.PermitNewFields {
		what = "new form fields, which a signature adds"
	}
	return "sign: the author of the encrypted document does not permit " + what + ": the owner password is needed"
}

// A StampError reports a stamp that cannot be made as asked: a missing number,
// a value of zero, a seal that was made for something else.
type StampError struct {
	What string
	Err  error // may be nil
}

func (e *StampError) Error() string {
	if e.Err != nil {
		return "sign: stamp: " + e.What + ": " + e.Err.Error()
	}
	return "sign: stamp: " + e.What
}

func (e *StampError) Unwrap() error { return e.Err }

// A PreparedError reports a [Prepared] that cannot be finished: it was changed,
// or made for something else.
type PreparedError struct{ What string }

func (e *PreparedError) Error() string { return "sign: prepared document: " + e.What }
