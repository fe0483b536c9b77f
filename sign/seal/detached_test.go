package seal_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/seal"
)

// A signature over something else than a seal has one form, and is none of a seal.
func TestDetached(t *testing.T) {
	for _, signer := range signers(t) {
		k, err := seal.NewKey(signer.Public())
		require.NoError(t, err)
		message := []byte("meterai test v1\x00content")
		signature, err := k.SignDetached(signer, message)
		require.NoError(t, err)
		require.NoError(t, k.VerifyDetached(message, signature))
		require.ErrorIs(t, k.VerifyDetached(append(message, 0), signature), seal.ErrSignature)
		for i := range signature {
			bad := signature
			bad[i] ^= 1
			require.ErrorIs(t, k.VerifyDetached(message, bad), seal.ErrSignature)
		}
		var format *seal.FormatError
		_, err = k.SignDetached(signer, []byte("meterai seal v1\x00content"))
		require.ErrorAs(t, err, &format)

		s := sample(t)
		signed(t, s, signer)
		sealed, err := s.Message(k)
		require.NoError(t, err)
		require.NoError(t, s.Verify(k))
		require.ErrorIs(t, k.VerifyDetached(sealed, s.Signature), seal.ErrSignature, "the signature of a seal is of a seal alone")
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	k, err := seal.NewKey(&other.PublicKey)
	require.NoError(t, err)
	_, err = k.SignDetached(signers(t)["Ed25519"], []byte("meterai test v1\x00"))
	require.Error(t, err, "a signer of another key")
}
