package remote_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"fmt"
	"log"

	"github.com/seed-574216e4/meterai/sign/remote"
)

// Two ways to one key: what one does not answer the other does.
func Example() {
	broken, working := &service{do: down}, &service{}
	signer, err := remote.New([]remote.Endpoint{
		{Name: "jakarta", Signer: broken},
		{Name: "surabaya", Signer: working},
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer signer.Close()
	digest := sha256.Sum256([]byte("a document"))
	for range 10 {
		signature, err := signer.SignContext(context.Background(), digest[:], crypto.SHA256)
		if err != nil {
			log.Fatal(err)
		}
		if !ecdsa.VerifyASN1(signer.Public().(*ecdsa.PublicKey), digest[:], signature) {
			log.Fatal("cannot happen: every signature is checked")
		}
	}
	figures := signer.Figures()
	fmt.Println(figures.Asked, "asked,", figures.Endpoints[0].Signatures, "and", figures.Endpoints[1].Signatures, "signed")
	// Output: 10 asked, 0 and 10 signed
}
