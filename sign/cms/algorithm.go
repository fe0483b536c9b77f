package cms

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
)

// Algorithm is a way to sign: a key type, a padding and a hash function. The
// zero value is none.
type Algorithm int

// The algorithms a Template can sign with (ETSI TS 119 312, 7).
const (
	RSAPKCS1SHA256 Algorithm = iota + 1
	RSAPKCS1SHA384
	RSAPKCS1SHA512
	RSAPSSSHA256
	RSAPSSSHA384
	RSAPSSSHA512
	ECDSASHA256
	ECDSASHA384
	ECDSASHA512
	Ed25519
	MLDSA44 // ML-DSA, in programs built with Go 1.27 or later (RFC 9882)
	MLDSA65
	MLDSA87
)

// Keys outside this range are refused for signing; verification reads more.
const minSignRSA, maxSignRSA = 2048, 4096

// String is the usual name, "RSA-PSS with SHA-256".
func (a Algorithm) String() string {
	switch {
	case a >= RSAPKCS1SHA256 && a <= RSAPKCS1SHA512:
		return "RSA with " + a.Hash().String()
	case a.pss():
		return "RSA-PSS with " + a.Hash().String()
	case a >= ECDSASHA256 && a <= ECDSASHA512:
		return "ECDSA with " + a.Hash().String()
	case a == Ed25519:
		return "Ed25519"
	case a.mldsa() != nil:
		return a.mldsa().name
	}
	return fmt.Sprintf("Algorithm(%d)", int(a))
}

// Hash is the function that the document is hashed with: for Ed25519 SHA-512
// (RFC 8419, 3.1), as for ML-DSA (RFC 9882, 3.3), zero for no algorithm.
func (a Algorithm) Hash() crypto.Hash {
	switch a {
	case RSAPKCS1SHA256, RSAPSSSHA256, ECDSASHA256:
		return crypto.SHA256
	case RSAPKCS1SHA384, RSAPSSSHA384, ECDSASHA384:
		return crypto.SHA384
	case RSAPKCS1SHA512, RSAPSSSHA512, ECDSASHA512, Ed25519, MLDSA44, MLDSA65, MLDSA87:
		return crypto.SHA512
	}
	return 0
}

func (a Algorithm) pss() bool { return a >= RSAPSSSHA256 && a <= RSAPSSSHA512 }

// AlgorithmFor is the algorithm to sign with when nothing else is asked for:
// RSA PKCS #1 v1.5 with SHA-256, ECDSA with the hash function as long as the
// curve, Ed25519, ML-DSA with the key's parameter set. A key that cannot sign here
// gives an error that is ErrAlgorithm.
func AlgorithmFor(pub crypto.PublicKey) (Algorithm, error) {
	a := Algorithm(0)
	switch k := pub.(type) {
	case *rsa.PublicKey:
		a = RSAPKCS1SHA256
	case *ecdsa.PublicKey:
		if k == nil {
			break
		}
		switch k.Curve {
		case elliptic.P256():
			a = ECDSASHA256
		case elliptic.P384():
			a = ECDSASHA384
		case elliptic.P521():
			a = ECDSASHA512
		}
	case ed25519.PublicKey:
		a = Ed25519
	default:
		a = mldsaKey(pub)
	}
	return a, a.suits(pub)
}

// AlgorithmOf is [AlgorithmFor] of the key in a certificate, also of one that
// crypto/x509 leaves out: RSA-PSS with SHA-256 where the key is for that alone. The
// error says what the key is.
func AlgorithmOf(cert *x509.Certificate) (Algorithm, error) {
	id, err := identify(cert)
	if err != nil {
		return 0, err
	}
	pub, pss, err := id.publicKey()
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrAlgorithm, err)
	}
	if pss != nil {
		return RSAPSSSHA256, RSAPSSSHA256.suits(pub)
	}
	return AlgorithmFor(pub)
}

// suits says whether a key can sign with the algorithm.
func (a Algorithm) suits(pub crypto.PublicKey) error {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if a < RSAPKCS1SHA256 || a > RSAPSSSHA512 {
			break
		}
		if k == nil || k.N == nil {
			break
		}
		if n := k.N.BitLen(); n < minSignRSA || n > maxSignRSA {
			return fmt.Errorf("%w: RSA key of %d bits, want %d to %d", ErrAlgorithm, n, minSignRSA, maxSignRSA)
		}
		if k.E < 3 || k.E&1 == 0 {
			return fmt.Errorf("%w: RSA public exponent %d", ErrAlgorithm, k.E)
		}
		return nil
	case *ecdsa.PublicKey:
		if k == nil {
			break
		}
		switch k.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
		default:
			return fmt.Errorf("%w: curve other than P-256, P-384, P-521", ErrAlgorithm)
		}
		if a >= ECDSASHA256 && a <= ECDSASHA512 {
			return nil
		}
	case ed25519.PublicKey:
		if a == Ed25519 {
			return nil
		}
	default:
		if a.mldsa() != nil && a == mldsaKey(pub) {
			return nil
		}
	}
	return fmt.Errorf("%w: %v with a key of type %T", ErrAlgorithm, a, pub)
}

// maxSignature is the length of the longest signature value with the key: the
// modulus for RSA, two DER integers of the order's length for ECDSA.
func maxSignature(pub crypto.PublicKey) int {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return k.Size()
	case *ecdsa.PublicKey:
		bits := k.Curve.Params().N.BitLen()
		return elementSize(2 * elementSize(bits/8+1)) // a further bit for the sign
	}
	if p := mldsaKey(pub).mldsa(); p != nil {
		return p.signature
	}
	return ed25519.SignatureSize
}

// identifier is the DER AlgorithmIdentifier of the signature: RFC 4055 for RSA
// (parameters NULL), RFC 5758 for ECDSA, RFC 8419 for Ed25519 and RFC 9882 for
// ML-DSA (absent).
func (a Algorithm) identifier() []byte {
	null := []byte{tagNull, 0}
	switch a {
	case RSAPKCS1SHA256, RSAPKCS1SHA384, RSAPKCS1SHA512:
		last := byte(0x0b + a - RSAPKCS1SHA256)
		return element(tagSequence, oidElement(oidPKCS1+string([]byte{last})), null)
	case RSAPSSSHA256, RSAPSSSHA384, RSAPSSSHA512:
		return element(tagSequence, oidElement(oidRSAPSS), a.pssParameters())
	case ECDSASHA256, ECDSASHA384, ECDSASHA512:
		last := byte(0x02 + a - ECDSASHA256)
		return element(tagSequence, oidElement(oidECDSASHA2+string([]byte{last})))
	}
	if p := a.mldsa(); p != nil {
		return element(tagSequence, oidElement(oidNISTSig+string([]byte{p.arc})))
	}
	return element(tagSequence, oidElement(oidEd25519))
}

// pssParameters is RSASSA-PSS-params (RFC 4055, 3.1) with the hash function for
// both message and mask, and a salt as long as the hash. The trailer field is
// the default, left out.
func (a Algorithm) pssParameters() []byte {
	hash := element(tagSequence, oidElement(hashOID(a.Hash())), []byte{tagNull, 0})
	mask := element(tagSequence, oidElement(oidMGF1), hash)
	salt := []byte{tagInteger, 1, byte(a.Hash().Size())}
	return element(tagSequence,
		element(tagContext0, hash), element(tagContext1, mask), element(tagContext2, salt))
}

// digestIdentifier is the DER AlgorithmIdentifier of the hash function, without
// parameters (RFC 5754, 2).
func (a Algorithm) digestIdentifier() []byte {
	return element(tagSequence, oidElement(hashOID(a.Hash())))
}

// options are what crypto.Signer.Sign wants to hear.
func (a Algorithm) options() crypto.SignerOpts {
	switch {
	case a == Ed25519, a.mldsa() != nil:
		return crypto.Hash(0)
	case a.pss():
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: a.Hash()}
	}
	return a.Hash()
}
