package content_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf/content"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
)

// densePage has 100 lines of 100 characters, each with kerning in the middle, and a table of
// 1,000 lines.
func densePage() []byte {
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, "BT /F1 7 Tf 30 %d Td [(%s) 20 (%s)] TJ ET\n", 820-8*i, strings.Repeat("kata ", 10), strings.Repeat("yang ", 10))
	}
	for i := range 1000 {
		fmt.Fprintf(&b, "q 0.5 w %d %d m %d %d l S Q\n", i%500, i%800, i%500+50, i%800)
	}
	return sheet{resources: helvetica, content: b.String()}.bytes()
}

func BenchmarkRead(b *testing.B) {
	statement, err := pdfs.Get("surat-pernyataan.pdf")
	require.NoError(b, err)
	for name, data := range map[string][]byte{"statement": statement.Bytes(), "dense": densePage()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f, p := openPage(b, data, "", 1)
				l, err := content.Read(b.Context(), f, p, nil)
				require.NoError(b, err)
				require.False(b, l.Truncated)
			}
		})
	}
}

func BenchmarkLayout(b *testing.B) {
	f, p := openPage(b, densePage(), "", 1)
	l, err := content.Read(b.Context(), f, p, nil)
	require.NoError(b, err)
	b.Run("Find", func(b *testing.B) {
		for b.Loop() {
			require.Len(b, l.Find("kata yang"), 100)
		}
	})
	b.Run("Free", func(b *testing.B) {
		for b.Loop() {
			l.Free(150, 80, 36, content.BottomRight)
		}
	})
}
