// Package view shows a replay while it runs: bars on a terminal, plain lines elsewhere. With NO_COLOR in the environment
// it has no colours.
package view

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
)

// Screen shows a replay. It is safe for concurrent use.
type Screen struct {
	mu     sync.Mutex
	out    io.Writer
	live   bool // on a terminal
	colour bool
	begun  time.Time
	said   time.Time // the last plain line of figures
	drawn  int       // lines of the block that stand on the terminal
	peak   [4]float64
	broken []string // faults under way
	past   []string // the last lines about phases and faults
	last   frame
	done   int // documents audited
	closed bool
}

type frame struct {
	sample   portal.Sample
	totals   portal.Totals
	progress float64
	has      bool
}

// New makes a screen. It is live if out is a terminal that can move its cursor.
func New(out io.Writer) *Screen {
	s := &Screen{out: out, begun: time.Now(), colour: os.Getenv("NO_COLOR") == ""}
	if f, ok := out.(*os.File); ok {
		s.live = term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
	}
	return s
}

// NewTerminal makes a screen of what is known to be a terminal.
func NewTerminal(out io.Writer, colour bool) *Screen {
	return &Screen{out: out, begun: time.Now(), live: true, colour: colour}
}

// Phase says what begins.
func (s *Screen) Phase(text string) { s.say(text, "") }

// Fault says that something breaks, or is whole again.
func (s *Screen) Fault(text string, begins bool) {
	s.mu.Lock()
	if begins {
		s.broken = append(s.broken, text)
	} else if i := index(s.broken, text); i >= 0 {
		s.broken = append(s.broken[:i:i], s.broken[i+1:]...)
	}
	s.mu.Unlock()
	if begins {
		s.say("FAULT  "+text, red)
	} else {
		s.say("healed "+text, green)
	}
}

func index(list []string, s string) int {
	for i := range list {
		if list[i] == s {
			return i
		}
	}
	return -1
}

const (
	red   = "\x1b[31m"
	green = "\x1b[32m"
	blue  = "\x1b[34m"
	faint = "\x1b[2m"
	plain = "\x1b[0m"
)

func (s *Screen) paint(colour, text string) string {
	if !s.live || !s.colour || colour == "" {
		return text
	}
	return colour + text + plain
}

const history = 6 // lines about phases and faults that stay on the terminal

func (s *Screen) say(text, colour string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := fmt.Sprintf("%6.1fs  %s", time.Since(s.begun).Seconds(), text)
	if !s.live || s.closed {
		fmt.Fprintln(s.out, line)
		return
	}
	if s.past = append(s.past, s.paint(colour, clip(line))); len(s.past) > history {
		s.past = s.past[1:]
	}
	s.draw()
}

// Sample shows figures: at each call on a terminal, every five seconds elsewhere.
func (s *Screen) Sample(p *portal.Sample, t portal.Totals, progress float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = frame{*p, t, min(progress, 1), true}
	for i, v := range []float64{p.Came, p.Admitted, p.Stamped, p.Refused} {
		s.peak[i] = max(s.peak[i], v)
	}
	if s.live {
		s.draw()
		return
	}
	if time.Since(s.said) < 5*time.Second {
		return
	}
	s.said = time.Now()
	fmt.Fprintf(s.out, "%6.1fs  %3.0f %%  came %.0f/s  admitted %.0f/s  stamped %.0f/s (%d)  refused %.0f/s  waiting %d  on the way %d  p50 %.0f ms  p99 %.0f ms\n",
		time.Since(s.begun).Seconds(), 100*s.last.progress, p.Came, p.Admitted, p.Stamped, t.Stamped, p.Refused, sum(p.Waiting), p.People, p.P50, p.P99)
}

// Audited shows how many documents were verified.
func (s *Screen) Audited(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = n
	if s.live && n%100 == 0 {
		s.draw()
	}
}

func sum(v [4]int) int { return v[0] + v[1] + v[2] + v[3] }

// draw replaces the block on the terminal.
func (s *Screen) draw() {
	if s.closed {
		return
	}
	var b strings.Builder
	if s.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", s.drawn)
	}
	lines := s.lines()
	for _, l := range lines {
		b.WriteString("\x1b[2K" + l + "\n")
	}
	s.drawn = len(lines)
	io.WriteString(s.out, b.String())
}

func (s *Screen) lines() []string {
	lines := make([]string, history, history+11)
	copy(lines, s.past)
	if !s.last.has {
		return lines
	}
	p := &s.last.sample
	lines = append(lines, s.bar("the days", s.last.progress, fmt.Sprintf("%3.0f %%", 100*s.last.progress), blue))
	for i, row := range []struct {
		name   string
		v      float64
		total  int64
		colour string
	}{
		{"people came", p.Came, s.last.totals.Came, blue}, {"admitted", p.Admitted, s.last.totals.Admitted, blue},
		{"stamped", p.Stamped, s.last.totals.Stamped, green}, {"refused", p.Refused, s.last.totals.Refused, red},
	} {
		lines = append(lines, s.bar(row.name, row.v/max(1, s.peak[i]), fmt.Sprintf("%6.0f/s  %9d in all", row.v, row.total), row.colour))
	}
	w := p.Waiting
	lines = append(lines, s.bar("queue", float64(sum(w))/2048, fmt.Sprintf("%6d calls wait", sum(w)), blue),
		fmt.Sprintf("  %-12s resume %d, redeem %d, purchase %d, register %d", "of these", w[0], w[1], w[2], w[3]),
		fmt.Sprintf("  %-12s p50 %6.0f ms   p99 %6.0f ms   %d people on the way", "latency", p.P50, p.P99, p.People))
	broken := s.paint(faint, "nothing is broken")
	if len(s.broken) > 0 {
		broken = s.paint(red, clip(strings.Join(s.broken, ", ")))
	}
	lines = append(lines, fmt.Sprintf("  %-12s %s", "faults", broken))
	if s.done > 0 {
		lines = append(lines, s.bar("audited", float64(s.done)/float64(max(1, s.last.totals.Stamped)), fmt.Sprintf("%6d documents verified", s.done), green))
	}
	return lines
}

// A line must not be wrapped: the block is drawn over itself by lines.
const (
	width   = 24
	columns = 64
)

// clip shortens what stands behind a label or a time.
func clip(text string) string {
	if r := []rune(text); len(r) > columns {
		return string(r[:columns-1]) + "…"
	}
	return text
}

func (s *Screen) bar(name string, part float64, text, colour string) string {
	n := int(max(0, min(1, part))*width + 0.5)
	return fmt.Sprintf("  %-12s %s%s %s", name, s.paint(colour, strings.Repeat("█", n)), s.paint(faint, strings.Repeat("·", width-n)), text)
}

// Close leaves what stands there; later lines are plain.
func (s *Screen) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}
