package cms

import (
	"bytes"
	"crypto/x509"
	"math/big"
	"slices"
)

// ParseCertificate is [x509.ParseCertificate] that also reads three kinds of
// certificate which issuers have given out and crypto/x509 refuses: with a
// negative serial number, with an RSA modulus that lacks its leading zero, and
// with a key on a curve that crypto/ecdsa does not have (PublicKey is then nil;
// those on Brainpool curves verify nevertheless, see [SignerInfo.Verify]).
// Raw, RawTBSCertificate, RawSubjectPublicKeyInfo and SerialNumber are as
// received, so that hashes and the issuer's signature come out right.
func ParseCertificate(raw []byte) (*x509.Certificate, error) {
	cert, first := x509.ParseCertificate(raw)
	if first == nil {
		return cert, nil
	}
	p, err := takeApart(raw)
	if err != nil {
		return nil, first
	}
	fixed, changed := p.repaired()
	if !changed {
		return nil, first
	}
	if cert, err = x509.ParseCertificate(fixed); err != nil {
		return nil, first
	}
	cert.Raw = bytes.Clone(raw)
	cert.RawTBSCertificate = bytes.Clone(p.tbs)
	cert.RawSubjectPublicKeyInfo = bytes.Clone(p.spki)
	cert.SerialNumber = signed(p.serial)
	return cert, nil
}

// certificateParts is a Certificate cut where it may need repair (RFC 5280, 4.1).
type certificateParts struct {
	tbs    []byte // tbsCertificate
	before []byte // in tbs: version
	serial []byte // contents of serialNumber
	middle []byte // signature to subject
	spki   []byte // subjectPublicKeyInfo
	after  []byte // unique identifiers and extensions
	tail   []byte // signatureAlgorithm and signatureValue
}

func takeApart(raw []byte) (p certificateParts, err error) {
	r := reader{b: raw, max: defaultDepth}
	outer, err := r.open(len(raw), tagSequence, "Certificate")
	if err != nil {
		return p, err
	}
	tbs, err := r.open(outer.end, tagSequence, "tbsCertificate")
	if err != nil {
		return p, err
	}
	if outer.indefinite || tbs.indefinite || outer.end != len(raw) {
		return p, r.fail(0, "certificate is not DER")
	}
	p.tbs, p.tail = raw[tbs.start:tbs.end], raw[tbs.end:outer.end]
	if r.is(tbs, tagContext0) {
		if _, p.before, err = r.any(tbs.end); err != nil {
			return p, err
		}
	}
	if p.serial, err = r.integer(tbs.end, "serialNumber"); err != nil {
		return p, err
	}
	start := r.pos
	for range 4 { // signature, issuer, validity, subject
		if _, _, err = r.any(tbs.end); err != nil {
			return p, err
		}
	}
	p.middle = raw[start:r.pos]
	if _, p.spki, err = r.any(tbs.end); err != nil {
		return p, err
	}
	p.after = raw[r.pos:tbs.end]
	return p, nil
}

// repaired puts the certificate together in a way that crypto/x509 reads.
func (p certificateParts) repaired() (raw []byte, changed bool) {
	serial, spki := p.serial, p.spki
	if serial[0] >= 0x80 {
		serial, changed = slices.Concat([]byte{0}, serial), true
	}
	if fixed := repairedKey(spki); fixed != nil {
		spki, changed = fixed, true
	}
	tbs := element(tagSequence, p.before, element(tagInteger, serial), p.middle, spki, p.after)
	return element(tagSequence, tbs, p.tail), changed
}

// repairedKey returns a SubjectPublicKeyInfo with a positive modulus, or one of
// an unknown type for a key on an unknown curve; nil when there is nothing to do.
func repairedKey(spki []byte) []byte {
	if _, err := x509.ParsePKIXPublicKey(spki); err == nil {
		return nil
	}
	alg, key, err := publicKeyInfo(spki)
	if err != nil {
		return nil
	}
	switch string(alg.oid) {
	case oidRSA:
		r := reader{b: key, max: defaultDepth}
		h, err := r.open(len(key), tagSequence, "RSAPublicKey")
		if err != nil {
			return nil
		}
		n, err := r.primitive(h.end, tagInteger, "modulus")
		if err != nil || len(n) == 0 || n[0] < 0x80 {
			return nil
		}
		modulus := integerElement(new(big.Int).SetBytes(n))
		fixed := element(tagSequence, modulus, key[r.pos:h.end])
		id := element(tagSequence, oidElement(oidRSA), alg.Parameters)
		return element(tagSequence, id, element(tagBits, []byte{0}, fixed))
	case oidECPublicKey:
		id := element(tagSequence, oidElement(oidECPublicKey+"\x7f"), alg.Parameters)
		return element(tagSequence, id, element(tagBits, []byte{0}, key))
	}
	return nil
}
