package postgres_test

import (
	"context"
	"log"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/postgres"
)

// Two hosts, a primary and its synchronous standby: after a failover the ledger goes on with whichever is the primary.
func Example() {
	const database = "postgres://ledger@db1.example,db2.example/stamps?sslmode=verify-full"
	ctx := context.Background()

	// Once for each release, with a role that owns the schema.
	if err := postgres.Migrate(ctx, database, nil); err != nil {
		log.Fatal(err)
	}

	store, err := postgres.Open(ctx, database, &postgres.Options{RequireStandby: true})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	ledger, err := serial.Open(ctx, store, nil) // with a Scheme and a Sink, to issue
	if err != nil {
		log.Fatal(err)
	}
	defer ledger.Close()
	if _, err := ledger.Credit(ctx, "PT Example", 100, []byte("invoice 2026-17")); err != nil {
		log.Fatal(err)
	}
}
