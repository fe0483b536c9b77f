package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
)

// The texts that tests look for are English.
func TestMain(m *testing.M) {
	if err := os.Setenv("LC_ALL", "C"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// meterai runs one command in this process.
func meterai(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&errOut)
	code = run(t.Context(), root)
	require.LessOrEqual(t, strings.Count(errOut.String(), "\n"), 1, "more than one line of error: %s", errOut.String())
	return code, out.String(), errOut.String()
}

func ok(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errOut := meterai(t, args...)
	require.Zero(t, code, errOut)
	return out
}

// demo is a directory with ten units for "me", and a document.
func demo(t *testing.T) (dir, in string) {
	t.Helper()
	tmp := t.TempDir()
	dir = filepath.Join(tmp, "demo")
	ok(t, "init", "--dir", dir)
	ok(t, "credit", "--dir", dir, "--account", "me", "--units", "10", "--key", "invoice-1")
	in = filepath.Join(tmp, "in.pdf")
	writeInput(t, in, "classic.pdf")
	return dir, in
}

func writeInput(t *testing.T, path, name string) {
	t.Helper()
	f, err := pdfs.Get(name)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, f.Bytes(), 0o600))
}

func available(t *testing.T, dir string) int {
	t.Helper()
	var b struct{ Available, Purchased, Reserved, Stamped, Refunded *int }
	require.NoError(t, json.Unmarshal([]byte(ok(t, "balance", "--dir", dir, "--account", "me", "--json")), &b))
	require.NotNil(t, b.Available)
	require.Equal(t, *b.Purchased, *b.Available+*b.Reserved+*b.Stamped+*b.Refunded)
	return *b.Available
}

func TestStampAndVerify(t *testing.T) {
	dir, in := demo(t)
	for i, algorithm := range []string{"p256", "rsa"} {
		out := filepath.Join(t.TempDir(), "out.pdf")
		ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out, "--algorithm", algorithm, "--key", algorithm)
		require.Equal(t, 9-i, available(t, dir))
		var report map[string]any
		require.NoError(t, json.Unmarshal([]byte(ok(t, "verify", "--dir", dir, "--json", out)), &report))
		require.Equal(t, "TOTAL-PASSED", report["indication"])
		require.Equal(t, "full", report["scope"])
		require.Equal(t, out, report["file"])
		signature := report["signatures"].([]any)[0].(map[string]any)
		for _, key := range []string{"field", "indication", "sub_indication", "level", "coverage", "modification", "signer",
			"signing_time", "timestamp", "algorithm", "reasons", "stamp"} {
			require.Contains(t, signature, key)
		}
		stamp := signature["stamp"].(map[string]any)
		require.Equal(t, 10000.0, stamp["value"])
		require.Equal(t, "IDR", stamp["currency"])
		require.Equal(t, true, stamp["specimen"])
		require.Equal(t, true, stamp["document_bound"])
	}
	require.Contains(t, ok(t, "history", "--dir", dir, "--account", "me"), "is stamped")
	require.Contains(t, ok(t, "audit", "--dir", dir, "--json"), `"clean":true`)
}

func TestSameKeyWritesTheIdenticalDocument(t *testing.T) {
	dir, in := demo(t)
	first, second := filepath.Join(t.TempDir(), "1.pdf"), filepath.Join(t.TempDir(), "2.pdf")
	line := ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", first)
	require.Regexp(t, regexp.MustCompile(`^0ZZ-....-....-....-....-... `), line)
	ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", second)
	a, err := os.ReadFile(first)
	require.NoError(t, err)
	b, err := os.ReadFile(second)
	require.NoError(t, err)
	require.Equal(t, a, b)
	require.Equal(t, 9, available(t, dir))

	ok(t, "stamp", "--dir", dir, "--account", "me", "--key", "k", "--in", in, "--out", first)
	writeInput(t, in, "form.pdf")
	code, _, errOut := meterai(t, "stamp", "--dir", dir, "--account", "me", "--key", "k", "--in", in, "--out", first)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errOut, "digest")
	require.Equal(t, 8, available(t, dir))

	var said struct {
		File, Out, Serial, Account string
		Replayed                   bool
		Warnings                   []string
	}
	writeInput(t, in, "classic.pdf")
	for _, replayed := range []bool{false, true} {
		require.NoError(t, json.Unmarshal([]byte(ok(t, "stamp", "--dir", dir, "--account", "me", "--key", "j", "--in", in, "--out", first, "--json")), &said))
		require.Equal(t, []any{in, first, "me", replayed}, []any{said.File, said.Out, said.Account, said.Replayed})
		n, err := serial.Parse(said.Serial)
		require.NoError(t, err)
		require.Equal(t, n.String(), said.Serial)
		require.NotNil(t, said.Warnings)
	}
}

// TestPlaces: the place by name, by words of the page, by what is free.
func TestPlaces(t *testing.T) {
	dir, in := demo(t)
	out := filepath.Join(t.TempDir(), "out.pdf")
	ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out, "--corner", "top-left", "--margin", "20")
	require.Contains(t, ok(t, "history", "--dir", dir, "--account", "me"), "stamped")
	for _, args := range [][]string{
		{"--corner", "middle"}, {"--field", "f", "--page", "1"}, {"--field", "f", "--corner", "top-left"}, {"--field", "f", "--at", "1,1"},
		{"--anchor", "x", "--free"}, {"--anchor", "x", "--corner", "top-left"}, {"--side", "below"}, {"--anchor", "x", "--side", "inside"},
		{"--anchor", "x", "--occurrence", "0"}, {"--at", "1,1", "--margin", "3"}, {"--page", "-1"},
	} {
		code, _, _ := meterai(t, append([]string{"stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out}, args...)...)
		require.Equal(t, exitUsage, code, args)
	}
	writeInput(t, in, "form.pdf")
	code, _, errOut := meterai(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out, "--field", "none")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errOut, `signature field "none" is not in the document`)
	writeInput(t, in, "surat-pernyataan.pdf")
	code, _, errOut = meterai(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out, "--anchor", "no such words")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errOut, "no unit was taken")
	require.Equal(t, 9, available(t, dir))
	first, second := filepath.Join(t.TempDir(), "1.pdf"), filepath.Join(t.TempDir(), "2.pdf")
	ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", first, "--anchor", "Yang membuat pernyataan,", "--side", "below")
	ok(t, "stamp", "--dir", dir, "--account", "me", "--in", first, "--out", second, "--free")
	require.Contains(t, ok(t, "verify", "--dir", dir, second), "every signature is good")
	require.Equal(t, 7, available(t, dir))
}

// Whatever is refused takes no unit and leaves no file.
func TestRefusalsTakeNoUnit(t *testing.T) {
	dir, in := demo(t)
	out := filepath.Join(t.TempDir(), "out.pdf")
	for name, expect := range map[string]string{"encrypted-password.pdf": "encrypted", "certified-p1.pdf": "certified"} {
		writeInput(t, in, name)
		code, _, errOut := meterai(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out)
		require.Equal(t, exitFailed, code)
		require.Contains(t, errOut, expect)
	}
	writeInput(t, in, "classic.pdf")
	for _, flags := range [][]string{{"--page", "2"}, {"--at", "590,36"}, {"--at", "-5,0"}} {
		code, _, _ := meterai(t, append([]string{"stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out}, flags...)...)
		require.Equal(t, exitFailed, code, flags)
	}
	require.NoFileExists(t, out)
	require.Equal(t, 10, available(t, dir))
}

func TestManyDocuments(t *testing.T) {
	dir, _ := demo(t)
	inDir, outDir := t.TempDir(), filepath.Join(t.TempDir(), "out")
	for _, name := range []string{"classic.pdf", "form.pdf", "linearized.pdf", "encrypted-password.pdf"} {
		writeInput(t, filepath.Join(inDir, name), name)
	}
	var out, errOut bytes.Buffer
	root := newRoot()
	root.SetArgs([]string{"stamp", "--dir", dir, "--account", "me", "--in-dir", inDir, "--out-dir", outDir, "--workers", "3"})
	root.SetOut(&out)
	root.SetErr(&errOut)
	require.Equal(t, exitFailed, run(t.Context(), root))
	require.Contains(t, errOut.String(), "1 of 4 documents")
	require.Equal(t, 3, strings.Count(out.String(), "\n"))
	require.Equal(t, 7, available(t, dir))
	for _, name := range []string{"classic.pdf", "form.pdf", "linearized.pdf"} {
		ok(t, "verify", "--dir", dir, filepath.Join(outDir, name))
	}
}

func TestVerifyExitCodes(t *testing.T) {
	dir, in := demo(t)
	out := filepath.Join(t.TempDir(), "out.pdf")
	ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out)
	root, sealTrust := filepath.Join(dir, "pki", "root.pem"), filepath.Join(dir, "seal-trust.json")
	rootCRL, issuingCRL := filepath.Join(dir, "pki", "root.crl"), filepath.Join(dir, "pki", "issuing.crl")
	missing := filepath.Join(dir, "missing.pdf")
	tampered := filepath.Join(t.TempDir(), "tampered.pdf")
	b, err := os.ReadFile(out)
	require.NoError(t, err)
	b[300] ^= 1
	require.NoError(t, os.WriteFile(tampered, b, 0o600))
	for _, test := range []struct {
		code int
		args []string
	}{
		{0, []string{"--dir", dir, out}},
		{0, []string{"--integrity-only", out}},
		{1, []string{"--dir", dir, tampered}},
		{1, []string{"--dir", dir, out, tampered}},
		{3, []string{"--dir", dir, missing}},
		{4, []string{"--dir", dir, in}},
		{4, []string{"--dir", dir, in, missing}},
		{5, []string{out}},
		{5, []string{"--trust", root, "--seal-trust", sealTrust, out}},
		{0, []string{"--trust", root, "--seal-trust", sealTrust, "--crl", rootCRL, "--crl", issuingCRL, out}},
		{5, []string{"--dir", dir, "--time", "2200-01-01T00:00:00Z", out}},
		{64, nil},
		{64, []string{"--time", "yesterday", out}},
		{64, []string{"--no-such-flag", out}},
	} {
		code, _, _ := meterai(t, append([]string{"verify"}, test.args...)...)
		require.Equal(t, test.code, code, "%v", test.args)
	}
}

func TestSealFromPaper(t *testing.T) {
	dir, in := demo(t)
	out := filepath.Join(t.TempDir(), "out.pdf")
	ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out)
	b, err := os.ReadFile(out)
	require.NoError(t, err)
	hex := regexp.MustCompile(`/MeteraiSeal ?<([0-9A-Fa-f]+)>`).FindSubmatch(b)
	require.NotNil(t, hex)
	encoded := make([]byte, len(hex[1])/2)
	for i := range encoded {
		encoded[i] = unhex(hex[1][2*i])<<4 | unhex(hex[1][2*i+1])
	}
	text, err := seal.Text("", encoded)
	require.NoError(t, err)
	require.Contains(t, ok(t, "seal", "--dir", dir, text), "genuine SPECIMEN seal")
	other := string('0' + (text[len(text)-1]-'0'+1)%10) // another last digit
	code, _, _ := meterai(t, "seal", "--dir", dir, text[:len(text)-1]+other)
	require.Equal(t, exitFailed, code)
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	ok(t, "init", "--dir", elsewhere)
	code, _, _ = meterai(t, "seal", "--dir", elsewhere, text)
	require.Equal(t, 5, code)
}

func unhex(c byte) byte {
	if c >= 'A' {
		return (c | 0x20) - 'a' + 10
	}
	return c - '0'
}

// A finished stamp cannot be given up; one that is under way can.
func TestVoid(t *testing.T) {
	dir, in := demo(t)
	out := filepath.Join(t.TempDir(), "out.pdf")
	line := ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out)
	number, _, _ := strings.Cut(line, " ")
	code, _, errOut := meterai(t, "void", "--dir", dir, "--serial", number, "--reason", "test")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errOut, "STAMPED")

	l, err := home{dir}.openLedger(t.Context())
	require.NoError(t, err)
	r, err := l.Reserve(t.Context(), serial.Request{Account: "me", Key: []byte("k"), Length: 1, Value: 1})
	require.NoError(t, err)
	_, err = l.Signing(t.Context(), r.Number)
	require.NoError(t, err)
	require.NoError(t, l.close())
	require.Equal(t, 8, available(t, dir))
	require.Contains(t, ok(t, "void", "--dir", dir, "--serial", strings.ToLower(r.Number.Grouped()), "--reason", "token gone"), "is void")
	require.Equal(t, 9, available(t, dir))
	require.Contains(t, ok(t, "history", "--dir", dir, "--account", "me"), "token gone")
}

// A lost ledger is not replaced by an empty one, and one restored from a backup
// issues nothing until it is fenced.
func TestLostAndRestoredLedger(t *testing.T) {
	dir, in := demo(t)
	db := filepath.Join(dir, "ledger.db")
	backup, err := os.ReadFile(db)
	require.NoError(t, err)
	out := filepath.Join(t.TempDir(), "out.pdf")
	ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out)

	require.NoError(t, os.Remove(db))
	code, _, _ := meterai(t, "balance", "--dir", dir)
	require.Equal(t, exitFailed, code)
	require.NoFileExists(t, db)

	require.NoError(t, os.WriteFile(db, backup, 0o600))
	writeInput(t, in, "crlf.pdf")
	code, _, errOut := meterai(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errOut, "fence")
	ok(t, "balance", "--dir", dir)
	ok(t, "fence", "--dir", dir, "--counter", "100000")
	ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out)
	ok(t, "verify", "--dir", dir, out)
}

func TestWrongUsage(t *testing.T) {
	dir, in := demo(t)
	for _, args := range [][]string{
		{},
		{"nonsense"},
		{"init"},
		{"init", "--dir", dir, "extra"},
		{"credit", "--dir", dir, "--account", "me", "--key", "x"},
		{"credit", "--dir", dir, "--account", "me", "--key", "x", "--units", "many"},
		{"stamp", "--dir", dir, "--account", "me"},
		{"stamp", "--dir", dir, "--account", "me", "--in", in},
		{"stamp", "--dir", dir, "--account", "me", "--in", in, "--out", in},
		{"stamp", "--dir", dir, "--account", "me", "--in", in, "--out", "x", "--at", "1"},
		{"stamp", "--dir", dir, "--account", "me", "--in", in, "--out", "x", "--algorithm", "dsa"},
		{"stamp", "--dir", dir, "--account", "me", "--in", in, "--out", "x", "--level", "b-t"},
		{"stamp", "--dir", dir, "--account", "me", "--in", in, "--out", "x", "--in-dir", "y"},
		{"seal", "--dir", dir},
		{"seal", "--dir", dir, " "},
	} {
		code, _, errOut := meterai(t, args...)
		require.Equal(t, exitUsage, code, "%v: %s", args, errOut)
		require.NotEmpty(t, errOut)
	}
	for units, expect := range map[string]int{"0": exitUsage, "-1": exitUsage, "9223372036854775807": exitFailed} {
		code, _, _ := meterai(t, "credit", "--dir", dir, "--account", "me", "--key", "u"+units, "--units", units)
		require.Equal(t, expect, code, units)
	}
}

// Of several that try at once one has the directory, and it is whole.
func TestConcurrentInit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	var wg sync.WaitGroup
	var ready atomic.Int32
	for range 4 {
		wg.Go(func() {
			if home := (home{dir}); home.create(t.Context()) == nil {
				ready.Add(1)
			}
		})
	}
	wg.Wait()
	require.Equal(t, int32(1), ready.Load())
	ok(t, "credit", "--dir", dir, "--account", "me", "--units", "1", "--key", "k")
	in, out := filepath.Join(t.TempDir(), "in.pdf"), filepath.Join(t.TempDir(), "out.pdf")
	writeInput(t, in, "classic.pdf")
	ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out)
	ok(t, "verify", "--dir", dir, out)
}

// A place that cannot be written is found before a unit is taken; a link is
// followed, a device never replaced.
func TestOutputPlace(t *testing.T) {
	dir, in := demo(t)
	tmp := t.TempDir()
	for _, out := range []string{filepath.Join(tmp, "missing", "x.pdf"), tmp, os.DevNull, filepath.Join(tmp, strings.Repeat("n", 300))} {
		code, _, _ := meterai(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out)
		require.Equal(t, exitFailed, code, out)
	}
	st, err := os.Stat(os.DevNull)
	require.NoError(t, err)
	require.False(t, st.Mode().IsRegular())
	require.Equal(t, 10, available(t, dir))

	target, link := filepath.Join(tmp, "target.pdf"), filepath.Join(tmp, "link.pdf")
	require.NoError(t, os.WriteFile(target, nil, 0o600))
	require.NoError(t, os.Symlink(target, link))
	ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", link)
	ok(t, "verify", "--dir", dir, target)
	left, err := filepath.Glob(filepath.Join(tmp, ".meterai-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestInitNeverOverwrites(t *testing.T) {
	dir, _ := demo(t)
	code, _, errOut := meterai(t, "init", "--dir", dir)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errOut, "is not empty")
	require.Equal(t, 10, available(t, dir))
	for _, secret := range []string{"series.json", "pki/stamp-p256.key", "pki/seal-p256.key", "ledger.db"} {
		st, err := os.Stat(filepath.Join(dir, secret))
		require.NoError(t, err)
		require.Zero(t, st.Mode().Perm()&0o077, secret)
	}
}
