// Package storetest checks implementations of [serial.Store], and has a store in memory as reference and for tests.
//
// The two calls to make are [Run], from a test of the implementation, and [NewMemory]; [Faulty] makes any store fail as a
// test says, to see what those above it do then. What is left out: durability
// against a power cut, which no test in one process can see.
package storetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/seed-574216e4/meterai/serial"
)

// Memory is a [serial.Store] that lasts as long as the process: the reference for other stores, and for tests.
type Memory struct {
	mu           sync.Mutex
	entries      map[string][]serial.Entry // by account
	accounts     map[string]serial.Account
	reservations map[serial.Number]serial.Reservation
	live         map[serial.KeyID]serial.Number // the one reservation of a key that is not released
	keys         map[serial.KeyID]serial.Key
	series       map[serial.SeriesID]serial.Series
	leases       []serial.Lease
}

// NewMemory makes an empty store.
func NewMemory() *Memory {
	return &Memory{
		entries:      make(map[string][]serial.Entry),
		accounts:     make(map[string]serial.Account),
		reservations: make(map[serial.Number]serial.Reservation),
		live:         make(map[serial.KeyID]serial.Number),
		keys:         make(map[serial.KeyID]serial.Key),
		series:       make(map[serial.SeriesID]serial.Series),
	}
}

// Update implements [serial.Store].
func (m *Memory) Update(ctx context.Context, q *serial.Query, decide func(*serial.Snapshot) (*serial.Batch, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	b, err := decide(m.load(q))
	if err != nil || b.Empty() {
		return err
	}
	if err := m.check(b); err != nil {
		return err
	}
	for _, e := range b.Entries {
		m.entries[e.Account] = append(m.entries[e.Account], e)
	}
	for _, a := range b.Accounts {
		m.accounts[a.Name] = a
	}
	for _, r := range b.Reservations {
		m.reservations[r.Number] = r
		if id := attempt(&r); r.State != serial.Released {
			m.live[id] = r.Number
		} else if m.live[id] == r.Number {
			delete(m.live, id)
		}
	}
	for _, k := range b.Keys {
		m.keys[k.ID] = k
	}
	if b.Series != nil {
		m.series[b.Series.ID] = *b.Series
	}
	if b.Lease != nil {
		m.leases = append(m.leases, *b.Lease)
	}
	return nil
}

// check refuses a batch that [serial.Batch] forbids.
func (m *Memory) check(b *serial.Batch) error {
	next := make(map[string]int64)
	for _, e := range b.Entries {
		if _, ok := next[e.Account]; !ok {
			next[e.Account] = int64(len(m.entries[e.Account]))
		}
		if next[e.Account]++; e.Sequence != next[e.Account] {
			return fmt.Errorf("entry %d of account %q is not the next", e.Sequence, e.Account)
		}
	}
	for _, a := range b.Accounts {
		if err := a.Balance.Check(); err != nil {
			return err
		}
	}
	for _, r := range b.Reservations {
		old, ok := m.reservations[r.Number]
		if ok && (old.Account != r.Account || !bytes.Equal(old.Request.Key, r.Request.Key) || old.State > r.State ||
			old.State.Final() && (old.State != r.State || old.State != serial.Void)) {
			return fmt.Errorf("reservation %s cannot go from %s to %s", r.Number, old.State, r.State)
		}
	}
	if err := m.checkAttempts(b); err != nil {
		return err
	}
	if err := m.checkKeys(b); err != nil {
		return err
	}
	return m.checkSeries(b)
}

// checkKeys refuses a key that is known, and one of OpRedeem that does not come with the reservation that it leads to.
func (m *Memory) checkKeys(b *serial.Batch) error {
	made := make(map[serial.Number]*serial.Reservation, len(b.Reservations))
	for i := range b.Reservations {
		r := &b.Reservations[i]
		if _, ok := m.reservations[r.Number]; !ok {
			made[r.Number] = r
		}
	}
	for i := range b.Keys {
		k := &b.Keys[i]
		if old, ok := m.keys[k.ID]; ok && (k.ID.Op != serial.OpRedeem || k.Sequence <= old.Sequence) {
			return errors.New("the key is known")
		}
		if k.ID.Op != serial.OpRedeem {
			continue
		}
		r, ok := made[k.Number]
		if !ok || k.ID != attempt(r) || k.Sequence <= 0 || k.Units != 1 || k.Peer != "" || !k.Time.Equal(r.Reserved) {
			return &serial.CorruptError{Account: k.ID.Account, Reason: "a key that does not come with its reservation: " + k.Number.String()}
		}
		delete(made, k.Number) // one key for each
	}
	return nil
}

// checkAttempts refuses a second reservation of an account and key that is not released.
func (m *Memory) checkAttempts(b *serial.Batch) error {
	next := make(map[serial.KeyID]serial.Number)
	for _, r := range b.Reservations {
		id := attempt(&r)
		if _, ok := next[id]; !ok {
			next[id] = m.live[id]
		}
		switch old := next[id]; {
		case r.State != serial.Released && !old.IsZero() && old != r.Number:
			return fmt.Errorf("the key of %s belongs to %s", r.Number, old)
		case r.State != serial.Released:
			next[id] = r.Number
		case old == r.Number:
			next[id] = serial.Number{}
		}
	}
	return nil
}

func attempt(r *serial.Reservation) serial.KeyID {
	return serial.KeyID{Account: r.Account, Op: serial.OpRedeem, Key: string(r.Request.Key)}
}

func (m *Memory) checkSeries(b *serial.Batch) error {
	if s := b.Series; s != nil {
		if old := m.series[s.ID]; s.Mark < old.Mark || s.Term < old.Term || s.Fence < old.Fence {
			return fmt.Errorf("series %s cannot go back", s.ID)
		}
	}
	if l := b.Lease; l != nil && slices.ContainsFunc(m.leases, func(o serial.Lease) bool { return o.Series == l.Series && o.Term == l.Term }) {
		return fmt.Errorf("series %s has a lease with term %d", l.Series, l.Term)
	}
	return nil
}

func (m *Memory) load(q *serial.Query) *serial.Snapshot {
	s := &serial.Snapshot{
		Accounts:     make(map[string]serial.Account),
		Keys:         make(map[serial.KeyID]serial.Key),
		Reservations: make(map[serial.Number]serial.Reservation),
	}
	names := slices.Clone(q.Accounts)
	numbers := slices.Clone(q.Numbers)
	for _, id := range q.Keys {
		names = append(names, id.Account)
		if k, ok := m.keys[id]; ok {
			s.Keys[id] = k
			numbers = append(numbers, k.Number)
		}
	}
	for _, n := range numbers {
		if r, ok := m.reservations[n]; ok {
			s.Reservations[n] = r
			names = append(names, r.Account)
		}
	}
	for _, name := range names {
		if a, ok := m.accounts[name]; ok {
			s.Accounts[name] = a
		}
	}
	if q.Series != (serial.SeriesID{}) {
		s.Series = m.series[q.Series]
		s.Series.ID = q.Series
	}
	return s
}

// View implements [serial.Store].
func (m *Memory) View(ctx context.Context, q *serial.Query) (*serial.Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return m.load(q), nil
}

// Scan implements [serial.Store]. It works on a copy.
func (m *Memory) Scan(ctx context.Context, read func(serial.Reader) error) error {
	m.mu.Lock()
	moment := &Memory{entries: maps.Clone(m.entries), accounts: maps.Clone(m.accounts), reservations: maps.Clone(m.reservations),
		keys: maps.Clone(m.keys), series: maps.Clone(m.series), leases: slices.Clone(m.leases)}
	m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	return read(&memoryReader{moment})
}

type memoryReader struct{ m *Memory }

func (r *memoryReader) Accounts(ctx context.Context) iter.Seq2[serial.Account, error] {
	var list []serial.Account
	for _, name := range slices.Sorted(maps.Keys(r.m.accounts)) {
		list = append(list, r.m.accounts[name])
	}
	return each(ctx, list)
}

func (r *memoryReader) Entries(ctx context.Context, account string, after int64) iter.Seq2[serial.Entry, error] {
	if account != "" {
		list := r.m.entries[account]
		return each(ctx, list[min(after, int64(len(list))):])
	}
	var list []serial.Entry
	for _, name := range slices.Sorted(maps.Keys(r.m.entries)) {
		list = append(list, r.m.entries[name]...)
	}
	return each(ctx, list)
}

func (r *memoryReader) Reservations(ctx context.Context, unresolved bool) iter.Seq2[serial.Reservation, error] {
	var list []serial.Reservation
	for _, v := range r.m.reservations {
		if !unresolved || !v.State.Final() {
			list = append(list, v)
		}
	}
	slices.SortFunc(list, func(a, b serial.Reservation) int {
		x, y := a.Number.Packed(), b.Number.Packed()
		return bytes.Compare(x[:], y[:])
	})
	return each(ctx, list)
}

func (r *memoryReader) Keys(ctx context.Context) iter.Seq2[serial.Key, error] {
	list := slices.Collect(maps.Values(r.m.keys))
	slices.SortFunc(list, func(a, b serial.Key) int {
		return cmp.Or(strings.Compare(a.ID.Account, b.ID.Account), cmp.Compare(a.ID.Op, b.ID.Op), strings.Compare(a.ID.Key, b.ID.Key))
	})
	return each(ctx, list)
}

func (r *memoryReader) Series(ctx context.Context) iter.Seq2[serial.Series, error] {
	list := slices.Collect(maps.Values(r.m.series))
	slices.SortFunc(list, func(a, b serial.Series) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	return each(ctx, list)
}

func (r *memoryReader) Leases(ctx context.Context) iter.Seq2[serial.Lease, error] {
	list := slices.Clone(r.m.leases)
	slices.SortFunc(list, func(a, b serial.Lease) int {
		return cmp.Or(strings.Compare(a.Series.String(), b.Series.String()), cmp.Compare(a.Term, b.Term))
	})
	return each(ctx, list)
}

func each[T any](ctx context.Context, list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range list {
			if err := ctx.Err(); err != nil {
				yield(v, err)
				return
			}
			if !yield(v, nil) {
				return
			}
		}
	}
}
