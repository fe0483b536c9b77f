package pki

import "crypto/x509"

// RevocationLists returns the current CRLs parsed: the root's, then the issuing
// authority's. They are the PKI's own and must not be changed.
func (p *PKI) RevocationLists() []*x509.RevocationList {
	var out []*x509.RevocationList
	for _, a := range p.authorities() {
		out = append(out, a.crl)
	}
	return out
}
