package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/seed-574216e4/meterai/examples/surge/internal/capacity"
)

// taken is what the plan takes and does not measure.
func taken(f *flags) capacity.Taken {
	return capacity.Taken{
		// An assumption, for a small network HSM, the round trip to it included. SoftHSM does far more.
		Token: cmp.Or(f.tokenRate, 1000), Sessions: 16,
		// PostgreSQL with a synchronous standby, server and client on two cores: what
		// go test ./serial/postgres -run xxx -bench Redeem -benchtime 40000x gave.
		Database: cmp.Or(f.databaseRate, 7800),
		// An assumption: three round trips of half a millisecond, and the standby's disk.
		Commit: 0.003,
	}
}

// simulate measures, plans and checks the plan.
func simulate(ctx context.Context, f *flags, out io.Writer) (err error) {
	if !(f.tokenRate >= 0 && f.databaseRate >= 0) {
		return errors.New("--token-rate and --database-rate are not below 0")
	}
	dir, remove, err := workDir(f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	m, err := capacity.Measure(ctx, dir, nil)
	if err != nil {
		return err
	}
	m.Write(out, f.seed)
	t := taken(f)
	fmt.Fprintf(out, "taken, not measured: a token makes %.0f signatures/s with %d sessions (a small network HSM); a database books %.0f units/s\n"+
		"  (PostgreSQL with a standby on two cores, its client there too: the benchmark of serial/postgres); a commit lasts %.0f ms (a standby elsewhere)\n",
		t.Token, t.Sessions, t.Database, 1e3*t.Commit)
	capacity.WritePlan(out, m.Costs(t), f.seed)
	return nil
}
