package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

// prepareFlags are the flags of prepare: those of a stamp of level b-b, and where what
// is to be signed goes.
type prepareFlags struct {
	stampFlags
	state, message string
}

func newPrepare() *cobra.Command {
	var f prepareFlags
	cmd := &cobra.Command{
		Use:   "prepare --dir DIR --account A --in IN.pdf --state FILE",
		Short: "Prepare a document whose signature is made elsewhere",
		Long: `Prepare a document for a key that is elsewhere: take a unit and a serial number,
make the seal, and write what is needed to finish to a small file. It prints the
serial number and the digest that is to be signed. The document is not in the
file and need not leave this machine. The e-seal's key that init made stands here for
the one that is elsewhere:

  meterai prepare --dir demo --account me --in in.pdf --state in.prepared --message in.message
  openssl dgst -sha256 -sign demo/pki/stamp-p256.key -out in.signature in.message
  meterai finish --dir demo --in in.pdf --state in.prepared --signature in.signature --out out.pdf

The unit is held until it is finished; 'meterai void' and 'meterai sweep' give it
up. With the same key the same serial number is prepared again.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.levels.level = levelNames[0]
			if err := f.place.check(); err != nil {
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
	fl.StringVar(&f.state, "state", "", "file to write for finish")
	fl.StringVar(&f.message, "message", "", "file to write what the key signs to (default: none)")
	f.place.add(cmd)
	fl.StringVar(&f.levels.password, "password-file", "", "file whose first line is the password of an encrypted document")
	fl.StringVar(&f.algorithm, "algorithm", "p256", "key of the signature: p256 or rsa")
	fl.StringVar(&f.reason, "reason", "", "free text for the signature's reason")
	required(cmd, "account", "in", "state")
	return cmd
}

// errPrepared ends the work of a serial number whose signature is to come.
var errPrepared = errors.New("prepared")

func (f *prepareFlags) run(cmd *cobra.Command) error {
	p, err := f.loadPKI()
	if err != nil {
		return err
	}
	cred, err := credential(p, f.algorithm)
	if err != nil {
		return err
	}
	opt := f.options(p)
	if opt.Password, err = readPassword(f.levels.password); err != nil {
		return err
	}
	src, size, err := openFile(f.in)
	if err != nil {
		return err
	}
	defer src.Close()
	if err := f.checkPlaces(); err != nil {
		return err
	}
	doc, err := sign.Open(src, size, &opt)
	if err != nil {
		return untaken(f.in, err)
	}
	return f.withLedger(cmd.Context(), func(l *ledger) error { return f.reserve(cmd, l, doc, cred) })
}

// checkPlaces tries the places of the files before a unit is taken.
func (f *prepareFlags) checkPlaces() error {
	if f.message != "" && filepath.Clean(f.message) == filepath.Clean(f.state) {
		return usage("--message must be another file than --state")
	}
	for _, place := range []struct{ flag, path string }{{"--state", f.state}, {"--message", f.message}} {
		if place.path == "" {
			continue
		}
		if err := checkPlace(place.path); err != nil {
			return fmt.Errorf("%s: %w; %s", place.flag, err, noUnit)
		}
	}
	return nil
}

// reserve takes a unit and a serial number and prepares the document with it.
func (f *prepareFlags) reserve(cmd *cobra.Command, l *ledger, doc *sign.Document, cred *sign.Credential) error {
	s := &stamper{stampFlags: &f.stampFlags, ledger: l, credential: cred}
	request, err := s.request(cmd.Context(), doc)
	if err != nil {
		return fmt.Errorf("%s: %w", f.in, err)
	}
	_, err = l.Redeem(cmd.Context(), request, func(ctx context.Context, r serial.Reservation, _ io.Writer) error {
		return f.prepare(ctx, cmd, doc, cred, r)
	})
	switch {
	case err == nil:
		return fmt.Errorf("%s is stamped already; 'meterai stamp' with the same key writes it", f.in)
	case errors.Is(err, errPrepared):
		return nil
	}
	return explain(f.in, err)
}

// prepare writes the files and ends with errPrepared, so that the serial number stays
// where it is until finish brings the output.
func (f *prepareFlags) prepare(ctx context.Context, cmd *cobra.Command, doc *sign.Document, cred *sign.Credential, r serial.Reservation) error {
	prepared, err := doc.Prepare(ctx, cred, sign.Issue{Number: r.Number, Time: r.Time})
	if err != nil {
		return err
	}
	err = replaceFile(f.state, func(w io.Writer) error {
		_, err := prepared.WriteTo(w)
		return err
	})
	if err == nil && f.message != "" {
		err = replaceFile(f.message, func(w io.Writer) error {
			_, err := w.Write(prepared.Message())
			return err
		})
	}
	if err == nil {
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %x\n", r.Number.Grouped(), prepared.Digest(cred.Algorithm()))
	}
	if err != nil {
		return err
	}
	return errPrepared
}

// finishFlags are the flags of finish.
type finishFlags struct {
	home
	in, out, state, signature string
	keep                      bool
}

func newFinish() *cobra.Command {
	var f finishFlags
	cmd := &cobra.Command{
		Use:   "finish --dir DIR --in IN.pdf --state FILE --signature FILE --out OUT.pdf",
		Short: "Finish a prepared document with its signature",
		Long: `Finish a document that prepare began, with the signature over its message (ECDSA
in DER). The document must be the one that was prepared, byte for byte. The
command may be repeated: it writes the identical document again.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	addDir(cmd, &f.home)
	fl := cmd.Flags()
	fl.StringVar(&f.in, "in", "", "document that was prepared")
	fl.StringVar(&f.state, "state", "", "file that prepare wrote")
	fl.StringVar(&f.signature, "signature", "", "file with the signature")
	fl.StringVar(&f.out, "out", "", "stamped document to write")
	addKeep(cmd, &f.keep)
	required(cmd, "in", "state", "signature", "out")
	return cmd
}

// maxSignature is how much of a signature file is read, in bytes: more than RSA with
// 16,384 bits has.
const maxSignature = 4096

func (f *finishFlags) run(cmd *cobra.Command) error {
	prepared, err := readState(f.state)
	if err != nil {
		return err
	}
	signature, err := readSome(f.signature, maxSignature)
	if err != nil {
		return err
	}
	p, err := f.loadPKI()
	if err != nil {
		return err
	}
	cred, err := preparedFor(p, prepared)
	if err != nil {
		return fmt.Errorf("%s: %w", f.state, err)
	}
	src, size, err := openFile(f.in)
	if err != nil {
		return err
	}
	defer src.Close()
	if err := notSameFile(src, f.out); err != nil {
		return err
	}
	if err := f.isPrepared(src, size, prepared); err != nil {
		return err
	}
	dst, err := createOut(f.out)
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	defer dst.discard()
	return f.withLedger(cmd.Context(), func(l *ledger) error {
		r, err := f.finish(cmd.Context(), l, src, size, cred, prepared, signature)
		if err != nil {
			return explain(f.in, err)
		}
		s := &stamper{ledger: l}
		if err := s.write(cmd.Context(), dst, src, size, prepared.Result.SourceDigest, r); err != nil {
			return fmt.Errorf("%s has serial %s, but %s could not be written; run the command again: %w", f.in, r.Number, f.out, err)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", r.Number.Grouped(), f.out)
		return err
	})
}

// isPrepared refuses another document than was prepared.
func (f *finishFlags) isPrepared(src io.ReaderAt, size int64, p *sign.Prepared) error {
	h := sha256.New()
	if size == p.Result.SourceLength {
		if _, err := io.Copy(h, io.NewSectionReader(src, 0, size)); err != nil {
			return err
		}
	}
	if [32]byte(h.Sum(nil)) != p.Result.SourceDigest {
		return fmt.Errorf("%s is not the document that was prepared", f.in)
	}
	return nil
}

// finish books the output of the serial number that was prepared.
func (f *finishFlags) finish(ctx context.Context, l *ledger, src io.ReaderAt, size int64, cred *sign.Credential, p *sign.Prepared, signature []byte) (serial.Receipt, error) {
	begun, err := l.Lookup(ctx, p.Result.Number)
	if err != nil {
		return serial.Receipt{}, fmt.Errorf("serial %s: %w", p.Result.Number, err)
	}
	if f.keep {
		if err := l.mayReplace(ctx, f.out, src, size, &begun); err != nil {
			return serial.Receipt{}, err
		}
	}
	return l.Redeem(ctx, begun.Request, func(ctx context.Context, r serial.Reservation, w io.Writer) error {
		if r.Number != p.Result.Number || !r.Time.Equal(p.Result.Time) {
			return &sign.PreparedError{What: "the ledger has begun another attempt; prepare again"}
		}
		update, _, err := p.FinishUpdate(ctx, src, size, cred, signature, nil)
		if err != nil {
			return err
		}
		_, err = w.Write(update)
		return err
	})
}

// preparedFor gives the credential that a document was prepared for.
func preparedFor(p *pki.PKI, prepared *sign.Prepared) (*sign.Credential, error) {
	for _, id := range []pki.Identity{p.StampP256, p.StampRSA} {
		if prepared.Certificate == sha256.Sum256(id.Cert.Raw) {
			return sign.NewCredential(id.Cert, id.Chain, nil, nil)
		}
	}
	return nil, errors.New("it was prepared for a certificate that --dir does not have")
}

func readState(file string) (*sign.Prepared, error) {
	in, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	p, err := sign.ReadPrepared(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

// readSome reads a file that has at most so many bytes.
func readSome(file string, most int64) ([]byte, error) {
	in, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s has more than %d bytes", file, most)
	}
	return b, err
}
