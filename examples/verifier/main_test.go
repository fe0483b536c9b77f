package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/testdata"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
	"github.com/seed-574216e4/meterai/verify"
)

func keep(t *testing.T, name string, content []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, content, 0o600))
	return file
}

// TestPage: everything that people do with the page, in one browser.
func TestPage(t *testing.T) {
	s := newStand(t)
	text := s.specimen.digits
	b := newBrowser(t, video(t, printed(t, strings.ToUpper(s.URL)+"/"+text, 960, 720, 7, 0.15)))
	number := s.serial(t)

	t.Run("stamped document", func(t *testing.T) {
		p := b.tab(t)
		p.open(s.URL + "/")
		p.picture("start-desktop")
		p.choose(keep(t, "stamped.pdf", s.specimen.document))
		heading, all := p.answer()
		require.Equal(t, "A SPECIMEN, not a real stamp", heading)
		require.Contains(t, all, number)
		for _, word := range []string{"IDR", "10,000", "genuine", "this one", "SPECIMEN", "stamped.pdf", "the whole file"} {
			require.Contains(t, all, word)
		}
		p.picture("good-desktop")
		p.clean(s)
	})
	t.Run("tampered document", func(t *testing.T) {
		p := b.tab(t)
		p.open(s.URL + "/")
		bad := bytes.Clone(s.specimen.document)
		at := bytes.Index(bad, []byte("/MediaBox"))
		require.Positive(t, at)
		bad[at+1] = 'm'
		p.choose(keep(t, "tampered.pdf", bad))
		heading, all := p.answer()
		require.Equal(t, "Not valid", heading)
		require.Contains(t, all, "The bytes are not those that were signed.")
		p.picture("bad-desktop")
		p.clean(s)
	})
	t.Run("seal by its address", func(t *testing.T) {
		p := b.tab(t)
		p.open(s.URL + "/" + text)
		heading, all := p.answer()
		require.Equal(t, "A SPECIMEN seal, without value", heading)
		require.Contains(t, all, number)
		require.Contains(t, all, "anybody can photocopy a seal")
		p.picture("seal-desktop")
		p.clean(s)
		// With the file at hand the page compares the two. The same document with a
		// stamp of somebody else has the same beginning, but is not trusted.
		p.choose(keep(t, "stamped.pdf", s.specimen.document))
		heading, _ = p.answer()
		require.Equal(t, "This file is the document of the printed seal", heading)
		other, err := newSpecimen(t.Context(), "")
		require.NoError(t, err)
		p.choose(keep(t, "other.pdf", other.document))
		_, all = p.answer()
		require.Contains(t, all, "Cannot be confirmed")
		surat, err := testdata.FS.ReadFile("pdf/classic.pdf")
		require.NoError(t, err)
		p.choose(keep(t, "classic.pdf", surat))
		heading, all = p.answer()
		require.Equal(t, "The printed seal is not for this document", heading)
		require.Contains(t, all, "No stamp in this document")
		p.clean(s)
	})
	t.Run("seal in the fragment, altered", func(t *testing.T) {
		p := b.tab(t)
		p.open(s.URL + "/#" + text[:len(text)-1] + string('0'+(text[len(text)-1]-'0'+1)%10))
		heading, _ := p.answer()
		require.Equal(t, "Not a genuine seal", heading)
		p.clean(s)
	})
	t.Run("typed text", func(t *testing.T) {
		p := b.tab(t)
		p.open(s.URL + "/")
		p.do(chromedp.Click(chromedp.CSS(".typed summary")), chromedp.SendKeys(chromedp.CSS("#sealtext"), "hello"),
			chromedp.Click(chromedp.CSS("#text button")))
		heading, _ := p.answer()
		require.Equal(t, "Not a genuine seal", heading)
		p.clean(s)
	})
	t.Run("image files", func(t *testing.T) {
		p := b.tab(t)
		p.open(s.URL + "/")
		var img bytes.Buffer
		require.NoError(t, png.Encode(&img, printed(t, text, 700, 900, 5, -0.3)))
		p.choose(keep(t, "photo.png", img.Bytes()))
		heading, all := p.answer()
		require.Equal(t, "A SPECIMEN seal, without value", heading)
		require.Contains(t, all, number)
		img.Reset()
		require.NoError(t, png.Encode(&img, printed(t, text, 300, 300, 0.5, 0)))
		p.choose(keep(t, "blurred.png", img.Bytes()))
		heading, _ = p.answer()
		require.Equal(t, "No code was found in this picture", heading)
		p.choose(keep(t, "broken.png", img.Bytes()[:100]))
		heading, _ = p.answer()
		require.Equal(t, "This picture cannot be read", heading)
		p.clean(s)
	})
	t.Run("camera", func(t *testing.T) {
		p := b.tab(t)
		p.open(s.URL + "/")
		p.do(chromedp.Click(chromedp.CSS("#camera")), chromedp.WaitVisible(chromedp.CSS("#video")))
		heading, all := p.answer()
		require.Equal(t, "A SPECIMEN seal, without value", heading)
		require.Contains(t, all, number)
		off := value(p, chromedp.Evaluate[bool](`document.getElementById('video').srcObject === null`))
		require.True(t, off, "the camera is still on")
		p.clean(s)
	})
	t.Run("phone, in Indonesian", func(t *testing.T) {
		p := b.tab(t)
		p.do(chromedp.EmulateViewport(360, 740, chromedp.EmulateScale(2), chromedp.EmulateMobile))
		p.open(s.URL + "/")
		p.do(chromedp.Click(chromedp.CSS(`[data-language="id"]`)))
		p.picture("start-phone")
		p.clean(s)
		p.choose(keep(t, "stamped.pdf", s.specimen.document))
		heading, all := p.answer()
		require.Equal(t, "SPESIMEN, bukan meterai asli", heading)
		require.Contains(t, all, "10.000")
		p.picture("good-phone")
		p.clean(s)
		p.open(s.URL + "/" + text)
		heading, _ = p.answer() // the choice of language is kept
		require.Equal(t, "Segel SPESIMEN, tidak bernilai", heading)
		p.picture("seal-phone")
		p.clean(s)
		p.do(chromedp.Click(chromedp.CSS(`[data-language="en"]`)))
		heading, _ = p.answer()
		require.Equal(t, "A SPECIMEN seal, without value", heading)
	})
	t.Run("locked document, with the keyboard", func(t *testing.T) {
		p := b.tab(t)
		p.open(s.URL + "/")
		var locked pdfs.File
		for _, f := range pdfs.Files() {
			if f.Name == "encrypted-password.pdf" {
				locked = f
			}
		}
		p.choose(keep(t, "locked.pdf", locked.Bytes()))
		heading, _ := p.answer()
		require.Equal(t, "This document is locked", heading)
		p.do(chromedp.SendKeys(chromedp.CSS("#password"), locked.Password+"\r"),
			chromedp.WaitNotPresent(chromedp.CSS("#password")))
		heading, _ = p.answer()
		require.Equal(t, "No stamp in this document", heading)
		p.do(chromedp.KeyEvent("\t"), chromedp.KeyEvent("\r")) // from the answer to its first button
		p.do(chromedp.WaitNotVisible(chromedp.CSS("#answer")))
		p.clean(s)
	})
	t.Run("what is no PDF", func(t *testing.T) {
		p := b.tab(t)
		p.open(s.URL + "/")
		p.choose(keep(t, "<img src=x onerror=alert(1)>.pdf", []byte("no PDF <script>")))
		heading, all := p.answer()
		require.Equal(t, "This file cannot be read", heading)
		require.Contains(t, all, "<img src=x")
		p.choose(keep(t, "empty.pdf", nil))
		p.answer()
		p.clean(s)
	})
	t.Run("void serial", func(t *testing.T) {
		s.publishVoid(t)
		p := b.tab(t)
		p.open(s.URL + "/")
		p.choose(keep(t, "stamped.pdf", s.specimen.document))
		heading, all := p.answer()
		require.Equal(t, "This stamp is void", heading)
		require.Contains(t, all, "void")
		p.open(s.URL + "/" + text)
		heading, _ = p.answer()
		require.Equal(t, "This stamp is void", heading)
		p.clean(s)
	})
	require.Empty(t, b.foreign(), "something was asked of another machine")
}

// serial is the specimen's serial number as the page writes it.
func (s *stand) serial(t *testing.T) string {
	t.Helper()
	parsed, _, err := seal.ParseText(s.specimen.digits)
	require.NoError(t, err)
	return parsed.Serial.Grouped()
}

// publishVoid puts a list beside the page that calls the specimen's serial void.
func (s *stand) publishVoid(t *testing.T) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	key, err := seal.NewKey(public)
	require.NoError(t, err)
	entry := s.specimen.set.SealTrust.Entries[0]
	entry.ListKeys = []string{base64.StdEncoding.EncodeToString(key.SPKI())}
	set := *s.specimen.set
	set.SealTrust, err = verify.NewSealTrust(entry)
	require.NoError(t, err)
	parsed, _, err := seal.ParseText(s.specimen.digits)
	require.NoError(t, err)
	now := time.Now().UTC().Truncate(time.Second)
	list, err := (&verify.StatusListDraft{Number: 1, Issued: now, NextUpdate: now.Add(time.Hour), Specimen: true, Void: []serial.Number{parsed.Serial}}).Sign(private)
	require.NoError(t, err)
	program, err := compiled()
	require.NoError(t, err)
	next, err := newSite(program, &set)
	require.NoError(t, err)
	next.add(statusFile, list)
	s.site = next
}

// TestOffline: once it was loaded the page works when the server is gone.
func TestOffline(t *testing.T) {
	s := newStand(t)
	b := newBrowser(t, "")
	p := b.tab(t)
	p.open(s.URL + "/")
	p.offlineReady()
	s.Server.Close()
	p.open(s.URL + "/" + s.specimen.digits)
	heading, _ := p.answer()
	require.Equal(t, "A SPECIMEN seal, without value", heading)
	p.choose(keep(t, "stamped.pdf", s.specimen.document))
	_, all := p.answer()
	require.Contains(t, all, "A SPECIMEN, not a real stamp")
	trust := value(p, chromedp.Text(chromedp.CSS("#trust")))
	require.Contains(t, trust, "No network: the copy kept on this device is used.")
}

// TestLargeDocument: 20 MB, and how long they take.
func TestLargeDocument(t *testing.T) {
	s := newStand(t)
	b := newBrowser(t, "")
	for _, large := range []struct {
		name string
		make func(*bytes.Buffer) error
	}{
		{"scans", func(w *bytes.Buffer) error { return pdfs.Scan(w, 20<<20) }},
		{"4,785 pages", func(w *bytes.Buffer) error { return pdfs.Pages(w, 4785, pdfs.Table) }},
	} {
		t.Run(large.name, func(t *testing.T) {
			var source bytes.Buffer
			require.NoError(t, large.make(&source))
			sp, err := stampSpecimen(t.Context(), "", source.Bytes())
			require.NoError(t, err)
			program, err := compiled()
			require.NoError(t, err)
			s.site, err = newSite(program, sp.set)
			require.NoError(t, err)
			p := b.tab(t)
			p.open(s.URL + "/")
			p.do(chromedp.Evaluate[chromedp.Void](`window.began = 0; window.took = 0;
				document.getElementById('file').addEventListener('change', () => { window.began = performance.now(); }, true);
				new MutationObserver(() => { if (window.began && document.querySelector('#answer h2')) window.took ||= performance.now() - window.began; })
					.observe(document.getElementById('answer'), { childList: true }); 0`))
			p.choose(keep(t, "large.pdf", sp.document))
			heading, _ := p.answer()
			require.Equal(t, "A SPECIMEN, not a real stamp", heading)
			took := value(p, chromedp.Evaluate[float64](`window.took`))
			t.Logf("%d bytes verified in %v", len(sp.document), time.Duration(took*float64(time.Millisecond)).Round(time.Millisecond))
			p.clean(s)
		})
	}
}
