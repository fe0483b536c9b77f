package cms

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"fmt"
	"strings"
)

// VerifyOptions changes what is accepted. Nil is the zero value.
type VerifyOptions struct {
	// AcceptLegacy lets MD5, SHA-1, RIPEMD-160, RSA below 2,048 bits, P-224 and
	// DSA pass. Signatures with them can be forged, or soon: the caller must show
	// Result.Legacy or have proof of when the signature existed.
	AcceptLegacy bool
	// AcceptDeviations lets signatures pass whose algorithm identifiers were
	// written wrongly in ways that leave no doubt which algorithms were used; the
	// list is in Result.Deviations. Else they are refused with
	// ReasonInconsistent, after all else has been found right.
	AcceptDeviations bool
}

// judge refuses what res lists and opt does not accept.
func (opt *VerifyOptions) judge(res *Result) (*Result, error) {
	if opt == nil {
		opt = &VerifyOptions{}
	}
	if len(res.Deviations) > 0 && !opt.AcceptDeviations {
		return nil, refuse(ReasonInconsistent, "verifies, but with %s", strings.Join(res.Deviations, " and "))
	}
	if len(res.Legacy) > 0 && !opt.AcceptLegacy {
		return nil, refuse(ReasonLegacy, "verifies, but with %s", strings.Join(res.Legacy, " and "))
	}
	return res, nil
}

// Result is what a signature that verified rests on.
type Result struct {
	Algorithm string      // "RSA-PSS with SHA-256"
	Hash      crypto.Hash // of the document, zero for SHAKE256; see [SignerInfo.Digest]
	PublicKey crypto.PublicKey
	Legacy    []string // what is too weak to rely on; only with AcceptLegacy
	// Deviations are the mistakes in algorithm identifiers; only with AcceptDeviations.
	Deviations []string

	// Attributes says that there are signed attributes. Without, the signature is
	// over the document itself and binds no certificate. It would then also be one
	// over a document that is an encoded set of attributes, so that the caller
	// must know its document to be something else: a PDF is.
	Attributes bool
	// SigningCertificate says which ESS attribute binds the certificate: 0 none,
	// 1 signing-certificate (RFC 2634), 2 signing-certificate-v2 (RFC 5035), with
	// both 2.
	SigningCertificate int
	// AlgorithmProtection says that cms-algorithm-protection is there (RFC 6211).
	AlgorithmProtection bool
	// Reencoded says that the signed attributes verified only in their DER
	// encoding, which is not how they were received.
	Reencoded bool
}

// Verify checks the signature of a document with the given digest, made with
// si.Digest, against the certificate's public key (RFC 5652, 5.4 and
// 5.6):
//
//   - cert is the one the signer names;
//   - digest algorithm, signature algorithm, its parameters and the key agree;
//   - content-type and message-digest are there once, with one value, and right;
//   - signing-certificate and signing-certificate-v2, if there, name cert (RFC 5035);
//   - cms-algorithm-protection, if there, names the algorithms used (RFC 6211);
//   - the signature is over the signed attributes, or over the document when
//     there are none, by that key;
//   - nothing of it is legacy, which is checked last.
//
// Nil means all of it holds. The error is a *VerifyError. That the certificate
// is to be trusted is not a matter of this package. The digest is of the content
// inside, [SignedData.Content], when there is one.
func (si *SignerInfo) Verify(cert *x509.Certificate, digest []byte) error {
	_, err := si.VerifyWith(cert, digest, nil)
	return err
}

// VerifyWith is [SignerInfo.Verify] with options, and tells what was found. The
// Result is nil with an error.
func (si *SignerInfo) VerifyWith(cert *x509.Certificate, digest []byte, opt *VerifyOptions) (*Result, error) {
	id, err := identify(cert)
	if err != nil {
		return nil, refuse(ReasonCertificate, "%v", err)
	}
	if !si.Matches(cert) {
		return nil, refuse(ReasonCertificate, "the signer names another certificate")
	}
	pub, s, err := si.scheme(id)
	if err != nil {
		return nil, err
	}
	if n := si.Digest().Size(); len(digest) != n {
		return nil, refuse(ReasonDigestMismatch, "digest of %d bytes given, want %d", len(digest), n)
	}
	res := &Result{Algorithm: s.String(), Hash: s.hash, PublicKey: pub, Deviations: si.deviations(s)}
	if err := si.checkAttributes(id, digest, res); err != nil {
		return nil, err
	}
	if err := si.checkSignature(pub, s, digest, res); err != nil {
		return nil, err
	}
	res.Legacy = s.legacy(pub)
	return opt.judge(res)
}

// deviations lists what is wrong with the algorithm identifiers and yet clear.
func (si *SignerInfo) deviations(s scheme) (out []string) {
	if s.named != 0 {
		out = append(out, fmt.Sprintf("digest algorithm %v and signature algorithm naming %v", s.hash, s.named))
	}
	if si.Digest() != SHAKE256 && hashOf(si.DigestIdentifier.oid) == 0 {
		out = append(out, fmt.Sprintf("signature algorithm %v as digest algorithm", si.DigestIdentifier.Algorithm))
	}
	return out
}

// scheme settles key and algorithms.
func (si *SignerInfo) scheme(id *identity) (crypto.PublicKey, scheme, error) {
	var s scheme
	digest := si.Digest()
	if digest == 0 {
		return nil, s, refuse(ReasonUnsupported, "digest algorithm %v", si.DigestIdentifier.Algorithm)
	}
	if digest != SHAKE256 && !si.DigestIdentifier.plain() {
		return nil, s, refuse(ReasonInconsistent, "unexpected parameters of digest algorithm %v", si.DigestIdentifier.Algorithm)
	}
	s, err := schemeOf(si.SignatureAlgorithm, digest)
	if err != nil {
		return nil, s, err
	}
	pub, only, err := id.publicKey()
	if err != nil {
		return nil, s, refuse(ReasonUnsupported, "%v", err)
	}
	return pub, s, s.accepts(pub, only)
}

// checkAttributes checks the signed attributes against content, certificate and
// algorithms; other attributes than these five are the caller's matter.
func (si *SignerInfo) checkAttributes(id *identity, digest []byte, res *Result) error {
	if si.RawSignedAttributes == nil {
		if string(si.contentType) != oidData {
			return refuse(ReasonContentType, "content other than id-data needs signed attributes (RFC 5652, 5.3)")
		}
		return nil
	}
	res.Attributes = true
	if err := si.checkContentType(); err != nil {
		return err
	}
	if err := si.checkMessageDigest(digest); err != nil {
		return err
	}
	if err := si.checkSigningCertificates(id, res); err != nil {
		return err
	}
	return si.checkProtection(res)
}

// one returns the value of the signed attribute of a type, which must not be
// repeated and must have one value; nil when there is none.
func (si *SignerInfo) one(oid string, reason Reason, name string) (value []byte, err error) {
	for i := range si.SignedAttributes {
		a := &si.SignedAttributes[i]
		if string(a.oid) != oid {
			continue
		}
		if value != nil || len(a.Values) != 1 {
			return nil, refuse(reason, "%s repeated or without exactly one value", name)
		}
		value = a.Values[0]
	}
	return value, nil
}

func (si *SignerInfo) checkContentType() error {
	value, err := si.one(oidContentType, ReasonContentType, "content-type")
	if err != nil {
		return err
	}
	if value == nil {
		return refuse(ReasonContentType, "content-type missing")
	}
	r := reader{b: value, max: defaultDepth}
	oid, err := r.primitive(len(value), tagOID, "content-type")
	if err != nil || !bytes.Equal(oid, si.contentType) {
		return refuse(ReasonContentType, "content-type is not that of the content")
	}
	return nil
}

func (si *SignerInfo) checkMessageDigest(digest []byte) error {
	value, err := si.one(oidMessageDigest, ReasonMessageDigest, "message-digest")
	if err != nil {
		return err
	}
	if value == nil {
		return refuse(ReasonMessageDigest, "message-digest missing")
	}
	r := reader{b: value, max: defaultDepth}
	got, err := r.octets(len(value), tagOctets, "message-digest")
	if err != nil {
		return refuse(ReasonMessageDigest, "%v", err)
	}
	if !bytes.Equal(got, digest) {
		return refuse(ReasonDigestMismatch, "the document is not the one signed")
	}
	return nil
}

// checkSignature verifies the signature value. The attributes are taken as
// received. RFC 5652, 5.4 says that their DER encoding is signed, whatever is
// sent: so where that is another one it is tried too, first with the attributes
// in their order, as writers that leave sets unsorted hash them. All the
// encodings say the same thing, so that none of this accepts what the signer did
// not sign.
func (si *SignerInfo) checkSignature(pub crypto.PublicKey, s scheme, digest []byte, res *Result) error {
	if !res.Attributes {
		if s.pure() {
			return refuse(ReasonUnsupported, "%v without signed attributes is over the document, not its digest", s)
		}
		return s.verifyDigest(pub, digest, si.Signature)
	}
	err := s.verify(pub, si.RawSignedAttributes, si.Signature)
	if err == nil {
		return nil
	}
	kept, sorted := rewritten(si.RawSignedAttributes)
	for _, attrs := range [][]byte{kept, sorted} {
		if attrs != nil && s.verify(pub, attrs, si.Signature) == nil {
			res.Reencoded = true
			return nil
		}
	}
	return err
}
