package serial_test

import (
	"math"
	"time"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

// oracle is a ledger as the rules say, written down the simple way and without any code of the package: no store, no
// snapshots, no entries. It predicts the answer of every operation, also of those that a fault hits.
type oracle struct {
	scheme   *serial.Scheme
	accounts map[string]*oracleAccount
	moves    map[serial.KeyID]oracleMove
	attempts map[serial.KeyID]serial.Number // the newest under a key of Reserve and Redeem
	rows     map[serial.Number]*serial.Reservation
	numbers  []serial.Number                 // in the order in which they were issued
	kept     map[serial.Number]serial.Output // in the sink
	series   serial.Series
	runs     int // how often the work was done

	clock      time.Time
	faults     []storetest.Fault // that the store will have, one an Update
	sinkFaults []storetest.Fault // one a call of the sink
}

type oracleAccount struct {
	serial.Balance
	entries int64
	time    time.Time
}

type oracleMove struct {
	serial.Movement
	peer string
}

// process is one open ledger.
type process struct {
	*serial.Ledger
	issues      bool   // it has a scheme
	first, last uint64 // what is left of its block
	term        uint64
	seen        time.Time // its clock's last reading
}

const (
	oracleBlock     = 8
	oracleTolerance = 2 * time.Second
)

// moment is what a decision is made on besides the rows.
type moment struct {
	now   time.Time
	right bool   // the clock may be used
	lease string // why there are no numbers
}

func pop(faults *[]storetest.Fault) storetest.Fault {
	if len(*faults) == 0 {
		return storetest.NoFault
	}
	f := (*faults)[0]
	*faults = (*faults)[1:]
	return f
}

// later gives the time to use when the clock says now and last was there already.
func later(now, last time.Time) (time.Time, bool) {
	if last.Sub(now) > oracleTolerance {
		return time.Time{}, false
	}
	if now.Before(last) {
		return last, true
	}
	return now, true
}

// transact is one transaction of a process. decide gives the answer and what it changes.
func (o *oracle) transact(p *process, issues bool, decide func(moment) (string, func())) string {
	var m moment
	if m.now, m.right = later(o.clock, p.seen); m.right {
		p.seen = m.now
	}
	if issues && p.issues && p.first == p.last {
		m.lease = "clock"
		if m.right {
			m.lease = o.lease(p, m.now)
		}
	}
	fault := pop(&o.faults)
	if fault == storetest.Unreachable {
		return "fault"
	}
	answer, apply := decide(m)
	switch fault {
	case storetest.Refused:
		return "fault"
	case storetest.Lost:
		return "unknown"
	}
	if apply != nil {
		apply()
	}
	if fault == storetest.Persisted {
		return "unknown"
	}
	return answer
}

func (o *oracle) lease(p *process, now time.Time) string {
	fault := pop(&o.faults)
	t, right := later(now, o.series.Time)
	switch {
	case fault == storetest.Unreachable:
		return "fault"
	case o.fenced(p):
		return "fenced"
	case !right:
		return "clock"
	case fault == storetest.Refused || fault == storetest.Lost:
		return "fault"
	}
	first := o.series.Mark
	o.series.Mark, o.series.Time = first+oracleBlock, t
	o.series.Term++
	if fault == storetest.Persisted {
		return "fault" // the block is not used, whatever became of it
	}
	p.first, p.last, p.term = first, o.series.Mark, o.series.Term
	return ""
}

func (o *oracle) fenced(p *process) bool { return p.term != 0 && p.term <= o.series.Fence }

func (o *oracle) fence(counter uint64) string {
	after := func(fault storetest.Fault) string {
		if fault == storetest.Lost || fault == storetest.Persisted {
			return "unknown"
		}
		return "fault"
	}
	done := func(f storetest.Fault) bool { return f == storetest.NoFault || f == storetest.Repeated }
	fault := pop(&o.faults)
	if done(fault) || fault == storetest.Persisted {
		o.series.Mark, o.series.Time = max(o.series.Mark, counter), o.clock
		o.series.Term++
		o.series.Fence = o.series.Term
	}
	if !done(fault) {
		return after(fault)
	}
	var ahead []*oracleAccount
	for _, a := range o.accounts {
		if a.time.Sub(o.clock) > oracleTolerance {
			ahead = append(ahead, a)
		}
	}
	if len(ahead) == 0 {
		return ""
	}
	fault = pop(&o.faults)
	if done(fault) || fault == storetest.Persisted {
		for _, a := range ahead {
			a.entries++
			a.time = o.clock
		}
	}
	if !done(fault) {
		return after(fault)
	}
	return ""
}

func (o *oracle) account(name string) *oracleAccount {
	if a, ok := o.accounts[name]; ok {
		return a
	}
	return &oracleAccount{}
}

// fits reports whether n more units may come in.
func (a *oracleAccount) fits(n int64) bool {
	return a.Purchased+a.Granted+a.TransferredIn+a.Postpaid <= math.MaxInt64-n
}

func (a *oracleAccount) post(t time.Time) { a.entries, a.time = a.entries+1, t }

// move is Credit, Grant, Refund, Transfer and SetLimit.
func (o *oracle) move(p *process, id serial.KeyID, units int64, peer string) (out serial.Movement, answer string) {
	answer = o.transact(p, false, func(m moment) (string, func()) {
		if was, ok := o.moves[id]; ok {
			switch {
			case was.Units != units:
				return "conflict units", nil
			case was.peer != peer:
				return "conflict peer", nil
			}
			out = was.Movement
			out.Replayed = true
			return "", nil
		}
		a, b := o.account(id.Account), o.account(peer)
		t, right := later(m.now, a.time)
		tb, rightB := later(m.now, b.time)
		takes := id.Op == serial.OpRefund || id.Op == serial.OpTransfer
		gives := id.Op == serial.OpCredit || id.Op == serial.OpGrant
		switch {
		case !m.right || !right:
			return "clock", nil
		case takes && a.Available < units:
			return "insufficient", nil
		case gives && !a.fits(units):
			return "request units", nil
		case peer != "" && !rightB:
			return "clock", nil
		case peer != "" && !b.fits(units):
			return "request units", nil
		}
		out = serial.Movement{Account: id.Account, Sequence: a.entries + 1, Units: units, Time: t}
		return "", func() {
			a.post(t)
			o.accounts[id.Account] = a
			o.moves[id] = oracleMove{out, peer}
			switch id.Op {
			case serial.OpCredit:
				a.Purchased, a.Available = a.Purchased+units, a.Available+units
			case serial.OpGrant:
				a.Granted, a.Available = a.Granted+units, a.Available+units
			case serial.OpRefund:
				a.Refunded, a.Available = a.Refunded+units, a.Available-units
			case serial.OpLimit:
				a.Limit = units
			case serial.OpTransfer:
				a.TransferredOut, a.Available = a.TransferredOut+units, a.Available-units
				b.post(tb)
				b.TransferredIn, b.Available = b.TransferredIn+units, b.Available+units
				o.accounts[peer] = b
			}
		}
	})
	return out, answer
}

func conflictOf(a, b *serial.Request) string {
	for _, f := range []struct {
		name string
		same bool
	}{
		{"digest", a.Digest == b.Digest}, {"length", a.Length == b.Length}, {"value", a.Value == b.Value},
		{"kind", a.Kind == b.Kind}, {"placement", a.Placement == b.Placement}, {"profile", a.Profile == b.Profile},
	} {
		if !f.same {
			return "conflict " + f.name
		}
	}
	return ""
}

// begin is Reserve or, with the intent to sign, the first transaction of Redeem.
func (o *oracle) begin(p *process, req *serial.Request, intent bool) (out serial.Reservation, answer string) {
	id := serial.KeyID{Account: req.Account, Op: serial.OpRedeem, Key: string(req.Key)}
	answer = o.transact(p, true, func(m moment) (string, func()) {
		if n, ok := o.attempts[id]; ok {
			r := o.rows[n]
			if c := conflictOf(&r.Request, req); c != "" {
				return c, nil
			}
			if r.State == serial.Reserved && intent {
				answer, apply := o.sign(p, r, m)
				if answer == "" {
					return "", func() { apply(); out = *r }
				}
				return answer, nil
			}
			if r.State != serial.Released {
				out = *r
				return "", nil
			}
		}
		return o.take(p, req, intent, id, m, &out)
	})
	return out, answer
}

func (o *oracle) take(p *process, req *serial.Request, intent bool, id serial.KeyID, m moment, out *serial.Reservation) (string, func()) {
	a := o.account(req.Account)
	t, right := later(m.now, a.time)
	draw := a.Available == 0 && a.Postpaid < a.Limit
	switch {
	case !m.right || !right:
		return "clock", nil
	case draw && !a.fits(1):
		return "request units", nil
	case a.Available == 0 && !draw:
		return "insufficient", nil
	case !p.issues:
		return "request scheme", nil
	case p.first == p.last:
		return m.lease, nil
	case o.fenced(p):
		return "fenced", nil
	}
	n, err := o.scheme.Number(p.first)
	if err != nil {
		return err.Error(), nil
	}
	p.first++ // also when the transaction comes to nothing
	r := serial.Reservation{Number: n, Account: req.Account, State: serial.Reserved, Reserved: t, Request: *req}
	if intent {
		r.State, r.Time = serial.Signing, t.Truncate(time.Second)
	}
	*out = r
	return "", func() {
		if draw {
			a.post(t)
			a.Postpaid, a.Available = a.Postpaid+1, a.Available+1
		}
		a.post(t)
		a.Available, a.Reserved = a.Available-1, a.Reserved+1
		if intent {
			a.post(t)
		}
		o.accounts[req.Account] = a
		o.attempts[id] = n
		o.rows[n] = &r
		o.numbers = append(o.numbers, n)
	}
}

func (o *oracle) sign(p *process, r *serial.Reservation, m moment) (string, func()) {
	switch {
	case r.State == serial.Signing:
		return "", func() {}
	case r.State != serial.Reserved:
		return refusalOf(r, "sign"), nil
	case p.issues && o.fenced(p):
		return "fenced", nil
	}
	return o.step(r, m, func(a *oracleAccount, t time.Time) { r.State, r.Time = serial.Signing, t.Truncate(time.Second) })
}

// step is one entry about a reservation.
func (o *oracle) step(r *serial.Reservation, m moment, change func(*oracleAccount, time.Time)) (string, func()) {
	a := o.account(r.Account)
	t, right := later(m.now, a.time)
	if !m.right || !right {
		return "clock", nil
	}
	return "", func() { a.post(t); change(a, t) }
}

func refusalOf(r *serial.Reservation, step string) string {
	return "state " + r.State.String() + " " + step + " " + r.Note
}

func (o *oracle) stamp(r *serial.Reservation, out serial.Output, m moment) (string, func()) {
	switch {
	case r.State == serial.Stamped && r.Output == out:
		return "", nil
	case r.State == serial.Stamped:
		return "conflict output", nil
	case r.State == serial.Void && r.Output == serial.Output{}:
		answer, apply := o.step(r, m, func(*oracleAccount, time.Time) { r.Output = out })
		if answer == "" {
			answer = refusalOf(r, "stamp")
		}
		return answer, apply
	case r.State != serial.Signing:
		return refusalOf(r, "stamp"), nil
	}
	return o.step(r, m, func(a *oracleAccount, t time.Time) {
		r.State, r.Resolved, r.Output = serial.Stamped, t, out
		a.Reserved, a.Stamped = a.Reserved-1, a.Stamped+1
	})
}

// giveBack is Release, from RESERVED, and Void, from SIGNING.
func (o *oracle) giveBack(r *serial.Reservation, from, to serial.State, step, note string, m moment) (string, func()) {
	switch r.State {
	case to:
		return "", nil
	case from:
		return o.step(r, m, func(a *oracleAccount, t time.Time) {
			r.State, r.Resolved, r.Note = to, t, note
			a.Reserved, a.Available = a.Reserved-1, a.Available+1
		})
	}
	return refusalOf(r, step), nil
}

// stepped is Signing, Stamped, Release or Void.
func (o *oracle) stepped(p *process, n serial.Number, decide func(*serial.Reservation, moment) (string, func())) string {
	return o.transact(p, false, func(m moment) (string, func()) {
		r, ok := o.rows[n]
		if !ok {
			return "not found", nil
		}
		return decide(r, m)
	})
}

// redeem is Redeem whose run, if it is called, ends as run says: "" is well, with that output.
func (o *oracle) redeem(p *process, req *serial.Request, run string, work func(*serial.Reservation) serial.Output) (out serial.Receipt, answer string) {
	r, answer := o.begin(p, req, true)
	if answer != "" {
		return out, answer
	}
	receipt := serial.Receipt{Number: r.Number, Account: r.Account, Time: r.Time, Output: r.Output, Replayed: true}
	switch r.State {
	case serial.Stamped:
		return receipt, ""
	case serial.Released, serial.Void:
		return out, refusalOf(&r, "redeem")
	}
	if f := pop(&o.sinkFaults); f != storetest.NoFault && f != storetest.Repeated {
		return out, "fault"
	}
	kept, ok := o.kept[r.Number]
	if receipt.Replayed = ok; !ok {
		if p.issues && o.fenced(p) {
			return out, "fenced"
		}
		if answer := o.work(p, &r, run, work); answer != "" {
			return out, answer
		}
		kept = o.kept[r.Number]
	}
	answer = o.stepped(p, r.Number, func(r *serial.Reservation, m moment) (string, func()) { return o.stamp(r, kept, m) })
	receipt.Output = kept
	return receipt, answer
}

// work is the call of run and what the sink does.
func (o *oracle) work(p *process, r *serial.Reservation, run string, work func(*serial.Reservation) serial.Output) string {
	fault := pop(&o.sinkFaults)
	if fault == storetest.Unreachable {
		return "fault"
	}
	o.runs++
	switch run {
	case "":
	case "refused":
		answer := o.stepped(p, r.Number, func(r *serial.Reservation, m moment) (string, func()) {
			return o.giveBack(r, serial.Signing, serial.Void, "void", "not this one", m)
		})
		if answer == "" {
			return run
		}
		return answer
	default:
		return run
	}
	if fault == storetest.Refused || fault == storetest.Lost {
		return "fault"
	}
	o.kept[r.Number] = work(r)
	if fault == storetest.Persisted {
		return "fault"
	}
	return ""
}
