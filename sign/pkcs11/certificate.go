//go:build cgo

package pkcs11

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"

	p11 "github.com/miekg/pkcs11"
)

// Certificate gives the certificate of the key that a token has beside it: one with
// the same CKA_ID and the same public key, the one that ends last when there are
// several. It is [ErrKey] when no token has one, and [ErrUnavailable] when none can be
// asked.
func (s *Signer) Certificate(ctx context.Context) (*x509.Certificate, error) {
	var found error
	// Each token twice: what was lost is found and repaired by the first time.
	for _, t := range append(s.tokens[:len(s.tokens):len(s.tokens)], s.tokens...) {
		if s.closed.Load() {
			return nil, ErrClosed
		}
		var cert *x509.Certificate
		_, err := t.run(ctx, "find certificate", func() ([]byte, error) {
			generation, err := t.m.enter()
			if err != nil {
				return nil, err
			}
			defer t.m.leave()
			cert, err = t.certificate(s.key, generation)
			return nil, err
		})
		if err == nil {
			return cert, nil
		}
		if found == nil || !errors.Is(err, ErrUnavailable) {
			found = err
		}
	}
	return nil, found
}

// certificate looks for the certificate of a key. The caller is inside of the library.
func (t *token) certificate(k *key, generation uint64) (*x509.Certificate, error) {
	handle, version, err := t.ready(k, generation)
	if err != nil {
		t.learn(err, version)
		return nil, err
	}
	cert, err := t.beside(k, handle)
	t.learn(err, version)
	return cert, err
}

// beside gives the certificate that belongs to a key, by the key's handle.
func (t *token) beside(k *key, handle p11.ObjectHandle) (*x509.Certificate, error) {
	t.admin.Lock()
	defer t.admin.Unlock()
	s := t.admin.keeper
	id, err := t.attributes(s, handle, p11.CKA_ID)
	if err != nil {
		return nil, err
	}
	template := []*p11.Attribute{p11.NewAttribute(p11.CKA_CLASS, p11.CKO_CERTIFICATE)}
	if id != nil {
		template = append(template, p11.NewAttribute(p11.CKA_ID, id[0]))
	}
	list, err := t.search(s, template)
	if err != nil {
		return nil, err
	}
	var best *x509.Certificate
	for _, h := range list {
		v, err := t.attributes(s, h, p11.CKA_VALUE)
		if err != nil {
			return nil, err
		}
		if v == nil {
			continue
		}
		cert, err := x509.ParseCertificate(v[0])
		if err != nil || !k.is(cert.PublicKey) {
			continue
		}
		if best == nil || cert.NotAfter.After(best.NotAfter) {
			best = cert
		}
	}
	if best == nil {
		return nil, t.fail("find certificate", fmt.Errorf("%w: the token has no certificate of it", ErrKey))
	}
	return best, nil
}

// is says whether pub is the key's public key.
func (k *key) is(pub any) bool {
	mine, ok := k.pub().(equaler)
	return ok && mine.Equal(pub)
}
