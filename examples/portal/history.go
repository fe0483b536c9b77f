package main

import (
	"net/http"
	"strconv"
	"time"

	"github.com/seed-574216e4/meterai/serial"
)

// A line is one document of the list: where its stamp is, in words.
type line struct {
	*document
	State   string // key of the words
	Grouped string // the serial as printed, if a unit was taken
	Since   time.Time
}

// Mark is how the words are coloured.
func (l line) Mark() string {
	switch l.State {
	case "state.stamped":
		return "good"
	case "state.held":
		return "warn"
	}
	return ""
}

// lines says for the newest documents of an account where their stamps are. The
// ledger is asked about those that are not stamped yet.
func (a *app) lines(v *visit, most int) ([]line, error) {
	all, err := a.documents.list(v.Account)
	if err != nil {
		return nil, err
	}
	var lines []line
	for _, d := range all[:min(most, len(all))] {
		l, err := a.line(v, d)
		if err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
	return lines, nil
}

func (a *app) line(v *visit, d *document) (line, error) {
	l := line{document: d, State: "state.new", Since: d.Uploaded}
	if !d.Serial.IsZero() {
		l.State, l.Grouped, l.Since = "state.stamped", d.Serial.Grouped(), d.Stamped
		return l, nil
	}
	if a.work.busy(d.ID) {
		l.State = "state.line"
	}
	res, err := a.standing(v.request.Context(), d)
	switch {
	case err != nil:
	case d.Returned:
		l.State = "state.returned"
	case res.State == serial.Stamped:
		l.State, l.Grouped, l.Since = "state.stamped", res.Number.Grouped(), res.Time
	case !res.Number.IsZero():
		l.State, l.Grouped, l.Since = "state.held", res.Number.Grouped(), res.Reserved
	}
	return l, err
}

// entriesPage is how many entries of the ledger one page shows.
const entriesPage = 50

// showHistory answers "where is my stamp": the account's units, its documents,
// and what the ledger wrote down, from the first entry on. A loop over entries
// holds a transaction of the store, so it ends with the page.
func (a *app) showHistory(w http.ResponseWriter, r *http.Request, v *visit) {
	after, _ := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64) // what is no number is the start
	var entries []serial.Entry
	for e, err := range a.issuer.ledger.History(r.Context(), v.Account, max(after, 0)) {
		if err != nil {
			a.fail(w, v, "history", err)
			return
		}
		if entries = append(entries, e); len(entries) > entriesPage {
			break
		}
	}
	lines, err := a.lines(v, a.config.Limits.Records)
	if err != nil {
		a.fail(w, v, "history", err)
		return
	}
	balance, err := a.balance(r, v.Account)
	if err != nil {
		a.fail(w, v, "history", err)
		return
	}
	next := int64(0)
	if len(entries) > entriesPage {
		entries = entries[:entriesPage]
		next = entries[entriesPage-1].Sequence
	}
	a.render(w, v, http.StatusOK, "history", struct {
		Balance serial.Balance
		Lines   []line
		Entries []serial.Entry
		Next    int64
	}{balance, lines, entries, next})
}

// Entry says in the visitor's language what the ledger wrote down.
func (v *visit) Entry(e serial.Entry) string {
	switch e.Kind {
	case serial.KindPurchase, serial.KindGrant, serial.KindRefund, serial.KindTransferIn, serial.KindTransferOut:
		return v.T("entry."+e.Kind.String(), e.Units)
	case serial.KindReserve, serial.KindSigning, serial.KindStamped, serial.KindRelease, serial.KindVoid:
		return v.T("entry." + e.Kind.String())
	}
	return e.Text()
}

// Stamp is the serial of an entry whose document can be downloaded, else "".
func (v *visit) Stamp(e serial.Entry) string {
	if e.Kind == serial.KindStamped {
		return e.Number.String()
	}
	return ""
}
