package sign_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/sqlite"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

// exampleLedger is a ledger with units in a folder.
func exampleLedger(ctx context.Context, dir string) (*serial.Ledger, func()) {
	scheme, err := serial.NewScheme('0', "ZZ", [32]byte{1})
	if err != nil {
		log.Fatal(err)
	}
	sink, err := serial.NewDirSink(filepath.Join(dir, "stamps"))
	if err != nil {
		log.Fatal(err)
	}
	store, err := sqlite.Open(ctx, filepath.Join(dir, "ledger.db"), nil)
	if err != nil {
		log.Fatal(err)
	}
	ledger, err := serial.Open(ctx, store, &serial.Options{Scheme: scheme, Sink: sink})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := ledger.Credit(ctx, "shop-17", 100, []byte("invoice-1")); err != nil {
		log.Fatal(err)
	}
	return ledger, func() { ledger.Close(); store.Close() }
}

// Stamp many documents. Run again after whatever ended it: what is stamped stays, what
// was begun goes on.
func ExampleBatch() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ledger, closeLedger := exampleLedger(ctx, dir)
	defer closeLedger()
	specimen, err := pki.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	id := specimen.StampP256
	credential, err := sign.NewCredential(id.Cert, id.Chain, id.Key, nil)
	if err != nil {
		log.Fatal(err)
	}

	jobs := func(yield func(sign.Job) bool) {
		for _, name := range []string{"classic.pdf", "form.pdf", "missing.pdf", "linearized-streams.pdf"} {
			job := sign.Job{
				Name: name, Account: "shop-17", Key: []byte("order 4711 " + name),
				Open: func(context.Context) (io.ReaderAt, int64, error) {
					file, err := pdfs.Get(name) // in practice os.Open; the batch closes it
					if err != nil {
						return nil, 0, err
					}
					b := file.Bytes()
					return bytes.NewReader(b), int64(len(b)), nil
				},
			}
			if !yield(job) {
				return
			}
		}
	}
	opt := &sign.BatchOptions{
		Options: &sign.Options{Stamp: &sign.Stamp{Value: 10000, Specimen: true, Seal: specimen.SealP256}},
		Ordered: true,
	}
	for o, err := range sign.Batch(ctx, ledger, credential, jobs, opt) {
		switch {
		case err != nil:
			log.Fatal(err) // the batch stopped early
		case o.Err != nil:
			fmt.Println(o.Job.Name, "was not stamped")
		default:
			fmt.Println(o.Job.Name, "has a serial of", o.Receipt.Number.Issuer())
		}
	}
	// Output:
	// classic.pdf has a serial of ZZ
	// form.pdf has a serial of ZZ
	// missing.pdf was not stamped
	// linearized-streams.pdf has a serial of ZZ
}
