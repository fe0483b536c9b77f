package verify

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
)

// safeRune replaces what could move the cursor, reorder or hide text.
func safeRune(r rune) rune {
	switch {
	case r == utf8.RuneError, !unicode.IsPrint(r) && r != ' ':
		return '?' // controls, bidi and zero-width formatting (Cc, Cf, Zl, Zp), unassigned
	case unicode.Is(unicode.Variation_Selector, r), unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r):
		return '?'
	}
	return r
}

// Text returns the report for people, in English, one line for the file and
// an indented block for each signature. It holds no control characters but
// line feeds, whatever the file contains.
func (r *Report) Text() string { return r.text(&speaker{}) }

// TextIn is Text in a language: Indonesian for that language, wherever it is
// spoken, and English for all others. What other packages say of a damaged file and
// the names of EN 319 102-1 stay as they are. A report that was read from JSON has its
// reasons in English only.
func (r *Report) TextIn(tag language.Tag) string { return r.text(speakerOf(tag)) }

func (r *Report) text(in *speaker) string {
	var b strings.Builder
	if r.File != "" {
		b.WriteString(cleanText(r.File) + ": ")
	}
	b.WriteString(r.Indication.with(r.SubIndication) + ": " + in.say(r.headline()) + "\n")
	for _, reason := range in.lines(r.said, r.Reasons) {
		b.WriteString("  " + reason + "\n")
	}
	for i := range r.Signatures {
		r.Signatures[i].text(&b, i+1, in)
	}
	return b.String()
}

// with gives both indications.
func (i Indication) with(sub SubIndication) string {
	if sub == "" {
		return string(i)
	}
	return string(i) + " (" + string(sub) + ")"
}

// words say for people what an indication of a file means.
func (i Indication) words() *phrase {
	switch i {
	case TotalPassed:
		return say("every signature is good")
	case TotalFailed:
		return say("at least one signature is broken or the document was changed after it")
	case Indeterminate:
		return say("not proved good, not proved bad")
	case NoSignature:
		return say("the document has no signature")
	case Unreadable:
		return say("the document could not be read")
	}
	return nil
}

func (r *Report) headline() *phrase {
	if r.Scope == scopeIntegrity && len(r.Signatures) > 0 {
		return say("%s; trust, revocation and time were not checked", r.Indication.words())
	}
	return r.Indication.words()
}

func (s *Signature) text(b *strings.Builder, n int, in *speaker) {
	head := say("signature %d", n)
	if s.Field != "" {
		head = say("signature %d in field %q", n, cleanText(s.Field))
	}
	b.WriteString("  " + in.say(head) + ": " + s.Indication.with(s.SubIndication) + "\n")
	line := func(key, value *phrase) {
		if value.String() != "" {
			b.WriteString("    " + in.label(key) + in.clean(value) + "\n")
		}
	}
	line(say("signer"), say("%s", s.Signer))
	line(say("claimed time"), say("%s", timeText(s.SigningTime)))
	line(say("timestamp"), say("%s", timeText(s.Timestamp)))
	line(say("level"), say("%s", strings.Join(nonEmpty(s.Level, s.Algorithm), ", ")))
	line(say("certified"), certifiedWords(s.Certified))
	line(say("covers"), s.Coverage.words())
	line(say("later changes"), s.Modification.words())
	if s.Stamp != nil {
		line(say("stamp"), s.Stamp.words())
	}
	for _, reason := range in.lines(s.said, s.Reasons) {
		if reason != "" {
			b.WriteString("    " + in.label(say("-")) + reason + "\n")
		}
	}
}

// certifiedWords say which later changes are permitted.
func certifiedWords(c string) *phrase {
	switch c {
	case "no-changes":
		return say("no-changes")
	case "forms":
		return say("forms")
	case "comments":
		return say("comments")
	}
	return say("%s", c)
}

func (c Coverage) words() *phrase {
	switch c {
	case CoverageWhole:
		return say("whole-file")
	case CoverageRevision:
		return say("whole-revision")
	case CoverageUnclear:
		return say("unclear")
	}
	return say("%s", string(c))
}

func (m Modification) words() *phrase {
	switch m {
	case ModificationNone:
		return say("none")
	case ModificationAllowed:
		return say("allowed")
	case ModificationFailed:
		return say("modified")
	}
	return say("%s", string(m))
}

// words are the line of a stamp.
func (s *Stamp) words() *phrase {
	var parts []*phrase
	if s.Serial != "" {
		parts = append(parts, say("%s", s.Serial))
	}
	if s.Value > 0 {
		parts = append(parts, say("value %s", strings.TrimSpace(fmt.Sprintf("%s %d", s.Currency, s.Value))))
	}
	if s.Issued != nil {
		parts = append(parts, say("issued %s", timeText(s.Issued)))
	}
	if s.Specimen {
		parts = append(parts, say("SPECIMEN"))
	}
	unknown := s.Status == StatusUnknown && s.sealed
	switch {
	case unknown:
		parts = append(parts, say("the seal itself is genuine, its serial UNKNOWN to this ledger"))
	case s.Status != "":
		parts = append(parts, s.Status.words())
	}
	if s.Kind == KindSigner && s.Serial == "" {
		return join(", ", append(parts, say("without a serial, NOT proved to be a stamp"))...)
	}
	if s.Kind == KindSigner {
		return join(", ", append(parts, s.olderWords())...)
	}
	if !s.Genuine && !unknown {
		parts = append(parts, say("NOT proved to be a genuine seal"))
	}
	if s.DocumentBound {
		return join(", ", append(parts, say("bound to this document"))...)
	}
	return join(", ", append(parts, say("NOT bound to this document"))...)
}

// olderWords end the line of a stamp of an older kind.
func (s *Stamp) olderWords() *phrase {
	if !s.Genuine {
		return say("of an older kind, NOT proved to be genuine")
	}
	return say("of an older kind, by its signature alone")
}

// words say for people what is known of a serial.
func (s SerialStatus) words() *phrase {
	switch s {
	case StatusNotListed:
		return say("not on the current list of void serials")
	case StatusStamped:
		return say("in the ledger as stamped on this document")
	case StatusOther:
		return say("in the ledger with ANOTHER document")
	case StatusNotStamped:
		return say("in the ledger as NOT stamped")
	case StatusReleased:
		return say("in the ledger as RELEASED")
	case StatusVoid:
		return say("VOID")
	case StatusUnknown:
		return say("NOT in the ledger")
	case StatusUnavailable:
		return say("ledger could not be asked")
	}
	return say("%s", string(s))
}

func timeText(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func nonEmpty(list ...string) []string {
	var out []string
	for _, s := range list {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}
