package sign_test

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

// Stamp a document: preflight, then seal, appearance and signature in one
// update.
func Example() {
	specimen, err := pki.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	id := specimen.StampP256
	credential, err := sign.NewCredential(id.Cert, id.Chain, id.Key, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	file, _ := pdfs.Get("classic.pdf")
	source := file.Bytes()

	doc, err := sign.Open(bytes.NewReader(source), int64(len(source)), &sign.Options{
		Stamp: &sign.Stamp{Value: 10000, Specimen: true, Seal: specimen.SealP256},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	number, _ := serial.Parse("0ZZ-0000-0000-0000-0000-J7B") // from a ledger in real life
	if number.IsZero() {
		scheme, _ := serial.NewScheme('0', "ZZ", [32]byte{1})
		number, _ = scheme.Number(0)
	}
	var out bytes.Buffer
	result, err := doc.Sign(context.Background(), &out, credential, sign.Issue{Number: number, Time: time.Now()})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(bytes.HasPrefix(out.Bytes(), source), result.Page, result.Length == int64(out.Len()))
	// Output: true 1 true
}
