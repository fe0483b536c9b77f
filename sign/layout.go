package sign

import (
	"context"
	"encoding/hex"
	"maps"
	"time"

	"github.com/seed-574216e4/meterai/pdf"
)

// A layout is an update whose every byte is final but /Contents.
type layout struct {
	update   []byte
	contents int // offset in update of the '<' of /Contents
	size     int // bytes of /Contents with its brackets
	room     int // bytes of it for a timestamp
	result   Result
}

// byteRangeRoom holds three numbers of up to 19 digits and a space before each.
const byteRangeRoom = 3 * 20

// A plan is the part of the update that does not depend on seal and signature:
// the page, the form and the catalog that name the new field. It is laid out
// once when the document is opened, so that whatever keeps a file from being
// updated is found before a serial number is taken.
type plan struct {
	update                       *pdf.Update
	signature, field, appearance pdf.Ref
	tags                         *tagging // nil when the widget gets no place in a structure tree
}

func (d *Document) newPlan() (*plan, error) {
	u := pdf.NewUpdate(d.file)
	p := &plan{update: u, signature: u.Alloc(), tags: d.readTags()}
	if d.fill == nil {
		p.field = u.Alloc()
	}
	switch {
	case d.opt.Stamp != nil:
		p.appearance = u.Alloc()
	case d.empty:
		p.appearance = u.Add(emptyAppearance())
	}
	catalog := cloneDict(d.form.catalog)
	changed := false
	switch {
	case d.fill == nil:
		if err := d.place.addWidget(u, d.file, p.field, p.tags != nil); err != nil {
			return nil, err
		}
		if err := p.tags.put(u, d.file, p.field, d.place.page.Ref); err != nil {
			return nil, err
		}
		changed = d.form.addField(u, catalog, p.field)
	case d.form.flags&3 != 3:
		changed = d.form.set(u, catalog, cloneDict(d.form.dict))
	}
	if d.opt.Profile == PAdES {
		changed = declareExtension(d.file, catalog) || changed
	}
	changed = d.opt.Certify.permit(catalog, p.signature) || changed
	if changed {
		u.Set(d.file.CatalogRef(), catalog)
	}
	_, err := u.Bytes()
	return p, err
}

// layout makes the update of one signature: what the plan has, and field and
// widget, appearance and signature dictionary. It is in room if that is large
// enough.
func (d *Document) layout(ctx context.Context, cred *Credential, is Issue, room []byte) (*layout, error) {
	l := &layout{room: d.opt.Timestamp.room(), result: Result{Number: is.Number, Time: is.Time, SourceLength: d.file.Size(), SourceDigest: *d.digest}}
	contents := &pdf.Reserved{Size: 2*contentsSize(d.template(cred, is), l.room) + 2, Hex: true}
	byteRange := &pdf.Reserved{Size: byteRangeRoom}
	dict := d.signatureDict(is, contents, byteRange)
	l.result.Field = d.fieldName(is)
	widget := pdf.Dict{}
	if d.fill == nil {
		widget = d.widget(l.result.Field)
		d.describe(widget, is)
		if d.empty {
			widget["AP"] = pdf.Dict{"N": d.plan.appearance}
		}
	}
	if refs := d.references(); refs != nil {
		dict["Reference"] = refs
	}
	if d.opt.Stamp != nil {
		content := appearances.Get().(*[contentRoom]byte)
		defer appearances.Put(content)
		if err := d.addStamp(ctx, is, dict, widget, content[:0], &l.result); err != nil {
			return nil, err
		}
	}
	d.plan.update.Set(d.plan.signature, dict)
	if d.fill != nil {
		d.fill.set(d.plan.update, d.plan.signature, widget)
	} else {
		d.plan.update.Set(d.plan.field, widget)
	}
	var err error
	if l.update, err = d.plan.update.BytesIn(room); err != nil {
		return nil, err
	}
	l.close(contents, byteRange)
	return l, nil
}

// close fills in /ByteRange (ISO 32000-2, 12.8.1) from the offsets that were
// recorded while the update was written.
func (l *layout) close(contents, byteRange *pdf.Reserved) {
	size := l.result.SourceLength
	l.contents, l.size = int(contents.Offset-size), contents.Size
	l.result.Length = size + int64(len(l.update))
	after := contents.Offset + int64(contents.Size)
	room := l.update[byteRange.Offset-size:][:0:byteRange.Size]
	for _, n := range []int64{contents.Offset, after, l.result.Length - after} {
		room = pdf.AppendObject(room, pdf.Integer(n))
		room = append(room, ' ')
	}
}

// signatureDict is the signature dictionary (ISO 32000-2, table 255;
// EN 319 142-1, 6.3) without a seal.
func (d *Document) signatureDict(is Issue, contents, byteRange *pdf.Reserved) pdf.Dict {
	dict := pdf.Dict{
		"Type":      pdf.Name("Sig"),
		"Filter":    pdf.Name("Adobe.PPKLite"),
		"SubFilter": d.opt.Profile.subFilter(),
		"Contents":  contents,
		"ByteRange": pdf.Array{pdf.Integer(0), byteRange},
		"M":         pdf.String(pdfTime(is.Time)),
	}
	reason := d.opt.Reason
	if d.opt.Stamp != nil {
		reason = "[" + is.Number.String() + "]"
		if d.opt.Reason != "" {
			reason += " " + d.opt.Reason
		}
	}
	for name, text := range map[pdf.Name]string{"Reason": reason, "Location": d.opt.Location, "ContactInfo": d.opt.Contact} {
		if text != "" {
			dict[name] = pdf.TextString(text)
		}
	}
	return dict
}

// widget is the merged field and widget annotation (ISO 32000-2, 12.7.5.5 and
// 12.5.6.19); flags 132 are Print and Locked.
func (d *Document) widget(name string) pdf.Dict {
	return pdf.Dict{
		"Type":    pdf.Name("Annot"),
		"Subtype": pdf.Name("Widget"),
		"FT":      pdf.Name("Sig"),
		"T":       pdf.TextString(name),
		"F":       pdf.Integer(132),
		"Rect":    d.place.user.Array(),
		"P":       d.place.page.Ref,
		"V":       d.plan.signature,
	}
}

// needsAppearance says whether an invisible signature gets an empty appearance:
// PDF/A-1 wants one of every field (ISO 19005-1, 6.9). Files of PDF/A have metadata.
func (d *Document) needsAppearance() bool {
	return d.opt.Stamp == nil && d.fill == nil && d.form.catalog["Metadata"] != nil
}

// emptyAppearance is a form XObject that draws nothing.
func emptyAppearance() *pdf.Stream {
	return &pdf.Stream{Dict: pdf.Dict{
		"Type": pdf.Name("XObject"), "Subtype": pdf.Name("Form"), "BBox": pdf.Rect{}.Array(), "Resources": pdf.Dict{},
	}}
}

// stampField begins the name of a stamp's field, before its serial number.
const stampField = "Stamp"

// fieldName is that of the field to be filled, or one that is unique in the
// document: the serial number, or the place where
// the signature's revision begins.
func (d *Document) fieldName(is Issue) string {
	if d.fill != nil {
		return d.fill.field.Name
	}
	if d.opt.Stamp != nil {
		return stampField + is.Number.String()
	}
	return "Signature" + string(pdf.AppendObject(nil, pdf.Integer(d.file.Size())))
}

// declareExtension declares the ETSI extension in files of PDF 1.x
// (EN 319 142-1, 6.3) and reports whether it changed the catalog.
func declareExtension(f *pdf.File, catalog pdf.Dict) bool {
	if v := f.Version(); len(v) == 0 || v[0] != '1' {
		return false
	}
	ext, err := f.Dict(catalog["Extensions"])
	if err != nil || ext["ESIC"] != nil {
		return false
	}
	ext = cloneDict(ext)
	ext["ESIC"] = pdf.Dict{"BaseVersion": pdf.Name("1.7"), "ExtensionLevel": pdf.Integer(2)}
	catalog["Extensions"] = ext
	return true
}

// hexString is written in hexadecimal whatever its bytes are.
func hexString(b []byte) pdf.Raw {
	dst := make([]byte, 0, 2*len(b)+2)
	dst = append(dst, '<')
	dst = hex.AppendEncode(dst, b)
	return append(dst, '>')
}

// pdfTime is a date string (ISO 32000-2, 7.9.4) in UTC.
func pdfTime(t time.Time) string { return t.UTC().Format("D:20060102150405Z") }

// cloneDict copies a dictionary to be changed; a missing one gives a new one.
func cloneDict(d pdf.Dict) pdf.Dict {
	c := make(pdf.Dict, len(d)+2)
	maps.Copy(c, d)
	return c
}
