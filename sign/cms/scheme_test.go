package cms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/seed-574216e4/meterai/sign/cms"
)

// TestEverySignatureIdentifier goes through what schemes are named by.
func TestEverySignatureIdentifier(t *testing.T) {
	nist := func(kind, n int) []byte { return oid(2, 16, 840, 1, 101, 3, 4, kind, n) }
	pkcs1 := func(n int) []byte { return oid(1, 2, 840, 113549, 1, 1, n) }
	ecdsaSHA2 := func(n int) []byte { return oid(1, 2, 840, 10045, 4, 3, n) }
	plain := func(n int) []byte { return oid(0, 4, 0, 127, 0, 7, 1, 1, 4, 1, n) }
	cases := []struct {
		hash       crypto.Hash
		digest     []byte
		rsa, ecdsa []byte // identifiers of the signature, nil for none
		plain      []byte
	}{
		{crypto.MD5, oid(1, 2, 840, 113549, 2, 5), pkcs1(4), nil, nil},
		{crypto.SHA1, oid(1, 3, 14, 3, 2, 26), pkcs1(5), oid(1, 2, 840, 10045, 4, 1), plain(1)},
		{crypto.SHA1, oid(1, 3, 14, 3, 2, 26), oid(1, 3, 14, 3, 2, 29), nil, nil},
		{crypto.RIPEMD160, oid(1, 3, 36, 3, 2, 1), oid(1, 3, 36, 3, 3, 1, 2), nil, plain(6)},
		{crypto.SHA224, nist(2, 4), pkcs1(14), ecdsaSHA2(1), plain(2)},
		{crypto.SHA256, nist(2, 1), pkcs1(11), ecdsaSHA2(2), plain(3)},
		{crypto.SHA384, nist(2, 2), pkcs1(12), ecdsaSHA2(3), plain(4)},
		{crypto.SHA512, nist(2, 3), pkcs1(13), ecdsaSHA2(4), plain(5)},
		{crypto.SHA512_224, nist(2, 5), pkcs1(15), nil, nil},
		{crypto.SHA512_256, nist(2, 6), pkcs1(16), nil, nil},
		{crypto.SHA3_224, nist(2, 7), nist(3, 13), nist(3, 9), plain(8)},
		{crypto.SHA3_256, nist(2, 8), nist(3, 14), nist(3, 10), plain(9)},
		{crypto.SHA3_384, nist(2, 9), nist(3, 15), nist(3, 11), plain(10)},
		{crypto.SHA3_512, nist(2, 10), nist(3, 16), nist(3, 12), plain(11)},
	}
	opt := &cms.VerifyOptions{AcceptLegacy: true}
	rsaCred, ecCred := certified(keyRSA2048()), certified(keyP256())
	for _, c := range cases {
		run := func(name string, id []byte, s spec) {
			if id == nil {
				return
			}
			t.Run(fmt.Sprintf("%s with %v", name, c.hash), func(t *testing.T) {
				s.hash, s.digestID, s.sigID = c.hash, tlv(0x30, c.digest), tlv(0x30, id)
				res, err := verified(s.build(), s.cred.cert, opt)
				require.NoError(t, err)
				require.Equal(t, fmt.Sprintf("%s with %v", name, c.hash), res.Algorithm)
				require.Equal(t, c.hash == crypto.MD5 || c.hash == crypto.SHA1 || c.hash == crypto.RIPEMD160, len(res.Legacy) > 0)
			})
		}
		signer := &credential{cert: rsaCred.cert, key: pkcs1Signer{rsaCred.key}}
		run("RSA", c.rsa, spec{cred: signer})
		run("RSA", pkcs1(1), spec{cred: signer})
		run("ECDSA", c.ecdsa, spec{cred: ecCred})
		run("plain ECDSA", c.plain, spec{cred: &credential{cert: ecCred.cert, key: plainSigner{ecCred.key}}})
	}
}

// pkcs1Signer writes the DigestInfo of RIPEMD-160 as old signature software did.
type pkcs1Signer struct{ crypto.Signer }

func (p pkcs1Signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() != crypto.RIPEMD160 {
		return p.Signer.Sign(rand.Reader, digest, opts)
	}
	info := tlv(0x30, tlv(0x30, oid(1, 3, 36, 3, 2, 1), null), tlv(4, digest))
	return rsa.SignPKCS1v15(nil, p.Signer.(*rsa.PrivateKey), 0, info)
}

// plainSigner gives ECDSA signatures in the plain format of BSI TR-03111.
type plainSigner struct{ crypto.Signer }

func (p plainSigner) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	der, err := p.Signer.Sign(rand.Reader, digest, opts)
	if err != nil {
		return nil, err
	}
	var r, s big.Int
	in := cryptobyte.String(der)
	if !in.ReadASN1(&in, asn1.SEQUENCE) || !in.ReadASN1Integer(&r) || !in.ReadASN1Integer(&s) {
		return nil, fmt.Errorf("not a signature: % x", der)
	}
	return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...), nil
}

func TestPlainECDSARefuses(t *testing.T) {
	cred := certified(keyP256())
	id := tlv(0x30, oid(0, 4, 0, 127, 0, 7, 1, 1, 4, 1, 3))
	order := elliptic.P256().Params().N.Bytes()
	one := append(make([]byte, 31), 1)
	for name, sig := range map[string][]byte{
		"short":     make([]byte, 63),
		"long":      make([]byte, 65),
		"zero":      make([]byte, 64),
		"r zero":    append(make([]byte, 32), one...),
		"s zero":    append(bytes.Clone(one), make([]byte, 32)...),
		"r order":   append(bytes.Clone(order), one...),
		"DER":       tlv(0x30, []byte{2, 1, 1}, []byte{2, 1, 1}),
		"another's": append(bytes.Clone(one), one...),
	} {
		_, err := verified(spec{cred: cred, sigID: id, signature: sig}.build(), cred.cert, nil)
		require.Error(t, err, name)
		requireReason(t, err, cms.ReasonSignature)
	}
}

func TestLegacyCurve(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	require.NoError(t, err)
	cred := certified(key)
	b := spec{cred: cred}.build()
	_, err = verified(b, cred.cert, nil)
	requireReason(t, err, cms.ReasonLegacy)
	res, err := verified(b, cred.cert, &cms.VerifyOptions{AcceptLegacy: true})
	require.NoError(t, err)
	require.Equal(t, []string{"curve P-224"}, res.Legacy)
}

// wideSigner signs with another public exponent under the same modulus: it opens
// the signature of the standard library and closes the encoded message again.
type wideSigner struct {
	*rsa.PrivateKey
	e, d *big.Int
}

func newWideSigner(t *testing.T, k *rsa.PrivateKey, e int64) *wideSigner {
	t.Helper()
	one := big.NewInt(1)
	p, q := new(big.Int).Sub(k.Primes[0], one), new(big.Int).Sub(k.Primes[1], one)
	exponent := big.NewInt(e)
	var d *big.Int
	for d == nil {
		if d = new(big.Int).ModInverse(exponent, new(big.Int).Mul(p, q)); d == nil {
			exponent.Add(exponent, big.NewInt(2))
		}
	}
	return &wideSigner{PrivateKey: k, e: exponent, d: d}
}

func (w *wideSigner) public() *rsa.PublicKey {
	return &rsa.PublicKey{N: w.N, E: int(w.e.Int64())}
}

func (w *wideSigner) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	sig, err := w.PrivateKey.Sign(rand.Reader, digest, opts)
	if err != nil {
		return nil, err
	}
	m := new(big.Int).Exp(new(big.Int).SetBytes(sig), big.NewInt(int64(w.E)), w.N)
	return m.Exp(m, w.d, w.N).FillBytes(make([]byte, len(sig))), nil
}

func TestWideExponent(t *testing.T) {
	for _, bits := range []int{2048, 2049} {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		require.NoError(t, err)
		wide := newWideSigner(t, k, 1<<31+11)
		cred := certified(k)
		cert := withKey(cred, wide.public())
		signer := &credential{cert: cred.cert, key: wide}
		for name, s := range map[string]spec{
			"PKCS #1":   {cred: signer, sigID: idRSA},
			"PSS":       {cred: signer, sigID: pssID(idSHA256, idSHA256, 32, 1), opts: &rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256}},
			"PSS short": {cred: signer, sigID: pssID(idSHA256, idSHA256, 7, 1), opts: &rsa.PSSOptions{SaltLength: 7, Hash: crypto.SHA256}},
		} {
			t.Run(fmt.Sprint(name, " ", bits), func(t *testing.T) {
				_, err := verified(s.build(), cert, nil)
				require.NoError(t, err)
				_, err = verified(s.build(), cred.cert, nil)
				requireReason(t, err, cms.ReasonSignature)
				for _, sig := range [][]byte{{}, make([]byte, (bits+7)/8), k.N.Bytes(), bytes.Repeat([]byte{0x55}, (bits+7)/8), k.N.Bytes()[1:]} {
					wrong := s
					wrong.signature = sig
					_, err = verified(wrong.build(), cert, nil)
					requireReason(t, err, cms.ReasonSignature)
				}
			})
		}
		mismatch := spec{cred: signer, sigID: pssID(idSHA256, idSHA256, 32, 1), opts: &rsa.PSSOptions{SaltLength: 20, Hash: crypto.SHA256}}
		_, err = verified(mismatch.build(), cert, nil)
		requireReason(t, err, cms.ReasonSignature)
	}
}

func TestKeyForPSSOnly(t *testing.T) {
	cred := certified(keyRSA2048())
	key := func(params []byte) *x509.Certificate {
		spki := tlv(0x30, tlv(0x30, oid(1, 2, 840, 113549, 1, 1, 10), params), cred.cert.RawSubjectPublicKeyInfo[4+len(idRSA):])
		raw := resigned(t, cred.cert, func(tbs []byte) []byte {
			return tlv(0x30, bytes.Replace(tbs, cred.cert.RawSubjectPublicKeyInfo, spki, 1)[4:])
		})
		cert, err := cms.ParseCertificate(raw)
		require.NoError(t, err)
		require.Nil(t, cert.PublicKey)
		return cert
	}
	strict := pssID(idSHA256, idSHA256, 32, 1)[2+len(oid(1, 2, 840, 113549, 1, 1, 10)):]
	for name, params := range map[string][]byte{"unrestricted": nil, "SHA-256": strict} {
		t.Run(name, func(t *testing.T) {
			cert := key(params)
			signer := &credential{cert: cert, key: cred.key}
			out := built(t, signer, cms.RSAPSSSHA256)
			_, err := verified(out, cert, nil)
			require.NoError(t, err)
			_, err = cms.NewTemplate(cert, nil, cms.RSAPKCS1SHA256)
			require.ErrorIs(t, err, cms.ErrAlgorithm)
			_, err = verified(spec{cred: signer, sigID: idRSA}.build(), cert, nil)
			requireReason(t, err, cms.ReasonInconsistent)

			_, err = cms.NewTemplate(cert, nil, cms.RSAPSSSHA512)
			short := spec{cred: signer, sigID: pssID(idSHA256, idSHA256, 20, 1), opts: &rsa.PSSOptions{SaltLength: 20, Hash: crypto.SHA256}}
			_, short20 := verified(short.build(), cert, nil)
			if params == nil {
				require.NoError(t, err)
				require.NoError(t, short20)
				return
			}
			require.ErrorIs(t, err, cms.ErrAlgorithm)
			requireReason(t, short20, cms.ReasonInconsistent)
		})
	}
}

func TestBareSignature(t *testing.T) {
	cred := certified(keyRSA2048())
	for _, h := range []crypto.Hash{crypto.MD5, crypto.SHA1, crypto.RIPEMD160, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		digest := digestOf(h, document)
		sig, err := pkcs1Signer{cred.key}.Sign(nil, digest, h)
		require.NoError(t, err)
		got, n, err := cms.ParseRaw(append(tlv(4, sig), 0, 0))
		require.NoError(t, err)
		require.Equal(t, sig, got)
		require.Equal(t, len(tlv(4, sig)), n)
		found, err := cms.RawHash(cred.cert, sig)
		require.NoError(t, err)
		require.Equal(t, h, found)

		res, err := cms.VerifyRaw(cred.cert, h, digest, sig, &cms.VerifyOptions{AcceptLegacy: true})
		require.NoError(t, err)
		require.False(t, res.Attributes)
		_, err = cms.VerifyRaw(cred.cert, h, digest, sig, nil)
		if len(res.Legacy) > 0 {
			requireReason(t, err, cms.ReasonLegacy)
		} else {
			require.NoError(t, err)
		}
		_, err = cms.VerifyRaw(cred.cert, h, digestOf(h, []byte("other")), sig, nil)
		requireReason(t, err, cms.ReasonSignature)
		_, err = cms.VerifyRaw(cred.cert, h, digest[1:], sig, nil)
		requireReason(t, err, cms.ReasonDigestMismatch)
	}
	_, _, err := cms.ParseRaw(tlv(3, []byte{0}))
	require.ErrorIs(t, err, cms.ErrMalformed)
	_, _, err = cms.ParseRaw(tlv(4, make([]byte, 5<<20)))
	require.ErrorIs(t, err, cms.ErrLimit)
	_, err = cms.RawHash(cred.cert, make([]byte, 256))
	requireReason(t, err, cms.ReasonSignature)
	_, err = cms.RawHash(cred.cert, nil)
	requireReason(t, err, cms.ReasonSignature)
	_, err = cms.RawHash(certified(keyP256()).cert, nil)
	requireReason(t, err, cms.ReasonInconsistent)
	_, err = cms.VerifyRaw(nil, crypto.SHA1, nil, nil, nil)
	requireReason(t, err, cms.ReasonCertificate)
	_, err = cms.VerifyRaw(cred.cert, 0, nil, nil, nil)
	requireReason(t, err, cms.ReasonDigestMismatch)
}
