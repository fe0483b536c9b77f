//go:build unix

package plant

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
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// database is a PostgreSQL server of our own, without privileges: PostgreSQL refuses to run as root.
type database struct {
	bin  string // folder of the programs
	dir  string // of the data
	port int
	cmd  *exec.Cmd
	log  *bytes.Buffer

	ended chan struct{} // closed when the server that was started last has ended
}

// databasePrograms finds the folder of PostgreSQL's programs.
func databasePrograms() (string, error) {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.Sort(dirs)
	slices.Reverse(dirs)
	if p, err := exec.LookPath("initdb"); err == nil {
		if p, err = filepath.EvalSymlinks(p); err == nil {
			dirs = append(dirs, filepath.Dir(p))
		}
	}
	for _, d := range dirs {
		missing := slices.ContainsFunc([]string{"initdb", "postgres", "pg_basebackup"}, func(name string) bool {
			_, err := os.Stat(filepath.Join(d, name))
			return err != nil
		})
		if !missing {
			return d, nil
		}
	}
	return "", errors.New("PostgreSQL's programs (initdb, postgres, pg_basebackup) are neither in PATH nor in /usr/lib/postgresql/*/bin")
}

// servant is whom the server runs as: a user without privileges when this program runs as root.
func servant() (attr *syscall.SysProcAttr, uid, gid int) {
	if os.Getuid() == 0 {
		for _, name := range []string{"postgres", "nobody"} {
			if u, err := user.Lookup(name); err == nil {
				uid, _ = strconv.Atoi(u.Uid)
				gid, _ = strconv.Atoi(u.Gid)
				return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, Setpgid: true}, uid, gid
			}
		}
	}
	return &syscall.SysProcAttr{Setpgid: true}, os.Getuid(), os.Getgid()
}

// newDatabase makes and starts a server in a folder.
func newDatabase(ctx context.Context, dir string) (*database, error) {
	bin, err := databasePrograms()
	if err != nil {
		return nil, err
	}
	d := &database{bin: bin, dir: filepath.Join(dir, "data")}
	if err := ownedDir(dir); err != nil {
		return nil, err
	}
	if out, err := d.program(ctx, "initdb", "-D", d.dir, "-U", "meterai", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	return d, d.start(ctx)
}

func ownedDir(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	_, uid, gid := servant()
	return os.Chown(dir, uid, gid)
}

func (d *database) program(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(d.bin, name), args...)
	cmd.SysProcAttr, _, _ = servant()
	cmd.Dir = filepath.Dir(d.dir)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // its children keep its output open
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// start runs the server, on a free port the first time, until it answers.
func (d *database) start(ctx context.Context) error {
	if d.port == 0 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		d.port = l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			return err
		}
	}
	args := []string{"-D", d.dir, "-p", strconv.Itoa(d.port), "-h", "127.0.0.1", "-k", filepath.Dir(d.dir)}
	for _, v := range []string{
		"max_connections=100", "shared_buffers=256MB", "wal_keep_size=512MB", "max_wal_size=4GB",
		"wal_retrieve_retry_interval=100ms", "checkpoint_timeout=15min", "log_min_messages=fatal",
	} {
		args = append(args, "-c", v)
	}
	d.cmd, d.log = d.program(context.WithoutCancel(ctx), "postgres", args...), &bytes.Buffer{}
	d.cmd.Stderr = d.log
	dieWithUs(d.cmd.SysProcAttr)
	started := make(chan error)
	d.ended = make(chan struct{})
	go func() {
		defer close(d.ended)
		runtime.LockOSThread() // whose end is what the server takes for ours
		err := d.cmd.Start()
		started <- err
		if err == nil {
			_ = d.cmd.Wait() // its status is that of the signal
		}
	}()
	if err := <-started; err != nil {
		d.cmd = nil
		return err
	}
	return d.until(ctx, "the server answers", func(c *pgx.Conn) (bool, error) { return true, nil })
}

// until waits, for at most a minute, until a question to the server has the answer yes.
func (d *database) until(ctx context.Context, what string, ask func(*pgx.Conn) (bool, error)) error {
	var err error
	for range 600 {
		var c *pgx.Conn
		if c, err = pgx.Connect(ctx, d.url()); err == nil {
			var yes bool
			yes, err = ask(c)
			_ = c.Close(ctx)
			if yes {
				return nil
			}
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("waited in vain until %s: %w\n%s", what, err, d.log)
}

func (d *database) url() string {
	return fmt.Sprintf("postgres://meterai@127.0.0.1:%d/postgres?sslmode=disable", d.port)
}

// standby makes and starts a standby in a folder, and has every commit wait for it. Port 0 is a free one.
func (d *database) standby(ctx context.Context, dir string, port int) (*database, error) {
	s := &database{bin: d.bin, dir: filepath.Join(dir, "data"), port: port}
	if err := ownedDir(dir); err != nil {
		return nil, err
	}
	source := fmt.Sprintf("host=127.0.0.1 port=%d user=meterai application_name=standby", d.port)
	if out, err := s.program(ctx, "pg_basebackup", "-D", s.dir, "-R", "-X", "stream", "-c", "fast", "--no-sync", "-d", source).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("pg_basebackup: %w: %s", err, out)
	}
	if err := s.start(ctx); err != nil {
		s.crash()
		return nil, err
	}
	err := d.until(ctx, "the standby is synchronous", func(c *pgx.Conn) (bool, error) {
		for _, sql := range []string{"ALTER SYSTEM SET synchronous_standby_names = 'standby'", "SELECT pg_reload_conf()"} {
			if _, err := c.Exec(ctx, sql); err != nil {
				return false, err
			}
		}
		var n int
		err := c.QueryRow(ctx, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'").Scan(&n)
		return n == 1, err
	})
	if err != nil {
		s.crash()
		return nil, err
	}
	return s, nil
}

// promote makes a standby the primary.
func (d *database) promote(ctx context.Context) error {
	return d.until(ctx, "the standby is promoted", func(c *pgx.Conn) (bool, error) {
		if _, err := c.Exec(ctx, "SELECT pg_promote(false)"); err != nil && !strings.Contains(err.Error(), "not in progress") {
			return false, err
		}
		var standby bool
		err := c.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&standby)
		return !standby, err
	})
}

// crash kills the server and all its processes at once. They are a group of their own.
func (d *database) crash() {
	if d.cmd == nil {
		return
	}
	pids := append(children(d.cmd.Process.Pid), d.cmd.Process.Pid)
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-d.ended
	d.cmd = nil
}

// frozen is for how long a standby receives nothing before its primary is killed.
const frozen = 300 * time.Millisecond

// freeze stops what receives the primary's log; thaw lets it go on, or end.
func (d *database) freeze() (thaw func()) {
	var stopped []int
	for _, pid := range children(d.cmd.Process.Pid) {
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && bytes.Contains(name, []byte("walreceiver")) && syscall.Kill(pid, syscall.SIGSTOP) == nil {
			stopped = append(stopped, pid)
		}
	}
	return func() {
		for _, pid := range stopped {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
	}
}

// cpu is the processor time of the server and its processes, those that have ended among them.
func (d *database) cpu() time.Duration {
	if d == nil || d.cmd == nil {
		return 0
	}
	own, sum := times(strconv.Itoa(d.cmd.Process.Pid))
	for _, pid := range children(d.cmd.Process.Pid) {
		sum += used(strconv.Itoa(pid))
	}
	return own + sum
}

// children are the processes that a process has started, as Linux tells.
func children(pid int) (out []int) {
	p := strconv.Itoa(pid)
	b, err := os.ReadFile("/proc/" + p + "/task/" + p + "/children")
	if err != nil {
		return nil
	}
	for _, f := range strings.Fields(string(b)) {
		if n, err := strconv.Atoi(f); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// bothURL leads to whichever of two servers is the primary.
func bothURL(a, b *database) string {
	return fmt.Sprintf("host=127.0.0.1,127.0.0.1 port=%d,%d user=meterai dbname=postgres sslmode=disable connect_timeout=2", a.port, b.port)
}
