package main

import (
	"bytes"
	"crypto/sha256"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/testdata"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

const token = "0123456789abcdef0123456789abcdef"

func TestDemonstration(t *testing.T) {
	out := filepath.Join(t.TempDir(), "signed.pdf")
	var said bytes.Buffer
	require.NoError(t, run(t.Context(), out, &said))
	require.Contains(t, said.String(), "TOTAL-PASSED")
	if _, err := exec.LookPath("pdfsig"); err != nil {
		t.Skip("pdfsig is not installed: nobody else looks at the signature")
	}
	text, err := exec.Command("pdfsig", "-nocert", out).CombinedOutput()
	require.NoError(t, err, "%s", text)
	require.Contains(t, string(text), "Signature is Valid")
}

// A wire records what goes to the service, and may answer in its place.
type wire struct {
	*httptest.Server
	mu     sync.Mutex
	seen   bytes.Buffer
	answer func(w http.ResponseWriter, r *http.Request) bool
}

func (s *wire) set(answer func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func newWire(t *testing.T) (*wire, *pki.PKI, *Client) {
	t.Helper()
	p, err := pki.New(nil)
	require.NoError(t, err)
	server, err := NewServer(p.StampP256, token, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	s := &wire{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.seen.Write(body)
		answer := s.answer
		s.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		if answer == nil || !answer(w, r) {
			server.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(token+"\n"), 0o600))
	c, err := NewClient(s.URL, file, s.Client())
	require.NoError(t, err)
	return s, p, c
}

func source(t *testing.T) []byte {
	t.Helper()
	b, err := testdata.FS.ReadFile("pdf/surat-pernyataan.pdf")
	require.NoError(t, err)
	return b
}

// prepared makes the file, in a folder of its own.
func prepared(t *testing.T, c *Client, src []byte) (string, *sign.Credential) {
	t.Helper()
	cred, err := c.Credential(t.Context())
	require.NoError(t, err)
	doc, err := sign.Open(bytes.NewReader(src), int64(len(src)), nil)
	require.NoError(t, err)
	state := filepath.Join(t.TempDir(), "state")
	require.NoError(t, c.Prepare(t.Context(), doc, cred, sign.Issue{}, state))
	return state, cred
}

func TestDocumentDoesNotLeave(t *testing.T) {
	s, _, c := newWire(t)
	src := source(t)
	state, cred := prepared(t, c, src)
	require.Zero(t, s.seen.Len())
	var out bytes.Buffer
	_, err := c.Finish(t.Context(), &out, state, bytes.NewReader(src), int64(len(src)), cred)
	require.NoError(t, err)
	require.Less(t, s.seen.Len(), 400)
	for at := 0; at+16 <= len(src); at += 8 {
		require.False(t, bytes.Contains(s.seen.Bytes(), src[at:at+16]), "bytes of the document went out")
	}
	kept, err := os.ReadFile(state)
	require.NoError(t, err)
	require.Less(t, len(kept), len(src))
}

func TestFinishNoticesChanges(t *testing.T) {
	_, p, c := newWire(t)
	src := source(t)
	state, cred := prepared(t, c, src)
	other := bytes.Clone(src)
	other[len(other)/2] ^= 1
	_, err := c.Finish(t.Context(), io.Discard, state, bytes.NewReader(other), int64(len(other)), cred)
	require.ErrorIs(t, err, sign.ErrChanged)

	another, err := sign.NewCredential(p.StampRSA.Cert, p.StampRSA.Chain, nil, nil)
	require.NoError(t, err)
	var refused *sign.PreparedError
	_, err = c.Finish(t.Context(), io.Discard, state, bytes.NewReader(src), int64(len(src)), another)
	require.ErrorAs(t, err, &refused)

	b, err := os.ReadFile(state)
	require.NoError(t, err)
	b[len(b)/2] ^= 1
	require.NoError(t, os.WriteFile(state, b, 0o600))
	_, err = c.Finish(t.Context(), io.Discard, state, bytes.NewReader(src), int64(len(src)), cred)
	require.ErrorAs(t, err, &refused)
}

func TestServerRefuses(t *testing.T) {
	s, p, _ := newWire(t)
	own, err := cms.NewTemplate(p.StampP256.Cert, nil, cms.ECDSASHA256)
	require.NoError(t, err)
	foreign, err := cms.NewTemplate(p.StampRSA.Cert, nil, cms.RSAPKCS1SHA256)
	require.NoError(t, err)
	digest := sha256.Sum256([]byte("x"))
	good := own.SignedAttributes(digest[:])
	for _, test := range []struct {
		name, method, path, scheme, token string
		body                              []byte
		status                            int
	}{
		{"good", "POST", "/v1/sign", "Bearer ", token, good, 200},
		{"no token", "POST", "/v1/sign", "Bearer ", "", good, 401},
		{"no scheme", "POST", "/v1/sign", "", token, good, 401},
		{"wrong token", "POST", "/v1/sign", "Bearer ", token[1:] + "x", good, 401},
		{"no token for the certificate", "GET", "/v1/certificate", "Bearer ", "", nil, 401},
		{"a digest", "POST", "/v1/sign", "Bearer ", token, digest[:], 400},
		{"nothing", "POST", "/v1/sign", "Bearer ", token, nil, 400},
		{"another certificate's attributes", "POST", "/v1/sign", "Bearer ", token, foreign.SignedAttributes(digest[:]), 400},
		{"one byte more", "POST", "/v1/sign", "Bearer ", token, append(bytes.Clone(good), 0), 400},
		{"too large", "POST", "/v1/sign", "Bearer ", token, make([]byte, 1<<20), 413},
		{"wrong method", "GET", "/v1/sign", "Bearer ", token, nil, 405},
		{"wrong path", "POST", "/v1/keys", "Bearer ", token, nil, 404},
	} {
		t.Run(test.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), test.method, s.URL+test.path, bytes.NewReader(test.body))
			require.NoError(t, err)
			if test.token != "" {
				req.Header.Set("Authorization", test.scheme+test.token)
			}
			res, err := s.Client().Do(req)
			require.NoError(t, err)
			defer res.Body.Close()
			require.Equal(t, test.status, res.StatusCode)
			if test.status == 200 {
				sig, err := io.ReadAll(res.Body)
				require.NoError(t, err)
				require.NoError(t, own.Check(good, sig))
			}
		})
	}
	_, err = NewServer(p.StampP256, "short", slog.Default())
	require.Error(t, err)
}

func TestClientBoundsAnswers(t *testing.T) {
	s, _, c := newWire(t)
	src := source(t)
	state, cred := prepared(t, c, src)
	finish := func() error {
		_, err := c.Finish(t.Context(), io.Discard, state, bytes.NewReader(src), int64(len(src)), cred)
		return err
	}
	for name, answer := range map[string]string{
		"long": strings.Repeat("x", 1<<20), "empty": "", "no signature": "none", "a page": "<html>",
	} {
		s.set(func(w http.ResponseWriter, _ *http.Request) bool { _, _ = io.WriteString(w, answer); return true })
		require.Error(t, finish(), name)
		_, err := c.Credential(t.Context())
		require.Error(t, err, name)
	}
	s.set(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(500); return true })
	require.ErrorContains(t, finish(), "500")
	s.set(nil)
	require.NoError(t, finish(), "the same file later")
}
