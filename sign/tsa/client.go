package tsa

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// Timestamper gets timestamp tokens. Implementations are safe for concurrent use,
// stop when ctx is done, and return a token over exactly this digest, which was
// made with hash. Whoever embeds a token checks it with [Parse] and
// [Token.Covers] nevertheless. An error is [ErrRetry] when the same call may
// succeed later.
type Timestamper interface {
	Timestamp(ctx context.Context, hash crypto.Hash, digest []byte) (*Token, error)
}

// Sizer is what a Timestamper may have in addition: the room in bytes that its
// next token needs, as far as can be known. Without it, [DefaultSize] is a guess.
type Sizer interface {
	MaxSize() int
}

// MaxSize is the room in bytes that a token of ts is expected to need.
func MaxSize(ts Timestamper) int {
	if s, ok := ts.(Sizer); ok {
		return s.MaxSize()
	}
	return DefaultSize
}

// Server is one timestamp authority.
type Server struct {
	// URL is http or https, without user information. What follows its path is
	// never shown.
	URL string
	// Username and Password are sent by basic authentication (RFC 7617) when
	// either is not empty.
	Username, Password string
	// PasswordInClear lets them travel over http, where everybody on the way reads
	// them.
	PasswordInClear bool
	// Timeout bounds one request, connecting and reading the answer included.
	// Zero: 15 seconds.
	Timeout time.Duration
}

// Options of a [Client].
type Options struct {
	// HTTP sends the requests. It must be given: nothing goes to the network
	// otherwise. The Client works on a copy that follows no redirects.
	HTTP *http.Client
	// Servers are tried in this order until one gives a good token; at least one,
	// at most 16.
	Servers []Server
	// Policy is the policy to ask for and to insist on. Nil: the authority's own.
	Policy asn1.ObjectIdentifier
	// Roots are the anchors that an authority's certificate must chain to at the
	// token's time. Nil: the path is not checked.
	Roots *x509.CertPool
	// Intermediates help to build the path beside the certificates in the token.
	Intermediates []*x509.Certificate
	// Tolerance is how far an authority's clock may differ from the local one,
	// the stated accuracy aside, which must itself be no worse. Zero: 5 minutes.
	Tolerance time.Duration
	// MaxResponse bounds an answer in bytes. Zero: 1 MiB.
	MaxResponse int
	// Size is the room for a token in bytes as long as a server has not sent any.
	// Zero: DefaultSize.
	Size int
	// Rest is how long a server that failed with ErrRetry is tried after all the
	// others; what it asks for itself counts when longer, up to an hour.
	// Zero: 30 seconds.
	Rest time.Duration
	// Now is the clock. Nil: the system's.
	Now func() time.Time
	// Logger is told of servers that failed while others were left. Nil: nobody.
	Logger *slog.Logger
}

// Client asks timestamp authorities over HTTP. It is safe for concurrent use.
type Client struct {
	opt     Options
	servers []*server
}

// server is one authority and what is remembered of it.
type server struct {
	Server
	name    string       // what errors call it
	resting atomic.Int64 // Unix time in nanoseconds until which others come first
	largest atomic.Int64 // bytes of the largest token seen
	path    atomic.Pointer[path]
}

// New checks the options. It needs an HTTP client and servers, and contacts nobody.
func New(opt *Options) (*Client, error) {
	c := new(Client)
	if opt != nil {
		c.opt = *opt
	}
	if c.opt.HTTP == nil {
		return nil, errors.New("tsa: an HTTP client is needed")
	}
	if n := len(c.opt.Servers); n == 0 || n > maxServers {
		return nil, fmt.Errorf("tsa: %d servers; 1 to %d are needed", n, maxServers)
	}
	for i, s := range c.opt.Servers {
		known, err := newServer(s)
		if err != nil {
			return nil, fmt.Errorf("tsa: server %d: %w", i+1, err)
		}
		c.servers = append(c.servers, known)
	}
	hc := *c.opt.HTTP
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.opt.HTTP = &hc
	c.opt.setDefaults()
	return c, nil
}

func (o *Options) setDefaults() {
	o.Tolerance = positive(o.Tolerance, defaultTolerance)
	o.Rest = positive(o.Rest, defaultRest)
	o.MaxResponse = positive(o.MaxResponse, defaultMaxResponse)
	o.Size = positive(o.Size, DefaultSize)
	if o.Now == nil {
		o.Now = time.Now
	}
}

func positive[T int | time.Duration](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}

// newServer checks an address. Its errors do not quote it: it may hold secrets.
func newServer(s Server) (*server, error) {
	u, err := url.Parse(s.URL)
	switch {
	case err != nil:
		return nil, errors.New("the address is no URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("the address is neither http nor https")
	case u.Host == "":
		return nil, errors.New("the address names no host")
	case u.User != nil:
		return nil, errors.New("the address holds user information; set Username and Password")
	case s.authenticated() && u.Scheme == "http" && !s.PasswordInClear:
		return nil, errors.New("the password would travel in clear over http; see Server.PasswordInClear")
	}
	s.Timeout = positive(s.Timeout, defaultTimeout)
	name := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	return &server{Server: s, name: name.String()}, nil
}

func (s *Server) authenticated() bool { return s.Username != "" || s.Password != "" }

// Timestamp gets a token over digest, which was made with SHA-256, SHA-384 or
// SHA-512, from the first server that gives a good one; each is asked at most
// once. With one server the error is a *[TransportError], *[HTTPError],
// *[StatusError] or *[TokenError], with several a *[FailoverError] of these. When
// ctx is done the error is also ctx's.
func (c *Client) Timestamp(ctx context.Context, hash crypto.Hash, digest []byte) (*Token, error) {
	req, err := newRequest(hash, digest, c.opt.Policy)
	if err != nil {
		return nil, err
	}
	order := c.order()
	tries := make([]func() (*Token, error), len(order))
	for i, s := range order {
		tries[i] = func() (*Token, error) {
			t, err := c.ask(ctx, s, req)
			c.remember(s, t, err)
			return t, err
		}
	}
	return failover(ctx, c.opt.Logger, tries)
}

// order has the servers that are not resting first.
func (c *Client) order() []*server {
	now := c.opt.Now().UnixNano()
	list, tired := make([]*server, 0, len(c.servers)), []*server(nil)
	for _, s := range c.servers {
		if s.resting.Load() > now {
			tired = append(tired, s)
		} else {
			list = append(list, s)
		}
	}
	return append(list, tired...)
}

// remember notes the size of a token, or that the server needs a rest.
func (c *Client) remember(s *server, t *Token, err error) {
	if err == nil {
		s.resting.Store(0)
		s.saw(len(t.Raw))
		return
	}
	if !errors.Is(err, ErrRetry) || errors.Is(err, context.Canceled) {
		return
	}
	rest := c.opt.Rest
	var status *HTTPError
	if errors.As(err, &status) {
		rest = max(rest, min(status.RetryAfter, maxRest))
	}
	s.resting.Store(c.opt.Now().Add(rest).UnixNano())
}

func (s *server) saw(size int) {
	for {
		old := s.largest.Load()
		if int64(size) <= old || s.largest.CompareAndSwap(old, int64(size)) {
			return
		}
	}
}

// MaxSize is the room in bytes that the next token is expected to need: for each
// server the largest token it has sent so far and a margin, or Options.Size when
// it has sent none, and of these the largest.
func (c *Client) MaxSize() int {
	size := 0
	for _, s := range c.servers {
		need := c.opt.Size
		if seen := int(s.largest.Load()); seen > 0 {
			need = (seen + sizeMargin + sizeStep - 1) / sizeStep * sizeStep
		}
		size = max(size, need)
	}
	return size
}
