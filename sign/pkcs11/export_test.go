//go:build cgo

package pkcs11

// What tests need to put a faulty library in the place of the real one.

type Cryptoki = cryptoki

var OpenLibrary = openLibrary
