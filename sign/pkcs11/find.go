//go:build cgo

package pkcs11

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
	"sync"

	p11 "github.com/miekg/pkcs11"
)

// maxObjects bounds how many objects of a token are looked at for one key.
const maxObjects = 16

// A key is one as a signer asked for it.
type key struct {
	id    []byte
	label string

	mu     sync.Mutex
	public crypto.PublicKey // nil until the first token told it
}

type equaler interface{ Equal(crypto.PublicKey) bool }

func newKey(cfg *KeyConfig) (*key, error) {
	k := &key{id: bytes.Clone(cfg.ID), label: cfg.Label, public: cfg.Public}
	if cfg.Public != nil {
		if err := supported(cfg.Public); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// supported says whether the package can sign with the key that belongs to pub.
func supported(pub crypto.PublicKey) error {
	switch p := pub.(type) {
	case *rsa.PublicKey:
		return nil
	case *ecdsa.PublicKey:
		if curveOf(oidOf(p.Curve)) != nil {
			return nil
		}
	case ed25519.PublicKey:
		return nil
	}
	return fmt.Errorf("%w: %T is not supported", ErrKey, pub)
}

func (k *key) pub() crypto.PublicKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.public
}

// accept compares the public key of a private key with the one expected. The first
// one is expected of all others.
func (k *key) accept(pub crypto.PublicKey) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.public == nil {
		k.public = pub
	}
	return k.public.(equaler).Equal(pub)
}

// find finds the private key of k. Of several that fit by identifier and label it
// takes the one with the right public key.
func (t *token) find(s p11.SessionHandle, k *key) (p11.ObjectHandle, error) {
	template := []*p11.Attribute{p11.NewAttribute(p11.CKA_CLASS, p11.CKO_PRIVATE_KEY)}
	if len(k.id) > 0 {
		template = append(template, p11.NewAttribute(p11.CKA_ID, k.id))
	}
	if k.label != "" {
		template = append(template, p11.NewAttribute(p11.CKA_LABEL, k.label))
	}
	handles, err := t.search(s, template)
	if err != nil {
		return 0, err
	}
	if len(handles) == 0 {
		// Without a login, private keys are not there.
		if in, err := t.loggedIn(); err != nil || !in {
			return 0, t.fail("find key", p11.Error(p11.CKR_USER_NOT_LOGGED_IN))
		}
		return 0, fmt.Errorf("%w: none with this identifier and label", ErrKey)
	}
	return t.choose(s, k, handles)
}

// choose takes the one of several keys that has the right public key.
func (t *token) choose(s p11.SessionHandle, k *key, handles []p11.ObjectHandle) (p11.ObjectHandle, error) {
	if len(handles) > 1 && k.pub() == nil {
		return 0, fmt.Errorf("%w: more than one fits, the public key is needed", ErrKey)
	}
	silent := 0
	for _, h := range handles {
		pub, err := t.publicOf(s, h)
		if err != nil {
			return 0, err
		}
		switch {
		case pub == nil:
			silent++
		case k.accept(pub):
			return h, nil
		}
	}
	// A token need not have the public key. Then the first signature tells.
	if silent == 1 && len(handles) == 1 && k.pub() != nil {
		return handles[0], nil
	}
	if silent > 0 {
		return 0, fmt.Errorf("%w: the token does not tell the public key", ErrKey)
	}
	return 0, fmt.Errorf("%w: the token has one with another public key", ErrKey)
}

func (t *token) search(s p11.SessionHandle, template []*p11.Attribute) ([]p11.ObjectHandle, error) {
	if err := t.m.lib.FindObjectsInit(s, template); err != nil {
		return nil, t.fail("C_FindObjectsInit", err)
	}
	handles, _, err := t.m.lib.FindObjects(s, maxObjects)
	if end := t.m.lib.FindObjectsFinal(s); err == nil {
		err = end
	}
	return handles, t.fail("C_FindObjects", err)
}

// attributes reads attributes of an object; nil when the object does not have them
// or does not tell.
func (t *token) attributes(s p11.SessionHandle, h p11.ObjectHandle, types ...uint) ([][]byte, error) {
	template := make([]*p11.Attribute, len(types))
	for i, typ := range types {
		template[i] = p11.NewAttribute(typ, nil)
	}
	list, err := t.m.lib.GetAttributeValue(s, h, template)
	if err != nil {
		if classOf(err) == classOther {
			return nil, nil
		}
		return nil, t.fail("C_GetAttributeValue", err)
	}
	out := make([][]byte, len(list))
	for i, a := range list {
		if out[i] = a.Value; len(a.Value) == 0 {
			return nil, nil
		}
	}
	return out, nil
}

// publicOf gives the public key of a private key: from the key itself, or from the
// public key or the certificate with the same identifier. It is nil when the token
// has none of them.
func (t *token) publicOf(s p11.SessionHandle, h p11.ObjectHandle) (crypto.PublicKey, error) {
	if pub, err := t.readRSA(s, h); pub != nil || err != nil {
		return pub, err
	}
	id, err := t.attributes(s, h, p11.CKA_ID)
	if err != nil || id == nil {
		return nil, err
	}
	for _, object := range []uint{p11.CKO_PUBLIC_KEY, p11.CKO_CERTIFICATE} {
		list, err := t.search(s, []*p11.Attribute{
			p11.NewAttribute(p11.CKA_CLASS, object), p11.NewAttribute(p11.CKA_ID, id[0])})
		if err != nil {
			return nil, err
		}
		for _, o := range list {
			pub, err := t.readPublic(s, o, object)
			if pub != nil || err != nil {
				return pub, err
			}
		}
	}
	return nil, nil
}

func (t *token) readPublic(s p11.SessionHandle, h p11.ObjectHandle, object uint) (crypto.PublicKey, error) {
	if object == p11.CKO_CERTIFICATE {
		v, err := t.attributes(s, h, p11.CKA_VALUE)
		if err != nil || v == nil {
			return nil, err
		}
		cert, err := x509.ParseCertificate(v[0])
		if err != nil || supported(cert.PublicKey) != nil {
			return nil, nil
		}
		return cert.PublicKey, nil
	}
	if pub, err := t.readRSA(s, h); pub != nil || err != nil {
		return pub, err
	}
	v, err := t.attributes(s, h, p11.CKA_EC_PARAMS, p11.CKA_EC_POINT)
	if err != nil || v == nil {
		return nil, err
	}
	return decodePoint(v[0], v[1]), nil
}

func (t *token) readRSA(s p11.SessionHandle, h p11.ObjectHandle) (crypto.PublicKey, error) {
	v, err := t.attributes(s, h, p11.CKA_MODULUS, p11.CKA_PUBLIC_EXPONENT)
	if err != nil || v == nil {
		return nil, err
	}
	e := new(big.Int).SetBytes(v[1])
	if e.BitLen() > 31 || len(v[0]) > 2048 {
		return nil, nil
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(v[0]), E: int(e.Int64())}, nil
}

var curves = []struct {
	curve elliptic.Curve
	oid   asn1.ObjectIdentifier
}{
	{elliptic.P256(), asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}},
	{elliptic.P384(), asn1.ObjectIdentifier{1, 3, 132, 0, 34}},
	{elliptic.P521(), asn1.ObjectIdentifier{1, 3, 132, 0, 35}},
}

func oidOf(c elliptic.Curve) asn1.ObjectIdentifier {
	for _, known := range curves {
		if known.curve == c {
			return known.oid
		}
	}
	return nil
}

func curveOf(oid asn1.ObjectIdentifier) elliptic.Curve {
	for _, known := range curves {
		if known.oid.Equal(oid) {
			return known.curve
		}
	}
	return nil
}

var oidEd25519 = asn1.ObjectIdentifier{1, 3, 101, 112}

// decodePoint reads CKA_EC_PARAMS and CKA_EC_POINT (PKCS #11 3.0, 2.3.3 and 2.3.5).
// The point is an OCTET STRING by the standard; some tokens leave that out. It
// gives nil for what it does not know.
func decodePoint(params, point []byte) crypto.PublicKey {
	var inner []byte
	if rest, err := asn1.Unmarshal(point, &inner); err != nil || len(rest) > 0 {
		inner = point
	}
	var oid asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(params, &oid); err != nil {
		var name string
		if _, err := asn1.Unmarshal(params, &name); err != nil || name != "edwards25519" {
			return nil
		}
		oid = oidEd25519
	}
	if oid.Equal(oidEd25519) {
		if len(inner) != ed25519.PublicKeySize {
			return nil
		}
		return ed25519.PublicKey(inner)
	}
	curve := curveOf(oid)
	if curve == nil {
		return nil
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(curve, inner)
	if err != nil {
		return nil
	}
	return pub
}
