package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/seed-574216e4/meterai/sign/remote"
)

// A Client calls a service after the API of the Cloud Signature Consortium, version 2
// (CSC API 2.0) or 1.0.4, whichever the service has. It is safe for concurrent use.
type Client struct {
	base   string
	http   *http.Client
	token  func(ctx context.Context) (string, error)
	second bool // version 2
	info   Info
}

// Info is what a service says of itself (CSC API 2.0, 11.1).
type Info struct {
	Specs   string   `json:"specs"`
	Name    string   `json:"name"`
	Methods []string `json:"methods"`
}

// Dial asks the service what it is. base is its address up to the version, such as
// https://signing.example/csc/v2. token gives the access token for each call; nil: the
// service wants none. Plain HTTP is for this machine only, since tokens travel by it.
func Dial(ctx context.Context, base string, client *http.Client, token func(ctx context.Context) (string, error)) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("csc: the address is none of a service")
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && local(u.Hostname())) {
		return nil, errors.New("csc: the address must begin with https://")
	}
	bare := *client
	// What a redirect leads to is nobody who shall get a token.
	bare.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c := &Client{base: strings.TrimSuffix(base, "/"), http: &bare, token: token}
	if err := c.call(ctx, "info", struct{}{}, &c.info); err != nil {
		return nil, err
	}
	switch {
	case strings.HasPrefix(c.info.Specs, "2."):
		c.second = true
	case strings.HasPrefix(c.info.Specs, "1."):
	default:
		return nil, fmt.Errorf("csc: version %q of the API is not known", shown(c.info.Specs))
	}
	return c, nil
}

func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Info is what the service said of itself.
func (c *Client) Info() Info { return c.info }

// List gives the identifiers of all credentials (CSC API 2.0, 11.4).
func (c *Client) List(ctx context.Context) ([]string, error) {
	var all []string
	var page struct {
		CredentialIDs []string `json:"credentialIDs"`
		NextPageToken string   `json:"nextPageToken"`
	}
	for range maxPages {
		in := map[string]any{}
		if page.NextPageToken != "" {
			in["pageToken"] = page.NextPageToken
		}
		page.CredentialIDs, page.NextPageToken = nil, ""
		if err := c.call(ctx, "credentials/list", in, &page); err != nil {
			return nil, err
		}
		if all = append(all, page.CredentialIDs...); len(all) > maxCredentials {
			return nil, fmt.Errorf("csc: more than %d credentials", maxCredentials)
		}
		if page.NextPageToken == "" {
			return all, nil
		}
	}
	return nil, fmt.Errorf("csc: more than %d pages of credentials", maxPages)
}

// A statusError is an answer that is none (CSC API 2.0, 10.1).
type statusError struct {
	Code        int    `json:"-"`
	Name        string `json:"error"`
	Description string `json:"error_description"`
}

func (e *statusError) Error() string {
	s := fmt.Sprintf("csc: HTTP status %d", e.Code)
	if e.Name != "" {
		s += ": " + shown(e.Name)
	}
	if e.Description != "" {
		s += ": " + shown(e.Description)
	}
	return s
}

// call makes one request. An error is of a kind that package remote knows: what the
// service refuses is remote.ErrRefused, too many requests a *remote.BusyError, and
// everything else may be tried again.
func (c *Client) call(ctx context.Context, method string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/"+method, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if c.token != nil {
		token, err := c.token(ctx)
		if err != nil {
			return fmt.Errorf("csc: access token: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("csc: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("csc: %s: %w", method, err)
	case len(answer) > maxAnswer:
		return fmt.Errorf("csc: %s: the answer has more than %d bytes", method, maxAnswer)
	case res.StatusCode != http.StatusOK:
		return refusal(res, answer)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("csc: %s: the answer is not what it should be: %s", method, shown(err.Error()))
	}
	return nil
}

// refusal says what a status other than 200 means.
func refusal(res *http.Response, answer []byte) error {
	e := &statusError{Code: res.StatusCode}
	if json.Unmarshal(answer, e) != nil {
		e.Name, e.Description = "", ""
	}
	switch code := res.StatusCode; {
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable:
		busy := &remote.BusyError{Err: e}
		if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s > 0 {
			busy.After = time.Duration(min(s, 3600)) * time.Second
		}
		return busy
	case code == http.StatusRequestTimeout, code >= 500 && code != http.StatusNotImplemented:
		return e
	}
	return fmt.Errorf("%w: %w", remote.ErrRefused, e)
}

// shown makes words of the service harmless and short.
func shown(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s[:min(len(s), maxText)])
	return s
}
