package serial

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// Kind says what an entry does to the units of its account.
type Kind uint8

// The kinds of entries. Their numbers are stored and never change.
const (
	KindPurchase    Kind = 1 + iota // units bought and paid
	KindGrant                       // units given
	KindTransferIn                  // units from another account
	KindTransferOut                 // units to another account
	KindRefund                      // units paid back
	KindLimit                       // the postpaid limit becomes Units
	KindPostpaid                    // units drawn on the postpaid limit
	KindReserve                     // available -> reserved
	KindSigning                     // intent to sign; moves nothing
	KindStamped                     // reserved -> stamped
	KindRelease                     // reserved -> available, nothing was signed
	KindVoid                        // reserved -> available, the serial is void
	KindOrphan                      // an output that came after the void; moves nothing
	KindClock                       // a fence has set the time back; moves nothing
)

var kindNames = [...]string{"none", "purchase", "grant", "transfer in", "transfer out", "refund", "limit", "postpaid",
	"reserve", "signing", "stamped", "release", "void", "orphan", "clock"}

// String gives the name in lower case, such as "transfer in".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Entry is one line of an account, never changed and never removed. Each entry's hash covers the hash before it.
type Entry struct {
	Account  string
	Sequence int64 // from 1, without gaps
	Kind     Kind
	Units    int64    // 1 for the steps of a reservation that move its unit, 0 for those that move nothing
	Key      []byte   // the idempotency key of the request that caused the entry, nil if it had none
	Number   Number   // of the reservation, else zero
	Digest   [32]byte // reserve: of the request's fingerprint; stamped and orphan: of the output; else zero
	Length   int64    // stamped and orphan: bytes of the output
	Peer     string   // transfers: the other account
	Note     string   // grant, refund, release, void: the reason; clock: the time that was wrong
	// Paid is when the units of a purchase were paid, as the caller says (UTC, microseconds), zero if it does not.
	Paid time.Time
	// Time is the ledger's clock, UTC, microseconds; within an account it never goes back, but with an entry of KindClock.
	Time time.Time
	Hash [32]byte // of the hash before (zero for the first) and this entry
}

// Chain gives the hash of e after the hash of the entry before it: SHA-256 over "meterai entry v1\0", the previous hash,
// and the fields in the order of the type, integers as 8 bytes big-endian, Kind as one byte, the number packed in 14
// bytes, strings and the key after their length in 4 bytes, times in microseconds since 1970, one that is zero as -2^63.
func (e *Entry) Chain(previous [32]byte) [32]byte {
	b := make([]byte, 0, 512)
	b = append(b, "meterai entry v1\x00"...)
	b = append(b, previous[:]...)
	b = appendString(b, e.Account)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Sequence))
	b = append(b, byte(e.Kind))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Units))
	b = appendString(b, e.Key)
	packed := e.Number.Packed()
	b = append(b, packed[:]...)
	b = append(b, e.Digest[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Length))
	b = appendString(b, e.Peer)
	b = appendString(b, e.Note)
	b = appendTime(appendTime(b, e.Paid), e.Time)
	return sha256.Sum256(b)
}

func appendTime(b []byte, t time.Time) []byte {
	micros := int64(math.MinInt64)
	if !t.IsZero() {
		micros = t.UnixMicro()
	}
	return binary.BigEndian.AppendUint64(b, uint64(micros))
}

// Text says in words what happened to which unit.
func (e *Entry) Text() string {
	switch e.Kind {
	case KindPurchase:
		return fmt.Sprintf("%s bought, payment %q", units(e.Units), e.Key)
	case KindGrant:
		return fmt.Sprintf("%s granted, reference %q%s", units(e.Units), e.Key, because(e.Note))
	case KindTransferIn:
		return fmt.Sprintf("%s received from %q", units(e.Units), e.Peer)
	case KindTransferOut:
		return fmt.Sprintf("%s handed to %q", units(e.Units), e.Peer)
	case KindRefund:
		return fmt.Sprintf("%s paid back, reference %q%s", units(e.Units), e.Key, because(e.Note))
	case KindLimit:
		return fmt.Sprintf("postpaid limit set to %s", units(e.Units))
	case KindPostpaid:
		return fmt.Sprintf("%s drawn on the postpaid limit", units(e.Units))
	case KindReserve:
		return fmt.Sprintf("%s held for serial %s, request %q", units(e.Units), e.Number, e.Key)
	case KindSigning:
		return fmt.Sprintf("signing of serial %s begun", e.Number)
	case KindStamped:
		return fmt.Sprintf("serial %s is stamped: %s used", e.Number, units(e.Units))
	case KindRelease:
		return fmt.Sprintf("serial %s released before signing, %s returned%s", e.Number, units(e.Units), because(e.Note))
	case KindVoid:
		return fmt.Sprintf("serial %s is void, %s returned%s", e.Number, units(e.Units), because(e.Note))
	case KindOrphan:
		return fmt.Sprintf("an output for the void serial %s came late and is not handed out", e.Number)
	case KindClock:
		return "time set back by an operator" + because(e.Note)
	}
	return e.Kind.String()
}

func units(n int64) string {
	if n == 1 {
		return "1 unit"
	}
	return fmt.Sprintf("%d units", n)
}

func because(note string) string {
	if note == "" {
		return ""
	}
	return ": " + note
}
