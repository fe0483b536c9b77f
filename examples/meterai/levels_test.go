package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/testdata/pdfs"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/testdata/pki/pkiserver"
)

// services runs what the command pki runs, for the PKI of a directory.
func services(t *testing.T, dir string) (tsa string, service *pkiserver.Service) {
	t.Helper()
	p, err := pki.Load(home{dir}.pki(), nil)
	require.NoError(t, err)
	service, err = pkiserver.New(p, nil)
	require.NoError(t, err)
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	return server.URL + "/tsa", service
}

// signaturesOf verifies a document with the directory's trust.
func signaturesOf(t *testing.T, dir, file string) []struct{ Indication, Level string } {
	t.Helper()
	var report struct {
		Indication string
		Signatures []struct{ Indication, Level string }
	}
	require.NoError(t, json.Unmarshal([]byte(ok(t, "verify", "--dir", dir, "--json", file)), &report))
	require.Equal(t, "TOTAL-PASSED", report.Indication)
	return report.Signatures
}

func TestLevels(t *testing.T) {
	dir, in := demo(t)
	tsa, service := services(t, dir)
	for level, count := range map[string]int{"b-t": 1, "b-lt": 1, "b-lta": 2} {
		out := filepath.Join(t.TempDir(), "out.pdf")
		ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out, "--level", level, "--tsa", tsa, "--key", level)
		list := signaturesOf(t, dir, out)
		require.Len(t, list, count, level)
		require.Equal(t, strings.ToUpper(level), list[0].Level)

		// The same document again, without another signature or timestamp.
		first, err := os.ReadFile(out)
		require.NoError(t, err)
		asked := service.Requests("/tsa")
		ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out, "--level", level, "--tsa", tsa, "--key", level)
		again, err := os.ReadFile(out)
		require.NoError(t, err)
		require.Equal(t, first, again)
		require.Equal(t, asked, service.Requests("/tsa"))
	}
	require.Equal(t, 7, available(t, dir))
}

// TestAuthorityIsDown: no unit is lost and nothing is called a timestamp that is none.
func TestAuthorityIsDown(t *testing.T) {
	dir, in := demo(t)
	tsa, service := services(t, dir)
	service.SetFault("/tsa", pkiserver.Fault{HTTPStatus: 503})
	out := filepath.Join(t.TempDir(), "out.pdf")
	args := []string{"stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out, "--level", "b-lta", "--tsa", tsa}
	code, _, errOut := meterai(t, args...)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errOut, "run the command again later")
	require.NoFileExists(t, out)
	service.SetFault("/tsa", pkiserver.Fault{})
	ok(t, args...)
	require.Len(t, signaturesOf(t, dir, out), 2)
	require.Equal(t, 9, available(t, dir), "one unit for both attempts")

	service.SetFault("/tsa", pkiserver.Fault{HTTPStatus: 503})
	code, said, errOut := meterai(t, append(args, "--key", "owed", "--owed", "--json")...)
	require.Zero(t, code, errOut)
	require.Contains(t, said, "the timestamp is owed")
	require.Len(t, signaturesOf(t, dir, out), 1)
	better := filepath.Join(t.TempDir(), "better.pdf")
	extend := []string{"extend", "--dir", dir, "--in", out, "--out", better, "--tsa", tsa}
	code, _, _ = meterai(t, extend...)
	require.Equal(t, exitFailed, code)
	require.NoFileExists(t, better)
	service.SetFault("/tsa", pkiserver.Fault{})
	require.Contains(t, ok(t, extend...), "timestamp ")
	require.Len(t, signaturesOf(t, dir, better), 2)
}

func TestLevelUsage(t *testing.T) {
	dir, in := demo(t)
	for _, args := range [][]string{
		{"--level", "b-x"}, {"--level", "b-t"}, {"--tsa", "http://127.0.0.1:1/"}, {"--level", "b-t", "--tsa", "ftp://x/"},
	} {
		code, _, _ := meterai(t, append([]string{"stamp", "--dir", dir, "--account", "me", "--in", in, "--out", in + ".out"}, args...)...)
		require.Equal(t, exitUsage, code, args)
	}
	for _, args := range [][]string{{"--level", "b-b"}, {}, {"--level", "b-b", "--tsa", "http://127.0.0.1:1/"}} {
		code, _, _ := meterai(t, append([]string{"extend", "--dir", dir, "--in", in, "--out", in + ".out"}, args...)...)
		require.Equal(t, exitUsage, code, args)
	}
	code, _, errOut := meterai(t, "extend", "--dir", dir, "--in", in, "--out", in+".out", "--tsa", "http://127.0.0.1:1/", "--level", "b-lt")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errOut, "no signature")
}

// TestPKICommand: it says where it listens, answers, and ends when it is interrupted.
func TestPKICommand(t *testing.T) {
	dir, _ := demo(t)
	ctx, stop := context.WithCancel(t.Context())
	r, w := io.Pipe()
	root := newRoot()
	root.SetArgs([]string{"pki", "--dir", dir, "--listen", "127.0.0.1:0"})
	root.SetOut(w)
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, root) }()
	lines := bufio.NewScanner(r)
	var crl string
	for range 4 {
		require.True(t, lines.Scan())
		if what, address, ok := strings.Cut(lines.Text(), " "); ok && what == "CRL" && crl == "" {
			crl = strings.TrimSpace(address)
		}
	}
	resp, err := http.Get(crl)
	require.NoError(t, err)
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	_, err = x509.ParseRevocationList(got)
	require.NoError(t, err)
	stop()
	require.Zero(t, <-ended)
}

// TestPasswordFile: an encrypted document is stamped with its password, which no flag shows.
func TestPasswordFile(t *testing.T) {
	dir, in := demo(t)
	writeInput(t, in, "encrypted-password.pdf")
	out := filepath.Join(t.TempDir(), "out.pdf")
	stamp := []string{"stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out}
	code, _, errOut := meterai(t, stamp...)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errOut, "--password-file")
	secret := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(secret, []byte("falsch\n"), 0o600))
	code, _, errOut = meterai(t, append(stamp, "--password-file", secret)...)
	require.Equal(t, exitFailed, code)
	require.NotContains(t, errOut, "falsch")
	require.Equal(t, 10, available(t, dir))
	require.NoError(t, os.WriteFile(secret, []byte(pdfs.OwnerPassword+"\r\nmore\n"), 0o600))
	ok(t, append(stamp, "--password-file", secret)...)
	require.Equal(t, 9, available(t, dir))
	code, _, _ = meterai(t, "verify", "--dir", dir, out)
	require.Equal(t, 3, code, "unreadable without the password")
	require.Contains(t, ok(t, "verify", "--dir", dir, "--password-file", secret, out), "every signature is good")
	code, _, _ = meterai(t, append(stamp, "--password-file", secret+".none")...)
	require.Equal(t, exitFailed, code)
}
