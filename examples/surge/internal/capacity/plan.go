package capacity

import (
	"math"

	"github.com/seed-574216e4/meterai/serial"
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
	return []Goal{{"1 million", 1e6, peak}, {"10 million", 1e7, peak}, {"100 million", 1e8, peak}}
}

// Rate is documents a second at the peak.
func (g *Goal) Rate() float64 { return g.Day / 86400 * g.Peak }

// Mix is who comes in every plan: one distributor brings a fifth of all documents from one account, and the others buy for
// two documents at a time.
func Mix(rate float64) Traffic { return Traffic{Rate: rate, Hot: 0.2, Credits: 0.5} }

const (
	// usable is which part of its time a part may be busy at the peak, so that lines stay short and one may fail.
	usable = 0.6
	// strained is which part of its time a part may be busy while one of its kind has failed.
	strained = 0.9
	// coresEach is how many cores the machine of an issuer has.
	coresEach = 8
	// maxDatabases is how far databases are added for a load that one account limits.
	maxDatabases = 64
)

// Plan reckons a fleet for a load: every part busy for at most [usable] of its time, or with an issuer or a token less for
// at most [strained].
func Plan(c Costs, t Traffic) Fleet {
	need := func(seconds, servers float64) int { return int(math.Ceil(t.Rate * seconds / servers / usable)) }
	spare := func(seconds, servers float64) int {
		return max(need(seconds, servers), 1+int(math.Ceil(t.Rate*seconds/servers/strained)))
	}
	databases := 1
	for databases < maxDatabases && t.Rate*Busiest(c, t, databases) > usable {
		databases++
	}
	f := Fleet{
		Cores: coresEach, Issuers: spare(c.Stamp.Mean(), coresEach), Tokens: spare(c.Token.Mean(), float64(c.Sessions)),
		Databases: databases, Disks: max(1, need(c.Disk.Mean(), float64(c.Writers))),
	}
	f.Site, f.Link = link(t.Rate*toPeople(c)), link(2*t.Rate*toPeople(c)/float64(f.Issuers-1))
	return f
}

// Busiest is the processor time of the database that has the hot account, for each document that comes anywhere.
func Busiest(c Costs, t Traffic, databases int) float64 {
	return t.Hot*c.Book + (1-t.Hot)*(c.Book+t.Credits*c.Credit)/float64(databases)
}

// Parts are the names of what limits, in the order of [Limits].
var Parts = [...]string{"cores", "tokens", "hot database", "disks", "network"}

// Limits is how many documents a second each part of a fleet can do at most.
func Limits(c Costs, f Fleet, t Traffic) [len(Parts)]float64 {
	// A transaction with the hot account waits for the commit of the one before: so much is left of that in the largest group.
	locked := 0.0
	if t.Hot > 0 {
		locked = (t.Hot + (1-t.Hot)/float64(f.Databases)) * 2 * c.Commit.Mean() / maxGroup
	}
	return [...]float64{
		float64(f.Issuers*f.Cores) / c.Stamp.Mean(), float64(f.Tokens*c.Sessions) / c.Token.Mean(),
		1 / (Busiest(c, t, f.Databases) + locked), float64(f.Disks*c.Writers) / c.Disk.Mean(),
		min(1/wire(toPeople(c), f.Site), float64(f.Issuers)/wire(2*toPeople(c), f.Link)),
	}
}

// first is the part that limits first, and its rate.
func first(limits [len(Parts)]float64) (part int, rate float64) {
	for i := range limits {
		if limits[i] < limits[part] {
			part = i
		}
	}
	return part, limits[part]
}

const (
	gigabit = 1e9 / 8 // bytes a second
	// headers is what HTTP, TLS and TCP add to the bytes of a document.
	headers = 1.1
)

// toPeople is the bytes that leave the site for a document. Less comes in. An issuer sends them to the sink too.
func toPeople(c Costs) float64 { return headers * c.Stamped }

// wire is how long bytes take on a link of so many Gbit/s.
func wire(bytes, link float64) float64 {
	if link == 0 {
		return 0
	}
	return bytes / (link * gigabit)
}

// link is the link, in Gbit/s, that carries so many bytes a second with [usable] of what it can.
func link(bytes float64) float64 {
	const largest = 25
	for _, g := range []float64{1, 10, largest} {
		if bytes <= usable*g*gigabit {
			return g
		}
	}
	return largest * math.Ceil(bytes/(usable*largest*gigabit))
}

const (
	// seriesAtMost is how many series there can be: 32 epochs of 1,024 issuer codes.
	seriesAtMost = 32 * 32 * 32
	year         = 365.25 // days
)

// Years is how long the numbers of a series last if each issuer has one and all issue alike. The numbers that are left over
// in a block when a process ends are too few to count.
func Years(f Fleet, day float64) float64 {
	return float64(serial.MaxCounter) / (day / float64(f.Issuers)) / year
}
