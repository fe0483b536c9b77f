//go:build !cgo

package main

import (
	"context"
	"errors"
	"log/slog"
)

// useToken needs cgo, which this program was built without.
func (i *issuer) useToken(context.Context, *tokenConfig, *slog.Logger) error {
	return errors.New("built without cgo: keys in a PKCS#11 token are not available")
}
