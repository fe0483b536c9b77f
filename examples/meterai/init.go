package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newInit() *cobra.Command {
	var h home
	cmd := &cobra.Command{
		Use:   "init --dir DIR",
		Short: "Make a development directory: specimen PKI, seal keys, trust files and ledger",
		Long: `Make a development directory: root and issuing authority, e-seal certificates
(RSA-2048 and P-256), CRLs, certificates of a timestamp authority and an OCSP
responder, seal keys, trust files and an empty ledger. Everything is marked
SPECIMEN and can never verify as a real stamp. Secrets are readable by their
owner alone.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := h.create(cmd.Context()); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), `%s is ready. Next:
  meterai credit --dir %s --account me --units 10 --key invoice-1
  meterai stamp  --dir %s --account me --in in.pdf --out out.pdf
  meterai verify --dir %s out.pdf
`, h.dir, h.dir, h.dir, h.dir)
			return nil
		},
	}
	addDir(cmd, &h)
	return cmd
}

// addDir adds the flag that every command needs.
func addDir(cmd *cobra.Command, h *home) {
	cmd.Flags().StringVar(&h.dir, "dir", "", "directory made by init")
	required(cmd, "dir")
}

// required makes a flag compulsory; a missing one is wrong usage.
func required(cmd *cobra.Command, names ...string) {
	check := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		for _, name := range names {
			if f := cmd.Flags().Lookup(name); f.Value.String() == "" || !f.Changed {
				return usage("--%s is missing; see '%s --help'", name, cmd.CommandPath())
			}
		}
		if check != nil {
			return check(cmd, args)
		}
		return nil
	}
}
