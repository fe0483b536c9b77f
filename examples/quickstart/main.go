// Command quickstart does the library's main job once, on one screen: it
// issues a serial number from an embedded ledger, stamps a document with a
// signed QR seal and a PAdES signature, verifies the result and writes it to
// stamped.pdf. Keys and certificates are specimens, made for this run.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/sqlite"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/testdata"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

func main() {
	log.SetFlags(0)
	if err := run(context.Background(), "stamped.pdf", os.Stdout); err != nil {
		log.Fatal("quickstart: ", err)
	}
}

func run(ctx context.Context, out string, log io.Writer) error {
	specimen, err := pki.New(nil) // root, e-seal certificate, seal key: all SPECIMEN
	if err != nil {
		return err
	}
	source, err := testdata.FS.ReadFile("pdf/surat-pernyataan.pdf")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "meterai-quickstart-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	stamped, receipt, err := stamp(ctx, dir, specimen, source)
	if err != nil {
		return err
	}
	if err := os.WriteFile(out, stamped, 0o644); err != nil {
		return err
	}
	fmt.Fprintf(log, "serial %s issued to account %q\n%s written: %d bytes, of which %d are the stamp\n\n",
		receipt.Number.Grouped(), receipt.Account, out, len(stamped), len(stamped)-len(source))
	report, err := check(ctx, specimen, stamped)
	if err != nil {
		return err
	}
	report.File = out
	fmt.Fprint(log, report.Text())
	if report.ExitCode() != 0 {
		return fmt.Errorf("the stamped document is %s", report.Indication)
	}
	return nil
}

// stamp buys ten units, takes one and a serial number, and stamps the document.
func stamp(ctx context.Context, dir string, specimen *pki.PKI, source []byte) ([]byte, serial.Receipt, error) {
	var none serial.Receipt
	ledger, closeLedger, err := openLedger(ctx, dir)
	if err != nil {
		return nil, none, err
	}
	defer closeLedger()
	if _, err := ledger.Credit(ctx, "me", 10, []byte("invoice-1")); err != nil {
		return nil, none, err
	}
	// Preflight: whatever can be refused is refused before a serial is taken.
	doc, err := sign.Open(bytes.NewReader(source), int64(len(source)), &sign.Options{
		Stamp: &sign.Stamp{Value: 10000, Specimen: true, Seal: specimen.SealP256},
	})
	if err != nil {
		return nil, none, err
	}
	id := specimen.StampP256
	credential, err := sign.NewCredential(id.Cert, id.Chain, id.Key, nil)
	if err != nil {
		return nil, none, err
	}
	// Take a unit and a serial, stamp, keep the output. Safe to call again with the same key.
	request, err := doc.Request(ctx, "me", []byte("order-1"))
	if err != nil {
		return nil, none, err
	}
	receipt, err := ledger.Redeem(ctx, request, func(ctx context.Context, r serial.Reservation, w io.Writer) error {
		_, err := doc.Sign(ctx, w, credential, sign.Issue{Number: r.Number, Time: r.Time})
		return err
	})
	if err != nil {
		return nil, none, err
	}
	output, err := ledger.Output(ctx, receipt.Number)
	if err != nil {
		return nil, none, err
	}
	defer output.Close()
	stamped, err := io.ReadAll(output)
	return stamped, receipt, err
}

// check verifies as somebody who trusts the specimen root and the specimen seal key.
func check(ctx context.Context, specimen *pki.PKI, stamped []byte) (*verify.Report, error) {
	trust, err := sealTrust(specimen)
	if err != nil {
		return nil, err
	}
	return verify.Document(ctx, bytes.NewReader(stamped), int64(len(stamped)), &verify.Options{
		Roots: specimen.Roots(), CRLs: specimen.RevocationLists(), SealTrust: trust,
	})
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

// sealTrust says what the specimen seal key may vouch for.
func sealTrust(p *pki.PKI) (*verify.SealTrust, error) {
	entry, err := verify.TrustKey(p.SealP256.Public(), p.StampP256.Cert) // and whose PDF signatures may carry its seals
	if err != nil {
		return nil, err
	}
	entry.Issuers, entry.Epochs = []string{"ZZ"}, []string{"0"}
	entry.NotBefore, entry.Currency, entry.Specimen = p.Root.Cert.NotBefore, "IDR", true
	return verify.NewSealTrust(entry)
}
