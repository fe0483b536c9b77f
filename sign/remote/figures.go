package remote

// Figures are counters and gauges of a signer, for any system that collects them.
// Counters never go back.
type Figures struct {
	Asked   uint64  // signatures that callers asked for
	Retries uint64  // tries after one that failed
	Denied  uint64  // retries that the budget did not allow
	Budget  float64 // retries that it allows now
	Waiting int     // callers that wait for a place

	Endpoints []EndpointFigures
}

// EndpointFigures are those of one endpoint. Operations = Signatures + Rejected +
// Orphans when nothing is on its way.
type EndpointFigures struct {
	Name string

	Operations uint64 // signatures that the endpoint made
	Signatures uint64 // checked and handed out
	Rejected   uint64 // that did not verify
	Orphans    uint64 // good ones that came after the caller had left
	Errors     uint64 // answers that were errors, refusals among them
	Timeouts   uint64 // calls that took longer than a try may
	Rests      uint64 // how often it was taken out of service
	Probes     uint64 // operations that tried whether it is back

	InService bool
	Limit     int // operations that it may have at a time now
	Busy      int // that run
	Stuck     int // that took too long and have not returned
}

// Figures gives the figures of now.
func (s *Signer) Figures() Figures {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.figures
	f.Budget, f.Waiting = s.budget, len(s.waiters)
	f.Endpoints = make([]EndpointFigures, 0, len(s.endpoints))
	for _, e := range s.endpoints {
		ef := e.figures
		ef.Name = e.name
		ef.InService = e.state == inService && e.stuck < e.maxStuck
		ef.Limit, ef.Busy, ef.Stuck = e.limit, e.busy, e.stuck
		f.Endpoints = append(f.Endpoints, ef)
	}
	return f
}
