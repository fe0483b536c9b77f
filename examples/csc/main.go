// Command csc signs a document with a key in a service after the API of the Cloud
// Signature Consortium (CSC API 2.0, and 1.0.4), such as those that qualified trust
// service providers run. The document never leaves this machine: the service gets a
// digest and gives a signature.
//
//	csc --url https://signing.example/csc/v2 --token-file token          # lists credentials
//	csc --url ... --credential ID --pin-file pin --in in.pdf --out out.pdf
//
// Repeat --url for several services, or several ways to one, that hold the same key:
// what one of them does not answer another one does. To try it on one machine:
//
//	pip install certomancer-csc-dummy       # a dummy service, for tests only
//	certomancer-csc config.yml 8999 2       # the package's documentation has a config.yml
//	go run ./examples/csc --url http://localhost:8999/csc/v1
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/remote"
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		log.Fatal("csc: ", strings.TrimPrefix(err.Error(), "csc: "))
	}
}

// config is what the flags say.
type config struct {
	urls                []string
	credential, in, out string
	tokenFile, pinFile  string
}

func parse(args []string) (*config, error) {
	var c config
	fs := flag.NewFlagSet("csc", flag.ContinueOnError)
	fs.Func("url", "address of the service up to its version; may be repeated", func(s string) error {
		c.urls = append(c.urls, s)
		return nil
	})
	fs.StringVar(&c.credential, "credential", "", "credential that signs; without it they are listed")
	fs.StringVar(&c.in, "in", "", "document to sign")
	fs.StringVar(&c.out, "out", "", "signed document to write")
	fs.StringVar(&c.tokenFile, "token-file", "", "file with the access token of the service")
	fs.StringVar(&c.pinFile, "pin-file", "", "file with the PIN of the credential")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case len(c.urls) == 0 || fs.NArg() > 0:
		return nil, errors.New("give --url; see --help")
	case c.credential != "" && (c.in == "" || c.out == "" || c.in == c.out):
		return nil, errors.New("--credential needs --in and --out, two files")
	}
	return &c, nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	c, err := parse(args)
	if err != nil {
		return err
	}
	var clients []*Client
	for _, u := range c.urls {
		client, err := Dial(ctx, u, &http.Client{Timeout: 30 * time.Second}, secretFile(c.tokenFile))
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %s, CSC API %s\n", u, shown(client.Info().Name), shown(client.Info().Specs))
		clients = append(clients, client)
	}
	if c.credential == "" {
		return list(ctx, clients, out)
	}
	credential, signer, err := connect(ctx, clients, c)
	if err != nil {
		return err
	}
	defer signer.Close()
	res, err := signFile(ctx, credential, c.in, c.out)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s: signed as %q, field %s\n", c.out, credential.Certificate().Subject, res.Field)
	return err
}

func list(ctx context.Context, clients []*Client, out io.Writer) error {
	for _, c := range clients {
		ids, err := c.List(ctx)
		if err != nil {
			return err
		}
		for _, id := range ids {
			fmt.Fprintln(out, shown(id))
		}
	}
	return nil
}

// connect makes one signer of the services, each an endpoint, and the credential of it.
func connect(ctx context.Context, clients []*Client, c *config) (*sign.Credential, *remote.Signer, error) {
	var endpoints []remote.Endpoint
	var first *Credential
	for i, client := range clients {
		one, err := client.Credential(ctx, c.credential, secretFile(c.pinFile))
		if err != nil {
			return nil, nil, err
		}
		if i == 0 {
			first = one
		}
		endpoints = append(endpoints, remote.Endpoint{Name: fmt.Sprintf("%d %s", i+1, c.urls[i]), Signer: one})
	}
	signer, err := remote.New(endpoints, &remote.Options{Public: first.Public()})
	if err != nil {
		return nil, nil, err
	}
	credential, err := sign.NewCredential(first.Certificate, first.Chain, signer, nil)
	if err != nil {
		return nil, nil, errors.Join(err, signer.Close())
	}
	return credential, signer, nil
}

// secretFile reads a secret each time it is needed, so that it can be renewed and is
// not kept; nil without a file.
func secretFile(name string) func(context.Context) (string, error) {
	if name == "" {
		return nil
	}
	return func(context.Context) (string, error) {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, maxToken))
		secret := strings.TrimSpace(string(b))
		if err == nil && secret == "" {
			err = fmt.Errorf("%s is empty", name)
		}
		return secret, err
	}
}

// signFile signs a file; the other one appears when it is complete.
func signFile(ctx context.Context, cred *sign.Credential, in, out string) (*sign.Result, error) {
	src, err := os.Open(in)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	st, err := src.Stat()
	if err != nil {
		return nil, err
	}
	doc, err := sign.Open(src, st.Size(), &sign.Options{Reason: "Signed with a key in a service"})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", in, err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(out), ".csc-*.tmp")
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	res, err := doc.Sign(ctx, tmp, cred, sign.Issue{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", in, err)
	}
	if err := errors.Join(tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return nil, err
	}
	return res, os.Rename(tmp.Name(), out)
}
