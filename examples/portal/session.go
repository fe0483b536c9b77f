package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/seed-574216e4/meterai/serial/admission"
)

// sessions are the people who are signed in, by the hash of their cookie, so
// that a picture of the memory is no bunch of keys. They end with the process.
type sessions struct {
	max int
	now func() time.Time
	mu  sync.Mutex
	all map[[32]byte]*session
}

type session struct {
	account     string
	begun, used time.Time
}

// over reports whether a session has ended: idle too long, or too old, since a
// stolen cookie can be kept in use.
func (s *session) over(now time.Time) bool {
	return now.Sub(s.used) > sessionIdle || now.Sub(s.begun) > sessionLife
}

func newSessions(most int, now func() time.Time) *sessions {
	return &sessions{max: most, now: now, all: map[[32]byte]*session{}}
}

// begin makes a session and gives the value of its cookie.
func (s *sessions) begin(account string) string {
	token := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) >= s.max {
		s.makeRoom()
	}
	s.all[sha256.Sum256([]byte(token))] = &session{account: account, begun: s.now(), used: s.now()}
	return token
}

// makeRoom drops what has ended, and at least the one idle longest.
func (s *sessions) makeRoom() {
	var oldest [32]byte
	at := s.now()
	for id, one := range s.all {
		if !one.used.After(at) {
			oldest, at = id, one.used
		}
		if one.over(s.now()) {
			delete(s.all, id)
		}
	}
	delete(s.all, oldest)
}

// find gives the account of a cookie, "" if there is none.
func (s *sessions) find(token string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[sha256.Sum256([]byte(token))]
	if one == nil || one.over(s.now()) {
		return ""
	}
	one.used = s.now()
	return one.account
}

func (s *sessions) end(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, sha256.Sum256([]byte(token)))
}

// accounts are the names with their passphrases, a file each.
type accounts struct {
	dir   string
	max   int
	mu    sync.Mutex
	count int
}

// A member is the file of an account.
type member struct {
	Name string `json:"name"`
	Salt []byte `json:"salt"`
	Hash []byte `json:"hash"` // Argon2id
}

var (
	errNameTaken = errors.New("the name is taken")
	errSignIn    = errors.New("no such name, or another passphrase")
	errNoRoom    = errors.New("no more accounts")
)

// goodName is what an account of the ledger and a person can be called.
var goodName = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{1,63}$`)

func openAccounts(dir string, most int) (*accounts, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	files, err := os.ReadDir(dir)
	return &accounts{dir: dir, max: most, count: len(files)}, err
}

func (s *accounts) file(name string) string { return filepath.Join(s.dir, folderOf(name)+".json") }

// digest is Argon2id with the parameters that OWASP names first. It takes 19 MB
// for a while, so callers stand in the line before it.
func digest(passphrase string, salt []byte) []byte {
	return argon2.IDKey([]byte(passphrase), salt, 2, 19*1024, 1, 32)
}

// register makes an account.
func (s *accounts) register(name, passphrase string) error {
	salt := make([]byte, 16)
	rand.Read(salt)
	m := member{Name: name, Salt: salt, Hash: digest(passphrase, salt)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := os.Stat(s.file(name)); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(errNameTaken, err)
	}
	if s.count >= s.max {
		return errNoRoom
	}
	s.count++
	return writeRecord(s.file(name), m)
}

// check takes the same time for a name that nobody has.
func (s *accounts) check(name, passphrase string) error {
	m := member{Salt: make([]byte, 16)}
	err := readRecord(s.file(name), &m)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	hash := digest(passphrase, m.Salt)
	if err != nil || !sameText(string(hash), string(m.Hash)) {
		return errSignIn
	}
	return nil
}

// handler is a page: a handler that knows who is there.
type handler func(w http.ResponseWriter, r *http.Request, v *visit)

// cookieName has the prefix with which browsers insist on https.
func (a *app) cookieName(name string) string {
	if a.secure {
		return "__Host-" + name
	}
	return name
}

func (a *app) setCookie(w http.ResponseWriter, name, value string) {
	// Lax and not strict: a payment provider at another address sends people back.
	c := &http.Cookie{Name: a.cookieName(name), Value: value, Path: "/", HttpOnly: true, Secure: a.secure, SameSite: http.SameSiteLaxMode}
	if value == "" {
		c.MaxAge = -1 // remove it
	}
	http.SetCookie(w, c)
}

func (a *app) cookie(r *http.Request, name string) string {
	c, err := r.Cookie(a.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// page is for everybody. Who is not signed in gets a cookie for the token of
// the forms, of which the portal keeps nothing.
func (a *app) page(do handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{app: a, request: r, Lang: a.texts.of(w, r, a.secure)}
		token := a.cookie(r, "session")
		if v.Account = a.sessions.find(token); v.Account == "" {
			if token = a.cookie(r, "visitor"); len(token) < 26 {
				token = rand.Text()
				a.setCookie(w, "visitor", token)
			}
		}
		v.CSRF = mac(a.secret, "form", token)
		do(w, r, v)
	})
}

// member is for who is signed in.
func (a *app) member(do handler) http.Handler {
	return a.page(func(w http.ResponseWriter, r *http.Request, v *visit) {
		if v.Account == "" {
			http.Redirect(w, r, "/signin", http.StatusSeeOther)
			return
		}
		do(w, r, v)
	})
}

// form is for a form of who is signed in.
func (a *app) form(do handler) http.Handler {
	return a.member(func(w http.ResponseWriter, r *http.Request, v *visit) {
		if a.posted(w, r, v) {
			do(w, r, v)
		}
	})
}

// posted reads a form and checks rate and token. If it says no, it has answered.
func (a *app) posted(w http.ResponseWriter, r *http.Request, v *visit) bool {
	if !a.mayPost(w, r, v) {
		return false
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		a.refuse(w, v, http.StatusBadRequest, "error.form")
		return false
	}
	return a.tokenGood(w, v, r.PostForm.Get("csrf"))
}

// mayPost counts a form or an upload.
func (a *app) mayPost(w http.ResponseWriter, r *http.Request, v *visit) bool {
	wait := a.rates.take("post "+a.address(r), a.config.Limits.AddressPosts)
	if wait == 0 && v.Account != "" {
		wait = a.rates.take("post-account "+v.Account, a.config.Limits.Posts)
	}
	if wait > 0 {
		a.tooMany(w, v, wait)
	}
	return wait == 0
}

// tokenGood refuses a form that was not made for this visitor.
func (a *app) tokenGood(w http.ResponseWriter, v *visit, token string) bool {
	if sameText(token, v.CSRF) {
		return true
	}
	a.refuse(w, v, http.StatusForbidden, "error.csrf")
	return false
}

func (a *app) showSignIn(w http.ResponseWriter, r *http.Request, v *visit) {
	if v.Account != "" {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	a.render(w, v, http.StatusOK, "signin", "")
}

// signIn signs in, or makes an account first when that button was pressed.
func (a *app) signIn(w http.ResponseWriter, r *http.Request, v *visit) {
	if !a.posted(w, r, v) {
		return
	}
	name, passphrase := strings.ToLower(strings.TrimSpace(r.PostForm.Get("name"))), r.PostForm.Get("passphrase")
	again := func(status int, key string) {
		v.Error = v.T(key)
		a.render(w, v, status, "signin", name)
	}
	if !goodName.MatchString(name) {
		again(http.StatusUnprocessableEntity, "signin.badname")
		return
	}
	if utf8.RuneCountInString(passphrase) < minPassphrase || len(passphrase) > maxPassphrase {
		again(http.StatusUnprocessableEntity, "signin.badpassphrase")
		return
	}
	if wait := a.signInWait(r, name); wait > 0 {
		a.tooMany(w, v, wait)
		return
	}
	err := a.checkIn(r, name, passphrase)
	var full *admission.RefusedError
	switch {
	case errors.As(err, &full):
		w.Header().Set("Retry-After", strconv.Itoa(seconds(full.RetryAfter)))
		a.refuse(w, v, http.StatusServiceUnavailable, "signin.full", v.Wait(full.RetryAfter))
	case err == nil:
		a.sessions.end(a.cookie(r, "session"))
		a.setCookie(w, "session", a.sessions.begin(name)) // a new one: a cookie set by somebody else opens nothing
		http.Redirect(w, r, "/", http.StatusSeeOther)
	case errors.Is(err, errNoRoom):
		a.refuse(w, v, http.StatusServiceUnavailable, "signin.full", v.Wait(time.Hour))
	case errors.Is(err, errSignIn):
		again(http.StatusForbidden, "signin.wrong")
	case errors.Is(err, errNameTaken):
		again(http.StatusConflict, "signin.taken")
	default:
		a.fail(w, v, "sign-in", err)
	}
}

// signInWait counts a try. The address comes first: one that tries too often must
// not use up what a name has.
func (a *app) signInWait(r *http.Request, name string) time.Duration {
	if wait := a.rates.take("signin-address "+a.address(r), a.config.Limits.AddressSignIns); wait > 0 {
		return wait
	}
	return a.rates.take("signin "+name, a.config.Limits.SignIns)
}

// checkIn makes an account or checks a passphrase. Everything else goes before a
// sign-in, and addresses take turns.
func (a *app) checkIn(r *http.Request, name, passphrase string) error {
	check := a.accounts.check
	if r.PostForm.Get("do") == "register" {
		check = a.accounts.register
	}
	ctx, cancel := context.WithTimeout(r.Context(), requestTime/2)
	defer cancel()
	return a.work.queue.Do(ctx, admission.Ticket{Lane: admission.Register, Account: a.address(r)}, func(context.Context) error {
		return check(name, passphrase)
	})
}

func (a *app) signOut(w http.ResponseWriter, r *http.Request, _ *visit) {
	a.sessions.end(a.cookie(r, "session"))
	a.setCookie(w, "session", "")
	http.Redirect(w, r, "/signin", http.StatusSeeOther)
}
