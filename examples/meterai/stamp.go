package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/tsa"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

// stampFlags are the flags of stamp.
type stampFlags struct {
	home
	account, key      string
	in, out           string
	inDir, outDir     string
	workers           int
	place             placeFlags
	levels            levelFlags
	kind              kindFlags
	hsm               hsmFlags
	algorithm, reason string
	asJSON, repair    bool
	keep              bool
}

func newStamp() *cobra.Command {
	var f stampFlags
	cmd := &cobra.Command{
		Use:   "stamp --dir DIR --account A --in IN.pdf --out OUT.pdf",
		Short: "Stamp a document, or all documents of a folder",
		Long: `Stamp a document: take a unit of the account and a serial number, draw the
signed QR seal and sign, in one incremental update. The default place is the
last page, bottom right, 36 pt from the edges as people see the page.

The same key with the same input writes the identical document again and takes
no second unit; the default key is made of input and account. With --in-dir
every *.pdf of a folder is stamped, each under its own default key; files with
the same bytes are one document and share one stamp. With --keep a file that is
there already is overwritten only by the identical document. The input never is.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return f.run(cmd)
		},
	}
	addDir(cmd, &f.home)
	fl := cmd.Flags()
	fl.StringVar(&f.account, "account", "", "account that pays")
	fl.StringVar(&f.key, "key", "", "idempotency key (default: digest of input and account)")
	fl.StringVar(&f.in, "in", "", "document to stamp")
	fl.StringVar(&f.out, "out", "", "stamped document to write")
	fl.StringVar(&f.inDir, "in-dir", "", "folder of documents to stamp")
	fl.StringVar(&f.outDir, "out-dir", "", "folder for the stamped documents")
	fl.IntVar(&f.workers, "workers", 4, "documents in work at a time with --in-dir")
	f.place.add(cmd)
	f.levels.add(cmd, "b-b")
	f.kind.add(cmd)
	f.hsm.add(cmd)
	fl.BoolVar(&f.levels.owed, "owed", false, "stamp at b-b when no timestamp can be had; 'meterai extend' makes it good later")
	fl.StringVar(&f.algorithm, "algorithm", "p256", "key of the signature: p256 or rsa")
	fl.StringVar(&f.reason, "reason", "", "free text for the signature's reason")
	fl.BoolVar(&f.repair, "repair", false, "stamp also a file whose cross-reference data is damaged, as a search for its objects reads it")
	addKeep(cmd, &f.keep)
	fl.BoolVar(&f.asJSON, "json", false, "one JSON object a document")
	required(cmd, "account")
	return cmd
}

func (f *stampFlags) check() error {
	if err := f.levels.check(); err != nil {
		return err
	}
	if err := f.kind.check(); err != nil {
		return err
	}
	if err := f.hsm.check(); err != nil {
		return err
	}
	one, many := f.in != "" || f.out != "", f.inDir != "" || f.outDir != ""
	switch {
	case one == many:
		return usage("give --in and --out, or --in-dir and --out-dir")
	case one && (f.in == "" || f.out == ""):
		return usage("--in and --out go together")
	case many && (f.inDir == "" || f.outDir == ""):
		return usage("--in-dir and --out-dir go together")
	case many && f.key != "":
		return usage("--key names one document; with --in-dir each has its own")
	case f.workers < 1 || f.workers > 256:
		return usage("--workers is between 1 and 256")
	}
	return f.place.check()
}

// A stamper has everything that does not depend on the document.
type stamper struct {
	*stampFlags
	ledger     *ledger
	credential *sign.Credential
	options    sign.Options
	levels     *levels
}

func (f *stampFlags) run(cmd *cobra.Command) error {
	p, err := f.loadPKI()
	if err != nil {
		return err
	}
	cred, closeKey, err := f.credential(cmd.Context(), p)
	if err != nil {
		return err
	}
	defer closeKey()
	lv, err := f.levels.open(f.home, p)
	if err != nil {
		return err
	}
	return f.withLedger(cmd.Context(), func(l *ledger) error {
		s := &stamper{stampFlags: f, ledger: l, credential: cred, options: f.options(p), levels: lv}
		s.options.Timestamp, s.options.Password = lv.signature(), lv.password
		if f.inDir != "" {
			return s.stampAll(cmd)
		}
		r, err := s.stamp(cmd.Context(), f.in, f.out)
		if err != nil {
			return err
		}
		for _, w := range r.Warnings {
			fmt.Fprintln(cmd.ErrOrStderr(), "meterai: note: "+w)
		}
		return s.say(cmd, r)
	})
}

func (f *stampFlags) options(p *pki.PKI) sign.Options {
	opt := sign.Options{
		Stamp:  &sign.Stamp{Value: tariff, Currency: currency, Specimen: true, Seal: p.SealP256},
		Reason: f.reason,
	}
	f.place.put(&opt)
	f.kind.put(&opt)
	opt.AllowRepair = f.repair
	return opt
}

// A stamping is what became of one document, and the JSON of stamp, one line a
// document.
type stamping struct {
	File     string        `json:"file"`
	Out      string        `json:"out"`
	Serial   serial.Number `json:"serial"`
	Account  string        `json:"account"`
	Time     time.Time     `json:"time"`     // that the signature claims
	Replayed bool          `json:"replayed"` // it had been stamped before, no unit was taken
	Warnings []string      `json:"warnings"`
}

func (s *stamper) say(cmd *cobra.Command, r *stamping) error {
	if s.asJSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", r.Serial.Grouped(), r.Out)
	return err
}

// stamp stamps one document. The sink keeps the update alone: with the input,
// which the ledger knows by its digest, it is the stamped document. Whatever can
// fail is tried before a unit is taken, the place for the output included.
func (s *stamper) stamp(ctx context.Context, in, out string) (*stamping, error) {
	src, size, err := openFile(in)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	if err := notSameFile(src, out); err != nil {
		return nil, err
	}
	doc, err := sign.Open(src, size, &s.options)
	if err != nil {
		return nil, untaken(in, err)
	}
	request, err := s.request(ctx, doc)
	if err != nil {
		return nil, untaken(in, err)
	}
	if err := s.keepOther(ctx, out, src, size, &request); err != nil {
		return nil, err
	}
	dst, err := createOut(out)
	if err != nil {
		return nil, fmt.Errorf("--out: %w; %s", err, noUnit)
	}
	defer dst.discard()
	receipt, owed, err := s.redeem(ctx, doc, src, size, request)
	if err != nil {
		return nil, explain(in, err)
	}
	if err := s.write(ctx, dst, src, size, request.Digest, receipt); err != nil {
		return nil, fmt.Errorf("%s has serial %s, but %s could not be written; run the command again: %w", in, receipt.Number, out, err)
	}
	done := &stamping{File: in, Out: out, Serial: receipt.Number, Account: receipt.Account, Time: receipt.Time,
		Replayed: receipt.Replayed, Warnings: append([]string{}, doc.Warnings()...)}
	if owed != "" {
		done.Warnings = append(done.Warnings, "stamped at b-b, the timestamp is owed ("+owed+"); 'meterai extend' makes it good")
	}
	if done.Replayed {
		done.Warnings = append(done.Warnings, "this input was stamped before: the same document was written, no unit was taken")
	}
	return done, nil
}

// redeem takes the unit and keeps the update. owed says why a timestamp is missing.
func (s *stamper) redeem(ctx context.Context, doc *sign.Document, src io.ReaderAt, size int64, request serial.Request) (receipt serial.Receipt, owed string, err error) {
	receipt, err = s.ledger.Redeem(ctx, request, func(ctx context.Context, r serial.Reservation, w io.Writer) error {
		update, res, err := doc.Update(ctx, s.credential, sign.Issue{Number: r.Number, Time: r.Time})
		if err != nil {
			return err
		}
		if res.TimestampOwed != "" {
			owed = res.TimestampOwed
		} else if update, err = s.levels.complete(ctx, src, size, update); err != nil {
			return err
		}
		_, err = w.Write(update)
		return err
	})
	return receipt, owed, err
}

func (s *stamper) request(ctx context.Context, doc *sign.Document) (serial.Request, error) {
	request, err := doc.Request(ctx, s.account, []byte(s.key))
	if err != nil {
		return request, err
	}
	if s.key == "" {
		h := sha256.New()
		h.Write(request.Digest[:])
		io.WriteString(h, s.account)
		request.Key = hex.AppendEncode(nil, h.Sum(nil))
	}
	request.Profile = fmt.Sprintf("%s %s%s %s", s.stampFlags.levels.level, s.keyName(), s.kind.asked(), s.reason)
	return request, nil
}

// noUnit ends what is refused before a unit is taken.
const noUnit = "no unit was taken"

// untaken explains what is refused before a unit is taken.
func untaken(in string, err error) error {
	err = explain(in, err)
	if strings.Contains(err.Error(), noUnit) {
		return err
	}
	return fmt.Errorf("%w; %s", err, noUnit)
}

// differing names the flags behind the field of a request that differs.
func differing(e *serial.ConflictError) string {
	switch e.Field {
	case "profile":
		return "it differs in its level or profile (--level, --profile, --certify, --algorithm, --reason); "
	case "placement":
		return "it stands elsewhere (--page, --at, --corner, --free, --anchor, --field); "
	}
	return ""
}

// explain says what to do about the refusals that people meet.
func explain(in string, err error) error {
	var conflict *serial.ConflictError
	var place *sign.PlacementError
	var field *sign.FieldError
	var state *serial.StateError
	var certified *sign.CertificationError
	var repair *sign.RepairError
	hint := ""
	switch {
	case errors.As(err, &conflict):
		hint = differing(conflict) + "use another --key for another stamp"
	case errors.Is(err, serial.ErrInsufficient):
		hint = "credit the account first"
	case errors.Is(err, pdf.ErrEncrypted):
		hint = "give its password with --password-file; " + noUnit
	case errors.As(err, &state) && state.State == serial.Void:
		hint = "that stamping was given up and its unit returned; use another --key for a new one"
	case errors.Is(err, tsa.ErrRefused) && !errors.Is(err, tsa.ErrRetry):
		hint = "correct --tsa and run the command again: the unit is held for this document"
	case errors.Is(err, tsa.ErrRetry):
		hint = "run the command again later: the unit is held for this document; or stamp with --owed"
	case errors.Is(err, pdf.ErrDamaged) && !errors.As(err, &repair):
		hint = noUnit + "; 'meterai stamp --repair' stamps what a search for its objects finds, if readers agree on that"
	case errors.As(err, &place), errors.As(err, &field), errors.As(err, &certified), errors.Is(err, sign.ErrCertified), errors.Is(err, pdf.ErrDamaged), errors.Is(err, pdf.ErrNotPDF):
		hint = noUnit
	default:
		return fmt.Errorf("%s: %w", in, err)
	}
	return fmt.Errorf("%s: %w; %s", in, err, hint)
}

// write makes the stamped document of the input and the kept update. Input that
// changed since it was digested is refused.
func (s *stamper) write(ctx context.Context, dst *outFile, src io.ReaderAt, size int64, digest [32]byte, r serial.Receipt) error {
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(dst, h), io.NewSectionReader(src, 0, size)); err != nil {
		return err
	}
	if [32]byte(h.Sum(nil)) != digest {
		return sign.ErrChanged
	}
	update, err := s.ledger.Output(ctx, r.Number)
	if err != nil {
		return err
	}
	defer update.Close()
	if _, err := io.Copy(dst, update); err != nil {
		return err
	}
	return dst.commit()
}
