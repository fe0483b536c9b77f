package ltv

import (
	"crypto/x509"
	"fmt"
	"time"
)

// RevokedError reports a certificate that an answer calls revoked.
type RevokedError struct {
	Certificate *x509.Certificate
	At          time.Time // of the revocation
}

func (e *RevokedError) Error() string {
	return fmt.Sprintf("ltv: the certificate of %s was revoked at %s", e.Certificate.Subject, e.At.UTC().Format(time.RFC3339))
}

// MissingError reports a certificate for which no answer, or no issuer, could be had.
type MissingError struct {
	Certificate *x509.Certificate
	What        string // "issuer" or "revocation status"
	Err         error  // why the sources failed; nil when there are none
}

func (e *MissingError) Error() string {
	s := fmt.Sprintf("ltv: no %s of the certificate of %s", e.What, e.Certificate.Subject)
	if e.Err != nil {
		return s + ": " + e.Err.Error()
	}
	return s + ": the certificate names no source and none was given"
}

// Unwrap gives the reasons.
func (e *MissingError) Unwrap() error { return e.Err }
