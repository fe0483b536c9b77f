//go:build cgo

package main

import (
	"encoding/hex"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// softHSM makes a SoftHSM of the test's own and gives its library.
func softHSM(t *testing.T) (library string, util func(args ...string)) {
	t.Helper()
	for _, name := range []string{
		os.Getenv("METERAI_SOFTHSM"), "/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
		"/usr/lib64/pkcs11/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so",
	} {
		if _, err := os.Stat(name); library == "" && name != "" && err == nil {
			library = name
		}
	}
	if _, err := exec.LookPath("softhsm2-util"); library == "" || err != nil {
		t.Skip("SoftHSM is not installed: no token to stamp with")
	}
	tmp := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(tmp, "tokens"), 0o700))
	conf := filepath.Join(tmp, "softhsm2.conf")
	require.NoError(t, os.WriteFile(conf, []byte("directories.tokendir = "+filepath.Join(tmp, "tokens")+"\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600))
	t.Setenv("SOFTHSM2_CONF", conf)
	return library, func(args ...string) {
		t.Helper()
		out, err := exec.Command("softhsm2-util", args...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
}

// The e-seal's key in two tokens stamps and verifies; the certificate comes from a
// file, from the directory, or from the token.
func TestStampWithAToken(t *testing.T) {
	library, util := softHSM(t)
	dir, in := demo(t)
	tmp := t.TempDir()
	for _, token := range []string{"stamps", "spare"} {
		util("--init-token", "--free", "--label", token, "--pin", "1234", "--so-pin", "5678")
		for id, kind := range map[string]string{"01": "p256", "02": "rsa"} {
			util("--import", filepath.Join(dir, "pki", "stamp-"+kind+".key"), "--token", token, "--label", kind, "--id", id, "--pin", "1234")
		}
	}
	pin := filepath.Join(tmp, "pin")
	require.NoError(t, os.WriteFile(pin, []byte("1234\n"), 0o600))
	stamp := func(key string, more ...string) []string {
		return append([]string{"stamp", "--dir", dir, "--account", "me", "--in", in, "--out", filepath.Join(tmp, key+".pdf"), "--key", "order " + key,
			"--pkcs11", library, "--token", "stamps", "--token", "spare", "--key-label", key, "--pin-file", pin}, more...)
	}
	for _, key := range []string{"p256", "rsa"} {
		ok(t, stamp(key)...)
		ok(t, "verify", "--dir", dir, filepath.Join(tmp, key+".pdf"))
	}
	require.Equal(t, 8, available(t, dir))
	cert := filepath.Join(dir, "pki", "stamp-p256.pem")
	ok(t, stamp("p256", "--cert", cert)...) // the same stamp
	require.Equal(t, 8, available(t, dir))

	in2 := filepath.Join(tmp, "folder")
	require.NoError(t, os.Mkdir(in2, 0o700))
	writeInput(t, filepath.Join(in2, "a.pdf"), "classic.pdf")
	ok(t, "stamp", "--dir", dir, "--account", "me", "--in-dir", in2, "--out-dir", filepath.Join(tmp, "out"),
		"--pkcs11", library, "--token", "stamps", "--key-label", "p256", "--pin-file", pin, "--cert", cert)
	ok(t, "verify", "--dir", dir, filepath.Join(tmp, "out", "a.pdf"))
	require.Equal(t, 7, available(t, dir))

	if tool, err := exec.LookPath("pkcs11-tool"); err == nil {
		der := filepath.Join(tmp, "cert.der")
		text, err := os.ReadFile(cert)
		require.NoError(t, err)
		block, _ := pem.Decode(text)
		require.NoError(t, os.WriteFile(der, block.Bytes, 0o600))
		out, err := exec.Command(tool, "--module", library, "--token-label", "stamps", "--login", "--pin", "1234",
			"--write-object", der, "--type", "cert", "--id", hex.EncodeToString([]byte{1}), "--label", "p256").CombinedOutput()
		require.NoError(t, err, string(out))
		ok(t, stamp("p256", "--key", "with the certificate of the token")...)
		ok(t, "verify", "--dir", dir, filepath.Join(tmp, "p256.pdf"))
		require.Equal(t, 6, available(t, dir))
	}
	refusedTokens(t, dir, library, tmp, stamp)
}

// refusedTokens: what is wrong is said before a unit is taken.
func refusedTokens(t *testing.T, dir, library, tmp string, stamp func(string, ...string) []string) {
	t.Helper()
	wrong := filepath.Join(tmp, "wrong")
	require.NoError(t, os.WriteFile(wrong, []byte("9999\n"), 0o600))
	before := available(t, dir)
	for _, c := range []struct {
		name string
		more []string
		code int
		says string
	}{
		{"another certificate", []string{"--cert", filepath.Join(dir, "pki", "tsa.pem")}, exitFailed, "another public key"},
		{"no certificate", []string{"--cert", wrong}, exitFailed, "holds no certificate"},
		{"no such key", []string{"--key-label", "other"}, exitFailed, "no such key"},
		{"wrong PIN", []string{"--pin-file", wrong}, exitFailed, "tokens lock"},
		{"no PIN file", []string{"--pin-file", filepath.Join(tmp, "missing")}, exitFailed, "missing"},
		{"no such library", []string{"--pkcs11", filepath.Join(tmp, "missing.so")}, exitFailed, "cannot be loaded"},
		{"no library", []string{"--pkcs11", ""}, exitUsage, "need --pkcs11"},
		{"no key", []string{"--key-label", ""}, exitUsage, "--pkcs11 needs"},
	} {
		code, out, errs := meterai(t, stamp("p256", append(c.more, "--key", "refused")...)...)
		require.Equal(t, c.code, code, c.name)
		require.Contains(t, errs, c.says, c.name)
		require.NotContains(t, out+errs, "9999", c.name)
	}
	require.Equal(t, before, available(t, dir))
	code, _, errs := meterai(t, "stamp", "--dir", dir, "--account", "me", "--in", filepath.Join(tmp, "folder", "a.pdf"), "--out", filepath.Join(tmp, "none.pdf"),
		"--pkcs11", library, "--token", "other", "--key-label", "p256", "--pin-file", filepath.Join(tmp, "pin"))
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "pkcs11-tool")
}
