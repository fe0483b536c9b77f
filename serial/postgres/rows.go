package postgres

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/seed-574216e4/meterai/serial"
)

// How rows map to the types of package serial. Rows go in as one array for each column.

// micros gives nil for no time.
func micros(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	us := t.UnixMicro()
	return &us
}

func moment(us *int64) time.Time {
	if us == nil {
		return time.Time{}
	}
	return time.UnixMicro(*us).UTC()
}

func blob(n serial.Number) []byte {
	if n.IsZero() {
		return nil
	}
	b := n.Packed()
	return b[:]
}

func digest(d *[32]byte) []byte {
	if *d == [32]byte{} {
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

// column takes one column of all rows.
func column[R, V any](rows []R, f func(*R) V) []V {
	out := make([]V, len(rows))
	for i := range rows {
		out[i] = f(&rows[i])
	}
	return out
}

const accountColumns = "account, sequence, head, time, purchased, granted, transferred_in, postpaid, available, reserved, " +
	"stamped, refunded, transferred_out, postpaid_limit"

const writeAccounts = "INSERT INTO accounts (" + accountColumns + `) SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[],
	$4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[],
	$12::bigint[], $13::bigint[], $14::bigint[])
	ON CONFLICT (account) DO UPDATE SET sequence=excluded.sequence, head=excluded.head, time=excluded.time,
	purchased=excluded.purchased, granted=excluded.granted, transferred_in=excluded.transferred_in,
	postpaid=excluded.postpaid, available=excluded.available, reserved=excluded.reserved, stamped=excluded.stamped,
	refunded=excluded.refunded, transferred_out=excluded.transferred_out, postpaid_limit=excluded.postpaid_limit
	WHERE excluded.sequence > accounts.sequence`

func bindAccounts(list []serial.Account) []any {
	return []any{
		column(list, func(a *serial.Account) string { return a.Name }),
		column(list, func(a *serial.Account) int64 { return a.Sequence }),
		column(list, func(a *serial.Account) []byte { return a.Head[:] }),
		column(list, func(a *serial.Account) *int64 { return micros(a.Time) }),
		column(list, func(a *serial.Account) int64 { return a.Purchased }),
		column(list, func(a *serial.Account) int64 { return a.Granted }),
		column(list, func(a *serial.Account) int64 { return a.TransferredIn }),
		column(list, func(a *serial.Account) int64 { return a.Postpaid }),
		column(list, func(a *serial.Account) int64 { return a.Available }),
		column(list, func(a *serial.Account) int64 { return a.Reserved }),
		column(list, func(a *serial.Account) int64 { return a.Stamped }),
		column(list, func(a *serial.Account) int64 { return a.Refunded }),
		column(list, func(a *serial.Account) int64 { return a.TransferredOut }),
		column(list, func(a *serial.Account) int64 { return a.Limit }),
	}
}

func scanAccount(row pgx.Rows) (a serial.Account, err error) {
	var head pgtype.DriverBytes
	var t *int64
	if err := row.Scan(&a.Name, &a.Sequence, &head, &t, &a.Purchased, &a.Granted, &a.TransferredIn, &a.Postpaid,
		&a.Available, &a.Reserved, &a.Stamped, &a.Refunded, &a.TransferredOut, &a.Limit); err != nil {
		return a, err
	}
	a.Time = moment(t)
	a.Head, err = toDigest(head)
	return a, err
}

const entryColumns = "account, sequence, kind, units, key, number, digest, length, peer, note, paid, time, hash"

const writeEntries = "INSERT INTO entries (" + entryColumns + `) SELECT * FROM unnest($1::text[], $2::bigint[], $3::smallint[],
	$4::bigint[], $5::bytea[], $6::bytea[], $7::bytea[], $8::bigint[], $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::bytea[])`

func bindEntries(list []serial.Entry) []any {
	return []any{
		column(list, func(e *serial.Entry) string { return e.Account }),
		column(list, func(e *serial.Entry) int64 { return e.Sequence }),
		column(list, func(e *serial.Entry) int16 { return int16(e.Kind) }),
		column(list, func(e *serial.Entry) int64 { return e.Units }),
		column(list, func(e *serial.Entry) []byte { return e.Key }),
		column(list, func(e *serial.Entry) []byte { return blob(e.Number) }),
		column(list, func(e *serial.Entry) []byte { return digest(&e.Digest) }),
		column(list, func(e *serial.Entry) int64 { return e.Length }),
		column(list, func(e *serial.Entry) string { return e.Peer }),
		column(list, func(e *serial.Entry) string { return e.Note }),
		column(list, func(e *serial.Entry) *int64 { return micros(e.Paid) }),
		column(list, func(e *serial.Entry) *int64 { return micros(e.Time) }),
		column(list, func(e *serial.Entry) []byte { return e.Hash[:] }),
	}
}

func scanEntry(row pgx.Rows) (e serial.Entry, err error) {
	var number, dig, hash pgtype.DriverBytes
	var paid, t *int64
	var kind int16
	if err := row.Scan(&e.Account, &e.Sequence, &kind, &e.Units, &e.Key, &number, &dig, &e.Length, &e.Peer, &e.Note, &paid, &t, &hash); err != nil {
		return e, err
	}
	e.Kind, e.Paid, e.Time = serial.Kind(kind), moment(paid), moment(t)
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
const writeReservations = "INSERT INTO reservations (" + reservationColumns + `) SELECT * FROM unnest($1::bytea[], $2::text[],
	$3::bytea[], $4::smallint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bytea[], $9::bigint[], $10::bigint[],
	$11::text[], $12::text[], $13::text[], $14::bytea[], $15::bigint[], $16::text[])
	ON CONFLICT (number) DO UPDATE SET state=excluded.state, intent=excluded.intent, resolved=excluded.resolved,
	output_digest=excluded.output_digest, output_length=excluded.output_length, note=excluded.note
	WHERE reservations.account = excluded.account AND reservations.key = excluded.key
	AND (reservations.state IN (1, 2) AND reservations.state <= excluded.state OR reservations.state = 5 AND excluded.state = 5)`

func bindReservations(list []serial.Reservation) []any {
	return []any{
		column(list, func(r *serial.Reservation) []byte { return blob(r.Number) }),
		column(list, func(r *serial.Reservation) string { return r.Account }),
		column(list, func(r *serial.Reservation) []byte { return r.Request.Key }),
		column(list, func(r *serial.Reservation) int16 { return int16(r.State) }),
		column(list, func(r *serial.Reservation) *int64 { return micros(r.Reserved) }),
		column(list, func(r *serial.Reservation) *int64 { return micros(r.Time) }),
		column(list, func(r *serial.Reservation) *int64 { return micros(r.Resolved) }),
		column(list, func(r *serial.Reservation) []byte { return r.Request.Digest[:] }),
		column(list, func(r *serial.Reservation) int64 { return r.Request.Length }),
		column(list, func(r *serial.Reservation) int64 { return int64(r.Request.Value) }),
		column(list, func(r *serial.Reservation) string { return r.Request.Kind }),
		column(list, func(r *serial.Reservation) string { return r.Request.Placement }),
		column(list, func(r *serial.Reservation) string { return r.Request.Profile }),
		column(list, func(r *serial.Reservation) []byte { return digest(&r.Output.Digest) }),
		column(list, func(r *serial.Reservation) int64 { return r.Output.Length }),
		column(list, func(r *serial.Reservation) string { return r.Note }),
	}
}

func scanReservation(row pgx.Rows) (r serial.Reservation, err error) {
	var number, dig, out pgtype.DriverBytes
	var reserved, intent, resolved *int64
	var value int64
	var state int16
	q := &r.Request
	if err := row.Scan(&number, &r.Account, &q.Key, &state, &reserved, &intent, &resolved, &dig, &q.Length, &value,
		&q.Kind, &q.Placement, &q.Profile, &out, &r.Output.Length, &r.Note); err != nil {
		return r, err
	}
	r.State, q.Account, q.Value = serial.State(state), r.Account, uint32(value)
	r.Reserved, r.Time, r.Resolved = moment(reserved), moment(intent), moment(resolved)
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

const writeKeys = "INSERT INTO keys (" + keyColumns + `) SELECT * FROM unnest($1::text[], $2::smallint[], $3::bytea[], $4::bytea[],
	$5::bigint[], $6::bigint[], $7::text[], $8::bigint[])
	ON CONFLICT (account, operation, key) DO UPDATE SET number=excluded.number, sequence=excluded.sequence,
	time=excluded.time WHERE keys.operation = 1 AND excluded.sequence > keys.sequence`

func bindKeys(list []serial.Key) []any {
	return []any{
		column(list, func(k *serial.Key) string { return k.ID.Account }),
		column(list, func(k *serial.Key) int16 { return int16(k.ID.Op) }),
		column(list, func(k *serial.Key) []byte { return []byte(k.ID.Key) }),
		column(list, func(k *serial.Key) []byte { return blob(k.Number) }),
		column(list, func(k *serial.Key) int64 { return k.Sequence }),
		column(list, func(k *serial.Key) int64 { return k.Units }),
		column(list, func(k *serial.Key) string { return k.Peer }),
		column(list, func(k *serial.Key) *int64 { return micros(k.Time) }),
	}
}

func scanKey(row pgx.Rows) (k serial.Key, err error) {
	var key, number pgtype.DriverBytes
	var t *int64
	var op int16
	if err := row.Scan(&k.ID.Account, &op, &key, &number, &k.Sequence, &k.Units, &k.Peer, &t); err != nil {
		return k, err
	}
	k.ID.Op, k.ID.Key, k.Time = serial.Op(op), string(key), moment(t)
	k.Number, err = toNumber(number)
	return k, err
}

func scanSeries(row pgx.Rows, s *serial.Series) error {
	var mark, term, fence int64
	var t *int64
	if err := row.Scan(&mark, &term, &fence, &t); err != nil {
		return err
	}
	s.Mark, s.Term, s.Fence, s.Time = uint64(mark), uint64(term), uint64(fence), moment(t)
	return nil
}

const leaseColumns = "series, term, holder, first, last, time"

func scanLease(row pgx.Rows) (l serial.Lease, err error) {
	var id string
	var term, first, last int64
	var t *int64
	if err := row.Scan(&id, &term, &l.Holder, &first, &last, &t); err != nil {
		return l, err
	}
	l.Term, l.First, l.Last, l.Time = uint64(term), uint64(first), uint64(last), moment(t)
	l.Series, err = toSeries(id)
	return l, err
}

func scanNamedSeries(row pgx.Rows) (s serial.Series, err error) {
	var id string
	var mark, term, fence int64
	var t *int64
	if err := row.Scan(&id, &mark, &term, &fence, &t); err != nil {
		return s, err
	}
	s.Mark, s.Term, s.Fence, s.Time = uint64(mark), uint64(term), uint64(fence), moment(t)
	s.ID, err = toSeries(id)
	return s, err
}

func toSeries(id string) (serial.SeriesID, error) {
	if len(id) != 3 {
		return serial.SeriesID{}, &serial.CorruptError{Reason: fmt.Sprintf("a series named %q", id)}
	}
	return serial.SeriesID{Epoch: id[0], Issuer: id[1:]}, nil
}

// each gives every row to f.
func each(rows pgx.Rows, f func() error) error {
	for rows.Next() {
		if err := f(); err != nil {
			return err
		}
	}
	return rows.Err()
}
