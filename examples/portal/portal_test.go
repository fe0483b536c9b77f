package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/testdata"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

// A portal is one that runs, on a specimen of its own.
type portal struct {
	*app
	url  string
	logs *lockedBuffer
}

// startPortal starts one in a folder of its own.
func startPortal(t *testing.T, change func(*config)) *portal {
	t.Helper()
	c, err := config{Dir: t.TempDir()}.withDefaults()
	require.NoError(t, err)
	dir, err := specimen()
	require.NoError(t, err)
	require.NoError(t, os.CopyFS(c.specimen(), os.DirFS(dir)))
	if change != nil {
		change(&c)
	}
	return startConfig(t, c)
}

// specimen makes what every portal makes in its folder, once for all tests: its
// keys take a second. TestMain removes it.
var specimen = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "portal-specimen-")
	if err != nil {
		return "", err
	}
	dir = filepath.Join(dir, "specimen")
	return dir, makeSpecimen(context.Background(), dir)
})

func startConfig(t *testing.T, c config) *portal {
	t.Helper()
	logs := &lockedBuffer{}
	log := slog.New(slog.NewJSONHandler(logs, nil))
	server := httptest.NewUnstartedServer(nil)
	base := "http://" + server.Listener.Addr().String()
	a, err := openApp(t.Context(), c, base, log)
	require.NoError(t, err)
	server.Config = newServer(a.routes(), log)
	server.Start()
	t.Cleanup(func() {
		a.provider.flush()
		server.Close()
		require.NoError(t, a.close(t.Context()))
	})
	return &portal{app: a, url: base, logs: logs}
}

// A browser is a client with cookies that follows redirects as people's do.
type browser struct {
	t    *testing.T
	p    *portal
	http *http.Client
}

func (p *portal) browser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &browser{t: t, p: p, http: &http.Client{Jar: jar, Timeout: time.Minute}}
}

// A page is an answer that was read.
type page struct {
	status int
	path   string // after redirects
	header http.Header
	body   string
}

func (b *browser) do(req *http.Request) page {
	b.t.Helper()
	answer, err := b.http.Do(req)
	if !assert.NoError(b.t, err) { // assert, since several goroutines browse at a time
		return page{}
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	assert.NoError(b.t, err)
	return page{answer.StatusCode, answer.Request.URL.RequestURI(), answer.Header, string(body)}
}

func (b *browser) get(path string) page {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.p.url+path, nil)
	require.NoError(b.t, err)
	return b.do(req)
}

// post sends a form as it is.
func (b *browser) post(path string, fields url.Values) page {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.p.url+path, strings.NewReader(fields.Encode()))
	require.NoError(b.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(req)
}

// field finds a hidden field of a page.
func (p page) field(name string) string {
	m := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(p.body)
	if m == nil {
		return ""
	}
	return m[1]
}

// alert is what the page says went wrong.
func (p page) alert() string {
	m := regexp.MustCompile(`role="alert">([^<]*)<`).FindStringSubmatch(p.body)
	if m == nil {
		return ""
	}
	return m[1]
}

func (b *browser) register(name string) {
	b.t.Helper()
	p := b.post("/signin", url.Values{"csrf": {b.get("/signin").field("csrf")}, "name": {name}, "passphrase": {"correct horse"}, "do": {"register"}})
	require.Equal(b.t, "/", p.path, p.alert())
}

// buy orders units and presses a button of the provider.
func (b *browser) buy(units int, how string) page {
	b.t.Helper()
	pay := b.order(units)
	return b.payAs(pay, how)
}

func (b *browser) order(units int) page {
	b.t.Helper()
	pay := b.post("/buy", url.Values{"csrf": {b.get("/buy").field("csrf")}, "units": {fmt.Sprint(units)}})
	require.Contains(b.t, pay.path, "/provider/pay")
	return pay
}

func (b *browser) payAs(pay page, how string) page {
	b.t.Helper()
	return b.post("/provider/pay", url.Values{"csrf": {pay.field("csrf")}, "order": {pay.field("order")},
		"amount": {pay.field("amount")}, "signature": {pay.field("signature")}, "do": {how}})
}

// upload sends a file with the form's token.
func (b *browser) upload(name string, content []byte) page {
	b.t.Helper()
	return b.uploadWith(b.get("/").field("csrf"), name, content)
}

func (b *browser) uploadWith(token, name string, content []byte) page {
	b.t.Helper()
	body, kind := uploadBody(b.t, token, name, content)
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.p.url+"/documents", body)
	require.NoError(b.t, err)
	req.Header.Set("Content-Type", kind)
	return b.do(req)
}

func uploadBody(t testing.TB, token, name string, content []byte) (*bytes.Buffer, string) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	require.NoError(t, form.WriteField("csrf", token))
	file, err := form.CreateFormFile("file", name)
	require.NoError(t, err)
	_, err = file.Write(content)
	require.NoError(t, err)
	require.NoError(t, form.Close())
	return &body, form.FormDataContentType()
}

// press presses the stamp's button of a document page.
func (b *browser) press(document page, x, y string) page {
	b.t.Helper()
	return b.post(strings.TrimSuffix(document.path, "/wait")+"/stamp", url.Values{"csrf": {document.field("csrf")}, "key": {document.field("key")},
		"page": {"1"}, "x": {x}, "y": {y}})
}

func (b *browser) units() string {
	b.t.Helper()
	return regexp.MustCompile(`class="units">([^<]*)<`).FindStringSubmatch(b.get("/").body)[1]
}

func testPDF(t testing.TB, name string) []byte {
	t.Helper()
	b, err := testdata.FS.ReadFile("pdf/" + name)
	require.NoError(t, err)
	return b
}

var stampLink = regexp.MustCompile(`href="(/stamps/[^"]*)"`)

// requireStamped downloads what a page links to and verifies it.
func (b *browser) requireStamped(p page) []byte {
	b.t.Helper()
	m := stampLink.FindStringSubmatch(p.body)
	require.NotNil(b.t, m, "%d %s %s", p.status, p.path, p.alert())
	got := b.get(strings.ReplaceAll(m[1], "&amp;", "&"))
	require.Equal(b.t, http.StatusOK, got.status)
	requirePassed(b.t, b.p.config.Dir, []byte(got.body))
	return []byte(got.body)
}

// requirePassed verifies with what the specimen PKI of a portal is trusted for.
func requirePassed(t *testing.T, dir string, stamped []byte) {
	t.Helper()
	p, err := pki.Load(filepath.Join(dir, "specimen", "pki"), nil)
	require.NoError(t, err)
	b, err := os.ReadFile(filepath.Join(dir, "specimen", "seal-trust.json"))
	require.NoError(t, err)
	trust, err := verify.ParseSealTrust(b)
	require.NoError(t, err)
	report, err := verify.Document(t.Context(), bytes.NewReader(stamped), int64(len(stamped)), &verify.Options{
		Roots: p.Roots(), CRLs: p.RevocationLists(), SealTrust: trust,
	})
	require.NoError(t, err)
	require.Equal(t, verify.TotalPassed, report.Indication, report.Text())
}

func TestBuyUploadStampDownload(t *testing.T) {
	p := startPortal(t, nil)
	b := p.browser(t)
	require.Equal(t, "/signin", b.get("/").path)
	b.register("ada")
	require.Contains(t, b.buy(3, "pay").body, "Paid.")
	require.Equal(t, "3 units", b.units())

	d := b.upload("surat.pdf", testPDF(t, "surat-pernyataan.pdf"))
	require.Equal(t, http.StatusOK, d.status, d.alert())
	require.Contains(t, d.body, "surat.pdf")
	done := b.press(d, "300", "100")
	stamped := b.requireStamped(done)
	require.True(t, bytes.HasPrefix(stamped, testPDF(t, "surat-pernyataan.pdf")))
	require.Equal(t, "2 units", b.units())
	require.NoFileExists(t, p.documents.source("ada", strings.TrimPrefix(d.path, "/documents/")))

	history := b.get("/history")
	require.Contains(t, history.body, "3 units bought and paid")
	require.Contains(t, history.body, "The unit is used: document stamped")
	b.requireStamped(history)
}

func TestSignInAgain(t *testing.T) {
	p := startPortal(t, nil)
	p.browser(t).register("ada")
	b := p.browser(t)
	try := func(name, passphrase, do string) page {
		return b.post("/signin", url.Values{"csrf": {b.get("/signin").field("csrf")}, "name": {name}, "passphrase": {passphrase}, "do": {do}})
	}
	for _, c := range []struct {
		name, passphrase, do string
		status               int
	}{
		{"ada", "wrong horse", "signin", http.StatusForbidden},
		{"bob", "correct horse", "signin", http.StatusForbidden},
		{"ada", "correct horse", "register", http.StatusConflict},
		{"../ada", "correct horse", "register", http.StatusUnprocessableEntity},
		{"bob", "short", "register", http.StatusUnprocessableEntity},
	} {
		require.Equal(t, c.status, try(c.name, c.passphrase, c.do).status, c)
		require.Equal(t, "/signin", b.get("/").path)
	}
	require.Equal(t, "/", try(" Ada ", "correct horse", "signin").path)
	require.Equal(t, "/signin", b.post("/signout", url.Values{"csrf": {b.get("/").field("csrf")}}).path)
	require.Equal(t, "/signin", b.get("/").path)
	require.NotContains(t, p.logs.String(), "horse")
	files, err := filepath.Glob(filepath.Join(p.config.Dir, "accounts", "*"))
	require.NoError(t, err)
	for _, f := range files {
		content, err := os.ReadFile(f)
		require.NoError(t, err)
		require.NotContains(t, string(content), "horse")
	}
}

func TestLanguages(t *testing.T) {
	p := startPortal(t, nil)
	for key, en := range p.texts.texts["en"] {
		id, ok := p.texts.texts["id"][key]
		require.True(t, ok, key)
		require.NotEmpty(t, id, key)
		require.Equal(t, strings.Count(en, "%"), strings.Count(id, "%"), key)
	}
	require.Len(t, p.texts.texts["id"], len(p.texts.texts["en"]))

	ask := func(accept, query string) page {
		b := p.browser(t)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/signin"+query, nil)
		require.NoError(t, err)
		req.Header.Set("Accept-Language", accept)
		return b.do(req)
	}
	require.Contains(t, ask("id-ID,id;q=0.9,en;q=0.5", "").body, "Frasa sandi")
	require.Contains(t, ask("fr", "").body, "Passphrase")
	require.Contains(t, ask("en", "?lang=id").body, `<html lang="id">`)
}

// TestMessagesAreThere looks for keys of messages that no catalogue has.
func TestMessagesAreThere(t *testing.T) {
	texts, err := openCatalogue()
	require.NoError(t, err)
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	pages, err := filepath.Glob("templates/*.html")
	require.NoError(t, err)
	key := regexp.MustCompile(`"((?:error|signin|documents|upload|document|stamp|wait|buy|order|pay|history|state|nav|time)\.[a-z.]+)"`)
	found := 0
	for _, file := range append(files, pages...) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range key.FindAllStringSubmatch(string(content), -1) {
			if strings.HasSuffix(m[1], ".") || strings.HasSuffix(m[1], ".pdf") { // the rest is a variable; a name of a file
				continue
			}
			require.NotEmpty(t, texts.texts["en"][m[1]], "%s in %s", m[1], file)
			found++
		}
	}
	require.Greater(t, found, 80)
}
