package verify

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"strings"
	"time"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/sign/seal"
)

// Where a stamp shows in a signature.
const (
	sealKey     = pdf.Name("MeteraiSeal") // hexadecimal string: the seal's bytes
	stampPrefix = "Stamp"                 // of the field's name, before the serial
)

// stampClaim is what makes a signature a stamp, or pretends to.
type stampClaim struct {
	seal     *seal.Seal // nil when missing or not readable
	raw      []byte     // its encoding
	why      *phrase    // what is inconsistent; empty: nothing so far
	sub      SubIndication
	job      *digestJob // over the bytes before stamping
	number   serial.Number
	boundary bool      // the revision begins at the seal's length
	changes  []*phrase // what its revision does to the document beyond stamping it
	unclear  *phrase   // what about that could not be told
	carries  bool      // the signature has a seal, readable or not
	verdict  sealVerdict
	hides    *phrase // that it covers too much of its page
}

// bound tells whether the bytes before the stamp's revision are those that the seal
// names.
func (s *stampClaim) bound() bool {
	return s.boundary && s.job.sum != nil && bytes.Equal(s.job.sum, s.seal.DocumentDigest[:])
}

func (s *stampClaim) inconsistent(sub SubIndication, why *phrase) {
	if s.why == nil {
		s.sub, s.why = sub, why
	}
}

// claimOf tells whether a signature carries or claims to be a stamp, and
// checks what can be checked before hashing: nil for all other signatures.
func (d *document) claimOf(c *candidate) *stampClaim {
	inField, fieldClaims := stampField(c.name)
	inReason, reasonClaims := reasonSerial(c.reason)
	raw, carries := c.dict[sealKey]
	claim := &stampClaim{carries: carries}
	if !carries {
		var claims bool
		if claim.number, claims = claimedSerial(c.name, c.reason); !claims {
			return nil
		}
		claim.inconsistent(FormatFailure, say("the signature calls itself a stamp but carries no seal"))
		return claim
	}
	s, err := parseEmbedded(raw)
	if err != nil {
		claim.inconsistent(FormatFailure, say("the seal in the signature cannot be read: %s", err))
		return claim
	}
	claim.seal, claim.raw, claim.number = s, []byte(raw.(pdf.String)), s.Serial
	if fieldClaims && inField != s.Serial || strings.HasPrefix(lastName(c.name), stampPrefix) && !fieldClaims {
		claim.inconsistent(FormatFailure, say("the field's name gives another serial than the seal %s", s.Serial.String()))
	}
	if !reasonClaims || inReason != s.Serial {
		claim.inconsistent(FormatFailure, say("the reason of the signature does not give the serial of the seal %s", s.Serial.String()))
	}
	d.bind(c, claim)
	return claim
}

// claims finds the stamps of the document, and what is to be hashed for them.
// A stamp is good for one use: the later one of two with the same serial
// proves double use.
func (d *document) claims() []*digestJob {
	var jobs []*digestJob
	seen := map[serial.Number]bool{}
	for _, c := range d.list {
		if c.claim = d.claimOf(c); c.claim == nil || c.claim.seal == nil {
			continue
		}
		if seen[c.claim.number] {
			c.claim.inconsistent(FormatFailure, say("the serial %s was used before in this document", c.claim.number.String()))
		}
		seen[c.claim.number] = true
		if c.claim.job != nil {
			jobs = append(jobs, c.claim.job)
		}
	}
	return jobs
}

func parseEmbedded(o pdf.Object) (*seal.Seal, error) {
	raw, ok := o.(pdf.String)
	if !ok {
		return nil, say("/%s is not a direct string", sealKey)
	}
	return seal.Parse([]byte(raw))
}

// lastName gives the partial name of a field.
func lastName(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// stampField reads the serial of a field that was made for a stamp.
func stampField(name string) (serial.Number, bool) {
	text, ok := strings.CutPrefix(lastName(name), stampPrefix)
	if !ok || len(text) != 22 {
		return serial.Number{}, false
	}
	return serialOf(text)
}

// reasonSerial reads the serial at the beginning of a reason: "[SERIAL] ...".
func reasonSerial(reason string) (serial.Number, bool) {
	text, ok := strings.CutPrefix(reason, "[")
	if !ok {
		return serial.Number{}, false
	}
	text, _, ok = strings.Cut(text, "]")
	if !ok || len(text) != 22 {
		return serial.Number{}, false
	}
	return serialOf(text)
}

// claimedSerial finds a serial that people would take for that of a stamp: in
// any part of the field's name that begins like a stamp's, or anywhere in the
// reason between brackets, however it is written.
func claimedSerial(name, reason string) (serial.Number, bool) {
	parts := strings.SplitN(name, ".", nameParts)
	for i, part := range parts {
		if len(part) < len(stampPrefix) || !strings.EqualFold(part[:len(stampPrefix)], stampPrefix) {
			continue
		}
		if n, ok := serialOf(part[len(stampPrefix):]); ok {
			return n, true
		}
		rest := strings.Join(parts[i:min(len(parts), i+22)], ".") // a dot may stand between symbols
		if n, ok := serialOf(rest[len(stampPrefix):]); ok {
			return n, true
		}
	}
	for i, text := range strings.SplitAfter(reason, "[") {
		if text, _, closed := strings.Cut(text, "]"); i > 0 && closed {
			if n, ok := serialOf(text); ok {
				return n, true
			}
		}
	}
	return serial.Number{}, false
}

// bind checks that the revision of this signature begins exactly where the
// seal says that the document ends: all its objects at or after that byte, all
// earlier revisions before it, nothing but white space in between.
func (d *document) bind(c *candidate, claim *stampClaim) {
	length := claim.seal.DocumentLength
	if !c.placed {
		claim.inconsistent(FormatFailure, say("the seal cannot be bound: the signature covers no revision"))
		return
	}
	if c.revision == 0 {
		claim.inconsistent(HashFailure, say("the seal belongs to another document: the signature is part of the first revision"))
		return
	}
	prev, own := d.revs[c.revision-1], d.revs[c.revision]
	first, err := d.firstObject(c.revision)
	if err != nil {
		claim.inconsistent(FormatFailure, say("the revision of the stamp cannot be read: %s", err))
		return
	}
	if length > first || length > c.rng.gap.Start {
		claim.inconsistent(HashFailure, say("the seal belongs to another document: it is of %d bytes, but the stamp's revision begins at %d", length, own.Start))
		return
	}
	ended := length >= prev.End
	if !ended {
		if ended, err = d.endsAt(prev, length); err != nil {
			claim.inconsistent(FormatFailure, say("the document cannot be read"))
			return
		}
	}
	white, err := whiteBetween(d.src, length, first)
	if err != nil || !white || !ended {
		claim.inconsistent(HashFailure, say("the seal belongs to another document: it is of %d bytes, but the stamp's revision begins at %d", length, own.Start))
		return
	}
	claim.boundary = true
	claim.job = &digestJob{alg: cms.Digest(crypto.SHA256), gapStart: length, gapEnd: length, end: length}
}

// judgeStamp gives the verdict about the stamp; true when the signature is
// none, or a stamp that is proved.
func (d *document) judgeStamp(c *candidate) bool {
	claim := c.claim
	if claim == nil || !claim.carries {
		if older, good := d.judgeOlder(c); older {
			return good
		}
	}
	return claim == nil || d.judgeClaim(c, claim)
}

// judgeClaim gives the verdict about a stamp of ours.
func (d *document) judgeClaim(c *candidate, claim *stampClaim) bool {
	c.Stamp = &Stamp{Kind: KindSeal, Serial: claim.number.String()}
	s := claim.seal
	if s == nil {
		c.fail(claim.sub, claim.why)
		return false
	}
	c.Stamp.Value, c.Stamp.Issued, c.Stamp.Specimen = s.Value, issuedOf(s), s.Specimen
	c.Stamp.DocumentLength, c.Stamp.DocumentDigest = s.DocumentLength, hex.EncodeToString(s.DocumentDigest[:])
	bound := claim.bound()
	c.Stamp.DocumentBound = bound && len(claim.changes) == 0
	if !bound {
		claim.inconsistent(HashFailure, say("the seal belongs to another document: the bytes before the stamp have another digest"))
	}
	if c.placed && claim.why == nil {
		d.compareSymbol(c, claim)
	}
	if claim.why != nil {
		c.fail(claim.sub, claim.why)
	}
	for _, why := range claim.changes {
		c.fail(FormatFailure, say("the stamp's own revision changes more than a stamp may (content exchanged while stamping): %s", why))
	}
	if claim.hides != nil {
		c.doubt(SigConstraintsFailure, claim.hides)
	}
	if claim.unclear != nil { // the document had this fault when it was sealed
		c.note(say("of the stamp's own revision: %s", claim.unclear))
	}
	proved := d.judgeSealKey(c, s)
	sound := claim.why == nil && len(claim.changes) == 0 && c.intact && !d.opt.IntegrityOnly
	c.Stamp.Genuine, c.Stamp.sealed = c.Stamp.Genuine && sound, c.Stamp.sealed && sound
	return proved && claim.why == nil && len(claim.changes) == 0
}

// judgeSealKey holds the seal against the trust list and what is known of its
// serial, and the certificate of the signature against the list of those that may
// carry it.
func (d *document) judgeSealKey(c *candidate, s *seal.Seal) bool {
	if d.opt.IntegrityOnly && d.opt.SealTrust == nil {
		c.note(say("the key of the seal was not checked"))
		return true
	}
	v := &c.claim.verdict
	if v.entry != nil {
		c.Stamp.Currency = v.entry.Currency
	}
	c.Stamp.Status = v.status
	switch {
	case v.ind == TotalFailed:
		c.fail(v.sub, v.why)
	case v.ind != TotalPassed && d.opt.IntegrityOnly:
		c.note(v.why)
	case v.ind != TotalPassed:
		c.doubt(v.sub, v.why)
	}
	for _, why := range v.notes {
		c.note(why)
	}
	switch {
	case v.trust:
		carried := d.mayCarry(c, *v)
		c.Stamp.sealed = c.Stamp.Genuine
		c.Stamp.Genuine = c.Stamp.Genuine && v.ind == TotalPassed
		return carried && v.ind == TotalPassed
	case v.ind == TotalFailed:
		return false
	}
	return d.opt.IntegrityOnly
}

// issuedOf is the time of issue for a report; nil when no report can write it.
func issuedOf(s *seal.Seal) *time.Time {
	if !writable(s.Issued) {
		return nil
	}
	t := s.Issued
	return &t
}

// leafMayCarry refuses, among all that a trusted authority issued, certificates
// that are for something else than signing documents.
func (d *document) leafMayCarry(c *candidate) bool {
	other := c.cert.IsCA
	for _, use := range c.cert.ExtKeyUsage {
		switch use {
		case x509.ExtKeyUsageTimeStamping, x509.ExtKeyUsageOCSPSigning, x509.ExtKeyUsageServerAuth,
			x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageCodeSigning:
			other = true
		}
	}
	if other {
		c.fail(FormatFailure, say("the signing certificate is for something else than documents: it may not carry this seal"))
	}
	return !other
}

// mayCarry tells whether the signing certificate, or an issuer on its path,
// may put this key's seals on documents.
func (d *document) mayCarry(c *candidate, v sealVerdict) bool {
	if c.cert == nil {
		return false // said elsewhere
	}
	if v.certs[sha256.Sum256(c.cert.Raw)] {
		c.Stamp.Genuine = true
		return true
	}
	for _, issuer := range c.chain {
		if v.certs[sha256.Sum256(issuer.Raw)] {
			c.Stamp.Genuine = d.leafMayCarry(c)
			return c.Stamp.Genuine
		}
	}
	switch {
	case d.opt.IntegrityOnly:
		c.note(say("whether this certificate may carry the seal was not checked"))
		return true
	case len(v.certs) == 0:
		c.doubt(ChainConstraintsFailure, say("the seal trust list names no certificate that may carry this seal in a document"))
	case len(c.chain) == 0:
		c.doubt(NoCertificateChainFound, say("the signing certificate is not proved to be one that may carry this seal"))
	default:
		c.fail(FormatFailure, say("the signing certificate may not carry this seal: somebody else signed over a genuine seal"))
	}
	return false
}
