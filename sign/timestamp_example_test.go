package sign_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/tsa"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
	"github.com/seed-574216e4/meterai/testdata/pki/pkiserver"
)

// Sign with a timestamp (PAdES B-T). While the authority is down, the signature
// waits; it is not made again.
func ExampleTimestamp() {
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
	id := srv.PKI.StampP256
	credential, err := sign.NewCredential(id.Cert, id.Chain, id.Key, nil)
	if err != nil {
		log.Fatal(err)
	}
	file, err := pdfs.Get("classic.pdf")
	if err != nil {
		log.Fatal(err)
	}
	source, ctx := file.Bytes(), context.Background()
	timestamp := &sign.Timestamp{Authority: client}
	doc, err := sign.Open(bytes.NewReader(source), int64(len(source)), &sign.Options{Timestamp: timestamp})
	if err != nil {
		log.Fatal(err)
	}

	srv.SetFault("/tsa", pkiserver.Fault{HTTPStatus: http.StatusServiceUnavailable})
	_, _, err = doc.Update(ctx, credential, sign.Issue{})
	var pending *sign.TimestampError
	fmt.Println(errors.As(err, &pending), errors.Is(err, tsa.ErrRetry))

	srv.SetFault("/tsa", pkiserver.Fault{}) // it is back
	var out bytes.Buffer
	result, err := pending.Prepared.FinishTimestamped(ctx, &out, bytes.NewReader(source), int64(len(source)), credential, pending.Signature, timestamp)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Timestamp.IsZero(), result.Length == int64(out.Len()))
	// Output:
	// true true
	// false true
}
