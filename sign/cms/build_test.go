package cms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/cms"
)

type algorithmCase struct {
	alg  cms.Algorithm
	key  func() crypto.Signer
	name string
}

func algorithmCases() []algorithmCase {
	return []algorithmCase{
		{cms.RSAPKCS1SHA256, keyRSA2048, "RSA with SHA-256"},
		{cms.RSAPKCS1SHA384, keyRSA3072, "RSA with SHA-384"},
		{cms.RSAPKCS1SHA512, keyRSA2048, "RSA with SHA-512"},
		{cms.RSAPSSSHA256, keyRSA2048, "RSA-PSS with SHA-256"},
		{cms.RSAPSSSHA384, keyRSA3072, "RSA-PSS with SHA-384"},
		{cms.RSAPSSSHA512, keyRSA2048, "RSA-PSS with SHA-512"},
		{cms.ECDSASHA256, keyP256, "ECDSA with SHA-256"},
		{cms.ECDSASHA384, keyP384, "ECDSA with SHA-384"},
		{cms.ECDSASHA512, keyP521, "ECDSA with SHA-512"},
		{cms.ECDSASHA512, keyP256, "ECDSA with SHA-512"},
		{cms.Ed25519, keyEd25519, "Ed25519"},
	}
}

func TestEveryAlgorithmRoundTrip(t *testing.T) {
	for _, c := range algorithmCases() {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.name, c.alg.String())
			cred := certified(c.key())
			out := built(t, cred, c.alg)
			sd, err := cms.Parse(append(bytes.Clone(out), make([]byte, 100)...), nil)
			require.NoError(t, err)
			require.True(t, sd.DER)
			require.Equal(t, len(out), sd.Length)
			require.Equal(t, 1, sd.Version)
			require.False(t, sd.HasContent)
			require.Len(t, sd.Signers, 1)
			require.Len(t, sd.DigestAlgorithms, 1)
			si := &sd.Signers[0]
			require.Equal(t, 1, si.Version)
			require.Equal(t, c.alg.Hash(), si.DigestAlgorithm)
			require.Len(t, si.SignedAttributes, 3)

			certs, err := sd.Certificates()
			require.NoError(t, err)
			require.Len(t, certs, 2)
			require.True(t, si.Matches(cred.cert))
			require.False(t, si.Matches(cred.chain[0]))

			require.NoError(t, si.Verify(cred.cert, digestOf(c.alg.Hash(), document)))
			res, err := si.VerifyWith(cred.cert, digestOf(c.alg.Hash(), document), nil)
			require.NoError(t, err)
			require.Equal(t, c.name, res.Algorithm)
			require.Equal(t, 2, res.SigningCertificate)
			require.True(t, res.Attributes)
			require.False(t, res.Reencoded)
			requireReason(t, si.Verify(cred.cert, digestOf(c.alg.Hash(), []byte("other"))), cms.ReasonDigestMismatch)
			requireReason(t, si.Verify(cred.cert, []byte("short")), cms.ReasonDigestMismatch)
			requireReason(t, si.Verify(cred.chain[0], digestOf(c.alg.Hash(), document)), cms.ReasonCertificate)
			requireReason(t, si.Verify(nil, digestOf(c.alg.Hash(), document)), cms.ReasonCertificate)
		})
	}
}

// TestSignedAttributesAreDER holds the hand-written encoding to encoding/asn1.
func TestSignedAttributesAreDER(t *testing.T) {
	type attribute struct {
		Type   asn1.ObjectIdentifier
		Values []asn1.RawValue `asn1:"set"`
	}
	for _, c := range algorithmCases() {
		cred := certified(c.key())
		tpl, err := cms.NewTemplate(cred.cert, nil, c.alg)
		require.NoError(t, err)
		digest := digestOf(c.alg.Hash(), document)
		attrs := tpl.SignedAttributes(digest)

		var list []attribute
		rest, err := asn1.UnmarshalWithParams(attrs, &list, "set")
		require.NoError(t, err)
		require.Empty(t, rest)
		require.Len(t, list, 3)
		again, err := asn1.MarshalWithParams(list, "set")
		require.NoError(t, err)
		require.Equal(t, again, attrs, "DER SET order")

		require.Equal(t, "1.2.840.113549.1.9.3", list[0].Type.String())
		require.Equal(t, oidData, list[0].Values[0].FullBytes)
		require.Equal(t, "1.2.840.113549.1.9.4", list[1].Type.String())
		require.Equal(t, tlv(4, digest), list[1].Values[0].FullBytes)
		require.Equal(t, "1.2.840.113549.1.9.16.2.47", list[2].Type.String())

		var hashID []byte // left out for SHA-256, the default
		switch c.alg.Hash() {
		case crypto.SHA384:
			hashID = idSHA384
		case crypto.SHA512:
			hashID = idSHA512
		}
		issuerSerial := tlv(0x30, tlv(0x30, tlv(0xa4, cred.cert.RawIssuer)), must(asn1.Marshal(cred.cert.SerialNumber)))
		id := tlv(0x30, hashID, tlv(4, digestOf(c.alg.Hash(), cred.cert.Raw)), issuerSerial)
		require.Equal(t, tlv(0x30, tlv(0x30, id)), list[2].Values[0].FullBytes)
	}
}

func TestMaxSizeIsExactButForIntegers(t *testing.T) {
	for _, c := range algorithmCases() {
		cred := certified(c.key())
		tpl, err := cms.NewTemplate(cred.cert, cred.chain, c.alg)
		require.NoError(t, err)
		attrs := tpl.SignedAttributes(digestOf(c.alg.Hash(), document))
		longest := 0
		for range 60 {
			sig, err := tpl.Sign(cred.key, attrs)
			require.NoError(t, err)
			out, err := tpl.Finish(attrs, sig)
			require.NoError(t, err)
			require.LessOrEqual(t, len(out), tpl.MaxSize())
			longest = max(longest, len(out))
			if _, isRSA := c.key().Public().(*rsa.PublicKey); isRSA {
				break
			}
		}
		switch c.alg {
		case cms.ECDSASHA256, cms.ECDSASHA384, cms.ECDSASHA512:
			require.GreaterOrEqual(t, longest, tpl.MaxSize()-3)
		default:
			require.Equal(t, tpl.MaxSize(), longest)
		}
	}
}

func TestAlgorithmFor(t *testing.T) {
	want := map[cms.Algorithm]func() crypto.Signer{
		cms.RSAPKCS1SHA256: keyRSA2048, cms.ECDSASHA256: keyP256, cms.ECDSASHA384: keyP384,
		cms.ECDSASHA512: keyP521, cms.Ed25519: keyEd25519,
	}
	for alg, key := range want {
		got, err := cms.AlgorithmFor(key().Public())
		require.NoError(t, err)
		require.Equal(t, alg, got)
	}
	modulus := new(big.Int).SetBit(big.NewInt(1), 5000, 1)
	honest := keyRSA2048().Public().(*rsa.PublicKey).N
	for _, pub := range []crypto.PublicKey{
		nil, "key", keyRSA1024().Public(), (*rsa.PublicKey)(nil), (*ecdsa.PublicKey)(nil), &rsa.PublicKey{}, &ecdsa.PublicKey{},
		&rsa.PublicKey{N: modulus, E: 65537}, &rsa.PublicKey{N: honest, E: 1}, &rsa.PublicKey{N: honest, E: 65536},
		&ecdsa.PublicKey{Curve: elliptic.P224()},
	} {
		_, err := cms.AlgorithmFor(pub)
		require.ErrorIs(t, err, cms.ErrAlgorithm)
	}
	require.Zero(t, cms.Algorithm(0).Hash())
	require.Equal(t, "Algorithm(0)", cms.Algorithm(0).String())
}

func TestTemplateRefuses(t *testing.T) {
	p256 := certified(keyP256())
	for _, alg := range []cms.Algorithm{0, -1, 99, cms.RSAPKCS1SHA256, cms.RSAPSSSHA512, cms.Ed25519} {
		_, err := cms.NewTemplate(p256.cert, nil, alg)
		require.ErrorIs(t, err, cms.ErrAlgorithm, alg)
	}
	_, err := cms.NewTemplate(certified(keyRSA1024()).cert, nil, cms.RSAPKCS1SHA256)
	require.ErrorIs(t, err, cms.ErrAlgorithm)
	_, err = cms.NewTemplate(nil, nil, cms.ECDSASHA256)
	require.Error(t, err)
	_, err = cms.NewTemplate(&x509.Certificate{}, nil, cms.ECDSASHA256)
	require.Error(t, err)
	_, err = cms.NewTemplateOf(asn1.ObjectIdentifier{1, 99}, p256.cert, nil, cms.ECDSASHA256)
	require.Error(t, err)
}

func TestTemplateOwnsAttributesAndKey(t *testing.T) {
	cred := certified(keyP256())
	tpl, err := cms.NewTemplate(cred.cert, cred.chain, cms.ECDSASHA256)
	require.NoError(t, err)
	require.NoError(t, tpl.Owns(cred.key.Public()))
	require.ErrorIs(t, tpl.Owns(keyP384().Public()), cms.ErrKeyMismatch)
	require.ErrorIs(t, tpl.Owns(nil), cms.ErrKeyMismatch)

	require.Nil(t, tpl.SignedAttributes(make([]byte, 31)))
	attrs := tpl.SignedAttributes(make([]byte, 32))
	sig, err := tpl.Sign(cred.key, attrs)
	require.NoError(t, err)
	for _, wrong := range [][]byte{nil, attrs[:len(attrs)-1], append(bytes.Clone(attrs), 0), flipped(attrs, 0), flipped(attrs, len(attrs)-1)} {
		_, err := tpl.Sign(cred.key, wrong)
		require.ErrorIs(t, err, cms.ErrAttributes)
		_, err = tpl.Finish(wrong, sig)
		require.ErrorIs(t, err, cms.ErrAttributes)
		require.ErrorIs(t, tpl.Check(wrong, sig), cms.ErrAttributes)
	}
	requireReason(t, tpl.Check(attrs, flipped(sig, len(sig)-1)), cms.ReasonSignature)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	other, err := tpl.Sign(stranger, attrs)
	require.NoError(t, err)
	requireReason(t, tpl.Check(attrs, other), cms.ReasonSignature)
	_, err = tpl.Finish(attrs, nil)
	require.Error(t, err)
	_, err = tpl.Finish(attrs, make([]byte, 200))
	require.Error(t, err)
}

func flipped(b []byte, i int) []byte {
	out := bytes.Clone(b)
	out[i] ^= 1
	return out
}

// recorder is a signer that notes what it was asked.
type recorder struct {
	crypto.Signer
	calls   int
	message []byte
	opts    crypto.SignerOpts
	err     error
}

func (r *recorder) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	r.calls++
	r.message, r.opts = bytes.Clone(digest), opts
	if r.err != nil {
		return nil, r.err
	}
	return r.Signer.Sign(rand, digest, opts)
}

// messageRecorder hashes for itself, as some remote keys do.
type messageRecorder struct{ recorder }

func (r *messageRecorder) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("only whole messages")
}

func (r *messageRecorder) SignMessage(rand io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	if h := opts.HashFunc(); h != 0 {
		message = digestOf(h, message)
	}
	return r.recorder.Sign(rand, message, opts)
}

func TestSignCallsTheSignerOnce(t *testing.T) {
	for _, c := range algorithmCases() {
		cred := certified(c.key())
		tpl, err := cms.NewTemplate(cred.cert, nil, c.alg)
		require.NoError(t, err)
		attrs := tpl.SignedAttributes(digestOf(c.alg.Hash(), document))

		r := &recorder{Signer: cred.key}
		sig, err := tpl.Sign(r, attrs)
		require.NoError(t, err)
		require.NoError(t, tpl.Check(attrs, sig))
		require.Equal(t, 1, r.calls)
		switch c.alg {
		case cms.Ed25519:
			require.Equal(t, attrs, r.message)
			require.Zero(t, r.opts.HashFunc())
			require.True(t, ed25519.Verify(cred.key.Public().(ed25519.PublicKey), attrs, sig))
		case cms.RSAPSSSHA256, cms.RSAPSSSHA384, cms.RSAPSSSHA512:
			require.Equal(t, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: c.alg.Hash()}, r.opts)
			require.Equal(t, digestOf(c.alg.Hash(), attrs), r.message)
		default:
			require.Equal(t, c.alg.Hash(), r.opts)
			require.Equal(t, digestOf(c.alg.Hash(), attrs), r.message)
		}

		m := &messageRecorder{recorder{Signer: cred.key}}
		sig, err = tpl.Sign(m, attrs)
		require.NoError(t, err)
		require.NoError(t, tpl.Check(attrs, sig))
		require.Equal(t, 1, m.calls)

		gone := errors.New("token removed")
		_, err = tpl.Sign(&recorder{Signer: cred.key, err: gone}, attrs)
		require.ErrorIs(t, err, gone)
	}
}

func TestUnsignedAttributes(t *testing.T) {
	cred := certified(keyP256())
	token := tlv(0x30, []byte{2, 1, 5})
	private := asn1.ObjectIdentifier{2, 999, 1 << 30}
	out := built(t, cred, cms.ECDSASHA256,
		cms.Attribute{Type: private, Values: [][]byte{tlv(4, []byte("b")), tlv(4, []byte("a"))}},
		cms.Attribute{Type: cms.TimestampToken(), Values: [][]byte{token}})
	sd, err := cms.Parse(out, nil)
	require.NoError(t, err)
	require.True(t, sd.DER)
	si := &sd.Signers[0]
	require.NoError(t, si.Verify(cred.cert, digestOf(crypto.SHA256, document)))
	require.Equal(t, [][]byte{token}, si.Unsigned(cms.TimestampToken()))
	require.Equal(t, [][]byte{tlv(4, []byte("a")), tlv(4, []byte("b"))}, si.Unsigned(private))
	require.Empty(t, si.Unsigned(cms.TSTInfo()))
	require.Equal(t, [][]byte{oidData}, si.Signed(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}))

	tpl, err := cms.NewTemplate(cred.cert, nil, cms.ECDSASHA256)
	require.NoError(t, err)
	attrs := tpl.SignedAttributes(digestOf(crypto.SHA256, document))
	for _, wrong := range []cms.Attribute{
		{}, {Type: private}, {Values: [][]byte{null}},
		{Type: asn1.ObjectIdentifier{1}, Values: [][]byte{null}},
		{Type: asn1.ObjectIdentifier{1, 2, -3}, Values: [][]byte{null}},
		{Type: private, Values: [][]byte{{}}},
		{Type: private, Values: [][]byte{{5, 0, 0}}},
		{Type: private, Values: [][]byte{{4, 9, 0}}},
	} {
		_, err := tpl.Finish(attrs, make([]byte, 70), wrong)
		require.Error(t, err)
	}
}

func TestAnotherContentTypeAttached(t *testing.T) {
	cred := certified(keyP256())
	tpl, err := cms.NewTemplateOf(cms.TSTInfo(), cred.cert, nil, cms.ECDSASHA256)
	require.NoError(t, err)
	attrs := tpl.SignedAttributes(digestOf(crypto.SHA256, document))
	sig, err := tpl.Sign(cred.key, attrs)
	require.NoError(t, err)
	out, err := tpl.FinishAttached(document, attrs, sig)
	require.NoError(t, err)
	sd, err := cms.Parse(out, nil)
	require.NoError(t, err)
	require.True(t, sd.DER)
	require.Equal(t, 3, sd.Version)
	require.True(t, sd.ContentType.Equal(cms.TSTInfo()))
	require.True(t, sd.HasContent)
	require.Equal(t, document, sd.Content)
	require.NoError(t, sd.Signers[0].Verify(cred.cert, digestOf(crypto.SHA256, sd.Content)))
}

func TestChainIsASetInOrder(t *testing.T) {
	cred := certified(keyP256())
	chain := []*x509.Certificate{cred.cert, authority().cert, nil, authority().cert}
	out := built(t, &credential{cert: cred.cert, chain: chain, key: cred.key}, cms.ECDSASHA256)
	sd, err := cms.Parse(out, nil)
	require.NoError(t, err)
	require.Len(t, sd.RawCertificates, 2)
	require.Negative(t, bytes.Compare(sd.RawCertificates[0], sd.RawCertificates[1]))
}

func TestTemplateIsSafeForConcurrentUse(t *testing.T) {
	cred := certified(keyP256())
	tpl, err := cms.NewTemplate(cred.cert, cred.chain, cms.ECDSASHA256)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			digest := digestOf(crypto.SHA256, []byte{byte(i)})
			attrs := tpl.SignedAttributes(digest)
			sig, err := tpl.Sign(cred.key, attrs)
			assert.NoError(t, err)
			out, err := tpl.Finish(attrs, sig)
			assert.NoError(t, err)
			sd, err := cms.Parse(out, nil)
			if assert.NoError(t, err) {
				assert.NoError(t, sd.Signers[0].Verify(cred.cert, digest))
			}
		})
	}
	wg.Wait()
}

func TestErrorsSayWhatIsWrong(t *testing.T) {
	for want, err := range map[string]error{
		"cms: malformed at byte 7: x":                                     &cms.ParseError{Offset: 7, What: "x"},
		"cms: more than 3 Certificates":                                   &cms.LimitError{Limit: "Certificates", Max: 3},
		"cms: signature not accepted (signature-mismatch): no":            &cms.VerifyError{Reason: cms.ReasonSignature, Detail: "no"},
		"cms: certificate 2: cms: key does not belong to the certificate": &cms.CertificateError{Index: 2, Err: cms.ErrKeyMismatch},
	} {
		require.EqualError(t, err, want)
	}
	require.NotErrorIs(t, &cms.ParseError{}, cms.ErrLimit)
	require.NotErrorIs(t, &cms.LimitError{}, cms.ErrMalformed)
	require.ErrorIs(t, &cms.CertificateError{Err: cms.ErrKeyMismatch}, cms.ErrKeyMismatch)
}

// TestSigningAllocations holds the hot path to a handful of allocations: the
// attributes and the ContentInfo.
func TestSigningAllocations(t *testing.T) {
	cred := certified(keyP256())
	tpl, err := cms.NewTemplate(cred.cert, cred.chain, cms.ECDSASHA256)
	require.NoError(t, err)
	digest := digestOf(crypto.SHA256, document)
	sig, err := tpl.Sign(cred.key, tpl.SignedAttributes(digest))
	require.NoError(t, err)
	got := testing.AllocsPerRun(100, func() {
		if _, err := tpl.Finish(tpl.SignedAttributes(digest), sig); err != nil {
			t.Fatal(err)
		}
	})
	require.LessOrEqual(t, got, 2.0)
}
