package capacity

// station is a place with servers and one line.
type station struct {
	servers int
	busy    int
	line    []task
	used    float64 // server seconds
}

// task waits for a server.
type task struct {
	took float64
	then func()
}

func stations(n, servers int) []*station {
	out := make([]*station, n)
	for i := range out {
		out[i] = &station{servers: servers}
	}
	return out
}

// serve lets a task wait for a server of the station and take its time, and goes on then.
func (m *model) serve(s *station, took float64, then func()) {
	s.line = append(s.line, task{took, then})
	m.turn(s)
}

func (m *model) turn(s *station) {
	for s.busy < s.servers && len(s.line) > 0 {
		t := s.line[0]
		s.line = s.line[1:]
		s.busy++
		if m.now > m.warm {
			s.used += t.took
		}
		m.after(t.took, func() {
			s.busy--
			m.turn(s)
			t.then()
		})
	}
}

// maxGroup is how many operations a ledger books in one transaction.
const maxGroup = 1024

// base is a database. Each issuer has one committer for it, which takes all that waits there into one transaction. The
// database works on one transaction at a time and waits for the commits of many; but two transactions with the hot
// account wait for each other to the end, since its row is locked.
type base struct {
	work       station
	committers []committer
	locked     bool
	waiting    []func() // transactions for the hot account's row
}

type committer struct {
	busy bool
	line []operation
}

// operation is one entry into a transaction.
type operation struct {
	hot  bool
	took float64
	then func()
}

// book lets an operation wait for the next transaction of its issuer, and goes on when that is durable.
func (m *model) book(j *job, took float64, then func()) {
	b := m.bases[j.base]
	c := &b.committers[j.issuer]
	c.line = append(c.line, operation{j.hot, took, then})
	m.commit(b, c)
}

func (m *model) commit(b *base, c *committer) {
	if c.busy || len(c.line) == 0 {
		return
	}
	c.busy = true
	n := min(len(c.line), maxGroup)
	group := c.line[:n:n]
	c.line = c.line[n:]
	m.groups, m.ops = m.groups+1, m.ops+float64(n)
	hot, took := false, 0.0
	for _, o := range group {
		hot, took = hot || o.hot, took+o.took
	}
	m.lock(b, hot, func() {
		m.serve(&b.work, took, func() {
			m.after(m.draw(m.costs.Commit), func() {
				m.unlock(b, hot)
				for _, o := range group {
					o.then()
				}
				c.busy = false
				m.commit(b, c)
			})
		})
	})
}

func (m *model) lock(b *base, hot bool, then func()) {
	if hot && b.locked {
		b.waiting = append(b.waiting, then)
		return
	}
	b.locked = b.locked || hot
	then()
}

func (m *model) unlock(b *base, hot bool) {
	if !hot {
		return
	}
	if b.locked = len(b.waiting) > 0; b.locked {
		next := b.waiting[0]
		b.waiting = b.waiting[1:]
		next()
	}
}
