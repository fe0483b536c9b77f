//go:build cgo

package pkcs11

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	p11 "github.com/miekg/pkcs11"
)

var errInput = errors.New("pkcs11: digest does not have the length of the hash")

// A request is what goes to a token, and how to read and check what comes back.
type request struct {
	mechanism *p11.Mechanism
	input     []byte
	read      func(raw []byte) ([]byte, error)
	check     func(signature []byte) bool
}

// hashes are those that may be signed: the DigestInfo before the digest (RFC 8017,
// 9.2) and the numbers of the hash for PSS.
var hashes = map[crypto.Hash]struct {
	prefix    []byte
	hash, mgf uint
}{
	crypto.SHA256: {digestInfo(1, 32), p11.CKM_SHA256, p11.CKG_MGF1_SHA256},
	crypto.SHA384: {digestInfo(2, 48), p11.CKM_SHA384, p11.CKG_MGF1_SHA384},
	crypto.SHA512: {digestInfo(3, 64), p11.CKM_SHA512, p11.CKG_MGF1_SHA512},
}

// digestInfo is the DER of DigestInfo without the digest: SEQUENCE { SEQUENCE { OID
// 2.16.840.1.101.3.4.2.n, NULL }, OCTET STRING }.
func digestInfo(n, size byte) []byte {
	return []byte{0x30, 17 + size, 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, n, 5, 0, 4, size}
}

// newRequest makes the request for a digest, or for a message with Ed25519.
func newRequest(pub crypto.PublicKey, input []byte, opts crypto.SignerOpts) (*request, error) {
	if opts == nil {
		return nil, errors.New("pkcs11: a signature needs options")
	}
	if pub, ok := pub.(ed25519.PublicKey); ok {
		return newEd25519(pub, input, opts)
	}
	hash := opts.HashFunc()
	if _, ok := hashes[hash]; !ok {
		return nil, fmt.Errorf("pkcs11: hash %v is not supported", hash)
	}
	if len(input) != hash.Size() {
		return nil, errInput
	}
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			return newPSS(pub, input, hash, pss)
		}
		return newPKCS1(pub, input, hash), nil
	case *ecdsa.PublicKey:
		return newECDSA(pub, input), nil
	}
	return nil, supported(pub)
}

func asIs(raw []byte) ([]byte, error) { return raw, nil }

func newPKCS1(pub *rsa.PublicKey, digest []byte, hash crypto.Hash) *request {
	prefix := hashes[hash].prefix
	return &request{
		mechanism: p11.NewMechanism(p11.CKM_RSA_PKCS, nil),
		input:     append(prefix[:len(prefix):len(prefix)], digest...),
		read:      asIs,
		check:     func(sig []byte) bool { return rsa.VerifyPKCS1v15(pub, hash, digest, sig) == nil },
	}
}

func newPSS(pub *rsa.PublicKey, digest []byte, hash crypto.Hash, opts *rsa.PSSOptions) (*request, error) {
	salt := opts.SaltLength
	most := (pub.N.BitLen()+6)/8 - 2 - hash.Size()
	switch salt {
	case rsa.PSSSaltLengthEqualsHash:
		salt = hash.Size()
	case rsa.PSSSaltLengthAuto:
		salt = most
	}
	if salt < 0 || salt > most {
		return nil, fmt.Errorf("pkcs11: no PSS salt of %d bytes", opts.SaltLength)
	}
	h := hashes[hash]
	return &request{
		mechanism: p11.NewMechanism(p11.CKM_RSA_PKCS_PSS, p11.NewPSSParams(h.hash, h.mgf, uint(salt))),
		input:     digest,
		read:      asIs,
		check: func(sig []byte) bool {
			return rsa.VerifyPSS(pub, hash, digest, sig, &rsa.PSSOptions{SaltLength: salt}) == nil
		},
	}, nil
}

// newECDSA turns r || s, which the token gives (PKCS #11 3.0, 2.3.1), into DER.
func newECDSA(pub *ecdsa.PublicKey, digest []byte) *request {
	size := (pub.Curve.Params().N.BitLen() + 7) / 8
	return &request{
		mechanism: p11.NewMechanism(p11.CKM_ECDSA, nil),
		// Some tokens refuse a digest that is longer than the curve's order.
		input: digest[:min(len(digest), size)],
		read: func(raw []byte) ([]byte, error) {
			if len(raw) == 0 || len(raw) > 2*size || len(raw)%2 != 0 {
				return nil, fmt.Errorf("%w: it has %d bytes", ErrSignature, len(raw))
			}
			half := len(raw) / 2
			return asn1.Marshal(struct{ R, S *big.Int }{
				new(big.Int).SetBytes(raw[:half]), new(big.Int).SetBytes(raw[half:])})
		},
		check: func(sig []byte) bool { return ecdsa.VerifyASN1(pub, digest, sig) },
	}
}

// newEd25519 signs a message itself (RFC 8032, 5.1.6); there is no context and no
// pre-hashing.
func newEd25519(pub ed25519.PublicKey, message []byte, opts crypto.SignerOpts) (*request, error) {
	if o, ok := opts.(*ed25519.Options); opts.HashFunc() != 0 || ok && o.Context != "" {
		return nil, errors.New("pkcs11: Ed25519 signs messages only, without a hash and a context")
	}
	return &request{
		mechanism: p11.NewMechanism(ckmEDDSA, nil),
		input:     message,
		read:      asIs,
		check:     func(sig []byte) bool { return ed25519.Verify(pub, message, sig) },
	}, nil
}

// ckmEDDSA is CKM_EDDSA (PKCS #11 3.0, 2.3.14), which the binding does not have.
const ckmEDDSA = 0x00001057
