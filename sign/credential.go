package sign

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/seed-574216e4/meterai/sign/cms"
)

// CredentialOptions chooses among the algorithms of a key. Nil is the default
// of the key's kind.
type CredentialOptions struct {
	// Algorithm is the signature algorithm; zero is PKCS #1 v1.5 with SHA-256
	// for RSA, the curve's own hash for ECDSA and Ed25519 for Ed25519.
	Algorithm cms.Algorithm
}

// A Credential is a signing certificate, its path and the key that signs. It
// is immutable and safe for concurrent use as far as its crypto.Signer is.
type Credential struct {
	template *cms.Template
	signer   crypto.Signer
}

// NewCredential validates a certificate, the path above it (leaf's issuer
// first, the root may be left out) and the key. A nil signer makes a credential
// for [Document.Prepare] and [Prepared.Finish] alone.
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
		if alg, err = cms.AlgorithmFor(cert.PublicKey); err != nil {
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
