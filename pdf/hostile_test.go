package pdf_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
)

// within fails the test when work takes unreasonably long.
func within(t *testing.T, work func()) {
	t.Helper()
	start := time.Now()
	work()
	require.Less(t, time.Since(start), 10*time.Second)
}

// requireRefused wants one of the errors that speak of the file.
func requireRefused(t *testing.T, err error) {
	t.Helper()
	var limit *pdf.LimitError
	if !errors.As(err, &limit) && !errors.Is(err, pdf.ErrNotPDF) {
		require.ErrorIs(t, err, pdf.ErrDamaged)
	}
}

// readAll goes through everything of a file and returns the first error.
func readAll(f *pdf.File) error {
	var errs []error
	note := func(err error) { errs = append(errs, err) }
	note(f.Pages(func(p *pdf.Page) error { _, err := f.Annotations(p); return err }))
	_, err := f.Page(-1)
	note(err)
	note(f.Fields(func(*pdf.Field) error { return nil }))
	revisions, err := f.Revisions()
	note(err)
	for i := range revisions {
		changes, err := f.Changed(i)
		note(err)
		_, err = f.Oddities(i)
		note(err)
		for _, c := range changes {
			o, err := f.Get(c.Ref)
			note(err)
			if s, ok := o.(*pdf.Stream); ok {
				_, err = f.Decode(s)
				note(err)
			}
			if !c.Free {
				_, _, err = f.ObjectSpan(c.Ref)
				note(err)
			}
			if !c.Compressed {
				_, _ = f.Locate(c.Ref, "Type") // not every object has one
			}
		}
	}
	return errors.Join(errs...)
}

func TestHostileFrame(t *testing.T) {
	good := newBuilder().onePage().table("").String()
	xref := strings.Index(good, "xref\n")
	start := func(s string) string {
		return good[:strings.Index(good, "startxref")] + "startxref\n" + s + "\n%%EOF\n"
	}
	require.ErrorIs(t, openErr(nil), pdf.ErrNotPDF)
	for name, data := range map[string]string{
		"one byte":            "%",
		"no header":           good[9:],
		"header too late":     strings.Repeat(" ", 1020) + good,
		"header cut":          "%PDF-1",
		"bad version":         "%PDF-x.y" + good[8:],
		"no marker":           strings.TrimSuffix(good, "%%EOF\n"),
		"no startxref":        strings.Replace(good, "startxref", "startxxxx", 1),
		"startxref missing":   start(""),
		"startxref negative":  start("-5"),
		"startxref beyond":    start("99999"),
		"startxref huge":      start("99999999999999999999999999"),
		"startxref elsewhere": start("20"),
		"startxref inside":    start(fmt.Sprint(xref + 1)),
		"tail too far":        good + strings.Repeat(" ", 4000),
		"a million markers":   good + strings.Repeat("%%EOF\n", 1_000_000),
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func() { requireRefused(t, openErr([]byte(data))) })
		})
	}
}

func TestHostileTruncated(t *testing.T) {
	for name, data := range samples() {
		for i := range len(data) {
			f, err := pdf.Open(bytes.NewReader(data[:i]), int64(i), nil)
			if err == nil {
				_ = readAll(f) // an earlier revision, or but the last end of line missing
				continue
			}
			requireRefused(t, err)
		}
		for i := range data {
			bad := bytes.Clone(data)
			bad[i] ^= 0x15
			f, err := pdf.Open(bytes.NewReader(bad), int64(len(bad)), nil)
			var unsupported *pdf.UnsupportedError
			if err == nil {
				_ = readAll(f)
			} else if !errors.As(err, &unsupported) {
				requireRefused(t, err)
			}
		}
		require.NoError(t, readAll(open(t, data)), name)
	}
}

// sparse is a reader of zeros with some bytes at places.
type sparse map[int64]string

func (s sparse) ReadAt(b []byte, off int64) (int, error) {
	clear(b)
	for at, text := range s {
		for i := range len(text) {
			if k := at + int64(i) - off; k >= 0 && k < int64(len(b)) {
				b[k] = text[i]
			}
		}
	}
	return len(b), nil
}

func TestHostileSparse(t *testing.T) {
	const gib = 1 << 30
	within(t, func() {
		_, err := pdf.Open(sparse{0: "%PDF-1.7\n"}, gib, nil)
		requireRefused(t, err)
	})
	for _, at := range []int64{gib, 1<<31 + 5, 9_999_999_000, 10_000_000_000, 1 << 40} {
		tail := fmt.Sprintf("xref\n0 2\n0000000000 65535 f \n0000000009 00000 n \ntrailer\n<</Size 2/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", at)
		file := sparse{0: "%PDF-1.7\n1 0 obj\n<</Type/Catalog>>\nendobj\n", at: tail}
		before := heap()
		f, err := pdf.Open(file, at+int64(len(tail)), nil)
		require.NoError(t, err)
		_, err = f.Catalog()
		require.NoError(t, err)
		require.Less(t, heap()-before, int64(1<<20))
		u := pdf.NewUpdate(f)
		u.Add(pdf.Integer(1))
		_, err = u.Bytes()
		if at >= 9_999_999_999 {
			var limit *pdf.LimitError
			require.ErrorAs(t, err, &limit)
			continue
		}
		require.NoError(t, err)
	}
}

// heap returns the bytes allocated so far.
func heap() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.TotalAlloc)
}

func TestHostileReaders(t *testing.T) {
	data := samples()["table"]
	for n := range int64(len(data)) {
		_, err := pdf.Open(failing{bytes.NewReader(data), n, errors.New("disk gone")}, int64(len(data)), nil)
		require.ErrorContains(t, err, "disk gone")
		require.NotErrorIs(t, err, pdf.ErrDamaged)
	}
	_, err := pdf.Open(failing{bytes.NewReader(data), 0, nil}, int64(len(data)), nil)
	require.ErrorIs(t, err, io.ErrNoProgress)
	_, err = pdf.Open(bytes.NewReader(data), int64(len(data))+5, nil)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

// failing gives nothing from byte n on.
type failing struct {
	r   io.ReaderAt
	n   int64
	err error
}

func (r failing) ReadAt(b []byte, off int64) (int, error) {
	if off+int64(len(b)) <= r.n {
		return r.r.ReadAt(b, off)
	}
	return 0, r.err
}

// withTable is a file whose table is given, with its place.
func withTable(table, entries string) []byte {
	b := newBuilder().onePage()
	at := b.Len()
	fmt.Fprintf(b, "%strailer\n<<%s>>\nstartxref\n%d\n%%%%EOF\n", table, strings.ReplaceAll(entries, "SELF", fmt.Sprint(at)), at)
	return b.Bytes()
}

func TestHostileTable(t *testing.T) {
	b := newBuilder().onePage()
	var rows strings.Builder
	for n := range 5 {
		fmt.Fprintf(&rows, "%010d %05d %c \n", b.places[n].offset, map[bool]int{true: 65535}[n == 0], "fnnnn"[n])
	}
	good := "xref\n0 5\n" + rows.String()
	root := "/Size 5/Root 1 0 R"
	require.NoError(t, openErr(withTable(good, root)))
	for name, data := range map[string][]byte{
		"prev to itself":      withTable(good, root+"/Prev SELF"),
		"prev negative":       withTable(good, root+"/Prev -1"),
		"prev beyond":         withTable(good, root+"/Prev 99999"),
		"prev huge":           withTable(good, root+"/Prev 9223372036854775807"),
		"prev a name":         withTable(good, root+"/Prev/A"),
		"hybrid loop":         withTable(good, root+"/XRefStm SELF"),
		"hybrid elsewhere":    withTable(good, root+"/XRefStm 20"),
		"huge subsection":     withTable("xref\n0 4294967295\n"+rows.String(), root),
		"huge first":          withTable("xref\n4294967295 1\n"+rows.String(), root),
		"larger than file":    withTable("xref\n0 8000000\n"+rows.String(), root),
		"count too large":     withTable("xref\n0 6\n"+rows.String(), root),
		"count too small":     withTable("xref\n0 4\n"+rows.String(), root),
		"listed twice":        withTable(good+"3 1\n0000000015 00000 n \n", root),
		"subsections overlap": withTable(good+"4 2\n0000000015 00000 n \n0000000015 00000 n \n", root),
		"offset huge":         withTable("xref\n0 1\n99999999999999999999 00000 n \n", root),
		"generation huge":     withTable("xref\n0 2\n0000000000 65535 f \n0000000009 99999 n \n", root),
		"unknown kind":        withTable("xref\n0 1\n0000000000 00000 x \n", root),
		"size 0":              withTable(good, "/Size 0/Root 1 0 R"),
		"size -1":             withTable(good, "/Size -1/Root 1 0 R"),
		"size 2^31":           withTable(good, "/Size 2147483648/Root 1 0 R"),
		"size 2^63":           withTable(good, "/Size 9223372036854775808/Root 1 0 R"),
		"no size":             withTable(good, "/Root 1 0 R"),
		"no root":             withTable(good, "/Size 5"),
		"direct root":         withTable(good, "/Size 5/Root<<>>"),
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func() {
				before := heap()
				requireRefused(t, openErr(data))
				require.Less(t, heap()-before, int64(4<<20))
			})
		})
	}
}

func TestHostileEntries(t *testing.T) {
	b := newBuilder().onePage()
	row := func(off int) string { return fmt.Sprintf("%010d 00000 n \n", off) }
	at := b.places[2].offset
	for name, off := range map[string]int{"another object": at, "inside an object": at + 9, "beyond the end": 99999999, "at the header": 1} {
		f := open(t, withTable("xref\n0 2\n0000000000 65535 f \n"+row(off), "/Size 5/Root 1 0 R"))
		_, err := f.Catalog()
		require.ErrorIs(t, err, pdf.ErrDamaged, name)
	}
	// A table whose first and last entries are regular and that is not in between.
	table := "xref\n0 4\n0000000000 65535 f \n" + "0000000015 00000 n\n" + "000000000015 00000 n\n" + row(at)
	f := open(t, withTable(table, "/Size 5/Root 1 0 R"))
	_, err := f.Get(pdf.Ref{Number: 2})
	require.Error(t, err)
}

func TestHostileChain(t *testing.T) {
	for _, stream := range []bool{false, true} {
		b := newBuilder().onePage().table("")
		for n := range 100_000 {
			if n > 3000 && stream {
				break
			}
			if stream {
				b.xrefStream(5, "")
			} else {
				b.table("")
			}
		}
		within(t, func() {
			var limit *pdf.LimitError
			require.ErrorAs(t, openErr(b.Bytes()), &limit)
			require.Equal(t, "Sections", limit.Limit)
		})
	}
	// a two-cycle
	b := newBuilder().onePage()
	second := b.Len() + len("xref\n0 0\ntrailer\n<</Size 5/Root 1 0 R/Prev 0000000000>>\n")
	first := b.Len()
	for _, prev := range []int{second, first} {
		fmt.Fprintf(b, "xref\n0 0\ntrailer\n<</Size 5/Root 1 0 R/Prev %010d>>\n", prev)
	}
	b.end(second)
	require.ErrorIs(t, openErr(b.Bytes()), pdf.ErrDamaged)
}

// withStream is a file whose cross-reference stream has the entries and data.
func withStream(entries string, data []byte) []byte {
	b := newBuilder().onePage()
	at := b.Len()
	b.stream(5, strings.ReplaceAll("/Type/XRef/Root 1 0 R"+entries, "SELF", fmt.Sprint(at)), data)
	return b.end(at).Bytes()
}

func TestHostileXRefStream(t *testing.T) {
	row := func(w ...int) []byte { return make([]byte, w[0]) }
	for name, data := range map[string][]byte{
		"no W":            withStream("/Size 6", row(60)),
		"W zero":          withStream("/Size 6/W[0 0 0]", row(60)),
		"W negative":      withStream("/Size 6/W[1 -1 1]", row(60)),
		"W too wide":      withStream("/Size 6/W[1 9 1]", row(99)),
		"W short":         withStream("/Size 6/W[1 2]", row(60)),
		"W long":          withStream("/Size 6/W[1 2 1 1]", row(60)),
		"W huge":          withStream("/Size 6/W[1 9223372036854775807 1]", row(60)),
		"index odd":       withStream("/Size 6/W[1 2 1]/Index[0 1 2]", row(60)),
		"index overlap":   withStream("/Size 6/W[1 2 1]/Index[0 3 2 2]", row(60)),
		"index huge":      withStream("/Size 6/W[1 2 1]/Index[0 4294967295]", row(60)),
		"index huge 2":    withStream("/Size 6/W[1 2 1]/Index[9223372036854775807 9223372036854775807]", row(60)),
		"index negative":  withStream("/Size 6/W[1 2 1]/Index[-1 3]", row(60)),
		"index a name":    withStream("/Size 6/W[1 2 1]/Index/A", row(60)),
		"data short":      withStream("/Size 6/W[1 2 1]", row(23)),
		"size 0":          withStream("/Size 0/W[1 2 1]", row(60)),
		"size -1":         withStream("/Size -1/W[1 2 1]", row(60)),
		"size 2^31":       withStream("/Size 2147483648/W[1 2 1]", row(60)),
		"size 2^63":       withStream("/Size 9223372036854775808/W[1 2 1]", row(60)),
		"prev to itself":  withStream("/Size 6/W[1 2 1]/Prev SELF", row(60)),
		"unknown filter":  withStream("/Size 6/W[1 2 1]/Filter/Mystery", row(60)),
		"bad flate":       withStream("/Size 6/W[1 2 1]/Filter/FlateDecode", row(60)),
		"length indirect": bytes.Replace(withStream("/Size 6/W[1 2 1]", row(60)), []byte("/Length 60"), []byte("/Length 4 0 R"), 1),
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func() {
				err := openErr(data)
				require.Error(t, err)
				var unsupported *pdf.UnsupportedError
				if !errors.As(err, &unsupported) {
					requireRefused(t, err)
				}
			})
		})
	}
}

// TestXRefStreamWide has entries of three times eight bytes, one of an unknown
// kind, and lists itself.
func TestXRefStreamWide(t *testing.T) {
	b := newBuilder().onePage()
	var rows []byte
	put := func(v ...uint64) {
		for _, x := range v {
			rows = binary.BigEndian.AppendUint64(rows, x)
		}
	}
	put(0, 0, 65535)
	for n := 1; n <= 4; n++ {
		put(1, uint64(b.places[n].offset), 0)
	}
	put(1, uint64(b.Len()), 0)
	put(9, 1, 2)
	put(1, 1<<63, 0)
	put(2, 1<<40, 0)
	f := open(t, withStream("/Size 9/W[8 8 8]", rows))
	require.NoError(t, f.Pages(func(*pdf.Page) error { return nil }))
	self, err := f.Stream(pdf.Ref{Number: 5})
	require.NoError(t, err)
	require.Equal(t, pdf.Name("XRef"), self.Dict["Type"])
	for n := uint32(6); n < 9; n++ {
		o, err := f.Get(pdf.Ref{Number: n})
		require.NoError(t, err)
		require.Nil(t, o)
	}
}

// TestHybridShared has many tables that name one large cross-reference stream.
func TestHybridShared(t *testing.T) {
	b := newBuilder().onePage()
	at := b.Len()
	b.stream(5, "/Type/XRef/W[1 2 1]/Size 1000000/Filter/FlateDecode", deflate(make([]byte, 4_000_000)))
	b.obj(6, "0").table(fmt.Sprintf("/XRefStm %d", at))
	for range 500 {
		b.table(fmt.Sprintf("/XRefStm %d", at))
	}
	within(t, func() { requireLimit(t, openErr(b.Bytes()), "XRefBytes") })
}

func TestXRefStreamBomb(t *testing.T) {
	data := withStream("/Size 6/W[1 2 1]/Filter/FlateDecode", deflate(make([]byte, 20_000_000)))
	within(t, func() {
		before := heap()
		requireLimit(t, openErr(data), "StreamBytes")
		require.Less(t, heap()-before, int64(4_000_000))
	})
}

func TestChangesLimit(t *testing.T) {
	f := open(t, withStream("/Size 8000000/W[0 1 0]/Filter/FlateDecode", deflate(make([]byte, 8_000_000))))
	_, err := f.Changed(0)
	requireLimit(t, err, "Changes")
}

func TestGenerationReuse(t *testing.T) {
	b := newBuilder().onePage().obj(5, "(old)").table("")
	at := b.Len()
	b.WriteString("5 1 obj\n(new)\nendobj\n")
	start := b.Len()
	fmt.Fprintf(b, "xref\n5 1\n%010d 00001 n \ntrailer\n<</Size 6/Root 1 0 R/Prev %d>>\n", at, b.last)
	f := open(t, b.end(start).Bytes())
	for ref, want := range map[pdf.Ref]pdf.Object{{Number: 5}: nil, {Number: 5, Generation: 1}: pdf.String("new"), {Number: 5, Generation: 2}: nil} {
		got, err := f.Get(ref)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	old, err := f.At(0)
	require.NoError(t, err)
	got, err := old.Get(pdf.Ref{Number: 5})
	require.NoError(t, err)
	require.Equal(t, pdf.String("old"), got)
}

func TestEncryptAddedLater(t *testing.T) {
	b := newBuilder().onePage().table("").obj(5, "<</Filter/Unheard>>")
	f := open(t, b.table("/Encrypt 5 0 R").Bytes())
	require.True(t, f.Encrypted())
	old, err := f.At(0)
	require.NoError(t, err)
	require.False(t, old.Encrypted())
}

// unsteady gives other bytes each time the same place is read.
type unsteady struct {
	data  []byte
	reads int
}

func (r *unsteady) ReadAt(b []byte, off int64) (int, error) {
	r.reads++
	n := copy(b, r.data[off:])
	for i := r.reads % 97; i < n; i += 97 {
		b[i] ^= byte(r.reads)
	}
	return n, nil
}

func TestUnsteadyReader(t *testing.T) {
	for name, data := range samples() {
		within(t, func() {
			for i := range 300 {
				f, err := pdf.Open(&unsteady{data: data, reads: i}, int64(len(data)), nil)
				if err == nil {
					_ = readAll(f)
				}
			}
			require.NoError(t, openErr(data), name)
		})
	}
}
