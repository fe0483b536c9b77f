package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/testdata/pki/pkiserver"
)

// publishCRLs replaces the revocation lists of a directory by those of a time.
func publishCRLs(t *testing.T, dir string, at time.Time) {
	t.Helper()
	p, err := pki.Load(home{dir}.pki(), &pki.Options{Now: at})
	require.NoError(t, err)
	require.NoError(t, p.Refresh())
	require.NoError(t, p.WriteCRLs(home{dir}.pki()))
}

// listsOf writes the lists that the PKI of a directory makes at a time.
func listsOf(t *testing.T, dir string, at time.Time) []string {
	t.Helper()
	p, err := pki.Load(home{dir}.pki(), &pki.Options{Now: at})
	require.NoError(t, err)
	require.NoError(t, p.Refresh())
	var args []string
	for i, crl := range p.CRLs {
		file := filepath.Join(t.TempDir(), "crl"+string(rune('0'+i)))
		require.NoError(t, os.WriteFile(file, crl, 0o600))
		args = append(args, "--crl", file)
	}
	return args
}

// stampedAtEachLevel stamps a document at each level, with revocation lists from
// before. "next list" is at b-lt with the lists that came after the signature,
// "renewed" at b-lta with a further timestamp, of an authority that lasts for longer.
func stampedAtEachLevel(t *testing.T, dir, in string) map[string]string {
	t.Helper()
	publishCRLs(t, dir, time.Now().Add(-30*time.Minute))
	tsa, service := services(t, dir)
	files := map[string]string{}
	path := func(name string) string {
		files[name] = filepath.Join(t.TempDir(), "out.pdf")
		return files[name]
	}
	for _, level := range levelNames {
		args := []string{"stamp", "--dir", dir, "--account", "me", "--in", in, "--out", path(level), "--level", level, "--key", level}
		if level != "b-b" {
			args = append(args, "--tsa", tsa)
		}
		ok(t, args...)
	}
	p, err := home{dir}.loadPKI()
	require.NoError(t, err)
	id, err := p.Issue(&pki.Request{CommonName: "Lasting Timestamp Authority", Use: pki.Timestamping, Key: pki.P256,
		NotBefore: p.TSA.Cert.NotBefore, NotAfter: p.Issuing.Cert.NotAfter})
	require.NoError(t, err)
	service.SetFault("/tsa", pkiserver.Fault{Signer: &id})
	ok(t, "extend", "--dir", dir, "--in", files["b-lta"], "--out", path("renewed"), "--tsa", tsa)
	publishCRLs(t, dir, time.Now().Add(2*time.Minute)) // no test waits for the next list: clocks may differ by five minutes
	ok(t, "extend", "--dir", dir, "--in", files["b-t"], "--out", path("next list"), "--tsa", tsa, "--level", "b-lt")
	publishCRLs(t, dir, time.Now().Add(-30*time.Minute))
	return files
}

// TestVerifyAtATime: what passes now and when certificates have expired, at each
// level. A timestamp carries the signer over its certificate's end if there is a
// revocation list from after the signature, in the document or kept elsewhere, or a
// document timestamp from when the list before was current. Only a renewal outlives
// the authority of the timestamps.
func TestVerifyAtATime(t *testing.T) {
	dir, in := demo(t)
	files := stampedAtEachLevel(t, dir, in)
	kept := []string{"--dir", dir}
	alone := []string{"--trust", filepath.Join(dir, "pki", pki.RootFile), "--seal-trust", filepath.Join(dir, "seal-trust.json")}
	p, err := home{dir}.loadPKI()
	require.NoError(t, err)
	now, month := time.Now().Add(time.Second), 30*24*time.Hour
	halfYear, signer := now.Add(6*month), p.StampP256.Cert.NotAfter.Add(month)
	authority, all := p.TSA.Cert.NotAfter.Add(month), p.Issuing.Cert.NotAfter.Add(month)
	require.True(t, halfYear.Before(signer) && signer.Before(authority) && authority.Before(all))
	const good, later, expired = "", "TRY_LATER", "OUT_OF_BOUNDS_NO_POE"
	for _, c := range []struct {
		name  string
		at    time.Time
		by    []string
		lists bool                // current ones are given
		want  map[string][]string // by file: sub-indication and level of the answer
	}{
		{"now", now, kept, false, map[string][]string{
			"b-b": {good, "B-B"}, "b-t": {good, "B-T"}, "b-lt": {good, "B-LT"}, "next list": {good, "B-LT"}, "b-lta": {good, "B-LTA"}, "renewed": {good, "B-LTA"}}},
		{"no current lists", halfYear, kept, false, map[string][]string{
			"b-b": {later, "B-B"}, "b-t": {later, "B-B"}, "b-lt": {later, "B-B"}, "next list": {later, "B-B"}, "b-lta": {later, "B-B"}, "renewed": {later, "B-B"}}},
		{"current lists", halfYear, kept, true, map[string][]string{
			"b-b": {good, "B-B"}, "b-t": {good, "B-T"}, "b-lt": {good, "B-LT"}, "next list": {good, "B-LT"}, "b-lta": {good, "B-LTA"}, "renewed": {good, "B-LTA"}}},
		{"the signer has expired", signer, alone, true, map[string][]string{
			"b-b": {expired, "B-B"}, "b-t": {later, "B-T"}, "b-lt": {later, "B-LT"}, "next list": {good, "B-LT"}, "b-lta": {good, "B-LTA"}, "renewed": {good, "B-LTA"}}},
		{"the signer has expired, and somebody kept lists", signer, append(slices.Clone(alone), listsOf(t, dir, time.Now().Add(time.Hour))...), true, map[string][]string{
			"b-b": {expired, "B-B"}, "b-t": {good, "B-T"}, "b-lt": {good, "B-LT"}, "next list": {good, "B-LT"}, "b-lta": {good, "B-LTA"}, "renewed": {good, "B-LTA"}}},
		{"the authority of the timestamps as well", authority, alone, true, map[string][]string{
			"b-b": {expired, "B-B"}, "b-t": {expired, "B-B"}, "b-lt": {expired, "B-B"}, "next list": {expired, "B-B"}, "b-lta": {expired, "B-B"}, "renewed": {good, "B-LTA"}}},
		{"all of them", all, alone, true, map[string][]string{
			"b-b": {expired, "B-B"}, "b-t": {expired, "B-B"}, "b-lt": {expired, "B-B"}, "next list": {expired, "B-B"}, "b-lta": {expired, "B-B"}, "renewed": {expired, "B-B"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append(slices.Clone(c.by), "--time", c.at.UTC().Format(time.RFC3339))
			if c.lists {
				args = append(args, listsOf(t, dir, c.at)...)
			}
			for level, want := range c.want {
				code, got := verified(t, append(args, files[level])...)
				s := got[0].Signatures[0]
				require.Equal(t, want, []string{s.SubIndication, s.Level}, "%s: %v", level, s.Reasons)
				require.Equal(t, want[0] == good, code == 0, "%s: %s", level, got[0].Indication)
				require.Equal(t, want[0] == good, got[0].Indication == "TOTAL-PASSED", level)
				require.Equal(t, want[0] != good, s.Indication == "INDETERMINATE", "%s is never worse than that", level)
				require.True(t, s.Stamp.DocumentBound, level)
			}
		})
	}
}
