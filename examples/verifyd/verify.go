package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/seed-574216e4/meterai/verify"
	"github.com/seed-574216e4/meterai/verify/scan"
)

// begin takes a place for an upload, or refuses at once: a body that is not read
// costs nothing.
func (s *service) begin() (end func(), err error) {
	if s.draining.Load() {
		return nil, &problem{status: http.StatusServiceUnavailable, detail: "the service is ending"}
	}
	select {
	case s.uploads <- struct{}{}:
		return func() { <-s.uploads }, nil
	default:
		s.figures.refused.Add(1)
		return nil, &problem{status: http.StatusServiceUnavailable, detail: "too many requests at a time"}
	}
}

// turn waits for a free processor and bounds the time of what is done then.
func (s *service) turn(ctx context.Context) (context.Context, func(), error) {
	waiting, cancel := context.WithTimeout(ctx, waitForTurn)
	defer cancel()
	if err := take(waiting, s.turns); err != nil {
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		s.figures.refused.Add(1)
		return nil, nil, &problem{status: http.StatusServiceUnavailable, detail: "too many verifications at a time"}
	}
	working, stop := context.WithTimeout(ctx, s.cfg.timeout)
	return working, func() { stop(); <-s.turns }, nil
}

// options are those of the service with what the request may choose.
func (s *service) options(c *call) (*verify.Options, error) {
	opt := *s.trusted.Load().options
	query := c.req.URL.Query()
	if v := query.Get("integrity_only"); v != "" {
		only, err := strconv.ParseBool(v)
		if err != nil {
			return nil, &problem{status: http.StatusBadRequest, detail: "integrity_only is true or false"}
		}
		opt.IntegrityOnly = only
	}
	if v := query.Get("time"); v != "" {
		at, err := time.Parse(time.RFC3339, v)
		if err != nil {
			return nil, &problem{status: http.StatusBadRequest, detail: "time is a time such as 2026-01-31T12:00:00Z"}
		}
		opt.Time = at
	}
	return &opt, nil
}

// documentAnswer is a report, with that of the printed seal when one was sent too.
type documentAnswer struct {
	*verify.Report
	Seal *verify.SealReport `json:"seal,omitempty"`
}

func (s *service) verifyDocument(c *call) error {
	end, err := s.begin()
	if err != nil {
		return err
	}
	defer end()
	opt, err := s.options(c)
	if err != nil {
		return err
	}
	file, err := newTemp(s.cfg.tmp)
	if err != nil {
		return err
	}
	defer file.Close()
	var size int64
	f, err := readForm(c, s.cfg.size, func(r io.Reader) error {
		size, err = io.Copy(file.File, r)
		return err
	})
	if err != nil {
		return err
	}
	ctx, done, err := s.turn(c.req.Context())
	if err != nil {
		return err
	}
	defer done()
	opt.Password = f.password
	a := &documentAnswer{}
	if a.Report, err = verify.Document(ctx, file.File, size, opt); err != nil {
		return err
	}
	a.File = plain(f.name)
	if f.seal != "" {
		if a.Seal, err = verify.SealForDocument(ctx, f.seal, file.File, size, opt); err != nil {
			return err
		}
	}
	c.indication = a.Indication
	return answer(c, http.StatusOK, a)
}

// verifySeal takes the text of a seal, or a picture of one.
func (s *service) verifySeal(c *call) error {
	end, err := s.begin()
	if err != nil {
		return err
	}
	defer end()
	opt, err := s.options(c)
	if err != nil {
		return err
	}
	file, err := newTemp(s.cfg.tmp)
	if err != nil {
		return err
	}
	defer file.Close()
	f, err := readForm(c, maxImage, file.keepSeal)
	if err != nil {
		return err
	}
	ctx, done, err := s.turn(c.req.Context())
	if err != nil {
		return err
	}
	defer done()
	text := f.seal
	if text == "" {
		if text, err = file.sealText(ctx); err != nil {
			return err
		}
	}
	report, err := verify.Seal(text, opt)
	if err != nil {
		return err
	}
	c.indication = report.Indication
	return answer(c, http.StatusOK, report)
}

// keepSeal keeps a text or a picture; the text of a seal is short.
func (t *temp) keepSeal(r io.Reader) error {
	if _, err := io.CopyN(t.File, r, maxSealText+1); err != nil {
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	first, err := t.head()
	if err != nil {
		return err
	}
	if !isImage(first) {
		return &problem{status: http.StatusRequestEntityTooLarge, detail: "too long for the text of a seal, and no PNG or JPEG picture"}
	}
	_, err = io.Copy(t.File, r)
	return err
}

// head gives the first bytes, as many as a text may have.
func (t *temp) head() ([]byte, error) {
	return io.ReadAll(io.NewSectionReader(t.File, 0, maxSealText))
}

// sealText gives the text that is there, or the first one of the picture.
func (t *temp) sealText(ctx context.Context) (string, error) {
	first, err := t.head()
	if err != nil || !isImage(first) {
		return string(first), err
	}
	texts, err := scan.Seals(ctx, io.NewSectionReader(t.File, 0, maxImage), &scan.Options{MaxPixels: maxPixels, MaxBytes: maxImage})
	var size *scan.SizeError
	var format *scan.FormatError
	switch {
	case errors.As(err, &size):
		return "", &problem{status: http.StatusRequestEntityTooLarge, detail: "the picture has too many pixels", cause: err}
	case errors.As(err, &format):
		return "", &problem{status: http.StatusUnsupportedMediaType, detail: "the picture is no PNG or JPEG that can be read", cause: err}
	case err != nil:
		return "", err
	case len(texts) == 0:
		return "", &problem{status: http.StatusUnprocessableEntity, detail: "no QR symbol was found in the picture"}
	}
	return texts[0], nil
}
