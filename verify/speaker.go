package verify

import (
	"fmt"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// speaker says phrases in one language; the zero value in English.
type speaker struct {
	printer *message.Printer // nil: English
	labels  int              // columns that a label takes
}

// speakerOf gives the speaker of a language, English for all but Indonesian.
func speakerOf(tag language.Tag) *speaker {
	if base, _ := tag.Base(); base.String() != "id" {
		return &speaker{}
	}
	return &speaker{printer: message.NewPrinter(language.Indonesian, message.Catalog(indonesian())), labels: 22}
}

// say gives the words of a phrase. What goes in is printed as package fmt prints
// it, and is never read as a format.
func (s *speaker) say(p *phrase) string {
	if p == nil || s.printer == nil {
		return p.String()
	}
	args := make([]any, len(p.args))
	for i, arg := range p.args {
		switch arg := arg.(type) {
		case *phrase:
			args[i] = s.say(arg)
		case error:
			args[i] = s.say(technical(arg.Error()))
		default:
			args[i] = verbatim{arg}
		}
	}
	return s.printer.Sprintf(p.format, args...)
}

// clean is say for one line.
func (s *speaker) clean(p *phrase) string { return clean(s.say(p)) }

// line says a phrase if a report has it as that text: what a caller changed, or read
// from JSON, is known in English only.
func (s *speaker) line(p *phrase, text string) string {
	if p != nil && clean(p.String()) == clean(text) {
		return s.clean(p)
	}
	return clean(text)
}

// lines is line for reasons.
func (s *speaker) lines(said []*phrase, list []string) []string {
	out := make([]string, len(list))
	for i, text := range list {
		var p *phrase
		if i < len(said) {
			p = said[i]
		}
		out[i] = s.line(p, text)
	}
	return out
}

// label pads the name of a value.
func (s *speaker) label(p *phrase) string {
	const englishLabels = 14
	return fmt.Sprintf("%-*s", max(englishLabels, s.labels), s.say(p))
}

// verbatim is printed as package fmt prints it: numbers without the separators of
// a language, as JSON has them.
type verbatim struct{ value any }

// Format implements [fmt.Formatter].
func (v verbatim) Format(f fmt.State, verb rune) {
	fmt.Fprintf(f, fmt.FormatString(f, verb), v.value)
}
