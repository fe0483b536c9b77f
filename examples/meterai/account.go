package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	var account, key string
	var units int64
	cmd := &cobra.Command{
		Use:   "credit --dir DIR --account A --units N --key REF",
		Short: "Credit paid units to an account, once for each payment reference",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return h.withLedger(cmd.Context(), func(l *ledger) error {
				m, err := l.Credit(cmd.Context(), account, units, []byte(key))
				if err != nil {
					return err
				}
				b, err := l.Balance(cmd.Context(), account)
				if err != nil {
					return err
				}
				what := "credited"
				if m.Replayed {
					what = "were credited before"
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d units %s to %q; %d available\n", units, what, account, b.Available)
				return err
			})
		},
	}
	addDir(cmd, &h)
	cmd.Flags().StringVar(&account, "account", "", "account to credit")
	cmd.Flags().Int64Var(&units, "units", 0, "number of units, at least 1")
	cmd.Flags().StringVar(&key, "key", "", "payment reference: the same one credits only once")
	required(cmd, "account", "units", "key")
	return cmd
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

func balanceTable(w io.Writer, lines []balanceLine) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "purchased\tavailable\treserved\tstamped\trefunded\t  account")
	for _, l := range lines {
		fmt.Fprintf(tw, "%d\t%d\t%d\t%d\t%d\t  %s\n", l.Purchased, l.Available, l.Reserved, l.Stamped, l.Refunded, oneLine(l.Account))
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
