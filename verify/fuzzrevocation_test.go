package verify_test

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/verify"
)

// FuzzCRL and FuzzOCSP put bytes where a document brings the revocation data of its
// signer. The document passes with data that the issuer signed, and with nothing
// else.
func FuzzCRL(f *testing.F) {
	w := newWorld(f)
	doc, opt := withoutRevocation(f, w)
	for _, l := range append(w.pki.CRLs, w.other.CRLs...) {
		f.Add(l)
	}
	passes := func(l []byte) bool { return check(f, storing(f, doc, "CRLs", l), opt).Indication == verify.TotalPassed }
	require.True(f, slices.ContainsFunc(w.pki.CRLs, passes))
	require.False(f, slices.ContainsFunc(w.other.CRLs, passes))
	f.Add([]byte{0x30, 0x80})
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: w.pki.CRLs[0]}))
	f.Fuzz(func(t *testing.T, list []byte) {
		r := check(t, storing(t, doc, "CRLs", list), opt)
		if r.Indication != verify.TotalPassed {
			return
		}
		l, err := x509.ParseRevocationList(list)
		require.NoError(t, err, r.Text())
		require.NoError(t, l.CheckSignatureFrom(w.pki.Issuing.Cert), r.Text())
	})
}

func FuzzOCSP(f *testing.F) {
	w := newWorld(f)
	doc, opt := withoutRevocation(f, w)
	about := w.pki.StampP256.Cert
	for _, status := range []int{ocsp.Good, ocsp.Revoked, ocsp.Unknown} {
		answer, err := ocsp.CreateResponse(w.pki.Issuing.Cert, w.pki.Issuing.Cert, ocsp.Response{Status: status, SerialNumber: about.SerialNumber,
			ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(24 * time.Hour), RevokedAt: now.Add(-time.Hour)}, w.pki.Issuing.Key)
		require.NoError(f, err)
		f.Add(answer)
		require.Equal(f, status == ocsp.Good, check(f, storing(f, doc, "OCSPs", answer), opt).Indication == verify.TotalPassed)
	}
	f.Add(ocsp.MalformedRequestErrorResponse)
	f.Fuzz(func(t *testing.T, answer []byte) {
		r := check(t, storing(t, doc, "OCSPs", answer), opt)
		if r.Indication != verify.TotalPassed {
			return
		}
		got, err := ocsp.ParseResponseForCert(answer, about, w.pki.Issuing.Cert)
		require.NoError(t, err, r.Text())
		require.Equal(t, ocsp.Good, got.Status, r.Text())
	})
}

// withoutRevocation is a stamped document, and options that lack what is known
// of its signer alone.
func withoutRevocation(t testing.TB, w *world) ([]byte, *verify.Options) {
	t.Helper()
	opt := with(w.opt, func(o *verify.Options) {
		o.CRLs = nil
		for _, l := range w.crls {
			if l.CheckSignatureFrom(w.pki.Issuing.Cert) != nil {
				o.CRLs = append(o.CRLs, l)
			}
		}
	})
	doc := w.stamped(t)
	require.Equal(t, verify.TryLater, check(t, doc, opt).SubIndication)
	return doc, opt
}

// storing appends a security store with one item of the kind.
func storing(t testing.TB, doc []byte, kind pdf.Name, item []byte) []byte {
	t.Helper()
	return update(t, doc, func(u *pdf.Update, f *pdf.File) {
		catalogWith(t, u, f, pdf.Dict{"DSS": u.Add(pdf.Dict{kind: pdf.Array{u.Add(&pdf.Stream{Dict: pdf.Dict{}, Data: item})}})})
	})
}
