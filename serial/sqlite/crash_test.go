package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/sqlite"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

// The test binary is also the program that is killed: with this variable set it redeems until it dies.
const childDir = "SERIAL_TEST_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir, os.Args[len(os.Args)-1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func stampText(r serial.Reservation, key []byte) string {
	return fmt.Sprintf("%s stamped %s at %d", key, r.Number, r.Time.Unix())
}

func redeem(ctx context.Context, l *serial.Ledger, key string) (serial.Receipt, error) {
	return l.Redeem(ctx, req("a", key), func(_ context.Context, r serial.Reservation, w io.Writer) error {
		_, err := io.WriteString(w, stampText(r, []byte(key)))
		return err
	})
}

func openAll(ctx context.Context, dir string, scheme *serial.Scheme) (*serial.Ledger, *sqlite.Store, error) {
	sink, err := serial.NewDirSink(filepath.Join(dir, "out"))
	if err != nil {
		return nil, nil, err
	}
	s, err := sqlite.Open(ctx, filepath.Join(dir, "l.db"), nil)
	if err != nil {
		return nil, nil, err
	}
	l, err := serial.Open(ctx, s, &serial.Options{Scheme: scheme, Sink: sink, Block: 64})
	return l, s, err
}

// child redeems with several callers and tells each receipt on its standard output, after it has it.
func child(dir, name string) error {
	var key [32]byte
	for i := range key {
		key[i] = byte(i)
	}
	scheme, err := serial.NewScheme('1', "ZK", key)
	if err != nil {
		return err
	}
	l, _, err := openAll(context.Background(), dir, scheme)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	errs := make(chan error, 8)
	for g := range cap(errs) {
		wg.Go(func() {
			for i := 0; i < 100000; i++ {
				// Two processes use the same keys: they race for them.
				key := fmt.Sprintf("%s/%d/%d", name, g, i)
				r, err := redeem(context.Background(), l, key)
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

// TestKill kills two processes that redeem on one file, several times, and checks that what they told is in the ledger,
// that no number is there twice, and that every key can be finished. (I7, I8, I10)
func TestKill(t *testing.T) {
	dir := t.TempDir()
	l, s, err := openAll(t.Context(), dir, storetest.Scheme(t))
	require.NoError(t, err)
	_, err = l.Credit(t.Context(), "a", 1_000_000, []byte("x"))
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())

	told := make(map[string]string) // key -> number and time
	for round := range 4 {
		for key, answer := range killRound(t, dir, fmt.Sprint(round), time.Duration(150+100*round)*time.Millisecond) {
			told[key] = answer
		}
	}
	require.NotEmpty(t, told)

	l, s, err = openAll(t.Context(), dir, storetest.Scheme(t))
	require.NoError(t, err)
	keys := make(map[string]bool)
	interrupted := 0
	for r, err := range l.Unresolved(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, serial.Signing, r.State)
		keys[string(r.Request.Key)] = true
		interrupted++
	}
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
		rc, err := l.Output(t.Context(), r.Number)
		require.NoError(t, err)
		b, err := io.ReadAll(rc)
		require.NoError(t, err)
		require.NoError(t, rc.Close())
		require.Equal(t, stampText(serial.Reservation{Number: r.Number, Time: r.Time}, []byte(key)), string(b))
	}
	report, err := l.Audit(t.Context())
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	require.Equal(t, report.Totals.Stamped, report.Reservations[serial.Stamped])
	require.GreaterOrEqual(t, report.Totals.Stamped, int64(len(keys)))
	require.Zero(t, report.Totals.Reserved)
	t.Logf("%d told, %d interrupted, %d stamped", len(told), interrupted, report.Totals.Stamped)
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())
}

// killRound lets two processes run for a while, kills them and gives what they told.
func killRound(t *testing.T, dir, name string, after time.Duration) map[string]string {
	t.Helper()
	told := make(map[string]string)
	var children []*exec.Cmd
	var outputs []io.Reader
	for range 2 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], name)
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		children, outputs = append(children, cmd), append(outputs, out)
	}
	time.AfterFunc(after, func() {
		for _, c := range children {
			_ = c.Process.Kill()
		}
	})
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
