// Package trust reads what a verifier trusts: root certificates and revocation
// lists in PEM or DER, the list of seal keys in JSON, and the issuers' lists of void
// serials. The verification service and the page that verifies in the browser read
// the same files.
//
//	set, err := trust.Load(&trust.Files{Dir: "demo"})
//	report, err := verify.Document(ctx, file, size, set.Options())
//
// It judges nothing: a list that has expired is read, and what rests on it is then
// INDETERMINATE. [Set.NextUpdate] says when that will be.
package trust

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/seed-574216e4/meterai/verify"
)

// The types of PEM blocks that are read (RFC 7468, 5 and 7).
const (
	typeCertificate = "CERTIFICATE"
	typeCRL         = "X509 CRL"
)

// ErrEmpty says that a file has nothing of what it is for.
var ErrEmpty = errors.New("trust: nothing of that kind in it")

// Set is what a verifier trusts. It does not change.
type Set struct {
	Roots     []*x509.Certificate
	CRLs      []*x509.RevocationList
	SealTrust *verify.SealTrust
	Lists     []*verify.StatusList
}

// Parse reads the files. Roots is PEM with at least one certificate. CRLs is
// PEM, or one list in DER; it may be empty, and then an e-seal is at best
// INDETERMINATE (TRY_LATER) unless its document brings validation data. SealTrust is
// the JSON of [verify.ParseSealTrust]; when it is empty no seal can be verified.
// Status are lists as [verify.ParseStatusList] reads them; who may sign one stands
// in SealTrust.
func Parse(roots, crls, sealTrust []byte, status ...[]byte) (*Set, error) {
	s := &Set{}
	var err error
	if s.Roots, err = certificates(roots); err != nil {
		return nil, fmt.Errorf("root certificates: %w", err)
	}
	if s.CRLs, err = lists(crls); err != nil {
		return nil, fmt.Errorf("revocation lists: %w", err)
	}
	if len(bytes.TrimSpace(sealTrust)) > 0 {
		if s.SealTrust, err = verify.ParseSealTrust(sealTrust); err != nil {
			return nil, err
		}
	}
	for _, b := range status {
		l, err := verify.ParseStatusList(b, s.SealTrust)
		if err != nil {
			return nil, fmt.Errorf("list of void serials: %w", err)
		}
		s.Lists = append(s.Lists, l)
	}
	return s, nil
}

// Options are new options that trust the set and nothing else. The caller may
// change them; what they point to is shared.
func (s *Set) Options() *verify.Options {
	pool := x509.NewCertPool()
	for _, c := range s.Roots {
		pool.AddCert(c)
	}
	return &verify.Options{Roots: pool, CRLs: s.CRLs, SealTrust: s.SealTrust, Lists: s.Lists, Cache: new(verify.Cache)}
}

// NextUpdate is when the first of the revocation lists is due for renewal; zero
// when there is none, or none says so.
func (s *Set) NextUpdate() time.Time {
	var first time.Time
	for _, l := range s.CRLs {
		if !l.NextUpdate.IsZero() && (first.IsZero() || l.NextUpdate.Before(first)) {
			first = l.NextUpdate
		}
	}
	return first
}

// RootsPEM writes the roots as Parse reads them.
func (s *Set) RootsPEM() []byte {
	var b []byte
	for _, c := range s.Roots {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: typeCertificate, Bytes: c.Raw})...)
	}
	return b
}

// CRLsPEM writes the revocation lists as Parse reads them.
func (s *Set) CRLsPEM() []byte {
	var b []byte
	for _, l := range s.CRLs {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: typeCRL, Bytes: l.Raw})...)
	}
	return b
}

func certificates(text []byte) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != typeCertificate {
			return nil, fmt.Errorf("a PEM block of type %q, not %q", block.Type, typeCertificate)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, ErrEmpty
	}
	return list, nil
}

func lists(b []byte) ([]*x509.RevocationList, error) {
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, nil
	}
	block, rest := pem.Decode(b)
	if block == nil {
		l, err := x509.ParseRevocationList(b)
		if err != nil {
			return nil, err
		}
		return []*x509.RevocationList{l}, nil
	}
	var list []*x509.RevocationList
	for ; block != nil; block, rest = pem.Decode(rest) {
		if block.Type != typeCRL {
			return nil, fmt.Errorf("a PEM block of type %q, not %q", block.Type, typeCRL)
		}
		l, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, err
		}
		list = append(list, l)
	}
	return list, nil
}
