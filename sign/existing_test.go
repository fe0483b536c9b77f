package sign_test

import (
	"bytes"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/verify"
)

// withField appends an empty signature field to a document, on its first page. With split, field and widget are two
// objects.
func withField(t testing.TB, src []byte, name string, seen pdf.Rect, split bool, more pdf.Dict) []byte {
	t.Helper()
	f, err := pdf.Open(bytes.NewReader(src), int64(len(src)), nil)
	require.NoError(t, err)
	page, err := f.Page(1)
	require.NoError(t, err)
	catalog, err := f.Catalog()
	require.NoError(t, err)
	u := pdf.NewUpdate(f)
	field := pdf.Dict{"FT": pdf.Name("Sig"), "T": pdf.TextString(name)}
	maps.Copy(field, more)
	widget := pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Widget"), "P": page.Ref, "F": pdf.Integer(2),
		"Rect": page.UserRect(seen).Array()}
	fieldRef, widgetRef := u.Alloc(), pdf.Ref{}
	if split {
		widget["Parent"] = fieldRef
		widgetRef = u.Add(widget)
		field["Kids"] = pdf.Array{widgetRef}
	} else {
		maps.Copy(field, widget)
		widgetRef = fieldRef
	}
	u.Set(fieldRef, field)
	p, c := maps.Clone(page.Dict), maps.Clone(catalog)
	p["Annots"] = pdf.Array{widgetRef}
	c["AcroForm"] = pdf.Dict{"Fields": pdf.Array{fieldRef}}
	u.Set(page.Ref, p)
	u.Set(f.CatalogRef(), c)
	b, err := u.Bytes()
	require.NoError(t, err)
	return append(bytes.Clone(src), b...)
}

var fieldBox = pdf.Rect{LLX: 50, LLY: 60, URX: 290, URY: 150}

// TestFillField: a stamp in a field of the document has the field's name and place.
func TestFillField(t *testing.T) {
	for _, name := range []string{"classic.pdf", "rotate-90.pdf", "rotate-180.pdf", "rotate-270.pdf", "cropbox.pdf", "object-streams.pdf"} {
		for _, split := range []bool{false, true} {
			src := withField(t, fileBytes(t, name), "tanda tangan", fieldBox, split, nil)
			opt := stampOptions(t)
			opt.Field = "tanda tangan"
			doc := open(t, src, opt)
			var out bytes.Buffer
			res, err := doc.Sign(t.Context(), &out, credential(t, specimen(t).StampP256), sign.Issue{Number: numberOf(t, 1)})
			require.NoError(t, err, name)
			require.Equal(t, "tanda tangan", res.Field)
			require.Equal(t, 1, res.Page)
			require.InDelta(t, fieldBox.LLX, res.Rect.LLX, 0.01, name)
			require.InDelta(t, fieldBox.URY, res.Rect.URY, 0.01, name)
			r := verified(t, out.Bytes())
			require.Equal(t, verify.TotalPassed, r.Indication, "%s: %v", name, r.Text())
			require.Len(t, r.Signatures, 1)
			require.True(t, r.Signatures[0].Stamp.DocumentBound)
			requireSeen(t, out.Bytes(), "tanda tangan", split)
			// The field is filled now.
			var refused *sign.FieldError
			_, err = sign.Open(bytes.NewReader(out.Bytes()), int64(out.Len()), opt)
			require.ErrorAs(t, err, &refused)
			require.Contains(t, refused.What, "signed already")
		}
	}
}

// requireSeen checks that the widget is printed and not hidden.
func requireSeen(t testing.TB, b []byte, name string, split bool) {
	t.Helper()
	f, err := pdf.Open(bytes.NewReader(b), int64(len(b)), nil)
	require.NoError(t, err)
	seen := 0
	require.NoError(t, f.Fields(func(fd *pdf.Field) error {
		require.Equal(t, name, fd.Name)
		require.Len(t, fd.Widgets, 1)
		require.Equal(t, split, fd.Widgets[0].Ref != fd.Ref)
		require.Equal(t, pdf.Integer(4), fd.Widgets[0].Dict["F"])
		seen++
		return nil
	}))
	require.Equal(t, 1, seen)
}

// TestFillCertified: filling a field is what P = 2 permits, in every reader.
func TestFillCertified(t *testing.T) {
	src := fileBytes(t, "certified-p2-field.pdf")
	before := verified(t, src)
	var out bytes.Buffer
	_, err := open(t, src, &sign.Options{Field: "tandatangan"}).Sign(t.Context(), &out, credential(t, specimen(t).StampP256), sign.Issue{})
	require.NoError(t, err)
	r := verified(t, out.Bytes())
	require.Len(t, r.Signatures, 2)
	require.Equal(t, before.Signatures[0].Indication, r.Signatures[0].Indication, "%v", r.Signatures[0].Reasons)
	require.NotEqual(t, verify.ModificationFailed, r.Modification, r.Text())
	_, err = sign.Open(bytes.NewReader(src), int64(len(src)), nil)
	require.ErrorIs(t, err, sign.ErrCertified, "a new field is not")
}

// TestLockedField: a field with a lock is signed with the transform that it asks for, and what is locked then stays.
func TestLockedField(t *testing.T) {
	lock := pdf.Dict{"Type": pdf.Name("SigFieldLock"), "Action": pdf.Name("Include"), "Fields": pdf.Array{pdf.TextString("second")}}
	src := withField(t, fileBytes(t, "classic.pdf"), "first", fieldBox, false, pdf.Dict{"Lock": lock})
	opt := &sign.Options{Field: "first"}
	var out bytes.Buffer
	_, err := open(t, src, opt).Sign(t.Context(), &out, credential(t, specimen(t).StampP256), sign.Issue{})
	require.NoError(t, err)
	require.Contains(t, out.String(), "/TransformMethod/FieldMDP")
	require.Equal(t, verify.TotalPassed, verified(t, out.Bytes()).Indication)

	all := pdf.Dict{"Action": pdf.Name("Exclude"), "Fields": pdf.Array{pdf.TextString("other")}}
	src = withField(t, fileBytes(t, "classic.pdf"), "first", fieldBox, false, pdf.Dict{"Lock": all})
	out.Reset()
	_, err = open(t, src, opt).Sign(t.Context(), &out, credential(t, specimen(t).StampP256), sign.Issue{})
	require.NoError(t, err)
	again := addSecond(t, out.Bytes())
	var refused *sign.FieldError
	_, err = sign.Open(bytes.NewReader(again), int64(len(again)), &sign.Options{Field: "second"})
	require.ErrorAs(t, err, &refused)
	require.Contains(t, refused.What, "locked")
}

// addSecond appends another empty field, named second.
func addSecond(t testing.TB, src []byte) []byte { return addNamed(t, src, "second") }

// addNamed appends an empty and invisible field.
func addNamed(t testing.TB, src []byte, name string) []byte {
	t.Helper()
	f, err := pdf.Open(bytes.NewReader(src), int64(len(src)), nil)
	require.NoError(t, err)
	_, form, err := f.Form()
	require.NoError(t, err)
	catalog, err := f.Catalog()
	require.NoError(t, err)
	u := pdf.NewUpdate(f)
	field := u.Add(pdf.Dict{"FT": pdf.Name("Sig"), "T": pdf.TextString(name), "Type": pdf.Name("Annot"), "Subtype": pdf.Name("Widget"),
		"Rect": pdf.Rect{}.Array()})
	c, m := maps.Clone(catalog), maps.Clone(form)
	m["Fields"] = append(form["Fields"].(pdf.Array), field)
	c["AcroForm"] = m
	u.Set(f.CatalogRef(), c)
	b, err := u.Bytes()
	require.NoError(t, err)
	return append(bytes.Clone(src), b...)
}

func TestFieldRefused(t *testing.T) {
	src := withField(t, fileBytes(t, "classic.pdf"), "f", fieldBox, false, nil)
	invisible := withField(t, fileBytes(t, "classic.pdf"), "f", pdf.Rect{}, false, nil)
	for name, c := range map[string]struct {
		src  []byte
		opt  sign.Options
		what string
	}{
		"no such field":   {src, sign.Options{Field: "g"}, "not in the document"},
		"a text field":    {fileBytes(t, "form.pdf"), sign.Options{Field: "pemohon.nama"}, "not a signature field"},
		"a page as well":  {src, sign.Options{Field: "f", Page: 1}, "leave page"},
		"a place as well": {src, sign.Options{Field: "f", At: &sign.Point{}}, "leave page"},
		"invisible":       {invisible, sign.Options{Field: "f", Stamp: stampOptions(t).Stamp}, "invisible"},
		"seed values": {withField(t, fileBytes(t, "classic.pdf"), "f", fieldBox, false, pdf.Dict{"SV": pdf.Dict{"Ff": pdf.Integer(1)}}),
			sign.Options{Field: "f"}, "prescribes"},
		"read-only":   {withField(t, fileBytes(t, "classic.pdf"), "f", fieldBox, false, pdf.Dict{"Ff": pdf.Integer(1)}), sign.Options{Field: "f"}, "read-only"},
		"twice":       {withField(t, withField(t, fileBytes(t, "classic.pdf"), "x", fieldBox, false, nil), "f", fieldBox, true, nil), sign.Options{Field: "x"}, "not in the document"},
		"on no page":  {addSecond(t, src), sign.Options{Field: "second"}, "no widget on a page"},
		"signed once": {fileBytes(t, "signed-pyhanko.pdf"), sign.Options{Field: signedField(t)}, "signed already"},
	} {
		_, err := sign.Open(bytes.NewReader(c.src), int64(len(c.src)), &c.opt)
		var refused *sign.FieldError
		require.ErrorAs(t, err, &refused, name)
		require.Contains(t, refused.Error(), c.what, name)
	}
	small := pdf.Rect{LLX: 50, LLY: 50, URX: 90, URY: 90}
	src = withField(t, fileBytes(t, "classic.pdf"), "f", small, false, nil)
	_, err := sign.Open(bytes.NewReader(src), int64(len(src)), &sign.Options{Field: "f", Stamp: stampOptions(t).Stamp})
	var place *sign.PlacementError
	require.ErrorAs(t, err, &place)
	require.Contains(t, place.What, "too small")
}

func signedField(t testing.TB) string {
	return verified(t, fileBytes(t, "signed-pyhanko.pdf")).Signatures[0].Field
}

func TestCorners(t *testing.T) {
	src := fileBytes(t, "rotate-90.pdf")
	f, err := pdf.Open(bytes.NewReader(src), int64(len(src)), nil)
	require.NoError(t, err)
	page, err := f.Page(1)
	require.NoError(t, err)
	w, h := page.Size()
	margin := sign.Millimetres(10)
	require.InDelta(t, 28.35, margin, 0.01)
	for corner, at := range map[sign.Corner]func(pdf.Rect) (x, y float64){
		sign.BottomRight: func(r pdf.Rect) (float64, float64) { return w - r.URX, r.LLY },
		sign.BottomLeft:  func(r pdf.Rect) (float64, float64) { return r.LLX, r.LLY },
		sign.TopRight:    func(r pdf.Rect) (float64, float64) { return w - r.URX, h - r.URY },
		sign.TopLeft:     func(r pdf.Rect) (float64, float64) { return r.LLX, h - r.URY },
	} {
		opt := stampOptions(t)
		opt.Page, opt.Corner, opt.Margin = 1, corner, margin
		var out bytes.Buffer
		res, err := open(t, src, opt).Sign(t.Context(), &out, credential(t, specimen(t).StampP256), sign.Issue{Number: numberOf(t, 1)})
		require.NoError(t, err)
		x, y := at(res.Rect)
		require.InDelta(t, margin, x, 0.01)
		require.InDelta(t, margin, y, 0.01)
	}
	opt := stampOptions(t)
	opt.Corner = 7
	_, err = sign.Open(bytes.NewReader(src), int64(len(src)), opt)
	var place *sign.PlacementError
	require.ErrorAs(t, err, &place)
}
