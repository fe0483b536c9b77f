//go:build !go1.27

package cms_test

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/cms"
)

// certifiedAs puts another public key into a certificate, whose signature then is
// nobody's: no test here looks at it.
func certifiedAs(t testing.TB, cert *x509.Certificate, spki []byte) *x509.Certificate {
	t.Helper()
	var tbs, outer asn1.RawValue
	_, err := asn1.Unmarshal(cert.RawTBSCertificate, &tbs)
	require.NoError(t, err)
	_, err = asn1.Unmarshal(cert.Raw, &outer)
	require.NoError(t, err)
	inner := tlv(0x30, bytes.Replace(tbs.Bytes, cert.RawSubjectPublicKeyInfo, spki, 1))
	c, err := x509.ParseCertificate(tlv(0x30, inner, outer.Bytes[len(cert.RawTBSCertificate):]))
	require.NoError(t, err)
	return c
}

// mldsaInfo is the SubjectPublicKeyInfo of RFC 9881, 4.
func mldsaInfo(arc int, key []byte) []byte {
	return tlv(0x30, tlv(0x30, oid(2, 16, 840, 1, 101, 3, 4, 3, arc)), tlv(3, []byte{0}, key))
}

// Built with a Go that has no ML-DSA, the package says so: to who wants to sign, and
// to who wants to verify, which then says nothing about the signature.
func TestMLDSAWithoutIt(t *testing.T) {
	for _, c := range mldsaCases {
		cert := certifiedAs(t, certified(keyEd25519()).cert, mldsaInfo(c.arc, make([]byte, c.publicKey)))
		_, err := cms.AlgorithmOf(cert)
		require.ErrorIs(t, err, cms.ErrAlgorithm)
		require.ErrorContains(t, err, c.name+" takes a program built with Go 1.27")
		_, err = cms.NewTemplate(cert, nil, c.alg)
		require.ErrorIs(t, err, cms.ErrAlgorithm)

		signed := built(t, certified(keyEd25519()), cms.Ed25519)
		sd, err := cms.Parse(signed, nil)
		require.NoError(t, err)
		si := sd.Signers[0]
		si.SignatureAlgorithm = identifier(t, c.arc)
		_, err = si.VerifyWith(cert, digestOf(cms.Ed25519.Hash(), document), nil)
		requireReason(t, err, cms.ReasonUnsupported)
	}
}
