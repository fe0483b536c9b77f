package pdfs

import (
	"fmt"
	"io"
	"strings"
)

// XRef is a kind of cross-reference section.
type XRef int

// The kinds.
const (
	Table  XRef = iota // cross-reference table (ISO 32000-2, 7.5.4)
	Stream             // cross-reference stream and object streams (7.5.7, 7.5.8)
)

// MinScan is the size in bytes of the smallest file that [Scan] makes.
const MinScan = 4096

const (
	scanWidth  = 1240 // pixels of an A4 page at 150 dpi
	scanHeight = 1754
)

// Scan writes a file of exactly size bytes: A4 pages that are each one grey image of 150
// dpi, stored as it is, as scanners without compression do; about 2.2 MB a page. Memory
// does not grow with size.
func Scan(w io.Writer, size int64) error {
	if size < MinScan {
		return fmt.Errorf("pdfs: a scan has at least %d bytes, not %d", MinScan, size)
	}
	const pageBytes = scanWidth*scanHeight + 1000 // image and what is around it
	pages := int((size-MinScan)/pageBytes) + 1
	c := newCounter(w, "1.4", 2+3*pages)
	c.obj(1, "<< /Type /Catalog /Pages 2 0 R >>")
	var kids strings.Builder
	for i := range pages {
		fmt.Fprintf(&kids, "%d 0 R ", 3+3*i)
	}
	c.obj(2, fmt.Sprintf("<< /Type /Pages /Kids [%s] /Count %d >>", strings.TrimSpace(kids.String()), pages))
	tail := c.tailSize(size)
	for i := range pages {
		n := 3 + 3*i
		c.obj(n, fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox %v /Resources << /XObject << /Im0 %d 0 R >> >> /Contents %d 0 R >>", a4, n+1, n+2))
		rows := int64(scanHeight)
		if i == pages-1 {
			// What fits, with room for this page's other objects.
			rows = min(rows, max(1, (size-tail-c.off-900)/scanWidth))
		}
		c.image(n+1, uint32(i), int(rows))
		const content = "q 595.276 0 0 841.89 0 0 cm /Im0 Do Q\n"
		c.obj(n+2, fmt.Sprintf("<< /Length %d >>\nstream\n%sendstream", len(content), content))
	}
	c.pad(size - tail - c.off)
	c.table("/Root 1 0 R " + fileID("scan"))
	return c.flush()
}

// image writes an image of the given height; seed sets its noise.
func (c *counter) image(num int, seed uint32, rows int) {
	c.begin(num)
	c.text(fmt.Sprintf("<< /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8 /Length %d >>\nstream\n",
		scanWidth, rows, scanWidth*rows))
	line := make([]byte, scanWidth)
	x := seed*2654435761 + 1
	for y := range rows {
		ink := y%36 > 24 && y > 120 // lines of writing
		for i := range line {
			x ^= x << 13
			x ^= x >> 17
			x ^= x << 5
			line[i] = 236 + byte(x>>24)&15
			if ink && i > 100 && i < scanWidth-100 && (x>>8)&7 == 0 {
				line[i] = 40 + byte(x>>16)&31
			}
		}
		c.write(line)
	}
	c.text("\nendstream\nendobj\n")
}

const (
	linksPerPage   = 13
	objectsPerPage = 3 + 2*linksPerPage // page, content, resources, and two a link
	fanOut         = 32                 // children of a node of the page tree
)

// Pages writes a file of many pages and many small objects: 29 a page, most of them link
// annotations with their actions, and a balanced page tree. 4,785 pages make about 140,000
// objects and, with a [Table], 20 MB; with a [Stream], where what may go into compressed
// object streams does, less.
func Pages(w io.Writer, pages int, kind XRef) error {
	if pages < 1 || pages > 100_000 {
		return fmt.Errorf("pdfs: %d pages: from 1 to 100000 can be had", pages)
	}
	tree := pageTree(pages)
	first := 2 + len(tree) + 1 // catalog 1, tree from 2, font, then pages
	next := first + objectsPerPage*pages
	c, put := newCounter(w, "1.4", next-1), packer{}
	if kind == Stream {
		c = newCounter(w, "1.5", next-1)
	}
	put.c, put.stream, put.next = c, kind == Stream, next
	put.obj(1, "<< /Type /Catalog /Pages 2 0 R >>")
	for i, node := range tree {
		put.obj(2+i, node.body(first))
	}
	put.obj(first-1, helvetica)
	for p := range pages {
		put.page(p, first, tree)
	}
	put.close()
	return c.flush()
}

func (k *packer) page(p, first int, tree []node) {
	n := first + objectsPerPage*p
	var annots strings.Builder
	for i := range linksPerPage {
		fmt.Fprintf(&annots, "%d 0 R ", n+3+2*i)
	}
	k.obj(n, fmt.Sprintf("<< /Type /Page /Parent %d 0 R /MediaBox %v /Resources %d 0 R /Contents %d 0 R /Annots [%s] >>",
		2+parentOf(tree, p), a4, n+2, n+1, strings.TrimSpace(annots.String())))
	var lines []string
	for i := range linksPerPage {
		lines = append(lines, fmt.Sprintf("Pasal %d.%d", p+1, i+1))
	}
	content := a4.marks(fmt.Sprintf("Halaman %d", p+1), lines...)
	k.plain(n+1, fmt.Sprintf("<< /Length %d >>\nstream\n%sendstream", len(content), content))
	k.obj(n+2, fmt.Sprintf("<< /Font << /F1 %d 0 R >> >>", first-1))
	for i := range linksPerPage {
		y := 758 - 14*i
		k.obj(n+3+2*i, fmt.Sprintf("<< /Type /Annot /Subtype /Link /Border [0 0 0] /Rect [36 %d 136 %d] /A %d 0 R >>", y, y+12, n+4+2*i))
		k.obj(n+4+2*i, fmt.Sprintf("<< /Type /Action /S /URI /URI (https://example.com/dokumen/%d/pasal/%d) >>", p+1, i+1))
	}
}

// node is a node of the page tree. Its children are nodes lo..hi-1 or, in a leaf, pages;
// parent is -1 for the root.
type node struct {
	parent, lo, hi, count int
	leaf                  bool
}

// pageTree returns the nodes, the root first, children after their parents.
func pageTree(pages int) []node {
	levels := [][]node{nil}
	for lo := 0; lo < pages; lo += fanOut {
		hi := min(lo+fanOut, pages)
		levels[0] = append(levels[0], node{lo: lo, hi: hi, count: hi - lo, leaf: true})
	}
	for len(levels[0]) > 1 {
		below := levels[0]
		var level []node
		for lo := 0; lo < len(below); lo += fanOut {
			n := node{lo: lo, hi: min(lo+fanOut, len(below))}
			for _, child := range below[n.lo:n.hi] {
				n.count += child.count
			}
			level = append(level, n)
		}
		levels = append([][]node{level}, levels...)
	}
	return numbered(levels)
}

// numbered makes one list of the levels, with the children's places in it.
func numbered(levels [][]node) []node {
	var out []node
	for _, level := range levels {
		base, next := len(out), len(out)+len(level)
		out = append(out, level...)
		for i := base; i < next; i++ {
			if !out[i].leaf {
				out[i].lo, out[i].hi = out[i].lo+next, out[i].hi+next
			}
		}
	}
	out[0].parent = -1
	for i, n := range out {
		if !n.leaf {
			for child := n.lo; child < n.hi; child++ {
				out[child].parent = i
			}
		}
	}
	return out
}

func parentOf(tree []node, page int) int {
	leaves := 0
	for !tree[leaves].leaf {
		leaves++
	}
	return leaves + page/fanOut
}

func (n node) body(firstPage int) string {
	var kids strings.Builder
	for i := n.lo; i < n.hi; i++ {
		num := 2 + i
		if n.leaf {
			num = firstPage + objectsPerPage*i
		}
		fmt.Fprintf(&kids, "%d 0 R ", num)
	}
	parent := ""
	if n.parent >= 0 {
		parent = fmt.Sprintf("/Parent %d 0 R ", 2+n.parent)
	}
	return fmt.Sprintf("<< /Type /Pages %s/Kids [%s] /Count %d >>", parent, strings.TrimSpace(kids.String()), n.count)
}
