package pdf_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
)

func requireLimit(t *testing.T, err error, name string) {
	t.Helper()
	var limit *pdf.LimitError
	require.ErrorAs(t, err, &limit)
	require.Equal(t, name, limit.Limit)
}

func TestHostileObjects(t *testing.T) {
	const million = 1_000_000
	for name, c := range map[string]struct{ body, limit string }{
		"nested arrays":         {strings.Repeat("[", million), "Nesting"},
		"nested closed arrays":  {strings.Repeat("[", million) + strings.Repeat("]", million), "Nesting"},
		"nested dictionaries":   {strings.Repeat("<</A", million), "Nesting"},
		"mixed nesting":         {strings.Repeat("[<</A", million), "Nesting"},
		"long name":             {"/" + strings.Repeat("A", 10*million), "NameBytes"},
		"many elements":         {"[" + strings.Repeat("1 ", 2*million) + "]", "Elements"},
		"many empty arrays":     {"[" + strings.Repeat("[]", 2*million) + "]", "Elements"},
		"long number":           {strings.Repeat("9", million), ""},
		"unterminated string":   {"(" + strings.Repeat("(", million), ""},
		"unterminated hex":      {"<" + strings.Repeat("a", million), ""},
		"string with backslash": {"(abc\\", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := open(t, newBuilder().onePage().obj(8, c.body).table("").Bytes())
			within(t, func() {
				_, err := f.Get(pdf.Ref{Number: 8})
				if c.limit != "" {
					requireLimit(t, err, c.limit)
				} else {
					require.ErrorIs(t, err, pdf.ErrDamaged)
				}
				_, err = f.Locate(pdf.Ref{Number: 8}, "A")
				requireRefused(t, err)
				_, _, err = f.ObjectSpan(pdf.Ref{Number: 8})
				requireRefused(t, err)
			})
		})
	}
}

func TestObjectBytesLimit(t *testing.T) {
	data := newBuilder().onePage().obj(8, "("+strings.Repeat("x", 100_000)+")").table("").Bytes()
	f, err := pdf.Open(bytes.NewReader(data), int64(len(data)), &pdf.Options{Limits: &pdf.Limits{ObjectBytes: 50_000}})
	require.NoError(t, err)
	_, err = f.Get(pdf.Ref{Number: 8})
	requireLimit(t, err, "ObjectBytes")
	s, err := open(t, data).String(pdf.Ref{Number: 8})
	require.NoError(t, err)
	require.Len(t, string(s), 100_000)
}

func TestReferenceChain(t *testing.T) {
	b := newBuilder().onePage().obj(8, "9 0 R").obj(9, "8 0 R")
	for n := range 31 {
		b.obj(10+n, fmt.Sprintf("%d 0 R", 11+n))
	}
	f := open(t, b.obj(41, "7").table("").Bytes())
	_, err := f.Resolve(pdf.Ref{Number: 8})
	require.ErrorIs(t, err, pdf.ErrDamaged)
	n, err := f.Int(pdf.Ref{Number: 10})
	require.NoError(t, err)
	require.Equal(t, int64(7), n)
}

// packed is a file with an object stream, number 8, of any dictionary and data
// that is to hold object 9.
func packed(entries, data string) []byte {
	b := newBuilder().onePage().stream(8, entries, []byte(data))
	b.places[9] = place{2, 8, 0}
	return b.xrefStream(10, "").Bytes()
}

func TestHostileObjectStreams(t *testing.T) {
	get := func(data []byte) error {
		_, err := open(t, data).Get(pdf.Ref{Number: 9})
		return err
	}
	require.NoError(t, get(packed("/Type/ObjStm/N 1/First 4", "9 0 true")))
	require.NoError(t, get(packed("/Type/ObjStm/N 1/First 4/Extends 8 0 R", "9 0 true")))
	for name, data := range map[string][]byte{
		"N 2^31":         packed("/Type/ObjStm/N 2147483648/First 4", "9 0 true"),
		"N negative":     packed("/Type/ObjStm/N -1/First 4", "9 0 true"),
		"N 0":            packed("/Type/ObjStm/N 0/First 4", "9 0 true"),
		"N missing":      packed("/Type/ObjStm/First 4", "9 0 true"),
		"N of itself":    packed("/Type/ObjStm/N 9 0 R/First 4", "9 0 true"),
		"First beyond":   packed("/Type/ObjStm/N 1/First 400", "9 0 true"),
		"First negative": packed("/Type/ObjStm/N 1/First -4", "9 0 true"),
		"First 2^63":     packed("/Type/ObjStm/N 1/First 9223372036854775807", "9 0 true"),
		"offset beyond":  packed("/Type/ObjStm/N 1/First 5", "9 99 true"),
		"other object":   packed("/Type/ObjStm/N 1/First 4", "7 0 true"),
		"no numbers":     packed("/Type/ObjStm/N 1/First 4", "a b true"),
		"another type":   packed("/Type/Other/N 1/First 4", "9 0 true"),
		"bad object":     packed("/Type/ObjStm/N 1/First 4", "9 0 [1"),
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func() { requireRefused(t, get(data)) })
		})
	}
	_, err := open(t, packed("/Type/ObjStm/N 1/First 4", "9 0 9 0 R")).Resolve(pdf.Ref{Number: 9})
	require.ErrorIs(t, err, pdf.ErrDamaged)
	// An object stream inside an object stream, and one inside itself.
	b := newBuilder().onePage()
	b.objStm(8, map[int]string{9: "1"})
	b.places[11] = place{2, 9, 0}
	b.places[12] = place{2, 12, 0}
	f := open(t, b.xrefStream(13, "").Bytes())
	for _, n := range []uint32{11, 12} {
		_, err := f.Get(pdf.Ref{Number: n})
		require.ErrorIs(t, err, pdf.ErrDamaged)
		_, _, err = f.ObjectSpan(pdf.Ref{Number: n})
		require.ErrorIs(t, err, pdf.ErrDamaged)
	}
}

// TestObjectStreamLengthLoop has an object stream whose length lies in itself.
func TestObjectStreamLengthLoop(t *testing.T) {
	b := newBuilder().onePage().obj(8, "<</Type/ObjStm/N 1/First 4/Length 9 0 R>>\nstream\n9 0 8\nendstream")
	b.places[9] = place{2, 8, 0}
	f := open(t, b.xrefStream(10, "").Bytes())
	_, err := f.Get(pdf.Ref{Number: 9})
	require.ErrorIs(t, err, pdf.ErrDamaged)
}

// TestDecodedBytesLimit asks for objects of many object streams in turn.
func TestDecodedBytesLimit(t *testing.T) {
	b := newBuilder().onePage()
	for n := range 40 {
		b.objStm(10+n, map[int]string{100 + n: "(" + strings.Repeat("a", 10_000) + ")"})
	}
	data := b.xrefStream(200, "").Bytes()
	f, err := pdf.Open(bytes.NewReader(data), int64(len(data)), &pdf.Options{Limits: &pdf.Limits{DecodedBytes: 1_000_000}})
	require.NoError(t, err)
	for i := 0; err == nil && i < 1000; i++ {
		_, err = f.Get(pdf.Ref{Number: uint32(100 + i%40)})
	}
	requireLimit(t, err, "DecodedBytes")
}

func TestHostileFilters(t *testing.T) {
	const max = 1_000_000
	decode := func(entries string, data []byte) ([]byte, error) {
		b := newBuilder().onePage().stream(8, entries, data).table("").Bytes()
		f, err := pdf.Open(bytes.NewReader(b), int64(len(b)), &pdf.Options{Limits: &pdf.Limits{StreamBytes: max}})
		require.NoError(t, err)
		s, err := f.Stream(pdf.Ref{Number: 8})
		require.NoError(t, err)
		return f.Decode(s)
	}
	bomb := deflate(make([]byte, 20*max))
	runs := bytes.Repeat([]byte{129, 'a'}, 10_000)
	for name, c := range map[string]struct {
		entries string
		data    []byte
		limit   string
	}{
		"flate bomb":      {"/Filter/FlateDecode", bomb, "StreamBytes"},
		"stacked bomb":    {"/Filter[/FlateDecode/FlateDecode]", deflate(bomb), "StreamBytes"},
		"run length bomb": {"/Filter/RunLengthDecode", runs, "StreamBytes"},
		"85 bomb":         {"/Filter/ASCII85Decode", bytes.Repeat([]byte("z"), max/2), "StreamBytes"},
		"lzw bomb":        {"/Filter[/FlateDecode/LZWDecode]", deflate(lzwRuns(1_500)), "StreamBytes"},
		"raw too long":    {"", make([]byte, max+1), "StreamBytes"},
		"twenty filters":  {"/Filter[" + strings.Repeat("/FlateDecode", 20) + "]", nil, "Filters"},
		"columns 2^31":    {"/Filter/FlateDecode/DecodeParms<</Predictor 12/Columns 2147483648>>", deflate(nil), ""},
		"columns 2^29":    {"/Filter/FlateDecode/DecodeParms<</Predictor 12/Columns 536870912>>", deflate(nil), "Columns"},
		"colors 2^30":     {"/Filter/FlateDecode/DecodeParms<</Predictor 12/Colors 1073741824>>", deflate(nil), ""},
		"colors 0":        {"/Filter/FlateDecode/DecodeParms<</Predictor 12/Colors 0>>", deflate(nil), ""},
		"bits 7":          {"/Filter/FlateDecode/DecodeParms<</Predictor 2/BitsPerComponent 7>>", deflate(nil), ""},
		"predictor 9":     {"/Filter/FlateDecode/DecodeParms<</Predictor 9>>", deflate(nil), ""},
		"png filter 5":    {"/Filter/FlateDecode/DecodeParms<</Predictor 15>>", deflate([]byte{5, 0}), ""},
		"flate cut":       {"/Filter/FlateDecode", deflate([]byte("hello"))[:6], ""},
		"flate no header": {"/Filter/FlateDecode", []byte("hello"), ""},
		"flate empty":     {"/Filter/FlateDecode", nil, ""},
		"hex":             {"/Filter/ASCIIHexDecode", []byte("4x>"), ""},
		"85 one digit":    {"/Filter/ASCII85Decode", []byte("!~>"), ""},
		"85 too large":    {"/Filter/ASCII85Decode", []byte("uuuuu~>"), ""},
		"85 bad":          {"/Filter/ASCII85Decode", []byte("v~>"), ""},
		"run length cut":  {"/Filter/RunLengthDecode", []byte{5, 'a'}, ""},
		"run length cut2": {"/Filter/RunLengthDecode", []byte{200}, ""},
		"lzw bad code":    {"/Filter/LZWDecode", []byte{0xff, 0xff}, ""},
		"filter a number": {"/Filter 5", nil, ""},
		"parms a number":  {"/Filter/FlateDecode/DecodeParms 5", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func() {
				before := heap()
				_, err := decode(c.entries, c.data)
				if c.limit != "" {
					requireLimit(t, err, c.limit)
				} else {
					require.ErrorIs(t, err, pdf.ErrDamaged)
				}
				require.Less(t, heap()-before, int64(20*max))
			})
		})
	}
	for _, entries := range []string{"/Filter/Crypt/DecodeParms<</Name/Mine>>", "/Filter/DCTDecode", "/F(other)", "/Filter/" + strings.Repeat("x", 9999)} {
		_, err := decode(entries, nil)
		var unsupported *pdf.UnsupportedError
		require.ErrorAs(t, err, &unsupported)
		require.Less(t, len(err.Error()), 200)
	}
	for _, entries := range []string{"", "/Filter/Crypt", "/Filter[/Crypt]/DecodeParms[<</Name/Identity>>]", "/Filter[]", "/Filter null"} {
		got, err := decode(entries, []byte("abc"))
		require.NoError(t, err)
		require.Equal(t, "abc", string(got))
	}
}

// TestKidsOfOneLargeObject has a tree whose kids are one large object over and
// over.
func TestKidsOfOneLargeObject(t *testing.T) {
	data := treeFile("<</Type/Pages/Count 8000000/Kids["+strings.Repeat("3 0 R ", 100_000)+"]>>",
		"<</Type/Pages/Count 1/X("+strings.Repeat("x", 1_000_000)+")>>")
	f, err := pdf.Open(bytes.NewReader(data), int64(len(data)), &pdf.Options{Limits: &pdf.Limits{WalkBytes: 10_000_000}})
	require.NoError(t, err)
	within(t, func() {
		_, err := f.Page(4_000_000)
		requireLimit(t, err, "WalkBytes")
		require.True(t, errors.Is(f.Pages(func(*pdf.Page) error { return nil }), pdf.ErrDamaged))
	})
}
