package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/sqlite"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

// The test binary is also a program that uses a ledger in a process of its own: with this variable set it does what its
// last argument names, and tells each answer on its standard output, after it has it.
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
	s, err := sqlite.Open(ctx, filepath.Join(dir, "l.db"), &sqlite.Options{BusyTimeout: time.Minute})
	if err != nil {
		return nil, nil, err
	}
	l, err := serial.Open(ctx, s, &serial.Options{Scheme: scheme, Sink: sink, Block: 64})
	return l, s, err
}

func child(dir, task string) error {
	var key [32]byte
	for i := range key {
		key[i] = byte(i)
	}
	scheme, err := serial.NewScheme('1', "ZK", key)
	if err != nil {
		return err
	}
	l, s, err := openAll(context.Background(), dir, scheme)
	for tries := 3; err != nil && strings.HasPrefix(task, "script") && tries > 0; tries-- { // one fault, not its repetition
		l, s, err = openAll(context.Background(), dir, scheme)
	}
	if err != nil {
		return err
	}
	name, arg, _ := strings.Cut(task, " ")
	switch name {
	case "script":
		err = tellScript(l, arg)
	case "race": // for one key
		err = each(64, func(int) error {
			r, err := redeem(context.Background(), l, "one key")
			if err == nil {
				fmt.Printf("%s %s %d\n", "key", r.Number, r.Time.Unix())
			}
			return err
		})
	case "allocate": // numbers, so many for each caller
		who, count, _ := strings.Cut(arg, " ")
		most, convErr := strconv.Atoi(count)
		err = errors.Join(convErr, each(64, func(g int) error {
			for i := range most {
				r, err := l.Reserve(context.Background(), req("a", fmt.Sprintf("%s/%d/%d", who, g, i)))
				if err != nil {
					return err
				}
				fmt.Printf("%s/%d/%d %s 0\n", who, g, i, r.Number)
			}
			return nil
		}))
	default: // until it is killed; the processes use the same keys and race for them
		err = each(8, func(g int) error {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%s/%d/%d", task, g, i)
				r, err := redeem(context.Background(), l, key)
				if err != nil {
					return err
				}
				fmt.Printf("%s %s %d\n", key, r.Number, r.Time.Unix())
			}
		})
	}
	return errors.Join(err, l.Close(), s.Close())
}

// each runs n callers.
func each(n int, f func(g int) error) error {
	var wg sync.WaitGroup
	errs := make([]error, n)
	for g := range errs {
		wg.Go(func() { errs[g] = f(g) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// told collects what children have told: by key, number and time.
type told struct {
	mu      sync.Mutex
	answers map[string]string
	differ  []string // keys with two answers
	lines   int
}

// listen reads a child's answers to the end. A line that the kill has cut off does not count.
func (o *told) listen(out io.Reader) {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		key, answer, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		o.mu.Lock()
		if was, ok := o.answers[key]; ok && was != answer {
			o.differ = append(o.differ, key)
		}
		o.answers[key] = answer
		o.lines++
		o.mu.Unlock()
	}
}

// process is a child that runs.
type process struct {
	cmd   *exec.Cmd
	ended chan bool // when all it told was read
}

func (o *told) start(t *testing.T, dir, task string) *process {
	t.Helper()
	p := &process{cmd: exec.CommandContext(t.Context(), os.Args[0], task), ended: make(chan bool)}
	p.cmd.Env = append(os.Environ(), childDir+"="+dir)
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	go func() {
		o.listen(out)
		close(p.ended)
	}()
	return p
}

func (p *process) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Kill())
	<-p.ended
	var exit *exec.ExitError
	require.ErrorAs(t, p.cmd.Wait(), &exit)
	require.Equal(t, -1, exit.ExitCode(), "the child ended by itself")
}

func credited(t *testing.T, dir string, units int64) {
	t.Helper()
	l, s, err := openAll(t.Context(), dir, storetest.Scheme(t))
	require.NoError(t, err)
	_, err = l.Credit(t.Context(), "a", units, []byte("x"))
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())
}

// variable reads a number from the environment, for longer runs.
func variable(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, name)
	return n
}

// TestKill kills processes that redeem on one file, one after the other while the others go on, and now and then all of
// them at once: what they told is in the ledger, no number is there twice, and every key can be finished. METERAI_KILLS
// says how many (I7, I8, I10).
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	credited(t, dir, 10_000_000)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	o := &told{answers: make(map[string]string)}
	kills := variable(t, "METERAI_KILLS", 50)
	var running [3]*process // with 8 callers each
	for killed := 0; killed < kills; {
		era := fmt.Sprint(killed / 10) // new keys, so that a child does not begin with all that were told
		for i := range running {
			if running[i] == nil {
				running[i] = o.start(t, dir, era)
			}
		}
		time.Sleep(time.Duration(80+random.IntN(140)) * time.Millisecond)
		all := random.IntN(8) == 0
		for i := range running {
			if all || i == killed%len(running) {
				running[i].kill(t)
				running[i] = nil
				killed++
			}
		}
	}
	for _, p := range running {
		if p != nil {
			p.kill(t)
		}
	}
	require.Empty(t, o.differ, "two answers for one key")
	require.NotEmpty(t, o.answers)
	requireWhole(t, dir, o.answers)
	t.Logf("seed %d", seed)
}

// requireWhole finishes what was interrupted and compares the ledger with what was told.
func requireWhole(t *testing.T, dir string, told map[string]string) {
	t.Helper()
	l, s, err := openAll(t.Context(), dir, storetest.Scheme(t))
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
		require.Empty(t, numbers[r.Number], "two keys with one number")
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

// TestRaceOfProcesses: 4 processes with 64 callers each, one key: one unit, one number, equal answers. (I5)
func TestRaceOfProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	credited(t, dir, 1000)
	o := finished(t, dir, 4, func(int) string { return "race" })
	require.Empty(t, o.differ)
	require.Equal(t, 4*64, o.lines)
	require.Len(t, o.answers, 1)
	requireWhole(t, dir, map[string]string{"one key": o.answers["key"]})
	l, s, err := openAll(t.Context(), dir, storetest.Scheme(t))
	require.NoError(t, err)
	b, err := l.Balance(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, serial.Balance{Purchased: 1000, Available: 999, Stamped: 1}, b)
	require.NoError(t, l.Close())
	require.NoError(t, s.Close())
}

// finished runs children to their end.
func finished(t *testing.T, dir string, n int, task func(i int) string) *told {
	t.Helper()
	o := &told{answers: make(map[string]string)}
	var children []*process
	for i := range n {
		children = append(children, o.start(t, dir, task(i)))
	}
	for _, p := range children {
		<-p.ended
		require.NoError(t, p.cmd.Wait())
	}
	return o
}

// TestAllocators: 8 processes with 64 callers each take numbers from one series; no two are equal. METERAI_NUMBERS says
// how many in all (I8).
func TestAllocators(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const processes = 8
	each := max(1, variable(t, "METERAI_NUMBERS", 20_000)/(processes*64))
	credited(t, dir, 1<<40)
	o := finished(t, dir, processes, func(i int) string { return fmt.Sprintf("allocate %d %d", i, each) })
	require.Len(t, o.answers, processes*64*each)
	seen := make(map[string]bool, len(o.answers))
	for _, n := range o.answers {
		require.False(t, seen[n], n)
		seen[n] = true
	}
	s := open(t, filepath.Join(dir, "l.db"))
	report, err := serial.Audit(t.Context(), s)
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	require.Equal(t, int64(len(seen)), report.Totals.Reserved)
	require.NoError(t, s.Close())
	t.Logf("%d numbers", len(seen))
}
