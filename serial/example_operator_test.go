package serial_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/seed-574216e4/meterai/serial"
)

// withLedger runs an example on a ledger in a directory that goes away.
func withLedger(do func(ctx context.Context, ledger *serial.Ledger) error) {
	dir, err := os.MkdirTemp("", "ledger")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ledger, closeAll, err := openLedger(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer closeAll()
	if err := do(context.Background(), ledger); err != nil {
		log.Print(err)
	}
}

// A distributor buys units and hands them to its customers; a ministry pays afterwards.
func ExampleLedger_Transfer() {
	withLedger(func(ctx context.Context, ledger *serial.Ledger) error {
		_, err := ledger.Credit(ctx, "distributor", 1000, []byte("INV-1"))
		if err != nil {
			return err
		}
		for range 2 { // the second call is the first one's retry
			m, err := ledger.Transfer(ctx, "distributor", "ada", 10, []byte("order 17"))
			if err != nil {
				return err
			}
			fmt.Println(m.Units, m.Replayed)
		}
		_, err = ledger.Transfer(ctx, "distributor", "ada", 11, []byte("order 17"))
		fmt.Println(err)
		if _, err := ledger.SetLimit(ctx, "ministry", 500, []byte("contract of 2024")); err != nil {
			return err
		}
		_, err = ledger.Reserve(ctx, serial.Request{Account: "ministry", Key: []byte("decree 1")})
		if err != nil {
			return err
		}
		for a, err := range ledger.Accounts(ctx) {
			if err != nil {
				return err
			}
			fmt.Println(a.Name, a.Available, a.Reserved, a.Postpaid)
		}
		return nil
	})
	// Output:
	// 10 false
	// 10 true
	// account "distributor": the key already stands for a request that differs in its units
	// ada 10 0 0
	// distributor 990 0 0
	// ministry 0 1 1
}

// A caller who keeps the outputs himself takes the steps one by one.
func ExampleLedger_Stamped() {
	withLedger(func(ctx context.Context, ledger *serial.Ledger) error {
		if _, err := ledger.Credit(ctx, "ada", 1, []byte("INV-1")); err != nil {
			return err
		}
		r, err := ledger.Reserve(ctx, serial.Request{Account: "ada", Key: []byte("1")})
		if err != nil {
			return err
		}
		if r, err = ledger.Signing(ctx, r.Number); err != nil {
			return err
		}
		// Sign with r.Number and r.Time, and make the document durable. Then:
		r, err = ledger.Stamped(ctx, r.Number, serial.Output{Digest: [32]byte{1}, Length: 4096})
		if err != nil {
			return err
		}
		_, err = ledger.Release(ctx, r.Number, "changed my mind")
		var state *serial.StateError
		fmt.Println(r.State, errors.As(err, &state))
		return nil
	})
	// Output: STAMPED true
}

// A sweeper beside the work returns what nobody finishes; an hourly one is enough.
func ExampleLedger_SweepEvery() {
	withLedger(func(ctx context.Context, ledger *serial.Ledger) error {
		ctx, stop := context.WithCancel(ctx)
		ended := make(chan error)
		go func() { ended <- ledger.SweepEvery(ctx, time.Hour, nil) }()
		// ... the work of the program ...
		stop()
		fmt.Println(<-ended)
		return nil
	})
	// Output: context canceled
}

// After an outage: who paid and has nothing, and their units at once, under the reference of their payment: when its
// callback comes after all, it credits nothing again.
func ExampleLedger_Affected() {
	withLedger(func(ctx context.Context, ledger *serial.Ledger) error {
		now := time.Now()
		provider := func(yield func(serial.Payment, error) bool) {
			yield(serial.Payment{Account: "ada", Units: 5, Reference: []byte("INV-9"), Paid: now.Add(-time.Hour)}, nil)
		}
		outage := &serial.Outage{From: now.Add(-2 * time.Hour), Payments: provider}
		for h, err := range ledger.Affected(ctx, outage) {
			if err != nil {
				return err
			}
			fmt.Println(h.Account, h.Owed, h.Cases[0].Text())
			for _, c := range h.Cases {
				if c.Kind != serial.CaseUncredited {
					continue
				}
				p := serial.Payment{Account: h.Account, Units: c.Units, Reference: []byte(c.Key), Paid: c.From}
				if _, err := ledger.CreditPayment(ctx, p); err != nil {
					return err
				}
			}
		}
		return nil
	})
	// Output: ada 5 payment "INV-9" of 5 units: not credited
}

// A checkpoint, kept on another machine, finds what even a rollback of this whole machine took away.
func ExampleLedger_CompareCheckpoint() {
	withLedger(func(ctx context.Context, ledger *serial.Ledger) error {
		if _, err := ledger.Credit(ctx, "ada", 5, []byte("INV-1")); err != nil {
			return err
		}
		var elsewhere bytes.Buffer
		if err := ledger.WriteCheckpoint(ctx, &elsewhere); err != nil {
			return err
		}
		problems, err := ledger.CompareCheckpoint(ctx, &elsewhere)
		fmt.Println(len(problems), err)
		return nil
	})
	// Output: 0 <nil>
}
