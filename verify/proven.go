package verify

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"sync"
)

// provenLists remembers which signatures of revocation lists were found good, for the whole process: a service holds
// thousands of documents against the same few lists. What it remembers is a fact about bytes, that this key has signed
// them, and no trust; a list that is not remembered is checked. It holds the last ones only.
type provenLists struct {
	mu   sync.Mutex
	good map[[32]byte]struct{}
	ring [256][32]byte
	next int
}

var listsProven provenLists

// signed reports whether the issuer has signed the list.
func (p *provenLists) signed(list *x509.RevocationList, issuer *x509.Certificate) bool {
	if len(issuer.Raw) == 0 { // not read from an encoding: nothing names it
		return list.CheckSignatureFrom(issuer) == nil
	}
	key := provenKey(list, issuer)
	p.mu.Lock()
	_, known := p.good[key]
	p.mu.Unlock()
	if known {
		return true
	}
	if list.CheckSignatureFrom(issuer) != nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.good == nil {
		p.good = make(map[[32]byte]struct{}, len(p.ring))
	}
	if _, known := p.good[key]; known {
		return true
	}
	delete(p.good, p.ring[p.next])
	p.good[key], p.ring[p.next] = struct{}{}, key
	p.next = (p.next + 1) % len(p.ring)
	return true
}

// provenKey names everything that the check of the signature looks at, each part with its length.
func provenKey(list *x509.RevocationList, issuer *x509.Certificate) (key [32]byte) {
	h := sha256.New()
	for _, part := range [][]byte{issuer.Raw, list.RawTBSRevocationList, list.Signature, {byte(list.SignatureAlgorithm)}} {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write(part)
	}
	h.Sum(key[:0])
	return key
}
