package serial

import (
	"fmt"
	"strings"
)

// MaxCounter is the number of counters of a series: a counter is below it.
const MaxCounter = 1 << 48

// Scheme makes the numbers of one series, which is a key epoch and an issuer. It is immutable and safe for concurrent use.
type Scheme struct {
	epoch  byte
	issuer string
	head   uint64 // 15 bits: epoch and issuer
	ff1    *cipher80
}

// NewScheme binds an AES-256 key to a series. The epoch is one symbol, the issuer two (0-9 and A-Z without I, L, O, U, in
// upper case). A key belongs to one series for ever: a new key is a new epoch. Any other error than a [*RequestError]
// comes from the AES implementation.
func NewScheme(epoch byte, issuer string, key [32]byte) (*Scheme, error) {
	id := SeriesID{Epoch: epoch, Issuer: issuer}
	if err := id.check(); err != nil {
		return nil, err
	}
	tweak := [3]byte{epoch, issuer[0], issuer[1]}
	ff1, err := newCipher80(key, tweak)
	if err != nil {
		return nil, fmt.Errorf("serial key: %w", err)
	}
	var head uint64
	for _, c := range tweak {
		head = head<<5 | uint64(symbolValue(c))
	}
	return &Scheme{epoch: epoch, issuer: issuer, head: head, ff1: ff1}, nil
}

// Series names the series that s makes numbers for.
func (s *Scheme) Series() SeriesID { return SeriesID{Epoch: s.epoch, Issuer: s.issuer} }

// Number gives the number of a counter below [MaxCounter]. Different counters give different numbers.
func (s *Scheme) Number(counter uint64) (Number, error) {
	if counter >= MaxCounter {
		return Number{}, &RequestError{Field: "counter", Reason: "the series is used up; a new key epoch is needed"}
	}
	a, b := s.ff1.encrypt(counter>>40, counter&half)
	hi, lo := s.head<<49|a<<9|b>>31, b<<33
	return Number{hi, lo | checkCode(hi, lo)<<18}, nil
}

// Genuine reports whether n can have been issued: it is of this series and deciphers to a counter. Of numbers that are
// made up with a correct check code, 1 in 2^32 passes. It does not say that n was issued: the ledger does.
func (s *Scheme) Genuine(n Number) bool {
	if n.IsZero() || n.hi>>49 != s.head {
		return false
	}
	a, _ := s.ff1.decrypt(n.hi>>9&half, n.hi<<31&half|n.lo>>33)
	return a < 1<<8
}

// SeriesID names a series of numbers. It is comparable; the zero value is none.
type SeriesID struct {
	Epoch  byte   // one symbol
	Issuer string // two symbols
}

// String gives the three symbols.
func (id SeriesID) String() string {
	if id == (SeriesID{}) {
		return ""
	}
	return string(rune(id.Epoch)) + id.Issuer
}

func (id SeriesID) check() error {
	if strings.IndexByte(alphabet, id.Epoch) < 0 {
		return &RequestError{Field: "epoch", Reason: "is not one symbol of 0-9, A-Z without I, L, O, U"}
	}
	if len(id.Issuer) != 2 || strings.IndexByte(alphabet, id.Issuer[0]) < 0 || strings.IndexByte(alphabet, id.Issuer[1]) < 0 {
		return &RequestError{Field: "issuer", Reason: "is not two symbols of 0-9, A-Z without I, L, O, U"}
	}
	return nil
}
