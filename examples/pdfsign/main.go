// Command pdfsign is for those who sign with github.com/digitorus/pdfsign already and
// want to keep it: pdfsign makes the PDF signature, this library gives it the key in a
// token (package sign/pkcs11: pooled, self-healing), the serial number from a ledger
// that never loses or doubles a unit (package serial), and the signed QR seal that
// anybody can verify from paper (package sign/seal).
//
//	go run ./examples/pdfsign                       # a specimen key; writes pdfsigned.pdf
//	go run ./examples/pdfsign --module /usr/lib/softhsm/libsofthsm2.so --token T --key-label K \
//	    --pin-file PIN --certificate chain.pem --in in.pdf --out out.pdf
//
// What it does not have, compared with package sign: the seal as vector paths in the
// signature's revision, which binds them to each other; the check of the signature
// before it is embedded (the token's are checked by sign/pkcs11); memory that does not
// grow with the document.
package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/digitorus/pdfsign"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/sqlite"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/testdata"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

const (
	tariff   = 10000 // whole units of currency
	currency = "IDR"
)

func main() {
	log.SetFlags(0)
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		log.Fatal("pdfsign: ", err)
	}
}

// config is what the flags say.
type config struct {
	module, token, keyLabel string
	pinFile, certificate    string
	in, out                 string
}

func parse(args []string) (*config, error) {
	var c config
	fs := flag.NewFlagSet("pdfsign", flag.ContinueOnError)
	fs.StringVar(&c.module, "module", "", "PKCS #11 library; without it a specimen key signs")
	fs.StringVar(&c.token, "token", "", "label of the token")
	fs.StringVar(&c.keyLabel, "key-label", "", "label of the key")
	fs.StringVar(&c.pinFile, "pin-file", "", "file with the PIN")
	fs.StringVar(&c.certificate, "certificate", "", "file with the key's certificate, and those above it, in PEM")
	fs.StringVar(&c.in, "in", "", "document to sign; without it a sample")
	fs.StringVar(&c.out, "out", "pdfsigned.pdf", "signed document to write")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if c.module != "" && (c.token == "" || c.keyLabel == "" || c.pinFile == "" || c.certificate == "") {
		return nil, errors.New("--module needs --token, --key-label, --pin-file and --certificate")
	}
	return &c, nil
}

// An identity is what signs: in a token, or a specimen.
type identity struct {
	key   crypto.Signer
	cert  *x509.Certificate
	chain []*x509.Certificate
	close func()
}

func run(ctx context.Context, args []string, say io.Writer) error {
	c, err := parse(args)
	if err != nil {
		return err
	}
	specimen, err := pki.New(nil)
	if err != nil {
		return err
	}
	who, err := c.identity(ctx, specimen)
	if err != nil {
		return err
	}
	defer who.close()
	source, err := c.source()
	if err != nil {
		return err
	}
	text, signed, err := stamp(ctx, who, specimen.SealP256, source)
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.out, signed, 0o644); err != nil {
		return err
	}
	fmt.Fprintf(say, "%s: signed as %q\n", c.out, who.cert.Subject)
	return judge(ctx, specimen, who, text, signed, say)
}

func (c *config) source() ([]byte, error) {
	if c.in == "" {
		return testdata.FS.ReadFile("pdf/surat-pernyataan.pdf")
	}
	return os.ReadFile(c.in)
}

func (c *config) identity(ctx context.Context, specimen *pki.PKI) (*identity, error) {
	if c.module == "" {
		id := specimen.StampP256
		return &identity{key: id.Key, cert: id.Cert, chain: id.Chain, close: func() {}}, nil
	}
	rest, err := os.ReadFile(c.certificate)
	if err != nil {
		return nil, err
	}
	who := new(identity)
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.certificate, err)
		}
		if who.cert == nil {
			who.cert = cert
		} else {
			who.chain = append(who.chain, cert)
		}
	}
	if who.cert == nil {
		return nil, fmt.Errorf("%s holds no certificate in PEM", c.certificate)
	}
	who.key, who.close, err = openToken(ctx, c, who.cert.PublicKey)
	return who, err
}

// stamp takes a unit and a serial number, makes the seal, and has pdfsign sign. Called
// again with the same key it would give the same number and the stored document.
func stamp(ctx context.Context, who *identity, sealKey crypto.Signer, source []byte) (sealText string, signed []byte, err error) {
	dir, err := os.MkdirTemp("", "meterai-pdfsign-")
	if err != nil {
		return "", nil, err
	}
	defer os.RemoveAll(dir)
	ledger, closeLedger, err := openLedger(ctx, dir)
	if err != nil {
		return "", nil, err
	}
	defer closeLedger()
	if _, err := ledger.Credit(ctx, "me", 10, []byte("invoice-1")); err != nil {
		return "", nil, err
	}
	request := serial.Request{
		Account: "me", Key: []byte("order-1"), Value: tariff, Placement: "page 1, bottom left",
		Digest: sha256.Sum256(source), Length: int64(len(source)),
	}
	receipt, err := ledger.Redeem(ctx, request, func(ctx context.Context, r serial.Reservation, w io.Writer) error {
		var err error
		if sealText, err = newSeal(&r, sealKey); err != nil {
			return err
		}
		return signWithPdfsign(ctx, w, who, source, r.Number, sealText)
	})
	if err != nil {
		return "", nil, err
	}
	output, err := ledger.Output(ctx, receipt.Number)
	if err != nil {
		return "", nil, err
	}
	defer output.Close()
	signed, err = io.ReadAll(output)
	return sealText, signed, err
}

// newSeal makes the text of the seal of a reserved number.
func newSeal(r *serial.Reservation, key crypto.Signer) (string, error) {
	s := &seal.Seal{
		Specimen: true, Serial: r.Number, Issued: r.Time, Value: r.Request.Value,
		DocumentLength: r.Request.Length, DocumentDigest: r.Request.Digest,
	}
	encoded, err := s.Sign(key)
	if err != nil {
		return "", err
	}
	return seal.Text("", encoded)
}

// Sizes of the appearance in points. The symbol has 49 modules and a quiet zone of four
// on each side, of 0.45 mm each, so that a phone reads it from paper.
const (
	module     = 0.45 * 72 / 25.4
	quiet      = 4
	symbolSize = (49 + 2*quiet) * module
	lineHeight = 10
)

// signWithPdfsign signs a document with an appearance that has the seal. The reason is
// not "[SERIAL]", which is how a signature of package sign calls itself a stamp.
func signWithPdfsign(ctx context.Context, w io.Writer, who *identity, source []byte, n serial.Number, sealText string) error {
	symbol, err := seal.NewSymbol(sealText)
	if err != nil {
		return err
	}
	doc, err := pdfsign.Open(bytes.NewReader(source), int64(len(source)))
	if err != nil {
		return err
	}
	look := pdfsign.NewAppearance(symbolSize, symbolSize+2*lineHeight).Background(255, 255, 255)
	draw(look, symbol)
	look.Text(n.Grouped()).Font(pdfsign.StandardFont(pdfsign.Courier), 4).Position(quiet*module, lineHeight)
	look.Text("SPECIMEN").Font(pdfsign.StandardFont(pdfsign.HelveticaBold), 8).Position(quiet*module, 1)
	doc.Sign(who.key, who.cert, who.chain...).
		Context(ctx).Type(pdfsign.ApprovalSignature).Format(pdfsign.PAdES_B).Digest(crypto.SHA256).
		Reason("Stamped with seal "+n.String()).Appearance(look, 72, 72).Page(1)
	_, err = doc.Write(w)
	return err
}

// draw draws the symbol as lines as wide as a module, one for each run of dark modules:
// an image would be blurred by printers. Stroke comes last: it adds the line.
func draw(look *pdfsign.Appearance, y *seal.Symbol) {
	const left, top = quiet * module, 2*lineHeight + symbolSize - quiet*module
	for row := range y.Size() {
		for x := 0; x < y.Size(); x++ {
			run := x
			for y.Dark(run, row) {
				run++
			}
			if run > x {
				middle := top - (float64(row)+0.5)*module
				look.Line(left+float64(x)*module, middle, left+float64(run)*module, middle).Width(module).Stroke(0, 0, 0)
				x = run
			}
		}
	}
}

// judge verifies the signature, and the seal against the document as a reader of the
// printed page would.
func judge(ctx context.Context, specimen *pki.PKI, who *identity, sealText string, signed []byte, say io.Writer) error {
	entry, err := verify.TrustKey(specimen.SealP256.Public(), who.cert)
	if err != nil {
		return err
	}
	entry.Issuers, entry.Epochs = []string{"ZZ"}, []string{"0"}
	entry.NotBefore, entry.Currency, entry.Specimen = specimen.Root.Cert.NotBefore, currency, true
	trust, err := verify.NewSealTrust(entry)
	if err != nil {
		return err
	}
	// Whoever has a certificate of a token of his own has its roots; here integrity
	// is judged.
	opt := &verify.Options{IntegrityOnly: true, SealTrust: trust}
	report, err := verify.Document(ctx, bytes.NewReader(signed), int64(len(signed)), opt)
	if err != nil {
		return err
	}
	printed, err := verify.SealForDocument(ctx, sealText, bytes.NewReader(signed), int64(len(signed)), opt)
	if err != nil {
		return err
	}
	fmt.Fprintf(say, "signature: %s\nseal: %s\n", report.Indication, printed.Statement)
	if report.ExitCode() != 0 || !printed.Genuine || !printed.DocumentBound {
		return errors.New("the document does not verify")
	}
	return nil
}

// openLedger makes a ledger in a folder, with a key for its serial numbers.
func openLedger(ctx context.Context, dir string) (*serial.Ledger, func(), error) {
	var key [32]byte // an issuer keeps it secret for as long as the epoch lasts
	rand.Read(key[:])
	scheme, err := serial.NewScheme('0', "ZZ", key)
	if err != nil {
		return nil, nil, err
	}
	sink, err := serial.NewDirSink(filepath.Join(dir, "stamps"))
	if err != nil {
		return nil, nil, err
	}
	store, err := sqlite.Open(ctx, filepath.Join(dir, "ledger.db"), nil)
	if err != nil {
		return nil, nil, err
	}
	ledger, err := serial.Open(ctx, store, &serial.Options{Scheme: scheme, Sink: sink})
	if err != nil {
		store.Close()
		return nil, nil, err
	}
	return ledger, func() { ledger.Close(); store.Close() }, nil
}
