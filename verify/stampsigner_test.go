package verify_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

const olderNumber = "ABCDEFGHIJKLMNOPQRSTU9" // 22 characters, which are no serial of ours

// olderTrust lists the e-seal on RSA keys as a signer of older stamps.
func olderTrust(t testing.TB, w *world) *verify.StampSigners {
	t.Helper()
	e := verify.TrustSigner(w.pki.StampRSA.Cert)
	e.Name, e.Currency, e.Value, e.Specimen = "older", "IDR", 10000, true
	l, err := verify.NewStampSigners(e)
	require.NoError(t, err)
	return l
}

// older is a stamp of an older kind to be made.
func older(w *world, text string) job {
	return job{id: w.pki.StampRSA, field: "Emet" + olderNumber, edit: func(sig, _ pdf.Dict) { sig["Reason"] = pdf.TextString(text) }}
}

// Both older kinds are told by who signed them, and by nothing else.
func TestOlderStamps(t *testing.T) {
	w := newWorld(t)
	opt := with(w.opt, func(o *verify.Options) { o.StampSigners = olderTrust(t, w) })
	good := older(w, "["+olderNumber+"] e-Meterai")
	before := good
	before.field, before.subFilter = "sig1725436800000", "adbe.pkcs7.detached"
	for name, doc := range map[string][]byte{
		"newer":                          w.sign(t, plain("x", 1, 0), good),
		"older":                          w.sign(t, plain("x", 1, 0), before),
		"both, for people to sign after": w.sign(t, w.sign(t, plain("x", 1, 0), good), job{field: "Person"}),
	} {
		t.Run(name, func(t *testing.T) {
			r := check(t, doc, opt)
			require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
			s := r.Signatures[0].Stamp
			require.Equal(t, verify.KindSigner, s.Kind)
			require.Equal(t, olderNumber, s.Serial)
			require.True(t, s.Genuine)
			require.True(t, s.Specimen)
			require.EqualValues(t, 10000, s.Value)
			require.Equal(t, "IDR", s.Currency)
			require.Len(t, s.DocumentDigest, 64)
			require.Contains(t, r.Text(), "of an older kind, by its signature alone")

			require.Nil(t, check(t, doc, w.opt).Signatures[0].Stamp, "without a list it is a signature")
			whole := check(t, doc, with(opt, func(o *verify.Options) { o.IntegrityOnly = true }))
			require.Equal(t, verify.TotalPassed, whole.Indication)
			require.False(t, whole.Signatures[0].Stamp.Genuine)
		})
	}
}

// No older stamp is genuine without the trust in its certificate and an intact
// signature, whatever its reason says.
func TestAttackOlderStamps(t *testing.T) {
	w := newWorld(t)
	reason := "[" + olderNumber + "] e-Meterai"
	listed := func(change func(j *job)) []byte {
		j := older(w, reason)
		change(&j)
		return w.sign(t, plain("x", 1, 0), j)
	}
	good := listed(func(*job) {})
	foreign := verify.TrustSigner(w.other.StampRSA.Cert)
	twice := w.sign(t, good, job{id: w.pki.StampRSA, field: "sig1", edit: func(sig, _ pdf.Dict) { sig["Reason"] = pdf.String(reason) }})
	for _, c := range []struct {
		name   string
		doc    []byte
		change func(*verify.Options)
		ind    verify.Indication
		says   string
	}{
		{"signed by somebody else", listed(func(j *job) { j.id = w.pki.StampP256 }), nil, verify.Indeterminate, "not on the list of stamp signers"},
		{"signed by a namesake", listed(func(j *job) { j.id = w.other.StampRSA }), nil, verify.Indeterminate, "not on the list of stamp signers"},
		{"listed, and of nobody's authority", listed(func(j *job) { j.id = w.other.StampRSA }), func(o *verify.Options) {
			l, err := verify.NewStampSigners(foreign)
			require.NoError(t, err)
			o.StampSigners = l
		}, verify.Indeterminate, "no path leads"},
		{"no roots", good, func(o *verify.Options) { o.Roots = nil }, verify.Indeterminate, "no trusted root"},
		{"no revocation data", good, func(o *verify.Options) { o.CRLs = nil }, verify.Indeterminate, "no usable revocation data"},
		{"changed afterwards", update(t, good, func(u *pdf.Update, _ *pdf.File) { u.Set(pdf.Ref{Number: 4}, stream("BT ET")) }), nil, verify.TotalFailed, ""},
		{"changed bytes", flip(good, 200), nil, verify.TotalFailed, ""},
		{"other serial in the field", listed(func(j *job) { j.field = "Emet" + olderNumber[1:] + "A" }), nil, verify.TotalFailed, "field's name"},
		{"part of a serial in the field", listed(func(j *job) { j.field = "Emet" + olderNumber[1:] }), nil, verify.TotalFailed, "field's name"},
		{"used twice in the document", twice, nil, verify.TotalFailed, "was used before in this document"},
		{"made by hand and wrong", good, func(o *verify.Options) { o.StampSigners = &verify.StampSigners{} }, verify.Indeterminate, "not on the list of stamp signers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			opt := with(w.opt, func(o *verify.Options) { o.StampSigners = olderTrust(t, w) })
			if c.change != nil {
				c.change(opt)
			}
			r := check(t, c.doc, opt)
			require.Equal(t, c.ind, r.Indication, r.Text())
			require.Contains(t, r.Text(), c.says)
			last := r.Signatures[len(r.Signatures)-1].Stamp
			require.NotNil(t, last)
			if c.name != "changed afterwards" {
				require.False(t, last.Genuine, r.Text())
			}
		})
	}
}

// What stands in a reason is anybody's text. Only the one form is a serial.
func TestHostileReasons(t *testing.T) {
	w := newWorld(t)
	opt := with(w.opt, func(o *verify.Options) { o.StampSigners = olderTrust(t, w) })
	for name, text := range map[string]string{
		"empty":                 "",
		"no brackets":           olderNumber,
		"text before":           "x [" + olderNumber + "]",
		"space before":          " [" + olderNumber + "]",
		"space inside":          "[" + olderNumber[:21] + " ]",
		"too short":             "[" + olderNumber[:21] + "]",
		"too long":              "[" + olderNumber + "A]",
		"lower case":            "[" + strings.ToLower(olderNumber) + "]",
		"not closed":            "[" + olderNumber,
		"another bracket":       "[" + olderNumber + ")",
		"brackets inside":       "[[" + olderNumber[:20] + "]]",
		"look-alikes":           "[\u0410" + olderNumber[1:] + "]",
		"full width":            "[\uff21" + olderNumber[1:] + "]",
		"right to left":         "[\u202e" + olderNumber + "]",
		"zero width":            "[" + olderNumber[:10] + "\u200b" + olderNumber[10:] + "]",
		"a zero byte":           "[" + olderNumber[:21] + "\x00]",
		"a line feed":           "[\n" + olderNumber[1:] + "]",
		"punctuation":           "[" + olderNumber[:21] + "-]",
		"very long":             strings.Repeat("[", 1<<17) + olderNumber + "]",
		"behind what is looked": strings.Repeat(" ", 1<<17) + "[" + olderNumber + "]",
	} {
		t.Run(name, func(t *testing.T) {
			r := check(t, w.sign(t, plain("x", 1, 0), older(w, text)), opt)
			requireSub(t, verify.SigConstraintsFailure, r)
			s := r.Signatures[0].Stamp
			require.Empty(t, s.Serial)
			require.False(t, s.Genuine)
			require.Contains(t, r.Text(), "without a serial, NOT proved")
			require.NotContains(t, r.Text(), "\u202e")
		})
	}
	for name, text := range map[string]string{
		"free text":            "[" + olderNumber + "] \u202e paid \x1b[31m [ZZZZZZZZZZZZZZZZZZZZZZ]",
		"nothing after":        "[" + olderNumber + "]",
		"UTF-16":               "[" + olderNumber + "] \u2713",
		"another serial after": "[" + olderNumber + "][" + olderNumber[1:] + "B]",
	} {
		t.Run(name, func(t *testing.T) {
			r := check(t, w.sign(t, plain("x", 1, 0), older(w, text)), opt)
			require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
			require.Equal(t, olderNumber, r.Signatures[0].Stamp.Serial, "the first, and no other")
		})
	}
}

// A serial of ours without a seal stays a forgery, unless a signer of older stamps
// has signed it: its serials may look the same.
func TestOlderAndOwnStamps(t *testing.T) {
	w := newWorld(t)
	opt := with(w.opt, func(o *verify.Options) { o.StampSigners = olderTrust(t, w) })
	one := serialNumber(t, 1).String()
	by := func(id pki.Identity) job {
		return job{id: id, edit: func(sig, _ pdf.Dict) { sig["Reason"] = pdf.String("[" + one + "] x") }}
	}
	r := check(t, w.sign(t, plain("x", 1, 0), by(w.pki.StampP256)), opt)
	require.Equal(t, verify.TotalFailed, r.Indication)
	require.Equal(t, verify.KindSeal, r.Signatures[0].Stamp.Kind)
	r = check(t, w.sign(t, plain("x", 1, 0), by(w.pki.StampRSA)), opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	require.Equal(t, verify.KindSigner, r.Signatures[0].Stamp.Kind)
	r = check(t, w.stamped(t), opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	require.Equal(t, verify.KindSeal, r.Signatures[0].Stamp.Kind)
	archived := w.sign(t, plain("x", 1, 0), job{field: "Archive", subFilter: "ETSI.RFC3161", id: w.pki.TSA})
	e := verify.TrustSigner(w.pki.TSA.Cert)
	l, err := verify.NewStampSigners(e)
	require.NoError(t, err)
	require.Nil(t, check(t, archived, with(opt, func(o *verify.Options) { o.StampSigners = l })).Signatures[0].Stamp, "a timestamp is no stamp")
}

func TestParseStampSigners(t *testing.T) {
	w := newWorld(t)
	b, err := json.Marshal(olderTrust(t, w))
	require.NoError(t, err)
	again, err := verify.ParseStampSigners(b)
	require.NoError(t, err)
	require.Equal(t, olderTrust(t, w), again)
	none, err := verify.ParseStampSigners([]byte(`{"entries":[]}`))
	require.NoError(t, err)
	require.Empty(t, none.Entries)
	good := string(b)
	for name, bad := range map[string]string{
		"empty":              "",
		"no object":          "[]",
		"unknown key":        strings.Replace(good, `"value"`, `"worth"`, 1),
		"key in other case":  strings.Replace(good, `"value"`, `"Value"`, 1),
		"key twice":          strings.Replace(good, `"value":`, `"value":1,"value":`, 1),
		"trailing":           good + "{}",
		"null":               strings.Replace(good, `10000`, `null`, 1),
		"bad fingerprint":    strings.Replace(good, `"certificate":"`, `"certificate":"zz`, 1),
		"entry twice":        strings.Replace(good, `}]}`, `},`+good[len(`{"entries":[`):], 1),
		"value alone":        strings.Replace(good, `"currency":"IDR",`, ``, 1),
		"bad currency":       strings.Replace(good, `"IDR"`, `"I\u202eR"`, 1),
		"key of a seal list": strings.Replace(good, `"name"`, `"public_key"`, 1),
		"too long":           `{"entries":[]}` + strings.Repeat(" ", 5<<20),
	} {
		_, err := verify.ParseStampSigners([]byte(bad))
		var trouble *verify.TrustError
		require.ErrorAs(t, err, &trouble, name)
		require.Contains(t, trouble.Error(), "stamp signer list")
	}
	for _, wrong := range []*verify.StampSigners{{Entries: []verify.StampSigner{{Certificate: "x"}}}} {
		_, err := verify.Document(t.Context(), strings.NewReader(""), 0, &verify.Options{StampSigners: wrong})
		var trouble *verify.TrustError
		require.ErrorAs(t, err, &trouble, "made by hand")
	}
}

// FuzzStampSigners: what is accepted means one thing, and is written back as read.
func FuzzStampSigners(f *testing.F) {
	good, err := json.Marshal(olderTrust(f, newWorld(f)))
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte(`{"entries":[]}`))
	f.Add([]byte(fmt.Sprintf(`{"entries":[{"certificate":%q}]}`, strings.Repeat("aB", 32))))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := verify.ParseStampSigners(b)
		if err != nil {
			var trouble *verify.TrustError
			require.ErrorAs(t, err, &trouble)
			return
		}
		again, err := json.Marshal(list)
		require.NoError(t, err)
		second, err := verify.ParseStampSigners(again)
		require.NoError(t, err, string(again))
		require.Equal(t, list, second)
	})
}

// A document that was stamped twice under one serial, since the first try was
// lost, has used it once.
func TestOlderStampTriedAgain(t *testing.T) {
	w := newWorld(t)
	opt := with(w.opt, func(o *verify.Options) { o.StampSigners = olderTrust(t, w) })
	base := plain("agreement", 2, 0)
	again := older(w, "["+olderNumber+"] x")
	first := again.edit
	again.edit = func(sig, field pdf.Dict) {
		if first != nil {
			first(sig, field)
		}
		sig["M"] = pdf.String("D:20260904080101Z")
	}
	var u verify.Uses
	for i, doc := range [][]byte{w.sign(t, base, older(w, "["+olderNumber+"] x")), w.sign(t, base, again)} {
		r := named(t, fmt.Sprint(i), doc, opt)
		require.True(t, r.Signatures[0].Stamp.Genuine, r.Text())
		require.NotEmpty(t, r.Signatures[0].Stamp.DocumentDigest)
		u.Add(r)
	}
	require.Empty(t, u.Report().DoubleUses)
}
