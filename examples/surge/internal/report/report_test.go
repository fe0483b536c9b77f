package report_test

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/examples/surge/internal/audit"
	"github.com/seed-574216e4/meterai/examples/surge/internal/chaos"
	"github.com/seed-574216e4/meterai/examples/surge/internal/crowd"
	"github.com/seed-574216e4/meterai/examples/surge/internal/load"
	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
	"github.com/seed-574216e4/meterai/examples/surge/internal/replay"
	"github.com/seed-574216e4/meterai/examples/surge/internal/report"
)

// result is a replay of 60 seconds: 200 a second, 180 in the last ten, faults, and a tail of five seconds.
func result() *replay.Result {
	start := time.Date(2024, 9, 6, 8, 0, 0, 0, time.UTC)
	r := &replay.Result{
		Config:   replay.Config{Seed: 7, Chaos: 8, Length: time.Minute, Rush: 10 * time.Second, Tick: time.Second},
		Capacity: 200, Curve: load.Curve{Length: time.Minute, Peak: 70, Rush: 10 * time.Second, Over: 3 / 0.7}, People: 6000,
		Start: start, LoadEnds: start.Add(time.Minute), Idle: start.Add(65 * time.Second), Crowd: crowd.New(nil, &portal.Meter{}),
		Faults: []replay.Fault{{Kind: chaos.TSADown, From: 30, To: 33}, {Kind: chaos.Outage, From: 10, To: 14}, {Kind: chaos.DiskFull, From: 40, To: 41, Error: "<script>"}, {Kind: chaos.KeyLost, From: 54.2, To: 54.8}},
	}
	for i := range 65 {
		s := portal.Sample{At: float64(i + 1), Came: 70, Stamped: 200, Refused: 3, P50: 20, P99: 90, Memory: 100 << 20, CPU: 1, Waiting: [4]int{0, 2, 1, 0}}
		if s.At > 62 {
			s.Waiting, s.Refused = [4]int{}, 0
		} else if s.At > 50 {
			s.Stamped, s.Came, s.Memory, s.Waiting = 180, 300, 120<<20, [4]int{1, 900, 20, 5}
		}
		if s.At == 55 { // the key is lost
			s.Stamped = 0
		}
		r.Samples = append(r.Samples, s)
	}
	return r
}

func found() *audit.Report {
	return &audit.Report{
		Clean: true, Sums: audit.Sums{Paid: 1_000_000, Stamped: 12_000, Available: 987_900, Refunded: 100},
		Checks: []*audit.Check{{Name: "all is well", Looked: 5}, {Name: "nearly", Looked: 5, Wrong: 1, Problems: []string{"a <b> is missing"}}},
	}
}

func TestFigures(t *testing.T) {
	s := report.Summarise(result(), found(), map[string]int64{"tokens": 2}, report.Mode(false))
	require.InDelta(t, 3, s.Surge.Over, 0.01)
	require.InDelta(t, 600, s.Surge.Offered, 0.01)
	require.InDelta(t, 200, s.Surge.Peak, 0.01)
	require.InDelta(t, 180, s.Surge.Held, 0.01)
	require.InDelta(t, 0.9, s.Surge.Part, 0.001)
	require.InDelta(t, 3, s.Surge.Normal, 0.001)
	require.InDelta(t, 5, s.Surge.Idle, 0.001)
	require.InDelta(t, (50*200+9*180)/60.0, s.Mean, 0.01)
	require.Equal(t, int64(100<<20), s.Memory.Calm)
	require.Equal(t, int64(120<<20), s.Memory.Surge)
	require.Equal(t, 926, s.Memory.Queued)
	require.Equal(t, chaos.Outage, s.Faults[0].Kind, "in order of time")
	require.Len(t, s.Recovery, 4)
}

// TestPage: the page needs nothing else, its charts are well formed, and what comes from outside is escaped.
func TestPage(t *testing.T) {
	s := report.Summarise(result(), found(), nil, report.Mode(true))
	page := s.Page()
	for _, no := range []string{"<script", "http://www.example", "src=", "href=", "@import", "NaN", "Inf", "%!"} {
		require.NotContains(t, page, no)
	}
	require.Equal(t, 6, strings.Count(page, "<svg"))
	require.Contains(t, page, "&lt;script&gt;")
	require.Contains(t, page, "a &lt;b&gt; is missing")
	require.Contains(t, page, "1,000,000")
	require.Contains(t, page, "prefers-color-scheme:dark")
	require.Contains(t, page, "@media print")
	for rest := page; ; {
		begin := strings.Index(rest, "<svg")
		if begin < 0 {
			break
		}
		end := strings.Index(rest, "</svg>") + len("</svg>")
		d := xml.NewDecoder(strings.NewReader(rest[begin:end]))
		for {
			_, err := d.Token()
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
		}
		chart := rest[begin:end]
		require.Contains(t, chart, `class="unit"`)
		require.GreaterOrEqual(t, strings.Count(chart, `class="tick`), 6)
		rest = rest[end:]
	}
	picture := s.Picture()
	require.Equal(t, 3, strings.Count(picture, "<svg"))
}

// TestGoldenStructure: the keys of the JSON file, on which others may build.
func TestGoldenStructure(t *testing.T) {
	dir := t.TempDir()
	files, err := report.Write(dir, report.Summarise(result(), found(), map[string]int64{"x": 1}, "m"))
	require.NoError(t, err)
	require.Contains(t, files, "surge.html")
	b, err := os.ReadFile(filepath.Join(dir, "surge.json"))
	require.NoError(t, err)
	var all map[string]any
	require.NoError(t, json.Unmarshal(b, &all))
	require.Equal(t, []string{
		"audit", "bulk", "capacity", "chaos", "clean", "documents", "facts", "faults", "goals", "hour", "left", "length", "machine", "made_good", "mean",
		"memory", "mode", "owed", "people", "recovery", "samples", "seed", "stalled", "still_owed", "surge", "swept", "totals", "waits",
	}, slices.Sorted(maps.Keys(all)))
	require.Equal(t, []string{
		"admitted", "at", "calls", "came", "cpu", "failed", "memory", "p50", "p99", "people", "refusal", "refused", "served", "stamped", "waiting",
	}, slices.Sorted(maps.Keys(all["samples"].([]any)[0].(map[string]any))))
	require.Equal(t, []string{"available", "granted", "held", "moved", "paid", "refunded", "stamped"},
		slices.Sorted(maps.Keys(all["audit"].(map[string]any)["sums"].(map[string]any))))
}

func TestText(t *testing.T) {
	s := report.Summarise(result(), found(), nil, report.Mode(false))
	text := s.Text()
	require.Contains(t, text, "paid 1000000 = stamped 12000 + available 987900 + refunded 100 + held 0")
	require.Contains(t, text, "1 WRONG")
	require.Contains(t, text, "SOMETHING IS OFF.", "a fault did not happen as it should")
	hostile := found()
	hostile.Checks[1].Problems = []string{"\x1b]0;title\a\n\u202egnp.exe"}
	for _, shown := range []string{report.Summarise(result(), hostile, nil, "m").Text(), report.Summarise(result(), hostile, nil, "m").Page()} {
		require.Contains(t, shown, "?]0;title? ?gnp.exe")
		require.NotContains(t, shown, "\x1b")
	}
	for _, line := range strings.Split(text, "\n") {
		require.LessOrEqual(t, len([]rune(line)), 110, line)
	}
	well := result()
	well.Faults[2].Error = ""
	text = report.Summarise(well, found(), nil, report.Mode(false)).Text()
	require.Contains(t, text, "Nobody lost a unit or a stamp.")
	s.Clean = false
	require.Contains(t, s.Text(), "SOMETHING IS OFF.")
}
