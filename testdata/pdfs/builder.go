package pdfs

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"sort"
	"strings"
)

// builder writes a file object by object and remembers the offsets. It knows nothing of
// PDF beyond that: bodies are given as text.
type builder struct {
	bytes.Buffer
	eol     string            // end of line, "\n" unless said otherwise
	entries map[int]xrefEntry // of the revision being written
}

type xrefEntry struct {
	offset int // of the object, or the next free object
	gen    int
	free   bool
}

func newBuilder(version string) *builder { return newBuilderEOL(version, "\n") }

func newBuilderEOL(version, eol string) *builder {
	b := &builder{eol: eol, entries: map[int]xrefEntry{0: {gen: 65535, free: true}}}
	b.line("%PDF-" + version)
	b.line("%\xe2\xe3\xcf\xd3")
	return b
}

func (b *builder) line(s string) { b.WriteString(s + b.eol) }

// obj writes an indirect object of generation 0.
func (b *builder) obj(num int, body string) { b.objGen(num, 0, body) }

func (b *builder) objGen(num, gen int, body string) {
	b.entries[num] = xrefEntry{offset: b.Len(), gen: gen}
	b.line(fmt.Sprintf("%d %d obj", num, gen))
	b.line(body)
	b.line("endobj")
}

// stream writes a stream object; dict is the inside of its dictionary without /Length.
func (b *builder) stream(num int, dict, data string) {
	b.entries[num] = xrefEntry{offset: b.Len()}
	b.line(fmt.Sprintf("%d 0 obj", num))
	b.line(fmt.Sprintf("<< %s /Length %d >>", dict, len(data)))
	// The keyword is followed by CR LF or LF, never by CR alone (ISO 32000-2, 7.3.8.1).
	b.WriteString("stream\n" + data + "\nendstream" + b.eol)
	b.line("endobj")
}

func (b *builder) free(num, gen, next int) {
	b.entries[num] = xrefEntry{offset: next, gen: gen, free: true}
}

// finish writes the table of the entries so far, the trailer and the end of the file, and
// starts a new revision. It returns the offset of the table. trailer is the inside of the
// trailer dictionary without /Size.
func (b *builder) finish(trailer string) int {
	at := b.Len()
	nums := make([]int, 0, len(b.entries))
	for n := range b.entries {
		nums = append(nums, n)
	}
	sort.Ints(nums)
	b.line("xref")
	for i := 0; i < len(nums); {
		j := i
		for j < len(nums) && nums[j] == nums[i]+j-i {
			j++
		}
		b.line(fmt.Sprintf("%d %d", nums[i], j-i))
		for _, n := range nums[i:j] {
			b.entry(b.entries[n])
		}
		i = j
	}
	b.line("trailer")
	b.line("<< " + trailer + " >>")
	b.line("startxref")
	b.line(fmt.Sprint(at))
	b.line("%%EOF")
	b.entries = map[int]xrefEntry{}
	return at
}

// entry is twenty bytes whatever the end of line (ISO 32000-2, 7.5.4).
func (b *builder) entry(e xrefEntry) {
	kind := "n"
	if e.free {
		kind = "f"
	}
	end := " " + b.eol
	if len(b.eol) == 2 {
		end = b.eol
	}
	fmt.Fprintf(b, "%010d %05d %s%s", e.offset, e.gen, kind, end)
}

// fileID is an /ID entry that depends on the name alone.
func fileID(name string) string {
	sum := sha256.Sum256([]byte("meterai testdata " + name))
	return fmt.Sprintf("/ID [<%X> <%X>]", sum[:16], sum[:16])
}

// marks is a page content that shows which way is up: a title at the top left, a frame
// along the box x0 y0 x1 y1, and lines of text.
func marks(title string, x0, y0, x1, y1 float64, lines ...string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "q 0.6 G 1 w %g %g %g %g re S Q\n", x0+12, y0+12, x1-x0-24, y1-y0-24)
	fmt.Fprintf(&s, "BT /F1 18 Tf %g %g Td (%s) Tj ET\n", x0+36, y1-54, title)
	for i, l := range lines {
		fmt.Fprintf(&s, "BT /F1 10 Tf %g %g Td (%s) Tj ET\n", x0+36, y1-80-14*float64(i), l)
	}
	return s.String()
}

const helvetica = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
