package postgres

import (
	"sync"

	"github.com/seed-574216e4/meterai/serial"
)

// homes remembers the accounts of the reservations that this store wrote and that are not final, so that the next step
// of one locks its account without a look at the reservation first. A reservation never changes its account.
type homes struct {
	mu      sync.Mutex
	account map[serial.Number]string
}

// maxHomes bounds the reservations that are remembered, some 100 bytes each. When there are more, any one is forgotten.
const maxHomes = 1 << 16

// of gives the account of a number, "" if it is not remembered.
func (h *homes) of(n serial.Number) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.account[n]
}

// remember takes notice of a batch that is durable.
func (h *homes) remember(b *serial.Batch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.account == nil {
		h.account = make(map[serial.Number]string)
	}
	for i := range b.Reservations {
		r := &b.Reservations[i]
		if r.State.Final() {
			delete(h.account, r.Number)
			continue
		}
		if len(h.account) >= maxHomes {
			for n := range h.account {
				delete(h.account, n)
				break
			}
		}
		h.account[r.Number] = r.Account
	}
}
