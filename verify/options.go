package verify

import (
	"crypto/x509"
	"time"
)

// Policy names a set of rules for changes made after a signature. Policies
// differ among verifiers, so the one used is always a named one.
type Policy int

const (
	// Standard, the zero value, allows what people do with signed files:
	// validation data (DSS), timestamps, metadata, further signatures and
	// form filling, the last two as DocMDP, FieldMDP and SigFieldLock allow.
	Standard Policy = iota
	// Strict allows validation data, document timestamps and further
	// signatures, but no form filling, even where the signer allowed it.
	Strict
	// Lenient allows what Standard does, and comments: where no DocMDP says
	// otherwise annotations may be added as under its level 3, and among them
	// those that can cover content (the "evil annotation" attack on certified
	// documents). It is for people who will look at the document; the report
	// lists what was added.
	Lenient
)

// String returns the policy's name in lower case.
func (p Policy) String() string {
	switch p {
	case Strict:
		return "strict"
	case Lenient:
		return "lenient"
	}
	return "standard"
}

// Options says what is trusted and how far a check goes. It is not changed,
// and may be shared by concurrent calls. A nil *Options means the zero value:
// nobody is trusted, so no signature can be better than INDETERMINATE.
type Options struct {
	// Roots are the trust anchors. Nil: no certificate is trusted.
	Roots *x509.CertPool
	// Intermediates help to build paths beside the certificates in the
	// signature and the document's DSS; they are not trusted by themselves.
	Intermediates []*x509.Certificate
	// CRLs are revocation lists that the caller has, besides those embedded
	// in the document. Each is used only for the issuer that signed it.
	CRLs []*x509.RevocationList
	// SealTrust is the list of seal keys. Nil: no seal can be verified.
	SealTrust *SealTrust
	// Lists are what issuers publish about void serials and revoked seal keys, as
	// [ParseStatusList] reads it. What a list names counts however old the list
	// is; that the newest one is stale stands in the reasons. Nil: none.
	Lists []*StatusList
	// Ledger is asked what became of the serial of a seal. What it says counts,
	// and when it cannot be asked the answer is INDETERMINATE (TRY_LATER). Nil:
	// nobody is asked.
	Ledger Ledger
	// RequireStatus makes a seal INDETERMINATE (TRY_LATER) of whose serial neither
	// a list that is current nor the ledger speaks. Without it such a seal is good.
	RequireStatus bool
	// StampSigners are the certificates whose signatures are stamps of the older
	// kinds. Nil: no such stamp is recognised.
	StampSigners *StampSigners
	// Time is the moment at which trust is judged. Zero: now.
	Time time.Time
	// IntegrityOnly sets trust, revocation, time, lists and ledger aside: the report's
	// scope is "integrity" and TOTAL-PASSED then means "these bytes are what
	// the holder of that key signed", whoever that was.
	IntegrityOnly bool
	// Policy is the rule for later changes. Zero: Standard.
	Policy Policy
	// Password opens an encrypted document, as its user or as its owner; the
	// empty one is always tried. UTF-8, prepared as [pdf.Options] says.
	Password string
	// Cache makes many documents under the same revocation lists faster. Nil: each
	// document is judged as the first.
	Cache *Cache
	// Limits bounds time and memory. Nil: defaults.
	Limits *Limits
}

// check refuses lists that were made by hand and are wrong.
func (o *Options) check() error {
	if o.SealTrust != nil {
		if _, err := o.SealTrust.prepared(); err != nil {
			return err
		}
	}
	if o.StampSigners != nil {
		if _, err := o.StampSigners.prepared(); err != nil {
			return err
		}
	}
	return nil
}

func (o *Options) withDefaults() *Options {
	var v Options
	if o != nil {
		v = *o
	}
	if v.Time.IsZero() {
		v.Time = time.Now()
	}
	l := v.Limits.withDefaults()
	v.Limits = &l
	return &v
}
