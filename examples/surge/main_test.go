package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/seed-574216e4/meterai/examples/surge/internal/plant"
	"github.com/seed-574216e4/meterai/examples/surge/internal/report"
)

// TestMain lets the test's program also be an issuing process, as the program itself can.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == plant.WorkerCommand {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// seeds is how many chaos seeds are replayed: five, or METERAI_CHAOS of them.
func seeds(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("METERAI_CHAOS")
	if text == "" {
		return 5
	}
	n, err := strconv.ParseUint(text, 10, 8)
	require.NoError(t, err)
	return n
}

// short is a replay of a few seconds with few people. Its answers may take long, since tests run on busy machines; what
// is counted stays exact.
func short(t *testing.T, chaos uint64) *flags {
	t.Helper()
	return &flags{
		seed: 40 + chaos, chaos: chaos, duration: 5 * time.Second, scale: 1, capacity: 40,
		out: t.TempDir(), dir: t.TempDir(), atOnce: time.Minute, answer: 5 * time.Minute, drain: 5 * time.Minute,
	}
}

// together is how many replays run at a time: they mostly wait.
const together = 5

// replayed is one replay of a chaos seed.
type replayed struct {
	flags *flags
	out   bytes.Buffer
	clean bool
	err   error
}

// TestChaos: whatever breaks and whenever, nobody loses a unit or a stamp. (I1, I3, I5 to I8, I10, I16, I18, I22, I25)
func TestChaos(t *testing.T) {
	t.Parallel()
	runs := make([]replayed, seeds(t))
	var g errgroup.Group
	g.SetLimit(together)
	for i := range runs {
		r := &runs[i]
		r.flags = short(t, uint64(i+1))
		g.Go(func() error {
			r.clean, r.err = replayAndAudit(t.Context(), r.flags, &r.out)
			return nil
		})
	}
	require.NoError(t, g.Wait())
	for i := range runs {
		t.Run(fmt.Sprint("seed ", i+1), func(t *testing.T) { runs[i].check(t) })
	}
}

func (r *replayed) check(t *testing.T) {
	require.NoError(t, r.err)
	require.True(t, r.clean, r.out.String())
	s := readReport(t, r.flags.out)
	require.Greater(t, s.Audit.Sums.Stamped, int64(100))
	require.GreaterOrEqual(t, len(s.Faults), 7)
	for _, fault := range s.Faults {
		require.Empty(t, fault.Error, fault.Kind)
	}
	require.Equal(t, s.Audit.Sums.Stamped, s.Audit.States["STAMPED"])
	require.Zero(t, s.Unpaid)
	left, err := os.ReadDir(r.flags.dir)
	require.NoError(t, err)
	require.Empty(t, left, "the disk is cleaned up")
}

func readReport(t *testing.T, dir string) *report.Summary {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "surge.json"))
	require.NoError(t, err)
	s := &report.Summary{}
	require.NoError(t, json.Unmarshal(b, s))
	return s
}

// TestSameSeedSamePeople: the load does not depend on what the system does.
func TestSameSeedSamePeople(t *testing.T) {
	t.Parallel()
	f := short(t, 3)
	f.duration, f.capacity = 2*time.Second, 20
	var people [2]int
	for i := range people {
		f.chaos = uint64(1 + i)
		_, err := replayAndAudit(t.Context(), f, &bytes.Buffer{})
		require.NoError(t, err)
		people[i] = readReport(t, f.out).People
	}
	require.Equal(t, people[0], people[1])
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"--embedded", "--full"}, {"x"}, {"--scale", "0"}, {"--nonsense"}, {"--capacity", "-1"}, {"--capacity", "NaN"}, {"--capacity", "Inf"}, {"--scale", "1e300"}, {"--duration", "2h"}, {"--duration", "1ms"}} {
		var out, errs bytes.Buffer
		require.Equal(t, exitUsage, run(t.Context(), args, &out, &errs), args)
		require.Contains(t, errs.String(), "surge:")
	}
	var out, errs bytes.Buffer
	require.Zero(t, run(t.Context(), []string{"--help"}, &out, &errs))
	require.Contains(t, errs.String(), "-chaos")
}

// TestPlainLines: without a terminal there are plain lines, with the seed to repeat it.
func TestPlainLines(t *testing.T) {
	t.Parallel()
	f := short(t, 0)
	f.duration, f.capacity = 2*time.Second, 20
	var out bytes.Buffer
	_, err := replayAndAudit(t.Context(), f, &out)
	require.NoError(t, err)
	require.NotContains(t, out.String(), "\x1b")
	require.Contains(t, out.String(), "--seed 40 --chaos 0 --duration 2s")
	require.Contains(t, out.String(), "FAULT  ledger down")
	require.Contains(t, out.String(), "Nobody lost a unit or a stamp.")
	require.True(t, strings.Contains(out.String(), "surge.html"))
}

// TestFull is a small replay with several processes, PostgreSQL with a standby and two tokens, and every fault. (I7, I12,
// I15, I20)
func TestFull(t *testing.T) {
	if err := plant.Missing(); err != nil {
		t.Skip(err.Error())
	}
	t.Parallel()
	f := short(t, 0)
	f.full, f.duration = true, 10*time.Second
	var out bytes.Buffer
	clean, err := replayAndAudit(t.Context(), f, &out)
	require.NoError(t, err)
	require.True(t, clean, out.String())
	s := readReport(t, f.out)
	for _, fault := range s.Faults {
		require.Empty(t, fault.Error, fault.Kind)
	}
	require.Equal(t, int64(1_000_000), s.Audit.Sums.Paid/1_000_000*1_000_000)
	require.Equal(t, int64(1), s.Facts["standbys promoted"])
	require.Equal(t, int64(2), s.Facts["issuing processes killed"])
	require.Equal(t, int64(1), s.Facts["fenced issuers that refused to issue"])
	require.NotZero(t, s.Facts["times that all sessions were lost"])
	require.GreaterOrEqual(t, s.Facts["token signatures"], int64(1))
	left, err := os.ReadDir(f.dir)
	require.NoError(t, err)
	require.Empty(t, left)
}
