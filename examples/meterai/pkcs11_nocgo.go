//go:build !cgo

package main

import (
	"context"
	"errors"

	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

// open has no way to a token without cgo.
func (f *hsmFlags) open(context.Context, *pki.PKI, int) (*sign.Credential, func(), error) {
	return nil, nil, errors.New("this program was built without cgo, which PKCS #11 needs: build it with CGO_ENABLED=1 and a C compiler")
}
