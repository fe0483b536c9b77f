package verify_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/verify"
)

// tally counts what is read.
type tally struct {
	r            io.ReaderAt
	calls, bytes int64
	onCall       func(n int64)
}

func (c *tally) ReadAt(p []byte, off int64) (int, error) {
	c.calls++
	if c.onCall != nil {
		c.onCall(c.calls)
	}
	n, err := c.r.ReadAt(p, off)
	c.bytes += int64(n)
	return n, err
}

// signedOften makes a document with n signatures, each over all before it.
func signedOften(t testing.TB, w *world, n int) []byte {
	doc := plain("x", 1, 1<<20)
	for i := range n {
		doc = w.sign(t, doc, job{field: fmt.Sprintf("S%d", i), rect: num(0, 0, 0, 0)})
	}
	return doc
}

// TestLinearInSignatures: however many signatures nest, the file is hashed once: a
// signature more costs what its own revision has, and not the megabyte before it
// again. METERAI_SIGNATURES=1000 is the largest number that is looked at.
func TestLinearInSignatures(t *testing.T) {
	w := newWorld(t)
	many := 60
	if n, err := strconv.Atoi(os.Getenv("METERAI_SIGNATURES")); err == nil && n > 20 {
		many = n
	}
	var at, read, size []int64
	for _, n := range []int{1, 20, many} {
		doc := signedOften(t, w, n)
		c := &tally{r: bytes.NewReader(doc)}
		r, err := verify.Document(context.Background(), c, int64(len(doc)), w.opt)
		require.NoError(t, err)
		require.Len(t, r.Signatures, n)
		require.Equal(t, verify.TotalPassed, r.Indication)
		t.Logf("%d signatures: of %d bytes %d are read in %d calls", n, len(doc), c.bytes, c.calls)
		at, read, size = append(at, int64(n)), append(read, c.bytes), append(size, int64(len(doc)))
	}
	for i := 1; i < len(at); i++ {
		more, own := (read[i]-read[i-1])/(at[i]-at[i-1]), (size[i]-size[i-1])/(at[i]-at[i-1])
		require.Less(t, more, 16*own, "bytes read for a signature more, whose revision has %d", own)
	}
}

// TestCancelledSoon: a context that ends at any read ends the call after a few
// reads more, whatever it is at: tables, objects, hashing, revisions.
func TestCancelledSoon(t *testing.T) {
	w := newWorld(t)
	doc := signedOften(t, w, 12)
	doc = update(t, doc, func(u *pdf.Update, f *pdf.File) { addDSS(t, u, f) })
	whole := &tally{r: bytes.NewReader(doc)}
	_, err := verify.Document(context.Background(), whole, int64(len(doc)), w.opt)
	require.NoError(t, err)
	step := max(1, whole.calls/60)
	most := int64(0)
	for k := int64(1); k < whole.calls; k += step {
		ctx, cancel := context.WithCancel(context.Background())
		c := &tally{r: bytes.NewReader(doc), onCall: func(n int64) {
			if n == k {
				cancel()
			}
		}}
		r, err := verify.Document(ctx, c, int64(len(doc)), w.opt)
		cancel()
		require.ErrorIs(t, err, context.Canceled, "at read %d of %d", k, whole.calls)
		require.Nil(t, r)
		most = max(most, c.calls-k)
	}
	t.Logf("%d reads in all, at most %d after the end", whole.calls, most)
	require.LessOrEqual(t, most, int64(readsAfterEnd))
}

// readsAfterEnd is how many reads may follow the end of the context: what one
// object and the tables before it take.
const readsAfterEnd = 64

// twofaced gives other bytes when it is read again.
type twofaced struct {
	mu    sync.Mutex
	a, b  []byte
	reads map[int64]bool
}

func (r *twofaced) ReadAt(p []byte, off int64) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	from := r.a
	if r.reads[off] {
		from = r.b
	}
	r.reads[off] = true
	return bytes.NewReader(from).ReadAt(p, off)
}

// stuck gives nothing and no error, for ever.
type stuck struct{ n atomic.Int64 }

func (s *stuck) ReadAt([]byte, int64) (int, error) { s.n.Add(1); return 0, nil }

func TestLinesReaders(t *testing.T) {
	w := newWorld(t)
	good := w.stamped(t)
	size := int64(len(good))
	t.Run("differs on a second read", func(t *testing.T) {
		bad := bytes.Replace(good, []byte("(agreement)"), []byte("(agreemint)"), 1)
		require.NotEqual(t, good, bad)
		r, err := verify.Document(context.Background(), &twofaced{a: good, b: bad, reads: map[int64]bool{}}, size, w.opt)
		require.True(t, err != nil || r.Indication == verify.TotalFailed, "what is hashed is what counts")
	})
	t.Run("gives nothing for ever", func(t *testing.T) {
		s := &stuck{}
		_, err := verify.Document(context.Background(), s, size, w.opt)
		require.Error(t, err)
		require.Less(t, s.n.Load(), int64(200))
	})
	t.Run("shorter than it says", func(t *testing.T) {
		_, err := verify.Document(context.Background(), bytes.NewReader(good[:size/2]), size, w.opt)
		require.Error(t, err)
	})
	t.Run("of no size and of a negative one", func(t *testing.T) {
		for _, n := range []int64{0, -1, -1 << 63} {
			r, err := verify.Document(context.Background(), bytes.NewReader(nil), n, w.opt)
			require.True(t, err != nil || r.Indication == verify.Unreadable)
		}
	})
	t.Run("of 2^63 bytes", func(t *testing.T) {
		_, err := verify.Document(context.Background(), bytes.NewReader(good), 1<<63-1, w.opt)
		require.Error(t, err)
	})
	t.Run("context cancelled before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		c := &tally{r: bytes.NewReader(good)}
		_, err := verify.Document(ctx, c, size, w.opt)
		require.ErrorIs(t, err, context.Canceled)
		require.LessOrEqual(t, c.calls, int64(readsAfterEnd))
	})
}

// TestHostileContentsAreCheap: what a container of megabytes costs, as memory. The
// signature is good but for it.
func TestHostileContentsAreCheap(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		unit []byte
		n    int
	}{
		"8 MB of BER nesting":                  {[]byte("3080"), 4 << 20},
		"3.9 MB of BER nesting":                {[]byte("3080"), 1950 << 10},
		"4 MB of indefinite lengths, in order": {[]byte("30800000"), 1 << 20},
		"4 MB of constructed strings":          {[]byte("2480"), 2 << 20},
		"4 MB of zeros":                        {[]byte("0000"), 2 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			contents := append(append([]byte("<"), bytes.Repeat(c.unit, c.n)...), '>')
			doc := withContents(t, w, contents)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := check(t, doc, w.opt)
			runtime.ReadMemStats(&after)
			require.Equal(t, verify.TotalFailed, r.Indication, r.Text())
			taken := after.TotalAlloc - before.TotalAlloc
			t.Logf("%d bytes of file, %d bytes taken: %s", len(doc), taken, r.Signatures[0].Reasons[0])
			require.Less(t, taken, uint64(16*len(doc)+(4<<20)))
		})
	}
}

// withContents makes a document whose signature has these /Contents, and a range
// that leaves out exactly them.
func withContents(t testing.TB, w *world, contents []byte) []byte {
	t.Helper()
	f := open(t, plain("x", 1, 0))
	u := pdf.NewUpdate(f)
	hole, ranges := &pdf.Reserved{Size: len(contents)}, &pdf.Reserved{Size: 60}
	v := u.Add(pdf.Dict{"Type": pdf.Name("Sig"), "Filter": pdf.Name("Adobe.PPKLite"), "SubFilter": pdf.Name("ETSI.CAdES.detached"),
		"Contents": hole, "ByteRange": ranges})
	addToForm(t, u, f, u.Add(pdf.Dict{"FT": pdf.Name("Sig"), "T": pdf.String("S"), "V": v}))
	tail, err := u.Bytes()
	require.NoError(t, err)
	doc := append(plain("x", 1, 0), tail...)
	copy(doc[hole.Offset:], contents)
	end := hole.Offset + int64(hole.Size)
	copy(doc[ranges.Offset:], fmt.Sprintf("[0 %d %d %d]", hole.Offset, end, int64(len(doc))-end))
	return doc
}
