package serial_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

// machine is a ledger with a DirSink on a disk; the store is durable.
type machine struct {
	t      *testing.T
	disk   *serial.Disk
	store  *storetest.Faulty
	clock  *clock
	ledger *serial.Ledger
	steps  []string // of the disk, since the last attempt began
	runs   int
}

// diskSteps are all that a DirSink has the system do; each must fail in each way at least once.
var diskSteps = []string{"mkdir root", "sync parent", "mkdir folder", "sync root", "create", "write", "sync file", "close",
	"link claim", "link name", "heal name", "sync folder", "remove temp"}

func newMachine(t *testing.T) *machine {
	m := &machine{t: t, disk: serial.NewDisk(t), clock: newClock()}
	m.store = &storetest.Faulty{Store: storetest.NewMemory(), Next: func(string) storetest.Fault {
		if m.disk.Down() {
			return storetest.Unreachable
		}
		return storetest.NoFault
	}}
	return m
}

// attempt is one call of a process that may be new, may find its disk failing and may go down with the machine.
func (m *machine) attempt(what map[int]int) (r serial.Receipt, err error) {
	m.steps = nil
	m.disk.Next = func(step string) int {
		m.steps = append(m.steps, step)
		return what[len(m.steps)-1]
	}
	if m.ledger == nil {
		sink, err := m.disk.NewSink()
		if err != nil {
			return r, err
		}
		m.ledger, err = serial.Open(m.t.Context(), m.store, &serial.Options{Scheme: testScheme(m.t), Sink: sink, Now: m.clock.now, Block: 8})
		if err != nil {
			return r, err
		}
		if _, err := m.ledger.Credit(m.t.Context(), "a", 3, []byte("payment")); err != nil {
			return r, err
		}
	}
	m.clock.step(time.Second)
	return m.ledger.Redeem(m.t.Context(), req("a", "k"), func(ctx context.Context, r serial.Reservation, w io.Writer) error {
		m.runs++
		_, err := fmt.Fprintf(w, "%s %s run %d", r.Number, r.Time, m.runs)
		return err
	})
}

// stop ends the process, and with it the machine if chance is not nil.
func (m *machine) stop(lost func() bool) {
	if m.ledger != nil {
		require.NoError(m.t, m.ledger.Close())
		m.ledger = nil
	}
	if lost != nil {
		m.disk.Reboot(lost)
	}
}

// finish is the attempt that meets no fault. What was answered before stays; one unit, one serial, one output.
func (m *machine) finish(answered *serial.Receipt, kept bool) {
	runs := m.runs
	r, err := m.attempt(nil)
	require.NoError(m.t, err)
	if kept {
		require.Equal(m.t, runs, m.runs, "I5: a finished output is never made again")
	}
	require.LessOrEqual(m.t, m.runs, runs+1)
	require.Equal(m.t, m.runs == runs, r.Replayed)
	if answered != nil {
		answered.Replayed = true
		require.Equal(m.t, *answered, r, "I7: what was answered is durable")
	}
	m.requireOutput(r)
	balance, err := m.ledger.Balance(m.t.Context(), "a")
	require.NoError(m.t, err)
	require.Equal(m.t, serial.Balance{Purchased: 3, Available: 2, Stamped: 1}, balance)
	report, err := m.ledger.Audit(m.t.Context())
	require.NoError(m.t, err)
	require.Empty(m.t, report.Problems)
	require.Equal(m.t, map[serial.State]int64{serial.Stamped: 1}, report.Reservations)
	m.requireOneOutput(r.Number)

	// A crash after the answer takes nothing of it.
	m.stop(func() bool { return true })
	runs = m.runs
	again, err := m.attempt(nil)
	require.NoError(m.t, err)
	require.Equal(m.t, runs, m.runs)
	r.Replayed = true
	require.Equal(m.t, r, again)
	m.requireOutput(r)
	m.stop(nil)
}

func (m *machine) requireOutput(r serial.Receipt) {
	rc, err := m.ledger.Output(m.t.Context(), r.Number)
	require.NoError(m.t, err, "I7")
	b, err := io.ReadAll(rc)
	require.NoError(m.t, err)
	require.NoError(m.t, rc.Close())
	require.Equal(m.t, outputOf(b), r.Output)
}

// requireOneOutput: number and claim stand for one file; what else there is belongs to nobody and is swept one day.
func (m *machine) requireOneOutput(n serial.Number) {
	var names []string
	require.NoError(m.t, filepath.WalkDir(m.disk.Root(), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !strings.HasPrefix(e.Name(), ".put-") {
			names = append(names, e.Name())
		}
		return err
	}))
	require.Len(m.t, names, 2, "%v", names)
	require.Equal(m.t, n.String(), names[0])
	require.True(m.t, strings.HasPrefix(names[1], n.String()+"-"))
}

// finished reports whether a whole output is there: one that was not must be made again, one that was must not.
func (m *machine) finished() bool {
	files, err := filepath.Glob(filepath.Join(m.disk.Root(), "??", "*-*"))
	require.NoError(m.t, err)
	files = slices.DeleteFunc(files, func(f string) bool { return strings.HasPrefix(filepath.Base(f), ".put-") })
	return len(files) > 0
}

// chances say what a crash takes of what is not durable.
func chances(r *rand.Rand) map[string]func() bool {
	return map[string]func() bool{
		"all":  func() bool { return true },
		"none": func() bool { return false },
		"some": func() bool { return r.IntN(2) == 0 },
	}
}

// TestDiskFailpoints: for every step of the file system "fails" and "fails but done", in one process or two, and a crash
// before and after it that loses all, some or none of what is not durable; from nothing, and from an output that has only
// the first of its names. (I5, I6, I7, I10)
func TestDiskFailpoints(t *testing.T) {
	hit := make(map[string]bool)
	for name, before := range map[string]func(*machine){
		"from nothing": func(*machine) {},
		"from a claim": func(m *machine) {
			_, err := m.attempt(nil)
			require.NoError(t, err)
			at := slices.Index(m.steps, "link name")
			*m = *newMachine(t)
			_, err = m.attempt(map[int]int{at: serial.StepCrashesBefore})
			require.Error(t, err)
			m.stop(func() bool { return false })
		},
	} {
		clean := newMachine(t)
		before(clean)
		_, err := clean.attempt(nil)
		require.NoError(t, err)
		clean.stop(nil)
		for i, step := range clean.steps {
			t.Run(name+", "+step, func(t *testing.T) { testFailpoint(t, i, before, hit) })
		}
	}
	for _, step := range diskSteps {
		for _, what := range []int{serial.StepFails, serial.StepFailsButDone} {
			require.True(t, hit[fmt.Sprint(step, what)], "%s was never hit", step)
		}
	}
}

func testFailpoint(t *testing.T, i int, before func(*machine), hit map[string]bool) {
	for _, what := range []int{serial.StepFails, serial.StepFailsButDone} {
		for _, restart := range []bool{false, true} {
			m := newMachine(t)
			before(m)
			_, err := m.attempt(map[int]int{i: what})
			hit[fmt.Sprint(m.steps[i], what)] = true
			require.ErrorIs(t, err, serial.ErrStep)
			if restart {
				m.stop(nil)
			}
			m.finish(nil, m.finished())
		}
	}
	for _, lost := range chances(rand.New(rand.NewPCG(1, 1))) {
		for _, what := range []int{serial.StepCrashesBefore, serial.StepCrashesAfter} {
			m := newMachine(t)
			before(m)
			_, err := m.attempt(map[int]int{i: what})
			require.Error(t, err)
			m.stop(lost)
			m.finish(nil, m.finished())
		}
	}
}

// TestDiskCrashes crashes again and again, at any step of any attempt, with faults in between.
func TestDiskCrashes(t *testing.T) {
	seed := seedFromEnv(t)
	t.Logf("METERAI_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	lost := chances(r)
	names := slices.Sorted(maps.Keys(lost))
	for range numberFromEnv(t, "METERAI_CRASHES", 200) {
		m := newMachine(t)
		var answered *serial.Receipt
		for range 1 + r.IntN(5) {
			got, err := m.attempt(map[int]int{r.IntN(20): 1 + r.IntN(4), r.IntN(20): 1 + r.IntN(4)})
			if err == nil {
				answered = &got
			}
			m.stop(lost[names[r.IntN(len(names))]])
		}
		m.finish(answered, m.finished())
	}
}

// TestClaimFailpoint: another's claim that cannot be taken back does no harm.
func TestClaimFailpoint(t *testing.T) {
	n := number(t, testScheme(t), 5)
	for _, what := range []int{serial.StepFails, serial.StepFailsButDone} {
		disk := serial.NewDisk(t)
		sink, err := disk.NewSink()
		require.NoError(t, err)
		put := func(claim byte) error {
			return sink.PutClaimed(t.Context(), n, [32]byte{claim}, func(w io.Writer) error {
				_, err := fmt.Fprint(w, "output ", claim)
				return err
			})
		}
		require.NoError(t, put(1))
		hit := false
		disk.Next = func(step string) int {
			if step == "remove claim" {
				hit = true
				return what
			}
			return serial.StepDone
		}
		require.ErrorIs(t, put(2), serial.ErrStep)
		require.True(t, hit)
		disk.Next = nil
		require.ErrorIs(t, put(2), fs.ErrExist)
		_, err = sink.OpenClaimed(t.Context(), n, [32]byte{2})
		var foreign *serial.ForeignOutputError
		require.ErrorAs(t, err, &foreign)
		rc, err := sink.OpenClaimed(t.Context(), n, [32]byte{1})
		require.NoError(t, err)
		b, err := io.ReadAll(rc)
		require.NoError(t, err)
		require.NoError(t, rc.Close())
		require.Equal(t, "output 1", string(b))
	}
}
