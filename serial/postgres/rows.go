package postgres

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-574216e4/meterai/serial"
)

// How rows map to the types of package serial. Rows go in as one array for each column, and come out as the bytes of the
// binary protocol.

// micros gives false for no time.
func micros(t time.Time) (int64, bool) {
	if t.IsZero() {
		return 0, false
	}
	return t.UnixMicro(), true
}

// optional is micros as a parameter, nil for no time.
func optional(t time.Time) *int64 {
	us, ok := micros(t)
	if !ok {
		return nil
	}
	return &us
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

// row takes the columns of a row one after the other. The first that is not what it should be is its error.
type row struct {
	values [][]byte
	err    error
}

func rowOf(rows pgx.Rows) *row { return &row{values: rows.RawValues()} }

func (r *row) next() []byte {
	if len(r.values) == 0 {
		r.fail("a row is too short")
		return nil
	}
	v := r.values[0]
	r.values = r.values[1:]
	return v
}

func (r *row) fail(format string, args ...any) {
	if r.err == nil {
		r.err = &serial.CorruptError{Reason: fmt.Sprintf(format, args...)}
	}
}

// int takes a bigint, 0 for NULL.
func (r *row) int() int64 {
	switch b := r.next(); len(b) {
	case 0:
		return 0
	case 8:
		return int64(binary.BigEndian.Uint64(b))
	default:
		r.fail("a number of %d bytes", len(b))
		return 0
	}
}

func (r *row) small() uint8 {
	b := r.next()
	if len(b) != 2 || b[0] != 0 {
		r.fail("a kind, state or operation out of range")
		return 0
	}
	return b[1]
}

func (r *row) text() string { return string(r.next()) }

// bytes gives a copy, nil for NULL.
func (r *row) bytes() []byte {
	b := r.next()
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

// time takes microseconds, NULL for none.
func (r *row) time() time.Time {
	if len(r.values) > 0 && r.values[0] == nil {
		r.next()
		return time.Time{}
	}
	return time.UnixMicro(r.int()).UTC()
}

func (r *row) number() serial.Number {
	b := r.next()
	if b == nil {
		return serial.Number{}
	}
	if len(b) != 14 {
		r.fail("a number of %d bytes", len(b))
		return serial.Number{}
	}
	n, err := serial.Unpack([14]byte(b))
	if err != nil {
		r.fail("%v", err)
	}
	return n
}

func (r *row) digest() [32]byte {
	b := r.next()
	switch len(b) {
	case 0:
	case 32:
		return [32]byte(b)
	default:
		r.fail("a digest of %d bytes", len(b))
	}
	return [32]byte{}
}

func (r *row) series() serial.SeriesID {
	id := r.next()
	if len(id) != 3 {
		r.fail("a series named %q", id)
		return serial.SeriesID{}
	}
	return serial.SeriesID{Epoch: id[0], Issuer: string(id[1:])}
}

const (
	accountColumns = "account, sequence, head, time, purchased, granted, transferred_in, postpaid, available, reserved, " +
		"stamped, refunded, transferred_out, postpaid_limit"
	accountArrays = `unnest($1::text[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
		$8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[])`
)

// changeAccounts is for accounts that exist, writeAccounts for all.
const (
	changeAccounts = "UPDATE accounts AS a SET sequence=n.sequence, head=n.head, time=n.time, purchased=n.purchased, " +
		"granted=n.granted, transferred_in=n.transferred_in, postpaid=n.postpaid, available=n.available, reserved=n.reserved, " +
		"stamped=n.stamped, refunded=n.refunded, transferred_out=n.transferred_out, postpaid_limit=n.postpaid_limit " +
		"FROM " + accountArrays + " AS n(" + accountColumns + ") WHERE a.account = n.account AND n.sequence > a.sequence"
	writeAccounts = "INSERT INTO accounts (" + accountColumns + ") SELECT * FROM " + accountArrays + `
	ON CONFLICT (account) DO UPDATE SET sequence=excluded.sequence, head=excluded.head, time=excluded.time,
	purchased=excluded.purchased, granted=excluded.granted, transferred_in=excluded.transferred_in,
	postpaid=excluded.postpaid, available=excluded.available, reserved=excluded.reserved, stamped=excluded.stamped,
	refunded=excluded.refunded, transferred_out=excluded.transferred_out, postpaid_limit=excluded.postpaid_limit
	WHERE excluded.sequence > accounts.sequence`
)

func bindAccounts(c *columns, list []serial.Account) {
	c.add(texts(c.buf, list, func(a *serial.Account) string { return a.Name }))
	c.add(counts(c.buf, list, func(a *serial.Account) int64 { return a.Sequence }))
	c.add(blobs(c.buf, list, func(a *serial.Account) []byte { return a.Head[:] }))
	c.add(bigints(c.buf, list, func(a *serial.Account) (int64, bool) { return micros(a.Time) }))
	c.add(counts(c.buf, list, func(a *serial.Account) int64 { return a.Purchased }))
	c.add(counts(c.buf, list, func(a *serial.Account) int64 { return a.Granted }))
	c.add(counts(c.buf, list, func(a *serial.Account) int64 { return a.TransferredIn }))
	c.add(counts(c.buf, list, func(a *serial.Account) int64 { return a.Postpaid }))
	c.add(counts(c.buf, list, func(a *serial.Account) int64 { return a.Available }))
	c.add(counts(c.buf, list, func(a *serial.Account) int64 { return a.Reserved }))
	c.add(counts(c.buf, list, func(a *serial.Account) int64 { return a.Stamped }))
	c.add(counts(c.buf, list, func(a *serial.Account) int64 { return a.Refunded }))
	c.add(counts(c.buf, list, func(a *serial.Account) int64 { return a.TransferredOut }))
	c.add(counts(c.buf, list, func(a *serial.Account) int64 { return a.Limit }))
}

func scanAccount(rows pgx.Rows) (serial.Account, error) {
	r := rowOf(rows)
	a := serial.Account{Name: r.text(), Sequence: r.int(), Head: r.digest(), Time: r.time()}
	a.Balance = serial.Balance{Purchased: r.int(), Granted: r.int(), TransferredIn: r.int(), Postpaid: r.int(), Available: r.int(),
		Reserved: r.int(), Stamped: r.int(), Refunded: r.int(), TransferredOut: r.int(), Limit: r.int()}
	return a, r.err
}

const entryColumns = "account, sequence, kind, units, key, number, digest, length, peer, note, paid, time, hash"

const writeEntries = "INSERT INTO entries (" + entryColumns + `) SELECT * FROM unnest($1::text[], $2::bigint[], $3::smallint[],
	$4::bigint[], $5::bytea[], $6::bytea[], $7::bytea[], $8::bigint[], $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::bytea[])`

func bindEntries(c *columns, list []serial.Entry) {
	c.add(texts(c.buf, list, func(e *serial.Entry) string { return e.Account }))
	c.add(counts(c.buf, list, func(e *serial.Entry) int64 { return e.Sequence }))
	c.add(smallints(c.buf, list, func(e *serial.Entry) uint8 { return uint8(e.Kind) }))
	c.add(counts(c.buf, list, func(e *serial.Entry) int64 { return e.Units }))
	c.add(blobs(c.buf, list, func(e *serial.Entry) []byte { return e.Key }))
	c.add(numbers(c.buf, list, func(e *serial.Entry) serial.Number { return e.Number }))
	c.add(blobs(c.buf, list, func(e *serial.Entry) []byte { return digest(&e.Digest) }))
	c.add(counts(c.buf, list, func(e *serial.Entry) int64 { return e.Length }))
	c.add(texts(c.buf, list, func(e *serial.Entry) string { return e.Peer }))
	c.add(texts(c.buf, list, func(e *serial.Entry) string { return e.Note }))
	c.add(bigints(c.buf, list, func(e *serial.Entry) (int64, bool) { return micros(e.Paid) }))
	c.add(bigints(c.buf, list, func(e *serial.Entry) (int64, bool) { return micros(e.Time) }))
	c.add(blobs(c.buf, list, func(e *serial.Entry) []byte { return e.Hash[:] }))
}

func scanEntry(rows pgx.Rows) (serial.Entry, error) {
	r := rowOf(rows)
	e := serial.Entry{Account: r.text(), Sequence: r.int(), Kind: serial.Kind(r.small()), Units: r.int(), Key: r.bytes(),
		Number: r.number(), Digest: r.digest(), Length: r.int(), Peer: r.text(), Note: r.text(), Paid: r.time(), Time: r.time(),
		Hash: r.digest()}
	return e, r.err
}

// stored is a reservation with what the table says of its key: the sequence number of the entry that took the unit, 0 if
// no key leads to it.
type stored struct {
	*serial.Reservation
	sequence int64
}

// holding is the attempt of a reservation that holds its key.
const holding = math.MaxInt64

// attempt orders the reservations of a key: those that were released by their entries, and the one that holds it above
// them. NULL is for a released one that no key led to.
func (s *stored) attempt() (int64, bool) {
	if s.State == serial.Released {
		return s.sequence, s.sequence != 0
	}
	return holding, true
}

const reservationColumns = "number, account, key, sequence, state, reserved, intent, resolved, digest, length, value, kind, " +
	"placement, profile, output_digest, output_length, note"

// changeReservations is for those that exist. A final state stays; only a void one may take up an orphan.
const changeReservations = `UPDATE reservations AS r SET state=n.state, intent=n.intent, resolved=n.resolved,
	output_digest=n.output_digest, output_length=n.output_length, note=n.note,
	attempt = CASE WHEN n.state = 4 THEN r.sequence ELSE r.attempt END
	FROM unnest($1::bytea[], $2::text[], $3::bytea[], $4::smallint[], $5::bigint[], $6::bigint[], $7::bytea[], $8::bigint[], $9::text[])
		AS n(number, account, key, state, intent, resolved, output_digest, output_length, note)
	WHERE r.number = n.number AND r.account = n.account AND r.key = n.key
	AND (r.state IN (1, 2) AND r.state <= n.state OR r.state = 5 AND n.state = 5)`

func bindChanges(c *columns, list []stored) {
	c.add(numbers(c.buf, list, func(r *stored) serial.Number { return r.Number }))
	c.add(texts(c.buf, list, func(r *stored) string { return r.Account }))
	c.add(blobs(c.buf, list, func(r *stored) []byte { return r.Request.Key }))
	c.add(smallints(c.buf, list, func(r *stored) uint8 { return uint8(r.State) }))
	c.add(bigints(c.buf, list, func(r *stored) (int64, bool) { return micros(r.Time) }))
	c.add(bigints(c.buf, list, func(r *stored) (int64, bool) { return micros(r.Resolved) }))
	c.add(blobs(c.buf, list, func(r *stored) []byte { return digest(&r.Output.Digest) }))
	c.add(counts(c.buf, list, func(r *stored) int64 { return r.Output.Length }))
	c.add(texts(c.buf, list, func(r *stored) string { return r.Note }))
}

// insertReservations is for new ones, writeReservations for those of which nothing is known. One with a key must be new.
const (
	insertReservations = "INSERT INTO reservations (" + reservationColumns + `, attempt) SELECT * FROM unnest($1::bytea[], $2::text[],
	$3::bytea[], $4::bigint[], $5::smallint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bytea[], $10::bigint[], $11::bigint[],
	$12::text[], $13::text[], $14::text[], $15::bytea[], $16::bigint[], $17::text[], $18::bigint[])`
	writeReservations = insertReservations + `
	ON CONFLICT (number) DO UPDATE SET state=excluded.state, intent=excluded.intent, resolved=excluded.resolved,
	output_digest=excluded.output_digest, output_length=excluded.output_length, note=excluded.note,
	attempt=CASE WHEN excluded.state = 4 THEN reservations.sequence ELSE reservations.attempt END
	WHERE excluded.sequence IS NULL AND reservations.account = excluded.account AND reservations.key = excluded.key
	AND (reservations.state IN (1, 2) AND reservations.state <= excluded.state OR reservations.state = 5 AND excluded.state = 5)`
)

func bindReservations(c *columns, list []stored) {
	c.add(numbers(c.buf, list, func(r *stored) serial.Number { return r.Number }))
	c.add(texts(c.buf, list, func(r *stored) string { return r.Account }))
	c.add(blobs(c.buf, list, func(r *stored) []byte { return r.Request.Key }))
	c.add(bigints(c.buf, list, func(r *stored) (int64, bool) { return r.sequence, r.sequence != 0 }))
	c.add(smallints(c.buf, list, func(r *stored) uint8 { return uint8(r.State) }))
	c.add(bigints(c.buf, list, func(r *stored) (int64, bool) { return micros(r.Reserved) }))
	c.add(bigints(c.buf, list, func(r *stored) (int64, bool) { return micros(r.Time) }))
	c.add(bigints(c.buf, list, func(r *stored) (int64, bool) { return micros(r.Resolved) }))
	c.add(blobs(c.buf, list, func(r *stored) []byte { return r.Request.Digest[:] }))
	c.add(counts(c.buf, list, func(r *stored) int64 { return r.Request.Length }))
	c.add(counts(c.buf, list, func(r *stored) int64 { return int64(r.Request.Value) }))
	c.add(texts(c.buf, list, func(r *stored) string { return r.Request.Kind }))
	c.add(texts(c.buf, list, func(r *stored) string { return r.Request.Placement }))
	c.add(texts(c.buf, list, func(r *stored) string { return r.Request.Profile }))
	c.add(blobs(c.buf, list, func(r *stored) []byte { return digest(&r.Output.Digest) }))
	c.add(counts(c.buf, list, func(r *stored) int64 { return r.Output.Length }))
	c.add(texts(c.buf, list, func(r *stored) string { return r.Note }))
	c.add(bigints(c.buf, list, (*stored).attempt))
}

func scanStored(rows pgx.Rows) (s stored, err error) {
	r := rowOf(rows)
	number, account := r.number(), r.text()
	q := serial.Request{Account: account, Key: r.bytes()}
	s.sequence = r.int()
	s.Reservation = &serial.Reservation{Number: number, Account: account, State: serial.State(r.small()), Reserved: r.time(),
		Time: r.time(), Resolved: r.time()}
	q.Digest, q.Length = r.digest(), r.int()
	value := r.int()
	if value < 0 || value > math.MaxUint32 {
		r.fail("a value of %d", value)
	}
	q.Value, q.Kind, q.Placement, q.Profile = uint32(value), r.text(), r.text(), r.text()
	s.Request = q
	s.Output = serial.Output{Digest: r.digest(), Length: r.int()}
	s.Note = r.text()
	return s, r.err
}

func scanReservation(rows pgx.Rows) (serial.Reservation, error) {
	s, err := scanStored(rows)
	return *s.Reservation, err
}

// key gives the answer that a reservation stands for.
func (s *stored) key() serial.Key {
	id := serial.KeyID{Account: s.Account, Op: serial.OpRedeem, Key: string(s.Request.Key)}
	return serial.Key{ID: id, Number: s.Number, Sequence: s.sequence, Units: 1, Time: s.Reserved}
}

// ledBy reports whether a key leads to the reservation, as far as the row does not keep it.
func (s *stored) ledBy(k *serial.Key) bool {
	return k.ID.Account == s.Account && k.ID.Key == string(s.Request.Key) && k.Sequence > 0 && k.Units == 1 && k.Peer == "" &&
		k.Time.Equal(s.Reserved)
}

// The keys of OpRedeem are in the rows of their reservations; the others have rows of their own.

const keyColumns = "account, operation, key, sequence, units, peer, time"

const writeKeys = "INSERT INTO keys (" + keyColumns + `) SELECT * FROM unnest($1::text[], $2::smallint[], $3::bytea[], $4::bigint[],
	$5::bigint[], $6::text[], $7::bigint[])`

func bindKeys(c *columns, list []serial.Key) {
	c.add(texts(c.buf, list, func(k *serial.Key) string { return k.ID.Account }))
	c.add(smallints(c.buf, list, func(k *serial.Key) uint8 { return uint8(k.ID.Op) }))
	c.add(keys(c.buf, list, func(k *serial.Key) string { return k.ID.Key }))
	c.add(counts(c.buf, list, func(k *serial.Key) int64 { return k.Sequence }))
	c.add(counts(c.buf, list, func(k *serial.Key) int64 { return k.Units }))
	c.add(texts(c.buf, list, func(k *serial.Key) string { return k.Peer }))
	c.add(bigints(c.buf, list, func(k *serial.Key) (int64, bool) { return micros(k.Time) }))
}

func scanKey(rows pgx.Rows) (serial.Key, error) {
	r := rowOf(rows)
	k := serial.Key{ID: serial.KeyID{Account: r.text(), Op: serial.Op(r.small()), Key: r.text()}, Sequence: r.int(), Units: r.int(),
		Peer: r.text(), Time: r.time()}
	return k, r.err
}

// scanRedeemKey reads a key that is in its reservation's row.
func scanRedeemKey(rows pgx.Rows) (serial.Key, error) {
	r := rowOf(rows)
	k := serial.Key{ID: serial.KeyID{Account: r.text(), Op: serial.OpRedeem, Key: r.text()}, Number: r.number(), Sequence: r.int(),
		Units: 1, Time: r.time()}
	return k, r.err
}

// counters takes mark, term, fence and time of a series.
func (r *row) counters(s *serial.Series) {
	s.Mark, s.Term, s.Fence, s.Time = uint64(r.int()), uint64(r.int()), uint64(r.int()), r.time()
}

func scanSeries(rows pgx.Rows, s *serial.Series) error {
	r := rowOf(rows)
	r.counters(s)
	return r.err
}

func scanNamedSeries(rows pgx.Rows) (s serial.Series, err error) {
	r := rowOf(rows)
	s.ID = r.series()
	r.counters(&s)
	return s, r.err
}

const leaseColumns = "series, term, holder, first, last, time"

func scanLease(rows pgx.Rows) (serial.Lease, error) {
	r := rowOf(rows)
	l := serial.Lease{Series: r.series(), Term: uint64(r.int()), Holder: r.text(), First: uint64(r.int()), Last: uint64(r.int()), Time: r.time()}
	return l, r.err
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
