package main

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"mime"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seed-574216e4/meterai/examples/verifyd/trust"
)

//go:embed web
var web embed.FS

// csp lets the page load its own files and compile its own WebAssembly, and
// nothing else. A page cannot say in its own text who may frame it, so that part
// is in the header alone.
const (
	csp = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; " +
		"style-src 'self'; img-src 'self'; media-src 'self'; base-uri 'none'; form-action 'none'"
	cspHeader = csp + "; frame-ancestors 'none'"
)

// Names of files in the site besides those in web.
const (
	indexFile    = "index.html"
	workerFile   = "sw.js"
	fallbackFile = "404.html"
	programFile  = "verifier.bin"
	supportFile  = "wasm_exec.js"
	specimenFile = "specimen.pdf"
	hostingFile  = "HOSTING.txt"
	headersFile  = "_headers"
	statusFile   = "trust/status.bin" // empty when the issuer publishes none
)

// trustFiles may be replaced at any time without making the site anew.
var trustFiles = []string{"trust/crls.pem", "trust/roots.pem", "trust/seal-trust.json", statusFile}

// headers are sent with every file. The address of a seal is nobody else's
// business, so no referrer goes anywhere.
var headers = map[string]string{
	"Content-Security-Policy":      cspHeader,
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "no-referrer",
	"Permissions-Policy":           "camera=(self), microphone=(), geolocation=()",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cache-Control":                "no-cache", // kept, but asked about: the service worker does the rest
}

// A site is a set of files; as an http.Handler it serves them.
type site struct {
	files map[string][]byte // by path
	tags  map[string]string // entity tags
}

// newSite puts the page, the program and the trust files together.
func newSite(p *program, set *trust.Set) (*site, error) {
	s := &site{files: map[string][]byte{}, tags: map[string]string{}}
	pages, err := fs.ReadDir(web, "web")
	if err != nil {
		return nil, err
	}
	for _, e := range pages {
		b, err := web.ReadFile("web/" + e.Name())
		if err != nil {
			return nil, err
		}
		s.add(e.Name(), b)
	}
	s.add(indexFile, bytes.ReplaceAll(s.files[indexFile], []byte("{{CSP}}"), []byte(csp)))
	s.add(programFile, p.packed)
	s.add(supportFile, p.support)
	if err := s.serviceWorker(); err != nil {
		return nil, err
	}
	s.add("trust/roots.pem", set.RootsPEM())
	s.add("trust/crls.pem", set.CRLsPEM())
	list, err := json.MarshalIndent(set.SealTrust, "", "  ")
	if err != nil {
		return nil, err
	}
	if set.SealTrust == nil {
		list = nil
	}
	s.add("trust/seal-trust.json", list)
	s.add(statusFile, nil)
	return s, nil
}

func (s *site) add(name string, content []byte) {
	sum := sha256.Sum256(content)
	s.files[name], s.tags[name] = content, `"`+hex.EncodeToString(sum[:12])+`"`
}

// serviceWorker fills in what it keeps: all files so far, under a version made of
// their content.
func (s *site) serviceWorker() error {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(s.files)), func(n string) bool { return n == workerFile })
	h := sha256.New()
	for _, name := range names {
		fmt.Fprintf(h, "%s %s\n", name, s.tags[name])
	}
	h.Write(s.files[workerFile])
	list, err := json.Marshal(append([]string{"./"}, names...))
	if err != nil {
		return err
	}
	trusted, err := json.Marshal(trustFiles)
	if err != nil {
		return err
	}
	text := strings.NewReplacer("{{VERSION}}", hex.EncodeToString(h.Sum(nil)[:8]), "{{FILES}}", string(list), "{{TRUST}}", string(trusted)).
		Replace(string(s.files[workerFile]))
	s.add(workerFile, []byte(text))
	return nil
}

// ServeHTTP implements http.Handler. Under the address of a seal, whose last
// element is a number, it serves the page.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range headers {
		w.Header().Set(name, value)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	if name == "" || isNumber(name) {
		name = indexFile
	}
	content, ok := s.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", contentType(name))
	w.Header().Set("ETag", s.tags[name])
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// contentType does not ask the machine's tables where a wrong answer would hurt.
func contentType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".bin":
		return "application/octet-stream"
	case ".pem", ".txt":
		return "text/plain; charset=utf-8"
	default:
		return mime.TypeByExtension(ext)
	}
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// write makes a new directory with all files, and what hosts need to know.
func (s *site) write(dir string) error {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty", dir)
	}
	all := maps.Clone(s.files)
	all[fallbackFile] = all[indexFile]
	all[headersFile] = hostHeaders()
	all[hostingFile] = hosting()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, all[name], 0o644); err != nil {
			return err
		}
	}
	return nil
}
