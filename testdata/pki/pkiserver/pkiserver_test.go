package pkiserver_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"

	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/sign/tsa"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/testdata/pki/pkiserver"
)

func start(t testing.TB) *pkiserver.Running {
	t.Helper()
	srv, err := pkiserver.Start(nil, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Close()) })
	return srv
}

var web = &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}

// get and post want status 200 and the content type.
func get(t testing.TB, address, kind string) []byte {
	t.Helper()
	resp, err := web.Get(address)
	require.NoError(t, err)
	return body(t, resp, kind)
}

func post(t testing.TB, address, sent, kind string, b []byte) []byte {
	t.Helper()
	resp, err := web.Post(address, sent, bytes.NewReader(b))
	require.NoError(t, err)
	return body(t, resp, kind)
}

func body(t testing.TB, resp *http.Response, kind string) []byte {
	t.Helper()
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, kind, resp.Header.Get("Content-Type"))
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return b
}

// TestCertificatesNameTheService follows the addresses in the certificates.
func TestCertificatesNameTheService(t *testing.T) {
	srv := start(t)
	leaf := srv.PKI.StampP256.Cert
	crl, err := x509.ParseRevocationList(get(t, leaf.CRLDistributionPoints[0], "application/pkix-crl"))
	require.NoError(t, err)
	require.NoError(t, crl.CheckSignatureFrom(srv.PKI.Issuing.Cert))
	issuer := get(t, leaf.IssuingCertificateURL[0], "application/pkix-cert")
	require.Equal(t, srv.PKI.Issuing.Cert.Raw, issuer)
	crl, err = x509.ParseRevocationList(get(t, srv.PKI.Issuing.Cert.CRLDistributionPoints[0], "application/pkix-crl"))
	require.NoError(t, err)
	require.NoError(t, crl.CheckSignatureFrom(srv.PKI.Root.Cert))
	require.Equal(t, srv.PKI.Root.Cert.Raw, get(t, srv.PKI.Issuing.Cert.IssuingCertificateURL[0], "application/pkix-cert"))
	require.Equal(t, ocsp.Good, ask(t, srv, leaf, false).Status)
	require.Equal(t, 1, srv.Requests("/issuing.crl"))
}

// ask asks the responder that the certificate names.
func ask(t testing.TB, srv *pkiserver.Running, cert *x509.Certificate, byGet bool) *ocsp.Response {
	t.Helper()
	req, err := ocsp.CreateRequest(cert, srv.PKI.Issuing.Cert, &ocsp.RequestOptions{Hash: crypto.SHA256})
	require.NoError(t, err)
	var der []byte
	if byGet {
		der = get(t, srv.URL+"/ocsp/"+url.PathEscape(base64.StdEncoding.EncodeToString(req)), "application/ocsp-response")
	} else {
		der = post(t, srv.URL+"/ocsp", "application/ocsp-request", "application/ocsp-response", req)
	}
	resp, err := ocsp.ParseResponseForCert(der, cert, srv.PKI.Issuing.Cert)
	require.NoError(t, err)
	require.True(t, resp.Certificate.Equal(srv.PKI.OCSP.Cert), "a delegated responder")
	return resp
}

func TestOCSP(t *testing.T) {
	srv := start(t)
	now := srv.PKI.Now()
	require.NoError(t, srv.Revoke(srv.PKI.StampRSA.Cert, pki.KeyCompromise, now.Add(-time.Minute)))
	later, err := srv.PKI.Issue(&pki.Request{CommonName: "Later"})
	require.NoError(t, err)
	stranger := *srv.PKI.StampP256.Cert
	stranger.SerialNumber = big.NewInt(12345)
	for _, byGet := range []bool{false, true} {
		for _, c := range []*x509.Certificate{srv.PKI.StampP256.Cert, srv.PKI.TSA.Cert, later.Cert} {
			r := ask(t, srv, c, byGet)
			require.Equal(t, ocsp.Good, r.Status)
			require.False(t, r.ThisUpdate.Before(now))
			require.Equal(t, time.Hour, r.NextUpdate.Sub(r.ThisUpdate))
		}
		r := ask(t, srv, srv.PKI.StampRSA.Cert, byGet)
		require.Equal(t, ocsp.Revoked, r.Status)
		require.Equal(t, int(pki.KeyCompromise), r.RevocationReason)
		require.Equal(t, now.Add(-time.Minute), r.RevokedAt.UTC())
		require.Equal(t, ocsp.Unknown, ask(t, srv, &stranger, byGet).Status)
	}
	crl, err := x509.ParseRevocationList(get(t, srv.URL+"/issuing.crl", "application/pkix-crl"))
	require.NoError(t, err)
	require.Len(t, crl.RevokedCertificateEntries, 1)
	require.NoError(t, srv.Refresh())
}

// TestOCSPGetWithSlashes tries requests until their base64 has two slashes in a row,
// which a router that cleans paths would redirect.
func TestOCSPGetWithSlashes(t *testing.T) {
	srv := start(t)
	for n := int64(0); ; n++ {
		c := *srv.PKI.StampP256.Cert
		c.SerialNumber = new(big.Int).Add(new(big.Int).Lsh(big.NewInt(0xfffff), 64), big.NewInt(n))
		req, err := ocsp.CreateRequest(&c, srv.PKI.Issuing.Cert, nil)
		require.NoError(t, err)
		text := base64.StdEncoding.EncodeToString(req)
		if !strings.Contains(text, "//") {
			require.Less(t, n, int64(100_000))
			continue
		}
		resp, err := ocsp.ParseResponseForCert(get(t, srv.URL+"/ocsp/"+text, "application/ocsp-response"), &c, srv.PKI.Issuing.Cert)
		require.NoError(t, err)
		require.Equal(t, ocsp.Unknown, resp.Status)
		return
	}
}

func TestOCSPRefusals(t *testing.T) {
	srv := start(t)
	other, err := pki.New(nil)
	require.NoError(t, err)
	foreign, err := ocsp.CreateRequest(other.StampP256.Cert, other.Issuing.Cert, nil)
	require.NoError(t, err)
	authority, err := ocsp.CreateRequest(srv.PKI.Issuing.Cert, srv.PKI.Root.Cert, nil)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		req  []byte
		want ocsp.ResponseStatus
	}{
		"garbage":                 {[]byte("x"), ocsp.Malformed},
		"nothing":                 {nil, ocsp.Malformed},
		"another issuer":          {foreign, ocsp.Unauthorized},
		"what the root issued":    {authority, ocsp.Unauthorized},
		"nested without a bottom": {bytes.Repeat([]byte{0x30, 0x80}, 8000), ocsp.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			der := post(t, srv.URL+"/ocsp", "application/ocsp-request", "application/ocsp-response", c.req)
			var wrong ocsp.ResponseError
			_, err := ocsp.ParseResponse(der, nil)
			require.ErrorAs(t, err, &wrong)
			require.Equal(t, c.want, wrong.Status)
		})
	}
	srv.SetFault("/ocsp", pkiserver.Fault{OCSP: func(r *ocsp.Response) { r.NextUpdate = r.ThisUpdate.Add(-time.Hour) }})
	r := ask(t, srv, srv.PKI.StampP256.Cert, false)
	require.True(t, r.NextUpdate.Before(r.ThisUpdate))
	srv.SetFault("/ocsp", pkiserver.Fault{Signer: &srv.PKI.StampP256})
	req, err := ocsp.CreateRequest(srv.PKI.StampP256.Cert, srv.PKI.Issuing.Cert, nil)
	require.NoError(t, err)
	der := post(t, srv.URL+"/ocsp", "application/ocsp-request", "application/ocsp-response", req)
	resp, err := ocsp.ParseResponse(der, nil)
	require.NoError(t, err)
	require.True(t, resp.Certificate.Equal(srv.PKI.StampP256.Cert))
}

func TestHTTPBounds(t *testing.T) {
	srv := start(t)
	for name, c := range map[string]struct {
		method, path string
		body         io.Reader
		want         int
	}{
		"unknown path":          {http.MethodGet, "/etc/passwd", nil, 404},
		"root":                  {http.MethodGet, "/", nil, 404},
		"keys are not served":   {http.MethodGet, "/root.key", nil, 404},
		"GET of the TSA":        {http.MethodGet, "/tsa", nil, 405},
		"POST of a CRL":         {http.MethodPost, "/root.crl", nil, 405},
		"DELETE":                {http.MethodDelete, "/ocsp", nil, 405},
		"POST to an OCSP path":  {http.MethodPost, "/ocsp/abc", nil, 405},
		"a body without end":    {http.MethodPost, "/tsa", io.LimitReader(zeros{}, 1<<20), 413},
		"a body with a CRL":     {http.MethodGet, "/root.crl", io.LimitReader(zeros{}, 1<<20), 413},
		"HEAD of a CRL":         {http.MethodHead, "/root.crl", nil, 200},
		"a method unknown":      {"BREW", "/tsa", nil, 405},
		"a query after the CRL": {http.MethodGet, "/root.crl?x=1", nil, 200},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequest(c.method, srv.URL+c.path, c.body)
			require.NoError(t, err)
			resp, err := web.Do(req)
			require.NoError(t, err)
			defer resp.Body.Close()
			require.Equal(t, c.want, resp.StatusCode)
		})
	}
	require.Zero(t, srv.Requests("/etc/passwd"), "what strangers ask for is not kept")
	long, err := web.Get(srv.URL + "/ocsp/" + strings.Repeat("A", 1<<20))
	require.NoError(t, err)
	defer long.Body.Close()
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, long.StatusCode)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestTSARefusesBadRequests(t *testing.T) {
	srv := start(t)
	// version 1, SHA-256 with 32 zeros, and what follows.
	imprint := append([]byte{0x30, 0x2f, 0x30, 0x0b, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 4, 0x20}, make([]byte, 32)...)
	imprint[1] = byte(len(imprint) - 2)
	query := func(parts ...[]byte) []byte {
		b := bytes.Join(parts, nil)
		return append([]byte{0x30, byte(len(b))}, b...)
	}
	one := []byte{2, 1, 1}
	sha1 := append([]byte{0x30, 0x1f, 0x30, 7, 6, 5, 0x2b, 0x0e, 3, 2, 0x1a, 4, 0x14}, make([]byte, 20)...)
	for name, c := range map[string]struct {
		query []byte
		want  string // contents of the PKIStatusInfo's BIT STRING; empty: granted
	}{
		"honest":                {query(one, imprint), ""},
		"honest with a nonce":   {query(one, imprint, []byte{2, 2, 1, 0}, []byte{1, 1, 0xff}), ""},
		"nothing":               {nil, "\x05\x20"},
		"garbage":               {[]byte("GET / HTTP/1.0"), "\x05\x20"},
		"version 2":             {query([]byte{2, 1, 2}, imprint), "\x05\x20"},
		"SHA-1":                 {query(one, sha1), "\x07\x80"},
		"a torn imprint":        {query(one, imprint[:2]), "\x05\x20"},
		"a policy not offered":  {query(one, imprint, []byte{6, 2, 0x2a, 3}), "\x00\x00\x01"},
		"an extension":          {query(one, imprint, []byte{0xa0, 0}), "\x07\x00\x00\x80"},
		"more than a request":   {query(one, imprint, []byte{5, 0}), "\x05\x20"},
		"bytes after":           {append(query(one, imprint), 0), "\x05\x20"},
		"a nonce of 100 octets": {query(one, imprint, append([]byte{2, 50}, bytes.Repeat([]byte{7}, 50)...)), "\x05\x20"},
		"certReq is no BOOLEAN": {query(one, imprint, []byte{1, 1, 7}), "\x05\x20"},
		"nonce is not minimal":  {query(one, imprint, []byte{2, 2, 0, 1}), "\x05\x20"},
		"imprint of wrong length": {query(one, func() []byte {
			b := append(bytes.Clone(imprint), 0)
			b[1]++
			b[16]++
			return b
		}()), "\x02\x04"},
	} {
		t.Run(name, func(t *testing.T) {
			der := post(t, srv.URL+"/tsa", "application/timestamp-query", "application/timestamp-reply", c.query)
			if c.want == "" {
				require.True(t, bytes.Contains(der[:12], []byte{0x30, 3, 2, 1, 0}), "granted")
				return
			}
			bits := append([]byte{3, byte(len(c.want))}, c.want...)
			require.True(t, bytes.Contains(der, []byte{2, 1, 2}), "rejected")
			require.True(t, bytes.HasSuffix(der, bits), "% x", der)
		})
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	p, err := pki.New(nil)
	require.NoError(t, err)
	_, err = pkiserver.New(nil, nil)
	require.Error(t, err)
	s, err := pkiserver.New(p, nil)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	address := "http://" + l.Addr().String()
	require.NotEmpty(t, get(t, address+"/root.crt", "application/pkix-cert"))

	// One client is left hanging, which must not keep the service.
	s.SetFault("/tsa", pkiserver.Fault{Hang: true})
	hung := make(chan struct{})
	go func() {
		defer close(hung)
		resp, err := web.Post(address+"/tsa", "", strings.NewReader("x"))
		if err == nil {
			resp.Body.Close()
		}
	}()
	require.Eventually(t, func() bool { return s.Requests("/tsa") == 1 }, 30*time.Second, time.Millisecond)
	cancel()
	require.NoError(t, <-ended)
	<-hung
	_, err = web.Get(address + "/root.crt")
	require.Error(t, err)
	require.Error(t, s.Serve(context.Background(), l), "the listener is closed")
}

func TestHandlerInATestServer(t *testing.T) {
	p, err := pki.New(nil)
	require.NoError(t, err)
	s, err := pkiserver.New(p, nil)
	require.NoError(t, err)
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/root.crt", nil))
	require.Equal(t, p.Root.Cert.Raw, rec.Body.Bytes())
}

func openssl(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed; install it to have it as witness")
	}
	return program
}

// TestOpenSSL has OpenSSL ask the service and check what it answers.
func TestOpenSSL(t *testing.T) {
	program, srv := openssl(t), start(t)
	dir := filepath.Join(t.TempDir(), "pki")
	require.NoError(t, srv.PKI.Write(dir))
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(program, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "openssl %s: %s", strings.Join(args, " "), out)
		return string(out)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "document"), []byte("document"), 0o600))

	for _, hash := range []string{"-sha256", "-sha384", "-sha512"} {
		for _, more := range [][]string{{"-cert"}, {"-cert", "-no_nonce"}, {"-cert", "-tspolicy", "1.3.6.1.4.1.32473.1.1"}} {
			run(append([]string{"ts", "-query", "-data", "document", hash, "-out", "query"}, more...)...)
			query, err := os.ReadFile(filepath.Join(dir, "query"))
			require.NoError(t, err)
			reply := post(t, srv.URL+"/tsa", "application/timestamp-query", "application/timestamp-reply", query)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "reply"), reply, 0o600))
			require.Contains(t, run("ts", "-verify", "-queryfile", "query", "-in", "reply", "-CAfile", "root.pem", "-untrusted", "issuing.pem"), "Verification: OK")
			require.Contains(t, run("ts", "-reply", "-in", "reply", "-text"), "Accuracy: 0x01 seconds")
		}
	}
	// Without certReq no certificates come, and OpenSSL is told where they are.
	run("ts", "-query", "-data", "document", "-sha256", "-out", "query")
	query, err := os.ReadFile(filepath.Join(dir, "query"))
	require.NoError(t, err)
	reply := post(t, srv.URL+"/tsa", "", "application/timestamp-reply", query)
	require.False(t, bytes.Contains(reply, srv.PKI.TSA.Cert.Raw))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "reply"), reply, 0o600))
	require.Contains(t, run("ts", "-verify", "-queryfile", "query", "-in", "reply", "-CAfile", "root.pem", "-untrusted", "tsa.pem"), "Verification: OK")

	require.NoError(t, srv.Revoke(srv.PKI.StampRSA.Cert, pki.Superseded, srv.PKI.Now()))
	for leaf, want := range map[string]string{"stamp-p256.pem": ": good", "stamp-rsa.pem": ": revoked", "tsa.pem": ": good"} {
		for _, hash := range []string{"-sha1", "-sha256"} {
			out := run("ocsp", "-issuer", "issuing.pem", hash, "-cert", leaf, "-url", srv.URL+"/ocsp", "-CAfile", "root.pem")
			require.Contains(t, out, "Response verify OK")
			require.Contains(t, out, leaf+want)
		}
	}
	require.Contains(t, run("ocsp", "-issuer", "issuing.pem", "-serial", "4711", "-url", srv.URL+"/ocsp", "-CAfile", "root.pem"), ": unknown")

	crl := get(t, srv.URL+"/issuing.crl", "application/pkix-crl")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "crl"), crl, 0o600))
	out := run("crl", "-inform", "DER", "-in", "crl", "-CAfile", "issuing.pem", "-noout", "-text")
	require.Contains(t, out, "verify OK")
	require.Contains(t, out, "Superseded")
}

// TestToken signs what a test wants said.
func TestToken(t *testing.T) {
	p, err := pki.New(nil)
	require.NoError(t, err)
	sum := sha256.Sum256([]byte("x"))
	info := &cms.TimestampInfo{Policy: pkiserver.DefaultPolicy(), Hash: cms.Digest(crypto.SHA256), Imprint: sum[:], Serial: big.NewInt(1), Time: p.Now()}
	der, err := pkiserver.Token(&p.TSA, info, true)
	require.NoError(t, err)
	tok, err := tsa.Parse(der)
	require.NoError(t, err)
	require.True(t, tok.Time.Equal(p.Now()) || tok.Time.Before(p.Now()))
	info.Imprint = nil
	_, err = pkiserver.Token(&p.TSA, info, true)
	require.Error(t, err)
}
