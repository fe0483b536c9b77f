package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// A provider plays the part of a payment provider, in its own pages: it takes
// no money, and tells the portal by signed callbacks what was paid. A real one
// is another company's service; what the portal does about it stays the same.
type provider struct {
	key      []byte // shared with the portal
	callback string // address of the portal's callback
	client   *http.Client
	log      *slog.Logger
	delay    time.Duration // of a late payment
	mu       sync.Mutex
	pending  map[int]func() // late messages
	last     int
	sending  sync.WaitGroup
}

func newProvider(key []byte, callback string, log *slog.Logger) *provider {
	return &provider{key: key, callback: callback, log: log, delay: 15 * time.Second,
		client: &http.Client{Timeout: 10 * time.Second}, pending: map[int]func(){}}
}

// checkout is the address of the provider's page for an order, signed so that
// nobody pays less by changing it.
func (p *provider) checkout(o *order) string {
	amount := strconv.FormatInt(o.Amount, 10)
	q := url.Values{"order": {o.ID}, "amount": {amount}, "signature": {mac(p.key, "checkout", o.ID+" "+amount)}}
	return "/provider/pay?" + q.Encode()
}

// A checkout is what the provider's page is about.
type checkout struct {
	Order, Signature string
	Amount           int64
}

// read checks what stands in an address or a form.
func (p *provider) read(v url.Values) (checkout, bool) {
	c := checkout{Order: v.Get("order"), Signature: v.Get("signature")}
	var err error
	c.Amount, err = strconv.ParseInt(v.Get("amount"), 10, 64)
	return c, err == nil && sameText(c.Signature, mac(p.key, "checkout", fmt.Sprintf("%s %d", c.Order, c.Amount)))
}

func (a *app) showPay(w http.ResponseWriter, r *http.Request, v *visit) {
	c, ok := a.provider.read(r.URL.Query())
	if !ok {
		a.refuse(w, v, http.StatusBadRequest, "error.form")
		return
	}
	a.render(w, v, http.StatusOK, "pay", c)
}

// pay does what the button says and sends people back to the portal.
func (a *app) pay(w http.ResponseWriter, r *http.Request, v *visit) {
	if !a.posted(w, r, v) {
		return
	}
	c, ok := a.provider.read(r.PostForm)
	if !ok {
		a.refuse(w, v, http.StatusBadRequest, "error.form")
		return
	}
	// One payment an order: who comes back and pays again has paid already.
	paid := callback{Payment: "pay-" + mac(a.provider.key, "payment", c.Order)[:24], Order: c.Order, Amount: c.Amount, Status: "paid", Time: a.now().UTC()}
	switch r.PostForm.Get("do") {
	case "pay":
		a.provider.send(r.Context(), paid)
	case "late":
		a.provider.later(paid)
	case "twice": // the answer to the first message was lost, for example
		a.provider.send(r.Context(), paid)
		a.provider.send(r.Context(), paid)
	case "cancel":
		paid.Status = "cancelled"
		a.provider.send(r.Context(), paid)
	default:
		a.refuse(w, v, http.StatusBadRequest, "error.form")
		return
	}
	http.Redirect(w, r, "/orders/"+c.Order, http.StatusSeeOther)
}

// send tells the portal, a few times if it does not answer. A real provider
// goes on for days.
func (p *provider) send(ctx context.Context, c callback) {
	body, err := json.Marshal(c)
	if err != nil {
		p.log.Error("provider", "error", err)
		return
	}
	for try := range 4 {
		if try > 0 {
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second << try):
			}
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.callback, bytes.NewReader(body))
		if err != nil {
			p.log.Error("provider", "error", err)
			return
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Signature", mac(p.key, "callback", string(body)))
		answer, err := p.client.Do(req)
		if err != nil {
			p.log.Warn("provider", "error", err)
			continue
		}
		answer.Body.Close()
		if answer.StatusCode < 500 {
			return
		}
	}
}

// later sends a message after a while, or when the provider is flushed.
func (p *provider) later(c callback) {
	p.mu.Lock()
	defer p.mu.Unlock()
	deliver := func() { p.send(context.Background(), c) }
	if len(p.pending) >= maxPending {
		p.sending.Go(deliver)
		return
	}
	p.last++
	id := p.last
	p.pending[id] = deliver
	time.AfterFunc(p.delay, func() { p.deliver(id) })
}

// deliver sends a pending message, unless the flush has sent it.
func (p *provider) deliver(id int) {
	p.mu.Lock()
	send := p.pending[id]
	delete(p.pending, id)
	if send != nil {
		p.sending.Go(send)
	}
	p.mu.Unlock()
}

// flush sends what is pending now: the program is about to end.
func (p *provider) flush() {
	p.mu.Lock()
	for id, send := range p.pending {
		delete(p.pending, id)
		p.sending.Go(send)
	}
	p.mu.Unlock()
	p.sending.Wait()
}
