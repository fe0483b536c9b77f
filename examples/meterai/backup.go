package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newBackup() *cobra.Command {
	var h home
	var out string
	cmd := &cobra.Command{
		Use:   "backup --dir DIR --out FILE",
		Short: "Copy the ledger's database while it is in use",
		Long: `Copy the ledger's database, as of one moment, to a new file while stamping goes on.
The folder stamps, the keys (pki, series.json) and the trust file belong to a
backup as well; copy them afterwards.

To restore: stop everything, move ledger.db away with its -wal and -shm, keep
ledger.db.witness, give the copy the name ledger.db, and see 'meterai fence --help':
until then it issues nothing.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return h.withLedger(cmd.Context(), func(l *ledger) error {
				if err := l.store.Backup(cmd.Context(), out); err != nil {
					return err
				}
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s written; keep the folder stamps and the keys with it\n", out)
				return err
			})
		},
	}
	addDir(cmd, &h)
	cmd.Flags().StringVar(&out, "out", "", "file to write; it must not exist")
	required(cmd, "out")
	return cmd
}
