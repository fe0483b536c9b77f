package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign/seal"
)

// StatusList is what an issuer publishes, daily for example: the serials that are
// void and the seal keys that are revoked. [ParseStatusList] reads one and
// [StatusListDraft.Sign] makes one. It is not changed and may be shared by
// concurrent calls.
//
// All integers are big-endian, times are seconds since 1970-01-01 UTC. There is
// one encoding of a list; anything else, trailing bytes included, is refused.
//
//	offset  size
//	     0     8  "meterai" and 1, the version
//	     8     1  algorithm: 1 Ed25519, 2 ECDSA P-256 (r||s, low s)
//	     9     1  flags: bit 0 specimen, the others zero
//	    10    32  SHA-256 of the list key's SubjectPublicKeyInfo
//	    42     8  number of the list, from 1; each is above those before
//	    50     5  issued
//	    55     5  next update, after issued
//	    60     4  r, the number of revoked keys
//	    64     4  v, the number of void serials
//	    68  38 r  revoked keys, ascending, each once: SHA-256 of the
//	              SubjectPublicKeyInfo, time of revocation (5), reason (1)
//	        14 v  void serials, ascending, each once, packed as in the seal
//	        64    signature, over "meterai list v1", a zero byte and SHA-256 of
//	              everything before it
//
// A list speaks of the serials that the trust entries of its key name, and of the
// keys that sealed them; see [SealTrustEntry.ListKeys].
type StatusList struct {
	// Number tells lists of one key apart; a later one has a higher number.
	Number uint64
	// Issued and NextUpdate bound the time for which the list is current.
	Issued, NextUpdate time.Time
	// Specimen lists speak of specimen seals only, all others only of the rest.
	Specimen bool

	revoked []byte            // entries of revokedSize bytes, in the encoding that was read
	void    []byte            // entries of serialSize bytes, the same
	scope   []*SealTrustEntry // the entries for which the list's key speaks
}

// RevokedKey is a seal key of which nothing that is newer than a time counts.
type RevokedKey struct {
	// Key is SHA-256 of the SubjectPublicKeyInfo ([seal.Key.Hash]).
	Key [sha256.Size]byte
	// At is when the key ceased to be trustworthy, in whole seconds: of a stolen
	// one the earliest time at which it can have been stolen.
	At time.Time
	// Reason is for people; it decides nothing.
	Reason RevocationReason
}

// RevocationReason says why a seal key was revoked, by the numbers of RFC 5280,
// 5.3.1.
type RevocationReason byte

// The reasons that a list can give.
const (
	ReasonUnspecified   RevocationReason = 0
	ReasonKeyCompromise RevocationReason = 1
	ReasonSuperseded    RevocationReason = 4
	ReasonCessation     RevocationReason = 5
)

// String gives the reason in words, such as "key compromise".
func (r RevocationReason) String() string { return r.words().String() }

func (r RevocationReason) words() *phrase {
	switch r {
	case ReasonUnspecified:
		return say("unspecified")
	case ReasonKeyCompromise:
		return say("key compromise")
	case ReasonSuperseded:
		return say("superseded")
	case ReasonCessation:
		return say("cessation of operation")
	}
	return say("reason %d", byte(r))
}

func (r RevocationReason) known() bool {
	return r == ReasonUnspecified || r == ReasonKeyCompromise || r == ReasonSuperseded || r == ReasonCessation
}

// StatusListError says why bytes are no status list that can be relied on, or why
// a draft cannot be encoded.
type StatusListError struct {
	Offset int // in the encoding, of what is wrong
	Reason string
}

// Error gives the offset and the reason on one line.
func (e *StatusListError) Error() string {
	return fmt.Sprintf("verify: status list at byte %d: %s", e.Offset, e.Reason)
}

// Offsets and sizes of the encoding.
const (
	listMagic     = "meterai\x01"
	listDomain    = "meterai list v1\x00"
	listAlgorithm = 8
	listFlags     = 9
	listKey       = 10
	listNumber    = 42
	listIssued    = 50
	listNext      = 55
	listRevoked   = 60
	listVoid      = 64
	listHeader    = 68
	revokedSize   = 38
	serialSize    = 14
	listSignature = 64
	listSpecimen  = 1 // flag
)

// ParseStatusList reads a list and verifies its signature with the keys that trust
// accepts for lists; what the list may speak of is what the entries of its key name
// there. Any error is a *StatusListError, but that of a trust list made by hand that
// is wrong. It takes time in proportion to the size of b and no memory beyond b,
// which the result refers to: b must not be changed afterwards.
func ParseStatusList(b []byte, trust *SealTrust) (*StatusList, error) {
	l, key, err := parseListHeader(b)
	if err != nil {
		return nil, err
	}
	if err := l.accept(b, key, trust); err != nil {
		return nil, err
	}
	if err := l.checkEntries(); err != nil {
		return nil, err
	}
	return l, nil
}

// parseListHeader reads everything but the entries, which it only divides.
func parseListHeader(b []byte) (*StatusList, [sha256.Size]byte, error) {
	var key [sha256.Size]byte
	bad := func(at int, reason string) (*StatusList, [sha256.Size]byte, error) {
		return nil, key, &StatusListError{at, reason}
	}
	switch {
	case len(b) < listHeader+listSignature:
		return bad(len(b), "too short for a list")
	case string(b[:listAlgorithm]) != listMagic:
		return bad(0, "not a list of version 1")
	case b[listFlags]&^listSpecimen != 0:
		return bad(listFlags, "reserved bits set")
	}
	revoked, void := binary.BigEndian.Uint32(b[listRevoked:]), binary.BigEndian.Uint32(b[listVoid:])
	if revoked > revokedMax {
		return bad(listRevoked, fmt.Sprintf("more than %d revoked keys", revokedMax))
	}
	if void > voidMax {
		return bad(listVoid, fmt.Sprintf("more than %d void serials", voidMax))
	}
	serials := listHeader + int(revoked)*revokedSize
	end := serials + int(void)*serialSize
	if len(b) != end+listSignature {
		return bad(min(len(b), end), fmt.Sprintf("%d bytes instead of %d", len(b), end+listSignature))
	}
	l := &StatusList{
		Number: binary.BigEndian.Uint64(b[listNumber:]), Issued: readTime(b[listIssued:]), NextUpdate: readTime(b[listNext:]),
		Specimen: b[listFlags]&listSpecimen != 0, revoked: b[listHeader:serials], void: b[serials:end],
	}
	switch {
	case l.Number == 0:
		return bad(listNumber, "the number is zero")
	case !l.NextUpdate.After(l.Issued):
		return bad(listNext, "the next update is not after the time of issue")
	}
	copy(key[:], b[listKey:])
	return l, key, nil
}

// accept finds the entries for which the list's key speaks, and verifies the
// signature.
func (l *StatusList) accept(b []byte, hash [sha256.Size]byte, trust *SealTrust) error {
	if trust == nil {
		return &StatusListError{listKey, "no seal trust list was given"}
	}
	keys, err := trust.prepared()
	if err != nil {
		return err
	}
	var key *seal.Key
	why := fmt.Sprintf("no entry of the seal trust list lets the key %x sign lists", hash[:4])
	for i := range keys {
		k := keys[i].listKey(hash)
		if k == nil {
			continue
		}
		if refused := trust.Entries[i].refusesList(l); refused != "" {
			why = refused
			continue
		}
		key, l.scope = k, append(l.scope, &trust.Entries[i])
	}
	switch {
	case key == nil:
		return &StatusListError{listKey, why}
	case seal.Algorithm(b[listAlgorithm]) != key.Algorithm():
		return &StatusListError{listAlgorithm, "another algorithm than that of the key"}
	}
	end := len(b) - listSignature
	if err := key.VerifyDetached(listMessage(b[:end]), [listSignature]byte(b[end:])); err != nil {
		return &StatusListError{end, "the signature does not verify"}
	}
	return nil
}

// listMessage is what is signed for the bytes before the signature.
func listMessage(b []byte) []byte {
	sum := sha256.Sum256(b)
	return append([]byte(listDomain), sum[:]...)
}

// listKey gives the key of that hash if the entry lets it sign lists.
func (k *trustedKey) listKey(hash [sha256.Size]byte) *seal.Key {
	if len(k.lists) == 0 && k.key.Hash() == hash {
		return k.key
	}
	for _, other := range k.lists {
		if other.Hash() == hash {
			return other
		}
	}
	return nil
}

// refusesList says why an entry does not let a list of its key speak.
func (e *SealTrustEntry) refusesList(l *StatusList) string {
	switch {
	case l.Specimen != e.Specimen:
		return "a specimen list is only for specimen keys, and the reverse"
	case len(e.ListKeys) > 0:
		return ""
	case e.revoked():
		return "the list is signed by a seal key that is revoked"
	case l.Issued.Before(e.NotBefore), !e.NotAfter.IsZero() && l.Issued.After(e.NotAfter):
		return "the list was issued outside the validity of its key"
	}
	return ""
}

// checkEntries holds the entries to the one form.
func (l *StatusList) checkEntries() error {
	for at := 0; at < len(l.revoked); at += revokedSize {
		e := l.revoked[at : at+revokedSize]
		switch {
		case at > 0 && bytes.Compare(l.revoked[at-revokedSize:at-6], e[:sha256.Size]) >= 0:
			return &StatusListError{listHeader + at, "the revoked keys do not ascend"}
		case !RevocationReason(e[revokedSize-1]).known():
			return &StatusListError{listHeader + at, "an unknown reason of revocation"}
		}
	}
	for at := 0; at < len(l.void); at += serialSize {
		e := l.void[at : at+serialSize]
		if at > 0 && bytes.Compare(l.void[at-serialSize:at], e) >= 0 {
			return &StatusListError{listHeader + len(l.revoked) + at, "the void serials do not ascend"}
		}
		if _, err := serial.Unpack([serialSize]byte(e)); err != nil {
			return &StatusListError{listHeader + len(l.revoked) + at, "not a serial number"}
		}
	}
	return nil
}

// Current tells whether the list is not stale at a time: the next one was not yet
// due. A newer list than the time asked for knows more, and so is current.
func (l *StatusList) Current(at time.Time) bool { return !at.After(l.NextUpdate) }

// VoidCount is how many serials are void.
func (l *StatusList) VoidCount() int { return len(l.void) / serialSize }

// Void tells whether the list names a serial as void, whoever issued it.
func (l *StatusList) Void(n serial.Number) bool {
	packed := n.Packed()
	_, found := sort.Find(l.VoidCount(), func(i int) int {
		return bytes.Compare(packed[:], l.void[i*serialSize:(i+1)*serialSize])
	})
	return found
}

// Voids walks the void serials in the order of their packed bytes.
func (l *StatusList) Voids() iter.Seq[serial.Number] {
	return func(yield func(serial.Number) bool) {
		for e := range slices.Chunk(l.void, serialSize) {
			if n, err := serial.Unpack([serialSize]byte(e)); err != nil || !yield(n) {
				return
			}
		}
	}
}

// Revoked walks the revoked keys in the order of their hashes.
func (l *StatusList) Revoked() iter.Seq[RevokedKey] {
	return func(yield func(RevokedKey) bool) {
		for e := range slices.Chunk(l.revoked, revokedSize) {
			if !yield(revokedEntry(e)) {
				return
			}
		}
	}
}

func revokedEntry(e []byte) RevokedKey {
	return RevokedKey{Key: [sha256.Size]byte(e), At: readTime(e[sha256.Size:]), Reason: RevocationReason(e[revokedSize-1])}
}

// revocation gives the entry of a key.
func (l *StatusList) revocation(key [sha256.Size]byte) (RevokedKey, bool) {
	i, found := sort.Find(len(l.revoked)/revokedSize, func(i int) int {
		return bytes.Compare(key[:], l.revoked[i*revokedSize:i*revokedSize+sha256.Size])
	})
	if !found {
		return RevokedKey{}, false
	}
	return revokedEntry(l.revoked[i*revokedSize:]), true
}

// speaksOf tells whether the list's key may say what became of a seal's serial.
func (l *StatusList) speaksOf(s *seal.Seal) bool {
	return l.Specimen == s.Specimen && slices.ContainsFunc(l.scope, func(e *SealTrustEntry) bool { return e.covers(s.Serial) })
}

// readTime reads five bytes of seconds.
func readTime(b []byte) time.Time {
	return time.Unix(int64(b[0])<<32|int64(binary.BigEndian.Uint32(b[1:])), 0).UTC()
}

// appendListTime writes five bytes of seconds; a time that has no such form is
// false.
func appendListTime(b []byte, t time.Time) ([]byte, bool) {
	s := t.Unix()
	if s < 0 || s > 1<<40-1 || t.Nanosecond() != 0 {
		return b, false
	}
	return binary.BigEndian.AppendUint32(append(b, byte(s>>32)), uint32(s&math.MaxUint32)), true
}
