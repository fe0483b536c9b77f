package sign_test

import (
	"bytes"
	"crypto"
	"testing"

	"github.com/digitorus/pdfsign"
	pdfsignverify "github.com/digitorus/pdfsign/verify"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

// pdfsigned signs a document with digitorus/pdfsign.
func pdfsigned(t testing.TB, src []byte, id pki.Identity) []byte {
	t.Helper()
	doc, err := pdfsign.Open(bytes.NewReader(src), int64(len(src)))
	require.NoError(t, err)
	doc.Sign(id.Key, id.Cert, id.Chain...).Type(pdfsign.ApprovalSignature).Digest(crypto.SHA256)
	var out bytes.Buffer
	_, err = doc.Write(&out)
	require.NoError(t, err)
	return out.Bytes()
}

// People sign first and stamp after, or stamp first; the other signer is
// pdfsign, and every signature stays good.
func TestStampBesidePdfsign(t *testing.T) {
	id := specimen(t).StampRSA
	src := fileBytes(t, "classic.pdf")
	is := sign.Issue{Number: numberOf(t, 20)}
	for name, out := range map[string][]byte{
		"signed, then stamped": stamp(t, pdfsigned(t, src, id), stampOptions(t), is),
		"stamped, then signed": pdfsigned(t, stamp(t, src, stampOptions(t), is), id),
	} {
		t.Run(name, func(t *testing.T) {
			report := verified(t, out)
			require.Len(t, report.Signatures, 2)
			require.Equal(t, verify.TotalPassed, report.Indication, "%v", report)
		})
	}
}

// pdfsign reads our signature as an independent witness.
func TestPdfsignVerifiesOurs(t *testing.T) {
	out := stamp(t, fileBytes(t, "classic.pdf"), stampOptions(t), sign.Issue{Number: numberOf(t, 21)})
	doc, err := pdfsign.Open(bytes.NewReader(out), int64(len(out)))
	require.NoError(t, err)
	n := 0
	for s, err := range doc.Signatures() {
		require.NoError(t, err)
		n++
		opt := &pdfsignverify.VerifyOptions{TrustedRoots: specimen(t).Roots(), SkipRevocationCheck: true, RequireDigitalSignatureKU: true}
		signer, err := pdfsignverify.VerifySignature(s.Object(), bytes.NewReader(out), int64(len(out)), opt)
		require.NoError(t, err)
		require.True(t, signer.ValidSignature)
		require.True(t, signer.TrustedIssuer)
	}
	require.Equal(t, 1, n)
}
