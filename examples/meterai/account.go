package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-574216e4/meterai/serial"
)

// withLedger opens the ledger for one command.
func (h home) withLedger(ctx context.Context, do func(*ledger) error) error {
	l, err := h.openLedger(ctx)
	if err != nil {
		return err
	}
	return errors.Join(do(l), l.close())
}

func newCredit() *cobra.Command {
	var h home
	var p serial.Payment
	var key, paid string
	cmd := &cobra.Command{
		Use:   "credit --dir DIR --account A --units N --key REF [--paid TIME]",
		Short: "Credit paid units to an account, once for each payment reference",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p.Reference = []byte(key)
			if paid != "" {
				var err error
				if p.Paid, err = time.Parse(time.RFC3339, paid); err != nil {
					return usage("--paid: %q is no time such as 2024-09-03T08:00:00+07:00", paid)
				}
			}
			return h.book(cmd, "credited to", p.Account, p.Units, func(l *ledger) (serial.Movement, error) {
				return l.CreditPayment(cmd.Context(), p)
			})
		},
	}
	addDir(cmd, &h)
	cmd.Flags().StringVar(&p.Account, "account", "", "account to credit")
	cmd.Flags().Int64Var(&p.Units, "units", 0, "number of units, at least 1")
	cmd.Flags().StringVar(&key, "key", "", "payment reference: the same one credits only once")
	cmd.Flags().StringVar(&paid, "paid", "", "when it was paid, RFC 3339: affected tells from it who waited")
	required(cmd, "account", "units", "key")
	return cmd
}

func newGrant() *cobra.Command {
	return newNoted("grant", "Give units to an account, as compensation for example, once for each reference", "granted to",
		func(l *ledger) noted { return l.Grant })
}

func newRefund() *cobra.Command {
	return newNoted("refund", "Take units of an account out that are paid back, once for each reference", "refunded from",
		func(l *ledger) noted { return l.Refund })
}

// noted is a booking of units with a reason.
type noted func(ctx context.Context, account string, units int64, key []byte, reason string) (serial.Movement, error)

func newNoted(name, short, what string, of func(*ledger) noted) *cobra.Command {
	var h home
	var account, key, reason string
	var units int64
	cmd := &cobra.Command{
		Use:   name + " --dir DIR --account A --units N --key REF --reason TEXT",
		Short: short,
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return h.book(cmd, what, account, units, func(l *ledger) (serial.Movement, error) {
				return of(l)(cmd.Context(), account, units, []byte(key), reason)
			})
		},
	}
	addDir(cmd, &h)
	cmd.Flags().StringVar(&account, "account", "", "account whose units they are")
	cmd.Flags().Int64Var(&units, "units", 0, "number of units, at least 1")
	cmd.Flags().StringVar(&key, "key", "", "reference: the same one counts only once")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the history")
	required(cmd, "account", "units", "key", "reason")
	return cmd
}

func newTransfer() *cobra.Command {
	var h home
	var from, to, key string
	var units int64
	cmd := &cobra.Command{
		Use:   "transfer --dir DIR --from A --to B --units N --key REF",
		Short: "Hand units from one account to another, once for each reference",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return h.book(cmd, "handed over from", from, units, func(l *ledger) (serial.Movement, error) {
				return l.Transfer(cmd.Context(), from, to, units, []byte(key))
			})
		},
	}
	addDir(cmd, &h)
	cmd.Flags().StringVar(&from, "from", "", "account that hands over, such as a distributor's")
	cmd.Flags().StringVar(&to, "to", "", "account that gets the units")
	cmd.Flags().Int64Var(&units, "units", 0, "number of units, at least 1")
	cmd.Flags().StringVar(&key, "key", "", "reference: the same one hands over only once")
	required(cmd, "from", "to", "units", "key")
	return cmd
}

// book runs a booking of whole units and says what came of it.
func (h home) book(cmd *cobra.Command, what, account string, units int64, do func(*ledger) (serial.Movement, error)) error {
	if units < 1 {
		return usage("--units must be at least 1")
	}
	return h.withLedger(cmd.Context(), func(l *ledger) error {
		m, err := do(l)
		if err != nil {
			return err
		}
		b, err := l.Balance(cmd.Context(), account)
		if err != nil {
			return err
		}
		if m.Replayed {
			what = "already " + what
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s %q; %d available\n", count(m.Units, "unit"), what, account, b.Available)
		return err
	})
}

// count is a number of things in words.
func count(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// balanceLine is the JSON of balance, one line an account.
type balanceLine struct {
	Account string `json:"account"`
	serial.Balance
}

func newBalance() *cobra.Command {
	var h home
	var account string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "balance --dir DIR [--account A] [--json]",
		Short: "Show the units of one account, or of all",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return h.withLedger(cmd.Context(), func(l *ledger) error {
				lines, err := balances(cmd.Context(), l, account)
				if err != nil {
					return err
				}
				if asJSON {
					return jsonLines(cmd.OutOrStdout(), lines)
				}
				return balanceTable(cmd.OutOrStdout(), lines)
			})
		},
	}
	addDir(cmd, &h)
	addAccountJSON(cmd, &account, &asJSON)
	return cmd
}

func addAccountJSON(cmd *cobra.Command, account *string, asJSON *bool) {
	cmd.Flags().StringVar(account, "account", "", "only this account")
	cmd.Flags().BoolVar(asJSON, "json", false, "one JSON object a line")
}

func balances(ctx context.Context, l *ledger, account string) ([]balanceLine, error) {
	if account != "" {
		b, err := l.Balance(ctx, account)
		return []balanceLine{{account, b}}, err
	}
	var lines []balanceLine
	for a, err := range l.Accounts(ctx) {
		if err != nil {
			return nil, err
		}
		lines = append(lines, balanceLine{a.Name, a.Balance})
	}
	return lines, nil
}

// A balanceColumn is a part of a balance; some are shown only where an account has any.
type balanceColumn struct {
	name  string
	rare  bool
	units func(*serial.Balance) int64
}

// balanceColumns are the units that came, and where they are now: both have one sum.
var balanceColumns = []balanceColumn{
	{"purchased", false, func(b *serial.Balance) int64 { return b.Purchased }},
	{"granted", true, func(b *serial.Balance) int64 { return b.Granted }},
	{"transferred in", true, func(b *serial.Balance) int64 { return b.TransferredIn }},
	{"postpaid", true, func(b *serial.Balance) int64 { return b.Postpaid }},
	{"available", false, func(b *serial.Balance) int64 { return b.Available }},
	{"reserved", false, func(b *serial.Balance) int64 { return b.Reserved }},
	{"stamped", false, func(b *serial.Balance) int64 { return b.Stamped }},
	{"refunded", false, func(b *serial.Balance) int64 { return b.Refunded }},
	{"transferred out", true, func(b *serial.Balance) int64 { return b.TransferredOut }},
}

func balanceTable(w io.Writer, lines []balanceLine) error {
	columns := slices.DeleteFunc(slices.Clone(balanceColumns), func(c balanceColumn) bool {
		return c.rare && !slices.ContainsFunc(lines, func(l balanceLine) bool { return c.units(&l.Balance) != 0 })
	})
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, c := range columns {
		fmt.Fprintf(tw, "%s\t", c.name)
	}
	fmt.Fprintln(tw, "  account")
	for i := range lines {
		for _, c := range columns {
			fmt.Fprintf(tw, "%d\t", c.units(&lines[i].Balance))
		}
		fmt.Fprintf(tw, "  %s\n", oneLine(lines[i].Account))
	}
	return tw.Flush()
}

func jsonLines[T any](w io.Writer, list []T) error {
	enc := json.NewEncoder(w)
	for i := range list {
		if err := enc.Encode(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

// historyLine is the JSON of history, one line an entry.
type historyLine struct {
	Account  string    `json:"account"`
	Sequence int64     `json:"sequence"`
	Time     time.Time `json:"time"`
	Kind     string    `json:"kind"`
	Units    int64     `json:"units"`
	Serial   string    `json:"serial,omitempty"`
	Text     string    `json:"text"`
}

func newHistory() *cobra.Command {
	var h home
	var account string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "history --dir DIR --account A [--json]",
		Short: "Tell where each unit of an account is, in words",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return h.withLedger(cmd.Context(), func(l *ledger) error {
				return writeHistory(cmd, l, account, asJSON)
			})
		},
	}
	addDir(cmd, &h)
	addAccountJSON(cmd, &account, &asJSON)
	required(cmd, "account")
	return cmd
}

func writeHistory(cmd *cobra.Command, l *ledger, account string, asJSON bool) error {
	if _, err := l.Balance(cmd.Context(), account); err != nil {
		return err
	}
	enc := json.NewEncoder(cmd.OutOrStdout())
	for e, err := range l.History(cmd.Context(), account, 0) {
		if err != nil {
			return err
		}
		if asJSON {
			err = enc.Encode(historyLine{e.Account, e.Sequence, e.Time, e.Kind.String(), e.Units, e.Number.String(), oneLine(e.Text())})
		} else {
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s  %s\n", e.Time.Format(time.RFC3339), oneLine(e.Text()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
