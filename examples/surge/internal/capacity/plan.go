package capacity

import (
	"fmt"
	"io"
	"math"
)

// Goal is a load that is to be carried.
type Goal struct {
	Name string
	Day  float64 // documents a day
	Peak float64 // times the average of the day, in the busiest minutes
}

// Goals are the real days of September 2024, ten times that, and 100 million stamps a day. The peak is what the real days
// are to be sized for: 100 a second at an average of 11.6.
func Goals() []Goal {
	const peak = 100 / 11.6
	return []Goal{{"the real days: 1 million a day", 1e6, peak}, {"ten times that: 10 million a day", 1e7, peak}, {"100 million a day", 1e8, peak}}
}

// Rate is documents a second at the peak.
func (g *Goal) Rate() float64 { return g.Day / 86400 * g.Peak }

// usable is which part of its time a part may be busy at the peak, so that lines stay short and one may fail.
const usable = 0.6

// coresEach is how many cores the machine of an issuer has.
const coresEach = 8

// strained is which part of its time a part may be busy while one of its kind has failed.
const strained = 0.9

// Plan reckons a fleet for a rate: every part busy for at most [usable] of its time, or with an issuer or a token less for
// at most [strained].
func Plan(c Costs, rate float64) Fleet {
	need := func(seconds, servers float64) int { return int(math.Ceil(rate * seconds / servers / usable)) }
	spare := func(seconds, servers float64) int {
		return max(need(seconds, servers), 1+int(math.Ceil(rate*seconds/servers/strained)))
	}
	return Fleet{
		Cores: coresEach, Issuers: spare(c.Stamp, coresEach), Tokens: spare(c.Token, float64(c.Sessions)),
		Databases: max(1, need(c.Book, 1)), Disks: max(1, need(c.Disk, float64(c.Writers))),
	}
}

// Limit is how many documents a second a part of a fleet can do at most.
func Limit(c Costs, f Fleet) [4]float64 {
	return [4]float64{
		float64(f.Issuers*f.Cores) / c.Stamp, float64(f.Tokens*c.Sessions) / c.Token,
		float64(f.Databases) / (c.Book + 2*c.Commit/maxGroup), float64(f.Disks*c.Writers) / c.Disk,
	}
}

// Write writes the plan of every goal, checked by simulation: as it is planned, with one issuer and one token less, and at
// the rate at which its first part is at its end.
func Write(w io.Writer, c Costs, seed uint64) error {
	p := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	p("\nEvery part is planned to be busy for at most %.0f %% of the peak, and %.0f %% with one issuer or token less.", 100*usable, 100*strained)
	for _, g := range Goals() {
		rate := g.Rate()
		f := Plan(c, rate)
		seconds := math.Min(20, math.Max(3, 40_000/rate))
		p("\n%s: %.0f/s on average, %.0f/s at the peak", g.Name, g.Day/86400, rate)
		p("  %d issuers of %d cores, %d tokens of %d sessions, databases with a synchronous standby: %d, disks: %d", f.Issuers, f.Cores, f.Tokens, c.Sessions, f.Databases, f.Disks)
		limits := Limit(c, f)
		first := 0
		for i := range limits {
			if limits[i] < limits[first] {
				first = i
			}
		}
		p("  first limit: %s, at %.0f/s", Parts[first], limits[first])
		less := f
		less.Issuers, less.Tokens = f.Issuers-1, f.Tokens-1
		for _, s := range []struct {
			name string
			f    Fleet
			rate float64
		}{{"at the peak", f, rate}, {"one issuer and one token less", less, rate}, {"at 90 % of the limit", f, 0.9 * limits[first]}, {"at 110 % of it", f, 1.1 * limits[first]}} {
			l := Simulate(c, s.f, s.rate, seconds, seed)
			p("  %-30s %7.0f/s served of %7.0f/s  p50 %6.1f ms  p99 %7.1f ms  busy: cores %3.0f %%, tokens %3.0f %%, databases %3.0f %%, disks %3.0f %%  %.0f units a transaction",
				s.name, l.Served, s.rate, 1e3*l.P50, 1e3*l.P99, 100*l.Busy[0], 100*l.Busy[1], 100*l.Busy[2], 100*l.Busy[3], l.Units)
		}
	}
	return nil
}
