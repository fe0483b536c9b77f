package cms

import (
	"bytes"
	"crypto"
	"crypto/sha3"
	"hash"
)

// Digest is the hash function that a document is hashed with: a [crypto.Hash], by
// conversion, or [SHAKE256], which is none. The zero value is no function.
type Digest uint

// SHAKE256 is SHAKE256 with 512 bits of output, which goes with Ed448 (RFC 8419,
// 3.1).
const SHAKE256 Digest = 1 << 16

const sizeSHAKE256 = 64

// Available says whether New can be called.
func (d Digest) Available() bool { return d == SHAKE256 || crypto.Hash(d).Available() }

// New starts a digest. The state can be cloned ([hash.Cloner]) unless d is
// RIPEMD-160. It panics when d is not Available, as [crypto.Hash.New] does.
func (d Digest) New() hash.Hash {
	if d == SHAKE256 {
		return &shake{*sha3.NewSHAKE256()}
	}
	return crypto.Hash(d).New()
}

// Size is the length of the digest in bytes. It panics when d is unknown.
func (d Digest) Size() int {
	if d == SHAKE256 {
		return sizeSHAKE256
	}
	return crypto.Hash(d).Size()
}

// String is the usual name, "SHA-256".
func (d Digest) String() string {
	if d == SHAKE256 {
		return "SHAKE256"
	}
	return crypto.Hash(d).String()
}

// Digest is the hash function that the document is to be hashed with for
// [SignerInfo.Verify], zero when it is not a known one. It is si.DigestAlgorithm,
// but for SHAKE256, which that field cannot say.
func (si *SignerInfo) Digest() Digest {
	if si.DigestAlgorithm != 0 {
		return Digest(si.DigestAlgorithm)
	}
	if si.DigestIdentifier.shake256() {
		return SHAKE256
	}
	return 0
}

// digest is the hash function that a names, zero when it is not known or comes
// with parameters that it does not have.
func (a AlgorithmIdentifier) digest() Digest {
	if a.shake256() {
		return SHAKE256
	}
	return Digest(a.hash())
}

// shake256 says whether a names SHAKE256 with 512 bits: id-shake256 (RFC 8702, 3.1)
// or id-shake256-len with the parameter 512 (RFC 8419, 3.1).
func (a AlgorithmIdentifier) shake256() bool {
	switch string(a.oid) {
	case oidNISTHash + "\x0c":
		return a.plain()
	case oidNISTHash + "\x12":
		return bytes.Equal(a.Parameters, []byte{tagInteger, 2, 2, 0})
	}
	return false
}

// shake makes a hash.Hash of SHAKE256.
type shake struct{ state sha3.SHAKE }

func (s *shake) Write(p []byte) (int, error) { return s.state.Write(p) }
func (s *shake) Reset()                      { s.state.Reset() }
func (s *shake) Size() int                   { return sizeSHAKE256 }
func (s *shake) BlockSize() int              { return s.state.BlockSize() }

func (s *shake) Sum(b []byte) []byte {
	var out [sizeSHAKE256]byte
	last := s.state // reading ends a state, so it is done on a copy
	last.Read(out[:])
	return append(b, out[:]...)
}

// Clone implements [hash.Cloner].
func (s *shake) Clone() (hash.Cloner, error) {
	c := *s
	return &c, nil
}
