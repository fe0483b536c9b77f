package verifytest_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"image/png"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
	"github.com/seed-574216e4/meterai/verify/verifytest"
)

// recorder is a test that only notes that it failed.
type recorder struct{ said string }

func (r *recorder) Errorf(format string, args ...any) { r.said += fmt.Sprintf(format, args...) }
func (r *recorder) FailNow()                          { panic(r) }

// fails says what an assertion complained of; "" when it held.
func fails(assertion func(t require.TestingT)) (said string) {
	r := &recorder{}
	defer func() {
		if p := recover(); p != nil && p != any(r) {
			panic(p)
		}
		said = r.said
	}()
	assertion(r)
	return ""
}

// stamped is a document, the same with a stamp, the seal's text, and what is to
// be trusted.
func stamped(t *testing.T) (source, out []byte, text string, opt *verify.Options) {
	t.Helper()
	specimen, err := pki.New(nil)
	require.NoError(t, err)
	scheme, err := serial.NewScheme('0', "ZZ", [32]byte{5})
	require.NoError(t, err)
	number, err := scheme.Number(1)
	require.NoError(t, err)
	file, err := pdfs.Get("classic.pdf")
	require.NoError(t, err)
	source = file.Bytes()
	doc, err := sign.Open(bytes.NewReader(source), int64(len(source)), &sign.Options{
		Stamp: &sign.Stamp{Value: 10000, Specimen: true, Seal: specimen.SealEd25519},
	})
	require.NoError(t, err)
	id := specimen.StampP256
	credential, err := sign.NewCredential(id.Cert, id.Chain, id.Key, nil)
	require.NoError(t, err)
	var b bytes.Buffer
	result, err := doc.Sign(context.Background(), &b, credential, sign.Issue{Number: number})
	require.NoError(t, err)

	entry, err := verify.TrustKey(specimen.SealEd25519.Public(), id.Cert)
	require.NoError(t, err)
	entry.Issuers, entry.Epochs, entry.Currency = []string{"ZZ"}, []string{"0"}, "IDR"
	entry.NotBefore, entry.Specimen = specimen.Root.Cert.NotBefore, true
	trust, err := verify.NewSealTrust(entry)
	require.NoError(t, err)
	opt = &verify.Options{Roots: specimen.Roots(), SealTrust: trust}
	for _, der := range specimen.CRLs {
		crl, err := x509.ParseRevocationList(der)
		require.NoError(t, err)
		opt.CRLs = append(opt.CRLs, crl)
	}
	return source, b.Bytes(), result.SealText, opt
}

func TestAssertions(t *testing.T) {
	source, out, text, opt := stamped(t)
	changed := bytes.Replace(out, []byte("Dokumen uji"), []byte("dokumen uji"), 1)
	require.NotEqual(t, out, changed)

	require.NotNil(t, verifytest.Stamped(t, out, opt).Signatures[0].Stamp)
	verifytest.Refused(t, changed, opt, "")
	verifytest.Refused(t, changed, opt, verify.HashFailure)
	verifytest.SealedText(t, text, source, opt)
	verifytest.SealedText(t, text, out, opt)
	picture, err := seal.PNG(text, 400)
	require.NoError(t, err)
	page, err := png.Decode(bytes.NewReader(picture))
	require.NoError(t, err)
	verifytest.Sealed(t, page, out, opt)

	for name, c := range map[string]struct {
		says      string
		assertion func(t require.TestingT)
	}{
		"changed":           {"HASH_FAILURE", func(t require.TestingT) { verifytest.Stamped(t, changed, opt) }},
		"nobody is trusted": {"INDETERMINATE", func(t require.TestingT) { verifytest.Passed(t, out, nil) }},
		"not stamped":       {"NO-SIGNATURE", func(t require.TestingT) { verifytest.Stamped(t, source, opt) }},
		"not refused":       {"it passes", func(t require.TestingT) { verifytest.Refused(t, out, opt, "") }},
		"another reason":    {"HASH_FAILURE", func(t require.TestingT) { verifytest.Refused(t, changed, opt, verify.Revoked) }},
		"another document":  {"of another document", func(t require.TestingT) { verifytest.SealedText(t, text, append([]byte("%PDF-1.7\n"), source...), opt) }},
		"no seal":           {"not genuine", func(t require.TestingT) { verifytest.SealedText(t, "12345", source, opt) }},
	} {
		require.Contains(t, fails(c.assertion), c.says, name)
	}
}
