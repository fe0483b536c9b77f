package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
)

// requirePlace finds the stamp in the file: its lower left corner as people see
// the page.
func requirePlace(t *testing.T, stamped []byte, number int, x, y float64) {
	t.Helper()
	file, err := pdf.Open(bytes.NewReader(stamped), int64(len(stamped)), nil)
	require.NoError(t, err)
	sheet, err := file.Page(number)
	require.NoError(t, err)
	annotations, err := file.Annotations(sheet)
	require.NoError(t, err)
	require.NotEmpty(t, annotations)
	widget, err := file.Dict(annotations[len(annotations)-1])
	require.NoError(t, err)
	rect, err := file.Rect(widget["Rect"])
	require.NoError(t, err)
	seen := sheet.SeenRect(rect)
	require.InDelta(t, x, seen.LLX*sheet.UserUnit, 0.2)
	require.InDelta(t, y, seen.LLY*sheet.UserUnit, 0.2)
}

// TestBrowser is a person's way through the portal.
func TestBrowser(t *testing.T) {
	p := startPortal(t, nil)
	c := startChromium(t, p)
	c.register("ada@example.id")
	c.shot("empty")
	c.buy(5)
	c.shot("paid")

	c.upload("surat-pernyataan.pdf")
	x, y := c.value("#x"), c.value("#y")
	scale := c.script(`document.querySelector("#stamp").getBoundingClientRect().width / document.querySelector("#stamp").dataset.width`)
	c.drag(-90, -120)
	require.InDelta(t, x-90/scale, c.value("#x"), 0.2)
	require.InDelta(t, y+120/scale, c.value("#y"), 0.2)
	x = c.value("#x")
	c.do(chromedp.Focus(chromedp.CSS("#stamp")), chromedp.KeyEvent(kb.ArrowRight+kb.ArrowRight))
	require.InDelta(t, x+2, c.value("#x"), 0.01)
	c.shot("place")
	x, y = c.value("#x"), c.value("#y")

	c.click("#go", "#download")
	require.Contains(t, c.text(".units"), "4 units")
	c.do(chromedp.WaitVisible(chromedp.CSS("#preview[data-ready]")))
	c.shot("stamped")
	stamped := c.download()
	requirePassed(t, p.config.Dir, stamped)
	requirePlace(t, stamped, -1, x, y)

	c.open("/history")
	require.Contains(t, c.text("main"), "The unit is used: document stamped")
	c.shot("history")
	c.open("/?lang=id")
	require.Contains(t, c.text("main"), "Sudah bermeterai")
	c.shot("documents-id")
	c.dark()
	c.click(".lines .name", "#preview[data-ready]")
	c.shot("stamped-dark")
	c.quiet()
}

// TestBrowserRotated drags stamps on pages that are turned and cropped: the
// stamp must stand where it was seen.
func TestBrowserRotated(t *testing.T) {
	p := startPortal(t, nil)
	c := startChromium(t, p)
	c.register("ada")
	c.buy(9)
	for _, name := range []string{"rotate-90.pdf", "rotate-180.pdf", "cropbox-rotated.pdf", "userunit.pdf"} {
		c.upload(name)
		c.drag(-60, -40)
		x, y := c.value("#x"), c.value("#y")
		seen := c.script(`(s => (s.left - document.querySelector("#canvas").getBoundingClientRect().left) / s.width * document.querySelector("#stamp").dataset.width)(document.querySelector("#stamp").getBoundingClientRect())`)
		require.InDelta(t, seen, x, 0.3, name)
		name = strings.TrimSuffix(name, ".pdf")
		c.shot("place-" + name)
		c.click("#go", "#download")
		requirePlace(t, c.download(), int(c.script(`Number(document.querySelector("#preview").dataset.page)`)), x, y)
		c.do(chromedp.WaitVisible(chromedp.CSS("#preview[data-ready]")))
		c.shot("stamped-" + name)
	}
	c.quiet()
}

// TestBrowserPhone goes the same way with a finger.
func TestBrowserPhone(t *testing.T) {
	p := startPortal(t, nil)
	c := startChromium(t, p)
	c.phone()
	c.open("/signin")
	c.fits()
	c.shot("phone-signin")
	c.register("ada")
	c.buy(2)
	c.fits()
	c.shot("phone-paid")
	c.upload("forty-pages.pdf")
	c.fits()
	x, y := c.value("#x"), c.value("#y")
	c.swipe(-50, -60)
	require.Greater(t, x-c.value("#x"), 40.0)
	require.Greater(t, c.value("#y")-y, 50.0)
	c.click("#previous", `#preview[data-ready="39"]`)
	require.InDelta(t, 39, c.value("#page"), 0)
	c.shot("phone-place")
	x, y = c.value("#x"), c.value("#y")
	c.click("#go", "#download")
	c.fits()
	c.do(chromedp.WaitVisible(chromedp.CSS("#preview[data-ready]")))
	c.shot("phone-stamped")
	requirePlace(t, c.download(), 39, x, y)
	for _, path := range []string{"/", "/history", "/buy"} {
		c.open(path + "?lang=id")
		c.fits()
		c.shot("phone" + strings.ReplaceAll(path, "/", "-"))
	}
	c.quiet()
}

// TestBrowserTwice presses the button twice and reloads in the middle: one unit.
func TestBrowserTwice(t *testing.T) {
	p := startPortal(t, nil)
	c := startChromium(t, p)
	c.register("ada")
	c.buy(5)
	c.upload("classic.pdf")
	g := p.gate(t)
	c.do(chromedp.Evaluate[chromedp.Void](`for (let i = 0; i < 2; i++) document.querySelector("#place").requestSubmit(document.querySelector("#go"))`),
		chromedp.WaitVisible(chromedp.CSS(".big")))
	g.arrive(t)
	c.do(chromedp.Reload(), chromedp.WaitVisible(chromedp.CSS(".big")))
	require.Contains(t, c.text("main"), "being stamped")
	c.shot("working")
	c.do(chromedp.Reload(), chromedp.WaitVisible(chromedp.CSS(".big")), chromedp.NavigateBack(), chromedp.WaitVisible(chromedp.CSS("main")))
	g.open()
	c.open("/")
	c.click(".lines .name", "#download") // through the waiting page, if need be, which asks again by itself
	requirePassed(t, p.config.Dir, c.download())
	require.Contains(t, c.text(".units"), "4 units")
	require.Equal(t, 1, g.signatures())
	c.quiet()
}

// TestBrowserRefused meets what a person may do wrong: each time the page says
// what to do, and nothing is taken.
func TestBrowserRefused(t *testing.T) {
	p := startPortal(t, func(c *config) { c.Limits.Workers, c.Limits.Line = 1, 1 })
	c := startChromium(t, p)
	c.phone()
	c.register("ada")
	letter := filepath.Join(t.TempDir(), "letter.pdf")
	require.NoError(t, os.WriteFile(letter, []byte("a letter, and no PDF"), 0o600))
	c.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{letter}))
	c.click("#upload button", ".alert")
	require.Contains(t, c.text(".alert"), "not a PDF")
	c.uploadUntil("encrypted-password.pdf", ".alert")
	require.Contains(t, c.text(".alert"), "locked by a password")

	c.upload("classic.pdf")
	c.click("#go", ".alert")
	require.Contains(t, c.text(".alert"), "no units left")
	c.click(".side .notice a", "#units")
	c.buy(1)

	b := p.browser(t) // somebody else fills the line
	b.register("bob")
	b.buy(2, "pay")
	first, second := b.upload("a.pdf", testPDF(t, "classic.pdf")), b.upload("b.pdf", testPDF(t, "classic.pdf"))
	g := p.gate(t)
	b.press(first, "10", "10")
	g.arrive(t)
	b.press(second, "10", "10")
	p.line(t, 1)
	c.open("/")
	c.click(".lines .name", "#preview[data-ready]")
	c.click("#go", ".big") // the page that follows stands in the line by itself
	require.Eventually(t, func() bool { return strings.Contains(c.text(".big"), "The line is full") }, guard, 100*time.Millisecond)
	c.fits()
	c.shot("phone-full")
	g.open()
	c.do(chromedp.WaitVisible(chromedp.CSS("#download")))
	requirePassed(t, p.config.Dir, c.download())
	require.Contains(t, c.text(".units"), "0 units")
	require.Equal(t, 3, g.signatures())
}

// scan is a page that one picture covers, black and compressed as fax machines
// do (CCITT group 4): eight rows like the white one before, and an end mark.
func scan() []byte {
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /XObject << /I 5 0 R >> >> >>",
		"<< /Length 30 >>\nstream\nq 595 0 0 842 0 0 cm /I Do Q  \nendstream",
		"<< /Type /XObject /Subtype /Image /Width 64 /Height 8 /ColorSpace /DeviceGray /BitsPerComponent 1 /Decode [1 0] " +
			"/Filter /CCITTFaxDecode /DecodeParms << /K -1 /Columns 64 /Rows 8 >> /Length 4 >>\nstream\n\xff\x00\x10\x01\nendstream",
	}
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	table := "0000000000 65535 f \n"
	for n, o := range objects {
		table += fmt.Sprintf("%010d 00000 n \n", b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", n+1, o)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 6\n%strailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", table, start)
	return b.Bytes()
}

// TestBrowserScan: pictures of scanners are decoded by WebAssembly, which the
// policy has to let run.
func TestBrowserScan(t *testing.T) {
	p := startPortal(t, nil)
	c := startChromium(t, p)
	c.register("ada")
	file := filepath.Join(t.TempDir(), "scan.pdf")
	require.NoError(t, os.WriteFile(file, scan(), 0o600))
	c.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{file}))
	c.click("#upload button", "#preview[data-ready]")
	c.shot("scan")
	require.Zero(t, c.script(`(c => c.getContext("2d").getImageData(c.width / 2, c.height / 2, 1, 1).data[0])(document.querySelector("#canvas"))`), "black")
	c.quiet()
}
