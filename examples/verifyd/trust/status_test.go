package trust_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/examples/verifyd/trust"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

// TestStatusList: a list counts only when the seal trust names its key.
func TestStatusList(t *testing.T) {
	p, err := pki.New(nil)
	require.NoError(t, err)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	key, err := seal.NewKey(public)
	require.NoError(t, err)
	now := time.Now().UTC().Truncate(time.Second)
	list, err := (&verify.StatusListDraft{Number: 1, Issued: now, NextUpdate: now.Add(time.Hour), Specimen: true}).Sign(private)
	require.NoError(t, err)
	e, err := verify.TrustKey(p.SealP256.Public())
	require.NoError(t, err)
	e.Issuers, e.Epochs, e.NotBefore, e.Currency, e.Specimen = []string{"ZZ"}, []string{"0"}, now, "IDR", true
	seals := func() []byte {
		b, err := json.Marshal(map[string]any{"entries": []verify.SealTrustEntry{e}})
		require.NoError(t, err)
		return b
	}
	_, err = trust.Parse(p.RootsPEM(), nil, seals(), list)
	require.Error(t, err, "a list of nobody's")
	e.ListKeys = []string{base64.StdEncoding.EncodeToString(key.SPKI())}
	set, err := trust.Parse(p.RootsPEM(), nil, seals(), list)
	require.NoError(t, err)
	require.Len(t, set.Options().Lists, 1)

	dir := t.TempDir()
	write := func(name string, b []byte) string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, b, 0o600))
		return file
	}
	files := &trust.Files{Roots: write("roots.pem", p.RootsPEM()), SealTrust: write("seals.json", seals()), Status: []string{write("status.bin", list)}}
	set, err = trust.Load(files)
	require.NoError(t, err)
	require.Len(t, set.Lists, 1)
	again, err := files.ReadStatus()
	require.NoError(t, err)
	require.Equal(t, [][]byte{list}, again)
	files.Status = []string{filepath.Join(dir, "missing")}
	_, err = trust.Load(files)
	require.Error(t, err)
}
