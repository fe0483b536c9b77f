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

// TestRepairTruncated breaks files off at every byte and changes every byte.
func TestRepairTruncated(t *testing.T) {
	for name, data := range samples() {
		try := func(bad []byte) {
			f, err := openBy(bad, pdf.RepairDamaged)
			var unsupported *pdf.UnsupportedError
			if err == nil {
				_ = readAll(f)
			} else if !errors.As(err, &unsupported) {
				requireRefused(t, err)
			}
		}
		for i := range len(data) {
			try(data[:i])
			bad := bytes.Clone(data)
			bad[i] ^= 0x15
			try(bad)
		}
		_, err := openBy(data, pdf.RepairDamaged)
		require.NoError(t, err, name)
	}
}

// sums counts what is read.
type sums struct {
	sparse
	calls, bytes int64
}

func (r *sums) ReadAt(b []byte, off int64) (int, error) {
	r.calls++
	r.bytes += int64(len(b))
	return r.sparse.ReadAt(b, off)
}

// TestRepairSparse has a gigabyte of zeros between an object and the others: it is
// passed over once and not held.
func TestRepairSparse(t *testing.T) {
	const gib = 1 << 30
	text := newBuilder().onePage().String()
	at := strings.Index(text, "3 0 obj")
	r := &sums{sparse: sparse{0: text[:at], gib: text[at:]}}
	size := int64(gib + len(text) - at)
	before := heap()
	f, err := pdf.Open(r, size, &pdf.Options{Repair: pdf.RepairDamaged})
	require.NoError(t, err)
	_, err = f.Page(1)
	require.NoError(t, err)
	require.Less(t, heap()-before, int64(1<<20))
	require.Less(t, r.bytes, size+size/50)
	u := pdf.NewUpdate(f)
	u.Add(pdf.Integer(1))
	_, err = u.Bytes()
	require.NoError(t, err)
}

// count counts what is read of a file in memory.
type count struct {
	*bytes.Reader
	calls, bytes int64
}

func (r *count) ReadAt(b []byte, off int64) (int, error) {
	r.calls++
	r.bytes += int64(len(b))
	return r.Reader.ReadAt(b, off)
}

// TestRepairIsLinear reads hostile files of two sizes: what is read grows as they
// do, and the memory too.
func TestRepairIsLinear(t *testing.T) {
	good := newBuilder().onePage().String()
	for name, part := range map[string]string{
		"headers":           "1 0 obj\n",
		"headers in arrays": "[1 0 obj",
		"open strings":      "9 0 obj (",
		"open arrays":       "9 0 obj [[",
		"open streams":      "9 0 obj<</Length 9>>stream\n",
		"wrong lengths":     "9 0 obj<</Length 99>>stream\nendstream\n",
		"own lengths":       "9 0 obj<</Length 9 0 R>>stream\nendstream\n",
		"trailers":          "trailer<</Root 1 0 R>>\n",
		"open trailers":     "trailer<<",
		"catalogs":          "1 0 obj<</Type/Catalog>>endobj\n",
		"ends":              "9 0 obj 1 endobj %%EOF\n",
		"object streams":    "9 0 obj<</Type/ObjStm/N 1/First 4/Length 4>>stream\n1 0 \nendstream endobj\n",
	} {
		t.Run(name, func(t *testing.T) {
			var used [2]int64
			for i, n := range []int{10_000, 20_000} {
				data := []byte(good + strings.Repeat(part, n))
				r := &count{Reader: bytes.NewReader(data)}
				before := heap()
				_, err := pdf.Open(r, int64(len(data)), &pdf.Options{Repair: pdf.RepairAlways})
				used[i] = heap() - before
				if err != nil {
					var limit *pdf.LimitError
					require.True(t, errors.As(err, &limit) || errors.Is(err, pdf.ErrDamaged), "%v", err)
				}
				require.Less(t, r.bytes, 100*int64(len(data))+1<<20)
			}
			require.Less(t, used[1], 3*used[0]+1<<20)
		})
	}
}

// hugeTree has 100,000 pages: flat, or in nodes of 100 kids each.
func hugeTree(flat bool) []byte {
	const n = 100_000
	page := "<</Type/Page/MediaBox[0 0 9 9]/Parent %d 0 R>>"
	kids := func(first, count int) string {
		var b strings.Builder
		for i := range count {
			fmt.Fprintf(&b, "%d 0 R ", first+i)
		}
		return b.String()
	}
	if flat {
		objects := []string{fmt.Sprintf("<</Type/Pages/Count %d/Kids[%s]>>", n, kids(3, n))}
		for range n {
			objects = append(objects, fmt.Sprintf(page, 2))
		}
		return treeFile(objects...)
	}
	objects := []string{fmt.Sprintf("<</Type/Pages/Count %d/Kids[%s]>>", n, kids(3, 10))}
	for i := range 10 {
		objects = append(objects, fmt.Sprintf("<</Type/Pages/Parent 2 0 R/Count 10000/Kids[%s]>>", kids(13+100*i, 100)))
	}
	for i := range 1000 {
		objects = append(objects, fmt.Sprintf("<</Type/Pages/Parent %d 0 R/Count 100/Kids[%s]>>", 3+i/100, kids(1013+100*i, 100)))
	}
	for i := range n {
		objects = append(objects, fmt.Sprintf(page, 13+i/100))
	}
	return treeFile(objects...)
}

// TestHugePageTree opens the third page and the last of 100,000 without a walk
// over the others.
func TestHugePageTree(t *testing.T) {
	for name, flat := range map[string]bool{"flat": true, "deep": false} {
		data := hugeTree(flat)
		for _, n := range []int{3, -1, 50_000} {
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				r := &count{Reader: bytes.NewReader(data)}
				before := heap()
				f, err := pdf.Open(r, int64(len(data)), nil)
				require.NoError(t, err)
				page, err := f.Page(n)
				require.NoError(t, err)
				require.Equal(t, (n+100_001)%100_001, page.Number%100_001)
				require.Less(t, r.calls, int64(500))
				require.Less(t, heap()-before, int64(16<<20))
			})
		}
		f, err := openBy(data[:bytes.LastIndex(data, []byte("startxref"))], pdf.RepairDamaged)
		require.NoError(t, err)
		page, err := f.Page(-1)
		require.NoError(t, err)
		require.Equal(t, 100_000, page.Number)
	}
}
