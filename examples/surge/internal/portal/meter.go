package portal

import (
	"slices"
	"sync"
	"time"

	"github.com/seed-574216e4/meterai/serial/admission"
)

// Sample is what happened between two looks at a meter. Rates are a second; times are milliseconds.
type Sample struct {
	At       float64    `json:"at"`       // seconds since the start of the load
	Came     float64    `json:"came"`     // people who came
	Calls    float64    `json:"calls"`    // calls they made, callbacks and repetitions included
	Admitted float64    `json:"admitted"` // calls whose turn came
	Stamped  float64    `json:"stamped"`  // documents stamped, each counted once
	Refused  float64    `json:"refused"`  // calls that were refused at the door
	Failed   float64    `json:"failed"`   // calls that were let in and failed, for the time being
	Served   [4]float64 `json:"served"`   // admitted by lane, in order of priority
	Waiting  [4]int     `json:"waiting"`  // in the queue, by lane
	P50      float64    `json:"p50"`      // of stampings, from the call to the document
	P99      float64    `json:"p99"`
	Refusal  float64    `json:"refusal"` // the slowest refusal for lack of room
	People   int        `json:"people"`  // who are on the way
	CPU      float64    `json:"cpu"`     // processor seconds used a second, by all of the plant
	Memory   int64      `json:"memory"`  // bytes resident, of all processes that issue
}

// Totals are counts since the start.
type Totals struct {
	Came     int64 `json:"came"`     // people
	Calls    int64 `json:"calls"`    // Admitted + Refused + Joined, when nobody is on the way
	Admitted int64 `json:"admitted"` // whose turn came
	Refused  int64 `json:"refused"`  // for lack of room or time, or because the caller had gone
	Joined   int64 `json:"joined"`   // that waited for an equal call under way
	Failed   int64 `json:"failed"`   // of those admitted: that have to be made again
	Stamped  int64 `json:"stamped"`  // documents, each once
	Credited int64 `json:"credited"`

	Lanes [4]int64 `json:"lanes"` // admitted, by lane
}

// Meter counts. It is safe for concurrent use.
type Meter struct {
	mu      sync.Mutex
	total   Totals
	last    Totals
	at      time.Time
	waits   []float64
	refusal time.Duration
}

// Came counts a person.
func (m *Meter) Came() { m.count(func(t *Totals) { t.Came++ }) }

// Totals gives the counts since the start.
func (m *Meter) Totals() Totals {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.total
}

func (m *Meter) count(add func(*Totals)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	add(&m.total)
}

func (m *Meter) asked() { m.count(func(t *Totals) { t.Calls++ }) }

func (m *Meter) admitted(l admission.Lane) {
	m.count(func(t *Totals) { t.Admitted++; t.Lanes[l-1]++ })
}

func (m *Meter) joined() { m.count(func(t *Totals) { t.Joined++ }) }

// done counts a call that was answered, however many waited for it.
func (m *Meter) done(a *Answer) {
	m.count(func(t *Totals) {
		switch {
		case a.Outcome == Refused:
			t.Refused++
		case !a.Outcome.Final():
			t.Failed++
		}
	})
}

func (m *Meter) answered(c *Call, a *Answer, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case a.Outcome == Refused:
		if !a.Waited && !a.left {
			m.refusal = max(m.refusal, took)
		}
	case a.Outcome == Done && c.Op == Stamp:
		if !a.Replayed {
			m.total.Stamped++
		}
		m.waits = append(m.waits, took.Seconds()*1000)
	case a.Outcome == Done && (c.Op == Credit || c.Op == Transfer):
		m.total.Credited++
	}
}

// Sample gives what happened since the last sample.
func (m *Meter) Sample(now time.Time) Sample {
	m.mu.Lock()
	defer m.mu.Unlock()
	seconds := now.Sub(m.at).Seconds()
	t, l := &m.total, &m.last
	rate := func(a, b int64) float64 { return float64(a-b) / seconds }
	s := Sample{
		Came: rate(t.Came, l.Came), Calls: rate(t.Calls, l.Calls), Admitted: rate(t.Admitted, l.Admitted),
		Stamped: rate(t.Stamped, l.Stamped), Refused: rate(t.Refused, l.Refused), Failed: rate(t.Failed, l.Failed),
		Refusal: m.refusal.Seconds() * 1000,
	}
	for i := range s.Served {
		s.Served[i] = rate(t.Lanes[i], l.Lanes[i])
	}
	slices.Sort(m.waits)
	if n := len(m.waits); n > 0 {
		s.P50, s.P99 = m.waits[n/2], m.waits[n*99/100]
	}
	m.last, m.at, m.waits, m.refusal = m.total, now, m.waits[:0], 0
	return s
}
