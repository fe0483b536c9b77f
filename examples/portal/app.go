package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"time"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/admission"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets
var assetFiles embed.FS

// An app is the portal without its listener.
type app struct {
	config    config
	log       *slog.Logger
	now       func() time.Time
	issuer    *issuer
	texts     *catalogue
	pages     map[string]*template.Template
	accounts  *accounts
	sessions  *sessions
	rates     *rates
	documents *documents
	orders    *orders
	provider  *provider
	work      *work
	secret    []byte        // makes the tokens of forms
	uploads   *slots        // uploads on their way
	looks     chan struct{} // a place for each document that is looked at
	secure    bool          // people come over https
}

// openApp opens everything the portal stands on. base is the address of its own
// that the simulated payment provider calls.
func openApp(ctx context.Context, c config, base string, log *slog.Logger) (*app, error) {
	a := &app{config: c, log: log, now: time.Now, uploads: newSlots(c.Limits.Uploads, c.Limits.AccountUploads),
		looks: make(chan struct{}, c.Limits.Workers)}
	a.secure = len(c.URL) > 5 && c.URL[:5] == "https"
	var err error
	if a.texts, err = openCatalogue(); err != nil {
		return nil, err
	}
	if a.pages, err = parsePages(); err != nil {
		return nil, err
	}
	if a.secret, err = readSecret(filepath.Join(c.Dir, "secret")); err != nil {
		return nil, err
	}
	if a.accounts, err = openAccounts(filepath.Join(c.Dir, "accounts"), c.Limits.Accounts); err != nil {
		return nil, err
	}
	if a.issuer, err = openIssuer(ctx, c, log); err != nil {
		return nil, err
	}
	a.sessions = newSessions(c.Limits.Sessions, a.now)
	a.rates = newRates(a.now)
	a.documents = &documents{dir: filepath.Join(c.Dir, "documents")}
	a.orders = &orders{dir: filepath.Join(c.Dir, "orders")}
	a.provider = newProvider(a.secret, base+"/callback/payment", log)
	a.work = newWork(a, &admission.Options{
		Workers:  c.Limits.Workers,
		Capacity: map[admission.Lane]int{admission.Resume: c.Limits.Line, admission.Redeem: c.Limits.Line},
		MaxWait:  stampTime / 2,
	})
	return a, nil
}

// close lets the work under way finish, then closes the ledger. Requests have
// ended before.
func (a *app) close(ctx context.Context) error {
	return errors.Join(a.work.close(ctx), a.issuer.close())
}

// routes are all pages of the portal.
func (a *app) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /signin", a.page(a.showSignIn))
	mux.Handle("POST /signin", a.page(a.signIn))
	mux.Handle("POST /signout", a.form(a.signOut))
	mux.Handle("GET /{$}", a.member(a.showDocuments))
	mux.Handle("POST /documents", a.member(a.upload))
	mux.Handle("GET /documents/{id}", a.member(a.showDocument))
	mux.Handle("GET /documents/{id}/source", a.member(a.sendSource))
	mux.Handle("GET /documents/{id}/wait", a.member(a.showWait))
	mux.Handle("POST /documents/{id}/stamp", a.form(a.stamp))
	mux.Handle("POST /documents/{id}/remove", a.form(a.removeDocument))
	mux.Handle("GET /stamps/{serial}", a.member(a.sendStamped))
	mux.Handle("GET /history", a.member(a.showHistory))
	mux.Handle("GET /buy", a.member(a.showBuy))
	mux.Handle("POST /buy", a.form(a.buy))
	mux.Handle("GET /orders/{id}", a.member(a.showOrder))
	mux.HandleFunc("POST /callback/payment", a.paymentCallback)
	mux.Handle("GET /provider/pay", a.page(a.showPay))
	mux.Handle("POST /provider/pay", a.page(a.pay))
	mux.HandleFunc("GET /healthz", a.health)
	mux.Handle("GET /assets/", assets())
	mux.Handle("/", a.page(func(w http.ResponseWriter, r *http.Request, v *visit) {
		a.refuse(w, v, http.StatusNotFound, "error.notfound")
	}))
	// Browsers say where a form comes from; the tokens in the forms hold where they do not.
	guard := http.NewCrossOriginProtection()
	return secured(a.secure, a.limited(logged(a.log, guard.Handler(mux))))
}

// assets sends the embedded files. A build has one version of them, whose
// entity tag is made when it starts. What is large is kept compressed, and
// sent so: every browser that pdf.js runs in takes gzip.
func assets() http.Handler {
	tag := `"` + rand.Text() + `"`
	types := map[string]string{".mjs": "text/javascript; charset=utf-8", ".wasm": "application/wasm"}
	files := http.FileServerFS(assetFiles)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Path[1:]
		if kind := types[path.Ext(name)]; kind != "" {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Content-Encoding", "gzip")
			r.URL.Path += ".gz"
			name += ".gz"
		}
		if st, err := fs.Stat(assetFiles, name); err != nil || st.IsDir() {
			w.Header().Del("Content-Encoding")
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=600")
		w.Header().Set("ETag", tag)
		files.ServeHTTP(w, r)
	})
}

// health says whether stamps can be made now: the ledger answers and the queue
// is open.
func (a *app) health(w http.ResponseWriter, r *http.Request) {
	_, err := a.issuer.ledger.Balance(r.Context(), "healthz")
	if (err != nil && !errors.Is(err, serial.ErrNotFound)) || a.work.queue.Stats().Closed {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// readSecret reads the portal's own secret, and makes it once.
func readSecret(file string) ([]byte, error) {
	var text string
	err := readRecord(file, &text)
	if errors.Is(err, os.ErrNotExist) {
		text = hex.EncodeToString([]byte(rand.Text() + rand.Text()))
		err = writeRecord(file, text)
	}
	if err == nil && len(text) < 64 {
		err = fmt.Errorf("%s is damaged", file)
	}
	return []byte(text), err
}

// parsePages makes one template set for each page, with the layout.
func parsePages() (map[string]*template.Template, error) {
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	funcs := template.FuncMap{"rupiah": rupiah, "time": formatTime, "mb": func(n int64) int64 { return n >> 20 }}
	pages := map[string]*template.Template{}
	for _, name := range names {
		base := filepath.Base(name)
		if base == "layout.html" || base == "lines.html" {
			continue
		}
		t, err := template.New("layout.html").Funcs(funcs).ParseFS(templateFiles, "templates/layout.html", "templates/lines.html", name)
		if err != nil {
			return nil, err
		}
		pages[base[:len(base)-len(".html")]] = t
	}
	return pages, nil
}

// A visit is one request as its handler sees it, and the data of its page.
type visit struct {
	app     *app
	request *http.Request
	Lang    string
	Account string // "" if nobody is signed in
	CSRF    string // token that a form has to bring
	Units   int64  // available ones of the account

	Error   string // text above the page: what went wrong
	Notice  string // text above the page: what was done
	Refresh int    // seconds until the page asks again by itself; 0 is never
	Data    any    // what the page is about
}

// T gives a message in the visitor's language.
func (v *visit) T(key string, args ...any) string { return v.app.texts.text(v.Lang, key, args...) }

// Wait says a duration in the visitor's language.
func (v *visit) Wait(d time.Duration) string { return v.app.texts.wait(v.Lang, d) }

// Is reports whether the page is the one at that path, for the navigation.
func (v *visit) Is(path string) bool { return v.request.URL.Path == path }

// Other is the language to change to.
func (v *visit) Other() string {
	if v.Lang == "id" {
		return "en"
	}
	return "id"
}

// Specimen reports whether the stamps are worthless on purpose.
func (v *visit) Specimen() bool { return v.app.issuer.stamp.Specimen }

// Price of one unit.
func (v *visit) Price() int64 { return int64(v.app.config.Value) }

// render sends a page. It is made whole before the status is sent.
func (a *app) render(w http.ResponseWriter, v *visit, status int, name string, data any) {
	if v.Account != "" {
		b, err := a.issuer.ledger.Balance(v.request.Context(), v.Account)
		if err != nil && !errors.Is(err, serial.ErrNotFound) && v.request.Context().Err() == nil {
			a.log.Error("balance", "error", err)
		}
		v.Units = b.Available
	}
	v.Data = data
	var page bytes.Buffer
	if err := a.pages[name].Execute(&page, v); err != nil {
		a.log.Error("template", "name", name, "error", err)
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", v.Lang)
	if v.Refresh > 0 {
		w.Header().Set("Refresh", strconv.Itoa(v.Refresh))
	}
	w.WriteHeader(status)
	_, _ = page.WriteTo(w) // who has gone needs no page
}

// refuse sends a page that says one thing.
func (a *app) refuse(w http.ResponseWriter, v *visit, status int, key string, args ...any) {
	v.Error = v.T(key, args...)
	a.render(w, v, status, "message", nil)
}

// fail answers an error that is the portal's own. What it was stands in the log.
// Who has gone gets no answer: what ended then is no error.
func (a *app) fail(w http.ResponseWriter, v *visit, what string, err error) {
	if v.request.Context().Err() != nil {
		return
	}
	a.log.Error(what, "error", err)
	a.refuse(w, v, http.StatusInternalServerError, "error.internal")
}

// tooMany refuses what came too often.
func (a *app) tooMany(w http.ResponseWriter, v *visit, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(seconds(wait)))
	a.refuse(w, v, http.StatusTooManyRequests, "error.rate", v.Wait(wait))
}
