package pdf_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRepairLookalikes are bytes that some readers which search a file take for
// objects or trailers, and others do not.
func TestRepairLookalikes(t *testing.T) {
	const trailer = "trailer\n<</Size 9/Root 1 0 R>>\n"
	page := func() *builder { return newBuilder().onePage() }
	require.Empty(t, repaired(t, []byte(page().obj(8, "(2 objects)").String()+trailer)).Repaired().Ambiguities)
	for _, head := range []string{"4 000000 obj", "00000000004 0 obj", "+4 0 obj", "4 0 %x\nobj", "4.0 0 obj", "4 70000 obj", "4 0 objx",
		"% 8 0 obj", "(junk) 8 0 obj", "/8 0 obj", "5 8 0 obj", "8\x000\x00obj", "4 0" + strings.Repeat(" ", 60) + "obj"} {
		f := repaired(t, []byte(page().String()+head+"\n(x)\nendobj\n"+trailer))
		require.NotEmpty(t, f.Repaired().Ambiguities, head)
	}
	other := page().obj(8, "<</Pages 9 0 R>>").obj(9, "<</Kids[]/Count 0>>").String() + trailer
	for _, tail := range []string{"xtrailer\n<</Root 8 0 R>>\n", "trailer%x\n<</Root 8 0 R>>\n", "trailer\n/X <</Root 8 0 R>>\n", "trailer [<</Root 8 0 R>>]\n",
		"trailer\n<</Root 8 0 R", "trailer\n<</Root 8 0 R/S", "trailer\n<</Root 8 0 R/Size >>\n"} {
		require.NotEmpty(t, repaired(t, []byte(other+tail)).Repaired().Ambiguities, tail)
	}
}
