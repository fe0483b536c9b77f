package sqlite

import (
	"context"
	"fmt"

	"github.com/seed-574216e4/meterai/serial"
)

// How a transaction reads its snapshot and writes its batch.

// load reads what q names, in the transaction that is open.
func (c *connection) load(ctx context.Context, q *serial.Query) (*serial.Snapshot, error) {
	snap := &serial.Snapshot{
		Accounts:     make(map[string]serial.Account, len(q.Accounts)),
		Keys:         make(map[serial.KeyID]serial.Key, len(q.Keys)),
		Reservations: make(map[serial.Number]serial.Reservation, len(q.Numbers)+len(q.Keys)),
	}
	clear(c.rowids)
	accounts := newSet(q.Accounts)
	if err := c.loadKeys(ctx, q.Keys, snap, accounts); err != nil {
		return nil, err
	}
	err := c.find(ctx, &findReservations, len(q.Numbers),
		func(i int, a *arguments) { a.number(q.Numbers[i]) },
		func(r *row) error {
			_, err := c.found(r, snap, accounts)
			return err
		})
	if err != nil {
		return nil, err
	}
	err = c.find(ctx, &findAccounts, len(accounts.order),
		func(i int, a *arguments) { a.add(accounts.order[i]) },
		func(r *row) error {
			a, err := scanAccount(r)
			snap.Accounts[a.Name] = a
			return err
		})
	if err != nil || q.Series == (serial.SeriesID{}) {
		return snap, err
	}
	return snap, c.loadSeries(ctx, q.Series, snap)
}

func (c *connection) loadSeries(ctx context.Context, id serial.SeriesID, snap *serial.Snapshot) error {
	c.args = c.args[:0]
	c.args.add(id.String())
	return c.query(ctx, `SELECT coalesce(mark, floor), coalesce(term, 0), coalesce(fence, 0), time
		FROM meta LEFT JOIN series ON series = ?`, c.args, func(r *row) error {
		snap.Series = serial.Series{ID: id, Mark: uint64(r.integer()), Term: uint64(r.integer()), Fence: uint64(r.integer()), Time: r.optional()}
		return r.err
	})
}

// found takes a reservation, with its rowid before it.
func (c *connection) found(r *row, snap *serial.Snapshot, accounts *set[string]) (serial.Reservation, error) {
	id := r.integer()
	v, err := scanReservation(r)
	if err == nil {
		c.rowids[v.Number] = id
		snap.Reservations[v.Number] = v
		accounts.add(v.Account)
	}
	return v, err
}

func (c *connection) loadKeys(ctx context.Context, ids []serial.KeyID, snap *serial.Snapshot, accounts *set[string]) error {
	var redeems, others []serial.KeyID
	for _, id := range ids {
		accounts.add(id.Account)
		if id.Op == serial.OpRedeem {
			redeems = append(redeems, id)
		} else {
			others = append(others, id)
		}
	}
	err := c.find(ctx, &findAttempts, len(redeems),
		func(i int, a *arguments) { a.add(redeems[i].Account); a.add([]byte(redeems[i].Key)) },
		func(r *row) error {
			keyed, sequence := !r.null(), r.integer()
			v, err := c.found(r, snap, accounts)
			if keyed && err == nil {
				id := serial.KeyID{Account: v.Account, Op: serial.OpRedeem, Key: string(v.Request.Key)}
				snap.Keys[id] = serial.Key{ID: id, Number: v.Number, Sequence: sequence, Units: 1, Time: v.Reserved}
			}
			return err
		})
	if err != nil {
		return err
	}
	return c.find(ctx, &findKeys, len(others),
		func(i int, a *arguments) {
			a.add(others[i].Account)
			a.integer(int64(others[i].Op))
			a.add([]byte(others[i].Key))
		},
		func(r *row) error {
			k, err := scanKey(r)
			snap.Keys[k.ID] = k
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
	err := c.insert(ctx, writeEntries, len(b.Entries), func(i int, a *arguments) { bindEntry(&b.Entries[i], a) })
	if err != nil {
		return err
	}
	attempts, others := make(map[serial.Number]*serial.Key, len(b.Keys)), make([]*serial.Key, 0, len(b.Keys))
	for i := range b.Keys {
		switch k := &b.Keys[i]; {
		case k.ID.Op != serial.OpRedeem:
			others = append(others, k)
		case attempts[k.Number] != nil:
			return lonely(k)
		default:
			attempts[k.Number] = k
		}
	}
	for i := range b.Reservations {
		r := &b.Reservations[i]
		if err := c.writeReservation(ctx, r, attempts[r.Number]); err != nil {
			return err
		}
		delete(attempts, r.Number)
	}
	for _, k := range attempts {
		return lonely(k)
	}
	if err := c.insert(ctx, writeKeys, len(others), func(i int, a *arguments) { bindKey(others[i], a) }); err != nil {
		return err
	}
	err = c.insert(ctx, writeAccounts, len(b.Accounts), func(i int, a *arguments) { bindAccount(&b.Accounts[i], a) })
	if err != nil {
		return err
	}
	return c.applySeries(ctx, b)
}

const insertReservation = `INSERT OR FAIL INTO reservations (number, account, key, sequence, state, reserved, intent, resolved,
	digest, length, value, kind, placement, profile, output_digest, output_length, note)
	VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (number) DO NOTHING`

// A final state stays; only a void reservation may take up an orphan.
const (
	updateReservation = `UPDATE OR FAIL reservations SET state=?, intent=?, resolved=?, output_digest=?, output_length=?, note=?`
	whereUpdatable    = ` WHERE id = ? AND account = ? AND key = ? AND state <= ? AND state NOT IN (3, 4)`
	releasing         = `, attempt = id` // apart, since it changes an index
)

// lonely refuses a key that does not come with the reservation that it leads to.
func lonely(k *serial.Key) error {
	return &serial.CorruptError{Account: k.ID.Account, Reason: "a key that does not come with its reservation: " + k.Number.String()}
}

// leads reports whether a key is that of a reservation, as far as the row does not keep it.
func leads(k *serial.Key, r *serial.Reservation) bool {
	return k.ID.Account == r.Account && k.ID.Key == string(r.Request.Key) && k.Sequence > 0 && k.Units == 1 && k.Peer == "" &&
		k.Time.Equal(r.Reserved)
}

// writeReservation inserts a reservation, with its key if there is one, or changes it.
func (c *connection) writeReservation(ctx context.Context, r *serial.Reservation, k *serial.Key) error {
	id, known := c.rowids[r.Number]
	if k != nil && (known || !leads(k, r)) {
		return lonely(k)
	}
	if known {
		return c.changeReservation(ctx, id, r)
	}
	state := r.State
	if state == serial.Released {
		state = serial.Reserved // it takes both steps, as it did
	}
	c.args = c.args[:0]
	bindNew(r, k, state, &c.args)
	done, err := c.run(ctx, insertReservation)
	if err != nil || done == 1 && state == r.State {
		return err
	}
	if done == 0 && k != nil {
		return lonely(k)
	}
	c.args = c.args[:0]
	c.args.number(r.Number)
	err = c.query(ctx, "SELECT id FROM reservations WHERE number = ?", c.args, func(row *row) error {
		id = row.integer()
		return row.err
	})
	if err != nil {
		return err
	}
	return c.changeReservation(ctx, id, r)
}

func bindNew(r *serial.Reservation, k *serial.Key, state serial.State, a *arguments) {
	a.number(r.Number)
	a.add(r.Account)
	a.add(r.Request.Key)
	if k != nil {
		a.integer(k.Sequence)
	} else {
		a.add(nil)
	}
	a.integer(int64(state))
	a.time(r.Reserved)
	a.optional(r.Time)
	a.optional(r.Resolved)
	a.add(r.Request.Digest[:])
	a.integer(r.Request.Length)
	a.integer(int64(r.Request.Value))
	a.text(r.Request.Kind)
	a.text(r.Request.Placement)
	a.text(r.Request.Profile)
	a.digest(r.Output.Digest)
	a.integer(r.Output.Length)
	a.text(r.Note)
}

func (c *connection) changeReservation(ctx context.Context, id int64, r *serial.Reservation) error {
	a := &c.args
	*a = (*a)[:0]
	a.integer(int64(r.State))
	a.optional(r.Time)
	a.optional(r.Resolved)
	a.digest(r.Output.Digest)
	a.integer(r.Output.Length)
	a.text(r.Note)
	a.integer(id)
	a.add(r.Account)
	a.add(r.Request.Key)
	a.integer(int64(r.State))
	statement := updateReservation + whereUpdatable
	if r.State == serial.Released {
		statement = updateReservation + releasing + whereUpdatable
	}
	done, err := c.run(ctx, statement)
	if err == nil && done != 1 {
		err = fmt.Errorf("the database refuses that reservation %s becomes %s", r.Number, r.State)
	}
	return err
}

func (c *connection) applySeries(ctx context.Context, b *serial.Batch) error {
	if b.Series != nil {
		if err := checkTerm(b.Series.Term); err != nil {
			return err
		}
		if err := c.insert(ctx, writeSeries, 1, func(_ int, a *arguments) { bindSeries(b.Series, a) }); err != nil {
			return err
		}
	}
	if b.Lease == nil {
		return nil
	}
	return c.insert(ctx, writeLeases, 1, func(_ int, a *arguments) { bindLease(b.Lease, a) })
}
