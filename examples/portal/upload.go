package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"math"
	"mime/multipart"
	"net/http"
	"os"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign"
)

// listed is how many documents the first page shows; the history has the rest.
const listed = 20

func (a *app) showDocuments(w http.ResponseWriter, r *http.Request, v *visit) {
	a.renderDocuments(w, v, http.StatusOK)
}

func (a *app) renderDocuments(w http.ResponseWriter, v *visit, status int) {
	lines, err := a.lines(v, listed)
	if err != nil {
		a.fail(w, v, "documents", err)
		return
	}
	a.render(w, v, status, "documents", struct {
		Lines []line
		Max   int64
	}{lines, a.config.Limits.Upload})
}

// upload takes a PDF, streams it to the disk and refuses at once whatever can
// be refused, before there is a unit to lose.
func (a *app) upload(w http.ResponseWriter, r *http.Request, v *visit) {
	if !a.mayPost(w, r, v) {
		return
	}
	if !a.uploads.take(v.Account) {
		a.tooMany(w, v, 5*time.Second)
		return
	}
	defer a.uploads.give(v.Account)
	size := r.ContentLength
	if most := a.config.Limits.Upload + maxForm; size < 0 || size > most {
		size = most
	}
	coming := a.documents.coming.Add(size)
	defer a.documents.coming.Add(-size)
	if a.documents.bytes.Load()+coming > a.config.Limits.Stored {
		w.Header().Set("Retry-After", "600")
		a.refuse(w, v, http.StatusServiceUnavailable, "upload.disk")
		return
	}
	longer(w)
	body := &pacedBody{ReadCloser: r.Body, begun: time.Now(), extend: http.NewResponseController(w).SetReadDeadline}
	r.Body = http.MaxBytesReader(w, body, a.config.Limits.Upload+maxForm)
	d, err := a.receive(r, v)
	if err != nil {
		// A browser that is still sending would not read the answer.
		_, _ = io.CopyN(io.Discard, body, a.config.Limits.Upload)
		a.refuseUpload(w, v, err)
		return
	}
	http.Redirect(w, r, "/documents/"+d.ID, http.StatusSeeOther)
}

// longer gives a request the time that an upload or a download takes.
func longer(w http.ResponseWriter) {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Now().Add(uploadTime)) // a writer without deadlines is a test's
	_ = c.SetWriteDeadline(time.Now().Add(uploadTime + requestTime))
}

var (
	errToken  = errors.New("form without a good token")
	errForm   = errors.New("form that is not the page's")
	errInWork = errors.New("all documents of the account are in work")
)

// receive reads the form of an upload: the token first, so that nothing is kept
// of a forged one, then the file.
func (a *app) receive(r *http.Request, v *visit) (*document, error) {
	heads := &headBody{ReadCloser: r.Body}
	r.Body = heads
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, errForm
	}
	token, err := heads.part(parts, "csrf")
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(token, 256))
	if err != nil || !sameText(string(text), v.CSRF) {
		return nil, errToken
	}
	file, err := heads.part(parts, "file")
	if err != nil {
		return nil, err
	}
	if err := a.makeRoom(r.Context(), v.Account); err != nil {
		return nil, err
	}
	d := &document{ID: rand.Text(), Account: v.Account, Name: fileName(file.FileName()), Uploaded: a.now().UTC(), Key: rand.Text()}
	if d.Size, err = a.documents.receive(v.Account, d.ID, file); err != nil {
		return nil, err
	}
	if err = a.look(r.Context(), func() error { return a.preflight(d) }); err == nil {
		err = writeRecord(a.documents.record(v.Account, d.ID), d)
	}
	if err != nil {
		return nil, errors.Join(err, a.documents.removeSource(v.Account, d.ID))
	}
	return d, nil
}

// part gives the next part of a form, which has to have that name.
func (b *headBody) part(r *multipart.Reader, name string) (*multipart.Part, error) {
	b.inHead, b.left = true, maxPartHead
	p, err := r.NextPart()
	b.inHead = false
	if err != nil {
		return nil, errors.Join(errForm, err)
	}
	if p.FormName() != name {
		return nil, errForm
	}
	return p, nil
}

// look waits for a place before a document is looked at: what a hostile one
// takes in memory is taken so many times at most.
func (a *app) look(ctx context.Context, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime/2)
	defer cancel()
	select {
	case a.looks <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-a.looks }()
	return do()
}

// preflight refuses a document that cannot be stamped, and notes its pages.
func (a *app) preflight(d *document) error {
	f, err := os.Open(a.documents.source(d.Account, d.ID))
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := sign.Open(f, d.Size, a.options(nil)); err != nil {
		return err
	}
	file, err := pdf.Open(f, d.Size, nil)
	if err != nil {
		return err
	}
	if d.Pages, err = file.PageCount(); err != nil {
		return err
	}
	last, err := file.Page(-1)
	if err != nil {
		return err
	}
	width, _ := last.Size()
	d.Default = place{Page: d.Pages, X: math.Round(max(0, width*last.UserUnit-a.issuer.width-36)), Y: 36}
	return nil
}

// options are how a document is stamped: without a place, in the corner where
// stamps stand by custom.
func (a *app) options(p *place) *sign.Options {
	opt := &sign.Options{Stamp: a.issuer.stamp}
	if p != nil {
		opt.Page, opt.At = p.Page, &sign.Point{X: p.X, Y: p.Y}
	}
	return opt
}

// makeRoom removes the oldest documents that an account has too many of.
func (a *app) makeRoom(ctx context.Context, account string) error {
	all, err := a.documents.list(account)
	if err != nil {
		return err
	}
	unstamped := 0
	for _, d := range all {
		if d.Serial.IsZero() {
			unstamped++
		}
	}
	total := len(all)
	for n := len(all) - 1; n >= 0 && (unstamped >= a.config.Limits.Waiting || total >= a.config.Limits.Records); n-- {
		d := all[n]
		fresh := d.Serial.IsZero()
		if (!fresh && total < a.config.Limits.Records) || !a.idle(ctx, d) {
			continue
		}
		if err := a.documents.remove(account, d.ID); err != nil {
			return err
		}
		if total--; fresh {
			unstamped--
		}
	}
	if unstamped >= a.config.Limits.Waiting {
		return errInWork
	}
	return nil
}

// fileName makes what a browser sends fit to be shown and sent back.
func fileName(sent string) string {
	name := path.Base(strings.ReplaceAll(sent, `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, name)
	for len(name) > maxFileName {
		_, n := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-n]
	}
	if strings.Trim(name, "./ ") == "" {
		return "document.pdf"
	}
	return name
}

// refuseUpload shows the page again, with what is wrong and what to do.
func (a *app) refuseUpload(w http.ResponseWriter, v *visit, err error) {
	status, key := http.StatusUnprocessableEntity, ""
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, errToken):
		a.refuse(w, v, http.StatusForbidden, "error.csrf")
		return
	case errors.As(err, &tooLarge):
		v.Error = v.T("upload.large", a.config.Limits.Upload>>20)
		a.renderDocuments(w, v, http.StatusRequestEntityTooLarge)
		return
	case errors.Is(err, context.DeadlineExceeded): // found no place to be looked at
		a.tooMany(w, v, 5*time.Second)
		return
	case errors.Is(err, os.ErrDeadlineExceeded):
		status, key = http.StatusRequestTimeout, "upload.form"
	case errors.Is(err, errForm), errors.Is(err, io.ErrUnexpectedEOF):
		status, key = http.StatusBadRequest, "upload.form"
	case errors.Is(err, errInWork):
		status, key = http.StatusTooManyRequests, "upload.inwork"
	default:
		if key = refusal(err); key == "" {
			a.fail(w, v, "upload", err)
			return
		}
	}
	v.Error = v.T(key)
	a.renderDocuments(w, v, status)
}

// refusal gives the message for a document that cannot be stamped, "" for an
// error that is not the document's.
func refusal(err error) string {
	var access *sign.AccessError
	var unsupported *pdf.UnsupportedError
	var limit *pdf.LimitError
	var page *pdf.PageRangeError
	var spot *sign.PlacementError
	switch {
	case errors.Is(err, pdf.ErrNotPDF):
		return "upload.notpdf"
	case errors.Is(err, pdf.ErrEncrypted):
		return "upload.encrypted"
	case errors.As(err, &access):
		return "upload.access"
	case errors.As(err, &unsupported):
		return "upload.unsupported"
	case errors.As(err, &limit):
		return "upload.limits"
	case errors.Is(err, pdf.ErrDamaged):
		return "upload.damaged"
	case errors.Is(err, sign.ErrCertified):
		return "upload.certified"
	case errors.Is(err, sign.ErrAmbiguous):
		return "upload.ambiguous"
	case errors.As(err, &page):
		return "stamp.nopage"
	case errors.As(err, &spot):
		return "stamp.outside"
	}
	return ""
}

// sendSource gives the upload back to its owner, for the preview.
func (a *app) sendSource(w http.ResponseWriter, r *http.Request, v *visit) {
	d, err := a.documents.get(v.Account, r.PathValue("id"))
	if err != nil {
		a.lost(w, v, err)
		return
	}
	f, err := os.Open(a.documents.source(v.Account, d.ID))
	if err != nil {
		a.lost(w, v, err)
		return
	}
	defer f.Close()
	longer(w)
	w.Header().Set("Content-Type", "application/pdf")
	w.Header().Set("Content-Disposition", "attachment")
	http.ServeContent(w, r, "", d.Uploaded, f)
}

// lost answers for a document that is not there, or is another account's.
func (a *app) lost(w http.ResponseWriter, v *visit, err error) {
	if errors.Is(err, os.ErrNotExist) {
		a.refuse(w, v, http.StatusNotFound, "error.notfound")
		return
	}
	a.fail(w, v, "document", err)
}

// removeDocument forgets an upload on its owner's wish.
func (a *app) removeDocument(w http.ResponseWriter, r *http.Request, v *visit) {
	d, err := a.documents.get(v.Account, r.PathValue("id"))
	if err != nil {
		a.lost(w, v, err)
		return
	}
	if !a.idle(r.Context(), d) {
		http.Redirect(w, r, "/documents/"+d.ID, http.StatusSeeOther)
		return
	}
	if err := a.documents.remove(v.Account, d.ID); err != nil {
		a.fail(w, v, "remove", err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
