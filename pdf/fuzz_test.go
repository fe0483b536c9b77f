package pdf_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
)

// fuzzLimits keep a single input cheap.
var fuzzLimits = pdf.Options{Limits: &pdf.Limits{StreamBytes: 1 << 20, DecodedBytes: 8 << 20, Elements: 10_000, WalkBytes: 8 << 20, Fields: 1000}}

func fuzzOpen(data []byte) (*pdf.File, error) {
	return pdf.Open(bytes.NewReader(data), int64(len(data)), &fuzzLimits)
}

func objectSeeds() []string {
	return []string{
		"null", "[true false -1 +2.5 .5 4. 1 0 R]", "<</A/B/C(d\\051)/E<616>/F[<<>>]>>", "<</A 1/A 2>>", "(a(b)c)", "/N#61me",
		"[[[[", "<</A", "(\\", "<4", "999999999999999999999", "1 0 R", "% comment\n7", "<</Length 3>>stream\nabc\nendstream",
	}
}

func FuzzObject(f *testing.F) {
	seeds := objectSeeds()
	require.NotEmpty(f, seeds)
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, err := fuzzOpen(newBuilder().onePage().obj(8, text).table("").Bytes())
		if err != nil {
			return // the text holds a startxref of its own
		}
		o, err := file.Get(pdf.Ref{Number: 8})
		if _, ok := o.(*pdf.Stream); ok || err != nil {
			return
		}
		written := pdf.AppendObject(nil, o)
		again, err := fuzzOpen(newBuilder().onePage().obj(8, string(written)).table("").Bytes())
		require.NoError(t, err)
		back, err := again.Get(pdf.Ref{Number: 8})
		if real, ok := o.(pdf.Real); ok && (real > 1e300 || real < -1e300) {
			return // an infinite number has no spelling
		}
		require.NoError(t, err)
		require.Equal(t, written, pdf.AppendObject(nil, back))
	})
}

func FuzzOpen(f *testing.F) {
	files := samples()
	require.NotEmpty(f, files)
	for _, data := range files {
		f.Add(data)
	}
	f.Add(linearizedFile())
	f.Add(packed("/Type/ObjStm/N 9 0 R/First 4", "9 0 true"))
	f.Add(formFile("10 0 R", "<</T(a)/Kids[10 0 R]>>"))
	f.Add(treeFile("<</Type/Pages/Kids[2 0 R]/Count 1>>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if file, err := fuzzOpen(data); err == nil {
			_ = readAll(file)
			_ = file.Version()
		}
	})
}

// FuzzXRef puts a section of any text behind good objects, with a startxref that
// leads to it.
func FuzzXRef(f *testing.F) {
	seeds := [][]byte{
		[]byte("xref\n0 3\n0000000000 65535 f \n0000000015 00000 n \n0000000060 00000 n \ntrailer\n<</Size 3/Root 1 0 R>>\n"),
		[]byte("xref\n1 1\n0000000000 65535 f\n2 1 0000000015 00000 n\r\ntrailer<</Size 3/Root 1 0 R/Prev 0/XRefStm 9>>"),
		[]byte("5 0 obj<</Type/XRef/W[1 2 1]/Size 2/Index[0 2]/Root 1 0 R/Length 8>>stream\n\x00\x00\x00\xff\x01\x00\x0f\x00\nendstream endobj\n"),
		[]byte("5 0 obj<</Type/XRef/W[0 2 0]/Size 9/Length 2/Filter/ASCIIHexDecode/Prev 200>>stream\n4>\nendstream endobj\n"),
	}
	require.NotEmpty(f, seeds)
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, section []byte) {
		b := newBuilder().onePage()
		at := b.Len()
		b.Write(section)
		if file, err := fuzzOpen(b.end(at).Bytes()); err == nil {
			_ = readAll(file)
		}
	})
}

// fuzzFile puts objects of any text, one to a line, in a file with a right
// cross-reference section; the first is the catalog. Kind 1 has a
// cross-reference stream, kind 2 has all but the streams in an object stream.
func fuzzFile(text, trailer string, kind uint8) []byte {
	b := newBuilder()
	inside := map[int]string{}
	lines := strings.Split(text, "\n")
	for i, line := range lines[:min(len(lines), 50)] {
		if kind == 2 && !strings.Contains(line, "stream") {
			inside[i+1] = line
			continue
		}
		b.obj(i+1, line)
	}
	switch kind {
	case 0:
		return b.table(trailer).Bytes()
	case 1:
		return b.xrefStream(101, trailer).Bytes()
	}
	return b.objStm(100, inside).xrefStream(101, trailer).Bytes()
}

func addObjects(f *testing.F) {
	seeds := []string{
		"<</Type/Catalog/Pages 2 0 R/AcroForm 5 0 R>>\n<</Type/Pages/Kids[3 0 R 2 0 R]/Count 2/Rotate 90>>\n" +
			"<</Type/Page/MediaBox 4 0 R/CropBox[1 1 2 2]/UserUnit 2/Annots[]>>\n[0 0 9 9]\n<</Fields[6 0 R]>>\n<</T(a)/FT/Sig/V 1 0 R/Kids[7 0 R]>>\n<</Parent 6 0 R>>",
		"1 0 R\n3 0 R\n2 0 R",
		"<</Length 2 0 R/Filter[/ASCIIHexDecode/LZWDecode/RunLengthDecode]>>stream\r41>\rendstream\n3",
		"<</Length 6/Filter/ASCII85Decode/DecodeParms<</Predictor 12/Columns 3>>>>stream\rzz!!~>\rendstream",
		"<</Length 2 0 R/Type/ObjStm/N 2 0 R/First 4>>stream\r9 0 8\rendstream\n4",
	}
	require.NotEmpty(f, seeds)
	for _, s := range seeds {
		for kind := range uint8(3) {
			f.Add(s, "/ID[<01>(2)]/Info 2 0 R/X[1.5 null]", kind)
		}
	}
}

func FuzzObjects(f *testing.F) {
	addObjects(f)
	f.Fuzz(func(t *testing.T, text, trailer string, kind uint8) {
		if file, err := fuzzOpen(fuzzFile(text, trailer, kind)); err == nil {
			_ = readAll(file)
		}
	})
}

// FuzzUpdate updates a file, opens the result and finds the same objects.
func FuzzUpdate(f *testing.F) {
	addObjects(f)
	f.Fuzz(func(t *testing.T, text, trailer string, kind uint8) {
		data := fuzzFile(text, trailer, kind)
		file, err := fuzzOpen(data)
		if err != nil {
			return
		}
		u := pdf.NewUpdate(file)
		place := &pdf.Reserved{Size: 10}
		ref := u.Add(pdf.Array{pdf.String("new"), place})
		before := everything(file, ref.Number)
		tail, err := u.Bytes()
		if err != nil {
			return // an /ID that is no array of strings, no room for numbers, infinite numbers in the trailer
		}
		all := append(bytes.Clone(data), tail...)
		again, err := fuzzOpen(all)
		require.NoError(t, err)
		require.Equal(t, "          ", string(all[place.Offset:place.Offset+10]))
		o, err := again.Get(ref)
		require.NoError(t, err)
		require.Equal(t, pdf.Array{pdf.String("new")}, o)
		require.Equal(t, before, everything(again, ref.Number))
	})
}

// everything lists the first objects of a file below number end as they are
// written, and the errors that some of them are.
func everything(f *pdf.File, end uint32) []string {
	var out []string
	for n := range min(end, 5) {
		o, err := f.Get(pdf.Ref{Number: n})
		if err != nil {
			out = append(out, "damaged")
			continue
		}
		if s, ok := o.(*pdf.Stream); ok {
			o = s.Dict
		}
		out = append(out, string(pdf.AppendObject(nil, o)))
	}
	return out
}
