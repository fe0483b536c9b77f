package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign"
)

// standing asks the ledger where the unit of a document is that is not known to
// be stamped; the reservation is zero if none was taken. It notes a stamp that is finished, and gives the document
// another key when the unit is back: only then is another stamping meant.
// A document without a place was never pressed for, so the ledger knows nothing
// of its key.
func (a *app) standing(ctx context.Context, d *document) (serial.Reservation, error) {
	if d.Place == nil {
		return serial.Reservation{}, nil
	}
	res, err := a.issuer.ledger.LookupKey(ctx, d.Account, []byte(d.Key))
	if errors.Is(err, serial.ErrNotFound) {
		return serial.Reservation{}, nil
	}
	if err != nil {
		return res, err
	}
	switch res.State {
	case serial.Stamped:
		err = a.settle(d, res.Number, res.Time)
	case serial.Released, serial.Void:
		err = a.change(d, func(now *document) {
			if now.Key == d.Key {
				now.Key, now.Place, now.Returned = rand.Text(), nil, true
			}
		})
	}
	return res, err
}

// settle notes the serial of a stamped document, whose upload nobody needs
// any more: the ledger keeps the stamped one.
func (a *app) settle(d *document, n serial.Number, at time.Time) error {
	if err := a.change(d, func(now *document) { now.Serial, now.Stamped = n, at }); err != nil {
		return err
	}
	return a.documents.removeSource(d.Account, d.ID)
}

// change changes the record of a document and d with it.
func (a *app) change(d *document, do func(*document)) error {
	now, err := a.documents.update(d.Account, d.ID, do)
	if err == nil {
		*d = *now
	}
	return err
}

// idle reports whether nothing unfinished stands under the document's key, so
// that it can go.
func (a *app) idle(ctx context.Context, d *document) bool {
	if !d.Serial.IsZero() {
		return true
	}
	if a.work.busy(d.ID) {
		return false
	}
	res, err := a.standing(ctx, d)
	return err == nil && (res.Number.IsZero() || res.State.Final())
}

// A documentPage is the data of a document's page.
type documentPage struct {
	*document
	State         string  // "new", "held" or "stamped"
	Form          place   // what the form shows
	Width, Height float64 // of the stamp in points
	Grouped       string  // the serial as it is printed, once a unit is held
}

// showDocument shows a document where it stands: to be stamped, with a unit
// held, or stamped.
func (a *app) showDocument(w http.ResponseWriter, r *http.Request, v *visit) {
	d, err := a.documents.get(v.Account, r.PathValue("id"))
	if err != nil {
		a.lost(w, v, err)
		return
	}
	if a.work.busy(d.ID) {
		http.Redirect(w, r, "/documents/"+d.ID+"/wait", http.StatusSeeOther)
		return
	}
	a.explain(v, a.work.outcome(d.ID))
	a.renderDocument(w, v, http.StatusOK, d, nil)
}

// renderDocument shows the page; wanted is what the form had, nil for the first time.
func (a *app) renderDocument(w http.ResponseWriter, v *visit, status int, d *document, wanted *place) {
	var res serial.Reservation
	if d.Serial.IsZero() {
		var err error
		if res, err = a.standing(v.request.Context(), d); err != nil {
			a.fail(w, v, "standing", err)
			return
		}
	}
	p := documentPage{document: d, State: "new", Form: d.Default, Width: a.issuer.width, Height: a.issuer.height}
	switch {
	case !d.Serial.IsZero():
		p.State, p.Grouped = "stamped", d.Serial.Grouped()
		v.Error = ""
	case d.Returned && wanted == nil:
		v.Notice, v.Error = v.T("stamp.returned"), ""
	case d.Place != nil: // pressed before: the same again is all there is
		p.State, p.Form = "held", *d.Place
		if !res.Number.IsZero() {
			p.Grouped = res.Number.Grouped()
		}
	}
	if wanted != nil {
		p.Form = *wanted
	}
	a.render(w, v, status, "document", &p)
}

// explain says what came of the last stamping, if it did not end well.
func (a *app) explain(v *visit, err error) {
	var conflict *serial.ConflictError
	var clock *serial.ClockError
	switch {
	case err == nil:
	case errors.Is(err, serial.ErrInsufficient):
		v.Error = v.T("stamp.nounits")
	case errors.As(err, &conflict):
		v.Error = v.T("stamp.conflict")
	case errors.Is(err, serial.ErrFenced), errors.As(err, &clock):
		v.Error = v.T("stamp.closed")
	case refusal(err) != "":
		v.Error = v.T(refusal(err))
	default:
		v.Error = v.T("stamp.interrupted")
	}
}

// stamp is the button. The key came with the page: whatever is pressed twice,
// reloaded or tried again is the same stamping.
func (a *app) stamp(w http.ResponseWriter, r *http.Request, v *visit) {
	d, err := a.documents.get(v.Account, r.PathValue("id"))
	if err != nil {
		a.lost(w, v, err)
		return
	}
	page := "/documents/" + d.ID
	if !sameText(r.PostForm.Get("key"), d.Key) || !d.Serial.IsZero() {
		http.Redirect(w, r, page, http.StatusSeeOther) // an old page: show how things stand
		return
	}
	if d.Place == nil && !a.choosePlace(w, r, v, d) {
		return
	}
	j := a.work.begin(d)
	select {
	case <-j.done: // most are: no waiting page for a blink
		if !j.refused() {
			http.Redirect(w, r, page, http.StatusSeeOther)
			return
		}
	case <-time.After(blink):
	case <-r.Context().Done():
	}
	http.Redirect(w, r, page+"/wait", http.StatusSeeOther)
}

// choosePlace keeps the place of the first press, if the stamp can stand there.
// If it says no, it has answered.
func (a *app) choosePlace(w http.ResponseWriter, r *http.Request, v *visit, d *document) bool {
	wanted, err := readPlace(r)
	if err == nil {
		err = a.look(r.Context(), func() error { return a.tryPlace(d, wanted) })
	}
	if errors.Is(err, context.DeadlineExceeded) {
		a.tooMany(w, v, 5*time.Second)
		return false
	}
	if key := refusal(err); key != "" {
		v.Error = v.T(key)
		a.renderDocument(w, v, http.StatusUnprocessableEntity, d, wanted)
		return false
	}
	if err == nil {
		err = a.change(d, func(now *document) {
			if now.Place == nil { // of two presses at once the first counts
				now.Place, now.Returned = wanted, false
			}
		})
	}
	if err != nil {
		a.fail(w, v, "place", err)
	}
	return err == nil
}

// blink is how long the button waits before there is a waiting page.
const blink = 700 * time.Millisecond

// readPlace reads where the stamp was dragged to. What is no number is no place.
func readPlace(r *http.Request) (*place, error) {
	number := func(name string) float64 {
		f, err := strconv.ParseFloat(strings.ReplaceAll(r.PostForm.Get(name), ",", "."), 64)
		if err != nil || math.Abs(f) > 1e6 || math.IsNaN(f) {
			return -1
		}
		return math.Round(f*100) / 100
	}
	p := &place{Page: int(number("page")), X: number("x"), Y: number("y")}
	if p.Page < 1 {
		return p, &sign.PlacementError{What: "no page"}
	}
	return p, nil
}

// tryPlace refuses a place before a unit is taken for it.
func (a *app) tryPlace(d *document, p *place) error {
	f, err := os.Open(a.documents.source(d.Account, d.ID))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = sign.Open(f, d.Size, a.options(p))
	return err
}

// redeem is the work: one unit, one serial, one stamped document. It may be
// called again with the same document after anything.
func (a *app) redeem(ctx context.Context, d *document) error {
	if err := a.keepPlace(d); err != nil {
		return err
	}
	f, err := os.Open(a.documents.source(d.Account, d.ID))
	if err != nil {
		return err
	}
	defer f.Close()
	doc, err := sign.Open(f, d.Size, a.options(d.Place))
	if err != nil {
		return err
	}
	request, err := doc.Request(ctx, d.Account, []byte(d.Key))
	if err != nil {
		return err
	}
	request.Profile = "B-B"
	receipt, err := a.issuer.ledger.Redeem(ctx, request, func(ctx context.Context, r serial.Reservation, w io.Writer) error {
		_, err := doc.Sign(ctx, w, a.issuer.credential, sign.Issue{Number: r.Number, Time: r.Time})
		return err
	})
	if errors.Is(err, serial.ErrInsufficient) { // nothing stands under the key: another place may be chosen
		return errors.Join(err, a.change(d, func(now *document) { now.Place = nil }))
	}
	if err != nil {
		return err
	}
	return a.settle(d, receipt.Number, receipt.Time)
}

// keepPlace sees to it that the record has the place before the ledger has the
// key: another try, which found no unit, may have taken it out just now.
func (a *app) keepPlace(d *document) error {
	now, err := a.documents.get(d.Account, d.ID)
	if err != nil {
		return err
	}
	if now.Key != d.Key {
		return errGivenUp
	}
	place := d.Place
	if *d = *now; d.Place != nil {
		return nil
	}
	return a.change(d, func(now *document) {
		if now.Place == nil {
			now.Place = place
		}
	})
}

var errGivenUp = errors.New("the stamping was given up while it stood in the line")

// sendStamped sends a stamped document to the account whose unit it took, as
// the ledger says.
func (a *app) sendStamped(w http.ResponseWriter, r *http.Request, v *visit) {
	n, err := serial.Parse(r.PathValue("serial"))
	if err != nil {
		a.refuse(w, v, http.StatusNotFound, "error.notfound")
		return
	}
	res, err := a.issuer.ledger.Lookup(r.Context(), n)
	if errors.Is(err, serial.ErrNotFound) || (err == nil && (res.Account != v.Account || res.State != serial.Stamped)) {
		a.refuse(w, v, http.StatusNotFound, "error.notfound")
		return
	}
	if err != nil {
		a.fail(w, v, "lookup", err)
		return
	}
	out, err := a.issuer.ledger.Output(r.Context(), n)
	if err != nil {
		a.fail(w, v, "output", err)
		return
	}
	defer out.Close()
	longer(w)
	name := strings.TrimSuffix(fileName(r.URL.Query().Get("name")), ".pdf") + "-" + n.String() + ".pdf"
	w.Header().Set("Content-Type", "application/pdf")
	w.Header().Set("Content-Length", strconv.FormatInt(res.Output.Length, 10))
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	if _, err := io.Copy(w, out); err != nil {
		a.log.Warn("download", "error", err)
		panic(http.ErrAbortHandler) // end the connection, so that half a document is not taken for a whole one
	}
}
