package verify

import (
	"strings"

	"golang.org/x/text/language"
)

// Uses finds serials that were used for more than one document among many: give it
// every report, one after the other. The zero value is ready. It keeps some 200
// bytes for each stamp and none of the reports. It is for one goroutine at a time.
//
// Only stamps count whose seal is by a trusted key and belongs to its document,
// or, of an older kind, that are genuine: nobody can accuse a stamp by copying
// its serial. So reports of a check of integrity alone have none. Two
// files with the same stamped document are one use.
type Uses struct {
	seen    map[useKey]use
	files   int
	stamps  int
	missed  int // stamps that no room was left for
	list    []DoubleUse
	omitted int
}

type useKey struct {
	kind   StampKind
	serial string
}

type use struct{ file, digest string }

// DoubleUse is the proof that one serial was used for two documents: the issuer's
// key, or the signer of stamps, has signed both.
type DoubleUse struct {
	Serial string `json:"serial"`
	// Files are [Report.File] of the first file that had the serial, and of another.
	Files [2]string `json:"files"`
	// DocumentDigests are [Stamp.DocumentDigest] of both.
	DocumentDigests [2]string `json:"document_digests"`
}

// Text says in one sentence what is proved. It has no control characters.
func (u *DoubleUse) Text() string { return u.words().String() }

func (u *DoubleUse) words() *phrase {
	return say("double use: the serial %s was used for two documents, %s (%.16s...) and %s (%.16s...)", u.Serial,
		cleanText(u.Files[0]), u.DocumentDigests[0], cleanText(u.Files[1]), u.DocumentDigests[1])
}

// SetReport is the answer for several files together. Its JSON form has the keys
// of a [Report] and more; its scope is "set".
type SetReport struct {
	Report
	Files  int `json:"files"`  // that were given
	Stamps int `json:"stamps"` // in them, that were compared
	// DoubleUses has the first 1,000; Reasons say how many more there are.
	DoubleUses []DoubleUse `json:"double_uses"`
}

// Add takes the stamps of a report and gives the double uses that they prove with
// those taken before, as far as [SetReport.DoubleUses] has room for them.
func (u *Uses) Add(r *Report) []DoubleUse {
	if r == nil { // there is none when a check ended with an error
		return nil
	}
	if u.seen == nil {
		u.seen = map[useKey]use{}
	}
	u.files++
	found := 0
	for i := range r.Signatures {
		s := r.Signatures[i].Stamp
		if s == nil || s.Serial == "" || s.DocumentDigest == "" || !s.sealed && !s.Genuine {
			continue
		}
		if u.add(r.File, s) {
			found++
		}
	}
	return append([]DoubleUse(nil), u.list[len(u.list)-found:]...) // the caller's own
}

// add tells whether the stamp proves a double use that has room in the list.
func (u *Uses) add(file string, s *Stamp) bool {
	key := useKey{s.Kind, s.Serial}
	first, known := u.seen[key]
	switch {
	case !known && len(u.seen) == usesMax:
		u.missed++
		return false
	case !known:
		u.stamps++
		u.seen[useKey{s.Kind, strings.Clone(s.Serial)}] = use{strings.Clone(file), strings.Clone(s.DocumentDigest)}
		return false
	}
	u.stamps++
	if first.digest == s.DocumentDigest {
		return false
	}
	if len(u.list) == usesNamed {
		u.omitted++
		return false
	}
	u.list = append(u.list, DoubleUse{Serial: s.Serial, Files: [2]string{first.file, file},
		DocumentDigests: [2]string{first.digest, s.DocumentDigest}})
	return true
}

// Report gives the answer for all files so far: TOTAL-FAILED (FORMAT_FAILURE) when
// a double use is proved. Else it is INDETERMINATE when there were more stamps than
// are remembered, and TOTAL-PASSED, which says nothing about the single files.
func (u *Uses) Report() *SetReport {
	r := &SetReport{Files: u.files, Stamps: u.stamps, DoubleUses: append([]DoubleUse{}, u.list...)}
	r.Scope, r.Indication, r.Modification, r.Signatures = scopeSet, TotalPassed, ModificationNone, []Signature{}
	for i := range u.list {
		r.because(u.list[i].words())
	}
	if u.omitted > 0 {
		r.because(say("and %d double uses more", u.omitted))
	}
	if u.missed > 0 {
		r.Indication, r.SubIndication = Indeterminate, TryLater
		r.because(say("%d stamps were not compared: there are more than %d", u.missed, usesMax))
	}
	if len(u.list) > 0 {
		r.Indication, r.SubIndication = TotalFailed, FormatFailure
	}
	return r
}

// Text returns the answer for people, in English.
func (r *SetReport) Text() string { return r.text(&speaker{}) }

// TextIn is [SetReport.Text] in a language, as [Report.TextIn] is [Report.Text].
func (r *SetReport) TextIn(tag language.Tag) string { return r.text(speakerOf(tag)) }

func (r *SetReport) text(in *speaker) string {
	what := say("%d files with %d stamps", r.Files, r.Stamps)
	if len(r.DoubleUses) == 0 {
		what = join(", ", what, say("no serial used for two documents"))
	}
	s := in.clean(say("all files together: %s: %s", r.Indication.with(r.SubIndication), what)) + "\n"
	for _, reason := range in.lines(r.said, r.Reasons) {
		s += "  - " + reason + "\n"
	}
	return s
}
