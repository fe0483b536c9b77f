package verify

import (
	"cmp"
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
	// Revoked, or a RevokedAt, makes seals of the key INDETERMINATE, since who
	// stole a key can backdate: all but those of which a timestamp in the document
	// proves that they existed before RevokedAt, or the ledger that they are its own
	// ([Options.Ledger]). Without a RevokedAt no timestamp helps.
	Revoked   bool      `json:"revoked,omitempty"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	// ListKeys are the public keys, written as PublicKey, that sign the published
	// lists ([StatusList]) about the serials of this entry. Without any it is the
	// seal key itself: then who steals it can publish lists as well.
	ListKeys []string `json:"list_keys,omitempty"`
}

// TrustError says what is wrong with a list of what is trusted.
type TrustError struct {
	List   string // what list it is; empty: the seal trust list
	Entry  int    // index of the entry, or -1 for the file as a whole
	Field  string // JSON name of the field; may be empty
	Reason string
}

func (e *TrustError) Error() string {
	s := "verify: " + cmp.Or(e.List, "seal trust list")
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
	lists []*seal.Key // those of ListKeys
}

// NewSealTrust checks the entries and makes a trust list of them. The result
// marshals to the JSON that ParseSealTrust reads.
func NewSealTrust(entries ...SealTrustEntry) (*SealTrust, error) {
	if len(entries) > trustEntries {
		return nil, &TrustError{Entry: -1, Reason: fmt.Sprintf("more than %d entries", trustEntries)}
	}
	t := &SealTrust{Entries: append([]SealTrustEntry{}, entries...)} // never null in JSON
	for i := range t.Entries {
		if len(t.Entries[i].ListKeys) == 0 {
			t.Entries[i].ListKeys = nil // as JSON gives it back
		}
	}
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
	for _, text := range e.ListKeys {
		list, err := parseSealKey(text)
		if err != nil {
			return bad("list_keys", err.Error())
		}
		k.lists = append(k.lists, list)
	}
	return k, nil
}

// covers tells whether the entry is for serials of that issuer and epoch.
func (e *SealTrustEntry) covers(n serial.Number) bool {
	return slices.Contains(e.Issuers, n.Issuer()) && slices.Contains(e.Epochs, string(n.Epoch()))
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

// sealInquiry is what a seal is judged by besides the trust list.
type sealInquiry struct {
	now    time.Time
	proven time.Time // when a timestamp proves that it existed; zero: nothing does
	skew   time.Duration
}

// sealVerdict is what is known of a seal.
type sealVerdict struct {
	entry  *SealTrustEntry // nil when no entry accepts the seal's key and mark
	certs  map[[sha256.Size]byte]bool
	ind    Indication // TOTAL-PASSED: the seal is genuine
	sub    SubIndication
	why    *phrase
	notes  []*phrase // more to say, which changes nothing
	key    [sha256.Size]byte
	gone   revocation
	trust  bool // the key may be relied on, whatever became of the serial
	status SerialStatus
}

// revocation is the earliest one that is known of a key.
type revocation struct {
	known bool
	at    time.Time // zero: it is not known since when
	by    *phrase   // who says so
}

// note takes a revocation if it is earlier than what is known.
func (r *revocation) note(at time.Time, by *phrase) {
	if !r.known || at.Before(r.at) {
		r.known, r.at, r.by = true, at, by
	}
}

// judge verifies the seal's signature with every trusted key of its id, and
// holds it against the entries of the key that made it. The best entry counts.
// That the key is revoked stands in the verdict and is judged by [sealVerdict.settle].
func (t *SealTrust) judge(s *seal.Seal, q *sealInquiry) (sealVerdict, error) {
	unknown := sealVerdict{ind: Indeterminate, sub: NoCertificateChainFound,
		why: say("the seal key %x is not on the seal trust list", s.KeyID)}
	if t == nil {
		unknown.why = say("no seal trust list was given, so the seal proves nothing")
		return unknown, nil
	}
	keys, err := t.prepared()
	if err != nil {
		return sealVerdict{}, err
	}
	best := unknown
	tried := triedKeys{}
	carriers := map[[sha256.Size]byte]bool{} // of all entries that accept the seal
	var gone revocation                      // in any entry of the key that made it
	for i := range keys {
		if !keys[i].key.Matches(s) {
			continue
		}
		v := sealVerdict{ind: TotalFailed, sub: SigCryptoFailure, why: say("the seal's own signature does not verify with the key it names")}
		if tried.verify(s, keys[i].key) {
			v = t.Entries[i].judge(s, q)
			v.key = keys[i].key.Hash()
			if t.Entries[i].revoked() {
				gone.note(t.Entries[i].RevokedAt, say("the seal trust list"))
			}
			if v.ind == TotalPassed {
				maps.Copy(carriers, keys[i].certs)
			}
		}
		if best.why == unknown.why || v.better(best) {
			best = v
		}
	}
	best.certs, best.gone, best.trust = carriers, gone, best.ind == TotalPassed
	return best, nil
}

// triedKeys remembers which keys made a seal, since one may stand in many entries.
type triedKeys map[[sha256.Size]byte]bool

func (m triedKeys) verify(s *seal.Seal, k *seal.Key) bool {
	hash := k.Hash()
	good, known := m[hash]
	if !known {
		good = s.Verify(k) == nil
		m[hash] = good
	}
	return good
}

func (e *SealTrustEntry) revoked() bool { return e.Revoked || !e.RevokedAt.IsZero() }

// better prefers an entry that accepts the key and mark, then the milder answer.
func (v sealVerdict) better(o sealVerdict) bool { return v.ind.rank() < o.ind.rank() }

func (e *SealTrustEntry) judge(s *seal.Seal, q *sealInquiry) sealVerdict {
	fail := func(why *phrase) sealVerdict {
		return sealVerdict{ind: TotalFailed, sub: FormatFailure, why: why}
	}
	switch {
	case s.Specimen && !e.Specimen:
		return fail(say("a SPECIMEN seal is never verified by a production key"))
	case !s.Specimen && e.Specimen:
		return fail(say("a production seal is never verified by a specimen key"))
	case !slices.Contains(e.Issuers, s.Serial.Issuer()):
		return fail(say("the seal key may not seal serials of issuer %s", s.Serial.Issuer()))
	case !slices.Contains(e.Epochs, string(s.Serial.Epoch())):
		return fail(say("the seal key may not seal serials of key epoch %s", string(s.Serial.Epoch())))
	}
	v := sealVerdict{entry: e, ind: TotalPassed}
	v.sub, v.why = e.outOfTime(s, q)
	if v.sub != "" {
		v.ind = Indeterminate
	}
	if v.sub == "" && !e.NotAfter.IsZero() && q.proven.After(e.NotAfter) {
		// A timestamp that came later says no less than none at all.
		v.notes = append(v.notes, say("the seal is proved to have existed only after its key had expired at %s; that it is older only the seal itself claims",
			e.NotAfter.UTC().Format(time.RFC3339)))
	}
	return v
}

// outOfTime holds the times of a seal against the validity of its key: the time
// at which the seal is proved to have existed, and where nothing is proved the
// time that it claims. What it claims must be possible in any case.
func (e *SealTrustEntry) outOfTime(s *seal.Seal, q *sealInquiry) (SubIndication, *phrase) {
	ended := func(t time.Time) bool { return !e.NotAfter.IsZero() && t.After(e.NotAfter) }
	proven := q.proven.UTC().Format(time.RFC3339)
	switch {
	case s.Issued.Before(e.NotBefore), ended(s.Issued):
		return OutOfBoundsNoPOE, say("the seal was issued, by the time that it claims, outside the validity of its key")
	case s.Issued.After(q.now.Add(q.skew)):
		return OutOfBoundsNoPOE, say("the seal claims to be issued after the time of checking")
	case q.proven.IsZero():
		return "", nil
	case s.Issued.After(q.proven.Add(q.skew)):
		return TimestampOrderFailure, say("the seal is proved to have existed at %s, before the time that it claims", proven)
	case q.proven.Before(e.NotBefore):
		return NotYetValid, say("the seal is proved to have existed at %s, before its key was valid", proven)
	}
	return "", nil
}

// serialOf reads a serial number, if the text is one.
func serialOf(text string) (serial.Number, bool) {
	n, err := serial.Parse(text)
	return n, err == nil
}
