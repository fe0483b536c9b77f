package verify

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"
)

// certStatus is the answer about one certificate. known is false when no
// usable list or response speaks of it.
type certStatus struct {
	known, revoked, hold bool
	at                   time.Time // of the revocation
	stale                bool      // data was there but not fresh at the time of checking
	unusable             bool      // data was there but not signed by the issuer, or of another scope
}

func (s certStatus) note() string {
	switch {
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
	return o
}

// fromCRL applies RFC 5280, 6.3.3 to one complete list of the certificate's
// own issuer.
func (r *revocations) fromCRL(crl *x509.RevocationList, cert, issuer *x509.Certificate, at, now time.Time) certStatus {
	if !crlScope(crl, cert) || !r.signedBy(crl, issuer) {
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
		case e.ReasonCode == 6:
			return certStatus{known: true, hold: true}
		case e.ReasonCode != 8 && !e.RevocationTime.After(at):
			return certStatus{known: true, revoked: true, at: e.RevocationTime}
		}
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

// issuingDistributionPoint is RFC 5280, 5.2.5.
type issuingDistributionPoint struct {
	DistributionPoint          asn1.RawValue  `asn1:"optional,tag:0"`
	OnlyContainsUserCerts      bool           `asn1:"optional,tag:1"`
	OnlyContainsCACerts        bool           `asn1:"optional,tag:2"`
	OnlySomeReasons            asn1.BitString `asn1:"optional,tag:3"`
	IndirectCRL                bool           `asn1:"optional,tag:4"`
	OnlyContainsAttributeCerts bool           `asn1:"optional,tag:5"`
}

// crlScope tells whether a list speaks of cert: no delta, no indirect list,
// no critical extension that is not understood.
func crlScope(crl *x509.RevocationList, cert *x509.Certificate) bool {
	for _, e := range crl.Extensions {
		switch e.Id.String() {
		case "2.5.29.28":
			if !idpCovers(e, cert) {
				return false
			}
		case "2.5.29.27":
			return false
		default:
			if e.Critical {
				return false
			}
		}
	}
	for i := range crl.RevokedCertificateEntries {
		for _, e := range crl.RevokedCertificateEntries[i].Extensions {
			if e.Critical {
				return false // certificate issuer of an indirect list, or unknown
			}
		}
	}
	return true
}

func idpCovers(e pkix.Extension, cert *x509.Certificate) bool {
	var idp issuingDistributionPoint
	if rest, err := asn1.Unmarshal(e.Value, &idp); err != nil || len(rest) != 0 {
		return false
	}
	if idp.IndirectCRL || idp.OnlyContainsAttributeCerts || idp.OnlySomeReasons.BitLength > 0 {
		return false
	}
	if idp.OnlyContainsUserCerts && cert.IsCA || idp.OnlyContainsCACerts && !cert.IsCA {
		return false
	}
	if len(idp.DistributionPoint.FullBytes) == 0 {
		return true
	}
	// The list is for one distribution point: the certificate must name it.
	return slices.ContainsFunc(cert.CRLDistributionPoints, func(url string) bool {
		return len(url) > 0 && bytes.Contains(idp.DistributionPoint.Bytes, []byte(url))
	})
}

// fromOCSP reads one response (RFC 6960): signed by the issuer, or by a
// responder that the issuer certified for OCSP.
func (r *revocations) fromOCSP(der []byte, cert, issuer *x509.Certificate, at, now time.Time) certStatus {
	if len(der) > maxOCSP {
		return certStatus{}
	}
	if _, err := ocsp.ParseResponseForCert(der, cert, nil); err != nil {
		return certStatus{} // about another certificate, or not readable
	}
	resp, err := ocsp.ParseResponseForCert(der, cert, issuer)
	if err != nil || !responderAllowed(resp, issuer) {
		return certStatus{unusable: true}
	}
	switch {
	case resp.ThisUpdate.After(now.Add(r.skew)):
		return certStatus{stale: true}
	case resp.Status == ocsp.Revoked && resp.RevocationReason == ocsp.CertificateHold:
		return certStatus{known: true, hold: true}
	case resp.Status == ocsp.Revoked && !resp.RevokedAt.After(at):
		return certStatus{known: true, revoked: true, at: resp.RevokedAt}
	case !fresh(resp.ThisUpdate, resp.NextUpdate, at, now):
		return certStatus{stale: true}
	case resp.Status != ocsp.Good && resp.Status != ocsp.Revoked:
		return certStatus{}
	}
	return certStatus{known: true}
}

func responderAllowed(resp *ocsp.Response, issuer *x509.Certificate) bool {
	c := resp.Certificate
	if c == nil || sameCert(c, issuer) {
		return true
	}
	return slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) &&
		!resp.ProducedAt.Before(c.NotBefore) && !resp.ProducedAt.After(c.NotAfter)
}
