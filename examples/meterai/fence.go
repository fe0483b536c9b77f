package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-574216e4/meterai/serial"
)

func newFence() *cobra.Command {
	var h home
	var counter uint64
	cmd := &cobra.Command{
		Use:   "fence --dir DIR --counter N",
		Short: "Let a restored ledger issue again, from a counter that is safe",
		Long: `Let a ledger issue again that was found older than its witness, as after a
restored backup, or whose clock was once ahead. Numbers go on at the counter N or
at whatever ledger and witness have seen, if that is higher: choose N beyond
every number that may have been issued since the backup. The newest witness file
and the newest checkpoint (audit --write-checkpoint) tell the counter as "mark"; if
both are lost, go on beyond all that can have been issued since. Holders of the old
term are refused from now on.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := h.openLedger(cmd.Context())
			if err != nil {
				return err
			}
			before, err := l.standing(cmd.Context(), h.witness())
			if err == nil {
				var mark uint64
				if mark, err = l.fence(cmd.Context(), counter); err == nil {
					err = before.say(cmd, h, mark)
				}
			}
			return errors.Join(err, l.close())
		},
	}
	addDir(cmd, &h)
	cmd.Flags().Uint64Var(&counter, "counter", 0, "first counter that is safe to use")
	required(cmd, "counter")
	return cmd
}

// fence ends the leases of file and series, and says where numbers go on.
func (l *ledger) fence(ctx context.Context, counter uint64) (mark uint64, err error) {
	if err := l.store.Fence(ctx, counter); err != nil {
		return 0, err
	}
	if err := serial.Fence(ctx, l.store, l.series, counter, time.Now()); err != nil {
		return 0, err
	}
	snap, err := l.store.View(ctx, &serial.Query{Series: l.series})
	if err != nil {
		return 0, err
	}
	return snap.Series.Mark, nil
}

// A standing is how far ledger and witness had come before a fence.
type standing struct {
	why           error     // the ledger may not issue; nil when it may
	mark          uint64    // counters from here on the ledger had not given out
	time          time.Time // of the newest lease or fence, of the clock that was
	witnessed     uint64    // the mark that the witness has seen
	haveWitnessed bool
}

func (l *ledger) standing(ctx context.Context, witness string) (*standing, error) {
	q := &serial.Query{Series: l.series}
	snap, err := l.store.View(ctx, q)
	if err != nil {
		return nil, err
	}
	s := &standing{mark: snap.Series.Mark, time: snap.Series.Time}
	s.why = l.store.Update(ctx, q, func(*serial.Snapshot) (*serial.Batch, error) { return nil, nil }) // changes nothing
	if s.why != nil && !errors.Is(s.why, serial.ErrFenced) {
		return nil, s.why
	}
	var seen struct {
		Series []struct {
			Series string
			Mark   uint64
		}
	}
	if readJSON(witness, &seen) == nil { // a lost or damaged one is in why
		for _, m := range seen.Series {
			if m.Series == l.series.String() {
				s.witnessed, s.haveWitnessed = m.Mark, true
			}
		}
	}
	return s, nil
}

// say tells what the fence meant, and what is left to do after it.
func (s *standing) say(cmd *cobra.Command, h home, mark uint64) error {
	w := cmd.OutOrStdout()
	if s.why == nil {
		if !s.time.After(time.Now()) {
			fmt.Fprintln(cmd.ErrOrStderr(), "meterai: warning: this ledger was not behind its witness and could issue; it is fenced all the same, and the numbers in between are never used")
		}
		_, err := fmt.Fprintf(w, "fenced: a new term has begun, numbers go on at counter %d (before: %d)\n", mark, s.mark)
		return err
	}
	seen := "what the witness had seen is not known"
	if s.haveWitnessed {
		seen = fmt.Sprintf("the witness had seen %d", s.witnessed)
	}
	_, err := fmt.Fprintf(w, `fenced: a new term has begun, numbers go on at counter %d
before: %s
  the ledger had come to counter %d, %s
what happened in between is unknown to this ledger:
  payments: credit them again, each under its own reference; 'meterai affected --dir %s --payments FILE' finds them
  stamps: they stay genuine, their outputs are kept in %s; verify says that their serials are unknown here
`, mark, oneLine(strings.TrimPrefix(s.why.Error(), serial.ErrFenced.Error()+": ")), s.mark, seen, h.dir, h.stamps())
	return err
}
