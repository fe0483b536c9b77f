package serial_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

func (s *setup) checkpoint(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, s.WriteCheckpoint(t.Context(), &b))
	return b.Bytes()
}

func TestCheckpoint(t *testing.T) {
	s := start(t)
	s.credit(t, "a <b> \u2028é", 5)
	s.credit(t, "b", 5)
	s.reserved(t, "b", "1")
	old := s.checkpoint(t)
	same := func(l *setup, checkpoint []byte) []serial.Problem {
		problems, err := l.CompareCheckpoint(t.Context(), bytes.NewReader(checkpoint))
		require.NoError(t, err)
		return problems
	}
	require.Empty(t, same(s, old))
	for range 20 {
		n := s.reserved(t, "b", "2")
		_, err := s.Release(t.Context(), n, "")
		require.NoError(t, err)
	}
	require.Empty(t, same(s, old), "a ledger that went on still has what it had")
	require.NotEqual(t, old, s.checkpoint(t))

	// A ledger that lost its newest entries, as a machine that is rolled back as a whole.
	lost := start(t)
	lost.credit(t, "a <b> \u2028é", 5)
	problems := same(lost, old)
	require.Len(t, problems, 2)
	require.Contains(t, problems[0].Text, "series 1ZK is at mark 0")
	require.Equal(t, "b", problems[1].Account)
	require.Contains(t, problems[1].Text, "missing")

	// One whose entries are others.
	other := start(t)
	other.clock.step(time.Second)
	other.credit(t, "a <b> \u2028é", 5)
	problems = same(other, old)
	require.Len(t, problems, 3)
	require.Contains(t, problems[1].Text, "another entry")
}

func TestCheckpointRefuses(t *testing.T) {
	s := start(t)
	s.credit(t, "a", 5)
	s.reserved(t, "a", "1")
	whole := string(s.checkpoint(t))
	lines := strings.SplitAfter(whole, "\n")
	require.Len(t, lines, 5) // and the empty text after the last
	for name, text := range map[string]string{
		"empty":           "",
		"cut":             strings.Join(lines[:3], ""),
		"no first line":   strings.Join(lines[1:], ""),
		"a line less":     lines[0] + lines[1] + lines[3],
		"changed":         strings.Replace(whole, `"sequence":2`, `"sequence":1`, 1),
		"more":            whole + lines[2],
		"twice":           whole + whole,
		"no JSON":         lines[0] + "hello\n",
		"unknown field":   lines[0] + `{"x":1}` + "\n",
		"two values":      lines[0] + strings.TrimSpace(lines[1]) + "{}\n",
		"fields mixed":    lines[0] + `{"series":"1ZK","account":"a"}` + "\n",
		"bad series":      lines[0] + `{"series":"!!!","mark":1,"term":1}` + "\n",
		"short head":      lines[0] + `{"account":"a","sequence":1,"head":"00"}` + "\n",
		"CRLF":            strings.ReplaceAll(whole, "\n", "\r\n"),
		"no end of line":  strings.TrimSuffix(whole, "\n"),
		"a line too long": lines[0] + strings.Repeat(" ", 5000),
	} {
		problems, err := s.CompareCheckpoint(t.Context(), strings.NewReader(text))
		var refused *serial.CheckpointError
		require.ErrorAs(t, err, &refused, name)
		require.Nil(t, problems, name)
	}
	require.Error(t, s.WriteCheckpoint(t.Context(), brokenWriter{}))
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errDisk }

// FuzzCheckpoint: any text is compared or refused, and a checkpoint that was changed is never taken for whole.
func FuzzCheckpoint(f *testing.F) {
	store := storetest.NewMemory()
	l, err := serial.Open(context.Background(), store, &serial.Options{Scheme: testScheme(f)})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, l.Close()) })
	_, err = l.Credit(context.Background(), "a", 5, []byte("k"))
	require.NoError(f, err)
	var b bytes.Buffer
	require.NoError(f, l.WriteCheckpoint(context.Background(), &b))
	whole := b.String()
	f.Add(whole)
	f.Add(strings.Replace(whole, "a", "b", 1))
	f.Add(whole[:len(whole)/2])
	f.Add(strings.ReplaceAll(whole, "\n", "\r\n"))
	f.Add(strings.TrimSuffix(whole, "\n"))
	f.Fuzz(func(t *testing.T, text string) {
		problems, err := l.CompareCheckpoint(context.Background(), strings.NewReader(text))
		if err == nil && len(problems) == 0 && text != whole {
			require.NotContains(t, text, `"account":"a"`)
		}
	})
}
