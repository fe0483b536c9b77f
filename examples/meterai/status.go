package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/sqlite"
	"github.com/seed-574216e4/meterai/verify"
)

// statusFlags say where verify and seal learn what became of a serial.
type statusFlags struct {
	lists    []string
	noLedger bool
	require  bool

	ledger *readLedger // nil: nobody is asked
}

func (f *statusFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringArrayVar(&f.lists, "list", nil, "published list of void serials and revoked seal keys; may be given again")
	fl.BoolVar(&f.noLedger, "no-ledger", false, "do not ask the ledger of --dir what became of a serial")
	fl.BoolVar(&f.require, "require-status", false, "a stamp of which neither a current list nor the ledger speaks is INDETERMINATE")
}

// apply adds the lists, that of the directory among them, and the ledger of the
// directory when it is there. Who brings another trust list has another issuer's
// stamps, of which the ledger knows nothing.
func (f *statusFlags) apply(h home, opt *verify.Options, ownTrust bool) error {
	opt.RequireStatus = f.require
	files := f.lists
	if h.dir != "" && ownTrust {
		if _, err := os.Stat(h.statusList()); !errors.Is(err, fs.ErrNotExist) {
			files = append([]string{h.statusList()}, files...)
		}
		if _, err := os.Stat(h.ledger()); !f.noLedger && !errors.Is(err, fs.ErrNotExist) {
			f.ledger = &readLedger{path: h.ledger()}
			opt.Ledger = f.ledger
		}
	}
	for _, file := range files {
		l, err := readStatusList(file, opt.SealTrust)
		if err != nil {
			return err
		}
		opt.Lists = append(opt.Lists, l)
	}
	return nil
}

func (f *statusFlags) close() error {
	if f.ledger == nil {
		return nil
	}
	return f.ledger.close()
}

// maxListFile is above the largest list, 224 MB of serials and 2 MB of keys.
const maxListFile = 256 << 20

func readStatusList(file string, trust *verify.SealTrust) (*verify.StatusList, error) {
	st, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxListFile {
		return nil, fmt.Errorf("%s is no regular file, or too large for a list", file)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	l, err := verify.ParseStatusList(b, trust)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return l, nil
}

// A readLedger is a ledger that is opened for reading when it is first asked: no
// other process waits for it, and nothing is written.
type readLedger struct {
	path string

	once   sync.Once
	store  *sqlite.Store
	ledger *serial.Ledger
	err    error
}

// Lookup implements [verify.Ledger].
func (l *readLedger) Lookup(ctx context.Context, n serial.Number) (serial.Reservation, error) {
	l.once.Do(func() { l.err = l.open(ctx) })
	if l.err != nil {
		return serial.Reservation{}, fmt.Errorf("%w; --no-ledger leaves it out", l.err)
	}
	return l.ledger.Lookup(ctx, n)
}

func (l *readLedger) open(ctx context.Context) error {
	var err error
	if l.store, err = sqlite.Open(ctx, l.path, &sqlite.Options{ReadOnly: true}); err != nil {
		return err
	}
	l.ledger, err = serial.Open(ctx, l.store, nil)
	return err
}

func (l *readLedger) close() error {
	var err error
	if l.ledger != nil {
		err = l.ledger.Close()
	}
	if l.store != nil {
		err = errors.Join(err, l.store.Close())
	}
	return err
}

// readStampSigners reads the signers of older stamps: a list in JSON, certificates in
// PEM or DER, or a folder of such certificates.
func readStampSigners(path string) (*verify.StampSigners, error) {
	files, err := certificateFiles(path)
	if err != nil {
		return nil, err
	}
	var list []verify.StampSigner
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if file == path && strings.HasPrefix(strings.TrimSpace(string(b)), "{") {
			l, err := verify.ParseStampSigners(b)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			return l, nil
		}
		certs, err := certificates(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, c := range certs {
			if e := verify.TrustSigner(c); !slices.Contains(list, e) { // a folder may have one twice
				list = append(list, e)
			}
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s holds no certificate", path)
	}
	return verify.NewStampSigners(list...)
}

// certificateFiles gives the file, or those of a folder that have the names of
// certificates.
func certificateFiles(path string) ([]string, error) {
	st, err := os.Stat(path)
	if err != nil || !st.IsDir() {
		return []string{path}, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		switch strings.ToLower(filepath.Ext(e.Name())) {
		case ".pem", ".crt", ".cer", ".der":
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	return files, nil
}

// certificates reads one certificate in DER, or all in PEM.
func certificates(b []byte) ([]*x509.Certificate, error) {
	block, rest := pem.Decode(b)
	if block == nil {
		c, err := x509.ParseCertificate(b)
		return []*x509.Certificate{c}, err
	}
	var list []*x509.Certificate
	for ; block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("holds a %s instead of a certificate", oneLine(block.Type))
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}
