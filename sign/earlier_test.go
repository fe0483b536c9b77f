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

// locked is a document with a signature in the field "first" that has this lock, and
// an empty field "second" beside it.
func locked(t testing.TB, lock pdf.Dict, certify *sign.Certification) []byte {
	t.Helper()
	lock = maps.Clone(lock)
	lock["Type"] = pdf.Name("SigFieldLock")
	src := addSecond(t, withField(t, fileBytes(t, "classic.pdf"), "first", fieldBox, false, pdf.Dict{"Lock": lock}))
	return stamp(t, src, &sign.Options{Field: "first", Certify: certify}, sign.Issue{})
}

func lockOf(action string, names ...string) pdf.Dict {
	d := pdf.Dict{"Action": pdf.Name(action)}
	var list pdf.Array
	for _, n := range names {
		list = append(list, pdf.TextString(n))
	}
	if list != nil {
		d["Fields"] = list
	}
	return d
}

func withLevel(d pdf.Dict, p int) pdf.Dict {
	d["P"] = pdf.Integer(p)
	return d
}

// A new field is refused exactly when it would break the earlier signature, as
// package verify says of a document to which such a field was added; so is the one
// that is there. What pyHanko 0.38 says of each is noted: it goes by the transform
// alone, lets invisible fields pass and forbids new visible ones under any level.
func TestLocksAgainstNewFields(t *testing.T) {
	const (
		passes    = ""
		isLocked  = "locked"
		certified = "certified"
		byReaders = "disagree" // certified for some readers, so only with AllowCertified
	)
	for name, c := range map[string]struct {
		lock       pdf.Dict
		certify    *sign.Certification
		added      string // a new field; pyHanko agrees but where said
		fill       string // the field "second"
		addedFails bool   // package verify calls the signature broken after an added field
	}{
		"all":                      {lock: lockOf("All"), added: isLocked, fill: isLocked, addedFails: true},
		"another field":            {lock: lockOf("Include", "third"), added: passes, fill: passes},
		"the empty field":          {lock: lockOf("Include", "second"), added: passes, fill: isLocked},
		"fields above the empty":   {lock: lockOf("Include", "secon", "second.x"), added: passes, fill: passes},
		"a name like a stamp's":    {lock: lockOf("Include", "Stamp"), added: passes, fill: passes},
		"all but another":          {lock: lockOf("Exclude", "third"), added: isLocked, fill: isLocked, addedFails: true},
		"all but the empty field":  {lock: lockOf("Exclude", "second"), added: isLocked, fill: passes, addedFails: true},
		"exclude without a list":   {lock: lockOf("Exclude"), added: isLocked, fill: isLocked, addedFails: true},
		"include without a list":   {lock: lockOf("Include"), added: passes, fill: passes},
		"an unknown action":        {lock: lockOf("Some", "third"), added: isLocked, fill: isLocked, addedFails: true},
		"no changes":               {lock: withLevel(lockOf("Include", "third"), 1), added: certified, fill: certified, addedFails: true},
		"a level of no meaning":    {lock: withLevel(lockOf("Include", "third"), 9), added: certified, fill: certified, addedFails: true},
		"forms":                    {lock: withLevel(lockOf("Include", "third"), 2), added: byReaders, fill: passes},
		"comments":                 {lock: withLevel(lockOf("Include", "third"), 3), added: byReaders, fill: passes},
		"certified, all":           {lock: lockOf("All"), certify: &sign.Certification{}, added: byReaders, fill: isLocked, addedFails: true},
		"certified, another field": {lock: lockOf("Include", "third"), certify: &sign.Certification{}, added: byReaders, fill: passes},
		"certified, no changes":    {lock: lockOf("Include", "third"), certify: &sign.Certification{Changes: sign.NoChanges}, added: certified, fill: certified, addedFails: true},
	} {
		t.Run(name, func(t *testing.T) {
			src := locked(t, c.lock, c.certify)
			require.Equal(t, verify.TotalPassed, verified(t, src).Indication)
			stampIt := stampOptions(t)
			requireVerdict(t, c.added, src, stampIt)
			requireVerdict(t, c.fill, onPage(t, src), &sign.Options{Field: "second"})
			after := verified(t, addNamed(t, src, "new"))
			require.Equal(t, c.addedFails, after.Modification == verify.ModificationFailed, after.Text())
			stampIt.AllowCertified = true
			switch {
			case c.added == byReaders && c.addedFails:
				requireVerdict(t, isLocked, src, stampIt)
			case c.added == passes, c.added == byReaders:
				r := verified(t, stamp(t, src, stampIt, sign.Issue{Number: numberOf(t, 50)}))
				if c.added == passes {
					require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
				}
				require.Equal(t, verify.TotalPassed, r.Signatures[1].Indication, r.Text())
			}
		})
	}
}

// requireVerdict wants the document to be refused as said, or to be signed.
func requireVerdict(t testing.TB, want string, src []byte, opt *sign.Options) {
	t.Helper()
	_, err := sign.Open(bytes.NewReader(src), int64(len(src)), opt)
	var field *sign.FieldError
	switch want {
	case "":
		require.NoError(t, err)
	case "locked":
		require.ErrorAs(t, err, &field)
		require.Contains(t, err.Error(), `locked by the signature in "first"`)
	default:
		require.ErrorIs(t, err, sign.ErrCertified)
		require.Equal(t, want == "disagree", bytes.Contains([]byte(err.Error()), []byte("disagree")), "%v", err)
	}
}

// onPage says the same document with the field "second" among the annotations of
// its page from the beginning, where a field has to be to be filled.
func onPage(t testing.TB, src []byte) []byte {
	t.Helper()
	f, err := pdf.Open(bytes.NewReader(src), int64(len(src)), nil)
	require.NoError(t, err)
	page, err := f.Page(1)
	require.NoError(t, err)
	var second pdf.Ref
	require.NoError(t, f.Fields(func(fd *pdf.Field) error {
		if fd.Name == "second" {
			second = fd.Ref
		}
		return nil
	}))
	u := pdf.NewUpdate(f)
	p := maps.Clone(page.Dict)
	annots, err := f.Annotations(page)
	require.NoError(t, err)
	p["Annots"] = append(annots[:len(annots):len(annots)], second)
	u.Set(page.Ref, p)
	b, err := u.Bytes()
	require.NoError(t, err)
	return append(bytes.Clone(src), b...)
}

// A lock counts in a form that says it has no signatures, and when the signature's
// transform does not say it again.
func TestLockWithoutFlags(t *testing.T) {
	src := locked(t, lockOf("All"), nil)
	for _, b := range [][]byte{withoutFlags(src), bytes.ReplaceAll(src, []byte("/TransformMethod/FieldMDP"), []byte("/TransformMethod/Xield   "))} {
		require.NotEqual(t, src, b)
		requireVerdict(t, "locked", b, stampOptions(t))
	}
}

// A broken field tree in a form that says it has no signatures keeps nobody from
// stamping.
func TestBrokenUnsignedForm(t *testing.T) {
	src := tinyPDF("", "/AcroForm<</Fields[5 0 R 4 0 R 99 0 R]>>", "")
	_, err := sign.Open(bytes.NewReader(src), int64(len(src)), stampOptions(t))
	require.NoError(t, err)
}
