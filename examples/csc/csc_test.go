package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/remote"
	"github.com/seed-574216e4/meterai/testdata"
	"github.com/seed-574216e4/meterai/verify"
)

func always(secret string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return secret, nil }
}

func dial(t testing.TB, srv *httptest.Server) *Client {
	t.Helper()
	c, err := Dial(t.Context(), srv.URL+"/csc/v2", srv.Client(), always(testToken))
	require.NoError(t, err)
	return c
}

func credentialOf(t testing.TB, c *Client, id string) *Credential {
	t.Helper()
	cred, err := c.Credential(t.Context(), id, always(testPIN))
	require.NoError(t, err)
	return cred
}

func sum(i int) []byte {
	s := sha256.Sum256(fmt.Append(nil, i))
	return s[:]
}

func TestList(t *testing.T) {
	_, srv := newService(t)
	c := dial(t, srv)
	require.Equal(t, "a test", c.Info().Name)
	ids, err := c.List(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"p256", "rsa"}, ids)
}

func TestSignatures(t *testing.T) {
	s, srv := newService(t)
	c := dial(t, srv)
	for _, raw := range []bool{false, true} {
		s.raw = raw
		cred := credentialOf(t, c, "p256")
		sig, err := cred.SignContext(t.Context(), sum(1), crypto.SHA256)
		require.NoError(t, err)
		require.True(t, ecdsa.VerifyASN1(cred.Public().(*ecdsa.PublicKey), sum(1), sig), "raw %v", raw)
	}
	cred := credentialOf(t, c, "rsa")
	sig, err := cred.Sign(nil, sum(1), crypto.SHA256)
	require.NoError(t, err)
	require.NoError(t, rsa.VerifyPKCS1v15(cred.Public().(*rsa.PublicKey), crypto.SHA256, sum(1), sig))
	pss := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	sig, err = cred.SignContext(t.Context(), sum(1), pss)
	require.NoError(t, err)
	require.NoError(t, rsa.VerifyPSS(cred.Public().(*rsa.PublicKey), crypto.SHA256, sum(1), sig, pss))

	_, err = cred.SignContext(t.Context(), sum(1), crypto.SHA1)
	require.ErrorIs(t, err, remote.ErrRefused)
	cred.algo = []string{"1.2.3"}
	_, err = cred.SignContext(t.Context(), sum(1), crypto.SHA256)
	require.ErrorIs(t, err, remote.ErrRefused)
}

// What the service refuses is not tried again, and the secrets are in no error.
func TestRefusals(t *testing.T) {
	s, srv := newService(t)
	_, err := Dial(t.Context(), srv.URL+"/csc/v2", srv.Client(), always("stolen-token"))
	require.ErrorIs(t, err, remote.ErrRefused)
	require.ErrorContains(t, err, "invalid_token")
	require.NotContains(t, err.Error(), "stolen-token")
	c := dial(t, srv)
	_, err = c.Credential(t.Context(), "nobody", nil)
	require.ErrorIs(t, err, remote.ErrRefused)

	cred, err := c.Credential(t.Context(), "p256", always("0815"))
	require.NoError(t, err)
	signer, err := remote.New([]remote.Endpoint{{Name: "a", Signer: cred}}, nil)
	require.NoError(t, err)
	defer signer.Close()
	s.breaks(nil)
	_, err = signer.SignContext(t.Context(), sum(1), crypto.SHA256)
	require.ErrorIs(t, err, remote.ErrRefused)
	require.ErrorContains(t, err, "invalid_pin")
	require.NotContains(t, err.Error(), "0815")
	require.Equal(t, 1, s.count("credentials/authorize"), "a PIN was tried twice")
}

// What a service says of itself does nothing to the terminal that shows it.
func TestHostileWords(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"specs": "2.0\n\x1b[2J", "name": "a\x1b]0;b\a", "credentialIDs": []string{"c\x1b[2J"}})
	}))
	t.Cleanup(srv.Close)
	var out strings.Builder
	require.NoError(t, run(t.Context(), []string{"--url", srv.URL}, &out))
	require.NotContains(t, out.String(), "\x1b")
	require.Equal(t, 2, strings.Count(out.String(), "\n"), out.String())
}

// Hostile answers are errors, soon, and of bounded size.
func TestHostileAnswers(t *testing.T) {
	s, srv := newService(t)
	c := dial(t, srv)
	cred := credentialOf(t, c, "p256")
	write := func(text string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { _, _ = io.WriteString(w, text) }
	}
	for name, fault := range map[string]func(http.ResponseWriter){
		"endless":        func(w http.ResponseWriter) { _, _ = io.Copy(w, io.LimitReader(endless{}, 100<<20)) },
		"no JSON":        write("<html>"),
		"empty":          write(""),
		"deep":           write(strings.Repeat(`{"a":`, 20000)),
		"wrong types":    write(`{"SAD":7,"signatures":{},"credentialIDs":7,"key":[],"specs":{}}`),
		"nothing":        write(`{}`),
		"two signatures": write(`{"SAD":"x","signatures":["",""]}`),
		"no base64":      write(`{"SAD":"x","signatures":["%%%"],"key":{"status":"enabled"},"cert":{"certificates":["%%%"]}}`),
		"no certificate": write(`{"SAD":"x","signatures":["AAAA"],"key":{"status":"enabled"},"cert":{"certificates":["AAAA"]}}`),
		"disabled":       write(`{"key":{"status":"disabled"}}`),
		"revoked":        write(`{"key":{"status":"enabled"},"cert":{"status":"revoked"}}`),
		"redirect": func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://169.254.169.254/")
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		"error page": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":"x","error_description":"`+strings.Repeat(`a\n\u001b[2J`, 1000)+`"}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s.breaks(func(w http.ResponseWriter, _ *http.Request, _ string, _ int) bool { fault(w); return true })
			_, err := c.Credential(t.Context(), "p256", nil)
			require.Error(t, err)
			require.Less(t, len(err.Error()), 600)
			require.NotContains(t, err.Error(), "\n")
			require.NotContains(t, err.Error(), "\x1b")
			sig, err := cred.SignContext(t.Context(), sum(1), crypto.SHA256)
			if err == nil { // whatever it is, the wrapper sees that it is none
				require.False(t, ecdsa.VerifyASN1(cred.Public().(*ecdsa.PublicKey), sum(1), sig))
			}
			_, err = Dial(t.Context(), srv.URL+"/csc/v2", srv.Client(), nil)
			require.Error(t, err)
		})
	}
	s.breaks(func(w http.ResponseWriter, _ *http.Request, _ string, _ int) bool {
		answer(w, map[string]any{"credentialIDs": []string{"a"}, "nextPageToken": "again"})
		return true
	})
	_, err := c.List(t.Context())
	require.ErrorContains(t, err, "pages")
	require.Equal(t, maxPages, s.count("credentials/list"))
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// The service fails now and then, is busy, hangs, or gives wrong signatures; the
// wrapped signer gives good ones.
func TestFaults(t *testing.T) {
	for name, fault := range map[string]func(w http.ResponseWriter, r *http.Request, method string, nth int) bool{
		"every third call fails": func(w http.ResponseWriter, _ *http.Request, _ string, nth int) bool {
			if nth%3 == 0 {
				w.WriteHeader(http.StatusBadGateway)
			}
			return nth%3 == 0
		},
		"busy": func(w http.ResponseWriter, _ *http.Request, method string, nth int) bool {
			busy := method == "signatures/signHash" && nth <= 2
			if busy {
				w.WriteHeader(http.StatusTooManyRequests)
			}
			return busy
		},
		"hangs once": func(_ http.ResponseWriter, r *http.Request, method string, nth int) bool {
			hang := method == "signatures/signHash" && nth == 1
			if hang {
				_, _ = io.Copy(io.Discard, r.Body) // or the server does not see that the caller has left
				<-r.Context().Done()
			}
			return hang
		},
		"a wrong signature": func(w http.ResponseWriter, _ *http.Request, method string, nth int) bool {
			wrong := method == "signatures/signHash" && nth == 1
			if wrong {
				answer(w, map[string]any{"signatures": []string{"MAYCAQECAQE="}})
			}
			return wrong
		},
		"the connection breaks": func(w http.ResponseWriter, _ *http.Request, method string, nth int) bool {
			if method == "credentials/authorize" && nth == 2 {
				panic(http.ErrAbortHandler)
			}
			return false
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, srv := newService(t)
			cred := credentialOf(t, dial(t, srv), "p256")
			timeout := 30 * time.Second
			if name == "hangs once" {
				timeout = time.Second
			}
			signer, err := remote.New([]remote.Endpoint{{Name: "a", Signer: cred}}, &remote.Options{Timeout: timeout})
			require.NoError(t, err)
			s.breaks(fault)
			for i := range 8 {
				sig, err := signer.SignContext(t.Context(), sum(i), crypto.SHA256)
				require.NoError(t, err)
				require.True(t, ecdsa.VerifyASN1(cred.Public().(*ecdsa.PublicKey), sum(i), sig))
			}
			require.NoError(t, signer.Close())
			require.NotZero(t, signer.Figures().Retries)
		})
	}
}

func TestAddresses(t *testing.T) {
	for _, bad := range []string{"", "signing.example/csc/v2", "http://signing.example/csc/v2", "https://me:secret@signing.example/csc/v2",
		"https://signing.example/csc/v2?x=1", "file:///etc/passwd", "https://"} {
		_, err := Dial(t.Context(), bad, http.DefaultClient, nil)
		require.ErrorContains(t, err, "address", bad)
		require.NotContains(t, err.Error(), "secret")
	}
}

// program runs the command with files for its secrets.
func program(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), args, &out)
	return out.String(), err
}

func document(t *testing.T) string {
	t.Helper()
	src, err := testdata.FS.ReadFile("pdf/surat-pernyataan.pdf")
	require.NoError(t, err)
	in := filepath.Join(t.TempDir(), "in.pdf")
	require.NoError(t, os.WriteFile(in, src, 0o600))
	return in
}

func intact(t *testing.T, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	report, err := verify.Document(t.Context(), bytes.NewReader(b), int64(len(b)), &verify.Options{IntegrityOnly: true})
	require.NoError(t, err)
	require.Equal(t, 0, report.ExitCode(), report.Text())
}

func TestProgram(t *testing.T) {
	_, srv := newService(t)
	in, dir := document(t), t.TempDir()
	token, pin := filepath.Join(dir, "token"), filepath.Join(dir, "pin")
	require.NoError(t, os.WriteFile(token, []byte(testToken+"\n"), 0o600))
	require.NoError(t, os.WriteFile(pin, []byte(testPIN+"\n"), 0o600))
	base := []string{"--url", srv.URL + "/csc/v2", "--token-file", token, "--pin-file", pin}
	said, err := program(t, base...)
	require.NoError(t, err)
	require.Contains(t, said, "rsa\n")
	for _, id := range []string{"p256", "rsa"} {
		out := filepath.Join(dir, id+".pdf")
		// The same service twice is two ways to one key.
		_, err := program(t, append(base, "--url", srv.URL+"/csc/v2/", "--credential", id, "--in", in, "--out", out)...)
		require.NoError(t, err)
		intact(t, out)
	}
	for _, bad := range [][]string{nil, {"x"}, append(base, "--credential", "p256"), append(base, "--credential", "p256", "--in", in, "--out", in)} {
		_, err := program(t, bad...)
		require.Error(t, err)
	}
}
