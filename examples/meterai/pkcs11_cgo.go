//go:build cgo

package main

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/pkcs11"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

// open logs in, finds the key and its certificate.
func (f *hsmFlags) open(ctx context.Context, p *pki.PKI, sessions int) (*sign.Credential, func(), error) {
	module, err := pkcs11.OpenModule(f.module, &pkcs11.Options{Sessions: sessions})
	if err != nil {
		return nil, nil, err
	}
	cred, err := f.find(ctx, module, p)
	if err != nil {
		err = errors.Join(explainToken(err), module.Close())
		return nil, nil, err
	}
	return cred, func() { _ = module.Close() }, nil // what is stamped is stamped
}

func (f *hsmFlags) find(ctx context.Context, module *pkcs11.Module, p *pki.PKI) (*sign.Credential, error) {
	cfg := &pkcs11.KeyConfig{Label: f.key, PIN: func(context.Context, pkcs11.TokenConfig) ([]byte, error) {
		pin, err := readPassword(f.pinFile)
		return []byte(pin), err
	}}
	for _, label := range f.tokens {
		cfg.Tokens = append(cfg.Tokens, pkcs11.TokenConfig{Label: label})
	}
	var certs []*x509.Certificate
	var err error
	if f.cert != "" {
		if certs, err = readCertificates(f.cert); err != nil {
			return nil, err
		}
		cfg.Public = certs[0].PublicKey
	}
	signer, err := module.Signer(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if certs == nil {
		cert, err := certificateOf(ctx, signer, p)
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	return sign.NewCredential(certs[0], chainOf(p, certs), signer, nil)
}

// certificateOf is the certificate that the token has, or that of the directory for
// the same public key.
func certificateOf(ctx context.Context, signer *pkcs11.Signer, p *pki.PKI) (*x509.Certificate, error) {
	cert, err := signer.Certificate(ctx)
	if !errors.Is(err, pkcs11.ErrKey) {
		return cert, err
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	for _, id := range []pki.Identity{p.StampP256, p.StampRSA} {
		if ok && public.Equal(id.Cert.PublicKey) {
			return id.Cert, nil
		}
	}
	return nil, fmt.Errorf("%w; give it with --cert", err)
}

// explainToken says what to do about what a token refuses.
func explainToken(err error) error {
	switch {
	case errors.Is(err, pkcs11.ErrPIN):
		return fmt.Errorf("%w; correct --pin-file before the next try: tokens lock after some wrong ones", err)
	case errors.Is(err, pkcs11.ErrKey):
		return fmt.Errorf("%w; 'pkcs11-tool --module MODULE -O' lists what is in a token", err)
	case errors.Is(err, pkcs11.ErrUnavailable):
		return fmt.Errorf("%w; check --token, and that the token is there: 'pkcs11-tool --module MODULE -L'", err)
	}
	return err
}
