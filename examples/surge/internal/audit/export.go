package audit

import (
	"context"
	"errors"
	"iter"

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

// Ledger adds what the ledger's own audit says, as a second witness.
func (r *Report) Ledger(own *serial.AuditReport) {
	c := &Check{Name: "the ledger's own audit finds nothing", Looked: own.Entries}
	for i := range own.Problems {
		c.wrong("%s", own.Problems[i].String())
	}
	if t := own.Totals; t.Purchased != r.Sums.Paid || t.Stamped != r.Sums.Stamped || t.Available != r.Sums.Available || own.Entries != r.Entries {
		c.wrong("it counts %d bought, %d stamped, %d available in %d entries", t.Purchased, t.Stamped, t.Available, own.Entries)
	}
	r.Checks = append(r.Checks, c)
	r.Clean = r.Clean && c.Wrong == 0
}
