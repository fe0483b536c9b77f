package cms_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/cms"
)

var mldsaCases = []struct {
	alg       cms.Algorithm
	name      string
	arc       int
	publicKey int // bytes
	signature int
}{
	{cms.MLDSA44, "ML-DSA-44", 17, 1312, 2420},
	{cms.MLDSA65, "ML-DSA-65", 18, 1952, 3309},
	{cms.MLDSA87, "ML-DSA-87", 19, 2592, 4627},
}

func TestMLDSANames(t *testing.T) {
	for _, c := range mldsaCases {
		require.Equal(t, c.name, c.alg.String())
		require.Equal(t, "SHA-512", c.alg.Hash().String())
	}
	require.Contains(t, (cms.MLDSA87 + 1).String(), "Algorithm(")
	_, err := cms.NewTemplate(certified(keyP256()).cert, nil, cms.MLDSA65)
	require.ErrorIs(t, err, cms.ErrAlgorithm)
}

// identifier is the AlgorithmIdentifier of ML-DSA as a parser gives it: read back from
// a signature that names it.
func identifier(t testing.TB, arc int) cms.AlgorithmIdentifier {
	t.Helper()
	named := tlv(0x30, oid(2, 16, 840, 1, 101, 3, 4, 3, arc))
	sd, err := cms.Parse(spec{sigID: named, signature: []byte{1}}.build(), nil)
	require.NoError(t, err)
	return sd.Signers[0].SignatureAlgorithm
}
