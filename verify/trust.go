package verify

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// pathResult is what building and checking one certification path gave.
type pathResult struct {
	chain []*x509.Certificate // leaf first; empty when there is no path
	sub   SubIndication       // empty: the path is good
	why   string
}

// trustStore holds what one call may use to judge certificates.
type trustStore struct {
	opt  *Options
	pool []*x509.Certificate // untrusted certificates of the DSS and the caller
	rev  *revocations

	builds  int         // paths asked for so far
	stopped func() bool // the caller's context ended
}

// path judges cert for something that existed at the time at (EN 319 102-1,
// 5.2.6): a path to a root, then its constraints, then revocation of every
// certificate but the anchor, by what is known now.
func (t *trustStore) path(cert *x509.Certificate, bag []*x509.Certificate, at, now time.Time, accept func(*x509.Certificate) string) pathResult {
	if t.opt.Roots == nil {
		return pathResult{sub: NoCertificateChainFound, why: "no trusted root certificates were given"}
	}
	chains, err := t.build(cert, bag, at)
	if err != nil {
		return t.explain(cert, bag, err)
	}
	if why := accept(cert); why != "" {
		return pathResult{chain: chains[0], sub: ChainConstraintsFailure, why: why}
	}
	first := pathResult{sub: TryLater, why: "the check of the certificate path was cut short"}
	for i, chain := range chains {
		if i == t.opt.Limits.Chains || t.stopped() {
			break
		}
		res := t.strong(chain, at)
		if res.sub == "" {
			res = t.revoked(chain, at, now)
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

// errPaths is the answer when a document wants too many paths, or the caller no
// more.
var errPaths = errors.New("too many paths were asked for")

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
func (t *trustStore) explain(cert *x509.Certificate, bag []*x509.Certificate, err error) pathResult {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired, errors.As(err, &unknown):
		for _, at := range [2]time.Time{cert.NotAfter, cert.NotBefore} {
			chains, other := t.build(cert, bag, at)
			if other == nil {
				return pathResult{chain: chains[0], sub: OutOfBoundsNoPOE,
					why: "the certificate path is not valid at the time of checking (" + certPeriod(cert) + "), and nothing proves that the signature is older"}
			}
		}
		return pathResult{sub: NoCertificateChainFound, why: "no path leads from the signing certificate to a trusted root"}
	case errors.As(err, &invalid):
		return pathResult{sub: ChainConstraintsFailure, why: "the certificate path breaks a constraint: " + err.Error()}
	}
	return pathResult{sub: CertificateChainGeneralFailure, why: "the certificate path could not be built: " + err.Error()}
}

func certPeriod(c *x509.Certificate) string {
	return fmt.Sprintf("signing certificate valid from %s to %s", c.NotBefore.UTC().Format(time.RFC3339), c.NotAfter.UTC().Format(time.RFC3339))
}

// strong checks the keys of a path, whose anchor signed as well.
func (t *trustStore) strong(chain []*x509.Certificate, at time.Time) pathResult {
	for i, c := range chain {
		if why := weakKey(c, at); why != "" {
			whose := "an issuing certificate"
			if i == 0 {
				whose = "the signing certificate"
			}
			return pathResult{chain: chain, sub: CryptoConstraintsFailure, why: whose + " has " + why + ", which is too weak"}
		}
	}
	return pathResult{chain: chain}
}

// revoked checks every certificate of a path but its anchor.
func (t *trustStore) revoked(chain []*x509.Certificate, at, now time.Time) pathResult {
	res := pathResult{chain: chain}
	for i := 0; i+1 < len(chain); i++ {
		st := t.rev.status(chain[i], chain[i+1], at, now)
		switch {
		case st.revoked && i == 0:
			res.sub, res.why = RevokedNoPOE, fmt.Sprintf("the signing certificate was revoked at %s", st.at.UTC().Format(time.RFC3339))
		case st.revoked:
			res.sub, res.why = RevokedCANoPOE, fmt.Sprintf("an issuing certificate was revoked at %s", st.at.UTC().Format(time.RFC3339))
		case st.hold:
			res.sub, res.why = TryLater, "a certificate of the path is on hold"
		case !st.known:
			res.sub, res.why = TryLater, "no usable revocation data for "+cleanText(subject(chain[i]))+st.note()
		default:
			continue
		}
		return res
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
