// Package capacity says what carries how much: it measures what each part of a stamp costs on this machine, holds the model
// against a real closed load, reckons how many cores, tokens and databases a load needs, and checks that by a simulation of
// many issuers.
package capacity

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"slices"
)

// Samples are times in seconds, as measured. One alone is a time that does not vary; none is a time of zero.
type Samples []float64

// Mean is the mean time.
func (s Samples) Mean() float64 {
	sum := 0.0
	for _, x := range s {
		sum += x
	}
	return sum / max(1, float64(len(s)))
}

// Scaled has the same spread around another mean.
func (s Samples) Scaled(mean float64) Samples {
	out, was := slices.Clone(s), s.Mean()
	if was <= 0 {
		return Samples{mean}
	}
	for i := range out {
		out[i] *= mean / was
	}
	return out
}

// Costs are what the parts of one stamp take, in seconds.
type Costs struct {
	Stamp    Samples // processor time of an issuer for a whole stamp
	Token    Samples // of the key, in one of its sessions
	Book     float64 // processor time of a database for a stamp, both transactions
	Credit   float64 // and for a purchase
	Commit   Samples // what a transaction takes that does not grow with its units: disk and standby
	Disk     Samples // until an output is durable, all writers at work
	Sessions int     // signatures that a token makes at a time
	Writers  int     // outputs that a disk makes durable at a time
	Stamped  float64 // bytes of a stamped document
}

// Fleet is how many of each there are.
type Fleet struct {
	Issuers   int // processes, each with a series of numbers of its own
	Cores     int // of each issuer
	Tokens    int // that hold the key
	Databases int // each with a part of the accounts
	Disks     int // of the sink
	// Site is the link to the people and Link that of each issuer, in Gbit/s; zero is one that takes no time.
	Site, Link float64
}

// Traffic is what comes.
type Traffic struct {
	Rate    float64 // documents a second, at random
	Callers int     // instead: so many, each of whom brings the next document as soon as the last is stamped
	Hot     float64 // the part of all documents that one account brings
	Credits float64 // purchases for each document of the other accounts
}

// Load is what a simulation came to.
type Load struct {
	Mean, P50, P99 float64    // seconds, from the arrival to the answer
	Growth         float64    // by how many seconds the wait grows in one second; about zero if the fleet bears the load
	Busy           [4]float64 // parts of the time for which cores, tokens, the busiest database (but for commits) and disks work
	Served         float64    // a second
	Units          float64    // operations in a transaction, on average
}

type event struct {
	at float64
	do func()
}

type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at < e[j].at }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

// model is a simulation under way.
type model struct {
	costs   Costs
	fleet   Fleet
	traffic Traffic
	rng     *rand.Rand
	now     float64
	queue   events

	cores, disks []*station
	links        []*station
	tokens, site *station
	bases        []*base
	done         []passage
	groups, ops  float64
	warm         float64
}

// passage is when a document came, and how long it took.
type passage struct{ came, took float64 }

// job is a document, or a purchase, on its way.
type job struct {
	issuer, base int
	hot          bool
}

// Simulate lets documents come for so many seconds, and gives what happened after the first fifth of that time. A stamp is
// booked with its intent to sign, made, signed, kept, and booked as used.
func Simulate(c Costs, f Fleet, t Traffic, seconds float64, seed uint64) Load {
	m := &model{
		costs: c, fleet: f, traffic: t, rng: rand.New(rand.NewPCG(seed, 5)), warm: seconds / 5,
		tokens: &station{servers: f.Tokens * c.Sessions}, site: &station{servers: 1},
	}
	m.cores, m.links, m.disks = stations(f.Issuers, f.Cores), stations(f.Issuers, 1), stations(f.Disks, c.Writers)
	for range f.Databases {
		m.bases = append(m.bases, &base{work: station{servers: 1}, committers: make([]committer, f.Issuers)})
	}
	for range t.Callers {
		m.stamp()
	}
	if t.Callers == 0 {
		m.after(m.rng.ExpFloat64()/t.Rate, m.arrive)
	}
	for m.queue.Len() > 0 {
		e := heap.Pop(&m.queue).(event)
		if e.at > seconds {
			break
		}
		m.now = e.at
		e.do()
	}
	return m.load(seconds)
}

func (m *model) after(took float64, do func()) { heap.Push(&m.queue, event{m.now + took, do}) }

// draw is one of the measured times.
func (m *model) draw(s Samples) float64 {
	switch len(s) {
	case 0:
		return 0
	case 1:
		return s[0]
	}
	return s[m.rng.IntN(len(s))]
}

func (m *model) arrive() {
	m.after(m.rng.ExpFloat64()/m.traffic.Rate, m.arrive)
	m.stamp()
}

// stamp leads a document through its steps. The hot account lives in the first database.
func (m *model) stamp() {
	j := &job{issuer: m.rng.IntN(m.fleet.Issuers), base: m.rng.IntN(m.fleet.Databases), hot: m.rng.Float64() < m.traffic.Hot}
	if j.hot {
		j.base = 0
	} else if m.rng.Float64() < m.traffic.Credits {
		m.book(j, m.costs.Credit, func() {}) // of somebody in the same database: an account buys about when it stamps
	}
	came, c, bytes := m.now, &m.costs, toPeople(m.costs)
	m.follow(
		func(then func()) { m.book(j, c.Book/2, then) },
		func(then func()) { m.serve(m.cores[j.issuer], m.draw(c.Stamp), then) },
		func(then func()) { m.serve(m.tokens, m.draw(c.Token), then) },
		func(then func()) { m.serve(m.disks[m.rng.IntN(len(m.disks))], m.draw(c.Disk), then) },
		func(then func()) { m.book(j, c.Book/2, then) },
		func(then func()) { m.serve(m.links[j.issuer], wire(2*bytes, m.fleet.Link), then) },
		func(then func()) { m.serve(m.site, wire(bytes, m.fleet.Site), then) },
		func(func()) { m.leave(came) },
	)
}

// follow takes one step after the other.
func (m *model) follow(steps ...func(then func())) {
	steps[0](func() { m.follow(steps[1:]...) })
}

func (m *model) leave(came float64) {
	if m.now > m.warm {
		m.done = append(m.done, passage{came, m.now - came})
	}
	if m.traffic.Callers > 0 {
		m.stamp()
	}
}

func (m *model) load(seconds float64) Load {
	l := Load{
		Served: float64(len(m.done)) / (seconds - m.warm), P50: math.Inf(1), P99: math.Inf(1),
		Units: m.ops / max(1, m.groups), Growth: growth(m.done),
	}
	if n := len(m.done); n > 0 {
		waits := make(Samples, n)
		for i, p := range m.done {
			waits[i] = p.took
		}
		slices.Sort(waits)
		l.Mean, l.P50, l.P99 = waits.Mean(), waits[n/2], waits[n*99/100]
	}
	for i, part := range [][]*station{m.cores, {m.tokens}, nil, m.disks} {
		var used, servers float64
		for _, s := range part {
			used, servers = used+s.used, servers+float64(s.servers)
		}
		l.Busy[i] = used / max(1, servers*(seconds-m.warm))
	}
	for _, b := range m.bases {
		l.Busy[2] = max(l.Busy[2], b.work.used/(seconds-m.warm))
	}
	return l
}

// growth is the slope of the wait over the time of arrival, by least squares.
func growth(done []passage) float64 {
	var n, x, y, xx, xy float64
	for _, p := range done {
		n, x, y, xx, xy = n+1, x+p.came, y+p.took, xx+p.came*p.came, xy+p.came*p.took
	}
	if d := n*xx - x*x; d > 0 {
		return (n*xy - x*y) / d
	}
	return 0
}
