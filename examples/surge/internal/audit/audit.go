// Package audit is the independent auditor of a replay. It believes nobody: it reads the entries of the ledger one by
// one and adds them up with its own code, opens every file in the folder of outputs, and holds both against what the
// people of the replay say that they were answered.
package audit

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/seed-574216e4/meterai/examples/surge/internal/crowd"
	"github.com/seed-574216e4/meterai/examples/surge/internal/load"
	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/verify"
)

// Input is what is audited.
type Input struct {
	Entries  iter.Seq2[serial.Entry, error] // all of the ledger's, by account and sequence
	Outputs  string                         // folder of the stamped documents
	Extended string                         // of those that got an owed timestamp later; it need not exist
	Verify   *verify.Options                // whom a verifier trusts
	Genuine  func(serial.Number) bool       // whether a number can have been issued
	People   []load.Person                  // what everybody was to do
	Wants    []*crowd.Want                  // what everybody asked for and was answered
	Payments []serial.Payment               // what was paid, as the provider knows it
	Whole    Window                         // the whole replay, with the ledger's "who was harmed"
	Outages  []Window                       // of the ledger
	Late     time.Duration                  // what counts as late in these
	AtOnce   time.Duration                  // how long a refusal may take
	Answer   time.Duration                  // how long any answer may take
	Workers  int                            // who verify documents, at a time
	Progress func(done int)                 // may be nil: how many documents were verified
}

// Sums are units, over all accounts.
type Sums struct {
	Paid      int64 `json:"paid"` // bought, as the entries say
	Granted   int64 `json:"granted"`
	Stamped   int64 `json:"stamped"`
	Available int64 `json:"available"`
	Refunded  int64 `json:"refunded"`
	Held      int64 `json:"held"`  // by reservations that are not final
	Moved     int64 `json:"moved"` // handed from an account to another
}

// Check is one statement of the auditor and what speaks against it.
type Check struct {
	Name     string   `json:"name"`
	Looked   int64    `json:"looked"`   // how many things were looked at
	Wrong    int64    `json:"wrong"`    // how many were not as they should be
	Problems []string `json:"problems"` // the first of them, in words
}

// maxProblems is how many are told of each check.
const maxProblems = 20

func (c *Check) look(n int) { c.Looked += int64(n) }

func (c *Check) wrong(format string, args ...any) {
	c.Wrong++
	if len(c.Problems) < maxProblems {
		c.Problems = append(c.Problems, fmt.Sprintf(format, args...))
	}
}

// Report is what the auditor found.
type Report struct {
	Clean    bool             `json:"clean"`
	Sums     Sums             `json:"sums"`
	Accounts int              `json:"accounts"`
	Entries  int64            `json:"entries"`
	States   map[string]int64 `json:"states"` // how many serial numbers in each
	Levels   map[string]int64 `json:"levels"` // how many documents of each level, extended ones as they are now
	Bytes    int64            `json:"bytes"`  // of the stamped documents
	Harmed   Harmed           `json:"harmed"`
	Outages  Harmed           `json:"outages"` // the same, of the windows of the outages alone
	Checks   []*Check         `json:"checks"`
	Seconds  float64          `json:"seconds"`
}

// Run audits. An error says that it could not be done.
func Run(ctx context.Context, in *Input) (*Report, error) {
	begun := time.Now()
	book, r, err := open(in)
	if err != nil {
		return nil, err
	}
	documents, err := book.documents(ctx, in, r)
	if err != nil {
		return nil, fmt.Errorf("verify the documents: %w", err)
	}
	r.conclude(book, in, documents)
	r.Seconds = time.Since(begun).Seconds()
	return r, nil
}

// open reads the entries and holds them against what people were told.
func open(in *Input) (*book, *Report, error) {
	book, err := read(in)
	if err != nil {
		return nil, nil, fmt.Errorf("read the entries: %w", err)
	}
	r := &Report{Accounts: len(book.accounts), Entries: book.entries, Sums: book.sums, States: book.states()}
	r.Checks = append(book.checks(), book.promises(in), book.served(in), book.money(in), manners(in))
	return book, r, nil
}

// conclude adds the checks of the documents and of who was harmed.
func (r *Report) conclude(book *book, in *Input, documents []*Check) {
	r.Checks = append(r.Checks, documents...)
	r.Checks = append(r.Checks,
		book.compare(in, "who was harmed: the ledger's report and what people experienced agree, person by person", &r.Harmed, in.Whole),
		book.compare(in, "who was harmed by the outage: the same, for the time of each outage of the ledger alone", &r.Outages, in.Outages...))
	r.Clean = true
	for _, c := range r.Checks {
		r.Clean = r.Clean && c.Wrong == 0
	}
}
