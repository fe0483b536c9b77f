package tsa

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ask makes one request to one server and checks the token.
func (c *Client) ask(ctx context.Context, s *server, req *request) (*Token, error) {
	before := c.opt.Now()
	body, err := c.exchange(ctx, s, req)
	var t *Token
	if err == nil {
		t, err = c.accept(s, req, body, before)
	}
	var wrong *TokenError
	if errors.As(err, &wrong) {
		wrong.Server = s.name
	}
	return t, err
}

// accept reads the answer and holds its token to request, policy, clock and roots.
func (c *Client) accept(s *server, req *request, body []byte, before time.Time) (*Token, error) {
	res, err := parseResponse(body)
	if err != nil {
		return nil, err
	}
	raw, err := res.tokenOf(s.name)
	if err != nil {
		return nil, err
	}
	t, err := Parse(raw)
	if err != nil {
		return nil, err
	}
	if err := req.check(t); err != nil {
		return nil, err
	}
	if err := t.checkTime(before, c.opt.Now(), c.opt.Tolerance); err != nil {
		return nil, err
	}
	if c.opt.Roots != nil && !s.path.Load().leads(t) {
		found, err := t.findPath(c.opt.Roots, c.opt.Intermediates)
		if err != nil {
			return nil, err
		}
		s.path.Store(found)
	}
	return t, nil
}

// exchange posts the request (RFC 3161, 3.4) and reads the answer, both within
// the server's time-out.
func (c *Client) exchange(ctx context.Context, s *server, req *request) ([]byte, error) {
	query, err := req.encode()
	if err != nil {
		return nil, fmt.Errorf("%w: request: %w", ErrRefused, err)
	}
	limited, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	hr, err := http.NewRequestWithContext(limited, http.MethodPost, s.URL, bytes.NewReader(query))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: the address is not usable", ErrRefused, s.name)
	}
	hr.Header.Set("Content-Type", "application/timestamp-query")
	hr.Header.Set("Accept", "application/timestamp-reply")
	hr.Header.Set("Accept-Encoding", "identity") // what is bounded is what is sent
	if s.authenticated() {
		hr.SetBasicAuth(s.Username, s.Password)
	}
	resp, err := c.opt.HTTP.Do(hr)
	if err != nil {
		return nil, s.transport(ctx, limited, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, &HTTPError{Server: s.name, Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header, c.opt.Now())}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(c.opt.MaxResponse)+1))
	if err != nil {
		return nil, s.transport(ctx, limited, err)
	}
	if len(body) > c.opt.MaxResponse {
		return nil, bad(ReasonSize, nil, "the answer is larger than %d bytes", c.opt.MaxResponse)
	}
	return body, nil
}

// transport makes the error of a request without an answer. The URL that net/http
// puts into its errors is left out, since its query may be a secret.
func (s *server) transport(ctx, limited context.Context, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case limited.Err() != nil:
		// Not the caller's deadline, so it must not look like it.
		err = fmt.Errorf("no answer within %v", s.Timeout)
	case len(err.Error()) > maxText:
		// A server's header fields may be quoted in it.
		err = errors.New(clean(err.Error()))
	}
	return &TransportError{Server: s.name, Err: err}
}

// retryAfter reads Retry-After (RFC 9110, 10.2.3): seconds or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}
