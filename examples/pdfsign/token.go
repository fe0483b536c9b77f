//go:build cgo

package main

import (
	"bytes"
	"context"
	"crypto"
	"os"

	"github.com/seed-574216e4/meterai/sign/pkcs11"
)

// openToken gives a key in a token.
func openToken(ctx context.Context, c *config, public crypto.PublicKey) (crypto.Signer, func(), error) {
	module, err := pkcs11.OpenModule(c.module, nil)
	if err != nil {
		return nil, nil, err
	}
	signer, err := module.Signer(ctx, &pkcs11.KeyConfig{
		Tokens: []pkcs11.TokenConfig{{Label: c.token}},
		Label:  c.keyLabel,
		Public: public,
		PIN: func(context.Context, pkcs11.TokenConfig) ([]byte, error) {
			pin, err := os.ReadFile(c.pinFile)
			return bytes.TrimSpace(pin), err
		},
	})
	if err != nil {
		module.Close()
		return nil, nil, err
	}
	return signer, func() { signer.Close(); module.Close() }, nil
}
