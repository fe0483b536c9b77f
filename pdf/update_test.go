package pdf_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
)

// change replaces the page of a sample and adds objects, with reserved places.
func change(t testing.TB, f *pdf.File) (*pdf.Update, *pdf.Reserved, *pdf.Reserved) {
	t.Helper()
	u := pdf.NewUpdate(f)
	contents := &pdf.Reserved{Size: 42, Hex: true}
	byteRange := &pdf.Reserved{Size: 30}
	sig := u.Add(pdf.Dict{"Type": pdf.Name("Sig"), "Contents": contents, "ByteRange": byteRange, "Reason": pdf.String("(a\\b)")})
	stm := u.Add(&pdf.Stream{Dict: pdf.Dict{"X": pdf.Raw("[1 2]")}, Data: []byte("stream data")})
	page, err := f.Page(1)
	require.NoError(t, err)
	page.Dict["Annots"] = pdf.Array{sig, stm}
	u.Set(page.Ref, page.Dict)
	return u, contents, byteRange
}

func TestUpdate(t *testing.T) {
	for name, data := range samples() {
		t.Run(name, func(t *testing.T) {
			f := open(t, data)
			before, err := f.Revisions()
			require.NoError(t, err)
			u, contents, byteRange := change(t, f)
			tail, err := u.Bytes()
			require.NoError(t, err)
			again, err := u.Bytes()
			require.NoError(t, err)
			require.Equal(t, tail, again)
			require.True(t, bytes.HasSuffix(tail, []byte("\n%%EOF\n")))
			require.Equal(t, !bytes.HasSuffix(data, []byte("\n")), tail[0] == '\n')

			all := append(bytes.Clone(data), tail...)
			require.Equal(t, "<"+strings.Repeat("0", 40)+">", string(all[contents.Offset:contents.Offset+42]))
			require.Equal(t, strings.Repeat(" ", 30), string(all[byteRange.Offset:byteRange.Offset+30]))
			copy(all[byteRange.Offset:], "[0 1 2 3]")

			g := open(t, all)
			after, err := g.Revisions()
			require.NoError(t, err)
			require.Len(t, after, len(before)+1)
			require.Equal(t, before[len(before)-1].Stream, after[len(before)].Stream)
			require.Equal(t, int64(len(all)), after[len(before)].End)
			testUpdated(t, g, contents)
			testTrailer(t, f, g)
			require.NoError(t, readAll(g))

			second, _, byteRange := change(t, g)
			tail, err = second.Bytes()
			require.NoError(t, err)
			all = append(all, tail...)
			copy(all[byteRange.Offset:], "[0 1 2 3]")
			require.NoError(t, readAll(open(t, all)))
		})
	}
}

// testUpdated reads back what change wrote.
func testUpdated(t *testing.T, g *pdf.File, contents *pdf.Reserved) {
	page, err := g.Page(-1)
	require.NoError(t, err)
	annots, err := g.Annotations(page)
	require.NoError(t, err)
	sig, err := g.Dict(annots[0])
	require.NoError(t, err)
	require.Equal(t, pdf.String("(a\\b)"), sig["Reason"])
	require.Equal(t, pdf.String(make([]byte, 20)), sig["Contents"])
	require.Len(t, sig["ByteRange"], 4)
	span, err := g.Locate(annots[0].(pdf.Ref), "Contents")
	require.NoError(t, err)
	require.Equal(t, pdf.Span{Start: contents.Offset, End: contents.Offset + 42}, span)
	stm, err := g.Stream(annots[1])
	require.NoError(t, err)
	got, err := g.Decode(stm)
	require.NoError(t, err)
	require.Equal(t, "stream data", string(got))
	require.Equal(t, pdf.Array{pdf.Integer(1), pdf.Integer(2)}, stm.Dict["X"])
}

// testTrailer checks what the newest trailer keeps and changes.
func testTrailer(t *testing.T, f, g *pdf.File) {
	was, is := f.Trailer(), g.Trailer()
	require.Equal(t, was["Root"], is["Root"])
	require.Nil(t, is["XRefStm"])
	id, err := g.Array(is["ID"])
	require.NoError(t, err)
	require.Len(t, id, 2)
	if old, _ := f.Array(was["ID"]); old != nil {
		require.Equal(t, old[0], id[0])
		require.NotEqual(t, old[1], id[1])
	}
	// /Size is one more than the highest number, the section's own included.
	highest := pdf.Integer(0)
	revisions, err := g.Revisions()
	require.NoError(t, err)
	for i := range revisions {
		changes, err := g.Changed(i)
		require.NoError(t, err)
		highest = max(highest, pdf.Integer(changes[len(changes)-1].Ref.Number))
	}
	require.Equal(t, highest+1, is["Size"])
}

func TestUpdateTableLayout(t *testing.T) {
	data := samples()["table"]
	f := open(t, data)
	u := pdf.NewUpdate(f)
	require.Equal(t, pdf.Ref{Number: 5}, u.Alloc())
	require.Equal(t, pdf.Ref{Number: 6}, u.Alloc())
	u.Set(pdf.Ref{Number: 6}, pdf.Integer(1))
	u.Set(pdf.Ref{Number: 2}, pdf.Integer(2))
	u.Set(pdf.Ref{Number: 3}, pdf.Integer(0))
	u.Set(pdf.Ref{Number: 3}, pdf.Integer(3))
	tail, err := u.Bytes()
	require.NoError(t, err)
	n := int64(len(data))
	re := regexp.MustCompile(`<[0-9A-F]{32}>`)
	require.Equal(t, "6 0 obj\n1\nendobj\n2 0 obj\n2\nendobj\n3 0 obj\n3\nendobj\n"+
		"xref\n2 2\n"+fmt.Sprintf("%010d 00000 n \n%010d 00000 n \n", n+17, n+34)+"6 1\n"+fmt.Sprintf("%010d 00000 n \n", n)+
		"trailer\n<</ID[ID ID]/Prev "+fmt.Sprint(bytes.Index(data, []byte("xref\n")))+"/Root 1 0 R/Size 7>>\nstartxref\n"+fmt.Sprint(n+51)+"\n%%EOF\n",
		re.ReplaceAllString(string(tail), "ID"))
}

func TestUpdateAllocatesAboveEverything(t *testing.T) {
	data := bytes.Replace(samples()["table"], []byte("/Size 5"), []byte("/Size 2"), 1)
	require.Equal(t, pdf.Ref{Number: 5}, pdf.NewUpdate(open(t, data)).Alloc())
	data = bytes.Replace(samples()["table"], []byte("/Size 5"), []byte("/Size 9"), 1)
	require.Equal(t, pdf.Ref{Number: 9}, pdf.NewUpdate(open(t, data)).Alloc())
}

func TestUpdateEmpty(t *testing.T) {
	for name, data := range samples() {
		tail, err := pdf.NewUpdate(open(t, data)).Bytes()
		require.NoError(t, err)
		require.NoError(t, readAll(open(t, append(data, tail...))), name)
	}
}

func TestUpdateCopiesStreams(t *testing.T) {
	f := open(t, samples()["table"])
	s, err := f.Stream(pdf.Ref{Number: 4})
	require.NoError(t, err)
	s.Dict["Extra"] = pdf.Integer(1)
	u := pdf.NewUpdate(f)
	ref := u.Add(s)
	tail, err := u.Bytes()
	require.NoError(t, err)
	g := open(t, append(samples()["table"], tail...))
	s, err = g.Stream(ref)
	require.NoError(t, err)
	got, err := g.Decode(s)
	require.NoError(t, err)
	require.Equal(t, "0 0 m 9 9 l S", string(got))
	require.Equal(t, pdf.Integer(1), s.Dict["Extra"])
}

func TestUpdateRefuses(t *testing.T) {
	cycle := pdf.Array{nil}
	cycle[0] = cycle
	for name, o := range map[string]pdf.Object{
		"not an object":    42,
		"infinite":         pdf.Real(math.Inf(1)),
		"not a number":     pdf.Array{pdf.Real(math.NaN())},
		"stream inside":    pdf.Array{&pdf.Stream{}},
		"nil stream":       (*pdf.Stream)(nil),
		"nil place":        pdf.Dict{"A": (*pdf.Reserved)(nil)},
		"odd hex place":    &pdf.Reserved{Size: 3, Hex: true},
		"small hex place":  &pdf.Reserved{Size: 0, Hex: true},
		"negative place":   &pdf.Reserved{Size: -1},
		"contains itself":  cycle,
		"value of its own": struct{}{},
	} {
		u := pdf.NewUpdate(open(t, samples()["table"]))
		u.Add(o)
		_, err := u.Bytes()
		require.Error(t, err, name)
	}
	for _, n := range []uint32{0, 8_388_608, math.MaxUint32} {
		u := pdf.NewUpdate(open(t, samples()["table"]))
		u.Set(pdf.Ref{Number: n}, nil)
		_, err := u.Bytes()
		requireLimit(t, err, "ObjectNumber")
	}
}

func TestAppendObject(t *testing.T) {
	for _, c := range []struct {
		o    pdf.Object
		want string
	}{
		{nil, "null"}, {true, "true"}, {pdf.Integer(-5), "-5"}, {pdf.Real(0.1), "0.1"}, {pdf.Real(1e21), "1000000000000000000000"},
		{pdf.Real(1e-7), "0.0000001"}, {pdf.Real(math.Copysign(0, -1)), "0"}, {pdf.Real(math.NaN()), "null"},
		{pdf.Name("A B#/()"), "/A#20B#23#2F#28#29"}, {pdf.Name(""), "/"}, {pdf.Name("é"), "/#C3#A9"},
		{pdf.String("a(b)\\c\nd   "), `(a\(b\)\\c\012d   )`}, {pdf.String("\xfe\xff\x00A"), "<FEFF0041>"},
		{pdf.Dict{"B": pdf.Integer(1), "A": pdf.Array{pdf.Ref{Number: 1}, pdf.Name("X")}, "C": nil, "D": pdf.Dict{}}, "<</A[1 0 R /X]/B 1/D<<>>>>"},
		{pdf.Dict{"R": pdf.Raw("1"), "S": &pdf.Reserved{Size: 4, Hex: true}, "T": &pdf.Reserved{Size: 2}}, "<</R 1/S<00>/T   >>"},
		{&pdf.Stream{Dict: pdf.Dict{"A": true}, Data: []byte("x")}, "<</A true/Length 1>>\nstream\nx\nendstream"},
		{pdf.NewRect(3, 4, 1, 2).Array(), "[1 2 3 4]"}, {pdf.Matrix{1, 0, 0, 1, 2.5, 3}.Array(), "[1 0 0 1 2.5 3]"},
	} {
		require.Equal(t, "> "+c.want, string(pdf.AppendObject([]byte("> "), c.o)))
	}
}

// TestUpdateQPDF has another reader check updated files of every kind.
func TestUpdateQPDF(t *testing.T) {
	qpdf, err := exec.LookPath("qpdf")
	if err != nil {
		t.Skip("qpdf is not installed: updated files are not cross-checked")
	}
	files := samples()
	files["linearized"] = nil
	for name, data := range files {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file.pdf")
			if name == "linearized" {
				require.NoError(t, os.WriteFile(path+"0", files["table"], 0o600))
				out, err := exec.Command(qpdf, "--linearize", path+"0", path).CombinedOutput()
				require.NoError(t, err, string(out))
				data, err = os.ReadFile(path)
				require.NoError(t, err)
			}
			f := open(t, data)
			revisions, err := f.Revisions()
			require.NoError(t, err)
			u, _, place := change(t, f)
			tail, err := u.Bytes()
			require.NoError(t, err)
			all := append(bytes.Clone(data), tail...)
			copy(all[place.Offset:], "[0 1 2 3]")
			require.NoError(t, os.WriteFile(path, all, 0o600))
			out, err := exec.Command(qpdf, "--check", path).CombinedOutput()
			require.NoError(t, err, string(out))
			out, err = exec.Command(qpdf, "--show-object=trailer", path).CombinedOutput()
			require.NoError(t, err, string(out))
			g := open(t, all)
			require.Contains(t, string(out), fmt.Sprintf("/Size %d", g.Trailer()["Size"]))
			later, err := g.Revisions()
			require.NoError(t, err)
			require.Len(t, later, len(revisions)+1)
		})
	}
}
