package sign_test

import (
	"bufio"
	"context"
	"crypto"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial/sqlite"
	"github.com/seed-574216e4/meterai/sign"
)

// A distantKey is one behind a network: each signature takes a while, any number at a time.
type distantKey struct {
	crypto.Signer
	latency time.Duration
}

func (s distantKey) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	timer := time.NewTimer(s.latency)
	defer timer.Stop()
	select {
	case <-timer.C:
		return s.Signer.Sign(rand.Reader, digest, opts)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

const (
	killFolder = "METERAI_BATCH_KILL_FOLDER"
	killJobs   = 120
)

// TestBatchOfAnotherProcess is the process that TestBatchKilled kills.
func TestBatchOfAnotherProcess(t *testing.T) {
	dir := os.Getenv(killFolder)
	if dir == "" {
		return
	}
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, "ledger.db"), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	l := newLedger(t, store, filepath.Join(dir, "stamps"), killJobs)
	opt := &sign.BatchOptions{Options: stampOptions(t), InFlight: 8}
	cred := keyed(t, distantKey{specimen(t).StampP256.Key, 2 * time.Millisecond})
	for o, err := range sign.Batch(t.Context(), l, cred, batchJobs(killJobs), opt) {
		require.NoError(t, err)
		require.NoError(t, o.Err)
		fmt.Printf("stamped %d %s\n", o.Index, o.Receipt.Number)
	}
	settled(t, l, killJobs)
	fmt.Println("settled")
}

// A process that is killed in the middle of a batch, again and again, loses and doubles
// nothing: every number that was answered is the same in all later runs, and in the end
// each document has one unit.
func TestBatchKilled(t *testing.T) {
	dir := t.TempDir()
	answered := make(map[string]string)
	settled := false
	for run := range 6 {
		stopAfter := 15
		if run == 5 {
			stopAfter = killJobs + 1
		}
		settled = batchProcess(t, dir, answered, stopAfter)
		if settled && run < 5 {
			t.Fatal("the batch was not killed in the middle")
		}
	}
	require.True(t, settled)
	require.Len(t, answered, killJobs)
	numbers := make(map[string]bool)
	for _, number := range answered {
		require.False(t, numbers[number], "a number for two documents")
		numbers[number] = true
	}
}

// batchProcess runs the batch in a process of its own and kills it after so many new
// answers. It says whether the process came to its end.
func batchProcess(t *testing.T, dir string, answered map[string]string, stopAfter int) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), batchGuard)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestBatchOfAnotherProcess$", "-test.v")
	cmd.Env = append(os.Environ(), killFolder+"="+dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	fresh, killed, settled := 0, false, false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := strings.Fields(lines.Text())
		switch {
		case len(line) == 3 && line[0] == "stamped":
			if before, ok := answered[line[1]]; ok {
				require.Equal(t, before, line[2], "document %s has another number", line[1])
				continue
			}
			answered[line[1]] = line[2]
			if fresh++; fresh == stopAfter {
				require.NoError(t, cmd.Process.Kill())
				killed = true
			}
		case len(line) == 1 && line[0] == "settled":
			settled = true
		}
	}
	err = cmd.Wait()
	if !killed {
		require.NoError(t, err)
	}
	return settled
}
