package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/seed-574216e4/meterai/serial"
)

func newVoid() *cobra.Command {
	var h home
	var number, reason string
	cmd := &cobra.Command{
		Use:   "void --dir DIR --serial SERIAL --reason TEXT",
		Short: "Give up a stamping before it is stamped: its serial is void, the unit returns",
		Long: `Give up a stamping that was begun and cannot be finished: only before it is stamped.
Its serial is void for ever and the unit returns to the account. What is stamped
stays so, and its unit is used; history shows which serials are under way.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := serial.Parse(number)
			if err != nil {
				return usage("--serial: %v", err)
			}
			return h.withLedger(cmd.Context(), func(l *ledger) error {
				r, err := l.Void(cmd.Context(), n, reason)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is void; the unit is back with %q\n", r.Number.Grouped(), r.Account)
				return err
			})
		},
	}
	addDir(cmd, &h)
	cmd.Flags().StringVar(&number, "serial", "", "serial number, in any spelling")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the history")
	required(cmd, "serial", "reason")
	return cmd
}
