package verify

import (
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/testdata/pki"
)

// TestCache: a good signature is remembered as long as there is room, a bad one never is, and nothing that differs
// in what the check looks at passes for what was checked.
func TestCache(t *testing.T) {
	p, err := pki.New(nil)
	require.NoError(t, err)
	list := p.RevocationLists()[0]
	issuer := p.Root.Cert
	if list.CheckSignatureFrom(issuer) != nil {
		issuer = p.Issuing.Cert
	}
	require.NoError(t, list.CheckSignatureFrom(issuer))
	other := p.Root.Cert
	if issuer == other {
		other = p.Issuing.Cert
	}
	var c Cache
	for range 2 {
		require.True(t, c.signed(list, issuer))
		require.Len(t, c.good, 1)
		require.False(t, c.signed(list, other))
		for name, change := range map[string]func(*x509.RevocationList){
			"what is signed": func(l *x509.RevocationList) {
				l.RawTBSRevocationList = append([]byte{}, l.RawTBSRevocationList...)
				l.RawTBSRevocationList[20] ^= 1
			},
			"the signature": func(l *x509.RevocationList) { l.Signature = append([]byte{}, l.Signature...); l.Signature[9] ^= 1 },
			"the algorithm": func(l *x509.RevocationList) { l.SignatureAlgorithm = x509.ECDSAWithSHA384 },
		} {
			changed := *list
			change(&changed)
			require.False(t, c.signed(&changed, issuer), name)
		}
		require.Len(t, c.good, 1)
	}
	for i := range 2 * cached {
		require.True(t, c.signed(numbered(t, p, i), p.Root.Cert))
	}
	require.Len(t, c.good, cached)
	_, known := c.good[signedFact(list, issuer)]
	require.False(t, known, "the oldest had to go")
	require.True(t, c.signed(list, issuer))
}

// numbered is a list of the root.
func numbered(t *testing.T, p *pki.PKI, i int) *x509.RevocationList {
	t.Helper()
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(int64(i) + 1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour),
	}, p.Root.Cert, p.Root.Key)
	require.NoError(t, err)
	list, err := x509.ParseRevocationList(der)
	require.NoError(t, err)
	return list
}
