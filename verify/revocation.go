package verify

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"math/big"
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
	unproven             bool      // data was there but not proved to be from when its issuer could be relied on
	ends                 time.Time // of a revocation after the time asked for; zero without one
}

func (s certStatus) note() *phrase {
	switch {
	case s.unproven:
		return say(" (of what there is nothing proves that it was there while its issuer could be relied on)")
	case s.late:
		return say(" (what there is was made after it expired, when issuers drop their entries)")
	case s.stale:
		return say(" (what there is is out of date)")
	case s.unusable:
		return say(" (what there is does not apply or is not signed by the issuer)")
	}
	return nil
}

// An inquiry is about the revocation of a certificate.
type inquiry struct {
	at     time.Time // of what it signed, which a later revocation does not touch
	moment time.Time // at which the check is made: data must be current then, or newer than at
	limit  time.Time // until when the word of the issuer counted: what is good must be proved to be from before
	now    time.Time
	stored bool // ask the document's security store alone,
	since  int  // as it was after that revision
}

// An origin says where revocation data were found.
type origin struct {
	since  int  // the revision from which on they stand in the document, or outside
	stored bool // in its security store
}

// revocations are the lists and responses that one call may use.
type revocations struct {
	skew     time.Duration
	proofs   *proofs
	crls     []*crlFrom
	ocsps    []*ocspFrom
	seen     map[[32]byte]*origin
	hasStore bool
	checked  map[crlIssuer]bool // signature of a list under an issuer, checked once a call
	cache    *Cache
	given    int // lists of the caller's
	max      int
	maxSize  int
	work     int // entries of lists looked at so far; see revocationWork
}

// crlFrom is a list. Lists can be long and are asked often, so what they say of a
// serial number is looked up once.
type crlFrom struct {
	*x509.RevocationList
	*origin
	found map[string][]int // entries by serial number
	odd   bool             // entries have critical extensions
	read  bool             // odd is known
}

type ocspFrom struct {
	der []byte
	*origin
	known map[ocspPair]ocspAnswer
}

type crlIssuer struct {
	crl    *x509.RevocationList
	issuer [32]byte
}

func newRevocations(opt *Options, p *proofs) *revocations {
	r := &revocations{
		skew: opt.Limits.ClockSkew, proofs: p, cache: opt.Cache,
		seen: map[[32]byte]*origin{}, checked: map[crlIssuer]bool{}, given: len(opt.CRLs),
		max: opt.Limits.Revocations, maxSize: opt.Limits.RevocationSize,
	}
	for _, crl := range opt.CRLs {
		r.crls = append(r.crls, &crlFrom{RevocationList: crl, origin: &origin{since: outside}})
	}
	return r
}

// addCRL takes a DER list found in the document; what cannot be read is no
// evidence and is left out.
func (r *revocations) addCRL(der []byte, from origin) {
	if len(der) > r.maxSize || len(r.crls) >= r.given+r.max {
		return
	}
	if o := r.first(der, from); o != nil {
		if crl, err := x509.ParseRevocationList(der); err == nil {
			r.crls = append(r.crls, &crlFrom{RevocationList: crl, origin: o})
			r.hasStore = r.hasStore || from.stored
		}
	}
}

// addOCSP takes a DER OCSP response found in the document.
func (r *revocations) addOCSP(der []byte, from origin) {
	if len(der) > r.maxSize || len(r.ocsps) >= r.max {
		return
	}
	if o := r.first(der, from); o != nil {
		r.ocsps = append(r.ocsps, &ocspFrom{der: der, origin: o})
		r.hasStore = r.hasStore || from.stored
	}
}

// first notes where data were found; nil when they are known already, or too many.
func (r *revocations) first(der []byte, from origin) *origin {
	sum := sha256.Sum256(der)
	if known := r.seen[sum]; known != nil {
		known.since, known.stored = min(known.since, from.since), known.stored || from.stored
		return nil
	}
	if len(r.seen) >= 2*r.max {
		return nil
	}
	r.seen[sum] = &from
	return &from
}

// status asks all lists and responses about cert. A revocation found anywhere
// wins over a good answer elsewhere.
func (r *revocations) status(cert, issuer *x509.Certificate, q *inquiry) certStatus {
	var best certStatus
	if r.work > revocationWork {
		return best
	}
	for _, crl := range r.crls {
		if bytes.Equal(crl.RawIssuer, issuer.RawSubject) && q.asks(crl.origin) {
			best = best.merge(r.fromCRL(crl, cert, issuer, q))
		}
	}
	for _, o := range r.ocsps {
		if q.asks(o.origin) {
			best = best.merge(r.fromOCSP(o, cert, issuer, q))
		}
	}
	return best
}

func (q *inquiry) asks(o *origin) bool { return !q.stored || o.stored && o.since <= q.since }

// unproven tells whether nothing proves that data were there before a time. The
// present needs no proof.
func (r *revocations) unproven(o *origin, limit, now time.Time) bool {
	return limit.Before(now) && r.proofs.time(o.since).After(limit)
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
	o.unproven = o.unproven || s.unproven
	if o.ends.IsZero() || !s.ends.IsZero() && s.ends.Before(o.ends) {
		o.ends = s.ends
	}
	return o
}

// Reasons of revocation that are none (RFC 5280, 5.3.1).
const (
	certificateHold = 6
	removeFromCRL   = 8
)

// fromCRL applies RFC 5280, 6.3.3 to one list of the certificate's own issuer. A
// delta can revoke, but proves nothing good.
func (r *revocations) fromCRL(crl *crlFrom, cert, issuer *x509.Certificate, q *inquiry) certStatus {
	covers, delta := crlScope(crl.RevocationList, cert)
	if !covers || r.oddEntries(crl) || !r.signedBy(crl.RevocationList, issuer) {
		return certStatus{unusable: true}
	}
	if crl.ThisUpdate.After(q.now.Add(r.skew)) {
		return certStatus{stale: true} // from the future: proves nothing about now
	}
	var st certStatus
	for _, i := range r.entries(crl, cert.SerialNumber) {
		e := &crl.RevokedCertificateEntries[i]
		switch {
		case e.ReasonCode == removeFromCRL:
			if !delta {
				return certStatus{unusable: true} // has no place in a complete list (RFC 5280, 5.3.1)
			}
		case e.RevocationTime.After(q.at):
			st.ends = e.RevocationTime
		case e.ReasonCode == certificateHold:
			return certStatus{known: true, hold: true}
		default:
			return certStatus{known: true, revoked: true, at: e.RevocationTime}
		}
	}
	if delta {
		return st // silence, or a hold that is over: the complete list must say so
	}
	switch {
	case tooLate(cert, crl.ThisUpdate, crl.Extensions, oidExpiredCerts):
		st.late = true
	case !fresh(crl.ThisUpdate, crl.NextUpdate, q.at, q.moment):
		st.stale = true
	case r.unproven(crl.origin, q.limit, q.now):
		st.unproven = true
	default:
		st.known = true
	}
	return st
}

// entries gives the places of the entries with a serial number.
func (r *revocations) entries(crl *crlFrom, serial *big.Int) []int {
	key := string(serial.Bytes())
	places, ok := crl.found[key]
	if ok {
		r.work += len(places)
		return places
	}
	r.work += len(crl.RevokedCertificateEntries)
	for i := range crl.RevokedCertificateEntries {
		if crl.RevokedCertificateEntries[i].SerialNumber.Cmp(serial) == 0 {
			places = append(places, i)
		}
	}
	if crl.found == nil {
		crl.found = map[string][]int{}
	}
	crl.found[key] = places
	return places
}

// oddEntries tells whether entries have critical extensions: the certificate issuer
// of an indirect list, or something unknown (RFC 5280, 5.3).
func (r *revocations) oddEntries(crl *crlFrom) bool {
	if !crl.read {
		r.work += len(crl.RevokedCertificateEntries)
		crl.read = true
		for i := range crl.RevokedCertificateEntries {
			for _, e := range crl.RevokedCertificateEntries[i].Extensions {
				crl.odd = crl.odd || e.Critical
			}
		}
	}
	return crl.odd
}

// fresh tells whether data speaks of the time at: it is current now, or it was
// issued after that time. Data without a next update is never current.
func fresh(this, next, at, now time.Time) bool {
	return !next.IsZero() && !next.Before(now) || at.Before(now) && !this.Before(at)
}

func (r *revocations) signedBy(crl *x509.RevocationList, issuer *x509.Certificate) bool {
	key := crlIssuer{crl, sha256.Sum256(issuer.Raw)}
	good, ok := r.checked[key]
	if !ok {
		good = r.cache.signed(crl, issuer)
		r.checked[key] = good
	}
	return good
}
