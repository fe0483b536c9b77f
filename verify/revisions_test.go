package verify_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/verify"
)

// catalogWith redefines the catalog with some keys changed; nil removes one.
func catalogWith(t testing.TB, u *pdf.Update, f *pdf.File, keys pdf.Dict) {
	t.Helper()
	c, err := f.Catalog()
	require.NoError(t, err)
	u.Set(f.CatalogRef(), merge(c, keys))
}

func merge(d, keys pdf.Dict) pdf.Dict {
	d = maps.Clone(d)
	for k, v := range keys {
		if v == nil {
			delete(d, k)
		} else {
			d[k] = v
		}
	}
	return d
}

func pageWith(t testing.TB, u *pdf.Update, f *pdf.File, n int, keys pdf.Dict) {
	t.Helper()
	p, err := f.Page(n)
	require.NoError(t, err)
	u.Set(p.Ref, merge(p.Dict, keys))
}

// firstField returns the first form field.
func firstField(t testing.TB, f *pdf.File) (pdf.Ref, pdf.Dict) {
	t.Helper()
	_, form, err := f.Form()
	require.NoError(t, err)
	list, err := f.Array(form["Fields"])
	require.NoError(t, err)
	ref := list[0].(pdf.Ref)
	d, err := f.Dict(ref)
	require.NoError(t, err)
	return ref, d
}

func stream(text string) *pdf.Stream { return &pdf.Stream{Dict: pdf.Dict{}, Data: []byte(text)} }

func addDSS(t testing.TB, u *pdf.Update, f *pdf.File) {
	catalogWith(t, u, f, pdf.Dict{"DSS": u.Add(pdf.Dict{"Certs": pdf.Array{u.Add(stream("x"))},
		"VRI": pdf.Dict{"AA": pdf.Dict{"Cert": u.Add(pdf.Array{u.Add(stream("y"))})}}})})
}

type revision struct {
	name   string
	change func(t testing.TB, u *pdf.Update, f *pdf.File)
}

func TestAllowedRevisions(t *testing.T) {
	w := newWorld(t)
	for _, c := range []revision{
		{"DSS", func(t testing.TB, u *pdf.Update, f *pdf.File) { addDSS(t, u, f) }},
		{"extensions", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			catalogWith(t, u, f, pdf.Dict{"Extensions": pdf.Dict{"ESIC": pdf.Dict{"BaseVersion": pdf.Name("1.7"), "ExtensionLevel": pdf.Integer(2)}}})
		}},
		{"metadata", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			catalogWith(t, u, f, pdf.Dict{"Metadata": u.Add(stream("<xmp/>"))})
		}},
		{"later version", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			catalogWith(t, u, f, pdf.Dict{"Version": pdf.Name("2.0")})
		}},
		{"rewritten without a change", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			o, err := f.Get(pdf.Ref{Number: 4})
			require.NoError(t, err)
			u.Set(pdf.Ref{Number: 4}, o)
		}},
		{"copy of the outlines", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			o, err := f.Get(pdf.Ref{Number: 5})
			require.NoError(t, err)
			catalogWith(t, u, f, pdf.Dict{"Outlines": u.Add(o)})
		}},
		{"object that nothing uses", func(t testing.TB, u *pdf.Update, f *pdf.File) { u.Add(stream("unused")) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc := update(t, w.stamped(t), func(u *pdf.Update, f *pdf.File) { c.change(t, u, f) })
			r := check(t, doc, w.opt)
			require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
			require.Equal(t, verify.ModificationAllowed, r.Modification)
			require.Equal(t, verify.CoverageRevision, r.Signatures[0].Coverage)
		})
	}
}

func TestModifiedRevisions(t *testing.T) {
	w := newWorld(t)
	for _, c := range []revision{
		{"page content replaced", func(t testing.TB, u *pdf.Update, f *pdf.File) { u.Set(pdf.Ref{Number: 4}, stream("BT ET")) }},
		{"page given other contents", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			pageWith(t, u, f, 1, pdf.Dict{"Contents": u.Add(stream("BT ET"))})
		}},
		{"content added to a page", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			pageWith(t, u, f, 1, pdf.Dict{"Contents": pdf.Array{pdf.Ref{Number: 4}, u.Add(stream("0 0 9 9 re f"))}})
		}},
		{"resources of a page", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			pageWith(t, u, f, 1, pdf.Dict{"Resources": pdf.Dict{}})
		}},
		{"page turned", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			pageWith(t, u, f, 1, pdf.Dict{"Rotate": pdf.Integer(180)})
		}},
		{"crop box", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			pageWith(t, u, f, 1, pdf.Dict{"CropBox": pdf.Array{pdf.Integer(0), pdf.Integer(0), pdf.Integer(9), pdf.Integer(9)}})
		}},
		{"font replaced", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			u.Set(pdf.Ref{Number: 3}, pdf.Dict{"Type": pdf.Name("Font"), "Subtype": pdf.Name("Type1"), "BaseFont": pdf.Name("ZapfDingbats")})
		}},
		{"page tree", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			d, err := f.Dict(pdf.Ref{Number: 2})
			require.NoError(t, err)
			u.Set(pdf.Ref{Number: 2}, merge(d, pdf.Dict{"Kids": pdf.Array{pdf.Ref{Number: 7}, pdf.Ref{Number: 6}}}))
		}},
		{"page added", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			p, err := f.Page(1)
			require.NoError(t, err)
			n := u.Add(p.Dict)
			u.Set(pdf.Ref{Number: 2}, pdf.Dict{"Type": pdf.Name("Pages"), "Count": pdf.Integer(3),
				"Kids": pdf.Array{pdf.Ref{Number: 6}, pdf.Ref{Number: 7}, n}})
		}},
		{"other page tree", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			d, err := f.Dict(pdf.Ref{Number: 2})
			require.NoError(t, err)
			catalogWith(t, u, f, pdf.Dict{"Pages": u.Add(merge(d, pdf.Dict{"Kids": pdf.Array{pdf.Ref{Number: 7}}, "Count": pdf.Integer(1)}))})
		}},
		{"outlines", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			u.Set(pdf.Ref{Number: 5}, pdf.Dict{"Type": pdf.Name("Outlines"), "Count": pdf.Integer(7)})
		}},
		{"open action", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			catalogWith(t, u, f, pdf.Dict{"OpenAction": pdf.Dict{"S": pdf.Name("JavaScript"), "JS": pdf.String("1")}})
		}},
		{"optional content", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			catalogWith(t, u, f, pdf.Dict{"OCProperties": pdf.Dict{"OCGs": pdf.Array{}, "D": pdf.Dict{}}})
		}},
		{"permissions", func(t testing.TB, u *pdf.Update, f *pdf.File) { catalogWith(t, u, f, pdf.Dict{"Perms": pdf.Dict{}}) }},
		{"lower version", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			catalogWith(t, u, f, pdf.Dict{"Version": pdf.Name("x")})
		}},
		{"form removed", func(t testing.TB, u *pdf.Update, f *pdf.File) { catalogWith(t, u, f, pdf.Dict{"AcroForm": nil}) }},
		{"stamp field removed from the form", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			catalogWith(t, u, f, pdf.Dict{"AcroForm": pdf.Dict{"Fields": pdf.Array{}, "SigFlags": pdf.Integer(3)}})
		}},
		{"fields to be drawn anew", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			_, form, err := f.Form()
			require.NoError(t, err)
			catalogWith(t, u, f, pdf.Dict{"AcroForm": merge(form, pdf.Dict{"NeedAppearances": true})})
		}},
		{"stamp taken off the page", func(t testing.TB, u *pdf.Update, f *pdf.File) { pageWith(t, u, f, -1, pdf.Dict{"Annots": nil}) }},
		{"stamp moved", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			ref, d := firstField(t, f)
			u.Set(ref, merge(d, pdf.Dict{"Rect": pdf.Array{pdf.Integer(0), pdf.Integer(0), pdf.Integer(9), pdf.Integer(9)}}))
		}},
		{"stamp hidden", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			ref, d := firstField(t, f)
			u.Set(ref, merge(d, pdf.Dict{"F": pdf.Integer(2)}))
		}},
		{"stamp redrawn", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			ref, d := firstField(t, f)
			u.Set(ref, merge(d, pdf.Dict{"AP": pdf.Dict{"N": u.Add(stream("0 0 1 1 re f"))}}))
		}},
		{"stamp's form redrawn in place", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			_, d := firstField(t, f)
			u.Set(d["AP"].(pdf.Dict)["N"].(pdf.Ref), stream("0 0 1 1 re f"))
		}},
		{"stamp field renamed", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			ref, d := firstField(t, f)
			u.Set(ref, merge(d, pdf.Dict{"T": pdf.String("Other")}))
		}},
		{"signature removed from its field", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			ref, d := firstField(t, f)
			u.Set(ref, merge(d, pdf.Dict{"V": nil}))
		}},
		{"signature dictionary rewritten", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			_, d := firstField(t, f)
			sig, err := f.Dict(d["V"])
			require.NoError(t, err)
			u.Set(d["V"].(pdf.Ref), merge(sig, pdf.Dict{"Reason": pdf.String("other")}))
		}},
		{"stamp over content", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			a := u.Add(pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Stamp"), "Rect": pdf.Array{pdf.Integer(0), pdf.Integer(0), pdf.Integer(9), pdf.Integer(9)}})
			pageWith(t, u, f, 1, pdf.Dict{"Annots": pdf.Array{a}})
		}},
		{"note", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			a := u.Add(pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Text"), "Rect": pdf.Array{pdf.Integer(0), pdf.Integer(0), pdf.Integer(9), pdf.Integer(9)}})
			pageWith(t, u, f, 1, pdf.Dict{"Annots": pdf.Array{a}})
		}},
		{"text field added", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			a := u.Add(pdf.Dict{"Subtype": pdf.Name("Widget"), "FT": pdf.Name("Tx"), "T": pdf.String("text")})
			addToForm(t, u, f, a)
		}},
		{"signature field with an action", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			a := u.Add(pdf.Dict{"Subtype": pdf.Name("Widget"), "FT": pdf.Name("Sig"), "T": pdf.String("s"), "A": pdf.Dict{"S": pdf.Name("Hide")}})
			addToForm(t, u, f, a)
		}},
		{"widget that belongs to no field", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			a := u.Add(pdf.Dict{"Subtype": pdf.Name("Widget"), "FT": pdf.Name("Sig"), "T": pdf.String("s")})
			pageWith(t, u, f, 1, pdf.Dict{"Annots": pdf.Array{a}})
		}},
		{"page content used as security store", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			u.Set(pdf.Ref{Number: 4}, stream("BT ET"))
			catalogWith(t, u, f, pdf.Dict{"DSS": u.Add(pdf.Dict{"Certs": pdf.Array{pdf.Ref{Number: 4}}})})
		}},
		{"page used as security store", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			pageWith(t, u, f, 1, pdf.Dict{"Rotate": pdf.Integer(90)})
			catalogWith(t, u, f, pdf.Dict{"DSS": u.Add(pdf.Dict{"Certs": pdf.Array{pdf.Ref{Number: 6}}})})
		}},
		{"content as metadata", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			u.Set(pdf.Ref{Number: 4}, stream("BT ET"))
			catalogWith(t, u, f, pdf.Dict{"Metadata": pdf.Ref{Number: 4}})
		}},
		{"another catalog that nothing uses", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			u.Add(pdf.Dict{"Type": pdf.Name("Catalog"), "Pages": pdf.Ref{Number: 2}})
		}},
		{"unused page", func(t testing.TB, u *pdf.Update, f *pdf.File) { u.Add(pdf.Dict{"Type": pdf.Name("Page")}) }},
		{"annotations put in another order by hand", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			ref, _ := firstField(t, f)
			pageWith(t, u, f, -1, pdf.Dict{"Annots": pdf.Array{ref, ref}})
			u.Set(pdf.Ref{Number: 4}, stream("BT ET"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc := update(t, w.stamped(t), func(u *pdf.Update, f *pdf.File) { c.change(t, u, f) })
			r := check(t, doc, w.opt)
			requireModified(t, r)
		})
	}
}

// TestNewCatalog: some programs write the catalog as a new object. It is
// compared with the old one; an object that was there is never taken for it.
func TestNewCatalog(t *testing.T) {
	w := newWorld(t)
	doc := w.stamped(t)
	move := func(keys pdf.Dict, reuse bool) []byte {
		root := pdf.Ref{}
		bad := update(t, doc, func(u *pdf.Update, f *pdf.File) {
			c, err := f.Catalog()
			require.NoError(t, err)
			if root = (pdf.Ref{Number: 5}); !reuse {
				root = u.Add(merge(c, keys))
				return
			}
			u.Set(root, merge(c, keys))
		})
		at := bytes.LastIndex(bad, []byte("/Root 1 0 R"))
		return slices.Concat(bad[:at], fmt.Appendf(nil, "/Root %d 0 R", root.Number), bad[at+len("/Root 1 0 R"):])
	}
	r := check(t, move(nil, false), w.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	requireModified(t, check(t, move(pdf.Dict{"OpenAction": pdf.Array{}}, false), w.opt))
	requireModified(t, check(t, move(nil, true), w.opt))
}

func requireModified(t testing.TB, r *verify.Report) {
	t.Helper()
	require.Equal(t, verify.TotalFailed, r.Indication, r.Text())
	require.Equal(t, verify.FormatFailure, r.SubIndication, r.Text())
	require.Equal(t, verify.ModificationFailed, r.Modification, r.Text())
	require.Equal(t, 1, r.ExitCode())
	require.NotEmpty(t, r.Signatures[0].Reasons)
}

// TestModifiedThenRestored: each revision counts, not only the last state.
func TestModifiedThenRestored(t *testing.T) {
	w := newWorld(t)
	doc := w.stamped(t)
	f := open(t, doc)
	old, err := f.Get(pdf.Ref{Number: 4})
	require.NoError(t, err)
	data, err := f.RawStream(old.(*pdf.Stream))
	require.NoError(t, err)
	doc = update(t, doc, func(u *pdf.Update, f *pdf.File) { u.Set(pdf.Ref{Number: 4}, stream("BT ET")) })
	doc = update(t, doc, func(u *pdf.Update, f *pdf.File) { u.Set(pdf.Ref{Number: 4}, stream(string(data))) })
	requireModified(t, check(t, doc, w.opt))
}

// TestDanglingReference: an object that the signed document already refers to,
// and that only an update defines, is content, whatever else it is used for.
func TestDanglingReference(t *testing.T) {
	w := newWorld(t)
	base := plain("agreement", 2, 0)
	base = update(t, base, func(u *pdf.Update, f *pdf.File) {
		pageWith(t, u, f, 1, pdf.Dict{"Contents": pdf.Array{pdf.Ref{Number: 4}, pdf.Ref{Number: 400}}})
	})
	doc := w.sign(t, base, job{stamp: &stampJob{number: serialNumber(t, 1)}})
	require.Equal(t, verify.TotalPassed, check(t, doc, w.opt).Indication)
	for name, use := range map[string]func(u *pdf.Update, f *pdf.File){
		"as security store": func(u *pdf.Update, f *pdf.File) {
			catalogWith(t, u, f, pdf.Dict{"DSS": u.Add(pdf.Dict{"Certs": pdf.Array{pdf.Ref{Number: 400}}})})
		},
		"as nothing": func(u *pdf.Update, f *pdf.File) {},
	} {
		t.Run(name, func(t *testing.T) {
			bad := update(t, doc, func(u *pdf.Update, f *pdf.File) {
				u.Set(pdf.Ref{Number: 400}, stream("0 0 600 800 re f"))
				use(u, f)
			})
			requireModified(t, check(t, bad, w.opt))
		})
	}
}

func TestSeveralSignatures(t *testing.T) {
	w := newWorld(t)
	doc := w.stamped(t)
	doc = w.sign(t, doc, job{field: "Second", id: w.pki.StampRSA})
	doc = w.sign(t, doc, job{stamp: &stampJob{number: serialNumber(t, 2), key: w.pki.SealEd25519}})
	doc = update(t, doc, func(u *pdf.Update, f *pdf.File) { addDSS(t, u, f) })
	doc = w.sign(t, doc, job{field: "Archive", subFilter: "ETSI.RFC3161", id: w.pki.TSA,
		edit: func(sig, _ pdf.Dict) { sig["Type"] = pdf.Name("DocTimeStamp"); delete(sig, "M") }, rect: pdf.Array{pdf.Integer(0), pdf.Integer(0), pdf.Integer(0), pdf.Integer(0)}})
	r := check(t, doc, w.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	require.Len(t, r.Signatures, 4)
	for i, want := range []string{"Stamp" + serialNumber(t, 1).String(), "Second", "Stamp" + serialNumber(t, 2).String(), "Archive"} {
		require.Equal(t, want, r.Signatures[i].Field)
	}
	require.Equal(t, "timestamp", r.Signatures[3].Level)
	require.NotNil(t, r.Signatures[3].Timestamp)
	require.Equal(t, verify.CoverageWhole, r.Signatures[3].Coverage)

	bad := update(t, doc, func(u *pdf.Update, f *pdf.File) { u.Set(pdf.Ref{Number: 4}, stream("BT ET")) })
	r = check(t, bad, w.opt)
	for _, s := range r.Signatures {
		require.Equal(t, verify.TotalFailed, s.Indication)
		require.Equal(t, verify.ModificationFailed, s.Modification)
	}
	require.Contains(t, r.Text(), "page 1", "the reason names the page")
}

// TestSignedFieldFromBefore: an empty field that was there is signed.
func TestSignedFieldFromBefore(t *testing.T) {
	w := newWorld(t)
	var empty pdf.Ref
	base := update(t, plain("form", 1, 0), func(u *pdf.Update, f *pdf.File) {
		empty = u.Add(pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Widget"), "FT": pdf.Name("Sig"), "T": pdf.String("Approval"),
			"Rect": pdf.Array{pdf.Integer(0), pdf.Integer(0), pdf.Integer(50), pdf.Integer(50)}, "P": pdf.Ref{Number: 6}})
		pageWith(t, u, f, 1, pdf.Dict{"Annots": pdf.Array{empty}})
		addToForm(t, u, f, empty)
	})
	doc := w.sign(t, base, job{stamp: &stampJob{number: serialNumber(t, 1)}})
	doc = w.sign(t, doc, job{field: "Approval", fieldRef: empty})
	r := check(t, doc, w.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	require.Equal(t, "Approval", r.Signatures[1].Field)
}

func docMDP(level int) func(sig, field pdf.Dict) {
	return func(sig, _ pdf.Dict) {
		sig["Reference"] = pdf.Array{pdf.Dict{"Type": pdf.Name("SigRef"), "TransformMethod": pdf.Name("DocMDP"),
			"TransformParams": pdf.Dict{"Type": pdf.Name("TransformParams"), "P": pdf.Integer(level), "V": pdf.Name("1.2")}}}
	}
}

// formDocument has a text field and an empty signature field.
func formDocument(t testing.TB) (doc []byte, text, sig pdf.Ref) {
	doc = update(t, plain("form", 1, 0), func(u *pdf.Update, f *pdf.File) {
		rect := pdf.Array{pdf.Integer(0), pdf.Integer(0), pdf.Integer(50), pdf.Integer(50)}
		text = u.Add(pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Widget"), "FT": pdf.Name("Tx"), "T": pdf.String("amount"), "Rect": rect,
			"V": pdf.String("10"), "AP": pdf.Dict{"N": u.Add(stream("(10) Tj"))}})
		sig = u.Add(pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Widget"), "FT": pdf.Name("Sig"), "T": pdf.String("Approval"), "Rect": rect})
		pageWith(t, u, f, 1, pdf.Dict{"Annots": pdf.Array{text, sig}})
		catalogWith(t, u, f, pdf.Dict{"AcroForm": pdf.Dict{"Fields": pdf.Array{text, sig}}})
	})
	return doc, text, sig
}

func TestPermissions(t *testing.T) {
	w := newWorld(t)
	base, text, sig := formDocument(t)
	fill := func(t testing.TB, doc []byte) []byte {
		return update(t, doc, func(u *pdf.Update, f *pdf.File) {
			d, err := f.Dict(text)
			require.NoError(t, err)
			u.Set(text, merge(d, pdf.Dict{"V": pdf.String("99"), "AP": pdf.Dict{"N": u.Add(stream("(99) Tj"))}}))
		})
	}
	approve := func(t testing.TB, doc []byte) []byte { return w.sign(t, doc, job{field: "Approval", fieldRef: sig}) }
	visible := func(t testing.TB, doc []byte) []byte { return w.sign(t, doc, job{field: "New"}) }
	note := func(t testing.TB, doc []byte) []byte {
		return update(t, doc, func(u *pdf.Update, f *pdf.File) {
			p, err := f.Page(1)
			require.NoError(t, err)
			a := u.Add(pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Text"), "Rect": pdf.Array{pdf.Integer(0), pdf.Integer(0), pdf.Integer(9), pdf.Integer(9)}})
			annots, err := f.Array(p.Dict["Annots"])
			require.NoError(t, err)
			pageWith(t, u, f, 1, pdf.Dict{"Annots": append(annots, a)})
		})
	}
	store := func(t testing.TB, doc []byte) []byte {
		return update(t, doc, func(u *pdf.Update, f *pdf.File) { addDSS(t, u, f) })
	}
	lock := func(action string, fields ...string) func(sig, field pdf.Dict) {
		return func(_, field pdf.Dict) {
			l := pdf.Dict{"Type": pdf.Name("SigFieldLock"), "Action": pdf.Name(action)}
			var names pdf.Array
			for _, f := range fields {
				names = append(names, pdf.String(f))
			}
			if names != nil {
				l["Fields"] = names
			}
			field["Lock"] = l
		}
	}
	for _, c := range []struct {
		name   string
		edit   func(sig, field pdf.Dict)
		later  func(testing.TB, []byte) []byte
		policy verify.Policy
		passes bool
	}{
		{"no DocMDP, filled", nil, fill, verify.Standard, true},
		{"no DocMDP, filled, strict policy", nil, fill, verify.Strict, false},
		{"no DocMDP, signed, strict policy", nil, approve, verify.Strict, true},
		{"no DocMDP, new signature", nil, visible, verify.Standard, true},
		{"no DocMDP, note", nil, note, verify.Standard, false},
		{"P=1, DSS", docMDP(1), store, verify.Standard, true},
		{"P=1, filled", docMDP(1), fill, verify.Standard, false},
		{"P=1, signed", docMDP(1), approve, verify.Standard, false},
		{"P=2, filled", docMDP(2), fill, verify.Standard, true},
		{"P=2, signed", docMDP(2), approve, verify.Standard, true},
		{"P=2, new visible signature", docMDP(2), visible, verify.Standard, false},
		{"P=2, note", docMDP(2), note, verify.Standard, false},
		{"P=3, note", docMDP(3), note, verify.Standard, true},
		{"P=3, filled", docMDP(3), fill, verify.Standard, true},
		{"P=9, filled", docMDP(9), fill, verify.Standard, false},
		{"locked by name", lock("Include", "amount"), fill, verify.Standard, false},
		{"another locked", lock("Include", "Approval"), fill, verify.Standard, true},
		{"excluded from the lock", lock("Exclude", "amount"), fill, verify.Standard, true},
		{"all locked", lock("All"), fill, verify.Standard, false},
		{"all locked, DSS", lock("All"), store, verify.Standard, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc := w.sign(t, base, job{field: "First", edit: c.edit})
			require.Equal(t, verify.TotalPassed, check(t, doc, w.opt).Indication)
			r := check(t, c.later(t, doc), with(w.opt, func(o *verify.Options) { o.Policy = c.policy }))
			if c.passes {
				require.Equal(t, verify.TotalPassed, r.Signatures[0].Indication, r.Text())
				require.Equal(t, verify.ModificationAllowed, r.Signatures[0].Modification)
				return
			}
			requireModified(t, r)
		})
	}
}
