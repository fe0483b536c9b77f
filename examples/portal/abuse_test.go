package main

import (
	"bytes"
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestLongPartHead: package multipart holds the head of a part in memory, so a
// long one is refused before it is read.
func TestLongPartHead(t *testing.T) {
	p := startPortal(t, nil)
	b := p.browser(t)
	b.register("ada")
	for length, want := range map[int]int{1 << 10: http.StatusOK, 4 << 20: http.StatusBadRequest} {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		require.NoError(t, form.WriteField("csrf", b.get("/").field("csrf")))
		file, err := form.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {`form-data; name="file"; filename="a.pdf"`}, "X-More": {strings.Repeat("a", length)},
		})
		require.NoError(t, err)
		_, err = file.Write(testPDF(t, "classic.pdf"))
		require.NoError(t, err)
		require.NoError(t, form.Close())
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/documents", &body)
		require.NoError(t, err)
		req.Header.Set("Content-Type", form.FormDataContentType())
		got := b.do(req)
		require.Equal(t, want, got.status, "%d bytes: %s", length, got.alert())
	}
}

// TestSlowUpload looks at the deadlines that a connection is given, so that it
// needs no patience.
func TestSlowUpload(t *testing.T) {
	begun := time.Now()
	var last time.Time
	b := &pacedBody{begun: begun, ReadCloser: io.NopCloser(iotest.OneByteReader(strings.NewReader(strings.Repeat("x", 2*uploadRate)))),
		extend: func(at time.Time) error { last = at; return nil }}
	one := make([]byte, 1)
	for n := range 2 * uploadRate {
		_, err := b.Read(one)
		require.NoError(t, err)
		require.Equal(t, begun.Add(uploadGrace+time.Duration(n)*time.Second/uploadRate), last)
	}
	b.bytes = 1 << 32
	_, err := b.Read(one)
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, begun.Add(uploadTime+requestTime), last)
	b.ReadCloser = io.NopCloser(iotest.ErrReader(os.ErrDeadlineExceeded))
	_, err = b.Read(one)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.Equal(t, begun.Add(uploadTime), last, "a fast one has a bounded time too")

	p := startPortal(t, nil)
	w := httptest.NewRecorder()
	p.refuseUpload(w, &visit{app: p.app, request: httptest.NewRequestWithContext(t.Context(), "POST", "/documents", nil), Lang: "en", Account: "ada"}, err)
	require.Equal(t, http.StatusRequestTimeout, w.Code)
	require.NotContains(t, p.logs.String(), `"level":"ERROR"`, "it is not the portal's fault")
}

// TestLooksAreBounded: a document is looked at only in one of the places for it.
func TestLooksAreBounded(t *testing.T) {
	p := startPortal(t, func(c *config) { c.Limits.Workers = 1 })
	p.looks <- struct{}{} // somebody's
	body, kind := uploadBody(t, "token", "a.pdf", testPDF(t, "classic.pdf"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req := httptest.NewRequestWithContext(ctx, "POST", "/documents", bytes.NewReader(body.Bytes()))
	req.Header.Set("Content-Type", kind)
	v := &visit{app: p.app, request: req, Account: "ada", CSRF: "token", Lang: "en"}
	_, err := p.receive(req, v)
	require.ErrorIs(t, err, context.Canceled)
	files, err := filepath.Glob(filepath.Join(p.documents.folder("ada"), "*"))
	require.NoError(t, err)
	require.Empty(t, files)
	require.Zero(t, p.documents.bytes.Load())
	w := httptest.NewRecorder()
	v.request = httptest.NewRequestWithContext(t.Context(), "POST", "/documents", nil)
	p.refuseUpload(w, v, context.DeadlineExceeded)
	require.Equal(t, http.StatusTooManyRequests, w.Code)

	<-p.looks
	b := p.browser(t)
	b.register("ada")
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() { b.upload("a.pdf", testPDF(t, "classic.pdf")) })
	}
	group.Wait()
	require.Equal(t, 4, strings.Count(b.get("/").body, `class="name"`), "they take turns")
	require.Empty(t, p.looks)
}

// TestStoredWithThoseComing: uploads on their way count before they are there.
func TestStoredWithThoseComing(t *testing.T) {
	p := startPortal(t, nil)
	b := p.browser(t)
	b.register("ada")
	p.documents.coming.Store(p.config.Limits.Stored)
	require.Equal(t, http.StatusServiceUnavailable, b.upload("a.pdf", testPDF(t, "classic.pdf")).status)
	require.Equal(t, p.config.Limits.Stored, p.documents.coming.Load())
	p.documents.coming.Store(0)
	require.Equal(t, http.StatusOK, b.upload("a.pdf", testPDF(t, "classic.pdf")).status)
	require.Zero(t, p.documents.coming.Load())
}

// TestAddress: what a visitor writes into a header names nobody.
func TestAddress(t *testing.T) {
	for _, c := range []struct {
		name   string
		behind bool
		remote string
		told   []string // lines of X-Forwarded-For
		want   string
	}{
		{"no proxy", false, "192.0.2.1:7", []string{"198.51.100.9"}, "192.0.2.1"},
		{"one line", true, "192.0.2.1:7", []string{"198.51.100.9, 203.0.113.5"}, "203.0.113.5"},
		{"the proxy's own line", true, "192.0.2.1:7", []string{"198.51.100.9", "203.0.113.5"}, "203.0.113.5"},
		{"with a port", true, "192.0.2.1:7", []string{"203.0.113.5:4711"}, "203.0.113.5"},
		{"with a port, IPv6", true, "192.0.2.1:7", []string{"[2001:db8:1:2:3::4]:4711"}, "2001:db8:1:2::/64"},
		{"mapped", true, "192.0.2.1:7", []string{"::ffff:203.0.113.5"}, "203.0.113.5"},
		{"nonsense", true, "192.0.2.1:7", []string{"203.0.113.5, x"}, "192.0.2.1"},
		{"nothing", true, "192.0.2.1:7", nil, "192.0.2.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
			r.RemoteAddr = c.remote
			r.Header["X-Forwarded-For"] = c.told
			require.Equal(t, c.want, (&app{config: config{BehindProxy: c.behind}}).address(r))
		})
	}
}

// TestSignInsOfOthers: an address that tries too often keeps nobody else out.
func TestSignInsOfOthers(t *testing.T) {
	p := startPortal(t, func(c *config) { c.Limits.AddressSignIns = 1 })
	b := p.browser(t)
	b.register("ada")
	got := p.browser(t).post("/signin", url.Values{})
	require.Equal(t, http.StatusForbidden, got.status)
	other := p.browser(t)
	got = other.post("/signin", url.Values{"csrf": {other.get("/signin").field("csrf")}, "name": {"bob"}, "passphrase": {"guess guess"}})
	require.Equal(t, http.StatusTooManyRequests, got.status)
	require.Contains(t, p.rates.next, "signin ada")
	require.NotContains(t, p.rates.next, "signin bob")
}

// TestSignInEndsTheSessionBefore: whoever signs in again leaves no session behind.
func TestSignInEndsTheSessionBefore(t *testing.T) {
	p := startPortal(t, nil)
	b := p.browser(t)
	b.register("ada")
	got := b.post("/signin", url.Values{"csrf": {b.get("/").field("csrf")}, "name": {"bob"}, "passphrase": {"correct horse"}, "do": {"register"}})
	require.Equal(t, "/", got.path, got.alert())
	require.Contains(t, got.body, `title="bob"`)
	require.Len(t, p.sessions.all, 1)
}

// TestSessionLife: a cookie that is kept in use ends all the same.
func TestSessionLife(t *testing.T) {
	now := time.Unix(0, 0)
	s := newSessions(3, func() time.Time { return now })
	token := s.begin("ada")
	for range sessionLife / time.Hour {
		now = now.Add(time.Hour)
		require.Equal(t, "ada", s.find(token))
	}
	now = now.Add(time.Second)
	require.Empty(t, s.find(token))
}

// TestCancelledOrders: each leaves a file for months, so a day has so many.
func TestCancelledOrders(t *testing.T) {
	p := startPortal(t, func(c *config) { c.Limits.Posts = 1000 })
	b := p.browser(t)
	b.register("ada")
	var pay page
	for range maxCancelled {
		pay = b.order(1)
		require.Contains(t, b.payAs(pay, "cancel").body, "Cancelled.")
	}
	token := b.get("/buy").field("csrf")
	got := b.post("/buy", url.Values{"csrf": {token}, "units": {"1"}})
	require.Equal(t, http.StatusTooManyRequests, got.status)
	require.Contains(t, got.alert(), "cancelled many orders")
	require.Contains(t, b.payAs(pay, "pay").body, "Paid.")
	b.order(1)
	all, err := p.orders.list("ada")
	require.NoError(t, err)
	p.now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	require.Empty(t, p.tooManyOrders(all))
}

// TestKilled: the portal is killed at the time of the press. Afterwards the document
// is there, and goes on to one stamp for one unit.
func TestKilled(t *testing.T) {
	c, err := config{Dir: t.TempDir(), Listen: "127.0.0.1:0"}.withDefaults()
	require.NoError(t, err)
	dir, err := specimen()
	require.NoError(t, err)
	require.NoError(t, os.CopyFS(c.specimen(), os.DirFS(dir)))
	var documents []page
	for n := range 4 {
		cmd, address := startProcess(t, c)
		b := (&portal{app: &app{config: c}, url: address}).browser(t)
		if n == 0 {
			b.register("ada")
			b.buy(4, "pay")
		} else {
			b.signIn("ada")
		}
		d := b.upload("a.pdf", testPDF(t, "classic.pdf"))
		documents = append(documents, d)
		pressed := make(chan struct{})
		go func() {
			defer close(pressed)
			form := url.Values{"csrf": {d.field("csrf")}, "key": {d.field("key")}, "page": {"1"}, "x": {"100"}, "y": {"100"}}
			if answer, err := b.http.PostForm(address+d.path+"/stamp", form); err == nil {
				_ = answer.Body.Close()
			}
		}()
		time.Sleep(time.Duration(n) * 6 * time.Millisecond) // whenever it is: what is required below holds
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
		<-pressed
	}
	_, address := startProcess(t, c)
	b := (&portal{app: &app{config: c}, url: address}).browser(t)
	b.signIn("ada")
	serials := map[string]bool{}
	for _, d := range documents {
		now := b.get(d.path)
		require.Equal(t, http.StatusOK, now.status)
		if !stampLink.MatchString(now.body) {
			now = b.whenDoneAfter(now)
		}
		b.requireStamped(now)
		serials[stampLink.FindString(now.body)] = true
	}
	require.Len(t, serials, len(documents))
	require.Equal(t, "0 units", b.units())
}

func (b *browser) signIn(name string) {
	b.t.Helper()
	p := b.post("/signin", url.Values{"csrf": {b.get("/signin").field("csrf")}, "name": {name}, "passphrase": {"correct horse"}, "do": {"signin"}})
	require.Equal(b.t, "/", p.path, p.alert())
}

// whenDoneAfter presses where a document stands and waits for its stamp.
func (b *browser) whenDoneAfter(d page) page {
	b.t.Helper()
	got := b.press(d, "100", "100")
	if strings.HasSuffix(got.path, "/wait") {
		got = b.whenDone(d)
	}
	return got
}
