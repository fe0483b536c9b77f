package seal

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strconv"
)

// Algorithm is a signature algorithm of the seal, as in its first byte.
type Algorithm byte

// The algorithms of version 1.
const (
	Ed25519 Algorithm = 1 // RFC 8032, pure
	P256    Algorithm = 2 // ECDSA on P-256 with SHA-256, r || s, low s
)

// String gives "Ed25519", "P-256", or the number of an unknown algorithm.
func (a Algorithm) String() string {
	switch a {
	case Ed25519:
		return "Ed25519"
	case P256:
		return "P-256"
	}
	return "algorithm " + strconv.Itoa(int(a))
}

// Key is a public seal key. It does not change and may be used by several
// goroutines at once.
type Key struct {
	algorithm Algorithm
	ed        ed25519.PublicKey
	ec        *ecdsa.PublicKey
	spki      []byte
	hash      [sha256.Size]byte
}

// ed25519SPKI is the SubjectPublicKeyInfo of an Ed25519 key before its 32 bytes
// (RFC 8410, 4): SEQUENCE, AlgorithmIdentifier 1.3.101.112, BIT STRING.
const ed25519SPKI = "\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"

// NewKey makes a Key of an [ed25519.PublicKey] or an [*ecdsa.PublicKey] on
// P-256. Everything else is refused with a *KeyError.
func NewKey(pub crypto.PublicKey) (*Key, error) {
	switch p := pub.(type) {
	case ed25519.PublicKey:
		if len(p) != ed25519.PublicKeySize {
			return nil, &KeyError{Reason: "an Ed25519 key has 32 bytes"}
		}
		// Spelt out, since every document that is opened comes by here.
		spki := append([]byte(ed25519SPKI), p...)
		return &Key{algorithm: Ed25519, ed: spki[len(ed25519SPKI):], spki: spki, hash: sha256.Sum256(spki)}, nil
	case *ecdsa.PublicKey:
		if p == nil || p.Curve != elliptic.P256() {
			return nil, &KeyError{Reason: "the curve is not P-256"}
		}
		if _, err := p.ECDH(); err != nil {
			return nil, &KeyError{Reason: "not a point of P-256", Err: err}
		}
	default:
		return nil, &KeyError{Reason: "neither Ed25519 nor ECDSA on P-256"}
	}
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, &KeyError{Reason: "cannot be encoded", Err: err}
	}
	return ParseKey(spki)
}

// ParseKey makes a Key of a DER SubjectPublicKeyInfo (RFC 5280, 4.1.2.7). Only
// the canonical encoding is accepted, because the key id is its hash.
func ParseKey(spki []byte) (*Key, error) {
	if len(spki) > maxSPKI {
		return nil, &KeyError{Reason: "too long for a SubjectPublicKeyInfo"}
	}
	pub, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, &KeyError{Reason: "not a SubjectPublicKeyInfo", Err: err}
	}
	k := &Key{spki: bytes.Clone(spki), hash: sha256.Sum256(spki)}
	switch p := pub.(type) {
	case ed25519.PublicKey:
		k.algorithm, k.ed = Ed25519, p
	case *ecdsa.PublicKey:
		if p.Curve != elliptic.P256() {
			return nil, &KeyError{Reason: "the curve is not P-256"}
		}
		k.algorithm, k.ec = P256, p
	default:
		return nil, &KeyError{Reason: "neither Ed25519 nor ECDSA on P-256"}
	}
	again, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil || !bytes.Equal(again, spki) {
		return nil, &KeyError{Reason: "the SubjectPublicKeyInfo is not canonical", Err: err}
	}
	return k, nil
}

// ParseKeyPEM makes a Key of the first PEM block, which must be a
// "PUBLIC KEY" (RFC 7468, 13); what follows it must be white space.
func ParseKeyPEM(text []byte) (*Key, error) {
	block, rest := pem.Decode(text)
	switch {
	case block == nil:
		return nil, &KeyError{Reason: "no PEM block"}
	case block.Type != "PUBLIC KEY":
		return nil, &KeyError{Reason: "the PEM block is not a PUBLIC KEY"}
	case len(bytes.TrimSpace(rest)) != 0:
		return nil, &KeyError{Reason: "something follows the PEM block"}
	}
	return ParseKey(block.Bytes)
}

// ID gives the key id: the first 4 bytes of SHA-256 over the
// SubjectPublicKeyInfo. Two keys may share an id; a signature tells them apart.
func (k *Key) ID() [4]byte { return [4]byte(k.hash[:4]) }

// Algorithm gives the algorithm that the key signs with.
func (k *Key) Algorithm() Algorithm { return k.algorithm }

// SPKI gives a copy of the DER SubjectPublicKeyInfo.
func (k *Key) SPKI() []byte { return bytes.Clone(k.spki) }

// Hash gives SHA-256 over the SubjectPublicKeyInfo.
func (k *Key) Hash() [sha256.Size]byte { return k.hash }

// Public gives the key as NewKey takes it; it is a copy.
func (k *Key) Public() crypto.PublicKey {
	if k.algorithm == Ed25519 {
		return slices.Clone(k.ed)
	}
	pub, err := x509.ParsePKIXPublicKey(k.spki)
	if err != nil { // these bytes were parsed when the key was made
		return nil
	}
	return pub
}

// Matches says whether the seal names this key by algorithm and key id. A
// reader tries every trusted key that matches.
func (k *Key) Matches(s *Seal) bool {
	return s.Algorithm == k.algorithm && s.KeyID == k.ID()
}
