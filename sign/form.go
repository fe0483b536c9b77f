package sign

import (
	"fmt"

	"github.com/seed-574216e4/meterai/pdf"
)

// A form is what the source says about its interactive form and its
// permissions (ISO 32000-2, 12.7.3 and 12.8.2).
type form struct {
	catalog pdf.Dict
	dict    pdf.Dict // nil when the source has no form
	ref     pdf.Ref  // of dict; zero when it is direct in the catalog
	fields  pdf.Array
	flags   int64 // SigFlags
}

func readForm(f *pdf.File) (*form, error) {
	catalog, err := f.Catalog()
	if err != nil {
		return nil, err
	}
	m := &form{catalog: catalog}
	o := catalog["AcroForm"]
	if ref, ok := o.(pdf.Ref); ok {
		m.ref = ref
	}
	if m.dict, err = f.Dict(o); err != nil {
		return nil, fmt.Errorf("sign: interactive form: %w", err)
	}
	if m.dict == nil {
		m.ref = pdf.Ref{} // a reference to nothing
		return m, nil
	}
	if m.fields, err = f.Array(m.dict["Fields"]); err != nil {
		return nil, fmt.Errorf("sign: form fields: %w", err)
	}
	m.flags, err = f.Int(m.dict["SigFlags"])
	if err != nil {
		return nil, fmt.Errorf("sign: signature flags: %w", err)
	}
	return m, nil
}

// signed reports whether the source may hold signatures already.
func (m *form) signed() bool { return m.flags&1 != 0 || m.catalog["Perms"] != nil }

// addField puts the field into the form, keeping every other entry of it
// (/DR, /DA, /NeedAppearances, /Q). The form gets an array of its own: one that
// is an object may be something else as well, the annotations of a page for
// example. It reports whether it changed the catalog.
func (m *form) addField(u *pdf.Update, catalog pdf.Dict, field pdf.Ref) bool {
	dict := cloneDict(m.dict)
	dict["Fields"] = append(m.fields[:len(m.fields):len(m.fields)], field)
	return m.set(u, catalog, dict)
}

// set writes the form with the flags of a document that is signed.
func (m *form) set(u *pdf.Update, catalog, dict pdf.Dict) bool {
	dict["SigFlags"] = pdf.Integer(m.flags | 3)
	switch {
	case m.ref != (pdf.Ref{}):
		u.Set(m.ref, dict)
		return false
	case m.dict == nil:
		catalog["AcroForm"] = u.Add(dict)
	default:
		catalog["AcroForm"] = dict
	}
	return true
}

// checkAccess refuses an encrypted file that no password opens, and one whose
// author does not permit the signature (ISO 32000-2, table 22): a new field,
// visible or not, takes bits 4 and 6 of /P, one that is there bit 6 or 9.
func (d *Document) checkAccess() error {
	e, err := d.file.Encryption()
	if err != nil || e == nil {
		return err
	}
	need := pdf.PermitNewFields
	if d.opt.Field != "" {
		need = pdf.PermitForms
	}
	if !e.Allows(need) {
		return &AccessError{Permissions: e.Permissions, Need: need}
	}
	return nil
}

func (d *Document) warn(s string) {
	for _, w := range d.warnings {
		if w == s {
			return
		}
	}
	d.warnings = append(d.warnings, s)
}
