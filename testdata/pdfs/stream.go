package pdfs

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
)

// counter writes a big file and remembers where each object began, which is all it keeps.
type counter struct {
	w       *bufio.Writer
	off     int64
	err     error
	offsets []int64 // by object number
}

// newCounter begins a file whose objects are numbered 1 to highest.
func newCounter(w io.Writer, version string, highest int) *counter {
	c := &counter{w: bufio.NewWriterSize(w, 1<<16), offsets: make([]int64, highest+1)}
	c.text("%PDF-" + version + "\n%\xe2\xe3\xcf\xd3\n")
	return c
}

func (c *counter) write(b []byte) {
	if c.err != nil {
		return
	}
	n, err := c.w.Write(b)
	c.off, c.err = c.off+int64(n), err
}

func (c *counter) text(s string) { c.write([]byte(s)) }

func (c *counter) begin(num int) {
	for len(c.offsets) <= num {
		c.offsets = append(c.offsets, 0)
	}
	c.offsets[num] = c.off
	c.text(fmt.Sprintf("%d 0 obj\n", num))
}

func (c *counter) obj(num int, body string) {
	c.begin(num)
	c.text(body + "\nendobj\n")
}

// table ends the file with a cross-reference table. trailer is the inside of the trailer
// dictionary without /Size.
func (c *counter) table(trailer string) {
	at := c.off
	c.text(fmt.Sprintf("xref\n0 %d\n0000000000 65535 f \n", len(c.offsets)))
	for _, off := range c.offsets[1:] {
		c.text(fmt.Sprintf("%010d 00000 n \n", off))
	}
	c.text(fmt.Sprintf("trailer\n<< /Size %d %s >>\n", len(c.offsets), trailer))
	c.end(at)
}

func (c *counter) end(at int64) { c.text(fmt.Sprintf("startxref\n%d\n%%%%EOF\n", at)) }

// tailSize is what table writes at the end of a scan of size bytes.
func (c *counter) tailSize(size int64) int64 {
	probe := counter{w: bufio.NewWriter(io.Discard), offsets: make([]int64, len(c.offsets))}
	probe.table("/Root 1 0 R " + fileID("scan"))
	// The probe's table is at offset 0: one digit. The real one's offset has as many
	// digits as size less the tail.
	digits := func(n int64) int64 { return int64(len(fmt.Sprint(n))) }
	tail := probe.off - 1
	return tail + digits(size-tail-digits(size-tail))
}

// pad writes a comment of exactly n bytes; n may be 0.
func (c *counter) pad(n int64) {
	if n <= 0 {
		return
	}
	if n == 1 {
		c.text("\n")
		return
	}
	c.text("%")
	line := bytes.Repeat([]byte{'-'}, 1<<10)
	for left := n - 2; left > 0; {
		k := min(left, int64(len(line)))
		c.write(line[:k])
		left -= k
	}
	c.text("\n")
}

func (c *counter) flush() error {
	if c.err != nil {
		return c.err
	}
	return c.w.Flush()
}

// perObjStm is the number of objects in an object stream, as common writers have it.
const perObjStm = 100

// packer writes objects plainly, or those that may into object streams.
type packer struct {
	c      *counter
	stream bool
	next   int // the number of the next object stream

	index, bodies bytes.Buffer
	held          []int             // numbers of the objects held back
	in            map[int][2]uint32 // object number -> its object stream and its place there
	packed        bytes.Buffer
}

func (k *packer) plain(num int, body string) { k.c.obj(num, body) }

func (k *packer) obj(num int, body string) {
	if !k.stream {
		k.plain(num, body)
		return
	}
	fmt.Fprintf(&k.index, "%d %d ", num, k.bodies.Len())
	k.bodies.WriteString(body + "\n")
	if k.held = append(k.held, num); len(k.held) == perObjStm {
		k.release()
	}
}

// release writes the object stream of what is held.
func (k *packer) release() {
	if len(k.held) == 0 {
		return
	}
	if k.in == nil {
		k.in = make(map[int][2]uint32)
	}
	for i, num := range k.held {
		k.in[num] = [2]uint32{uint32(k.next), uint32(i)}
	}
	first := k.index.Len()
	data := k.deflate(k.index.Bytes(), k.bodies.Bytes())
	k.c.obj(k.next, fmt.Sprintf("<< /Type /ObjStm /N %d /First %d /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream",
		len(k.held), first, len(data), data))
	k.next++
	k.held = k.held[:0]
	k.index.Reset()
	k.bodies.Reset()
}

// close ends the file with a cross-reference section of its kind.
func (k *packer) close() {
	trailer := "/Root 1 0 R " + fileID("pages")
	if !k.stream {
		k.c.table(trailer)
		return
	}
	k.release()
	at := k.c.off
	k.c.begin(k.next)
	rows := make([]byte, 0, 7*len(k.c.offsets))
	rows = append(rows, 0, 0, 0, 0, 0, 0xff, 0xff)
	for num, off := range k.c.offsets[1:] {
		if in, ok := k.in[num+1]; ok {
			rows = binary.BigEndian.AppendUint32(append(rows, 2), in[0])
			rows = binary.BigEndian.AppendUint16(rows, uint16(in[1]))
			continue
		}
		rows = binary.BigEndian.AppendUint32(append(rows, 1), uint32(off))
		rows = append(rows, 0, 0)
	}
	data := k.deflate(rows)
	k.c.text(fmt.Sprintf("<< /Type /XRef /Size %d /W [1 4 2] /Filter /FlateDecode /Length %d %s >>\nstream\n%s\nendstream\nendobj\n",
		len(k.c.offsets), len(data), trailer, data))
	k.c.end(at)
}

func (k *packer) deflate(parts ...[]byte) []byte {
	k.packed.Reset()
	z := zlib.NewWriter(&k.packed)
	for _, p := range parts {
		_, _ = z.Write(p) // a bytes.Buffer takes everything
	}
	_ = z.Close()
	return k.packed.Bytes()
}
