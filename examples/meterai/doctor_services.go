package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/seed-574216e4/meterai/sign/tsa"
)

// maxServiceAnswer is how much of an answer is read, in bytes.
const maxServiceAnswer = 20 << 20

// wideTolerance lets every clock pass in the check of a token, so that the doctor
// can say by how much it is off.
const wideTolerance = 100 * 365 * 24 * time.Hour

func (d *doctor) checkServices(ctx context.Context) {
	client := &http.Client{Timeout: requestTimeout}
	for _, u := range d.tsa {
		d.checkTSA(ctx, client, u)
	}
	for _, u := range d.crls {
		d.checkCRL(ctx, client, u)
	}
	if d.ocsp != "" {
		d.checkOCSP(ctx, client)
	}
}

// hostOf is what is said of an address: its path may be a secret.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "an address that is none"
	}
	return u.Host
}

func (d *doctor) checkTSA(ctx context.Context, client *http.Client, address string) {
	check, host := "timestamps", hostOf(address)
	const do = "check the address, the network and the account; meanwhile 'stamp --owed' and 'extend' keep stamping going"
	c, err := tsa.New(&tsa.Options{HTTP: client, Servers: []tsa.Server{{URL: address}}, Tolerance: wideTolerance})
	if err != nil {
		d.fail(check, "give an http or https address", "%v", err)
		return
	}
	digest := make([]byte, crypto.SHA256.Size())
	rand.Read(digest)
	before := d.now()
	token, err := c.Timestamp(ctx, crypto.SHA256, digest)
	after := d.now()
	if err != nil {
		text := err.Error() // which names scheme, host and path
		if u, parseErr := url.Parse(address); parseErr == nil {
			name := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
			text = strings.ReplaceAll(text, name.String(), host)
		}
		d.fail(check, do, "%s", text)
		return
	}
	d.ok(check, "%s gives good tokens, of %d bytes, in %v", host, len(token.Raw), after.Sub(before).Round(time.Millisecond))
	d.ends(check, "its certificate", token.Certificate.NotBefore, token.Certificate.NotAfter, certificateNotice, "ask the authority when it changes its certificate")
	d.clock("clock", token.Time, before.Add(-time.Second), after, token.Accuracy) // its time may be in whole seconds
}

// fetch sends a request and reads the answer within its limit.
func fetch(ctx context.Context, client *http.Client, method, address, kind string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s is no address", hostOf(address))
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	response, err := client.Do(request)
	if err != nil {
		if e, ok := err.(*url.Error); ok {
			err = e.Err // without the path
		}
		return nil, fmt.Errorf("%s: %w", hostOf(address), err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %d", hostOf(address), response.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(response.Body, maxServiceAnswer+1))
	if err == nil && len(b) > maxServiceAnswer {
		err = fmt.Errorf("%s answers with more than %d bytes", hostOf(address), maxServiceAnswer)
	}
	return b, err
}

func (d *doctor) checkCRL(ctx context.Context, client *http.Client, address string) {
	const check, do = "revocation list", "check the address and the network; without a current list stamps verify only as INDETERMINATE"
	b, err := fetch(ctx, client, http.MethodGet, address, "", nil)
	if err != nil {
		d.fail(check, do, "%v", err)
		return
	}
	if block, _ := pem.Decode(b); block != nil {
		b = block.Bytes
	}
	l, err := x509.ParseRevocationList(b)
	if err != nil {
		d.fail(check, do, "%s: %v", hostOf(address), err)
		return
	}
	name := fmt.Sprintf("the list of %s", l.Issuer.CommonName)
	p, err := d.issuing()
	if err == nil {
		for _, a := range []*x509.Certificate{p.Root.Cert, p.Issuing.Cert} {
			if bytes.Equal(l.RawIssuer, a.RawSubject) && l.CheckSignatureFrom(a) != nil {
				d.fail(check, "ask the authority: this list is not its own", "%s is not signed by it", name)
				return
			}
		}
	}
	d.ends(check, name, l.ThisUpdate, l.NextUpdate, 0, "ask the authority for a new list")
}

func (d *doctor) checkOCSP(ctx context.Context, client *http.Client) {
	const check, do = "OCSP", "check the address and the network; revocation lists may serve instead"
	p, err := d.issuing()
	if err != nil {
		d.fail(check, "restore the folder pki from its backup", "%v", err)
		return
	}
	for _, cert := range []*x509.Certificate{p.StampP256.Cert, p.StampRSA.Cert} {
		request, err := ocsp.CreateRequest(cert, p.Issuing.Cert, nil)
		if err != nil {
			d.fail(check, do, "%v", err)
			return
		}
		b, err := fetch(ctx, client, http.MethodPost, d.ocsp, "application/ocsp-request", request)
		if err != nil {
			d.fail(check, do, "%v", err)
			return
		}
		response, err := ocsp.ParseResponseForCert(b, cert, p.Issuing.Cert)
		if err != nil {
			d.fail(check, do, "%s: %v", hostOf(d.ocsp), err)
			return
		}
		d.status(cert, response)
	}
}

func (d *doctor) status(cert *x509.Certificate, r *ocsp.Response) {
	const check = "OCSP"
	name := strings.TrimSpace(cert.Subject.CommonName)
	switch {
	case r.Status == ocsp.Revoked:
		d.fail(check, "stop signing with it", "%s was revoked on %s", name, r.RevokedAt.UTC().Format(time.RFC3339))
	case r.Status != ocsp.Good:
		d.fail(check, "ask the authority: it does not know its own certificate", "the status of %s is unknown", name)
	case !r.NextUpdate.IsZero() && d.now().After(r.NextUpdate):
		d.fail(check, "ask the authority for current answers, and check the clock", "the answer about %s has expired", name)
	default:
		d.ok(check, "%s is good", name)
	}
}
