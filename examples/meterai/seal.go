package main

import (
	"encoding/json"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-574216e4/meterai/verify"
)

func newSeal() *cobra.Command {
	var h home
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "seal --dir DIR [--json] TEXT",
		Short: "Verify what a phone read from a printed stamp",
		Long: `Verify the text of a printed seal. A genuine seal proves that the issuer sealed a
document of that length and digest then; whether the paper at hand is that
document only the file can tell.

Exit code: 0 genuine seal, 1 not genuine, 5 cannot be decided.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("give the text as one argument; see '%s --help'", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			opt, err := h.verifyOptions()
			if err != nil {
				return err
			}
			if strings.TrimSpace(args[0]) == "" {
				return usage("the text is empty: did the reader find the symbol? draw the page at 150 dpi or more")
			}
			report, err := verify.Seal(args[0], opt)
			if err != nil {
				return err
			}
			if asJSON {
				err = json.NewEncoder(cmd.OutOrStdout()).Encode(report)
			} else {
				_, err = io.WriteString(cmd.OutOrStdout(), report.Text())
			}
			if err == nil && !report.Genuine {
				err = &exitError{code: report.ExitCode()}
			}
			return err
		},
	}
	addDir(cmd, &h)
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	return cmd
}
