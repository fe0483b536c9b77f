package cms

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
)

// ParseRaw reads the OCTET STRING that /Contents holds when /SubFilter is
// adbe.x509.rsa_sha1 (ISO 32000-2, 12.8.3.2): a bare PKCS #1 signature over the
// document. length is how many bytes it takes in b.
func ParseRaw(b []byte) (signature []byte, length int, err error) {
	r := reader{b: b, max: defaultDepth}
	if len(b) > defaultSize {
		r.b, r.cut = b[:defaultSize], defaultSize
	}
	signature, err = r.octets(len(r.b), tagOctets, "OCTET STRING")
	return signature, r.pos, err
}

// RawHash tells with which hash function the document of a bare signature is to
// be hashed: the signature itself says so to who holds the certificate's RSA key.
func RawHash(cert *x509.Certificate, signature []byte) (crypto.Hash, error) {
	k, err := rawKey(cert)
	if err != nil {
		return 0, err
	}
	em := openRSA(k, signature)
	for _, h := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.RIPEMD160, crypto.MD5} {
		if n := len(em) - h.Size(); n > 0 && bytes.Equal(em, encodePKCS1(len(em), h, em[n:])) {
			return h, nil
		}
	}
	return 0, refuse(ReasonSignature, "not a signature by this key, or with an unknown hash function")
}

// VerifyRaw checks a bare PKCS #1 signature over a document with the given
// digest, made with hash; see [RawHash]. It binds no certificate and, with a hash
// function or key that is legacy, is refused like one in a SignerInfo.
func VerifyRaw(cert *x509.Certificate, hash crypto.Hash, digest, signature []byte, opt *VerifyOptions) (*Result, error) {
	k, err := rawKey(cert)
	if err != nil {
		return nil, err
	}
	if hashOID(hash) == "" || len(digest) != hash.Size() {
		return nil, refuse(ReasonDigestMismatch, "digest of %d bytes with hash function %d", len(digest), hash)
	}
	s := scheme{kind: kindPKCS1, hash: hash}
	if err := s.verifyDigest(k, digest, signature); err != nil {
		return nil, err
	}
	res := &Result{Algorithm: s.String(), Hash: hash, PublicKey: k, Legacy: s.legacy(k)}
	return opt.judge(res)
}

func rawKey(cert *x509.Certificate) (*rsa.PublicKey, error) {
	id, err := identify(cert)
	if err != nil {
		return nil, refuse(ReasonCertificate, "%v", err)
	}
	pub, only, err := id.publicKey()
	if err != nil {
		return nil, refuse(ReasonUnsupported, "%v", err)
	}
	if err := (scheme{kind: kindPKCS1}).accepts(pub, only); err != nil {
		return nil, err
	}
	return pub.(*rsa.PublicKey), nil
}
