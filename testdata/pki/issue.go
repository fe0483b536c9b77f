package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"
)

// KeyType is a kind of private key.
type KeyType int

// The kinds of keys. The zero value is P-256.
const (
	P256 KeyType = iota
	P384
	P521
	Ed25519
	RSA2048
	RSA3072
	RSA4096
)

var keyTypeNames = [...]string{"P-256", "P-384", "P-521", "Ed25519", "RSA-2048", "RSA-3072", "RSA-4096"}

// String returns a name such as "P-256" or "RSA-2048".
func (t KeyType) String() string {
	if t < 0 || int(t) >= len(keyTypeNames) {
		return fmt.Sprintf("KeyType(%d)", int(t))
	}
	return keyTypeNames[t]
}

// NewKey makes a private key: *ecdsa.PrivateKey, ed25519.PrivateKey or *rsa.PrivateKey.
func NewKey(t KeyType) (crypto.Signer, error) {
	switch t {
	case P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case P384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case P521:
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	case RSA4096:
		return rsa.GenerateKey(rand.Reader, 4096)
	}
	return nil, fmt.Errorf("pki: no such kind of key: %v", t)
}

// Use is what a certificate is for.
type Use int

// The uses of end entities. The zero value is an e-seal.
const (
	ESeal         Use = iota // key usage digitalSignature and nonRepudiation
	Timestamping             // extended key usage timeStamping alone, critical (RFC 3161, 2.3)
	OCSPResponder            // extended key usage OCSPSigning, id-pkix-ocsp-nocheck (RFC 6960, 4.2.2.2)
)

// Request says what [PKI.Issue] shall issue.
type Request struct {
	// CommonName of the subject, after the word SPECIMEN.
	CommonName string
	Use        Use
	// Signer is the private key to certify, for instance one that lives in a token.
	// Nil: a new key of kind Key is made.
	Signer crypto.Signer
	Key    KeyType
	// NotBefore and NotAfter bound the validity, in whole seconds. Zero: one hour
	// before now, and [LeafValidity] after now.
	NotBefore, NotAfter time.Time
}

var (
	oidExtKeyUsage     = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidTimeStamping    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}
	oidOCSPNoCheck     = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}
	maxSerial          = new(big.Int).Lsh(big.NewInt(1), 126)
	authorityKeyUsages = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
)

// Issue makes an end entity under the issuing authority. The PKI keeps nothing of it
// but its serial number.
func (p *PKI) Issue(req *Request) (Identity, error) {
	key := req.Signer
	if key == nil {
		var err error
		if key, err = NewKey(req.Key); err != nil {
			return Identity{}, err
		}
	}
	t, err := p.template(req)
	if err != nil {
		return Identity{}, err
	}
	cert, err := sign(t, p.Issuing.Cert, key.Public(), p.Issuing.Key)
	if err != nil {
		return Identity{}, fmt.Errorf("pki: %s: %w", req.CommonName, err)
	}
	p.note(cert)
	return Identity{Cert: cert, Chain: []*x509.Certificate{p.Issuing.Cert}, Key: key}, nil
}

func (p *PKI) template(req *Request) (*x509.Certificate, error) {
	t, err := p.base(req.CommonName, LeafValidity)
	if err != nil {
		return nil, err
	}
	if !req.NotBefore.IsZero() {
		t.NotBefore = req.NotBefore
	}
	if !req.NotAfter.IsZero() {
		t.NotAfter = req.NotAfter
	}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	switch req.Use {
	case ESeal:
		t.KeyUsage |= x509.KeyUsageContentCommitment
	case Timestamping:
		// crypto/x509 writes this extension as not critical, so it is written here.
		der, err := asn1.Marshal([]asn1.ObjectIdentifier{oidTimeStamping})
		if err != nil {
			return nil, err
		}
		t.ExtraExtensions = []pkix.Extension{{Id: oidExtKeyUsage, Critical: true, Value: der}}
	case OCSPResponder:
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
		t.ExtraExtensions = []pkix.Extension{{Id: oidOCSPNoCheck, Value: asn1.NullBytes}}
	default:
		return nil, fmt.Errorf("pki: no such use: %d", req.Use)
	}
	p.addURLs(t, "issuing")
	if p.opt.URL != "" && req.Use != OCSPResponder {
		t.OCSPServer = []string{p.opt.URL + "/ocsp"}
	}
	return t, nil
}

func (p *PKI) newAuthority(name string, validity time.Duration, parent *Authority) (*Authority, error) {
	key, err := NewKey(p.opt.Authorities)
	if err != nil {
		return nil, err
	}
	t, err := p.base(name, validity)
	if err != nil {
		return nil, err
	}
	t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, authorityKeyUsages
	issuer, issuerKey := t, key
	if parent != nil {
		t.MaxPathLenZero = true
		p.addURLs(t, "root")
		issuer, issuerKey = parent.Cert, parent.Key
	}
	cert, err := sign(t, issuer, key.Public(), issuerKey)
	if err != nil {
		return nil, err
	}
	return &Authority{Cert: cert, Key: key}, nil
}

func (p *PKI) base(name string, validity time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, maxSerial)
	if err != nil {
		return nil, fmt.Errorf("pki: serial number: %w", err)
	}
	now := p.now()
	return &x509.Certificate{
		// RFC 5280, 4.1.2.2: positive, at most 20 octets.
		SerialNumber: serial.Add(serial, big.NewInt(1)),
		Subject: pkix.Name{
			Country:      []string{"ID"},
			Organization: []string{"SPECIMEN " + p.opt.Name},
			CommonName:   "SPECIMEN " + p.opt.Name + " " + name,
		},
		NotBefore: now.Add(-backdate),
		NotAfter:  now.Add(validity),
	}, nil
}

func (p *PKI) addURLs(t *x509.Certificate, issuer string) {
	if p.opt.URL == "" {
		return
	}
	t.CRLDistributionPoints = []string{p.opt.URL + "/" + issuer + ".crl"}
	t.IssuingCertificateURL = []string{p.opt.URL + "/" + issuer + ".crt"}
}

func sign(t, issuer *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	id, err := keyID(pub)
	if err != nil {
		return nil, err
	}
	t.SubjectKeyId = id
	if t.AuthorityKeyId = issuer.SubjectKeyId; t == issuer {
		t.AuthorityKeyId = id
	}
	der, err := x509.CreateCertificate(rand.Reader, t, issuer, pub, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
