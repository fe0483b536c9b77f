package view_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
	"github.com/seed-574216e4/meterai/examples/surge/internal/view"
)

// show is a replay of a few calls.
func show(s *view.Screen) {
	s.Phase("the days before the deadline")
	s.Phase(strings.Repeat("a long phase ", 20))
	s.Fault("ledger down", true)
	s.Sample(&portal.Sample{Came: 100, Admitted: 80, Stamped: 60, Refused: 40, Waiting: [4]int{1, 200, 3, 4}, P50: 12, P99: 340, People: 77}, portal.Totals{Stamped: 600}, 0.5)
	s.Fault("ledger down", false)
	s.Audited(100)
	s.Close()
}

func TestPlain(t *testing.T) {
	var out bytes.Buffer
	show(view.New(&out))
	require.NotContains(t, out.String(), "\x1b")
	require.Equal(t, 5, strings.Count(out.String(), "\n"))
	for _, text := range []string{"the days before", "FAULT  ledger down", "healed ledger down", "stamped 60/s (600)", "waiting 208", "p99 340 ms"} {
		require.Contains(t, out.String(), text)
	}
}

func TestTerminal(t *testing.T) {
	var out bytes.Buffer
	show(view.NewTerminal(&out, true))
	text := out.String()
	require.Contains(t, text, "\x1b[31m", "red for a fault")
	require.Contains(t, text, "resume 1, redeem 200, purchase 3, register 4")
	require.Contains(t, text, "█")
	last := text[strings.LastIndex(text, "\x1b[15A"):]
	require.Equal(t, 16, strings.Count(last, "\n"), "the block is drawn over itself")
	require.Contains(t, last, "nothing is broken")
	require.Contains(t, last, "100 documents verified")
	for line := range strings.Lines(regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]").ReplaceAllString(text, "")) {
		require.LessOrEqual(t, len([]rune(strings.TrimSpace(line))), 79, line)
	}

	out.Reset()
	show(view.NewTerminal(&out, false))
	require.NotContains(t, out.String(), "\x1b[3", "no colours")
	require.Contains(t, out.String(), "\x1b[2K")
}
