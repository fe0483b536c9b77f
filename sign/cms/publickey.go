//lint:file-ignore SA1019 DSA and curves that the standard library lacks are verified through what it has deprecated

package cms

import (
	"crypto"
	"crypto/dsa"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"

	"github.com/ProtonMail/go-crypto/brainpool"
	"github.com/cloudflare/circl/sign/ed448"
)

// publicKey returns the key in the certificate. Those that crypto/x509 leaves
// out are read here: keys for RSA-PSS only (RFC 4055, 1.2), which come with their
// parameters, Ed448 and the Brainpool curves.
func (id *identity) publicKey() (crypto.PublicKey, *pssParameters, error) {
	switch k := id.cert.PublicKey.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey, *dsa.PublicKey:
		return k, nil, nil
	}
	if mldsaKey(id.cert.PublicKey) != 0 {
		return id.cert.PublicKey, nil, nil
	}
	alg, key, err := publicKeyInfo(id.cert.RawSubjectPublicKeyInfo)
	if err != nil {
		return nil, nil, err
	}
	switch string(alg.oid) {
	case oidRSAPSS:
	case oidEd448:
		pub, err := ed448Key(alg, key)
		return pub, nil, err
	case oidECPublicKey:
		pub, err := brainpoolKey(alg, key)
		return pub, nil, err
	default:
		if a := mldsaOf(alg.oid); a != 0 {
			pub, err := mldsaPublicKey(a, key)
			return pub, nil, err
		}
		return nil, nil, fmt.Errorf("public key of type %v", alg.Algorithm)
	}
	pub, err := rsaPublicKey(key)
	if err != nil {
		return nil, nil, err
	}
	params := &pssParameters{} // anything goes
	if alg.Parameters != nil {
		if *params, err = parsePSS(alg.Parameters); err != nil {
			return nil, nil, err
		}
	}
	return pub, params, nil
}

// ed448Key reads a key of RFC 8410, 4; parameters must be absent.
func ed448Key(alg AlgorithmIdentifier, key []byte) (crypto.PublicKey, error) {
	if alg.Parameters != nil || len(key) != ed448.PublicKeySize {
		return nil, fmt.Errorf("Ed448 key of %d bytes or with parameters", len(key))
	}
	return ed448.PublicKey(key), nil
}

// brainpoolKey reads a key on a curve of RFC 5639 that is named (RFC 5480, 2.1.1):
// parameters written out are not read, so that nobody brings a curve of his own.
// That the point is on the curve is for soundECDSA to say.
func brainpoolKey(alg AlgorithmIdentifier, key []byte) (crypto.PublicKey, error) {
	r := reader{b: alg.Parameters, max: defaultDepth}
	oid, err := r.primitive(len(r.b), tagOID, "named curve")
	if err != nil {
		return nil, errors.New("public key on a curve without a name")
	}
	curve := brainpoolCurve(oid)
	if curve == nil {
		return nil, fmt.Errorf("public key on curve %v", decodeOID(oid))
	}
	n := (curve.Params().BitSize + 7) / 8
	if len(key) != 1+2*n || key[0] != 4 {
		return nil, fmt.Errorf("public key on curve %s in another form than uncompressed", curve.Params().Name)
	}
	return &ecdsa.PublicKey{
		Curve: curve,
		X:     new(big.Int).SetBytes(key[1 : 1+n]),
		Y:     new(big.Int).SetBytes(key[1+n:]),
	}, nil
}

// brainpoolCurve is the curve that an identifier names (RFC 5639, 4.1), nil for
// any that is not read here. They are computed with math/big: one verification
// takes 3 to 11 ms.
func brainpoolCurve(oid []byte) elliptic.Curve {
	last, _ := lastArc(oid, oidBrainpool)
	switch last {
	case 7:
		return brainpool.P256r1()
	case 11:
		return brainpool.P384r1()
	case 13:
		return brainpool.P512r1()
	}
	return nil
}

// soundECDSA checks that the key is a point of a curve that is known here; the
// curves have a cofactor of one, so that any point but zero will do. The
// coordinates are checked as well, since they are reduced in what follows.
func soundECDSA(k *ecdsa.PublicKey) error {
	if k.Curve == nil || k.X == nil || k.Y == nil {
		return refuse(ReasonKey, "ECDSA key without a point")
	}
	switch k.Curve {
	case elliptic.P224(), elliptic.P256(), elliptic.P384(), elliptic.P521():
		return nil // checked by crypto/ecdsa
	case brainpool.P256r1(), brainpool.P384r1(), brainpool.P512r1():
	default:
		return refuse(ReasonUnsupported, "ECDSA with curve %s", k.Curve.Params().Name)
	}
	p := k.Curve.Params().P
	for _, v := range []*big.Int{k.X, k.Y} {
		if v.Sign() < 0 || v.Cmp(p) >= 0 {
			return refuse(ReasonKey, "a coordinate of the ECDSA key is out of range")
		}
	}
	//lint:ignore SA1019 crypto/ecdh has no Brainpool curves
	if !k.Curve.IsOnCurve(k.X, k.Y) {
		return refuse(ReasonKey, "the ECDSA key is not on its curve")
	}
	return nil
}

// soundDSA checks the domain parameters and the key (FIPS 186-4, A.2.2; NIST SP
// 800-89, 5.3.1), but not that p and q are prime: whoever certified the key has
// to. The work is that of two verifications.
func soundDSA(k *dsa.PublicKey) error {
	if k.P == nil || k.Q == nil || k.G == nil || k.Y == nil {
		return refuse(ReasonKey, "DSA key with parameters missing")
	}
	if n := k.P.BitLen(); n < minDSABits || n > maxDSABits || k.P.Sign() < 0 || k.P.Bit(0) == 0 {
		return refuse(ReasonKey, "DSA modulus of %d bits, negative or even", n)
	}
	switch n := k.Q.BitLen(); {
	case n != 160 && n != 224 && n != 256, k.Q.Sign() < 0, k.Q.Bit(0) == 0:
		return refuse(ReasonKey, "DSA group order of %d bits, negative or even", n)
	}
	one := big.NewInt(1)
	less := new(big.Int).Sub(k.P, one)
	if new(big.Int).Mod(less, k.Q).Sign() != 0 {
		return refuse(ReasonKey, "DSA group order does not divide p - 1")
	}
	for _, v := range []*big.Int{k.G, k.Y} {
		if v.Cmp(one) <= 0 || v.Cmp(less) >= 0 || new(big.Int).Exp(v, k.Q, k.P).Cmp(one) != 0 {
			return refuse(ReasonKey, "generator or key is not of the DSA group")
		}
	}
	return nil
}

// verifyDSA checks r and s over the leftmost bits of the digest, as many as the
// group order has (FIPS 186-4, 4.7).
func verifyDSA(k *dsa.PublicKey, digest []byte, r, s *big.Int) bool {
	return dsa.Verify(k, digest[:min(len(digest), k.Q.BitLen()/8)], r, s)
}
