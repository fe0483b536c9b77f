// Package plant builds the systems that are replayed: [Embedded] in one process on SQLite, with nothing to install, and
// [Cluster] of several processes on PostgreSQL with tokens. Each knows how to break its parts and how to heal them.
package plant

import (
	"crypto"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/tsa"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

// Value is the tariff of each stamp.
const Value = 10000

// seriesKey is of a specimen: a real one is random, secret and kept.
func seriesKey() (k [32]byte) {
	copy(k[:], "surge: a specimen, for replays")
	return k
}

// issuerCode is the two-symbol code of an issuer: each has a series of numbers of its own.
func issuerCode(i int) string { return "Z" + string("0123456789ABCDEFGHJKMNPQRSTVWXYZ"[i]) }

func scheme(issuer int) (*serial.Scheme, error) {
	return serial.NewScheme('0', issuerCode(issuer), seriesKey())
}

// Genuine reports whether a number can have been issued by one of so many issuers.
func Genuine(n serial.Number, issuers int) bool {
	for i := range issuers {
		if s, err := scheme(i); err == nil && s.Genuine(n) {
			return true
		}
	}
	return false
}

// newDesk is what stamps: the key given for the specimen's certificate, and timestamps from an address.
func newDesk(p *pki.PKI, key crypto.Signer, url, dir string) (*portal.Desk, error) {
	client, err := NewTimestamper(p, url)
	if err != nil {
		return nil, err
	}
	credential, err := sign.NewCredential(p.StampP256.Cert, p.StampP256.Chain, key, nil)
	if err != nil {
		return nil, err
	}
	owed := filepath.Join(dir, owedDir)
	if err := os.MkdirAll(owed, 0o700); err != nil {
		return nil, err
	}
	return &portal.Desk{
		Credential: credential, Owed: owed,
		Options: sign.Options{
			Stamp:     &sign.Stamp{Value: Value, Specimen: true, Seal: p.SealP256},
			Timestamp: &sign.Timestamp{Authority: client, Owed: true},
		},
	}, nil
}

// The folders of a plant.
const (
	stampsDir   = "stamps"
	owedDir     = "owed"
	extendedDir = "extended"
)

// NewTimestamper asks the authority at an address.
func NewTimestamper(p *pki.PKI, url string) (*tsa.Client, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second}
	return tsa.New(&tsa.Options{
		HTTP: &http.Client{Transport: transport}, Roots: p.Roots(),
		Servers: []tsa.Server{{URL: url + "/tsa", Timeout: 2 * time.Second}},
	})
}

// Trust is what a verifier of the plant's documents trusts: the specimen's root, and its seal key for so many issuers.
func Trust(p *pki.PKI, issuers int) (*verify.Options, error) {
	entry, err := verify.TrustKey(p.SealP256.Public(), p.StampP256.Cert)
	if err != nil {
		return nil, err
	}
	for i := range issuers {
		entry.Issuers = append(entry.Issuers, issuerCode(i))
	}
	entry.Epochs, entry.NotBefore, entry.Currency, entry.Specimen = []string{"0"}, p.Root.Cert.NotBefore, "IDR", true
	trust, err := verify.NewSealTrust(entry)
	if err != nil {
		return nil, fmt.Errorf("seal trust: %w", err)
	}
	return &verify.Options{Roots: p.Roots(), CRLs: p.RevocationLists(), SealTrust: trust, Cache: new(verify.Cache)}, nil
}

// Publish writes what a verifier of the plant's documents needs into a folder, and gives the flags of `meterai verify`
// for it.
func Publish(dir string, p *pki.PKI, issuers int) (flags string, err error) {
	opt, err := Trust(p, issuers)
	if err != nil {
		return "", err
	}
	seals, err := json.MarshalIndent(opt.SealTrust, "", " ")
	if err != nil {
		return "", err
	}
	roots, trust := filepath.Join(dir, "roots.pem"), filepath.Join(dir, "seal-trust.json")
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Root.Cert.Raw})
	if err := errors.Join(os.WriteFile(roots, root, 0o644), os.WriteFile(trust, seals, 0o644)); err != nil {
		return "", err
	}
	flags = "--trust " + roots + " --seal-trust " + trust
	for i, l := range opt.CRLs {
		name := filepath.Join(dir, fmt.Sprintf("list-%d.crl", i+1))
		if err := os.WriteFile(name, l.Raw, 0o644); err != nil {
			return "", err
		}
		flags += " --crl " + name
	}
	return flags, nil
}

// Outputs is the folder of the stamped documents of a plant.
func Outputs(dir string) string { return filepath.Join(dir, stampsDir) }

// Extended is the folder of the documents that got an owed timestamp later.
func Extended(dir string) string { return filepath.Join(dir, extendedDir) }
