package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/postgres"
	"github.com/seed-574216e4/meterai/serial/sqlite"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

// An issuer is what the portal needs of the library: the ledger, the key that
// signs documents, and the stamp with the key that signs seals.
type issuer struct {
	ledger        *serial.Ledger
	credential    *sign.Credential
	stamp         *sign.Stamp
	width, height float64 // of the stamp in points
	closers       []func() error
}

// close ends everything in the reverse order of its making.
func (i *issuer) close() error {
	var err error
	for n := len(i.closers) - 1; n >= 0; n-- {
		err = errors.Join(err, i.closers[n]())
	}
	return err
}

// A series is the secret behind the serial numbers.
type series struct {
	Epoch  string `json:"epoch"`
	Issuer string `json:"issuer"`
	Key    string `json:"key"` // 64 hexadecimal digits
}

func (c config) specimen() string { return filepath.Join(c.Dir, "specimen") }

// openIssuer opens what the configuration names. Where it names nothing, a
// specimen is made in the portal's folder, once.
func openIssuer(ctx context.Context, c config, log *slog.Logger) (_ *issuer, err error) {
	if err := makeSpecimen(ctx, c.specimen()); err != nil {
		return nil, err
	}
	i := &issuer{stamp: &sign.Stamp{Value: c.Value, Prefix: c.SealPrefix}}
	defer func() {
		if err != nil {
			i.close()
		}
	}()
	if c.Token != nil {
		err = i.useToken(ctx, c.Token, log)
	} else {
		err = i.useSpecimen(filepath.Join(c.specimen(), "pki"))
	}
	if err != nil {
		return nil, err
	}
	if i.width, i.height, err = i.stamp.NaturalSize(); err != nil {
		return nil, err
	}
	store, err := i.openStore(ctx, c, log)
	if err != nil {
		return nil, err
	}
	return i, i.openLedger(ctx, c, store, log)
}

// useSpecimen signs with the keys of the specimen PKI.
func (i *issuer) useSpecimen(dir string) error {
	p, err := pki.Load(dir, nil)
	if err != nil {
		return err
	}
	i.stamp.Specimen, i.stamp.Seal = true, p.SealP256
	i.credential, err = sign.NewCredential(p.StampP256.Cert, p.StampP256.Chain, p.StampP256.Key, nil)
	return err
}

func (i *issuer) openStore(ctx context.Context, c config, log *slog.Logger) (serial.Store, error) {
	if c.Database != "" {
		store, err := postgres.Open(ctx, c.Database, &postgres.Options{Logger: log})
		if err != nil {
			return nil, err
		}
		i.closers = append(i.closers, store.Close)
		return store, nil
	}
	// An empty ledger in the place of a lost one would issue its numbers again.
	store, err := sqlite.Open(ctx, filepath.Join(c.specimen(), "ledger.db"), &sqlite.Options{MustExist: true, Logger: log})
	if err != nil {
		return nil, err
	}
	i.closers = append(i.closers, store.Close)
	return store, nil
}

func (i *issuer) openLedger(ctx context.Context, c config, store serial.Store, log *slog.Logger) error {
	file := c.Series
	if file == "" {
		file = filepath.Join(c.specimen(), "series.json")
	}
	scheme, err := readScheme(file)
	if err != nil {
		return err
	}
	sink, err := serial.NewDirSink(filepath.Join(c.Dir, "stamps"))
	if err != nil {
		return err
	}
	if i.ledger, err = serial.Open(ctx, store, &serial.Options{Scheme: scheme, Sink: sink, Logger: log}); err != nil {
		return err
	}
	i.closers = append(i.closers, i.ledger.Close)
	return nil
}

func readScheme(file string) (*serial.Scheme, error) {
	var s series
	if err := readRecord(file, &s); err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(s.Key)
	if err != nil || len(key) != 32 || len(s.Epoch) != 1 {
		return nil, fmt.Errorf("%s is damaged", file) // never quote it: it is a secret
	}
	return serial.NewScheme(s.Epoch[0], s.Issuer, [32]byte(key))
}

// specimenTrust is what a verifier needs to know of the seal key, beside the root
// certificate and the revocation lists.
func specimenTrust(p *pki.PKI) (*verify.SealTrust, error) {
	e, err := verify.TrustKey(p.SealP256.Public(), p.StampP256.Cert)
	if err != nil {
		return nil, err
	}
	e.Issuers, e.Epochs, e.Currency, e.Specimen = []string{"ZZ"}, []string{"0"}, "IDR", true
	e.NotBefore, e.NotAfter = p.Root.Cert.NotBefore, p.Root.Cert.NotAfter
	return verify.NewSealTrust(e)
}

// makeSpecimen makes a PKI, a series and an empty ledger under another name and
// renames the folder, so that it appears whole or not at all.
func makeSpecimen(ctx context.Context, dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(parent, ".specimen-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	p, err := pki.New(nil)
	if err != nil {
		return err
	}
	if err := p.Write(filepath.Join(tmp, "pki")); err != nil {
		return err
	}
	var key [32]byte
	rand.Read(key[:])
	if err := writeRecord(filepath.Join(tmp, "series.json"), series{Epoch: "0", Issuer: "ZZ", Key: hex.EncodeToString(key[:])}); err != nil {
		return err
	}
	trust, err := specimenTrust(p)
	if err != nil {
		return err
	}
	if err := writeRecord(filepath.Join(tmp, "seal-trust.json"), trust); err != nil {
		return err
	}
	store, err := sqlite.Open(ctx, filepath.Join(tmp, "ledger.db"), nil)
	if err != nil {
		return err
	}
	if err := store.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp, dir); err != nil {
		return err
	}
	return syncDir(parent)
}
