package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/text/language"

	"github.com/seed-574216e4/meterai/verify"
)

// verifyFlags are the flags of verify.
type verifyFlags struct {
	home
	roots, sealTrust, at  string
	password              string // file that has it
	crls                  []string
	integrityOnly, asJSON bool
	signers, lang         string
	tag                   language.Tag // what lang says
	status                statusFlags
}

const verifyHelp = `Verify documents. --dir trusts the roots, CRLs and seal keys of a directory made
by init; --trust and --seal-trust replace them, --crl adds revocation lists, and
without any an e-seal is at best INDETERMINATE (TRY_LATER). --integrity-only sets trust,
revocation and time aside and asks only whether the bytes are what was signed.

The ledger of --dir, when it is there and --seal-trust is not given, is asked what
became of each serial (--no-ledger leaves it out); --list adds published lists of void
serials and revoked seal keys. --stamp-signers names who signs stamps of the older
kinds, which have no seal. Several files that have one serial on two documents are
together TOTAL-FAILED: that is double use, and both are named.

Exit code: 0 TOTAL-PASSED, 1 TOTAL-FAILED, 3 unreadable, 4 no signature,
5 INDETERMINATE; with several files the highest. 64 is wrong usage.`

func newVerify() *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify [--dir DIR] [--trust ROOTS.pem] [--crl FILE] [--seal-trust FILE] [--time RFC3339] [--integrity-only] [--json] [--lang id|en] FILE...",
		Short: "Verify stamped and signed documents, with reasons",
		Long:  verifyHelp,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("which files? see '%s --help'", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, files []string) error {
			opt, err := f.options()
			if err != nil {
				return err
			}
			return errors.Join(f.run(cmd, files, opt), f.status.close())
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.dir, "dir", "", "directory made by init, whose PKI and seal keys are trusted")
	fl.StringVar(&f.roots, "trust", "", "trusted root certificates, PEM")
	fl.StringArrayVar(&f.crls, "crl", nil, "revocation list, DER or PEM; may be given again")
	fl.StringVar(&f.sealTrust, "seal-trust", "", "trusted seal keys, JSON")
	fl.StringVar(&f.at, "time", "", "verify as of this time, RFC 3339 (default: now)")
	fl.StringVar(&f.password, "password-file", "", "file whose first line is the password of encrypted documents")
	fl.BoolVar(&f.integrityOnly, "integrity-only", false, "set trust, revocation and time aside")
	addLang(cmd, &f.lang)
	fl.BoolVar(&f.asJSON, "json", false, "one JSON object a line for each file, and one for all when a serial was used twice")
	fl.StringVar(&f.signers, "stamp-signers", "", "signers of stamps of the older kinds: JSON list, certificates, or a folder of them")
	f.status.add(cmd)
	return cmd
}

// trusted is what the flags and the directory trust.
func (f *verifyFlags) trusted() (*verify.Options, error) {
	opt := &verify.Options{}
	var err error
	if f.dir != "" {
		if opt, err = f.verifyOptions(); err != nil {
			return nil, err
		}
	}
	if f.roots != "" {
		if opt.Roots, err = readRoots(f.roots); err != nil {
			return nil, err
		}
	}
	if f.sealTrust != "" {
		if opt.SealTrust, err = readSealTrust(f.sealTrust); err != nil {
			return nil, err
		}
	}
	for _, file := range f.crls {
		crl, err := readCRL(file)
		if err != nil {
			return nil, err
		}
		opt.CRLs = append(opt.CRLs, crl)
	}
	return opt, nil
}

func (f *verifyFlags) options() (*verify.Options, error) {
	opt, err := f.trusted()
	if err != nil {
		return nil, err
	}
	if f.tag, err = languageOf(f.lang); err != nil {
		return nil, err
	}
	if f.at != "" {
		if opt.Time, err = time.Parse(time.RFC3339, f.at); err != nil {
			return nil, usage("--time is a time such as 2026-01-31T12:00:00Z, not %q", f.at)
		}
	}
	if f.signers != "" {
		if opt.StampSigners, err = readStampSigners(f.signers); err != nil {
			return nil, err
		}
	}
	if err := f.status.apply(f.home, opt, f.sealTrust == ""); err != nil {
		return nil, err
	}
	opt.IntegrityOnly, opt.Cache = f.integrityOnly, new(verify.Cache)
	opt.Password, err = readPassword(f.password)
	return opt, err
}

func (f *verifyFlags) run(cmd *cobra.Command, files []string, opt *verify.Options) error {
	code := 0
	var uses verify.Uses
	for _, name := range files {
		report, err := f.verifyFile(cmd.Context(), name, opt)
		if ctxErr := cmd.Context().Err(); ctxErr != nil {
			return ctxErr
		}
		if err != nil {
			report = f.unreadable(name, err)
		}
		uses.Add(report)
		code = max(code, report.ExitCode())
		if err := f.print(cmd.OutOrStdout(), report); err != nil {
			return err
		}
	}
	if set := uses.Report(); set.Indication != verify.TotalPassed {
		code = max(code, set.ExitCode())
		if err := f.print(cmd.OutOrStdout(), set); err != nil {
			return err
		}
	}
	if code != 0 {
		return &exitError{code: code}
	}
	return nil
}

// verifyFile reports a file that cannot be opened as UNREADABLE.
func (f *verifyFlags) verifyFile(ctx context.Context, name string, opt *verify.Options) (*verify.Report, error) {
	file, size, err := openFile(name)
	if err != nil {
		return f.unreadable(name, err), nil
	}
	defer file.Close()
	report, err := verify.Document(ctx, file, size, opt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	report.File = oneLine(name)
	return report, nil
}

// unreadable is the report of a file that could not be read.
func (f *verifyFlags) unreadable(name string, err error) *verify.Report {
	return &verify.Report{
		File: oneLine(name), Scope: f.scope(), Indication: verify.Unreadable, Modification: verify.ModificationNone,
		Signatures: []verify.Signature{}, Reasons: []string{oneLine(err.Error())},
	}
}

func (f *verifyFlags) print(w io.Writer, r interface{ TextIn(language.Tag) string }) error {
	if f.asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	_, err := io.WriteString(w, r.TextIn(f.tag))
	return err
}

func (f *verifyFlags) scope() string {
	if f.integrityOnly {
		return "integrity"
	}
	return "full"
}
