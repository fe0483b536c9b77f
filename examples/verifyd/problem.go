package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode"
)

// A problem is an answer that is no report (RFC 9457).
type problem struct {
	status int
	detail string // for the client
	cause  error  // for the log alone; may be nil
}

func (p *problem) Error() string {
	if p.cause != nil {
		return p.detail + ": " + p.cause.Error()
	}
	return p.detail
}

func (p *problem) Unwrap() error { return p.cause }

// problemBody is its JSON (RFC 9457, 3.1).
type problemBody struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// asProblem gives any error of a handler its status.
func asProblem(err error) *problem {
	var p *problem
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &large):
		return &problem{status: http.StatusRequestEntityTooLarge, detail: "the document is larger than this service takes", cause: err}
	case isTooSlow(err):
		return &problem{status: http.StatusRequestTimeout, detail: "the request came too slowly", cause: err}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &problem{status: http.StatusBadRequest, detail: "the request ended before its announced length", cause: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &problem{status: http.StatusServiceUnavailable, detail: "the verification took too long", cause: err}
	case errors.Is(err, context.Canceled):
		return &problem{status: http.StatusServiceUnavailable, detail: "the request was given up", cause: err}
	}
	return &problem{status: http.StatusInternalServerError, detail: "the service failed; its log says why", cause: err}
}

// answerError writes an error unless the answer has begun.
func (s *service) answerError(c *call, err error) {
	if c.status != 0 {
		return
	}
	p := asProblem(err)
	if p.status == http.StatusServiceUnavailable {
		c.Header().Set("Retry-After", retryAfter)
	}
	// Whatever is left of the body is not worth reading.
	c.Header().Set("Connection", "close")
	_ = answer(c, p.status, &problemBody{Type: "about:blank", Title: http.StatusText(p.status), Status: p.status, Detail: p.detail})
}

// plain keeps text from outside on one harmless line of the log.
func plain(s string) string {
	const limit = 500
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, s)
}
