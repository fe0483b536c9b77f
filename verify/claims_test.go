package verify_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/verify"
)

// Whoever writes a serial where a stamp has it claims a stamp, however it is
// written: without a seal that is a forgery.
func TestAttackStampClaimInAnotherSpelling(t *testing.T) {
	w := newWorld(t)
	number := serialNumber(t, 1)
	s := number.String()
	long := strings.Repeat("x", 300)
	for name, j := range map[string]job{
		"plain reason":           {edit: reason("[" + s + "] agreed")},
		"grouped reason":         {edit: reason("[" + number.Grouped() + "] agreed")},
		"dashes":                 {edit: reason("[" + s[:3] + "-" + s[3:] + "]")},
		"lower case":             {edit: reason("[" + strings.ToLower(s) + "]")},
		"after other words":      {edit: reason("paid [" + s + "]")},
		"after another bracket":  {edit: reason("[x] [[" + s + "]")},
		"UTF-16":                 {edit: reason(string(pdf.TextString("\u2713 [" + s + "]")))},
		"reason in an object":    {edit: func(sig, _ pdf.Dict) { sig["Reason"] = pdf.Ref{Number: 50} }, extra: func(u *pdf.Update, _ *pdf.File) { u.Set(pdf.Ref{Number: 50}, pdf.String("["+s+"]")) }},
		"field":                  {field: "Stamp" + s},
		"field in lower case":    {field: "stamp" + strings.ToLower(s)},
		"field with dashes":      {field: "Stamp-" + s[:7] + "-" + s[7:]},
		"field with dots":        {field: "Stamp" + s[:7] + "." + s[7:]},
		"long parts before":      {field: long + ".Stamp" + s},
		"part in the middle":     {field: "a.Stamp" + s + ".b"},
		"behind a long reason":   {edit: reason(long + "[" + s + "]")},
		"I and O for one and no": {field: "Stamp" + strings.NewReplacer("1", "l", "0", "o").Replace(s)},
	} {
		t.Run(name, func(t *testing.T) {
			r := check(t, w.sign(t, plain("x", 1, 0), j), w.opt)
			require.Equal(t, verify.TotalFailed, r.Indication, r.Text())
			require.Equal(t, s, r.Signatures[0].Stamp.Serial)
			require.Contains(t, r.Signatures[0].Reasons[0], "carries no seal")
		})
	}
	for name, j := range map[string]job{
		"no serial":      {edit: reason("[agreed] by all")},
		"damaged serial": {edit: reason("[" + s[:21] + "]")},
		"field":          {field: "Stamp"},
		"serial alone":   {edit: reason("agreed in " + s)},
	} {
		t.Run(name, func(t *testing.T) {
			r := check(t, w.sign(t, plain("x", 1, 0), j), w.opt)
			require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
			require.Nil(t, r.Signatures[0].Stamp)
		})
	}
}

func reason(text string) func(sig, field pdf.Dict) {
	return func(sig, _ pdf.Dict) { sig["Reason"] = pdf.String(text) }
}

// The name of a field is compared as a whole, also when a report cuts it.
func TestAttackLongFieldNameHidesAnotherSerial(t *testing.T) {
	w := newWorld(t)
	doc := w.sign(t, plain("x", 1, 0), job{field: strings.Repeat("x", 300) + ".Stamp" + serialNumber(t, 2).String(), stamp: &stampJob{number: serialNumber(t, 1)}})
	require.Equal(t, verify.TotalFailed, check(t, doc, w.opt).Indication)
}

// A check of integrity alone sets the trust in a seal aside, says so, and calls
// nothing genuine; a seal that contradicts its signature or its document is no
// matter of trust.
func TestIntegrityOnlyAndForgedSeals(t *testing.T) {
	w := newWorld(t)
	one, two := serialNumber(t, 1), serialNumber(t, 2)
	base := plain("agreement", 1, 0)
	forger := w.other.SealP256
	for _, c := range []struct {
		name  string
		job   job
		trust *verify.SealTrust
		ind   verify.Indication
		bound bool
	}{
		{"forged, consistent", job{stamp: &stampJob{number: one, key: forger}}, nil, verify.TotalPassed, true},
		{"forged, with a trust list", job{stamp: &stampJob{number: one, key: forger}}, w.trust, verify.TotalPassed, true},
		{"forged under the id of a trusted key", job{stamp: &stampJob{number: one, raw: flip(w.seal(t, base, &stampJob{number: one}), 100)}}, w.trust, verify.TotalFailed, true},
		{"forged, of another document", job{stamp: &stampJob{number: one, key: forger, change: func(s *seal.Seal) { s.DocumentDigest[0] ^= 1 }}}, nil, verify.TotalFailed, false},
		{"forged, of another length", job{stamp: &stampJob{number: one, key: forger, change: func(s *seal.Seal) { s.DocumentLength -= 9 }}}, nil, verify.TotalFailed, false},
		{"forged, other serial in the reason", job{stamp: &stampJob{number: one, key: forger, reason: "[" + two.String() + "]"}}, nil, verify.TotalFailed, true},
		{"forged, other serial in the field", job{field: "Stamp" + two.String(), stamp: &stampJob{number: one, key: forger}}, nil, verify.TotalFailed, true},
		{"broken", job{stamp: &stampJob{number: one, raw: []byte("nonsense")}}, nil, verify.TotalFailed, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := check(t, w.sign(t, base, c.job), &verify.Options{IntegrityOnly: true, SealTrust: c.trust, Time: now})
			require.Equal(t, c.ind, r.Indication, r.Text())
			s := r.Signatures[0]
			require.False(t, s.Stamp.Genuine, r.Text())
			require.Equal(t, c.bound, s.Stamp.DocumentBound, r.Text())
			require.NotEmpty(t, s.Reasons)
			require.Contains(t, r.Text(), "NOT proved to be a genuine seal")
		})
	}
	require.True(t, check(t, w.stamped(t), w.opt).Signatures[0].Stamp.Genuine)
	full := check(t, w.sign(t, base, job{stamp: &stampJob{number: one, key: forger}}), w.opt)
	require.Equal(t, verify.Indeterminate, full.Indication, full.Text())
	require.False(t, full.Signatures[0].Stamp.Genuine)
}

// Two readers of one trust file must see one list.
func TestAttackAmbiguousTrustFiles(t *testing.T) {
	w := newWorld(t)
	good, err := json.Marshal(w.trust)
	require.NoError(t, err)
	_, err = verify.ParseSealTrust(good)
	require.NoError(t, err)
	for _, entries := range [][]verify.SealTrustEntry{nil, {entryFor(w.pki.SealP256)}} {
		list, err := verify.NewSealTrust(entries...)
		require.NoError(t, err)
		b, err := json.Marshal(list)
		require.NoError(t, err)
		_, err = verify.ParseSealTrust(b)
		require.NoError(t, err, string(b))
	}
	text := string(good)
	for name, bad := range map[string]string{
		"list twice":              strings.TrimSuffix(text, "}") + `,"entries":[]}`,
		"list in another case":    strings.Replace(text, `"entries"`, `"Entries"`, 1),
		"list twice by case":      strings.TrimSuffix(text, "}") + `,"ENTRIES":[]}`,
		"key twice":               strings.Replace(text, `"specimen":true`, `"specimen":true,"specimen":false`, 1),
		"key twice, escaped":      strings.Replace(text, `"specimen":true`, `"specimen":true,"speci\u006den":false`, 1),
		"key in another case":     strings.Replace(text, `"specimen":true`, `"Specimen":true`, 1),
		"key with a folding sign": strings.Replace(text, `"issuers"`, `"iſſuers"`, 1),
		"unknown key":             strings.Replace(text, `"specimen":true`, `"specimen":true,"note":1`, 1),
		"null":                    strings.Replace(text, `"specimen":true`, `"specimen":null`, 1),
		"null list":               `{"entries":null}`,
		"not an object":           `[]`,
		"entry not an object":     `{"entries":[1]}`,
		"nested":                  strings.Replace(text, `"specimen":true`, `"specimen":{"a":1,"a":2}`, 1),
		"trailing object":         text + "{}",
		"trailing word":           text + " x",
		"cut":                     text[:len(text)-1],
		"empty":                   "",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := verify.ParseSealTrust([]byte(bad))
			var trouble *verify.TrustError
			require.ErrorAs(t, err, &trouble)
			var list verify.SealTrust
			require.Error(t, json.Unmarshal([]byte(bad), &list))
		})
	}
}

// Reading a list into one that is in use replaces it as a whole, or not at all.
func TestTrustListIsReplaced(t *testing.T) {
	w := newWorld(t)
	doc := w.stamped(t)
	list, err := verify.NewSealTrust(entryFor(w.other.SealP256, w.other.Issuing.Cert), entryFor(w.other.SealEd25519, w.other.Issuing.Cert))
	require.NoError(t, err)
	b, err := json.Marshal(w.trust)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, list))
	require.Equal(t, w.trust.Entries, list.Entries)
	r := check(t, doc, with(w.opt, func(o *verify.Options) { o.SealTrust = list }))
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	require.NoError(t, json.Unmarshal([]byte(`{"entries":[]}`), list))
	require.Empty(t, list.Entries)
	require.NotEqual(t, verify.TotalPassed, check(t, doc, with(w.opt, func(o *verify.Options) { o.SealTrust = list })).Indication)
	require.Error(t, json.Unmarshal([]byte(`{"entries":[{}]}`), list))
	require.Empty(t, list.Entries)
}

// FuzzSealTrust: what is accepted means one thing, and is written back as read.
func FuzzSealTrust(f *testing.F) {
	w := newWorld(f)
	good, err := json.Marshal(w.trust)
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte(`{"entries":[]}`))
	f.Add([]byte(`{"entries":[{"name":"a","name":"b"}],"Entries":null}x`))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := verify.ParseSealTrust(b)
		if err != nil {
			var trouble *verify.TrustError
			require.ErrorAs(t, err, &trouble)
			return
		}
		again, err := json.Marshal(list)
		require.NoError(t, err)
		second, err := verify.ParseSealTrust(again)
		require.NoError(t, err, string(again))
		require.Equal(t, list, second)
	})
}
