package cms

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/subtle"
	"encoding/binary"
	"math/big"
)

// RSA verification for what crypto/rsa does not do: public exponents beyond
// 2^31, PSS without salt, and RIPEMD-160 by the identifier that signatures have
// (crypto/rsa writes that of ISO/IEC 10118). Only public values are handled, so that math/big
// leaks nothing.

// openRSA is the public operation (RFC 8017, 5.2.2); nil when signature is out
// of range.
func openRSA(k *rsa.PublicKey, signature []byte) []byte {
	s := new(big.Int).SetBytes(signature)
	if len(signature) != k.Size() || s.Cmp(k.N) >= 0 {
		return nil
	}
	return s.Exp(s, big.NewInt(int64(k.E)), k.N).FillBytes(make([]byte, k.Size()))
}

// encodePKCS1 is EMSA-PKCS1-v1_5 (RFC 8017, 9.2) into size bytes; nil when they
// do not suffice.
func encodePKCS1(size int, h crypto.Hash, digest []byte) []byte {
	id := element(tagSequence, oidElement(hashOID(h)), []byte{tagNull, 0})
	info := element(tagSequence, id, element(tagOctets, digest))
	pad := size - 3 - len(info)
	if pad < 8 {
		return nil
	}
	out := append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, pad)...)
	return append(append(out, 0), info...)
}

func verifyPKCS1(k *rsa.PublicKey, h crypto.Hash, digest, signature []byte) bool {
	if k.E <= maxExponent && h != crypto.RIPEMD160 {
		return rsa.VerifyPKCS1v15(k, h, digest, signature) == nil
	}
	em := openRSA(k, signature)
	return em != nil && hashOID(h) != "" && bytes.Equal(em, encodePKCS1(len(em), h, digest))
}

func verifyPSS(k *rsa.PublicKey, h crypto.Hash, salt int, digest, signature []byte) bool {
	if k.E <= maxExponent && salt > 0 { // zero means any length to crypto/rsa
		opts := &rsa.PSSOptions{SaltLength: salt, Hash: h}
		return rsa.VerifyPSS(k, h, digest, signature, opts) == nil
	}
	em := openRSA(k, signature)
	bits := k.N.BitLen() - 1
	if em == nil || bits%8 == 0 && em[0] != 0 {
		return false
	}
	return checkPSS(em[len(em)-(bits+7)/8:], bits, h, salt, digest)
}

// checkPSS is EMSA-PSS-VERIFY (RFC 8017, 9.1.2) on em of the given length in bits.
func checkPSS(em []byte, bits int, h crypto.Hash, salt int, digest []byte) bool {
	size := h.Size()
	n := len(em) - size - 1 // length of the masked data block
	spare := byte(0xff) << (8 - (8*len(em) - bits))
	if n < salt+1 || em[len(em)-1] != 0xbc || em[0]&spare != 0 {
		return false
	}
	sum := em[n : n+size]
	block := make([]byte, n)
	subtle.XORBytes(block, em[:n], mgf1(sum, n, h))
	block[0] &^= spare
	pad := n - salt - 1
	for _, b := range block[:pad] {
		if b != 0 {
			return false
		}
	}
	if block[pad] != 1 {
		return false
	}
	w := h.New()
	w.Write(make([]byte, 8))
	w.Write(digest)
	w.Write(block[pad+1:])
	return bytes.Equal(w.Sum(nil), sum)
}

// mgf1 is the mask generation function of RFC 8017, B.2.1.
func mgf1(seed []byte, n int, h crypto.Hash) []byte {
	out := make([]byte, 0, n+h.Size())
	w := h.New()
	for i := uint32(0); len(out) < n; i++ {
		w.Reset()
		w.Write(seed)
		w.Write(binary.BigEndian.AppendUint32(nil, i))
		out = w.Sum(out)
	}
	return out[:n]
}
