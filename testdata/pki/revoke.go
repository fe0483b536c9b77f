package pki

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"
)

// Reason says why a certificate is revoked (RFC 5280, 5.3.1).
type Reason int

// Some reasons. Others may be given as numbers.
const (
	Unspecified          Reason = 0
	KeyCompromise        Reason = 1
	CACompromise         Reason = 2
	Superseded           Reason = 4
	CessationOfOperation Reason = 5
	CertificateHold      Reason = 6
)

// UnknownIssuerError says that a certificate was not issued by this PKI.
type UnknownIssuerError struct {
	Subject string // of the certificate
	Issuer  string // as the certificate names it
}

func (e *UnknownIssuerError) Error() string {
	return fmt.Sprintf("pki: %q was issued by %q, which is no authority of this PKI", e.Subject, e.Issuer)
}

// Revoke puts cert on its issuer's CRL with the given time, in whole seconds, and makes
// that CRL anew. A certificate that is on the list already keeps its first entry. It
// returns an *[UnknownIssuerError] when cert is not of this PKI.
func (p *PKI) Revoke(cert *x509.Certificate, reason Reason, at time.Time) error {
	for i, a := range p.authorities() {
		if !bytes.Equal(cert.RawIssuer, a.Cert.RawSubject) || cert.CheckSignatureFrom(a.Cert) != nil {
			continue
		}
		return p.reissue(i, a, &x509.RevocationListEntry{
			SerialNumber:   cert.SerialNumber,
			RevocationTime: at.UTC().Truncate(time.Second),
			ReasonCode:     int(reason),
		})
	}
	return &UnknownIssuerError{Subject: cert.Subject.String(), Issuer: cert.Issuer.String()}
}

// Refresh makes both CRLs anew, with the entries they have, valid from now for
// [CRLValidity].
func (p *PKI) Refresh() error {
	for i, a := range p.authorities() {
		if err := p.reissue(i, a, nil); err != nil {
			return err
		}
	}
	return nil
}

// authorities are in the order of PKI.CRLs.
func (p *PKI) authorities() []*Authority { return []*Authority{p.Root, p.Issuing} }

// reissue leaves everything as it was when it fails.
func (p *PKI) reissue(i int, a *Authority, add *x509.RevocationListEntry) error {
	number, entries := big.NewInt(1), []x509.RevocationListEntry(nil)
	if a.crl != nil {
		number = new(big.Int).Add(a.crl.Number, number)
		entries = append(entries, a.crl.RevokedCertificateEntries...)
	}
	if add != nil && !listed(entries, add.SerialNumber) {
		entries = append(entries, *add)
	}
	now := p.now()
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number:                    number,
		ThisUpdate:                now,
		NextUpdate:                now.Add(CRLValidity),
		RevokedCertificateEntries: entries,
	}, a.Cert, a.Key)
	if err != nil {
		return fmt.Errorf("pki: CRL: %w", err)
	}
	crl, err := x509.ParseRevocationList(der)
	if err != nil {
		return fmt.Errorf("pki: CRL: %w", err)
	}
	a.crl = crl
	// A new slice: callers may hold the one before.
	p.CRLs = append([][]byte(nil), p.CRLs...)
	for len(p.CRLs) <= i {
		p.CRLs = append(p.CRLs, nil)
	}
	p.CRLs[i] = der
	return nil
}

func listed(entries []x509.RevocationListEntry, serial *big.Int) bool {
	for _, e := range entries {
		if e.SerialNumber.Cmp(serial) == 0 {
			return true
		}
	}
	return false
}

// keyID is method (1) of RFC 7093, 2: the leftmost 160 bits of the SHA-256 hash of the
// public key bits.
func keyID(pub crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, err
	}
	var spki struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &spki); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(spki.Key.Bytes)
	return sum[:20], nil
}
