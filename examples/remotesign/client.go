package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/seed-574216e4/meterai/sign"
)

// Limits on what the service may answer.
const (
	maxChain        = 64 << 10 // bytes of certificates
	maxCertificates = 16
	maxSignature    = 4 << 10 // bytes
	maxToken        = 4 << 10 // bytes of a token file
)

// A Client has documents and no key.
type Client struct {
	url   string
	token string
	http  *http.Client
}

// NewClient reads the token from a file, so that it is in no list of processes.
func NewClient(url, tokenFile string, client *http.Client) (*Client, error) {
	f, err := os.Open(tokenFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxToken))
	if err != nil {
		return nil, err
	}
	return &Client{url: url, token: strings.TrimSpace(string(b)), http: client}, nil
}

// call makes one request and reads an answer of bounded size.
func (c *Client) call(ctx context.Context, method, path string, body []byte, most int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(answer)) > most:
		return nil, fmt.Errorf("%s: the answer has more than %d bytes", path, most)
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s: HTTP status %d: %.100q", path, res.StatusCode, answer)
	}
	return answer, nil
}

// Credential asks for the certificate that documents are prepared for.
func (c *Client) Credential(ctx context.Context) (*sign.Credential, error) {
	rest, err := c.call(ctx, http.MethodGet, "/v1/certificate", nil, maxChain)
	if err != nil {
		return nil, err
	}
	var chain []*x509.Certificate
	for len(chain) < maxCertificates {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		chain = append(chain, cert)
	}
	if len(chain) == 0 {
		return nil, errors.New("the service gave no certificate")
	}
	return sign.NewCredential(chain[0], chain[1:], nil, nil)
}

// Prepare writes all that is needed later, but the document, to a file.
func (c *Client) Prepare(ctx context.Context, doc *sign.Document, cred *sign.Credential, is sign.Issue, state string) error {
	prepared, err := doc.Prepare(ctx, cred, is)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(state, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = prepared.WriteTo(f)
	return errors.Join(err, f.Sync(), f.Close())
}

// Finish has what the file says signed and writes the signed document. It may be
// another process than the one that prepared, a day later: what has changed meanwhile,
// the document, the file or the certificate, is noticed. It may be repeated until it
// succeeds.
func (c *Client) Finish(ctx context.Context, w io.Writer, state string, source io.ReaderAt, size int64, cred *sign.Credential) (*sign.Result, error) {
	f, err := os.Open(state)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	prepared, err := sign.ReadPrepared(f)
	if err != nil {
		return nil, err
	}
	signature, err := c.call(ctx, http.MethodPost, "/v1/sign", prepared.Message(), maxSignature)
	if err != nil {
		return nil, err
	}
	return prepared.Finish(ctx, w, source, size, cred, signature)
}
