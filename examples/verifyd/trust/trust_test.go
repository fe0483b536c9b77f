package trust_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/examples/verifyd/trust"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

func TestRoundTrip(t *testing.T) {
	p, err := pki.New(nil)
	require.NoError(t, err)
	set, err := trust.Parse(p.RootsPEM(), p.CRLs[0], nil)
	require.NoError(t, err)
	require.Len(t, set.Roots, 1)
	require.Len(t, set.CRLs, 1)
	require.Nil(t, set.SealTrust)
	again, err := trust.Parse(set.RootsPEM(), set.CRLsPEM(), []byte(`{"entries":[]}`))
	require.NoError(t, err)
	require.Equal(t, set.Roots, again.Roots)
	require.Equal(t, set.NextUpdate(), again.NextUpdate())
	require.NotNil(t, again.Options().Roots)
	none, err := trust.Parse(p.RootsPEM(), []byte(" \n"), nil)
	require.NoError(t, err)
	require.Empty(t, none.CRLs)
	require.True(t, none.NextUpdate().IsZero())
}

func TestRefused(t *testing.T) {
	p, err := pki.New(nil)
	require.NoError(t, err)
	key, err := p.StampP256.KeyPEM()
	require.NoError(t, err)
	list := (&trust.Set{CRLs: p.RevocationLists()}).CRLsPEM()
	for name, test := range map[string]struct{ roots, crls, seals []byte }{
		"no roots":             {},
		"a key for a root":     {roots: key},
		"a list for a root":    {roots: list},
		"a root for a list":    {roots: p.RootsPEM(), crls: p.RootsPEM()},
		"no list":              {roots: p.RootsPEM(), crls: []byte("hello")},
		"no certificate in it": {roots: []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")},
		"no list in it":        {roots: p.RootsPEM(), crls: []byte("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n")},
		"no seal list":         {roots: p.RootsPEM(), seals: []byte("{}x")},
	} {
		_, err := trust.Parse(test.roots, test.crls, test.seals)
		require.Error(t, err, name)
	}
	_, err = trust.Parse(nil, nil, nil)
	require.ErrorIs(t, err, trust.ErrEmpty)
	var wrong *verify.TrustError
	_, err = trust.Parse(p.RootsPEM(), nil, []byte("{"))
	require.ErrorAs(t, err, &wrong)
}

func TestLoad(t *testing.T) {
	p, err := pki.New(nil)
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, p.Write(filepath.Join(dir, "pki")))
	seals := filepath.Join(dir, "seal-trust.json")
	require.NoError(t, os.WriteFile(seals, []byte(`{"entries":[]}`), 0o600))
	set, err := trust.Load(&trust.Files{Dir: dir})
	require.NoError(t, err)
	require.Len(t, set.CRLs, 2)
	roots := filepath.Join(dir, "pki", pki.RootFile)
	for _, files := range []trust.Files{
		{}, {Roots: dir}, {Roots: filepath.Join(dir, "missing")}, {Roots: roots, CRLs: []string{seals}}, {Roots: roots, CRLs: []string{os.DevNull}},
		{Roots: roots, SealTrust: roots}, {Roots: roots, SealTrust: filepath.Join(dir, "missing")},
	} {
		_, err := trust.Load(&files)
		require.Error(t, err, files)
	}
}
