// Package report says what a replay came to: in words, as JSON, and as one HTML page with charts that needs nothing else.
package report

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/seed-574216e4/meterai/examples/surge/internal/audit"
	"github.com/seed-574216e4/meterai/examples/surge/internal/chaos"
	"github.com/seed-574216e4/meterai/examples/surge/internal/crowd"
	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
	"github.com/seed-574216e4/meterai/examples/surge/internal/replay"
)

// Summary is everything that is reported. Times are seconds since the start of the load, latencies milliseconds.
type Summary struct {
	Clean    bool             `json:"clean"` // the auditor found nothing
	Mode     string           `json:"mode"`
	Machine  string           `json:"machine"`
	Seed     uint64           `json:"seed"`
	Chaos    uint64           `json:"chaos"`
	Length   float64          `json:"length"` // of the load
	Hour     float64          `json:"hour"`   // how long a replayed hour takes
	Capacity float64          `json:"capacity"`
	People   int              `json:"people"`
	Bulk     int              `json:"bulk"` // documents at a time that institutions have stamped while nobody waits
	Totals   portal.Totals    `json:"totals"`
	Mean     float64          `json:"mean"` // documents stamped a second, over the whole load
	Surge    Surge            `json:"surge"`
	Recovery []Recovery       `json:"recovery"`
	Memory   Memory           `json:"memory"`
	Stalled  float64          `json:"stalled"`   // seconds for which the process stood still, in all
	MadeGood int              `json:"made_good"` // payments credited because "who was harmed" named them
	Owed     int              `json:"owed"`      // timestamps that were owed and made good
	Unpaid   int              `json:"still_owed"`
	Swept    map[string]int64 `json:"swept"` // at the end: what nobody finished
	Facts    map[string]int64 `json:"facts"`
	Faults   []replay.Fault   `json:"faults"`
	Audit    *audit.Report    `json:"audit"`
	Samples  []portal.Sample  `json:"samples"`
}

// Surge is how the last hours went, when more came than can be served.
type Surge struct {
	From    float64 `json:"from"`
	To      float64 `json:"to"`
	Offered float64 `json:"offered"` // documents a second that came to be stamped
	Over    float64 `json:"over"`    // as a multiple of the capacity
	Peak    float64 `json:"peak"`    // the best four seconds of the whole replay, documents a second
	Held    float64 `json:"held"`    // documents a second while more came than can be served
	Part    float64 `json:"part"`    // Held / Peak
	// PerCPU is the same with processor seconds instead of time: on a machine that others use as well, the fair figure.
	PerCPU     float64 `json:"per_cpu"`
	CalmPerCPU float64 `json:"calm_per_cpu"` // documents a processor second in the best four seconds
	HeldPerCPU float64 `json:"held_per_cpu"` // while more came than can be served
	// Normal is how many seconds after the end of the load the system was back to normal: nobody waited at the door or was
	// refused from then on. Idle is when nobody was on the way either, not even who waits for a late message of the payment
	// provider. -1: not within the limit.
	Normal  float64 `json:"normal_after"`
	Idle    float64 `json:"idle_after"`
	Refusal float64 `json:"slowest_refusal"`
}

// Recovery is how those who were on the way when an outage ended were served, by lane.
type Recovery struct {
	Lane  string  `json:"lane"`
	Count int     `json:"count"`
	Half  float64 `json:"half"` // seconds after the outage until half of them had what they wanted
	Most  float64 `json:"most"` // 95 in 100
	All   float64 `json:"all"`
}

// Memory is what issuing processes had resident, in bytes.
type Memory struct {
	Calm   int64 `json:"calm"`   // the most while fewer than 50 waited
	Surge  int64 `json:"surge"`  // the most in the last hours
	Queued int   `json:"queued"` // the most that waited
}

// Mode names what was replayed.
func Mode(full bool) string {
	if full {
		return "full: processes on PostgreSQL, SoftHSM tokens"
	}
	return "embedded: one process on SQLite"
}

// Summarise draws the figures from what happened and what the auditor found.
func Summarise(r *replay.Result, found *audit.Report, facts map[string]int64, mode string) *Summary {
	s := &Summary{
		Clean: found.Clean, Mode: mode, Machine: fmt.Sprintf("%d cores, %s, %s/%s", runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH),
		Seed: r.Config.Seed, Chaos: r.Config.Chaos, Length: r.Config.Length.Seconds(), Hour: r.Curve.Hour().Seconds(),
		Capacity: r.Capacity, People: r.People, Bulk: r.Config.Bulk, Stalled: r.Crowd.Stalled().Seconds(), Totals: r.Totals, MadeGood: r.MadeGood, Owed: r.Owed, Unpaid: r.Unpaid,
		Facts: facts, Faults: r.Faults, Audit: found, Samples: r.Samples,
		Swept: map[string]int64{"stamped": r.Swept.Stamped, "released": r.Swept.Released, "void": r.Swept.Void, "left": r.Swept.Waiting},
	}
	slices.SortFunc(s.Faults, func(a, b replay.Fault) int { return cmp.Compare(a.From, b.From) })
	s.surge(r)
	s.recovery(r)
	for i := range s.Samples {
		p := &s.Samples[i]
		queued := p.Waiting[0] + p.Waiting[1] + p.Waiting[2] + p.Waiting[3]
		s.Memory.Queued = max(s.Memory.Queued, queued)
		if queued < 50 && p.At < s.Surge.From {
			s.Memory.Calm = max(s.Memory.Calm, p.Memory)
		}
		if p.At >= s.Surge.From {
			s.Memory.Surge = max(s.Memory.Surge, p.Memory)
		}
	}
	return s
}

func (s *Summary) surge(r *replay.Result) {
	u := &s.Surge
	u.From, u.To = (r.Curve.Length - r.Curve.Rush).Seconds(), r.LoadEnds.Sub(r.Start).Seconds()
	u.Offered = 2 * r.Curve.Peak * r.Curve.Over
	u.Over = u.Offered / r.Capacity
	u.Normal, u.Idle = s.normal(), -1
	if !r.Idle.IsZero() {
		u.Idle = r.Idle.Sub(r.LoadEnds).Seconds()
	}
	var held, count, stamped, heldCPU float64
	window := int(4 * time.Second / r.Config.Tick)
	for i := range s.Samples {
		p := &s.Samples[i]
		if p.At > u.From+1 && p.At <= u.To {
			held, count, heldCPU = held+p.Stamped, count+1, heldCPU+p.CPU
		}
		if p.At <= s.Length {
			stamped += p.Stamped * r.Config.Tick.Seconds()
		}
		u.Refusal = max(u.Refusal, p.Refusal)
		if i+1 >= window {
			sum, cpu := 0.0, 0.0
			for _, q := range s.Samples[i+1-window : i+1] {
				sum, cpu = sum+q.Stamped, cpu+q.CPU
			}
			if rate := sum / float64(window); rate > u.Peak {
				u.Peak, u.CalmPerCPU = rate, sum/max(0.01, cpu)
			}
		}
	}
	u.Held = held / max(1, count)
	u.Part, u.HeldPerCPU = u.Held/max(1, u.Peak), held/max(0.01, heldCPU)
	u.PerCPU = u.HeldPerCPU / max(1, u.CalmPerCPU)
	s.Mean = stamped / s.Length
}

// normal finds the first moment after the load from which on nobody waits and nobody is refused.
func (s *Summary) normal() float64 {
	for i := len(s.Samples) - 1; i >= 0; i-- {
		p := &s.Samples[i]
		if p.Waiting == [4]int{} && p.Refused == 0 && p.At > s.Surge.To {
			continue
		}
		if i == len(s.Samples)-1 {
			return -1
		}
		return max(0, s.Samples[i+1].At-s.Surge.To)
	}
	return -1
}

// recovery looks at those who were on the way when the first outage of the ledger ended.
func (s *Summary) recovery(r *replay.Result) {
	i := slices.IndexFunc(s.Faults, func(f replay.Fault) bool { return f.Kind == chaos.Outage })
	if i < 0 {
		return
	}
	end := r.Start.Add(time.Duration(s.Faults[i].To * float64(time.Second)))
	took := make([][]float64, 4)
	for _, w := range r.Crowd.Wants() {
		if w.Asked.After(end) || w.Settled.Before(end) {
			continue
		}
		lane := laneOf(w, end)
		took[lane] = append(took[lane], w.Settled.Sub(end).Seconds())
	}
	for lane, t := range took {
		slices.Sort(t)
		v := Recovery{Lane: laneNames[lane], Count: len(t)}
		if n := len(t); n > 0 {
			v.Half, v.Most, v.All = t[n/2], t[n*95/100], t[n-1]
		}
		s.Recovery = append(s.Recovery, v)
	}
}

var laneNames = [4]string{"being stamped", "paid: to credit or to stamp", "purchases", "registrations"}

func laneOf(w *crowd.Want, end time.Time) int {
	switch {
	case w.Op == portal.Stamp && !w.Began.IsZero() && w.Began.Before(end):
		return 0
	case w.Op == portal.Stamp || w.Op == portal.Credit || w.Op == portal.Transfer || w.Op == portal.Reserve:
		return 1
	case w.Op == portal.Register:
		return 3
	}
	return 2
}

// Text is the report for a terminal.
func (s *Summary) Text() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	t, u, a := &s.Totals, &s.Surge, s.Audit
	p("\n%s; %s\nseed %d, chaos %d; five days in %.0f s, an hour in %.2f s", s.Mode, s.Machine, s.Seed, s.Chaos, s.Length, s.Hour)
	p("\nload       %d people, %d calls, %d admitted, %d refused at the door, %d failed for the time being", s.People, t.Calls, t.Admitted, t.Refused, t.Failed)
	p("stamped    %d documents (%.0f MB); %.0f/s over the load; capacity %.0f/s", a.Sums.Stamped, float64(a.Bytes)/1e6, s.Mean, s.Capacity)
	p("surge      %.1f times the capacity for %.0f s: %.0f/s stamped, %.0f %% of the best four seconds (%.0f/s), %.0f %% for each processor second; slowest refusal %.0f ms",
		u.Over, u.To-u.From, u.Held, 100*u.Part, u.Peak, 100*u.PerCPU, u.Refusal)
	p("afterwards back to normal %.1f s after the last came: nobody waits or is refused; nobody on the way after %.1f s, late payments included",
		u.Normal, u.Idle)
	p("memory     %d MB calm, %d MB with up to %d waiting",
		s.Memory.Calm>>20, s.Memory.Surge>>20, s.Memory.Queued)
	if s.Bulk > 0 {
		p("in bulk    institutions have up to %d documents at a time stamped while nobody waits; they are among those stamped", s.Bulk)
	}
	for _, f := range s.Faults {
		p("fault      %6.1f to %6.1f s  %s%s", f.From, f.To, f.Kind, because(f.Error))
	}
	for _, r := range s.Recovery {
		p("recovery   %-28s %5d on the way: half after %.1f s, 95 %% after %.1f s, all after %.1f s", r.Lane, r.Count, r.Half, r.Most, r.All)
	}
	p("machine    the process stood still for %.1f s in all, which counts for nobody", s.Stalled)
	p("repaired   %d timestamps that were owed (%d left), %d payments whose message was lost; swept: %v", s.Owed, s.Unpaid, s.MadeGood, s.Swept)
	for _, name := range sortedKeys(s.Facts) {
		p("figure     %-40s %d", name, s.Facts[name])
	}
	m := &a.Sums
	p("\nauditor    %d accounts, %d entries, %v, levels %v, in %.1f s", a.Accounts, a.Entries, a.States, a.Levels, a.Seconds)
	p("units      paid %d = stamped %d + available %d + refunded %d + held %d", m.Paid, m.Stamped, m.Available, m.Refunded, m.Held)
	p("harmed     %d accounts, %v; %d that people are sure of, %d waits before a unit was taken", a.Harmed.Accounts, a.Harmed.Cases, a.Harmed.Sure, a.Harmed.Open)
	for _, c := range a.Checks {
		word := "ok"
		if c.Wrong > 0 {
			word = fmt.Sprintf("%d WRONG", c.Wrong)
		}
		p("  %-8s %s (%d looked at)", word, c.Name, c.Looked)
		for _, text := range c.Problems {
			p("           - %s", text)
		}
	}
	if s.Clean {
		p("\nNobody lost a unit or a stamp.")
	} else {
		p("\nSOMETHING IS OFF.")
	}
	return b.String()
}

func because(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

func sortedKeys(m map[string]int64) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
