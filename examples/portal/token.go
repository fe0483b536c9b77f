//go:build cgo

package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/pkcs11"
)

// useToken signs with keys that never leave a PKCS#11 token.
func (i *issuer) useToken(ctx context.Context, c *tokenConfig, log *slog.Logger) error {
	certs, err := readCertificates(c.Certificate)
	if err != nil {
		return err
	}
	module, err := pkcs11.OpenModule(c.Module, &pkcs11.Options{Logger: log})
	if err != nil {
		return err
	}
	i.closers = append(i.closers, module.Close)
	pin := func(context.Context, pkcs11.TokenConfig) ([]byte, error) {
		b, err := os.ReadFile(c.PINFile)
		return bytes.TrimSpace(b), err
	}
	tokens := []pkcs11.TokenConfig{{Label: c.Label}}
	key, err := module.Signer(ctx, &pkcs11.KeyConfig{Tokens: tokens, Label: c.Key, Public: certs[0].PublicKey, PIN: pin})
	if err != nil {
		return fmt.Errorf("key %q: %w", c.Key, err)
	}
	seal, err := module.Signer(ctx, &pkcs11.KeyConfig{Tokens: tokens, Label: c.SealKey, PIN: pin})
	if err != nil {
		return fmt.Errorf("seal key %q: %w", c.SealKey, err)
	}
	i.stamp.Specimen, i.stamp.Seal = c.Specimen, seal
	i.credential, err = sign.NewCredential(certs[0], certs[1:], key, nil)
	return err
}

// readCertificates reads a certificate and the path above it.
func readCertificates(file string) ([]*x509.Certificate, error) {
	rest, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New(file + " holds no certificate in PEM")
	}
	return certs, nil
}
