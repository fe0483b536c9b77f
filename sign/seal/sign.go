package seal

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// domain stands before everything that a seal key signs, so that its
// signatures mean nothing anywhere else.
const domain = "meterai seal v1\x00"

// Message gives the bytes to be signed with k: the domain, SHA-256 over the
// key's SubjectPublicKeyInfo, and the seal without its signature. It sets
// Algorithm and KeyID to those of k. Ed25519 signs the message itself, P-256
// its SHA-256. Hand the signature to [Seal.Finish].
func (s *Seal) Message(k *Key) ([]byte, error) {
	s.Algorithm, s.KeyID = k.algorithm, k.ID()
	return s.message(k)
}

// message is Message for a seal that names its key already.
func (s *Seal) message(k *Key) ([]byte, error) {
	dst := make([]byte, 0, len(domain)+sha256.Size+headerSize+s.extraSize())
	dst = append(dst, domain...)
	dst = append(dst, k.hash[:]...)
	return s.appendHeader(dst)
}

// Finish puts a signature over [Seal.Message] into the seal and gives the
// encoded seal. For P-256 the signature may be DER (RFC 3279, 2.2.3) or r || s
// of 32 bytes each, with either s; for Ed25519 it has 64 bytes. It is checked
// with k first: ErrSignature says that it is none.
func (s *Seal) Finish(k *Key, signature []byte) ([]byte, error) {
	message, err := s.Message(k)
	if err != nil {
		return nil, err
	}
	return s.finish(k, message, signature)
}

// finish is Finish with the message at hand.
func (s *Seal) finish(k *Key, message, signature []byte) ([]byte, error) {
	form, err := k.canonical(message, signature)
	if err != nil {
		return nil, err
	}
	s.Signature = form
	return s.encode()
}

// canonical gives the one form of a signature that a seal can have, or
// ErrSignature when it is none over the message.
func (k *Key) canonical(message, signature []byte) ([64]byte, error) {
	if len(signature) > maxSignature {
		return [64]byte{}, ErrSignature
	}
	var forms [][64]byte
	if len(signature) == signatureSize {
		forms = append(forms, [64]byte(signature))
	}
	if k.algorithm == P256 {
		if raw, ok := fromDER(signature); ok {
			forms = append(forms, raw)
		}
	}
	for i := range forms {
		form := &forms[i]
		if k.algorithm == P256 {
			lowS(form)
		}
		if k.verify(message, form) {
			return *form, nil
		}
	}
	return [64]byte{}, ErrSignature
}

// Sign signs the seal and gives its encoding. It makes one call of signer,
// whose public key is Ed25519 or on P-256, and verifies the result before it
// returns it. Algorithm, KeyID and Signature are set.
func (s *Seal) Sign(signer crypto.Signer) ([]byte, error) {
	k, err := NewKey(signer.Public())
	if err != nil {
		return nil, err
	}
	return s.SignWith(k, signer)
}

// SignWith is Sign for a signer whose public key was made a Key before: who
// makes many seals saves encoding the key each time.
func (s *Seal) SignWith(k *Key, signer crypto.Signer) ([]byte, error) {
	message, err := s.Message(k)
	if err != nil {
		return nil, err
	}
	hash := crypto.Hash(0)
	if k.algorithm == P256 {
		hash = crypto.SHA256
	}
	signature, err := crypto.SignMessage(signer, rand.Reader, message, hash)
	if err != nil {
		return nil, err
	}
	return s.finish(k, message, signature)
}

// Verify checks the seal's signature over its fields as they are now with k:
// nil, ErrKey when the seal names another key, ErrSignature, or a *FormatError
// when the fields have no encoding.
func (s *Seal) Verify(k *Key) error {
	if !k.Matches(s) {
		return ErrKey
	}
	message, err := s.message(k)
	if err != nil {
		return err
	}
	if checkSignature(s.Algorithm, &s.Signature, len(message)) != nil || !k.verify(message, &s.Signature) {
		return ErrSignature
	}
	return nil
}

// verify checks one signature in the encoding of the seal.
func (k *Key) verify(message []byte, signature *[64]byte) bool {
	if k.algorithm == Ed25519 {
		return ed25519.Verify(k.ed, message, signature[:])
	}
	digest := sha256.Sum256(message)
	return ecdsa.VerifyASN1(k.ec, digest[:], toDER(signature))
}

// Orders of the two groups, big-endian: P-256 (FIPS 186-5), half of it rounded
// down, and edwards25519 (RFC 8032, 5.1).
const (
	order     = "\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51"
	halfOrder = "\x7f\xff\xff\xff\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff\xde\x73\x7d\x56\xd3\x8b\xcf\x42\x79\xdc\xe5\x61\x7e\x31\x92\xa8"
	zero      = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	orderEd   = "\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x14\xde\xf9\xde\xa2\xf7\x9c\xd6\x58\x12\x63\x1a\x5c\xf5\xd3\xed"
)

// checkSignature says whether the signature, which stands at offset at, is the
// canonical one of those that verify together: there is one s, not two.
func checkSignature(a Algorithm, signature *[64]byte, at int) error {
	if a == Ed25519 {
		le := [32]byte(signature[32:])
		slices.Reverse(le[:])
		if string(le[:]) >= orderEd {
			return &FormatError{at + 32, "signature", "s is not below the order of the group"}
		}
		return nil
	}
	r, s := string(signature[:32]), string(signature[32:])
	switch {
	case r == zero || r >= order:
		return &FormatError{at, "signature", "r is outside the group"}
	case s == zero:
		return &FormatError{at + 32, "signature", "s is zero"}
	case s > halfOrder:
		return &FormatError{at + 32, "signature", "s is not the low one"}
	}
	return nil
}

// lowS replaces an s above half of the order by order - s, which verifies the
// same. An s that is no number below the order is left as it is.
func lowS(signature *[64]byte) {
	s := signature[32:]
	if string(s) <= halfOrder || string(s) >= order {
		return
	}
	var borrow uint64
	for i := 24; i >= 0; i -= 8 {
		var d uint64
		d, borrow = bits.Sub64(binary.BigEndian.Uint64([]byte(order[i:i+8])), binary.BigEndian.Uint64(s[i:]), borrow)
		binary.BigEndian.PutUint64(s[i:], d)
	}
}

// fromDER reads the two integers of a DER signature.
func fromDER(der []byte) (raw [64]byte, ok bool) {
	var r, s []byte
	input := cryptobyte.String(der)
	var inner cryptobyte.String
	if !input.ReadASN1(&inner, asn1.SEQUENCE) || !input.Empty() ||
		!inner.ReadASN1Integer(&r) || !inner.ReadASN1Integer(&s) || !inner.Empty() ||
		len(r) > 32 || len(s) > 32 {
		return raw, false
	}
	copy(raw[32-len(r):32], r)
	copy(raw[64-len(s):], s)
	return raw, true
}

// toDER writes r || s as a DER signature.
func toDER(raw *[64]byte) []byte {
	dst := append(make([]byte, 0, maxSignature), 0x30, 0)
	for _, n := range [2][]byte{raw[:32], raw[32:]} {
		for len(n) > 1 && n[0] == 0 {
			n = n[1:]
		}
		size := len(n)
		if n[0]&0x80 != 0 {
			size++
		}
		dst = append(dst, 2, byte(size))
		if size > len(n) {
			dst = append(dst, 0)
		}
		dst = append(dst, n...)
	}
	dst[1] = byte(len(dst) - 2)
	return dst
}
