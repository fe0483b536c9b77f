package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/seed-574216e4/meterai/serial"
)

// auditLine is the JSON of audit.
type auditLine struct {
	*serial.AuditReport
	Clean        bool             `json:"clean"`
	Reservations map[string]int64 `json:"reservations"`
	Head         string           `json:"head"` // hexadecimal; equal only for equal ledgers
}

func newAudit() *cobra.Command {
	var h home
	var asJSON bool
	var write, compare string
	cmd := &cobra.Command{
		Use:   "audit --dir DIR [--json] [--write-checkpoint FILE] [--checkpoint FILE]",
		Short: "Check the ledger against its own entries: conservation, hash chain, uniqueness",
		Long: `Check the ledger against its own entries: conservation, hash chain, uniqueness.

--write-checkpoint writes how far the ledger has come. Keep that file on another
machine: --checkpoint compares the ledger with it at any later time and finds what
was lost or changed since, also when this whole machine was rolled back.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return h.withLedger(cmd.Context(), func(l *ledger) error {
				r, err := l.Audit(cmd.Context())
				if err != nil {
					return err
				}
				if compare != "" {
					if err := compareCheckpoint(cmd.Context(), l, compare, r); err != nil {
						return err
					}
				}
				if err := writeAudit(cmd.OutOrStdout(), r, asJSON); err != nil {
					return err
				}
				if !r.Clean() {
					return fmt.Errorf("the ledger has %d problems; stop issuing and find out why", int64(len(r.Problems))+r.Omitted)
				}
				if compare != "" && !asJSON {
					fmt.Fprintln(cmd.OutOrStdout(), "everything of the checkpoint is there")
				}
				if write == "" {
					return nil
				}
				return replaceFile(write, func(w io.Writer) error { return l.WriteCheckpoint(cmd.Context(), w) })
			})
		},
	}
	addDir(cmd, &h)
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	cmd.Flags().StringVar(&write, "write-checkpoint", "", "write how far the ledger has come to this file, if it is clean")
	cmd.Flags().StringVar(&compare, "checkpoint", "", "compare with the checkpoint in this file")
	return cmd
}

func compareCheckpoint(ctx context.Context, l *ledger, file string, r *serial.AuditReport) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	problems, err := l.CompareCheckpoint(ctx, f)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	r.Problems = append(r.Problems, problems...)
	return nil
}

func writeAudit(w io.Writer, r *serial.AuditReport, asJSON bool) error {
	line := auditLine{AuditReport: r, Clean: r.Clean(), Reservations: map[string]int64{}, Head: hex.EncodeToString(r.Head[:])}
	for state, n := range r.Reservations {
		line.Reservations[state.String()] = n
	}
	if r.Problems == nil {
		r.Problems = []serial.Problem{}
	}
	if asJSON {
		return json.NewEncoder(w).Encode(line)
	}
	fmt.Fprintf(w, "%d accounts, %d entries\n", r.Accounts, r.Entries)
	for _, state := range []serial.State{serial.Reserved, serial.Signing, serial.Stamped, serial.Released, serial.Void} {
		fmt.Fprintf(w, "%10d %s\n", r.Reservations[state], state)
	}
	for i := range r.Problems {
		fmt.Fprintf(w, "PROBLEM: %s\n", oneLine(r.Problems[i].String()))
	}
	_, err := fmt.Fprintf(w, "head %s\n", line.Head)
	return err
}
