//go:build cgo

package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"time"

	"github.com/seed-574216e4/meterai/sign/pkcs11"
)

// tokenTimeout bounds all that is asked of a token.
const tokenTimeout = time.Minute

func (d *doctor) checkToken(ctx context.Context) {
	const check = "token"
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	cert := d.tokenCertificate()
	if d.token.certificate != "" && cert == nil {
		return
	}
	module, err := pkcs11.OpenModule(d.token.module, nil)
	if err != nil {
		d.fail(check, "check the path of the library, and its own configuration", "%v", err)
		return
	}
	defer module.Close()
	signer, err := d.token.open(ctx, module, cert)
	if err != nil {
		d.fail(check, "check the labels of token and key (pkcs11-tool -O), the PIN in its file, and that the certificate is of this key; do not try a wrong PIN again and again: tokens lock", "%v", err)
		return
	}
	defer signer.Close()
	begun := d.now()
	if err := trialSignature(ctx, signer); err != nil {
		d.fail(check, "check the token's state and the key's attributes (CKA_SIGN)", "the key does not sign: %v", err)
		return
	}
	d.ok(check, "the key %q in %q signs, in %v", d.token.key, d.token.label, d.now().Sub(begun).Round(10*time.Microsecond))
	if cert == nil {
		d.warn(check, "give it with --certificate", "whether the certificate is of this key was not checked")
	} else {
		d.ok(check, "the certificate is of this key")
	}
}

// open logs in and finds the key, which must be that of the certificate if there is one.
func (f *tokenFlags) open(ctx context.Context, module *pkcs11.Module, cert *x509.Certificate) (*pkcs11.Signer, error) {
	pin, err := readPassword(f.pinFile)
	if err != nil {
		return nil, err
	}
	cfg := &pkcs11.KeyConfig{
		Tokens: []pkcs11.TokenConfig{{Label: f.label}}, Label: f.key,
		PIN: func(context.Context, pkcs11.TokenConfig) ([]byte, error) { return []byte(pin), nil },
	}
	if cert != nil {
		cfg.Public = cert.PublicKey
	}
	return module.Signer(ctx, cfg)
}

// tokenCertificate reads the certificate that belongs to the key.
func (d *doctor) tokenCertificate() *x509.Certificate {
	const check = "token certificate"
	if d.token.certificate == "" {
		return nil
	}
	b, err := os.ReadFile(d.token.certificate)
	if err != nil {
		d.fail(check, "give a certificate in PEM", "%v", err)
		return nil
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "CERTIFICATE" {
		d.fail(check, "give a certificate in PEM", "%s holds none", d.token.certificate)
		return nil
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		d.fail(check, "give a certificate in PEM", "%v", err)
		return nil
	}
	d.ends(check, c.Subject.CommonName, c.NotBefore, c.NotAfter, certificateNotice, "get a new certificate for this key from the certificate authority")
	return c
}

// errSignature says that a signature is not one of the public key.
var errSignature = errors.New("its signature is not one of its public key")

// trialSignature signs a random value, which is nobody's document, and checks it.
func trialSignature(ctx context.Context, signer *pkcs11.Signer) error {
	digest := make([]byte, crypto.SHA256.Size())
	rand.Read(digest)
	opts := crypto.SignerOpts(crypto.SHA256)
	if _, ok := signer.Public().(ed25519.PublicKey); ok {
		opts = crypto.Hash(0)
	}
	signature, err := signer.SignContext(ctx, digest, opts)
	if err != nil {
		return err
	}
	good := false
	switch key := signer.Public().(type) {
	case *rsa.PublicKey:
		good = rsa.VerifyPKCS1v15(key, crypto.SHA256, digest, signature) == nil
	case *ecdsa.PublicKey:
		good = ecdsa.VerifyASN1(key, digest, signature)
	case ed25519.PublicKey:
		good = ed25519.Verify(key, digest, signature)
	}
	if !good {
		return errSignature
	}
	return nil
}
