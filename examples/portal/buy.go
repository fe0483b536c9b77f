package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/admission"
)

// An order is what somebody wants to buy. Its number names the folder of the
// account, so that a payment finds it without an index.
type order struct {
	ID      string    `json:"id"` // folder of the account, "-", random
	Account string    `json:"account"`
	Units   int64     `json:"units"`
	Amount  int64     `json:"amount"` // rupiah
	Made    time.Time `json:"made"`
	State   string    `json:"state"` // "open", "paid" or "cancelled"; a payment that comes late makes it paid
	Paid    time.Time `json:"paid,omitzero"`
}

// orders are files, one for each order.
type orders struct {
	dir string
	mu  sync.Mutex // an order is read and written under it
}

func (s *orders) file(id string) (string, error) {
	folder, name, ok := strings.Cut(id, "-")
	if !ok || len(folder) != 32 || strings.Trim(folder, "0123456789abcdef") != "" || !validID(name) {
		return "", fs.ErrNotExist
	}
	return filepath.Join(s.dir, folder, name+".json"), nil
}

func (s *orders) get(id string) (*order, error) {
	file, err := s.file(id)
	if err != nil {
		return nil, err
	}
	var o order
	return &o, readRecord(file, &o)
}

// update changes an order.
func (s *orders) update(id string, change func(*order)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, err := s.get(id)
	if err != nil {
		return err
	}
	change(o)
	file, err := s.file(id)
	if err != nil {
		return err
	}
	return writeRecord(file, o)
}

// list gives the orders of an account, newest first.
func (s *orders) list(account string) ([]*order, error) {
	files, err := os.ReadDir(filepath.Join(s.dir, folderOf(account)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []*order
	for _, f := range files {
		name, _ := strings.CutSuffix(f.Name(), ".json")
		if o, err := s.get(folderOf(account) + "-" + name); err == nil {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b *order) int { return cmp.Or(b.Made.Compare(a.Made), cmp.Compare(b.ID, a.ID)) })
	return all, nil
}

// clean removes orders that are settled, or that nobody paid for so long that
// the provider would not take the money any more.
func (s *orders) clean(before time.Time) error {
	files, err := filepath.Glob(filepath.Join(s.dir, "*", "*.json"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if st, err := os.Stat(file); err == nil && st.ModTime().Before(before) {
			if err := os.Remove(file); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *app) showBuy(w http.ResponseWriter, r *http.Request, v *visit) {
	a.renderBuy(w, v, http.StatusOK)
}

func (a *app) renderBuy(w http.ResponseWriter, v *visit, status int) {
	all, err := a.orders.list(v.Account)
	if err != nil {
		a.fail(w, v, "orders", err)
		return
	}
	a.render(w, v, status, "buy", struct {
		Orders []*order
		Max    int
	}{all[:min(len(all), 10)], maxUnits})
}

// buy makes an order and leads to the payment provider.
func (a *app) buy(w http.ResponseWriter, r *http.Request, v *visit) {
	units, err := strconv.ParseInt(r.PostForm.Get("units"), 10, 64)
	if err != nil || units < 1 || units > maxUnits {
		v.Error = v.T("buy.units", maxUnits)
		a.renderBuy(w, v, http.StatusUnprocessableEntity)
		return
	}
	all, err := a.orders.list(v.Account)
	if err != nil {
		a.fail(w, v, "orders", err)
		return
	}
	if key := a.tooManyOrders(all); key != "" {
		v.Error = v.T(key)
		a.renderBuy(w, v, http.StatusTooManyRequests)
		return
	}
	o := &order{ID: folderOf(v.Account) + "-" + rand.Text(), Account: v.Account, Units: units,
		Amount: units * v.Price(), Made: a.now().UTC(), State: "open"}
	file, err := a.orders.file(o.ID)
	if err == nil {
		err = writeRecord(file, o)
	}
	if err != nil {
		a.fail(w, v, "order", err)
		return
	}
	http.Redirect(w, r, a.provider.checkout(o), http.StatusSeeOther)
}

// tooManyOrders gives the message for an account that may not order now, else "".
// A cancelled order counts for a day: its file is kept, since its money may still come.
func (a *app) tooManyOrders(all []*order) string {
	open, cancelled := 0, 0
	for _, o := range all {
		switch {
		case o.State == "open":
			open++
		case o.State == "cancelled" && a.now().Sub(o.Made) < 24*time.Hour:
			cancelled++
		}
	}
	switch {
	case open >= a.config.Limits.Orders:
		return "buy.open"
	case cancelled >= maxCancelled:
		return "buy.cancelled"
	}
	return ""
}

// showOrder is where the provider sends people back to. Only its callback says
// that it was paid; until then the page asks again by itself.
func (a *app) showOrder(w http.ResponseWriter, r *http.Request, v *visit) {
	o, err := a.orders.get(r.PathValue("id"))
	if err == nil && o.Account != v.Account {
		err = fs.ErrNotExist
	}
	if err != nil {
		a.lost(w, v, err)
		return
	}
	if o.State == "open" && a.now().Sub(o.Made) < 15*time.Minute {
		v.Refresh = 3
	}
	a.render(w, v, http.StatusOK, "order", struct {
		*order
		Pay string
	}{o, a.provider.checkout(o)})
}

// A callback is the message of the payment provider.
type callback struct {
	Payment string    `json:"payment"` // the provider's reference: the same payment has the same one for ever
	Order   string    `json:"order"`
	Amount  int64     `json:"amount"`
	Status  string    `json:"status"` // "paid" or "cancelled"
	Time    time.Time `json:"time"`   // of the payment
}

// paymentCallback takes the provider's message. It may come late, twice, or
// after a cancellation: the ledger credits a payment reference once, and money
// that came is always credited. The provider repeats what was not answered 2xx.
func (a *app) paymentCallback(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCallback))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	if !sameText(r.Header.Get("X-Signature"), mac(a.secret, "callback", string(body))) {
		a.log.Warn("callback with a wrong signature")
		http.Error(w, "wrong signature", http.StatusForbidden)
		return
	}
	var c callback
	if err := json.Unmarshal(body, &c); err != nil {
		http.Error(w, "not understood", http.StatusBadRequest)
		return
	}
	switch err := a.settlePayment(r.Context(), c); {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case errors.Is(err, errPayment):
		a.log.Error("a person must look: payment that fits no order", "payment", c.Payment, "order", c.Order, "amount", c.Amount)
		http.Error(w, "fits no order", http.StatusConflict)
	default:
		a.log.Error("callback", "error", err)
		w.Header().Set("Retry-After", "10")
		http.Error(w, "come again", http.StatusServiceUnavailable)
	}
}

var errPayment = errors.New("payment fits no order")

// settlePayment books first and notes it in the order afterwards: a crash
// between the two is made good by the repeated callback.
func (a *app) settlePayment(ctx context.Context, c callback) error {
	o, err := a.orders.get(c.Order)
	if errors.Is(err, fs.ErrNotExist) {
		return errPayment
	}
	if err != nil {
		return err
	}
	if c.Status == "cancelled" {
		return a.orders.update(o.ID, func(o *order) {
			if o.State == "open" {
				o.State = "cancelled"
			}
		})
	}
	if c.Status != "paid" || c.Amount != o.Amount || c.Payment == "" {
		return errPayment
	}
	err = a.work.queue.Do(ctx, admission.Ticket{Lane: admission.Purchase, Account: o.Account}, func(ctx context.Context) error {
		_, err := a.issuer.ledger.CreditPayment(ctx, serial.Payment{Account: o.Account, Units: o.Units, Reference: []byte(c.Payment), Paid: c.Time})
		return err
	})
	var conflict *serial.ConflictError
	if errors.As(err, &conflict) {
		return errPayment
	}
	if err != nil {
		return err
	}
	return a.orders.update(o.ID, func(o *order) { o.State, o.Paid = "paid", c.Time })
}

// balance gives the units of an account, none if it never had any.
func (a *app) balance(r *http.Request, account string) (serial.Balance, error) {
	b, err := a.issuer.ledger.Balance(r.Context(), account)
	if errors.Is(err, serial.ErrNotFound) {
		err = nil
	}
	return b, err
}
