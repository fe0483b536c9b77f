package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// dummyConfig is a PKI for certomancer: a root, a key of each kind, and no secret.
const dummyConfig = `external-url-prefix: "http://localhost"
keysets:
  specimen:
    path-prefix: keys
    keys: {root: {path: root.pem}, rsa: {path: rsa.pem}, p256: {path: p256.pem}}
pki-architectures:
  specimen:
    keyset: specimen
    entity-defaults: {country-name: ID, organization-name: SPECIMEN}
    entities:
      root: {common-name: SPECIMEN CSC root}
      rsa: {common-name: SPECIMEN CSC RSA}
      p256: {common-name: SPECIMEN CSC P-256}
    certs:
      root:
        subject: root
        subject-key: root
        issuer: root
        authority-key: root
        validity: &validity {valid-from: "2020-01-01T00:00:00+0000", valid-to: "2120-01-01T00:00:00+0000"}
        extensions:
          - {id: basic_constraints, critical: true, value: {ca: true}}
          - {id: key_usage, critical: true, smart-value: {schema: key-usage, params: [key_cert_sign, crl_sign]}}
      rsa:
        subject: rsa
        subject-key: rsa
        issuer: root
        authority-key: root
        validity: *validity
        extensions:
          - &usage {id: key_usage, critical: true, smart-value: {schema: key-usage, params: [digital_signature, non_repudiation]}}
      p256:
        subject: p256
        subject-key: p256
        issuer: root
        authority-key: root
        validity: *validity
        extensions:
          - *usage
`

// dummy is the program of certomancer-csc-dummy, empty when there is none.
func dummy() string {
	if name := os.Getenv("METERAI_CSC_DUMMY"); name != "" {
		return name
	}
	name, err := exec.LookPath("certomancer-csc")
	if err != nil {
		return ""
	}
	return name
}

// startDummy starts it on a free port and gives its address.
func startDummy(t *testing.T) string {
	t.Helper()
	if dummy() == "" {
		t.Skip("certomancer-csc is not installed (pip install certomancer-csc-dummy; or METERAI_CSC_DUMMY names it): no service of somebody else to test with")
	}
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "keys"), 0o700))
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	keys := map[string]crypto.Signer{"rsa": rsaKey}
	for _, name := range []string{"root", "p256"} {
		keys[name], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
	}
	for name, key := range keys {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		b := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		require.NoError(t, os.WriteFile(filepath.Join(dir, "keys", name+".pem"), b, 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.yml"), []byte(dummyConfig), 0o600))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, dummy(), "config.yml", fmt.Sprint(port), "2") // 2: a SAD is for stated hashes alone
	cmd.Dir = dir
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { cancel(); _ = cmd.Wait(); log.Close() })
	base := fmt.Sprintf("http://127.0.0.1:%d/csc/v1", port)
	require.Eventually(t, func() bool {
		_, err := Dial(t.Context(), base, http.DefaultClient, nil)
		return err == nil
	}, time.Minute, 50*time.Millisecond, "the dummy service does not answer")
	return base
}

// TestDummy signs with a service that nobody here wrote, with RSA and P-256, through
// the whole program.
func TestDummy(t *testing.T) {
	base := startDummy(t)
	in, dir := document(t), t.TempDir()
	said, err := program(t, "--url", base)
	require.NoError(t, err)
	require.Contains(t, said, "specimen/p256\n")
	for _, id := range []string{"rsa", "p256"} {
		out := filepath.Join(dir, id+".pdf")
		said, err := program(t, "--url", base, "--credential", "specimen/"+id, "--in", in, "--out", out)
		require.NoError(t, err)
		require.Contains(t, said, "SPECIMEN CSC")
		intact(t, out)
	}
	c, err := Dial(t.Context(), base, http.DefaultClient, nil)
	require.NoError(t, err)
	cred, err := c.Credential(t.Context(), "specimen/rsa", nil)
	require.NoError(t, err)
	pss := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	sig, err := cred.SignContext(t.Context(), sum(1), pss)
	require.NoError(t, err)
	require.NoError(t, rsa.VerifyPSS(cred.Public().(*rsa.PublicKey), crypto.SHA256, sum(1), sig, pss))
	_, err = c.Credential(t.Context(), "specimen/nobody", nil)
	require.Error(t, err)
}
