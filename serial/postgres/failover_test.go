//go:build unix

package postgres_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/postgres"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

// standby makes a standby of srv with pg_basebackup.
func (s *server) standby(t testing.TB) *server {
	t.Helper()
	dir, err := newDir()
	require.NoError(t, err)
	r := &server{bin: s.bin, dir: filepath.Join(dir, "data")}
	t.Cleanup(r.remove)
	out, err := r.command("pg_basebackup", "-D", r.dir, "-R", "-X", "stream", "-c", "fast", "--no-sync",
		"-d", fmt.Sprintf("host=127.0.0.1 port=%d user=meterai application_name=standby", s.port)).CombinedOutput()
	require.NoError(t, err, "%s", out)
	r.port, err = freePort()
	require.NoError(t, err)
	require.NoError(t, r.start())
	return r
}

// synchronous makes a server wait for its standby.
func (s *server) synchronous(t testing.TB, standby *server) {
	t.Helper()
	s.exec(t, "ALTER SYSTEM SET synchronous_standby_names = 'standby'", "SELECT pg_reload_conf()")
	require.Eventually(t, func() bool {
		return standby.cmd != nil && s.value(t, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == 1
	}, 30*time.Second, 20*time.Millisecond)
}

func (s *server) promote(t *testing.T) {
	t.Helper()
	s.exec(t, "SELECT pg_promote(false)")
}

// crash kills the server and all its processes with SIGKILL.
func (s *server) crash(t *testing.T) {
	t.Helper()
	pid := s.cmd.Process.Pid
	out, err := exec.Command("ps", "-o", "pid=", "--ppid", fmt.Sprint(pid)).Output()
	require.NoError(t, err)
	s.stop(syscall.SIGKILL)
	for child := range fieldsOf(out) {
		_ = syscall.Kill(child, syscall.SIGKILL)
	}
}

func fieldsOf(out []byte) func(func(int) bool) {
	return func(yield func(int) bool) {
		n := 0
		for _, c := range append(out, '\n') {
			switch {
			case c >= '0' && c <= '9':
				n = n*10 + int(c-'0')
			case n > 0:
				if !yield(n) {
					return
				}
				n = 0
			}
		}
	}
}

func bothURL(a, b *server) string {
	return fmt.Sprintf("host=127.0.0.1,127.0.0.1 port=%d,%d user=meterai dbname=postgres sslmode=disable", a.port, b.port)
}

// acknowledged is what writers were told.
type acknowledged struct {
	mu      sync.Mutex
	numbers map[string]serial.Number
	last    time.Time
}

// write reserves under new keys until stop is set, each key until it has an answer.
func (a *acknowledged) write(t *testing.T, l *serial.Ledger, name string, stop *atomic.Bool) {
	for i := 0; !stop.Load(); i++ {
		key := fmt.Sprintf("%s/%d", name, i)
		for {
			r, err := l.Reserve(t.Context(), req("account "+name, key))
			if err == nil {
				a.mu.Lock()
				a.numbers[key], a.last = r.Number, time.Now()
				a.mu.Unlock()
				break
			}
			if refused(err) || t.Context().Err() != nil {
				t.Errorf("%s: %v", key, err)
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

func (a *acknowledged) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.numbers)
}

// TestFailover: primary and synchronous standby; the standby's receiver is frozen, the primary killed, the standby
// promoted. What was acknowledged is there, and the same ledgers go on by themselves. (I7, I8, I15)
func TestFailover(t *testing.T) {
	primary := ownServer(t)
	opt := newSchema(t, primary)
	standby := primary.standby(t)
	primary.synchronous(t, standby)

	_, err := postgres.Open(t.Context(), standby.url(), opt)
	var se *postgres.ServerError
	require.ErrorAs(t, err, &se, "a standby is refused")
	strict := *opt
	strict.RequireStandby = true
	open(t, primary.url(), &strict)

	const writers = 4
	acks := &acknowledged{numbers: make(map[string]serial.Number)}
	var stop atomic.Bool
	var wg sync.WaitGroup
	stores := []*postgres.Store{open(t, bothURL(primary, standby), opt), open(t, bothURL(standby, primary), opt)}
	for i, s := range stores {
		l := newLedger(t, s, 32)
		for w := range writers {
			name := fmt.Sprintf("%d-%d", i, w)
			credit(t, l, "account "+name, 1_000_000)
			wg.Go(func() { acks.write(t, l, name, &stop) })
		}
	}
	t.Cleanup(func() { stop.Store(true); wg.Wait() })
	require.Eventually(t, func() bool { return acks.count() > 100 }, 30*time.Second, time.Millisecond)
	receiver := int(standby.value(t, "SELECT pid FROM pg_stat_wal_receiver"))
	require.NoError(t, syscall.Kill(receiver, syscall.SIGSTOP))
	var frozen int
	require.Eventually(t, func() bool { // each ledger commits one transaction at a time
		before := frozen
		waiting := primary.value(t, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
		frozen = acks.count() // which may grow by what was under way
		return waiting == int64(len(stores)) && frozen == before
	}, 30*time.Second, 20*time.Millisecond, "commits wait")
	require.Equal(t, frozen, acks.count(), "nothing is acknowledged without the standby")

	primary.crash(t)
	require.Equal(t, frozen, acks.count(), "nor when the primary ends")
	require.NoError(t, syscall.Kill(receiver, syscall.SIGCONT))
	promoted := time.Now()
	standby.promote(t)
	require.Eventually(t, func() bool {
		return standby.value(t, "SELECT pg_is_in_recovery()::int") == 0
	}, 15*time.Second, time.Millisecond)
	writable := time.Now()
	require.Eventually(t, func() bool { return acks.count() > frozen }, 30*time.Second, time.Millisecond)
	first := time.Since(writable)
	t.Logf("%d acknowledged before the freeze; promoted in %v; first new reservation %v later", frozen,
		writable.Sub(promoted).Round(time.Millisecond), first.Round(time.Millisecond))
	require.Eventually(t, func() bool { return acks.count() > frozen+100 }, 30*time.Second, time.Millisecond)
	stop.Store(true)
	wg.Wait()

	s := open(t, standby.url(), opt)
	l := newLedger(t, s, 32)
	seen := make(map[serial.Number]bool)
	for key, n := range acks.numbers {
		r, err := l.Lookup(t.Context(), n)
		require.NoError(t, err, "acknowledged, but lost: %s", key)
		require.Equal(t, key, string(r.Request.Key))
		require.False(t, seen[n])
		seen[n] = true
	}
	report := requireClean(t, s)
	require.Equal(t, int64(len(seen)), report.Reservations[serial.Reserved], "one unit for each key")
}

// TestAsynchronousFailover: without a synchronous standby, what was acknowledged is lost in the same failover; the ledger
// that knows of it then issues nothing. (I8, I12)
func TestAsynchronousFailover(t *testing.T) {
	primary := ownServer(t)
	opt := newSchema(t, primary)
	standby := primary.standby(t)
	s := open(t, bothURL(primary, standby), opt)
	l := newLedger(t, s, 8)
	credit(t, l, "a", 100)
	_, err := l.Reserve(t.Context(), req("a", "before"))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return standby.value(t, "SELECT count(*) FROM "+opt.Schema+".reservations") == 1
	}, 10*time.Second, 20*time.Millisecond)
	receiver := int(standby.value(t, "SELECT pid FROM pg_stat_wal_receiver"))
	require.NoError(t, syscall.Kill(receiver, syscall.SIGSTOP))
	const more = 20
	for i := range more {
		_, err := l.Reserve(t.Context(), req("a", fmt.Sprint(i)))
		require.NoError(t, err)
	}
	primary.crash(t)
	require.NoError(t, syscall.Kill(receiver, syscall.SIGKILL)) // with what it had not read
	require.Eventually(t, func() bool {
		return exec.Command(filepath.Join(standby.bin, "psql"), standby.url(), "-c", "SELECT pg_promote(false)").Run() == nil
	}, 15*time.Second, 50*time.Millisecond)
	require.Eventually(t, func() bool {
		_, err = l.Reserve(t.Context(), req("a", "after"))
		return errors.Is(err, serial.ErrFenced)
	}, 15*time.Second, 20*time.Millisecond)
	require.ErrorContains(t, err, "lost transactions")
	lost := 0
	for i := range more {
		if _, err := l.LookupKey(t.Context(), "a", fmt.Append(nil, i)); errors.Is(err, serial.ErrNotFound) {
			lost++
		}
	}
	require.Equal(t, more, lost, "without a loss this proves nothing")
	_, err = l.LookupKey(t.Context(), "a", []byte("before"))
	require.NoError(t, err)
}

// TestFormerPrimary: a primary that comes back after its standby was promoted is an older timeline, and is refused.
func TestFormerPrimary(t *testing.T) {
	primary := ownServer(t)
	opt := newSchema(t, primary)
	standby := primary.standby(t)
	s := open(t, bothURL(primary, standby), opt)
	l := newLedger(t, s, 32)
	credit(t, l, "a", 10)
	require.Eventually(t, func() bool {
		return standby.value(t, "SELECT count(*) FROM "+opt.Schema+".entries") == 1
	}, 10*time.Second, 20*time.Millisecond)
	primary.crash(t)
	standby.promote(t)
	require.Eventually(t, func() bool {
		_, err := l.Reserve(t.Context(), req("a", "1"))
		return err == nil
	}, 15*time.Second, 20*time.Millisecond)
	require.NoError(t, primary.start())
	standby.stop(syscall.SIGQUIT)
	_, err := l.Reserve(t.Context(), req("a", "2"))
	require.Error(t, err)
	_, err = l.Reserve(t.Context(), req("a", "2"))
	require.ErrorIs(t, err, serial.ErrFenced)
	_, err = l.Balance(t.Context(), "a")
	require.ErrorIs(t, err, serial.ErrFenced)
	require.NoError(t, standby.start())
	_, err = l.Reserve(t.Context(), req("a", "2"))
	require.NoError(t, err)
	requireClean(t, s)
}

// TestLostTransactions: a database that comes back older than what this process has seen issues nothing, until it is
// fenced. (I8, I12)
func TestLostTransactions(t *testing.T) {
	for _, c := range []struct {
		name string
		more int // reservations that are lost
	}{{"leases", 40}, {"entries alone", 1}} {
		t.Run(c.name, func(t *testing.T) {
			srv := ownServer(t)
			opt := newSchema(t, srv)
			s := open(t, srv.url(), opt)
			l := newLedger(t, s, 16)
			credit(t, l, "a", 100)
			seen := make(map[serial.Number]bool)
			use := func(key string) {
				r, err := l.Reserve(t.Context(), req("a", key))
				require.NoError(t, err)
				require.False(t, seen[r.Number], "a number twice")
				seen[r.Number] = true
			}
			use("first")
			srv.stop(syscall.SIGINT)
			backup := filepath.Join(filepath.Dir(srv.dir), "backup")
			require.NoError(t, exec.Command("cp", "-a", srv.dir, backup).Run())
			require.NoError(t, srv.start())
			require.Eventually(t, func() bool { _, err := l.Balance(t.Context(), "a"); return err == nil }, 10*time.Second, 10*time.Millisecond)
			for i := range c.more {
				use(fmt.Sprint(i))
			}
			srv.stop(syscall.SIGINT)
			require.NoError(t, os.RemoveAll(srv.dir))
			require.NoError(t, os.Rename(backup, srv.dir))
			require.NoError(t, srv.start())

			var err error
			require.Eventually(t, func() bool {
				_, err = l.Reserve(t.Context(), req("a", "after"))
				return errors.Is(err, serial.ErrFenced)
			}, 10*time.Second, 10*time.Millisecond)
			require.ErrorContains(t, err, "lost transactions")
			_, err = l.Credit(t.Context(), "b", 1, []byte("x"))
			require.ErrorIs(t, err, serial.ErrFenced, "all updates")
			_, err = l.LookupKey(t.Context(), "a", []byte("first"))
			require.NoError(t, err, "reading goes on")

			require.Error(t, s.Fence(t.Context(), serial.MaxCounter+1))
			require.NoError(t, s.Fence(t.Context(), 1000))
			_, err = l.Reserve(t.Context(), req("a", "after"))
			require.ErrorIs(t, err, serial.ErrFenced, "the old lease is over")
			l = newLedger(t, s, 16)
			r, err := l.Reserve(t.Context(), req("a", "after"))
			require.NoError(t, err)
			want, err := storetest.Scheme(t).Number(1000)
			require.NoError(t, err)
			require.Equal(t, want, r.Number)
			requireClean(t, s)
		})
	}
}
