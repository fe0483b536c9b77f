package main

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"time"
)

// A temp is a temporary file that goes away with Close, or with the process.
type temp struct {
	*os.File
	named bool
}

// newTemp makes one. Where the system allows it the name is removed at once, so
// that not even a crash leaves a document behind.
func newTemp(dir string) (*temp, error) {
	f, err := os.CreateTemp(dir, "verifyd-*")
	if err != nil {
		return nil, err
	}
	return &temp{File: f, named: os.Remove(f.Name()) != nil}, nil
}

// Close closes and removes the file.
func (t *temp) Close() error {
	err := t.File.Close()
	if t.named {
		err = errors.Join(err, os.Remove(t.Name()))
	}
	return err
}

// A body reads a request within its limits: at most limit bytes, and not slower
// than the least rate.
type body struct {
	c      *call
	r      io.Reader
	begun  time.Time
	extend func(time.Time) error // sets the deadline of reading
}

func newBody(c *call, limit int64) *body {
	return &body{
		c: c, r: http.MaxBytesReader(c.ResponseWriter, c.req.Body, limit), begun: time.Now(),
		extend: http.NewResponseController(c).SetReadDeadline,
	}
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	until := b.begun.Add(graceTime + time.Duration(b.c.bytes)*time.Second/minRate)
	if err := b.extend(until); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	n, err := b.r.Read(p)
	b.c.bytes += int64(n)
	if errors.Is(err, io.EOF) {
		// The server goes on reading, to learn whether the client leaves: that may
		// take as long as the verification. After any other error it may wait for
		// the rest of the body, so the deadline stays.
		_ = b.extend(time.Time{})
	}
	return n, err
}

// A headReader gives a reader of multipart bodies little while it looks for a part.
type headReader struct {
	r      io.Reader
	inHead bool
	left   int // bytes of the head that may still come
}

func (h *headReader) begin() { h.inHead, h.left = true, maxPartHead }

// Read implements io.Reader.
func (h *headReader) Read(p []byte) (int, error) {
	if !h.inHead {
		return h.r.Read(p)
	}
	if h.left == 0 {
		return 0, &problem{status: http.StatusBadRequest, detail: "the head of a part is too long"}
	}
	n, err := h.r.Read(p[:min(len(p), h.left)])
	h.left -= n
	return n, err
}

// A form is what came with a request.
type form struct {
	name           string
	password, seal string
}

// readForm reads the request and hands each file to keep. A raw body is a file; a
// multipart one has at most one part "file", and texts.
func readForm(c *call, limit int64, keep func(io.Reader) error) (*form, error) {
	if c.req.ContentLength > limit {
		return nil, &problem{status: http.StatusRequestEntityTooLarge, detail: "the document is larger than this service takes"}
	}
	f := &form{}
	b := newBody(c, limit)
	contentType := c.req.Header.Get("Content-Type")
	kind, parameters, err := mime.ParseMediaType(contentType)
	if err != nil && contentType != "" {
		return nil, &problem{status: http.StatusUnsupportedMediaType, detail: "the Content-Type is not one"}
	}
	if kind != "multipart/form-data" {
		return f, keep(b)
	}
	heads := &headReader{r: b}
	reader := multipart.NewReader(heads, parameters["boundary"])
	seen := false
	for n := 0; ; n++ {
		heads.begin()
		part, err := reader.NextRawPart()
		heads.inHead = false
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, multipartError(err)
		}
		if n == maxParts {
			return nil, &problem{status: http.StatusBadRequest, detail: "the form has too many parts"}
		}
		if err := f.part(part, &seen, keep); err != nil {
			return nil, multipartError(err)
		}
	}
	if !seen && f.seal == "" {
		return nil, &problem{status: http.StatusBadRequest, detail: `the form has no part "file"`}
	}
	return f, nil
}

func (f *form) part(part *multipart.Part, seen *bool, keep func(io.Reader) error) error {
	switch part.FormName() {
	case "file":
		if *seen {
			return &problem{status: http.StatusBadRequest, detail: `the form has more than one part "file"`}
		}
		*seen = true
		f.name = part.FileName()
		return keep(part)
	case "password":
		return readText(part, &f.password)
	case "seal":
		return readText(part, &f.seal)
	}
	return &problem{status: http.StatusBadRequest, detail: `a form has the parts "file", "password" and "seal"`}
}

func readText(r io.Reader, into *string) error {
	b, err := io.ReadAll(io.LimitReader(r, maxPart+1))
	if err == nil && len(b) > maxPart {
		err = &problem{status: http.StatusBadRequest, detail: "a text of the form is too long"}
	}
	*into = string(b)
	return err
}

// multipartError tells what the client did wrong from what went wrong on the way.
func multipartError(err error) error {
	var p *problem
	var large *http.MaxBytesError
	if errors.As(err, &p) || errors.As(err, &large) || isTooSlow(err) || errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	var path *os.PathError
	if errors.As(err, &path) { // the temporary file's
		return err
	}
	return &problem{status: http.StatusBadRequest, detail: "the form is damaged", cause: err}
}

// isImage tells pictures from texts by what they begin with, not by what they say.
func isImage(b []byte) bool {
	return strings.HasPrefix(http.DetectContentType(b), "image/")
}
