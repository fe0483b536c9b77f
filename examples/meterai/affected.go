package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-574216e4/meterai/serial"
)

// affectedFlags are the flags of affected.
type affectedFlags struct {
	home              home
	from, to, account string
	payments          string
	late              time.Duration
	asJSON, cases     bool
}

func newAffected() *cobra.Command {
	var f affectedFlags
	cmd := &cobra.Command{
		Use:   "affected --dir DIR [--from TIME] [--to TIME] [--payments FILE] [--json]",
		Short: "Tell whom an outage has harmed and how many units are owed",
		Long: `Tell whom an outage has harmed: who paid without being credited in time, whose
stamping was accepted but late, released or void, and how many units are owed.
Credit a payment that was not credited under its own reference ('meterai credit'):
when its callback comes after all, it credits nothing again. 'meterai grant' gives
what goes beyond.

Without --from and --to the window is the whole life of the ledger. --payments
is what the payment provider says was paid: CSV with the header line
account,reference,units,paid and times in RFC 3339. Only that tells of payments
that never reached the ledger.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.outage()
			if err != nil {
				return err
			}
			return f.home.withLedger(cmd.Context(), func(l *ledger) error {
				return f.write(cmd.OutOrStdout(), l.Affected(cmd.Context(), o))
			})
		},
	}
	addDir(cmd, &f.home)
	addAccountJSON(cmd, &f.account, &f.asJSON)
	cmd.Flags().StringVar(&f.from, "from", "", "begin of the window, RFC 3339, or a day: its begin in UTC")
	cmd.Flags().StringVar(&f.to, "to", "", "end of the window, RFC 3339, or a day: its begin in UTC (default now)")
	cmd.Flags().DurationVar(&f.late, "late", time.Minute, "what took longer was late")
	cmd.Flags().StringVar(&f.payments, "payments", "", "CSV file of the payment provider: account,reference,units,paid")
	cmd.Flags().BoolVar(&f.cases, "cases", false, "also tell each case in words")
	return cmd
}

func (f *affectedFlags) outage() (*serial.Outage, error) {
	o := &serial.Outage{Late: f.late}
	if f.late <= 0 {
		return nil, usage("--late must be above 0")
	}
	for _, t := range []struct {
		name, text string
		to         *time.Time
	}{{"--from", f.from, &o.From}, {"--to", f.to, &o.To}} {
		if t.text == "" {
			continue
		}
		var err error
		if *t.to, err = time.Parse(time.RFC3339, t.text); err == nil {
			continue
		}
		if *t.to, err = time.Parse(time.DateOnly, t.text); err != nil { // midnight in UTC
			return nil, usage("%s: %q is no time such as 2024-09-03T08:00:00+07:00 or 2024-09-03", t.name, t.text)
		}
	}
	if f.payments != "" {
		o.Payments = readPayments(f.payments)
	}
	return o, nil
}

var paymentsHeader = []string{"account", "reference", "units", "paid"}

// readPayments walks the lines of a CSV file.
func readPayments(file string) iter.Seq2[serial.Payment, error] {
	return func(yield func(serial.Payment, error) bool) {
		err := func() error {
			in, err := os.Open(file)
			if err != nil {
				return err
			}
			defer in.Close()
			text := bufio.NewReader(in)
			if mark, err := text.Peek(3); err == nil && string(mark) == "\ufeff" {
				text.Discard(3) // spreadsheets begin a file with it
			}
			r := csv.NewReader(text)
			r.FieldsPerRecord, r.ReuseRecord = len(paymentsHeader), true
			for first := true; ; first = false {
				record, err := r.Read()
				if err == io.EOF && !first {
					return nil
				}
				if err != nil {
					return fmt.Errorf("%s: %w", file, err)
				}
				if first {
					if !slices.Equal(record, paymentsHeader) {
						return fmt.Errorf("%s: the first line is not account,reference,units,paid", file)
					}
					continue
				}
				p, err := payment(record)
				if err != nil {
					line, _ := r.FieldPos(0)
					return fmt.Errorf("%s, line %d: %w", file, line, err)
				}
				if !yield(p, nil) {
					return nil
				}
			}
		}()
		if err != nil {
			yield(serial.Payment{}, err)
		}
	}
}

func payment(record []string) (serial.Payment, error) {
	p := serial.Payment{Account: record[0], Reference: []byte(record[1])}
	var err error
	if p.Units, err = strconv.ParseInt(record[2], 10, 64); err != nil || p.Units <= 0 {
		return p, fmt.Errorf("%q is no number of units", record[2])
	}
	if p.Paid, err = time.Parse(time.RFC3339, record[3]); err != nil {
		return p, fmt.Errorf("%q is no time such as 2024-09-03T08:00:00+07:00", record[3])
	}
	return p, nil
}

func (f *affectedFlags) write(w io.Writer, harms iter.Seq2[serial.Harm, error]) error {
	enc := json.NewEncoder(w)
	var accounts, owed int64
	if !f.asJSON {
		fmt.Fprintln(w, "  owed  uncredited  late credit  late stamp  released   void  pending  held  account")
	}
	for h, err := range harms {
		switch {
		case err != nil:
			return err
		case f.account != "" && h.Account != f.account:
			continue
		case f.asJSON:
			if err := enc.Encode(&h); err != nil {
				return err
			}
			continue
		}
		accounts++
		owed += h.Owed
		if err := f.line(w, &h); err != nil {
			return err
		}
	}
	if f.asJSON {
		return nil
	}
	_, err := fmt.Fprintf(w, "%s harmed, %s owed\n", count(accounts, "account"), count(owed, "unit"))
	return err
}

func (f *affectedFlags) line(w io.Writer, h *serial.Harm) error {
	_, err := fmt.Fprintf(w, "%6d  %10d  %11d  %10d  %8d  %5d  %7d  %4d  %s\n",
		h.Owed, h.Uncredited, h.LateCredit, h.LateStamp, h.Released, h.Void, h.Pending, h.Held, oneLine(h.Account))
	if !f.cases {
		return err
	}
	for i := range h.Cases {
		c := &h.Cases[i]
		fmt.Fprintf(w, "        %s  %s\n", c.From.Format(time.RFC3339), oneLine(c.Text()))
	}
	if h.Omitted > 0 {
		_, err = fmt.Fprintf(w, "        and %d more\n", h.Omitted)
	}
	return err
}
