package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/seed-574216e4/meterai/examples/surge/internal/capacity"
)

// What is taken and not measured here.
const (
	// tokenRate is signatures a second of one token: an assumption, for a small network HSM. SoftHSM does far more.
	tokenRate     = 1000.0
	tokenSessions = 16
	// databaseRate is units a second of PostgreSQL with a synchronous standby, server and client on two cores: what go test
	// ./serial/postgres -run xxx -bench Redeem -benchtime 40000x gave.
	databaseRate = 7800.0
	// commitTime is what a transaction takes that does not grow with its units, the standby in another building.
	commitTime = 0.003
	// timestamps is the processor time, in seconds, of asking for a timestamp and checking it: a third of what a stamp
	// with one takes in the profile of --embedded.
	timestamps = 0.0005
)

// simulate measures, plans and checks the plan.
func simulate(ctx context.Context, f *flags, out io.Writer) (err error) {
	dir, remove, err := workDir(f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	m, err := capacity.Measure(ctx, dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "measured here, best of several runs:\n")
	fmt.Fprintf(out, "  a stamp of 15 KB but for key and ledger %8.3f ms of a core (%.0f/s)\n", 1e3*m.Stamp.Seconds(), 1/m.Stamp.Seconds())
	fmt.Fprintf(out, "  a P-256 signature in memory             %8.3f ms (%.0f/s)\n", 1e3*m.Key.Seconds(), 1/m.Key.Seconds())
	fmt.Fprintf(out, "  the ledger on SQLite                    %8.0f units a second\n", m.Ledger)
	fmt.Fprintf(out, "  an output of 50 KB durable              %8.3f ms alone; %.0f/s with 16 at a time\n", 1e3*m.Disk.Seconds(), m.Disks)
	fmt.Fprintf(out, "taken: a token makes %.0f signatures a second with %d sessions; a PostgreSQL with its standby %.0f units a second;\n"+
		"  %.0f ms for a commit; %.1f ms of a core for a timestamp\n", tokenRate, tokenSessions, databaseRate, 1e3*commitTime, 1e3*timestamps)
	const writers = 16
	return capacity.Write(out, capacity.Costs{
		Stamp: m.Stamp.Seconds() + timestamps, Token: tokenSessions / tokenRate, Sessions: tokenSessions,
		Book: 1 / databaseRate, Commit: commitTime, Disk: writers / m.Disks, Writers: writers,
	}, f.seed)
}
