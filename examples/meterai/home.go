package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/sqlite"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

// What a development directory issues: series 0ZZ, stamps of Rp10.000.
const (
	specimenEpoch  = "0"
	specimenIssuer = "ZZ"
	currency       = "IDR"
	tariff         = 10000
)

// A home is the directory that init makes.
type home struct{ dir string }

func (h home) pki() string       { return filepath.Join(h.dir, "pki") }
func (h home) series() string    { return filepath.Join(h.dir, "series.json") }
func (h home) sealTrust() string { return filepath.Join(h.dir, "seal-trust.json") }
func (h home) ledger() string    { return filepath.Join(h.dir, "ledger.db") }
func (h home) witness() string   { return h.ledger() + ".witness" }
func (h home) stamps() string    { return filepath.Join(h.dir, "stamps") }

// A series is the secret behind the serial numbers (series.json, 0600).
type series struct {
	Epoch  string `json:"epoch"`
	Issuer string `json:"issuer"`
	Key    string `json:"key"` // 64 hexadecimal digits
}

// create makes the directory under another name and renames it, so that it
// appears whole or not at all, and only one of two that try at once has it.
func (h home) create(ctx context.Context) error { return h.createFor(ctx, "") }

// createFor is create with certificates that name the service of the PKI at url.
func (h home) createFor(ctx context.Context, url string) error {
	dir := filepath.Clean(h.dir)
	here, err := h.room(dir)
	if err != nil {
		return err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(parent, ".meterai-init-*") // 0700
	if err != nil {
		return fmt.Errorf("cannot write in %s: %w", parent, bare(err))
	}
	defer os.RemoveAll(tmp)
	if err := (home{tmp}).fill(ctx, url); err != nil {
		return err
	}
	if here {
		if err := syscall.Rmdir(dir); err != nil { // never a file, as os.Remove would
			return fmt.Errorf("%s: %w; choose another --dir", h.dir, err)
		}
	}
	if err := os.Rename(tmp, dir); err != nil {
		return fmt.Errorf("%s: %w; choose another --dir", h.dir, bare(err))
	}
	return syncDir(parent)
}

// room refuses whatever stands in the place of the directory but an empty one, and
// says whether that is there.
func (h home) room(dir string) (here bool, err error) {
	st, err := os.Lstat(dir)
	switch {
	case dir == ".": // init makes it anew, and the shell would stand in the old one
		return false, fmt.Errorf("%s is the current directory; choose another --dir", h.dir)
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case st.Mode()&fs.ModeSymlink != 0:
		return false, fmt.Errorf("%s is a link; choose another --dir", h.dir)
	case !st.IsDir():
		return false, fmt.Errorf("%s is a file; choose another --dir", h.dir)
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is not empty; choose another --dir", h.dir)
	}
	return true, err
}

func (h home) fill(ctx context.Context, url string) error {
	var key [32]byte
	rand.Read(key[:])
	if err := writeJSON(h.series(), series{Epoch: specimenEpoch, Issuer: specimenIssuer, Key: hex.EncodeToString(key[:])}); err != nil {
		return err
	}
	p, err := pki.New(&pki.Options{URL: url, TSAValidity: pki.TSAValidity})
	if err != nil {
		return err
	}
	if err := p.Write(h.pki()); err != nil {
		return err
	}
	list, err := h.makeListKey()
	if err != nil {
		return err
	}
	trust, err := specimenTrust(p, list)
	if err != nil {
		return err
	}
	if err := writeJSON(h.sealTrust(), trust); err != nil {
		return err
	}
	l, err := h.open(ctx, nil)
	if err != nil {
		return err
	}
	return l.close()
}

// A ledger is the home's ledger with what has to be closed after it.
type ledger struct {
	*serial.Ledger
	store  *sqlite.Store
	series serial.SeriesID
}

// openLedger opens the ledger that init made; only init makes one, since an
// empty ledger in the place of a lost one would issue its numbers again.
func (h home) openLedger(ctx context.Context) (*ledger, error) {
	return h.open(ctx, &sqlite.Options{MustExist: true})
}

func (h home) open(ctx context.Context, opt *sqlite.Options) (*ledger, error) {
	var s series
	if err := readJSON(h.series(), &s); err != nil {
		return nil, h.missing(err)
	}
	key, err := hex.DecodeString(s.Key)
	if err != nil || len(key) != 32 || len(s.Epoch) != 1 {
		return nil, fmt.Errorf("%s is damaged", h.series())
	}
	scheme, err := serial.NewScheme(s.Epoch[0], s.Issuer, [32]byte(key))
	if err != nil {
		return nil, err
	}
	sink, err := serial.NewDirSink(h.stamps())
	if err != nil {
		return nil, err
	}
	store, err := sqlite.Open(ctx, h.ledger(), opt)
	if err != nil {
		return nil, err
	}
	l, err := serial.Open(ctx, store, &serial.Options{Scheme: scheme, Sink: sink})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return &ledger{Ledger: l, store: store, series: scheme.Series()}, nil
}

func (l *ledger) close() error { return errors.Join(l.Ledger.Close(), l.store.Close()) }

// loadPKI reads the development PKI.
func (h home) loadPKI() (*pki.PKI, error) {
	p, err := pki.Load(h.pki(), nil)
	return p, h.missing(err)
}

// missing tells a directory that init has not made from one that lost a file.
func (h home) missing(err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, here := os.Stat(h.series()); here == nil {
		return err
	}
	return fmt.Errorf("%s was not made by init; run 'meterai init --dir %s' first", h.dir, h.dir)
}

// credential is the e-seal that signs documents.
func credential(p *pki.PKI, algorithm string) (*sign.Credential, error) {
	id := p.StampP256
	switch algorithm {
	case "p256":
	case "rsa":
		id = p.StampRSA
	default:
		return nil, usage("--algorithm is p256 or rsa, not %q", algorithm)
	}
	return sign.NewCredential(id.Cert, id.Chain, id.Key, nil)
}

// specimenTrust is the trust list for the seal keys of a development PKI, and the
// key that signs published lists.
func specimenTrust(p *pki.PKI, list *seal.Key) (*verify.SealTrust, error) {
	var entries []verify.SealTrustEntry
	for _, signer := range []crypto.Signer{p.SealP256, p.SealEd25519} {
		e, err := verify.TrustKey(signer.Public(), p.StampP256.Cert, p.StampRSA.Cert)
		if err != nil {
			return nil, err
		}
		e.Name = "specimen seal key of this directory"
		e.Issuers, e.Epochs = []string{specimenIssuer}, []string{specimenEpoch}
		e.NotBefore, e.NotAfter = p.Root.Cert.NotBefore, p.Root.Cert.NotAfter
		e.Currency, e.Specimen = currency, true
		e.ListKeys = []string{base64.StdEncoding.EncodeToString(list.SPKI())}
		entries = append(entries, e)
	}
	return verify.NewSealTrust(entries...)
}

// verifyOptions is what the directory trusts.
func (h home) verifyOptions() (*verify.Options, error) {
	roots, err := readRoots(filepath.Join(h.pki(), pki.RootFile))
	if err != nil {
		return nil, h.missing(err)
	}
	trust, err := readSealTrust(h.sealTrust())
	if err != nil {
		return nil, h.missing(err)
	}
	opt := &verify.Options{Roots: roots, SealTrust: trust}
	for _, name := range []string{pki.RootCRL, pki.IssuingCRL} {
		crl, err := readCRL(filepath.Join(h.pki(), name))
		if err != nil {
			return nil, h.missing(err)
		}
		opt.CRLs = append(opt.CRLs, crl)
	}
	return opt, nil
}

// readCRL reads a revocation list in DER or PEM.
func readCRL(file string) (*x509.RevocationList, error) {
	der, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(der); block != nil && block.Type == "X509 CRL" {
		der = block.Bytes
	}
	crl, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return crl, nil
}

func readRoots(file string) (*x509.CertPool, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", file)
	}
	return pool, nil
}

func readSealTrust(file string) (*verify.SealTrust, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	t, err := verify.ParseSealTrust(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return t, nil
}
