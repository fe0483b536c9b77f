package cms

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"time"
)

// Template is what stays the same in every signature of one credential, encoded
// once: certificates, algorithm identifiers, issuer and serial number, and the
// ESS signing-certificate-v2 attribute. Make it with [NewTemplate]; the fields
// are there to be read, not changed.
type Template struct {
	Certificate *x509.Certificate
	Chain       []*x509.Certificate
	Algorithm   Algorithm
	ContentType asn1.ObjectIdentifier // id-data unless made by NewTemplateOf

	pub       crypto.PublicKey
	version   byte
	attrs     []byte // signed attributes, tag 0x31, with zeros for the digest
	digestAt  int    // offset of the digest in attrs
	digests   []byte // SET OF DigestAlgorithmIdentifier
	content   []byte // OBJECT IDENTIFIER of the content
	certs     []byte // [0] certificates
	signer    []byte // SignerInfo up to the signed attributes
	signature []byte // AlgorithmIdentifier of the signature
}

// NewTemplate prepares signatures over id-data with the key of cert. chain holds
// the certificates to send along, in any order; cert itself and repetitions are
// dropped from it. An algorithm that does not go with the key gives an error
// that is [ErrAlgorithm]; see [AlgorithmFor].
func NewTemplate(cert *x509.Certificate, chain []*x509.Certificate, alg Algorithm) (*Template, error) {
	return newTemplate(oidData, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}, cert, chain, alg)
}

// NewTemplateOf is [NewTemplate] for a content type other than id-data, such as
// [TSTInfo]; its SignedData has version 3 (RFC 5652, 5.1).
func NewTemplateOf(contentType asn1.ObjectIdentifier, cert *x509.Certificate, chain []*x509.Certificate, alg Algorithm) (*Template, error) {
	oid := appendOIDContents(nil, contentType)
	if oid == nil {
		return nil, fmt.Errorf("cms: content type %v has no encoding", contentType)
	}
	return newTemplate(string(oid), slices.Clone(contentType), cert, chain, alg)
}

func newTemplate(oid string, contentType asn1.ObjectIdentifier, cert *x509.Certificate, chain []*x509.Certificate, alg Algorithm) (*Template, error) {
	id, err := identify(cert)
	if err != nil {
		return nil, err
	}
	pub, pss, err := id.publicKey()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAlgorithm, err)
	}
	if err := alg.suits(pub); err != nil {
		return nil, err
	}
	if pss != nil && !(alg.pss() && pss.allows(alg.Hash(), alg.Hash().Size())) {
		return nil, fmt.Errorf("%w: the certificate's key is for other parameters than %v", ErrAlgorithm, alg)
	}
	t := &Template{
		Certificate: cert, Chain: slices.Clone(chain), Algorithm: alg, ContentType: contentType,
		pub: pub, version: 1,
		content:   oidElement(oid),
		digests:   element(tagSet, alg.digestIdentifier()),
		signature: alg.identifier(),
	}
	if oid != oidData {
		t.version = 3
	}
	t.certs = certificateSet(cert, chain)
	t.signer = slices.Concat(
		[]byte{tagInteger, 1, 1},
		element(tagSequence, id.issuer, id.serial),
		alg.digestIdentifier())
	t.attrs, t.digestAt = signedAttributes(t.content, alg, id)
	return t, nil
}

// WithSigningTime returns a copy of t whose signed attributes also claim a time
// of signing, in whole seconds (RFC 5652, 11.3). ETSI EN 319 142-1, 6.3 forbids
// that; consumers of adbe.pkcs7.detached look for it. It is nil when the year
// is not one from 0 to 9999.
func (t *Template) WithSigningTime(at time.Time) *Template {
	id, err := identify(t.Certificate)
	if at = at.UTC(); err != nil || at.Year() < 0 || at.Year() > 9999 {
		return nil
	}
	dated := *t
	dated.attrs, dated.digestAt = signedAttributes(t.content, t.Algorithm, id, attribute(oidSigningTime, timeElement(at)))
	return &dated
}

// timeElement encodes Time: UTCTime from 1950 to 2049, GeneralizedTime otherwise
// (RFC 5652, 11.3).
func timeElement(at time.Time) []byte {
	if y := at.Year(); y >= 1950 && y < 2050 {
		return element(tagUTCTime, at.AppendFormat(nil, "060102150405Z"))
	}
	return element(tagTime, at.AppendFormat(nil, "20060102150405Z"))
}

// WithoutCertificates returns a copy of t that leaves all certificates out of what
// it builds, as a timestamp authority does when it was not asked for them
// (RFC 3161, 2.4.1).
func (t *Template) WithoutCertificates() *Template {
	bare := *t
	bare.certs = nil
	return &bare
}

// certificateSet encodes [0] IMPLICIT CertificateSet in the order of DER, the
// signer's certificate among the others: its place in the set says nothing.
func certificateSet(cert *x509.Certificate, chain []*x509.Certificate) []byte {
	raw := [][]byte{cert.Raw}
	for _, c := range chain {
		if c != nil {
			raw = append(raw, c.Raw)
		}
	}
	slices.SortFunc(raw, bytes.Compare)
	raw = slices.CompactFunc(raw, bytes.Equal)
	return element(tagContext0, raw...)
}

// signedAttributes encodes the attributes with zeros for the digest, in the
// order of a DER SET OF (X.690, 11.6), and says where the digest goes. The order
// does not depend on it, since the attribute types before it differ.
func signedAttributes(content []byte, alg Algorithm, id *identity, more ...[]byte) ([]byte, int) {
	hash := alg.Hash()
	digest := element(tagOctets, make([]byte, hash.Size()))
	message := attribute(oidMessageDigest, digest)
	list := append([][]byte{
		attribute(oidContentType, content),
		message,
		attribute(oidSigningCertV2, signingCertificateV2(hash, id)),
	}, more...)
	slices.SortFunc(list, bytes.Compare)
	out := element(tagSet, list...)
	at := len(out)
	for i := len(list) - 1; i >= 0; i-- {
		if at -= len(list[i]); bytes.Equal(list[i], message) {
			break
		}
	}
	return out, at + len(message) - hash.Size()
}

// attribute encodes an Attribute with one value.
func attribute(oid string, value []byte) []byte {
	return element(tagSequence, oidElement(oid), element(tagSet, value))
}

// signingCertificateV2 is SigningCertificateV2 (RFC 5035, 3) naming one
// certificate by its hash and by issuer and serial number, which EU DSS and
// pyHanko write as well. SHA-256 is the default of hashAlgorithm, so DER leaves
// it out.
func signingCertificateV2(hash crypto.Hash, id *identity) []byte {
	var parts []byte
	if hash != crypto.SHA256 {
		parts = element(tagSequence, oidElement(hashOID(hash)))
	}
	h := hash.New()
	h.Write(id.raw)
	parts = appendElement(parts, tagOctets, h.Sum(nil))
	issuer := element(tagSequence, element(tagContext4, id.issuer))
	parts = appendElement(parts, tagSequence, issuer, id.serial)
	return element(tagSequence, element(tagSequence, element(tagSequence, parts)))
}

// SignedAttributes returns the DER SET OF Attribute (tag 0x31) to be signed over
// a document with the given digest, made with t.Algorithm.Hash(): content-type,
// message-digest and signing-certificate-v2, nothing else (ETSI EN 319 142-1,
// 6.3) unless t is from [Template.WithSigningTime]. It returns nil when digest does
// not have the length of that hash.
func (t *Template) SignedAttributes(digest []byte) []byte {
	if len(digest) != t.Algorithm.Hash().Size() {
		return nil
	}
	out := slices.Clone(t.attrs)
	copy(out[t.digestAt:], digest)
	return out
}

// Made says whether attrs came from SignedAttributes of this template, over
// whatever digest.
func (t *Template) Made(attrs []byte) bool { return t.own(attrs) == nil }

// own says whether attrs came from SignedAttributes.
func (t *Template) own(attrs []byte) error {
	end := t.digestAt + t.Algorithm.Hash().Size()
	if len(attrs) != len(t.attrs) || !bytes.Equal(attrs[:t.digestAt], t.attrs[:t.digestAt]) ||
		!bytes.Equal(attrs[end:], t.attrs[end:]) {
		return ErrAttributes
	}
	return nil
}

// Sign signs attrs, as SignedAttributes returned them, with one call of signer:
// SignMessage when it is a [crypto.MessageSigner], else Sign over the hash of
// attrs, or over attrs themselves for Ed25519 and ML-DSA. PSS is asked for with a salt as
// long as the hash. The signer's key is not compared with the certificate (see
// [Template.Owns]) nor the signature checked (see [Template.Check]).
func (t *Template) Sign(signer crypto.Signer, attrs []byte) (signature []byte, err error) {
	if err := t.own(attrs); err != nil {
		return nil, err
	}
	signature, err = crypto.SignMessage(signer, rand.Reader, attrs, t.Algorithm.options())
	if err != nil {
		return nil, fmt.Errorf("cms: sign: %w", err)
	}
	return signature, nil
}

// Owns returns an error that is [ErrKeyMismatch] when pub is not the public key
// in the template's certificate; call it once when a signer is put beside it.
func (t *Template) Owns(pub crypto.PublicKey) error {
	if k, ok := t.pub.(interface{ Equal(crypto.PublicKey) bool }); ok && k.Equal(pub) {
		return nil
	}
	return ErrKeyMismatch
}

// Check verifies signature over attrs with the certificate's public key. It is
// what tells a signer that fails or is another credential's, before the
// signature goes out; the error is then a *VerifyError.
func (t *Template) Check(attrs, signature []byte) error {
	if err := t.own(attrs); err != nil {
		return err
	}
	s := t.Algorithm.scheme()
	return s.verify(t.pub, attrs, signature)
}

// scheme is the algorithm as verification sees it.
func (a Algorithm) scheme() scheme {
	s := scheme{hash: a.Hash()}
	switch {
	case a == Ed25519:
		s.kind = kindEd25519
	case a.mldsa() != nil:
		s.kind, s.mldsa = kindMLDSA, a
	case a >= ECDSASHA256:
		s.kind = kindECDSA
	case a.pss():
		s.kind, s.salt = kindPSS, a.Hash().Size()
	default:
		s.kind = kindPKCS1
	}
	return s
}
