package verify_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/verify"
)

// broken takes away what leads to the objects of a document.
func broken(doc []byte) []byte { return doc[:bytes.LastIndex(doc, []byte("startxref"))] }

// repairStamp puts a stamp on a damaged document.
func (w *world) repairStamp(t testing.TB, doc []byte, extra func(u *pdf.Update, f *pdf.File)) []byte {
	t.Helper()
	return w.sign(t, doc, job{stamp: &stampJob{number: serialNumber(t, 1)}, repair: pdf.RepairDamaged, extra: extra})
}

func TestStampOnARepairedDocument(t *testing.T) {
	w := newWorld(t)
	doc := w.repairStamp(t, broken(plain("agreement", 2, 0)), nil)
	r := check(t, doc, w.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	require.True(t, r.Signatures[0].Stamp.DocumentBound)
	require.Equal(t, verify.CoverageWhole, r.Signatures[0].Coverage)
	require.Contains(t, r.Text(), "the document was damaged (no startxref at the end of the file) when it was stamped")
	later := w.sign(t, doc, job{field: "Later"})
	r = check(t, later, w.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	require.Len(t, r.Signatures, 2)
	again := w.sign(t, later, job{stamp: &stampJob{number: serialNumber(t, 2)}})
	r = check(t, again, w.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	require.Len(t, r.Signatures, 3)
}

// What is exchanged while stamping is found although the stamp lists everything
// anew.
func TestAttackContentExchangedWhileRepairing(t *testing.T) {
	w := newWorld(t)
	base := broken(plain("I owe 10", 2, 0))
	for name, change := range map[string]func(u *pdf.Update, f *pdf.File){
		"content":    func(u *pdf.Update, _ *pdf.File) { u.Set(pdf.Ref{Number: 4}, stream("BT ET")) },
		"font":       func(u *pdf.Update, _ *pdf.File) { u.Set(pdf.Ref{Number: 3}, pdf.Dict{"Type": pdf.Name("Font")}) },
		"outlines":   func(u *pdf.Update, _ *pdf.File) { u.Set(pdf.Ref{Number: 5}, pdf.Dict{}) },
		"other page": func(u *pdf.Update, f *pdf.File) { pageWith(t, u, f, 1, pdf.Dict{"Rotate": pdf.Integer(90)}) },
		"annotation": func(u *pdf.Update, _ *pdf.File) {
			u.Add(pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Text")})
		},
		"object 8": func(u *pdf.Update, _ *pdf.File) {
			u.Set(u.Alloc(), pdf.Raw("null\nendobj\n4 0 obj\n<< /Length 5 >>\nstream\nBT ET\nendstream"))
		},
	} {
		t.Run(name, func(t *testing.T) { requireExchanged(t, check(t, w.repairStamp(t, base, change), w.opt)) })
	}
}

// A damaged document can be sealed with a reference to an object that it has lost,
// which the stamp's revision then brings.
func TestAttackLostObjectBroughtWhileRepairing(t *testing.T) {
	w := newWorld(t)
	base := broken(bytes.Replace(plain("I owe 10", 2, 0), []byte("/Contents 4 0 R >>"), []byte("/Contents [4 0 R 99 0 R] >>"), 1))
	requireExchanged(t, check(t, w.repairStamp(t, base, func(u *pdf.Update, _ *pdf.File) {
		u.Set(pdf.Ref{Number: 99}, stream("BT /F1 24 Tf 72 700 Td (and 1,000 more) Tj ET"))
	}), w.opt))
	honest := w.repairStamp(t, base, nil)
	require.Equal(t, verify.TotalPassed, check(t, honest, w.opt).Indication, "what is new has other numbers")
}

// A document is damaged on purpose, so that its readers go by the old table and
// the stamp by what stands behind it.
func TestAttackOldTableBehindARepairingStamp(t *testing.T) {
	w := newWorld(t)
	const other = "4 0 obj\n<< /Length 5 >>\nstream\nBT ET\nendstream\nendobj\n"
	whole := plain("I owe 10", 2, 0)
	for name, base := range map[string][]byte{
		"replaced": fmt.Appendf(bytes.Clone(whole), "%sstartxref\n%d\n", other, bytes.LastIndex(whole, []byte("\nxref\n"))+1),
		"hidden": broken(bytes.Replace(append(bytes.TrimSuffix(bytes.Clone(whole), []byte("%%EOF\n")), "40 0 obj\n[5 0 R 41 0 R]\nendobj\n41 0 obj\n41\nendobj\nstartxref"...),
			[]byte("startxref"), []byte("startXref"), 1)),
		"no table at all": append(bytes.Replace(broken(whole), []byte("\nxref\n"), []byte("\nXref\n"), 1), "%%EOF\n"+other...),
	} {
		t.Run(name, func(t *testing.T) {
			r := check(t, w.repairStamp(t, base, nil), w.opt)
			require.Equal(t, verify.Indeterminate, r.Indication, r.Text())
			require.Contains(t, r.Text(), "readers that repair the document differ")
		})
	}
}

// Signatures of a document that was damaged when it was stamped: nobody can tell
// what their readers saw.
func TestSignatureBeforeARepairingStamp(t *testing.T) {
	w := newWorld(t)
	for _, junk := range []string{"", strings.Repeat("% junk\n", 500)} {
		doc := append(w.signedAndDamaged(t, plain("agreement", 2, 0), ""), junk...)
		r := check(t, w.repairStamp(t, doc, nil), w.opt)
		require.Len(t, r.Signatures, 2)
		for _, s := range r.Signatures {
			require.Equal(t, s.Stamp != nil, s.Indication == verify.TotalPassed, r.Text())
		}
	}
}

// forged puts a stamp on a document with a table of its own making, as a signer
// who wants another document than the sealed one to show. table gives the entry
// of each object, which is that of an honest stamp at first.
func (w *world) forged(t testing.TB, doc []byte, change func(rows map[int]string)) []byte {
	t.Helper()
	out := w.repairStamp(t, doc, nil)
	xref := bytes.LastIndex(out, []byte("\nxref\n")) + 1
	trailer := bytes.LastIndex(out, []byte("trailer\n"))
	lines := regexp.MustCompile(`\d{10} \d{5} [nf] \n`).FindAllString(string(out[xref:trailer]), -1)
	rows := map[int]string{}
	for n, line := range lines {
		rows[n] = line
	}
	change(rows)
	for n := range lines {
		copy(out[xref+len(fmt.Sprintf("xref\n0 %d\n", len(lines)))+20*n:], rows[n])
	}
	return w.resign(t, out)
}

// resign signs the bytes of a document anew in its last signature.
func (w *world) resign(t testing.TB, out []byte) []byte {
	t.Helper()
	places := regexp.MustCompile(`<[0-9a-f]{1000,}>`).FindAllIndex(out, -1)
	require.NotEmpty(t, places)
	gap, end := places[len(places)-1][0], places[len(places)-1][1]
	copy(out[gap:], "<"+strings.Repeat("0", end-gap-2)+">")
	key := bytes.LastIndex(out, []byte("/ByteRange"))
	ranges := key + bytes.IndexByte(out[key:], '[')
	copy(out[ranges:], strings.Repeat(" ", bytes.IndexByte(out[ranges:], ']')+1))
	j := job{id: w.pki.StampP256, alg: cms.ECDSASHA256, subFilter: "ETSI.CAdES.detached"}
	return w.fill(t, out, &j, &pdf.Reserved{Offset: int64(gap), Size: end - gap}, &pdf.Reserved{Offset: int64(ranges), Size: 60})
}

func TestAttackTableOfARepairingStamp(t *testing.T) {
	w := newWorld(t)
	base := plain("I owe 10", 2, 0)
	hidden := "\n4 0 obj\n<< /Length 8 >>\nstream\nBT ET  Q\nendstream\nendobj\n"
	// A stream holds another content of the page: the search finds that readers
	// may differ, and the stamp must not choose.
	inside := bytes.Replace(base, []byte("5 0 obj\n<< /Type /Outlines /Count 0 >>"),
		[]byte(fmt.Sprintf("5 0 obj\n<< /Type /Outlines /Count 0 /Length %d >>\nstream\n%s\nendstream", len(hidden), hidden)), 1)
	doc := broken(inside)
	entry := func(text string) string {
		return fmt.Sprintf("%010d 00000 n \n", bytes.Index(doc, []byte(text))+1)
	}
	require.Equal(t, verify.Indeterminate, check(t, w.repairStamp(t, doc, nil), w.opt).Indication)
	for want, change := range map[string]func(rows map[int]string){
		"object 4 lies in an earlier revision": func(rows map[int]string) { rows[4] = entry(hidden) },
		"object 3 (page 1, /F1) was deleted":   func(rows map[int]string) { rows[3] = "0000000000 65535 f \n" },
		"object 7 lies in an earlier revision": func(rows map[int]string) { rows[7] = rows[6] },
	} {
		t.Run(want, func(t *testing.T) {
			r := check(t, w.forged(t, doc, change), w.opt)
			require.Equal(t, verify.TotalFailed, r.Indication, r.Text())
			require.Contains(t, r.Text(), want)
		})
	}
	old := update(t, base, func(u *pdf.Update, _ *pdf.File) { u.Set(pdf.Ref{Number: 4}, stream("BT (I owe 20) Tj ET")) })
	old = bytes.ReplaceAll(broken(old), []byte("startxref"), []byte("startXref"))
	require.Equal(t, verify.TotalPassed, check(t, w.repairStamp(t, old, nil), w.opt).Indication)
	r := check(t, w.forged(t, old, func(rows map[int]string) {
		rows[4] = fmt.Sprintf("%010d 00000 n \n", bytes.Index(old, []byte("\n4 0 obj"))+1)
	}), w.opt)
	require.Equal(t, verify.TotalFailed, r.Indication, r.Text())
	require.Contains(t, r.Text(), "object 4 lies in an earlier revision")
	clean := w.forged(t, broken(base), func(map[int]string) {})
	require.Equal(t, verify.TotalPassed, check(t, clean, w.opt).Indication)
}

// A document that opens regularly has a revision before its stamp: a table that
// passes over it is no stamp of it.
func TestAttackWholeTableOverARegularDocument(t *testing.T) {
	w := newWorld(t)
	doc := w.sign(t, plain("agreement", 2, 0), job{stamp: &stampJob{number: serialNumber(t, 1)}, repair: pdf.RepairAlways})
	r := check(t, doc, w.opt)
	require.Equal(t, verify.TotalFailed, r.Indication, r.Text())
	require.Contains(t, r.Text(), "the signature is part of the first revision")
}

// spoil makes the table of the last revision of a signed document useless
// without touching a byte that its signature does not cover.
func (w *world) signedAndDamaged(t testing.TB, base []byte, junk string) []byte {
	t.Helper()
	out := w.sign(t, base, job{})
	at := bytes.LastIndex(out, []byte("startxref\n"))
	number := regexp.MustCompile(`\d+`).FindIndex(out[at:])
	copy(out[at+number[0]:at+number[1]], strings.Repeat("9", number[1]-number[0]))
	return w.resign(t, append(out, junk...))
}

// One signature over every byte of a damaged document is judged.
func TestDamagedDocumentSignedAsAWhole(t *testing.T) {
	w := newWorld(t)
	r := check(t, w.signedAndDamaged(t, plain("agreement", 2, 0), ""), w.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	require.Equal(t, verify.CoverageWhole, r.Signatures[0].Coverage)
	require.Contains(t, r.Text(), "was read by repair")
	doc := w.signedAndDamaged(t, plain("agreement", 2, 0), "")
	doc[bytes.Index(doc, []byte("agreement"))] = 'A'
	r = check(t, doc, w.opt)
	require.Equal(t, verify.TotalFailed, r.Indication, r.Text())
}

// Whatever is added to a damaged document, or may be read in two ways, keeps it
// from TOTAL-PASSED.
func TestAttackDamagedDocuments(t *testing.T) {
	w := newWorld(t)
	good := w.signedAndDamaged(t, plain("I owe 10", 2, 0), "")
	// An attacker may write what he likes behind good.
	for name, tail := range map[string]string{
		"a byte":               "x",
		"white space":          "   \n",
		"content":              "4 0 obj\n<< /Length 5 >>\nstream\nBT ET\nendstream\nendobj\n",
		"content and trailer":  "4 0 obj\n<< /Length 5 >>\nstream\nBT ET\nendstream\nendobj\ntrailer\n<< /Root 1 0 R /Size 12 >>\n%%EOF\n",
		"another catalog":      "20 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\ntrailer\n<< /Root 20 0 R /Size 21 >>\n",
		"a copy of everything": string(good),
	} {
		t.Run("behind/"+name, func(t *testing.T) {
			r := check(t, append(bytes.Clone(good), tail...), w.opt)
			require.Equal(t, verify.TotalFailed, r.Indication, r.Text())
		})
	}
	// A signer may prepare a document that readers show in two ways.
	const second = "4 0 obj\n<< /Length 5 >>\nstream\nBT ET\nendstream\nendobj\n"
	for name, junk := range map[string]string{
		"an object twice":         second + "4 0 obj\n<< /Length 3 >>\nstream\nq Q\nendstream\nendobj\n",
		"two catalogs":            "20 0 obj\n<< /Type /Catalog /Pages 3 0 R >>\nendobj\n",
		"two trailers":            "20 0 obj\n<< /Pages 3 0 R >>\nendobj\ntrailer\n<< /Root 20 0 R >>\n%%EOF\ntrailer\n<< /Root 1 0 R /Size 30 >>\n",
		"objects inside a stream": fmt.Sprintf("20 0 obj\n<< /Length %d >>\nstream\n%s\nendstream\nendobj\n", len(second), second),
		"a wrong length":          "20 0 obj\n<< /Length 99999 >>\nstream\nx\nendstream\nendobj\n",
		"an object cut short":     "20 0 obj\n<< /X ",
		"object stream twice": "20 0 obj\n<< /Type /ObjStm /N 1 /First 5 /Length 10 >>\nstream\n21 0 (one)\nendstream\nendobj\n" +
			"22 0 obj\n<< /Type /ObjStm /N 1 /First 5 /Length 10 >>\nstream\n21 0 (two)\nendstream\nendobj\n",
	} {
		t.Run("prepared/"+name, func(t *testing.T) {
			r := check(t, w.signedAndDamaged(t, plain("I owe 10", 2, 0), junk), w.opt)
			require.NotEqual(t, verify.TotalPassed, r.Indication, r.Text())
			require.Contains(t, r.Text(), "readers that repair the document differ")
		})
	}
}

// TestAttackDuplicatedSignature repeats the signature dictionary of a damaged
// document, and wraps it.
func TestAttackDuplicatedSignature(t *testing.T) {
	w := newWorld(t)
	good := w.signedAndDamaged(t, plain("I owe 10", 2, 0), "")
	dict := regexp.MustCompile(`(?s)(\d+) 0 obj\n<<[^\n]*?/ByteRange.*?endobj\n`).Find(good)
	require.NotEmpty(t, dict)
	for name, tail := range map[string]string{
		"the same number":   string(dict),
		"another number":    "40 0 obj\n" + string(dict[bytes.IndexByte(dict, '\n')+1:]),
		"zeros in contents": regexp.MustCompile(`/Contents ?<[0-9a-fA-F]*>`).ReplaceAllString(string(dict), "/Contents<0000>"),
		"empty byte range":  regexp.MustCompile(`/ByteRange ?\[[^\]]*\]`).ReplaceAllString(string(dict), "/ByteRange[]"),
	} {
		t.Run(name, func(t *testing.T) {
			r := check(t, append(bytes.Clone(good), tail...), w.opt)
			require.Equal(t, verify.TotalFailed, r.Indication, r.Text())
		})
	}
}

// TestDamagedDocumentSignedTwice: of two signatures the earlier one cannot be
// judged.
func TestDamagedDocumentSignedTwice(t *testing.T) {
	w := newWorld(t)
	r := check(t, w.signedAndDamaged(t, w.sign(t, plain("agreement", 2, 0), job{field: "First"}), ""), w.opt)
	require.Len(t, r.Signatures, 2)
	require.NotEqual(t, verify.TotalPassed, r.Indication, r.Text())
	require.Contains(t, r.Text(), "what was added after this signature cannot be told")
}

// TestDamagedWithoutSignature stays unreadable: what is not found may be there.
func TestDamagedWithoutSignature(t *testing.T) {
	w := newWorld(t)
	r := check(t, broken(plain("agreement", 2, 0)), w.opt)
	require.Equal(t, verify.Unreadable, r.Indication)
	require.Contains(t, r.Text(), "no startxref")
}
