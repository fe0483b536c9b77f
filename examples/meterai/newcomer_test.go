package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/seal"
)

// refused runs a command that must fail, and gives what it says.
func refused(t *testing.T, code int, args ...string) string {
	t.Helper()
	got, out, errOut := meterai(t, args...)
	require.Equal(t, code, got, "%v: %s%s", args, out, errOut)
	return errOut
}

func contentOf(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(b)
}

// TestInitReplacesNothing: init takes the place of an empty directory and of nothing else.
func TestInitReplacesNothing(t *testing.T) {
	tmp := t.TempDir()
	file, link, lost, empty := filepath.Join(tmp, "in.pdf"), filepath.Join(tmp, "link"), filepath.Join(tmp, "lost"), filepath.Join(tmp, "empty")
	writeInput(t, file, "classic.pdf")
	before := contentOf(t, file)
	require.NoError(t, os.Mkdir(empty, 0o700))
	require.NoError(t, os.Symlink(empty, link))
	require.NoError(t, os.Symlink("nowhere", lost))
	require.Contains(t, refused(t, exitFailed, "init", "--dir", file), "in.pdf is a file; choose another --dir")
	refused(t, exitFailed, "init", "--dir", file+"/")
	refused(t, exitFailed, "init", "--dir", file+"/below")
	require.Equal(t, before, contentOf(t, file))
	for _, l := range []string{link, lost} {
		require.Contains(t, refused(t, exitFailed, "init", "--dir", l), "is a link; choose another --dir")
		st, err := os.Lstat(l)
		require.NoError(t, err)
		require.NotZero(t, st.Mode()&os.ModeSymlink)
	}
	ok(t, "init", "--dir", empty+"/")
	t.Chdir(t.TempDir())
	require.Contains(t, refused(t, exitFailed, "init", "--dir", "."), "is the current directory; choose another --dir")
	require.FileExists(t, filepath.Join(empty, "series.json"))
	left, err := filepath.Glob(filepath.Join(tmp, ".meterai-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestDocumentsAreNotOverwritten: by files of other kinds that a command writes.
func TestDocumentsAreNotOverwritten(t *testing.T) {
	dir, in := demo(t)
	before := contentOf(t, in)
	state := filepath.Join(t.TempDir(), "state")
	for _, args := range [][]string{
		{"prepare", "--dir", dir, "--account", "me", "--in", in, "--state", in},
		{"prepare", "--dir", dir, "--account", "me", "--in", in, "--state", state, "--message", in},
		{"publish", "--dir", dir, "--out", in},
		{"audit", "--dir", dir, "--write-checkpoint", in},
	} {
		require.Contains(t, refused(t, exitFailed, args...), "is a PDF document, which is not overwritten", args)
	}
	refused(t, exitUsage, "prepare", "--dir", dir, "--account", "me", "--in", in, "--state", state, "--message", state)
	require.Contains(t, refused(t, exitFailed, "prepare", "--dir", dir, "--account", "me", "--in", in, "--state", filepath.Join(state, "x")),
		"--state: "+state+" does not exist; no unit was taken")
	require.Equal(t, before, contentOf(t, in))
	require.Equal(t, 10, available(t, dir))
}

// TestOverwriting: with --keep only the identical document takes the place of one.
func TestOverwriting(t *testing.T) {
	dir, in := demo(t)
	tmp := t.TempDir()
	out, link := filepath.Join(tmp, "out.pdf"), filepath.Join(tmp, "link.pdf")
	require.NoError(t, os.WriteFile(out, []byte("a year of work"), 0o600))
	stamp := []string{"stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out}
	kept := append(slices.Clone(stamp), "--keep")
	require.Contains(t, refused(t, exitFailed, kept...), out+" exists and is kept; no unit was taken")
	require.Equal(t, "a year of work", contentOf(t, out))
	require.Equal(t, 10, available(t, dir))
	ok(t, stamp...)
	stamped := contentOf(t, out)
	ok(t, kept...) // the identical document
	require.Equal(t, stamped, contentOf(t, out))
	require.Contains(t, refused(t, exitFailed, append(kept, "--key", "2")...), "exists")
	for _, other := range []string{stamped + "x", stamped[:len(stamped)-1], strings.Replace(stamped, "0", "1", 1)} {
		require.NoError(t, os.WriteFile(out, []byte(other), 0o600))
		require.Contains(t, refused(t, exitFailed, kept...), "exists")
		require.Equal(t, other, contentOf(t, out))
	}
	require.Equal(t, 9, available(t, dir))

	require.NoError(t, os.Symlink(in, link))
	require.NoError(t, os.Link(in, filepath.Join(tmp, "hard.pdf")))
	for _, same := range []string{in, link, filepath.Join(tmp, "hard.pdf")} {
		refused(t, exitUsage, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", same)
	}
	refused(t, exitFailed, "extend", "--dir", dir, "--in", in, "--out", out, "--tsa", "http://127.0.0.1:1/", "--level", "b-lt")
	require.Contains(t, refused(t, exitFailed, "extend", "--dir", dir, "--in", in, "--out", out, "--tsa", "http://127.0.0.1:1/", "--keep"), "exists and is kept")
}

// TestOverwritingInAFolder: one file that is in the way does not stop the others.
func TestOverwritingInAFolder(t *testing.T) {
	dir, _ := demo(t)
	from, to := t.TempDir(), t.TempDir()
	for _, name := range []string{"classic.pdf", "form.pdf"} {
		writeInput(t, filepath.Join(from, name), name)
	}
	other := filepath.Join(to, "classic.pdf")
	require.NoError(t, os.WriteFile(other, []byte("mine"), 0o600))
	all := []string{"stamp", "--dir", dir, "--account", "me", "--in-dir", from, "--out-dir", to}
	kept := append(slices.Clone(all), "--keep")
	root := newRoot()
	var out, errOut strings.Builder
	root.SetArgs(kept)
	root.SetOut(&out)
	root.SetErr(&errOut)
	require.Equal(t, exitFailed, run(t.Context(), root))
	require.Contains(t, errOut.String(), other+" exists")
	require.Contains(t, errOut.String(), "1 of 2 documents")
	require.Equal(t, "mine", contentOf(t, other))
	require.FileExists(t, filepath.Join(to, "form.pdf"))
	require.Equal(t, 9, available(t, dir))
	ok(t, append(all, "--json")...)
	require.Equal(t, 8, available(t, dir))
}

// TestNoUnitIsTold: who is refused before a unit is taken is told so, without names of
// temporary files.
func TestNoUnitIsTold(t *testing.T) {
	dir, in := demo(t)
	tmp := t.TempDir()
	file := filepath.Join(tmp, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for out, expect := range map[string]string{
		filepath.Join(tmp, "nodir", "o.pdf"): "--out: " + filepath.Join(tmp, "nodir") + " does not exist; no unit was taken",
		filepath.Join(file, "o.pdf"):         "no unit was taken",
		tmp:                                  "--out: " + tmp + " is not a regular file; no unit was taken",
	} {
		said := refused(t, exitFailed, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out)
		require.Contains(t, said, expect)
		require.NotContains(t, said, ".tmp")
	}
	stamp := []string{"stamp", "--dir", dir, "--account", "me", "--in", in, "--out", filepath.Join(tmp, "o.pdf")}
	require.Contains(t, refused(t, exitFailed, append(stamp, "--page", "9")...), "the document has 1; no unit was taken")
	require.Contains(t, refused(t, exitUsage, append(stamp, "--page", "0")...), "--page counts from 1; without it")
	require.Equal(t, 10, available(t, dir))
	ok(t, append(stamp, "--key", "k")...)
	require.Contains(t, refused(t, exitFailed, append(stamp, "--key", "k", "--certify", "forms")...), "level or profile (--level, --profile, --certify")
	require.Contains(t, refused(t, exitFailed, append(stamp, "--key", "k", "--at", "1,1")...), "it stands elsewhere (--page, --at")
	require.Equal(t, 9, available(t, dir))
}

// TestPrepareHelp runs the example that the help gives, as it stands there.
func TestPrepareHelp(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed: nothing signs the prepared message")
	}
	dir, in := demo(t)
	t.Chdir(filepath.Dir(dir))
	require.Equal(t, "in.pdf", filepath.Base(in))
	lines := 0
	for line := range strings.Lines(newPrepare().Long) {
		words := strings.Fields(line)
		switch {
		case !strings.HasPrefix(line, "  "):
			continue
		case words[0] == "meterai":
			ok(t, words[1:]...)
		default:
			require.Equal(t, "openssl", words[0])
			said, err := exec.Command(words[0], words[1:]...).CombinedOutput()
			require.NoError(t, err, "%s", said)
		}
		lines++
	}
	require.Equal(t, 3, lines)
	ok(t, "verify", "--dir", "demo", "out.pdf")
	writeInput(t, "other.pdf", "form.pdf")
	finish := []string{"finish", "--dir", "demo", "--state", "in.prepared", "--signature", "in.signature"}
	require.Contains(t, refused(t, exitFailed, append(finish, "--in", "other.pdf", "--out", "o.pdf")...), "other.pdf is not the document that was prepared")
	require.Contains(t, refused(t, exitFailed, append(finish, "--in", "in.pdf", "--out", "other.pdf", "--keep")...), "other.pdf exists and is kept")
	ok(t, append(finish, "--in", "in.pdf", "--out", "other.pdf")...)
	require.Equal(t, contentOf(t, "out.pdf"), contentOf(t, "other.pdf"))
}

// TestAfterARestore: what was done after the backup is told as unknown, not as forged.
func TestAfterARestore(t *testing.T) {
	dir, in := demo(t)
	tmp := t.TempDir()
	copied, out := filepath.Join(tmp, "copy.db"), filepath.Join(tmp, "out.pdf")
	_, r := examine(t, "--dir", dir)
	r.has(t, "kept stamps", statusOK, "none yet")
	ok(t, "backup", "--dir", dir, "--out", copied)
	ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out)
	_, r = examine(t, "--dir", dir)
	r.has(t, "kept stamps", statusOK, "the ledger knows the newest 1")
	ledger := filepath.Join(dir, "ledger.db")
	for _, end := range []string{"", "-wal", "-shm"} {
		require.NoError(t, os.RemoveAll(ledger+end))
	}
	require.NoError(t, os.Rename(copied, ledger))
	said := ok(t, "fence", "--dir", dir, "--counter", "100000")
	for _, expect := range []string{
		"numbers go on at counter 100000\n", "the database is at revision ", "its witness has seen ",
		"the ledger had come to counter 0, the witness had seen ", "credit them again", "affected --dir " + dir, filepath.Join(dir, "stamps"),
	} {
		require.Contains(t, said, expect)
	}
	_, r = examine(t, "--dir", dir)
	r.has(t, "kept stamps", statusWarn, "of the newest 1 the ledger does not know 1, the first: 0ZZ-")
	code, said, _ := meterai(t, "verify", "--dir", dir, out)
	require.Equal(t, 5, code)
	require.Contains(t, said, "the seal itself is genuine, its serial UNKNOWN to this ledger, bound to this document")
	require.Contains(t, said, "after the backup that this one was restored from")
	require.NotContains(t, said, "NOT proved")
	_, said, _ = meterai(t, "verify", "--dir", dir, "--lang", "id", out)
	require.Contains(t, said, "segelnya sendiri asli")
	_, said, _ = meterai(t, "seal", "--dir", dir, sealOf(t, out))
	require.Contains(t, said, "a trusted key made this seal")

	code, said, warned := meterai(t, "fence", "--dir", dir, "--counter", "100100")
	require.Zero(t, code)
	require.Contains(t, warned, "warning: this ledger was not behind its witness")
	require.Contains(t, said, "counter 100100 (before: 100000)")
}

// TestRevokeByTheDoctorsID: doctor tells the id that publish --revoke takes.
func TestRevokeByTheDoctorsID(t *testing.T) {
	dir, _ := demo(t)
	id := regexp.MustCompile(`key P-256 \(id ([0-9a-f]{8})\) verify`).FindStringSubmatch(ok(t, "doctor", "--dir", dir))
	require.NotNil(t, id)
	list := filepath.Join(t.TempDir(), "list")
	require.Contains(t, ok(t, "publish", "--dir", dir, "--out", list, "--revoke", id[1]), "1 revoked key")
	require.Contains(t, refused(t, exitFailed, "publish", "--dir", dir, "--out", list, "--revoke", "00000000"), "'meterai doctor' names them")
}

// TestPlainMessages: what newcomers type, and what they read.
func TestPlainMessages(t *testing.T) {
	dir, _ := demo(t)
	for expect, args := range map[string][]string{
		"--units must be at least 1":                                   {"credit", "--dir", dir, "--account", "me", "--units", "0", "--key", "k"},
		"--dir, --account, --units and --key are missing":              {"credit"},
		"--account is missing":                                         {"history", "--dir", dir},
		`"x" for "--counter" flag: it is no whole number`:              {"fence", "--dir", dir, "--counter", "x"},
		`"-1" for "--counter" flag: it is no whole number`:             {"fence", "--dir", dir, "--counter", "-1"},
		`"1e99" for "--units" flag: it is no whole number`:             {"credit", "--units", "1e99"},
		`"99999999999999999999" for "--units" flag: it is out of`:      {"credit", "--units", "99999999999999999999"},
		`"wide" for "--margin" flag: it is no number`:                  {"stamp", "--margin", "wide"},
		`"perhaps" for "--json" flag: it is neither true nor false`:    {"audit", "--json=perhaps"},
		`"2024-13-01" is no time such as 2024-09-03T08:00:00+07:00 or`: {"affected", "--dir", dir, "--from", "2024-13-01"},
	} {
		said := refused(t, exitUsage, args...)
		require.Contains(t, said, expect)
		require.NotContains(t, said, "strconv")
	}
	require.Contains(t, ok(t, "credit", "--dir", dir, "--account", "me", "--units", "10", "--key", "invoice-1"), `10 units already credited to "me"; 10 available`)
	require.Contains(t, newVoid().Long, "only before it is stamped")
}

// TestDays: a plain date is its begin in UTC.
func TestDays(t *testing.T) {
	f := affectedFlags{from: "2026-11-22", to: "2026-11-23T07:00:00+07:00", late: time.Minute}
	o, err := f.outage()
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), o.From)
	require.True(t, o.To.Equal(o.From.AddDate(0, 0, 1)))
}

// TestBalanceAddsUp: what came stands in the table as well as what went.
func TestBalanceAddsUp(t *testing.T) {
	dir, _ := demo(t)
	require.NotContains(t, ok(t, "balance", "--dir", dir), "granted")
	ok(t, "grant", "--dir", dir, "--account", "me", "--units", "2", "--key", "g", "--reason", "outage")
	ok(t, "transfer", "--dir", dir, "--from", "me", "--to", "ada", "--units", "5", "--key", "t")
	lines := strings.Split(strings.TrimSpace(ok(t, "balance", "--dir", dir)), "\n")
	require.Equal(t, []string{"purchased", "granted", "transferred", "in", "available", "reserved", "stamped", "refunded", "transferred", "out", "account"}, strings.Fields(lines[0]))
	require.Equal(t, []string{"0", "0", "5", "5", "0", "0", "0", "0", "ada"}, strings.Fields(lines[1]))
	require.Equal(t, []string{"10", "2", "0", "7", "0", "0", "0", "5", "me"}, strings.Fields(lines[2]))
}

// TestSealOfAnotherPage: an image without a seal may be of the wrong page.
func TestSealOfAnotherPage(t *testing.T) {
	dir, _ := demo(t)
	b, err := seal.PNG("123456789", 300)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "page.png")
	require.NoError(t, os.WriteFile(file, b, 0o600))
	require.Contains(t, refused(t, exitFailed, "seal", "--dir", dir, "--image", file), "is this the page with the stamp?")
}
