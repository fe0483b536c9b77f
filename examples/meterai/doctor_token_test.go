//go:build cgo

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDoctorToken: the e-seal's key in a token of its own, and what may be wrong.
func TestDoctorToken(t *testing.T) {
	library := ""
	for _, name := range []string{
		os.Getenv("METERAI_SOFTHSM"), "/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
		"/usr/lib64/pkcs11/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so",
	} {
		if _, err := os.Stat(name); library == "" && name != "" && err == nil {
			library = name
		}
	}
	if _, err := exec.LookPath("softhsm2-util"); library == "" || err != nil {
		t.Skip("SoftHSM is not installed: no token to examine")
	}
	dir, _ := demo(t)
	tmp := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(tmp, "tokens"), 0o700))
	conf := filepath.Join(tmp, "softhsm2.conf")
	require.NoError(t, os.WriteFile(conf, []byte("directories.tokendir = "+filepath.Join(tmp, "tokens")+"\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600))
	t.Setenv("SOFTHSM2_CONF", conf)
	for _, args := range [][]string{
		{"--init-token", "--free", "--label", "stamps", "--pin", "1234", "--so-pin", "5678"},
		{"--import", filepath.Join(dir, "pki", "stamp-p256.key"), "--token", "stamps", "--label", "e-seal", "--id", "01", "--pin", "1234"},
	} {
		out, err := exec.Command("softhsm2-util", args...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	pin, wrong := filepath.Join(tmp, "pin"), filepath.Join(tmp, "wrong")
	require.NoError(t, os.WriteFile(pin, []byte("1234\n"), 0o600))
	require.NoError(t, os.WriteFile(wrong, []byte("9999\n"), 0o600))
	certificate := filepath.Join(dir, "pki", "stamp-p256.pem")
	base := []string{"--pkcs11", library, "--token", "stamps", "--key", "e-seal", "--pin-file", pin}
	code, r := examine(t, append(base, "--certificate", certificate)...)
	require.Zero(t, code, r)
	r.has(t, "token", statusOK, "signs, in")
	r.has(t, "token", statusOK, "is of this key")
	_, r = examine(t, base...)
	r.has(t, "token", statusWarn, "was not checked")
	for name, more := range map[string][]string{
		"another certificate": {"--certificate", filepath.Join(dir, "pki", "tsa.pem")},
		"no such token":       {"--token", "other"},
		"no such key":         {"--key", "other"},
		"wrong PIN":           {"--pin-file", wrong},
		"no PIN file":         {"--pin-file", filepath.Join(tmp, "missing")},
		"no such library":     {"--pkcs11", filepath.Join(tmp, "missing.so")},
	} {
		code, r := examine(t, append(base, more...)...)
		require.Equal(t, exitFailed, code, name)
		r.has(t, "token", statusFail, "")
		for _, f := range r.Checks {
			require.NotContains(t, f.Text+f.Do, "9999", name)
		}
	}
	_, r = examine(t, append(base, "--certificate", pin)...)
	r.has(t, "token certificate", statusFail, "holds none")
}
