package sign_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

// The Adobe profile, by every kind of key, in a plain and an encrypted file, verifies.
func TestAdobeProfile(t *testing.T) {
	for _, key := range []pki.KeyType{pki.P256, pki.RSA2048, pki.Ed25519} {
		id, err := specimen(t).Issue(&pki.Request{CommonName: "Adobe", Key: key})
		require.NoError(t, err)
		for _, name := range []string{"classic.pdf", "object-streams.pdf", "encrypted-rc4-128.pdf"} {
			opt := stampOptions(t)
			opt.Profile = sign.Adobe
			opt.Certify = &sign.Certification{Changes: sign.CommentChanges}
			var out bytes.Buffer
			_, err = open(t, fileBytes(t, name), opt).Sign(t.Context(), &out, credential(t, id), sign.Issue{Number: numberOf(t, 40)})
			require.NoError(t, err)
			require.Contains(t, out.String(), "/SubFilter/adbe.pkcs7.detached")
			r := verified(t, out.Bytes())
			require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
			require.Equal(t, "pkcs7", r.Signatures[0].Level)
			require.True(t, r.Signatures[0].Stamp.DocumentBound)
			requireDeclared(t, out.Bytes(), false)
		}
	}
	requireDeclared(t, stamp(t, fileBytes(t, "classic.pdf"), nil, sign.Issue{}), true)
	_, err := sign.Open(bytes.NewReader(fileBytes(t, "classic.pdf")), int64(len(fileBytes(t, "classic.pdf"))), &sign.Options{Profile: 2})
	var refused *sign.StampError
	require.ErrorAs(t, err, &refused)
}

// requireDeclared says whether the ETSI extension is declared: it is for PAdES alone.
func requireDeclared(t testing.TB, b []byte, want bool) {
	t.Helper()
	require.Equal(t, want, bytes.Contains(b, []byte("/ESIC")))
}

// A document of the Adobe profile is prepared, and finished elsewhere; its
// signing-time is that of the issue, and cannot be another.
func TestAdobePrepared(t *testing.T) {
	p, src := specimen(t), fileBytes(t, "classic.pdf")
	cred := credential(t, p.StampP256)
	for _, year := range []int{1970, 2026, 2049, 2050, 9999} {
		doc := open(t, src, &sign.Options{Profile: sign.Adobe})
		prepared, err := doc.Prepare(t.Context(), cred, sign.Issue{Time: time.Date(year, 5, 6, 7, 8, 9, 0, time.UTC)})
		require.NoError(t, err)
		state, err := json.Marshal(prepared)
		require.NoError(t, err)
		var later sign.Prepared
		require.NoError(t, json.Unmarshal(state, &later))
		signature, err := p.StampP256.Key.Sign(rand.Reader, later.Digest(cms.ECDSASHA256), crypto.SHA256)
		require.NoError(t, err)
		var out bytes.Buffer
		_, err = later.Finish(t.Context(), &out, bytes.NewReader(src), int64(len(src)), cred, signature)
		require.NoError(t, err)
		opt := trusted(t)
		opt.IntegrityOnly = true
		r, err := verify.Document(t.Context(), bytes.NewReader(out.Bytes()), int64(out.Len()), opt)
		require.NoError(t, err)
		require.Equal(t, verify.TotalPassed, r.Indication, r.Text())

		later.Result.Time = later.Result.Time.Add(time.Second)
		_, err = later.Finish(t.Context(), &out, bytes.NewReader(src), int64(len(src)), cred, signature)
		require.Error(t, err)
	}
}

// A timestamp goes with the Adobe profile too.
func TestAdobeTimestamped(t *testing.T) {
	_, client := startTSA(t)
	opt := &sign.Options{Profile: sign.Adobe, Timestamp: &sign.Timestamp{Authority: client}}
	var out bytes.Buffer
	_, err := open(t, fileBytes(t, "classic.pdf"), opt).Sign(t.Context(), &out, credential(t, specimen(t).StampP256), sign.Issue{})
	require.NoError(t, err)
	r := verified(t, out.Bytes())
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	require.NotNil(t, r.Signatures[0].Timestamp)
	requirePopplerAgrees(t, out.Bytes())
}
