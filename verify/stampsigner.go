package verify

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/seed-574216e4/meterai/sign/cms"
)

// StampSigners is the list of certificates whose signatures are stamps of the
// older kinds: those have no seal. Who signed decides that a signature is a stamp, and
// the serial stands at the beginning of its /Reason, "[SERIAL] free text". Make a
// list with [NewStampSigners] or [ParseStampSigners]; it is then not changed and
// may be shared by concurrent calls.
type StampSigners struct {
	Entries []StampSigner `json:"entries"`

	byPrint map[[sha256.Size]byte]*StampSigner // of Entries; nil until prepared
}

// StampSigner is one certificate that signs stamps.
type StampSigner struct {
	// Name is for people; it decides nothing.
	Name string `json:"name,omitempty"`
	// Certificate is the SHA-256 fingerprint of the signing certificate, 64
	// hexadecimal digits. Not of its authority: that issues to others as well.
	Certificate string `json:"certificate"`
	// Currency and Value are what each stamp of this signer is worth, which no such
	// stamp says of itself. Empty and 0: it is not reported.
	Currency string `json:"currency,omitempty"`
	Value    uint32 `json:"value,omitempty"`
	// Specimen marks a signer of specimens.
	Specimen bool `json:"specimen,omitempty"`
}

// signersList is the name of such a list in errors.
const signersList = "stamp signer list"

var signerKeys = []string{"name", "certificate", "currency", "value", "specimen"}

// TrustSigner begins the entry of a certificate that signs stamps.
func TrustSigner(cert *x509.Certificate) StampSigner {
	sum := sha256.Sum256(cert.Raw)
	return StampSigner{Certificate: hex.EncodeToString(sum[:])}
}

// NewStampSigners checks the entries and makes a list of them. What is wrong is a
// *TrustError. The result marshals to the JSON that ParseStampSigners reads.
func NewStampSigners(entries ...StampSigner) (*StampSigners, error) {
	if len(entries) > trustEntries {
		return nil, &TrustError{List: signersList, Entry: -1, Reason: fmt.Sprintf("more than %d entries", trustEntries)}
	}
	l := &StampSigners{Entries: append([]StampSigner{}, entries...)} // never null in JSON
	byPrint, err := l.prepared()
	if err != nil {
		return nil, err
	}
	l.byPrint = byPrint
	return l, nil
}

// ParseStampSigners reads a list: a JSON object {"entries":[...]} of
// [StampSigner], as strictly as [ParseSealTrust].
func ParseStampSigners(b []byte) (*StampSigners, error) {
	if len(b) > trustSize {
		return nil, &TrustError{List: signersList, Entry: -1, Reason: fmt.Sprintf("longer than %d bytes", trustSize)}
	}
	var file struct {
		Entries []StampSigner `json:"entries"`
	}
	if err := parseList(b, signersList, signerKeys, &file); err != nil {
		return nil, err
	}
	return NewStampSigners(file.Entries...)
}

// prepared returns the entries by fingerprint, checked when the list was made by
// hand.
func (l *StampSigners) prepared() (map[[sha256.Size]byte]*StampSigner, error) {
	if l.byPrint != nil {
		return l.byPrint, nil
	}
	byPrint := make(map[[sha256.Size]byte]*StampSigner, len(l.Entries))
	for i := range l.Entries {
		e := &l.Entries[i]
		bad := func(field, reason string) error {
			return &TrustError{List: signersList, Entry: i, Field: field, Reason: reason}
		}
		print, err := hex.DecodeString(strings.ReplaceAll(e.Certificate, ":", ""))
		if err != nil || len(print) != sha256.Size {
			return nil, bad("certificate", "wanted: a SHA-256 fingerprint of 64 hexadecimal digits")
		}
		if len(e.Currency) > 16 || cleanText(e.Currency) != e.Currency || (e.Currency == "") != (e.Value == 0) {
			return nil, bad("currency", "not a short name, or currency and value do not go together")
		}
		if byPrint[[sha256.Size]byte(print)] != nil {
			return nil, bad("certificate", "given more than once")
		}
		byPrint[[sha256.Size]byte(print)] = e
	}
	return byPrint, nil
}

// signerOf gives the entry of a certificate; nil when there is none.
func (l *StampSigners) signerOf(cert *x509.Certificate) *StampSigner {
	if l == nil || cert == nil {
		return nil
	}
	byPrint, err := l.prepared()
	if err != nil {
		return nil
	}
	return byPrint[sha256.Sum256(cert.Raw)]
}

// Where a stamp of an older kind shows.
const (
	olderField   = "Emet" // of the field's name, before the serial; other names say nothing
	olderSymbols = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// olderSerial reads the serial of a stamp of an older kind: 22 capital letters or
// digits between brackets at the very beginning, and nothing else.
func olderSerial(reason string) (string, bool) {
	const n = 22
	if len(reason) < n+2 || reason[0] != '[' || reason[n+1] != ']' || strings.Trim(reason[1:n+1], olderSymbols) != "" {
		return "", false
	}
	return reason[1 : n+1], true
}

// olderJob asks for the digest of the document before a signature that reads like
// a stamp of an older kind: whoever stamps it twice under one serial, since the
// first try was lost, has used the serial once. Nil when it has no revision of its
// own, so that the document before is not known.
func (d *document) olderJob(c *candidate) *digestJob {
	if _, named := olderSerial(c.reason); !named || d.opt.StampSigners == nil || c.job == nil || c.claim != nil || c.revision == 0 {
		return nil
	}
	end := d.revs[c.revision-1].End
	return &digestJob{alg: cms.Digest(crypto.SHA256), gapStart: end, gapEnd: end, end: end}
}

// judgeOlder gives the verdict about a signature without a seal that is a stamp of
// an older kind, or looks like one; older is false for all others.
func (d *document) judgeOlder(c *candidate) (older, good bool) {
	if d.opt.StampSigners == nil || c.token != nil {
		return false, false
	}
	number, named := olderSerial(c.reason)
	entry := d.opt.StampSigners.signerOf(c.cert)
	if entry == nil && (!named || c.claim != nil) {
		return false, false // no stamp, or one of ours without its seal
	}
	trusted := c.intact && c.Indication == "" // nothing that was checked so far is in doubt
	c.Stamp = &Stamp{Kind: KindSigner, Serial: number}
	if entry == nil {
		return true, d.notASigner(c)
	}
	c.Stamp.Value, c.Stamp.Currency, c.Stamp.Specimen = entry.Value, entry.Currency, entry.Specimen
	if c.intact && c.before != nil {
		c.Stamp.DocumentDigest = hex.EncodeToString(c.before.sum)
	}
	inField, hasField := strings.CutPrefix(lastName(c.name), olderField)
	switch {
	case !named && d.opt.IntegrityOnly:
		c.note(say("a signer of stamps signed, but the reason does not begin with a serial in brackets"))
		return true, true
	case !named:
		c.doubt(SigConstraintsFailure, say("a signer of stamps signed, but the reason does not begin with a serial in brackets"))
	case hasField && inField != number:
		c.fail(FormatFailure, say("the field's name gives another serial than the reason of the signature"))
	case d.usedBefore(c):
		c.fail(FormatFailure, say("the serial %s was used before in this document", number))
	default:
		c.Stamp.Genuine = trusted && !d.opt.IntegrityOnly
		c.Stamp.sealed = c.Stamp.Genuine
		return true, true
	}
	return true, false
}

// notASigner is the verdict about somebody else's signature that reads like a
// stamp.
func (d *document) notASigner(c *candidate) bool {
	why := say("it reads like a stamp of an older kind, but its certificate is not on the list of stamp signers")
	if d.opt.IntegrityOnly {
		c.note(why)
		return true
	}
	c.doubt(ChainConstraintsFailure, why)
	return false
}

// usedBefore tells whether an earlier stamp of the same kind, proved genuine, has
// the serial of this one.
func (d *document) usedBefore(c *candidate) bool {
	for _, other := range d.list {
		if other == c {
			return false
		}
		if s := other.Stamp; s != nil && s.Kind == KindSigner && s.Genuine && s.Serial == c.Stamp.Serial {
			return true
		}
	}
	return false
}
