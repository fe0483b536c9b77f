package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/testdata/pki/pkiserver"
)

// examine runs the doctor and gives what it found.
func examine(t *testing.T, args ...string) (int, doctorReport) {
	t.Helper()
	code, out, _ := meterai(t, append([]string{"doctor", "--json"}, args...)...)
	var r doctorReport
	require.NoError(t, json.Unmarshal([]byte(out), &r), out)
	require.Equal(t, code == 0, r.OK)
	return code, r
}

// has tells whether a check has such a finding, and that there is something to do
// about it unless it is ok.
func (r *doctorReport) has(t *testing.T, check, status, text string) {
	t.Helper()
	for _, f := range r.Checks {
		require.Equal(t, f.Status == statusOK, f.Do == "", f)
		if f.Check == check && f.Status == status && strings.Contains(f.Text, text) {
			return
		}
	}
	require.Failf(t, "no such finding", "%s %s %q in %+v", check, status, text, r.Checks)
}

func (r *doctorReport) none(t *testing.T, status string) {
	t.Helper()
	for _, f := range r.Checks {
		require.NotEqual(t, status, f.Status, f)
	}
}

// stamped is a home that has stamped one document.
func stamped(t *testing.T) string {
	t.Helper()
	dir, in := demo(t)
	ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", filepath.Join(t.TempDir(), "out.pdf"))
	return dir
}

func TestDoctorHealthy(t *testing.T) {
	dir := stamped(t)
	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	ok(t, "audit", "--dir", dir, "--write-checkpoint", checkpoint)
	code, r := examine(t, "--dir", dir, "--checkpoint", checkpoint)
	require.Zero(t, code)
	r.none(t, statusFail)
	r.has(t, "series key", statusOK, "belongs to the ledger")
	r.has(t, "checkpoint", statusOK, "everything")
	r.has(t, "seal trust", statusOK, ") verify, as SPECIMEN")
	text := ok(t, "doctor", "--dir", dir)
	require.Contains(t, text, "warn  checkpoint")
	require.Contains(t, text, "-> keep one on another machine")
	require.NotContains(t, text, "fail")
}

// Each fault is planted into a copy of one healthy home.
func TestDoctorPlantedFaults(t *testing.T) {
	healthy, other := stamped(t), stamped(t)
	copyFile := func(from, to string) {
		b, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(to, b, 0o600))
	}
	replace := func(file, old, new string) {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(b), old)
		require.NoError(t, os.WriteFile(file, bytes.ReplaceAll(b, []byte(old), []byte(new)), 0o600))
	}
	for _, test := range []struct {
		name, check, text string
		plant             func(dir string)
	}{
		{"readable key", "permissions", "others may read", func(dir string) { require.NoError(t, os.Chmod(dir+"/pki/stamp-p256.key", 0o644)) }},
		{"readable ledger", "permissions", "ledger.db", func(dir string) { require.NoError(t, os.Chmod(dir+"/ledger.db", 0o640)) }},
		{"writable folder", "permissions", "others may write", func(dir string) { require.NoError(t, os.Chmod(dir, 0o777)) }},
		{"series key lost", "directory", "series.json", func(dir string) { require.NoError(t, os.Remove(dir+"/series.json")) }},
		{"series key damaged", "series key", "damaged", func(dir string) { replace(dir+"/series.json", `"key": "`, `"key": "zz`) }},
		{"series key of another ledger", "series key", "another key", func(dir string) { copyFile(other+"/series.json", dir+"/series.json") }},
		{"ledger lost", "ledger", "ledger.db", func(dir string) { require.NoError(t, os.Remove(dir+"/ledger.db")) }},
		{"ledger damaged", "ledger", "", func(dir string) { require.NoError(t, os.WriteFile(dir+"/ledger.db", []byte("no database"), 0o600)) }},
		{"ledger without its witness", "ledger", "witness", func(dir string) { require.NoError(t, os.Remove(dir+"/ledger.db.witness")) }},
		{"another key", "certificates", "stamp-p256", func(dir string) { copyFile(other+"/pki/stamp-p256.key", dir+"/pki/stamp-p256.key") }},
		{"certificate lost", "certificates", "stamp-rsa", func(dir string) { require.NoError(t, os.Remove(dir+"/pki/stamp-rsa.pem")) }},
		{"list lost", "certificates", "issuing.crl", func(dir string) { require.NoError(t, os.Remove(dir+"/pki/issuing.crl")) }},
		{"another seal key", "seal trust", "no entry", func(dir string) { copyFile(other+"/pki/seal-p256.key", dir+"/pki/seal-p256.key") }},
		{"trust of another issuer", "seal trust", "do not verify", func(dir string) { replace(dir+"/seal-trust.json", `"ZZ"`, `"ZY"`) }},
		{"trust damaged", "seal trust", "seal-trust.json", func(dir string) { require.NoError(t, os.WriteFile(dir+"/seal-trust.json", []byte("{"), 0o600)) }},
		{"trust revoked", "seal trust", "do not verify", func(dir string) {
			replace(dir+"/seal-trust.json", `"specimen": true`, `"specimen": true, "revoked": true`)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.check == "permissions" && runtime.GOOS == "windows" {
				t.Skip("this system has no such permissions")
			}
			dir := filepath.Join(t.TempDir(), "copy")
			require.NoError(t, os.CopyFS(dir, os.DirFS(healthy)))
			for _, secret := range []string{"series.json", "ledger.db", "ledger.db.witness", "list.key"} { // CopyFS leaves the modes to the umask
				require.NoError(t, os.Chmod(filepath.Join(dir, secret), 0o600))
			}
			keys, err := filepath.Glob(filepath.Join(dir, "pki", "*.key"))
			require.NoError(t, err)
			for _, key := range keys {
				require.NoError(t, os.Chmod(key, 0o600))
			}
			_, before := examine(t, "--dir", dir)
			before.none(t, statusFail)
			test.plant(dir)
			code, r := examine(t, "--dir", dir)
			require.Equal(t, exitFailed, code)
			r.has(t, test.check, statusFail, test.text)
		})
	}
}

// A ledger that was rolled back together with its witness: only the checkpoint sees it.
func TestDoctorCheckpoint(t *testing.T) {
	dir, in := demo(t)
	old := filepath.Join(t.TempDir(), "old")
	require.NoError(t, os.CopyFS(old, os.DirFS(dir)))
	ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", filepath.Join(t.TempDir(), "out.pdf"))
	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	ok(t, "audit", "--dir", dir, "--write-checkpoint", checkpoint)
	_, r := examine(t, "--dir", old, "--checkpoint", checkpoint)
	r.has(t, "checkpoint", statusFail, "the first:")
	_, r = examine(t, "--dir", dir, "--checkpoint", in)
	r.has(t, "checkpoint", statusFail, "")
}

// Times run out: the doctor's clock goes ahead.
func TestDoctorLater(t *testing.T) {
	dir := stamped(t)
	for _, test := range []struct {
		ahead               time.Duration
		check, status, text string
	}{
		{-48 * time.Hour, "certificates", statusFail, "is good only from"},
		{pki.CRLValidity - 24*time.Hour, "revocation lists", statusWarn, "ends on"},
		{pki.CRLValidity + 24*time.Hour, "revocation lists", statusFail, "ended on"},
		{pki.LeafValidity - 24*time.Hour, "certificates", statusWarn, "e-seal, P-256 ends on"},
		{pki.LeafValidity + 24*time.Hour, "certificates", statusFail, "e-seal, RSA ended on"},
		{pki.RootValidity + 24*time.Hour, "seal trust", statusFail, "ended on"},
	} {
		d := &doctor{home: home{dir}, now: func() time.Time { return time.Now().Add(test.ahead) }}
		d.checkHome(t.Context())
		r := &doctorReport{Checks: d.findings}
		r.has(t, test.check, test.status, test.text)
	}
}

func TestDoctorRevoked(t *testing.T) {
	dir := stamped(t)
	p, err := pki.Load(filepath.Join(dir, "pki"), nil)
	require.NoError(t, err)
	require.NoError(t, p.Revoke(p.StampP256.Cert, pki.KeyCompromise, time.Now()))
	require.NoError(t, p.WriteCRLs(filepath.Join(dir, "pki")))
	_, r := examine(t, "--dir", dir)
	r.has(t, "revocation lists", statusFail, "E-Seal P-256 is revoked")
}

func TestDoctorServices(t *testing.T) {
	dir := stamped(t)
	p, err := pki.Load(filepath.Join(dir, "pki"), nil)
	require.NoError(t, err)
	srv, err := pkiserver.Start(p, nil)
	require.NoError(t, err)
	defer srv.Close()
	all := []string{"--dir", dir, "--tsa", srv.URL + "/tsa", "--crl-url", srv.URL + "/issuing.crl", "--ocsp", srv.URL + "/ocsp"}
	code, r := examine(t, all...)
	require.Zero(t, code, r)
	r.has(t, "timestamps", statusOK, "gives good tokens")
	r.has(t, "clock", statusOK, "agrees")
	r.has(t, "OCSP", statusOK, "E-Seal RSA-2048 is good")
	r.has(t, "revocation list", statusOK, "Issuing CA")

	shift := func(by time.Duration) pkiserver.Fault {
		return pkiserver.Fault{Info: func(i *cms.TimestampInfo) { i.Time = i.Time.Add(by) }}
	}
	for _, test := range []struct {
		path                string
		fault               pkiserver.Fault
		check, status, text string
	}{
		{"/tsa", pkiserver.Fault{HTTPStatus: 503}, "timestamps", statusFail, "503"},
		{"/tsa", pkiserver.Fault{Body: []byte("<html>secret</html>")}, "timestamps", statusFail, "127.0.0.1"},
		{"/tsa", shift(20 * time.Second), "clock", statusWarn, "off by"},
		{"/tsa", shift(-time.Hour), "clock", statusFail, "off by"},
		{"/issuing.crl", pkiserver.Fault{HTTPStatus: 404}, "revocation list", statusFail, "answers 404"},
		{"/issuing.crl", pkiserver.Fault{Body: []byte("x")}, "revocation list", statusFail, "127.0.0.1"},
		{"/ocsp", pkiserver.Fault{Body: []byte("x")}, "OCSP", statusFail, "127.0.0.1"},
	} {
		srv.SetFault(test.path, test.fault)
		_, r := examine(t, all...)
		r.has(t, test.check, test.status, test.text)
		srv.SetFault(test.path, pkiserver.Fault{})
	}
	require.NoError(t, srv.Revoke(p.StampRSA.Cert, pki.Superseded, time.Now()))
	_, r = examine(t, all...)
	r.has(t, "OCSP", statusFail, "was revoked on")

	_, r = examine(t, "--tsa", "http://127.0.0.1:1/secret", "--crl-url", "http://127.0.0.1:1/secret")
	r.has(t, "timestamps", statusFail, "127.0.0.1:1")
	for _, f := range r.Checks {
		require.NotContains(t, f.Text, "secret")
	}
}

func TestDoctorUsage(t *testing.T) {
	for _, args := range [][]string{
		{}, {"--checkpoint", "x"}, {"--schema", "x"}, {"--token", "x"}, {"--ocsp", "http://x"}, {"--pkcs11", "x"}, {"--dir", "x", "y"},
	} {
		code, _, _ := meterai(t, append([]string{"doctor"}, args...)...)
		require.Equal(t, exitUsage, code, args)
	}
	code, r := examine(t, "--dir", filepath.Join(t.TempDir(), "missing"))
	require.Equal(t, exitFailed, code)
	r.has(t, "directory", statusFail, "")
}

// What the doctor says of a server is judged without one.
func TestDoctorServerFacts(t *testing.T) {
	good := serverFacts{version: 150004, commit: "on", fsync: "on", fullPages: "on", now: time.Now()}
	for _, test := range []struct {
		change       func(*serverFacts)
		status, text string
	}{
		{func(*serverFacts) {}, statusOK, "PostgreSQL 15"},
		{func(f *serverFacts) { f.commit = "remote_apply" }, statusOK, "durable"},
		{func(f *serverFacts) { f.commit = "off" }, statusFail, "before they are durable"},
		{func(f *serverFacts) { f.commit = "local" }, statusFail, "before they are durable"},
		{func(f *serverFacts) { f.fsync = "off" }, statusFail, "power cut"},
		{func(f *serverFacts) { f.fullPages = "off" }, statusWarn, "full_page_writes"},
		{func(f *serverFacts) { f.standby = true }, statusFail, "standby"},
		{func(f *serverFacts) { f.version = 110000 }, statusFail, "version 11"},
	} {
		f := good
		test.change(&f)
		d := &doctor{now: time.Now}
		d.judgeServer(&f)
		r := &doctorReport{Checks: d.findings}
		r.has(t, "database", test.status, test.text)
	}
	_, r := examine(t, "--database", "host=127.0.0.1 port=1 user=x password=secret connect_timeout=5")
	r.has(t, "database", statusFail, "127.0.0.1")
	for _, f := range r.Checks {
		require.NotContains(t, f.Text, "secret")
	}
}
