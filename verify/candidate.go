package verify

import (
	"crypto/x509"
	"strings"
	"time"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign/cms"
)

// candidate is one signature on its way to a verdict.
type candidate struct {
	Signature

	dict      pdf.Dict        // the signature dictionary as signed
	holder    pdf.Ref         // the indirect object it is, or stands in
	direct    bool            // it stands directly in the field
	dups      []pdf.Duplicate // keys that the holder repeats
	fieldRef  pdf.Ref         // the field, zero when none reaches it
	name      string          // of the field, in full
	reason    string          // why it was signed, in full
	seen      int             // the revision that the dictionary was read from
	subFilter pdf.Name
	contents  []byte
	rng       byteRange
	revision  int  // index of the revision that the range ends, -1 unknown
	placed    bool // range and revision are acceptable, so it can be hashed

	hash     cms.Digest
	job      *digestJob
	before   *digestJob // over the document before a stamp of an older kind
	sd       *cms.SignedData
	si       *cms.SignerInfo
	token    *token   // of a document timestamp
	tokens   []*token // over the signature's value, and right as such
	bag      []*x509.Certificate
	cert     *x509.Certificate
	intact   bool        // the value verified over the covered bytes
	legacy   bool        // but with an algorithm or key too weak to rely on
	broken   bool        // which was so at any time that a timestamp can prove
	deviates bool        // but its algorithm identifiers are written wrongly
	result   *pathResult // of a document timestamp, judged before all else
	chain    []*x509.Certificate
	poe      time.Time // proved time of existence, zero without one
	stamp    stampedAt // the timestamp that Timestamp is of

	perms    permissions
	compared bool // with all later revisions
	claim    *stampClaim
}

// newCandidate reads what a signature dictionary says of itself.
func newCandidate(f *pdf.File, dict pdf.Dict) *candidate {
	c := &candidate{dict: dict, revision: -1}
	c.Coverage, c.Modification = CoverageUnclear, ModificationNone
	c.subFilter, _ = dict["SubFilter"].(pdf.Name)
	if c.subFilter == subX509 {
		c.bag = x509Certs(f, dict["Cert"], 16)
	}
	if reason, err := f.String(dict["Reason"]); err == nil {
		c.reason = reason[:min(len(reason), reasonBytes)].Text()
	}
	if m, err := f.String(dict["M"]); err == nil {
		if t, ok := parseDate(m.Text()); ok {
			c.SigningTime = &t
		}
	}
	return c
}

// locate checks the frame of the signature (byte range, gap, /Contents); on
// failure it has been judged.
func (c *candidate) locate(doc *document) error {
	if len(c.dups) > 0 { // two readers could read it differently
		c.fail(FormatFailure, say("the signature dictionary gives /%s more than once", cleanText(string(c.dups[0].Key))))
		return nil
	}
	rng, err := parseByteRange(c.dict["ByteRange"], doc.size)
	if err != nil {
		c.fail(FormatFailure, say("%s", err))
		return nil
	}
	contents, ok := c.dict["Contents"].(pdf.String)
	if !ok {
		c.fail(FormatFailure, say("the signature has no direct /Contents string"))
		return nil
	}
	c.rng, c.contents = rng, []byte(contents)
	if err := c.ownGap(doc); err != nil {
		c.fail(FormatFailure, say("%s", err))
		return doc.src.err
	}
	mixed, err := checkGap(doc.src, rng.gap, string(contents), doc.lim.CMS)
	if err != nil {
		c.fail(FormatFailure, say("%s", err))
		return doc.src.err
	}
	if mixed {
		c.deviates = true
		c.note(say("the digits of /Contents come in upper and lower case: no signer writes both"))
	}
	return c.place(doc)
}

// ownGap makes sure that the gap is the place where the value of this very
// /Contents stands.
func (c *candidate) ownGap(doc *document) error {
	f, err := doc.view(c.seen)
	if err != nil {
		return err
	}
	var span pdf.Span
	if c.direct {
		span, err = f.Locate(c.holder, "V", "Contents")
	} else {
		span, err = f.Locate(c.holder, "Contents")
	}
	if err != nil {
		return say("/Contents cannot be located: %v", err)
	}
	if span != c.rng.gap {
		return say("the gap of /ByteRange is %d to %d, but /Contents stands at %d to %d", c.rng.gap.Start, c.rng.gap.End, span.Start, span.End)
	}
	return nil
}

// place finds the revision that the range ends.
func (c *candidate) place(doc *document) error {
	if doc.placeRepaired(c) {
		return nil
	}
	i, err := doc.revisionEndingAt(c.rng.end)
	if err != nil {
		return err
	}
	if i < 0 {
		c.fail(FormatFailure, say("/ByteRange ends at byte %d, where no revision of the document ends", c.rng.end))
		return nil
	}
	if start := doc.revs[i].Start; c.rng.gap.Start < start {
		c.fail(FormatFailure, say("the signature stands in an earlier revision than the one it covers"))
		return nil
	}
	c.revision, c.placed = i, true
	c.Coverage = CoverageRevision
	if c.rng.end == doc.size || i == len(doc.revs)-1 && doc.trailing == nil {
		c.Coverage = CoverageWhole
	}
	return nil
}

// notBaseline says what keeps a CAdES signature from PAdES baseline B-B
// (EN 319 142-1, 6.3), or "".
func (c *candidate) notBaseline() *phrase {
	seen := map[string]int{}
	for i := range c.si.SignedAttributes {
		seen[c.si.SignedAttributes[i].Type.String()]++
	}
	switch {
	case seen[oidContentType] != 1 || seen[oidMessageDigest] != 1:
		return say("content-type and message-digest must be signed once")
	case seen[oidSigningCertV2] > 1 || seen[oidSigningCert] > 1:
		return say("signing-certificate stands more than once")
	case seen[oidSigningCertV2]+seen[oidSigningCert] == 0:
		return say("signing-certificate-v2 is missing")
	case seen[oidSigningTime] > 0:
		return say("signing-time must not be a signed attribute")
	case c.dict["Cert"] != nil:
		return say("/Cert must not be in the signature dictionary")
	case c.dict["M"] == nil:
		return say("/M is missing")
	case len(c.sd.RawCertificates) == 0:
		return say("the signing certificate is not in the signature")
	}
	return nil
}

// Attribute types by their dotted names (RFC 5652, 11; RFC 5035; RFC 3161).
const (
	oidContentType   = "1.2.840.113549.1.9.3"
	oidMessageDigest = "1.2.840.113549.1.9.4"
	oidSigningTime   = "1.2.840.113549.1.9.5"
	oidSigningCert   = "1.2.840.113549.1.9.16.2.12"
	oidSigningCertV2 = "1.2.840.113549.1.9.16.2.47"
	oidTimestamp     = "1.2.840.113549.1.9.16.2.14"
	oidTSTInfo       = "1.2.840.113549.1.9.16.1.4"
)

// has tells whether a signed attribute is there.
func hasSigned(si *cms.SignerInfo, types ...string) bool {
	for i := range si.SignedAttributes {
		for _, t := range types {
			if si.SignedAttributes[i].Type.String() == t {
				return true
			}
		}
	}
	return false
}

// parseDate reads a PDF date (ISO 32000-2, 7.9.4): D:YYYYMMDDHHmmSSOHH'mm',
// everything after the year optional.
func parseDate(s string) (time.Time, bool) {
	s = strings.TrimPrefix(s, "D:")
	digits := 0
	for digits < len(s) && digits < 14 && s[digits] >= '0' && s[digits] <= '9' {
		digits++
	}
	if digits < 4 || digits%2 != 0 {
		return time.Time{}, false
	}
	const layout = "20060102150405"
	t, err := time.Parse(layout, s[:digits]+"00000101000000"[digits:])
	if err != nil {
		return time.Time{}, false
	}
	zone := strings.ReplaceAll(strings.TrimPrefix(s[digits:], "Z"), "'", "")
	if zone == "" || zone == "0000" || zone == "00" {
		return t, writable(t)
	}
	if len(zone) == 3 {
		zone += "00"
	}
	z, err := time.Parse("-0700", zone)
	if err != nil {
		return time.Time{}, false
	}
	_, offset := z.Zone()
	t = t.Add(-time.Duration(offset) * time.Second)
	return t, writable(t)
}

// writable says whether JSON can carry a time (RFC 3339: four digits of year).
func writable(t time.Time) bool { return t.Year() >= 1 && t.Year() <= 9999 }
