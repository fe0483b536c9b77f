package pdf_test

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
)

func openBy(data []byte, how pdf.Repair) (*pdf.File, error) {
	return pdf.Open(bytes.NewReader(data), int64(len(data)), &pdf.Options{Repair: how})
}

// repaired opens a file that can be read by repair only.
func repaired(t testing.TB, data []byte) *pdf.File {
	t.Helper()
	f, err := openBy(data, pdf.RepairDamaged)
	require.NoError(t, err)
	require.NotNil(t, f.Repaired())
	return f
}

// objectsOf writes the objects below number end as text, with "damaged" for those
// that cannot be read.
func objectsOf(f *pdf.File, end uint32) map[uint32]string {
	out := map[uint32]string{}
	for n := range end {
		ref, ok, err := f.RefOf(n)
		if err == nil && !ok {
			continue
		}
		o, err := f.Get(ref)
		if err != nil {
			out[n] = "damaged"
			continue
		}
		if s, ok := o.(*pdf.Stream); ok {
			if s.Dict["Type"] == pdf.Name("XRef") {
				continue
			}
			data, err := f.RawStream(s)
			if err != nil {
				data = []byte("damaged")
			}
			o = pdf.Array{s.Dict, pdf.String(data)}
		}
		out[n] = string(pdf.AppendObject(nil, o))
	}
	return out
}

// breakage damages the cross-reference data of a file.
func breakages() map[string]func(data []byte) []byte {
	cut := func(word string) func([]byte) []byte {
		return func(b []byte) []byte { return b[:bytes.LastIndex(b, []byte(word))] }
	}
	number := func(v string) func([]byte) []byte {
		return func(b []byte) []byte {
			return append(cut("startxref")(b), "startxref\n"+v+"\n%%EOF\n"...)
		}
	}
	return map[string]func([]byte) []byte{
		"no startxref":     cut("startxref"),
		"no end of file":   cut("%%EOF"),
		"startxref beyond": number("99999999"),
		"startxref wrong":  number("15"),
		"a line lost":      func(b []byte) []byte { return bytes.Replace(b, []byte("%\xe2\xe3\xcf\xd3\n"), nil, 1) },
		"a line too many":  func(b []byte) []byte { return bytes.Replace(b, []byte("1.7\n"), []byte("1.7\n%another line\n"), 1) },
		"junk at the end":  func(b []byte) []byte { return append(bytes.Clone(b), bytes.Repeat([]byte("junk "), 2000)...) },
		"lines of 19 bytes": func(b []byte) []byte {
			return regexp.MustCompile(`(\d{10} \d{5} [nf]) \n`).ReplaceAll(b, []byte("$1"))
		},
	}
}

func TestRepairReadsTheSameObjects(t *testing.T) {
	for name, data := range samples() {
		whole := open(t, data)
		want := objectsOf(whole, 20)
		for how, damage := range breakages() {
			t.Run(name+"/"+how, func(t *testing.T) {
				bad := damage(bytes.Clone(data))
				if f, err := openBy(bad, pdf.RepairNever); err == nil && readAll(f) == nil {
					f, err := openBy(bad, pdf.RepairDamaged)
					require.NoError(t, err)
					require.Nil(t, f.Repaired(), "there was nothing to repair")
					return
				}
				f := repaired(t, bad)
				require.NotEmpty(t, f.Repaired().Why)
				require.Empty(t, f.Repaired().Ambiguities)
				require.Empty(t, f.Repaired().Lost)
				got := objectsOf(f, 20)
				if name != "hybrid" && name != "mixed" && name != "stream" && name != "objstm" {
					require.Equal(t, want, got)
				}
				for n, text := range got {
					require.Equal(t, want[n], text, "object %d", n)
				}
				require.NoError(t, readAll(f))
				_, err := f.Page(-1)
				require.NoError(t, err)
				require.Equal(t, got, objectsOf(repaired(t, bad), 20), "the same bytes are read the same")
			})
		}
	}
}

// TestRepairedUpdate appends an update: every reader that goes by the new
// section finds all objects, and no byte before it has changed.
func TestRepairedUpdate(t *testing.T) {
	for name, data := range samples() {
		for how, damage := range breakages() {
			bad := damage(bytes.Clone(data))
			f, err := openBy(bad, pdf.RepairDamaged)
			require.NoError(t, err)
			if f.Repaired() == nil {
				continue
			}
			t.Run(name+"/"+how, func(t *testing.T) {
				before := objectsOf(f, 20)
				u := pdf.NewUpdate(f)
				added := u.Add(pdf.String("new"))
				tail, err := u.Bytes()
				require.NoError(t, err)
				all := append(bytes.Clone(bad), tail...)
				again, err := openBy(all, pdf.RepairDamaged)
				require.NoError(t, err)
				require.Nil(t, again.Repaired())
				require.NotContains(t, again.Trailer(), pdf.Name("Prev"))
				o, err := again.Get(added)
				require.NoError(t, err)
				require.Equal(t, pdf.String("new"), o)
				after := objectsOf(again, 20)
				delete(after, added.Number)
				require.Equal(t, before, after)
				revisions, err := again.Revisions()
				require.NoError(t, err)
				require.Len(t, revisions, 1)
				require.NoError(t, readAll(again))
			})
		}
	}
}

// TestRepairAmbiguities are files that readers which repair them are likely to
// take differently.
func TestRepairAmbiguities(t *testing.T) {
	page := func() *builder { return newBuilder().onePage() }
	trailer := "trailer\n<</Size 9/Root 1 0 R>>\n"
	for want, text := range map[string]string{
		"object 8 is defined more than once": page().obj(8, "1").obj(8, "2").String() + trailer,
		"look like object 9":                 page().stream(8, "", []byte("\n9 0 obj\n(x)\nendobj\n")).String() + trailer,
		"look like object 2":                 page().obj(8, "(see 2 0 obj here)").String() + trailer,
		"look like a trailer":                page().stream(8, "", []byte("\ntrailer <</Root 9 0 R>>")).String() + trailer,
		"does not end where its /Length":     strings.Replace(page().String(), "/Length 13", "/Length 12345", 1) + trailer,
		"object 8 at byte":                   page().String() + "8 0 obj\n[1 2\n" + trailer,
		"is another catalog":                 page().obj(8, "<</Type/Catalog/Pages 3 0 R>>").String() + trailer,
		"another catalog, which a trailer":   page().obj(8, "<</Pages 3 0 R>>").String() + trailer + "%%EOF\ntrailer\n<</Size 9/Root 8 0 R>>\n",
		"more than once":                     page().String() + "trailer\n<</Size 9/Root 1 0 R/Root 1 0 R>>\n",
		"two generations":                    page().String() + trailer + "%%EOF\n4 1 obj\n5\nendobj\n" + trailer,
		"over the limit of object numbers":   page().String() + "99999999 0 obj\n5\nendobj\n" + trailer,
		"names a catalog that is none":       page().String() + "trailer\n<</Size 9/Root 2 0 R>>\n",
		"object stream 8 cannot be read":     page().stream(8, "/Type/ObjStm/N 5/First 9", []byte("junk")).String() + trailer,
		"object stream 8 is defined anew":    page().objStm(8, map[int]string{9: "1"}).String() + "%%EOF\n8 0 obj\n5\nendobj\n" + trailer,
		"signature dictionary, is defined":   page().obj(8, "<</ByteRange[]/Contents()>>").String() + "%%EOF\n8 0 obj\n5\nendobj\n" + trailer,
		"defined more than once in one rev":  page().objStm(8, map[int]string{9: "1"}).objStm(10, map[int]string{9: "2"}).String() + trailer,
	} {
		t.Run(want, func(t *testing.T) {
			f := repaired(t, []byte(text))
			require.Contains(t, strings.Join(f.Repaired().Ambiguities, "\n"), want)
			odd, err := f.Oddities(0)
			require.NoError(t, err)
			require.Subset(t, odd, f.Repaired().Ambiguities)
		})
	}
	many := page()
	for n := range 100 {
		many.obj(8, fmt.Sprint(n))
	}
	f := repaired(t, append(many.Bytes(), trailer...))
	require.Len(t, f.Repaired().Ambiguities, 16)
	o, err := f.Get(pdf.Ref{Number: 8})
	require.NoError(t, err)
	require.Equal(t, pdf.Integer(99), o, "the last definition wins")
}

// TestRepairLost: an object that cannot be read is no reason to take others for
// something else.
func TestRepairLost(t *testing.T) {
	f := repaired(t, append(newBuilder().onePage().obj(8, "<</Length q/X 1>>").obj(9, "9").Bytes(), "trailer<</Root 1 0 R>>"...))
	require.Empty(t, f.Repaired().Ambiguities)
	require.Len(t, f.Repaired().Lost, 1)
	require.Contains(t, f.Repaired().Lost[0], "object 8 at byte")
	require.Equal(t, "9", objectsOf(f, 10)[9])
	odd, err := f.Oddities(0)
	require.NoError(t, err)
	require.Equal(t, f.Repaired().Lost, odd)
}

// TestRepairDisputed are files that are whole for readers which go by a table that
// is still there, and show them something else.
func TestRepairDisputed(t *testing.T) {
	whole := newBuilder().onePage().table("").String()
	deletes := newBuilder().onePage().obj(5, "5").table("").String()
	noMarker := "startxref\n%d\n% no end of file\n"
	cut := func(s string) string { return s[:strings.LastIndex(s, "startxref")] }
	for name, c := range map[string]struct{ text, want string }{
		"nothing": {cut(whole), ""},
		"an object behind the table": {whole + "4 0 obj\n<</Length 1>>\nstream\nq\nendstream\nendobj\n" + noMarker,
			"object 4 is elsewhere, or not there, for readers that go by the table"},
		"an object that no table knows": {cut(whole) + "5 0 obj\n6 0 R\nendobj\n6 0 obj\n6\nendobj\n",
			"object 6 is not there for readers that go by the tables"},
		"an object that was deleted": {cut(strings.Replace(whole, fmt.Sprintf("%010d 00000 n", strings.Index(whole, "4 0 obj")), "0000000000 00001 f", 1)),
			"object 4 is elsewhere, or not there, for readers"},
		"an object that was deleted and is not used": {cut(
			strings.Replace(deletes, fmt.Sprintf("%010d 00000 n", strings.Index(deletes, "5 0 obj")), "0000000000 00001 f", 1)), ""},
		"two revisions without their tables": {newBuilder().onePage().String() + "%%EOF\n4 0 obj\n(new)\nendobj\n%%EOF\ntrailer<</Root 1 0 R>>",
			"object 4 is defined more than once, and no table"},
		"two revisions with their tables": {cut(strings.Replace(newBuilder().onePage().table("").obj(4, "(new)").table("").String(), "startxref", "startXref", 1)), ""},
		"offsets that are all wrong":      {cut(strings.Replace(whole, "1.7\n", "1.7\n%another line\n", 1)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := repaired(t, []byte(c.text))
			require.Empty(t, f.Repaired().Ambiguities)
			got := strings.Join(f.Repaired().Disputed, "\n")
			if c.want == "" {
				require.Empty(t, got)
			}
			require.Contains(t, got, c.want)
		})
	}
}

// TestRepairCutTrailer breaks a file off at every byte of its trailer.
func TestRepairCutTrailer(t *testing.T) {
	data := newBuilder().onePage().table("/Info 2 0 R/ID[(a)(b)]").Bytes()
	for end := bytes.Index(data, []byte("xref")); end < bytes.Index(data, []byte("startxref")); end++ {
		f := repaired(t, data[:end])
		require.Empty(t, f.Repaired().Ambiguities)
		require.Equal(t, pdf.Ref{Number: 1}, f.CatalogRef())
		require.Equal(t, pdf.Ref{Number: 5}, pdf.NewUpdate(f).Alloc())
	}
	other := bytes.Replace(data, []byte("/Info 2 0 R"), []byte("/Info )"), 1)
	require.Contains(t, repaired(t, other[:len(other)-20]).Repaired().Ambiguities[0], "cannot be read")
}

// TestRepairUpdatesAreNoAmbiguity has objects that later revisions define anew.
func TestRepairUpdatesAreNoAmbiguity(t *testing.T) {
	b := newBuilder().onePage().table("").obj(3, "<</Type/Page/Parent 2 0 R/X 7>>").
		obj(8, "<</Type/Catalog/Pages 2 0 R/AcroForm<<>>>>").table("")
	text := strings.Replace(b.String(), "/Size 9/Root 1 0 R", "/Size 9/Root 8 0 R", 1)
	f, err := openBy([]byte(text), pdf.RepairAlways)
	require.NoError(t, err)
	require.Empty(t, f.Repaired().Ambiguities)
	require.Equal(t, pdf.Ref{Number: 8}, f.CatalogRef())
	page, err := f.Page(1)
	require.NoError(t, err)
	require.Equal(t, pdf.Integer(7), page.Dict["X"])
}

// TestRepairKeepsLostNumbers: an object that was lost is referred to, and what
// an update adds must not take its place.
func TestRepairKeepsLostNumbers(t *testing.T) {
	b := newBuilder().onePage().obj(5, "[9 0 R]")
	f := repaired(t, append(b.Bytes(), "9 0 obj\n<</Cut "...))
	require.Equal(t, pdf.Ref{Number: 10}, pdf.NewUpdate(f).Alloc())
	o, err := f.Get(pdf.Ref{Number: 9})
	require.NoError(t, err)
	require.Nil(t, o, "what is incomplete could be completed by what follows")
}

func TestRepairEncrypted(t *testing.T) {
	for name, k := range locks(t) {
		t.Run(name, func(t *testing.T) {
			data := k.start().table(lockTrailer).Bytes()
			want := content(t, openWith(t, data, "user"))
			bad := data[:bytes.LastIndex(data, []byte("startxref"))]
			f, err := pdf.Open(bytes.NewReader(bad), int64(len(bad)), &pdf.Options{Repair: pdf.RepairDamaged, Password: "user"})
			require.NoError(t, err)
			require.NotNil(t, f.Repaired())
			require.Equal(t, want, content(t, f))
			u := pdf.NewUpdate(f)
			ref := u.Add(pdf.String("secret"))
			tail, err := u.Bytes()
			require.NoError(t, err)
			require.NotContains(t, string(tail), "secret")
			s, err := openWith(t, append(bytes.Clone(bad), tail...), "user").String(ref)
			require.NoError(t, err)
			require.Equal(t, pdf.String("secret"), s)
			none := data[:bytes.LastIndex(data, []byte("trailer"))]
			_, err = openBy(none, pdf.RepairDamaged)
			require.ErrorIs(t, err, pdf.ErrDamaged)
		})
	}
}

// TestRepairNeedsAHeader: what is no PDF stays none, and a reader's own errors
// are never taken for damage.
func TestRepairNeedsAHeader(t *testing.T) {
	data := samples()["table"]
	_, err := openBy(data[9:], pdf.RepairAlways)
	require.ErrorIs(t, err, pdf.ErrNotPDF)
	bad := data[:len(data)-10]
	for n := range int64(len(bad)) {
		_, err := pdf.Open(failing{bytes.NewReader(bad), n, errors.New("disk gone")}, int64(len(bad)), &pdf.Options{Repair: pdf.RepairDamaged})
		require.ErrorContains(t, err, "disk gone")
	}
}

func FuzzRepair(f *testing.F) {
	for _, data := range samples() {
		f.Add(data)
		for _, damage := range breakages() {
			f.Add(damage(bytes.Clone(data)))
		}
	}
	for _, d := range pdfs.Damaged() {
		f.Add(d.Bytes())
	}
	f.Add([]byte("%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 1 0 obj(2 0 obj)endobj trailer<<>>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		opt := pdf.Options{Limits: fuzzLimits.Limits, Repair: pdf.RepairAlways}
		forced, err := pdf.Open(bytes.NewReader(data), int64(len(data)), &opt)
		again, err2 := pdf.Open(bytes.NewReader(data), int64(len(data)), &opt)
		require.Equal(t, err == nil, err2 == nil)
		if err != nil {
			return
		}
		_ = readAll(forced)
		got := objectsOf(forced, 30)
		require.Equal(t, got, objectsOf(again, 30))
		require.Equal(t, forced.Repaired(), again.Repaired())
		regular, err := pdf.Open(bytes.NewReader(data), int64(len(data)), &pdf.Options{Limits: fuzzLimits.Limits})
		if err != nil || len(forced.Repaired().Ambiguities) > 0 || readAll(regular) != nil {
			return
		}
		revisions, err := regular.Revisions()
		if err != nil || bytes.Count(data, []byte("%%EOF")) > 1 || revisions[0].End != int64(len(data)) {
			return // of two revisions only one may be the regular file
		}
		for n, text := range objectsOf(regular, 30) {
			if _, ok := got[n]; ok {
				require.Equal(t, text, got[n], "object %d", n)
			}
		}
	})
}
