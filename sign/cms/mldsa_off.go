//go:build !go1.27

package cms

import "crypto"

// This Go has no crypto/mldsa: there are no such keys.

func mldsaKey(crypto.PublicKey) Algorithm { return 0 }

func mldsaPublicKey(alg Algorithm, _ []byte) (crypto.PublicKey, error) { return nil, noMLDSA(alg) }

func verifyMLDSA(crypto.PublicKey, []byte, []byte) bool { return false }
