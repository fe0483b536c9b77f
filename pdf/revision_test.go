package pdf_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
)

func TestRevisions(t *testing.T) {
	for _, eol := range []string{"\n", "\r", "\r\n", ""} {
		t.Run(fmt.Sprintf("%q", eol), func(t *testing.T) {
			b := newBuilder().onePage().table("")
			b.Truncate(b.Len() - 1)
			b.WriteString(eol)
			first := b.Len()
			if eol == "" {
				first++ // the end of line that the next revision begins with
				b.WriteString("\n")
			}
			b.obj(5, "(two)").obj(3, "<</Type/Page/Parent 2 0 R/X 5 0 R>>").xrefStream(6, "")
			second := b.Len()
			b.places[5] = place{0, 0, 0}
			b.obj(7, "(three)").table("")
			third := b.Len()
			b.WriteString("trailing")

			f := open(t, b.Bytes())
			all, err := f.Revisions()
			require.NoError(t, err)
			require.Len(t, all, 3)
			require.Equal(t, []int64{0, int64(first), int64(second)}, []int64{all[0].Start, all[1].Start, all[2].Start})
			require.Equal(t, []int64{int64(first), int64(second), int64(third)}, []int64{all[0].End, all[1].End, all[2].End})
			require.Equal(t, []bool{false, true, false}, []bool{all[0].Stream, all[1].Stream, all[2].Stream})
			for _, r := range all {
				require.Equal(t, "%%EOF", b.String()[r.Marker-5:r.Marker])
				require.LessOrEqual(t, r.End-r.Marker, int64(2))
			}
			require.Equal(t, int64(len("trailing")), f.Size()-all[2].End)
			testChanged(t, f)
			testAt(t, f, all)
		})
	}
}

func testChanged(t *testing.T, f *pdf.File) {
	changes, err := f.Changed(0)
	require.NoError(t, err)
	require.Len(t, changes, 4)
	changes, err = f.Changed(1)
	require.NoError(t, err)
	require.Equal(t, []uint32{3, 5, 6}, []uint32{changes[0].Ref.Number, changes[1].Ref.Number, changes[2].Ref.Number})
	changes, err = f.Changed(2)
	require.NoError(t, err)
	require.Len(t, changes, 2)
	require.True(t, changes[0].Free)
	require.Equal(t, uint32(5), changes[0].Ref.Number)
	require.Equal(t, uint32(7), changes[1].Ref.Number)
	span, _, err := f.ObjectSpan(changes[1].Ref)
	require.NoError(t, err)
	require.Equal(t, changes[1].Offset, span.Start)
	_, err = f.Changed(3)
	require.ErrorIs(t, err, pdf.ErrDamaged)
}

func testAt(t *testing.T, f *pdf.File, all []pdf.Revision) {
	for i, want := range []string{"", "two", ""} {
		old, err := f.At(i)
		require.NoError(t, err)
		require.Equal(t, all[i].End, old.Size())
		got, err := old.Text(pdf.Ref{Number: 5})
		require.NoError(t, err)
		require.Equal(t, want, got)
		revisions, err := old.Revisions()
		require.NoError(t, err)
		require.Len(t, revisions, i+1)
	}
	_, err := f.At(-1)
	require.ErrorIs(t, err, pdf.ErrDamaged)
}

func TestChangedInHybrid(t *testing.T) {
	f := open(t, samples()["hybrid"])
	changes, err := f.Changed(0)
	require.NoError(t, err)
	var got []string
	for _, c := range changes {
		got = append(got, fmt.Sprint(c.Ref.Number, c.Free, c.Compressed, c.Stream))
	}
	require.Equal(t, []string{"1 false false 0", "2 false false 0", "3 false false 0", "4 false false 0",
		"5 false false 0", "6 false false 0", "7 false true 5", "8 true false 0"}, got)
}

// linearizedFile has its first section near the start and its older one at the
// end.
func linearizedFile() []byte {
	b := newBuilder()
	b.obj(6, "<</Linearized 1>>")
	head := b.Len()
	const room = 200
	b.WriteString(strings.Repeat(" ", room))
	b.WriteString("\n")
	b.obj(3, "<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>")
	at3 := b.places[3].offset
	b.obj(1, "<</Type/Catalog/Pages 2 0 R>>").obj(2, "<</Type/Pages/Kids[3 0 R]/Count 1>>")
	main := b.Len()
	fmt.Fprintf(b, "xref\n0 3\n0000000000 65535 f \n%010d 00000 n \n%010d 00000 n \ntrailer\n<</Size 3>>\nstartxref\n%d\n%%%%EOF\n",
		b.places[1].offset, b.places[2].offset, head)
	data := b.Bytes()
	first := fmt.Sprintf("xref\n3 1\n%010d 00000 n \n6 1\n%010d 00000 n \ntrailer\n<</Size 7/Root 1 0 R/Prev %d>>\nstartxref\n0\n%%%%EOF\n",
		at3, 15, main)
	copy(data[head:], first)
	return data
}

func TestLinearizedIsOneRevision(t *testing.T) {
	data := linearizedFile()
	f := open(t, data)
	all, err := f.Revisions()
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, int64(len(data)), all[0].End)
	changes, err := f.Changed(0)
	require.NoError(t, err)
	require.Len(t, changes, 4)
	u := pdf.NewUpdate(f)
	require.Equal(t, pdf.Ref{Number: 7}, u.Add(pdf.Integer(1)))
	tail, err := u.Bytes()
	require.NoError(t, err)
	f = open(t, append(data, tail...))
	all, err = f.Revisions()
	require.NoError(t, err)
	require.Len(t, all, 2)
	old, err := f.At(0)
	require.NoError(t, err)
	n, err := old.PageCount()
	require.NoError(t, err)
	require.Equal(t, 1, n)

	plain := bytes.Replace(data, []byte("/Linearized 1"), []byte("/NotLinear 12"), 1)
	_, err = open(t, plain).Revisions()
	require.ErrorIs(t, err, pdf.ErrDamaged)
}

func TestRevisionsTolerance(t *testing.T) {
	good := newBuilder().onePage().table("").String()
	for name, data := range map[string]string{
		"comment before startxref": strings.Replace(good, "startxref", "% made by hand\nstartxref", 1),
	} {
		all, err := open(t, []byte(data)).Revisions()
		require.NoError(t, err, name)
		require.Len(t, all, 1)
	}
	stream := newBuilder().onePage().xrefStream(5, "").String()
	_, err := open(t, []byte(strings.Replace(stream, "startxref", "trailer\n<</Size 6>>\nstartxref", 1))).Revisions()
	require.NoError(t, err)
	_, err = open(t, []byte(strings.Replace(stream, "startxref", "trailer\n<</Root 2 0 R>>\nstartxref", 1))).Revisions()
	require.ErrorIs(t, err, pdf.ErrDamaged)
}

func TestRevisionsDamaged(t *testing.T) {
	b := newBuilder().onePage().table("")
	first := b.Len()
	good := b.obj(5, "5").table("").String()
	old := good[:first]
	for name, data := range map[string]string{
		"no startxref":       strings.Replace(old, "startxref", "startxxxx", 1) + good[first:],
		"wrong startxref":    strings.Replace(old, "startxref\n", "startxref\n1", 1)[:first] + good[first:],
		"no marker":          strings.Replace(old, "%%EOF", "%EOF%", 1) + good[first:],
		"object in between":  strings.Replace(old, "startxref\n", "5 0 R xref", 1) + good[first:],
		"second one of xref": strings.Replace(old, "%%EOF", "     ", 1) + good[first:],
	} {
		_, err := open(t, []byte(data)).Revisions()
		require.ErrorIs(t, err, pdf.ErrDamaged, name)
	}
}

func TestLocate(t *testing.T) {
	b := newBuilder().onePage().
		obj(8, "<</Type/Sig/Contents <0a0B >/ByteRange[0 1 2 3]/V 9 0 R/D<</E (x)/F 1>>/G 1/G 2>>").
		objStm(9, map[int]string{10: "<</A 1>>"})
	b.stream(11, "/A [1 2]", []byte("data"))
	data := b.xrefStream(12, "").Bytes()
	f := open(t, data)
	text := func(s pdf.Span, err error) string {
		require.NoError(t, err)
		return string(data[s.Start:s.End])
	}
	sig := pdf.Ref{Number: 8}
	require.Equal(t, "<0a0B >", text(f.Locate(sig, "Contents")))
	require.Equal(t, "[0 1 2 3]", text(f.Locate(sig, "ByteRange")))
	require.Equal(t, "/Sig", text(f.Locate(sig, "Type")))
	require.Equal(t, "<</E (x)/F 1>>", text(f.Locate(sig, "D")))
	require.Equal(t, "(x)", text(f.Locate(sig, "D", "E")))
	require.Equal(t, "[1 2]", text(f.Locate(pdf.Ref{Number: 11}, "A")))
	for _, path := range [][]pdf.Name{{"Missing"}, {"V"}, {"G"}, {"D", "X"}, {"Type", "X"}} {
		_, err := f.Locate(sig, path[0], path[1:]...)
		require.ErrorIs(t, err, pdf.ErrDamaged, "%v", path)
	}
	for _, ref := range []pdf.Ref{{Number: 10}, {Number: 99}, {Number: 8, Generation: 1}} {
		_, err := f.Locate(ref, "A")
		require.ErrorIs(t, err, pdf.ErrDamaged)
	}

	span, packed, err := f.ObjectSpan(sig)
	require.NoError(t, err)
	require.False(t, packed)
	require.True(t, bytes.HasPrefix(data[span.Start:span.End], []byte("8 0 obj\n<</Type/Sig")))
	require.True(t, bytes.HasSuffix(data[span.Start:span.End], []byte(">>\nendobj")))
	span, packed, err = f.ObjectSpan(pdf.Ref{Number: 10})
	require.NoError(t, err)
	require.True(t, packed)
	require.True(t, bytes.HasPrefix(data[span.Start:span.End], []byte("9 0 obj")))
	require.True(t, bytes.HasSuffix(data[span.Start:span.End], []byte("endstream\nendobj")))
	_, _, err = f.ObjectSpan(pdf.Ref{Number: 99})
	require.ErrorIs(t, err, pdf.ErrDamaged)
}
