//go:build unix

package main

import (
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial/postgres"
)

// TestDoctorDatabase: a server of its own, healthy and with wrong settings.
func TestDoctorDatabase(t *testing.T) {
	conn := startPostgres(t)
	_, r := examine(t, "--database", conn)
	r.has(t, "database", statusOK, "a primary")
	r.has(t, "database", statusFail, "schema")
	r.has(t, "standby", statusWarn, "none is synchronous")
	require.NoError(t, postgres.Migrate(t.Context(), conn, nil))
	code, r := examine(t, "--database", conn)
	require.Zero(t, code, r)
	r.has(t, "database", statusOK, "the audit finds nothing")
	r.has(t, "database clock", statusOK, "agrees")

	exec := func(sql string) {
		c, err := pgx.Connect(t.Context(), conn)
		require.NoError(t, err)
		defer c.Close(t.Context())
		_, err = c.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	exec("ALTER ROLE CURRENT_USER SET synchronous_commit = off")
	_, r = examine(t, "--database", conn)
	r.has(t, "database", statusFail, "synchronous_commit is off")
	exec("ALTER ROLE CURRENT_USER RESET synchronous_commit")
	exec("ALTER SYSTEM SET synchronous_standby_names = 'missing'")
	exec("SELECT pg_reload_conf()")
	require.Eventually(t, func() bool {
		_, r := examine(t, "--database", conn)
		return slices.ContainsFunc(r.Checks, func(f finding) bool { return f.Check == "standby" && f.Status == statusFail })
	}, time.Minute, 100*time.Millisecond)
}

// startPostgres runs a private server without a password on a socket of the test's
// own, and gives its connection string.
func startPostgres(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	require.NoError(t, err)
	if path, err := exec.LookPath("initdb"); err == nil {
		found = append(found, path)
	}
	if len(found) == 0 {
		t.Skip("PostgreSQL is not installed: no database to examine")
	}
	bin := filepath.Dir(found[len(found)-1])
	attr, uid, gid := unprivileged(t)
	dir, err := os.MkdirTemp("", "meterai-doctor-") // a short path, for the socket
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chown(dir, uid, gid))
	data := filepath.Join(dir, "data")
	command := func(name string, args ...string) *exec.Cmd {
		c := exec.Command(filepath.Join(bin, name), args...)
		c.SysProcAttr, c.Dir = attr, dir
		c.Env = append(os.Environ(), "LC_ALL=C")
		return c
	}
	out, err := command("initdb", "-D", data, "-U", "meterai", "-A", "trust", "-E", "UTF8", "-N", "--no-instructions").CombinedOutput()
	require.NoError(t, err, string(out))
	server := command("postgres", "-D", data, "-k", dir, "-c", "listen_addresses=")
	require.NoError(t, server.Start())
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	t.Cleanup(func() {
		require.NoError(t, server.Process.Signal(syscall.SIGQUIT))
		<-ended
	})
	require.Eventually(t, func() bool {
		c, err := net.Dial("unix", filepath.Join(dir, ".s.PGSQL.5432"))
		if err == nil {
			c.Close()
		}
		return err == nil
	}, time.Minute, 20*time.Millisecond)
	conn := "host=" + dir + " user=meterai dbname=postgres connect_timeout=30"
	require.Eventually(t, func() bool {
		c, err := pgx.Connect(t.Context(), conn)
		if err == nil {
			c.Close(t.Context())
		}
		return err == nil
	}, time.Minute, 50*time.Millisecond)
	return conn
}

// unprivileged says as whom to run a server that refuses root.
func unprivileged(t *testing.T) (*syscall.SysProcAttr, int, int) {
	t.Helper()
	if os.Getuid() != 0 {
		return nil, os.Getuid(), os.Getgid()
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, err := strconv.Atoi(u.Uid)
			require.NoError(t, err)
			gid, err := strconv.Atoi(u.Gid)
			require.NoError(t, err)
			return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, uid, gid
		}
	}
	t.Skip("there is no unprivileged user to run PostgreSQL as")
	return nil, 0, 0
}
