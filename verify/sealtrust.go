package verify

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign/seal"
)

// SealTrust is the list of seal keys that a verifier accepts; a seal overrides
// nothing in it. Make one with [NewSealTrust] or [ParseSealTrust]; it is then
// not changed and may be shared by concurrent calls.
type SealTrust struct {
	Entries []SealTrustEntry `json:"entries"`

	keys []trustedKey // of Entries, in the same order; empty until prepared
}

// SealTrustEntry fixes what one seal key may say. The same key may stand in
// several entries, for example with another period per currency.
type SealTrustEntry struct {
	// Name is for people; it decides nothing.
	Name string `json:"name,omitempty"`
	// PublicKey is the SubjectPublicKeyInfo, as PEM or as the base64 of its DER.
	PublicKey string `json:"public_key"`
	// Algorithm is "Ed25519" or "P-256" and must be that of the key.
	Algorithm string `json:"algorithm"`
	// Issuers are the two-symbol issuer codes whose serials it may seal.
	Issuers []string `json:"issuers"`
	// Epochs are the one-symbol key epochs whose serials it may seal.
	Epochs []string `json:"epochs"`
	// NotBefore and NotAfter bound the seal's time of issue, inclusive. A
	// zero NotAfter leaves the end open; NotBefore must be given.
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	// Currency is the unit of the seal's value, such as "IDR".
	Currency string `json:"currency"`
	// Specimen entries verify only seals marked SPECIMEN, all others only
	// seals that are not.
	Specimen bool `json:"specimen"`
	// Certificates are SHA-256 fingerprints (64 hexadecimal digits) of the
	// certificates whose PDF signatures may carry the seal, or of their
	// issuing authorities. Without any, only printed seals can be verified.
	Certificates []string `json:"certificates"`
	// Revoked, or a RevokedAt, makes every seal of the key INDETERMINATE: who
	// stole a key can backdate.
	Revoked   bool      `json:"revoked,omitempty"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
}

// TrustError says what is wrong with a seal trust list.
type TrustError struct {
	Entry  int    // index of the entry, or -1 for the file as a whole
	Field  string // JSON name of the field; may be empty
	Reason string
}

func (e *TrustError) Error() string {
	s := "verify: seal trust list"
	if e.Entry >= 0 {
		s += fmt.Sprintf(", entry %d", e.Entry)
	}
	if e.Field != "" {
		s += ", " + e.Field
	}
	return s + ": " + e.Reason
}

// trustedKey is the checked form of one entry.
type trustedKey struct {
	key   *seal.Key
	certs map[[sha256.Size]byte]bool
}

// NewSealTrust checks the entries and makes a trust list of them. The result
// marshals to the JSON that ParseSealTrust reads.
func NewSealTrust(entries ...SealTrustEntry) (*SealTrust, error) {
	if len(entries) > trustEntries {
		return nil, &TrustError{Entry: -1, Reason: fmt.Sprintf("more than %d entries", trustEntries)}
	}
	t := &SealTrust{Entries: append([]SealTrustEntry{}, entries...)} // never null in JSON
	keys, err := prepare(t.Entries)
	if err != nil {
		return nil, err
	}
	t.keys = keys
	return t, nil
}

// prepared returns the checked entries: those made by the constructors, or,
// for a SealTrust made by hand, freshly checked ones.
func (t *SealTrust) prepared() ([]trustedKey, error) {
	if len(t.keys) == len(t.Entries) {
		return t.keys, nil
	}
	return prepare(t.Entries)
}

func prepare(entries []SealTrustEntry) ([]trustedKey, error) {
	keys := make([]trustedKey, len(entries))
	for i := range entries {
		k, err := entries[i].prepare()
		if err != nil {
			err.Entry = i
			return nil, err
		}
		keys[i] = k
	}
	return keys, nil
}

func (e *SealTrustEntry) prepare() (trustedKey, *TrustError) {
	bad := func(field, reason string) (trustedKey, *TrustError) {
		return trustedKey{}, &TrustError{Field: field, Reason: reason}
	}
	key, err := parseSealKey(e.PublicKey)
	if err != nil {
		return bad("public_key", err.Error())
	}
	if key.Algorithm().String() != e.Algorithm {
		return bad("algorithm", fmt.Sprintf("the key is %s", key.Algorithm()))
	}
	if !codes(e.Issuers, 2) {
		return bad("issuers", "wanted: one or more codes of two symbols")
	}
	if !codes(e.Epochs, 1) {
		return bad("epochs", "wanted: one or more symbols")
	}
	if e.NotBefore.IsZero() || !e.NotAfter.IsZero() && e.NotAfter.Before(e.NotBefore) {
		return bad("not_before", "missing, or after not_after")
	}
	if e.Currency == "" || len(e.Currency) > 16 || cleanText(e.Currency) != e.Currency {
		return bad("currency", "missing, or not a short name")
	}
	k := trustedKey{key: key, certs: map[[sha256.Size]byte]bool{}}
	for _, fp := range e.Certificates {
		b, err := hex.DecodeString(strings.ReplaceAll(fp, ":", ""))
		if err != nil || len(b) != sha256.Size {
			return bad("certificates", "wanted: SHA-256 fingerprints of 64 hexadecimal digits")
		}
		k.certs[[sha256.Size]byte(b)] = true
	}
	return k, nil
}

func parseSealKey(text string) (*seal.Key, error) {
	if strings.Contains(text, "-----BEGIN") {
		return seal.ParseKeyPEM([]byte(text))
	}
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("neither PEM nor base64")
	}
	return seal.ParseKey(der)
}

// codes tells whether the list holds one or more codes of n symbols of the
// serial number's alphabet.
func codes(list []string, n int) bool {
	const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	for _, s := range list {
		if len(s) != n || strings.Trim(s, alphabet) != "" {
			return false
		}
	}
	return len(list) > 0
}

// sealVerdict is what the trust list says about a seal.
type sealVerdict struct {
	entry *SealTrustEntry // nil when no entry accepts the seal's key and mark
	certs map[[sha256.Size]byte]bool
	ind   Indication // TOTAL-PASSED: the seal is genuine
	sub   SubIndication
	why   string
}

// judge verifies the seal's signature with every trusted key of its id, and
// holds it against the entries of the key that made it. The best entry counts.
func (t *SealTrust) judge(s *seal.Seal, at time.Time, skew time.Duration) (sealVerdict, error) {
	unknown := sealVerdict{ind: Indeterminate, sub: NoCertificateChainFound,
		why: fmt.Sprintf("the seal key %x is not on the seal trust list", s.KeyID)}
	if t == nil {
		unknown.why = "no seal trust list was given, so the seal proves nothing"
		return unknown, nil
	}
	keys, err := t.prepared()
	if err != nil {
		return sealVerdict{}, err
	}
	best := unknown
	tried := map[[sha256.Size]byte]bool{}
	carriers := map[[sha256.Size]byte]bool{} // of all entries that accept the seal
	revoked := false                         // in any entry of the key that made it
	for i := range keys {
		if !keys[i].key.Matches(s) {
			continue
		}
		hash := keys[i].key.Hash()
		good, known := tried[hash]
		if !known {
			good = s.Verify(keys[i].key) == nil
			tried[hash] = good
		}
		v := sealVerdict{ind: TotalFailed, sub: SigCryptoFailure, why: "the seal's own signature does not verify with the key it names"}
		if good {
			v = t.Entries[i].judge(s, at, skew)
			revoked = revoked || t.Entries[i].revoked()
			if v.ind == TotalPassed {
				maps.Copy(carriers, keys[i].certs)
			}
		}
		if best.why == unknown.why || v.better(best) {
			best = v
		}
	}
	best.certs = carriers
	if revoked && best.ind == TotalPassed {
		best.ind, best.sub, best.why = Indeterminate, RevokedNoPOE, revokedKey
	}
	return best, nil
}

const revokedKey = "the seal key is revoked: only the issuer's ledger can tell"

func (e *SealTrustEntry) revoked() bool { return e.Revoked || !e.RevokedAt.IsZero() }

// better prefers an entry that accepts the key and mark, then the milder answer.
func (v sealVerdict) better(o sealVerdict) bool { return v.ind.rank() < o.ind.rank() }

func (e *SealTrustEntry) judge(s *seal.Seal, at time.Time, skew time.Duration) sealVerdict {
	fail := func(why string) sealVerdict {
		return sealVerdict{ind: TotalFailed, sub: FormatFailure, why: why}
	}
	switch {
	case s.Specimen && !e.Specimen:
		return fail("a SPECIMEN seal is never verified by a production key")
	case !s.Specimen && e.Specimen:
		return fail("a production seal is never verified by a specimen key")
	case !slices.Contains(e.Issuers, s.Serial.Issuer()):
		return fail("the seal key may not seal serials of issuer " + s.Serial.Issuer())
	case !slices.Contains(e.Epochs, string(s.Serial.Epoch())):
		return fail("the seal key may not seal serials of key epoch " + string(s.Serial.Epoch()))
	}
	v := sealVerdict{entry: e, ind: TotalPassed}
	doubt := func(sub SubIndication, why string) { v.ind, v.sub, v.why = Indeterminate, sub, why }
	switch {
	case e.revoked():
		doubt(RevokedNoPOE, revokedKey)
	case s.Issued.Before(e.NotBefore), !e.NotAfter.IsZero() && s.Issued.After(e.NotAfter):
		doubt(OutOfBoundsNoPOE, "the seal was issued outside the validity of its key")
	case s.Issued.After(at.Add(skew)):
		doubt(OutOfBoundsNoPOE, "the seal claims to be issued after the time of checking")
	}
	return v
}

// serialOf reads a serial number, if the text is one.
func serialOf(text string) (serial.Number, bool) {
	n, err := serial.Parse(text)
	return n, err == nil
}
