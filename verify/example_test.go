package verify_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"github.com/seed-574216e4/meterai/verify"
)

func ExampleDocument() {
	document := []byte("%PDF-1.7 this is no stamp")
	report, err := verify.Document(context.Background(), bytes.NewReader(document), int64(len(document)), nil)
	if err != nil {
		log.Fatal(err) // the reader failed, not the document
	}
	fmt.Println(report.Indication, report.ExitCode())
	// Output: UNREADABLE 3
}

func ExampleSeal() {
	report, err := verify.Seal("HTTPS://EXAMPLE.TEST/S/123", nil)
	if err != nil {
		log.Fatal(err) // the options were wrong, not the seal
	}
	fmt.Println(report.Indication, report.Genuine)
	// Output: TOTAL-FAILED false
}

func ExampleParseSealTrust() {
	trust, err := verify.ParseSealTrust([]byte(`{"entries":[{
		"name": "specimen",
		"public_key": "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
		"algorithm": "Ed25519",
		"issuers": ["ZZ"],
		"epochs": ["1"],
		"not_before": "2026-01-01T00:00:00Z",
		"currency": "IDR",
		"specimen": true,
		"certificates": []
	}]}`))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(trust.Entries), trust.Entries[0].Currency)
	// Output: 1 IDR
}
