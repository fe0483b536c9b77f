package main

import (
	"context"
	"errors"
	"fmt"
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
			ctx := cmd.Context()
			mark, err := l.fence(ctx, counter)
			if err = errors.Join(err, l.close()); err == nil {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "fenced: a new term has begun, numbers go on at counter %d\n", mark)
			}
			return err
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
