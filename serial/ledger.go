package serial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// Options configures a ledger. A nil pointer is all zero values.
type Options struct {
	Scheme    *Scheme          // makes the numbers; nil for a ledger that only books and reads
	Sink      Sink             // keeps the outputs; nil for a ledger without Redeem and Output
	Now       func() time.Time // the clock; nil is time.Now
	Logger    *slog.Logger     // nil is silent
	Block     uint64           // numbers leased at a time, at most 2^32; 0 is 4096. What is left of a block when the ledger closes is never used
	Tolerance time.Duration    // how far the clock may go back before operations stop; 0 is 2 seconds, below 0 is none
	Holder    string           // who leases, for people; "" is host name and process id
}

// Ledger keeps accounts of units and uses each unit once. It is safe for concurrent use. Several ledgers may share a
// store, within what the store allows.
type Ledger struct {
	store  Store
	opt    Options
	queue  queue
	flight flights
	halted atomic.Pointer[error] // why this ledger may issue no more

	// of the writing goroutine alone
	blocks []Lease
	term   uint64
	last   time.Time
}

// Open starts a ledger on a store. It reads the store once, so that a store that cannot be used is known now; numbers
// are leased when the first is needed. A clock that is behind the store's is met by the operations, with a [*ClockError],
// not by Open: reading goes on. A scheme with another key than the series' numbers were made with is a [*RequestError].
// The caller closes the ledger, and after it the store.
func Open(ctx context.Context, store Store, opt *Options) (*Ledger, error) {
	if store == nil {
		return nil, &RequestError{Field: "store", Reason: "is nil"}
	}
	l := &Ledger{store: store}
	if opt != nil {
		l.opt = *opt
	}
	if err := l.opt.complete(); err != nil {
		return nil, err
	}
	snap, err := store.View(ctx, &Query{Series: l.series()})
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	if err := l.checkKey(ctx, snap.Series); err != nil {
		return nil, err
	}
	l.last = snap.Series.Time
	l.queue.wake, l.queue.ended = make(chan struct{}, 1), make(chan struct{})
	go l.write()
	return l, nil
}

// checkKey refuses a scheme whose key is not the one that the series' numbers were made with: two keys in one epoch would
// leave numbers that are genuine under neither. It looks at the first reservations alone.
func (l *Ledger) checkKey(ctx context.Context, s Series) error {
	if l.opt.Scheme == nil || s.Mark == 0 {
		return nil
	}
	const most = 1000 // in the order of numbers: those of other series may come first
	seen := 0
	for r, err := range scan(ctx, l.store, func(r Reader) iter.Seq2[Reservation, error] { return r.Reservations(ctx, false) }) {
		switch {
		case err != nil:
			return fmt.Errorf("open ledger: %w", err)
		case r.Number.Epoch() == s.ID.Epoch && r.Number.Issuer() == s.ID.Issuer:
			if !l.opt.Scheme.Genuine(r.Number) {
				return &RequestError{Field: "scheme", Reason: fmt.Sprintf("has another key than the numbers of series %s were made with", s.ID)}
			}
			return nil
		}
		if seen++; seen == most {
			return nil
		}
	}
	return nil
}

const defaultTolerance = 2 * time.Second

func (o *Options) complete() error {
	if o.Block > maxBlock {
		return &RequestError{Field: "block", Reason: "is above 2^32"}
	}
	if o.Block == 0 {
		o.Block = 4096
	}
	if o.Tolerance == 0 {
		o.Tolerance = defaultTolerance
	}
	o.Tolerance = max(o.Tolerance, 0)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Holder == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "unknown host"
		}
		o.Holder = fmt.Sprintf("%s/%d", host, os.Getpid())
	}
	return checkText("holder", o.Holder, maxLabel)
}

// Close lets the operations under way finish and refuses new ones with [ErrClosed]. It does not close the store.
func (l *Ledger) Close() error {
	if l.queue.wake == nil { // never opened
		return nil
	}
	l.queue.mu.Lock()
	l.queue.closed = true
	l.queue.signal()
	l.queue.mu.Unlock()
	<-l.queue.ended
	return nil
}

// Movement is a booking of whole units.
type Movement struct {
	Account  string
	Sequence int64 // of the entry
	Units    int64
	Time     time.Time
	Replayed bool // the key was known: this is the stored answer
}

// Credit books bought and paid units, once for each payment reference: at least 1 unit, a reference of 1 to 256 bytes.
// The first credit makes the account.
func (l *Ledger) Credit(ctx context.Context, account string, units int64, reference []byte) (Movement, error) {
	return l.CreditPayment(ctx, Payment{Account: account, Units: units, Reference: reference})
}

// Payment is a purchase of units that was paid.
type Payment struct {
	Account   string
	Units     int64  // at least 1
	Reference []byte // of the payment: 1 to 256 bytes of any kind
	// Paid is when it was paid, from 1970 to the year 9999: [Ledger.Affected] tells from it who waited for the units. For
	// [Ledger.CreditPayment] zero says that it is not known.
	Paid time.Time
}

// checkPaid refuses times that a store or JSON cannot keep.
func (p *Payment) checkPaid() error {
	if p.Paid.IsZero() {
		return nil
	}
	if y := p.Paid.UTC().Year(); y < 1970 || y > 9999 {
		return &RequestError{Field: "paid", Reason: "is not between 1970 and the year 9999"}
	}
	return nil
}

// CreditPayment is [Ledger.Credit] with the time of payment, which is kept to the microsecond. The time is no part of
// what the reference stands for: the first one stays.
func (l *Ledger) CreditPayment(ctx context.Context, p Payment) (Movement, error) {
	if err := p.checkPaid(); err != nil {
		return Movement{}, err
	}
	m := booking{id: KeyID{p.Account, OpCredit, string(p.Reference)}, units: p.Units}
	if !p.Paid.IsZero() {
		m.paid = p.Paid.UTC().Truncate(time.Microsecond)
	}
	return l.move(ctx, m)
}

// Grant books units that are given, as Credit does bought ones: as compensation, for example. The reason may be "".
func (l *Ledger) Grant(ctx context.Context, account string, units int64, key []byte, reason string) (Movement, error) {
	return l.move(ctx, booking{id: KeyID{account, OpGrant, string(key)}, units: units, note: reason})
}

// Refund takes available units out because they are paid back. The reason may be "".
func (l *Ledger) Refund(ctx context.Context, account string, units int64, key []byte, reason string) (Movement, error) {
	return l.move(ctx, booking{id: KeyID{account, OpRefund, string(key)}, units: units, note: reason})
}

// Transfer hands available units to another account. The key's scope is the account from.
func (l *Ledger) Transfer(ctx context.Context, from, to string, units int64, key []byte) (Movement, error) {
	if err := checkScope(to, key); err != nil {
		return Movement{}, err
	}
	if from == to {
		return Movement{}, &RequestError{Field: "peer", Reason: "is the account itself"}
	}
	return l.move(ctx, booking{id: KeyID{from, OpTransfer, string(key)}, units: units, peer: to})
}

// SetLimit makes an account postpaid: when none is available, up to limit units in all may be drawn. 0 ends it.
func (l *Ledger) SetLimit(ctx context.Context, account string, limit int64, key []byte) (Movement, error) {
	return l.move(ctx, booking{id: KeyID{account, OpLimit, string(key)}, units: limit})
}

// booking is a request to book whole units. Note and paid are no part of what the key stands for.
type booking struct {
	id    KeyID
	units int64
	peer  string
	note  string
	paid  time.Time
}

func (l *Ledger) move(ctx context.Context, b booking) (Movement, error) {
	if err := checkScope(b.id.Account, []byte(b.id.Key)); err != nil {
		return Movement{}, err
	}
	if err := checkText("reason", b.note, maxNote); err != nil {
		return Movement{}, err
	}
	if b.units < 0 || b.units == 0 && b.id.Op != OpLimit {
		return Movement{}, &RequestError{Field: "units", Reason: "is not above 0"}
	}
	var out Movement
	err := l.do(ctx, &op{account: b.id.Account, key: b.id, peer: b.peer, decide: func(d *draft) (err error) {
		out, err = d.move(&b)
		return err
	}})
	if err != nil {
		return Movement{}, err
	}
	return out, nil
}

// Reserve takes a unit and a number for a request. For a key that is known it gives the reservation as it is now,
// whatever its state, except that a released one is followed by a new attempt with a new number.
func (l *Ledger) Reserve(ctx context.Context, req Request) (Reservation, error) {
	b, err := l.begin(ctx, req, false)
	return b.Reservation, err
}

// begun is what a request has come to.
type begun struct {
	Reservation
	fresh  bool  // the number was issued by this call
	fenced error // why the key may not be used
}

func (l *Ledger) begin(ctx context.Context, req Request, intent bool) (begun, error) {
	if err := req.check(); err != nil {
		return begun{}, err
	}
	req.Key = append([]byte(nil), req.Key...)
	var out begun
	id := KeyID{req.Account, OpRedeem, string(req.Key)}
	err := l.do(ctx, &op{account: req.Account, key: id, issues: true, decide: func(d *draft) (err error) {
		out.Reservation, out.fresh, err = d.begin(&req, intent)
		out.fenced = d.fenced()
		return err
	}})
	if err != nil {
		return begun{}, err
	}
	return out, nil
}

// stop ends the issuing of numbers by this ledger, for good.
func (l *Ledger) stop(why error) {
	if l.halted.CompareAndSwap(nil, &why) {
		l.opt.Logger.Error("ledger may not issue", "error", why)
	}
}

// Signing records the intent to sign: from now on the key may have been used, and the reservation can only become
// STAMPED or VOID. It fixes [Reservation.Time]. Again on a SIGNING reservation it changes nothing.
func (l *Ledger) Signing(ctx context.Context, n Number) (Reservation, error) {
	return l.step(ctx, n, func(d *draft) (Reservation, error) { return d.sign(n) })
}

// Stamped books the unit as used. The output, which has a length and a digest, must be durable before. Again with the same output it changes nothing.
// On a VOID reservation it notes the output as an orphan and returns a [*StateError].
func (l *Ledger) Stamped(ctx context.Context, n Number, out Output) (Reservation, error) {
	if out.Length <= 0 {
		return Reservation{}, &RequestError{Field: "output", Reason: "is empty"}
	}
	if out.Digest == [32]byte{} {
		return Reservation{}, &RequestError{Field: "output", Reason: "has no digest"}
	}
	return l.step(ctx, n, func(d *draft) (Reservation, error) { return d.stamp(n, out) })
}

// Release returns the unit of a RESERVED reservation, of which nothing was signed; the reason may be "".
func (l *Ledger) Release(ctx context.Context, n Number, reason string) (Reservation, error) {
	if err := checkText("reason", reason, maxNote); err != nil {
		return Reservation{}, err
	}
	return l.step(ctx, n, func(d *draft) (Reservation, error) { return d.giveBack(n, Released, reason) })
}

// Void gives up a SIGNING reservation: the serial is to be published as void, the unit returns, the key is spent.
func (l *Ledger) Void(ctx context.Context, n Number, reason string) (Reservation, error) {
	if err := checkText("reason", reason, maxNote); err != nil {
		return Reservation{}, err
	}
	return l.step(ctx, n, func(d *draft) (Reservation, error) { return d.giveBack(n, Void, reason) })
}

func (l *Ledger) step(ctx context.Context, n Number, decide func(*draft) (Reservation, error)) (Reservation, error) {
	if n.IsZero() {
		return Reservation{}, &RequestError{Field: "number", Reason: "is none"}
	}
	var out Reservation
	err := l.do(ctx, &op{number: n, decide: func(d *draft) (err error) {
		out, err = decide(d)
		return err
	}})
	if err != nil {
		return Reservation{}, err
	}
	return out, nil
}

// Lookup gives the reservation of a number, or an error that is [ErrNotFound].
func (l *Ledger) Lookup(ctx context.Context, n Number) (Reservation, error) {
	snap, err := l.store.View(ctx, &Query{Numbers: []Number{n}})
	if err != nil {
		return Reservation{}, err
	}
	r, ok := snap.Reservations[n]
	if !ok {
		return Reservation{}, fmt.Errorf("serial %s: %w", n, ErrNotFound)
	}
	return r, nil
}

// LookupKey gives the newest reservation under a key of Reserve or Redeem, or an error that is [ErrNotFound].
func (l *Ledger) LookupKey(ctx context.Context, account string, key []byte) (Reservation, error) {
	id := KeyID{account, OpRedeem, string(key)}
	snap, err := l.store.View(ctx, &Query{Keys: []KeyID{id}})
	if err != nil {
		return Reservation{}, err
	}
	r, ok := snap.Reservations[snap.Keys[id].Number]
	if !ok {
		return Reservation{}, fmt.Errorf("account %q, key %q: %w", account, key, ErrNotFound)
	}
	return r, nil
}

// Balance gives the units of an account, or an error that is [ErrNotFound] if it never had an entry.
func (l *Ledger) Balance(ctx context.Context, account string) (Balance, error) {
	snap, err := l.store.View(ctx, &Query{Accounts: []string{account}})
	if err != nil {
		return Balance{}, err
	}
	a, ok := snap.Accounts[account]
	if !ok {
		return Balance{}, fmt.Errorf("account %q: %w", account, ErrNotFound)
	}
	return a.Balance, nil
}

// History walks the entries of an account after a sequence number (0: from the start), oldest first, as of one moment;
// [Entry.Text] says each in words. An unknown account has none. An error is the last element. The walk holds a
// transaction of the store until its loop ends: a long one is for an export, not for a page.
func (l *Ledger) History(ctx context.Context, account string, after int64) iter.Seq2[Entry, error] {
	return scan(ctx, l.store, func(r Reader) iter.Seq2[Entry, error] {
		if account == "" { // which means all accounts to a reader
			return func(func(Entry, error) bool) {}
		}
		return r.Entries(ctx, account, max(after, 0))
	})
}

// Unresolved walks the reservations that are RESERVED or SIGNING; [Ledger.Sweep] brings them to an end.
func (l *Ledger) Unresolved(ctx context.Context) iter.Seq2[Reservation, error] {
	return scan(ctx, l.store, func(r Reader) iter.Seq2[Reservation, error] { return r.Reservations(ctx, true) })
}

// Accounts walks the balances of all accounts by name, as of one moment.
func (l *Ledger) Accounts(ctx context.Context) iter.Seq2[Account, error] {
	return scan(ctx, l.store, func(r Reader) iter.Seq2[Account, error] { return r.Accounts(ctx) })
}

var errStop = errors.New("walk ended by its caller")

func scan[T any](ctx context.Context, store Store, walk func(Reader) iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		err := store.Scan(ctx, func(r Reader) error {
			for v, err := range walk(r) {
				if err != nil {
					return err
				}
				if !yield(v, nil) {
					return errStop
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			var zero T
			yield(zero, err)
		}
	}
}

// Output opens the stamped document of a number that is STAMPED; another state is a [*StateError]. Reading to the end
// checks its digest: a document that was changed in the sink ends with a [*CorruptError] instead of io.EOF.
func (l *Ledger) Output(ctx context.Context, n Number) (io.ReadCloser, error) {
	if l.opt.Sink == nil {
		return nil, errNoSink()
	}
	r, err := l.Lookup(ctx, n)
	if err != nil {
		return nil, err
	}
	if r.State != Stamped {
		return nil, refusal(&r, "hand out the output")
	}
	rc, err := l.opt.Sink.Open(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("output of serial %s: %w", n, err)
	}
	return newCheckedOutput(rc, r.Number, r.Output), nil
}

func errNoSink() error {
	return &RequestError{Field: "sink", Reason: "this ledger was opened without one"}
}
