package pdf_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
)

// referencesIn lists the references in an object that was read, with their keys.
func referencesIn(o pdf.Object, key pdf.Name) (out []string) {
	switch v := o.(type) {
	case pdf.Ref:
		return []string{fmt.Sprintf("%v %s", v, key)}
	case pdf.Array:
		for _, e := range v {
			out = append(out, referencesIn(e, key)...)
		}
	case pdf.Dict:
		for k, e := range v {
			out = append(out, referencesIn(e, k)...)
		}
	}
	return out
}

// sameReferences holds References against Read for every object of a file, and
// says how many of them it did.
func sameReferences(t testing.TB, b []byte) (done int) {
	f, err := pdf.Open(bytes.NewReader(b), int64(len(b)), nil)
	if err != nil {
		return 0
	}
	revs, err := f.Revisions()
	if err != nil {
		return 0
	}
	for i := range revs {
		changed, err := f.Changed(i)
		if err != nil {
			return done
		}
		for _, ch := range changed {
			var got []string
			n, ok := f.References(ch.Ref, func(to pdf.Ref, key pdf.Name) { got = append(got, fmt.Sprintf("%v %s", to, key)) })
			if !ok {
				require.Empty(t, got)
				continue
			}
			o, dups, err := f.Read(ch.Ref)
			require.NoError(t, err)
			require.Empty(t, dups)
			want := referencesIn(o, "")
			slices.Sort(got)
			slices.Sort(want)
			require.Equal(t, want, got, "object %v", ch.Ref)
			require.Positive(t, n)
			done++
		}
	}
	return done
}

func TestReferences(t *testing.T) {
	done := 0
	for _, f := range pdfs.Files() {
		done += sameReferences(t, f.Bytes())
	}
	require.Greater(t, done, 100)
}

func TestReferencesOfOddObjects(t *testing.T) {
	many := ""
	for i := range 40 {
		many += fmt.Sprintf("/K%d %d 0 R ", i, i+1)
	}
	for _, c := range []struct {
		body string
		want []string
		ok   bool
	}{
		{"<< /A 5 0 R /B [6 0 R << /C 7 0 R >> 8 0 R] /D << /E [[9 0 R]] >> >>", []string{"5 A", "6 B", "7 C", "8 B", "9 E"}, true},
		{"6  0  R", []string{"6 "}, true},
		{"[1 0 R (2 0 R) <33> /4 %5 0 R\n 6 0 R]", []string{"1 ", "6 "}, true},
		{"<< /A#42 5 0 R >>", []string{"5 AB"}, true},
		{"<< /A null >>", nil, true},
		{"<< /A 5 0 R /A 6 0 R >>", nil, false},
		{"<< /A null /A 6 0 R >>", nil, false},
		{"<< /AB 5 0 R /A#42 6 0 R >>", nil, false},
		{"<<" + many + ">>", nil, false},
		{"<< /A 5 0 R", nil, false},
		{"<< /A 5 0 R /B >>", nil, false},
		{"<< /A 5 0 R >> 7", nil, false},
		{"<< /A 5 0 R /Length 3 >>\nstream\nabc\nendstream", nil, false},
		{strings.Repeat("[", 1000), nil, false},
	} {
		b := newBuilder().obj(1, "<< /Type /Catalog /Pages 2 0 R >>").obj(2, "<< /Type /Pages /Kids [] /Count 0 >>").obj(3, c.body)
		file := b.table("/Root 1 0 R").Bytes()
		f, err := pdf.Open(bytes.NewReader(file), int64(len(file)), nil)
		require.NoError(t, err)
		var got []string
		_, ok := f.References(pdf.Ref{Number: 3}, func(to pdf.Ref, key pdf.Name) { got = append(got, fmt.Sprintf("%d %s", to.Number, key)) })
		require.Equal(t, c.ok, ok, c.body)
		require.Equal(t, c.want, got, c.body)
	}
}

func FuzzReferences(f *testing.F) {
	for _, body := range []string{"<< /A 5 0 R /B [6 0 R << /C 7 0 R >>] >>", "<< /A 5 0 R /A#41 6 0 R >>", "[(a) <62> 1 0 R]", "<< /A null /A 1 0 R >>"} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b := newBuilder().obj(1, "<< /Type /Catalog /Pages 2 0 R >>").obj(2, "<< /Type /Pages /Kids [] /Count 0 >>").obj(3, string(body))
		sameReferences(t, b.table("/Root 1 0 R").Bytes())
	})
}
