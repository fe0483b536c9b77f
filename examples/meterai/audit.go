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

// auditFlags are the flags of audit.
type auditFlags struct {
	home            home
	asJSON, outputs bool
	write, compare  string // checkpoints
}

func newAudit() *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use:   "audit --dir DIR [--json] [--outputs] [--write-checkpoint FILE] [--checkpoint FILE]",
		Short: "Check the ledger against its own entries: conservation, hash chain, uniqueness",
		Long: `Check the ledger against its own entries: conservation, hash chain, uniqueness.

--write-checkpoint writes how far the ledger has come. Keep that file on another
machine: --checkpoint compares the ledger with it at any later time and finds what
was lost or changed since, also when this whole machine was rolled back.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.home.withLedger(cmd.Context(), func(l *ledger) error { return f.run(cmd, l) })
		},
	}
	addDir(cmd, &f.home)
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "one JSON object")
	cmd.Flags().BoolVar(&f.outputs, "outputs", false, "also read every kept stamp and compare it with what was booked")
	cmd.Flags().StringVar(&f.write, "write-checkpoint", "", "write how far the ledger has come to this file, if it is clean")
	cmd.Flags().StringVar(&f.compare, "checkpoint", "", "compare with the checkpoint in this file")
	return cmd
}

func (f *auditFlags) run(cmd *cobra.Command, l *ledger) error {
	ctx := cmd.Context()
	r, err := l.Audit(ctx)
	if err != nil {
		return err
	}
	if f.compare != "" {
		if err := compareCheckpoint(ctx, l, f.compare, r); err != nil {
			return err
		}
	}
	if f.outputs {
		if err := checkOutputs(ctx, l, r); err != nil {
			return err
		}
	}
	if err := writeAudit(cmd.OutOrStdout(), r, f.asJSON); err != nil {
		return err
	}
	if !r.Clean() {
		return fmt.Errorf("the ledger has %s; stop issuing and find out why", count(int64(len(r.Problems))+r.Omitted, "problem"))
	}
	if f.compare != "" && !f.asJSON {
		fmt.Fprintln(cmd.OutOrStdout(), "everything of the checkpoint is there")
	}
	if f.write == "" {
		return nil
	}
	return replaceFile(f.write, func(w io.Writer) error { return l.WriteCheckpoint(ctx, w) })
}

// maxOutputProblems is how many kept stamps are named.
const maxOutputProblems = 100

// checkOutputs reads what was kept of each stamp.
func checkOutputs(ctx context.Context, l *ledger, r *serial.AuditReport) error {
	for a, err := range l.Accounts(ctx) {
		if err != nil {
			return err
		}
		for e, err := range l.History(ctx, a.Name, 0) {
			if err != nil {
				return err
			}
			if e.Kind != serial.KindStamped {
				continue
			}
			err := checkOutput(ctx, l, e.Number)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err == nil:
			case len(r.Problems) < maxOutputProblems:
				r.Problems = append(r.Problems, serial.Problem{Account: e.Account, Sequence: e.Sequence, Number: e.Number, Text: err.Error()})
			default:
				r.Omitted++
			}
		}
	}
	return nil
}

func checkOutput(ctx context.Context, l *ledger, n serial.Number) error {
	kept, err := l.Output(ctx, n)
	if err != nil {
		return err
	}
	defer kept.Close()
	_, err = io.Copy(io.Discard, kept)
	return err
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
	fmt.Fprintf(w, "accounts %d, entries %d\n", r.Accounts, r.Entries)
	for _, state := range []serial.State{serial.Reserved, serial.Signing, serial.Stamped, serial.Released, serial.Void} {
		fmt.Fprintf(w, "%10d %s\n", r.Reservations[state], state)
	}
	for i := range r.Problems {
		fmt.Fprintf(w, "PROBLEM: %s\n", oneLine(r.Problems[i].String()))
	}
	_, err := fmt.Fprintf(w, "head %s\n", line.Head)
	return err
}
