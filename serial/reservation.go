package serial

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"
)

// State is where a reservation, and with it a serial number and its unit, is.
type State uint8

// The states of a reservation. Stamped, Released and Void are final.
const (
	Reserved State = 1 + iota // the unit is held; nothing was signed
	Signing                   // the intent to sign is durable: the key may have been used
	Stamped                   // the unit is used, the output kept
	Released                  // nothing was signed, the unit is back, the serial is never used
	Void                      // the serial is published as void, the unit is back
)

var stateNames = [...]string{"NONE", "RESERVED", "SIGNING", "STAMPED", "RELEASED", "VOID"}

// String gives the name in upper case, such as "SIGNING".
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("STATE(%d)", uint8(s))
}

// MarshalText gives the name. It never fails.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Final reports whether no step leads out of s.
func (s State) Final() bool { return s == Stamped || s == Released || s == Void }

// Request is what a unit is asked for. All fields but Account and Key are the fingerprint: the same key with a request
// that differs in one of them is a conflict.
type Request struct {
	Account   string   // who pays: 1 to 128 bytes of UTF-8 without control characters
	Key       []byte   // idempotency key chosen by the caller: 1 to 256 bytes of any kind
	Digest    [32]byte // SHA-256 of the document before stamping
	Length    int64    // its length in bytes, below 2^40
	Value     uint32   // what the stamp is worth, in whole units of the currency
	Kind      string   // kind of document; each of the last three has at most 256 bytes of UTF-8 without control characters
	Placement string   // where the stamp goes
	Profile   string   // how it is signed
}

func (r *Request) check() error {
	if err := checkScope(r.Account, r.Key); err != nil {
		return err
	}
	if r.Length < 0 || r.Length >= maxLength {
		return &RequestError{Field: "length", Reason: "is not between 0 and 2^40"}
	}
	for _, l := range []struct{ field, text string }{{"kind", r.Kind}, {"placement", r.Placement}, {"profile", r.Profile}} {
		if err := checkText(l.field, l.text, maxLabel); err != nil {
			return err
		}
	}
	return nil
}

func checkScope(account string, key []byte) error {
	if account == "" {
		return &RequestError{Field: "account", Reason: "is empty"}
	}
	if err := checkText("account", account, maxAccount); err != nil {
		return err
	}
	if len(key) == 0 || len(key) > maxKey {
		return &RequestError{Field: "key", Reason: fmt.Sprintf("has %d bytes instead of 1 to %d", len(key), maxKey)}
	}
	return nil
}

func checkText(field, s string, most int) error {
	if len(s) > most {
		return &RequestError{Field: field, Reason: fmt.Sprintf("has %d bytes, at most %d are allowed", len(s), most)}
	}
	if !utf8.ValidString(s) {
		return &RequestError{Field: field, Reason: "is not UTF-8"}
	}
	for _, c := range s {
		if unicode.IsControl(c) {
			return &RequestError{Field: field, Reason: "has a control character"}
		}
	}
	return nil
}

// difference names the first field of the fingerprint in which r and o differ, "" if none.
func (r *Request) difference(o *Request) string {
	switch {
	case r.Digest != o.Digest:
		return "digest"
	case r.Length != o.Length:
		return "length"
	case r.Value != o.Value:
		return "value"
	case r.Kind != o.Kind:
		return "kind"
	case r.Placement != o.Placement:
		return "placement"
	case r.Profile != o.Profile:
		return "profile"
	}
	return ""
}

// fingerprint is SHA-256 over the fields that [Request.difference] compares.
func (r *Request) fingerprint() [32]byte {
	b := make([]byte, 0, 256)
	b = append(b, "meterai request v1\x00"...)
	b = append(b, r.Digest[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Length))
	b = binary.BigEndian.AppendUint32(b, r.Value)
	for _, s := range [...]string{r.Kind, r.Placement, r.Profile} {
		b = appendString(b, s)
	}
	return sha256.Sum256(b)
}

func appendString[T string | []byte](b []byte, s T) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

// Output describes the stamped document that is kept under a number.
type Output struct {
	Digest [32]byte // SHA-256
	Length int64    // bytes
}

// Reservation is one serial number with the unit that is held for it, or was.
type Reservation struct {
	Number  Number
	Account string
	State   State
	// Time is when the intent to sign was recorded, in whole seconds UTC: the time to put into the signature, the same on
	// each re-run. It is zero before the intent.
	Time     time.Time
	Reserved time.Time // when the unit was taken
	Resolved time.Time // when the state became final, else zero
	Request  Request
	Output   Output // of a stamped reservation; of a void one, an output that came too late and is never handed out
	Note     string // reason of a release or void
}

// claim is what a [ClaimSink] keeps with the output: SHA-256 over what no other reservation has. The times tell a ledger
// that was made anew, and took the same requests, from the one before.
func (r *Reservation) claim() [32]byte {
	b := make([]byte, 0, 512)
	b = append(b, "meterai claim v1\x00"...)
	packed, print := r.Number.Packed(), r.Request.fingerprint()
	b = append(append(b, packed[:]...), print[:]...)
	b = appendString(appendString(b, r.Account), r.Request.Key)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Reserved.UnixMicro()))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Time.UnixMicro()))
	return sha256.Sum256(b)
}

func (r *Reservation) scope() KeyID { return KeyID{r.Account, OpRedeem, string(r.Request.Key)} }
