package verify

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	_ "crypto/sha1"   // old signatures, reported as legacy
	_ "crypto/sha3"   // signatures by TS 119 312
	_ "crypto/sha512" // SHA-384 and SHA-512
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"strings"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign/cms"
)

// The values of /SubFilter (ISO 32000-2, 12.8.3; EN 319 142-1, 5).
const (
	subCAdES   = pdf.Name("ETSI.CAdES.detached")
	subPKCS7   = pdf.Name("adbe.pkcs7.detached")
	subSHA1    = pdf.Name("adbe.pkcs7.sha1")
	subX509    = pdf.Name("adbe.x509.rsa_sha1")
	subRFC3161 = pdf.Name("ETSI.RFC3161")
	subPBAD    = pdf.Name("PBAD.PAdES") // ICP-Brasil; built as the detached ones
)

// container parses the CMS of a signature and chooses the hash of the
// document. It returns false when the signature has already been judged.
func (s *candidate) container(lim *Limits) bool {
	switch s.subFilter {
	case subCAdES, subPKCS7, subPBAD, subSHA1, subRFC3161:
	case subX509:
		s.hash = cms.Digest(crypto.SHA1)
		return true
	case "":
		s.doubt(SigConstraintsFailure, say("the signature does not say its format (/SubFilter)"))
		return false
	default:
		s.doubt(SigConstraintsFailure, say("the signature format %s is not known", cleanText(string(s.subFilter))))
		return false
	}
	sd, err := parseCMS(s.contents, lim)
	if err != nil {
		s.fail(FormatFailure, say("%s", err))
		return false
	}
	s.sd, s.si = sd, &sd.Signers[0]
	return s.chooseHash()
}

// parseCMS reads a SignedData with exactly one SignerInfo and nothing but zero
// bytes after it.
func parseCMS(b []byte, lim *Limits) (*cms.SignedData, error) {
	zero := true
	for _, c := range b {
		zero = zero && c == 0
	}
	if zero {
		return nil, say("/Contents is empty: the document was prepared for signing and never signed")
	}
	sd, err := cms.Parse(b, &cms.Limits{Size: lim.CMS})
	if err != nil {
		return nil, say("/Contents is not a readable signature: %v", err)
	}
	for _, c := range b[sd.Length:] {
		if c != 0 {
			return nil, say("something else than zeros follows the signature in /Contents")
		}
	}
	if len(sd.Signers) != 1 {
		return nil, say("/Contents holds %d signers instead of one", len(sd.Signers))
	}
	return sd, nil
}

// chooseHash decides with which function the covered bytes are hashed, and
// whether content may and must stand inside the container.
func (s *candidate) chooseHash() bool {
	switch s.subFilter {
	case subSHA1:
		if len(s.sd.Content) != crypto.SHA1.Size() {
			s.fail(FormatFailure, say("an adbe.pkcs7.sha1 signature must contain one SHA-1 digest"))
			return false
		}
		s.hash = cms.Digest(crypto.SHA1)
		return true
	case subRFC3161:
		return s.openToken()
	}
	if s.sd.HasContent {
		s.fail(FormatFailure, say("a detached signature must not contain content of its own"))
		return false
	}
	s.hash = s.si.Digest()
	if !usable(s.hash) {
		s.doubt(CryptoConstraintsFailure, say("the digest algorithm of the signature is not known"))
		return false
	}
	return true
}

// usable tells whether a digest can be computed here.
func usable(h cms.Digest) bool { return h != 0 && h != cms.Digest(crypto.MD5) && h.Available() }

// checkValue verifies the signature over the digest of the covered bytes.
func (s *candidate) checkValue(digest []byte, dssCerts func() []*x509.Certificate) {
	switch s.subFilter {
	case subX509:
		s.checkX509(digest)
		return
	case subRFC3161:
		s.checkDocTimestamp(digest, dssCerts)
		return
	case subSHA1:
		if string(s.sd.Content) != string(digest) {
			s.fail(HashFailure, say("the document is not the one that was signed: its digest differs"))
			return
		}
		if digest = s.contentDigest(); digest == nil {
			return
		}
		s.legacy = true // SHA-1 is all that binds the document
	}
	s.checkSigner(digest, dssCerts)
}

// contentDigest hashes what stands inside the container.
func (s *candidate) contentDigest() []byte {
	if !usable(s.si.Digest()) {
		s.doubt(CryptoConstraintsFailure, say("the digest algorithm of the signature is not known"))
		return nil
	}
	h := s.si.Digest().New()
	h.Write(s.sd.Content)
	return h.Sum(nil)
}

// checkSigner finds the certificate and verifies SignerInfo with it. The order
// of certificates decides nothing: each that the signer names is tried.
func (s *candidate) checkSigner(digest []byte, dssCerts func() []*x509.Certificate) {
	s.bag, _ = s.sd.Certificates() // one that cannot be read proves nothing
	s.Algorithm = algorithmName(s.si)
	cert, res, err := verifySigner(s.si, s.bag, digest)
	if cert == nil {
		cert, res, err = verifySigner(s.si, dssCerts(), digest)
	}
	if cert == nil {
		s.doubt(NoSigningCertificateFound, say("the certificate of the signer is not in the document"))
		return
	}
	s.cert, s.Signer = cert, cleanText(subject(cert))
	if err != nil {
		s.refused(err)
		return
	}
	s.accepted(res)
	if why := misdescribed(s.sd, cert); why != nil {
		s.deviates = true
		s.note(say("the signature is mathematically right, but has %s", why))
	}
}

// verified is what a signature rests on that verified mathematically.
type verified struct {
	algorithm string
	legacy    string // why it is too weak to rely on, or ""
	deviation string // how its algorithms are named wrongly, or ""
}

// verifySigner returns the certificate that the signer names, and the answer
// of the verification with it: the best one, when several match. What is weak
// or misnamed is accepted here, and weighed by the caller.
func verifySigner(si *cms.SignerInfo, bag []*x509.Certificate, digest []byte) (*x509.Certificate, verified, error) {
	const most = 8 // honest bags name a signer once or twice
	var found *x509.Certificate
	var first error
	tried := 0
	for _, c := range bag {
		if !si.Matches(c) {
			continue
		}
		res, err := si.VerifyWith(c, digest, &cms.VerifyOptions{AcceptLegacy: true, AcceptDeviations: true})
		if err == nil {
			return c, verified{res.Algorithm, strings.Join(res.Legacy, " and "), strings.Join(res.Deviations, " and ")}, nil
		}
		if found == nil {
			found, first = c, err
		}
		if tried++; tried == most {
			break
		}
	}
	return found, verified{}, first
}

// accepted takes a signature that verified, with what is to be said about it.
func (s *candidate) accepted(v verified) {
	s.intact, s.Algorithm, s.legacy = true, v.algorithm, s.legacy || v.legacy != ""
	s.broken = s.broken || broken(v.legacy)
	s.deviates = s.deviates || v.deviation != ""
	switch {
	case v.legacy != "":
		s.note(say("the signature is mathematically right, but of a kind no longer relied on: %s", technical(v.legacy)))
	case s.legacy:
		s.note(say("the signature is mathematically right, but of a kind no longer relied on: the document is bound by SHA-1"))
	}
	if v.deviation != "" {
		s.note(say("the signature is mathematically right, but names its algorithms wrongly: %s", technical(v.deviation)))
	}
}

// broken tells whether what is too weak to rely on never was strong enough for
// documents, as SHA-1 was once.
func broken(legacy string) bool {
	return strings.Contains(legacy, "MD5") || strings.Contains(legacy, "DSA key")
}

// misdescribed says which of the fields that nothing signs contradict the
// signature (RFC 5652, 5.1 and 5.3): versions, the issuer's name when it is
// only equivalent to that of the certificate, and the list of digests.
func misdescribed(sd *cms.SignedData, cert *x509.Certificate) *phrase {
	si := &sd.Signers[0]
	version, signer := 1, 1
	if si.SubjectKeyID != nil {
		signer = 3
	}
	if signer == 3 || sd.ContentType.String() != "1.2.840.113549.1.7.1" {
		version = 3
	}
	if len(sd.OtherCertificates) > 0 || len(sd.OtherRevocations) > 0 || len(sd.OCSPs) > 0 {
		version = sd.Version // 3, 4 or 5 by kinds that decide nothing here
	}
	if sd.Version != version || si.Version != signer {
		return say("versions that do not fit the content")
	}
	if si.RawIssuer != nil && !bytes.Equal(si.RawIssuer, cert.RawIssuer) {
		return say("the issuer of the certificate in another spelling")
	}
	for i := range sd.DigestAlgorithms {
		if sd.DigestAlgorithms[i].Algorithm.Equal(si.DigestIdentifier.Algorithm) {
			return nil
		}
	}
	return say("a list of digest algorithms without the one used")
}

// refused turns the answer of the CMS layer into an indication.
func (s *candidate) refused(err error) {
	var v *cms.VerifyError
	if !errors.As(err, &v) {
		s.fail(FormatFailure, say("%s", err))
		return
	}
	switch v.Reason {
	case cms.ReasonDigestMismatch:
		s.fail(HashFailure, say("the document is not the one that was signed: its digest differs"))
	case cms.ReasonSignature, cms.ReasonKey:
		s.fail(SigCryptoFailure, say("the signature value does not verify: %s", technical(v.Detail)))
	case cms.ReasonUnsupported:
		s.doubt(CryptoConstraintsFailure, say("the signature cannot be verified here: %s", technical(v.Detail)))
	default:
		s.fail(FormatFailure, say("the signature is not accepted: %s", technical(v.Detail)))
	}
}

// checkX509 verifies adbe.x509.rsa_sha1: a PKCS #1 signature over SHA-1, with
// the certificate in the signature dictionary (ISO 32000-1, 12.8.3.2).
func (s *candidate) checkX509(digest []byte) {
	s.Algorithm = "RSA with SHA-1"
	var value []byte
	rest, err := asn1.Unmarshal(s.contents, &value)
	if err != nil {
		s.fail(FormatFailure, say("/Contents is not an OCTET STRING, as adbe.x509.rsa_sha1 wants"))
		return
	}
	for _, c := range rest {
		if c != 0 {
			s.fail(FormatFailure, say("something else than zeros follows the signature in /Contents"))
			return
		}
	}
	if len(s.bag) == 0 {
		s.doubt(NoSigningCertificateFound, say("the certificate of the signer is not in the document"))
		return
	}
	s.cert, s.Signer = s.bag[0], cleanText(subject(s.bag[0]))
	pub, ok := s.cert.PublicKey.(*rsa.PublicKey)
	if !ok || pub.N.BitLen() > 8192 || pub.E < 3 {
		s.fail(SigCryptoFailure, say("the key of the certificate is no acceptable RSA key"))
		return
	}
	if rsa.VerifyPKCS1v15(pub, crypto.SHA1, digest, value) != nil {
		s.fail(SigCryptoFailure, say("the signature value does not verify"))
		return
	}
	s.intact, s.legacy = true, true
	s.note(say("the signature is mathematically right, but of a kind no longer relied on: SHA-1"))
}
