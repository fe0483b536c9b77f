package verify

import "crypto/x509"

// level names what a signature conforms to (EN 319 142-1, 6.3): B-B by its form,
// B-T with a timestamp that is valid, B-LT when the security store of the document
// holds what a later validation of both needs, and B-LTA when a document timestamp
// protects that.
func (c *candidate) level(d *document) {
	if c.subFilter != subCAdES {
		c.Level = "pkcs7"
		return
	}
	if why := c.notBaseline(); why != nil {
		c.note(say("not PAdES baseline: %s", why))
		return
	}
	switch {
	case c.Timestamp == nil:
		c.Level = "B-B"
	case d.opt.IntegrityOnly || !d.stored(c, outside):
		c.Level = "B-T"
	case d.archived(c):
		c.Level = "B-LTA"
	default:
		c.Level = "B-LT"
	}
}

// stored tells whether the security store of the document has, since that
// revision at the latest, what the paths of the signer and of the authority of its
// timestamp need.
func (d *document) stored(c *candidate, since int) bool {
	c.evaluate(d)
	t := d.trust()
	if !t.stored(c.result.chain, &inquiry{at: c.poe, moment: c.poe, now: d.opt.Time}, since) {
		return false
	}
	// A document timestamp cannot cover what it needs itself: the next one does.
	if c.stamp.of != nil {
		since = outside
	}
	return t.stored(c.stamp.chain, &inquiry{at: c.stamp.at, moment: c.stamp.at, now: d.opt.Time}, since)
}

// archived tells whether a document timestamp covers what is stored.
func (d *document) archived(c *candidate) bool {
	for i := range d.proofs.list {
		p := &d.proofs.list[i]
		if p.revision >= c.since() && d.stored(c, p.revision) {
			return true
		}
		if i == levelsTried {
			return false
		}
	}
	return false
}

// stored tells whether each certificate of a path but its anchor is in the
// document, with an answer in the security store that speaks of the time asked for.
func (t *trustStore) stored(chain []*x509.Certificate, q *inquiry, since int) bool {
	if len(chain) == 0 || !t.rev.hasStore {
		return false
	}
	for i := 0; i+1 < len(chain); i++ {
		k := t.certificateSince(chain[i])
		if k == outside || k > since {
			return false
		}
		ask := *q
		ask.limit, ask.stored, ask.since = q.now, true, since
		st := t.rev.status(chain[i], chain[i+1], &ask)
		if !st.known && !st.revoked && !st.hold {
			return false
		}
	}
	return true
}
