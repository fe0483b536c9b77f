package pki_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-574216e4/meterai/testdata/pki"
)

func Example() {
	p, err := pki.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.StampP256.Cert.Subject)
	fmt.Println(p.StampP256.Chain[0].Subject.CommonName)
	// Output:
	// CN=SPECIMEN Meterai E-Seal P-256,O=SPECIMEN Meterai,C=ID
	// SPECIMEN Meterai Issuing CA
}

func ExamplePKI_Write() {
	tmp, err := os.MkdirTemp("", "pki")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(tmp)
	p, err := pki.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	dir := filepath.Join(tmp, "pki")
	if err := p.Write(dir); err != nil {
		fmt.Println(err)
		return
	}
	q, err := pki.Load(dir, nil)
	fmt.Println(q.Root.Cert.Equal(p.Root.Cert), err)
	// Output: true <nil>
}

func ExamplePKI_Revoke() {
	p, err := pki.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := p.Revoke(p.StampRSA.Cert, pki.KeyCompromise, time.Now()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(p.CRLs), "CRLs")
	// Output: 2 CRLs
}

func ExamplePKI_Issue() {
	p, err := pki.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := p.Issue(&pki.Request{CommonName: "Second E-Seal", Key: pki.P384})
	fmt.Println(id.Cert.Subject.CommonName, id.Cert.PublicKeyAlgorithm, err)
	// Output: SPECIMEN Meterai Second E-Seal ECDSA <nil>
}
