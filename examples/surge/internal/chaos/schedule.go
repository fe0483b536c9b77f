// Package chaos breaks things: a schedule of faults, fixed or drawn from a seed, and wrappers around the parts of an
// issuer that let them happen inside of one process.
package chaos

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// Kind is a kind of fault.
type Kind string

// The kinds.
const (
	Crash    Kind = "issuer killed"         // no chance to close anything; a new one takes its place
	Outage   Kind = "ledger down"           // nothing is booked: crash of the embedded ledger, or loss of the primary
	TSADown  Kind = "timestamp authority"   // documents are sealed and owe their timestamp
	DiskFull Kind = "disk full at the sink" // writes of documents fail, half written
	KeyLost  Kind = "key lost"              // sessions of the token end, or the key answers nothing
	TokenOut Kind = "token gone"            // one of two tokens
	Paused   Kind = "issuer paused"         // it stands still, is fenced and replaced, and goes on later
	ClockOff Kind = "clock stepped back"    // of one issuer
	DoorFull Kind = "queue nearly shut"     // hardly any places to wait
)

// Event is a fault that is to happen.
type Event struct {
	Kind   Kind
	At     time.Duration // after the start of the load
	For    time.Duration
	Target int // which issuer, where there are several
}

// Plan is when a kind of fault happens in the fixed schedule, as a part of the load, and for how long.
type Plan struct {
	Kind Kind
	At   float64
	For  time.Duration
}

// Fixed is the schedule of the plans over a load of that length, with so many issuers. It is in order of time.
func Fixed(plans []Plan, length time.Duration, issuers int) []Event {
	var out []Event
	for i, p := range plans {
		out = append(out, Event{p.Kind, time.Duration(p.At * float64(length)), p.For, i % issuers})
	}
	return sorted(out)
}

// Drawn is a schedule with the same kinds at other times, once or twice each, for shorter or longer, also at once. Its
// faults begin at any time, also in the last hours.
func Drawn(seed uint64, plans []Plan, length time.Duration, issuers int) []Event {
	rng := rand.New(rand.NewPCG(seed, 0xc4a05))
	var out []Event
	for _, p := range plans {
		for range 1 + rng.IntN(2) {
			at := 0.05 + 0.9*rng.Float64()
			long := time.Duration(float64(p.For) * (0.5 + rng.Float64()))
			out = append(out, Event{p.Kind, time.Duration(at * float64(length)), long, rng.IntN(issuers)})
		}
	}
	return sorted(apart(sorted(out)))
}

// apart moves a fault behind an earlier one of its kind that would not have ended.
func apart(events []Event) []Event {
	free := make(map[Kind]time.Duration)
	for i := range events {
		e := &events[i]
		e.At = max(e.At, free[e.Kind])
		free[e.Kind] = e.At + e.For + 200*time.Millisecond
	}
	return events
}

func sorted(events []Event) []Event {
	slices.SortStableFunc(events, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
	return events
}
