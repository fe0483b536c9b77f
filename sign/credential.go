package sign

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"github.com/seed-574216e4/meterai/sign/cms"
)

// CredentialOptions chooses among the algorithms of a key. Nil is the default
// of the key's kind.
type CredentialOptions struct {
	// Algorithm is the signature algorithm; zero is PKCS #1 v1.5 with SHA-256
	// for RSA, the curve's own hash for ECDSA and Ed25519 for Ed25519.
	Algorithm cms.Algorithm
}

// A ContextSigner is a crypto.Signer whose signatures end with a context, as those of
// package sign/pkcs11 and package sign/remote do. A key that is one is asked with the
// context of the call, so that a caller who leaves does not wait for the key.
type ContextSigner interface {
	crypto.Signer
	// SignContext signs a digest, or a message with Ed25519 and ML-DSA, and gives up
	// when ctx ends.
	SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error)
}

// withContext gives a signer that ends with ctx if that one can.
func withContext(ctx context.Context, signer crypto.Signer) crypto.Signer {
	if c, ok := signer.(ContextSigner); ok {
		return bound{c, ctx}
	}
	return signer
}

// bound is a ContextSigner for the length of one call.
type bound struct {
	ContextSigner
	ctx context.Context
}

// Sign is SignContext with the context of the call.
func (b bound) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return b.SignContext(b.ctx, digest, opts)
}

// A Credential is a signing certificate, its path and the key that signs. It
// is immutable and safe for concurrent use as far as its crypto.Signer is.
type Credential struct {
	template *cms.Template
	signer   crypto.Signer
}

// NewCredential validates a certificate, the path above it (leaf's issuer
// first, the root may be left out) and the key. A nil signer makes a credential
// for [Document.Prepare] and [Prepared.Finish] alone. One that is a [ContextSigner]
// is asked with the context of each call.
func NewCredential(cert *x509.Certificate, chain []*x509.Certificate, signer crypto.Signer, opt *CredentialOptions) (*Credential, error) {
	if cert == nil {
		return nil, errors.New("sign: a credential needs a certificate")
	}
	var alg cms.Algorithm
	if opt != nil {
		alg = opt.Algorithm
	}
	if alg == 0 {
		var err error
		if alg, err = cms.AlgorithmOf(cert); err != nil {
			return nil, fmt.Errorf("sign: credential: %w", err)
		}
	}
	t, err := cms.NewTemplate(cert, chain, alg)
	if err != nil {
		return nil, fmt.Errorf("sign: credential: %w", err)
	}
	if signer != nil {
		if err := t.Owns(signer.Public()); err != nil {
			return nil, fmt.Errorf("sign: credential: %w", err)
		}
	}
	return &Credential{template: t, signer: signer}, nil
}

// Certificate is the signing certificate.
func (c *Credential) Certificate() *x509.Certificate { return c.template.Certificate }

// Algorithm is the signature algorithm.
func (c *Credential) Algorithm() cms.Algorithm { return c.template.Algorithm }
