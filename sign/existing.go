package sign

import (
	"fmt"
	"slices"

	"github.com/seed-574216e4/meterai/pdf"
)

// A FieldError reports a signature field that cannot be filled, or that must not
// be added since an earlier signature locks it.
type FieldError struct {
	Name string // fully qualified, as asked for; of a stamp's new field what stands before its serial number
	What string
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("sign: signature field %q %s", e.Name, e.What)
}

// An existing is an empty signature field of the source that is to be filled
// (ISO 32000-2, 12.7.5.5).
type existing struct {
	field  pdf.Field
	widget pdf.Widget // may be the field itself
	lock   pdf.Dict   // /Lock; nil when there is none
}

// readExisting finds the field that the options name, and no other of its name.
func (d *Document) readExisting() error {
	name := d.opt.Field
	if name == "" {
		return nil
	}
	var e *existing
	err := d.file.Fields(func(f *pdf.Field) error {
		if f.Name != name {
			return nil
		}
		if e != nil {
			return &FieldError{name, "stands in the form twice"}
		}
		e = &existing{field: *f}
		return nil
	})
	if err != nil {
		return err
	}
	if e == nil {
		return &FieldError{name, "is not in the document"}
	}
	d.fill = e
	return d.checkExisting(name)
}

// checkExisting refuses a field that is not empty, or asks for what this
// package does not do.
func (d *Document) checkExisting(name string) error {
	e := d.fill
	value, err := d.file.Resolve(e.field.Value)
	switch {
	case err != nil:
		return fmt.Errorf("sign: signature field %q: %w", name, err)
	case e.field.Type != "Sig":
		return &FieldError{name, "is not a signature field"}
	case value != nil:
		return &FieldError{name, "is signed already"}
	case e.field.Flags&1 != 0:
		return &FieldError{name, "is read-only"}
	case len(e.field.Widgets) != 1 || e.field.Ref == (pdf.Ref{}) || e.field.Widgets[0].Ref == (pdf.Ref{}):
		return &FieldError{name, "has not one widget that can be changed"}
	}
	e.widget = e.field.Widgets[0]
	seed, err := d.file.Dict(e.field.Dict["SV"])
	if err != nil {
		return fmt.Errorf("sign: signature field %q: %w", name, err)
	}
	required, err := d.file.Int(seed["Ff"])
	if err != nil {
		return fmt.Errorf("sign: signature field %q: %w", name, err)
	}
	if required != 0 {
		return &FieldError{name, "prescribes how it is to be signed (seed values; ISO 32000-2, 12.7.5.5)"}
	}
	if e.lock, err = d.file.Dict(e.field.Dict["Lock"]); err != nil {
		return fmt.Errorf("sign: signature field %q: %w", name, err)
	}
	return nil
}

// placeExisting takes the place from the field's widget.
func (d *Document) placeExisting() (*placement, error) {
	opt, name := &d.opt, d.opt.Field
	if opt.Page != 0 || opt.At != nil || opt.Width != 0 || opt.Height != 0 || opt.Corner != 0 || opt.Margin != 0 {
		return nil, &FieldError{name, "says itself where the signature stands: leave page, place and size out"}
	}
	page, err := d.widgetPage()
	if err != nil {
		return nil, err
	}
	p := &placement{page: page}
	if opt.Stamp == nil {
		return p, nil
	}
	user, err := d.file.Rect(d.fill.widget.Dict["Rect"])
	if err != nil {
		return nil, fmt.Errorf("sign: signature field %q: %w", name, err)
	}
	seen, unit := page.SeenRect(user), page.UserUnit
	p.width, p.height = seen.Width()*unit, seen.Height()*unit
	if p.width == 0 || p.height == 0 {
		return nil, &FieldError{name, "is invisible and cannot show a stamp"}
	}
	if err := p.put(Point{X: seen.LLX * unit, Y: seen.LLY * unit}); err != nil {
		return nil, err
	}
	return p, p.check(opt.Stamp)
}

// widgetPage finds the page that has the widget among its annotations.
func (d *Document) widgetPage() (*pdf.Page, error) {
	var found *pdf.Page
	err := d.file.Pages(func(p *pdf.Page) error {
		if found != nil {
			return nil
		}
		if at, ok := d.fill.widget.Dict["P"].(pdf.Ref); ok && at != p.Ref {
			return nil
		}
		annots, err := d.file.Annotations(p)
		if err != nil {
			return err
		}
		if slices.Contains(annots, pdf.Object(d.fill.widget.Ref)) {
			found = p
		}
		return nil
	})
	if err == nil && found == nil {
		err = &FieldError{d.opt.Field, "has no widget on a page"}
	}
	return found, err
}

// printed is the flag of a widget that is seen on paper too, and hidden are
// those that would keep it from being seen (ISO 32000-2, table 167).
const (
	printed = 4
	hidden  = 1 | 2 | 32
)

// set writes the field with its value, and its widget with the entries given.
func (e *existing) set(u *pdf.Update, value pdf.Ref, widget pdf.Dict) {
	field := cloneDict(e.field.Dict)
	field["V"] = value
	flags, _ := e.widget.Dict["F"].(pdf.Integer) // anything else is none
	dict := cloneDict(e.widget.Dict)
	if e.widget.Ref == e.field.Ref {
		dict = field
	}
	if seen := flags&^hidden | printed; seen != flags && len(widget) > 0 {
		dict["F"] = seen
	}
	for k, v := range widget {
		dict[k] = v
	}
	u.Set(e.widget.Ref, dict)
	if e.widget.Ref != e.field.Ref {
		u.Set(e.field.Ref, field)
	}
}

// lockReference is the FieldMDP reference that a field with /Lock asks for
// (ISO 32000-2, 12.8.2.4); nil without a lock.
func (e *existing) lockReference(catalog pdf.Ref) pdf.Array {
	if e.lock == nil {
		return nil
	}
	params := pdf.Dict{"Type": pdf.Name("TransformParams"), "V": pdf.Name("1.2"), "Action": e.lock["Action"]}
	if fields := e.lock["Fields"]; fields != nil {
		params["Fields"] = fields
	}
	return pdf.Array{pdf.Dict{
		"Type": pdf.Name("SigRef"), "TransformMethod": pdf.Name("FieldMDP"), "TransformParams": params, "Data": catalog,
	}}
}
