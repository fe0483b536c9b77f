//go:build unix

package postgres_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/postgres"
)

// proxy stands between a store and its server and breaks the connection at a commit, or at any message, when it is told
// to.
type proxy struct {
	net.Listener
	to      string
	mode    atomic.Int32 // of the next commit
	cancels atomic.Int32 // cancel requests that came

	mu      sync.Mutex
	seen    []bool // of each message since watch, whether it is a commit
	at      int    // the message to cut, -1 for none
	cutMode int32
}

// watch counts messages from now on.
func (p *proxy) watch() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen, p.at = nil, -1
}

// watched tells, of each message since watch, whether it is a commit.
func (p *proxy) watched() []bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

// cutAt cuts the connection at a message, counted from now.
func (p *proxy) cutAt(n int, mode int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen, p.at, p.cutMode = nil, n, mode
}

// wasCut reports whether the message came.
func (p *proxy) wasCut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at < 0
}

// next takes notice of a message and says what is to become of it.
func (p *proxy) next(commit bool) int32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen = append(p.seen, commit); p.at == len(p.seen)-1 {
		p.at = -1
		return p.cutMode
	}
	if commit {
		return p.mode.Swap(pass)
	}
	return pass
}

const (
	pass         = iota
	dropBefore   // the commit does not arrive
	dropAfter    // the commit arrives and is done, the answer does not come back
	swallow      // the commit does not arrive, and nothing says so
	cancelCode   = 80877102
	commitNeedle = "COMMIT\x00"
)

func newProxy(t *testing.T, srv *server) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{Listener: l, to: fmt.Sprintf("127.0.0.1:%d", srv.port), at: -1}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p
}

func (p *proxy) url() string { return urlOf(p.Addr().(*net.TCPAddr).Port) }

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer server.Close()
	var silent atomic.Bool
	var done sync.WaitGroup
	done.Go(func() {
		b := make([]byte, 1<<16)
		for {
			n, err := server.Read(b)
			if silent.Load() {
				if err == nil {
					continue // the answer is there and is not passed on
				}
				client.Close()
				return
			}
			if _, werr := client.Write(b[:n]); err != nil || werr != nil {
				client.Close()
				return
			}
		}
	})
	p.forward(client, server, &silent)
	server.Close()
	done.Wait()
}

// readMessage reads a message; the first of a connection has no type.
func readMessage(c net.Conn, first bool) (head, body []byte, err error) {
	if head = make([]byte, 5); first {
		head = head[1:]
	}
	if _, err := io.ReadFull(c, head); err != nil {
		return nil, nil, err
	}
	body = make([]byte, binary.BigEndian.Uint32(head[len(head)-4:])-4)
	_, err = io.ReadFull(c, body)
	return head, body, err
}

// forward reads the client's messages.
func (p *proxy) forward(client, server net.Conn, silent *atomic.Bool) {
	first := true
	for {
		head, body, err := readMessage(client, first)
		if err != nil {
			return
		}
		if first && len(body) >= 4 && binary.BigEndian.Uint32(body) == cancelCode {
			p.cancels.Add(1)
		}
		mode := int32(pass)
		if !first {
			mode = p.next(head[0] == 'Q' && string(body) == commitNeedle)
		}
		switch mode {
		case dropBefore:
			return
		case dropAfter:
			silent.Store(true)
		case swallow:
			_, _ = io.Copy(io.Discard, client)
			return
		}
		first = false
		if _, err := server.Write(append(head, body...)); err != nil {
			return
		}
		if mode == dropAfter {
			// The server does it, sees the end of what comes, and its answers are not passed on.
			_ = server.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, client)
			return
		}
	}
}

// TestCommitOutcome: for the commit, the pair "fails" and "fails, but is done". Both are an unknown outcome, never a
// failure; the same key then gives one unit. (I6, I14)
func TestCommitOutcome(t *testing.T) {
	srv := sharedServer(t)
	for _, c := range []struct {
		name string
		mode int32
		done int64
	}{{"fails", dropBefore, 0}, {"fails, but is done", dropAfter, 1}, {"no answer", swallow, 0}} {
		t.Run(c.name, func(t *testing.T) {
			opt := newSchema(t, srv)
			opt.Timeout = time.Second
			p := newProxy(t, srv)
			s := open(t, p.url(), opt)
			l := newLedger(t, s, 64)
			credit(t, l, "a", 5)
			_, err := l.Reserve(t.Context(), req("a", "first")) // takes the lease
			require.NoError(t, err)
			p.mode.Store(c.mode)
			_, err = l.Reserve(t.Context(), req("a", "k"))
			require.ErrorIs(t, err, serial.ErrUnknownOutcome)
			require.Equal(t, int32(pass), p.mode.Load(), "the commit came by")
			require.Equal(t, 1+c.done, srv.value(t, "SELECT count(*) FROM "+opt.Schema+".reservations"))
			r, err := l.Reserve(t.Context(), req("a", "k"))
			require.NoError(t, err)
			again, err := l.LookupKey(t.Context(), "a", []byte("k"))
			require.NoError(t, err)
			require.Equal(t, r, again)
			require.Equal(t, int64(2), srv.value(t, "SELECT reserved FROM "+opt.Schema+".accounts"))
			require.Zero(t, p.cancels.Load(), "no cancel request for a commit")
			requireClean(t, s)
		})
	}
}

// TestBackendTerminated: a session that ends while the transaction is being decided is an ordinary failure, and is
// repeated.
func TestBackendTerminated(t *testing.T) {
	srv := sharedServer(t)
	opt := newSchema(t, srv)
	s := open(t, srv.url(), opt)
	l := newLedger(t, s, 64)
	credit(t, l, "a", 5)
	calls := 0
	require.NoError(t, s.Update(t.Context(), &serial.Query{Accounts: []string{"a"}}, func(snap *serial.Snapshot) (*serial.Batch, error) {
		if calls++; calls == 1 {
			srv.exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'meterai'")
			time.Sleep(50 * time.Millisecond)
		}
		return bookOne(snap, "a"), nil
	}))
	require.Equal(t, 2, calls)
	require.Equal(t, int64(6), srv.value(t, "SELECT available FROM "+opt.Schema+".accounts"))
	requireClean(t, s)
}

// TestStandbyAway: while the synchronous standby does not answer, nothing is acknowledged, nothing becomes visible, and
// no cancel request makes it so. (I7, I15)
func TestStandbyAway(t *testing.T) {
	srv := sharedServer(t)
	opt := newSchema(t, srv)
	opt.Timeout = 3 * time.Second
	p := newProxy(t, srv)
	s := open(t, p.url(), opt)
	l := newLedger(t, s, 64)
	credit(t, l, "a", 5)
	names := func(v string) {
		srv.exec(t, "ALTER SYSTEM SET synchronous_standby_names = '"+v+"'", "SELECT pg_reload_conf()")
		require.Eventually(t, func() bool { return srv.commitWaits(t) == (v != "") }, 30*time.Second, 10*time.Millisecond)
	}
	names("nobody")
	t.Cleanup(func() { names("") })
	count := func() int64 { return srv.value(t, "SELECT count(*) FROM "+opt.Schema+".entries") }
	waiting := func() int64 {
		return srv.value(t, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
	}

	book := func(ctx context.Context) error {
		return s.Update(ctx, &serial.Query{Accounts: []string{"a"}}, func(snap *serial.Snapshot) (*serial.Batch, error) {
			return bookOne(snap, "a"), nil
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	booked := make(chan error, 1)
	go func() { booked <- book(ctx) }()
	require.Eventually(t, func() bool { return waiting() == 1 }, 30*time.Second, 10*time.Millisecond)
	cancel()
	require.ErrorIs(t, <-booked, serial.ErrUnknownOutcome)
	require.Equal(t, int64(1), waiting(), "the commit still waits")
	require.Equal(t, int64(1), count(), "nothing is visible")
	require.Zero(t, p.cancels.Load())

	names("")
	require.Eventually(t, func() bool { return count() == 2 }, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, book(t.Context()))
	require.Equal(t, int64(3), count())
	require.Zero(t, p.cancels.Load(), "nor later")

	// An administrator ends the wait: PostgreSQL answers COMMIT, with a warning.
	for _, end := range []string{"pg_cancel_backend", "pg_terminate_backend"} {
		names("nobody")
		got := make(chan error, 1)
		before := count()
		go func() {
			opt := *opt
			opt.Timeout = 20 * time.Second
			other, err := postgres.Open(context.Background(), srv.url(), &opt)
			if err == nil {
				err = other.Update(context.Background(), &serial.Query{Accounts: []string{"a"}}, func(snap *serial.Snapshot) (*serial.Batch, error) {
					return bookOne(snap, "a"), nil
				})
				_ = other.Close()
			}
			got <- err
		}()
		require.Eventually(t, func() bool { return waiting() == 1 }, 10*time.Second, 10*time.Millisecond)
		srv.exec(t, "SELECT "+end+"(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
		err := <-got
		require.ErrorIs(t, err, serial.ErrUnknownOutcome, end)
		if strings.Contains(end, "cancel") {
			require.ErrorContains(t, err, "synchronous replication")
		}
		require.Equal(t, before+1, count())
		names("")
	}
	requireClean(t, s)
}
