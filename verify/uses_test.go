package verify_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/verify"
)

// named verifies a document under a name.
func named(t testing.TB, name string, doc []byte, opt *verify.Options) *verify.Report {
	t.Helper()
	r := check(t, doc, opt)
	r.File = name
	return r
}

// One serial under two digests proves double use; the same document twice, also
// when people have signed it since, does not.
func TestDoubleUse(t *testing.T) {
	w := newWorld(t)
	one, two := serialNumber(t, 1), serialNumber(t, 2)
	a := w.stamped(t)
	b := w.sign(t, plain("another agreement", 1, 0), job{stamp: &stampJob{number: one}})
	for _, r := range []*verify.Report{named(t, "a", a, w.opt), named(t, "b", b, w.opt)} {
		require.Equal(t, verify.TotalPassed, r.Indication, "each by itself is good")
	}
	forged := w.sign(t, plain("x", 1, 0), job{stamp: &stampJob{number: one, key: w.other.SealP256}})
	pasted := w.sign(t, plain("x", 1, 0), job{stamp: &stampJob{number: one, raw: w.seal(t, plain("agreement", 2, 0), &stampJob{number: one})}})
	for _, c := range []struct {
		name  string
		files [][]byte
		uses  int
	}{
		{"two documents", [][]byte{a, b}, 1},
		{"with others between", [][]byte{a, w.sign(t, plain("x", 1, 0), job{stamp: &stampJob{number: two}}), w.sign(t, plain("x", 1, 0), job{}), b, a}, 1},
		{"the same twice", [][]byte{a, a}, 0},
		{"the same, signed since", [][]byte{a, w.sign(t, a, job{field: "Person"})}, 0},
		{"the same, changed since", [][]byte{a, update(t, a, func(u *pdf.Update, _ *pdf.File) { u.Set(pdf.Ref{Number: 4}, stream("BT ET")) })}, 0},
		{"a forged seal accuses nobody", [][]byte{a, forged}, 0},
		{"a pasted seal accuses nobody", [][]byte{a, pasted}, 0},
		{"no files", nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var u verify.Uses
			found := 0
			for i, doc := range c.files {
				found += len(u.Add(named(t, fmt.Sprintf("file%d.pdf", i), doc, w.opt)))
			}
			require.Equal(t, c.uses, found)
			r := u.Report()
			require.Len(t, r.DoubleUses, c.uses)
			require.Equal(t, len(c.files), r.Files)
			require.Equal(t, "set", r.Scope)
			if c.uses == 0 {
				require.Equal(t, verify.TotalPassed, r.Indication)
				require.Contains(t, r.Text(), "no serial used for two documents")
				return
			}
			require.Equal(t, verify.TotalFailed, r.Indication)
			require.Equal(t, verify.FormatFailure, r.SubIndication)
			require.Equal(t, 1, r.ExitCode())
			require.Equal(t, one.String(), r.DoubleUses[0].Serial)
			require.Contains(t, r.Text(), "file0.pdf")
			require.Contains(t, r.Text(), r.DoubleUses[0].Files[1])
			b, err := json.Marshal(r)
			require.NoError(t, err)
			for _, key := range []string{`"scope":"set"`, `"indication":"TOTAL-FAILED"`, `"double_uses":[{`, `"signatures":[]`} {
				require.Contains(t, string(b), key)
			}
		})
	}
	t.Run("whatever the ledger says", func(t *testing.T) {
		opt := with(w.opt, func(o *verify.Options) { o.Ledger = &ledgerAnswer{err: fmt.Errorf("down")} })
		var u verify.Uses
		u.Add(named(t, "a", a, opt))
		require.Len(t, u.Add(named(t, "b", b, opt)), 1)
	})
	t.Run("a thief accuses nobody", func(t *testing.T) {
		opt := with(w.opt, func(o *verify.Options) {
			o.SealTrust = listTrust(t, w, func(e *verify.SealTrustEntry) { e.Revoked = true })
		})
		var u verify.Uses
		u.Add(named(t, "a", a, opt))
		require.Empty(t, u.Add(named(t, "b", b, opt)))
	})
	t.Run("integrity only", func(t *testing.T) {
		var u verify.Uses
		for _, doc := range [][]byte{a, b} {
			require.Empty(t, u.Add(named(t, "x", doc, with(w.opt, func(o *verify.Options) { o.IntegrityOnly = true }))))
		}
	})
}

// TestDoubleUseOfOlderStamps: the signature binds the serial, so its digest counts.
func TestDoubleUseOfOlderStamps(t *testing.T) {
	w := newWorld(t)
	opt := with(w.opt, func(o *verify.Options) { o.StampSigners = olderTrust(t, w) })
	a := w.sign(t, plain("a", 1, 0), older(w, "["+olderNumber+"]"))
	b := w.sign(t, plain("b", 1, 0), older(w, "["+olderNumber+"]"))
	var u verify.Uses
	u.Add(named(t, "a\x1b[31m\u202e", a, opt))
	require.Empty(t, u.Add(named(t, "a2", w.sign(t, a, job{field: "Person"}), opt)))
	require.Len(t, u.Add(named(t, "b", b, opt)), 1)
	require.NotContains(t, u.Report().Text(), "\x1b")
	require.NotContains(t, u.Report().Text(), "\u202e")
}

// TestManyFilesTogether: 100,000 files take little memory, and the list of double uses ends.
func TestManyFilesTogether(t *testing.T) {
	var u verify.Uses
	report := func(i, digest int) *verify.Report {
		return &verify.Report{File: fmt.Sprintf("folder/of/documents/%07d.pdf", i), Signatures: []verify.Signature{{Stamp: &verify.Stamp{Kind: verify.KindSeal,
			Serial: fmt.Sprintf("1ZZ%019d", i), Genuine: true, DocumentDigest: fmt.Sprintf("%064x", digest)}}}}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const n = 100_000
	for i := range n {
		require.Empty(t, u.Add(report(i, i)))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("%d bytes a stamp", (int64(after.HeapAlloc)-int64(before.HeapAlloc))/n)
	require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(64<<20))
	for i := range 1500 {
		u.Add(report(i, i+1))
	}
	r := u.Report()
	require.Len(t, r.DoubleUses, 1000)
	require.Contains(t, strings.Join(r.Reasons, "\n"), "and 500 double uses more")
	require.Equal(t, n+1500, r.Stamps)
}

// TestUsesKeepsItsList: what a caller does with an answer changes no later one.
func TestUsesKeepsItsList(t *testing.T) {
	report := func(serial, digest string) *verify.Report {
		return &verify.Report{File: digest, Signatures: []verify.Signature{{Stamp: &verify.Stamp{
			Kind: verify.KindSeal, Serial: serial, Genuine: true, DocumentDigest: digest}}}}
	}
	var u verify.Uses
	for i := range 10 {
		serial := fmt.Sprint(i)
		u.Add(report(serial, "a"))
		found := u.Add(report(serial, "b"))
		require.Len(t, found, 1)
		found[0].Serial = "changed"
		_ = append(found, verify.DoubleUse{Serial: "added"})
	}
	for i, d := range u.Report().DoubleUses {
		require.Equal(t, fmt.Sprint(i), d.Serial)
	}
}

func ExampleUses() {
	stamped := func(file, digest string) *verify.Report { // as verify.Document gives it
		return &verify.Report{File: file, Signatures: []verify.Signature{{Stamp: &verify.Stamp{
			Kind: verify.KindSeal, Serial: "1ZZ2FK8RG8APSW590TB1RH", Genuine: true, DocumentDigest: digest}}}}
	}
	var uses verify.Uses
	uses.Add(stamped("contract.pdf", "8cdd30a41a3313f5"))
	uses.Add(stamped("copy of contract.pdf", "8cdd30a41a3313f5"))
	for _, u := range uses.Add(stamped("letter.pdf", "51a09f4c7e2b6d88")) {
		fmt.Println(u.Serial, u.Files)
	}
	fmt.Println(uses.Report().Indication)
	// Output:
	// 1ZZ2FK8RG8APSW590TB1RH [contract.pdf letter.pdf]
	// TOTAL-FAILED
}
