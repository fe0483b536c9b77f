//go:build cgo

package pkcs11_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"log"
	"os"
	"time"

	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/pkcs11"
)

// A key in two modules of the same maker signs stamps.
func Example() {
	var cert *x509.Certificate // of the key
	var chain []*x509.Certificate

	module, err := pkcs11.OpenModule("/usr/lib/softhsm/libsofthsm2.so", &pkcs11.Options{Sessions: 16})
	if err != nil {
		log.Fatal(err)
	}
	defer module.Close()
	signer, err := module.Signer(context.Background(), &pkcs11.KeyConfig{
		Tokens: []pkcs11.TokenConfig{{Label: "stamps-a"}, {Label: "stamps-b"}},
		Label:  "e-seal",
		Public: cert.PublicKey,
		PIN: func(context.Context, pkcs11.TokenConfig) ([]byte, error) {
			return os.ReadFile("/run/secrets/pin")
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	credential, err := sign.NewCredential(cert, chain, signer, nil)
	if err != nil {
		log.Fatal(err)
	}
	_ = credential // for Document.Sign
}

// A signature with a deadline.
func ExampleSigner_SignContext() {
	var signer *pkcs11.Signer // from Module.Signer
	var digest []byte         // SHA-256 of a message

	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	signature, err := signer.SignContext(ctx, digest, crypto.SHA256)
	if err != nil {
		log.Print(err) // errors.Is(err, pkcs11.ErrUnavailable): try again later
	}
	_ = signature
}
