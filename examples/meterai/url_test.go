package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/testdata/pdfs"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/testdata/pki/pkiserver"
)

// The certificates name the services, which are found without any file: OCSP and CRL
// of signer and timestamp authority, and the certificates above them.
func TestServicesFromTheCertificate(t *testing.T) {
	var service *pkiserver.Service
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { service.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	dir := filepath.Join(t.TempDir(), "home")
	ok(t, "init", "--dir", dir, "--url", server.URL+"/")
	p, err := pki.Load(home{dir}.pki(), nil)
	require.NoError(t, err)
	service, err = pkiserver.New(p, nil)
	require.NoError(t, err)
	require.Equal(t, []string{server.URL + "/ocsp"}, p.StampP256.Cert.OCSPServer)
	require.Equal(t, []string{server.URL + "/issuing.crl"}, p.TSA.Cert.CRLDistributionPoints)
	require.True(t, p.TSA.Cert.NotAfter.After(p.StampP256.Cert.NotAfter))

	f, err := pdfs.Get("classic.pdf")
	require.NoError(t, err)
	in, out := filepath.Join(t.TempDir(), "in.pdf"), filepath.Join(t.TempDir(), "out.pdf")
	require.NoError(t, os.WriteFile(in, f.Bytes(), 0o600))
	ok(t, "credit", "--dir", dir, "--account", "me", "--units", "1", "--key", "k")
	ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out, "--level", "b-lt", "--tsa", server.URL+"/tsa")
	require.Positive(t, service.Requests("/ocsp"))
	require.Positive(t, service.Requests("/root.crl"))
	require.Equal(t, "B-LT", signaturesOf(t, dir, out)[0].Level)
}

func TestServiceURL(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "http://127.0.0.1:8318": "http://127.0.0.1:8318", "https://pki.example/a//": "https://pki.example/a",
	} {
		got, err := serviceURL(in)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, in := range []string{"127.0.0.1:8318", "ldap://x", "http://", "http://x/?a", "http://x/#a", "http://a@x/", "\x7f"} {
		_, err := serviceURL(in)
		require.Error(t, err, in)
		require.True(t, strings.HasPrefix(err.Error(), "--url"), in)
	}
}

// The kinds of signature on the command line: what they are called, and that another
// kind under the same key is another stamp.
func TestKinds(t *testing.T) {
	dir, in := demo(t)
	out := filepath.Join(t.TempDir(), "out.pdf")
	ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out, "--certify", "forms", "--profile", "adobe", "--key", "kind")
	said := ok(t, "verify", "--dir", dir, out)
	require.Contains(t, said, "certified     forms")
	require.Contains(t, said, "pkcs7")
	for _, c := range []struct {
		what string
		args []string
	}{
		{"another kind", []string{"--in", in, "--out", out, "--certify", "comments", "--profile", "adobe", "--key", "kind"}},
		{"no such kind", []string{"--in", in, "--out", out, "--certify", "all"}},
		{"no such profile", []string{"--in", in, "--out", out, "--profile", "cades"}},
		{"a certified document", []string{"--in", out, "--out", out + "2"}},
	} {
		status, _, _ := meterai(t, append([]string{"stamp", "--dir", dir, "--account", "me"}, c.args...)...)
		require.NotZero(t, status, c.what)
	}
}
