package cms

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
)

// SignerInfo is one signature (RFC 5652, 5.3), as parsed.
type SignerInfo struct {
	Version int
	// The certificate is named by RawIssuer (an encoded Name) and Serial, or by
	// SubjectKeyID; the other is nil.
	RawIssuer    []byte
	Serial       *big.Int
	SubjectKeyID []byte
	// DigestAlgorithm is what the document is hashed with, zero when it is not a
	// known one or is SHAKE256 (see [SignerInfo.Digest]); DigestIdentifier is what
	// was said.
	DigestAlgorithm    crypto.Hash
	DigestIdentifier   AlgorithmIdentifier
	SignatureAlgorithm AlgorithmIdentifier
	SignedAttributes   []Attribute
	// RawSignedAttributes are the octets received, but for the first, which is
	// made 0x31 (SET OF); nil without signed attributes.
	RawSignedAttributes []byte
	UnsignedAttributes  []Attribute
	Signature           []byte

	contentType []byte // of the SignedData, contents octets
}

// Matches says whether cert is the one the signer names: by issuer and serial
// number, or by subject key identifier. Issuer names are compared octet by octet
// and, when they differ, in their values without regard to string type, case and
// repeated spaces (RFC 5280, 7.1).
func (si *SignerInfo) Matches(cert *x509.Certificate) bool {
	if cert == nil {
		return false
	}
	if si.SubjectKeyID != nil {
		if len(cert.SubjectKeyId) > 0 {
			return bytes.Equal(si.SubjectKeyID, cert.SubjectKeyId)
		}
		_, key, err := publicKeyInfo(cert.RawSubjectPublicKeyInfo)
		sum := sha1.Sum(key)
		return err == nil && bytes.Equal(si.SubjectKeyID, sum[:])
	}
	return si.Serial != nil && cert.SerialNumber != nil &&
		si.Serial.Cmp(cert.SerialNumber) == 0 && sameName(si.RawIssuer, cert.RawIssuer)
}

// Unsigned returns the values, encoded, of the unsigned attributes of a type,
// such as [TimestampToken], in the order received.
func (si *SignerInfo) Unsigned(oid asn1.ObjectIdentifier) [][]byte {
	return valuesOf(si.UnsignedAttributes, oid)
}

// Signed is [SignerInfo.Unsigned] for the signed attributes.
func (si *SignerInfo) Signed(oid asn1.ObjectIdentifier) [][]byte {
	return valuesOf(si.SignedAttributes, oid)
}

func valuesOf(list []Attribute, oid asn1.ObjectIdentifier) (out [][]byte) {
	for i := range list {
		if list[i].Type.Equal(oid) {
			out = append(out, list[i].Values...)
		}
	}
	return out
}

func (p *parser) signers(end int) error {
	var before []byte
	return p.each(end, tagSet, "signerInfos", "Signers", p.lim.Signers, func(h header) error {
		start := p.pos
		si, err := p.signerInfo(h.end)
		if err != nil {
			return err
		}
		p.ordered(before, p.b[start:p.pos])
		before = p.b[start:p.pos]
		p.sd.Signers = append(p.sd.Signers, si)
		return nil
	})
}

func (p *parser) signerInfo(end int) (si SignerInfo, err error) {
	h, err := p.open(end, tagSequence, "SignerInfo")
	if err != nil {
		return si, err
	}
	si.contentType = p.sd.contentType
	if si.Version, err = p.version(h.end); err != nil {
		return si, err
	}
	if err := p.signerIdentifier(h, &si); err != nil {
		return si, err
	}
	if si.DigestIdentifier, err = p.algorithm(h.end); err != nil {
		return si, err
	}
	if si.DigestAlgorithm = hashOf(si.DigestIdentifier.oid); si.DigestAlgorithm == 0 {
		// Some name the signature algorithm here, which names a hash as well.
		_, si.DigestAlgorithm, _ = signatureHash(si.DigestIdentifier.oid)
	}
	if p.is(h, tagContext0) {
		start := p.pos
		if si.SignedAttributes, err = p.attributes(h.end, tagContext0); err != nil {
			return si, err
		}
		si.RawSignedAttributes = bytes.Clone(p.b[start:p.pos])
		si.RawSignedAttributes[0] = tagSet
	}
	if si.SignatureAlgorithm, err = p.algorithm(h.end); err != nil {
		return si, err
	}
	if si.Signature, err = p.octets(h.end, tagOctets, "signature"); err != nil {
		return si, err
	}
	if p.is(h, tagContext1) {
		if si.UnsignedAttributes, err = p.attributes(h.end, tagContext1); err != nil {
			return si, err
		}
	}
	return si, p.close(h)
}

// signerIdentifier reads issuerAndSerialNumber or [0] subjectKeyIdentifier.
func (p *parser) signerIdentifier(h header, si *SignerInfo) (err error) {
	if p.is(h, 0x80) || p.is(h, tagContext0) {
		si.SubjectKeyID, err = p.octets(h.end, 0x80, "subjectKeyIdentifier")
		return err
	}
	si.RawIssuer, si.Serial, err = p.issuerAndSerial(h.end)
	return err
}

// issuerAndSerial reads a SEQUENCE of an element and an INTEGER.
func (r *reader) issuerAndSerial(end int) (issuer []byte, serial *big.Int, err error) {
	h, err := r.open(end, tagSequence, "issuer and serial number")
	if err != nil {
		return nil, nil, err
	}
	id, issuer, err := r.any(h.end)
	if err != nil {
		return nil, nil, err
	}
	if id != tagSequence {
		return nil, nil, r.fail(h.body, "issuer expected")
	}
	c, err := r.integer(h.end, "serial number")
	if err != nil {
		return nil, nil, err
	}
	return issuer, signed(c), r.close(h)
}

func (p *parser) attributes(end int, id byte) (list []Attribute, err error) {
	list = make([]Attribute, 0, 4)
	var before []byte
	err = p.each(end, id, "attributes", "Attributes", p.lim.Attributes, func(h header) error {
		a, err := p.attribute(h.end)
		if err != nil {
			return err
		}
		p.ordered(before, a.Raw)
		before = a.Raw
		list = append(list, a)
		return nil
	})
	return list, err
}

func (p *parser) attribute(end int) (a Attribute, err error) {
	h, err := p.open(end, tagSequence, "Attribute")
	if err != nil {
		return a, err
	}
	if a.oid, err = p.primitive(h.end, tagOID, "attribute type"); err != nil {
		return a, err
	}
	a.Type = decodeOID(a.oid)
	err = p.each(h.end, tagSet, "attribute values", "Attributes", p.lim.Attributes, func(set header) error {
		_, raw, err := p.any(set.end)
		a.Values = append(a.Values, raw)
		return err
	})
	if err != nil {
		return a, err
	}
	err = p.close(h)
	a.Raw = p.b[h.start:p.pos:p.pos]
	return a, err
}
