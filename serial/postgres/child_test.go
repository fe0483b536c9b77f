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
	"strconv"
	"strings"
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

// The test binary is also the program of several processes: with these variables set it does what its first argument
// says.
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

// child is the program of a process: "redeem NAME FIRST", "race" or "allocate NAME COUNT".
func child(args []string) error {
	var key [32]byte
	for i := range key {
		key[i] = byte(i)
	}
	scheme, err := serial.NewScheme('1', "ZK", key)
	if err != nil {
		return err
	}
	var l *serial.Ledger
	err = patiently(func() (err error) {
		l, _, err = openAll(context.Background(), os.Getenv(childDir), os.Getenv(childURL), os.Getenv(childSchema), scheme)
		return err
	})
	if err != nil {
		return err
	}
	switch args[0] {
	case "redeem":
		first, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		return childRedeem(l, args[1], first)
	case "race":
		return childRace(l)
	case "allocate":
		count, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		return childAllocate(l, args[1], count)
	}
	return errors.New("a child without a task")
}

// patiently repeats what fails because the server is away, for at most 30 seconds.
func patiently(f func() error) error {
	err := f()
	for end := time.Now().Add(30 * time.Second); err != nil && !refused(err) && time.Now().Before(end); err = f() {
		time.Sleep(20 * time.Millisecond)
	}
	return err
}

const clients = 8 // callers in each process that redeems

// childRedeem redeems with several callers, from a key on, and tells each receipt on its standard output after it has it.
// What fails because the server is away is repeated with the same key.
func childRedeem(l *serial.Ledger, name string, first int) error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	errs := make(chan error, clients)
	for g := range cap(errs) {
		wg.Go(func() {
			for i := first; ; i++ {
				key := fmt.Sprintf("%s/%d/%d", name, g, i)
				var r serial.Receipt
				err := patiently(func() (err error) {
					r, err = redeem(context.Background(), l, key)
					return err
				})
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

// childRace asks with 64 callers for one key, as soon as it is told to, and tells the answers.
func childRace(l *serial.Ledger) error {
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	answers, errs := make([]string, 64), make([]error, 64)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			if i%2 == 0 {
				r, err := l.Reserve(context.Background(), req("a", "one"))
				answers[i], errs[i] = r.Number.String(), err
				return
			}
			r, err := redeem(context.Background(), l, "one")
			answers[i], errs[i] = r.Number.String(), err
		})
	}
	wg.Wait()
	for _, a := range answers {
		fmt.Println(a)
	}
	return errors.Join(errs...)
}

// childAllocate takes numbers with 32 callers and tells them.
func childAllocate(l *serial.Ledger, name string, count int) error {
	numbers, errs := make([]string, count), make([]error, 32)
	var next atomic.Int64
	var wg sync.WaitGroup
	for g := range errs {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(count) && errs[g] == nil; i = next.Add(1) {
				r, err := l.Reserve(context.Background(), req("account "+name, fmt.Sprint(i)))
				numbers[i-1], errs[g] = r.Number.String(), err
			}
		})
	}
	wg.Wait()
	_, err := fmt.Println(strings.Join(numbers, "\n"))
	return errors.Join(append(errs, err)...)
}

// refused reports whether an error is an answer, not an outage.
func refused(err error) bool {
	var conflict *serial.ConflictError
	var state *serial.StateError
	return errors.Is(err, serial.ErrInsufficient) || errors.Is(err, serial.ErrFenced) || errors.As(err, &conflict) || errors.As(err, &state)
}

// site is what several processes share.
type site struct {
	srv         *server
	schema, dir string
}

func newSite(t *testing.T, srv *server) *site {
	t.Helper()
	return &site{srv, newSchema(t, srv).Schema, t.TempDir()}
}

func (s *site) open(t *testing.T) (*serial.Ledger, *postgres.Store) {
	t.Helper()
	l, store, err := openAll(t.Context(), s.dir, s.srv.url()+"&application_name=judge", s.schema, storetest.Scheme(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()); require.NoError(t, store.Close()) })
	return l, store
}

// start runs the test binary as a child.
func (s *site) start(t *testing.T, args ...string) (*exec.Cmd, io.Reader) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), childDir+"="+s.dir, childURL+"="+s.srv.url(), childSchema+"="+s.schema)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	return cmd, out
}

// fromEnv gives the size of a test: n, or what an environment variable says.
func fromEnv(t *testing.T, name string, n int) int {
	t.Helper()
	if v := os.Getenv(name); v != "" {
		var err error
		n, err = strconv.Atoi(v)
		require.NoError(t, err, name)
	}
	return n
}

// killed collects what children told before they were killed.
type killed struct {
	mu   sync.Mutex
	told map[string]string // key -> number and time
	last map[string]int    // name/caller -> newest index told
	bad  []string          // keys with two answers
}

// read takes the lines of a child until it is dead.
func (k *killed) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		key, answer, ok := strings.Cut(lines.Text(), " ")
		if f := strings.Fields(answer); !ok || len(f) != 2 || len(f[0]) != 22 || len(f[1]) != 10 {
			continue // cut off by the kill
		}
		k.mu.Lock()
		if was, ok := k.told[key]; ok && was != answer {
			k.bad = append(k.bad, key)
		}
		k.told[key] = answer
		slash := strings.LastIndexByte(key, '/')
		if i, err := strconv.Atoi(key[slash+1:]); err == nil {
			k.last[key[:slash]] = max(k.last[key[:slash]], i)
		}
		k.mu.Unlock()
	}
}

// first gives the index from which a new child of that name goes on: the oldest that may be unfinished.
func (k *killed) first(name string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	first := -1
	for g := range clients {
		if i := k.last[fmt.Sprintf("%s/%d", name, g)]; first < 0 || i < first {
			first = i
		}
	}
	return first
}

// TestKill lets four processes with eight callers each redeem on one series, two processes for each key, kills one after
// the other, starts it again, and at times kills the server under them. METERAI_KILLS is the number of kills. What was
// told is in the ledger, no number is there twice, no unit is lost, and every key can be finished. (I5, I7, I8, I10, I14)
func TestKill(t *testing.T) {
	srv := ownServer(t)
	at := newSite(t, srv)
	l, s := at.open(t)
	credit(t, l, "a", 1<<40)
	k := &killed{told: make(map[string]string), last: make(map[string]int)}
	var readers sync.WaitGroup
	slots := make([]*exec.Cmd, 4)
	start := func(slot int) {
		name := fmt.Sprint("pair", slot/2)
		cmd, out := at.start(t, "redeem", name, fmt.Sprint(k.first(name)))
		require.NoError(t, cmd.Start())
		slots[slot] = cmd
		readers.Go(func() { k.read(out) })
	}
	for i := range slots {
		start(i)
	}
	kills := fromEnv(t, "METERAI_KILLS", 50)
	for i := range kills {
		time.Sleep(time.Duration(30+i*37%100) * time.Millisecond)
		if i%12 == 11 {
			crashServer(t, srv, i%24 == 23)
		}
		slot := i % len(slots)
		kill(t, slots[slot])
		start(slot)
	}
	for _, cmd := range slots {
		kill(t, cmd)
	}
	readers.Wait()
	require.Empty(t, k.bad, "two answers for one key")
	waitForDead(t, srv)
	finish(t, l, k)
	report := requireClean(t, s)
	require.Zero(t, report.Totals.Reserved)
	require.Equal(t, int64(1<<40), report.Totals.Available+report.Totals.Stamped, "no unit is lost")
	t.Logf("%d kills, %d told, %d stamped", kills, len(k.told), report.Totals.Stamped)
}

// waitForDead waits until what the dead had sent is settled.
func waitForDead(t *testing.T, srv *server) {
	t.Helper()
	require.Eventually(t, func() bool {
		return srv.value(t, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'meterai'") == 0
	}, 30*time.Second, 20*time.Millisecond)
}

// kill ends a child that must still be alive.
func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	require.NoError(t, cmd.Process.Kill())
	err := cmd.Wait()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, -1, exit.ExitCode(), "the child died by itself")
}

// crashServer ends the server at once, or kills it with all its processes, and starts it again.
func crashServer(t *testing.T, srv *server, hard bool) {
	t.Helper()
	if hard {
		srv.crash(t)
	} else {
		srv.stop(syscall.SIGQUIT)
	}
	time.Sleep(50 * time.Millisecond)
	require.Eventually(t, func() bool { return srv.start() == nil }, 30*time.Second, 100*time.Millisecond)
}

// finish checks what was told and finishes what was interrupted.
func finish(t *testing.T, l *serial.Ledger, k *killed) {
	t.Helper()
	require.NotEmpty(t, k.told)
	var open []string
	for r, err := range l.Unresolved(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, serial.Signing, r.State)
		open = append(open, string(r.Request.Key))
	}
	check := open
	for key := range k.told {
		if check = append(check, key); len(check) == len(open)+300 {
			break
		}
	}
	for _, key := range check {
		r, err := redeem(t.Context(), l, key)
		require.NoError(t, err, key)
		if answer, ok := k.told[key]; ok {
			require.Equal(t, answer, fmt.Sprintf("%s %d", r.Number, r.Time.Unix()))
			require.True(t, r.Replayed)
		}
	}
	numbers := make(map[string]string)
	for key, answer := range k.told {
		number := strings.Fields(answer)[0]
		require.Empty(t, numbers[number], "a number twice")
		numbers[number] = key
	}
	for e, err := range l.History(t.Context(), "a", 0) {
		require.NoError(t, err)
		if e.Kind == serial.KindStamped {
			delete(numbers, e.Number.String())
		}
	}
	require.Empty(t, numbers, "told, but not stamped")
}

// TestRaceOfProcesses: four processes with 64 callers each ask for one key at the same moment: one unit, one number,
// equal answers. (I5)
func TestRaceOfProcesses(t *testing.T) {
	at := newSite(t, sharedServer(t))
	l, s := at.open(t)
	credit(t, l, "a", 1000)
	var lines []*bufio.Scanner
	var starts []io.Writer
	var cmds []*exec.Cmd
	for range 4 {
		cmd, out := at.start(t, "race")
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines, starts, cmds = append(lines, bufio.NewScanner(out)), append(starts, in), append(cmds, cmd)
	}
	for _, l := range lines {
		require.True(t, l.Scan())
		require.Equal(t, "ready", l.Text())
	}
	for _, w := range starts {
		_, err := io.WriteString(w, "go\n")
		require.NoError(t, err)
	}
	answers := make(map[string]int)
	for i, l := range lines {
		for l.Scan() {
			answers[l.Text()]++
		}
		require.NoError(t, cmds[i].Wait())
	}
	r, err := l.LookupKey(t.Context(), "a", []byte("one"))
	require.NoError(t, err)
	require.Equal(t, map[string]int{r.Number.String(): 256}, answers)
	b, err := l.Balance(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, serial.Balance{Purchased: 1000, Available: 999, Stamped: 1}, b)
	requireClean(t, s)
}

// TestAllocators: eight processes take numbers of one series, METERAI_NUMBERS in all; none is there twice. (I8)
func TestAllocators(t *testing.T) {
	at := newSite(t, sharedServer(t))
	l, s := at.open(t)
	const processes = 8
	each := fromEnv(t, "METERAI_NUMBERS", 40_000) / processes
	var cmds []*exec.Cmd
	seen := make(map[string]bool)
	var mu sync.Mutex
	var readers sync.WaitGroup
	for p := range processes {
		credit(t, l, fmt.Sprint("account ", p), int64(each))
		cmd, out := at.start(t, "allocate", fmt.Sprint(p), fmt.Sprint(each))
		require.NoError(t, cmd.Start())
		cmds = append(cmds, cmd)
		readers.Go(func() {
			for lines := bufio.NewScanner(out); lines.Scan(); {
				mu.Lock()
				if seen[lines.Text()] {
					t.Errorf("twice: %s", lines.Text())
				}
				seen[lines.Text()] = true
				mu.Unlock()
			}
		})
	}
	readers.Wait()
	for _, cmd := range cmds {
		require.NoError(t, cmd.Wait())
	}
	require.Len(t, seen, processes*each)
	require.Equal(t, int64(processes*each), requireClean(t, s).Reservations[serial.Reserved])
}
