package verify

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
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
func (r *Report) Text() string {
	var b strings.Builder
	if r.File != "" {
		b.WriteString(cleanText(r.File) + ": ")
	}
	b.WriteString(r.headline() + "\n")
	for _, reason := range r.Reasons {
		b.WriteString("  " + clean(reason) + "\n")
	}
	for i := range r.Signatures {
		r.Signatures[i].text(&b, i+1)
	}
	return b.String()
}

func (r *Report) headline() string {
	what := map[Indication]string{
		TotalPassed:   "every signature is good",
		TotalFailed:   "at least one signature is broken or the document was changed after it",
		Indeterminate: "not proved good, not proved bad",
		NoSignature:   "the document has no signature",
		Unreadable:    "the document could not be read",
	}[r.Indication]
	s := string(r.Indication)
	if r.SubIndication != "" {
		s += " (" + string(r.SubIndication) + ")"
	}
	if r.Scope == scopeIntegrity && len(r.Signatures) > 0 {
		what += "; trust, revocation and time were not checked"
	}
	return s + ": " + what
}

func (s *Signature) text(b *strings.Builder, n int) {
	fmt.Fprintf(b, "  signature %d", n)
	if s.Field != "" {
		fmt.Fprintf(b, " in field %q", cleanText(s.Field))
	}
	fmt.Fprintf(b, ": %s", s.Indication)
	if s.SubIndication != "" {
		fmt.Fprintf(b, " (%s)", s.SubIndication)
	}
	b.WriteString("\n")
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(b, "    %-14s%s\n", key, clean(value))
		}
	}
	line("signer", s.Signer)
	line("claimed time", timeText(s.SigningTime))
	line("timestamp", timeText(s.Timestamp))
	line("level", strings.Join(nonEmpty(s.Level, s.Algorithm), ", "))
	line("certified", s.Certified)
	line("covers", string(s.Coverage))
	line("later changes", string(s.Modification))
	if s.Stamp != nil {
		line("stamp", s.Stamp.text())
	}
	for _, reason := range s.Reasons {
		line("-", reason)
	}
}

func (s *Stamp) text() string {
	t := s.Serial
	if s.Value > 0 {
		t += fmt.Sprintf(", value %s", strings.TrimSpace(fmt.Sprintf("%s %d", s.Currency, s.Value)))
	}
	if s.Issued != nil {
		t += ", issued " + timeText(s.Issued)
	}
	if s.Specimen {
		t += ", SPECIMEN"
	}
	if s.Status != "" {
		t += ", " + s.Status.text()
	}
	if s.Kind == KindSigner {
		return t + s.olderText()
	}
	if !s.Genuine {
		t += ", NOT proved to be a genuine seal"
	}
	if s.DocumentBound {
		return t + ", bound to this document"
	}
	return t + ", NOT bound to this document"
}

// olderText ends the line of a stamp of an older kind.
func (s *Stamp) olderText() string {
	if s.Serial == "" {
		return "without a serial, NOT proved to be a stamp"
	}
	if !s.Genuine {
		return ", of an older kind, NOT proved to be genuine"
	}
	return ", of an older kind, by its signature alone"
}

// text says for people what is known of a serial.
func (s SerialStatus) text() string {
	switch s {
	case StatusNotListed:
		return "not on the current list of void serials"
	case StatusStamped:
		return "in the ledger as stamped on this document"
	case StatusOther:
		return "in the ledger with ANOTHER document"
	case StatusNotStamped:
		return "in the ledger as NOT stamped"
	case StatusReleased:
		return "in the ledger as RELEASED"
	case StatusVoid:
		return "VOID"
	case StatusUnknown:
		return "NOT in the ledger"
	case StatusUnavailable:
		return "ledger could not be asked"
	}
	return string(s)
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
