// Package report says what a replay came to: in words, as JSON, and as one HTML page with charts that needs nothing else.
package report

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/seed-574216e4/meterai/examples/surge/internal/audit"
	"github.com/seed-574216e4/meterai/examples/surge/internal/chaos"
	"github.com/seed-574216e4/meterai/examples/surge/internal/crowd"
	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
	"github.com/seed-574216e4/meterai/examples/surge/internal/replay"
)

// Summary is everything that is reported. Times are seconds since the start of the load, latencies milliseconds.
type Summary struct {
	Clean    bool          `json:"clean"` // the auditor found nothing, and every fault happened as it should
	Mode     string        `json:"mode"`
	Machine  string        `json:"machine"`
	Seed     uint64        `json:"seed"`
	Chaos    uint64        `json:"chaos"`
	Length   float64       `json:"length"` // of the load
	Hour     float64       `json:"hour"`   // how long a replayed hour takes
	Capacity float64       `json:"capacity"`
	People   int           `json:"people"`
	Bulk     int           `json:"bulk"` // documents at a time that institutions have stamped while nobody waits
	Totals   portal.Totals `json:"totals"`
	Mean     float64       `json:"mean"` // documents stamped a second, over the whole load
	Surge    Surge         `json:"surge"`
	Recovery []Recovery    `json:"recovery"`
	Memory   Memory        `json:"memory"`
	Left     int           `json:"left"`      // people who were still on the way when the replay stopped waiting
	Stalled  float64       `json:"stalled"`   // seconds for which the process stood still, in all
	MadeGood int           `json:"made_good"` // payments credited because "who was harmed" named them
	Owed     int           `json:"owed"`      // timestamps that were owed and made good
	Unpaid   int           `json:"still_owed"`
	Repair   string        `json:"repair_error,omitempty"`
	Goals    []Goal        `json:"goals"`

	Documents Documents `json:"documents"`

	Waits   []Wait           `json:"waits"`
	Swept   map[string]int64 `json:"swept"` // at the end: what nobody finished
	Facts   map[string]int64 `json:"facts"`
	Faults  []replay.Fault   `json:"faults"`
	Audit   *audit.Report    `json:"audit"`
	Samples []portal.Sample  `json:"samples"`
}

// Surge is how the last hours went, when more came than can be served.
type Surge struct {
	From    float64 `json:"from"`
	To      float64 `json:"to"`
	Offered float64 `json:"offered"` // documents a second that people came with
	Over    float64 `json:"over"`    // as a multiple of Peak
	// Peak is documents a second in the best stretch of the whole replay that is as long as the surge, or what was measured
	// before it, if that is more.
	Peak float64 `json:"peak"`
	Held float64 `json:"held"` // documents a second while more came than can be served and nothing was broken
	Part float64 `json:"part"` // Held / Peak
	// Normal is how many seconds after the end of the load the system was back to normal: nobody waited at the door, was
	// refused or failed from then on, and everything that was asked for before the end had its answer, credits aside, which
	// wait for the payment provider. Idle is when nobody was on the way either. -1: not within the limit.
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
	Never int     `json:"never"` // who was not served to the end, and is not among Count
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
		Clean: found.Clean && r.Repair == nil, Mode: mode, Machine: fmt.Sprintf("%d cores, %s, %s/%s", runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH),
		Seed: r.Config.Seed, Chaos: r.Config.Chaos, Length: r.Config.Length.Seconds(), Hour: r.Curve.Hour().Seconds(),
		Capacity: r.Capacity, People: r.People, Left: r.Left, Stalled: r.Crowd.Stalled().Seconds(), Totals: r.Totals, MadeGood: r.MadeGood, Owed: r.Owed, Unpaid: r.Unpaid,
		Facts: facts, Faults: r.Faults, Audit: found, Samples: r.Samples,
		Swept: map[string]int64{"stamped": r.Swept.Stamped, "released": r.Swept.Released, "void": r.Swept.Void, "left": r.Swept.Waiting},
	}
	if r.Config.Capacity == 0 { // they have units only then
		s.Bulk = r.Config.Bulk
	}
	for _, f := range s.Faults {
		s.Clean = s.Clean && f.Error == ""
	}
	if r.Repair != nil {
		s.Repair = r.Repair.Error()
	}
	slices.SortFunc(s.Faults, func(a, b replay.Fault) int { return cmp.Compare(a.From, b.From) })
	s.surge(r)
	s.recovery(r)
	s.waits(r)
	s.documents(r)
	s.goals()
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

// recovery looks at those who were on the way when the first outage of the ledger ended.
func (s *Summary) recovery(r *replay.Result) {
	i := slices.IndexFunc(s.Faults, func(f replay.Fault) bool { return f.Kind == chaos.Outage })
	if i < 0 {
		return
	}
	end := r.Start.Add(time.Duration(s.Faults[i].To * float64(time.Second)))
	var took [4][]float64
	var never [4]int
	for _, w := range r.Crowd.Wants() {
		if w.Left || w.Asked.After(end) || w.Settled.Before(end) && !w.Settled.IsZero() {
			continue
		}
		lane := laneOf(w, end)
		if w.Settled.IsZero() {
			never[lane]++
			continue
		}
		took[lane] = append(took[lane], w.Settled.Sub(end).Seconds())
	}
	for lane, t := range took {
		slices.Sort(t)
		v := Recovery{Lane: laneNames[lane], Count: len(t), Never: never[lane]}
		if n := len(t); n > 0 {
			v.Half, v.Most, v.All = t[n/2], t[n*95/100], t[n-1]
		}
		s.Recovery = append(s.Recovery, v)
	}
}

var laneNames = [4]string{"being stamped", "paid: to credit or to stamp", "purchases", "registrations"}

func laneOf(w *crowd.Want, end time.Time) int {
	switch {
	case w.Op == portal.Stamp && !w.Under.IsZero() && w.Under.Before(end):
		return 0
	case w.Op == portal.Stamp || w.Op == portal.Credit || w.Op == portal.Transfer || w.Op == portal.Reserve:
		return 1
	case w.Op == portal.Register:
		return 3
	}
	return 2
}
