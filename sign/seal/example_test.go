package seal_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign/seal"
)

// exampleSeal gives a seal to be signed, and a key that must not be used for
// anything else.
func exampleSeal() (*seal.Seal, ed25519.PrivateKey) {
	scheme, err := serial.NewScheme('T', "QA", [32]byte{1})
	if err != nil {
		panic(err)
	}
	number, err := scheme.Number(1)
	if err != nil {
		panic(err)
	}
	document := []byte("the document before stamping")
	return &seal.Seal{
		Specimen:       true,
		Serial:         number,
		Issued:         time.Date(2026, 11, 21, 8, 30, 0, 0, time.UTC),
		Value:          10000,
		DocumentLength: int64(len(document)),
		DocumentDigest: sha256.Sum256(document),
	}, ed25519.NewKeyFromSeed(make([]byte, 32))
}

func Example() {
	// The issuer signs and prints.
	s, signer := exampleSeal()
	encoded, err := s.Sign(signer)
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := seal.Text("HTTPS://STAMP.EXAMPLE/S/", encoded)
	if err != nil {
		fmt.Println(err)
		return
	}

	// Anyone with the public key reads and verifies, offline.
	key, err := seal.NewKey(signer.Public())
	if err != nil {
		fmt.Println(err)
		return
	}
	read, _, err := seal.ParseText(text)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := read.Verify(key); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(read.Value, read.Issued.Format(time.DateOnly), read.DocumentLength, read.Specimen)
	// Output: 10000 2026-11-21 28 true
}

// A seal key in a remote service signs the message; nothing else leaves.
func ExampleSeal_Message() {
	s, signer := exampleSeal()
	key, err := seal.NewKey(signer.Public())
	if err != nil {
		fmt.Println(err)
		return
	}
	message, err := s.Message(key)
	if err != nil {
		fmt.Println(err)
		return
	}
	signature := ed25519.Sign(signer, message) // the remote service's part
	encoded, err := s.Finish(key, signature)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(message), len(encoded))
	// Output: 114 130
}

func ExampleNewSymbol() {
	s, signer := exampleSeal()
	encoded, err := s.Sign(signer)
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := seal.Text("HTTPS://STAMP.EXAMPLE/S/", encoded)
	if err != nil {
		fmt.Println(err)
		return
	}
	symbol, err := seal.NewSymbol(text)
	if err != nil {
		fmt.Println(err)
		return
	}
	const mm = 72 / 25.4
	path := symbol.AppendPath(nil, 100, 100, 0.45*mm, 0.04*mm)
	fmt.Println(symbol.Version(), symbol.Size(), len(path) < 14000)
	// Output: 8 49 true
}
