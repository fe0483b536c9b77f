package content_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/pdf/content"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
)

func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s (Debian package poppler-utils) is not installed: nothing to compare with", name)
	}
	return path
}

// word is a word with its box, as pdftotext -bbox finds it: seen from the top left.
type word struct {
	XMin float64 `xml:"xMin,attr"`
	YMin float64 `xml:"yMin,attr"`
	XMax float64 `xml:"xMax,attr"`
	YMax float64 `xml:"yMax,attr"`
	Text string  `xml:",chardata"`
}

func popplerWords(t *testing.T, program, file, password string) [][]word {
	t.Helper()
	out, err := exec.Command(program, "-bbox", "-cropbox", "-upw", password, file, "-").Output()
	require.NoError(t, err)
	var doc struct {
		Pages []struct {
			Words []word `xml:"word"`
		} `xml:"body>doc>page"`
	}
	dec := xml.NewDecoder(bytes.NewReader(out))
	dec.Strict, dec.Entity, dec.AutoClose = false, xml.HTMLEntity, xml.HTMLAutoClose
	require.NoError(t, dec.Decode(&doc))
	pages := make([][]word, len(doc.Pages))
	for i, p := range doc.Pages {
		pages[i] = p.Words
	}
	return pages
}

// readable gives the files that can be read, written where programs find them.
func readable(t *testing.T, each func(t *testing.T, f pdfs.File, data []byte, path string)) {
	for _, f := range pdfs.Files() {
		t.Run(f.Name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), f.Name)
			require.NoError(t, os.WriteFile(path, f.Bytes(), 0o600))
			each(t, f, f.Bytes(), path)
		})
	}
}

// TestWordsAsPoppler finds every word that pdftotext finds, where it finds it:
// to a point in the direction of writing, and on the same line.
func TestWordsAsPoppler(t *testing.T) {
	program := tool(t, "pdftotext")
	total := 0
	readable(t, func(t *testing.T, f pdfs.File, data []byte, path string) {
		pages := popplerWords(t, program, path, f.Password)
		require.NotEmpty(t, pages)
		for i, words := range pages {
			file, page := openPage(t, data, f.Password, i+1)
			l, err := content.Read(t.Context(), file, page, nil)
			require.NoError(t, err)
			require.False(t, l.Truncated, "%v", l.Reason)
			_, height := page.Size()
			for _, w := range words {
				require.Truef(t, hasWord(l, page, w, height), "page %d: %+v is found at %.1f", i+1, w, l.Find(w.Text))
			}
			total += len(words)
		}
	})
	require.Greater(t, total, 2500)
}

// hasWord looks for a word of pdftotext; height is that of the page in its
// units. Words in the appearance of an annotation are not looked for.
func hasWord(l *content.Layout, page *pdf.Page, w word, height float64) bool {
	want := pdf.Rect{LLX: w.XMin, LLY: height - w.YMax, URX: w.XMax, URY: height - w.YMin}
	for _, user := range l.Annotations {
		if b := page.SeenRect(user); overlaps(b.LLX, b.URX, want.LLX, want.URX) && overlaps(b.LLY, b.URY, want.LLY, want.URY) {
			return true
		}
	}
	for _, user := range l.Find(w.Text) {
		g := page.SeenRect(user)
		along := math.Abs(g.LLX-want.LLX) < 1 && math.Abs(g.URX-want.URX) < 1 && overlaps(g.LLY, g.URY, want.LLY, want.URY)
		down := math.Abs(g.LLY-want.LLY) < 1 && math.Abs(g.URY-want.URY) < 1 && overlaps(g.LLX, g.URX, want.LLX, want.URX)
		if along || down {
			return true
		}
	}
	return false
}

// overlaps reports whether two spans share most of the shorter one.
func overlaps(a1, a2, b1, b2 float64) bool {
	return min(a2, b2)-max(a1, b1) > 0.6*min(a2-a1, b2-b1)
}

// TestInkIsOccupied holds the boxes to what pdftoppm paints: every pixel that
// is not white lies in one of them, to a point.
func TestInkIsOccupied(t *testing.T) {
	program := tool(t, "pdftoppm")
	inked := 0
	readable(t, func(t *testing.T, f pdfs.File, data []byte, path string) {
		for n := 1; n <= min(f.Pages, 3); n++ {
			file, page := openPage(t, data, f.Password, n)
			l, err := content.Read(t.Context(), file, page, nil)
			require.NoError(t, err)
			img := render(t, program, path, f.Password, n)
			inked += requireCovered(t, img, l, page)
		}
	})
	require.Greater(t, inked, 100_000)
}

// render paints a page with a pixel a unit of user space.
func render(t *testing.T, program, file, password string, page int) *image.Gray {
	t.Helper()
	n := strconv.Itoa(page)
	out, err := exec.Command(program, "-cropbox", "-r", "72", "-gray", "-f", n, "-l", n, "-upw", password, file).Output()
	require.NoError(t, err)
	var w, h, most int
	_, err = fmt.Fscanf(bytes.NewReader(out), "P5\n%d %d\n%d\n", &w, &h, &most)
	require.NoError(t, err)
	img := image.NewGray(image.Rect(0, 0, w, h))
	copy(img.Pix, out[len(out)-w*h:])
	return img
}

// requireCovered wants no dark pixel but under the boxes, and counts them.
func requireCovered(t *testing.T, img *image.Gray, l *content.Layout, page *pdf.Page) int {
	t.Helper()
	inked, _ := darkPixels(img)
	cover(img, l, page)
	n, at := darkPixels(img)
	require.Zerof(t, n, "ink at %v from the top left lies in no box", at)
	return inked
}

// cover paints the boxes white.
func cover(img *image.Gray, l *content.Layout, page *pdf.Page) {
	_, height := page.Size()
	for _, boxes := range [][]pdf.Rect{l.Occupied, l.Annotations} {
		for _, user := range boxes {
			b := page.SeenRect(user)
			r := image.Rect(int(b.LLX-1), int(height-b.URY-1), int(b.URX+1)+1, int(height-b.LLY+1)+1).Intersect(img.Rect)
			for y := r.Min.Y; y < r.Max.Y; y++ {
				for i := range img.Pix[y*img.Stride+r.Min.X : y*img.Stride+r.Max.X] {
					img.Pix[y*img.Stride+r.Min.X+i] = 255
				}
			}
		}
	}
}

// darkPixels counts them and says where the last is.
func darkPixels(img *image.Gray) (n int, at image.Point) {
	for i, v := range img.Pix {
		if v < 250 {
			n, at = n+1, image.Point{i % img.Stride, i / img.Stride}
		}
	}
	return n, at
}

// TestCorpus does both comparisons with the files of a folder, up to 40 pages
// each: those of METERAI_PDF_CORPUS, or the letter of the test files.
func TestCorpus(t *testing.T) {
	pattern := filepath.Join(os.Getenv("METERAI_PDF_CORPUS"), "*.pdf")
	if os.Getenv("METERAI_PDF_CORPUS") == "" {
		pattern = "../../testdata/pdf/surat-*.pdf"
	}
	text, ppm := tool(t, "pdftotext"), tool(t, "pdftoppm")
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			pages := popplerWords(t, text, path, "")
			words, found := 0, 0
			for i, list := range pages[:min(len(pages), 40)] {
				file, page := openPage(t, data, "", i+1)
				l, err := content.Read(t.Context(), file, page, nil)
				require.NoError(t, err)
				require.False(t, l.Truncated, "%v", l.Reason)
				_, height := page.Size()
				for _, w := range list {
					if words++; hasWord(l, page, w, height) {
						found++
					}
				}
				requireCovered(t, render(t, ppm, path, "", i+1), l, page)
			}
			t.Logf("%d of %d words", found, words)
			require.GreaterOrEqual(t, found*100, words*95)
		})
	}
}
