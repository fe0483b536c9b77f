package sign_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
	"github.com/seed-574216e4/meterai/verify"
)

var changes = map[sign.Changes]string{sign.NoChanges: "no-changes", sign.FormChanges: "forms", sign.CommentChanges: "comments"}

// Certified, with and without a stamp, in files of each kind: the document is
// passed, says who certified it for what, and names the signature in its catalog.
func TestCertify(t *testing.T) {
	for _, name := range []string{"classic.pdf", "object-streams.pdf", "hybrid.pdf", "pdf20.pdf", "form.pdf", "encrypted-aes256.pdf"} {
		for c, says := range changes {
			for _, stamped := range []bool{true, false} {
				opt := &sign.Options{Certify: &sign.Certification{Changes: c}}
				if stamped {
					opt.Stamp = stampOptions(t).Stamp
				}
				out := stamp(t, fileBytes(t, name), opt, sign.Issue{Number: numberOf(t, 30)})
				r := verified(t, out)
				require.Equal(t, verify.TotalPassed, r.Indication, "%s %s: %s", name, says, r.Text())
				require.Equal(t, says, r.Signatures[0].Certified)
				requirePermitted(t, out)
			}
		}
	}
}

// requirePermitted holds what the catalog and the signature say against ISO
// 32000-2, 12.8.2.2 and 12.8.6.
func requirePermitted(t testing.TB, b []byte) {
	t.Helper()
	f, err := pdf.Open(bytes.NewReader(b), int64(len(b)), nil)
	require.NoError(t, err)
	catalog, err := f.Catalog()
	require.NoError(t, err)
	perms, err := f.Dict(catalog["Perms"])
	require.NoError(t, err)
	sig, err := f.Dict(perms["DocMDP"])
	require.NoError(t, err)
	require.Equal(t, pdf.Name("Sig"), sig["Type"])
	refs, err := f.Array(sig["Reference"])
	require.NoError(t, err)
	require.Len(t, refs, 1)
	ref, err := f.Dict(refs[0])
	require.NoError(t, err)
	require.Equal(t, pdf.Name("DocMDP"), ref["TransformMethod"])
	params, err := f.Dict(ref["TransformParams"])
	require.NoError(t, err)
	require.Equal(t, pdf.Name("1.2"), params["V"])
}

// A certified document can be signed in a field that is there, and is not
// stamped with a new one.
func TestCertifyThenSign(t *testing.T) {
	src := fileBytes(t, "form.pdf") // has the empty field
	for c := range changes {
		opt := stampOptions(t)
		opt.Certify = &sign.Certification{Changes: c}
		first := stamp(t, src, opt, sign.Issue{Number: numberOf(t, 31)})
		_, err := sign.Open(bytes.NewReader(first), int64(len(first)), stampOptions(t))
		require.ErrorIs(t, err, sign.ErrCertified)
		if c == sign.NoChanges {
			_, err := sign.Open(bytes.NewReader(first), int64(len(first)), &sign.Options{Field: "tandatangan"})
			require.ErrorIs(t, err, sign.ErrCertified)
			continue
		}
		both := stamp(t, first, &sign.Options{Field: "tandatangan"}, sign.Issue{})
		r := verified(t, both)
		require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
		require.Len(t, r.Signatures, 2)
		require.Equal(t, changes[c], r.Signatures[0].Certified)
		require.Empty(t, r.Signatures[1].Certified)
		// What the author signed is the second stamp's no more than anybody's.
		var refused *sign.CertificationError
		opt.Certify = &sign.Certification{}
		_, err = sign.Open(bytes.NewReader(both), int64(len(both)), &sign.Options{AllowCertified: true, Certify: opt.Certify})
		require.ErrorAs(t, err, &refused)
	}
}

// A certification in an empty field, one with a lock, and one beside text fields that
// are filled in afterwards.
func TestCertifyInField(t *testing.T) {
	lock := pdf.Dict{"Type": pdf.Name("SigFieldLock"), "Action": pdf.Name("Include"), "Fields": pdf.Array{pdf.TextString("second")}}
	src := withField(t, fileBytes(t, "classic.pdf"), "first", fieldBox, false, pdf.Dict{"Lock": lock})
	opt := stampOptions(t)
	opt.Field, opt.Certify = "first", &sign.Certification{}
	out := stamp(t, src, opt, sign.Issue{Number: numberOf(t, 32)})
	r := verified(t, out)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	require.Equal(t, "forms", r.Signatures[0].Certified)
	require.Contains(t, string(out), "/TransformMethod/FieldMDP")
	require.Contains(t, string(out), "/TransformMethod/DocMDP")

	lock["P"] = pdf.Integer(1)
	src = withField(t, fileBytes(t, "classic.pdf"), "first", fieldBox, false, pdf.Dict{"Lock": lock})
	var refused *sign.CertificationError
	_, err := sign.Open(bytes.NewReader(src), int64(len(src)), opt)
	require.ErrorAs(t, err, &refused)
	require.Contains(t, refused.Error(), "permits less")
}

func TestCertifyRefused(t *testing.T) {
	for name, c := range map[string]struct {
		src  []byte
		opt  sign.Certification
		what string
	}{
		"signed":               {fileBytes(t, "signed-pdfsign.pdf"), sign.Certification{}, "signed already, in field"},
		"signed without flags": {withoutFlags(fileBytes(t, "signed-pyhanko.pdf")), sign.Certification{}, "signed already"},
		"usage rights":         {tinyPDF("", "/Perms<</UR3 4 0 R>>", ""), sign.Certification{}, "usage rights"},
		"no such changes":      {fileBytes(t, "classic.pdf"), sign.Certification{Changes: 7}, "kind 7"},
	} {
		opt := stampOptions(t)
		opt.Certify = &c.opt
		_, err := sign.Open(bytes.NewReader(c.src), int64(len(c.src)), opt)
		var refused *sign.CertificationError
		require.ErrorAs(t, err, &refused, name)
		require.Contains(t, refused.Error(), c.what, name)
	}
	certified := fileBytes(t, "certified-p3.pdf")
	for _, allow := range []bool{false, true} { // which helps other signatures
		opt := &sign.Options{Certify: &sign.Certification{}, AllowCertified: allow}
		_, err := sign.Open(bytes.NewReader(certified), int64(len(certified)), opt)
		var refused *sign.CertificationError
		require.ErrorAs(t, err, &refused)
	}
}

// withoutFlags makes the form say that no signatures are there.
func withoutFlags(b []byte) []byte {
	return bytes.ReplaceAll(b, []byte("/SigFlags 3"), []byte("/SigFlags 0"))
}

// Permissions that a stamp's revision brings along are its own certification
// alone.
func TestCertifyEveryShape(t *testing.T) {
	for i, f := range pdfs.StampableFiles() {
		if f.Signatures > 0 {
			continue
		}
		opt := stampOptions(t)
		opt.Certify = &sign.Certification{Changes: sign.NoChanges}
		r := verified(t, stamp(t, f.Bytes(), opt, sign.Issue{Number: numberOf(t, uint64(i))}))
		require.Equal(t, verify.TotalPassed, r.Indication, "%s: %s", f.Name, r.Text())
	}
}
