//go:build unix

package postgres_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/postgres"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

// The test binary is also the program that is killed: with these variables set it redeems until it dies.
const (
	childDir    = "LEDGER_TEST_CHILD_DIR"
	childURL    = "LEDGER_TEST_CHILD_URL"
	childSchema = "LEDGER_TEST_CHILD_SCHEMA"
)

func redeem(ctx context.Context, l *serial.Ledger, key string) (serial.Receipt, error) {
	return l.Redeem(ctx, req("a", key), func(_ context.Context, r serial.Reservation, w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s stamped %s at %d", key, r.Number, r.Time.Unix())
		return err
	})
}

func openAll(ctx context.Context, dir, url, schema string, scheme *serial.Scheme) (*serial.Ledger, *postgres.Store, error) {
	sink, err := serial.NewDirSink(dir)
	if err != nil {
		return nil, nil, err
	}
	s, err := postgres.Open(ctx, url, &postgres.Options{Schema: schema, Pool: 4})
	if err != nil {
		return nil, nil, err
	}
	l, err := serial.Open(ctx, s, &serial.Options{Scheme: scheme, Sink: sink, Block: 64})
	return l, s, err
}

// child redeems with several callers and tells each receipt on its standard output, after it has it. What fails because
// the server is away is repeated with the same key.
func child(dir, url, schema, name string) error {
	var key [32]byte
	for i := range key {
		key[i] = byte(i)
	}
	scheme, err := serial.NewScheme('1', "ZK", key)
	if err != nil {
		return err
	}
	l, _, err := openAll(context.Background(), dir, url, schema, scheme)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	errs := make(chan error, 8)
	for g := range cap(errs) {
		wg.Go(func() {
			for i := 0; i < 100000; i++ {
				// The processes use the same keys: they race for them.
				key := fmt.Sprintf("%s/%d/%d", name, g, i)
				r, err := redeem(context.Background(), l, key)
				for end := time.Now().Add(20 * time.Second); err != nil && time.Now().Before(end); {
					if refused(err) {
						break
					}
					time.Sleep(20 * time.Millisecond)
					r, err = redeem(context.Background(), l, key)
				}
				if err != nil {
					errs <- err
					return
				}
				mu.Lock()
				fmt.Printf("%s %s %d\n", key, r.Number, r.Time.Unix())
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	close(errs)
	return errors.Join(errors.New("the child was not killed"), <-errs)
}

// refused reports whether an error is an answer, not an outage.
func refused(err error) bool {
	var conflict *serial.ConflictError
	var state *serial.StateError
	return errors.Is(err, serial.ErrInsufficient) || errors.Is(err, serial.ErrFenced) || errors.As(err, &conflict) || errors.As(err, &state)
}

// TestKill lets processes redeem on one database, two for each key, kills them and, under the last ones, the server, and
// checks that what they told is in the ledger, that no number is there twice, and that every key can be finished.
// (I5, I7, I8, I10)
func TestKill(t *testing.T) {
	srv := ownServer(t)
	opt := newSchema(t, srv)
	dir := t.TempDir()
	l, s, err := openAll(t.Context(), dir, srv.url(), opt.Schema, storetest.Scheme(t))
	require.NoError(t, err)
	credit(t, l, "a", 1_000_000)
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())

	told := make(map[string]string) // key -> number and time
	for round := range 4 {
		for key, answer := range killRound(t, srv, opt.Schema, dir, fmt.Sprint(round), round >= 2) {
			told[key] = answer
		}
	}
	require.NotEmpty(t, told)

	l, s, err = openAll(t.Context(), dir, srv.url(), opt.Schema, storetest.Scheme(t))
	require.NoError(t, err)
	keys := make(map[string]bool)
	for r, err := range l.Unresolved(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, serial.Signing, r.State)
		keys[string(r.Request.Key)] = true
	}
	interrupted := len(keys)
	for key := range told {
		keys[key] = true
	}
	numbers := make(map[serial.Number]string)
	for key := range keys {
		r, err := redeem(t.Context(), l, key)
		require.NoError(t, err)
		if answer, ok := told[key]; ok {
			require.Equal(t, answer, fmt.Sprintf("%s %d", r.Number, r.Time.Unix()))
			require.True(t, r.Replayed)
		}
		require.Empty(t, numbers[r.Number])
		numbers[r.Number] = key
	}
	report := requireClean(t, s)
	require.Equal(t, report.Totals.Stamped, report.Reservations[serial.Stamped])
	require.GreaterOrEqual(t, report.Totals.Stamped, int64(len(keys)))
	require.Zero(t, report.Totals.Reserved)
	t.Logf("%d told, %d interrupted, %d stamped", len(told), interrupted, report.Totals.Stamped)
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())
}

// killRound lets three processes run for a while, kills them and gives what they told. In between it may crash the
// server, and start it again, under them.
func killRound(t *testing.T, srv *server, schema, dir, name string, crash bool) map[string]string {
	t.Helper()
	var children []*exec.Cmd
	var outputs []io.Reader
	for range 3 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], name)
		cmd.Env = append(os.Environ(), childDir+"="+dir, childURL+"="+srv.url(), childSchema+"="+schema)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		children, outputs = append(children, cmd), append(outputs, out)
	}
	go func() {
		time.Sleep(500 * time.Millisecond)
		if crash {
			srv.stop(syscall.SIGQUIT)
			time.Sleep(100 * time.Millisecond)
			if err := srv.start(); err != nil {
				t.Error(err)
			}
			time.Sleep(500 * time.Millisecond)
		}
		for _, c := range children {
			_ = c.Process.Kill()
		}
	}()
	told := make(map[string]string)
	for i, c := range children {
		lines := bufio.NewScanner(outputs[i])
		for lines.Scan() {
			key, answer, ok := strings.Cut(lines.Text(), " ")
			if !ok || len(strings.Fields(answer)) != 2 || len(answer) < 33 {
				continue // cut off by the kill
			}
			if was, ok := told[key]; ok {
				require.Equal(t, was, answer, "two answers for one key")
			}
			told[key] = answer
		}
		err := c.Wait()
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		require.Equal(t, -1, exit.ExitCode(), "the child died by itself")
	}
	return told
}
