//go:build !cgo

package main

import "context"

// checkToken has no way to a token without cgo.
func (d *doctor) checkToken(context.Context) {
	d.fail("token", "build meterai with CGO_ENABLED=1 and a C compiler", "this program was built without cgo, which PKCS #11 needs")
}
