package verify

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"slices"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign/cms"
)

// dssStreams visits the decoded streams of one array of the document security
// store (EN 319 142-1, 5.4.2), each with the revision from which on it stands
// there: of the final one, and of those that document timestamps cover, since what
// they proved still holds when a later revision leaves it out. What cannot be read
// is no evidence.
func (d *document) dssStreams(key pdf.Name, max int, use func(b []byte, since int)) {
	last := len(d.revs) - 1
	s := &storeReader{document: d, key: key, left: max, use: use, seen: map[pdf.Ref]bool{}}
	s.read(last)
	tried := 0
	for _, c := range slices.Backward(d.list) {
		if c.token != nil && c.placed && c.revision < last && tried < storesRead {
			tried++
			s.read(c.revision)
		}
	}
}

// storeReader reads one array of the security stores of several revisions.
type storeReader struct {
	*document
	key  pdf.Name
	left int
	use  func(b []byte, since int)
	seen map[pdf.Ref]bool // read in a later revision
}

func (s *storeReader) read(i int) {
	f, err := s.view(i)
	if err != nil {
		return
	}
	catalog, err := f.Catalog()
	if err != nil {
		return
	}
	dss, err := f.Dict(catalog["DSS"])
	if err != nil {
		return
	}
	list, err := f.Array(dss[s.key])
	if err != nil {
		return
	}
	for _, o := range list {
		ref, ok := o.(pdf.Ref)
		defined, err := s.definedIn(ref.Number)
		if !ok || err != nil || s.seen[ref] && defined <= i {
			continue
		}
		if s.left--; s.left < 0 {
			return
		}
		s.seen[ref] = true
		if b, ok := s.decode(f, ref); ok {
			s.use(b, s.since(ref, b, defined, i))
		}
	}
}

// decode reads one stream within the bounds.
func (d *document) decode(f *pdf.File, ref pdf.Ref) ([]byte, bool) {
	s, err := f.Stream(ref)
	if err != nil || s == nil || d.decoded > dssBytes {
		return nil, false
	}
	b, err := f.Decode(s)
	if d.decoded += len(b); d.decoded > dssBytes {
		return nil, false
	}
	return b, err == nil && len(b) <= d.lim.RevocationSize
}

// dssCerts returns the certificates of the document security store.
func (d *document) dssCerts() []*x509.Certificate {
	if !d.dssRead {
		d.dssRead = true
		d.dssStreams("Certs", d.lim.Certificates, func(b []byte, since int) {
			if c, err := cms.ParseCertificate(b); err == nil {
				d.certs, d.certsSince = append(d.certs, c), append(d.certsSince, since)
			}
		})
	}
	return d.certs
}

// dssRevocations adds the CRLs and OCSP responses of the document.
func (d *document) dssRevocations() {
	r := d.store.rev
	d.dssStreams("CRLs", d.lim.Revocations, func(b []byte, since int) { r.addCRL(b, origin{since: since, stored: true}) })
	d.dssStreams("OCSPs", d.lim.Revocations, func(b []byte, since int) { r.addOCSP(b, origin{since: since, stored: true}) })
}

// fromSignature adds the revocation data that a signature carries.
func (t *trustStore) fromSignature(c *candidate) {
	if c.sd == nil {
		return
	}
	from := origin{since: c.since()}
	for _, crl := range c.sd.CRLs {
		t.rev.addCRL(crl, from)
	}
	for _, resp := range c.sd.OCSPs {
		t.rev.addOCSP(resp, from)
	}
}

// registerCertificates notes from which revision on each certificate of the
// document stands there.
func (d *document) registerCertificates() map[[32]byte]int {
	out := map[[32]byte]int{}
	add := func(list []*x509.Certificate, since func(i int) int) {
		for i, c := range list {
			sum := sha256.Sum256(c.Raw)
			if k, ok := out[sum]; !ok || since(i) < k {
				out[sum] = since(i)
			}
		}
	}
	add(d.certs, func(i int) int { return d.certsSince[i] })
	for _, c := range d.list {
		own := func(int) int { return c.since() }
		add(c.bag, own)
		for _, t := range c.tokens {
			add(t.bag, own)
		}
	}
	return out
}

// since gives the revision from which on the bytes of a stream that was read in
// revision i stand in the document: the one that defined the object, if they are
// all there by then.
func (d *document) since(ref pdf.Ref, b []byte, defined, i int) int {
	if defined >= i {
		return i
	}
	v, err := d.view(defined)
	if err != nil {
		return i
	}
	if was, ok := d.decode(v, ref); !ok || !bytes.Equal(was, b) {
		return i
	}
	return defined
}

// definedIn gives the last revision that defines an object, when there are
// document timestamps at all; without them nobody needs it.
func (d *document) definedIn(n uint32) (int, error) {
	if !slices.ContainsFunc(d.list, func(c *candidate) bool { return c.token != nil }) {
		return len(d.revs) - 1, nil
	}
	if d.defined == nil {
		d.defined = map[uint32]int{}
		for i := 1; i < len(d.revs); i++ {
			changed, err := d.changed(i)
			if err != nil {
				return 0, err
			}
			for _, ch := range changed {
				d.defined[ch.Ref.Number] = i
			}
		}
	}
	return d.defined[n], nil
}

// dssObjects adds the numbers of the dictionaries and arrays that the security
// store of revision i consists of: when a later one replaces them, what only
// they referred to may go.
func (d *document) dssObjects(i int, into map[uint32]bool) error {
	f, err := d.view(i)
	if err != nil {
		return err
	}
	catalog, err := f.Catalog()
	if err != nil || catalog["DSS"] == nil {
		return nil // judged when the revisions are compared
	}
	return d.dssNumbers(f, catalog["DSS"], into, 0)
}

func (d *document) dssNumbers(f *pdf.File, o pdf.Object, into map[uint32]bool, depth int) error {
	if ref, ok := o.(pdf.Ref); ok {
		if into[ref.Number] && depth > 0 || depth > 8 {
			return nil
		}
		target, err := d.get(f, ref)
		if err != nil {
			return err
		}
		if _, leaf := target.(*pdf.Stream); leaf {
			return nil
		}
		into[ref.Number] = true
		o = target
	}
	switch v := o.(type) {
	case pdf.Array:
		for _, e := range v {
			if err := d.dssNumbers(f, e, into, depth+1); err != nil {
				return err
			}
		}
	case pdf.Dict:
		for _, e := range v {
			if err := d.dssNumbers(f, e, into, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
