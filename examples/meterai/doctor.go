package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// A finding's status: warnings are for people, a failure ends the program with 1.
const (
	statusOK   = "ok"
	statusWarn = "warn"
	statusFail = "fail"
)

// A finding is the result of one check. Its words are safe to print.
type finding struct {
	Check  string `json:"check"`
	Status string `json:"status"`
	Text   string `json:"text"`
	Do     string `json:"do,omitempty"` // what to do about it
}

// A doctor looks at a configuration and changes nothing of it.
type doctor struct {
	home       home
	checkpoint string
	tsa, crls  []string // addresses
	ocsp       string
	database   string // connection string
	schema     string
	token      tokenFlags
	asJSON     bool

	now      func() time.Time
	findings []finding
}

// tokenFlags name a key in hardware.
type tokenFlags struct {
	module, label, key, pinFile, certificate string
}

func newDoctor() *cobra.Command {
	d := &doctor{now: time.Now}
	cmd := &cobra.Command{
		Use:   "doctor [--dir DIR] [--tsa URL] [--database CONNECTION] [--pkcs11 MODULE --token LABEL] [--json]",
		Short: "Check a configuration, and say what to do",
		Long: `Check a configuration and say for each part ok, warn or fail, and what to do.
Nothing is changed and no unit is taken; a token signs one random value.

--dir         directory made by init: files and who may read them, ledger and its
              audit, series key, certificates, revocation lists, seal keys and their
              trust entries, free disk; --checkpoint compares with an older state
--tsa, --crl-url, --ocsp    services: do they answer, is the answer good, is this
              machine's clock right
--database    PostgreSQL: schema, primary, synchronous commit, standbys, clock, audit
--pkcs11      token: login, key, a signature; --certificate: is it of that key

Exit code: 0 without a failure, 1 with one, 64 wrong usage.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return d.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	fl := cmd.Flags()
	fl.StringVar(&d.home.dir, "dir", "", "directory made by init")
	fl.StringVar(&d.checkpoint, "checkpoint", "", "compare the ledger with the checkpoint in this file")
	fl.StringArrayVar(&d.tsa, "tsa", nil, "URL of a timestamp authority; may be given again")
	fl.StringArrayVar(&d.crls, "crl-url", nil, "URL of a revocation list; may be given again")
	fl.StringVar(&d.ocsp, "ocsp", "", "URL of the OCSP responder for the certificates of --dir")
	fl.StringVar(&d.database, "database", "", "connection string of a PostgreSQL ledger; a password is better in PGPASSFILE")
	fl.StringVar(&d.schema, "schema", "", "schema of its tables (default: meterai)")
	fl.StringVar(&d.token.module, "pkcs11", "", "PKCS #11 library of the token")
	fl.StringVar(&d.token.label, "token", "", "label of the token")
	fl.StringVar(&d.token.key, "key", "", "label of the key in the token")
	fl.StringVar(&d.token.pinFile, "pin-file", "", "file whose first line is the token's PIN")
	fl.StringVar(&d.token.certificate, "certificate", "", "certificate of the token's key, PEM")
	fl.StringVar(&d.token.key, "key-label", "", "the same as --key, as stamp has it")
	fl.StringVar(&d.token.certificate, "cert", "", "the same as --certificate, as stamp has it")
	fl.BoolVar(&d.asJSON, "json", false, "one JSON object")
	return cmd
}

func (d *doctor) run(ctx context.Context, w io.Writer) error {
	if err := d.usage(); err != nil {
		return err
	}
	for _, part := range []struct {
		wanted bool
		check  func(context.Context)
	}{
		{d.home.dir != "", d.checkHome},
		{len(d.tsa)+len(d.crls) > 0 || d.ocsp != "", d.checkServices},
		{d.database != "", d.checkDatabase},
		{d.token.module != "", d.checkToken},
	} {
		if part.wanted {
			part.check(ctx)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if err := d.print(w); err != nil {
		return err
	}
	failures := 0
	for _, f := range d.findings {
		if f.Status == statusFail {
			failures++
		}
	}
	if failures > 0 {
		return fmt.Errorf("%s; see what to do above", count(int64(failures), "failure"))
	}
	return nil
}

func (d *doctor) usage() error {
	t := d.token
	switch {
	case d.home.dir == "" && len(d.tsa)+len(d.crls) == 0 && d.ocsp == "" && d.database == "" && t.module == "":
		return usage("what shall be checked? give --dir, --tsa, --database or --pkcs11; see 'meterai doctor --help'")
	case d.checkpoint != "" && d.home.dir == "":
		return usage("--checkpoint needs --dir")
	case d.ocsp != "" && d.home.dir == "":
		return usage("--ocsp asks about the certificates of --dir, which is missing")
	case d.schema != "" && d.database == "":
		return usage("--schema needs --database")
	case t.module == "" && t != (tokenFlags{}):
		return usage("--token, --key, --pin-file and --certificate need --pkcs11")
	case t.module != "" && (t.label == "" || t.key == "" || t.pinFile == ""):
		return usage("--pkcs11 needs --token, --key and --pin-file")
	}
	return nil
}

func (d *doctor) ok(check, format string, a ...any) { d.add(check, statusOK, "", format, a...) }

func (d *doctor) warn(check, do, format string, a ...any) { d.add(check, statusWarn, do, format, a...) }

func (d *doctor) fail(check, do, format string, a ...any) { d.add(check, statusFail, do, format, a...) }

func (d *doctor) add(check, status, do, format string, a ...any) {
	d.findings = append(d.findings, finding{Check: oneLine(check), Status: status, Text: oneLine(fmt.Sprintf(format, a...)), Do: oneLine(do)})
}

// doctorReport is the JSON of doctor.
type doctorReport struct {
	OK     bool      `json:"ok"` // no failure
	Checks []finding `json:"checks"`
}

func (d *doctor) print(w io.Writer) error {
	if d.asJSON {
		r := doctorReport{OK: true, Checks: d.findings}
		for _, f := range d.findings {
			r.OK = r.OK && f.Status != statusFail
		}
		return json.NewEncoder(w).Encode(r)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range d.findings {
		fmt.Fprintf(table, "%s\t%s\t%s\n", f.Status, f.Check, f.Text)
		if f.Do != "" {
			fmt.Fprintf(table, "\t\t-> %s\n", f.Do)
		}
	}
	return table.Flush()
}

// How long before its end something is warned of.
const (
	certificateNotice = 30 * 24 * time.Hour
	listNotice        = 7 * 24 * time.Hour
)

// ends reports on something that is good from one time to another.
func (d *doctor) ends(check, what string, from, to time.Time, notice time.Duration, do string) {
	now := d.now()
	day := to.UTC().Format("2006-01-02 15:04 MST")
	switch {
	case now.Before(from):
		d.fail(check, "check this machine's clock", "%s is good only from %s", what, from.UTC().Format(time.RFC3339))
	case now.After(to):
		d.fail(check, do, "%s ended on %s", what, day)
	case now.Add(notice).After(to):
		d.warn(check, do, "%s ends on %s", what, day)
	default:
		d.ok(check, "%s is good until %s", what, day)
	}
}

// Differences of clocks: timestamps and leases bear seconds, not minutes.
const (
	clockNotice = 5 * time.Second
	clockLimit  = time.Minute
)

// clock compares a time from elsewhere with the local one, which it was asked
// between.
func (d *doctor) clock(check string, there, before, after time.Time, accuracy time.Duration) {
	off := time.Duration(0)
	switch {
	case there.Before(before.Add(-accuracy)):
		off = before.Sub(there)
	case there.After(after.Add(accuracy)):
		off = there.Sub(after)
	}
	const do = "let this machine follow a time server (NTP)"
	switch off = off.Round(time.Second); {
	case off > clockLimit:
		d.fail(check, do, "this machine's clock is off by %v", off)
	case off > clockNotice:
		d.warn(check, do, "this machine's clock is off by %v", off)
	default:
		d.ok(check, "this machine's clock agrees")
	}
}

// errNone says that what was looked for is not there.
var errNone = errors.New("there is none")
