package report

import (
	"slices"

	"github.com/seed-574216e4/meterai/examples/surge/internal/crowd"
	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
	"github.com/seed-574216e4/meterai/examples/surge/internal/replay"
)

func (s *Summary) surge(r *replay.Result) {
	u := &s.Surge
	u.From, u.To = (r.Curve.Length - r.Curve.Rush).Seconds(), r.LoadEnds.Sub(r.Start).Seconds()
	u.Normal, u.Idle, u.Peak = s.normal(r), -1, r.Capacity
	if !r.Idle.IsZero() {
		u.Idle = r.Idle.Sub(r.LoadEnds).Seconds()
	}
	var held, count, stamped, came float64
	window := max(1, int(r.Curve.Rush/r.Config.Tick))
	for i := range s.Samples {
		p := &s.Samples[i]
		if p.At > u.From+1 && p.At <= u.To && !s.broken(p.At-r.Config.Tick.Seconds(), p.At) {
			held, came, count = held+p.Stamped, came+p.Came, count+1
		}
		if p.At <= s.Length {
			stamped += p.Stamped * r.Config.Tick.Seconds()
		}
		u.Refusal = max(u.Refusal, p.Refusal)
		if i+1 >= window {
			sum := 0.0
			for _, q := range s.Samples[i+1-window : i+1] {
				sum += q.Stamped
			}
			u.Peak = max(u.Peak, sum/float64(window))
		}
	}
	u.Held, u.Offered = held/max(1, count), documentsEach*came/max(1, count)
	u.Peak = max(u.Peak, u.Held)
	u.Part, u.Over = u.Held/max(1, u.Peak), u.Offered/max(1, u.Peak)
	s.Mean = stamped / s.Length
}

// broken reports whether a fault was on at a time.
func (s *Summary) broken(from, to float64) bool {
	return slices.ContainsFunc(s.Faults, func(f replay.Fault) bool { return f.From < to && f.To > from })
}

// documentsEach is how many documents a person brings.
const documentsEach = 2

// normal finds the first moment after the load from which on nobody waits, is refused or fails, and all who had asked
// before its end are served.
func (s *Summary) normal(r *replay.Result) float64 {
	i := len(s.Samples) - 1
	for ; i >= 0; i-- {
		p := &s.Samples[i]
		if p.Waiting != [4]int{} || p.Refused > 0 || p.Failed > 0 || p.At <= s.Surge.To {
			break
		}
	}
	if i == len(s.Samples)-1 {
		return -1
	}
	back := s.Samples[i+1].At - s.Surge.To
	for _, w := range r.Crowd.Wants() {
		credit := w.Op == portal.Credit || w.Op == portal.Transfer
		if !credit && w.Asked.Before(r.LoadEnds) && !w.Settled.IsZero() {
			back = max(back, w.Settled.Sub(r.LoadEnds).Seconds())
		}
	}
	return back
}

// Wait is how long people took to get a document stamped, in seconds: from when they first asked, with all refusals and
// ways back, to the document.
type Wait struct {
	When  string  `json:"when"`
	Count int     `json:"count"`
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
	Most  float64 `json:"most"`
}

// waits are those of who first asked before the surge, and in it.
func (s *Summary) waits(r *replay.Result) {
	surge := r.Start.Add(r.Curve.Length - r.Curve.Rush)
	var took [2][]float64
	for _, w := range r.Crowd.Wants() {
		if w.Op != portal.Stamp || w.Outcome != portal.Done || w.Asked.Before(r.Start) {
			continue
		}
		i := 0
		if w.Asked.After(surge) {
			i = 1
		}
		took[i] = append(took[i], w.Settled.Sub(w.Asked).Seconds())
	}
	for i, when := range [2]string{"before the surge", "in the surge and after"} {
		t := took[i]
		slices.Sort(t)
		v := Wait{When: when, Count: len(t)}
		if n := len(t); n > 0 {
			v.P50, v.P99, v.Most = t[n/2], t[n*99/100], t[n-1]
		}
		s.Waits = append(s.Waits, v)
	}
}

// Goal is what a replay of the usual length is to show on a small machine. A goal that is missed says something of the
// machine as well, so it is told, and no more.
type Goal struct {
	Name string  `json:"name"`
	Met  bool    `json:"met"`
	Got  float64 `json:"got"`
}

func (s *Summary) goals() {
	u := &s.Surge
	s.Goals = []Goal{
		{"ten times the real average of 11.6 documents a second, over the whole load", s.Mean >= 116, s.Mean},
		{"three times as many documents come in the surge as can be stamped at best", u.Over >= 3, u.Over},
		{"in it at least 90 % of the best is stamped", u.Part >= 0.9, 100 * u.Part},
		{"back to normal within 30 s of its end", u.Normal >= 0 && u.Normal <= 30, u.Normal},
	}
}

// Documents are the stamped ones, by whose they are.
type Documents struct {
	People       int     `json:"people"` // of them:
	InTime       int     `json:"in_time"`
	After        int     `json:"after"`      // stamped after the deadline, for who had come before it
	LastAfter    float64 `json:"last_after"` // seconds from the deadline until the last of them
	Institutions int     `json:"institutions"`
	Measured     int     `json:"measured"` // to find the capacity, before the start
}

func (s *Summary) documents(r *replay.Result) {
	d := &s.Documents
	for _, w := range r.Crowd.Wants() {
		switch {
		case w.Op != portal.Stamp || w.Outcome != portal.Done:
		case w.Whose == crowd.Measured:
			d.Measured++
		case w.Whose == crowd.Institutions:
			d.Institutions++
		case w.Settled.After(r.LoadEnds):
			d.People, d.After = d.People+1, d.After+1
			d.LastAfter = max(d.LastAfter, w.Settled.Sub(r.LoadEnds).Seconds())
		default:
			d.People, d.InTime = d.People+1, d.InTime+1
		}
	}
}
