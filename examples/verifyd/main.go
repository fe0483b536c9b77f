// Command verifyd is an HTTP service that verifies stamped documents and printed
// seals.
//
//	go run ./examples/verifyd --dir demo
//	curl --data-binary @stamped.pdf http://127.0.0.1:8330/verify
//	curl -F file=@stamped.pdf http://127.0.0.1:8330/verify
//	curl --data-binary @photo.png -H 'Content-Type: image/png' http://127.0.0.1:8330/seal
//
// The answers are those of "meterai verify --json" and "meterai seal --json";
// openapi.json, which the service serves too, describes them. A document is kept in
// a temporary file that has no name any more, for as long as its request lasts.
//
// Anybody who reaches the service may ask it, and read GET /metrics. In front of a
// public one stands a proxy that keeps /metrics and /readyz back.
//
// SIGHUP reads the trust files again; when they are wrong the ones in use stay.
// SIGTERM and SIGINT answer what is in work and end the service.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/seed-574216e4/meterai/examples/verifyd/trust"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	if err := run(ctx, os.Args[1:], again, os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "verifyd:", err)
		}
		os.Exit(1)
	}
}

// config is what the flags say.
type config struct {
	trust.Files
	listen  string
	tmp     string // directory of temporary files
	size    int64  // of a document
	uploads int
	workers int // verifications at a time
	timeout time.Duration
}

func parse(args []string, out io.Writer) (*config, error) {
	c := &config{}
	fs := flag.NewFlagSet("verifyd", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.StringVar(&c.listen, "listen", "127.0.0.1:8330", "address to listen on; port 0 chooses a free one")
	fs.StringVar(&c.Dir, "dir", "", "trust what this directory has, made by meterai init")
	fs.StringVar(&c.Roots, "trust", "", "trusted root certificates, PEM")
	fs.StringVar(&c.SealTrust, "seal-trust", "", "trusted seal keys, JSON")
	fs.Func("crl", "revocation list, PEM or DER; may be given again", func(name string) error {
		c.CRLs = append(c.CRLs, name)
		return nil
	})
	fs.Func("status-list", "list of void serials that an issuer publishes; may be given again", func(name string) error {
		c.Status = append(c.Status, name)
		return nil
	})
	fs.StringVar(&c.tmp, "tmp", "", "directory of temporary files (default: the system's)")
	fs.Int64Var(&c.size, "max-size", defaultSize, "greatest document in bytes")
	fs.IntVar(&c.uploads, "uploads", defaultUploads, "documents on their way in at a time")
	fs.IntVar(&c.workers, "workers", runtime.GOMAXPROCS(0), "verifications at a time")
	fs.DurationVar(&c.timeout, "timeout", defaultTimeout, "longest verification")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case fs.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case c.Dir == "" && c.Roots == "":
		return nil, errors.New("whom to trust? give --dir, or --trust and --seal-trust")
	case c.size < 1 || c.uploads < 1 || c.workers < 1 || c.timeout <= 0:
		return nil, errors.New("--max-size, --uploads, --workers and --timeout are more than zero")
	}
	return c, nil
}

// run serves until the context ends. A value from again reads the trust anew.
func run(ctx context.Context, args []string, again <-chan os.Signal, out, logs io.Writer) error {
	c, err := parse(args, logs)
	if err != nil {
		return err
	}
	s, err := newService(c, slog.New(slog.NewJSONHandler(logs, nil)))
	if err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", c.listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "http://%s\n", l.Addr())
	return s.serve(ctx, l, again)
}

// serve answers on l until the context ends, and then ends what is in work.
func (s *service) serve(ctx context.Context, l net.Listener, again <-chan os.Signal) error {
	work, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	server := &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return work },
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // what clients did wrong
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	for {
		select {
		case err := <-done:
			return err
		case <-again:
			s.reload()
			continue
		case <-ctx.Done():
		}
		break
	}
	s.draining.Store(true)
	ending, cancel := context.WithTimeout(work, shutdownTimeout)
	defer cancel()
	err := server.Shutdown(ending)
	if err != nil {
		giveUp() // verifications end at once
		err = errors.Join(err, server.Close())
	}
	s.log.Info("ended", "complete", err == nil)
	return err
}
