package pkiserver

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/crypto/ocsp"

	"github.com/seed-574216e4/meterai/testdata/pki"
)

const ocspReply = "application/ocsp-response"

// statusByGet reads the request from the path (RFC 6960, appendix A.1): base64 with
// what URLs do not take escaped.
func (s *Service) statusByGet(r *http.Request, f *Fault) answer {
	text, err := url.PathUnescape(strings.TrimPrefix(r.URL.EscapedPath(), "/ocsp/"))
	if err != nil {
		return answer{http.StatusOK, ocspReply, ocsp.MalformedRequestErrorResponse}
	}
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return answer{http.StatusOK, ocspReply, ocsp.MalformedRequestErrorResponse}
	}
	return s.status(der, f)
}

// status answers an OCSPRequest (RFC 6960, 4.1) about one certificate.
func (s *Service) status(der []byte, f *Fault) answer {
	req, err := ocsp.ParseRequest(der)
	if err != nil || !req.HashAlgorithm.Available() {
		return answer{http.StatusOK, ocspReply, ocsp.MalformedRequestErrorResponse}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	issuer := s.pki.Issuing.Cert
	if !names(req, issuer) {
		// RFC 6960, 2.3: the responder speaks for the issuing authority alone.
		return answer{http.StatusOK, ocspReply, ocsp.UnauthorizedErrorResponse}
	}
	resp := s.statusOf(req)
	if f.OCSP != nil {
		f.OCSP(&resp)
	}
	responder := &s.pki.OCSP
	if f.Signer != nil {
		responder = f.Signer
	}
	out, err := signStatus(issuer, responder, resp)
	if err != nil {
		out = ocsp.InternalErrorErrorResponse
	}
	return answer{http.StatusOK, ocspReply, out}
}

// names says whether a CertID is of what issuer issued.
func names(req *ocsp.Request, issuer *x509.Certificate) bool {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(issuer.RawSubjectPublicKeyInfo, &info); err != nil {
		return false
	}
	sum := func(b []byte) []byte {
		h := req.HashAlgorithm.New()
		h.Write(b)
		return h.Sum(nil)
	}
	return bytes.Equal(req.IssuerNameHash, sum(issuer.RawSubject)) && bytes.Equal(req.IssuerKeyHash, sum(info.Key.RightAlign()))
}

// statusOf looks a serial number up: on the CRL, then among what was issued.
func (s *Service) statusOf(req *ocsp.Request) ocsp.Response {
	now := s.opt.Now().UTC()
	resp := ocsp.Response{
		Status: ocsp.Unknown, SerialNumber: req.SerialNumber, IssuerHash: req.HashAlgorithm,
		ThisUpdate: now, NextUpdate: now.Add(s.opt.OCSPValidity),
	}
	for _, e := range s.pki.RevocationLists()[1].RevokedCertificateEntries {
		if e.SerialNumber.Cmp(req.SerialNumber) == 0 {
			resp.Status, resp.RevokedAt, resp.RevocationReason = ocsp.Revoked, e.RevocationTime, e.ReasonCode
			return resp
		}
	}
	if s.pki.Issued(req.SerialNumber) {
		resp.Status = ocsp.Good
	}
	return resp
}

// signStatus signs with a responder's certificate inside (RFC 6960, 4.2.2.2).
func signStatus(issuer *x509.Certificate, responder *pki.Identity, resp ocsp.Response) ([]byte, error) {
	resp.Certificate = responder.Cert
	return ocsp.CreateResponse(issuer, responder.Cert, resp, responder.Key)
}
