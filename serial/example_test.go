package serial_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/sqlite"
)

// openLedger opens a ledger in a directory, as a program would.
func openLedger(dir string) (*serial.Ledger, func(), error) {
	scheme, err := serial.NewScheme('1', "ZK", [32]byte{}) // the key: 32 secret bytes
	if err != nil {
		return nil, nil, err
	}
	sink, err := serial.NewDirSink(filepath.Join(dir, "outputs"))
	if err != nil {
		return nil, nil, err
	}
	ctx := context.Background()
	store, err := sqlite.Open(ctx, filepath.Join(dir, "ledger.db"), nil)
	if err != nil {
		return nil, nil, err
	}
	ledger, err := serial.Open(ctx, store, &serial.Options{Scheme: scheme, Sink: sink})
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return ledger, func() {
		if err := errors.Join(ledger.Close(), store.Close()); err != nil {
			log.Print(err)
		}
	}, nil
}

func Example() {
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

	ctx := context.Background()
	if _, err := ledger.Credit(ctx, "alice", 2, []byte("INV-2024-0001")); err != nil {
		log.Fatal(err)
	}
	document := []byte("I hereby declare ...")
	request := serial.Request{
		Account: "alice", Key: []byte("declaration of 4 September"),
		Digest: sha256.Sum256(document), Length: int64(len(document)), Value: 10000, Kind: "3",
	}
	for range 2 { // the second call is the first one's retry
		receipt, err := ledger.Redeem(ctx, request, func(ctx context.Context, r serial.Reservation, w io.Writer) error {
			fmt.Println("stamping")
			_, err := fmt.Fprintf(w, "%s\nstamp %s", document, r.Number)
			return err
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(len(receipt.Number.String()), receipt.Output.Length, receipt.Replayed)
	}
	balance, err := ledger.Balance(ctx, "alice")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(balance.Purchased, "=", balance.Available, "+", balance.Stamped)
	// Output:
	// stamping
	// 22 49 false
	// 22 49 true
	// 2 = 1 + 1
}

func ExampleLedger_Audit() {
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

	ctx := context.Background()
	if _, err := ledger.Credit(ctx, "alice", 2, []byte("INV-1")); err != nil {
		log.Fatal(err)
	}
	r, err := ledger.Reserve(ctx, serial.Request{Account: "alice", Key: []byte("1")})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := ledger.Release(ctx, r.Number, "the customer left"); err != nil {
		log.Fatal(err)
	}
	for e, err := range ledger.History(ctx, "alice", 0) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Sequence, e.Kind)
	}
	report, err := ledger.Audit(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Clean(), report.Entries, report.Reservations[serial.Released])
	// Output:
	// 1 purchase
	// 2 reserve
	// 3 release
	// true 3 1
}
