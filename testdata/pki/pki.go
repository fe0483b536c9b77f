// Package pki makes the specimen public key infrastructure that the tests, the
// quickstart and the command line's init use: a root, an issuing authority, e-seal
// signing certificates, a timestamp authority, an OCSP responder, current CRLs
// (RFC 5280) and the keys that sign seals. Everything carries the word SPECIMEN and
// nothing of it may ever be trusted in production.
//
// Two calls do it all:
//
//	p, err := pki.New(nil)        // in memory
//	err = p.Write("dir/pki")      // on disk, secrets 0600; pki.Load reads it back
//
// The chain is root -> issuing authority -> end entities. The root is valid for ten
// years, the issuing authority for eight, end entities for three (a timestamp authority
// for longer if [Options.TSAValidity] says so); all begin one hour
// before now, so that a clock that is slightly behind does not refuse them. A CRL is
// valid for 90 days: after that, [PKI.Refresh] and [PKI.WriteCRLs] renew both.
//
// # What it leaves out
//
// It answers no requests: package pkiserver does (timestamps, OCSP, CRLs and issuers'
// certificates over HTTP), with the certificates and keys of those services that are
// here, and [Options.URL] puts its addresses into the certificates. Identities issued
// later by [PKI.Issue] belong to the caller and are not written by [PKI.Write]; their
// revocation is.
package pki

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"sync"
	"time"
)

// Validity periods of what [New] makes.
const (
	RootValidity    = 10 * 365 * 24 * time.Hour // of the root's certificate
	IssuingValidity = 8 * 365 * 24 * time.Hour  // of the issuing authority's certificate
	LeafValidity    = 3 * 365 * 24 * time.Hour  // of end entities
	TSAValidity     = 7 * 365 * 24 * time.Hour  // for [Options.TSAValidity]: longer than signers, for whom it vouches later
	CRLValidity     = 90 * 24 * time.Hour       // from thisUpdate to nextUpdate of a CRL
)

const backdate = time.Hour

// Options of a specimen PKI. A nil *Options and the zero value are safe defaults.
type Options struct {
	// Now is the time of the PKI's clock, which then stands still. Zero: the system
	// clock, read at each call.
	Now time.Time
	// Name stands in every subject, after the word SPECIMEN. Empty: "Meterai".
	Name string
	// URL is the address of the PKI's HTTP service without a final slash, such as
	// "http://127.0.0.1:8318". Certificates then name URL/root.crl or URL/issuing.crl
	// as CRL distribution point, URL/ocsp as OCSP responder (end entities only) and
	// URL/root.crt or URL/issuing.crt as issuer. Empty: no addresses.
	URL string
	// Authorities is the kind of key of the root and the issuing authority. Zero: P-256.
	Authorities KeyType
	// TSAValidity is how long the certificate of the timestamp authority is valid.
	// Zero: [LeafValidity]. In practice it is [TSAValidity].
	TSAValidity time.Duration
}

// PKI is a specimen PKI. Its fields are for reading; [PKI.Revoke] and [PKI.Refresh]
// replace CRLs. Those two must not run at the same time as anything else; all other
// methods are safe for concurrent use.
type PKI struct {
	Root    *Authority // self-signed
	Issuing *Authority // signed by Root; issued every identity below

	StampRSA  Identity // e-seal, RSA-2048
	StampP256 Identity // e-seal, ECDSA P-256
	TSA       Identity // timestamp authority, P-256; its only, critical, extended key usage is timeStamping
	OCSP      Identity // OCSP responder for what Issuing issued, P-256, with id-pkix-ocsp-nocheck

	CRLs [][]byte // DER: the root's, then the issuing authority's

	SealEd25519 crypto.Signer // seal key, ed25519.PrivateKey
	SealP256    crypto.Signer // seal key, *ecdsa.PrivateKey on P-256

	opt Options

	mu     sync.Mutex
	issued map[string]bool // serial numbers, by Issuing, as text
}

// Authority is a certificate authority of the PKI.
type Authority struct {
	Cert *x509.Certificate
	Key  crypto.Signer

	crl *x509.RevocationList // the current one
}

// Identity is an end entity: its certificate, the certificates between it and the root
// (nearest issuer first, without the root) and its private key.
type Identity struct {
	Cert  *x509.Certificate
	Chain []*x509.Certificate
	Key   crypto.Signer
}

// New makes a PKI in memory. The keys, and with them the PKI, are new each time.
func New(opt *Options) (*PKI, error) {
	p := &PKI{opt: withDefaults(opt)}
	if err := p.makeAuthorities(); err != nil {
		return nil, err
	}
	if err := p.makeIdentities(); err != nil {
		return nil, err
	}
	var err error
	if p.SealEd25519, err = NewKey(Ed25519); err != nil {
		return nil, err
	}
	if p.SealP256, err = NewKey(P256); err != nil {
		return nil, err
	}
	if err := p.Refresh(); err != nil {
		return nil, err
	}
	return p, nil
}

// Roots returns a new pool that holds the root.
func (p *PKI) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.Root.Cert)
	return pool
}

// Intermediates returns a new pool that holds the issuing authority.
func (p *PKI) Intermediates() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.Issuing.Cert)
	return pool
}

// RootsPEM returns the root's certificate as PEM (RFC 7468).
func (p *PKI) RootsPEM() []byte { return encodeCerts(p.Root.Cert) }

// PEM returns the certificate and its chain as PEM (RFC 7468), the certificate first.
func (id Identity) PEM() []byte {
	return encodeCerts(append([]*x509.Certificate{id.Cert}, id.Chain...)...)
}

// KeyPEM returns the private key as PKCS #8 in PEM (RFC 5958, RFC 7468). It fails for a
// key that does not leave its token.
func (id Identity) KeyPEM() ([]byte, error) { return encodeKey(id.Key) }

// Now is the time of the PKI's clock, UTC, in whole seconds.
func (p *PKI) Now() time.Time { return p.now() }

// Issued says whether the issuing authority gave out a certificate with this serial
// number, as far as this PKI remembers: what it issued itself, and after [Load] what
// stands in the directory.
func (p *PKI) Issued(serial *big.Int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return serial != nil && p.issued[serial.String()]
}

func (p *PKI) note(cert *x509.Certificate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.issued == nil {
		p.issued = map[string]bool{}
	}
	p.issued[cert.SerialNumber.String()] = true
}

func (p *PKI) now() time.Time {
	now := p.opt.Now
	if now.IsZero() {
		now = time.Now()
	}
	return now.UTC().Truncate(time.Second)
}

func (p *PKI) makeAuthorities() error {
	root, err := p.newAuthority("Root CA", RootValidity, nil)
	if err != nil {
		return fmt.Errorf("pki: root: %w", err)
	}
	p.Root = root
	issuing, err := p.newAuthority("Issuing CA", IssuingValidity, root)
	if err != nil {
		return fmt.Errorf("pki: issuing authority: %w", err)
	}
	p.Issuing = issuing
	return nil
}

func (p *PKI) makeIdentities() error {
	for _, want := range []struct {
		to  *Identity
		req Request
	}{
		{&p.StampRSA, Request{CommonName: "E-Seal RSA-2048", Key: RSA2048}},
		{&p.StampP256, Request{CommonName: "E-Seal P-256", Key: P256}},
		{&p.TSA, Request{CommonName: "Timestamp Authority", Use: Timestamping, Key: P256, NotAfter: p.now().Add(p.opt.TSAValidity)}},
		{&p.OCSP, Request{CommonName: "OCSP Responder", Use: OCSPResponder, Key: P256}},
	} {
		id, err := p.Issue(&want.req)
		if err != nil {
			return err
		}
		*want.to = id
	}
	return nil
}

func withDefaults(opt *Options) Options {
	var o Options
	if opt != nil {
		o = *opt
	}
	if o.Name == "" {
		o.Name = "Meterai"
	}
	if o.TSAValidity == 0 {
		o.TSAValidity = LeafValidity
	}
	return o
}

func encodeCerts(certs ...*x509.Certificate) []byte {
	var out []byte
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("pki: key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
