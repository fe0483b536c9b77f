package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// policy is what pages may load: this portal's own files and nothing else.
// WebAssembly is for the decoders of scanned images in pdf.js; scripts made of
// text (eval) stay forbidden. A payment provider at another address has to be
// named in form-action, since buying ends with a redirect to it.
const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secured sets the headers of every answer.
func secured(secure bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin") // the forms' Origin is checked
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		h.Set("Cache-Control", "no-store") // pages and documents are somebody's own
		if secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// A statusWriter remembers what was answered, for the log.
type statusWriter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// logged writes a line for each request: the route and not the path, no query,
// no cookie, no name.
func logged(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sw := &statusWriter{ResponseWriter: w}
		begun := time.Now()
		defer func() {
			log.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("method", r.Method), slog.String("route", r.Pattern),
				slog.Int("status", sw.status), slog.Int64("bytes", sw.bytes), slog.Duration("took", time.Since(begun)))
		}()
		next.ServeHTTP(sw, r)
	})
}

// limited refuses an address that asks for too much, before anything is looked up.
func (a *app) limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wait := a.rates.take("any "+a.address(r), a.config.Limits.Requests); wait > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(seconds(wait)))
			http.Error(w, "too many requests", http.StatusTooManyRequests)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// address names the network that a request comes from: an IPv4 address, or the
// 64 bits that an IPv6 subscriber gets.
func (a *app) address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	ip, err := netip.ParseAddr(host)
	if a.config.BehindProxy { // only the last element is the proxy's own word, and it may stand in a line of its own
		all := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		if told, bad := parseAddress(strings.TrimSpace(all[len(all)-1])); bad == nil {
			ip, err = told, nil
		}
	}
	if err != nil {
		return host
	}
	if ip = ip.Unmap(); ip.Is6() {
		if p, err := ip.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}

// parseAddress reads an address that may have a port, as some proxies write it.
func parseAddress(s string) (netip.Addr, error) {
	if p, err := netip.ParseAddrPort(s); err == nil {
		return p.Addr(), nil
	}
	return netip.ParseAddr(s)
}

// rates bound how often names may do something: each has a minute's worth at
// once, and gets it back evenly. What is kept is one time a name.
type rates struct {
	now  func() time.Time
	mu   sync.Mutex
	next map[string]time.Time // when the name's whole allowance is back
}

func newRates(now func() time.Time) *rates {
	return &rates{now: now, next: map[string]time.Time{}}
}

// take takes one of perMinute, or says how long to wait.
func (l *rates) take(name string, perMinute int) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	at, known := l.next[name]
	if !known && len(l.next) >= maxRates {
		l.forget(now)
		if len(l.next) >= maxRates { // everybody remembered is active: a flood of names
			return time.Minute
		}
	}
	if at.Before(now) {
		at = now
	}
	at = at.Add(time.Minute / time.Duration(perMinute))
	if wait := at.Sub(now) - time.Minute; wait > 0 {
		return wait
	}
	l.next[name] = at
	return 0
}

// forget drops whoever has the whole allowance back.
func (l *rates) forget(now time.Time) {
	for name, at := range l.next {
		if at.Before(now) {
			delete(l.next, name)
		}
	}
}

// slots bound how many do something at a time, in all and of one name.
type slots struct {
	most, each int
	mu         sync.Mutex
	total      int
	by         map[string]int
}

func newSlots(most, each int) *slots { return &slots{most: most, each: each, by: map[string]int{}} }

// take reports whether there was a slot; then give returns it.
func (s *slots) take(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total >= s.most || s.by[name] >= s.each {
		return false
	}
	s.total++
	s.by[name]++
	return true
}

func (s *slots) give(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.by[name]--; s.by[name] == 0 {
		delete(s.by, name)
	}
}

// seconds rounds up, as Retry-After wants it.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// mac is the authentication code of a text for one purpose.
func mac(key []byte, purpose, text string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(purpose + "\x00" + text))
	return hex.EncodeToString(h.Sum(nil))
}

// sameText compares without telling by its time where two texts differ.
func sameText(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
