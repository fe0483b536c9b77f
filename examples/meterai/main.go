// Command meterai is the command line of the library: it makes a development
// PKI and a ledger, stamps PDF documents and verifies stamped ones.
//
//	meterai init   --dir demo
//	meterai credit --dir demo --account me --units 10 --key invoice-1
//	meterai stamp  --dir demo --account me --in in.pdf --out out.pdf
//	meterai verify --dir demo out.pdf
//
// Exit codes: 0 done (verify: TOTAL-PASSED), 1 refused or failed (verify:
// TOTAL-FAILED), 3 unreadable, 4 no signature, 5 INDETERMINATE, 64 wrong usage.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/seed-574216e4/meterai/serial"
)

// Exit codes besides those of a verification (verify.Report.ExitCode).
const (
	exitFailed = 1
	exitUsage  = 64 // EX_USAGE
)

// An exitError ends the program with a code and, unless silent, a message.
type exitError struct {
	code int
	err  error // nil: the command has said all there is to say
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usage(format string, a ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, a...)}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, newRoot()))
}

func run(ctx context.Context, root *cobra.Command) int {
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	code := exitFailed
	var exit *exitError
	if errors.As(err, &exit) {
		code = exit.code
	}
	text := oneLine(err.Error())
	if errors.Is(err, serial.ErrFenced) {
		text += "; see 'meterai fence --help'"
	}
	if text != "" {
		fmt.Fprintln(root.ErrOrStderr(), "meterai: "+text)
	}
	return code
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "meterai",
		Version:       version(),
		Short:         "Issue, stamp and verify electronic stamps in PDF documents",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("unknown command %q; see 'meterai --help'", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return usage("which command? see 'meterai --help'") },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%s; see '%s --help'", flagError(err), cmd.CommandPath())
	})
	root.AddCommand(newInit(), newCredit(), newGrant(), newTransfer(), newRefund(), newStamp(), newPrepare(), newFinish(), newExtend(), newVerify(), newSeal(),
		newBalance(), newHistory(), newVoid(), newSweep(), newFence(), newBackup(), newPKI(), newAudit(), newAffected(), newPublish(), newDoctor())
	return root
}

// flagError says what is wrong with a flag, without the words of the parser of numbers.
func flagError(err error) string {
	var number *strconv.NumError
	if !errors.As(err, &number) {
		return err.Error()
	}
	what := "it is no number"
	switch {
	case number.Func == "ParseBool":
		what = "it is neither true nor false"
	case errors.Is(err, strconv.ErrRange):
		what = "it is out of range"
	case number.Func == "ParseUint":
		what = "it is no whole number from 0 upwards"
	case number.Func == "ParseInt":
		what = "it is no whole number"
	}
	return strings.Replace(err.Error(), number.Error(), what, 1)
}

// version is what the Go tools put into the program.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// noArgs refuses arguments that no flag takes.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("unexpected argument %q; see '%s --help'", args[0], cmd.CommandPath())
	}
	return nil
}

// oneLine keeps messages with text from outside on one harmless line.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069):
			return '?'
		}
		return r
	}, strings.TrimSpace(s))
}
