package pdf_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
)

// builder writes PDFs by hand, one revision after the other.
type builder struct {
	bytes.Buffer
	places map[int]place // of the revision under way
	last   int           // offset of the newest section; -1 before the first
	size   int
}

type place struct {
	kind, offset, index int // as in a cross-reference stream
}

func newBuilder() *builder {
	b := &builder{places: map[int]place{}, last: -1}
	b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	return b
}

// obj writes object n with a body.
func (b *builder) obj(n int, body string) *builder {
	b.places[n] = place{1, b.Len(), 0}
	b.size = max(b.size, n+1)
	fmt.Fprintf(b, "%d 0 obj\n%s\nendobj\n", n, body)
	return b
}

// stream writes object n as a stream; entries go into its dictionary.
func (b *builder) stream(n int, entries string, data []byte) *builder {
	return b.obj(n, fmt.Sprintf("<<%s/Length %d>>\nstream\n%s\nendstream", entries, len(data), data))
}

// objStm writes object n as an object stream of the bodies, by number.
func (b *builder) objStm(n int, bodies map[int]string) *builder {
	var numbers []int
	for k := range bodies {
		numbers = append(numbers, k)
	}
	slices.Sort(numbers)
	var head, body strings.Builder
	for i, k := range numbers {
		fmt.Fprintf(&head, "%d %d ", k, body.Len())
		body.WriteString(bodies[k] + " ")
		b.places[k] = place{2, n, i}
		b.size = max(b.size, k+1)
	}
	entries := fmt.Sprintf("/Type/ObjStm/N %d/First %d/Filter/FlateDecode", len(numbers), head.Len())
	return b.stream(n, entries, deflate([]byte(head.String()+body.String())))
}

func deflate(data []byte) []byte {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	_, _ = w.Write(data)
	_ = w.Close()
	return out.Bytes()
}

func (b *builder) numbers() []int {
	var out []int
	for n := range b.places {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

func (b *builder) prev() string {
	if b.last < 0 {
		return ""
	}
	return fmt.Sprintf("/Prev %d", b.last)
}

// table ends the revision with a cross-reference table; entries go into the
// trailer.
func (b *builder) table(entries string) *builder {
	start := b.Len()
	b.WriteString("xref\n")
	if b.last < 0 {
		b.WriteString("0 1\n0000000000 65535 f \n")
	}
	var rows []byte
	first, count := 0, 0
	flush := func() {
		if count > 0 {
			fmt.Fprintf(b, "%d %d\n%s", first, count, rows)
		}
		rows, count = rows[:0], 0
	}
	for _, n := range b.numbers() {
		p := b.places[n]
		if p.kind == 2 {
			continue
		}
		if n != first+count {
			flush()
			first = n
		}
		if count++; p.kind == 1 {
			rows = fmt.Appendf(rows, "%010d 00000 n \n", p.offset)
		} else {
			rows = fmt.Appendf(rows, "%010d 00001 f \n", 0)
		}
	}
	flush()
	fmt.Fprintf(b, "trailer\n<</Size %d/Root 1 0 R%s%s>>\n", b.size, b.prev(), entries)
	return b.end(start)
}

func (b *builder) end(start int) *builder {
	fmt.Fprintf(b, "startxref\n%d\n%%%%EOF\n", start)
	b.last = start
	b.places = map[int]place{}
	return b
}

// xrefStream ends the revision with a cross-reference stream, object n.
func (b *builder) xrefStream(n int, entries string) *builder {
	start := b.Len()
	b.places[n] = place{1, start, 0}
	b.writeXRefStream(n, entries)
	return b.end(start)
}

func (b *builder) writeXRefStream(n int, entries string) {
	b.size = max(b.size, n+1)
	if b.last < 0 {
		b.places[0] = place{0, 0, 65535}
	}
	var index, rows []byte
	numbers := b.numbers()
	for i, k := range numbers {
		p := b.places[k]
		if i == 0 || numbers[i-1] != k-1 {
			run := 1
			for i+run < len(numbers) && numbers[i+run] == k+run {
				run++
			}
			index = fmt.Appendf(index, "%d %d ", k, run)
		}
		row := []byte{2, byte(p.kind)} // with the PNG filter Up
		row = binary.BigEndian.AppendUint32(row, uint32(p.offset))
		row = binary.BigEndian.AppendUint16(row, uint16(p.index))
		rows = append(rows, row...)
	}
	for i := len(rows) - 8; i >= 8; i -= 8 {
		for k := 1; k < 8; k++ {
			rows[i+k] -= rows[i-8+k]
		}
	}
	b.places[n] = place{1, b.Len(), 0}
	b.stream(n, fmt.Sprintf("/Type/XRef/W[1 4 2]/Index[%s]/Size %d/Root 1 0 R%s%s/Filter/FlateDecode"+
		"/DecodeParms<</Predictor 12/Columns 7>>", index, b.size, b.prev(), entries), deflate(rows))
}

// hybrid ends the revision with a table whose /XRefStm, object n, lists what
// lies in object streams.
func (b *builder) hybrid(n int) *builder {
	all := b.places
	b.places = map[int]place{}
	for k, p := range all {
		if p.kind == 2 {
			b.places[k] = p
			delete(all, k)
		}
	}
	at := b.Len()
	b.writeXRefStream(n, "")
	b.places = all
	b.places[n] = place{1, at, 0}
	return b.table(fmt.Sprintf("/XRefStm %d", at))
}

// onePage writes the objects of a document with one page.
func (b *builder) onePage() *builder {
	return b.obj(1, "<</Type/Catalog/Pages 2 0 R>>").
		obj(2, "<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 612 792]>>").
		obj(3, "<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<<>>>>").
		stream(4, "", []byte("0 0 m 9 9 l S"))
}

func open(t testing.TB, data []byte) *pdf.File {
	t.Helper()
	f, err := pdf.Open(bytes.NewReader(data), int64(len(data)), nil)
	require.NoError(t, err)
	return f
}

func openErr(data []byte) error {
	_, err := pdf.Open(bytes.NewReader(data), int64(len(data)), nil)
	return err
}

// samples are well-formed files of every kind.
func samples() map[string][]byte {
	packed := map[int]string{
		1: "<</Type/Catalog/Pages 2 0 R>>",
		2: "<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 612 792]>>",
		3: "<</Type/Page/Parent 2 0 R/Contents 4 0 R>>",
	}
	content := []byte("0 0 m 9 9 l S")
	hybrid := newBuilder().stream(4, "", content).objStm(5, map[int]string{7: "(hidden)"}).
		obj(1, "<</Type/Catalog/Pages 2 0 R/Hidden 7 0 R>>").
		obj(2, packed[2]).obj(3, packed[3])
	hybrid.places[8] = place{0, 0, 0}
	return map[string][]byte{
		"table":       newBuilder().onePage().table("").Bytes(),
		"stream":      newBuilder().onePage().xrefStream(5, "").Bytes(),
		"objstm":      newBuilder().stream(4, "", content).objStm(5, packed).xrefStream(6, "").Bytes(),
		"hybrid":      hybrid.hybrid(6).Bytes(),
		"incremental": newBuilder().onePage().table("/ID[<01><02>]").obj(5, "(new)").obj(3, "<</Type/Page/Parent 2 0 R/X 5 0 R>>").table("/ID[<01><03>]").Bytes(),
		"mixed":       newBuilder().onePage().table("").obj(5, "(new)").xrefStream(6, "").obj(7, "7").table("").Bytes(),
		"junk first":  append([]byte("some bytes before\n"), newBuilder().onePage().table("").Bytes()...),
		"no last eol": bytes.TrimRight(newBuilder().onePage().table("").Bytes(), "\n"),
	}
}
