//go:build cgo

package pkcs11_test

import (
	"crypto/x509"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/pkcs11"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

// storeCertificate puts a certificate into a token, beside the key.
func storeCertificate(t *testing.T, f *faulty, label string, cert *x509.Certificate) {
	t.Helper()
	slot, _ := slotOf(t, f, label)
	s, err := f.Cryptoki.OpenSession(slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	require.NoError(t, err)
	_, err = f.Cryptoki.(*p11.Ctx).CreateObject(s, []*p11.Attribute{
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_CERTIFICATE), p11.NewAttribute(p11.CKA_CERTIFICATE_TYPE, p11.CKC_X_509),
		p11.NewAttribute(p11.CKA_TOKEN, true), p11.NewAttribute(p11.CKA_ID, []byte{1}), p11.NewAttribute(p11.CKA_LABEL, "e-seal"),
		p11.NewAttribute(p11.CKA_SUBJECT, cert.RawSubject), p11.NewAttribute(p11.CKA_VALUE, cert.Raw),
	})
	require.NoError(t, err)
	require.NoError(t, f.Cryptoki.CloseSession(s))
}

// Of the certificates beside a key, the one that is of this key and ends last.
func TestTheCertificateOfAKey(t *testing.T) {
	h := newHSM(t, "main")
	f, m := openFaulty(t, nil)
	s := openSigner(t, m, h.config("main"))
	_, err := s.Certificate(t.Context())
	require.ErrorIs(t, err, pkcs11.ErrKey)
	require.NotErrorIs(t, err, pkcs11.ErrUnavailable)
	p, err := pki.New(nil)
	require.NoError(t, err)
	storeCertificate(t, f, "main", p.StampP256.Cert)
	_, err = s.Certificate(t.Context())
	require.ErrorIs(t, err, pkcs11.ErrKey, "a certificate of another key")
	var last *x509.Certificate
	for _, years := range []int{1, 2} {
		id, err := p.Issue(&pki.Request{CommonName: "HSM", Signer: s, NotAfter: p.Now().AddDate(years, 0, 0).Truncate(time.Second)})
		require.NoError(t, err)
		storeCertificate(t, f, "main", id.Cert)
		last = id.Cert
	}
	got, err := s.Certificate(t.Context())
	require.NoError(t, err)
	require.True(t, got.Equal(last))

	// All sessions lost: asked again after a new login.
	slot, _ := slotOf(t, f, "main")
	require.NoError(t, f.CloseAllSessions(slot))
	got, err = s.Certificate(t.Context())
	require.NoError(t, err)
	require.True(t, got.Equal(last))
	require.NoError(t, s.Close())
	_, err = s.Certificate(t.Context())
	require.ErrorIs(t, err, pkcs11.ErrClosed)
}
