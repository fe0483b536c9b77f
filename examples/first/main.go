// Command first is the shortest program that stamps a PDF: no ledger, a specimen
// key, one number. Use it to see what a stamp is; with a ledger, as in quickstart,
// nobody loses or doubles one.
//
//	go run ./examples/first in.pdf out.pdf
package main

import (
	"bytes"
	"context"
	"log"
	"os"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: first in.pdf out.pdf")
	}
	in := must(os.ReadFile(os.Args[1]))
	specimen := must(pki.New(nil)) // yours: a certificate and any crypto.Signer
	number := must(must(serial.NewScheme('0', "ZZ", [32]byte{1})).Number(1))
	id := specimen.StampP256
	credential := must(sign.NewCredential(id.Cert, id.Chain, id.Key, nil))
	doc := must(sign.Open(bytes.NewReader(in), int64(len(in)), &sign.Options{
		Stamp: &sign.Stamp{Value: 10000, Specimen: true, Seal: specimen.SealP256},
	}))
	var out bytes.Buffer
	must(doc.Sign(context.Background(), &out, credential, sign.Issue{Number: number}))
	must(0, os.WriteFile(os.Args[2], out.Bytes(), 0o644))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
