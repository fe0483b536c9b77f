package sign

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/serial"
)

// What earlier signatures forbid: DocMDP and FieldMDP transforms in the signature
// (ISO 32000-2, 12.8.2.2 and 12.8.2.4), and the lock of its field (12.7.5.5), which
// says the same to readers that find no transform.

// checkPermission refuses a document whose certification or locks the signature
// would break, at least for some readers. A form that says it has no signatures is
// looked through as well, as far as it can be.
func (d *Document) checkPermission() error {
	signed := d.form.signed()
	if !signed && len(d.form.fields) == 0 {
		d.first = true
		return nil
	}
	d.first = d.form.catalog["Perms"] == nil
	err := d.file.Fields(d.checkField)
	var locked *FieldError
	d.first = d.first && err == nil
	if err != nil && (signed || errors.Is(err, ErrCertified) || errors.As(err, &locked)) {
		return err
	}
	perms, err := d.file.Dict(d.form.catalog["Perms"])
	if err != nil {
		return fmt.Errorf("sign: permissions: %w", err)
	}
	return d.checkEarlier(perms["DocMDP"], "")
}

// checkField looks at a field of the form, which may be signed.
func (d *Document) checkField(f *pdf.Field) error {
	if f.Type != "Sig" || f.Value == nil {
		return nil
	}
	if text, ok := strings.CutPrefix(f.Name, stampField); ok && d.opt.Stamp != nil {
		if n, err := serial.Parse(text); err == nil {
			d.warn("the document carries stamp " + n.Grouped() + " already")
		}
	}
	if err := d.checkEarlier(f.Value, f.Name); err != nil {
		return err
	}
	value, err := d.file.Resolve(f.Value)
	if err != nil || value == nil {
		return err
	}
	d.first = false
	lock, err := d.file.Dict(f.Dict["Lock"])
	if err != nil || lock == nil {
		return earlierError(err)
	}
	if err := d.fieldMDP(lock, f.Name); err != nil || lock["P"] == nil {
		return earlierError(err)
	}
	return earlierError(d.docMDP(lock, f.Name))
}

// checkEarlier looks at the transforms among a signature's references; by is the
// name of its field.
func (d *Document) checkEarlier(signature pdf.Object, by string) error {
	dict, err := d.file.Dict(signature)
	if err != nil {
		return earlierError(err)
	}
	refs, err := d.file.Array(dict["Reference"])
	if err != nil {
		return earlierError(err)
	}
	for _, o := range refs {
		if err := d.checkReference(o, by); err != nil {
			return earlierError(err)
		}
	}
	return nil
}

// earlierError says of a file's error where it was met; refusals stay as they are.
func earlierError(err error) error {
	var locked *FieldError
	if err == nil || errors.Is(err, ErrCertified) || errors.As(err, &locked) {
		return err
	}
	return fmt.Errorf("sign: earlier signature: %w", err)
}

// checkReference looks at one signature reference dictionary.
func (d *Document) checkReference(o pdf.Object, by string) error {
	ref, err := d.file.Dict(o)
	if err != nil {
		return err
	}
	method, err := d.file.Name(ref["TransformMethod"])
	if err != nil {
		return err
	}
	params, err := d.file.Dict(ref["TransformParams"])
	if err != nil {
		return err
	}
	switch method {
	case "DocMDP":
		return d.docMDP(params, by)
	case "FieldMDP":
		return d.fieldMDP(params, by)
	}
	return nil
}

// docMDP holds the signature against what params permit: /P, or 2 without it.
// Values that mean nothing permit nothing.
func (d *Document) docMDP(params pdf.Dict, by string) error {
	p := int64(2)
	if params["P"] != nil {
		var err error
		if p, err = d.file.Int(params["P"]); err != nil {
			return err
		}
	}
	switch {
	case p != 2 && p != 3:
		return fmt.Errorf("%w: %s permits none (P = %d)", ErrCertified, signatureIn(by), p)
	case d.fill != nil:
		return nil
	case !d.opt.AllowCertified:
		return fmt.Errorf("%w: with P = %d readers disagree on new signature fields", ErrCertified, p)
	}
	d.warn("the document is certified: some readers will say that the new signature field broke the certification")
	return nil
}

// fieldMDP refuses to sign a field that params lock: all, those listed or all
// but those. A field that is new is locked like any other, since what the lock
// is about are the values of fields.
func (d *Document) fieldMDP(params pdf.Dict, by string) error {
	action, err := d.file.Name(params["Action"])
	if err != nil || action == "" {
		return err
	}
	fields, err := d.file.Array(params["Fields"])
	if err != nil {
		return err
	}
	name, listed := d.newName(), false
	for _, o := range fields {
		part, err := d.file.Text(o)
		if err != nil {
			return err
		}
		listed = listed || name == part || strings.HasPrefix(name, part+".")
	}
	listed = listed && !d.newStamp()
	if action == "Include" && !listed || action == "Exclude" && listed {
		return nil
	}
	if d.fill != nil {
		return &FieldError{name, "is locked by " + signatureIn(by)}
	}
	return &FieldError{name, "cannot be added: it is locked by " + signatureIn(by)}
}

// newStamp says that the field will have a name that no list has, since it ends
// in a serial number.
func (d *Document) newStamp() bool { return d.opt.Stamp != nil && d.fill == nil }

// newName is the name of the field to be signed, of a stamp without its number.
func (d *Document) newName() string {
	if d.newStamp() {
		return stampField
	}
	return d.fieldName(Issue{})
}

// signatureIn names an earlier signature by its field.
func signatureIn(field string) string {
	if field == "" {
		return "an earlier signature"
	}
	return "the signature in " + strconv.Quote(field)
}
