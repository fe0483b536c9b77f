package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial/postgres"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

// startPostgres runs a server and gives its connection string, or skips.
func startPostgres(t *testing.T) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		t.Skip("PostgreSQL is not installed: no database to test with")
	}
	bin := filepath.Dir(found[len(found)-1])
	dir, err := os.MkdirTemp("", "portal-postgres-") // a path that another user may reach
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	var as *syscall.SysProcAttr
	if os.Getuid() == 0 { // PostgreSQL refuses root
		u, err := user.Lookup("postgres")
		require.NoError(t, err)
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		require.NoError(t, os.Chown(dir, uid, gid))
		as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(bin, name), args...)
		cmd.SysProcAttr, cmd.Dir, cmd.Env = as, dir, append(os.Environ(), "LC_ALL=C")
		return cmd
	}
	data := filepath.Join(dir, "data")
	out, err := command("initdb", "-D", data, "-U", "meterai", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput()
	require.NoError(t, err, string(out))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	server := command("postgres", "-D", data, "-p", strconv.Itoa(port), "-h", "127.0.0.1", "-k", dir)
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGQUIT)
		_ = server.Wait() // its status is that of the signal
	})
	return fmt.Sprintf("postgres://meterai@127.0.0.1:%d/postgres?sslmode=disable", port)
}

// startToken makes a SoftHSM token with the specimen's keys, or skips. The PKI
// is written as that of a portal in dir.
func startToken(t *testing.T, dir string) *tokenConfig {
	t.Helper()
	module := "/usr/lib/softhsm/libsofthsm2.so"
	if _, err := os.Stat(module); err != nil {
		t.Skip("SoftHSM is not installed: no token to test with")
	}
	tokens := filepath.Join(dir, "tokens")
	require.NoError(t, os.Mkdir(tokens, 0o700))
	conf := filepath.Join(dir, "softhsm2.conf")
	require.NoError(t, os.WriteFile(conf, []byte("directories.tokendir = "+tokens+"\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600))
	t.Setenv("SOFTHSM2_CONF", conf)
	run := func(args ...string) {
		out, err := exec.Command("softhsm2-util", args...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	run("--init-token", "--free", "--label", "stamps", "--pin", "87654321", "--so-pin", "5678")
	p, err := pki.New(nil)
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "specimen"), 0o700))
	require.NoError(t, p.Write(filepath.Join(dir, "specimen", "pki")))
	trust, err := specimenTrust(p)
	require.NoError(t, err)
	require.NoError(t, writeRecord(filepath.Join(dir, "specimen", "seal-trust.json"), trust))
	for n, key := range []struct {
		label string
		key   crypto.Signer
	}{{"e-seal", p.StampP256.Key}, {"seal", p.SealP256}} {
		der, err := x509.MarshalPKCS8PrivateKey(key.key)
		require.NoError(t, err)
		file := filepath.Join(dir, "key.pem")
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
		run("--import", file, "--token", "stamps", "--pin", "87654321", "--label", key.label, "--id", fmt.Sprintf("0%d", n+1))
	}
	pin, cert := filepath.Join(dir, "pin"), filepath.Join(dir, "e-seal.pem")
	require.NoError(t, os.WriteFile(pin, []byte("87654321\n"), 0o600))
	require.NoError(t, os.WriteFile(cert, p.StampP256.PEM(), 0o600))
	return &tokenConfig{Module: module, Label: "stamps", PINFile: pin, Key: "e-seal", Certificate: cert, SealKey: "seal", Specimen: true}
}

// TestProduction runs on PostgreSQL with the keys in a token.
func TestProduction(t *testing.T) {
	trusted := t.TempDir()
	c := config{Listen: "127.0.0.1:0", Dir: t.TempDir(), Database: startPostgres(t), Token: startToken(t, trusted)}
	require.Eventually(t, func() bool { return postgres.Migrate(t.Context(), c.Database, nil) == nil }, guard, 100*time.Millisecond)
	text, err := json.Marshal(c)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "portal.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	require.NoError(t, run(t.Context(), []string{"--config", file, "--migrate"}, io.Discard, io.Discard), "again it does nothing")

	cmd, address := startProcess(t, c)
	p := &portal{url: address}
	b := p.browser(t)
	b.register("ada")
	b.buy(2, "pay")
	d := b.upload("a.pdf", testPDF(t, "rotate-90.pdf"))
	done := b.press(d, "100", "100")
	link := stampLink.FindStringSubmatch(done.body)
	require.NotNil(t, link, done.alert())
	stamped := b.get(link[1])
	require.Equal(t, http.StatusOK, stamped.status)
	requirePassed(t, trusted, []byte(stamped.body))
	require.Equal(t, "1 unit", b.units())
	require.NoFileExists(t, filepath.Join(c.Dir, "specimen", "ledger.db-wal"), "the embedded ledger is not used")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait(), "it ends in order")
}

func TestConfig(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "portal.json")
	for text, wrong := range map[string]string{
		`{"listne": "x"}`: "unknown field", `{"url": "portal.example.id"}`: "url", `{"url": "https://portal.example.id/x"}`: "url", `{`: "EOF",
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, _, err := readConfig([]string{"--config", file}, io.Discard)
		require.ErrorContains(t, err, wrong)
	}
	require.NoError(t, os.WriteFile(file, []byte(`{"url": "https://portal.example.id", "dir": "/x", "limits": {"upload": 9}}`), 0o600))
	c, migrate, err := readConfig([]string{"--config", file, "--dir", dir}, io.Discard)
	require.NoError(t, err)
	require.False(t, migrate)
	require.Equal(t, dir, c.Dir)
	require.EqualValues(t, 9, c.Limits.Upload)
	require.Equal(t, 20, c.Limits.Waiting)
	_, _, err = readConfig([]string{"more"}, io.Discard)
	require.Error(t, err)
}

// TestSecure: over https cookies are for https alone.
func TestSecure(t *testing.T) {
	p := startPortal(t, func(c *config) { c.URL = "https://portal.example.id" })
	got := p.browser(t).get("/signin")
	require.NotEmpty(t, got.header.Get("Strict-Transport-Security"))
	for _, line := range got.header.Values("Set-Cookie") {
		require.Contains(t, line, "__Host-")
		require.Contains(t, line, "Secure")
	}
	require.False(t, bytes.Contains([]byte(p.logs.String()), p.secret))
}
