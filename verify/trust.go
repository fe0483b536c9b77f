package verify

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"time"
)

// pathResult is what building and checking one certification path gave.
type pathResult struct {
	chain []*x509.Certificate // leaf first; empty when there is no path
	sub   SubIndication       // empty: the path is good
	why   *phrase
}

// trustStore holds what one call may use to judge certificates.
type trustStore struct {
	opt    *Options
	pool   []*x509.Certificate // untrusted certificates of the DSS and the caller
	rev    *revocations
	proofs *proofs

	certs    map[[32]byte]int // since which revision certificates stand in the document, when needed
	register func() map[[32]byte]int

	builds  int         // paths asked for so far
	checks  int         // checks as of earlier times so far
	stopped func() bool // the caller's context ended
}

// A question is whether a certificate could be relied on for what it signed.
type question struct {
	cert   *x509.Certificate
	bag    []*x509.Certificate // certificates that came with it
	at     time.Time           // when what it signed is proved to have existed
	since  int                 // the revision from which on document timestamps cover that
	bound  bool                // what it signed names it
	accept func(*x509.Certificate) *phrase
}

// path judges a certificate for something that is proved to have existed at a
// time (EN 319 102-1, 5.2.6 and 5.6.2): a path to a root that was valid then,
// its constraints, and revocation of every certificate but the anchor.
func (t *trustStore) path(q *question) pathResult {
	if t.opt.Roots == nil {
		return pathResult{sub: NoCertificateChainFound, why: say("no trusted root certificates were given")}
	}
	chains, err := t.build(q.cert, q.bag, q.at)
	if err != nil {
		return t.explain(q, err)
	}
	if why := q.accept(q.cert); why != nil {
		return pathResult{chain: chains[0], sub: ChainConstraintsFailure, why: why}
	}
	first := pathResult{sub: TryLater, why: say("the check of the certificate path was cut short")}
	for i, chain := range chains {
		if i == t.opt.Limits.Chains || t.stopped() {
			break
		}
		res := t.strong(chain, q.at)
		if res.sub == "" {
			res = t.unrevoked(chain, q)
		}
		if res.sub == "" {
			return res
		}
		if i == 0 {
			first = res
		}
	}
	return first
}

// unrevoked checks a path now, and when that fails for want of current data as it
// could have been checked when timestamps over all of it were made: with what is
// proved to have been there then, and what is known of revocations now.
func (t *trustStore) unrevoked(chain []*x509.Certificate, q *question) pathResult {
	first := t.checkedAt(t.proofs.now, chain, q)
	if first.sub != TryLater && first.sub != NoPOE {
		return first
	}
	for _, moment := range t.proofs.moments(q.since)[1:] {
		if t.checks++; t.checks > checksMax || t.stopped() {
			break
		}
		if res := t.checkedAt(moment, chain, q); res.sub == "" {
			return res
		}
	}
	return first
}

// errPaths is the answer when a document wants too many paths, or the caller no
// more.
var errPaths = say("too many paths were asked for")

// build finds the paths from cert to a root that are valid at a time, through
// whatever certificates of the issuers there are (cross-certificates included).
// crypto/x509 bounds how many signatures it checks for it.
func (t *trustStore) build(cert *x509.Certificate, bag []*x509.Certificate, at time.Time) ([][]*x509.Certificate, error) {
	if t.builds++; t.builds > pathBuilds || t.stopped() {
		return nil, errPaths
	}
	inter := x509.NewCertPool()
	for _, c := range t.opt.Intermediates {
		if boundedKey(c) {
			inter.AddCert(c)
		}
	}
	for _, list := range [2][]*x509.Certificate{bag, t.pool} {
		for i, c := range list {
			if i == t.opt.Limits.Certificates {
				break
			}
			if boundedKey(c) {
				inter.AddCert(c)
			}
		}
	}
	return cert.Verify(x509.VerifyOptions{
		Roots:         t.opt.Roots,
		Intermediates: inter,
		CurrentTime:   at,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
}

// boundedKey leaves out certificates whose key nobody needs and whose use would
// take seconds: crypto/x509 sets no bound of its own.
func boundedKey(c *x509.Certificate) bool {
	k, ok := c.PublicKey.(*rsa.PublicKey)
	return !ok || k.N.BitLen() <= maxRSA
}

// explain finds the sub-indication for a path that could not be built. When
// only the time is wrong there is a path at another moment of the
// certificate's life.
func (t *trustStore) explain(q *question, err error) pathResult {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired, errors.As(err, &unknown):
		for _, at := range [2]time.Time{q.cert.NotAfter, q.cert.NotBefore} {
			chains, other := t.build(q.cert, q.bag, at)
			if other == nil {
				return t.outOfBounds(chains[0], q)
			}
		}
		return pathResult{sub: NoCertificateChainFound, why: say("no path leads from the signing certificate to a trusted root")}
	case errors.As(err, &invalid):
		return pathResult{sub: ChainConstraintsFailure, why: say("the certificate path breaks a constraint: %s", err)}
	}
	return pathResult{sub: CertificateChainGeneralFailure, why: say("the certificate path could not be built: %s", err)}
}

// outOfBounds explains a path that was not valid at the time asked for.
func (t *trustStore) outOfBounds(chain []*x509.Certificate, q *question) pathResult {
	period := say(" (%s)", certPeriod(q.cert))
	switch {
	case !q.at.Before(t.proofs.now):
		return pathResult{chain: chain, sub: OutOfBoundsNoPOE,
			why: say("the certificate path is not valid at the time of checking%s, and nothing proves that the signature is older", period)}
	case q.at.Before(q.cert.NotBefore):
		return pathResult{chain: chain, sub: NotYetValid,
			why: say("the signature is proved to have existed at %s, before its certificate was valid%s", q.at.UTC().Format(time.RFC3339), period)}
	}
	return pathResult{chain: chain, sub: OutOfBoundsNoPOE,
		why: say("the certificate path was not valid at %s%s, and nothing proves that the signature is older than that", q.at.UTC().Format(time.RFC3339), period)}
}

func certPeriod(c *x509.Certificate) *phrase {
	return say("signing certificate valid from %s to %s", c.NotBefore.UTC().Format(time.RFC3339), c.NotAfter.UTC().Format(time.RFC3339))
}

// strong checks the keys of a path, whose anchor signed as well.
func (t *trustStore) strong(chain []*x509.Certificate, at time.Time) pathResult {
	for i, c := range chain {
		if why := weakKey(c, at); why != nil {
			whose := say("an issuing certificate")
			if i == 0 {
				whose = say("the signing certificate")
			}
			return pathResult{chain: chain, sub: CryptoConstraintsFailure, why: say("%s has %s, which is too weak", whose, why)}
		}
	}
	return pathResult{chain: chain}
}

// checkedAt checks, as at that moment, every certificate of a path but its anchor,
// from the top. It carries along until when the word of each issuer counts: not
// after it expired or was revoked, since nobody guards its key any more. What an
// issuer signed must be proved to be from before that (the sliding of EN 319
// 102-1, 5.6.2.2).
func (t *trustStore) checkedAt(moment time.Time, chain []*x509.Certificate, q *question) pathResult {
	limit := earlier(moment, chain[len(chain)-1].NotAfter)
	for i := len(chain) - 2; i >= 0; i-- {
		c := chain[i]
		if (i > 0 || !q.bound) && t.late(c, limit) {
			return pathResult{chain: chain, sub: NoPOE, why: say("nothing proves that the certificate of %s was there while its issuer could be relied on", cleanText(subject(c)))}
		}
		st := t.rev.status(c, chain[i+1], &inquiry{at: q.at, moment: moment, limit: limit, now: t.proofs.now})
		if res := st.judge(chain, i); res.sub != "" {
			return res
		}
		limit = earlier(limit, c.NotAfter)
		if !st.ends.IsZero() {
			limit = earlier(limit, st.ends)
		}
	}
	return pathResult{chain: chain}
}

// late tells whether a certificate is not proved to have been there at a time. The
// present needs no proof.
func (t *trustStore) late(c *x509.Certificate, limit time.Time) bool {
	return limit.Before(t.proofs.now) && t.proofs.time(t.certificateSince(c)).After(limit)
}

// judge says what the status of a certificate of a path means for the path.
func (s certStatus) judge(chain []*x509.Certificate, i int) pathResult {
	res := pathResult{chain: chain}
	when := s.at.UTC().Format(time.RFC3339)
	switch {
	case s.revoked && i == 0:
		res.sub, res.why = RevokedNoPOE, say("the signing certificate was revoked at %s", when)
	case s.revoked:
		res.sub, res.why = RevokedCANoPOE, say("an issuing certificate was revoked at %s", when)
	case s.hold:
		res.sub, res.why = TryLater, say("a certificate of the path is on hold")
	case s.known:
	case s.unproven:
		res.sub, res.why = NoPOE, say("no usable revocation data for %s%s", cleanText(subject(chain[i])), s.note())
	default:
		res.sub, res.why = TryLater, say("no usable revocation data for %s%s", cleanText(subject(chain[i])), s.note())
	}
	return res
}

// subject returns a certificate's subject for people.
func subject(c *x509.Certificate) string {
	if s := c.Subject.String(); s != "" {
		return s
	}
	return "certificate " + c.SerialNumber.String()
}

// sameCert compares by encoding.
func sameCert(a, b *x509.Certificate) bool { return bytes.Equal(a.Raw, b.Raw) }
