package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPrepareAndFinish: the key is used by openssl, between two runs of the command.
func TestPrepareAndFinish(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed: nothing signs the prepared message")
	}
	for _, algorithm := range []string{"p256", "rsa"} {
		t.Run(algorithm, func(t *testing.T) {
			dir, in := demo(t)
			tmp := t.TempDir()
			state, message, signature, out := filepath.Join(tmp, "state"), filepath.Join(tmp, "message"), filepath.Join(tmp, "signature"), filepath.Join(tmp, "out.pdf")
			prepare := []string{"prepare", "--dir", dir, "--account", "me", "--in", in, "--state", state, "--message", message, "--algorithm", algorithm, "--corner", "top-left"}
			finish := []string{"finish", "--dir", dir, "--in", in, "--state", state, "--signature", signature, "--out", out}
			number, _, _ := strings.Cut(ok(t, prepare...), " ")
			again, _, _ := strings.Cut(ok(t, prepare...), " ")
			require.Equal(t, number, again)
			require.Equal(t, 9, available(t, dir))

			require.NoError(t, os.WriteFile(signature, []byte("none"), 0o600))
			code, _, errOut := meterai(t, finish...)
			require.Equal(t, exitFailed, code)
			require.Contains(t, errOut, "signature")
			require.NoFileExists(t, out)

			key := filepath.Join(dir, "pki", "stamp-"+algorithm+".key")
			said, err := exec.Command("openssl", "dgst", "-sha256", "-sign", key, "-out", signature, message).CombinedOutput()
			require.NoError(t, err, "%s", said)
			require.Contains(t, ok(t, finish...), number)
			ok(t, "verify", "--dir", dir, out)
			first, err := os.ReadFile(out)
			require.NoError(t, err)
			ok(t, finish...)
			second, err := os.ReadFile(out)
			require.NoError(t, err)
			require.Equal(t, first, second)
			require.Equal(t, 9, available(t, dir))
			require.Contains(t, ok(t, "audit", "--dir", dir, "--json"), `"clean":true`)

			code, _, errOut = meterai(t, prepare...)
			require.Equal(t, exitFailed, code)
			require.Contains(t, errOut, "stamped already")
		})
	}
}

func TestFinishRefuses(t *testing.T) {
	dir, in := demo(t)
	tmp := t.TempDir()
	state, signature, out := filepath.Join(tmp, "state"), filepath.Join(tmp, "signature"), filepath.Join(tmp, "out.pdf")
	ok(t, "prepare", "--dir", dir, "--account", "me", "--in", in, "--state", state)
	require.NoError(t, os.WriteFile(signature, make([]byte, 70), 0o600))
	finish := func(in, state string) string {
		t.Helper()
		code, _, errOut := meterai(t, "finish", "--dir", dir, "--in", in, "--state", state, "--signature", signature, "--out", out)
		require.Equal(t, exitFailed, code)
		require.NoFileExists(t, out)
		return errOut
	}
	other := filepath.Join(tmp, "other.pdf")
	writeInput(t, other, "form.pdf")
	finish(other, state)
	finish(in, signature) // no state at all
	b, err := os.ReadFile(state)
	require.NoError(t, err)
	b[len(b)/2] ^= 1
	require.NoError(t, os.WriteFile(state, b, 0o600))
	require.Contains(t, finish(in, state), "damaged")

	elsewhere, in2 := demo(t)
	ok(t, "prepare", "--dir", elsewhere, "--account", "me", "--in", in2, "--state", state)
	require.Contains(t, finish(in, state), "certificate")
	require.Equal(t, 9, available(t, dir))
}
