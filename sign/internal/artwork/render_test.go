package artwork_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/internal/artwork"
)

// document makes a PDF with a stamp a page, each at its own fraction of a
// point, so that modules meet the pixels in many ways.
func document(t testing.TB, stamps []*artwork.Input) []byte {
	t.Helper()
	var out bytes.Buffer
	var offsets []int
	object := func(format string, args ...any) {
		offsets = append(offsets, out.Len())
		fmt.Fprintf(&out, "%d 0 obj\n", len(offsets))
		fmt.Fprintf(&out, format, args...)
		out.WriteString("\nendobj\n")
	}
	out.WriteString("%PDF-1.7\n")
	object("<</Type/Catalog/Pages 2 0 R>>")
	var kids bytes.Buffer
	for i := range stamps {
		fmt.Fprintf(&kids, "%d 0 R ", 3+3*i)
	}
	object("<</Type/Pages/Kids[%s]/Count %d>>", kids.String(), len(stamps))
	for i, in := range stamps {
		w, h := in.Width, in.Height
		content := appended(t, in)
		place := fmt.Sprintf("q 1 0 0 1 %.3f %.3f cm /S Do Q", 20+float64(i)*0.137, 20+float64(i)*0.071)
		object("<</Type/Page/Parent 2 0 R/MediaBox[0 0 %.2f %.2f]/Contents %d 0 R/Resources<</XObject<</S %d 0 R>>>>>>",
			w+50, h+50, 4+3*i, 5+3*i)
		object("<</Length %d>>stream\n%s\nendstream", len(place), place)
		object("<</Type/XObject/Subtype/Form/BBox[0 0 %.3f %.3f]/Resources %s/Length %d>>stream\n%s\nendstream",
			w, h, artwork.Resources(), len(content), content)
	}
	start := out.Len()
	fmt.Fprintf(&out, "xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, offset := range offsets {
		fmt.Fprintf(&out, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&out, "trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, start)
	return out.Bytes()
}

// tool finds a program or skips the test.
func tool(t *testing.T, name, where string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s (Debian package %s) is not installed: rendered stamps are not read back", name, where)
	}
	return path
}

// A reader that knows nothing of us reads the symbols from rendered pages, at
// the resolutions of faxes, office scanners and printers.
func TestRenderedSymbolsAreRead(t *testing.T) {
	render, reader := tool(t, "pdftoppm", "poppler-utils"), tool(t, "zbarimg", "zbar-tools")
	arrangements := map[string]func(*artwork.Input){
		"beside": func(*artwork.Input) {},
		"upright and smallest": func(in *artwork.Input) {
			in.Width, in.Height = artwork.MinSize(in.Symbol.Size(), true)
			in.Specimen = true
		},
	}
	for name, arrange := range arrangements {
		var stamps []*artwork.Input
		texts := map[string]bool{}
		for i := range uint64(20) {
			in, text := stamp(t, 100+i, 0)
			arrange(in)
			stamps, texts[text] = append(stamps, in), true
		}
		dir := t.TempDir()
		file := filepath.Join(dir, "stamps.pdf")
		require.NoError(t, os.WriteFile(file, document(t, stamps), 0o600))
		for _, c := range []struct{ dpi, least int }{{150, 19}, {200, 20}, {300, 20}} {
			t.Run(fmt.Sprintf("%s at %d dpi", name, c.dpi), func(t *testing.T) {
				pages := filepath.Join(dir, strconv.Itoa(c.dpi))
				out, err := exec.Command(render, "-r", strconv.Itoa(c.dpi), "-png", file, pages).CombinedOutput()
				require.NoError(t, err, string(out))
				require.Empty(t, string(out), "complaints of the renderer")
				images, err := filepath.Glob(pages + "-*.png")
				require.NoError(t, err)
				require.Len(t, images, len(stamps))
				// The exit code says when one image has no symbol: counted below.
				got, _ := exec.Command(reader, append([]string{"--raw", "-q", "-Sdisable", "-Sqrcode.enable"}, images...)...).Output()
				read := 0
				for line := range bytes.Lines(got) {
					require.True(t, texts[string(bytes.TrimSpace(line))], "a text that no stamp has")
					read++
				}
				t.Logf("%d of %d read", read, len(stamps))
				require.GreaterOrEqual(t, read, c.least)
			})
		}
	}
}
