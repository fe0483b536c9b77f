//go:build cgo

package main

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/testdata/pki"
)

// softHSM is the library of SoftHSM, empty when it or its program is missing.
func softHSM() string {
	if _, err := exec.LookPath("softhsm2-util"); err != nil {
		return ""
	}
	for _, name := range []string{
		os.Getenv("METERAI_SOFTHSM"), "/usr/lib/softhsm/libsofthsm2.so",
		"/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so",
		"/usr/local/lib/softhsm/libsofthsm2.so",
	} {
		if _, err := os.Stat(name); name != "" && err == nil {
			return name
		}
	}
	return ""
}

// The key is in a token and never leaves it. SoftHSM reads where its tokens are once, so
// the command runs in a process of its own.
func TestToken(t *testing.T) {
	if softHSM() == "" {
		t.Skip("SoftHSM is not installed: no token to sign with")
	}
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string, b []byte) { require.NoError(t, os.WriteFile(path(name), b, 0o600)) }
	p, err := pki.New(nil)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(p.StampRSA.Key.(crypto.PrivateKey))
	require.NoError(t, err)
	write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	var chain []byte
	for _, c := range append([]*x509.Certificate{p.StampRSA.Cert}, p.StampRSA.Chain...) {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	write("chain.pem", chain)
	write("pin", []byte("1234\n"))
	require.NoError(t, os.Mkdir(path("tokens"), 0o700))
	write("softhsm2.conf", []byte("directories.tokendir = "+path("tokens")+"\nobjectstore.backend = file\nlog.level = ERROR\n"))
	t.Setenv("SOFTHSM2_CONF", path("softhsm2.conf"))
	for _, args := range [][]string{
		{"--init-token", "--free", "--label", "stamps", "--pin", "1234", "--so-pin", "5678"},
		{"--import", path("key.pem"), "--token", "stamps", "--label", "e-seal", "--id", "01", "--pin", "1234"},
	} {
		said, err := exec.Command("softhsm2-util", args...).CombinedOutput()
		require.NoError(t, err, "%s", said)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestTokenProcess$", "-test.v")
	cmd.Env = append(os.Environ(), tokenFolder+"="+dir)
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", said)
	require.Contains(t, string(said), "signature: TOTAL-PASSED")
	valid(t, path("out.pdf"))
}

const tokenFolder = "METERAI_PDFSIGN_TOKEN_FOLDER"

// TestTokenProcess is the process that TestToken starts.
func TestTokenProcess(t *testing.T) {
	dir := os.Getenv(tokenFolder)
	if dir == "" {
		return
	}
	var said bytes.Buffer
	require.NoError(t, run(t.Context(), []string{
		"--module", softHSM(), "--token", "stamps", "--key-label", "e-seal", "--pin-file", filepath.Join(dir, "pin"),
		"--certificate", filepath.Join(dir, "chain.pem"), "--out", filepath.Join(dir, "out.pdf"),
	}, &said))
	_, err := os.Stdout.Write(said.Bytes())
	require.NoError(t, err)
}
