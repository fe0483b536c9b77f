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
	"syscall"
	"time"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/postgres"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "portal:", err)
		os.Exit(1)
	}
}

// run opens the portal and serves until ctx ends.
func run(ctx context.Context, args []string, out, logs io.Writer) error {
	c, migrate, err := readConfig(args, logs)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(logs, nil))
	if migrate {
		return postgres.Migrate(ctx, c.Database, nil)
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	base := "http://" + loopback(listener.Addr())
	a, err := openApp(ctx, c, base, log)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	if c.URL == "" {
		c.URL = base
	}
	fmt.Fprintf(out, "portal on %s (data in %s)\n", c.URL, c.Dir)
	return a.serve(ctx, listener)
}

// serve answers until ctx ends. Then late payments are told while they can be
// answered, requests end, and after them the stampings in the line.
func (a *app) serve(ctx context.Context, listener net.Listener) error {
	server := newServer(a.routes(), a.log)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	upkeep, stopUpkeep := context.WithCancel(context.Background())
	defer stopUpkeep()
	go a.keepUp(upkeep)
	go a.sweep(upkeep)
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		a.log.Info("stopping")
		a.provider.flush()
		end, cancel := context.WithTimeout(context.Background(), requestTime)
		defer cancel()
		err = server.Shutdown(end)
	}
	stopUpkeep()
	end, cancel := context.WithTimeout(context.Background(), stampTime)
	defer cancel()
	return errors.Join(err, a.close(end))
}

func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: requestTime,
		ReadTimeout:       requestTime,
		WriteTimeout:      requestTime,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// loopback is the address under which this machine reaches itself.
func loopback(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// sweep brings to an end what nobody finishes: units come back after 48 hours.
func (a *app) sweep(ctx context.Context) {
	err := a.issuer.ledger.SweepEvery(ctx, 10*time.Minute, nil)
	if err != nil && ctx.Err() == nil && !errors.Is(err, serial.ErrClosed) {
		a.log.Error("sweep", "error", err)
	}
}

// keepUp removes what is too old, at once and then every few minutes.
func (a *app) keepUp(ctx context.Context) {
	tick := time.NewTicker(5 * time.Minute)
	defer tick.Stop()
	for {
		a.clean(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (a *app) clean(ctx context.Context) {
	now := a.now()
	err := a.documents.clean(now.Add(-time.Duration(a.config.Limits.Keep)*time.Hour), func(d *document) bool { return a.idle(ctx, d) })
	err = errors.Join(err, a.orders.clean(now.AddDate(0, 0, -90)))
	if err != nil {
		a.log.Error("clean", "error", err)
	}
}
