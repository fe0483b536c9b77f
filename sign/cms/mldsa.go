package cms

import (
	"crypto"
	"fmt"
)

// ML-DSA (FIPS 204) in CMS is RFC 9882: the signed attributes are signed as they
// are, with an empty context and never pre-hashed; the document is hashed with
// SHA-512. Keys and signatures are crypto/mldsa, which Go has since 1.27: programs
// built with an older one refuse these certificates.

// mldsaParameters is what the parameter set of an algorithm fixes.
type mldsaParameters struct {
	name      string
	arc       byte // the last of the identifier (RFC 9882, 2)
	signature int  // bytes
	digest    int  // the fewest bytes of a hash function that is strong enough (3.3)
}

// mldsa is the parameter set of a; nil when a is another algorithm.
func (a Algorithm) mldsa() *mldsaParameters {
	switch a {
	case MLDSA44:
		return &mldsaParameters{"ML-DSA-44", 0x11, 2420, 32}
	case MLDSA65:
		return &mldsaParameters{"ML-DSA-65", 0x12, 3309, 48}
	case MLDSA87:
		return &mldsaParameters{"ML-DSA-87", 0x13, 4627, 64}
	}
	return nil
}

// mldsaOf is the algorithm that an identifier names, zero when it is another.
func mldsaOf(oid []byte) Algorithm {
	if last, ok := lastArc(oid, oidNISTSig); ok && last >= 0x11 && last <= 0x13 {
		return MLDSA44 + Algorithm(last-0x11)
	}
	return 0
}

// mldsaScheme is schemeOf for ML-DSA: without parameters, and with a hash function
// of the document that is not weaker than the signature (RFC 9882, 3.3 and 3.4).
func mldsaScheme(alg Algorithm, id AlgorithmIdentifier, digest Digest) (scheme, error) {
	p := alg.mldsa()
	if id.Parameters != nil {
		return scheme{}, refuse(ReasonInconsistent, "unexpected parameters of signature algorithm %s", p.name)
	}
	switch digest {
	case SHAKE256:
	case Digest(crypto.SHA256), Digest(crypto.SHA384), Digest(crypto.SHA512),
		Digest(crypto.SHA3_256), Digest(crypto.SHA3_384), Digest(crypto.SHA3_512):
		if digest.Size() < p.digest {
			return scheme{}, refuse(ReasonInconsistent, "%s with %v, which is weaker (RFC 9882)", p.name, digest)
		}
	default:
		return scheme{}, refuse(ReasonInconsistent, "%s with %v (RFC 9882)", p.name, digest)
	}
	s := scheme{kind: kindMLDSA, mldsa: alg}
	if digest != SHAKE256 {
		s.hash = crypto.Hash(digest)
	}
	return s, nil
}

// noMLDSA is the refusal of a program that cannot use such keys.
func noMLDSA(alg Algorithm) error {
	return fmt.Errorf("%s takes a program built with Go 1.27 or later", alg)
}
