package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
)

func TestRefusedUploads(t *testing.T) {
	p := startPortal(t, func(c *config) { c.Limits.Upload = 1 << 20 })
	b := p.browser(t)
	b.register("ada")
	for _, c := range []struct {
		name    string
		content []byte
		status  int
		want    string
	}{
		{"letter.docx", []byte("PK\x03\x04 a letter"), http.StatusUnprocessableEntity, "not a PDF"},
		{"empty.pdf", nil, http.StatusUnprocessableEntity, "not a PDF"},
		{"cut.pdf", testPDF(t, "classic.pdf")[:300], http.StatusUnprocessableEntity, "damaged"},
		{"encrypted-password.pdf", testPDF(t, "encrypted-password.pdf"), http.StatusUnprocessableEntity, "locked by a password"},
		{"encrypted-restricted.pdf", testPDF(t, "encrypted-restricted.pdf"), http.StatusUnprocessableEntity, "does not permit"},
		{"certified-p1.pdf", testPDF(t, "certified-p1.pdf"), http.StatusUnprocessableEntity, "certified"},
		{"offset.pdf", append([]byte("\n\n"), testPDF(t, "classic.pdf")...), http.StatusUnprocessableEntity, "No unit was taken"},
		{"large.pdf", make([]byte, 3<<20), http.StatusRequestEntityTooLarge, "too large"},
	} {
		got := b.upload(c.name, c.content)
		require.Equal(t, c.status, got.status, "%s: %s", c.name, got.alert())
		require.Contains(t, got.alert(), c.want, c.name)
		require.Contains(t, got.alert(), "No unit was taken", c.name)
	}
	require.Contains(t, b.get("/").body, "No documents yet")
	files, err := filepath.Glob(filepath.Join(p.documents.folder("ada"), "*"))
	require.NoError(t, err)
	require.Empty(t, files, "a refused upload leaves nothing")
	require.Zero(t, p.documents.bytes.Load())
}

func TestFormsWithoutToken(t *testing.T) {
	p := startPortal(t, nil)
	b := p.browser(t)
	b.register("ada")
	b.buy(2, "pay")
	d := b.upload("a.pdf", testPDF(t, "classic.pdf"))
	for _, path := range []string{"/buy", "/signout", "/provider/pay", d.path + "/stamp", d.path + "/remove"} {
		for _, token := range []string{"", strings.Repeat("0", 64)} {
			got := b.post(path, url.Values{"csrf": {token}, "units": {"1"}, "key": {d.field("key")}, "page": {"1"}, "x": {"10"}, "y": {"10"}})
			require.Equal(t, http.StatusForbidden, got.status, path)
		}
	}
	require.Equal(t, http.StatusForbidden, b.uploadWith("", "b.pdf", testPDF(t, "classic.pdf")).status)
	other := p.browser(t)
	other.register("bob")
	require.Equal(t, http.StatusForbidden, other.uploadWith(d.field("csrf"), "b.pdf", testPDF(t, "classic.pdf")).status, "another's token")
	require.Equal(t, "2 units", b.units())

	// A browser says that another site sent the form, whatever it brings.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/buy", strings.NewReader(url.Values{"csrf": {d.field("csrf")}, "units": {"1"}}.Encode()))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	require.Equal(t, http.StatusForbidden, b.do(req).status)
}

// TestForeign: what belongs to one account does not exist for another.
func TestForeign(t *testing.T) {
	p := startPortal(t, nil)
	ada, bob := p.browser(t), p.browser(t)
	ada.register("ada")
	bob.register("bob")
	order := ada.buy(2, "pay")
	stamped := ada.upload("hers.pdf", testPDF(t, "classic.pdf"))
	serialPath := stampLink.FindStringSubmatch(ada.press(stamped, "100", "100").body)[1]
	fresh := ada.upload("secret.pdf", testPDF(t, "classic.pdf"))
	for _, path := range []string{
		fresh.path, fresh.path + "/source", fresh.path + "/wait", stamped.path, stamped.path + "/source",
		strings.ReplaceAll(serialPath, "&amp;", "&"), order.path,
		"/documents/" + folderOf("ada"), "/documents/..%2f" + folderOf("ada"), "/stamps/0ZZ", "/orders/" + folderOf("ada") + "-..",
	} {
		got := bob.get(path)
		require.Equal(t, http.StatusNotFound, got.status, path)
		require.NotContains(t, got.body, "secret.pdf")
	}
	token := bob.get("/").field("csrf")
	for _, path := range []string{"/stamp", "/remove"} {
		got := bob.post(fresh.path+path, url.Values{"csrf": {token}, "key": {fresh.field("key")}, "page": {"1"}, "x": {"9"}, "y": {"9"}})
		require.Equal(t, http.StatusNotFound, got.status)
	}
	require.NotRegexp(t, `hers\.pdf|secret\.pdf`, bob.get("/").body+bob.get("/history").body)
	nobody := p.browser(t)
	require.Equal(t, "/signin", nobody.get(fresh.path+"/source").path)
	require.Equal(t, http.StatusOK, ada.get(fresh.path+"/source").status)
}

func TestNoUnits(t *testing.T) {
	p := startPortal(t, nil)
	b := p.browser(t)
	b.register("ada")
	d := b.upload("a.pdf", testPDF(t, "classic.pdf"))
	got := b.press(d, "100", "100")
	require.Contains(t, got.alert(), "no units left")
	require.Contains(t, b.get("/").body, "No unit was taken.")
	b.buy(1, "pay")
	require.Equal(t, d.field("key"), b.get(d.path).field("key"), "the same stamping")
	b.requireStamped(b.press(b.get(d.path), "120", "100")) // and another place may be chosen
	require.Equal(t, "0 units", b.units())
}

func TestPlaces(t *testing.T) {
	p := startPortal(t, nil)
	b := p.browser(t)
	b.register("ada")
	b.buy(1, "pay")
	d := b.upload("a.pdf", testPDF(t, "classic.pdf"))
	for _, place := range [][3]string{{"1", "5000", "10"}, {"1", "-1", "10"}, {"1", "x", ""}, {"1", "NaN", "1"}, {"9", "10", "10"}, {"", "10", "10"}, {"0", "1", "1"}} {
		got := b.post(d.path+"/stamp", url.Values{"csrf": {d.field("csrf")}, "key": {d.field("key")}, "page": {place[0]}, "x": {place[1]}, "y": {place[2]}})
		require.Equal(t, http.StatusUnprocessableEntity, got.status, place)
		require.Contains(t, got.alert(), "No unit was taken", place)
	}
	require.Equal(t, "1 unit", b.units())
	b.requireStamped(b.press(d, "10,5", "10"))
}

// TestDuplicatePress: 16 presses at once, two tabs with two places, a reload of
// the answer: one unit, one signature.
func TestDuplicatePress(t *testing.T) {
	p := startPortal(t, nil)
	b := p.browser(t)
	b.register("ada")
	b.buy(5, "pay")
	d := b.upload("a.pdf", testPDF(t, "classic.pdf"))
	g := p.gate(t)
	var group sync.WaitGroup
	for n := range 16 {
		group.Go(func() { b.press(d, fmt.Sprint(100+n), "100") })
	}
	group.Wait()
	g.arrive(t)
	waiting := b.get(d.path)
	require.Equal(t, d.path+"/wait", waiting.path)
	require.Contains(t, waiting.body, "being stamped")
	require.NotEmpty(t, waiting.header.Get("Refresh"))
	require.Contains(t, b.get("/").body, "A unit is held for it")
	g.open()
	done := b.whenDone(d)
	b.requireStamped(done)
	b.requireStamped(b.press(d, "300", "300"))
	require.Equal(t, "4 units", b.units())
	require.Equal(t, 1, g.signatures())
}

// whenDone reads the waiting page until it leads on.
func (b *browser) whenDone(d page) page {
	b.t.Helper()
	var got page
	require.Eventually(b.t, func() bool {
		got = b.get(d.path)
		return got.path == d.path
	}, guard, 20*time.Millisecond)
	return got
}

// TestRetryAfterError: the key fails, the portal is started anew; going on
// takes the unit that is held.
func TestRetryAfterError(t *testing.T) {
	c, err := config{Dir: t.TempDir()}.withDefaults()
	require.NoError(t, err)
	var d page
	var held string
	t.Run("failing", func(t *testing.T) {
		p := startConfig(t, c)
		b := p.browser(t)
		b.register("ada")
		b.buy(3, "pay")
		d = b.upload("a.pdf", testPDF(t, "classic.pdf"))
		g := p.gate(t)
		g.fail(errors.New("token pulled out"))
		g.open()
		got := b.press(d, "100", "100")
		require.Contains(t, got.alert(), "interrupted")
		require.Contains(t, got.body, "One unit is held")
		require.NotContains(t, got.body, "token pulled out", "what it was stands in the log alone")
		require.Contains(t, p.logs.String(), "token pulled out")
		require.Equal(t, "2 units", b.units())
		res, err := p.issuer.ledger.LookupKey(t.Context(), "ada", []byte(d.field("key")))
		require.NoError(t, err)
		held = res.Number.Grouped()
		require.Contains(t, got.body, held)
		got = b.post(d.path+"/remove", url.Values{"csrf": {d.field("csrf")}})
		require.Equal(t, d.path, got.path, "it cannot be removed while a unit is held for it")
	})
	t.Run("again", func(t *testing.T) {
		p := startConfig(t, c)
		b := p.browser(t)
		token := b.get("/signin").field("csrf")
		require.Equal(t, "/", b.post("/signin", url.Values{"csrf": {token}, "name": {"ada"}, "passphrase": {"correct horse"}, "do": {"signin"}}).path)
		page := b.get(d.path)
		require.Contains(t, page.body, held)
		done := b.post(d.path+"/stamp", url.Values{"csrf": {page.field("csrf")}, "key": {page.field("key")}})
		b.requireStamped(done)
		require.Contains(t, done.body, held, "the same serial")
		require.Equal(t, "2 units", b.units())
	})
}

// TestGivenUp: an operator gives a stamping up; the owner gets the unit back and
// may stamp the document anew, which is another stamping.
func TestGivenUp(t *testing.T) {
	p := startPortal(t, nil)
	b := p.browser(t)
	b.register("ada")
	b.buy(1, "pay")
	d := b.upload("a.pdf", testPDF(t, "classic.pdf"))
	g := p.gate(t)
	g.fail(errors.New("no token"))
	g.open()
	b.press(d, "100", "100")
	require.Equal(t, "0 units", b.units())
	res, err := p.issuer.ledger.LookupKey(t.Context(), "ada", []byte(d.field("key")))
	require.NoError(t, err)
	_, err = p.issuer.ledger.Void(t.Context(), res.Number, "operator")
	require.NoError(t, err)
	require.Contains(t, b.get("/").body, "Given up. The unit is back in your account.")
	got := b.get(d.path)
	require.Contains(t, got.body, "its unit is back")
	require.Empty(t, got.alert())
	require.NotEqual(t, d.field("key"), got.field("key"))
	require.Equal(t, d.path, b.press(d, "100", "100").path, "the old form does nothing")
	g.fail(nil)
	b.requireStamped(b.press(b.get(d.path), "100", "100"))
	require.Equal(t, "0 units", b.units())
	require.Contains(t, b.get("/history").body, "The serial is void: the unit is back")
}

// TestFullLine: one stamping runs, one waits and is told its place, one finds
// the line full and gets in by itself later.
func TestFullLine(t *testing.T) {
	p := startPortal(t, func(c *config) { c.Limits.Workers, c.Limits.Line = 1, 1 })
	g := p.gate(t)
	var people []*browser
	var documents []page
	for n := range 3 {
		b := p.browser(t)
		b.register(fmt.Sprint("person", n))
		b.buy(1, "pay")
		people = append(people, b)
		documents = append(documents, b.upload("a.pdf", testPDF(t, "classic.pdf")))
	}
	people[0].press(documents[0], "100", "100")
	g.arrive(t)
	require.Contains(t, people[0].get(documents[0].path).body, "being stamped")
	people[1].press(documents[1], "100", "100")
	p.line(t, 1)
	waiting := people[1].get(documents[1].path)
	require.Equal(t, documents[1].path+"/wait", waiting.path)
	require.Contains(t, waiting.body, "You are next")
	require.Contains(t, waiting.body, "It will take about")
	full := people[2].press(documents[2], "100", "100")
	require.Eventually(t, func() bool {
		full = people[2].get(documents[2].path + "/wait")
		return strings.Contains(full.body, "The line is full. Nothing was taken.")
	}, guard, 10*time.Millisecond)
	require.NotEmpty(t, full.header.Get("Refresh"))
	_, err := p.issuer.ledger.LookupKey(t.Context(), "person2", []byte(documents[2].field("key")))
	require.ErrorIs(t, err, serial.ErrNotFound)
	g.open()
	for n, b := range people {
		done := b.whenDoneWaiting(documents[n])
		b.requireStamped(done)
		require.Equal(t, "0 units", b.units())
	}
	require.Equal(t, 3, g.signatures())
}

// whenDoneWaiting is whenDone for who keeps the waiting page open.
func (b *browser) whenDoneWaiting(d page) page {
	b.t.Helper()
	var got page
	require.Eventually(b.t, func() bool {
		got = b.get(d.path + "/wait")
		return got.path == d.path && stampLink.MatchString(got.body)
	}, guard, 50*time.Millisecond)
	return got
}

func TestPayments(t *testing.T) {
	p := startPortal(t, nil)
	p.provider.delay = time.Millisecond
	b := p.browser(t)
	b.register("ada")
	require.Contains(t, b.buy(2, "twice").body, "Paid.")
	require.Equal(t, "2 units", b.units())

	pay := b.order(3)
	require.Contains(t, b.payAs(pay, "cancel").body, "Cancelled.")
	require.Equal(t, "2 units", b.units())
	require.Contains(t, b.payAs(pay, "pay").body, "Paid.", "money that comes after a cancellation counts")
	require.Contains(t, b.payAs(pay, "cancel").body, "Paid.")
	require.Contains(t, b.payAs(pay, "pay").body, "Paid.")
	require.Equal(t, "5 units", b.units())

	b.buy(4, "late")
	require.Eventually(t, func() bool { return b.units() == "9 units" }, guard, 20*time.Millisecond)

	pay = b.order(1)
	pay.body = strings.Replace(pay.body, `name="amount" value="10000"`, `name="amount" value="1"`, 1)
	require.Equal(t, http.StatusBadRequest, b.payAs(pay, "pay").status, "a changed amount")
	for _, units := range []string{"0", "-1", "101", "x", ""} {
		got := b.post("/buy", url.Values{"csrf": {b.get("/buy").field("csrf")}, "units": {units}})
		require.Equal(t, http.StatusUnprocessableEntity, got.status, units)
	}
	require.Equal(t, "9 units", b.units())
}

// TestLatePaymentAtTheEnd: what is pending is told before the program ends.
func TestLatePaymentAtTheEnd(t *testing.T) {
	p := startPortal(t, nil)
	b := p.browser(t)
	b.register("ada")
	require.Contains(t, b.buy(4, "late").body, "has not been confirmed")
	p.provider.flush()
	require.Equal(t, "4 units", b.units())
}

func TestForgedCallback(t *testing.T) {
	p := startPortal(t, nil)
	b := p.browser(t)
	b.register("ada")
	order := b.order(5).field("order")
	send := func(body, signature string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/callback/payment", strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("X-Signature", signature)
		return b.do(req).status
	}
	good := fmt.Sprintf(`{"payment":"p-1","order":%q,"amount":50000,"status":"paid","time":"2026-01-02T03:04:05Z"}`, order)
	sign := func(body string) string { return mac(p.secret, "callback", body) }
	require.Equal(t, http.StatusForbidden, send(good, ""))
	require.Equal(t, http.StatusForbidden, send(good, strings.Repeat("0", 64)))
	require.Equal(t, http.StatusForbidden, send(strings.Replace(good, "p-1", "p-2", 1), sign(good)))
	require.Equal(t, http.StatusForbidden, send(good, mac([]byte("another secret"), "callback", good)))
	require.Equal(t, http.StatusForbidden, send(good, mac(p.secret, "form", good)), "a code for another purpose")
	require.Equal(t, http.StatusRequestEntityTooLarge, send(strings.Repeat(" ", maxCallback+1), ""))
	for _, wrong := range []string{
		strings.Replace(good, "50000", "500", 1), strings.Replace(good, "p-1", "", 1), strings.Replace(good, "paid", "free", 1),
		strings.Replace(good, order, "none", 1), strings.Replace(good, order, "../"+order, 1),
	} {
		require.Equal(t, http.StatusConflict, send(wrong, sign(wrong)), wrong)
	}
	require.Equal(t, http.StatusBadRequest, send("{", sign("{")))
	require.Equal(t, "0 units", b.units())
	require.Equal(t, http.StatusNoContent, send(good, sign(good)))
	require.Equal(t, http.StatusNoContent, send(good, sign(good)))
	require.Equal(t, "5 units", b.units())
	require.NotContains(t, p.logs.String(), string(p.secret))
}

func TestRateLimits(t *testing.T) {
	p := startPortal(t, func(c *config) { c.Limits.Posts, c.Limits.SignIns = 3, 2 })
	b := p.browser(t)
	b.register("ada")
	token := b.get("/").field("csrf")
	for range 3 {
		require.Equal(t, http.StatusUnprocessableEntity, b.uploadWith(token, "a", []byte("x")).status)
	}
	got := b.uploadWith(token, "a", []byte("x"))
	require.Equal(t, http.StatusTooManyRequests, got.status)
	require.NotEmpty(t, got.header.Get("Retry-After"))
	other := p.browser(t)
	status := 0
	for range 3 {
		status = other.post("/signin", url.Values{"csrf": {other.get("/signin").field("csrf")}, "name": {"ada"}, "passphrase": {"guess guess"}}).status
	}
	require.Equal(t, http.StatusTooManyRequests, status)

	now := time.Unix(0, 0)
	rates := newRates(func() time.Time { return now })
	for range 60 {
		require.Zero(t, rates.take("x", 60))
	}
	require.Equal(t, time.Second, rates.take("x", 60))
	require.Zero(t, rates.take("y", 60))
	now = now.Add(time.Second)
	require.Zero(t, rates.take("x", 60))
	for n := range maxRates {
		rates.take(fmt.Sprint(n), 1)
	}
	require.LessOrEqual(t, len(rates.next), maxRates)
	require.Equal(t, time.Minute, rates.take("one more", 1))
	now = now.Add(2 * time.Minute)
	require.Zero(t, rates.take("one more", 1))
}

func TestHeaders(t *testing.T) {
	p := startPortal(t, nil)
	b := p.browser(t)
	for _, path := range []string{"/signin", "/nowhere", "/assets/place.js", "/healthz", "/"} {
		h := b.get(path).header
		require.NotContains(t, h.Get("Content-Security-Policy"), "unsafe-inline")
		require.NotContains(t, h.Get("Content-Security-Policy"), "'unsafe-eval'")
		require.Contains(t, h.Get("Content-Security-Policy"), "frame-ancestors 'none'")
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
		require.Equal(t, "same-origin", h.Get("Referrer-Policy"))
	}
	require.Equal(t, http.StatusNotFound, b.get("/assets/").status)
	require.Equal(t, http.StatusNotFound, b.get("/nowhere").status)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/signin", nil)
	require.NoError(t, err)
	for _, line := range p.browser(t).do(req).header.Values("Set-Cookie") {
		require.Contains(t, line, "HttpOnly")
		require.Contains(t, line, "SameSite=Lax")
	}
}

// TestClean: an upload that nobody stamps goes, one that a unit is held for stays.
func TestClean(t *testing.T) {
	p := startPortal(t, nil)
	b := p.browser(t)
	b.register("ada")
	b.buy(2, "pay")
	old := b.upload("old.pdf", testPDF(t, "classic.pdf"))
	held := b.upload("held.pdf", testPDF(t, "classic.pdf"))
	stamped := b.upload("stamped.pdf", testPDF(t, "classic.pdf"))
	b.requireStamped(b.press(stamped, "50", "50"))
	g := p.gate(t)
	g.fail(errors.New("no token"))
	g.open()
	b.press(held, "50", "50")
	leftover := filepath.Join(p.documents.folder("ada"), ".new-1")
	require.NoError(t, os.WriteFile(leftover, []byte("x"), 0o600))
	size := p.documents.bytes.Load()
	p.clean(t.Context())
	require.Equal(t, size, p.documents.bytes.Load())
	require.Contains(t, b.get("/").body, "old.pdf")

	later := time.Now().Add(25 * time.Hour)
	p.documents.mustClean(t, p, later)
	page := b.get("/history").body
	require.NotContains(t, page, "old.pdf")
	require.Contains(t, page, "held.pdf")
	require.Contains(t, page, "stamped.pdf")
	require.NoFileExists(t, leftover)
	require.Equal(t, http.StatusNotFound, b.get(old.path).status)
	require.Equal(t, size/2, p.documents.bytes.Load())
}

func (s *documents) mustClean(t *testing.T, p *portal, before time.Time) {
	t.Helper()
	require.NoError(t, s.clean(before, func(d *document) bool { return p.idle(t.Context(), d) }))
}

// TestBounded: an account's uploads make room for each other, sessions too.
func TestBounded(t *testing.T) {
	p := startPortal(t, func(c *config) { c.Limits.Waiting, c.Limits.Records = 3, 5 })
	b := p.browser(t)
	b.register("ada")
	for n := range 5 {
		require.Equal(t, http.StatusOK, b.upload(fmt.Sprintf("n%d.pdf", n), testPDF(t, "classic.pdf")).status)
	}
	page := b.get("/").body
	require.NotContains(t, page, "n1.pdf")
	require.Contains(t, page, "n2.pdf")
	require.Contains(t, page, "n4.pdf")

	now := time.Unix(0, 0)
	places := newSlots(3, 2)
	require.True(t, places.take("a"))
	require.True(t, places.take("a"))
	require.False(t, places.take("a"))
	require.True(t, places.take("b"))
	require.False(t, places.take("c"))
	places.give("a")
	require.True(t, places.take("c"))

	s := newSessions(3, func() time.Time { return now })
	first := s.begin("a")
	for _, name := range []string{"b", "c"} {
		now = now.Add(time.Second)
		s.begin(name)
	}
	now = now.Add(time.Second)
	require.Equal(t, "a", s.find(first))
	last := s.begin("d")
	require.Len(t, s.all, 3)
	require.Equal(t, "a", s.find(first), "used last but one")
	now = now.Add(sessionIdle + time.Second)
	require.Empty(t, s.find(first))
	require.Empty(t, s.find(last))
	s.end(last)
	require.Empty(t, s.find(""))
}

// TestAccountsBounded: who is there may sign in when there is no room for more.
func TestAccountsBounded(t *testing.T) {
	p := startPortal(t, func(c *config) { c.Limits.Accounts = 1 })
	p.browser(t).register("ada")
	b := p.browser(t)
	try := func(name, do string) page {
		return b.post("/signin", url.Values{"csrf": {b.get("/signin").field("csrf")}, "name": {name}, "passphrase": {"correct horse"}, "do": {do}})
	}
	require.Equal(t, http.StatusServiceUnavailable, try("bob", "register").status)
	require.Equal(t, "/", try("ada", "signin").path)
}

func TestFileNames(t *testing.T) {
	for sent, want := range map[string]string{
		"a.pdf": "a.pdf", `C:\Users\me\b.pdf`: "b.pdf", "../../etc/passwd": "passwd", "": "document.pdf", "..": "document.pdf",
		"x\x00\n\u202efdp.pdf": "xfdp.pdf", strings.Repeat("é", 200): strings.Repeat("é", 60), "\xff": "document.pdf",
	} {
		require.Equal(t, want, fileName(sent), "%q", sent)
	}
}

func TestHealth(t *testing.T) {
	p := startPortal(t, nil)
	b := p.browser(t)
	require.Equal(t, "ok\n", b.get("/healthz").body)
	require.NoError(t, p.work.queue.Close(t.Context()))
	require.Equal(t, http.StatusServiceUnavailable, b.get("/healthz").status)
	require.False(t, bytes.Contains([]byte(p.logs.String()), p.secret))
}
