package sign_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

var specimenPKI = sync.OnceValues(func() (*pki.PKI, error) { return pki.New(nil) })

// specimen is one PKI for all tests of the package.
func specimen(t testing.TB) *pki.PKI {
	t.Helper()
	p, err := specimenPKI()
	require.NoError(t, err)
	return p
}

func credential(t testing.TB, id pki.Identity) *sign.Credential {
	t.Helper()
	c, err := sign.NewCredential(id.Cert, id.Chain, id.Key, nil)
	require.NoError(t, err)
	return c
}

func numberOf(t testing.TB, counter uint64) serial.Number {
	t.Helper()
	s, err := serial.NewScheme('0', "ZZ", [32]byte{9})
	require.NoError(t, err)
	n, err := s.Number(counter)
	require.NoError(t, err)
	return n
}

func fileBytes(t testing.TB, name string) []byte {
	t.Helper()
	f, err := pdfs.Get(name)
	require.NoError(t, err)
	return f.Bytes()
}

// stampOptions are those of a plain stamp with the specimen's P-256 seal key.
func stampOptions(t testing.TB) *sign.Options {
	return &sign.Options{Stamp: &sign.Stamp{Value: 10000, Specimen: true, Seal: specimen(t).SealP256}}
}

func open(t testing.TB, src []byte, opt *sign.Options) *sign.Document {
	t.Helper()
	doc, err := sign.Open(bytes.NewReader(src), int64(len(src)), opt)
	require.NoError(t, err)
	return doc
}

// stamp stamps a source with the specimen's P-256 key.
func stamp(t testing.TB, src []byte, opt *sign.Options, is sign.Issue) []byte {
	t.Helper()
	var out bytes.Buffer
	res, err := open(t, src, opt).Sign(context.Background(), &out, credential(t, specimen(t).StampP256), is)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(out.Bytes(), src), "the source was rewritten")
	require.Equal(t, int64(out.Len()), res.Length)
	return out.Bytes()
}

// trusted are the options of a verifier that trusts the specimen and, for
// files that were signed before, the roots of the test files.
func trusted(t testing.TB) *verify.Options {
	t.Helper()
	p := specimen(t)
	roots := p.Roots()
	roots.AppendCertsFromPEM(pdfs.SignersPEM())
	opt := &verify.Options{Roots: roots, SealTrust: sealTrust(t)}
	for _, der := range append(p.CRLs[:len(p.CRLs):len(p.CRLs)], pdfs.SignersCRLs()...) {
		crl, err := x509.ParseRevocationList(der)
		require.NoError(t, err)
		opt.CRLs = append(opt.CRLs, crl)
	}
	return opt
}

func sealTrust(t testing.TB) *verify.SealTrust {
	t.Helper()
	p := specimen(t)
	carrier := sha256.Sum256(p.Issuing.Cert.Raw)
	key, err := seal.NewKey(p.SealP256.Public())
	require.NoError(t, err)
	trust, err := verify.NewSealTrust(verify.SealTrustEntry{
		PublicKey: base64.StdEncoding.EncodeToString(key.SPKI()), Algorithm: key.Algorithm().String(),
		Issuers: []string{"ZZ"}, Epochs: []string{"0"}, NotBefore: p.Root.Cert.NotBefore,
		Currency: "IDR", Specimen: true, Certificates: []string{hex.EncodeToString(carrier[:])},
	})
	require.NoError(t, err)
	return trust
}

func verified(t testing.TB, b []byte) *verify.Report {
	t.Helper()
	r, err := verify.Document(context.Background(), bytes.NewReader(b), int64(len(b)), trusted(t))
	require.NoError(t, err)
	return r
}

// tinyPDF is a file of one page, with entries added to page, catalog and
// trailer; object 5 is an empty array.
func tinyPDF(page, catalog, trailer string) []byte {
	objects := []string{
		"<</Type/Catalog/Pages 2 0 R" + catalog + ">>",
		"<</Type/Pages/Count 1/Kids[3 0 R]>>",
		"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R" + page + ">>",
		"<</Length 0>>stream\n\nendstream",
		"[]",
	}
	out := []byte("%PDF-1.7\n")
	var offsets []int
	for i, o := range objects {
		offsets = append(offsets, len(out))
		out = fmt.Appendf(out, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	xref := len(out)
	out = fmt.Appendf(out, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, offset := range offsets {
		out = fmt.Appendf(out, "%010d 00000 n \n", offset)
	}
	size := ""
	if !strings.Contains(trailer, "/Size") {
		size = fmt.Sprintf("/Size %d", len(objects)+1)
	}
	return fmt.Appendf(out, "trailer\n<<%s/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n", size, trailer, xref)
}
