package cms

import (
	"crypto"
	//lint:ignore SA1019 only to read old signatures, which are always reported as legacy
	"crypto/dsa"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"math/big"

	"github.com/cloudflare/circl/sign/ed448"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

type kind int

const (
	kindPKCS1 kind = iota + 1
	kindPSS
	kindECDSA
	kindPlainECDSA
	kindEd25519
	kindEd448
	kindDSA
	kindMLDSA
)

// scheme is how a signature value is to be verified.
type scheme struct {
	kind  kind
	hash  crypto.Hash
	salt  int         // PSS
	mldsa Algorithm   // the parameter set of ML-DSA
	named crypto.Hash // PKCS #1: the hash that the signature algorithm names, if another
}

// String is the usual name, "ECDSA with SHA-256".
func (s scheme) String() string {
	name := ""
	switch s.kind {
	case kindPKCS1:
		name = "RSA"
	case kindPSS:
		name = "RSA-PSS"
	case kindECDSA:
		name = "ECDSA"
	case kindPlainECDSA:
		name = "plain ECDSA"
	case kindDSA:
		name = "DSA"
	case kindEd448:
		return "Ed448"
	case kindMLDSA:
		return s.mldsa.String()
	default:
		return "Ed25519"
	}
	return name + " with " + s.hash.String()
}

// pure says that the message is signed itself, not a digest of it.
func (s scheme) pure() bool {
	return s.kind == kindEd25519 || s.kind == kindEd448 || s.kind == kindMLDSA
}

// schemeOf reads the signature algorithm beside the digest algorithm. A
// signature algorithm that names a hash must name the same one (RFC 5754, 3;
// RFC 8933). With PKCS #1 v1.5 another one is only noted: the signature value
// itself says which was used, so that it cannot be read two ways.
func schemeOf(alg AlgorithmIdentifier, function Digest) (scheme, error) {
	switch a := mldsaOf(alg.oid); {
	case string(alg.oid) == oidEd448:
		return ed448Scheme(alg, function)
	case a != 0:
		return mldsaScheme(a, alg, function)
	case function == SHAKE256:
		return scheme{}, refuse(ReasonUnsupported, "SHAKE256 with signature algorithm %v", alg.Algorithm)
	}
	digest := crypto.Hash(function)
	s := scheme{hash: digest}
	switch string(alg.oid) {
	case oidRSAPSS:
		p, err := parsePSS(alg.Parameters)
		if err != nil {
			return s, refuse(ReasonInconsistent, "RSA-PSS parameters: %v", err)
		}
		s.kind, s.salt = kindPSS, p.salt
		return s, p.consistent(digest)
	case oidEd25519:
		if s.kind = kindEd25519; digest != crypto.SHA512 {
			return s, refuse(ReasonInconsistent, "Ed25519 with %v, want SHA-512 (RFC 8419)", digest)
		}
	case oidECPublicKey: // written by some instead of ecdsa-with-…; parameters name the curve
		s.kind = kindECDSA
		return s, nil
	default:
		kind, hash, ok := signatureHash(alg.oid)
		if !ok {
			return s, refuse(ReasonUnsupported, "signature algorithm %v", alg.Algorithm)
		}
		s.kind = kind
		if hash != 0 && hash != digest && kind == kindPKCS1 {
			s.named = hash
		} else if hash != 0 && hash != digest {
			return s, refuse(ReasonInconsistent, "digest algorithm %v, signature algorithm with %v", digest, hash)
		}
	}
	if !alg.plain() {
		return s, refuse(ReasonInconsistent, "unexpected parameters of signature algorithm %v", alg.Algorithm)
	}
	return s, nil
}

// ed448Scheme is schemeOf for Ed448: with SHAKE256 (RFC 8419, 3.1) and, as for
// Ed25519, parameters absent or NULL.
func ed448Scheme(alg AlgorithmIdentifier, digest Digest) (scheme, error) {
	if digest != SHAKE256 {
		return scheme{}, refuse(ReasonInconsistent, "Ed448 with %v, want SHAKE256 (RFC 8419)", digest)
	}
	if !alg.plain() {
		return scheme{}, refuse(ReasonInconsistent, "unexpected parameters of signature algorithm Ed448")
	}
	return scheme{kind: kindEd448}, nil
}

// plain says that the parameters are absent or NULL.
func (a AlgorithmIdentifier) plain() bool {
	if a.Parameters == nil {
		return true
	}
	r := reader{b: a.Parameters}
	h, err := r.next(len(a.Parameters))
	return err == nil && h.id == tagNull && h.body == len(a.Parameters)
}

// signatureHash knows the identifiers that name a kind of signature and a hash
// function together, and rsaEncryption and id-dsa, which leave the hash open
// (zero).
func signatureHash(oid []byte) (kind, crypto.Hash, bool) {
	switch string(oid) {
	case oidRSA:
		return kindPKCS1, 0, true
	case oidOIWSHA1RSA:
		return kindPKCS1, crypto.SHA1, true
	case oidRSARIPEMD:
		return kindPKCS1, crypto.RIPEMD160, true
	case oidECDSASHA1:
		return kindECDSA, crypto.SHA1, true
	case oidDSA:
		return kindDSA, 0, true
	case oidDSASHA1:
		return kindDSA, crypto.SHA1, true
	}
	if n, ok := lastArc(oid, oidPKCS1); ok {
		h, ok := pick(n, 0x04, crypto.MD5, crypto.SHA1)
		if !ok {
			h, ok = pick(n, 0x0b, crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA224, crypto.SHA512_224, crypto.SHA512_256)
		}
		return kindPKCS1, h, ok
	}
	if n, ok := lastArc(oid, oidECDSASHA2); ok {
		h, ok := pick(n, 1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512)
		return kindECDSA, h, ok
	}
	if n, ok := lastArc(oid, oidNISTSig); ok {
		h, ok := pick(n, 1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512,
			crypto.SHA3_224, crypto.SHA3_256, crypto.SHA3_384, crypto.SHA3_512)
		if ok {
			return kindDSA, h, true
		}
		if h, ok := pick(n, 9, crypto.SHA3_224, crypto.SHA3_256, crypto.SHA3_384, crypto.SHA3_512); ok {
			return kindECDSA, h, true
		}
		h, ok = pick(n, 13, crypto.SHA3_224, crypto.SHA3_256, crypto.SHA3_384, crypto.SHA3_512)
		return kindPKCS1, h, ok
	}
	if n, ok := lastArc(oid, oidPlainECDSA); ok { // BSI TR-03111, 5.2.1.1
		h, ok := pick(n, 1, crypto.SHA1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.RIPEMD160)
		if !ok {
			h, ok = pick(n, 8, crypto.SHA3_224, crypto.SHA3_256, crypto.SHA3_384, crypto.SHA3_512)
		}
		return kindPlainECDSA, h, ok
	}
	return 0, 0, false
}

func pick(n, first byte, list ...crypto.Hash) (crypto.Hash, bool) {
	if i := int(n) - int(first); i >= 0 && i < len(list) {
		return list[i], true
	}
	return 0, false
}

// accepts says whether a key is of the scheme's type and one to compute with.
func (s scheme) accepts(pub crypto.PublicKey, only *pssParameters) error {
	ok := false
	switch k := pub.(type) {
	case *rsa.PublicKey:
		ok = s.kind == kindPKCS1 && only == nil || s.kind == kindPSS
		if err := soundRSA(k); err != nil {
			return err
		}
		if ok && only != nil && !only.allows(s.hash, s.salt) {
			return refuse(ReasonInconsistent, "%v is not what the certificate's key is for", s)
		}
	case *ecdsa.PublicKey:
		ok = s.kind == kindECDSA || s.kind == kindPlainECDSA
		if err := soundECDSA(k); err != nil {
			return err
		}
	case ed25519.PublicKey:
		ok = s.kind == kindEd25519
	case ed448.PublicKey:
		ok = s.kind == kindEd448
	case *dsa.PublicKey:
		ok = s.kind == kindDSA
		if err := soundDSA(k); err != nil {
			return err
		}
	default:
		ok = s.kind == kindMLDSA && s.mldsa == mldsaKey(pub)
	}
	if !ok {
		return refuse(ReasonInconsistent, "%v with a key of type %T", s, pub)
	}
	return nil
}

func soundRSA(k *rsa.PublicKey) error {
	if k.N == nil {
		return refuse(ReasonKey, "RSA modulus missing")
	}
	switch bits := k.N.BitLen(); {
	case bits > maxRSABits || bits < minRSABits:
		return refuse(ReasonKey, "RSA modulus of %d bits", bits)
	case k.E < 3 || k.E&1 == 0:
		return refuse(ReasonKey, "RSA public exponent %d", k.E)
	case k.N.Bit(0) == 0:
		return refuse(ReasonKey, "RSA modulus is even")
	}
	return nil
}

// verify checks sig over message.
func (s scheme) verify(pub crypto.PublicKey, message, sig []byte) error {
	if s.pure() {
		ok := false
		switch k := pub.(type) {
		case ed25519.PublicKey:
			ok = ed25519.Verify(k, message, sig)
		case ed448.PublicKey:
			ok = ed448.Verify(k, message, sig, "")
		default:
			ok = s.kind == kindMLDSA && verifyMLDSA(pub, message, sig)
		}
		if !ok {
			return refuse(ReasonSignature, "not a signature by this key")
		}
		return nil
	}
	var room [64]byte
	h := s.hash.New()
	h.Write(message)
	return s.verifyDigest(pub, h.Sum(room[:0]), sig)
}

// verifyDigest checks sig over a message with the given digest.
func (s scheme) verifyDigest(pub crypto.PublicKey, digest, sig []byte) error {
	ok := false
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if s.kind == kindPKCS1 {
			ok = verifyPKCS1(k, s.hash, digest, sig)
		} else {
			ok = verifyPSS(k, s.hash, s.salt, digest, sig)
		}
	case *ecdsa.PublicKey:
		der, err := s.ecdsaValue(k, sig)
		if err != nil {
			return err
		}
		ok = ecdsa.VerifyASN1(k, digest, der)
	case *dsa.PublicKey:
		r, t, err := signaturePair(sig, k.Q)
		if err != nil {
			return err
		}
		ok = verifyDSA(k, digest, r, t)
	}
	if !ok {
		return refuse(ReasonSignature, "not a signature by this key")
	}
	return nil
}

// ecdsaValue returns the signature as Ecdsa-Sig-Value with r and s from 1 to the
// order of the curve less one, and refuses any other.
func (s scheme) ecdsaValue(k *ecdsa.PublicKey, sig []byte) ([]byte, error) {
	order := k.Curve.Params().N
	if s.kind == kindECDSA {
		_, _, err := signaturePair(sig, order)
		return sig, err
	}
	n := (order.BitLen() + 7) / 8
	if len(sig) != 2*n {
		return nil, refuse(ReasonSignature, "plain ECDSA signature of %d bytes, want %d", len(sig), 2*n)
	}
	r := integerElement(new(big.Int).SetBytes(sig[:n]))
	der := element(tagSequence, r, integerElement(new(big.Int).SetBytes(sig[n:])))
	_, _, err := signaturePair(der, order)
	return der, err
}

// signaturePair reads Ecdsa-Sig-Value or Dss-Sig-Value (RFC 3279, 2.2.2 and
// 2.2.3): DER with r and s from 1 to the order of the group less one.
func signaturePair(sig []byte, order *big.Int) (r, s *big.Int, err error) {
	r, s = new(big.Int), new(big.Int)
	in := cryptobyte.String(sig)
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() ||
		!seq.ReadASN1Integer(r) || !seq.ReadASN1Integer(s) || !seq.Empty() {
		return nil, nil, refuse(ReasonSignature, "signature is not a DER sequence of two integers")
	}
	if r.Sign() <= 0 || s.Sign() <= 0 || r.Cmp(order) >= 0 || s.Cmp(order) >= 0 {
		return nil, nil, refuse(ReasonSignature, "r or s of the signature is zero or out of range")
	}
	return r, s, nil
}

// legacy lists what of scheme and key is too weak to rely on.
func (s scheme) legacy(pub crypto.PublicKey) (out []string) {
	switch s.hash {
	case crypto.MD5, crypto.SHA1, crypto.RIPEMD160:
		out = append(out, s.hash.String())
	}
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < soundRSABits {
			out = append(out, fmt.Sprintf("RSA key of %d bits", n))
		}
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P224() {
			out = append(out, "curve P-224")
		}
	case *dsa.PublicKey:
		out = append(out, fmt.Sprintf("DSA key of %d bits", k.P.BitLen()))
	}
	return out
}
