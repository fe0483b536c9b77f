//go:build !cgo

package main

import (
	"context"
	"crypto"
	"errors"
)

// openToken has no way to a token: PKCS #11 libraries are called through cgo.
func openToken(context.Context, *config, crypto.PublicKey) (crypto.Signer, func(), error) {
	return nil, nil, errors.New("this program was built without cgo, which --module needs")
}
