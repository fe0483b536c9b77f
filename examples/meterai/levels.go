package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/ltv"
	"github.com/seed-574216e4/meterai/sign/tsa"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

// levelNames are the PAdES levels (ETSI EN 319 142-1, 6), the lowest first.
var levelNames = []string{"b-b", "b-t", "b-lt", "b-lta"}

// levelFlags choose a level and where its timestamps come from.
type levelFlags struct {
	level    string
	tsa      []string
	owed     bool
	password string // file that has it
}

func (f *levelFlags) add(cmd *cobra.Command, level string) {
	cmd.Flags().StringVar(&f.level, "level", level, "PAdES level: b-b, b-t, b-lt or b-lta")
	cmd.Flags().StringArrayVar(&f.tsa, "tsa", nil, "URL of a timestamp authority, for levels above b-b; several are tried in turn")
	cmd.Flags().StringVar(&f.password, "password-file", "", "file whose first line is the password of encrypted documents")
}

func (f *levelFlags) check() error {
	n := slices.Index(levelNames, f.level)
	switch {
	case n < 0:
		return usage("--level is b-b, b-t, b-lt or b-lta, not %q", f.level)
	case n == 0 && len(f.tsa) > 0:
		return usage("--tsa is for levels above b-b")
	case n > 0 && len(f.tsa) == 0:
		return usage("--level %s needs --tsa; 'meterai pki' runs one for development", f.level)
	}
	return nil
}

// levels are the services that a level needs.
type levels struct {
	level     int // index in levelNames
	owed      bool
	authority tsa.Timestamper
	collector *ltv.Collector
	password  string
}

// requestTimeout bounds one request to a service.
const requestTimeout = 30 * time.Second

func (f *levelFlags) open(h home, p *pki.PKI) (*levels, error) {
	lv := &levels{level: slices.Index(levelNames, f.level), owed: f.owed}
	var err error
	if lv.password, err = readPassword(f.password); err != nil || lv.level == 0 {
		return lv, err
	}
	client := &http.Client{Timeout: requestTimeout}
	opt := &tsa.Options{HTTP: client}
	for _, url := range f.tsa {
		opt.Servers = append(opt.Servers, tsa.Server{URL: url})
	}
	if lv.authority, err = tsa.New(opt); err != nil {
		return nil, usage("--tsa: %v", err)
	}
	data := &ltv.Options{HTTP: client}
	if len(p.StampP256.Cert.OCSPServer) > 0 { // the certificates say where all of it is
		lv.collector, err = ltv.New(data)
		return lv, err
	}
	data.Certificates = []*x509.Certificate{p.Issuing.Cert, p.Root.Cert}
	for _, name := range []string{pki.IssuingCRL, pki.RootCRL} {
		crl, err := os.ReadFile(filepath.Join(h.pki(), name))
		if err != nil {
			return nil, h.missing(err)
		}
		data.CRLs = append(data.CRLs, crl)
	}
	lv.collector, err = ltv.New(data)
	return lv, err
}

// signature is the timestamp of the signature; nil at b-b.
func (lv *levels) signature() *sign.Timestamp {
	if lv.level == 0 {
		return nil
	}
	return &sign.Timestamp{Authority: lv.authority, Owed: lv.owed}
}

// complete adds what the levels above b-t need to the update of a source.
func (lv *levels) complete(ctx context.Context, src io.ReaderAt, size int64, update []byte) ([]byte, error) {
	if lv.level < 2 {
		return update, nil
	}
	signed := sign.Join(src, size, update)
	more, _, err := lv.extend(ctx, signed, size+int64(len(update)), false)
	if err != nil {
		return nil, err
	}
	return append(bytes.Clone(update), more...), nil
}

// extend makes what leads a signed document to the level. A document timestamp is
// asked for at b-lta, and where a signature has none.
func (lv *levels) extend(ctx context.Context, r io.ReaderAt, size int64, stamp bool) ([]byte, *sign.Extension, error) {
	opt := &sign.ExtendOptions{Password: lv.password}
	if lv.level >= 2 {
		opt.Data = lv.collector
	}
	if lv.level == 3 || stamp {
		opt.Timestamp = lv.authority
	}
	return sign.Extend(ctx, r, size, opt)
}
