package verify

import (
	"context"
	"crypto"
	_ "crypto/sha256" // the digest of the seal
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/sign/seal"
)

// SealReport is the answer for a printed seal. Its JSON form is one object
// with stable keys; every string in it is safe to print and to log.
type SealReport struct {
	// Indication is TOTAL-PASSED only from SealForDocument, when the seal is
	// genuine and the document is byte for byte the one that was stamped. A
	// genuine seal without its document is INDETERMINATE
	// (SIGNED_DATA_NOT_FOUND).
	Indication    Indication    `json:"indication"`
	SubIndication SubIndication `json:"sub_indication"`
	// Genuine is true when a trusted, unrevoked key made the seal and no list or
	// ledger contradicts. It says nothing about the paper the seal was found on.
	Genuine bool `json:"genuine"`
	// Statement is one sentence for people, with what to compare.
	Statement string `json:"statement"`
	// Serial has 22 characters; empty when the text is no seal.
	Serial   string     `json:"serial"`
	Value    uint32     `json:"value"`
	Currency string     `json:"currency"`
	Issued   *time.Time `json:"issued"`
	Specimen bool       `json:"specimen"`
	// DocumentLength in bytes and DocumentDigest (SHA-256, hexadecimal) are
	// those of the document before stamping.
	DocumentLength int64  `json:"document_length"`
	DocumentDigest string `json:"document_digest"`
	// DocumentBound is true when the document given has that beginning.
	DocumentBound bool `json:"document_bound"`
	// Status is what published lists or the ledger say of the serial; empty when
	// none was given that speaks of it.
	Status  SerialStatus `json:"status,omitempty"`
	Reasons []string     `json:"reasons"`
}

// ExitCode returns the exit code of a command that prints the report, as
// [Report.ExitCode] does.
func (r *SealReport) ExitCode() int { return r.Indication.exitCode() }

// Seal judges the text of a printed seal, as a phone reads it, with or without
// the URL before it. A genuine seal is at best INDETERMINATE: it could be a
// photocopy on another paper. Its key is judged by the time that the seal claims,
// since nothing on paper proves more. The error is not nil only for a wrong
// Options.SealTrust; a text that is no seal is TOTAL-FAILED.
func Seal(text string, opt *Options) (*SealReport, error) {
	return SealContext(context.Background(), text, opt)
}

// SealContext is [Seal] with a context for the ledger that Options name. The
// error is not nil as well when the context has ended.
func SealContext(ctx context.Context, text string, opt *Options) (*SealReport, error) {
	report, _, err := judgeSeal(ctx, text, opt.withDefaults())
	return report, err
}

// SealForDocument judges the text of a printed seal together with a file of
// size bytes: the document before stamping, or the stamped one. The first
// bytes must be those that the seal names. When the file goes on after them
// the answer stays INDETERMINATE, since only [Document] judges the rest.
func SealForDocument(ctx context.Context, text string, r io.ReaderAt, size int64, opt *Options) (*SealReport, error) {
	report, s, err := judgeSeal(ctx, text, opt.withDefaults())
	if err != nil || s == nil {
		return report, err
	}
	if s.DocumentLength > size {
		report.fail(HashFailure, fmt.Sprintf("the seal is of a document of %d bytes; this one has %d", s.DocumentLength, size))
		return report, nil
	}
	job := &digestJob{alg: cms.Digest(crypto.SHA256), gapStart: s.DocumentLength, gapEnd: s.DocumentLength, end: s.DocumentLength}
	if err := digests(ctx, r, []*digestJob{job}); err != nil {
		return nil, err
	}
	report.DocumentBound = [32]byte(job.sum) == s.DocumentDigest
	switch {
	case !report.DocumentBound:
		report.fail(HashFailure, "the seal belongs to another document")
	case !report.Genuine:
	case s.DocumentLength < size:
		report.Reasons = append(report.Reasons, "the file goes on after the bytes that the seal names: verify the file itself")
		report.Statement += fmt.Sprintf("; the first %d bytes of this file are that document", s.DocumentLength)
	default:
		report.Indication, report.SubIndication = TotalPassed, ""
		report.Reasons = report.Reasons[:len(report.Reasons)-1] // the last is that nothing was compared
		report.Statement += "; this file is that document"
	}
	return report, nil
}

func judgeSeal(ctx context.Context, text string, opt *Options) (*SealReport, *seal.Seal, error) {
	r := &SealReport{Indication: TotalFailed, SubIndication: FormatFailure, Reasons: []string{}, Statement: "this text is not a seal"}
	if len(text) > sealTextLimit {
		r.Reasons = append(r.Reasons, fmt.Sprintf("longer than %d bytes", sealTextLimit))
		return r, nil, nil
	}
	s, _, err := seal.ParseText(text)
	if err != nil {
		r.Reasons = append(r.Reasons, clean(err.Error()))
		return r, nil, nil
	}
	r.fill(s)
	v, err := opt.judgeSeal(ctx, s, time.Time{}, true)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, nil, err
	}
	r.conclude(s, &v)
	return r, s, nil
}

// conclude takes what is known of the seal into the report.
func (r *SealReport) conclude(s *seal.Seal, v *sealVerdict) {
	r.Indication, r.SubIndication, r.Status = v.ind, v.sub, v.status
	for _, why := range append([]string{v.why}, v.notes...) {
		if why != "" {
			r.Reasons = append(r.Reasons, clean(why))
		}
	}
	if v.entry != nil {
		r.Currency = v.entry.Currency
	}
	if v.ind != TotalPassed {
		r.Statement = "not proved to be a genuine seal"
		if v.trust {
			r.Statement = "a trusted key made this seal of " + s.Serial.String() + ", but " + clean(v.why)
		}
		return
	}
	r.Genuine = true
	r.Indication, r.SubIndication = Indeterminate, SignedDataNotFound
	r.Reasons = append(r.Reasons, "a printed seal can be photocopied: compare the document")
	r.Statement = fmt.Sprintf("genuine %s of %s, value %s %d, issued %s, for a document of %d bytes; compare",
		sealWord(s), s.Serial, r.Currency, s.Value, s.Issued.UTC().Format(time.RFC3339), s.DocumentLength)
}

func sealWord(s *seal.Seal) string {
	if s.Specimen {
		return "SPECIMEN seal"
	}
	return "seal"
}

func (r *SealReport) fill(s *seal.Seal) {
	r.Serial, r.Value, r.Issued, r.Specimen = s.Serial.String(), s.Value, issuedOf(s), s.Specimen
	r.DocumentLength, r.DocumentDigest = s.DocumentLength, hex.EncodeToString(s.DocumentDigest[:])
}

func (r *SealReport) fail(sub SubIndication, why string) {
	r.Indication, r.SubIndication = TotalFailed, sub
	r.Reasons = append([]string{why}, r.Reasons...)
	r.Statement = "this seal is not for this document: " + why
}

// Text returns the report for people, in English.
func (r *SealReport) Text() string {
	s := string(r.Indication)
	if r.SubIndication != "" {
		s += " (" + string(r.SubIndication) + ")"
	}
	s += ": " + clean(r.Statement) + "\n"
	if r.Status != "" {
		s += "  serial: " + r.Status.text() + "\n"
	}
	for _, reason := range r.Reasons {
		s += "  - " + clean(reason) + "\n"
	}
	return s
}
