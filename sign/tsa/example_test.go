package tsa_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/seed-574216e4/meterai/sign/tsa"
	"github.com/seed-574216e4/meterai/testdata/pki/pkiserver"
)

// Get a token over a digest. The authority here is the specimen's; a second address
// would be asked when it fails.
func Example() {
	srv, err := pkiserver.Start(nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()

	client, err := tsa.New(&tsa.Options{
		HTTP:    &http.Client{Timeout: time.Minute},
		Servers: []tsa.Server{{URL: srv.URL + "/tsa"}},
		Roots:   srv.PKI.Roots(),
	})
	if err != nil {
		log.Fatal(err)
	}
	digest := sha256.Sum256([]byte("a signature value"))
	token, err := client.Timestamp(context.Background(), crypto.SHA256, digest[:])
	switch {
	case errors.Is(err, tsa.ErrRetry):
		log.Fatal("come back later: ", err)
	case err != nil:
		log.Fatal(err)
	}
	fmt.Println(token.Covers(crypto.SHA256, digest[:]), token.Certificate.Subject.CommonName, token.Policy)
	// Output: true SPECIMEN Meterai Timestamp Authority 1.3.6.1.4.1.32473.1.1
}

// What a Timestamper of one's own returns is checked with Parse and Covers.
func ExampleParse() {
	_, err := tsa.Parse([]byte("<html>"))
	fmt.Println(errors.Is(err, tsa.ErrToken))
	// Output: true
}
