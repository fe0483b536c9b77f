package serial

import (
	"fmt"
	"time"
)

// draft is a snapshot on which operations are decided one after the other, and the batch that results. An operation
// works on copies and hands them to commit when nothing can refuse it any more, so a refused one leaves no trace.
type draft struct {
	snap      *Snapshot
	now       time.Time     // the ledger's clock at this decision
	clock     error         // set when the clock may not be used
	tolerance time.Duration // how far an account's last entry may be ahead of now

	scheme  *Scheme
	blocks  []Lease // what is left of the leases, First being the next counter
	noBlock error   // why there are no more blocks
	term    uint64  // of the newest lease of this ledger, 0 if it has none
	halted  error   // why this ledger was stopped

	entries []Entry
	keys    []Key
	dirty   touched[string]
	moved   touched[Number]
}

// touched is a set that keeps the order of insertion.
type touched[K comparable] struct {
	order []K
	has   map[K]struct{}
}

func (t *touched[K]) add(k K) {
	if _, ok := t.has[k]; ok {
		return
	}
	if t.has == nil {
		t.has = make(map[K]struct{})
	}
	t.has[k] = struct{}{}
	t.order = append(t.order, k)
}

func (d *draft) account(name string) Account {
	if a, ok := d.snap.Accounts[name]; ok {
		return a
	}
	return Account{Name: name}
}

// reading gives the time for new entries of a. It never goes back within an account: a small step back of the clock is
// bridged with the time of the last entry, a larger one stops the operation.
func (d *draft) reading(a *Account) (time.Time, error) {
	if d.clock != nil {
		return time.Time{}, d.clock
	}
	return bridge(d.now, a.Time, d.tolerance)
}

func bridge(now, last time.Time, tolerance time.Duration) (time.Time, error) {
	if !now.Before(last) {
		return now, nil
	}
	if last.Sub(now) > tolerance {
		return time.Time{}, &ClockError{Now: now, Last: last, Tolerance: tolerance}
	}
	return last, nil
}

// issue takes the next number of the leased blocks.
func (d *draft) issue() (Number, error) {
	if d.scheme == nil {
		return Number{}, &RequestError{Field: "scheme", Reason: "this ledger was opened without one and issues no numbers"}
	}
	for len(d.blocks) > 0 && d.blocks[0].First >= d.blocks[0].Last {
		d.blocks = d.blocks[1:]
	}
	if len(d.blocks) == 0 {
		return Number{}, fmt.Errorf("no numbers: %w", d.noBlock)
	}
	if err := d.fenced(); err != nil {
		return Number{}, err
	}
	n, err := d.scheme.Number(d.blocks[0].First)
	if err == nil {
		d.blocks[0].First++
	}
	return n, err
}

// fenced gives an error if the lease of this ledger was ended: then another holder is at work, and no key may be used.
func (d *draft) fenced() error {
	if d.term != 0 && d.term <= d.snap.Series.Fence {
		return ErrFenced
	}
	return d.halted
}

// commit takes over what an operation decided.
func (d *draft) commit(a Account, entries ...Entry) {
	d.snap.Accounts[a.Name] = a
	d.dirty.add(a.Name)
	d.entries = append(d.entries, entries...)
}

func (d *draft) commitReservation(r Reservation) {
	d.snap.Reservations[r.Number] = r
	d.moved.add(r.Number)
}

// commitKey stores a new answer. Within one transaction a key is written once: a second attempt under a released key
// replaces the row that the first one added.
func (d *draft) commitKey(k Key) {
	d.snap.Keys[k.ID] = k
	for i := range d.keys {
		if d.keys[i].ID == k.ID {
			d.keys[i] = k
			return
		}
	}
	d.keys = append(d.keys, k)
}

func (d *draft) batch() *Batch {
	b := &Batch{
		Entries: d.entries, Keys: d.keys,
		Accounts: make([]Account, 0, len(d.dirty.order)), Reservations: make([]Reservation, 0, len(d.moved.order)),
	}
	for _, name := range d.dirty.order {
		b.Accounts = append(b.Accounts, d.snap.Accounts[name])
	}
	for _, n := range d.moved.order {
		b.Reservations = append(b.Reservations, d.snap.Reservations[n])
	}
	return b
}
