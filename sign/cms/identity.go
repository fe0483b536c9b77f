package cms

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// identity is what a signature can say of a certificate.
type identity struct {
	cert   *x509.Certificate
	raw    []byte
	issuer []byte // Name
	serial []byte // INTEGER
}

func identify(cert *x509.Certificate) (*identity, error) {
	if cert == nil || len(cert.Raw) == 0 || len(cert.RawIssuer) == 0 || cert.SerialNumber == nil {
		return nil, errors.New("cms: certificate missing or not parsed from its encoding")
	}
	return &identity{cert: cert, raw: cert.Raw, issuer: cert.RawIssuer, serial: integerElement(cert.SerialNumber)}, nil
}

// integerElement encodes v, which may be negative: some serial numbers are.
func integerElement(v *big.Int) []byte {
	if v.Sign() >= 0 {
		return element(tagInteger, v.FillBytes(make([]byte, v.BitLen()/8+1)))
	}
	magnitude := new(big.Int).Not(v) // -v - 1: two's complement takes its inverse
	c := magnitude.FillBytes(make([]byte, magnitude.BitLen()/8+1))
	for i := range c {
		c[i] = ^c[i]
	}
	return element(tagInteger, c)
}

// publicKeyInfo reads SubjectPublicKeyInfo; key is the subjectPublicKey without
// tag, length and count of unused bits.
func publicKeyInfo(raw []byte) (alg AlgorithmIdentifier, key []byte, err error) {
	r := reader{b: raw, max: defaultDepth}
	h, err := r.open(len(raw), tagSequence, "SubjectPublicKeyInfo")
	if err != nil {
		return alg, nil, err
	}
	if alg, err = r.algorithm(h.end); err != nil {
		return alg, nil, err
	}
	if key, err = r.primitive(h.end, tagBits, "subjectPublicKey"); err != nil {
		return alg, nil, err
	}
	if len(key) == 0 || key[0] != 0 {
		return alg, nil, r.fail(h.body, "subjectPublicKey with unused bits")
	}
	return alg, key[1:], r.close(h)
}

func rsaPublicKey(b []byte) (*rsa.PublicKey, error) {
	r := reader{b: b, max: defaultDepth}
	h, err := r.open(len(b), tagSequence, "RSAPublicKey")
	if err != nil {
		return nil, err
	}
	n, err := r.primitive(h.end, tagInteger, "modulus")
	if err != nil {
		return nil, err
	}
	e, err := r.integer(h.end, "publicExponent")
	if err != nil {
		return nil, err
	}
	exponent := signed(e)
	if len(n) == 0 || n[0] >= 0x80 || exponent.BitLen() > 31 {
		return nil, r.fail(h.body, "modulus or exponent out of range")
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}, r.close(h)
}

// sameName compares two encoded Names.
func sameName(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return len(a) > 0
	}
	ca, cb := canonicalName(a), canonicalName(b)
	return ca != nil && bytes.Equal(ca, cb)
}

// canonicalName writes a Name so that two which people would call the same come
// out the same; nil when it cannot be read.
func canonicalName(raw []byte) []byte {
	r := reader{b: raw, max: defaultDepth}
	name, err := r.open(len(raw), tagSequence, "Name")
	if err != nil {
		return nil
	}
	out := make([]byte, 0, len(raw))
	for {
		more, err := r.more(name)
		if err != nil {
			return nil
		}
		if !more {
			return out
		}
		if out, err = r.canonicalRDN(out, name.end); err != nil {
			return nil
		}
	}
}

func (r *reader) canonicalRDN(out []byte, end int) ([]byte, error) {
	set, err := r.open(end, tagSet, "RelativeDistinguishedName")
	if err != nil {
		return nil, err
	}
	out = append(out, tagSet)
	for {
		more, err := r.more(set)
		if err != nil || !more {
			return out, err
		}
		pair, err := r.open(set.end, tagSequence, "AttributeTypeAndValue")
		if err != nil {
			return nil, err
		}
		oid, err := r.primitive(pair.end, tagOID, "attribute type")
		if err != nil {
			return nil, err
		}
		id, raw, err := r.any(pair.end)
		if err != nil {
			return nil, err
		}
		out = appendElement(out, tagOID, oid)
		out = appendElement(out, tagOctets, canonicalValue(id, raw))
		if err := r.close(pair); err != nil {
			return nil, err
		}
	}
}

// canonicalValue is a directory string in lower case with single spaces; any
// other value as it is.
func canonicalValue(id byte, raw []byte) []byte {
	r := reader{b: raw, max: defaultDepth}
	h, err := r.next(len(raw))
	if err != nil || h.indefinite {
		return raw
	}
	c := raw[h.body:h.end]
	var text []rune
	switch id {
	case 0x0c, 0x13, 0x16: // UTF8String, PrintableString, IA5String
		if !utf8.Valid(c) {
			return raw
		}
		text = []rune(string(c))
	case 0x14: // TeletexString, in practice Latin-1
		for _, b := range c {
			text = append(text, rune(b))
		}
	case 0x1e: // BMPString
		units := make([]uint16, 0, len(c)/2)
		for i := 0; i+1 < len(c); i += 2 {
			units = append(units, uint16(c[i])<<8|uint16(c[i+1]))
		}
		text = utf16.Decode(units)
	default:
		return raw
	}
	for i, u := range text {
		text[i] = unicode.ToLower(u)
	}
	return bytes.Join(bytes.Fields([]byte(string(text))), []byte{' '})
}
