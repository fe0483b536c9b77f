package pdf_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
)

func TestOpenSamples(t *testing.T) {
	for name, data := range samples() {
		t.Run(name, func(t *testing.T) {
			f := open(t, data)
			require.Equal(t, "1.7", f.Version())
			require.Equal(t, int64(len(data)), f.Size())
			require.Equal(t, pdf.Ref{Number: 1}, f.CatalogRef())
			require.False(t, f.Encrypted())
			n, err := f.PageCount()
			require.NoError(t, err)
			require.Equal(t, 1, n)
			p, err := f.Page(1)
			require.NoError(t, err)
			require.Equal(t, pdf.Ref{Number: 3}, p.Ref)
			require.Equal(t, pdf.Rect{URX: 612, URY: 792}, p.MediaBox)
			if c := p.Dict["Contents"]; c != nil {
				stm, err := f.Stream(c)
				require.NoError(t, err)
				content, err := f.Decode(stm)
				require.NoError(t, err)
				require.Equal(t, "0 0 m 9 9 l S", string(content))
			}
		})
	}
}

func TestHybridObjectsAreFound(t *testing.T) {
	f := open(t, samples()["hybrid"])
	catalog, err := f.Catalog()
	require.NoError(t, err)
	text, err := f.Text(catalog["Hidden"])
	require.NoError(t, err)
	require.Equal(t, "hidden", text)
}

func TestGetMissing(t *testing.T) {
	b := newBuilder().onePage().table("")
	b.places[4] = place{0, 0, 0}
	f := open(t, b.table("").Bytes())
	for _, ref := range []pdf.Ref{{}, {Number: 4}, {Number: 99}, {Number: 1, Generation: 1}, {Number: 1<<32 - 1}} {
		o, err := f.Get(ref)
		require.NoError(t, err)
		require.Nil(t, o, "%v", ref)
	}
}

// TestTableShapes opens tables that are not in 20-byte lines.
func TestTableShapes(t *testing.T) {
	body := newBuilder().onePage()
	offsets := []int{0}
	for n := 1; n <= 4; n++ {
		offsets = append(offsets, body.places[n].offset)
	}
	data := body.String()
	rows := func(eol string) string {
		s := "0000000000 65535 f" + eol
		for _, off := range offsets[1:] {
			s += fmt.Sprintf("%010d 00000 n%s", off, eol)
		}
		return s
	}
	for name, table := range map[string]string{
		"19 bytes LF":        "xref\n0 5\n" + rows("\n"),
		"19 bytes CR":        "xref\r0 5\r" + rows("\r"),
		"20 bytes CRLF":      "xref\r\n0 5\r\n" + rows("\r\n"),
		"21 bytes":           "xref\n0 5\n" + rows(" \r\n"),
		"spaces":             "xref \n 0   5 \n" + rows(" \n"),
		"count on own line":  "xref\n0\n5\n" + rows(" \n"),
		"begins at 1":        "xref\n1 5\n" + rows(" \n"),
		"begins at 1, short": "xref\n1 5\n" + rows("\n"),
		"comment":            "xref\n0 5\n" + rows(" \n") + "% comment\n",
		"one odd line": "xref\n0 5\n" + strings.Replace(strings.Replace(rows(" \n"), "00000 n \n", "00000 n  \n", 1),
			"00000 n \n", "00000 n\n", 1),
		"empty subsection": "xref\n0 0\n0 5\n" + rows(" \n"),
	} {
		t.Run(name, func(t *testing.T) {
			for _, lead := range []int{0, -1} {
				file := data + table + fmt.Sprintf("trailer\n<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF", len(data)+lead)
				f := open(t, []byte(file))
				for n := 1; n <= 4; n++ {
					o, err := f.Get(pdf.Ref{Number: uint32(n)})
					require.NoError(t, err)
					require.NotNil(t, o)
				}
				revisions, err := f.Revisions()
				require.NoError(t, err)
				require.Len(t, revisions, 1)
			}
		})
	}
}

func TestStreamSpelling(t *testing.T) {
	for name, body := range map[string]string{
		"LF":               "<</Length 5>>stream\nabcde\nendstream",
		"CRLF":             "<</Length 5>>\r\nstream\r\nabcde\r\nendstream",
		"lone CR":          "<</Length 5>>stream\rabcde\rendstream",
		"no EOL at end":    "<</Length 5>>stream\nabcdeendstream",
		"indirect length":  "<</Length 9 0 R>>stream\nabcde\nendstream",
		"space after word": "<</Length 5>>stream \nabcde\nendstream",
	} {
		t.Run(name, func(t *testing.T) {
			f := open(t, newBuilder().onePage().obj(8, body).obj(9, "5").table("").Bytes())
			stm, err := f.Stream(pdf.Ref{Number: 8})
			require.NoError(t, err)
			raw, err := f.RawStream(stm)
			require.NoError(t, err)
			require.Equal(t, "abcde", string(raw))
			span, err := f.StreamSpan(stm)
			require.NoError(t, err)
			require.Equal(t, int64(5), span.Len())
		})
	}
	for name, body := range map[string]string{
		"length too small": "<</Length 4>>stream\nabcde\nendstream",
		"length too large": "<</Length 50>>stream\nabcde\nendstream",
		"length huge":      "<</Length 9223372036854775807>>stream\nabcde\nendstream",
		"length negative":  "<</Length -1>>stream\nabcde\nendstream",
		"length missing":   "<<>>stream\nabcde\nendstream",
		"length of itself": "<</Length 8 0 R>>stream\nabcde\nendstream",
		"length a name":    "<</Length/Five>>stream\nabcde\nendstream",
	} {
		t.Run(name, func(t *testing.T) {
			f := open(t, newBuilder().onePage().obj(8, body).table("").Bytes())
			stm, err := f.Stream(pdf.Ref{Number: 8})
			require.NoError(t, err)
			_, err = f.Decode(stm)
			require.ErrorIs(t, err, pdf.ErrDamaged)
		})
	}
}

func TestVersionOfCatalog(t *testing.T) {
	for version, want := range map[string]string{"/2.0": "2.0", "/1.4": "1.7", "null": "1.7", "(2.0)": "1.7"} {
		f := open(t, newBuilder().obj(1, "<</Type/Catalog/Version "+version+">>").table("").Bytes())
		require.Equal(t, want, f.Version(), version)
	}
}

func TestObjectsAreRead(t *testing.T) {
	for _, c := range []struct {
		text string
		want pdf.Object
	}{
		{"null", nil}, {"true", true}, {"false", false},
		{"0", pdf.Integer(0)}, {"-17", pdf.Integer(-17)}, {"+17", pdf.Integer(17)}, {"007", pdf.Integer(7)},
		{"9223372036854775807", pdf.Integer(9223372036854775807)}, {"9223372036854775808", pdf.Real(9223372036854775808)},
		{"4.", pdf.Real(4)}, {"-.002", pdf.Real(-.002)}, {"3.1415", pdf.Real(3.1415)}, {"0.12345678901234567", pdf.Real(0.12345678901234567)},
		{"/", pdf.Name("")}, {"/A#42", pdf.Name("AB")}, {"/A#4", pdf.Name("A#4")}, {"/A;B", pdf.Name("A;B")}, {"/Catalog", pdf.Name("Catalog")},
		{"()", pdf.String("")}, {"(a(b)c)", pdf.String("a(b)c")}, {`(\n\r\t\b\f\(\)\\\x)`, pdf.String("\n\r\t\b\f()\\x")},
		{"(a\\\r\nb\\\nc\r\nd\re)", pdf.String("abc\nd\ne")}, {`(\0053\53\5)`, pdf.String("\x053+\x05")}, {`(\400)`, pdf.String("\x00")},
		{"<>", pdf.String("")}, {"<4 1\n42>", pdf.String("AB")}, {"<414>", pdf.String("A@")},
		{"[]", pdf.Array{}}, {"[1 2 R]", pdf.Array{pdf.Ref{Number: 1, Generation: 2}}},
		{"[1 0 R 2]", pdf.Array{pdf.Ref{Number: 1}, pdf.Integer(2)}}, {"[1 2 3 0 R]", pdf.Array{pdf.Integer(1), pdf.Integer(2), pdf.Ref{Number: 3}}},
		{"[/A/B(c)<64>[]<<>>]", pdf.Array{pdf.Name("A"), pdf.Name("B"), pdf.String("c"), pdf.String("d"), pdf.Array{}, pdf.Dict{}}},
		{"<</A 1/B<</C null/D[true]>>%x\n/E 5 0 R>>", pdf.Dict{"A": pdf.Integer(1), "B": pdf.Dict{"D": pdf.Array{true}}, "E": pdf.Ref{Number: 5}}},
	} {
		f := open(t, newBuilder().onePage().obj(8, c.text).table("").Bytes())
		got, err := f.Get(pdf.Ref{Number: 8})
		require.NoError(t, err, c.text)
		require.Equal(t, c.want, got, c.text)
		again := open(t, newBuilder().onePage().obj(8, string(pdf.AppendObject(nil, got))).table("").Bytes())
		back, err := again.Get(pdf.Ref{Number: 8})
		require.NoError(t, err, c.text)
		require.Equal(t, string(pdf.AppendObject(nil, got)), string(pdf.AppendObject(nil, back)), c.text)
	}
}

func TestBadObjects(t *testing.T) {
	for _, text := range []string{
		"[1", "<<", "(", "<", "<4x>", "tru", "nullx", "1x", "--1", "1.2.3", "+", ".", "<</A>>", "<<1 2>>", "<</A 1",
		"]", ">>", "}", "1 2", "", "R", "[1 R]", "@", strings.Repeat("7", 1_000_000),
	} {
		f := open(t, newBuilder().onePage().obj(8, text).table("").Bytes())
		_, err := f.Get(pdf.Ref{Number: 8})
		require.ErrorIs(t, err, pdf.ErrDamaged, "%.20s", text)
		var bad *pdf.MalformedError
		require.ErrorAs(t, err, &bad)
		require.Positive(t, bad.Offset)
		require.Contains(t, err.Error(), "damaged file at byte")
	}
}

func TestText(t *testing.T) {
	for in, want := range map[pdf.String]string{
		"": "", "abc": "abc", "\xfe\xff\x00A\x20\xac": "A€", "\xfe\xff\x00A\xd8": "A\ufffd", "\xfe\xff\xd8\x00\x00A": "\ufffdA",
		"\xef\xbb\xbfé": "é", "\xef\xbb\xbf\xff": "\ufffd", "caf\xe9 \x80\xa0\x1f": "café •€˜", "\x7f\xad\x9f": "\ufffd\ufffd\ufffd",
		"\x9e": "ž",
	} {
		require.Equal(t, want, in.Text(), "%q", string(in))
	}
	for _, s := range []string{"", "abc", "Meterai Rp10.000 €", "😀"} {
		require.Equal(t, s, pdf.TextString(s).Text())
	}
}

func TestTypedReads(t *testing.T) {
	f := open(t, newBuilder().onePage().obj(8, "[1 2.0 2.5 /N (s) true 9 0 R 10 0 R]").obj(9, "8 0 R").obj(10, "10 0 R").table("").Bytes())
	a, err := f.Array(pdf.Ref{Number: 9})
	require.NoError(t, err)
	require.Len(t, a, 8)
	for i, want := range []int64{1, 2} {
		n, err := f.Int(a[i])
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	v, err := f.Number(a[2])
	require.NoError(t, err)
	require.Equal(t, 2.5, v)
	for _, read := range []func() error{
		func() error { _, err := f.Int(a[2]); return err },
		func() error { _, err := f.Number(a[3]); return err },
		func() error { _, err := f.Dict(a[3]); return err },
		func() error { _, err := f.Array(a[0]); return err },
		func() error { _, err := f.Name(a[4]); return err },
		func() error { _, err := f.Text(a[5]); return err },
		func() error { _, err := f.Bool(a[4]); return err },
		func() error { _, err := f.Stream(a[4]); return err },
		func() error { _, err := f.Resolve(a[7]); return err },
	} {
		require.ErrorIs(t, read(), pdf.ErrDamaged)
	}
	d, err := f.Dict(nil)
	require.NoError(t, err)
	require.Nil(t, d)
}

func TestDuplicates(t *testing.T) {
	data := newBuilder().onePage().obj(8, "<</A 1/B<</C 1/C null>>/A 2>>").table("/Size 9").Bytes()
	f := open(t, data)
	dups, err := f.Duplicates(pdf.Ref{Number: 8})
	require.NoError(t, err)
	require.Len(t, dups, 2)
	require.Equal(t, pdf.Name("C"), dups[0].Key)
	require.Equal(t, pdf.Name("A"), dups[1].Key)
	require.True(t, bytes.HasPrefix(data[dups[1].Offset:], []byte("/A 2")))
	dups, err = f.Duplicates(pdf.Ref{})
	require.NoError(t, err)
	require.Equal(t, pdf.Name("Size"), dups[0].Key)
	o, err := f.Get(pdf.Ref{Number: 8})
	require.NoError(t, err)
	require.Equal(t, pdf.Integer(2), o.(pdf.Dict)["A"])
}

// What cannot be decrypted is there as it stands in the file.
func TestEncrypted(t *testing.T) {
	k := newLock(t, 2, "V2")
	k.entries["U"] = hexText(strings.Repeat("u", 32))
	b := newBuilder().onePage().obj(8, k.dict()).obj(9, "(secret)").objStm(10, map[int]string{11: "1"})
	f := open(t, b.xrefStream(12, "/Encrypt 8 0 R/ID[<01><01>]").Bytes())
	require.True(t, f.Encrypted())
	_, err := f.Encryption()
	require.ErrorIs(t, err, pdf.ErrEncrypted)
	stm, err := f.Stream(pdf.Ref{Number: 4})
	require.NoError(t, err)
	_, err = f.Decode(stm)
	require.ErrorIs(t, err, pdf.ErrEncrypted)
	_, err = f.Get(pdf.Ref{Number: 11})
	require.ErrorIs(t, err, pdf.ErrEncrypted)
	_, err = f.Text(pdf.Ref{Number: 9})
	require.ErrorIs(t, err, pdf.ErrEncrypted)
	raw, err := f.String(pdf.Ref{Number: 9})
	require.NoError(t, err)
	require.Equal(t, pdf.String("secret"), raw)

	u := pdf.NewUpdate(f)
	u.Add(pdf.Array{pdf.Dict{"A": pdf.String("plain")}})
	_, err = u.Bytes()
	require.ErrorIs(t, err, pdf.ErrEncrypted)
	u = pdf.NewUpdate(f)
	u.Add(pdf.Integer(1))
	tail, err := u.Bytes()
	require.NoError(t, err)
	require.Contains(t, string(tail), "/Encrypt 8 0 R/ID[<01> <")
}
