package cms_test

import (
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/seed-574216e4/meterai/sign/cms"
)

// Signing a document of which only the digest is known here.
func ExampleTemplate() {
	credential := certified(keyP256()) // certificate, chain and key

	// Once per credential.
	alg, err := cms.AlgorithmFor(credential.cert.PublicKey)
	if err != nil {
		panic(err)
	}
	template, err := cms.NewTemplate(credential.cert, credential.chain, alg)
	if err != nil {
		panic(err)
	}
	if err := template.Owns(credential.key.Public()); err != nil {
		panic(err)
	}

	// Once per document.
	digest := sha256.Sum256([]byte("the bytes in the byte range"))
	attrs := template.SignedAttributes(digest[:])
	signature, err := template.Sign(credential.key, attrs)
	if err != nil {
		panic(err)
	}
	if err := template.Check(attrs, signature); err != nil {
		panic(err)
	}
	contents, err := template.Finish(attrs, signature)
	if err != nil {
		panic(err)
	}
	fmt.Println(alg, len(contents) <= template.MaxSize())
	// Output: ECDSA with SHA-256 true
}

// Verifying what stands in /Contents, zero padding and all.
func ExampleSignerInfo_Verify() {
	credential := certified(keyP256())
	contents := signedExample(credential, []byte("the bytes in the byte range"))

	sd, err := cms.Parse(contents, nil)
	if err != nil {
		panic(err)
	}
	if len(sd.Signers) != 1 {
		panic("PAdES has exactly one signer")
	}
	signer := &sd.Signers[0]
	certificates, _ := sd.Certificates()
	for _, certificate := range certificates {
		if !signer.Matches(certificate) {
			continue
		}
		fmt.Println(signer.Verify(certificate, sum(signer.DigestAlgorithm, "the bytes in the byte range")))

		var refused *cms.VerifyError
		if err := signer.Verify(certificate, sum(signer.DigestAlgorithm, "other bytes")); errors.As(err, &refused) {
			fmt.Println(refused.Reason)
		}
	}
	// Output:
	// <nil>
	// digest-mismatch
}

// A key that is far away signs the attributes, or their hash.
func ExampleTemplate_Check() {
	credential := certified(keyP256())
	template, err := cms.NewTemplate(credential.cert, credential.chain, cms.ECDSASHA256)
	if err != nil {
		panic(err)
	}
	digest := sha256.Sum256([]byte("document"))
	attrs := template.SignedAttributes(digest[:])

	toBeSigned := sha256.Sum256(attrs) // goes to the remote signer
	signature, err := credential.key.Sign(nil, toBeSigned[:], crypto.SHA256)
	if err != nil {
		panic(err)
	}
	fmt.Println(template.Check(attrs, signature)) // before it goes out
	// Output: <nil>
}

func signedExample(c *credential, doc []byte) []byte {
	template := must(cms.NewTemplate(c.cert, c.chain, cms.ECDSASHA256))
	attrs := template.SignedAttributes(digestOf(crypto.SHA256, doc))
	out := must(template.Finish(attrs, must(template.Sign(c.key, attrs))))
	return append(out, make([]byte, 64)...)
}

func sum(h crypto.Hash, text string) []byte { return digestOf(h, []byte(text)) }
