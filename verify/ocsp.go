package verify

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"
)

// certID names a certificate in a response (RFC 6960, 4.1.1).
type certID struct {
	Hash     pkix.AlgorithmIdentifier
	NameHash []byte
	KeyHash  []byte
	Serial   *big.Int
}

// ocspEnvelope is OCSPResponse, and basicResponse what it holds, up to the
// names of the certificates (RFC 6960, 4.2.1).
type ocspEnvelope struct {
	Status asn1.Enumerated
	Bytes  struct {
		Type     asn1.ObjectIdentifier
		Response []byte
	} `asn1:"explicit,tag:0,optional"`
}

type basicResponse struct {
	Data struct {
		Version    int `asn1:"optional,default:0,explicit,tag:0"`
		Responder  asn1.RawValue
		ProducedAt time.Time `asn1:"generalized"`
		Responses  []struct{ ID certID }
	}
}

// named tells whether the first response with the serial number of cert is
// about cert: issuer's name, issuer's key and number, by the hash that it names.
// Numbers are unique only under one issuer.
func named(der []byte, cert, issuer *x509.Certificate) bool {
	var e ocspEnvelope
	var b basicResponse
	if _, err := asn1.Unmarshal(der, &e); err != nil {
		return false
	}
	if _, err := asn1.Unmarshal(e.Bytes.Response, &b); err != nil {
		return false
	}
	for i := range b.Data.Responses {
		if id := &b.Data.Responses[i].ID; id.Serial != nil && id.Serial.Cmp(cert.SerialNumber) == 0 {
			return id.of(cert, issuer)
		}
	}
	return false
}

func (id *certID) of(cert, issuer *x509.Certificate) bool {
	hash := hashByOID(id.Hash.Algorithm.String())
	if hash == 0 || !hash.Available() {
		return false
	}
	var key struct {
		Algorithm pkix.AlgorithmIdentifier
		Bits      asn1.BitString
	}
	if _, err := asn1.Unmarshal(issuer.RawSubjectPublicKeyInfo, &key); err != nil {
		return false
	}
	return bytes.Equal(id.NameHash, sum(hash, cert.RawIssuer)) && bytes.Equal(id.KeyHash, sum(hash, key.Bits.Bytes))
}

func sum(h crypto.Hash, b []byte) []byte {
	state := h.New()
	state.Write(b)
	return state.Sum(nil)
}

// fromOCSP reads one response (RFC 6960): signed by the issuer, or by a
// responder that the issuer certified for OCSP.
func (r *revocations) fromOCSP(o *ocspFrom, cert, issuer *x509.Certificate, q *inquiry) certStatus {
	a := r.answer(o, cert, issuer)
	if !a.named {
		return certStatus{}
	}
	resp := a.resp
	if resp == nil || !r.responderUnrevoked(resp, issuer, q) {
		return certStatus{unusable: true}
	}
	limit := q.limit
	if resp.Certificate != nil {
		limit = earlier(limit, resp.Certificate.NotAfter) // nobody guards the key of a responder longer
	}
	var st certStatus
	switch {
	case resp.ThisUpdate.After(q.now.Add(r.skew)):
		return certStatus{stale: true}
	case resp.Status == ocsp.Revoked && resp.RevokedAt.After(q.at):
		st.ends = resp.RevokedAt
	case resp.Status == ocsp.Revoked && resp.RevocationReason == ocsp.CertificateHold:
		return certStatus{known: true, hold: true}
	case resp.Status == ocsp.Revoked:
		return certStatus{known: true, revoked: true, at: resp.RevokedAt}
	case resp.Status != ocsp.Good:
		return st
	}
	switch {
	case tooLate(cert, resp.ThisUpdate, resp.Extensions, oidArchiveCutoff):
		st.late = true
	case !fresh(resp.ThisUpdate, resp.NextUpdate, q.at, q.moment):
		st.stale = true
	case r.unproven(o.origin, limit, q.now):
		st.unproven = true
	default:
		st.known = true
	}
	return st
}

// An ocspAnswer is what a response says of one certificate of one issuer.
type ocspAnswer struct {
	named bool           // it is about that certificate
	resp  *ocsp.Response // nil when it cannot be used
}

type ocspPair struct{ cert, issuer [sha256.Size]byte }

// answer reads what a response says of a certificate, once: signatures take their
// time.
func (r *revocations) answer(o *ocspFrom, cert, issuer *x509.Certificate) ocspAnswer {
	pair := ocspPair{sha256.Sum256(cert.Raw), sha256.Sum256(issuer.Raw)}
	a, ok := o.known[pair]
	if ok {
		return a
	}
	if a.named = len(o.der) <= maxOCSP && named(o.der, cert, issuer); a.named {
		r.work += ocspWork
		resp, err := ocsp.ParseResponseForCert(o.der, cert, nil) // checks the signature by the certificate it brings
		if err == nil && responderAllowed(resp, issuer) {
			a.resp = resp
		}
	}
	if o.known == nil {
		o.known = map[ocspPair]ocspAnswer{}
	}
	o.known[pair] = a
	return a
}

// responderAllowed is RFC 6960, 4.2.2.2: the issuer itself, or a certificate
// that it issued directly for OCSP, valid when the answer was made, with a key
// that is strong enough; that it is not revoked either is another matter.
func responderAllowed(resp *ocsp.Response, issuer *x509.Certificate) bool {
	c, at := resp.Certificate, resp.ProducedAt
	switch {
	case c == nil:
		return resp.CheckSignatureFrom(issuer) == nil
	case sameCert(c, issuer):
		return true
	case !bytes.Equal(c.RawIssuer, issuer.RawSubject),
		issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) != nil,
		!slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning),
		c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageDigitalSignature == 0,
		len(c.UnhandledCriticalExtensions) > 0,
		at.Before(c.NotBefore) || at.After(c.NotAfter),
		weakKey(c, at) != nil:
		return false
	}
	return true
}

// responderUnrevoked asks whether a responder was revoked: by its issuer's word it
// never is (id-pkix-ocsp-nocheck), or a list of the issuer says so.
func (r *revocations) responderUnrevoked(resp *ocsp.Response, issuer *x509.Certificate, q *inquiry) bool {
	c := resp.Certificate
	if c == nil || sameCert(c, issuer) {
		return true
	}
	var st certStatus
	made := *q
	made.at = resp.ProducedAt
	for _, crl := range r.crls {
		if bytes.Equal(crl.RawIssuer, issuer.RawSubject) && q.asks(crl.origin) {
			st = st.merge(r.fromCRL(crl, c, issuer, &made))
		}
	}
	return !st.revoked && !st.hold && (st.known || hasExtension(c, oidOCSPNoCheck))
}

func hasExtension(c *x509.Certificate, oid string) bool {
	return slices.ContainsFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.String() == oid })
}
