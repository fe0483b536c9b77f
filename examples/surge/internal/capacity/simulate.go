// Package capacity says what carries how much: it measures what each part of a stamp costs on this machine, reckons how
// many cores, tokens and databases a load needs, and checks that by a simulation of many issuers.
package capacity

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"slices"
)

// Costs are what the parts of one stamp take, in seconds.
type Costs struct {
	Stamp    float64 // processor time of an issuer: preflight, hash, seal, page, signature and its check; without key and ledger
	Token    float64 // of the key, of one of its sessions
	Book     float64 // processor time of a database for a unit, both transactions
	Commit   float64 // what a transaction takes that does not grow with its units: disk and standby
	Disk     float64 // until an output is durable
	Sessions int     // signatures that a token makes at a time
	Writers  int     // outputs that a disk makes durable at a time
}

// Fleet is how many of each there are.
type Fleet struct {
	Issuers   int // processes, each with a series of numbers of its own
	Cores     int // of each issuer
	Tokens    int // that hold the key
	Databases int // each with a part of the accounts
	Disks     int // of the sink
}

// Load is what a simulation came to.
type Load struct {
	P50, P99 float64    // seconds, from the arrival to the answer
	Busy     [4]float64 // parts of the time for which cores, tokens, databases (but for commits) and disks were busy
	Served   float64    // a second
	Units    float64    // in a transaction, on average
}

// Parts are the names of what Busy counts.
var Parts = [4]string{"cores", "tokens", "databases", "disks"}

// station is a place with servers and a line. A database serves its line as one group: see serve.
type station struct {
	servers int
	group   bool
	busy    int
	line    []*job
	used    float64 // server seconds
}

// maxGroup is how many units a ledger books in one transaction.
const maxGroup = 1024

type job struct {
	begun  float64
	step   int
	issuer int
	base   int
}

type event struct {
	at    float64
	jobs  []*job
	where *station // nil: an arrival
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
	costs Costs
	fleet Fleet
	rng   *rand.Rand
	now   float64
	queue events

	issuers, databases, disks []*station
	tokens                    *station
	waits                     []float64
	groups, units             float64
	warm                      float64
}

// Simulate lets documents come at random, so many a second for so many seconds, and gives what happened after the first
// fifth of that time. A stamp is booked with its intent to sign, made, signed, kept and booked as used. What costs time
// varies by a quarter; the size of documents is in it.
func Simulate(c Costs, f Fleet, rate, seconds float64, seed uint64) Load {
	m := &model{costs: c, fleet: f, rng: rand.New(rand.NewPCG(seed, 5)), warm: seconds / 5, tokens: &station{servers: f.Tokens * c.Sessions}}
	m.issuers = stations(f.Issuers, f.Cores, false)
	m.databases = stations(f.Databases, 1, true)
	m.disks = stations(f.Disks, c.Writers, false)
	heap.Push(&m.queue, event{at: m.rng.ExpFloat64() / rate})
	for m.queue.Len() > 0 {
		e := heap.Pop(&m.queue).(event)
		if e.at > seconds {
			break
		}
		m.now = e.at
		if e.where == nil {
			heap.Push(&m.queue, event{at: m.now + m.rng.ExpFloat64()/rate})
			m.enter(&job{begun: m.now, issuer: m.rng.IntN(f.Issuers), base: m.rng.IntN(f.Databases)})
			continue
		}
		e.where.busy--
		m.serve(e.where)
		for _, j := range e.jobs {
			m.next(j)
		}
	}
	return m.load(seconds)
}

func stations(n, servers int, group bool) []*station {
	out := make([]*station, n)
	for i := range out {
		out[i] = &station{servers: servers, group: group}
	}
	return out
}

// next leads a document to its next step, or out.
func (m *model) next(j *job) {
	if j.step++; j.step < 5 {
		m.enter(j)
	} else if m.now > m.warm {
		m.waits = append(m.waits, m.now-j.begun)
	}
}

func (m *model) enter(j *job) {
	s := m.place(j)
	s.line = append(s.line, j)
	m.serve(s)
}

// place is where a document is at its step.
func (m *model) place(j *job) *station {
	switch j.step {
	case 0, 4:
		return m.databases[j.base]
	case 1:
		return m.issuers[j.issuer]
	case 2:
		return m.tokens
	}
	return m.disks[m.rng.IntN(len(m.disks))]
}

// serve lets the first of a line begin, as far as a server is free. A database takes all that wait in one transaction.
func (m *model) serve(s *station) {
	for s.busy < s.servers && len(s.line) > 0 {
		n := 1
		if s.group {
			n = min(len(s.line), maxGroup)
			m.groups++
			m.units += float64(n)
		}
		jobs := slices.Clone(s.line[:n])
		s.line = s.line[n:]
		took := m.cost(jobs[0].step, n) * (0.75 + 0.5*m.rng.Float64())
		s.busy++
		if m.now > m.warm {
			s.used += took
			if s.group { // the commit costs a database no time that others could use
				s.used -= took * m.costs.Commit / m.cost(jobs[0].step, n)
			}
		}
		heap.Push(&m.queue, event{at: m.now + took, jobs: jobs, where: s})
	}
}

func (m *model) cost(step, n int) float64 {
	switch step {
	case 1:
		return m.costs.Stamp
	case 2:
		return m.costs.Token
	case 3:
		return m.costs.Disk
	}
	return m.costs.Commit + float64(n)*m.costs.Book/2
}

func (m *model) load(seconds float64) Load {
	l := Load{Served: float64(len(m.waits)) / (seconds - m.warm), P50: math.Inf(1), P99: math.Inf(1), Units: m.units / max(1, m.groups)}
	if n := len(m.waits); n > 0 {
		slices.Sort(m.waits)
		l.P50, l.P99 = m.waits[n/2], m.waits[n*99/100]
	}
	for i, part := range [][]*station{m.issuers, {m.tokens}, m.databases, m.disks} {
		var used, servers float64
		for _, s := range part {
			used, servers = used+s.used, servers+float64(s.servers)
		}
		l.Busy[i] = used / (servers * (seconds - m.warm))
	}
	return l
}
