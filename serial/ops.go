package serial

import (
	"fmt"
	"time"
)

// The rules of the ledger, as pure functions over a draft.

// begin takes a unit and a number for a request, or gives what its key stands for. With intent, a reservation that is
// RESERVED, or new, also records the intent to sign. fresh is true if the number was issued by this call.
func (d *draft) begin(req *Request, intent bool) (r Reservation, fresh bool, err error) {
	id := KeyID{req.Account, OpRedeem, string(req.Key)}
	key, known := d.snap.Keys[id]
	if known {
		var ok bool
		if r, ok = d.snap.Reservations[key.Number]; !ok {
			return r, false, &CorruptError{Account: req.Account, Reason: "a key points to no reservation: " + key.Number.String()}
		}
		if field := r.Request.difference(req); field != "" {
			return Reservation{}, false, &ConflictError{Account: req.Account, Field: field}
		}
		if r.State == Reserved && intent {
			r, err = d.sign(r.Number)
			return r, false, err
		}
		if r.State != Released {
			return r, false, nil
		}
	}
	r, err = d.take(req, intent)
	return r, err == nil, err
}

// take makes a new reservation.
func (d *draft) take(req *Request, intent bool) (Reservation, error) {
	a := d.account(req.Account)
	t, err := d.reading(&a)
	if err != nil {
		return Reservation{}, err
	}
	var entries []Entry
	post := func(e Entry) error {
		e.Key = req.Key
		e, err := a.append(e, t)
		entries = append(entries, e)
		return err
	}
	if a.Available == 0 && a.Postpaid < a.Limit {
		if err := post(Entry{Kind: KindPostpaid, Units: 1}); err != nil {
			return Reservation{}, err
		}
	}
	if a.Available == 0 {
		return Reservation{}, fmt.Errorf("account %q: %w", req.Account, ErrInsufficient)
	}
	n, err := d.issue()
	if err != nil {
		return Reservation{}, err
	}
	if err := post(Entry{Kind: KindReserve, Units: 1, Number: n, Digest: req.fingerprint()}); err != nil {
		return Reservation{}, err
	}
	r := Reservation{Number: n, Account: req.Account, State: Reserved, Reserved: t, Request: *req}
	key := Key{ID: r.scope(), Number: n, Sequence: a.Sequence, Units: 1, Time: t}
	if intent {
		if err := post(Entry{Kind: KindSigning, Number: n}); err != nil {
			return Reservation{}, err
		}
		r.State, r.Time = Signing, t.Truncate(time.Second)
	}
	d.commit(a, entries...)
	d.commitReservation(r)
	d.commitKey(key)
	return r, nil
}

// step moves a reservation to its next state with one entry.
func (d *draft) step(r Reservation, e Entry, change func(*Reservation, time.Time)) (Reservation, error) {
	a := d.account(r.Account)
	t, err := d.reading(&a)
	if err != nil {
		return Reservation{}, err
	}
	e.Number = r.Number
	if e, err = a.append(e, t); err != nil {
		if err == ErrInsufficient {
			err = &CorruptError{Account: r.Account, Reason: "a reservation's unit is not among the reserved ones"}
		}
		return Reservation{}, err
	}
	change(&r, t)
	d.commit(a, e)
	d.commitReservation(r)
	return r, nil
}

// resetClock notes that the account's newest entry was made by a clock that was ahead. It is the only entry that may be
// older than the one before it.
func (d *draft) resetClock(name string, now time.Time) error {
	a := d.account(name)
	if a.Time.Sub(now) <= defaultTolerance {
		return nil
	}
	e, err := a.append(Entry{Kind: KindClock, Note: "the clock was ahead, at " + a.Time.Format(time.RFC3339)}, now)
	if err != nil {
		return err
	}
	d.commit(a, e)
	return nil
}

func (d *draft) reservation(n Number) (Reservation, error) {
	r, ok := d.snap.Reservations[n]
	if !ok {
		return Reservation{}, fmt.Errorf("serial %s: %w", n, ErrNotFound)
	}
	return r, nil
}

// sign records the intent to sign.
func (d *draft) sign(n Number) (Reservation, error) {
	r, err := d.reservation(n)
	if err != nil || r.State == Signing {
		return r, err
	}
	if r.State != Reserved {
		return Reservation{}, refusal(&r, "sign")
	}
	if err := d.fenced(); err != nil {
		return Reservation{}, err
	}
	return d.step(r, Entry{Kind: KindSigning}, func(r *Reservation, t time.Time) {
		r.State, r.Time = Signing, t.Truncate(time.Second)
	})
}

// stamp books the unit as used. An output for a void serial is noted once, as an orphan, and refused.
func (d *draft) stamp(n Number, out Output) (Reservation, error) {
	r, err := d.reservation(n)
	if err != nil {
		return r, err
	}
	switch {
	case r.State == Stamped && r.Output == out:
		return r, nil
	case r.State == Stamped:
		return Reservation{}, &ConflictError{Account: r.Account, Field: "output"}
	case r.State == Void && r.Output == Output{}:
		e := Entry{Kind: KindOrphan, Digest: out.Digest, Length: out.Length}
		if _, err := d.step(r, e, func(r *Reservation, _ time.Time) { r.Output = out }); err != nil {
			return Reservation{}, err
		}
		return Reservation{}, refusal(&r, "stamp")
	case r.State != Signing:
		return Reservation{}, refusal(&r, "stamp")
	}
	e := Entry{Kind: KindStamped, Units: 1, Digest: out.Digest, Length: out.Length}
	return d.step(r, e, func(r *Reservation, t time.Time) { r.State, r.Resolved, r.Output = Stamped, t, out })
}

// giveBack returns the unit: as released from RESERVED, as void from SIGNING.
func (d *draft) giveBack(n Number, to State, note string) (Reservation, error) {
	r, err := d.reservation(n)
	if err != nil || r.State == to {
		return r, err
	}
	from, kind, verb := Reserved, KindRelease, "release"
	if to == Void {
		from, kind, verb = Signing, KindVoid, "void"
	}
	if r.State != from {
		return Reservation{}, refusal(&r, verb)
	}
	return d.step(r, Entry{Kind: kind, Units: 1, Note: note}, func(r *Reservation, t time.Time) {
		r.State, r.Resolved, r.Note = to, t, note
	})
}

func refusal(r *Reservation, step string) error {
	return &StateError{Number: r.Number, State: r.State, Step: step, Note: r.Note}
}

// kindOf says what an operation on whole units posts to its account.
func kindOf(op Op) Kind {
	switch op {
	case OpCredit:
		return KindPurchase
	case OpGrant:
		return KindGrant
	case OpTransfer:
		return KindTransferOut
	case OpRefund:
		return KindRefund
	case OpLimit:
		return KindLimit
	}
	return 0
}

// move posts units under a key, once.
func (d *draft) move(b *booking) (Movement, error) {
	id := b.id
	if k, ok := d.snap.Keys[id]; ok {
		switch {
		case k.Units != b.units:
			return Movement{}, &ConflictError{Account: id.Account, Field: "units"}
		case k.Peer != b.peer:
			return Movement{}, &ConflictError{Account: id.Account, Field: "peer"}
		}
		return Movement{Account: id.Account, Sequence: k.Sequence, Units: k.Units, Time: k.Time, Replayed: true}, nil
	}
	a := d.account(id.Account)
	t, err := d.reading(&a)
	if err != nil {
		return Movement{}, err
	}
	e, err := a.append(Entry{Kind: kindOf(id.Op), Units: b.units, Key: []byte(id.Key), Peer: b.peer, Note: b.note, Paid: b.paid}, t)
	if err != nil {
		return Movement{}, fmt.Errorf("account %q: %w", id.Account, err)
	}
	if id.Op == OpTransfer {
		if err := d.receive(&e); err != nil {
			return Movement{}, err
		}
	}
	d.commit(a, e)
	d.commitKey(Key{ID: id, Sequence: e.Sequence, Units: b.units, Peer: b.peer, Time: t})
	return Movement{Account: id.Account, Sequence: e.Sequence, Units: b.units, Time: t}, nil
}

// receive posts the other side of a transfer.
func (d *draft) receive(out *Entry) error {
	a := d.account(out.Peer)
	t, err := d.reading(&a)
	if err != nil {
		return err
	}
	e, err := a.append(Entry{Kind: KindTransferIn, Units: out.Units, Key: out.Key, Peer: out.Account}, t)
	if err != nil {
		return fmt.Errorf("account %q: %w", a.Name, err)
	}
	d.commit(a, e)
	return nil
}
