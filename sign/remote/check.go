package remote

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes that may be signed
	_ "crypto/sha512"
	"errors"
	"fmt"
)

func supported(pub crypto.PublicKey) error {
	switch pub.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
		return nil
	}
	return fmt.Errorf("remote: %T is not supported", pub)
}

// newCheck gives the check of a signature over a digest, or over a message with
// Ed25519. What no service could sign is refused here, before one is asked.
func newCheck(pub crypto.PublicKey, input []byte, opts crypto.SignerOpts) (func(sig []byte) bool, error) {
	if opts == nil {
		return nil, errors.New("remote: a signature needs options")
	}
	hash := opts.HashFunc()
	if pub, ok := pub.(ed25519.PublicKey); ok {
		if o, ok := opts.(*ed25519.Options); hash != 0 || ok && o.Context != "" {
			return nil, errors.New("remote: Ed25519 signs messages only, without a hash and a context")
		}
		return func(sig []byte) bool { return ed25519.Verify(pub, input, sig) }, nil
	}
	switch {
	case !hashed(hash):
		return nil, fmt.Errorf("remote: hash %v is not supported", hash)
	case len(input) != hash.Size():
		return nil, errors.New("remote: digest does not have the length of the hash")
	}
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			with := &rsa.PSSOptions{SaltLength: pss.SaltLength}
			return func(sig []byte) bool { return rsa.VerifyPSS(pub, hash, input, sig, with) == nil }, nil
		}
		return func(sig []byte) bool { return rsa.VerifyPKCS1v15(pub, hash, input, sig) == nil }, nil
	case *ecdsa.PublicKey:
		return func(sig []byte) bool { return ecdsa.VerifyASN1(pub, input, sig) }, nil
	}
	return nil, supported(pub)
}

func hashed(h crypto.Hash) bool {
	return h == crypto.SHA256 || h == crypto.SHA384 || h == crypto.SHA512
}
