package main

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

// stampOne stamps a document under a key and gives the stamped file.
func stampOne(t *testing.T, dir, in, key string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), key+".pdf")
	ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", out, "--key", key)
	return out
}

// report is what verify says in JSON.
type report struct {
	Scope         string
	Indication    string
	SubIndication string `json:"sub_indication"`
	Reasons       []string
	Signatures    []struct {
		Indication, Level string
		SubIndication     string `json:"sub_indication"`
		Reasons           []string
		Stamp             *verify.Stamp
	}
	DoubleUses []verify.DoubleUse `json:"double_uses"`
}

// verified runs verify with --json and gives its exit code and lines.
func verified(t *testing.T, args ...string) (int, []report) {
	t.Helper()
	code, out, errOut := meterai(t, append([]string{"verify", "--json"}, args...)...)
	require.Empty(t, errOut)
	var list []report
	d := json.NewDecoder(strings.NewReader(out))
	for d.More() {
		var r report
		require.NoError(t, d.Decode(&r))
		list = append(list, r)
	}
	return code, list
}

// sealKeyID is the id of the key that stamps, as --revoke takes it.
func sealKeyID(t *testing.T, dir string) string {
	t.Helper()
	trust, err := readSealTrust(home{dir}.sealTrust())
	require.NoError(t, err)
	k, err := trust.Entries[0].Key()
	require.NoError(t, err)
	id := k.ID()
	return hex.EncodeToString(id[:])
}

// TestPublish: a serial that was given up is on the list, and the list is all that
// somebody else needs to refuse a stamp that has it.
func TestPublish(t *testing.T) {
	dir, in := demo(t)
	good := stampOne(t, dir, in, "good")
	first, second := filepath.Join(t.TempDir(), "1.list"), filepath.Join(t.TempDir(), "2.list")
	require.Contains(t, ok(t, "publish", "--dir", dir, "--out", first), "list 1, 0 void serials, 0 revoked keys")

	// A stamping that is given up after its output got out of hand.
	void := voided(t, dir, in)
	var said listLine
	require.NoError(t, json.Unmarshal([]byte(ok(t, "publish", "--dir", dir, "--out", second, "--valid", "48h", "--json")), &said))
	require.EqualValues(t, 2, said.Number)
	require.Equal(t, 1, said.Void)
	require.Equal(t, 48*time.Hour, said.NextUpdate.Sub(said.Issued))
	kept, err := os.ReadFile(filepath.Join(dir, "status.list"))
	require.NoError(t, err)
	written, err := os.ReadFile(second)
	require.NoError(t, err)
	require.Equal(t, kept, written)

	// Somebody else, who has the trust files and the list.
	p := filepath.Join(dir, "pki")
	else_ := []string{"--trust", filepath.Join(p, pki.RootFile), "--crl", filepath.Join(p, pki.RootCRL), "--crl", filepath.Join(p, pki.IssuingCRL),
		"--seal-trust", filepath.Join(dir, "seal-trust.json")}
	for _, c := range []struct {
		list, file, ind string
		code            int
		status          verify.SerialStatus
	}{
		{first, good, "TOTAL-PASSED", 0, verify.StatusNotListed},
		{second, good, "TOTAL-PASSED", 0, verify.StatusNotListed},
		{first, void, "TOTAL-PASSED", 0, verify.StatusNotListed},
		{second, void, "TOTAL-FAILED", 1, verify.StatusVoid},
	} {
		code, list := verified(t, append(else_, "--list", c.list, c.file)...)
		require.Equal(t, c.code, code)
		require.Equal(t, c.ind, list[0].Indication, list[0].Signatures[0].Reasons)
		require.Equal(t, c.status, list[0].Signatures[0].Stamp.Status)
	}
	later := time.Now().AddDate(0, 0, 3).UTC().Format(time.RFC3339)
	code, list := verified(t, append(else_, "--list", first, "--time", later, good)...)
	require.Zero(t, code)
	require.Contains(t, strings.Join(list[0].Signatures[0].Reasons, "\n"), "is stale")
	code, list = verified(t, append(else_, "--list", first, "--time", later, "--require-status", good)...)
	require.Equal(t, 5, code)
	require.Equal(t, "TRY_LATER", list[0].SubIndication)
	code, _ = verified(t, append(else_, "--require-status", good)...)
	require.Equal(t, 5, code)

	// The same on paper.
	text := sealOf(t, void)
	require.Contains(t, ok(t, "seal", "--dir", dir, "--no-ledger", "--list", first, sealOf(t, good)), "genuine SPECIMEN seal")
	code, out, _ := meterai(t, "seal", "--dir", dir, "--no-ledger", "--list", second, text)
	require.Equal(t, exitFailed, code)
	require.Contains(t, out, "the serial is void: published list 2")
	code, out, _ = meterai(t, "seal", "--dir", dir, text)
	require.Equal(t, exitFailed, code)
	require.Contains(t, out, "serial: VOID")

	other, _ := demo(t)
	code, _, errOut := meterai(t, "verify", "--dir", other, "--list", second, good)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errOut, "no entry of the seal trust list")
}

// sealOf is the text of a stamped file's seal.
func sealOf(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	found := regexp.MustCompile(`/MeteraiSeal ?<([0-9A-Fa-f]+)>`).FindSubmatch(b)
	require.NotNil(t, found)
	encoded, err := hex.DecodeString(string(found[1]))
	require.NoError(t, err)
	text, err := seal.Text("", encoded)
	require.NoError(t, err)
	return text
}

// voided stamps a document, whose output is copied, and gives the serial up before
// the ledger hears of the output.
func voided(t *testing.T, dir, in string) string {
	t.Helper()
	p, err := home{dir}.loadPKI()
	require.NoError(t, err)
	cred, err := credential(p, "p256")
	require.NoError(t, err)
	src, size, err := openFile(in)
	require.NoError(t, err)
	defer src.Close()
	doc, err := sign.Open(src, size, &sign.Options{Stamp: &sign.Stamp{Value: tariff, Currency: currency, Specimen: true, Seal: p.SealP256}})
	require.NoError(t, err)
	out := filepath.Join(t.TempDir(), "void.pdf")
	require.NoError(t, home{dir}.withLedger(t.Context(), func(l *ledger) error {
		req, err := doc.Request(t.Context(), "me", []byte("void"))
		require.NoError(t, err)
		r, err := l.Reserve(t.Context(), req)
		require.NoError(t, err)
		r, err = l.Signing(t.Context(), r.Number)
		require.NoError(t, err)
		var b bytes.Buffer
		_, err = doc.Sign(t.Context(), &b, cred, sign.Issue{Number: r.Number, Time: r.Time})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(out, b.Bytes(), 0o600))
		_, err = l.Void(t.Context(), r.Number, "given up")
		return err
	}))
	return out
}

// TestPublishRevocation: a stolen seal key is taken out of use from a time on; what
// a timestamp proves to be older stays good, and so does what the ledger knows.
func TestPublishRevocation(t *testing.T) {
	dir, in := demo(t)
	tsa, _ := services(t, dir)
	bare := stampOne(t, dir, in, "bare")
	proved := filepath.Join(t.TempDir(), "proved.pdf")
	ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", proved, "--key", "t", "--level", "b-t", "--tsa", tsa)
	list := filepath.Join(t.TempDir(), "list")
	id := sealKeyID(t, dir)
	revoke := func(at time.Time, more ...string) []string {
		return append([]string{"publish", "--dir", dir, "--out", list, "--revoke", id, "--revoked-at", at.UTC().Format(time.RFC3339), "--reason", "key-compromise"}, more...)
	}
	soon := time.Now().Add(time.Hour)
	require.Contains(t, ok(t, revoke(soon)...), "list 1, 0 void serials, 1 revoked key;")

	code, got := verified(t, "--dir", dir, "--no-ledger", proved)
	require.Zero(t, code)
	require.Contains(t, strings.Join(got[0].Signatures[0].Reasons, "\n"), "but the seal is proved to have existed at")
	code, got = verified(t, "--dir", dir, "--no-ledger", bare)
	require.Equal(t, 5, code)
	require.Equal(t, "REVOKED_NO_POE", got[0].SubIndication)
	code, got = verified(t, "--dir", dir, bare)
	require.Zero(t, code)
	require.Contains(t, strings.Join(got[0].Signatures[0].Reasons, "\n"), "the ledger says that this serial was stamped on this document")

	code, _, errOut := meterai(t, revoke(soon)...)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errOut, "is revoked since")
	ok(t, revoke(time.Now().Add(-time.Hour))...)
	code, _ = verified(t, "--dir", dir, "--no-ledger", proved)
	require.Equal(t, 5, code, "an earlier time of the theft")
	require.Contains(t, ok(t, "publish", "--dir", dir, "--out", list), "list 3, 0 void serials, 1 revoked key;", "it stays")

	require.NoError(t, os.WriteFile(home{dir}.statusList(), []byte("x"), 0o600))
	code, _, errOut = meterai(t, "publish", "--dir", dir, "--out", list)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errOut, "its revocations would be lost")
}

func TestPublishRefuses(t *testing.T) {
	dir, _ := demo(t)
	out := filepath.Join(t.TempDir(), "list")
	id := sealKeyID(t, dir)
	for _, args := range [][]string{{}, {"--out", out, "--valid", "0s"}, {"--out", out, "--revoke", "xyz"}, {"--out", out, "--revoked-at", "2026-01-01T00:00:00Z"},
		{"--out", out, "--revoke", id, "--reason", "anger"}, {"--out", out, "--revoke", id, "--revoked-at", "yesterday"}, {"--out", out, "more"}} {
		code, _, _ := meterai(t, append([]string{"publish", "--dir", dir}, args...)...)
		require.Equal(t, exitUsage, code, args)
	}
	code, _, errOut := meterai(t, "publish", "--dir", dir, "--out", out, "--revoke", "00000000")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errOut, "0 seal keys")
	code, _, _ = meterai(t, "publish", "--dir", t.TempDir(), "--out", out)
	require.Equal(t, exitFailed, code)
	require.NoFileExists(t, out)
}

// TestVerifyAsksTheLedger: without disturbing who writes, and never silently.
func TestVerifyAsksTheLedger(t *testing.T) {
	dir, in := demo(t)
	good, void := stampOne(t, dir, in, "good"), voided(t, dir, in)
	db, err := sql.Open("sqlite", home{dir}.ledger())
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(t.Context(), "BEGIN IMMEDIATE") // a writer that takes its time
	require.NoError(t, err)
	code, list := verified(t, "--dir", dir, good, void)
	require.Equal(t, 1, code)
	require.Equal(t, verify.StatusStamped, list[0].Signatures[0].Stamp.Status)
	require.Equal(t, "TOTAL-PASSED", list[0].Indication)
	require.Equal(t, verify.StatusVoid, list[1].Signatures[0].Stamp.Status)
	require.Equal(t, "REVOKED", list[1].SubIndication)
	_, err = db.ExecContext(t.Context(), "COMMIT")
	require.NoError(t, err)
	require.NoError(t, db.Close())

	code, list = verified(t, "--dir", dir, "--no-ledger", void)
	require.Zero(t, code)
	require.Empty(t, list[0].Signatures[0].Stamp.Status)

	trust := filepath.Join(dir, "seal-trust.json")
	code, list = verified(t, "--dir", dir, "--seal-trust", trust, void)
	require.Zero(t, code, "another trust list has another ledger")
	require.Empty(t, list[0].Signatures[0].Stamp.Status)

	require.NoError(t, os.WriteFile(home{dir}.ledger(), []byte("no database at all"), 0o600))
	code, list = verified(t, "--dir", dir, good)
	require.Equal(t, 5, code)
	require.Equal(t, "TRY_LATER", list[0].SubIndication)
	require.Contains(t, strings.Join(list[0].Signatures[0].Reasons, "\n"), "--no-ledger leaves it out")
	require.NoError(t, os.Remove(home{dir}.ledger()))
	code, _ = verified(t, "--dir", dir, good)
	require.Zero(t, code, "no ledger, nobody is asked")
}

// TestVerifyFindsDoubleUse: two documents with one serial, offline.
func TestVerifyFindsDoubleUse(t *testing.T) {
	dir, in := demo(t)
	first := stampOne(t, dir, in, "a")
	_, list := verified(t, "--dir", dir, first)
	number, err := serial.Parse(list[0].Signatures[0].Stamp.Serial)
	require.NoError(t, err)

	// Who has the keys puts the serial on another document.
	p, err := home{dir}.loadPKI()
	require.NoError(t, err)
	cred, err := credential(p, "p256")
	require.NoError(t, err)
	writeInput(t, in, "form.pdf")
	src, size, err := openFile(in)
	require.NoError(t, err)
	defer src.Close()
	doc, err := sign.Open(src, size, &sign.Options{Stamp: &sign.Stamp{Value: tariff, Currency: currency, Specimen: true, Seal: p.SealP256}})
	require.NoError(t, err)
	var b bytes.Buffer
	_, err = doc.Sign(t.Context(), &b, cred, sign.Issue{Number: number, Time: time.Now()})
	require.NoError(t, err)
	second := filepath.Join(t.TempDir(), "b.pdf")
	require.NoError(t, os.WriteFile(second, b.Bytes(), 0o600))

	code, list := verified(t, "--dir", dir, "--no-ledger", first, second, first)
	require.Equal(t, 1, code)
	require.Len(t, list, 4)
	for _, r := range list[:3] {
		require.Equal(t, "TOTAL-PASSED", r.Indication, "by itself")
	}
	set := list[3]
	require.Equal(t, "set", set.Scope)
	require.Equal(t, "TOTAL-FAILED", set.Indication)
	require.Equal(t, []string{first, second}, set.DoubleUses[0].Files[:])
	require.Equal(t, number.String(), set.DoubleUses[0].Serial)
	code, out, _ := meterai(t, "verify", "--dir", dir, "--no-ledger", first, second)
	require.Equal(t, 1, code)
	require.Contains(t, out, "double use: the serial "+number.String()+" was used for two documents")
	require.Contains(t, out, first)
	require.Contains(t, out, second)

	code, list = verified(t, "--dir", dir, "--no-ledger", first, first)
	require.Zero(t, code)
	require.Len(t, list, 2)
	code, list = verified(t, "--dir", dir, second)
	require.Equal(t, 1, code)
	require.Equal(t, verify.StatusOther, list[0].Signatures[0].Stamp.Status, "the ledger knows which is right")
}

// olderStamp signs a document as stamps of the older kinds are.
func olderStamp(t *testing.T, p *pki.PKI, in string) string {
	t.Helper()
	cred, err := credential(p, "p256")
	require.NoError(t, err)
	src, size, err := openFile(in)
	require.NoError(t, err)
	defer src.Close()
	doc, err := sign.Open(src, size, &sign.Options{Reason: "[ABCDEFGHIJKLMNOPQRSTU9] older"})
	require.NoError(t, err)
	var b bytes.Buffer
	_, err = doc.Sign(t.Context(), &b, cred, sign.Issue{Time: time.Now()})
	require.NoError(t, err)
	out := filepath.Join(t.TempDir(), "older.pdf")
	require.NoError(t, os.WriteFile(out, b.Bytes(), 0o600))
	return out
}

// TestStampSigners: lists of who signs older stamps, in each form.
func TestStampSigners(t *testing.T) {
	dir, in := demo(t)
	file := stampOne(t, dir, in, "a")
	cert := filepath.Join(dir, "pki", "stamp-p256.pem")
	folder := t.TempDir()
	b, err := os.ReadFile(cert)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "signer.CRT"), b, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "readme.txt"), []byte("no certificate"), 0o600))
	p, err := home{dir}.loadPKI()
	require.NoError(t, err)
	sum := sha256.Sum256(p.StampP256.Cert.Raw)
	asJSON := filepath.Join(t.TempDir(), "signers.json")
	require.NoError(t, os.WriteFile(asJSON, []byte(`{"entries":[{"certificate":"`+hex.EncodeToString(sum[:])+`"}]}`), 0o600))
	der := filepath.Join(t.TempDir(), "signer.der")
	require.NoError(t, os.WriteFile(der, p.StampP256.Cert.Raw, 0o600))
	older := olderStamp(t, p, in)
	_, plain := verified(t, "--dir", dir, older)
	require.Nil(t, plain[0].Signatures[0].Stamp)
	for _, list := range []string{cert, folder, asJSON, der} {
		code, got := verified(t, "--dir", dir, "--stamp-signers", list, file, older)
		require.Zero(t, code)
		require.Equal(t, verify.KindSeal, got[0].Signatures[0].Stamp.Kind)
		stamp := got[1].Signatures[0].Stamp
		require.Equal(t, verify.KindSigner, stamp.Kind)
		require.Equal(t, "ABCDEFGHIJKLMNOPQRSTU9", stamp.Serial)
		require.True(t, stamp.Genuine)
	}
	code, got := verified(t, "--dir", dir, "--stamp-signers", filepath.Join(dir, "pki", "stamp-rsa.pem"), older)
	require.Equal(t, 5, code)
	require.False(t, got[0].Signatures[0].Stamp.Genuine)
	empty := t.TempDir()
	for _, list := range []string{empty, filepath.Join(empty, "none"), filepath.Join(folder, "readme.txt"), filepath.Join(dir, "pki", "stamp-p256.key"), in} {
		code, _, errOut := meterai(t, "verify", "--dir", dir, "--stamp-signers", list, file)
		require.Equal(t, exitFailed, code, list)
		require.NotContains(t, errOut, "PRIVATE KEY-")
	}
}
