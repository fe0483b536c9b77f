package cms_test

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/cms"
)

// resigned is a certificate with its tbsCertificate changed and signed anew by
// the test authority.
func resigned(t testing.TB, cert *x509.Certificate, change func(tbs []byte) []byte) []byte {
	t.Helper()
	var e asn1.RawValue
	_, err := asn1.Unmarshal(change(bytes.Clone(cert.RawTBSCertificate)), &e)
	require.NoError(t, err)
	tbs := e.FullBytes
	ca := authority()
	sig, err := ca.key.Sign(nil, digestOf(crypto.SHA256, tbs), crypto.SHA256)
	require.NoError(t, err)
	return tlv(0x30, tbs, idECDSA, tlv(3, []byte{0}, sig))
}

// TestCertificatesThatStandardLibraryRefuses signs with certificates as some
// issuers gave them out.
func TestCertificatesThatStandardLibraryRefuses(t *testing.T) {
	rsaCred, ec := certified(keyRSA2048()), certified(keyP256())
	serial := []byte{2, 3, 0, 0x80, 1}
	negative := func(tbs []byte) []byte {
		short := bytes.Replace(tbs, serial, []byte{2, 2, 0x80, 1}, 1)
		return tlv(0x30, short[4:])
	}
	modulus := func(tbs []byte) []byte { // the leading zero of n left out
		spki := rsaCred.cert.RawSubjectPublicKeyInfo
		at := bytes.Index(spki, []byte{2, 0x82, 1, 1, 0})
		key := tlv(0x30, tlv(2, spki[at+5:at+5+256]), spki[at+5+256:])
		short := bytes.Replace(tbs, spki, tlv(0x30, idRSA, tlv(3, []byte{0}, key)), 1)
		return tlv(0x30, short[4:])
	}
	curve := func(tbs []byte) []byte {
		return bytes.Replace(tbs, oid(1, 2, 840, 10045, 3, 1, 7), oid(1, 2, 840, 10045, 3, 1, 9), 1)
	}
	cases := map[string]struct {
		cred   *credential
		change func([]byte) []byte
		sigID  []byte
		serial int64
		reason cms.Reason
	}{
		"negative serial number": {rsaCred, negative, idRSA, -0x7fff, ""},
		"modulus without zero":   {rsaCred, modulus, idRSA, 0x8001, ""},
		"unknown curve":          {ec, curve, idECDSA, 0x8001, cms.ReasonUnsupported},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			raw := resigned(t, c.cred.cert, c.change)
			_, err := x509.ParseCertificate(raw)
			require.Error(t, err)
			cert, err := cms.ParseCertificate(raw)
			require.NoError(t, err)
			require.Equal(t, raw, cert.Raw)
			require.Equal(t, c.serial, cert.SerialNumber.Int64())
			require.Equal(t, "Specimen Signer", cert.Subject.CommonName)
			require.NoError(t, cert.CheckSignatureFrom(authority().cert))
			roots := x509.NewCertPool()
			roots.AddCert(authority().cert)
			_, err = cert.Verify(x509.VerifyOptions{Roots: roots})
			require.NoError(t, err)

			bound := ess2(cert, tlv(0x30, tlv(0x30, tlv(0xa4, cert.RawIssuer)), must(asn1.Marshal(c.serial))))
			signer := &credential{cert: cert, key: c.cred.key}
			b := spec{cred: signer, sigID: c.sigID, attrs: [][]byte{
				attr(oidCT, oidData), attr(oidMD, tlv(4, digestOf(crypto.SHA256, document))), bound,
			}}.build()
			_, err = verified(b, cert, nil)
			if c.reason != "" {
				requireReason(t, err, c.reason)
				return
			}
			require.NoError(t, err)
			sd, err := cms.Parse(b, nil)
			require.NoError(t, err)
			certs, err := sd.Certificates()
			require.NoError(t, err)
			require.Equal(t, cert.Raw, certs[0].Raw)

			tpl, err := cms.NewTemplate(cert, nil, cms.RSAPKCS1SHA256)
			require.NoError(t, err)
			attrs := tpl.SignedAttributes(digestOf(crypto.SHA256, document))
			sig, err := tpl.Sign(signer.key, attrs)
			require.NoError(t, err)
			out, err := tpl.Finish(attrs, sig)
			require.NoError(t, err)
			_, err = verified(out, cert, nil)
			require.NoError(t, err)
		})
	}
}

func TestBrokenCertificateHidesNoOther(t *testing.T) {
	s := spec{}.withDefaults()
	attribute := tlv(0xa2, tlv(0x30))
	s.certs = [][]byte{tlv(0x30, null), s.cred.cert.Raw, attribute, tlv(0x30)}
	sd, err := cms.Parse(s.build(), nil)
	require.NoError(t, err)
	require.Len(t, sd.RawCertificates, 3)
	require.Equal(t, [][]byte{attribute}, sd.OtherCertificates)
	certs, err := sd.Certificates()
	require.Len(t, certs, 1)
	require.Equal(t, s.cred.cert.Raw, certs[0].Raw)
	var bad *cms.CertificateError
	require.ErrorAs(t, err, &bad)
	require.Equal(t, 0, bad.Index)
	require.Error(t, bad.Unwrap())
	require.ErrorContains(t, err, "certificate 2")

	for _, raw := range [][]byte{nil, {0x30}, tlv(0x30), tlv(0x30, tlv(0x30)), append(bytes.Clone(s.cred.cert.Raw), 0), indefinite(0x30, tlv(0x30))} {
		_, err := cms.ParseCertificate(raw)
		require.Error(t, err)
	}
}

func TestSignerIsFoundByKeyIdentifierAndName(t *testing.T) {
	cred := certified(keyP256())
	b := spec{cred: cred, sid: tlv(0x80, cred.cert.SubjectKeyId)}.build()
	sd, err := cms.Parse(b, nil)
	require.NoError(t, err)
	require.Equal(t, cred.cert.SubjectKeyId, sd.Signers[0].SubjectKeyID)
	require.Nil(t, sd.Signers[0].Serial)
	require.False(t, sd.Signers[0].Matches(authority().cert))
	_, err = verified(b, cred.cert, nil)
	require.NoError(t, err)

	// In pieces, and of a certificate that does not say it: SHA-1 of the key.
	bare := *cred.cert
	bare.SubjectKeyId = nil
	spki := cred.cert.RawSubjectPublicKeyInfo
	sum := sha1.Sum(spki[len(spki)-65:])
	b = spec{cred: cred, sid: tlv(0xa0, tlv(4, sum[:7]), tlv(4, sum[7:]))}.build()
	_, err = verified(b, &bare, nil)
	require.NoError(t, err)
	sum[0]++
	b = spec{cred: cred, sid: tlv(0x80, sum[:])}.build()
	_, err = verified(b, &bare, nil)
	requireReason(t, err, cms.ReasonCertificate)

	// The issuer as another writer spells it: other string types, case, spaces.
	organization, name := oid(2, 5, 4, 10), oid(2, 5, 4, 3)
	rdn := func(id []byte, tag byte, text string) []byte {
		return tlv(0x31, tlv(0x30, id, tlv(tag, []byte(text))))
	}
	bmp := "\x00S\x00p\x00e\x00c\x00i\x00m\x00e\x00n"
	names := map[string]struct {
		issuer []byte
		same   bool
	}{
		"UTF8String":      {tlv(0x30, rdn(organization, 0x0c, "Specimen"), rdn(name, 0x0c, "Test Issuing Authority")), true},
		"case and spaces": {tlv(0x30, rdn(organization, 0x13, " specimen "), rdn(name, 0x16, "Test  ISSUING Authority")), true},
		"BMP and T61":     {tlv(0x30, rdn(organization, 0x1e, bmp), rdn(name, 0x14, "Test Issuing Authority")), true},
		"another name":    {tlv(0x30, rdn(organization, 0x0c, "Specimen"), rdn(name, 0x0c, "Test Issuing Authoritx")), false},
		"another order":   {tlv(0x30, rdn(name, 0x0c, "Test Issuing Authority"), rdn(organization, 0x0c, "Specimen")), false},
		"shorter":         {tlv(0x30, rdn(organization, 0x0c, "Specimen")), false},
		"empty":           {tlv(0x30), false},
		"no name":         {tlv(0x30, null), false},
		"no value":        {tlv(0x30, tlv(0x31, tlv(0x30, name))), false},
	}
	serial := must(asn1.Marshal(cred.cert.SerialNumber))
	for label, c := range names {
		b := spec{cred: cred, sid: tlv(0x30, c.issuer, serial)}.build()
		_, err := verified(b, cred.cert, nil)
		if c.same {
			require.NoError(t, err, label)
		} else {
			requireReason(t, err, cms.ReasonCertificate)
		}
	}
}

func TestRevocationData(t *testing.T) {
	crl, response := tlv(0x30, null), tlv(0x30, []byte{0x0a, 1, 0})
	basic := tlv(0x30, tlv(4, []byte("basic")))
	other := tlv(0xa1, oidData, null)
	s := spec{crls: [][]byte{
		crl,
		tlv(0xa1, oid(1, 3, 6, 1, 5, 5, 7, 16, 2), response),
		tlv(0xa1, oid(1, 3, 6, 1, 5, 5, 7, 48, 1, 1), basic),
		other, tlv(0xa1), tlv(0xa1, oidData), tlv(0xa1, oid(1, 3, 6, 1, 5, 5, 7, 16, 2), response, null),
	}}
	sd, err := cms.Parse(s.build(), nil)
	require.NoError(t, err)
	require.Equal(t, [][]byte{crl}, sd.CRLs)
	wrapped := tlv(0x30, []byte{0x0a, 1, 0}, tlv(0xa0, tlv(0x30, oid(1, 3, 6, 1, 5, 5, 7, 48, 1, 1), tlv(4, basic))))
	require.Equal(t, [][]byte{response, wrapped}, sd.OCSPs)
	require.Len(t, sd.OtherRevocations, 4)
	require.Equal(t, other, sd.OtherRevocations[0])
}
