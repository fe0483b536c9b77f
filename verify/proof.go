package verify

import (
	"crypto/sha256"
	"crypto/x509"
	"math"
	"slices"
	"time"
)

// A proof is a document timestamp that is trusted: what stands in the file up to
// the end of its revision existed at its time (EN 319 102-1, 5.6.2.3).
type proof struct {
	of       *candidate
	revision int
	at       time.Time
}

// outside is the revision of what the document does not hold, so that none of
// its timestamps speaks of it.
const outside = math.MaxInt32

// proofs are what is known of when the bytes of a document existed. They are
// found from the newest timestamp back, since each is judged by those after it.
type proofs struct {
	now      time.Time
	list     []proof     // newest revision first
	earliest []time.Time // of those that cover a revision; by revision
	disorder int         // signatures up to this revision have timestamps that contradict each other; -1: none
}

func newProofs(now time.Time) *proofs { return &proofs{now: now, disorder: -1} }

// time is when bytes that stand in the document from that revision on are proved
// to have existed: now, when nothing proves more.
func (p *proofs) time(since int) time.Time {
	if since < len(p.earliest) && p.earliest[since].Before(p.now) {
		return p.earliest[since]
	}
	return p.now
}

func (p *proofs) add(c *candidate) {
	at := c.token.time
	p.list = append(p.list, proof{of: c, revision: c.revision, at: at})
	for k := range p.earliest[:min(len(p.earliest), c.revision+1)] {
		p.earliest[k] = earlier(p.earliest[k], at)
	}
	for len(p.earliest) <= c.revision {
		p.earliest = append(p.earliest, at)
	}
}

// moments are the times at which a check of what stands in the document from that
// revision on may be made: now, and when a timestamp that covers it was made. A
// check that would have succeeded then, with what is proved to have been there,
// holds for ever.
func (p *proofs) moments(since int) []time.Time {
	out := []time.Time{p.now}
	for i := len(p.list) - 1; i >= 0 && len(out) < momentsMax; i-- {
		if q := p.list[i]; q.revision >= since && q.at.Before(p.now) {
			out = append(out, q.at)
		}
	}
	return out
}

// contradicted notes that something of an earlier revision says that it was made
// at a time, and that newer timestamps over it say that it was there before.
func (p *proofs) contradicted(since int, at time.Time, skew time.Duration) bool {
	found := false
	for _, q := range p.list {
		if q.revision >= since && q.at.Add(skew).Before(at) {
			p.disorder, found = max(p.disorder, q.revision), true
		}
	}
	return found
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// prove finds the proofs of existence: first the document timestamps, from the
// newest back, then the timestamps inside the signatures, and what they prove of
// each signature.
func (d *document) prove() {
	d.proofs = newProofs(d.opt.Time)
	for _, c := range slices.Backward(d.list) {
		if c.token != nil && c.intact && !d.stopped() {
			c.Level = "timestamp"
			d.proveDocument(c)
		}
	}
	for _, c := range d.list {
		if c.token != nil || !c.intact || d.stopped() {
			continue
		}
		for _, t := range c.tokens {
			d.believe(c, t)
		}
		d.covered(c)
		c.level(d)
	}
}

// proveDocument judges a document timestamp by those after it.
func (d *document) proveDocument(c *candidate) {
	if !c.placed || c.failed() || c.deviates {
		return
	}
	if d.opt.IntegrityOnly {
		d.proofs.add(c)
		return
	}
	c.evaluate(d)
	res := c.result
	if d.disordered(c.token, res, c.since()) {
		res.sub, res.why = TimestampOrderFailure, say("the time of the timestamp is later than that of one over it")
	}
	if res.sub == "" && !d.outdated(c.outmoded(), d.provenFor(c)) {
		c.chain = res.chain
		d.proofs.add(c)
	}
}

// disordered tells whether newer timestamps over a token say that it was there
// before its time. Then one of the authorities is wrong, and nothing that both
// speak of is proved; somebody who is no authority at all contradicts nobody.
func (d *document) disordered(t *token, res *pathResult, since int) bool {
	known := len(res.chain) > 0 && res.sub != ChainConstraintsFailure
	return known && d.proofs.contradicted(since, t.time, d.lim.ClockSkew)
}

// evaluate judges the certificate of a signature or document timestamp, once.
func (c *candidate) evaluate(d *document) {
	if c.result != nil {
		return
	}
	c.result = &pathResult{}
	accept := signerUsage
	if c.token != nil {
		accept = stampUsage
		if c.result.sub, c.result.why = c.token.doubtful(d.opt.Time.Add(d.lim.ClockSkew)); c.result.sub != "" {
			return
		}
	}
	*c.result = d.trust().path(&question{cert: c.cert, bag: c.bag, at: d.provenFor(c), since: c.since(),
		bound: c.si != nil && hasSigned(c.si, oidSigningCert, oidSigningCertV2), accept: accept})
}

// since is the revision from which on timestamps cover a signature with all that
// stands in its /Contents.
func (c *candidate) since() int {
	if c.revision < 0 {
		return outside
	}
	return c.revision + 1
}

// provenFor is the moment for which the trust in a signature is judged: that at
// which it is proved to have existed.
func (d *document) provenFor(c *candidate) time.Time {
	switch {
	case c.token != nil:
		return d.proofs.time(c.since())
	case c.poe.IsZero():
		return d.opt.Time
	}
	return earlier(c.poe, d.opt.Time)
}

// outmoded tells whether a signature or token uses algorithms that were relied on
// once; what never was is not among them.
func (c *candidate) outmoded() algorithmAge {
	switch {
	case !c.legacy:
		return ageCurrent
	case c.broken:
		return ageBroken
	}
	return ageLegacy
}

// algorithmAge says how algorithms are judged by the time of what they protect.
type algorithmAge int

const (
	ageCurrent algorithmAge = iota
	ageLegacy               // relied on until weakKeys
	ageBroken               // not relied on at any time that a timestamp proves
)

// outdated tells whether algorithms were not safe any more at the proved time.
func (d *document) outdated(age algorithmAge, at time.Time) bool {
	return age == ageBroken || age == ageLegacy && !at.Before(weakKeys)
}

// covered takes the document timestamps over a signature as its timestamps
// (EN 319 142-1, 6.3), if one is earlier than those inside it.
func (d *document) covered(c *candidate) {
	for i := range d.proofs.list {
		p := &d.proofs.list[i]
		if p.revision >= c.since() {
			c.existed(stampedAt{at: p.at, chain: p.of.chain, of: p.of}, d.opt.IntegrityOnly)
		}
	}
}

// stampedAt is a timestamp that proves something of a signature.
type stampedAt struct {
	at    time.Time
	chain []*x509.Certificate
	of    *candidate // the document timestamp that it is; nil for one inside the signature
}

// existed takes a timestamp as the proof of existence if there is no earlier one.
func (c *candidate) existed(s stampedAt, shownOnly bool) {
	if c.Timestamp != nil && !s.at.Before(*c.Timestamp) {
		return
	}
	at := s.at
	c.Timestamp, c.stamp = &at, s
	if !shownOnly {
		c.poe = at
	}
}

// certificateSince gives the revision from which on a certificate stands in the
// document, or outside. What stands in a signature is covered by what follows the
// signature's own revision.
func (t *trustStore) certificateSince(c *x509.Certificate) int {
	if t.certs == nil {
		t.certs = t.register()
	}
	if k, ok := t.certs[sha256.Sum256(c.Raw)]; ok {
		return k
	}
	return outside
}
