//go:build go1.27

package cms

import (
	"crypto"
	"crypto/mldsa"
	"fmt"
)

// mldsaKey is the algorithm of an ML-DSA key; zero for any other key.
func mldsaKey(pub crypto.PublicKey) Algorithm {
	k, ok := pub.(*mldsa.PublicKey)
	if !ok || k == nil {
		return 0
	}
	switch k.Parameters() {
	case mldsa.MLDSA44():
		return MLDSA44
	case mldsa.MLDSA65():
		return MLDSA65
	case mldsa.MLDSA87():
		return MLDSA87
	}
	return 0
}

// mldsaPublicKey reads a key of RFC 9881, 4, for certificates that crypto/x509
// gave no key of.
func mldsaPublicKey(alg Algorithm, key []byte) (crypto.PublicKey, error) {
	params := map[Algorithm]mldsa.Parameters{MLDSA44: mldsa.MLDSA44(), MLDSA65: mldsa.MLDSA65(), MLDSA87: mldsa.MLDSA87()}[alg]
	k, err := mldsa.NewPublicKey(params, key)
	if err != nil {
		return nil, fmt.Errorf("%s key: %w", alg, err)
	}
	return k, nil
}

// verifyMLDSA checks sig over message, with an empty context.
func verifyMLDSA(pub crypto.PublicKey, message, sig []byte) bool {
	k, ok := pub.(*mldsa.PublicKey)
	return ok && k != nil && mldsa.Verify(k, message, sig, nil) == nil
}
