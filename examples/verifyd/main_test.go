package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"image"
	"image/png"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/examples/verifyd/trust"
	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/testdata"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

// A specimen is a PKI on disk with a document that it has stamped.
type specimen struct {
	source  []byte
	stamped []byte
	seal    string // text
	pki     *pki.PKI
}

// shared is made once: tests change nothing of it.
var shared = sync.OnceValues(func() (*specimen, error) { return newSpecimen(nil) })

func getSpecimen(t testing.TB) *specimen {
	t.Helper()
	sp, err := shared()
	require.NoError(t, err)
	return sp
}

func newSpecimen(source []byte) (*specimen, error) {
	p, err := pki.New(nil)
	if err != nil {
		return nil, err
	}
	if source == nil {
		if source, err = testdata.FS.ReadFile("pdf/classic.pdf"); err != nil {
			return nil, err
		}
	}
	sp := &specimen{source: source, pki: p}
	doc, err := sign.Open(bytes.NewReader(source), int64(len(source)), &sign.Options{Stamp: &sign.Stamp{Value: 10000, Specimen: true, Seal: p.SealP256}})
	if err != nil {
		return nil, err
	}
	credential, err := sign.NewCredential(p.StampP256.Cert, p.StampP256.Chain, p.StampP256.Key, nil)
	if err != nil {
		return nil, err
	}
	scheme, err := serial.NewScheme('0', "ZZ", [32]byte{1})
	if err != nil {
		return nil, err
	}
	number, err := scheme.Number(1)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	signed, err := doc.Sign(context.Background(), &out, credential, sign.Issue{Number: number})
	if err != nil {
		return nil, err
	}
	sp.stamped, sp.seal = out.Bytes(), signed.SealText
	return sp, nil
}

// write puts the trust files into a directory and says where they are.
func (sp *specimen) write(t testing.TB, dir string) trust.Files {
	t.Helper()
	e, err := verify.TrustKey(sp.pki.SealP256.Public(), sp.pki.StampP256.Cert)
	require.NoError(t, err)
	e.Issuers, e.Epochs, e.NotBefore, e.Currency, e.Specimen = []string{"ZZ"}, []string{"0"}, sp.pki.Root.Cert.NotBefore, "IDR", true
	list, err := verify.NewSealTrust(e)
	require.NoError(t, err)
	b, err := json.Marshal(list)
	require.NoError(t, err)
	var crls []byte
	for _, der := range sp.pki.CRLs {
		crls = append(crls, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})...)
	}
	f := trust.Files{Roots: filepath.Join(dir, "roots.pem"), CRLs: []string{filepath.Join(dir, "crls.pem")}, SealTrust: filepath.Join(dir, "seals.json")}
	require.NoError(t, os.WriteFile(f.Roots, sp.pki.RootsPEM(), 0o600))
	require.NoError(t, os.WriteFile(f.CRLs[0], crls, 0o600))
	require.NoError(t, os.WriteFile(f.SealTrust, b, 0o600))
	return f
}

// A running service, with what it logs.
type running struct {
	*service
	url   string
	tmp   string
	again chan os.Signal
	logs  *lockedBuffer
	stop  context.CancelFunc
	ended chan error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs a service with a specimen's trust; change may change its settings.
func start(t testing.TB, change func(*config)) *running {
	t.Helper()
	r := &running{tmp: t.TempDir(), again: make(chan os.Signal), logs: &lockedBuffer{}, ended: make(chan error, 1)}
	c, err := parse([]string{"--trust", "x"}, io.Discard)
	require.NoError(t, err)
	c.Files, c.tmp = getSpecimen(t).write(t, t.TempDir()), r.tmp
	if change != nil {
		change(c)
	}
	r.service, err = newService(c, slog.New(slog.NewJSONHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug})))
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r.url = "http://" + l.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go func() { r.ended <- r.serve(ctx, l, r.again) }()
	t.Cleanup(func() { stop(); <-r.ended; r.ended <- nil })
	return r
}

// post sends a body and gives status and answer.
func (r *running) post(t testing.TB, path, kind string, body io.Reader) (*http.Response, map[string]any) {
	t.Helper()
	response, err := http.Post(r.url+path, kind, body)
	require.NoError(t, err)
	return response, decode(t, response)
}

func decode(t testing.TB, response *http.Response) map[string]any {
	t.Helper()
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	var v map[string]any
	require.NoError(t, json.Unmarshal(b, &v), string(b))
	return v
}

// multi makes a multipart body of parts name, value; "file" has a file name.
func multi(t testing.TB, parts ...string) (kind string, body *bytes.Buffer) {
	t.Helper()
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	for i := 0; i < len(parts); i += 2 {
		var part io.Writer
		var err error
		if parts[i] == "file" {
			part, err = w.CreateFormFile("file", "a\u202eb c.pdf")
		} else {
			part, err = w.CreateFormField(parts[i])
		}
		require.NoError(t, err)
		_, err = io.WriteString(part, parts[i+1])
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return w.FormDataContentType(), body
}

func TestVerifyDocument(t *testing.T) {
	sp, r := getSpecimen(t), start(t, nil)
	response, report := r.post(t, "/verify", "application/pdf", bytes.NewReader(sp.stamped))
	require.Equal(t, 200, response.StatusCode)
	require.Equal(t, "application/json", response.Header.Get("Content-Type"))
	require.Equal(t, "TOTAL-PASSED", report["indication"])
	require.Equal(t, "full", report["scope"])
	stamp := report["signatures"].([]any)[0].(map[string]any)["stamp"].(map[string]any)
	require.Equal(t, true, stamp["document_bound"])
	require.Equal(t, 10000.0, stamp["value"])

	bad := bytes.Clone(sp.stamped)
	bad[len(sp.source)/2] ^= 1
	_, report = r.post(t, "/verify", "", bytes.NewReader(bad))
	require.Equal(t, "TOTAL-FAILED", report["indication"])
	_, report = r.post(t, "/verify", "", strings.NewReader("no PDF"))
	require.Equal(t, "UNREADABLE", report["indication"])
	_, report = r.post(t, "/verify", "", bytes.NewReader(sp.source))
	require.Equal(t, "NO-SIGNATURE", report["indication"])
	_, report = r.post(t, "/verify?integrity_only=true", "", bytes.NewReader(sp.stamped))
	require.Equal(t, "integrity", report["scope"])
	_, report = r.post(t, "/verify?time=2001-01-01T00:00:00Z", "", bytes.NewReader(sp.stamped))
	require.NotEqual(t, "TOTAL-PASSED", report["indication"])

	kind, body := multi(t, "file", string(sp.stamped), "seal", sp.seal)
	_, report = r.post(t, "/verify", kind, body)
	require.Equal(t, "TOTAL-PASSED", report["indication"])
	require.Equal(t, "a?b c.pdf", report["file"])
	require.Equal(t, true, report["seal"].(map[string]any)["document_bound"])
	r.empty(t)
}

// empty says that no temporary file is left.
func (r *running) empty(t testing.TB) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		left, err := os.ReadDir(r.tmp)
		require.NoError(c, err)
		require.Empty(c, left)
	}, 30*time.Second, 10*time.Millisecond)
}

func TestPassword(t *testing.T) {
	r := start(t, nil)
	locked, err := pdfs.Get("encrypted-password.pdf")
	require.NoError(t, err)
	kind, body := multi(t, "file", string(locked.Bytes()))
	_, report := r.post(t, "/verify", kind, body)
	require.Equal(t, "UNREADABLE", report["indication"])
	kind, body = multi(t, "file", string(locked.Bytes()), "password", locked.Password)
	_, report = r.post(t, "/verify", kind, body)
	require.Equal(t, "NO-SIGNATURE", report["indication"])
	require.NotContains(t, r.logs.String(), locked.Password)
}

func TestVerifySeal(t *testing.T) {
	sp, r := getSpecimen(t), start(t, nil)
	_, report := r.post(t, "/seal", "text/plain", strings.NewReader("HTTPS://STAMP.EXAMPLE/S/"+sp.seal+"\n"))
	require.Equal(t, true, report["genuine"])
	require.Equal(t, "INDETERMINATE", report["indication"])
	picture, err := seal.PNG(sp.seal, 400)
	require.NoError(t, err)
	_, report = r.post(t, "/seal", "image/png", bytes.NewReader(picture))
	require.Equal(t, true, report["genuine"])
	for _, parts := range [][]string{{"file", string(picture)}, {"seal", sp.seal}} {
		kind, body := multi(t, parts...)
		_, report = r.post(t, "/seal", kind, body)
		require.Equal(t, true, report["genuine"])
	}
	_, report = r.post(t, "/seal", "", strings.NewReader("hello"))
	require.Equal(t, "TOTAL-FAILED", report["indication"])
	_, report = r.post(t, "/seal", "", strings.NewReader(""))
	require.Equal(t, "TOTAL-FAILED", report["indication"])

	var blank bytes.Buffer
	require.NoError(t, png.Encode(&blank, image.NewGray(image.Rect(0, 0, 100, 100))))
	huge := bytes.Clone(blank.Bytes())
	copy(huge[16:24], "\x7f\xff\xff\xff\x7f\xff\xff\xff") // width and height
	for _, test := range []struct {
		body   []byte
		status int
	}{
		{blank.Bytes(), 422}, {picture[:len(picture)/2], 415}, {bytes.Repeat([]byte("1"), 5000), 413},
		{bytes.Repeat([]byte{0x89}, 17<<20), 413}, {huge, 415}, // its checksum is wrong
	} {
		response, body := r.post(t, "/seal", "image/png", bytes.NewReader(test.body))
		require.Equal(t, test.status, response.StatusCode, body)
	}
	r.empty(t)
}

func TestWrongRequests(t *testing.T) {
	sp, r := getSpecimen(t), start(t, func(c *config) { c.size = 1 << 20 })
	none, noFile := multi(t, "password", "x")
	_, unknown := multi(t, "other", "x")
	_, twice := multi(t, "file", "x", "file", "y")
	for _, test := range []struct {
		method, path, kind, body string
		status                   int
	}{
		{"GET", "/verify", "", "", 405},
		{"POST", "/", "", "", 404},
		{"POST", "/verify/x", "", "", 404},
		{"POST", "/verify?integrity_only=maybe", "", "x", 400},
		{"POST", "/verify?time=now", "", "x", 400},
		{"POST", "/verify", "multipart/form-data", "x", 400},
		{"POST", "/verify", "multipart/form-data; boundary=x", "x", 400},
		{"POST", "/verify", none, noFile.String(), 400},
		{"POST", "/verify", none, unknown.String(), 400},
		{"POST", "/verify", "multipart/form-data; boundary=" + boundary(twice), twice.String(), 400},
		{"POST", "/verify", "///", "x", 415},
		{"POST", "/verify", "", strings.Repeat("x", 1<<20+1), 413},
	} {
		request, err := http.NewRequest(test.method, r.url+test.path, strings.NewReader(test.body))
		require.NoError(t, err)
		request.Header.Set("Content-Type", test.kind)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		problem := decode(t, response)
		require.Equal(t, test.status, response.StatusCode, "%s %s %v", test.path, test.kind, problem)
		require.Equal(t, "application/problem+json", response.Header.Get("Content-Type"))
		require.Equal(t, float64(test.status), problem["status"])
		require.NotEmpty(t, problem["detail"])
	}
	// A document without an announced length is refused when it has become too long.
	response, _ := r.post(t, "/verify", "", io.MultiReader(bytes.NewReader(make([]byte, 2<<20))))
	require.Equal(t, 413, response.StatusCode)
	_, report := r.post(t, "/verify", "", bytes.NewReader(sp.stamped))
	require.Equal(t, "TOTAL-PASSED", report["indication"])
	r.empty(t)
}

func boundary(b *bytes.Buffer) string {
	line, _, _ := strings.Cut(b.String(), "\r\n")
	return strings.TrimPrefix(line, "--")
}

func TestCommandLine(t *testing.T) {
	for _, args := range [][]string{{}, {"--nonsense"}, {"--dir", "x", "y"}, {"--dir", "x", "--workers", "0"}, {"--dir", "/nonexistent"}} {
		require.Error(t, run(t.Context(), args, nil, io.Discard, io.Discard))
	}
}
