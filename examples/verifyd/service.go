package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/seed-574216e4/meterai/examples/verifyd/trust"
	"github.com/seed-574216e4/meterai/verify"
)

//go:embed openapi.json
var openAPI []byte

// A service answers the requests. It is safe for concurrent use.
type service struct {
	cfg      *config
	log      *slog.Logger
	trusted  atomic.Pointer[trustState]
	draining atomic.Bool
	uploads  chan struct{} // a place for each document on its way in
	turns    chan struct{} // a place for each verification
	figures  *figures
}

// A trustState is what one request uses from its beginning to its end.
type trustState struct {
	options *verify.Options
	next    time.Time // when the first revocation list is due for renewal
	loaded  time.Time
}

func newService(c *config, log *slog.Logger) (*service, error) {
	s := &service{cfg: c, log: log, uploads: make(chan struct{}, c.uploads), turns: make(chan struct{}, c.workers), figures: newFigures()}
	if err := s.load(); err != nil {
		return nil, err
	}
	f, err := newTemp(c.tmp) // better now than at the first request
	if err != nil {
		return nil, err
	}
	return s, f.Close()
}

func (s *service) load() error {
	set, err := trust.Load(&s.cfg.Files)
	if err != nil {
		return err
	}
	state := &trustState{options: set.Options(), next: set.NextUpdate(), loaded: time.Now()}
	s.trusted.Store(state)
	if !state.next.IsZero() && time.Now().After(state.next) {
		s.log.Warn("a revocation list has expired: answers will be INDETERMINATE", "next_update", state.next)
	}
	return nil
}

// reload reads the trust files again. Requests in work keep what they began with.
func (s *service) reload() {
	if err := s.load(); err != nil {
		s.figures.reloadFailed.Add(1)
		s.log.Error("trust files not read again: the ones in use stay", "error", err.Error())
		return
	}
	s.log.Info("trust files read again", "next_update", s.trusted.Load().next)
}

func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	for _, route := range []struct {
		pattern string
		do      func(*call) error
	}{
		{"POST /verify", s.verifyDocument}, {"POST /seal", s.verifySeal},
		{"GET /healthz", s.health}, {"GET /readyz", s.ready}, {"GET /metrics", s.metrics}, {"GET /openapi.json", s.describe},
	} {
		mux.Handle(route.pattern, s.handle(route.pattern, route.do))
	}
	return s.orProblem(mux)
}

// A call is one request with what is known about it for the log.
type call struct {
	http.ResponseWriter
	req        *http.Request
	status     int
	bytes      int64 // of the body that were read
	indication verify.Indication
}

// WriteHeader implements http.ResponseWriter and remembers the status.
func (c *call) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController find the connection.
func (c *call) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// handle runs a handler, answers its error, and counts and logs the request. Only
// what the service knows by itself is logged: no path, name or header of a client.
func (s *service) handle(route string, do func(*call) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		c := &call{ResponseWriter: w, req: r}
		c.Header().Set("X-Content-Type-Options", "nosniff")
		c.Header().Set("Cache-Control", "no-store")
		_ = http.NewResponseController(c).SetWriteDeadline(time.Time{}) // that of the answer before on this connection
		err := do(c)
		if err != nil {
			s.answerError(c, err)
		}
		took := time.Since(begun)
		s.figures.request(route, c.status, c.indication, c.bytes, took)
		level := slog.LevelInfo
		if r.Method == http.MethodGet {
			level = slog.LevelDebug
		}
		attributes := []any{"route", route, "status", c.status, "bytes", c.bytes, "seconds", took.Seconds(), "client", client(r)}
		if c.indication != "" {
			attributes = append(attributes, "indication", string(c.indication))
		}
		if err != nil {
			attributes = append(attributes, "error", plain(err.Error()))
		}
		s.log.Log(r.Context(), level, "request", attributes...)
	})
}

// client is the address of the peer, which the connection and not the peer tells.
func client(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}

// orProblem answers what no route takes in the way of all other errors.
func (s *service) orProblem(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		s.handle("other", func(c *call) error {
			probe := &statusProbe{header: http.Header{}}
			mux.ServeHTTP(probe, r)
			if allow := probe.header.Get("Allow"); allow != "" {
				c.Header().Set("Allow", allow)
			}
			return &problem{status: max(probe.status, http.StatusBadRequest), detail: "openapi.json says what there is"}
		}).ServeHTTP(w, r)
	})
}

// A statusProbe finds out what the mux would answer.
type statusProbe struct {
	header http.Header
	status int
}

func (p *statusProbe) Header() http.Header         { return p.header }
func (p *statusProbe) Write(b []byte) (int, error) { return len(b), nil }
func (p *statusProbe) WriteHeader(status int)      { p.status = status }

func (s *service) health(c *call) error {
	return answer(c, http.StatusOK, map[string]string{"status": "ok"})
}

// ready says whether requests should be sent here.
func (s *service) ready(c *call) error {
	if s.draining.Load() {
		return &problem{status: http.StatusServiceUnavailable, detail: "the service is ending"}
	}
	f, err := newTemp(s.cfg.tmp)
	if err != nil {
		return &problem{status: http.StatusServiceUnavailable, detail: "no temporary file can be made", cause: err}
	}
	f.Close()
	state := s.trusted.Load()
	body := map[string]any{"status": "ready", "trust_loaded": state.loaded.UTC()}
	if !state.next.IsZero() {
		body["crl_next_update"], body["crl_expired"] = state.next.UTC(), time.Now().After(state.next)
	}
	return answer(c, http.StatusOK, body)
}

func (s *service) describe(c *call) error {
	return send(c, http.StatusOK, "application/json", openAPI)
}

// answer writes JSON.
func answer(c *call, status int, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	kind := "application/json"
	if _, bad := body.(*problemBody); bad {
		kind = "application/problem+json"
	}
	return send(c, status, kind, append(b, '\n'))
}

// send writes an answer. An error of writing is the client's.
func send(c *call, status int, kind string, b []byte) error {
	if err := http.NewResponseController(c).SetWriteDeadline(time.Now().Add(answerTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if c.req.ContentLength != 0 && c.bytes == 0 { // a body that no handler read; the server would wait for it
		_ = http.NewResponseController(c).SetReadDeadline(time.Now().Add(lingerTime))
		c.Header().Set("Connection", "close")
	}
	c.Header().Set("Content-Type", kind)
	c.WriteHeader(status)
	_, err := c.Write(b)
	return err
}

// take waits for a place until the context ends.
func take(ctx context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// isTooSlow tells whether a deadline of the connection has passed.
func isTooSlow(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
