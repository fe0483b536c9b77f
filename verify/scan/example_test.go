package scan_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"log"
	"time"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/verify"
	"github.com/seed-574216e4/meterai/verify/scan"
)

// A photographed page is read and its seal judged.
func ExampleSeals() {
	photograph := specimenImage()

	texts, err := scan.Seals(context.Background(), bytes.NewReader(photograph), nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, text := range texts {
		report, err := verify.Seal(text, &verify.Options{}) // with the SealTrust of the issuer
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(report.Serial, report.Genuine)
	}
	// Output: 100NJY6DRFP7CH4KKB1X43 false
}

// specimenImage makes an image with the symbol of a seal that nobody trusts.
func specimenImage() []byte {
	scheme, err := serial.NewScheme('1', "00", [32]byte{1})
	if err != nil {
		log.Fatal(err)
	}
	number, err := scheme.Number(1)
	if err != nil {
		log.Fatal(err)
	}
	s := &seal.Seal{
		Specimen: true, Serial: number, Issued: time.Unix(1_800_000_000, 0), Value: 10000,
		DocumentLength: 8, DocumentDigest: sha256.Sum256([]byte("document")),
	}
	encoded, err := s.Sign(ed25519.NewKeyFromSeed(make([]byte, 32)))
	if err != nil {
		log.Fatal(err)
	}
	text, err := seal.Text("", encoded)
	if err != nil {
		log.Fatal(err)
	}
	image, err := seal.PNG(text, 300)
	if err != nil {
		log.Fatal(err)
	}
	return image
}
