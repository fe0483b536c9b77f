package main

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/examples/verifyd/trust"
)

// bare is a site with a program that nobody runs.
func bare(t *testing.T) (*site, *specimen) {
	t.Helper()
	sp, err := newSpecimen(t.Context(), "HTTPS://STAMP.EXAMPLE/S/")
	require.NoError(t, err)
	s, err := newSite(&program{packed: []byte("program"), support: []byte("support")}, sp.set)
	require.NoError(t, err)
	return s, sp
}

func get(h http.Handler, method, target string) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w.Result()
}

func TestServedFiles(t *testing.T) {
	s, sp := bare(t)
	for _, test := range []struct {
		method, target string
		status         int
		kind           string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8"},
		{"HEAD", "/index.html", 200, "text/html; charset=utf-8"},
		{"GET", "/" + sp.digits, 200, "text/html; charset=utf-8"},
		{"GET", "/app.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/verifier.bin", 200, "application/octet-stream"},
		{"GET", "/trust/roots.pem", 200, "text/plain; charset=utf-8"},
		{"GET", "/trust/seal-trust.json", 200, "application/json"},
		{"GET", "/123x", 404, ""},
		{"GET", "/../go.mod", 404, ""},
		{"GET", "/trust/", 404, ""},
		{"POST", "/", 405, ""},
	} {
		r := get(s, test.method, test.target)
		require.Equal(t, test.status, r.StatusCode, test.target)
		if test.kind != "" {
			require.Equal(t, test.kind, r.Header.Get("Content-Type"), test.target)
		}
		for name, value := range headers {
			require.Equal(t, value, r.Header.Get(name), test.target)
		}
	}
	require.NotContains(t, csp, "unsafe-inline")
	require.Equal(t, 1, strings.Count(csp, "unsafe"), "only WebAssembly may be compiled")
	require.Contains(t, string(s.files[indexFile]), `content="`+csp+`"`)
}

// TestServiceWorker: it keeps every file that the page needs, and another content
// is another version.
func TestServiceWorker(t *testing.T) {
	s, _ := bare(t)
	text := string(s.files[workerFile])
	require.NotContains(t, text, "{{")
	var names []string
	require.NoError(t, json.Unmarshal([]byte(regexp.MustCompile(`FILES = (.*);`).FindStringSubmatch(text)[1]), &names))
	for _, name := range []string{"./", "index.html", "app.js", "render.js", "words.js", "worker.js", "style.css", "icon.svg", "verifier.bin", "wasm_exec.js"} {
		require.Contains(t, names, name)
	}
	require.NotContains(t, names, "sw.js")
	version := regexp.MustCompile(`VERSION = '([0-9a-f]{16})'`)
	first := version.FindStringSubmatch(text)[1]
	again, _ := bare(t) // other trust files, the same program
	require.Equal(t, first, version.FindStringSubmatch(string(again.files[workerFile]))[1])
	other, err := newSite(&program{packed: []byte("another program")}, &trust.Set{})
	require.NoError(t, err)
	require.NotEqual(t, first, version.FindStringSubmatch(string(other.files[workerFile]))[1])
}

// TestWords: both languages have the same words with the same names in them, and
// the page uses no word that is missing.
func TestWords(t *testing.T) {
	b, err := web.ReadFile("web/words.js")
	require.NoError(t, err)
	english, indonesian, found := strings.Cut(string(b), "\n  id: {")
	require.True(t, found)
	word := regexp.MustCompile(`(?:^|[\s{,])(?:'([a-z-]+)'|([A-Za-z0-9_]+)): '((?:[^'\\]|\\.)*)'`)
	read := func(text string) map[string]string {
		words := map[string]string{}
		for _, m := range word.FindAllStringSubmatch(text, -1) {
			words[m[1]+m[2]] = strings.Join(regexp.MustCompile(`\{\w+\}`).FindAllString(m[3], -1), "")
		}
		return words
	}
	en, id := read(english), read(indonesian)
	require.Greater(t, len(en), 100)
	require.Equal(t, en, id)
	used := regexp.MustCompile(`\bt\('([\w-]+)'|data-t="([\w-]+)"`)
	for _, name := range []string{"web/app.js", "web/render.js", "web/index.html"} {
		b, err := web.ReadFile(name)
		require.NoError(t, err)
		for _, m := range used.FindAllStringSubmatch(string(b), -1) {
			require.Contains(t, en, m[1]+m[2], name)
		}
	}
}

func TestWrite(t *testing.T) {
	s, sp := bare(t)
	s.add(specimenFile, sp.document)
	dir := filepath.Join(t.TempDir(), "site")
	require.NoError(t, s.write(dir))
	require.Error(t, s.write(dir), "it never overwrites")
	n := 0
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	}))
	require.Equal(t, len(s.files)+3, n)
	index, err := os.ReadFile(filepath.Join(dir, indexFile))
	require.NoError(t, err)
	fallback, err := os.ReadFile(filepath.Join(dir, fallbackFile))
	require.NoError(t, err)
	require.Equal(t, index, fallback)
	notes, err := os.ReadFile(filepath.Join(dir, hostingFile))
	require.NoError(t, err)
	require.Contains(t, string(notes), cspHeader)
	require.NotContains(t, string(notes), "{{")
	// The trust files are what other programs read.
	set, err := trust.Load(&trust.Files{Roots: filepath.Join(dir, "trust/roots.pem"), CRLs: []string{filepath.Join(dir, "trust/crls.pem")}, SealTrust: filepath.Join(dir, "trust/seal-trust.json")})
	require.NoError(t, err)
	require.Len(t, set.Roots, 1)
	require.Len(t, set.CRLs, 2)
	require.Len(t, set.SealTrust.Entries, 1)
}

// TestSize: what a visitor loads the first time, packed.
func TestSize(t *testing.T) {
	p, err := compiled()
	require.NoError(t, err)
	s, err := newSite(p, &trust.Set{})
	require.NoError(t, err)
	total := len(p.packed)
	for name, content := range s.files {
		if name != programFile {
			packed, err := pack(content)
			require.NoError(t, err)
			total += len(packed)
		}
	}
	t.Logf("the program is %d bytes packed with gzip, the whole page %d", len(p.packed), total)
	require.Less(t, total, 6<<20)
}

func TestCommandLine(t *testing.T) {
	for _, args := range [][]string{{"--nonsense"}, {"extra"}} {
		require.Error(t, run(t.Context(), args, new(bytes.Buffer)))
	}
	_, err := parse([]string{"--dir", "demo", "--crl", "a", "--crl", "b"}, io.Discard)
	require.NoError(t, err)
}
