package verify_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/verify"
)

// TestBytesAppended: nothing may follow that no revision covers.
func TestBytesAppended(t *testing.T) {
	w := newWorld(t)
	doc := w.stamped(t)
	for name, c := range map[string]struct {
		tail   string
		passes bool
	}{
		"white space":        {"\r\n \n", true},
		"a comment":          {"% harmless?\n", false},
		"text":               {"hello", false},
		"an object":          {"4 0 obj\n<< /Length 0 >>\nstream\n\nendstream\nendobj\n", false},
		"object and trailer": {"4 0 obj\n<<>>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n", false},
		"another end":        {"%%EOF\n", false},
		"a whole PDF":        {string(plain("other", 1, 0)), false},
	} {
		t.Run(name, func(t *testing.T) {
			r := check(t, append(bytes.Clone(doc), c.tail...), w.opt)
			if c.passes {
				require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
				return
			}
			require.Contains(t, []verify.Indication{verify.TotalFailed, verify.Unreadable}, r.Indication, r.Text())
		})
	}
}

// TestObjectOutsideTheTable: bytes inside a later revision that its table does
// not know are read by programs that repair.
func TestObjectOutsideTheTable(t *testing.T) {
	w := newWorld(t)
	doc := w.stamped(t)
	size := len(doc)
	good := update(t, doc, func(u *pdf.Update, f *pdf.File) { addDSS(t, u, f) })
	hidden := "\n4 0 obj\n<< /Length 0 >>\nstream\n\nendstream\nendobj\n"
	tail := string(good[size:])
	// Everything in the tail moves by the length of what is hidden before it.
	f := open(t, good)
	revs, err := f.Revisions()
	require.NoError(t, err)
	changed, err := f.Changed(len(revs) - 1)
	require.NoError(t, err)
	for _, c := range changed {
		tail = strings.Replace(tail, fmt.Sprintf("%010d 00000 n", c.Offset), fmt.Sprintf("%010d 00000 n", c.Offset+int64(len(hidden))), 1)
	}
	xref := revs[len(revs)-1].XRef
	tail = strings.Replace(tail, fmt.Sprintf("startxref\n%d", xref), fmt.Sprintf("startxref\n%d", xref+int64(len(hidden))), 1)
	bad := append(bytes.Clone(doc), hidden+tail...)
	require.Equal(t, verify.TotalPassed, check(t, good, w.opt).Indication)
	r := check(t, bad, w.opt)
	requireModified(t, r)
	require.Contains(t, r.Text(), "no object that the cross-reference table knows")
}
