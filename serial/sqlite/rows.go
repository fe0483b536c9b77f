package sqlite

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/seed-574216e4/meterai/serial"
)

// How rows map to the types of package serial.

func (a *arguments) time(t time.Time) { a.add(t.UnixMicro()) }

// optional is NULL for a time that is none.
func (a *arguments) optional(t time.Time) {
	if t.IsZero() {
		a.add(nil)
		return
	}
	a.time(t)
}

// number and digest are NULL for zero.
func (a *arguments) number(n serial.Number) {
	if n.IsZero() {
		a.add(nil)
		return
	}
	b := n.Packed()
	a.add(b[:])
}

func (a *arguments) digest(d [32]byte) {
	if d == [32]byte{} {
		a.add(nil)
		return
	}
	a.add(d[:])
}

func (r *row) time() time.Time { return time.UnixMicro(r.integer()).UTC() }

func (r *row) optional() time.Time {
	if r.null() {
		r.next++
		return time.Time{}
	}
	return r.time()
}

func (r *row) corrupt(format string, args ...any) {
	if r.err == nil {
		r.err = &serial.CorruptError{Reason: fmt.Sprintf(format, args...)}
	}
}

// narrow takes a number that must fit its type.
func narrow[T ~uint8 | ~uint32](r *row) T {
	v := r.integer()
	if n := T(v); int64(n) == v {
		return n
	}
	r.corrupt("column %d of a row is out of range: %d", r.next, v)
	return 0
}

func (r *row) number() (n serial.Number) {
	switch b := r.blob(); len(b) {
	case 0:
	case 14:
		var err error
		if n, err = serial.Unpack([14]byte(b)); err != nil {
			r.corrupt("%v", err)
		}
	default:
		r.corrupt("a number of %d bytes", len(b))
	}
	return n
}

func (r *row) digest() (d [32]byte) {
	switch b := r.blob(); len(b) {
	case 0:
	case 32:
		d = [32]byte(b)
	default:
		r.corrupt("a digest of %d bytes", len(b))
	}
	return d
}

func (r *row) series() serial.SeriesID {
	id, err := toSeries(r.text())
	if err != nil && r.err == nil {
		r.err = err
	}
	return id
}

func toSeries(s string) (serial.SeriesID, error) {
	if len(s) != 3 {
		return serial.SeriesID{}, &serial.CorruptError{Reason: fmt.Sprintf("a series named %q", s)}
	}
	return serial.SeriesID{Epoch: s[0], Issuer: s[1:]}, nil
}

const accountColumns = "account, sequence, head, time, purchased, granted, transferred_in, postpaid, available, reserved, " +
	"stamped, refunded, transferred_out, postpaid_limit"

var (
	findAccounts  = finding(accountColumns, 1, "accounts ON account = v.column1")
	writeAccounts = writing("accounts ("+accountColumns+")", 14, ` ON CONFLICT (account) DO UPDATE SET sequence=excluded.sequence, head=excluded.head, time=excluded.time,
		purchased=excluded.purchased, granted=excluded.granted, transferred_in=excluded.transferred_in,
		postpaid=excluded.postpaid, available=excluded.available, reserved=excluded.reserved, stamped=excluded.stamped,
		refunded=excluded.refunded, transferred_out=excluded.transferred_out, postpaid_limit=excluded.postpaid_limit
		WHERE excluded.sequence > accounts.sequence`)
)

func bindAccount(v *serial.Account, a *arguments) {
	a.add(v.Name)
	a.integer(v.Sequence)
	a.add(v.Head[:])
	a.time(v.Time)
	for _, n := range [...]int64{v.Purchased, v.Granted, v.TransferredIn, v.Postpaid, v.Available, v.Reserved, v.Stamped,
		v.Refunded, v.TransferredOut, v.Limit} {
		a.integer(n)
	}
}

func scanAccount(r *row) (a serial.Account, err error) {
	a.Name, a.Sequence, a.Head, a.Time = r.text(), r.integer(), r.digest(), r.time()
	for _, n := range [...]*int64{&a.Purchased, &a.Granted, &a.TransferredIn, &a.Postpaid, &a.Available, &a.Reserved,
		&a.Stamped, &a.Refunded, &a.TransferredOut, &a.Limit} {
		*n = r.integer()
	}
	return a, r.err
}

const entryColumns = "account, sequence, kind, units, key, number, digest, length, peer, note, paid, time, hash"

var writeEntries = writing("entries ("+entryColumns+")", 13, "")

func bindEntry(e *serial.Entry, a *arguments) {
	a.add(e.Account)
	a.integer(e.Sequence)
	a.integer(int64(e.Kind))
	a.integer(e.Units)
	a.blob(e.Key)
	a.number(e.Number)
	a.digest(e.Digest)
	a.integer(e.Length)
	a.text(e.Peer)
	a.text(e.Note)
	a.optional(e.Paid)
	a.time(e.Time)
	a.add(e.Hash[:])
}

func scanEntry(r *row) (e serial.Entry, err error) {
	e.Account, e.Sequence, e.Kind, e.Units = r.text(), r.integer(), narrow[serial.Kind](r), r.integer()
	e.Key, e.Number, e.Digest, e.Length = r.blob(), r.number(), r.digest(), r.integer()
	e.Peer, e.Note, e.Paid, e.Time, e.Hash = r.text(), r.text(), r.optional(), r.time(), r.digest()
	return e, r.err
}

const reservationColumns = "number, account, key, state, reserved, intent, resolved, digest, length, value, kind, " +
	"placement, profile, output_digest, output_length, note"

var (
	findReservations = finding("id, "+reservationColumns, 1, "reservations ON number = v.column1")
	// Of the attempts under a key, the newest.
	findAttempts = finding("sequence, id, "+reservationColumns, 2, `reservations ON id = (SELECT id FROM reservations
		WHERE account = v.column1 AND key = v.column2 ORDER BY attempt DESC LIMIT 1)`)
)

func scanReservation(row *row) (r serial.Reservation, err error) {
	q := &r.Request
	r.Number, r.Account, q.Key, r.State = row.number(), row.text(), row.blob(), narrow[serial.State](row)
	r.Reserved, r.Time, r.Resolved = row.time(), row.optional(), row.optional()
	q.Digest, q.Length, q.Value = row.digest(), row.integer(), narrow[uint32](row)
	q.Kind, q.Placement, q.Profile = row.text(), row.text(), row.text()
	r.Output.Digest, r.Output.Length, r.Note = row.digest(), row.integer(), row.text()
	q.Account = r.Account
	return r, row.err
}

// The key of a reservation is kept with it. Others have a table.

const reservationKeyColumns = "account, key, number, sequence, reserved"

func scanReservationKey(r *row) (k serial.Key, err error) {
	k.ID = serial.KeyID{Account: r.text(), Op: serial.OpRedeem, Key: string(r.blob())}
	k.Number, k.Sequence, k.Units, k.Time = r.number(), r.integer(), 1, r.time()
	return k, r.err
}

const keyColumns = "account, operation, key, sequence, units, peer, time"

var (
	findKeys = finding("k."+strings.ReplaceAll(keyColumns, ", ", ", k."), 3,
		"keys k ON k.account = v.column1 AND k.operation = v.column2 AND k.key = v.column3")
	writeKeys = writing("keys ("+keyColumns+")", 7, "")
)

func bindKey(k *serial.Key, a *arguments) {
	a.add(k.ID.Account)
	a.integer(int64(k.ID.Op))
	a.add([]byte(k.ID.Key))
	a.integer(k.Sequence)
	a.integer(k.Units)
	a.text(k.Peer)
	a.time(k.Time)
}

func scanKey(r *row) (k serial.Key, err error) {
	k.ID = serial.KeyID{Account: r.text(), Op: narrow[serial.Op](r), Key: string(r.blob())}
	k.Sequence, k.Units, k.Peer, k.Time = r.integer(), r.integer(), r.text(), r.time()
	return k, r.err
}

var writeSeries = writing("series (series, mark, term, fence, time)", 5,
	` ON CONFLICT (series) DO UPDATE SET mark=excluded.mark, term=excluded.term, fence=excluded.fence, time=excluded.time
		WHERE excluded.mark >= series.mark AND excluded.term >= series.term AND excluded.fence >= series.fence`)

func bindSeries(s *serial.Series, a *arguments) {
	a.add(s.ID.String())
	a.integer(int64(s.Mark))
	a.integer(int64(s.Term))
	a.integer(int64(s.Fence))
	a.optional(s.Time)
}

func scanSeries(r *row) (s serial.Series, err error) {
	s.ID, s.Mark, s.Term, s.Fence = r.series(), uint64(r.integer()), uint64(r.integer()), uint64(r.integer())
	s.Time = r.optional()
	return s, r.err
}

var writeLeases = writing("leases (series, term, holder, first, last, time)", 6, "")

func bindLease(l *serial.Lease, a *arguments) {
	a.add(l.Series.String())
	a.integer(int64(l.Term))
	a.add(l.Holder)
	a.integer(int64(l.First))
	a.integer(int64(l.Last))
	a.time(l.Time)
}

func scanLease(r *row) (l serial.Lease, err error) {
	l.Series, l.Term, l.Holder = r.series(), uint64(r.integer()), r.text()
	l.First, l.Last, l.Time = uint64(r.integer()), uint64(r.integer()), r.time()
	return l, r.err
}

func checkTerm(term uint64) error {
	if term > math.MaxInt64 {
		return &serial.CorruptError{Reason: "term of a series out of range"}
	}
	return nil
}
