package verify

import (
	"crypto/x509"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign/cms"
)

// dssStreams visits the decoded streams of one array of the document security
// store (EN 319 142-1, 5.4.2). What cannot be read is no evidence.
func (d *document) dssStreams(key pdf.Name, max int, use func([]byte)) {
	catalog, err := d.f.Catalog()
	if err != nil {
		return
	}
	dss, err := d.f.Dict(catalog["DSS"])
	if err != nil {
		return
	}
	list, err := d.f.Array(dss[key])
	if err != nil {
		return
	}
	for i, o := range list {
		if i == max {
			return
		}
		s, err := d.f.Stream(o)
		if err != nil || s == nil {
			continue
		}
		b, err := d.f.Decode(s)
		if d.decoded += len(b); d.decoded > dssBytes {
			return
		}
		if err == nil && len(b) <= d.lim.RevocationSize {
			use(b)
		}
	}
}

// dssCerts returns the certificates of the document security store.
func (d *document) dssCerts() []*x509.Certificate {
	if !d.dssRead {
		d.dssRead = true
		d.dssStreams("Certs", d.lim.Certificates, func(b []byte) {
			if c, err := cms.ParseCertificate(b); err == nil {
				d.certs = append(d.certs, c)
			}
		})
	}
	return d.certs
}

// dssRevocations adds the CRLs and OCSP responses of the document.
func (d *document) dssRevocations() {
	d.dssStreams("CRLs", d.lim.Revocations, d.store.rev.addCRL)
	d.dssStreams("OCSPs", d.lim.Revocations, d.store.rev.addOCSP)
}

// fromSignature adds the revocation data that a signature carries.
func (t *trustStore) fromSignature(c *candidate) {
	if c.sd == nil {
		return
	}
	for _, crl := range c.sd.CRLs {
		t.rev.addCRL(crl)
	}
	for _, resp := range c.sd.OCSPs {
		t.rev.addOCSP(resp)
	}
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
