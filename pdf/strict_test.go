package pdf_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
)

// later appends a revision with a table of these rows to the document of the
// builder.
func (b *builder) later(rows, entries string) *builder {
	start := b.Len()
	fmt.Fprintf(b, "xref\n%strailer\n<</Root 1 0 R/Prev %d%s>>\n", rows, b.last, entries)
	return b.end(start)
}

// TestFreedObject: in an update, a list that begins with a free object 1 is no
// list that counts from 1.
func TestFreedObject(t *testing.T) {
	base := func() *builder {
		return newBuilder().obj(1, "<</Type/Catalog/Pages 2 0 R>>").obj(2, "(two)").table("")
	}
	first := len("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	for name, rows := range map[string]string{
		"alone":              "1 1\n0000000000 65535 f \n",
		"with another":       fmt.Sprintf("1 2\n0000000000 65535 f \n%010d 00000 n \n", first),
		"after object 0":     "0 2\n0000000001 65535 f \n0000000000 65535 f \n",
		"in its own list":    "0 1\n0000000001 65535 f \n1 1\n0000000000 65535 f \n",
		"another generation": "1 1\n0000000000 00001 f \n",
	} {
		t.Run(name, func(t *testing.T) {
			f := open(t, base().later(rows, "/Size 3").Bytes())
			o, err := f.Get(pdf.Ref{Number: 1})
			require.NoError(t, err)
			require.Nil(t, o)
			changes, err := f.Changed(1)
			require.NoError(t, err)
			require.NotEmpty(t, changes)
			require.True(t, changes[0].Free)
			require.Equal(t, uint32(1), changes[0].Ref.Number)
			_, ok, err := f.RefOf(1)
			require.NoError(t, err)
			require.False(t, ok)
			old, err := f.At(0)
			require.NoError(t, err)
			o, err = old.Get(pdf.Ref{Number: 1})
			require.NoError(t, err)
			require.NotNil(t, o)
			if name == "with another" { // which is not object 2
				_, err = f.Get(pdf.Ref{Number: 2})
				require.ErrorIs(t, err, pdf.ErrDamaged)
			}
		})
	}
}

// TestTableCountedFromOne: the writer's mistake is seen through in the oldest
// section, when the objects agree.
func TestTableCountedFromOne(t *testing.T) {
	good := newBuilder().onePage().table("").String()
	shifted := strings.Replace(strings.Replace(good, "xref\n0 1\n", "xref\n1 5\n", 1), " f \n1 4\n", " f \n", 1)
	require.NotEqual(t, good, shifted)
	n, err := open(t, []byte(shifted)).PageCount()
	require.NoError(t, err)
	require.Equal(t, 1, n)
	honest := newBuilder()
	honest.obj(2, "<</Type/Catalog/Pages 3 0 R>>").obj(3, "<</Type/Pages/Kids[]/Count 0>>")
	start := honest.Len()
	fmt.Fprintf(honest, "xref\n1 3\n0000000000 65535 f \n%010d 00000 n \n%010d 00000 n \ntrailer\n<</Size 4/Root 2 0 R>>\n",
		honest.places[2].offset, honest.places[3].offset)
	d, err := open(t, honest.end(start).Bytes()).Catalog()
	require.NoError(t, err)
	require.Equal(t, pdf.Ref{Number: 3}, d["Pages"])
}

func TestHeaderOffset(t *testing.T) {
	all := samples()
	require.Zero(t, open(t, all["table"]).HeaderOffset())
	require.Equal(t, int64(18), open(t, all["junk first"]).HeaderOffset())
}

// TestNoObjectZero: object 0 is free whatever the table says.
func TestNoObjectZero(t *testing.T) {
	b := newBuilder().onePage().table("")
	at := b.Len()
	b.WriteString("0 0 obj\n(zero)\nendobj\n")
	f := open(t, b.later(fmt.Sprintf("0 1\n%010d 00000 n \n", at), "/Size 5").Bytes())
	o, err := f.Get(pdf.Ref{})
	require.NoError(t, err)
	require.Nil(t, o)
	odd, err := f.Oddities(1)
	require.NoError(t, err)
	require.Equal(t, []string{"object 0 is in use"}, odd)
}

func TestReadAndRefOf(t *testing.T) {
	b := newBuilder().onePage().obj(5, "<</A 1/A 2>>").table("")
	at := b.Len()
	b.WriteString("5 3 obj\n<</A 3>>\nendobj\n")
	f := open(t, b.later(fmt.Sprintf("5 1\n%010d 00003 n \n", at), "/Size 6").Bytes())
	ref, ok, err := f.RefOf(5)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, pdf.Ref{Number: 5, Generation: 3}, ref)
	_, ok, err = f.RefOf(99)
	require.NoError(t, err)
	require.False(t, ok)
	old, err := f.At(0)
	require.NoError(t, err)
	o, dups, err := old.Read(pdf.Ref{Number: 5})
	require.NoError(t, err)
	require.Equal(t, pdf.Dict{"A": pdf.Integer(2)}, o)
	require.Len(t, dups, 1)
	require.Equal(t, pdf.Name("A"), dups[0].Key)
}

func TestOddities(t *testing.T) {
	for name, c := range map[string]struct{ rows, entries, want string }{
		"none":             {"4 1\n0000000000 00001 f \n", "/Size 5", ""},
		"size":             {"0 0\n", "/Size 3", "/Size went down from 5 to 3"},
		"above size":       {"9 1\n0000000015 00000 n \n", "/Size 5", "object 9 is listed, but /Size is 5"},
		"twice":            {"0 0\n", "/Size 5/Root 2 0 R", "/Root more than once"},
		"at byte 0":        {"4 1\n0000000000 00000 n \n", "/Size 5", "object 4 is neither"},
		"beyond":           {"4 1\n0000099999 00000 n \n", "/Size 5", "object 4 lies beyond"},
		"short lines":      {"4 1\n0000000000 00001 f\n", "/Size 5", "lines of 20 bytes"},
		"one line":         {"4 1 0000000000 00001 f \n", "/Size 5", "lines of 20 bytes"},
		"comment":          {"%\n4 1\n0000000000 00001 f \n", "/Size 5", "lines of 20 bytes"},
		"begins with free": {"1 1\n0000000000 00001 f \n", "/Size 5", "free object 1"},
	} {
		f := open(t, newBuilder().onePage().table("").later(c.rows, c.entries).Bytes())
		odd, err := f.Oddities(1)
		require.NoError(t, err, name)
		if c.want == "" {
			require.Empty(t, odd, name)
			continue
		}
		require.Len(t, odd, 1, name)
		require.Contains(t, odd[0], c.want)
	}
	for name, data := range samples() {
		if name == "hybrid" {
			continue
		}
		f := open(t, data)
		all, err := f.Revisions()
		require.NoError(t, err)
		for i := range all {
			odd, err := f.Oddities(i)
			require.NoError(t, err)
			require.Empty(t, odd, name)
		}
	}
	odd, err := open(t, samples()["hybrid"]).Oddities(0)
	require.NoError(t, err)
	require.Contains(t, strings.Join(odd, "\n"), "XRefStm")
	_, err = open(t, samples()["table"]).Oddities(1)
	require.ErrorIs(t, err, pdf.ErrDamaged)
}

// TestOddKinds: entries of a cross-reference stream whose kind is not known yet.
func TestOddKinds(t *testing.T) {
	b := newBuilder().onePage().xrefStream(5, "")
	b.places[4] = place{3, 7, 0}
	f := open(t, b.xrefStream(6, "").Bytes())
	o, err := f.Get(pdf.Ref{Number: 4})
	require.NoError(t, err)
	require.Nil(t, o)
	odd, err := f.Oddities(1)
	require.NoError(t, err)
	require.Equal(t, []string{"the entry of object 4 is neither free nor in use"}, odd)
}

// TestPageParent: the page says which node it belongs to.
func TestPageParent(t *testing.T) {
	root := "<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 1 1]>>"
	_, err := open(t, treeFile(root, "<</Type/Page/Parent 2 0 R>>")).Page(1)
	require.NoError(t, err)
	_, err = open(t, treeFile(root, "<</Type/Page/Parent 4 0 R>>", root)).Page(1)
	require.ErrorIs(t, err, pdf.ErrDamaged)
	_, err = open(t, treeFile(root, "<</Type/Page/Parent<<>>>>")).Page(1)
	require.ErrorIs(t, err, pdf.ErrDamaged)
}

// TestFieldNamesBounded: one long name above many short ones is not written out
// for each of them.
func TestFieldNamesBounded(t *testing.T) {
	kids := strings.Repeat("<</T(a)>>", 100_000)
	data := formFile("10 0 R", "<</T("+strings.Repeat("n", 65_000)+")/Kids 11 0 R>>", "["+kids+"]")
	require.Less(t, len(data), 1_000_000)
	total := 0
	within(t, func() {
		err := open(t, data).Fields(func(fd *pdf.Field) error { total += len(fd.Name); return nil })
		requireLimit(t, err, "WalkBytes")
	})
	require.LessOrEqual(t, total, 300_000_000)
}

// TestEveryFilterCounts: what comes out of the first filters counts as well, and
// a stream that fails is not decoded again for its next object.
func TestEveryFilterCounts(t *testing.T) {
	bomb := deflate(bytes.Repeat([]byte("~"), 4_000_000)) // ends at once in ASCII85
	b := newBuilder().onePage()
	for i := range 8 {
		b.stream(10+i, "/Type/ObjStm/N 1/First 4/Filter[/FlateDecode/ASCII85Decode]", bomb)
		b.places[30+i] = place{2, 10 + i, 0}
	}
	b.size = 40
	data := b.xrefStream(40, "").Bytes()
	lim := &pdf.Options{Limits: &pdf.Limits{DecodedBytes: 10_000_000}}
	f, err := pdf.Open(bytes.NewReader(data), int64(len(data)), lim)
	require.NoError(t, err)
	for range 50 { // of one stream: 4 MB once
		_, err = f.Get(pdf.Ref{Number: 30})
		require.ErrorIs(t, err, pdf.ErrDamaged)
	}
	for i := range 7 {
		_, err = f.Get(pdf.Ref{Number: uint32(31 + i)})
	}
	requireLimit(t, err, "DecodedBytes")

	f, err = pdf.Open(bytes.NewReader(data), int64(len(data)), lim)
	require.NoError(t, err)
	s, err := f.Stream(pdf.Ref{Number: 10})
	require.NoError(t, err)
	for range 3 {
		_, err = f.Decode(s)
	}
	requireLimit(t, err, "DecodedBytes")
	old, err := f.At(0)
	require.NoError(t, err)
	_, err = old.Decode(s)
	requireLimit(t, err, "DecodedBytes")
}

// TestObjectStreamAmbiguous: an object listed twice, and one that goes on where
// the next begins.
func TestObjectStreamAmbiguous(t *testing.T) {
	read := func(n int, head, body string) (pdf.Object, error) {
		b := newBuilder().onePage()
		b.places[6], b.places[7] = place{2, 5, 0}, place{2, 5, n - 1}
		b.stream(5, fmt.Sprintf("/Type/ObjStm/N %d/First %d", n, len(head)), []byte(head+body))
		b.size = 9
		return open(t, b.xrefStream(8, "").Bytes()).Get(pdf.Ref{Number: 6})
	}
	o, err := read(2, "6 0 7 3 ", "12 34 ")
	require.NoError(t, err)
	require.Equal(t, pdf.Integer(12), o)
	o, err = read(2, "6 0 7 0 ", "12 34 ")
	require.NoError(t, err, "one place for two")
	require.Equal(t, pdf.Integer(12), o)
	o, err = read(2, "6 3 7 0 ", "12 34 ")
	require.NoError(t, err, "in another order")
	require.Equal(t, pdf.Integer(34), o)
	for name, c := range map[string][2]string{
		"number goes on":    {"6 0 7 2 ", "1234 "},
		"reference goes on": {"6 0 7 2 ", "3 0 R "},
	} {
		_, err = read(2, c[0], c[1])
		require.ErrorIs(t, err, pdf.ErrDamaged, name)
	}
	_, err = read(3, "6 0 6 3 7 0 ", "12 34 ")
	require.ErrorIs(t, err, pdf.ErrDamaged)
}

// TestForeignStream: a stream belongs to the file it was read from.
func TestForeignStream(t *testing.T) {
	a := newBuilder().onePage().table("").Bytes()
	b := bytes.Replace(a, []byte("0 0 m 9 9 l S"), []byte("SECRET BYTES."), 1)
	fa, fb := open(t, a), open(t, b)
	s, err := fa.Stream(pdf.Ref{Number: 4})
	require.NoError(t, err)
	var unsupported *pdf.UnsupportedError
	u := pdf.NewUpdate(fb)
	u.Add(s)
	_, err = u.Bytes()
	require.ErrorAs(t, err, &unsupported)
	_, err = fb.Decode(s)
	require.ErrorAs(t, err, &unsupported)
	_, err = fb.StreamSpan(s)
	require.ErrorAs(t, err, &unsupported)
	old, err := fa.At(0)
	require.NoError(t, err)
	u = pdf.NewUpdate(fa)
	s, err = old.Stream(pdf.Ref{Number: 4})
	require.NoError(t, err)
	u.Add(s)
	_, err = u.Bytes()
	require.NoError(t, err, "of an earlier state of the same file")
}

// TestUpdateMalformedID: an /ID that identifies nothing is replaced.
func TestUpdateMalformedID(t *testing.T) {
	for _, id := range []string{"/ID 5", "/ID[1 2]", "/ID[1]", "/ID[(a) 2]", "/ID[]", "/ID 4 0 R", "/ID[(a)(b)]", ""} {
		data := newBuilder().onePage().table(id).Bytes()
		f := open(t, data)
		u := pdf.NewUpdate(f)
		u.Add(pdf.Integer(1))
		require.NoError(t, u.Room(0, 1000))
		tail, err := u.Bytes()
		require.NoError(t, err, id)
		got, ok := open(t, append(data, tail...)).Trailer()["ID"].(pdf.Array)
		require.True(t, ok, id)
		require.Len(t, got, 2)
		require.Len(t, got[1], 16)
		if id == "/ID[(a)(b)]" {
			require.Equal(t, pdf.String("a"), got[0])
		} else {
			require.Equal(t, got[0], got[1], id)
		}
	}
}

// tall is a file of an enormous size, nearly all of it white space.
type tall struct {
	head []byte
	tail []byte
	size int64
}

func (r tall) ReadAt(b []byte, off int64) (int, error) {
	at := r.size - int64(len(r.tail))
	for i := range b {
		switch p := off + int64(i); {
		case p >= r.size:
			return i, io.EOF
		case p >= at:
			b[i] = r.tail[p-at]
		case p < int64(len(r.head)):
			b[i] = r.head[p]
		default:
			b[i] = ' '
		}
	}
	return len(b), nil
}

// TestUpdateRoom: what makes Bytes fail is known before.
func TestUpdateRoom(t *testing.T) {
	full := strings.Replace(newBuilder().onePage().table("").String(), "/Size 5", "/Size 8388607", 1)
	u := pdf.NewUpdate(open(t, []byte(full)))
	require.NoError(t, u.Room(1, 1000))
	requireLimit(t, u.Room(2, 1000), "ObjectNumber")
	u.Add(pdf.Integer(1))
	_, err := u.Bytes()
	require.NoError(t, err)
	u.Add(pdf.Integer(2))
	requireLimit(t, u.Room(0, 0), "ObjectNumber")
	_, err = u.Bytes()
	requireLimit(t, err, "ObjectNumber")

	packed := strings.Replace(newBuilder().onePage().xrefStream(5, "").String(), "/Size 6", "/Size 8388607", 1)
	requireLimit(t, pdf.NewUpdate(open(t, []byte(packed))).Room(1, 0), "ObjectNumber")

	base := newBuilder().onePage().table("").Bytes()
	start := bytes.LastIndex(base, []byte("xref\n0 1"))
	size := int64(10_000_000_000)
	end := base[start:]
	end = append(bytes.Clone(end[:bytes.Index(end, []byte("startxref"))]), "startxref\n"...)
	place := size - int64(len(end)) - 10 - 7
	end = fmt.Appendf(end, "%d\n%%%%EOF\n", place)
	require.Equal(t, place, size-int64(len(end)))
	f, err := pdf.Open(tall{base[:start], end, size}, size, nil)
	require.NoError(t, err)
	u = pdf.NewUpdate(f)
	requireLimit(t, u.Room(1, 100), "cross-reference table offset")
	u.Add(pdf.Integer(1))
	_, err = u.Bytes()
	requireLimit(t, err, "cross-reference table offset")
}

// counting counts reads.
type counting struct {
	io.ReaderAt
	n int
}

func (r *counting) ReadAt(b []byte, off int64) (int, error) {
	r.n++
	return r.ReaderAt.ReadAt(b, off)
}

// TestRevisionsOnce: they are found once, for earlier states of the file too.
func TestRevisionsOnce(t *testing.T) {
	b := newBuilder().onePage().table("")
	for range 40 {
		b.stream(5, "", make([]byte, 5000)).table("")
	}
	r := &counting{ReaderAt: bytes.NewReader(b.Bytes())}
	f, err := pdf.Open(r, int64(b.Len()), nil)
	require.NoError(t, err)
	all, err := f.Revisions()
	require.NoError(t, err)
	require.Len(t, all, 41)
	before := r.n
	for i := range all {
		old, err := f.At(i)
		require.NoError(t, err)
		got, err := old.Revisions()
		require.NoError(t, err)
		require.Len(t, got, i+1)
		_, err = old.At(i / 2)
		require.NoError(t, err)
	}
	require.Equal(t, before, r.n)
	mid, err := f.At(20)
	require.NoError(t, err)
	changes, err := mid.Changed(20)
	require.NoError(t, err)
	require.Equal(t, all[20].Start, changes[0].Offset)
}
