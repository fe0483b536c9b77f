//lint:file-ignore SA1019 DSA and curves that the standard library lacks are verified through what it has deprecated

package cms_test

import (
	"bytes"
	"crypto"
	"crypto/dsa"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ProtonMail/go-crypto/brainpool"
	"github.com/cloudflare/circl/sign/ed448"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/cms"
)

var (
	keyBP256 = sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(brainpool.P256r1(), rand.Reader)) })
	keyBP384 = sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(brainpool.P384r1(), rand.Reader)) })
	keyBP512 = sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(brainpool.P512r1(), rand.Reader)) })
	keyEd448 = sync.OnceValue(func() crypto.Signer {
		_, k, err := ed448.GenerateKey(rand.Reader)
		return must(k, err)
	})
	keyDSA = sync.OnceValue(func() crypto.Signer {
		k := new(dsa.PrivateKey)
		if err := dsa.GenerateParameters(&k.Parameters, rand.Reader, dsa.L1024N160); err != nil {
			panic(err)
		}
		if err := dsa.GenerateKey(k, rand.Reader); err != nil {
			panic(err)
		}
		return dsaSigner{k}
	})

	idEd448     = tlv(0x30, oid(1, 3, 101, 113))
	idSHAKE     = tlv(0x30, oid(2, 16, 840, 1, 101, 3, 4, 2, 12))
	idSHAKELen  = tlv(0x30, oid(2, 16, 840, 1, 101, 3, 4, 2, 18), []byte{2, 2, 2, 0})
	idDSASHA256 = tlv(0x30, oid(2, 16, 840, 1, 101, 3, 4, 3, 2))
)

// dsaSigner makes a crypto.Signer of a DSA key.
type dsaSigner struct{ *dsa.PrivateKey }

func (s dsaSigner) Public() crypto.PublicKey { return &s.PublicKey }

func (s dsaSigner) Sign(r io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	digest = digest[:min(len(digest), s.Q.BitLen()/8)]
	a, b, err := dsa.Sign(r, s.PrivateKey, digest)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal([]*big.Int{a, b})
}

// publicKeyInfo encodes a key that crypto/x509 does not.
func publicKeyInfo(pub crypto.PublicKey) []byte {
	var alg, key []byte
	switch k := pub.(type) {
	case ed448.PublicKey:
		alg, key = idEd448, k
	case *dsa.PublicKey:
		params := tlv(0x30, must(asn1.Marshal(k.P)), must(asn1.Marshal(k.Q)), must(asn1.Marshal(k.G)))
		alg, key = tlv(0x30, oid(1, 2, 840, 10040, 4, 1), params), must(asn1.Marshal(k.Y))
	case *ecdsa.PublicKey:
		last := map[int]int{256: 7, 384: 11, 512: 13}[k.Params().BitSize]
		alg = tlv(0x30, oid(1, 2, 840, 10045, 2, 1), oid(1, 3, 36, 3, 3, 2, 8, 1, 1, last))
		key = append([]byte{4}, k.X.FillBytes(make([]byte, k.Params().BitSize/8))...)
		key = append(key, k.Y.FillBytes(make([]byte, k.Params().BitSize/8))...)
	}
	return tlv(0x30, alg, tlv(3, []byte{0}, key))
}

// keyed is a certificate of the test authority for any SubjectPublicKeyInfo.
func keyed(t testing.TB, key crypto.Signer, spki []byte) *credential {
	t.Helper()
	base := certified(keyP256()).cert
	raw := resigned(t, base, func(tbs []byte) []byte {
		var e asn1.RawValue
		_, err := asn1.Unmarshal(tbs, &e)
		require.NoError(t, err)
		return tlv(0x30, bytes.Replace(e.Bytes, base.RawSubjectPublicKeyInfo, spki, 1))
	})
	cert, err := cms.ParseCertificate(raw)
	require.NoError(t, err)
	require.Equal(t, raw, cert.Raw)
	require.Equal(t, spki, cert.RawSubjectPublicKeyInfo)
	return &credential{cert: cert, key: key}
}

func ed448Spec(t testing.TB) spec {
	sum := cms.SHAKE256.New()
	sum.Write(document)
	return spec{
		cred: keyed(t, keyEd448(), publicKeyInfo(keyEd448().Public())), digestID: idSHAKELen, sigID: idEd448, opts: crypto.Hash(0),
		attrs: [][]byte{attr(oidCT, oidData), attr(oidMD, tlv(4, sum.Sum(nil)))},
	}
}

// moreSpecs are signatures by keys that the package verifies and does not make.
func moreSpecs(t testing.TB) map[string]spec {
	ec := func(key crypto.Signer, h crypto.Hash, digest []byte, last int) spec {
		return spec{cred: keyed(t, key, publicKeyInfo(key.Public())), hash: h, digestID: digest, sigID: tlv(0x30, oid(1, 2, 840, 10045, 4, 3, last))}
	}
	one := keyed(t, keyDSA(), publicKeyInfo(keyDSA().Public()))
	length := ed448Spec(t)
	plain := length
	plain.digestID = idSHAKE
	return map[string]spec{
		"ECDSA with SHA-256": ec(keyBP256(), crypto.SHA256, idSHA256, 2),
		"ECDSA with SHA-384": ec(keyBP384(), crypto.SHA384, idSHA384, 3),
		"ECDSA with SHA-512": ec(keyBP512(), crypto.SHA512, idSHA512, 4),
		"Ed448":              length,
		"Ed448 ":             plain,
		"DSA with SHA-256":   {cred: one, sigID: idDSASHA256},
		"DSA with SHA-256 ":  {cred: one, sigID: tlv(0x30, oid(1, 2, 840, 10040, 4, 1), null)},
		"DSA with SHA-1":     {cred: one, hash: crypto.SHA1, digestID: idSHA1, sigID: tlv(0x30, oid(1, 2, 840, 10040, 4, 3))},
	}
}

// checked parses and verifies with the digest that the signer asks for.
func checked(b []byte, cert *x509.Certificate, doc []byte, opt *cms.VerifyOptions) (*cms.Result, error) {
	sd, err := cms.Parse(b, nil)
	if err != nil {
		return nil, err
	}
	si := &sd.Signers[0]
	if !si.Digest().Available() {
		return si.VerifyWith(cert, nil, opt)
	}
	h := si.Digest().New()
	h.Write(doc)
	return si.VerifyWith(cert, h.Sum(nil), opt)
}

func TestMoreKeys(t *testing.T) {
	accept := &cms.VerifyOptions{AcceptLegacy: true}
	for name, s := range moreSpecs(t) {
		t.Run(name, func(t *testing.T) {
			b, cert := s.build(), s.cred.cert
			res, err := checked(b, cert, document, accept)
			require.NoError(t, err)
			require.Equal(t, string(bytes.TrimSpace([]byte(name))), res.Algorithm)
			require.Equal(t, s.cred.key.Public(), res.PublicKey)
			require.Empty(t, res.Deviations)
			_, err = checked(b, cert, document, nil)
			if name[:3] == "DSA" {
				requireReason(t, err, cms.ReasonLegacy)
				require.Contains(t, res.Legacy, "DSA key of 1024 bits")
			} else {
				require.NoError(t, err)
				require.Empty(t, res.Legacy)
			}
			_, err = checked(b, cert, []byte("another document"), accept)
			requireReason(t, err, cms.ReasonDigestMismatch)

			sd, err := cms.Parse(b, nil)
			require.NoError(t, err)
			sig := sd.Signers[0].Signature
			step := 1
			if raceEnabled || len(sig) > 80 {
				step = 11
			}
			for i := 0; i < len(sig); i += step {
				sig[i] ^= 1 << (i % 8) // shares memory with b
				_, err := checked(b, cert, document, accept)
				requireReason(t, err, cms.ReasonSignature)
				sig[i] ^= 1 << (i % 8)
			}
			_, err = cms.NewTemplate(cert, nil, cms.ECDSASHA256)
			require.ErrorIs(t, err, cms.ErrAlgorithm, "it does not sign with such keys")
		})
	}
}

func TestMoreKeysAndOtherOnes(t *testing.T) {
	accept := &cms.VerifyOptions{AcceptLegacy: true}
	_, other448, err := ed448.GenerateKey(rand.Reader)
	require.NoError(t, err)
	otherDSA := &dsa.PrivateKey{PublicKey: dsa.PublicKey{Parameters: keyDSA().(dsaSigner).Parameters}}
	require.NoError(t, dsa.GenerateKey(otherDSA, rand.Reader))
	others := map[string]crypto.Signer{
		"ECDSA with SHA-256": must(ecdsa.GenerateKey(brainpool.P256r1(), rand.Reader)),
		"Ed448":              other448,
		"DSA with SHA-256":   dsaSigner{otherDSA},
	}
	all := moreSpecs(t)
	for name, key := range others {
		s := all[name]
		cert := s.cred.cert
		s.cred = &credential{cert: cert, key: key}
		_, err := checked(s.build(), cert, document, accept)
		requireReason(t, err, cms.ReasonSignature)
	}
	// Signature algorithms beside keys and digests of other kinds.
	for name, s := range all {
		for _, id := range [][]byte{idECDSA, idRSA, idEd448, idDSASHA256, tlv(0x30, oid(1, 3, 101, 112))} {
			if bytes.Equal(id, s.sigID) || name == "DSA with SHA-256 " && bytes.Equal(id, idDSASHA256) {
				continue
			}
			s := s
			s.sigID, s.signature = id, []byte{0x30, 6, 2, 1, 1, 2, 1, 1}
			_, err := checked(s.build(), s.cred.cert, document, accept)
			var v *cms.VerifyError
			require.ErrorAs(t, err, &v)
			require.Contains(t, []cms.Reason{cms.ReasonInconsistent, cms.ReasonUnsupported}, v.Reason, name)
		}
	}
	// Digest algorithms that Ed448 does not go with.
	for _, c := range []struct {
		id     []byte
		reason cms.Reason
	}{
		{idSHA512, cms.ReasonInconsistent},
		{tlv(0x30, oid(2, 16, 840, 1, 101, 3, 4, 2, 18)), cms.ReasonUnsupported},
		{tlv(0x30, oid(2, 16, 840, 1, 101, 3, 4, 2, 18), []byte{2, 2, 1, 0}), cms.ReasonUnsupported},
		{tlv(0x30, oid(2, 16, 840, 1, 101, 3, 4, 2, 12), []byte{2, 2, 2, 0}), cms.ReasonUnsupported},
		{tlv(0x30, oid(2, 16, 840, 1, 101, 3, 4, 2, 11)), cms.ReasonUnsupported},
	} {
		s := ed448Spec(t)
		s.digestID = c.id
		_, err := checked(s.build(), s.cred.cert, document, nil)
		requireReason(t, err, c.reason)
	}
	s := ed448Spec(t)
	s.sigID = tlv(0x30, oid(1, 3, 101, 113), tlv(4))
	_, err = checked(s.build(), s.cred.cert, document, nil)
	requireReason(t, err, cms.ReasonInconsistent)
	s = ed448Spec(t)
	s.direct = true
	_, err = checked(s.build(), s.cred.cert, document, nil)
	requireReason(t, err, cms.ReasonUnsupported)
}

// TestBrainpoolPlain has signatures in the format of BSI TR-03111.
func TestBrainpoolPlain(t *testing.T) {
	key := keyBP256().(*ecdsa.PrivateKey)
	s := spec{cred: keyed(t, key, publicKeyInfo(key.Public())), sigID: tlv(0x30, oid(0, 4, 0, 127, 0, 7, 1, 1, 4, 1, 3))}.withDefaults()
	a, b, err := ecdsa.Sign(rand.Reader, key, digestOf(crypto.SHA256, tlv(0x31, s.attrs...)))
	require.NoError(t, err)
	s.signature = append(a.FillBytes(make([]byte, 32)), b.FillBytes(make([]byte, 32))...)
	res, err := checked(s.build(), s.cred.cert, document, nil)
	require.NoError(t, err)
	require.Equal(t, "plain ECDSA with SHA-256", res.Algorithm)
	order := key.Params().N.FillBytes(make([]byte, 32))
	for _, bad := range [][]byte{nil, s.signature[:63], append(bytes.Clone(s.signature), 0), make([]byte, 64), append(order, s.signature[32:]...)} {
		s.signature = append([]byte{}, bad...)
		_, err := checked(s.build(), s.cred.cert, document, nil)
		requireReason(t, err, cms.ReasonSignature)
	}
}

// TestUnacceptableMoreKeys has keys that are encoded well and are none.
func TestUnacceptableMoreKeys(t *testing.T) {
	bp := *keyBP256().Public().(*ecdsa.PublicKey)
	at := func(x, y *big.Int) []byte { k := bp; k.X, k.Y = x, y; return publicKeyInfo(&k) }
	dsaKey := func(change func(k *dsa.PublicKey)) []byte {
		k := *keyDSA().Public().(*dsa.PublicKey)
		change(&k)
		return publicKeyInfo(&k)
	}
	one, p := big.NewInt(1), bp.Params().P
	curve := func(params, key []byte) []byte {
		return tlv(0x30, tlv(0x30, oid(1, 2, 840, 10045, 2, 1), params), tlv(3, []byte{0}, key))
	}
	named, point := oid(1, 3, 36, 3, 3, 2, 8, 1, 1, 7), publicKeyInfo(&bp)
	point = point[len(point)-65:]
	for name, c := range map[string]struct {
		spki   []byte
		sigID  []byte
		reason cms.Reason
	}{
		"not on the curve":     {at(bp.X, new(big.Int).Xor(bp.Y, one)), idECDSA, cms.ReasonKey},
		"zero":                 {at(new(big.Int), new(big.Int)), idECDSA, cms.ReasonKey},
		"coordinate the prime": {at(p, bp.Y), idECDSA, cms.ReasonKey},
		"other coordinate":     {at(bp.X, p), idECDSA, cms.ReasonKey},
		"compressed":           {curve(named, append([]byte{2}, point[1:33]...)), idECDSA, cms.ReasonUnsupported},
		"hybrid":               {curve(named, append([]byte{6}, point[1:]...)), idECDSA, cms.ReasonUnsupported},
		"too long":             {curve(named, append(bytes.Clone(point), 0)), idECDSA, cms.ReasonUnsupported},
		"infinity":             {curve(named, []byte{0}), idECDSA, cms.ReasonUnsupported},
		"no curve":             {curve(nil, point), idECDSA, cms.ReasonUnsupported},
		"curve written out":    {curve(tlv(0x30, []byte{2, 1, 1}), point), idECDSA, cms.ReasonUnsupported},
		"twisted curve":        {curve(oid(1, 3, 36, 3, 3, 2, 8, 1, 1, 8), point), idECDSA, cms.ReasonUnsupported},
		"DSA y 1":              {dsaKey(func(k *dsa.PublicKey) { k.Y = one }), idDSASHA256, cms.ReasonKey},
		"DSA y p - 1":          {dsaKey(func(k *dsa.PublicKey) { k.Y = new(big.Int).Sub(k.P, one) }), idDSASHA256, cms.ReasonKey},
		"DSA y of no group":    {dsaKey(func(k *dsa.PublicKey) { k.Y = big.NewInt(2) }), idDSASHA256, cms.ReasonKey},
		"DSA g 1":              {dsaKey(func(k *dsa.PublicKey) { k.G = one }), idDSASHA256, cms.ReasonKey},
		"DSA q another":        {dsaKey(func(k *dsa.PublicKey) { k.Q = new(big.Int).Sub(k.Q, big.NewInt(2)) }), idDSASHA256, cms.ReasonKey},
		"DSA q short":          {dsaKey(func(k *dsa.PublicKey) { k.Q = big.NewInt(3) }), idDSASHA256, cms.ReasonKey},
		"DSA p even":           {dsaKey(func(k *dsa.PublicKey) { k.P = new(big.Int).Sub(k.P, one) }), idDSASHA256, cms.ReasonKey},
		"DSA p huge":           {dsaKey(func(k *dsa.PublicKey) { k.P = new(big.Int).SetBit(k.P, 1<<16, 1) }), idDSASHA256, cms.ReasonKey},
		"DSA p short":          {dsaKey(func(k *dsa.PublicKey) { k.P = big.NewInt(23) }), idDSASHA256, cms.ReasonKey},
	} {
		t.Run(name, func(t *testing.T) {
			cred := keyed(t, nil, c.spki)
			b := spec{cred: cred, sigID: c.sigID, signature: []byte{0x30, 6, 2, 1, 1, 2, 1, 1}}.build()
			_, err := checked(b, cred.cert, document, &cms.VerifyOptions{AcceptLegacy: true})
			requireReason(t, err, c.reason)
		})
	}
	for _, spki := range [][]byte{
		tlv(0x30, idEd448, tlv(3, make([]byte, 57))),
		tlv(0x30, tlv(0x30, oid(1, 3, 101, 113), null), tlv(3, make([]byte, 58))),
	} {
		s := ed448Spec(t)
		s.cred, s.signature = keyed(t, nil, spki), make([]byte, 114)
		_, err := checked(s.build(), s.cred.cert, document, nil)
		requireReason(t, err, cms.ReasonUnsupported)
	}
	strange := certified(keyP256())
	cert := *strange.cert
	cert.PublicKey = &ecdsa.PublicKey{Curve: &elliptic.CurveParams{Name: "own"}, X: one, Y: one}
	_, err := checked(spec{cred: strange}.build(), &cert, document, nil)
	requireReason(t, err, cms.ReasonUnsupported)
	cert.PublicKey = &ecdsa.PublicKey{Curve: brainpool.P256r1()}
	_, err = checked(spec{cred: strange}.build(), &cert, document, nil)
	requireReason(t, err, cms.ReasonKey)
}

// TestNegativeSerialKeepsKnownCurve: one repair must not cost a good key.
func TestNegativeSerialKeepsKnownCurve(t *testing.T) {
	base := certified(keyP256())
	raw := resigned(t, base.cert, func(tbs []byte) []byte {
		var e asn1.RawValue
		_, err := asn1.Unmarshal(tbs, &e)
		require.NoError(t, err)
		return tlv(0x30, bytes.Replace(e.Bytes, []byte{2, 3, 0, 0x80, 1}, []byte{2, 2, 0x80, 1}, 1))
	})
	cert, err := cms.ParseCertificate(raw)
	require.NoError(t, err)
	require.Equal(t, base.cert.PublicKey, cert.PublicKey)
	_, err = checked(spec{cred: &credential{cert: cert, key: base.key}}.build(), cert, document, nil)
	require.NoError(t, err)
}

// TestWeVerifyMoreOfOpenSSL has openssl make key, certificate and signature.
func TestWeVerifyMoreOfOpenSSL(t *testing.T) {
	accept := &cms.VerifyOptions{AcceptLegacy: true}
	for name, c := range map[string]struct{ key, sign []string }{
		"ECDSA with SHA-256": {[]string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"}, []string{"-md", "sha256"}},
		"ECDSA with SHA-384": {[]string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP384r1"}, []string{"-md", "sha384"}},
		"ECDSA with SHA-512": {[]string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP512r1"}, []string{"-md", "sha512", "-cades"}},
		"DSA with SHA-1":     {nil, []string{"-md", "sha1"}},
		"DSA with SHA-256":   {nil, []string{"-md", "sha256", "-cades"}},
		"Ed448":              {[]string{"-algorithm", "ED448"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := func(name string) string { return filepath.Join(dir, name) }
			require.NoError(t, os.WriteFile(file("doc"), document, 0o600))
			if c.key == nil {
				openssl(t, dir, "genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:1024", "-out", "params.pem")
				c.key = []string{"-paramfile", "params.pem"}
			}
			openssl(t, dir, append([]string{"genpkey", "-out", "key.pem"}, c.key...)...)
			openssl(t, dir, "req", "-x509", "-new", "-key", "key.pem", "-subj", "/CN=Specimen", "-days", "2", "-out", "cert.pem")
			block, _ := pem.Decode(must(os.ReadFile(file("cert.pem"))))
			cert, err := cms.ParseCertificate(block.Bytes)
			require.NoError(t, err)
			var b []byte
			if c.sign != nil {
				openssl(t, dir, append([]string{"cms", "-sign", "-binary", "-in", "doc", "-signer", "cert.pem", "-inkey", "key.pem",
					"-outform", "DER", "-out", "sig"}, c.sign...)...)
				b = must(os.ReadFile(file("sig")))
			} else { // openssl 3.0 makes no CMS with Ed448, but it signs the attributes
				s := ed448Spec(t)
				s.cred = &credential{cert: cert}
				require.NoError(t, os.WriteFile(file("attrs"), tlv(0x31, s.attrs...), 0o600))
				openssl(t, dir, "pkeyutl", "-sign", "-rawin", "-inkey", "key.pem", "-in", "attrs", "-out", "value")
				s.signature = must(os.ReadFile(file("value")))
				b = s.build()
			}
			res, err := checked(b, cert, document, accept)
			require.NoError(t, err)
			require.Equal(t, name, res.Algorithm)
		})
	}
}
