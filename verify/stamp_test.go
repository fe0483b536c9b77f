package verify_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/verify"
)

func TestStampsThatDoNotHold(t *testing.T) {
	w := newWorld(t)
	one, two := serialNumber(t, 1), serialNumber(t, 2)
	base := plain("agreement", 2, 0)
	other := plain("another agreement", 2, 0)
	foreign := w.seal(t, other, &stampJob{number: one})
	for _, c := range []struct {
		name   string
		job    job
		ind    verify.Indication
		sub    verify.SubIndication
		reason string
	}{
		{"seal of another document", job{stamp: &stampJob{number: one, raw: foreign}}, verify.TotalFailed, verify.HashFailure, "the seal belongs to another document"},
		{"seal of the same length", job{stamp: &stampJob{number: one, change: func(s *seal.Seal) { s.DocumentDigest[0] ^= 1 }}}, verify.TotalFailed, verify.HashFailure, "the seal belongs to another document"},
		{"length one too small", job{stamp: &stampJob{number: one, change: func(s *seal.Seal) {
			s.DocumentLength--
			s.DocumentDigest = sha256.Sum256(base[:s.DocumentLength])
		}}}, verify.TotalPassed, "", ""}, // the end of line after the last %%EOF may be on either side
		{"length inside the document", job{stamp: &stampJob{number: one, change: func(s *seal.Seal) {
			s.DocumentLength = 100
			s.DocumentDigest = sha256.Sum256(base[:100])
		}}}, verify.TotalFailed, verify.HashFailure, "the seal belongs to another document"},
		{"length beyond the file", job{stamp: &stampJob{number: one, change: func(s *seal.Seal) { s.DocumentLength = 1 << 39 }}}, verify.TotalFailed, verify.HashFailure, "the seal belongs to another document"},
		{"other serial in the reason", job{stamp: &stampJob{number: one, reason: "[" + two.String() + "] x"}}, verify.TotalFailed, verify.FormatFailure, "reason of the signature"},
		{"no serial in the reason", job{stamp: &stampJob{number: one, reason: "agreed"}}, verify.TotalFailed, verify.FormatFailure, "reason of the signature"},
		{"other serial in the field", job{field: "Stamp" + two.String(), stamp: &stampJob{number: one}}, verify.TotalFailed, verify.FormatFailure, "field's name"},
		{"mutilated serial in the field", job{field: "Stamp" + two.String()[1:], stamp: &stampJob{number: one}}, verify.TotalFailed, verify.FormatFailure, "field's name"},
		{"field of another name", job{field: "Approval", stamp: &stampJob{number: one}}, verify.TotalPassed, "", ""},
		{"broken seal", job{stamp: &stampJob{number: one, raw: []byte("nonsense")}}, verify.TotalFailed, verify.FormatFailure, "cannot be read"},
		{"seal with a trailing byte", job{stamp: &stampJob{number: one, raw: append(w.seal(t, base, &stampJob{number: one}), 0)}}, verify.TotalFailed, verify.FormatFailure, "cannot be read"},
		{"seal by an unknown key", job{stamp: &stampJob{number: one, key: w.other.SealP256}}, verify.Indeterminate, verify.NoCertificateChainFound, "not on the seal trust list"},
		{"seal with a broken signature", job{stamp: &stampJob{number: one, raw: flip(w.seal(t, base, &stampJob{number: one}), 100)}}, verify.TotalFailed, verify.SigCryptoFailure, "does not verify"},
		{"production seal under a specimen key", job{stamp: &stampJob{number: one, change: func(s *seal.Seal) { s.Specimen = false }}}, verify.TotalFailed, verify.FormatFailure, "never verified by a specimen key"},
		{"issued before the key was valid", job{stamp: &stampJob{number: one, change: func(s *seal.Seal) { s.Issued = now.AddDate(-5, 0, 0) }}}, verify.Indeterminate, verify.OutOfBoundsNoPOE, "validity of its key"},
		{"issued in the future", job{stamp: &stampJob{number: one, change: func(s *seal.Seal) { s.Issued = now.AddDate(0, 1, 0) }}}, verify.Indeterminate, verify.OutOfBoundsNoPOE, "after the time of checking"},
		{"claims to be a stamp in the field", job{field: "Stamp" + one.String()}, verify.TotalFailed, verify.FormatFailure, "carries no seal"},
		{"claims to be a stamp in the reason", job{edit: func(sig, _ pdf.Dict) { sig["Reason"] = pdf.String("[" + one.String() + "]") }}, verify.TotalFailed, verify.FormatFailure, "carries no seal"},
		{"seal is an indirect object", job{stamp: &stampJob{number: one}, edit: func(sig, _ pdf.Dict) { sig["MeteraiSeal"] = pdf.Ref{Number: 4} }}, verify.TotalFailed, verify.FormatFailure, "cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := check(t, w.sign(t, base, c.job), w.opt)
			require.Equal(t, c.ind, r.Indication, r.Text())
			require.Equal(t, c.sub, r.SubIndication, r.Text())
			if c.reason != "" {
				require.Contains(t, r.Text(), c.reason)
			}
			require.NotNil(t, r.Signatures[0].Stamp)
		})
	}
}

func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}

// TestSealUnderMoreText: text added before stamping again with the same seal.
func TestSealUnderMoreText(t *testing.T) {
	w := newWorld(t)
	base := plain("agreement", 1, 0)
	raw := w.seal(t, base, &stampJob{number: serialNumber(t, 1)})
	more := update(t, base, func(u *pdf.Update, f *pdf.File) { u.Set(pdf.Ref{Number: 4}, stream("BT ET")) })
	r := check(t, w.sign(t, more, job{stamp: &stampJob{number: serialNumber(t, 1), raw: raw}}), w.opt)
	require.Equal(t, verify.TotalFailed, r.Indication)
	require.False(t, r.Signatures[0].Stamp.DocumentBound)
	require.Contains(t, r.Text(), "the seal belongs to another document")
}

// TestSerialUsedTwice: two genuine seals of one serial in one document.
func TestSerialUsedTwice(t *testing.T) {
	w := newWorld(t)
	doc := w.sign(t, w.stamped(t), job{field: "Again", stamp: &stampJob{number: serialNumber(t, 1)}})
	r := check(t, doc, w.opt)
	require.Equal(t, verify.TotalPassed, r.Signatures[0].Indication, r.Text())
	require.Equal(t, verify.TotalFailed, r.Signatures[1].Indication, r.Text())
	require.Contains(t, r.Text(), "was used before in this document")
}

// TestStampAfterOddEnds: the document before stamping has white space and no end
// of line at its end.
func TestStampAfterOddEnds(t *testing.T) {
	w := newWorld(t)
	base := bytes.TrimRight(plain("agreement", 1, 0), "\n")
	for _, end := range []string{"", "\n", "\r\n", "\r", "\n\n", " ", "\x00\x00"} {
		doc := append(bytes.Clone(base), end...)
		r := check(t, w.sign(t, doc, job{stamp: &stampJob{number: serialNumber(t, 1)}}), w.opt)
		require.Equal(t, verify.TotalPassed, r.Indication, "%q: %s", end, r.Text())
	}
}

// TestSomebodyElseSignsOverTheSeal: the stamp's signature is stripped and
// another trusted person signs with the genuine seal copied over.
func TestSomebodyElseSignsOverTheSeal(t *testing.T) {
	w := newWorld(t)
	leaf := entryFor(w.pki.SealP256, w.pki.StampP256.Cert)
	trust, err := verify.NewSealTrust(leaf)
	require.NoError(t, err)
	opt := with(w.opt, func(o *verify.Options) { o.SealTrust = trust })
	base := plain("agreement", 1, 0)
	stamp := &stampJob{number: serialNumber(t, 1)}
	require.Equal(t, verify.TotalPassed, check(t, w.sign(t, base, job{stamp: stamp}), opt).Indication)
	r := check(t, w.sign(t, base, job{stamp: stamp, id: w.pki.StampRSA}), opt)
	require.Equal(t, verify.TotalFailed, r.Indication)
	require.Contains(t, r.Text(), "may not carry this seal")
}

func TestSealTrustEntries(t *testing.T) {
	w := newWorld(t)
	doc := w.stamped(t)
	for _, c := range []struct {
		name   string
		change func(e *verify.SealTrustEntry)
		ind    verify.Indication
		sub    verify.SubIndication
	}{
		{"as it is", func(e *verify.SealTrustEntry) {}, verify.TotalPassed, ""},
		{"production entry", func(e *verify.SealTrustEntry) { e.Specimen = false }, verify.TotalFailed, verify.FormatFailure},
		{"other issuer", func(e *verify.SealTrustEntry) { e.Issuers = []string{"AA"} }, verify.TotalFailed, verify.FormatFailure},
		{"other epoch", func(e *verify.SealTrustEntry) { e.Epochs = []string{"2"} }, verify.TotalFailed, verify.FormatFailure},
		{"revoked", func(e *verify.SealTrustEntry) { e.Revoked = true }, verify.Indeterminate, verify.RevokedNoPOE},
		{"revoked later", func(e *verify.SealTrustEntry) { e.RevokedAt = now.AddDate(1, 0, 0) }, verify.Indeterminate, verify.RevokedNoPOE},
		{"expired key", func(e *verify.SealTrustEntry) { e.NotAfter = now.AddDate(0, 0, -1) }, verify.Indeterminate, verify.OutOfBoundsNoPOE},
		{"no certificates", func(e *verify.SealTrustEntry) { e.Certificates = nil }, verify.Indeterminate, verify.ChainConstraintsFailure},
		{"other certificates", func(e *verify.SealTrustEntry) { e.Certificates = []string{strings.Repeat("ab", 32)} }, verify.TotalFailed, verify.FormatFailure},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := entryFor(w.pki.SealP256, w.pki.Issuing.Cert)
			c.change(&e)
			trust, err := verify.NewSealTrust(e)
			require.NoError(t, err)
			r := check(t, doc, with(w.opt, func(o *verify.Options) { o.SealTrust = trust }))
			require.Equal(t, c.ind, r.Indication, r.Text())
			require.Equal(t, c.sub, r.SubIndication, r.Text())
		})
	}
	t.Run("nil list", func(t *testing.T) {
		r := check(t, doc, with(w.opt, func(o *verify.Options) { o.SealTrust = nil }))
		require.Equal(t, verify.Indeterminate, r.Indication)
	})
	t.Run("made by hand", func(t *testing.T) {
		trust := &verify.SealTrust{Entries: []verify.SealTrustEntry{entryFor(w.pki.SealP256, w.pki.Issuing.Cert)}}
		require.Equal(t, verify.TotalPassed, check(t, doc, with(w.opt, func(o *verify.Options) { o.SealTrust = trust })).Indication)
		trust.Entries[0].PublicKey = "nonsense"
		_, err := verify.Document(context.Background(), bytes.NewReader(doc), int64(len(doc)), with(w.opt, func(o *verify.Options) { o.SealTrust = trust }))
		var bad *verify.TrustError
		require.ErrorAs(t, err, &bad)
		require.Equal(t, "public_key", bad.Field)
	})
}

func TestParseSealTrust(t *testing.T) {
	w := newWorld(t)
	b, err := json.Marshal(w.trust)
	require.NoError(t, err)
	again, err := verify.ParseSealTrust(b)
	require.NoError(t, err)
	require.Equal(t, w.trust.Entries, again.Entries)
	require.Equal(t, verify.TotalPassed, check(t, w.stamped(t), with(w.opt, func(o *verify.Options) { o.SealTrust = again })).Indication)

	good := string(b)
	for name, bad := range map[string]string{
		"empty":           "",
		"unknown key":     strings.Replace(good, `"currency"`, `"money"`, 1),
		"trailing":        good + "{}",
		"wrong algorithm": strings.Replace(good, `"P-256"`, `"Ed25519"`, 1),
		"no issuers":      strings.Replace(good, `["ZZ"]`, `[]`, 1),
		"bad issuer":      strings.Replace(good, `["ZZ"]`, `["zz"]`, 1),
		"bad epoch":       strings.Replace(good, `["1"]`, `["12"]`, 1),
		"bad currency":    strings.Replace(good, `"IDR"`, `"I\u202eR"`, 1),
		"no start":        strings.Replace(good, `"not_before":"2025-09-04T08:00:00Z",`, ``, 1),
		"bad fingerprint": strings.Replace(good, `"certificates":["`, `"certificates":["zz`, 1),
		"too long":        `{"entries":[]}` + strings.Repeat(" ", 5<<20),
	} {
		_, err := verify.ParseSealTrust([]byte(bad))
		var want *verify.TrustError
		require.ErrorAs(t, err, &want, name)
	}
}

func TestSeal(t *testing.T) {
	w := newWorld(t)
	doc := plain("agreement", 1, 0)
	raw := w.seal(t, doc, &stampJob{number: serialNumber(t, 1)})
	text, err := seal.Text("HTTPS://EXAMPLE.TEST/S/", raw)
	require.NoError(t, err)

	r, err := verify.Seal(text, w.opt)
	require.NoError(t, err)
	require.True(t, r.Genuine)
	require.Equal(t, verify.Indeterminate, r.Indication, "a printed seal alone is never valid")
	require.Equal(t, verify.SignedDataNotFound, r.SubIndication)
	require.Contains(t, r.Statement, serialNumber(t, 1).String())
	require.Contains(t, r.Statement, "compare")
	require.NotContains(t, strings.ToLower(r.Text()), "valid stamp")
	sum := sha256.Sum256(doc)
	require.Equal(t, hex.EncodeToString(sum[:]), r.DocumentDigest)
	require.EqualValues(t, len(doc), r.DocumentLength)
	require.Equal(t, 5, r.ExitCode())

	unknown, err := verify.Seal(text, nil)
	require.NoError(t, err)
	require.False(t, unknown.Genuine)
	require.Equal(t, verify.Indeterminate, unknown.Indication)

	for _, bad := range []string{"", "hello", text[:len(text)-1], text + "1", "https://example.test/" + strings.Repeat("9", 10000)} {
		r, err := verify.Seal(bad, w.opt)
		require.NoError(t, err)
		require.False(t, r.Genuine)
		require.Equal(t, verify.TotalFailed, r.Indication)
	}
}

func TestSealForDocument(t *testing.T) {
	w := newWorld(t)
	doc := plain("agreement", 1, 0)
	raw := w.seal(t, doc, &stampJob{number: serialNumber(t, 1)})
	text, err := seal.Text("", raw)
	require.NoError(t, err)
	ask := func(doc []byte, opt *verify.Options) *verify.SealReport {
		r, err := verify.SealForDocument(context.Background(), text, bytes.NewReader(doc), int64(len(doc)), opt)
		require.NoError(t, err)
		return r
	}
	r := ask(doc, w.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	require.True(t, r.DocumentBound)

	r = ask(w.sign(t, doc, job{stamp: &stampJob{number: serialNumber(t, 1), raw: raw}}), w.opt)
	require.Equal(t, verify.Indeterminate, r.Indication, "the rest of the file was not judged")
	require.True(t, r.DocumentBound)

	for _, bad := range [][]byte{flip(doc, 200), doc[:len(doc)-1], plain("another", 1, 0), {}} {
		r = ask(bad, w.opt)
		require.Equal(t, verify.TotalFailed, r.Indication)
		require.Equal(t, verify.HashFailure, r.SubIndication)
		require.False(t, r.DocumentBound)
	}
	r = ask(doc, nil)
	require.Equal(t, verify.Indeterminate, r.Indication, "right document, unknown key")
	require.True(t, r.DocumentBound)

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = verify.SealForDocument(ctx, text, bytes.NewReader(doc), int64(len(doc)), w.opt)
	require.ErrorIs(t, err, context.Canceled)
}
