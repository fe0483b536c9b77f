package verify

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"sync"
)

// cached is how many facts a [Cache] keeps.
const cached = 256

// Cache remembers from one document to the next which signatures of revocation lists were found good: a service holds
// thousands of documents against the same few lists. What it remembers are facts about bytes, that this key has signed
// them, and no trust; whatever is not remembered is checked. It keeps the last 256 facts. The zero value is empty and
// ready; a Cache is safe for concurrent use and must not be copied.
type Cache struct {
	mu   sync.Mutex
	good map[[32]byte]struct{}
	ring [cached][32]byte
	next int
}

// signed reports whether the issuer has signed the list. A nil cache remembers nothing.
func (c *Cache) signed(list *x509.RevocationList, issuer *x509.Certificate) bool {
	if c == nil || len(issuer.Raw) == 0 { // one that was not read from an encoding has no name
		return list.CheckSignatureFrom(issuer) == nil
	}
	fact := signedFact(list, issuer)
	if c.knows(fact) {
		return true
	}
	if list.CheckSignatureFrom(issuer) != nil {
		return false
	}
	c.learn(fact)
	return true
}

func (c *Cache) knows(fact [32]byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, known := c.good[fact]
	return known
}

func (c *Cache) learn(fact [32]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.good == nil {
		c.good = make(map[[32]byte]struct{}, cached)
	}
	if _, known := c.good[fact]; known {
		return
	}
	delete(c.good, c.ring[c.next])
	c.good[fact], c.ring[c.next] = struct{}{}, fact
	c.next = (c.next + 1) % cached
}

// signedFact names everything that the check of the signature looks at, each part with its length.
func signedFact(list *x509.RevocationList, issuer *x509.Certificate) (fact [32]byte) {
	h := sha256.New()
	for _, part := range [][]byte{issuer.Raw, list.RawTBSRevocationList, list.Signature, {byte(list.SignatureAlgorithm)}} {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write(part)
	}
	h.Sum(fact[:0])
	return fact
}
