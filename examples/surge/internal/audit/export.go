package audit

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/seed-574216e4/meterai/examples/surge/internal/chaos"
	"github.com/seed-574216e4/meterai/examples/surge/internal/replay"
	"github.com/seed-574216e4/meterai/serial"
)

var errEnough = errors.New("no more wanted")

// Export walks all entries of a ledger's store, by account and sequence, as of one moment.
func Export(ctx context.Context, store serial.Store) iter.Seq2[serial.Entry, error] {
	return func(yield func(serial.Entry, error) bool) {
		err := store.Scan(ctx, func(r serial.Reader) error {
			for e, err := range r.Entries(ctx, "", 0) {
				if err != nil {
					return err
				}
				if !yield(e, nil) {
					return errEnough
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(serial.Entry{}, err)
		}
	}
}

// Ask has the ledger say who was harmed in the window.
func (in *Input) Ask(ctx context.Context, ledger *serial.Ledger, from, to time.Time) (Window, error) {
	w := Window{From: from, To: to}
	payments := func(yield func(serial.Payment, error) bool) {
		for _, p := range in.Payments {
			if !yield(p, nil) {
				return
			}
		}
	}
	for h, err := range ledger.Affected(ctx, &serial.Outage{From: from, To: to, Late: in.Late, Payments: payments}) {
		if err != nil {
			return w, err
		}
		w.Harms = append(w.Harms, h)
	}
	return w, nil
}

// AskAll has the ledger say who was harmed in the whole replay, which began at start, and by each of its outages.
func (in *Input) AskAll(ctx context.Context, ledger *serial.Ledger, start time.Time, faults []replay.Fault) error {
	var err error
	if in.Whole, err = in.Ask(ctx, ledger, start, time.Now()); err != nil {
		return err
	}
	for _, f := range faults {
		if f.Kind != chaos.Outage {
			continue
		}
		after := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
		w, err := in.Ask(ctx, ledger, after(f.From), after(f.To))
		if err != nil {
			return err
		}
		in.Outages = append(in.Outages, w)
	}
	return nil
}

// Ledger adds what the ledger's own audit says, as a second witness.
func (r *Report) Ledger(own *serial.AuditReport) {
	c := &Check{Name: "the ledger's own audit finds nothing", Looked: own.Entries}
	for i := range own.Problems {
		c.wrong("%s", own.Problems[i].String())
	}
	if t := own.Totals; t.Purchased != r.Sums.Paid || t.Stamped != r.Sums.Stamped || t.Available != r.Sums.Available || own.Entries != r.Entries || own.Accounts != int64(r.Accounts) {
		c.wrong("it counts %d bought, %d stamped, %d available in %d entries of %d accounts", t.Purchased, t.Stamped, t.Available, own.Entries, own.Accounts)
	}
	for state := serial.Reserved; state <= serial.Void; state++ {
		if n := own.Reservations[state]; n != r.States[state.String()] {
			c.wrong("it counts %d serial numbers that are %s", n, state)
		}
	}
	if own.Omitted > 0 {
		c.wrong("and %d problems more", own.Omitted)
	}
	r.Checks = append(r.Checks, c)
	r.Clean = r.Clean && c.Wrong == 0
}
