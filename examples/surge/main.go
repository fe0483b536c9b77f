// Command surge replays the days before a deadline against the real parts of the library: real documents, real stamps, a
// real ledger, a real key and real faults. An independent auditor then says whether anybody lost a unit or a stamp.
//
//	go run ./examples/surge --embedded      one process on SQLite, nothing to install; under two minutes
//	go run ./examples/surge --full          several processes, PostgreSQL with a standby, two SoftHSM tokens; under ten
//	go run ./examples/surge --simulate      what carries the real days, ten times that, and 100 million stamps a day
//
// It writes a report (surge.html, surge.json) and exits with 1 if anything is off. The same --seed brings the same
// people, documents and payments, and the same --chaos the same faults; how many people come follows from what the
// machine can do, unless --capacity says it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed-574216e4/meterai/examples/surge/internal/plant"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP) // what was made is removed
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)                                                // a message to an issuer that was killed ends nothing
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// Exit codes.
const (
	exitOff         = 1   // the auditor found something, or the replay could not be done
	exitUsage       = 64  // wrong flags
	exitInterrupted = 130 // nothing was audited
)

// flags are what the command line says.
type flags struct {
	embedded, full, simulate bool
	seed, chaos              uint64
	duration                 time.Duration
	scale, capacity          float64
	tokenRate, databaseRate  float64 // what --simulate takes; 0 is the usual
	out, dir                 string
	keep                     bool
	atOnce                   time.Duration // how long a refusal may take
	answer                   time.Duration // how long any answer may take
	drain                    time.Duration // how long people may take after the last has come; 0 is the usual
}

func run(ctx context.Context, args []string, out, errs io.Writer) int {
	if len(args) == 1 && args[0] == plant.WorkerCommand {
		if err := plant.Worker(context.WithoutCancel(ctx), os.Stdin); err != nil {
			fmt.Fprintln(errs, "surge:", err)
			return exitOff
		}
		return 0
	}
	f, err := parse(args, errs)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(errs, "surge:", err)
		return exitUsage
	}
	clean := true
	switch {
	case f.simulate:
		err = simulate(ctx, f, out)
	default:
		clean, err = replayAndAudit(ctx, f, out)
	}
	if ctx.Err() != nil {
		fmt.Fprintln(errs, "surge: interrupted; nothing was audited")
		return exitInterrupted
	}
	if err != nil {
		fmt.Fprintln(errs, "surge:", err)
		return exitOff
	}
	if !clean {
		return exitOff
	}
	return 0
}

// What a replay may be asked for: everybody who comes is in memory.
const (
	maxScale    = 10
	minDuration = time.Second
	maxDuration = time.Hour
	maxCapacity = 10_000
)

const (
	purpose = `surge replays the days before a deadline against the real parts of the library, breaks them on the way,
and has an independent auditor say whether anybody lost a unit or a stamp.

  go run ./examples/surge --embedded    in one process on SQLite, nothing to install; under 2 minutes
  go run ./examples/surge --full        several processes on PostgreSQL and SoftHSM; under 10 minutes
  go run ./examples/surge --simulate    what carries the real days, ten times that, and 100 million a day

`
	codes = `
Exit codes: 0 all is well; 1 the auditor found something, or the replay failed; 64 wrong flags; 130 interrupted.
`
)

func parse(args []string, errs io.Writer) (*flags, error) {
	f := &flags{atOnce: time.Second, answer: answerWithin}
	set := flag.NewFlagSet("surge", flag.ContinueOnError)
	set.SetOutput(errs)
	set.Usage = func() { fmt.Fprint(errs, purpose); set.PrintDefaults(); fmt.Fprint(errs, codes) }
	set.BoolVar(&f.embedded, "embedded", false, "one process on SQLite (the default)")
	set.BoolVar(&f.full, "full", false, "several processes, PostgreSQL with a synchronous standby, two SoftHSM tokens,\nwhich must be installed; about 8 GB of disk")
	set.BoolVar(&f.simulate, "simulate", false, "the capacity plan, by a simulation with measured service times")
	set.Uint64Var(&f.seed, "seed", 2024, "`number` that the people, their documents and payments follow from")
	set.Uint64Var(&f.chaos, "chaos", 0, "`number` that the faults follow from; 0 is the fixed schedule")
	set.DurationVar(&f.duration, "duration", 0, "how `long` the load lasts: five days in little; 0 is 36s embedded, 4m40s full;\nbelow 15s the figures say little")
	set.Float64Var(&f.scale, "scale", 1, "how many people, as a part of what the machine can bear")
	set.Float64Var(&f.capacity, "capacity", 0, "stamps a second to plan the load for; 0 is measured")
	set.Float64Var(&f.tokenRate, "token-rate", 0, "signatures a second of a token, for --simulate; 0 is 1000")
	set.Float64Var(&f.databaseRate, "database-rate", 0, "units a second of a database, for --simulate; 0 is 7800")
	set.StringVar(&f.out, "out", ".", "`folder` for surge.html, surge.json and surge-picture.html, the charts alone")
	set.StringVar(&f.dir, "dir", "", "`folder` for ledger and documents; a temporary one by default. The databases of\n--full are in the folder for temporary files")
	set.BoolVar(&f.keep, "keep", false, "keep the documents, and what a verifier needs; embedded, the ledger as well")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	modes := 0
	for _, m := range []bool{f.embedded, f.full, f.simulate} {
		if m {
			modes++
		}
	}
	switch {
	case set.NArg() > 0:
		return nil, fmt.Errorf("what is %q?", set.Arg(0))
	case modes > 1:
		return nil, errors.New("--embedded, --full and --simulate exclude each other")
	case !(f.scale > 0 && f.scale <= maxScale) || f.duration != 0 && f.duration < minDuration || f.duration > maxDuration || !(f.capacity >= 0 && f.capacity <= maxCapacity):
		return nil, fmt.Errorf("--scale is above 0 and at most %d, --duration from %s to %s, --capacity at most %d", maxScale, minDuration, maxDuration, maxCapacity)
	}
	return f, nil
}
