package verify

import (
	"context"
	"crypto"
	_ "crypto/sha256" // the digest of the seal
	"encoding/hex"
	"io"
	"time"

	"golang.org/x/text/language"

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
	// Statement is one English sentence for people, with what to compare.
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

	said      []*phrase // Reasons and Statement, for TextIn
	statement *phrase
}

// ExitCode returns the exit code of a command that prints the report, as
// [Report.ExitCode] does.
func (r *SealReport) ExitCode() int { return r.Indication.exitCode() }

// Seal judges the text of a printed seal, as a phone reads it, with or without
// the URL before it. A genuine seal is at best INDETERMINATE: it could be a
// photocopy on another paper. Its key is judged by the time that the seal claims,
// since nothing on paper proves more. The error is not nil only for a wrong
// Options.SealTrust; a text that is no seal is TOTAL-FAILED. A ledger is waited for
// as long as it takes: [SealContext] sets it a limit.
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
		report.fail(HashFailure, say("the seal is of a document of %d bytes; this one has %d", s.DocumentLength, size))
		return report, nil
	}
	job := &digestJob{alg: cms.Digest(crypto.SHA256), gapStart: s.DocumentLength, gapEnd: s.DocumentLength, end: s.DocumentLength}
	if err := digests(ctx, r, []*digestJob{job}); err != nil {
		return nil, err
	}
	report.DocumentBound = [32]byte(job.sum) == s.DocumentDigest
	switch {
	case !report.DocumentBound:
		report.fail(HashFailure, say("the seal belongs to another document"))
	case !report.Genuine:
	case s.DocumentLength < size:
		report.because(say("the file goes on after the bytes that the seal names: verify the file itself"))
		report.state(join("; ", report.statement, say("the first %d bytes of this file are that document", s.DocumentLength)))
	default:
		report.Indication, report.SubIndication = TotalPassed, ""
		last := len(report.Reasons) - 1 // is that nothing was compared
		report.Reasons, report.said = report.Reasons[:last], report.said[:last]
		report.state(join("; ", report.statement, say("this file is that document")))
	}
	return report, nil
}

func judgeSeal(ctx context.Context, text string, opt *Options) (*SealReport, *seal.Seal, error) {
	r := &SealReport{Indication: TotalFailed, SubIndication: FormatFailure, Reasons: []string{}}
	r.state(say("this text is not a seal"))
	if len(text) > sealTextLimit {
		r.because(say("longer than %d bytes", sealTextLimit))
		return r, nil, nil
	}
	s, _, err := seal.ParseText(text)
	if err != nil {
		r.because(bare(say("it cannot be read: %s", err), err.Error()))
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
	r.because(phrases(append([]*phrase{v.why}, v.notes...)...)...)
	if v.entry != nil {
		r.Currency = v.entry.Currency
	}
	if v.ind != TotalPassed {
		r.state(say("not proved to be a genuine seal"))
		if v.trust {
			r.state(say("a trusted key made this seal of %s, but %s", s.Serial.String(), v.why))
		}
		return
	}
	r.Genuine = true
	r.Indication, r.SubIndication = Indeterminate, SignedDataNotFound
	r.because(say("a printed seal can be photocopied: compare the document"))
	r.state(say("genuine %s of %s, value %s %d, issued %s, for a document of %d bytes; compare",
		sealWord(s), s.Serial.String(), r.Currency, s.Value, s.Issued.UTC().Format(time.RFC3339), s.DocumentLength))
}

func sealWord(s *seal.Seal) *phrase {
	if s.Specimen {
		return say("SPECIMEN seal")
	}
	return say("seal")
}

// state sets the statement.
func (r *SealReport) state(p *phrase) { r.statement, r.Statement = p, clean(p.String()) }

// because adds reasons.
func (r *SealReport) because(why ...*phrase) {
	r.said, r.Reasons = append(r.said, why...), append(r.Reasons, english(why)...)
}

func (r *SealReport) fill(s *seal.Seal) {
	r.Serial, r.Value, r.Issued, r.Specimen = s.Serial.String(), s.Value, issuedOf(s), s.Specimen
	r.DocumentLength, r.DocumentDigest = s.DocumentLength, hex.EncodeToString(s.DocumentDigest[:])
}

func (r *SealReport) fail(sub SubIndication, why *phrase) {
	r.Indication, r.SubIndication = TotalFailed, sub
	r.said, r.Reasons = append([]*phrase{why}, r.said...), append([]string{clean(why.String())}, r.Reasons...)
	r.state(say("this seal is not for this document: %s", why))
}

// Text returns the report for people, in English.
func (r *SealReport) Text() string { return r.text(&speaker{}) }

// TextIn is [SealReport.Text] in a language, as [Report.TextIn] is [Report.Text].
func (r *SealReport) TextIn(tag language.Tag) string { return r.text(speakerOf(tag)) }

func (r *SealReport) text(in *speaker) string {
	s := r.Indication.with(r.SubIndication) + ": " + in.line(r.statement, r.Statement) + "\n"
	if r.Status != "" {
		s += "  " + in.clean(say("serial: %s", r.Status.words())) + "\n"
	}
	for _, reason := range in.lines(r.said, r.Reasons) {
		s += "  - " + reason + "\n"
	}
	return s
}
