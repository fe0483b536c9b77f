package sqlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
)

// heard is the script as a process has told it.
func heard(t *testing.T, out []byte, dir string) *script {
	t.Helper()
	s := newScript()
	sink, err := serial.NewDirSink(filepath.Join(dir, "out"))
	require.NoError(t, err)
	s.sink = sink
	for _, line := range strings.SplitAfter(string(out), "\n") {
		if !strings.HasSuffix(line, "\n") {
			continue // cut off by the kill
		}
		var a ack
		var key, number, account string
		var micros int64
		n, err := fmt.Sscanf(line, "ack %d %s %s %d %s %d %d %d", &a.step, &key, &number, &a.state, &account,
			&a.movement.Sequence, &a.movement.Units, &micros)
		require.NoError(t, err, line)
		require.Equal(t, 8, n)
		require.Equal(t, len(s.acks), a.step)
		a.key = strings.TrimPrefix(key, "key=")
		if a.movement.Account = strings.TrimPrefix(account, "account="); a.movement.Account != "" {
			a.movement.Time = time.UnixMicro(micros).UTC()
		} else {
			a.number, err = serial.Parse(strings.TrimPrefix(number, "number="))
			require.NoError(t, err)
		}
		if a.key != "" {
			s.numbers[a.key] = a.number
		}
		s.acks = append(s.acks, a)
	}
	return s
}

// TestFaultsOfTheSystem runs the script in processes under strace, which lets the n-th call of a kind fail, or kills the
// process at it: also the calls for the witness and for the outputs, which do not go through SQLite. (I7, I14)
func TestFaultsOfTheSystem(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed: apt-get install strace")
	}
	for _, call := range []string{"fsync,fdatasync", "rename,renameat,renameat2", "pwrite64", "link,linkat", "ftruncate", "openat", "unlink,unlinkat"} {
		for _, how := range []string{"signal=SIGKILL", "error=EIO", "error=ENOSPC"} {
			if how == "error=ENOSPC" && call != "pwrite64" {
				continue
			}
			t.Run(call+" "+how, func(t *testing.T) {
				t.Parallel()
				n, step := 1, 1
				for ; underStrace(t, strace, call, how, n); n += step {
					if underRace {
						step = 8
					} else if n >= 3 && os.Getenv("METERAI_FAULTS") != "all" {
						step *= 2
					}
				}
				require.Greater(t, n, 1, "it was never met")
			})
		}
	}
}

// underStrace runs one process with one fault and compares the ledger with what it told. It reports whether there were so
// many calls. strace counts them for each thread, so a fault may come more than once, and a kill meets early calls only;
// TestFaultAtEveryCall has the crash at every other.
func underStrace(t *testing.T, strace, call, how string, n int) (hit bool) {
	t.Helper()
	dir := t.TempDir()
	out, trace := filepath.Join(dir, "out"), filepath.Join(dir, "trace")
	cmd := exec.CommandContext(t.Context(), strace, "-f", "-qq", "-o", trace, "-e", "trace="+call,
		"-e", fmt.Sprintf("inject=%s:%s:when=%d", call, how, n), os.Args[0], "script "+out)
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	var told, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &told, &complaints
	err := cmd.Run()
	calls, readErr := os.ReadFile(trace)
	require.NoError(t, readErr, complaints.String())
	var exit *exec.ExitError
	killed := errors.As(err, &exit) && exit.ExitCode() == -1 // strace dies as its child did
	hit = killed || bytes.Contains(calls, []byte("INJECTED"))
	note := fmt.Sprintf("%s %s at call %d of a thread: %v %s", call, how, n, err, complaints.String())
	s := heard(t, told.Bytes(), dir)
	if !hit {
		require.NoError(t, err, note)
		require.Len(t, s.acks, len(scriptSteps()), note)
	}
	s.finish(t, filepath.Join(dir, "l.db"), note)
	return hit
}
