package cms

import (
	"errors"
	"fmt"
)

var (
	// ErrMalformed is what every *ParseError is: the bytes are no SignedData.
	ErrMalformed = errors.New("cms: malformed")
	// ErrLimit is what every *LimitError is: the bytes go beyond a limit.
	ErrLimit = errors.New("cms: limit exceeded")
	// ErrAlgorithm says that a credential cannot sign with the algorithm asked
	// for, or not with any.
	ErrAlgorithm = errors.New("cms: algorithm not usable")
	// ErrKeyMismatch says that a key is not the one in the certificate.
	ErrKeyMismatch = errors.New("cms: key does not belong to the certificate")
	// ErrAttributes says that signed attributes passed to a Template were not
	// made by it.
	ErrAttributes = errors.New("cms: signed attributes are not this template's")
)

// ParseError tells what is wrong with the encoding and where.
type ParseError struct {
	Offset int    // in bytes from the start of what was parsed
	What   string // what was expected or found
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("cms: malformed at byte %d: %s", e.Offset, e.What)
}

// Is makes errors.Is(err, ErrMalformed) true.
func (e *ParseError) Is(target error) bool { return target == ErrMalformed }

// LimitError tells which field of Limits was exceeded.
type LimitError struct {
	Limit string // name of the field of Limits
	Max   int    // its value
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("cms: more than %d %s", e.Max, e.Limit)
}

// Is makes errors.Is(err, ErrLimit) true.
func (e *LimitError) Is(target error) bool { return target == ErrLimit }

// CertificateError tells which certificate of a SignedData could not be read.
type CertificateError struct {
	Index int // in SignedData.RawCertificates
	Err   error
}

func (e *CertificateError) Error() string {
	return fmt.Sprintf("cms: certificate %d: %v", e.Index, e.Err)
}

func (e *CertificateError) Unwrap() error { return e.Err }

// Reason is why a signature was not accepted; its text is stable and may be
// shown or compared.
type Reason string

const (
	// ReasonCertificate: the certificate given is not the one the signer names.
	ReasonCertificate Reason = "wrong-certificate"
	// ReasonContentType: content-type missing, repeated or not the content's (RFC 5652, 11.1).
	ReasonContentType Reason = "content-type"
	// ReasonMessageDigest: message-digest missing, repeated or malformed (RFC 5652, 11.2).
	ReasonMessageDigest Reason = "message-digest"
	// ReasonDigestMismatch: the document does not have the digest that was signed.
	ReasonDigestMismatch Reason = "digest-mismatch"
	// ReasonSigningCertificate: ESS signing-certificate names another certificate (RFC 5035).
	ReasonSigningCertificate Reason = "signing-certificate"
	// ReasonAlgorithmProtection: the protected algorithms are others (RFC 6211).
	ReasonAlgorithmProtection Reason = "algorithm-protection"
	// ReasonInconsistent: digest, signature algorithm, parameters and key contradict each other.
	ReasonInconsistent Reason = "inconsistent-algorithms"
	// ReasonUnsupported: an algorithm that this package cannot verify; says nothing about the signature.
	ReasonUnsupported Reason = "unsupported-algorithm"
	// ReasonKey: a public key that no honest signer has (RSA with e = 1, 16,384 bits).
	ReasonKey Reason = "unacceptable-key"
	// ReasonSignature: the signature value is not one over these bytes with this key.
	ReasonSignature Reason = "signature-mismatch"
	// ReasonLegacy: all is right, but with an algorithm or key too weak to rely on.
	ReasonLegacy Reason = "legacy-algorithm"
)

// VerifyError is the answer of Verify to a signature it does not accept.
type VerifyError struct {
	Reason Reason // machine-readable
	Detail string // in words
}

func (e *VerifyError) Error() string {
	return fmt.Sprintf("cms: signature not accepted (%s): %s", e.Reason, e.Detail)
}

func refuse(r Reason, format string, args ...any) error {
	return &VerifyError{Reason: r, Detail: fmt.Sprintf(format, args...)}
}
