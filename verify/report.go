package verify

import (
	"strings"
	"time"
)

// Report is the answer for one file. Its JSON form is one object with stable
// keys; every string in it is already safe to print and to log.
type Report struct {
	// File is the name the caller gave; Document leaves it empty.
	File string `json:"file"`
	// Scope is "full", or "integrity" when trust and time were set aside.
	Scope string `json:"scope"`
	// Indication is the worst of the signatures, NO-SIGNATURE or UNREADABLE.
	Indication Indication `json:"indication"`
	// SubIndication is that of the first signature with the worst indication.
	SubIndication SubIndication `json:"sub_indication"`
	// Modification is the worst of the signatures.
	Modification Modification `json:"modification"`
	// Signatures are in order of revision, document timestamps included.
	Signatures []Signature `json:"signatures"`
	// Reasons are about the file as a whole, in English; most files have none.
	Reasons []string `json:"reasons,omitempty"`

	said []*phrase // Reasons, for [Report.TextIn]
}

// Signature is the answer for one signature or document timestamp.
type Signature struct {
	// Field is the full name of the form field; empty when no field reaches
	// the signature.
	Field         string        `json:"field"`
	Indication    Indication    `json:"indication"`
	SubIndication SubIndication `json:"sub_indication"`
	// Level is "B-B", "B-T", "B-LT" or "B-LTA" (EN 319 142-1, 6.3), as far as
	// timestamps are valid and the document holds what a later validation needs;
	// "pkcs7" for the older formats of ISO 32000, "timestamp" for a document
	// timestamp, or empty. A check of integrity alone tells B-B and B-T apart.
	Level string `json:"level"`
	// Certified says which later changes the author permits, when this is the
	// certification signature of the document: "no-changes", "forms" or
	// "comments" (DocMDP, P = 1, 2 or 3; ISO 32000-2, 12.8.2.2); "" otherwise.
	Certified    string       `json:"certified,omitempty"`
	Coverage     Coverage     `json:"coverage"`
	Modification Modification `json:"modification"`
	// Signer is the subject of the signing certificate.
	Signer string `json:"signer"`
	// SigningTime is what the signer claims (/M); nil when absent.
	SigningTime *time.Time `json:"signing_time"`
	// Timestamp is the earliest time at which the signature is proved to have
	// existed, by a timestamp in it or a document timestamp over it; of a
	// document timestamp, the time of its token. Nil when there is none.
	Timestamp *time.Time `json:"timestamp"`
	// Algorithm is the signature algorithm, such as "ECDSA-SHA256".
	Algorithm string `json:"algorithm"`
	// Reasons say, in English words, what was found, the gravest first.
	Reasons []string `json:"reasons"`
	// Stamp is set when the signature carries or claims to be a stamp.
	Stamp *Stamp `json:"stamp"`

	said []*phrase // Reasons, for [Report.TextIn]
}

// Stamp is what the seal in a signature says, or of a stamp of an older kind its
// signature.
type Stamp struct {
	// Kind says what makes it a stamp.
	Kind StampKind `json:"kind"`
	// Serial has 22 characters; empty when a stamp of an older kind names none.
	Serial string `json:"serial"`
	// Value is in whole units of Currency.
	Value uint32 `json:"value"`
	// Currency comes from the trust entry; empty when the key is not trusted.
	Currency string     `json:"currency"`
	Issued   *time.Time `json:"issued"`
	Specimen bool       `json:"specimen"`
	// Genuine is true when a key on the seal trust list made the seal, the
	// certificate of the signature may carry it, and no list or ledger contradicts;
	// of an older kind when the list of stamp signers names its certificate, which is
	// trusted, and the signature is intact. Without it serial and value are
	// only what somebody wrote, as after a check of integrity alone.
	Genuine bool `json:"genuine"`
	// DocumentBound is true when length and digest of the seal are those of
	// the bytes before this signature's revision, and the revision does nothing
	// to that document but to put the stamp on it. A stamp of an older kind has no
	// seal: its signature alone binds it.
	DocumentBound bool `json:"document_bound"`
	// Status is what published lists or the ledger say of the serial; empty when
	// none was given that speaks of it.
	Status SerialStatus `json:"status,omitempty"`
	// DocumentLength in bytes and DocumentDigest (SHA-256, hexadecimal) are, by the
	// seal, those of the document before stamping. Of an older kind the digest is
	// that of what stood before the signature's revision; empty when nothing did.
	DocumentLength int64  `json:"document_length,omitempty"`
	DocumentDigest string `json:"document_digest,omitempty"`

	sealed bool // by a trusted key, on this document, whatever became of the serial
}

// StampKind says what makes a signature a stamp.
type StampKind string

// The kinds of stamps.
const (
	KindSeal   StampKind = "seal"   // the seal in the signature dictionary
	KindSigner StampKind = "signer" // an older kind: who signed it, and the serial in /Reason
)

// ExitCode returns the exit code of a command that prints the report:
// 0 TOTAL-PASSED, 1 TOTAL-FAILED, 3 UNREADABLE, 4 NO-SIGNATURE and
// 5 INDETERMINATE. A report without an indication counts as unreadable.
func (r *Report) ExitCode() int { return r.Indication.exitCode() }

// conclude sets the file's answer from its signatures.
func (r *Report) conclude() {
	r.Modification = ModificationNone
	if len(r.Signatures) == 0 {
		r.Indication = NoSignature
		return
	}
	r.Indication = TotalPassed
	for i := range r.Signatures {
		s := &r.Signatures[i]
		if s.Indication.rank() > r.Indication.rank() {
			r.Indication, r.SubIndication = s.Indication, s.SubIndication
		}
		if s.Modification.rank() > r.Modification.rank() {
			r.Modification = s.Modification
		}
	}
}

// because adds reasons about the file as a whole.
func (r *Report) because(why ...*phrase) {
	r.said, r.Reasons = append(r.said, why...), append(r.Reasons, english(why)...)
}

// fail makes the signature TOTAL-FAILED and puts the reason before those
// found earlier; the first failure keeps its sub-indication.
func (s *Signature) fail(sub SubIndication, reason *phrase) {
	if s.Indication != TotalFailed {
		s.Indication, s.SubIndication = TotalFailed, sub
		s.said = append([]*phrase{reason}, s.said...)
		s.Reasons = append([]string{clean(reason.String())}, s.Reasons...)
		return
	}
	s.note(reason)
}

// doubt makes a signature that has not failed INDETERMINATE; the first doubt
// keeps its sub-indication.
func (s *Signature) doubt(sub SubIndication, reason *phrase) {
	if s.Indication != TotalFailed && s.Indication != Indeterminate {
		s.Indication, s.SubIndication = Indeterminate, sub
	}
	s.note(reason)
}

// note adds a reason that changes nothing.
func (s *Signature) note(reason *phrase) {
	s.said, s.Reasons = append(s.said, reason), append(s.Reasons, clean(reason.String()))
}

// failed tells whether a check has already failed the signature.
func (s *Signature) failed() bool { return s.Indication == TotalFailed }

// trim bounds the reasons of a signature.
func (s *Signature) trim(limit int) {
	if s.Reasons == nil {
		s.Reasons = []string{}
	}
	if len(s.Reasons) > limit {
		s.Reasons, s.said = s.Reasons[:limit:limit], s.said[:limit:limit]
		s.note(say("further reasons are left out"))
	}
}

// clean makes a string safe for logs and terminals: control, formatting and
// bidirectional characters become '?', and the length is bounded.
func clean(s string) string {
	return cleanTo(s, 4*textLimit)
}

// cleanText is clean for one value taken from the file.
func cleanText(s string) string {
	return cleanTo(s, textLimit)
}

func cleanTo(s string, limit int) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n == limit {
			b.WriteString("...")
			break
		}
		b.WriteRune(safeRune(r))
		n++
	}
	return b.String()
}
