package serial

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"sync"
)

// cipher80 is FF1 (NIST SP 800-38G, algorithms 7 and 8) for one shape: AES-256, radix 32, 16 symbols, a tweak of 3 bytes.
// A half is 8 symbols of 5 bits, so NUM and STR are the identity on 40-bit integers, and the sum modulo radix^8 is a mask.
// The PRF has two blocks: P, which never changes, and Q, so a round costs one AES operation.
type cipher80 struct {
	block  cipher.Block
	hi, lo uint64     // AES(P) xor the constant part of Q, as two big-endian words
	pool   *sync.Pool // *[16]byte: a buffer that is passed through an interface cannot live on the stack
}

const (
	half   = 1<<40 - 1
	rounds = 10
)

func newCipher80(key [32]byte, tweak [3]byte) (*cipher80, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	// P: version, method, addition; radix as 3 bytes; rounds; u mod 256; n and t as 4 bytes each (step 5).
	p := [16]byte{1, 2, 1, 0, 0, 32, rounds, 8, 0, 0, 0, 16, 0, 0, 0, 3}
	block.Encrypt(p[:], p[:])
	for i, t := range tweak {
		p[i] ^= t
	}
	return &cipher80{
		block: block,
		hi:    binary.BigEndian.Uint64(p[:8]),
		lo:    binary.BigEndian.Uint64(p[8:]),
		pool:  &sync.Pool{New: func() any { return new([16]byte) }},
	}, nil
}

// round gives NUM(S) mod 2^40 for round i and the half b (steps 6.i to 6.vi). Q is tweak, 7 zero bytes, i, b in 5 bytes;
// S is the first 12 bytes of the result, of which 40 bits matter.
func (c *cipher80) round(buf *[16]byte, i, b uint64) uint64 {
	binary.BigEndian.PutUint64(buf[:8], c.hi)
	binary.BigEndian.PutUint64(buf[8:], c.lo^(i<<40|b))
	c.block.Encrypt(buf[:], buf[:])
	return uint64(buf[7])<<32 | uint64(binary.BigEndian.Uint32(buf[8:12]))
}

// encrypt maps the halves a, b (40 bits each) of the plain text to those of the cipher text.
func (c *cipher80) encrypt(a, b uint64) (uint64, uint64) {
	buf := c.pool.Get().(*[16]byte)
	for i := range uint64(rounds) {
		a, b = b, (a+c.round(buf, i, b))&half
	}
	c.pool.Put(buf)
	return a, b
}

// decrypt is the inverse of encrypt.
func (c *cipher80) decrypt(a, b uint64) (uint64, uint64) {
	buf := c.pool.Get().(*[16]byte)
	for i := rounds - 1; i >= 0; i-- {
		a, b = (b-c.round(buf, uint64(i), a))&half, a
	}
	c.pool.Put(buf)
	return a, b
}
