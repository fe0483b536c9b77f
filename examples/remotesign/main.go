// Command remotesign shows a signing service and a caller whose document never leaves
// it: the service holds the key and sees a digest in a few hundred bytes of signed
// attributes; the caller prepares the document, keeps what it needs in a small file,
// asks for the signature and finishes.
//
// Both run here, over HTTP on this machine, with specimen keys; the result is
// signed.pdf. In production the service stands behind TLS, with one token a caller, and
// package sign/pkcs11 has its key.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/testdata"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

func main() {
	log.SetFlags(0)
	if err := run(context.Background(), "signed.pdf", os.Stdout); err != nil {
		log.Fatal("remotesign: ", err)
	}
}

func run(ctx context.Context, out string, say io.Writer) error {
	dir, err := os.MkdirTemp("", "meterai-remotesign-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	specimen, err := pki.New(nil)
	if err != nil {
		return err
	}
	tokenFile := filepath.Join(dir, "token")
	token := rand.Text() + rand.Text()
	if err := os.WriteFile(tokenFile, []byte(token+"\n"), 0o600); err != nil {
		return err
	}
	url, stop, err := serve(specimen.StampP256, token)
	if err != nil {
		return err
	}
	defer stop()

	// From here on it is the caller, who has a document, the address and the token.
	source, err := testdata.FS.ReadFile("pdf/surat-pernyataan.pdf")
	if err != nil {
		return err
	}
	client, err := NewClient(url, tokenFile, &http.Client{Timeout: 30 * time.Second})
	if err != nil {
		return err
	}
	state := filepath.Join(dir, "surat-pernyataan.prepared")
	signed, err := signRemotely(ctx, client, source, state, say)
	if err != nil {
		return err
	}
	if err := os.WriteFile(out, signed, 0o644); err != nil {
		return err
	}
	return judge(ctx, specimen, signed, out, say)
}

// judge verifies as somebody who trusts the specimen root.
func judge(ctx context.Context, specimen *pki.PKI, signed []byte, name string, say io.Writer) error {
	report, err := verify.Document(ctx, bytes.NewReader(signed), int64(len(signed)), &verify.Options{
		Roots: specimen.Roots(), CRLs: specimen.RevocationLists(),
	})
	if err != nil {
		return err
	}
	report.File = name
	fmt.Fprint(say, report.Text())
	if report.ExitCode() != 0 {
		return fmt.Errorf("the signed document is %s", report.Indication)
	}
	return nil
}

// signRemotely prepares and finishes; the two halves share nothing but the file.
func signRemotely(ctx context.Context, client *Client, source []byte, state string, say io.Writer) ([]byte, error) {
	size := int64(len(source))
	cred, err := client.Credential(ctx)
	if err != nil {
		return nil, err
	}
	doc, err := sign.Open(bytes.NewReader(source), size, &sign.Options{Reason: "Signed by a service that has not seen it"})
	if err != nil {
		return nil, err
	}
	if err := client.Prepare(ctx, doc, cred, sign.Issue{}, state); err != nil {
		return nil, err
	}
	var signed bytes.Buffer
	res, err := client.Finish(ctx, &signed, state, bytes.NewReader(source), size, cred)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(say, "document of %d bytes signed as field %s; the service saw its digest only\n\n", size, res.Field)
	return signed.Bytes(), nil
}

// serve starts the service on a free port of this machine.
func serve(id pki.Identity, token string) (url string, stop func(), err error) {
	handler, err := NewServer(id, token, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, MaxHeaderBytes: 8 << 10,
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Print("remotesign: ", err)
		}
	}()
	return "http://" + listener.Addr().String(), func() { server.Close(); <-done }, nil
}
