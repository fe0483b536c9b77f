package verify_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/verify"
)

// lookalike is an object 4 that readers find when they search the bytes of the file.
const lookalike = "\n4 0 obj\n<</Length 42>>\nstream\nBT /F1 24 Tf 72 720 Td (EVIL 999) Tj ET   \nendstream\nendobj\n"

// tableUpdate appends by hand object 50 with a body, and a table.
func tableUpdate(doc []byte, body, keyword, closing string) []byte {
	b := bytes.NewBuffer(bytes.Clone(doc))
	var prev int
	_, _ = fmt.Sscan(string(doc[bytes.LastIndex(doc, []byte("startxref"))+9:]), &prev)
	at := b.Len()
	fmt.Fprintf(b, "50 0 obj\n%s\nendobj\n", body)
	start := b.Len()
	fmt.Fprintf(b, "%s50 1\n%010d 00000 n \ntrailer\n<</Size 60/Root 1 0 R/Prev %d/ID [<00112233> <00112233>]>>\n", keyword, at, prev)
	fmt.Fprintf(b, closing, start)
	return b.Bytes()
}

// streamUpdate appends by hand a cross-reference stream of entries of these widths:
// itself, and a free object 55 with two values.
func streamUpdate(doc []byte, w [3]int, value byte) []byte {
	b := bytes.NewBuffer(bytes.Clone(doc))
	var prev int
	_, _ = fmt.Sscan(string(doc[bytes.LastIndex(doc, []byte("startxref"))+9:]), &prev)
	start := b.Len()
	rows := make([]byte, w[0])
	rows = append(rows, bytes.Repeat([]byte{value}, w[1]+w[2])...)
	field := func(v, n int) {
		for i := n - 1; i >= 0; i-- {
			rows = append(rows, byte(v>>(8*min(i, 7))))
		}
	}
	field(1, w[0])
	field(start, w[1])
	field(0, w[2])
	fmt.Fprintf(b, "59 0 obj\n<</Type/XRef/Length %d/W[%d %d %d]/Index[55 1 59 1]/Size 60/Root 1 0 R/Prev %d/ID[<00112233> <00112233>]>>\nstream\n%s\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n",
		len(rows), w[0], w[1], w[2], prev, rows, start)
	return b.Bytes()
}

const usual = "startxref\n%d\n%%%%EOF\n"

// Readers that search a file for objects find them in the data of streams too. What
// makes them search is not for us to know.
func TestAttackObjectsInsideObjects(t *testing.T) {
	w := newWorld(t)
	doc := w.sign(t, plain("I owe 10", 2, 0), job{field: "One"})
	inside := func(s string) string { return fmt.Sprintf("<</Length %d>>\nstream\n%s\nendstream", len(s), s) }
	require.Equal(t, verify.TotalPassed, check(t, tableUpdate(doc, inside("nothing"), "xref\n", usual), w.opt).Indication)
	require.Equal(t, verify.TotalPassed, check(t, tableUpdate(doc, inside("an obj or 2 objects; a trailer"), "xref\n", usual), w.opt).Indication)
	for name, b := range map[string][]byte{
		"stream":  tableUpdate(doc, inside(lookalike), "xref\n", usual),
		"string":  tableUpdate(doc, "<</A("+lookalike+")>>", "xref\n", usual),
		"comment": tableUpdate(doc, "<</A %\r 4 0 obj\n1>>", "xref\n", usual),
		"trailer": tableUpdate(doc, inside("\ntrailer\n<</Root 70 0 R>>\n"), "xref\n", usual),
		"far":     tableUpdate(doc, inside(strings.Repeat("x", 65500)+lookalike), "xref\n", usual),
	} {
		t.Run(name, func(t *testing.T) {
			r := check(t, b, w.opt)
			requireModified(t, r)
			require.Contains(t, r.Text(), "readers that repair the file")
		})
	}
}

// What makes some readers search a file for objects: the signed document may have
// objects that sleep inside others.
func TestAttackReadersMadeToRepair(t *testing.T) {
	w := newWorld(t)
	base := plain("I owe 10", 2, len(lookalike))
	fill := bytes.Repeat([]byte("0123456789abcdef"), len(lookalike)/16+1)[:len(lookalike)]
	doc := w.sign(t, bytes.Replace(base, fill, []byte(lookalike), 1), job{field: "One"})
	require.Equal(t, verify.TotalPassed, check(t, tableUpdate(doc, "1", "xref\n", usual), w.opt).Indication)
	require.Equal(t, verify.TotalPassed, check(t, streamUpdate(doc, [3]int{1, 4, 2}, 0), w.opt).Indication)
	for name, b := range map[string][]byte{
		"NUL after startxref":        tableUpdate(doc, "1", "xref\n", "startxref\x00%d\n%%%%EOF\n"),
		"form feed after startxref":  tableUpdate(doc, "1", "xref\n", "startxref\f%d\n%%%%EOF\n"),
		"NUL after xref":             tableUpdate(doc, "1", "xref\x00\n", usual),
		"NUL in a subsection":        tableUpdate(doc, "1", "xref\n0\x001\n0000000000 65535 f \n", usual),
		"startxref before last 1024": append(tableUpdate(doc, "1", "xref\n", "startxref\n"+strings.Repeat(" ", 490)+"%d\n%%%%EOF\r\n"), strings.Repeat(" ", 512)...),
		"kinds of eight bytes":       streamUpdate(doc, [3]int{8, 4, 2}, 0),
		"huge values of a free one":  streamUpdate(doc, [3]int{1, 8, 8}, 0x7f),
	} {
		t.Run(name, func(t *testing.T) { requireModified(t, check(t, b, w.opt)) })
	}
}
