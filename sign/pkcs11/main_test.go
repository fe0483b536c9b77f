//go:build cgo

package pkcs11_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/pkcs11"
)

const (
	pin   = "1234"
	guard = 60 * time.Second
)

// The keys in each token, by label. The identifiers are equal in all tokens.
var keyIDs = map[string][]byte{"rsa": {1}, "p256": {2}, "p384": {3}, "p521": {7}, "other": {4}, "ed": {5}, "twice": {6}}

// library is SoftHSM's, empty when it or its program is missing.
func library() string {
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

// TestMain makes the tokens before the library is loaded, which reads its
// configuration once.
func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if library() == "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "meterai-softhsm-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := makeTokens(dir); err != nil {
		fmt.Fprintln(os.Stderr, "tokens:", err)
		return 1
	}
	return m.Run()
}

func makeTokens(dir string) error {
	tokens := filepath.Join(dir, "tokens")
	conf := filepath.Join(dir, "softhsm2.conf")
	text := "directories.tokendir = " + tokens + "\nobjectstore.backend = file\nlog.level = ERROR\n"
	if err := os.Mkdir(tokens, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return err
	}
	if err := os.Setenv("SOFTHSM2_CONF", conf); err != nil {
		return err
	}
	for _, label := range []string{"one", "two"} {
		out, err := exec.Command("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", "5678").CombinedOutput()
		if err != nil {
			return fmt.Errorf("softhsm2-util: %w: %s", err, out)
		}
	}
	// The same private keys are imported into both tokens.
	return importKeys(dir, "one", "two")
}

// need skips when there is no SoftHSM.
func need(t testing.TB) {
	t.Helper()
	if library() == "" {
		t.Skip("SoftHSM is not installed: no token to test with")
	}
}

func ask(context.Context, pkcs11.TokenConfig) ([]byte, error) { return []byte(pin), nil }

func config(label string, tokens ...string) *pkcs11.KeyConfig {
	cfg := &pkcs11.KeyConfig{ID: keyIDs[label], Label: label, PIN: ask}
	for _, name := range tokens {
		cfg.Tokens = append(cfg.Tokens, pkcs11.TokenConfig{Label: name})
	}
	return cfg
}

// openModule opens a module over a library of the test's own.
func openModule(t testing.TB, lib pkcs11.Cryptoki, opt *pkcs11.Options) *pkcs11.Module {
	t.Helper()
	m, err := pkcs11.OpenLibrary(lib, opt)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

func openSigner(t testing.TB, m *pkcs11.Module, cfg *pkcs11.KeyConfig) *pkcs11.Signer {
	t.Helper()
	s, err := m.Signer(context.Background(), cfg)
	require.NoError(t, err)
	return s
}

func softHSM(t testing.TB) *p11.Ctx {
	t.Helper()
	need(t)
	lib := p11.New(library())
	require.NotNil(t, lib)
	return lib
}

func digest(n int) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "document %d", n))
	return sum[:]
}

// checkSignature checks a signature over digest with SHA-256, or over a message with
// Ed25519, independently of the package.
func checkSignature(t testing.TB, pub crypto.PublicKey, digest, sig []byte) {
	t.Helper()
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		require.NoError(t, rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest, sig))
	case *ecdsa.PublicKey:
		require.True(t, ecdsa.VerifyASN1(pub, digest, sig))
	case ed25519.PublicKey:
		require.True(t, ed25519.Verify(pub, digest, sig))
	default:
		require.FailNow(t, "public key", "%T", pub)
	}
}
