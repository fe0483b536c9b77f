package pkiserver_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/seed-574216e4/meterai/testdata/pki/pkiserver"
)

func ExampleStart() {
	srv, err := pkiserver.Start(nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()

	client := &http.Client{Timeout: time.Minute}
	resp, err := client.Get(srv.PKI.StampP256.Cert.CRLDistributionPoints[0])
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	crl, err := io.ReadAll(resp.Body)
	fmt.Println(resp.Header.Get("Content-Type"), len(crl) > 100, err)
	// Output: application/pkix-crl true <nil>
}
