//go:build go1.27

package cms_test

import (
	"crypto"
	"crypto/mldsa"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/cms"
)

func mldsaKey(t testing.TB, alg cms.Algorithm) *mldsa.PrivateKey {
	t.Helper()
	params := map[cms.Algorithm]mldsa.Parameters{cms.MLDSA44: mldsa.MLDSA44(), cms.MLDSA65: mldsa.MLDSA65(), cms.MLDSA87: mldsa.MLDSA87()}[alg]
	key, err := mldsa.GenerateKey(params)
	require.NoError(t, err)
	return key
}

func TestMLDSARoundTrip(t *testing.T) {
	for _, c := range mldsaCases {
		t.Run(c.name, func(t *testing.T) {
			key := mldsaKey(t, c.alg)
			cred := certified(key)
			alg, err := cms.AlgorithmOf(cred.cert)
			require.NoError(t, err)
			require.Equal(t, c.alg, alg)
			der := built(t, cred, alg)
			require.Equal(t, must(cms.NewTemplate(cred.cert, cred.chain, alg)).MaxSize(), len(der))
			res, err := verified(der, cred.cert, nil)
			require.NoError(t, err)
			require.Equal(t, c.name, res.Algorithm)

			sd, err := cms.Parse(der, nil)
			require.NoError(t, err)
			require.True(t, sd.DER)
			si := sd.Signers[0]
			require.Len(t, si.Signature, c.signature)
			require.Equal(t, identifier(t, c.arc).Algorithm, si.SignatureAlgorithm.Algorithm)
			require.Nil(t, si.SignatureAlgorithm.Parameters)
			// The attributes are what is signed: no digest, no context.
			require.NoError(t, mldsa.Verify(key.PublicKey(), si.RawSignedAttributes, si.Signature, nil))

			for _, i := range []int{0, len(si.Signature) / 2, len(si.Signature) - 1} {
				bad := si
				bad.Signature = flipped(si.Signature, i)
				requireReason(t, bad.Verify(cred.cert, digestOf(crypto.SHA512, document)), cms.ReasonSignature)
			}
			bad := si
			bad.Signature = si.Signature[:c.signature-1]
			requireReason(t, bad.Verify(cred.cert, digestOf(crypto.SHA512, document)), cms.ReasonSignature)
			bad = si
			bad.SignatureAlgorithm.Parameters = []byte{5, 0}
			requireReason(t, bad.Verify(cred.cert, digestOf(crypto.SHA512, document)), cms.ReasonInconsistent)
			for _, other := range mldsaCases {
				if other.alg != c.alg {
					bad = si
					bad.SignatureAlgorithm = identifier(t, other.arc)
					requireReason(t, bad.Verify(cred.cert, digestOf(crypto.SHA512, document)), cms.ReasonInconsistent)
				}
			}
		})
	}
}

// The document's hash function must not be weaker than the signature (RFC 9882, 3.3).
func TestMLDSADigests(t *testing.T) {
	for _, c := range mldsaCases {
		cred := certified(mldsaKey(t, c.alg))
		sd, err := cms.Parse(built(t, cred, c.alg), nil)
		require.NoError(t, err)
		for hash, fewest := range map[crypto.Hash]int{
			crypto.SHA1: 0, crypto.SHA224: 0, crypto.SHA256: 44, crypto.SHA384: 65, crypto.SHA512: 87,
			crypto.SHA3_256: 44, crypto.SHA3_384: 65, crypto.SHA3_512: 87,
		} {
			si := sd.Signers[0]
			si.DigestAlgorithm = hash
			got := si.Verify(cred.cert, digestOf(hash, document))
			level := map[cms.Algorithm]int{cms.MLDSA44: 44, cms.MLDSA65: 65, cms.MLDSA87: 87}[c.alg]
			switch {
			case hash == crypto.SHA512:
				require.NoError(t, got)
			case fewest >= level: // strong enough, but not what was signed
				requireReason(t, got, cms.ReasonDigestMismatch)
			default:
				requireReason(t, got, cms.ReasonInconsistent)
			}
		}
	}
}

// A certificate with a broken key is refused, and so is a signer without a key.
func TestMLDSARefuses(t *testing.T) {
	for _, c := range mldsaCases {
		other := certified(mldsaKey(t, c.alg))
		tmpl := must(cms.NewTemplate(other.cert, nil, c.alg))
		require.ErrorIs(t, tmpl.Owns(mldsaKey(t, c.alg).Public()), cms.ErrKeyMismatch)
		require.NoError(t, tmpl.Owns(other.key.Public()))
		attrs := tmpl.SignedAttributes(digestOf(crypto.SHA512, document))
		sig, err := tmpl.Sign(mldsaKey(t, c.alg), attrs)
		require.NoError(t, err)
		requireReason(t, tmpl.Check(attrs, sig), cms.ReasonSignature)
		_, err = cms.NewTemplate(other.cert, nil, cms.Ed25519)
		require.ErrorIs(t, err, cms.ErrAlgorithm)
	}
}
