package verify

import (
	"errors"
	"fmt"
	"strings"

	"github.com/seed-574216e4/meterai/pdf"
)

// phrase is something said to people: a format of package fmt and what goes into
// it, kept beside the English text so that it can be said in another language. The
// format is the key of the catalogues. What goes in are numbers, strings made safe,
// errors and other phrases, and nobody changes them. A nil phrase says nothing.
//
// It is an error as well, so that what parses a file can return what is to be said.
type phrase struct {
	format  string
	args    []any
	english string
}

// say makes a phrase. The format is always a literal: a test reads them all.
func say(format string, args ...any) *phrase {
	return &phrase{format: format, args: args, english: fmt.Sprintf(format, args...)}
}

func (p *phrase) String() string {
	if p == nil {
		return ""
	}
	return p.english
}

func (p *phrase) Error() string { return p.String() }

// Unwrap gives the first error that went in.
func (p *phrase) Unwrap() error {
	if p == nil {
		return nil
	}
	for _, arg := range p.args {
		if err, ok := arg.(error); ok {
			return err
		}
	}
	return nil
}

// join says one thing after the other; nothing when there are none.
func join(separator string, parts ...*phrase) *phrase {
	var args []any
	for _, p := range parts {
		if p != nil {
			args = append(args, p)
		}
	}
	if len(args) == 0 {
		return nil
	}
	format := strings.Repeat(separator+"%s", len(args))[len(separator):]
	return say(format, args...)
}

// phrases leaves out those that say nothing.
func phrases(list ...*phrase) []*phrase {
	var out []*phrase
	for _, p := range list {
		if p != nil {
			out = append(out, p)
		}
	}
	return out
}

// english gives phrases as the reports have them.
func english(list []*phrase) []string {
	var out []string
	for _, p := range list {
		out = append(out, clean(p.String()))
	}
	return out
}

// technical is what another package says about a file, in English whatever the
// language of the report; other languages mark it as such.
func technical(text string) *phrase { return bare(say("technical detail: %s", text), text) }

// unreadable is why a file or a text could not be read.
func unreadable(err error) *phrase {
	switch {
	case errors.Is(err, pdf.ErrNotPDF):
		return bare(say("this is no PDF file: %s", err), err.Error())
	case errors.Is(err, pdf.ErrDamaged):
		return bare(say("the file is damaged: %s", err), err.Error())
	}
	return say("%s", err)
}

// bare gives a phrase another English text: for those who read English the other
// package's words are enough.
func bare(p *phrase, english string) *phrase {
	p.english = english
	return p
}
