package cms

import (
	"bytes"
	"crypto/x509"
	"errors"
)

// Exact says whether a SignedData with one signer, whose certificate is cert,
// is encoded in the one way that leaves nothing open in what its signature does
// not bind: DER throughout, the versions that RFC 5652 (5.1 and 5.3) derives
// from the rest, the signer's digest algorithm and no other, the issuer's name
// octet by octet, and nothing but X.509 certificates beside the signer. Which
// certificates these are is not looked at. The error says what is otherwise.
func (sd *SignedData) Exact(cert *x509.Certificate) error {
	if !sd.DER {
		return errors.New("cms: not in DER")
	}
	if len(sd.Signers) != 1 {
		return errors.New("cms: not exactly one signer")
	}
	if len(sd.OtherCertificates)+len(sd.OtherRevocations)+len(sd.CRLs)+len(sd.OCSPs) > 0 {
		return errors.New("cms: more than certificates beside the signer")
	}
	si := &sd.Signers[0]
	signer, version := 1, 1
	if si.SubjectKeyID != nil {
		signer, version = 3, 3
	} else if !bytes.Equal(si.RawIssuer, cert.RawIssuer) {
		return errors.New("cms: the issuer's name is not as in the certificate")
	}
	if string(sd.contentType) != oidData {
		version = 3
	}
	if si.Version != signer || sd.Version != version {
		return errors.New("cms: version numbers do not follow from the content")
	}
	if len(sd.DigestAlgorithms) != 1 || !sd.DigestAlgorithms[0].equal(si.DigestIdentifier) {
		return errors.New("cms: digest algorithms are not the signer's alone")
	}
	return nil
}

func (a AlgorithmIdentifier) equal(b AlgorithmIdentifier) bool {
	return a.Algorithm.Equal(b.Algorithm) && bytes.Equal(a.Parameters, b.Parameters)
}
