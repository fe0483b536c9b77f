package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-574216e4/meterai/serial"
)

func newSweep() *cobra.Command {
	var h home
	var opt serial.SweepOptions
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "sweep --dir DIR [--hold 48h] [--void 48h] [--json]",
		Short: "Bring to an end what nobody finishes, so that no unit stays in between",
		Long: `Bring to an end what nobody finishes: units that were held for too long go back,
finished stampings that were not booked are booked, and stampings that were begun
and have no output for too long are void, with the unit returned.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opt.Hold <= 0 || opt.Void <= 0 {
				return usage("--hold and --void must be above 0")
			}
			return h.withLedger(cmd.Context(), func(l *ledger) error {
				swept, err := l.Sweep(cmd.Context(), &opt)
				if asJSON {
					return errors.Join(err, json.NewEncoder(cmd.OutOrStdout()).Encode(swept))
				}
				_, sayErr := fmt.Fprintf(cmd.OutOrStdout(), "%d stamped, %d released, %d void, %d waiting\n",
					swept.Stamped, swept.Released, swept.Void, swept.Waiting)
				return errors.Join(err, sayErr)
			})
		},
	}
	addDir(cmd, &h)
	cmd.Flags().DurationVar(&opt.Hold, "hold", 48*time.Hour, "how long a unit may be held without signing")
	cmd.Flags().DurationVar(&opt.Void, "void", 48*time.Hour, "how long a stamping may be begun without an output")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	return cmd
}
