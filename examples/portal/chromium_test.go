package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// guard is how long a test waits for a browser under load before it gives up.
const guard = 3 * time.Minute

// A chromium is a real browser at a portal. What its console says and whom it
// asks is kept.
type chromium struct {
	t         *testing.T
	p         *portal
	ctx       context.Context
	downloads string
	finished  chan string // names of downloads
	mu        sync.Mutex
	complaint []string
}

// startChromium starts one with a profile of its own, or skips.
func startChromium(t *testing.T, p *portal) *chromium {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed: the pages are not tried in a browser")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("lang", "en-GB"), chromedp.WSURLReadTimeout(guard))
	ctx, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx))
	ctx, cancel = context.WithTimeout(ctx, guard)
	t.Cleanup(cancel)
	c := &chromium{t: t, p: p, ctx: ctx, downloads: t.TempDir(), finished: make(chan string, 8)}
	require.NoError(t, chromedp.Listen(ctx, c.listen))
	_, err = chromedp.Call(ctx, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
		Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllowAndName, DownloadPath: c.downloads, EventsEnabled: new(true)})
	require.NoError(t, err)
	c.do(chromedp.EmulateViewport(1200, 860))
	return c
}

// phone makes the window that of a phone.
func (c *chromium) phone() {
	c.t.Helper()
	c.do(chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulateScale(2)))
}

// dark asks for the pages as people see them who like them dark.
func (c *chromium) dark() {
	c.t.Helper()
	_, err := chromedp.Call(c.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}})
	require.NoError(c.t, err)
}

func (c *chromium) listen(event any) {
	said := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		said = fmt.Sprint("exception: ", e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		said = fmt.Sprint("console: ", e.Type)
	case *cdplog.EventEntryAdded:
		said = fmt.Sprint(e.Entry.Level, ": ", e.Entry.Text, " ", e.Entry.URL)
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, c.p.url+"/") && !strings.HasPrefix(e.Request.URL, "blob:"+c.p.url) {
			said = "asked elsewhere: " + e.Request.URL
		}
	case *cdpbrowser.EventDownloadProgress:
		if e.State == cdpbrowser.DownloadProgressStateCompleted {
			c.finished <- e.GUID
		}
	}
	if said != "" {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.complaint = append(c.complaint, said)
	}
}

// quiet requires that the console said nothing and nobody else was asked.
func (c *chromium) quiet() {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	require.Empty(c.t, c.complaint)
}

func (c *chromium) do(steps ...chromedp.Action[chromedp.Void]) {
	c.t.Helper()
	if err := chromedp.Do(c.ctx, steps...); err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		require.NoError(c.t, err, c.complaint)
	}
}

// ask gives what an action gives.
func ask[T any](c *chromium, a chromedp.Action[T]) T {
	c.t.Helper()
	v, err := chromedp.Run(c.ctx, a)
	require.NoError(c.t, err)
	return v
}

func (c *chromium) open(path string) {
	c.t.Helper()
	c.do(chromedp.Navigate(c.p.url + path))
}

// click presses a button or link and waits for what the next page shows.
func (c *chromium) click(selector, then string) {
	c.t.Helper()
	c.do(chromedp.Click(chromedp.CSS(selector)), chromedp.WaitVisible(chromedp.CSS(then)))
}

func (c *chromium) text(selector string) string {
	c.t.Helper()
	return ask(c, chromedp.Text(chromedp.CSS(selector)))
}

// value gives the number in a field.
func (c *chromium) value(selector string) float64 {
	c.t.Helper()
	f, err := strconv.ParseFloat(ask(c, chromedp.Value(chromedp.CSS(selector))), 64)
	require.NoError(c.t, err)
	return f
}

// script gives the number that a script gives.
func (c *chromium) script(expression string) float64 {
	c.t.Helper()
	return ask(c, chromedp.Evaluate[float64](expression))
}

func (c *chromium) register(name string) {
	c.t.Helper()
	c.open("/signin")
	c.do(chromedp.SendKeys(chromedp.CSS("#name"), name), chromedp.SendKeys(chromedp.CSS("#passphrase"), "correct horse"))
	c.click(`button[value="register"]`, "#upload")
}

func (c *chromium) buy(units int) {
	c.t.Helper()
	c.open("/buy")
	c.do(chromedp.SetValue(chromedp.CSS("#units"), strconv.Itoa(units)))
	c.click("main button", `button[value="pay"]`)
	c.click(`button[value="pay"]`, "dl")
	require.Contains(c.t, c.text("main"), "Paid.")
}

// upload chooses a file and waits for its preview.
func (c *chromium) upload(name string) {
	c.t.Helper()
	c.uploadUntil(name, "#preview[data-ready]")
}

// uploadUntil waits for what the next page shows.
func (c *chromium) uploadUntil(name, then string) {
	c.t.Helper()
	file := filepath.Join(c.t.TempDir(), name)
	require.NoError(c.t, os.WriteFile(file, testPDF(c.t, name), 0o600))
	c.open("/")
	c.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{file}))
	c.click("#upload button", then)
}

// download clicks the link and gives what was saved.
func (c *chromium) download() []byte {
	c.t.Helper()
	c.do(chromedp.Click(chromedp.CSS("#download")))
	select {
	case name := <-c.finished:
		content, err := os.ReadFile(filepath.Join(c.downloads, name))
		require.NoError(c.t, err)
		return content
	case <-time.After(guard):
		require.Fail(c.t, "the download did not finish")
		return nil
	}
}

// fits requires that nothing has to be scrolled sideways.
func (c *chromium) fits() {
	c.t.Helper()
	require.LessOrEqual(c.t, c.script("document.documentElement.scrollWidth"), 360.0)
}

// center gives the middle of the stamp on the screen.
func (c *chromium) center() (x, y float64) {
	c.t.Helper()
	c.do(chromedp.ScrollIntoView(chromedp.CSS("#stamp")))
	const box = `document.querySelector("#stamp").getBoundingClientRect()`
	return c.script(box + ".left + " + box + ".width / 2"), c.script(box + ".top + " + box + ".height / 2")
}

// drag moves the stamp by a distance on the screen, with the mouse.
func (c *chromium) drag(dx, dy float64) {
	c.t.Helper()
	x, y := c.center()
	c.do(chromedp.DragAndDropXY(x, y, x+dx, y+dy))
}

// swipe is drag with a finger.
func (c *chromium) swipe(dx, dy float64) {
	c.t.Helper()
	x, y := c.center()
	for _, step := range []struct {
		kind   input.DispatchTouchEventType
		points []*input.TouchPoint
	}{
		{input.DispatchTouchEventTypeTouchStart, []*input.TouchPoint{{X: x, Y: y}}},
		{input.DispatchTouchEventTypeTouchMove, []*input.TouchPoint{{X: x + dx/2, Y: y + dy/2}}},
		{input.DispatchTouchEventTypeTouchMove, []*input.TouchPoint{{X: x + dx, Y: y + dy}}},
		{input.DispatchTouchEventTypeTouchEnd, []*input.TouchPoint{}},
	} {
		_, err := chromedp.Call(c.ctx, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: step.kind, TouchPoints: step.points})
		require.NoError(c.t, err)
	}
}

// shot keeps a picture when METERAI_SCREENSHOTS names a folder.
func (c *chromium) shot(name string) {
	c.t.Helper()
	dir := os.Getenv("METERAI_SCREENSHOTS")
	if dir == "" {
		return
	}
	require.NoError(c.t, os.MkdirAll(dir, 0o755))
	c.script("scrollTo(0, 0), 0")
	require.NoError(c.t, os.WriteFile(filepath.Join(dir, name+".png"), ask(c, chromedp.FullScreenshot(100)), 0o644))
}
