package verify

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"slices"
	"time"
)

// certStatus is the answer about one certificate. known is false when no
// usable list or response speaks of it.
type certStatus struct {
	known, revoked, hold bool
	at                   time.Time // of the revocation
	stale                bool      // data was there but not fresh at the time of checking
	unusable             bool      // data was there but not signed by the issuer, or of another scope
	late                 bool      // data was there but made when the certificate had expired
}

func (s certStatus) note() string {
	switch {
	case s.late:
		return " (what there is was made after it expired, when issuers drop their entries)"
	case s.stale:
		return " (what there is is out of date)"
	case s.unusable:
		return " (what there is does not apply or is not signed by the issuer)"
	}
	return ""
}

// revocations are the lists and responses that one call may use.
type revocations struct {
	skew    time.Duration
	crls    []*x509.RevocationList
	ocsps   [][]byte
	seen    map[[32]byte]bool
	checked map[crlIssuer]bool // signature of a list under an issuer, checked once a call
	max     int
	maxSize int
}

type crlIssuer struct {
	crl    *x509.RevocationList
	issuer [32]byte
}

func newRevocations(opt *Options) *revocations {
	return &revocations{
		skew: opt.Limits.ClockSkew, crls: slices.Clone(opt.CRLs),
		seen: map[[32]byte]bool{}, checked: map[crlIssuer]bool{},
		max: opt.Limits.Revocations, maxSize: opt.Limits.RevocationSize,
	}
}

// addCRL takes a DER list found in the document; what cannot be read is no
// evidence and is left out.
func (r *revocations) addCRL(der []byte) {
	if len(der) > r.maxSize || len(r.seen) >= r.max || !r.first(der) {
		return
	}
	if crl, err := x509.ParseRevocationList(der); err == nil {
		r.crls = append(r.crls, crl)
	}
}

// addOCSP takes a DER OCSP response found in the document.
func (r *revocations) addOCSP(der []byte) {
	if len(der) <= r.maxSize && len(r.ocsps) < r.max && r.first(der) {
		r.ocsps = append(r.ocsps, der)
	}
}

func (r *revocations) first(der []byte) bool {
	sum := sha256.Sum256(der)
	if r.seen[sum] {
		return false
	}
	r.seen[sum] = true
	return true
}

// status asks all lists and responses about cert. A revocation found anywhere
// wins over a good answer elsewhere.
func (r *revocations) status(cert, issuer *x509.Certificate, at, now time.Time) certStatus {
	var best certStatus
	for _, crl := range r.crls {
		if bytes.Equal(crl.RawIssuer, issuer.RawSubject) {
			best = best.merge(r.fromCRL(crl, cert, issuer, at, now))
		}
	}
	for _, der := range r.ocsps {
		best = best.merge(r.fromOCSP(der, cert, issuer, at, now))
	}
	return best
}

func (s certStatus) merge(o certStatus) certStatus {
	if o.revoked && (!s.revoked || o.at.Before(s.at)) {
		return o
	}
	if s.revoked {
		return s
	}
	o.known = o.known || s.known
	o.hold = o.hold || s.hold
	o.stale = o.stale || s.stale
	o.unusable = o.unusable || s.unusable
	o.late = o.late || s.late
	return o
}

// Reasons of revocation that are none (RFC 5280, 5.3.1).
const (
	certificateHold = 6
	removeFromCRL   = 8
)

// fromCRL applies RFC 5280, 6.3.3 to one list of the certificate's own issuer. A
// delta can revoke, but proves nothing good.
func (r *revocations) fromCRL(crl *x509.RevocationList, cert, issuer *x509.Certificate, at, now time.Time) certStatus {
	covers, delta := crlScope(crl, cert)
	if !covers || !r.signedBy(crl, issuer) {
		return certStatus{unusable: true}
	}
	if crl.ThisUpdate.After(now.Add(r.skew)) {
		return certStatus{stale: true} // from the future: proves nothing about now
	}
	for i := range crl.RevokedCertificateEntries {
		e := &crl.RevokedCertificateEntries[i]
		if e.SerialNumber.Cmp(cert.SerialNumber) != 0 {
			continue
		}
		switch {
		case e.ReasonCode == certificateHold:
			return certStatus{known: true, hold: true}
		case e.ReasonCode == removeFromCRL:
			if !delta {
				return certStatus{unusable: true} // has no place in a complete list (RFC 5280, 5.3.1)
			}
		case !e.RevocationTime.After(at):
			return certStatus{known: true, revoked: true, at: e.RevocationTime}
		}
	}
	if delta {
		return certStatus{} // silence, or a hold that is over: the complete list must say so
	}
	if tooLate(cert, crl.ThisUpdate, crl.Extensions, oidExpiredCerts) {
		return certStatus{late: true}
	}
	if !fresh(crl.ThisUpdate, crl.NextUpdate, at, now) {
		return certStatus{stale: true}
	}
	return certStatus{known: true}
}

// fresh tells whether data speaks of the time at: it is current, or it was
// issued after that time. Data without a next update is never current.
func fresh(this, next, at, now time.Time) bool {
	return !next.IsZero() && !next.Before(now) || at.Before(now) && !this.Before(at)
}

func (r *revocations) signedBy(crl *x509.RevocationList, issuer *x509.Certificate) bool {
	key := crlIssuer{crl, sha256.Sum256(issuer.Raw)}
	good, ok := r.checked[key]
	if !ok {
		good = crl.CheckSignatureFrom(issuer) == nil
		r.checked[key] = good
	}
	return good
}
