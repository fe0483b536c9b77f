package sign

import (
	"fmt"

	"github.com/seed-574216e4/meterai/pdf"
)

// A Certification makes the signature that of the document's author, who says
// what may be done to the document afterwards (DocMDP; ISO 32000-2, 12.8.2.2).
// It is the first signature of a document, and there is one at most.
type Certification struct {
	// Changes is what leaves the certification whole.
	Changes Changes
}

// Changes are the changes that a certification permits. Validation data and
// document timestamps, which [Extend] adds, are permitted always.
type Changes int

// The changes. The zero value is the default of ISO 32000-2.
const (
	FormChanges    Changes = iota // filling in forms and signing fields that are there (P = 2)
	NoChanges                     // none (P = 1)
	CommentChanges                // those of FormChanges, and comments (P = 3)
)

// level is the value of /P; zero for no changes known.
func (c Changes) level() pdf.Integer {
	switch c {
	case NoChanges:
		return 1
	case FormChanges:
		return 2
	case CommentChanges:
		return 3
	}
	return 0
}

// A CertificationError reports a document that cannot be certified: it is
// signed already, or is asked to permit what it cannot.
type CertificationError struct {
	Field string // of the signature that is there; "" when that is not what is wrong
	What  string
}

func (e *CertificationError) Error() string {
	if e.Field != "" {
		return fmt.Sprintf("sign: certification: the document %s, in field %q", e.What, e.Field)
	}
	return "sign: certification: the document " + e.What
}

// checkCertify refuses to certify a document that has a signature, or usage
// rights, which are one: a certification comes first (ISO 32000-2, 12.8.2.2.1).
func (d *Document) checkCertify() error {
	c := d.opt.Certify
	if c == nil {
		return nil
	}
	if c.Changes.level() == 0 {
		return &CertificationError{What: fmt.Sprintf("is to permit changes of an unknown kind %d", c.Changes)}
	}
	perms, err := d.file.Dict(d.form.catalog["Perms"])
	if err != nil {
		return fmt.Errorf("sign: permissions: %w", err)
	}
	if len(perms) > 0 {
		return &CertificationError{What: "has permissions already (/Perms), of a certification or of usage rights"}
	}
	if err := d.checkLockLevel(); err != nil {
		return err
	}
	return d.file.Fields(func(f *pdf.Field) error {
		if f.Type != "Sig" {
			return nil
		}
		value, err := d.file.Resolve(f.Value)
		if err != nil {
			return fmt.Errorf("sign: earlier signature: %w", err)
		}
		if value != nil {
			return &CertificationError{Field: f.Name, What: "is signed already"}
		}
		return nil
	})
}

// checkLockLevel refuses a field whose lock permits less than the certification
// would: readers differ in which of the two they go by.
func (d *Document) checkLockLevel() error {
	if d.fill == nil || d.fill.lock["P"] == nil {
		return nil
	}
	p, err := d.file.Int(d.fill.lock["P"])
	if err != nil {
		return fmt.Errorf("sign: signature field %q: %w", d.opt.Field, err)
	}
	if p < int64(d.opt.Certify.Changes.level()) {
		return &CertificationError{What: fmt.Sprintf("has a field %q whose lock permits less (P = %d)", d.opt.Field, p)}
	}
	return nil
}

// permit names the certification in the catalog (ISO 32000-2, 12.8.6).
func (c *Certification) permit(catalog pdf.Dict, signature pdf.Ref) bool {
	if c == nil {
		return false
	}
	catalog["Perms"] = pdf.Dict{"DocMDP": signature}
	return true
}

// references are the transforms of the signature: the author's, and what the
// lock of the field asks for; nil without either.
func (d *Document) references() pdf.Array {
	var refs pdf.Array
	if c := d.opt.Certify; c != nil {
		refs = append(refs, pdf.Dict{
			"Type": pdf.Name("SigRef"), "TransformMethod": pdf.Name("DocMDP"),
			"TransformParams": pdf.Dict{"Type": pdf.Name("TransformParams"), "V": pdf.Name("1.2"), "P": c.Changes.level()},
		})
	}
	if d.fill != nil {
		refs = append(refs, d.fill.lockReference(d.file.CatalogRef())...)
	}
	return refs
}
