package sign

import (
	"fmt"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign/cms"
)

// Profile is the form of a signature.
type Profile int

// The profiles. The zero value is what to use.
const (
	// PAdES is ETSI EN 319 142-1: /SubFilter ETSI.CAdES.detached, without
	// signing-time.
	PAdES Profile = iota
	// Adobe is what consumers that know no PAdES want: /SubFilter
	// adbe.pkcs7.detached (ISO 32000-2, 12.8.3.3), with signing-time among the
	// signed attributes. The certificate is bound as in PAdES all the same, and
	// a timestamp may be there too. Verifiers call it by no PAdES level.
	Adobe
)

// check refuses what is no profile.
func (p Profile) check() error {
	if p != PAdES && p != Adobe {
		return &StampError{What: fmt.Sprintf("there is no profile %d", p)}
	}
	return nil
}

// subFilter is the value of /SubFilter.
func (p Profile) subFilter() pdf.Name {
	if p == Adobe {
		return "adbe.pkcs7.detached"
	}
	return "ETSI.CAdES.detached"
}

// template builds the signatures of the document's profile at that time.
func (d *Document) template(cred *Credential, is Issue) *cms.Template {
	if d.opt.Profile == Adobe {
		return cred.template.WithSigningTime(is.Time)
	}
	return cred.template
}

// template is the one that the document was prepared with.
func (p *Prepared) template(cred *Credential) *cms.Template {
	if cred.template.Made(p.Attributes) {
		return cred.template
	}
	if t := cred.template.WithSigningTime(p.Result.Time); t != nil && t.Made(p.Attributes) {
		return t
	}
	return cred.template // whose methods refuse the attributes
}
