package serial

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// op is one caller's operation in the queue.
type op struct {
	account string
	key     KeyID  // zero if the operation has no key
	number  Number // zero if it names none
	peer    string
	issues  bool // may need a number
	decide  func(*draft) error
	err     error
	done    chan struct{}
}

// queue collects operations for the one goroutine that writes.
type queue struct {
	mu      sync.Mutex
	waiting []*op
	closed  bool
	wake    chan struct{} // capacity 1
	ended   chan struct{} // closed when the goroutine is gone
}

func (q *queue) put(o *op) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.wake == nil { // or never opened
		return ErrClosed
	}
	q.waiting = append(q.waiting, o)
	q.signal()
	return nil
}

func (q *queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// settle lets those who are about to put something do so: until none came in a turn of the scheduler.
func (q *queue) settle() {
	last := -1
	for range maxSettle {
		runtime.Gosched()
		q.mu.Lock()
		n := len(q.waiting)
		q.mu.Unlock()
		if n == last || n >= maxGroup {
			return
		}
		last = n
	}
}

// withdraw takes o back if no group has it yet.
func (q *queue) withdraw(o *op) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, o)
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	return true
}

// take gives the next group, nil when there is none; closed is true when there will be no more.
func (q *queue) take() (group []*op, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), maxGroup)
	group = slices.Clone(q.waiting[:n])
	q.waiting = slices.Delete(q.waiting, 0, n)
	return group, q.closed && n == 0
}

// do runs one operation: it waits until a group with it is durable. If ctx ends while the operation is under way, its
// outcome is unknown.
func (l *Ledger) do(ctx context.Context, o *op) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o.done = make(chan struct{})
	if err := l.queue.put(o); err != nil {
		return err
	}
	select {
	case <-o.done:
		return o.err
	case <-ctx.Done():
		if l.queue.withdraw(o) {
			return ctx.Err()
		}
		return fmt.Errorf("%w: %w", ErrUnknownOutcome, ctx.Err())
	}
}

// write is the goroutine that writes: group after group until the queue is closed and empty.
func (l *Ledger) write() {
	defer close(l.queue.ended)
	for range l.queue.wake {
		for {
			// The callers that were just answered are about to come back: let them join this group.
			l.queue.settle()
			group, closed := l.queue.take()
			if closed {
				return
			}
			if len(group) == 0 {
				break
			}
			l.writeGroup(group)
		}
	}
}

// writeGroup decides a group in one transaction and answers each caller. If the store takes the batch of a group and
// refuses it, the operations are done one by one, so that one row that it does not like harms nobody else.
func (l *Ledger) writeGroup(group []*op) {
	refused, err := l.transact(group)
	if refused && len(group) > 1 {
		l.singly(group, err)
	}
	for _, o := range group {
		close(o.done)
	}
}

// maxRefusals in a row say that it is not the operations that the store refuses.
const maxRefusals = 8

func (l *Ledger) singly(group []*op, err error) {
	refusals := 0
	for i := range group {
		if refusals == maxRefusals {
			group[i].err = err
			continue
		}
		var refused bool
		switch refused, err = l.transact(group[i : i+1]); {
		case err == nil:
			refusals = 0
		case refused:
			refusals++
		default:
			refusals = maxRefusals // the store is not there
		}
	}
}

// transact decides a group on one snapshot, in one transaction. refused says that the store has refused the batch, of
// which nothing is durable.
func (l *Ledger) transact(group []*op) (refused bool, err error) {
	ctx := context.Background()
	_, clockErr := l.read()
	var halted error
	if why := l.halted.Load(); why != nil {
		halted = *why
	}
	noBlock := halted
	if halted == nil {
		noBlock = l.provide(ctx, group, clockErr)
	}
	var blocks []Lease
	decided := false
	err = l.store.Update(ctx, l.query(group), func(snap *Snapshot) (*Batch, error) {
		now, clockErr := l.read() // anew: the wait for the transaction may be long, and other processes go on meanwhile
		d := &draft{
			snap: snap, now: now, clock: clockErr, tolerance: l.opt.Tolerance,
			scheme: l.opt.Scheme, blocks: slices.Clone(l.blocks), noBlock: noBlock, term: l.term,
			halted:  halted,
			entries: make([]Entry, 0, 2*len(group)), keys: make([]Key, 0, len(group)),
		}
		for _, o := range group {
			o.err = o.decide(d)
		}
		blocks, decided = d.blocks, true
		return d.batch(), nil
	})
	// Numbers that were given out are never given out again, whatever became of the transaction.
	if blocks != nil {
		l.blocks = blocks
	}
	if err != nil {
		l.opt.Logger.Error("ledger transaction failed", "operations", len(group), "error", err)
	}
	for _, o := range group {
		if err != nil {
			// A refusal may rest on what others in this group did and the store did not keep: it is no answer either.
			o.err = err
		}
	}
	return err != nil && decided && !errors.Is(err, ErrUnknownOutcome), err
}

func (l *Ledger) query(group []*op) *Query {
	var accounts touched[string]
	var keys touched[KeyID]
	var numbers touched[Number]
	for _, o := range group {
		if o.account != "" {
			accounts.add(o.account)
		}
		if o.peer != "" {
			accounts.add(o.peer)
		}
		if o.key != (KeyID{}) {
			keys.add(o.key)
		}
		if !o.number.IsZero() {
			numbers.add(o.number)
		}
	}
	return &Query{Accounts: accounts.order, Keys: keys.order, Numbers: numbers.order, Series: l.series()}
}

func (l *Ledger) series() SeriesID {
	if l.opt.Scheme == nil {
		return SeriesID{}
	}
	return l.opt.Scheme.Series()
}

// read gives the ledger's clock, which does not go back while the ledger is open.
func (l *Ledger) read() (time.Time, error) {
	now := l.opt.Now().UTC().Truncate(time.Microsecond)
	t, err := bridge(now, l.last, l.opt.Tolerance)
	if err != nil {
		return time.Time{}, err
	}
	l.last = t
	return t, nil
}

// provide sees to it that the leased blocks have a number for each operation of the group that may need one. If it
// cannot, it says why; operations that then need no number are not harmed.
func (l *Ledger) provide(ctx context.Context, group []*op, clockErr error) error {
	var need, have uint64
	for _, o := range group {
		if o.issues {
			need++
		}
	}
	for _, b := range l.blocks {
		have += b.Last - b.First
	}
	if need <= have || l.opt.Scheme == nil {
		return nil
	}
	if clockErr != nil {
		return clockErr
	}
	lease, err := l.lease(ctx, max(l.opt.Block, need-have))
	if err != nil {
		return err
	}
	l.blocks, l.term = append(l.blocks, lease), lease.Term
	return nil
}

// lease takes a block of n numbers, or what is left of the series. When it returns, the mark above the block is durable.
func (l *Ledger) lease(ctx context.Context, n uint64) (Lease, error) {
	var lease Lease
	id := l.series()
	err := l.store.Update(ctx, &Query{Series: id}, func(snap *Snapshot) (*Batch, error) {
		s := snap.Series
		if l.term != 0 && l.term <= s.Fence {
			return nil, ErrFenced
		}
		now, err := l.read()
		if err != nil {
			return nil, err
		}
		t, err := bridge(now, s.Time, l.opt.Tolerance)
		if err != nil {
			return nil, err
		}
		if s.Mark >= MaxCounter {
			return nil, &RequestError{Field: "series", Reason: id.String() + " is used up; a new key epoch is needed"}
		}
		next := Series{ID: id, Mark: min(s.Mark+n, MaxCounter), Term: s.Term + 1, Fence: s.Fence, Time: t}
		lease = Lease{Series: id, Term: next.Term, Holder: l.opt.Holder, First: s.Mark, Last: next.Mark, Time: t}
		return &Batch{Series: &next, Lease: &lease}, nil
	})
	if err != nil {
		// Whatever became of the lease, it is not used; nothing else depends on it, so the outcome is not in doubt.
		if errors.Is(err, ErrUnknownOutcome) {
			err = fmt.Errorf("lease of numbers failed: %v", err)
		}
		return Lease{}, err
	}
	return lease, nil
}

// FenceHolder is the holder of the leases by which fences note the counters that they skip.
const FenceHolder = "fence"

// Fence ends all leases of a series, so that their holders can issue no more, and raises its mark to at least the
// counter given, below which nothing is issued any more. It is for an operator who replaces a holder that may still be
// alive, who brings a restored store up to a counter that is known to be safe, or who has set right a clock that was
// ahead. Ledgers opened afterwards lease anew.
//
// The operator vouches for now: the time of the series becomes now, also when that is earlier, and
// each account whose newest entry is later than now by more than two seconds gets an entry of [KindClock] at now, which
// shows in its history that time went back there. Reservations that were made by the wrong clock keep its time: void
// those that are SIGNING. Fence may be repeated after an error.
func Fence(ctx context.Context, store Store, id SeriesID, counter uint64, now time.Time) error {
	if store == nil {
		return &RequestError{Field: "store", Reason: "is nil"}
	}
	if err := id.check(); err != nil {
		return err
	}
	if counter > MaxCounter {
		return &RequestError{Field: "counter", Reason: "is above 2^48"}
	}
	if now.IsZero() {
		return &RequestError{Field: "now", Reason: "is no time"}
	}
	now = now.UTC().Truncate(time.Microsecond)
	err := store.Update(ctx, &Query{Series: id}, func(snap *Snapshot) (*Batch, error) {
		s := snap.Series
		next := Series{ID: id, Mark: max(s.Mark, counter), Term: s.Term + 1, Fence: s.Term + 1, Time: now}
		b := &Batch{Series: &next}
		first := s.Mark
		if s.Term == 0 {
			first = 0 // a mark to begin at, which no lease has led to
		}
		if next.Mark > first {
			b.Lease = &Lease{Series: id, Term: next.Term, Holder: FenceHolder, First: first, Last: next.Mark, Time: now}
		}
		return b, nil
	})
	if err != nil {
		return err
	}
	return resetClocks(ctx, store, now)
}

// resetClocks notes in each account that is ahead that time goes back.
func resetClocks(ctx context.Context, store Store, now time.Time) error {
	var ahead []string
	err := store.Scan(ctx, func(r Reader) error {
		for a, err := range r.Accounts(ctx) {
			if err != nil {
				return err
			}
			if a.Time.Sub(now) > defaultTolerance {
				ahead = append(ahead, a.Name)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("fence: %w", err)
	}
	for names := range slices.Chunk(ahead, maxGroup) {
		err := store.Update(ctx, &Query{Accounts: names}, func(snap *Snapshot) (*Batch, error) {
			d := &draft{snap: snap}
			for _, name := range names {
				if err := d.resetClock(name, now); err != nil {
					return nil, err
				}
			}
			return d.batch(), nil
		})
		if err != nil {
			return fmt.Errorf("fence: %w", err)
		}
	}
	return nil
}
