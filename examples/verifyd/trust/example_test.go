package trust_test

import (
	"fmt"
	"log"

	"github.com/seed-574216e4/meterai/examples/verifyd/trust"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

func ExampleParse() {
	p, err := pki.New(nil) // a specimen; else these are files
	if err != nil {
		log.Fatal(err)
	}
	set, err := trust.Parse(p.RootsPEM(), p.CRLs[1], nil)
	if err != nil {
		log.Fatal(err)
	}
	report, err := verify.Seal("123", set.Options())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Indication)
	// Output: TOTAL-FAILED
}
