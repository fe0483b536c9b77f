package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"time"

	"github.com/seed-574216e4/meterai/examples/verifyd/trust"
	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/testdata"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

// A specimen is a stamped document with the trust that it verifies against. Its
// keys exist only while it is made.
type specimen struct {
	set      *trust.Set
	document []byte // stamped
	digits   string // its seal, as printed behind the address
}

// newSpecimen stamps the sample document; its symbol carries the address.
func newSpecimen(ctx context.Context, url string) (*specimen, error) {
	source, err := testdata.FS.ReadFile("pdf/surat-pernyataan.pdf")
	if err != nil {
		return nil, err
	}
	return stampSpecimen(ctx, url, source)
}

func stampSpecimen(ctx context.Context, url string, source []byte) (*specimen, error) {
	p, err := pki.New(nil)
	if err != nil {
		return nil, err
	}
	list, err := specimenTrust(p)
	if err != nil {
		return nil, err
	}
	sp := &specimen{set: &trust.Set{CRLs: p.RevocationLists(), SealTrust: list}}
	sp.set.Roots = append(sp.set.Roots, p.Root.Cert)
	doc, err := sign.Open(bytes.NewReader(source), int64(len(source)), &sign.Options{
		Stamp: &sign.Stamp{Value: 10000, Specimen: true, Seal: p.SealP256, Prefix: url},
	})
	if err != nil {
		return nil, err
	}
	credential, err := sign.NewCredential(p.StampP256.Cert, p.StampP256.Chain, p.StampP256.Key, nil)
	if err != nil {
		return nil, err
	}
	number, err := oneNumber()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	signed, err := doc.Sign(ctx, &out, credential, sign.Issue{Number: number, Time: time.Now()})
	if err != nil {
		return nil, err
	}
	sp.document = out.Bytes()
	sp.digits, err = seal.Text("", signed.Seal)
	return sp, err
}

// oneNumber is a serial number of a series that nobody goes on with.
func oneNumber() (serial.Number, error) {
	var key [32]byte
	if _, err := io.ReadFull(rand.Reader, key[:]); err != nil {
		return serial.Number{}, err
	}
	scheme, err := serial.NewScheme('0', "ZZ", key)
	if err != nil {
		return serial.Number{}, err
	}
	return scheme.Number(1)
}

func specimenTrust(p *pki.PKI) (*verify.SealTrust, error) {
	e, err := verify.TrustKey(p.SealP256.Public(), p.StampP256.Cert)
	if err != nil {
		return nil, err
	}
	e.Name = "specimen seal key of this page"
	e.Issuers, e.Epochs = []string{"ZZ"}, []string{"0"}
	e.NotBefore, e.Currency, e.Specimen = p.Root.Cert.NotBefore, "IDR", true
	return verify.NewSealTrust(e)
}
