package pdf_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
)

// formFile is a document with a form whose fields are the given objects, from
// object 10 on; top lists /Fields.
func formFile(top string, objects ...string) []byte {
	b := newBuilder().obj(1, "<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields ["+top+"]>>>>").obj(2, "<</Type/Pages/Kids[]/Count 0>>")
	for i, o := range objects {
		b.obj(10+i, o)
	}
	return b.table("").Bytes()
}

func listFields(f *pdf.File) ([]string, error) {
	var out []string
	err := f.Fields(func(fd *pdf.Field) error {
		var widgets []uint32
		for _, w := range fd.Widgets {
			widgets = append(widgets, w.Ref.Number)
		}
		out = append(out, fmt.Sprintf("%d %s %s %d %v %v <%d", fd.Ref.Number, fd.Name, fd.Type, fd.Flags, fd.Value, widgets, fd.Parent.Number))
		return nil
	})
	return out, err
}

func TestFields(t *testing.T) {
	f := open(t, formFile("10 0 R 11 0 R 14 0 R 99 0 R 10 0 R 17 0 R",
		"<</T(merged)/FT/Sig/V 20 0 R/Subtype/Widget/Rect[0 0 1 1]>>", // 10
		"<</T(up)/FT/Tx/Ff 2/V(v)/Kids[12 0 R 13 0 R]>>",              // 11
		"<</T(a)/Kids[15 0 R 16 0 R]/Ff 4>>",                          // 12
		"<</T<FEFF20AC>/FT/Btn/V/On>>",                                // 13
		"<</T(bare)/FT/Sig>>",                                         // 14
		"<</Subtype/Widget/Parent 12 0 R>>",                           // 15
		"<</Subtype/Widget/Parent 12 0 R>>",                           // 16
		"<</T(mixed)/FT/Tx/Kids[18 0 R 19 0 R <</Subtype/Widget>>]>>", // 17
		"<</Subtype/Widget>>",                                         // 18
		"<</T(sub)/Subtype/Widget>>",                                  // 19
		"<</Type/Sig>>"))                                              // 20
	got, err := listFields(f)
	require.NoError(t, err)
	require.Equal(t, []string{
		"10 merged Sig 0 20 0 R [10] <0",
		"12 up.a Tx 4 v [15 16] <11",
		"13 up.€ Btn 2 On [] <11",
		"14 bare Sig 0 <nil> [] <0",
		"19 mixed.sub Tx 0 <nil> [19] <17",
		"17 mixed Tx 0 <nil> [18 0] <0",
	}, got)
	stop := errors.New("stop")
	require.ErrorIs(t, f.Fields(func(*pdf.Field) error { return stop }), stop)
}

func TestFieldsNoForm(t *testing.T) {
	got, err := listFields(open(t, samples()["table"]))
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestFieldsCyclic(t *testing.T) {
	for name, objects := range map[string][]string{
		"self":       {"<</T(a)/Kids[10 0 R]>>"},
		"two-cycle":  {"<</T(a)/Kids[11 0 R]>>", "<</T(b)/Kids[10 0 R]>>"},
		"fields too": {"<</T(a)/Kids[10 0 R 10 0 R 10 0 R]>>"},
	} {
		_, err := listFields(open(t, formFile("10 0 R", objects...)))
		require.ErrorIs(t, err, pdf.ErrDamaged, name)
	}
}

func TestFieldsDeep(t *testing.T) {
	var objects []string
	for i := range 400 {
		objects = append(objects, fmt.Sprintf("<</T(f)/Kids[%d 0 R]>>", 11+i))
	}
	_, err := listFields(open(t, formFile("10 0 R", objects...)))
	var limit *pdf.LimitError
	require.ErrorAs(t, err, &limit)
	require.Equal(t, "Nesting", limit.Limit)
}

// TestFieldsWide has 100,000 signature fields, which is within the limits.
func TestFieldsWide(t *testing.T) {
	const n = 100_000
	var top strings.Builder
	objects := make([]string, n)
	for i := range n {
		fmt.Fprintf(&top, "%d 0 R ", 10+i)
		objects[i] = "<</T(f)/FT/Sig>>"
	}
	data := formFile(top.String(), objects...)
	within(t, func() {
		count := 0
		f := open(t, data)
		require.NoError(t, f.Fields(func(*pdf.Field) error { count++; return nil }))
		require.Equal(t, n, count)
	})
	f, err := pdf.Open(strings.NewReader(string(data)), int64(len(data)), &pdf.Options{Limits: &pdf.Limits{Fields: 1000}})
	require.NoError(t, err)
	var limit *pdf.LimitError
	require.ErrorAs(t, f.Fields(func(*pdf.Field) error { return nil }), &limit)
	require.Equal(t, "Fields", limit.Limit)
}

func TestFieldsWrongTypes(t *testing.T) {
	for _, object := range []string{"[]", "<</T 5>>", "<</T(a)/FT(Sig)>>", "<</T(a)/Ff/X>>", "<</T(a)/Kids 7>>", "<</T(a)/Kids[7]>>"} {
		_, err := listFields(open(t, formFile("10 0 R", object)))
		require.ErrorIs(t, err, pdf.ErrDamaged, object)
	}
}

func TestFieldsEncrypted(t *testing.T) {
	b := newBuilder().obj(1, "<</Type/Catalog/AcroForm<</Fields[<</T(ab)/FT/Sig>>]>>>>").obj(2, "<</Filter/Standard>>")
	got, err := listFields(open(t, b.table("/Encrypt 2 0 R").Bytes()))
	require.NoError(t, err)
	require.Equal(t, []string{"0 6162 Sig 0 <nil> [] <0"}, got)
}
