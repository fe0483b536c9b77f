package tsa_test

import (
	"crypto"
	"crypto/sha512"
	"encoding/asn1"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/tsa"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

const opensslConfig = `
[tsa]
default_tsa = it
[it]
serial = serial
crypto_device = builtin
default_policy = 1.2.3.4.1
other_policies = 1.2.3.4.5
digests = sha256, sha384, sha512
accuracy = secs:1, millisecs:500, microsecs:100
clock_precision_digits = 6
ordering = yes
tsa_name = yes
ess_cert_id_chain = yes
ess_cert_id_alg = `

// openSSL is an authority of the program: its answers are written by nobody here.
func openSSL(t *testing.T, id *pki.Identity, ess string) *httptest.Server {
	t.Helper()
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed; install it to have its timestamp authority as witness")
	}
	dir := t.TempDir()
	key, err := id.KeyPEM()
	require.NoError(t, err)
	for name, content := range map[string][]byte{
		"tsa.pem": id.PEM(), "tsa.key": key, "chain.pem": specimen(t).StampP256.PEM(), "serial": []byte("01\n"),
		"cnf": []byte(opensslConfig + ess + "\n"),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "query"), body, 0o600)
		}
		if err == nil {
			cmd := exec.Command(program, "ts", "-reply", "-config", "cnf", "-queryfile", "query",
				"-signer", "tsa.pem", "-inkey", "tsa.key", "-chain", "chain.pem", "-sha256", "-out", "reply")
			cmd.Dir = dir
			var out []byte
			if out, err = cmd.CombinedOutput(); err != nil {
				t.Logf("openssl: %s", out)
			}
		}
		reply, readErr := os.ReadFile(filepath.Join(dir, "reply"))
		if err != nil || readErr != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(reply)
	}))
	t.Cleanup(srv.Close)
	return srv
}

// TestOpenSSLIsTheAuthority has tokens made by OpenSSL, with keys of several kinds
// and with both ESS attributes.
func TestOpenSSLIsTheAuthority(t *testing.T) {
	p := specimen(t)
	rsa := issued(t, &pki.Request{CommonName: "RSA TSA", Use: pki.Timestamping, Key: pki.RSA2048})
	p384 := issued(t, &pki.Request{CommonName: "P-384 TSA", Use: pki.Timestamping, Key: pki.P384})
	for name, c := range map[string]struct {
		id  *pki.Identity
		ess string
	}{
		"P-256, signing-certificate-v2": {&p.TSA, "sha256"},
		"P-256, signing-certificate":    {&p.TSA, "sha1"},
		"RSA-2048":                      {rsa, "sha256"},
		"P-384, ESS with SHA-512":       {p384, "sha512"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := openSSL(t, c.id, c.ess)
			sum := sha512.Sum512([]byte("document"))
			tok, err := client(t, nil, srv.URL).Timestamp(within(t), crypto.SHA512, sum[:])
			require.NoError(t, err)
			require.True(t, tok.Covers(crypto.SHA512, sum[:]))
			require.True(t, tok.Certificate.Equal(c.id.Cert))
			require.Equal(t, 1500*time.Millisecond+100*time.Microsecond, tok.Accuracy)
			require.True(t, tok.Ordering)
			require.Equal(t, asn1.ObjectIdentifier{1, 2, 3, 4, 1}, tok.Policy)

			other := client(t, func(o *tsa.Options) { o.Policy = asn1.ObjectIdentifier{1, 2, 3, 4, 5} }, srv.URL)
			tok, err = other.Timestamp(within(t), crypto.SHA512, sum[:])
			require.NoError(t, err)
			require.Equal(t, asn1.ObjectIdentifier{1, 2, 3, 4, 5}, tok.Policy)

			none := client(t, func(o *tsa.Options) { o.Policy = asn1.ObjectIdentifier{1, 2, 3, 4, 9} }, srv.URL)
			_, err = none.Timestamp(within(t), crypto.SHA512, sum[:])
			var status *tsa.StatusError
			require.ErrorAs(t, err, &status)
			require.Equal(t, tsa.UnacceptedPolicy, status.Failure)
			require.NotEmpty(t, status.Text)
			require.ErrorIs(t, err, tsa.ErrRefused)
		})
	}
}
