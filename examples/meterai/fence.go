package main

import (
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
every number that may have been issued since the backup. Holders of the old term
are refused from now on.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := h.openLedger(cmd.Context())
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			err = errors.Join(l.store.Fence(ctx, counter), serial.Fence(ctx, l.store, l.series, counter, time.Now()), l.close())
			if err == nil {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), "fenced: a new term has begun")
			}
			return err
		},
	}
	addDir(cmd, &h)
	cmd.Flags().Uint64Var(&counter, "counter", 0, "first counter that is safe to use")
	required(cmd, "counter")
	return cmd
}
