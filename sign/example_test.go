package sign_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"fmt"
	"log"
	"time"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

// exampleNumber stands for the number that a ledger reserves.
func exampleNumber() serial.Number {
	scheme, err := serial.NewScheme('0', "ZZ", [32]byte{1})
	if err != nil {
		log.Fatal(err)
	}
	n, err := scheme.Number(0)
	if err != nil {
		log.Fatal(err)
	}
	return n
}

// Stamp a document: preflight, then seal, appearance and signature in one
// update.
func Example() {
	specimen, err := pki.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	id := specimen.StampP256
	credential, err := sign.NewCredential(id.Cert, id.Chain, id.Key, nil)
	if err != nil {
		log.Fatal(err)
	}
	file, err := pdfs.Get("classic.pdf")
	if err != nil {
		log.Fatal(err)
	}
	source := file.Bytes()

	doc, err := sign.Open(bytes.NewReader(source), int64(len(source)), &sign.Options{
		Stamp: &sign.Stamp{Value: 10000, Specimen: true, Seal: specimen.SealP256},
	})
	if err != nil {
		log.Fatal(err)
	}
	var out bytes.Buffer
	result, err := doc.Sign(context.Background(), &out, credential, sign.Issue{Number: exampleNumber()})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(bytes.HasPrefix(out.Bytes(), source), result.Page, result.Length == int64(out.Len()))
	// Output: true 1 true
}

// The signing key is somewhere else: only the message travels there, and the
// prepared document waits as a small file, for another process if need be.
func ExampleDocument_Prepare() {
	specimen, err := pki.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	id := specimen.StampP256
	credential, err := sign.NewCredential(id.Cert, id.Chain, nil, nil) // no key here
	if err != nil {
		log.Fatal(err)
	}
	file, err := pdfs.Get("form.pdf")
	if err != nil {
		log.Fatal(err)
	}
	source, ctx := file.Bytes(), context.Background()

	doc, err := sign.Open(bytes.NewReader(source), int64(len(source)), nil)
	if err != nil {
		log.Fatal(err)
	}
	prepared, err := doc.Prepare(ctx, credential, sign.Issue{})
	if err != nil {
		log.Fatal(err)
	}
	var state bytes.Buffer // a file
	kept, err := prepared.WriteTo(&state)
	if err != nil {
		log.Fatal(err)
	}

	// Elsewhere, and later.
	later, err := sign.ReadPrepared(&state)
	if err != nil {
		log.Fatal(err)
	}
	signature, err := id.Key.Sign(rand.Reader, later.Digest(credential.Algorithm()), crypto.SHA256)
	if err != nil {
		log.Fatal(err)
	}

	var out bytes.Buffer
	result, err := later.Finish(ctx, &out, bytes.NewReader(source), int64(len(source)), credential, signature)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Length == int64(out.Len()), kept < 64<<10)
	// Output: true true
}

// The seal's key is somewhere else: its round trip comes before the signature.
func ExampleDocument_NewSeal() {
	specimen, err := pki.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	id := specimen.StampRSA
	credential, err := sign.NewCredential(id.Cert, id.Chain, id.Key, nil)
	if err != nil {
		log.Fatal(err)
	}
	key, err := seal.NewKey(specimen.SealEd25519.Public())
	if err != nil {
		log.Fatal(err)
	}
	file, err := pdfs.Get("classic.pdf")
	if err != nil {
		log.Fatal(err)
	}
	source, ctx := file.Bytes(), context.Background()

	doc, err := sign.Open(bytes.NewReader(source), int64(len(source)), &sign.Options{
		Stamp: &sign.Stamp{Value: 10000, Specimen: true, Key: key},
	})
	if err != nil {
		log.Fatal(err)
	}
	issue := sign.Issue{Number: exampleNumber(), Time: time.Unix(1_800_000_000, 0)}
	unsigned, err := doc.NewSeal(ctx, issue)
	if err != nil {
		log.Fatal(err)
	}
	message, err := unsigned.Message(key) // to be signed elsewhere
	if err != nil {
		log.Fatal(err)
	}
	signature, err := specimen.SealEd25519.Sign(rand.Reader, message, crypto.Hash(0))
	if err != nil {
		log.Fatal(err)
	}
	if issue.Seal, err = unsigned.Finish(key, signature); err != nil {
		log.Fatal(err)
	}
	update, result, err := doc.Update(ctx, credential, issue)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(source)+len(update) == int(result.Length), len(result.Seal))
	// Output: true 130
}

// The author's signature: it says that afterwards forms may be filled in, and nothing
// else.
func ExampleCertification() {
	specimen, err := pki.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	id := specimen.StampP256
	credential, err := sign.NewCredential(id.Cert, id.Chain, id.Key, nil)
	if err != nil {
		log.Fatal(err)
	}
	file, err := pdfs.Get("form.pdf")
	if err != nil {
		log.Fatal(err)
	}
	certify := &sign.Options{Certify: &sign.Certification{Changes: sign.FormChanges}}
	doc, err := sign.Open(bytes.NewReader(file.Bytes()), int64(len(file.Bytes())), certify)
	if err != nil {
		log.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := doc.Sign(context.Background(), &out, credential, sign.Issue{}); err != nil {
		log.Fatal(err)
	}

	// A verifier finds it.
	report, err := verify.Document(context.Background(), bytes.NewReader(out.Bytes()), int64(out.Len()), &verify.Options{IntegrityOnly: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Indication, report.Signatures[0].Certified)
	// Output: TOTAL-PASSED forms
}
