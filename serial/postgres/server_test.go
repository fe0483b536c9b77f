//go:build unix

package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial/postgres"
)

// server is a private PostgreSQL server.
type server struct {
	bin  string // directory of the programs
	dir  string // data
	port int
	cmd  *exec.Cmd
	log  *bytes.Buffer
}

// programs finds the directory of PostgreSQL's programs, "" if there is none.
func programs() string {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.Sort(dirs)
	slices.Reverse(dirs)
	if p, err := exec.LookPath("initdb"); err == nil {
		if p, err = filepath.EvalSymlinks(p); err == nil {
			dirs = append([]string{filepath.Dir(p)}, dirs...)
		}
	}
	for _, d := range dirs {
		whole := true
		for _, name := range []string{"initdb", "postgres", "pg_basebackup"} {
			_, err := os.Stat(filepath.Join(d, name))
			whole = whole && err == nil
		}
		if whole {
			return d
		}
	}
	return ""
}

// unprivileged gives the user to run the server as: PostgreSQL refuses root.
func unprivileged() (*syscall.SysProcAttr, int, int) {
	if os.Getuid() != 0 {
		return nil, os.Getuid(), os.Getgid()
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.Atoi(u.Uid)
			gid, _ := strconv.Atoi(u.Gid)
			return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, uid, gid
		}
	}
	return nil, 0, 0
}

// command runs one of the programs as the unprivileged user.
func (s *server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.SysProcAttr, _, _ = unprivileged()
	cmd.Dir = filepath.Dir(s.dir)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	return cmd
}

// newDir makes a directory of the unprivileged user.
func newDir() (string, error) {
	dir, err := os.MkdirTemp("", "ledger-postgres-")
	if err != nil {
		return "", err
	}
	_, uid, gid := unprivileged()
	return dir, os.Chown(dir, uid, gid)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

func newServer() (*server, error) {
	s := &server{bin: programs()}
	if s.bin == "" {
		return nil, errNoPrograms
	}
	dir, err := newDir()
	if err != nil {
		return nil, err
	}
	s.dir = filepath.Join(dir, "data")
	if err := s.initialise(); err != nil {
		return nil, err
	}
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	return s, s.start()
}

// template is a data directory that was made once, to be copied. [TestMain] removes it.
var template string

func (s *server) initialise() error {
	if template == "" {
		dir, err := newDir()
		if err != nil {
			return err
		}
		template = filepath.Join(dir, "data")
		out, err := s.command("initdb", "-D", template, "-U", "meterai", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput()
		if err != nil {
			return fmt.Errorf("initdb: %w: %s", err, out)
		}
	}
	return exec.Command("cp", "-a", template, s.dir).Run()
}

var errNoPrograms = errors.New("PostgreSQL's programs (initdb, postgres, pg_basebackup) are neither in PATH nor in /usr/lib/postgresql/*/bin")

// start runs the server until it answers.
func (s *server) start(settings ...string) error {
	args := []string{"-D", s.dir, "-p", strconv.Itoa(s.port), "-h", "127.0.0.1", "-k", filepath.Dir(s.dir)}
	for _, v := range append([]string{"max_connections=60", "shared_buffers=64MB", "wal_keep_size=256MB", "max_wal_size=2GB", "wal_retrieve_retry_interval=100ms"}, settings...) {
		args = append(args, "-c", v)
	}
	s.cmd, s.log = s.command("postgres", args...), &bytes.Buffer{}
	s.cmd.Stderr = s.log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	var err error
	for range 200 {
		var c *pgx.Conn
		if c, err = pgx.Connect(context.Background(), s.url()); err == nil {
			return c.Close(context.Background())
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("the server does not start: %w\n%s", err, s.log)
}

// stop ends the server: SIGTERM is smart, SIGINT fast, SIGQUIT immediate, SIGKILL a crash.
func (s *server) stop(sig syscall.Signal) {
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(sig)
		_ = s.cmd.Wait() // its status is that of the signal
		s.cmd = nil
	}
}

func (s *server) remove() {
	s.stop(syscall.SIGQUIT)
	_ = os.RemoveAll(filepath.Dir(s.dir))
}

func (s *server) url() string { return urlOf(s.port) }

func urlOf(port int) string {
	return fmt.Sprintf("postgres://meterai@127.0.0.1:%d/postgres?sslmode=disable", port)
}

func (s *server) exec(t testing.TB, statements ...string) {
	t.Helper()
	c, err := pgx.Connect(context.Background(), s.url())
	require.NoError(t, err)
	defer c.Close(context.Background())
	for _, sql := range statements {
		_, err := c.Exec(context.Background(), sql)
		require.NoError(t, err, sql)
	}
}

// value reads one number.
func (s *server) value(t testing.TB, sql string) (n int64) {
	t.Helper()
	c, err := pgx.Connect(context.Background(), s.url())
	require.NoError(t, err)
	defer c.Close(context.Background())
	require.NoError(t, c.QueryRow(context.Background(), sql).Scan(&n), sql)
	return n
}

// commitWaits reports whether a commit waits for a standby, and ends the wait. The setting that a session sees does not
// tell: the server's checkpointer puts it into force, for all sessions.
func (s *server) commitWaits(t testing.TB) bool {
	t.Helper()
	c, err := pgx.Connect(context.Background(), s.url())
	require.NoError(t, err)
	defer c.Close(context.Background())
	pid := c.PgConn().PID()
	done := make(chan error, 1)
	go func() {
		_, err := c.Exec(context.Background(), "SELECT pg_logical_emit_message(true, 'probe', '')")
		done <- err
	}()
	for {
		select {
		case err := <-done:
			require.NoError(t, err)
			return false
		default:
		}
		if s.value(t, fmt.Sprintf("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND pid = %d", pid)) == 1 {
			s.exec(t, fmt.Sprintf("SELECT pg_cancel_backend(%d)", pid))
			require.NoError(t, <-done)
			return true
		}
	}
}

// shared is the server of the tests that need none of their own; each works in a schema of its own.
var shared *server

func sharedServer(t testing.TB) *server {
	t.Helper()
	if shared == nil {
		s, err := newServer()
		if errors.Is(err, errNoPrograms) {
			t.Skip(err.Error())
		}
		require.NoError(t, err)
		shared = s
	}
	return shared
}

// ownServer is for a test that stops it.
func ownServer(t testing.TB) *server {
	t.Helper()
	s, err := newServer()
	if errors.Is(err, errNoPrograms) {
		t.Skip(err.Error())
	}
	require.NoError(t, err)
	t.Cleanup(s.remove)
	return s
}

var schemas atomic.Int64

// newSchema makes an empty ledger and gives its options.
func newSchema(t testing.TB, s *server) *postgres.Options {
	t.Helper()
	opt := &postgres.Options{Schema: fmt.Sprint("t", schemas.Add(1))}
	require.NoError(t, postgres.Migrate(t.Context(), s.url(), opt))
	return opt
}

func open(t testing.TB, url string, opt *postgres.Options) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), url, opt)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}
