package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/sqlite"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

func scheme(t testing.TB) *serial.Scheme { return storetest.Scheme(t) }

// sampled gives the numbers below n that a test looks at: the first ones and some of the rest, or all of them if the
// environment variable METERAI_FAULTS is "all".
func sampled(n, first, every int) (list []int) {
	all := os.Getenv("METERAI_FAULTS") == "all"
	if underRace {
		first, every = first/4, every*4
	}
	for i := range n {
		if all || i < first || i%every == 0 || i == n-1 {
			list = append(list, i)
		}
	}
	return list
}

// interrupted runs the script on a disk with a fault, and again without. The store and the ledger are opened anew if the
// fault met their opening; after that the script goes on with the same ledger.
func interrupted(t *testing.T, d *disk, tries int) (s *script, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "l.db")
	s = newScript()
	var st *sqlite.Store
	var err error
	for range tries {
		if st, err = sqlite.Open(context.Background(), path, sqlite.OnVFS(d.name)); err == nil {
			break
		}
	}
	if err != nil {
		require.Equal(t, 1, tries, "one fault may fail Open, but not its repetition: %v", err)
		return s, path
	}
	var l *serial.Ledger
	for range tries {
		if l, err = s.open(t, st); err == nil {
			break
		}
	}
	if err == nil {
		err = s.run(l, tries, d.done)
		require.NoError(t, l.Close())
	}
	if tries > 1 {
		require.NoError(t, err, "one fault may fail calls, but not their repetition")
	}
	_ = st.Close() // it may meet the fault; what matters is what is found afterwards
	return s, path
}

// TestFaultAtEveryCall fails one call to the operating system after the other, for once and for good (as a crash does),
// with nothing done and with all done: nothing that was acknowledged is lost, an unknown outcome resolves when it is
// repeated, and each unit is used once. (I1, I3, I7, I14)
func TestFaultAtEveryCall(t *testing.T) {
	t.Parallel()
	whole := newDisk(t)
	s, path := interrupted(t, whole, 1)
	require.Len(t, s.acks, len(scriptSteps()))
	require.Empty(t, s.errs)
	s.finish(t, path, "no fault")
	n := whole.done()
	require.Greater(t, n, 100)
	unknown := make(map[fault]int)
	for what, name := range map[fault]string{fails: "fails", persisted: "fails but is done", full: "disk is full"} {
		for _, crash := range []bool{false, true} {
			if crash && what != fails {
				continue
			}
			for _, at := range sampled(n, 16, 17) {
				d := newDisk(t)
				var hit *diskOp
				d.setFault(func(i int, o *diskOp) fault {
					if i == at {
						hit = o
					}
					if i == at || crash && i > at {
						return what
					}
					return noFault
				})
				tries := 4
				if crash {
					tries = 1
				}
				s, path := interrupted(t, d, tries)
				require.NotNil(t, hit, "call %d was not met", at)
				for _, err := range s.errs {
					if errors.Is(err, serial.ErrUnknownOutcome) {
						unknown[what]++
					}
				}
				s.finish(t, path, fmt.Sprintf("call %d (%s) %s, for good: %t", at, hit, name, crash))
			}
		}
	}
	require.Positive(t, unknown[fails], "no commit failed")
	require.Positive(t, unknown[persisted], "no commit failed and was durable")
	t.Logf("%d calls, commits of unknown outcome: %v", n, unknown)
}
