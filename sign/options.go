package sign

import (
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign/seal"
)

// Options says what is put on a document and where. The zero value, or nil, is
// an invisible signature without a stamp.
type Options struct {
	// Stamp is the stamp to be made; nil signs without one.
	Stamp *Stamp
	// Page is the stamp's page, counted from 1; zero is the last page, and
	// negative numbers count from the end: -1 is the last.
	Page int
	// At is the stamp's lower left corner, in points from the bottom left of
	// the page as people see it (after /Rotate and /CropBox); [Millimetres]
	// gives points. Nil puts it into Corner.
	At *Point
	// Corner is where the stamp stands when At is nil, and Margin its distance
	// from both edges there, in points; zero is 36.
	Corner Corner
	Margin float64
	// Anchor puts the stamp next to words of the page: of Page, or when that is
	// zero of the last page that has them, looked for on the last 100. Corner and
	// Margin do not count then, and At and Free must be zero.
	Anchor *Anchor
	// Free puts the stamp at the place nearest to Corner, and at least Margin
	// from all edges, where it overlaps neither what is drawn on the page nor
	// another annotation, earlier stamps included; see content.Layout.Free. At
	// must be nil. Without it the stamp stands in the corner whatever is there.
	Free bool
	// Width and Height are the stamp's size in points; both zero is its
	// natural size (see [Stamp.NaturalSize]), one zero keeps the proportions.
	Width, Height float64
	// Field is the full name of an empty signature field of the document that
	// is to be filled instead of making a new one. Its name stays, and it says
	// where the stamp is and how large: Page, At, Corner, Margin, Anchor, Free,
	// Width and Height must be zero. It may be signed in a document that is
	// certified with form filling permitted.
	Field string
	// Reason is free text for the signature's /Reason; a stamp's serial number
	// stands before it in the form "[SERIAL] text".
	Reason string
	// Timestamp asks for a signature timestamp, level B-T; nil makes level B-B.
	Timestamp *Timestamp
	// Profile is the form of the signature; zero is PAdES.
	Profile Profile
	// Certify makes a certification signature, which must be the first of the
	// document; nil makes an approval signature, which permits all that the
	// document permits.
	Certify *Certification
	// Location and Contact fill the entries of those names when not empty.
	Location, Contact string
	// AllowCertified stamps a document that its author certified with form
	// filling or annotations permitted (DocMDP, P = 2 or 3; ISO 32000-2,
	// 12.8.2.2) although the stamp adds a signature field: some readers accept
	// that, others, package verify among them, then call the certification
	// broken. With P = 1 the stamp is refused in any case.
	AllowCertified bool
	// AllowAmbiguous signs a file whose header does not stand at its first
	// byte: some readers count offsets from the header, others from the first
	// byte, so a signature of it is good in some and broken in others.
	AllowAmbiguous bool
	// AllowRepair signs a file whose cross-reference data is missing or wrong, as a
	// search for its objects reads it (see package pdf). Readers may have shown
	// another document before: the warnings say so, and where it is known that they
	// differ AllowAmbiguous must be set too. The update lists every object anew, so
	// that all readers open the signed document and see the same. A file that is
	// signed already is refused. For other files the option changes nothing.
	AllowRepair bool
	// Password opens an encrypted source, see pdf.Options; the update is then
	// encrypted as the source is. With the owner password the source's
	// permissions do not count. Empty opens what has no user password.
	Password string
	// Limits bound the reading of the source; nil is the default of package pdf.
	Limits *pdf.Limits
}

// A Point is a place on a page, in points from the bottom left of the page as
// people see it.
type Point struct{ X, Y float64 }

// A Stamp describes the stamps of one tariff: what every stamp has in common.
type Stamp struct {
	// Value is the tariff in whole units of Currency; it must not be zero.
	Value uint32
	// Currency is an ISO 4217 code; empty is "IDR".
	Currency string
	// Words is the tariff in words as printed; empty is Indonesian words for
	// IDR and the code of any other currency.
	Words string
	// Specimen marks a stamp of a test credential: the seal says so and the
	// appearance carries the word SPESIMEN.
	Specimen bool
	// Seal signs the seal (Ed25519 or ECDSA P-256). Nil needs Key, and the
	// finished seal in [Issue].
	Seal crypto.Signer
	// Key is the public seal key; nil takes it from Seal.
	Key *seal.Key
	// Prefix is the upper-case URL prefix of the seal's text, ending in '/',
	// of at most 28 characters; empty prints the bare number.
	Prefix string
}

// An Issue is what one stamp has to itself.
type Issue struct {
	// Number is the serial number; it must be there when Options.Stamp is.
	Number serial.Number
	// Time is the claimed time of signing, in whole seconds, from 1970 to the
	// year 9999; zero is now. The same number with the same time gives the same
	// seal, so a stamp that was interrupted can be made again (see
	// serial.Reservation).
	Time time.Time
	// Seal is a finished seal whose key is not at hand; see
	// [Document.NewSeal].
	Seal []byte
}

// A Result describes a signature that was made.
type Result struct {
	Number       serial.Number // zero without a stamp
	Field        string        // name of the signature field
	Page         int           // 1-based; 0 when invisible
	Rect         pdf.Rect      // as people see the page, points; zero when invisible
	Time         time.Time     // claimed time, /M
	SourceLength int64         // bytes of the source
	SourceDigest Digest        // SHA-256 of the source
	Length       int64         // bytes of the signed document
	Seal         []byte        // the seal as encoded; nil without a stamp
	SealText     string        // what the printed symbol carries
	// Timestamp is the time of the signature timestamp; zero without one.
	Timestamp time.Time
	// TimestampOwed says why there is no timestamp although one was asked for and
	// may be owed (see [Timestamp]); "" otherwise.
	TimestampOwed string
}

// A Digest is a SHA-256; as text it is hexadecimal.
type Digest [sha256.Size]byte

// MarshalText gives 64 hexadecimal digits.
func (d Digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText reads 64 hexadecimal digits.
func (d *Digest) UnmarshalText(text []byte) error {
	if hex.DecodedLen(len(text)) != len(d) {
		return errors.New("sign: a digest has 64 hexadecimal digits")
	}
	_, err := hex.Decode(d[:], text)
	return err
}
