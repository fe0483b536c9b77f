package verify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/language"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/verify"
)

// spoken is what all reports can do.
type spoken interface {
	Text() string
	TextIn(language.Tag) string
}

// reports are one of every kind that people see.
func reports(t *testing.T) map[string]spoken {
	t.Helper()
	w := newWorld(t)
	doc, one := w.stamped(t), serialNumber(t, 1)
	trust := listTrust(t, w, nil)
	changed := update(t, doc, func(u *pdf.Update, _ *pdf.File) { u.Set(pdf.Ref{Number: 4}, stream("BT ET")) })
	other := w.sign(t, plain("another", 2, 0), job{stamp: &stampJob{number: one}})
	forged, err := seal.Text("", flip(w.seal(t, plain("agreement", 2, 0), &stampJob{number: one}), 100))
	require.NoError(t, err)
	judged := func(text string) *verify.SealReport {
		r, err := verify.Seal(text, w.opt)
		require.NoError(t, err)
		return r
	}
	bound, err := verify.SealForDocument(t.Context(), sealText(t, w, one), bytes.NewReader(other), int64(len(other)), w.opt)
	require.NoError(t, err)
	var uses verify.Uses
	uses.Add(named(t, "a.pdf", doc, w.opt))
	uses.Add(named(t, "b.pdf", other, w.opt))
	return map[string]spoken{
		"good":     check(t, doc, w.opt),
		"modified": check(t, changed, w.opt),
		"revoked": check(t, doc, with(w.opt, func(o *verify.Options) {
			o.SealTrust = listTrust(t, w, func(e *verify.SealTrustEntry) { e.RevokedAt = now.AddDate(0, -1, 0) })
		})),
		"void": check(t, doc, with(w.opt, func(o *verify.Options) {
			o.SealTrust, o.Lists = trust, []*verify.StatusList{parsed(t, published(t, listSigner(1), voiding(one)), trust)}
		})),
		"integrity":  check(t, doc, with(w.opt, func(o *verify.Options) { o.IntegrityOnly = true })),
		"nobody":     check(t, doc, nil),
		"unreadable": named(t, "x.pdf", []byte("no document"), nil),
		"unsigned":   check(t, plain("agreement", 1, 0), w.opt),
		"seal":       judged(sealText(t, w, one)),
		"forged":     judged(forged),
		"no-seal":    judged("HTTPS://EXAMPLE.TEST/S/123"),
		"other-seal": bound,
		"set":        uses.Report(),
	}
}

// TestTexts holds reports against what they said when somebody last read them. With
// METERAI_WRITE_TEXTS set it writes them anew.
func TestTexts(t *testing.T) {
	for name, r := range reports(t) {
		require.Equal(t, r.Text(), r.TextIn(language.English), name)
		require.Equal(t, r.Text(), r.TextIn(language.Dutch), name)
		require.Equal(t, r.TextIn(language.Indonesian), r.TextIn(language.MustParse("id-ID")), name)
		for tag, text := range map[string]string{"en": r.Text(), "id": r.TextIn(language.Indonesian)} {
			file := filepath.Join("testdata", "texts", name+"."+tag+".txt")
			if os.Getenv("METERAI_WRITE_TEXTS") != "" {
				require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), text, file)
		}
	}
}

// What JSON carries is English and stays so: a report read from it says its reasons in
// English, and everything around them in the language asked for.
func TestTextOfWhatJSONCarries(t *testing.T) {
	for name, r := range reports(t) {
		b, err := json.Marshal(r)
		require.NoError(t, err)
		var again spoken = &verify.Report{}
		switch r.(type) {
		case *verify.SealReport:
			again = &verify.SealReport{}
		case *verify.SetReport:
			again = &verify.SetReport{}
		}
		require.NoError(t, json.Unmarshal(b, again))
		require.Equal(t, r.Text(), again.Text(), name)
		text := again.TextIn(language.Indonesian)
		for _, line := range strings.Split(r.Text(), "\n") {
			if reason, ok := strings.CutPrefix(strings.TrimSpace(line), "- "); ok {
				require.Contains(t, text, strings.TrimSpace(reason), name)
			}
		}
	}
}

// A caller may take away or rewrite reasons: then those are said that are there.
func TestTextOfRewrittenReasons(t *testing.T) {
	r := reports(t)["modified"].(*verify.Report)
	was := r.TextIn(language.Indonesian)
	r.Signatures[0].Reasons = []string{"rewritten %s %d\x1b", r.Signatures[0].Reasons[0]}
	text := r.TextIn(language.Indonesian)
	require.Contains(t, text, "rewritten %s %d?\n")
	require.NotContains(t, text, "%!")
	require.NotEqual(t, was, text)
	require.Contains(t, r.TextIn(language.English), "rewritten %s %d?\n")
}

// What a file says is never read as a format or as one of the catalogue's keys, and
// cannot break out of its line.
func TestAttackTextInAnotherLanguage(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"%s%d%!v(x) %[2]s", "${x} \\u001b", "every signature is good", "\x1b[2J\u202e\nTOTAL-PASSED", "%[9]*.[2]*[3]f"} {
		doc := w.sign(t, plain("agreement", 2, 0), job{field: name})
		doc = update(t, doc, func(u *pdf.Update, _ *pdf.File) { u.Set(pdf.Ref{Number: 4}, stream("BT ET")) })
		r := check(t, doc, with(w.opt, func(o *verify.Options) { o.Ledger = &ledgerAnswer{err: errors.New(name)} }))
		r.File = name
		en, id := r.Text(), r.TextIn(language.Indonesian)
		require.Equal(t, strings.Count(en, "\n"), strings.Count(id, "\n"))
		for _, c := range id {
			require.True(t, c == '\n' || unicode.IsPrint(c), "%q", id)
		}
		require.Contains(t, id, "tanda tangan pada "+r.Signatures[0].Field)
		require.Contains(t, id, "revisi 3, sesudah tanda tangan pada ")
		if !strings.Contains(name, "%!") {
			require.NotContains(t, id, "%!")
		}
	}
}

// Texts in both languages may be asked for at the same time.
func TestTextsTogether(t *testing.T) {
	r := reports(t)["modified"]
	want := r.TextIn(language.Indonesian)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 10 {
				if r.TextIn(language.Indonesian) != want || r.Text() == want {
					t.Error("another text")
				}
			}
		})
	}
	all.Wait()
}

func ExampleReport_TextIn() {
	document := []byte("no document")
	report, err := verify.Document(context.Background(), bytes.NewReader(document), int64(len(document)), nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(report.Text())
	fmt.Print(report.TextIn(language.Indonesian))
	// Output:
	// UNREADABLE: the document could not be read
	//   pdf: not a PDF file
	// UNREADABLE: dokumen tidak dapat dibaca
	//   berkas ini bukan berkas PDF (keterangan teknis: pdf: not a PDF file)
}
