// Command verifier makes a static page that verifies stamped documents and printed
// seals in the browser, and serves it on this machine.
//
//	go run ./examples/verifier                       # serve, with a specimen to try
//	go run ./examples/verifier --dir demo            # trust what "meterai init" made
//	go run ./examples/verifier --out site            # write the site for any web server
//
// Package verify is compiled to WebAssembly with the Go that runs this program.
// The document never leaves the device: the page loads its own files and its trust
// files, and sends nothing. Without --dir and --roots it makes a specimen PKI and a
// stamped specimen, so that there is something to check.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/seed-574216e4/meterai/examples/verifyd/trust"
	"github.com/seed-574216e4/meterai/sign/seal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "verifier:", err)
		}
		os.Exit(1)
	}
}

// flags of the command.
type flags struct {
	trust.Files
	out, listen, url string
}

func parse(args []string, help io.Writer) (*flags, error) {
	f := &flags{}
	fs := flag.NewFlagSet("verifier", flag.ContinueOnError)
	fs.SetOutput(help)
	fs.StringVar(&f.out, "out", "", "write the site to this new directory, and do not serve it")
	fs.StringVar(&f.listen, "listen", "127.0.0.1:8320", "address to serve on; port 0 chooses a free one")
	fs.StringVar(&f.Dir, "dir", "", "trust what this directory has, made by meterai init")
	fs.StringVar(&f.Roots, "roots", "", "root certificates, PEM")
	fs.StringVar(&f.SealTrust, "seal-trust", "", "seal keys, JSON")
	fs.Func("crl", "revocation list, PEM or DER; may be given again", func(name string) error {
		f.CRLs = append(f.CRLs, name)
		return nil
	})
	fs.Func("status-list", "the issuer's published list of void serials", func(name string) error {
		f.Status = []string{name}
		return nil
	})
	fs.StringVar(&f.url, "url", "", "with --out: where the site will be, as the seals of the specimen name it, such as HTTPS://STAMP.EXAMPLE/S/")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	return f, nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	f, err := parse(args, out)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "compiling the verifier to WebAssembly ...")
	program, err := compile(ctx)
	if err != nil {
		return err
	}
	if f.out != "" {
		return f.write(ctx, program, out)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", f.listen)
	if err != nil {
		return err
	}
	defer l.Close()
	base := "http://" + l.Addr().String() + "/"
	s, specimen, err := f.site(ctx, program, strings.ToUpper(base))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "the page that verifies:  %s\n", base)
	if specimen != nil {
		fmt.Fprintf(out, "a stamped specimen:      %s%s\nits seal, as printed:    %s\n", base, specimenFile, base+specimen.digits)
	}
	return serve(ctx, l, s)
}

// site makes the site, with a specimen if no trust was given.
func (f *flags) site(ctx context.Context, program *program, url string) (*site, *specimen, error) {
	if f.Dir != "" || f.Roots != "" {
		set, err := trust.Load(&f.Files)
		if err != nil {
			return nil, nil, err
		}
		s, err := newSite(program, set)
		return s, nil, err
	}
	if f.SealTrust != "" || len(f.CRLs)+len(f.Status) > 0 {
		return nil, nil, errors.New("--seal-trust, --crl and --status-list go with --roots or --dir")
	}
	if len(url) > seal.MaxPrefix {
		url = "" // the symbol then has the bare number
	}
	sp, err := newSpecimen(ctx, url)
	if err != nil {
		return nil, nil, err
	}
	s, err := newSite(program, sp.set)
	if err != nil {
		return nil, nil, err
	}
	s.add(specimenFile, sp.document)
	return s, sp, nil
}

func (f *flags) write(ctx context.Context, program *program, out io.Writer) error {
	s, specimen, err := f.site(ctx, program, f.url)
	if err != nil {
		return err
	}
	if err := s.write(f.out); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s is ready; %s says how to host it\n", f.out, hostingFile)
	if specimen != nil {
		fmt.Fprintln(out, "it trusts a SPECIMEN made just now: put your own files into trust/, or give --roots, --crl, --seal-trust and --status-list")
	}
	return nil
}

// serve answers until the context ends.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 5 * time.Minute, IdleTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return server.Shutdown(ending)
}
