package postgres

import (
	"context"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-574216e4/meterai/serial"
)

// prepare makes the statements that write rows ready in a connection, before its first transaction.
func prepare(ctx context.Context, c *pgx.Conn) error {
	for _, sql := range [...]string{writeEntries, changeReservations, insertReservations, writeReservations, writeKeys, changeAccounts, writeAccounts} {
		if _, err := c.Prepare(ctx, sql, sql); err != nil { // once; then it is a lookup
			return err
		}
	}
	return nil
}

// writer sends statements in one go, each of which must have an effect on a number of rows.
type writer struct {
	*columns
	ctx  context.Context
	conn *pgx.Conn
	pipe *pgconn.Pipeline
	sent []expected
	err  error
}

type expected struct {
	what string
	rows int
}

// buffers holds the columns that are not in use.
type buffers struct{ sync.Pool }

func (b *buffers) get() *columns {
	if c, ok := b.Get().(*columns); ok {
		return c
	}
	return &columns{}
}

// write sends a statement on n rows, whose columns were added.
func (w *writer) write(what, sql string, n int) {
	values := w.values()
	if n == 0 || w.err != nil {
		return
	}
	d, err := w.conn.Prepare(w.ctx, sql, sql)
	if err != nil {
		w.err = err
		return
	}
	w.pipe.SendQueryStatement(d, values, []int16{pgx.BinaryFormatCode}, nil)
	w.sent = append(w.sent, expected{what, n})
}

// end waits for the results.
func (w *writer) end() error {
	if err := w.pipe.Sync(); err != nil {
		return err
	}
	for _, x := range w.sent {
		r, err := w.pipe.GetResults()
		if err != nil {
			return err
		}
		rows, ok := r.(*pgconn.ResultReader)
		if !ok {
			return fmt.Errorf("not a result: %T", r)
		}
		tag, err := rows.Close()
		if err != nil {
			return err
		}
		if err := affected(tag, x.rows, x.what); err != nil {
			return err
		}
	}
	return w.err
}

// applyRows writes the rows of a batch in one round trip.
func (t *transaction) applyRows(ctx context.Context, batch *serial.Batch) error {
	changes, err := t.sort(batch)
	if err != nil {
		return err
	}
	c := t.s.buffers.get()
	defer t.s.buffers.Put(c)
	w := &writer{columns: c, ctx: ctx, conn: t.conn, pipe: t.conn.PgConn().StartPipeline(ctx)}
	changes.write(w)
	err = w.end()
	if end := w.pipe.Close(); err == nil {
		err = end
	}
	return err
}

// changes is a batch, sorted by what is known of its rows.
type changes struct {
	careful      bool
	entries      []serial.Entry
	fresh        []stored // reservations that were not read, and are taken as new
	changed      []stored // reservations that were read
	keys         []serial.Key
	newAccounts  []serial.Account
	haveAccounts []serial.Account
}

func (c *changes) write(w *writer) {
	bindEntries(w.columns, c.entries)
	w.write("entries", writeEntries, len(c.entries))
	bindChanges(w.columns, c.changed)
	w.write("reservations", changeReservations, len(c.changed))
	bindReservations(w.columns, c.fresh)
	if c.careful {
		w.write("reservations", writeReservations, len(c.fresh))
	} else {
		w.write("reservations", insertReservations, len(c.fresh))
	}
	bindKeys(w.columns, c.keys)
	w.write("keys", writeKeys, len(c.keys))
	bindAccounts(w.columns, c.haveAccounts)
	w.write("accounts", changeAccounts, len(c.haveAccounts))
	bindAccounts(w.columns, c.newAccounts)
	w.write("accounts", writeAccounts, len(c.newAccounts))
}

// sort tells rows that exist from those that are taken as new because they were not read. If one is not new, the database
// refuses it, and the transaction is repeated with the slower statement that takes both.
func (t *transaction) sort(batch *serial.Batch) (*changes, error) {
	c := &changes{careful: t.careful, entries: batch.Entries}
	redeems := make(map[serial.Number]*serial.Key, len(batch.Keys))
	for i := range batch.Keys {
		switch k := &batch.Keys[i]; {
		case k.ID.Op != serial.OpRedeem:
			c.keys = append(c.keys, *k)
		case redeems[k.Number] != nil:
			return nil, lonely(k)
		default:
			redeems[k.Number] = k
		}
	}
	for i := range batch.Reservations {
		s := stored{Reservation: &batch.Reservations[i]}
		k := redeems[s.Number]
		_, known := t.known[s.Number]
		switch {
		case k != nil && (known || !s.ledBy(k)):
			return nil, lonely(k)
		case known:
			c.changed = append(c.changed, s)
			continue
		case k != nil:
			s.sequence = k.Sequence
			delete(redeems, s.Number)
		}
		c.fresh = append(c.fresh, s)
	}
	for _, k := range redeems {
		return nil, lonely(k)
	}
	for i := range batch.Accounts {
		if a := &batch.Accounts[i]; t.locked[a.Name] {
			c.haveAccounts = append(c.haveAccounts, *a)
		} else {
			c.newAccounts = append(c.newAccounts, *a)
		}
	}
	return c, nil
}

// lonely refuses a key that does not come with the reservation that it leads to.
func lonely(k *serial.Key) error {
	return &serial.CorruptError{Account: k.ID.Account, Reason: "a key that does not come with its reservation: " + k.Number.String()}
}
