package ltv

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"
)

// oidNoCheck is id-pkix-ocsp-nocheck (RFC 6960, 4.2.2.2.1): no status is to be had of this responder.
var oidNoCheck = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}

// status gathers an answer for a certificate: what is given first, then OCSP, then CRLs.
func (g *gathering) status(ctx context.Context, cert, issuer *x509.Certificate, depth int) error {
	var errs []error
	for _, try := range []func(context.Context, *x509.Certificate, *x509.Certificate, int) error{
		g.givenOCSP, g.givenCRL, g.fetchedOCSP, g.fetchedCRL,
	} {
		err := try(ctx, cert, issuer, depth)
		var revoked *RevokedError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &revoked), ctx.Err() != nil:
			return err
		case !errors.Is(err, errNone):
			errs = append(errs, err)
		}
	}
	return &MissingError{Certificate: cert, What: "revocation status", Err: errors.Join(errs...)}
}

// errNone says that a source has nothing to try.
var errNone = errors.New("no source")

func (g *gathering) givenOCSP(ctx context.Context, cert, issuer *x509.Certificate, depth int) error {
	for _, der := range g.opt.OCSPs {
		if r, err := g.parseOCSP(der, cert, issuer); err == nil {
			return g.useOCSP(ctx, der, r, cert, issuer, depth)
		}
	}
	return errNone
}

func (g *gathering) givenCRL(_ context.Context, cert, issuer *x509.Certificate, _ int) error {
	for _, der := range g.opt.CRLs {
		if crl, err := g.parseCRL(der, issuer); err == nil && covers(crl, cert) == nil {
			return g.useCRL(der, crl, cert)
		}
	}
	return errNone
}

func (g *gathering) fetchedOCSP(ctx context.Context, cert, issuer *x509.Certificate, depth int) error {
	if len(cert.OCSPServer) == 0 {
		return errNone
	}
	request, err := ocsp.CreateRequest(cert, issuer, nil)
	if err != nil {
		return fmt.Errorf("OCSP request: %w", err)
	}
	var errs []error
	for _, address := range first(cert.OCSPServer) {
		name := "ocsp " + address + " " + fingerprint(cert)
		der, known := g.fetch.recall(name)
		if !known {
			if der, err = g.fetch.get(ctx, address, request, "application/ocsp-request"); err != nil {
				errs = append(errs, fmt.Errorf("OCSP: %w", err))
				continue
			}
		}
		r, err := g.parseOCSP(der, cert, issuer)
		if err == nil {
			err = g.useOCSP(ctx, der, r, cert, issuer, depth)
		}
		if err == nil {
			g.fetch.remember(name, der, g.due(r.NextUpdate))
			return nil
		}
		var revoked *RevokedError
		if errors.As(err, &revoked) {
			return err
		}
		errs = append(errs, fmt.Errorf("OCSP: %w", err))
	}
	return errors.Join(errs...)
}

func fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:])
}

// due is when an answer is to be asked for again.
func (g *gathering) due(next time.Time) time.Time {
	due := g.opt.Now().Add(g.opt.MaxAge)
	if !next.IsZero() && next.Before(due) {
		return next
	}
	return due
}

// parseOCSP reads an answer about the certificate that is signed by its issuer, or by a responder that the issuer has
// certified, and that is current.
func (g *gathering) parseOCSP(der []byte, cert, issuer *x509.Certificate) (*ocsp.Response, error) {
	r, err := ocsp.ParseResponseForCert(der, cert, issuer)
	if err != nil {
		return nil, err
	}
	if r.Certificate != nil && !r.Certificate.Equal(issuer) {
		if !slices.Contains(r.Certificate.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) {
			return nil, errors.New("the responder is not certified for OCSP")
		}
		if r.ProducedAt.Before(r.Certificate.NotBefore) || r.ProducedAt.After(r.Certificate.NotAfter) {
			return nil, errors.New("the responder's certificate is not valid")
		}
	}
	return r, g.current(r.ThisUpdate, r.NextUpdate)
}

// current refuses an answer of another time.
func (g *gathering) current(this, next time.Time) error {
	now := g.opt.Now()
	if this.After(now.Add(skew)) || !next.IsZero() && next.Before(now.Add(-skew)) {
		return errors.New("the answer is not current")
	}
	return nil
}

// useOCSP takes an answer over, and what a verifier needs for its responder.
func (g *gathering) useOCSP(ctx context.Context, der []byte, r *ocsp.Response, cert, issuer *x509.Certificate, depth int) error {
	switch r.Status {
	case ocsp.Good:
	case ocsp.Revoked:
		return &RevokedError{Certificate: cert, At: r.RevokedAt}
	default:
		return errors.New("the responder does not know the certificate")
	}
	if r.Certificate != nil && !r.Certificate.Equal(issuer) {
		if err := g.responder(ctx, r.Certificate, depth+1); err != nil {
			return err
		}
	}
	g.data.OCSPs = union(g.data.OCSPs, [][]byte{der})
	return nil
}

// responder gathers for a responder's certificate, unless its issuer says that there is nothing to ask.
func (g *gathering) responder(ctx context.Context, cert *x509.Certificate, depth int) error {
	for _, e := range cert.Extensions {
		if e.Id.Equal(oidNoCheck) {
			g.data.certificate(cert)
			return nil
		}
	}
	if depth > maxDepth {
		return errors.New("responders that need responders")
	}
	return g.path(ctx, cert, depth)
}

func (g *gathering) fetchedCRL(ctx context.Context, cert, issuer *x509.Certificate, _ int) error {
	if len(cert.CRLDistributionPoints) == 0 {
		return errNone
	}
	var errs []error
	for _, address := range first(cert.CRLDistributionPoints) {
		name := "crl " + address + " " + fingerprint(issuer)
		der, known := g.fetch.recall(name)
		var err error
		if !known {
			if der, err = g.fetch.get(ctx, address, nil, ""); err != nil {
				errs = append(errs, fmt.Errorf("CRL: %w", err))
				continue
			}
		}
		crl, err := g.parseCRL(der, issuer)
		if err != nil {
			errs = append(errs, fmt.Errorf("CRL: %w", err))
			continue
		}
		g.fetch.remember(name, der, g.due(crl.NextUpdate))
		return g.useCRL(der, crl, cert)
	}
	return errors.Join(errs...)
}

// Extensions of CRLs that say that the list is not about everything (RFC 5280, 5.2.4 and 5.2.5).
var (
	oidDelta = asn1.ObjectIdentifier{2, 5, 29, 27}
	oidScope = asn1.ObjectIdentifier{2, 5, 29, 28}
)

// parseCRL reads a current list of the issuer's that is about all its certificates.
func (g *gathering) parseCRL(der []byte, issuer *x509.Certificate) (*x509.RevocationList, error) {
	crl, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, errors.New("what was answered is no CRL in DER")
	}
	if !bytes.Equal(crl.RawIssuer, issuer.RawSubject) {
		return nil, errors.New("the list is another issuer's")
	}
	if err := crl.CheckSignatureFrom(issuer); err != nil {
		return nil, err
	}
	for _, e := range crl.Extensions {
		if e.Id.Equal(oidDelta) || e.Critical && !e.Id.Equal(oidScope) {
			return nil, errors.New("the list has an extension that is not supported")
		}
	}
	return crl, g.current(crl.ThisUpdate, crl.NextUpdate)
}

func (g *gathering) useCRL(der []byte, crl *x509.RevocationList, cert *x509.Certificate) error {
	if err := covers(crl, cert); err != nil {
		return err
	}
	for _, e := range crl.RevokedCertificateEntries {
		if e.SerialNumber.Cmp(cert.SerialNumber) == 0 {
			return &RevokedError{Certificate: cert, At: e.RevocationTime}
		}
	}
	g.data.CRLs = union(g.data.CRLs, [][]byte{der})
	return nil
}

// scope is IssuingDistributionPoint (RFC 5280, 5.2.5).
type scope struct {
	Point    asn1.RawValue  `asn1:"optional,tag:0"`
	Users    bool           `asn1:"optional,tag:1"`
	CAs      bool           `asn1:"optional,tag:2"`
	Reasons  asn1.BitString `asn1:"optional,tag:3"`
	Indirect bool           `asn1:"optional,tag:4"`
	Attrs    bool           `asn1:"optional,tag:5"`
}

// covers refuses a list that is not about the certificate.
func covers(crl *x509.RevocationList, cert *x509.Certificate) error {
	for _, e := range crl.Extensions {
		if !e.Id.Equal(oidScope) {
			continue
		}
		var s scope
		if rest, err := asn1.Unmarshal(e.Value, &s); err != nil || len(rest) > 0 {
			return errors.New("the scope of the list cannot be read")
		}
		if s.Users && cert.IsCA || s.CAs && !cert.IsCA || s.Attrs || s.Indirect || s.Reasons.BitLength > 0 {
			return errors.New("the list is not about this certificate, or not about every reason")
		}
	}
	return nil
}
