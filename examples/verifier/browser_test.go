package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/seal"
)

// compiled is the verifier, compiled once for all tests. The go command keeps the
// answers of tests and knows by the files that they look at whether to run them
// again, so they look at what the verifier is made of.
var compiled = sync.OnceValues(func() (*program, error) {
	for _, dir := range []string{"wasm", "../verifyd/trust", "../../verify", "../../pdf", "../../sign"} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err == nil {
				_, err = os.Stat(path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return compile(context.Background())
})

// guard is how long a test waits for a browser under load before it gives up.
const guard = 2 * time.Minute

// A stand is the site in a folder of a server, with a specimen made for its address.
type stand struct {
	*httptest.Server
	site     *site
	specimen *specimen
}

func newStand(t *testing.T) *stand {
	t.Helper()
	program, err := compiled()
	require.NoError(t, err)
	s := &stand{}
	s.Server = httptest.NewServer(http.StripPrefix("/S", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.site.ServeHTTP(w, r) })))
	s.URL += "/S"
	t.Cleanup(s.Server.Close)
	s.specimen, err = newSpecimen(t.Context(), strings.ToUpper(s.URL)+"/")
	require.NoError(t, err)
	s.site, err = newSite(program, s.specimen.set)
	require.NoError(t, err)
	return s
}

// A browser is a Chromium with a new profile. Whatever it asks of other machines
// goes to a proxy that remembers it.
type browser struct {
	ctx       context.Context
	mu        sync.Mutex
	elsewhere []string // hosts
}

// foreign gives the hosts that were asked for, but for what Chromium does by
// itself: time, updates, autofill and accounts, all of its maker.
func (b *browser) foreign() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.elsewhere), func(host string) bool {
		host, _, _ = strings.Cut(host, ":")
		return strings.HasSuffix(host, ".googleapis.com") || strings.HasSuffix(host, ".google.com")
	})
}

// newBrowser starts Chromium; its camera shows the video file, if one is given.
func newBrowser(t *testing.T, video string) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed: the page is not tried in a browser")
	}
	b := &browser{}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.elsewhere = append(b.elsewhere, r.Host)
		b.mu.Unlock()
		http.Error(w, "no network", http.StatusBadGateway)
	}))
	t.Cleanup(proxy.Close)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.ProxyServer(proxy.URL),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("lang", "en-GB"), chromedp.Flag("use-fake-device-for-media-stream", true), chromedp.Flag("use-fake-ui-for-media-stream", true))
	if video != "" {
		options = append(options, chromedp.Flag("use-file-for-fake-video-capture", video))
	}
	ctx, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx))
	b.ctx = ctx
	return b
}

// A tab is one page of the browser, with what went wrong in it.
type tab struct {
	t      *testing.T
	ctx    context.Context
	mu     sync.Mutex
	errors []string
	asked  []string // addresses
}

func (b *browser) tab(t *testing.T) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, guard)
	t.Cleanup(cancel)
	p := &tab{t: t, ctx: ctx}
	require.NoError(t, chromedp.Listen(ctx, func(event any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			p.errors = append(p.errors, fmt.Sprint(e.ExceptionDetails))
		case *runtime.EventConsoleAPICalled:
			p.errors = append(p.errors, fmt.Sprint("console: ", e.Type))
		case *log.EventEntryAdded:
			p.errors = append(p.errors, e.Entry.Text+" "+e.Entry.URL)
		case *network.EventRequestWillBeSent:
			p.asked = append(p.asked, e.Request.URL)
		}
	}))
	p.do(chromedp.EmulateViewport(1100, 900))
	return p
}

func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	require.NoError(p.t, chromedp.Do(p.ctx, actions...))
}

// value gives what an action gives.
func value[T any](p *tab, a chromedp.Action[T]) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, a)
	require.NoError(p.t, err)
	return v
}

// open goes to an address and waits until the verifier is ready.
func (p *tab) open(url string) {
	p.t.Helper()
	p.do(chromedp.Navigate(url), chromedp.WaitReady(chromedp.CSS(`html[data-ready="yes"]`)))
}

// offlineReady waits until the service worker keeps the page.
func (p *tab) offlineReady() {
	p.t.Helper()
	p.do(chromedp.WaitVisible(chromedp.CSS("#offline")))
}

// choose gives the page a file.
func (p *tab) choose(file string) {
	p.t.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](`document.getElementById('answer').replaceChildren()`),
		chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{file}))
}

// answer waits for an answer and gives its heading and all of its text.
func (p *tab) answer() (heading, text string) {
	p.t.Helper()
	p.do(chromedp.WaitVisible(chromedp.CSS("#answer h2")))
	return value(p, chromedp.Text(chromedp.CSS("#answer h2"))), value(p, chromedp.Text(chromedp.CSS("#answer")))
}

// clean says that nothing went wrong in the page, nothing went elsewhere, and
// nothing is wider than the window.
func (p *tab) clean(s *stand) {
	p.t.Helper()
	wide := value(p, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > document.documentElement.clientWidth`))
	require.False(p.t, wide, "the page scrolls sideways")
	p.mu.Lock()
	defer p.mu.Unlock()
	require.Empty(p.t, p.errors)
	for _, url := range p.asked {
		require.True(p.t, strings.HasPrefix(url, s.URL+"/") || strings.HasPrefix(url, "blob:"+s.URL), url)
	}
}

// picture keeps a screenshot in the folder METERAI_SCREENSHOTS.
func (p *tab) picture(name string) {
	p.t.Helper()
	dir := os.Getenv("METERAI_SCREENSHOTS")
	if dir == "" {
		return
	}
	p.do(chromedp.Evaluate[chromedp.Void](`scrollTo(0, 0)`))
	b := value(p, chromedp.FullScreenshot(100))
	require.NoError(p.t, os.WriteFile(filepath.Join(dir, name+".png"), b, 0o600))
}

// printed draws a seal as a picture of paper would show it: turned, in grey, not
// quite sharp.
func printed(t *testing.T, text string, width, height int, module, turn float64) *image.Gray {
	t.Helper()
	symbol, err := seal.NewSymbol(text)
	require.NoError(t, err)
	return draw(symbol, width, height, module, turn)
}

// video writes a picture as a short uncompressed film (YUV4MPEG2).
func video(t *testing.T, img *image.Gray) string {
	t.Helper()
	w, h := img.Rect.Dx(), img.Rect.Dy()
	var b bytes.Buffer
	fmt.Fprintf(&b, "YUV4MPEG2 W%d H%d F10:1 Ip A1:1 C420jpeg\n", w, h)
	for range 3 {
		b.WriteString("FRAME\n")
		b.Write(img.Pix)
		b.Write(bytes.Repeat([]byte{128}, w*h/2))
	}
	file := filepath.Join(t.TempDir(), "camera.y4m")
	require.NoError(t, os.WriteFile(file, b.Bytes(), 0o600))
	return file
}
