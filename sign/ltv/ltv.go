package ltv

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"net/http"
	"time"
)

// Options configure a [Collector]. Nil is all zero values: nothing is fetched, and only what is given is used.
type Options struct {
	// HTTP sends the requests; nil sends none. The Collector works on a copy with its own rule for redirects.
	HTTP *http.Client
	// Certificates help to build paths, beside those that each call brings.
	Certificates []*x509.Certificate
	// OCSPs and CRLs, in DER, are tried before anything is fetched.
	OCSPs, CRLs [][]byte
	// MaxResponse bounds an answer in bytes; zero is 20 MiB.
	MaxResponse int64
	// Timeout bounds one request; zero is 20 seconds.
	Timeout time.Duration
	// MaxAge is how long an answer is used before it is asked for again, at most until it says so itself; zero is an hour.
	MaxAge time.Duration
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Data is validation data, each object once.
type Data struct {
	Certificates []*x509.Certificate
	OCSPs        [][]byte // OCSPResponse, DER
	CRLs         [][]byte // CertificateList, DER
}

// Add takes over what d lacks of o.
func (d *Data) Add(o *Data) {
	for _, c := range o.Certificates {
		d.certificate(c)
	}
	d.OCSPs = union(d.OCSPs, o.OCSPs)
	d.CRLs = union(d.CRLs, o.CRLs)
}

func (d *Data) certificate(c *x509.Certificate) {
	for _, have := range d.Certificates {
		if have.Equal(c) {
			return
		}
	}
	d.Certificates = append(d.Certificates, c)
}

func union(a, b [][]byte) [][]byte {
next:
	for _, n := range b {
		for _, have := range a {
			if bytes.Equal(have, n) {
				continue next
			}
		}
		a = append(a, n)
	}
	return a
}

// A Collector gathers validation data and keeps answers for the next call. It is safe for concurrent use.
type Collector struct {
	opt   Options
	fetch *fetcher
}

// New checks the options. It contacts nobody.
func New(opt *Options) (*Collector, error) {
	c := &Collector{}
	if opt != nil {
		c.opt = *opt
	}
	if c.opt.MaxResponse < 0 || c.opt.Timeout < 0 || c.opt.MaxAge < 0 {
		return nil, errors.New("ltv: a limit is negative")
	}
	if c.opt.MaxResponse == 0 {
		c.opt.MaxResponse = defaultBytes
	}
	if c.opt.Timeout == 0 {
		c.opt.Timeout = defaultWait
	}
	if c.opt.MaxAge == 0 {
		c.opt.MaxAge = defaultAge
	}
	if c.opt.Now == nil {
		c.opt.Now = time.Now
	}
	c.fetch = newFetcher(&c.opt)
	return c, nil
}

// Collect gathers the path of a certificate up to a self-signed one, and an answer for each of its certificates but the
// last. The candidates, such as the certificates of a signature, help to build the path. The error is a [*RevokedError],
// a [*MissingError], or that of ctx.
func (c *Collector) Collect(ctx context.Context, cert *x509.Certificate, candidates []*x509.Certificate) (*Data, error) {
	g := &gathering{Collector: c, data: &Data{}, done: make(map[[32]byte]bool)}
	for _, list := range [][]*x509.Certificate{candidates, c.opt.Certificates} {
		for _, k := range list {
			if len(g.pool) < maxCandidates {
				g.pool = append(g.pool, k)
			}
		}
	}
	if err := g.path(ctx, cert, 0); err != nil {
		return nil, err
	}
	return g.data, nil
}

// gathering is one call of Collect.
type gathering struct {
	*Collector
	pool []*x509.Certificate
	data *Data
	done map[[32]byte]bool // certificates whose path is complete
}

// path gathers for a certificate and all above it. depth counts responders of responders.
func (g *gathering) path(ctx context.Context, cert *x509.Certificate, depth int) error {
	for range maxPath {
		key := sha256.Sum256(cert.Raw)
		if g.done[key] {
			return nil
		}
		g.done[key] = true
		g.data.certificate(cert)
		if selfSigned(cert) {
			return nil
		}
		issuer, err := g.issuer(ctx, cert)
		if err != nil {
			return err
		}
		if err := g.status(ctx, cert, issuer, depth); err != nil {
			return err
		}
		cert = issuer
	}
	return &MissingError{Certificate: cert, What: "end of the path"}
}

func selfSigned(cert *x509.Certificate) bool {
	return bytes.Equal(cert.RawSubject, cert.RawIssuer) && cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil
}

// issuer finds who has signed a certificate: among the candidates, or where the certificate says.
func (g *gathering) issuer(ctx context.Context, cert *x509.Certificate) (*x509.Certificate, error) {
	for _, k := range g.pool {
		if issued(k, cert) {
			return k, nil
		}
	}
	var errs []error
	for _, address := range first(cert.IssuingCertificateURL) {
		k, err := g.fetchIssuer(ctx, address, cert)
		if err == nil {
			g.pool = append(g.pool, k)
			return k, nil
		}
		errs = append(errs, err)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, &MissingError{Certificate: cert, What: "issuer", Err: errors.Join(errs...)}
}

func issued(issuer, cert *x509.Certificate) bool {
	return bytes.Equal(issuer.RawSubject, cert.RawIssuer) && cert.CheckSignatureFrom(issuer) == nil
}

func (g *gathering) fetchIssuer(ctx context.Context, address string, cert *x509.Certificate) (*x509.Certificate, error) {
	name := "issuer " + address
	der, known := g.fetch.recall(name)
	if !known {
		var err error
		if der, err = g.fetch.get(ctx, address, nil, ""); err != nil {
			return nil, err
		}
	}
	k, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errors.New("what was answered is no certificate in DER")
	}
	if !issued(k, cert) {
		return nil, errors.New("the certificate answered is not the issuer's")
	}
	if !known {
		g.fetch.remember(name, der, g.opt.Now().Add(g.opt.MaxAge))
	}
	return k, nil
}

func first(addresses []string) []string { return addresses[:min(len(addresses), maxAddresses)] }
