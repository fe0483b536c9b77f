package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"time"

	"github.com/seed-574216e4/meterai/serial"
)

// How rows map to the types of package serial.

// micros is for times that are always there, optional for those that may be none.
func micros(t time.Time) int64 { return t.UnixMicro() }

func moment(us int64) time.Time { return time.UnixMicro(us).UTC() }

func optional(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

func optionalMoment(us sql.Null[int64]) time.Time {
	if !us.Valid {
		return time.Time{}
	}
	return moment(us.V)
}

func toSeries(s string) (serial.SeriesID, error) {
	if len(s) != 3 {
		return serial.SeriesID{}, &serial.CorruptError{Reason: fmt.Sprintf("a series named %q", s)}
	}
	return serial.SeriesID{Epoch: s[0], Issuer: s[1:]}, nil
}

func blob(n serial.Number) any {
	if n.IsZero() {
		return nil
	}
	b := n.Packed()
	return b[:]
}

func digest(d [32]byte) any {
	if d == [32]byte{} {
		return nil
	}
	return d[:]
}

func toNumber(b []byte) (serial.Number, error) {
	if b == nil {
		return serial.Number{}, nil
	}
	if len(b) != 14 {
		return serial.Number{}, &serial.CorruptError{Reason: fmt.Sprintf("a number of %d bytes", len(b))}
	}
	n, err := serial.Unpack([14]byte(b))
	if err != nil {
		return n, &serial.CorruptError{Reason: err.Error()}
	}
	return n, nil
}

func toDigest(b []byte) ([32]byte, error) {
	switch len(b) {
	case 0:
		return [32]byte{}, nil
	case 32:
		return [32]byte(b), nil
	}
	return [32]byte{}, &serial.CorruptError{Reason: fmt.Sprintf("a digest of %d bytes", len(b))}
}

const accountColumns = "account, sequence, head, time, purchased, granted, transferred_in, postpaid, available, reserved, " +
	"stamped, refunded, transferred_out, postpaid_limit"

var writeAccounts = &write{
	head:    "INSERT INTO accounts (" + accountColumns + ") VALUES ",
	columns: 14,
	tail: ` ON CONFLICT (account) DO UPDATE SET sequence=excluded.sequence, head=excluded.head, time=excluded.time,
		purchased=excluded.purchased, granted=excluded.granted, transferred_in=excluded.transferred_in,
		postpaid=excluded.postpaid, available=excluded.available, reserved=excluded.reserved, stamped=excluded.stamped,
		refunded=excluded.refunded, transferred_out=excluded.transferred_out, postpaid_limit=excluded.postpaid_limit
		WHERE excluded.sequence > accounts.sequence`,
}

func bindAccount(a *serial.Account, args []any) []any {
	return append(args, a.Name, a.Sequence, a.Head[:], micros(a.Time), a.Purchased, a.Granted, a.TransferredIn, a.Postpaid,
		a.Available, a.Reserved, a.Stamped, a.Refunded, a.TransferredOut, a.Limit)
}

func scanAccount(rows *sql.Rows) (a serial.Account, err error) {
	var head sql.RawBytes
	var t int64
	if err := rows.Scan(&a.Name, &a.Sequence, &head, &t, &a.Purchased, &a.Granted, &a.TransferredIn, &a.Postpaid,
		&a.Available, &a.Reserved, &a.Stamped, &a.Refunded, &a.TransferredOut, &a.Limit); err != nil {
		return a, err
	}
	a.Time = moment(t)
	a.Head, err = toDigest(head)
	return a, err
}

const entryColumns = "account, sequence, kind, units, key, number, digest, length, peer, note, paid, time, hash"

var writeEntries = &write{head: "INSERT INTO entries (" + entryColumns + ") VALUES ", columns: 13}

func bindEntry(e *serial.Entry, args []any) []any {
	var key any
	if e.Key != nil {
		key = e.Key
	}
	return append(args, e.Account, e.Sequence, int64(e.Kind), e.Units, key, blob(e.Number), digest(e.Digest), e.Length,
		e.Peer, e.Note, optional(e.Paid), micros(e.Time), e.Hash[:])
}

func scanEntry(rows *sql.Rows) (e serial.Entry, err error) {
	var number, dig, hash sql.RawBytes
	var t int64
	var paid sql.Null[int64]
	if err := rows.Scan(&e.Account, &e.Sequence, &e.Kind, &e.Units, &e.Key, &number, &dig, &e.Length, &e.Peer, &e.Note, &paid, &t, &hash); err != nil {
		return e, err
	}
	e.Paid, e.Time = optionalMoment(paid), moment(t)
	if e.Number, err = toNumber(number); err != nil {
		return e, err
	}
	if e.Digest, err = toDigest(dig); err != nil {
		return e, err
	}
	e.Hash, err = toDigest(hash)
	return e, err
}

const reservationColumns = "number, account, key, state, reserved, intent, resolved, digest, length, value, kind, " +
	"placement, profile, output_digest, output_length, note"

// A final state stays; only a void one may take up an orphan.
var writeReservations = &write{
	head:    "INSERT INTO reservations (" + reservationColumns + ") VALUES ",
	columns: 16,
	tail: ` ON CONFLICT (number) DO UPDATE SET state=excluded.state, intent=excluded.intent, resolved=excluded.resolved,
		output_digest=excluded.output_digest, output_length=excluded.output_length, note=excluded.note
		WHERE account=excluded.account AND key=excluded.key AND (state IN (1, 2) AND state <= excluded.state
			OR state = 5 AND excluded.state = 5)`,
}

func bindReservation(r *serial.Reservation, args []any) []any {
	return append(args, blob(r.Number), r.Account, r.Request.Key, int64(r.State), micros(r.Reserved), optional(r.Time),
		optional(r.Resolved), r.Request.Digest[:], r.Request.Length, int64(r.Request.Value), r.Request.Kind,
		r.Request.Placement, r.Request.Profile, digest(r.Output.Digest), r.Output.Length, r.Note)
}

func scanReservation(rows *sql.Rows) (r serial.Reservation, err error) {
	var number, dig, out sql.RawBytes
	var reserved int64
	var intent, resolved sql.Null[int64]
	q := &r.Request
	if err := rows.Scan(&number, &r.Account, &q.Key, &r.State, &reserved, &intent, &resolved, &dig, &q.Length, &q.Value,
		&q.Kind, &q.Placement, &q.Profile, &out, &r.Output.Length, &r.Note); err != nil {
		return r, err
	}
	q.Account = r.Account
	r.Reserved, r.Time, r.Resolved = moment(reserved), optionalMoment(intent), optionalMoment(resolved)
	if r.Number, err = toNumber(number); err != nil {
		return r, err
	}
	if q.Digest, err = toDigest(dig); err != nil {
		return r, err
	}
	r.Output.Digest, err = toDigest(out)
	return r, err
}

const keyColumns = "account, operation, key, number, sequence, units, peer, time"

var writeKeys = &write{
	head:    "INSERT INTO keys (" + keyColumns + ") VALUES ",
	columns: 8,
	tail: ` ON CONFLICT (account, operation, key) DO UPDATE SET number=excluded.number, sequence=excluded.sequence,
		time=excluded.time WHERE operation = 1 AND excluded.sequence > keys.sequence`,
}

func bindKey(k *serial.Key, args []any) []any {
	return append(args, k.ID.Account, int64(k.ID.Op), []byte(k.ID.Key), blob(k.Number), k.Sequence, k.Units, k.Peer, micros(k.Time))
}

func scanKey(rows *sql.Rows) (k serial.Key, err error) {
	var key, number sql.RawBytes
	var t int64
	if err := rows.Scan(&k.ID.Account, &k.ID.Op, &key, &number, &k.Sequence, &k.Units, &k.Peer, &t); err != nil {
		return k, err
	}
	k.ID.Key, k.Time = string(key), moment(t)
	k.Number, err = toNumber(number)
	return k, err
}

// load reads what q names, in the transaction that is open.
func (c *connection) load(ctx context.Context, q *serial.Query) (*serial.Snapshot, error) {
	snap := &serial.Snapshot{
		Accounts:     make(map[string]serial.Account, len(q.Accounts)),
		Keys:         make(map[serial.KeyID]serial.Key, len(q.Keys)),
		Reservations: make(map[serial.Number]serial.Reservation, len(q.Numbers)),
	}
	numbers := newSet(q.Numbers)
	accounts := newSet(q.Accounts)
	if err := c.loadKeys(ctx, q.Keys, snap, numbers, accounts); err != nil {
		return nil, err
	}
	err := c.find(ctx, "SELECT "+prefixed("r", reservationColumns), 1, len(numbers.order), "reservations r ON r.number = v.column1",
		func(i int, args []any) []any { return append(args, blob(numbers.order[i])) },
		func(rows *sql.Rows) error {
			r, err := scanReservation(rows)
			snap.Reservations[r.Number] = r
			accounts.add(r.Account)
			return err
		})
	if err != nil {
		return nil, err
	}
	err = c.find(ctx, "SELECT "+prefixed("a", accountColumns), 1, len(accounts.order), "accounts a ON a.account = v.column1",
		func(i int, args []any) []any { return append(args, accounts.order[i]) },
		func(rows *sql.Rows) error {
			a, err := scanAccount(rows)
			snap.Accounts[a.Name] = a
			return err
		})
	if err != nil || q.Series == (serial.SeriesID{}) {
		return snap, err
	}
	err = c.query(ctx, `SELECT coalesce(mark, floor), coalesce(term, 0), coalesce(fence, 0), time
		FROM meta LEFT JOIN series ON series = ?`, []any{q.Series.String()}, func(rows *sql.Rows) error {
		var t sql.Null[int64]
		snap.Series.ID = q.Series
		err := rows.Scan(&snap.Series.Mark, &snap.Series.Term, &snap.Series.Fence, &t)
		snap.Series.Time = optionalMoment(t)
		return err
	})
	return snap, err
}

func (c *connection) loadKeys(ctx context.Context, ids []serial.KeyID, snap *serial.Snapshot, numbers *set[serial.Number], accounts *set[string]) error {
	return c.find(ctx, "SELECT "+prefixed("k", keyColumns), 3, len(ids),
		"keys k ON k.account = v.column1 AND k.operation = v.column2 AND k.key = v.column3",
		func(i int, args []any) []any {
			accounts.add(ids[i].Account)
			return append(args, ids[i].Account, int64(ids[i].Op), []byte(ids[i].Key))
		},
		func(rows *sql.Rows) error {
			k, err := scanKey(rows)
			snap.Keys[k.ID] = k
			if !k.Number.IsZero() {
				numbers.add(k.Number)
			}
			return err
		})
}

// set keeps the order of insertion.
type set[K comparable] struct {
	order []K
	has   map[K]bool
}

func newSet[K comparable](from []K) *set[K] {
	s := &set[K]{has: make(map[K]bool, len(from))}
	for _, k := range from {
		s.add(k)
	}
	return s
}

func (s *set[K]) add(k K) {
	if !s.has[k] {
		s.has[k] = true
		s.order = append(s.order, k)
	}
}

// apply writes a batch, in the transaction that is open.
func (c *connection) apply(ctx context.Context, b *serial.Batch) error {
	if err := c.insert(ctx, writeEntries, len(b.Entries), func(i int, args []any) []any { return bindEntry(&b.Entries[i], args) }); err != nil {
		return err
	}
	if err := c.insert(ctx, writeReservations, len(b.Reservations), func(i int, args []any) []any { return bindReservation(&b.Reservations[i], args) }); err != nil {
		return err
	}
	if err := c.insert(ctx, writeKeys, len(b.Keys), func(i int, args []any) []any { return bindKey(&b.Keys[i], args) }); err != nil {
		return err
	}
	if err := c.insert(ctx, writeAccounts, len(b.Accounts), func(i int, args []any) []any { return bindAccount(&b.Accounts[i], args) }); err != nil {
		return err
	}
	return c.applySeries(ctx, b)
}

var writeSeries = &write{
	head:    "INSERT INTO series (series, mark, term, fence, time) VALUES ",
	columns: 5,
	tail: ` ON CONFLICT (series) DO UPDATE SET mark=excluded.mark, term=excluded.term, fence=excluded.fence, time=excluded.time
		WHERE excluded.mark >= series.mark AND excluded.term >= series.term AND excluded.fence >= series.fence`,
}

var writeLeases = &write{head: "INSERT INTO leases (series, term, holder, first, last, time) VALUES ", columns: 6}

func scanSeries(rows *sql.Rows) (s serial.Series, err error) {
	var id string
	var t sql.Null[int64]
	if err := rows.Scan(&id, &s.Mark, &s.Term, &s.Fence, &t); err != nil {
		return s, err
	}
	s.Time = optionalMoment(t)
	s.ID, err = toSeries(id)
	return s, err
}

func scanLease(rows *sql.Rows) (l serial.Lease, err error) {
	var id string
	var t int64
	if err := rows.Scan(&id, &l.Term, &l.Holder, &l.First, &l.Last, &t); err != nil {
		return l, err
	}
	l.Time = moment(t)
	l.Series, err = toSeries(id)
	return l, err
}

func (c *connection) applySeries(ctx context.Context, b *serial.Batch) error {
	if s := b.Series; s != nil {
		if s.Term > math.MaxInt64 {
			return &serial.CorruptError{Reason: "term of a series out of range"}
		}
		err := c.insert(ctx, writeSeries, 1, func(_ int, args []any) []any {
			return append(args, s.ID.String(), int64(s.Mark), int64(s.Term), int64(s.Fence), optional(s.Time))
		})
		if err != nil {
			return err
		}
	}
	if l := b.Lease; l != nil {
		return c.insert(ctx, writeLeases, 1, func(_ int, args []any) []any {
			return append(args, l.Series.String(), int64(l.Term), l.Holder, int64(l.First), int64(l.Last), micros(l.Time))
		})
	}
	return nil
}
