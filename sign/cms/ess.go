package cms

import (
	"bytes"
	"crypto"
	"math/big"
)

// essCertID is ESSCertID or ESSCertIDv2 (RFC 5035, 3 and 5).
type essCertID struct {
	hash   Digest // zero when not known
	sum    []byte
	names  [][]byte // issuer's directory names, nil without issuerSerial
	serial *big.Int // nil without issuerSerial
}

func (si *SignerInfo) checkSigningCertificates(id *identity, res *Result) error {
	for version, oid := range []string{oidSigningCert, oidSigningCertV2} {
		value, err := si.one(oid, ReasonSigningCertificate, "signing-certificate")
		if err != nil {
			return err
		}
		if value == nil {
			continue
		}
		ess, err := parseSigningCertificate(value, version == 1)
		if err != nil {
			return refuse(ReasonSigningCertificate, "%v", err)
		}
		if err := ess.check(id); err != nil {
			return err
		}
		res.SigningCertificate = version + 1
	}
	return nil
}

// check compares with the certificate that verifies the signature.
func (e *essCertID) check(id *identity) error {
	if e.hash == 0 || e.hash == Digest(crypto.MD5) {
		return refuse(ReasonSigningCertificate, "certificate hash with %s", hashName(e.hash))
	}
	h := e.hash.New()
	h.Write(id.raw)
	if !bytes.Equal(h.Sum(nil), e.sum) {
		return refuse(ReasonSigningCertificate, "the hash is another certificate's")
	}
	if e.serial == nil {
		return nil
	}
	for _, name := range e.names {
		if e.serial.Cmp(id.cert.SerialNumber) == 0 && sameName(name, id.issuer) {
			return nil
		}
	}
	return refuse(ReasonSigningCertificate, "issuer and serial number are another certificate's")
}

// parseSigningCertificate reads the first certificate identifier of
// SigningCertificate or SigningCertificateV2, which is the signer's; more of
// them, and policies, restrict the path and are left to whoever builds it.
func parseSigningCertificate(value []byte, v2 bool) (*essCertID, error) {
	r := reader{b: value, max: defaultDepth}
	outer, err := r.open(len(value), tagSequence, "SigningCertificate")
	if err != nil {
		return nil, err
	}
	list, err := r.open(outer.end, tagSequence, "certificate identifiers")
	if err != nil {
		return nil, err
	}
	id, err := r.open(list.end, tagSequence, "certificate identifier")
	if err != nil {
		return nil, err
	}
	e := &essCertID{hash: Digest(crypto.SHA1)}
	if v2 {
		e.hash = Digest(crypto.SHA256)
		if r.is(id, tagSequence) {
			a, err := r.algorithm(id.end)
			if err != nil {
				return nil, err
			}
			e.hash = a.digest()
		}
	}
	if e.sum, err = r.octets(id.end, tagOctets, "certificate hash"); err != nil {
		return nil, err
	}
	more, err := r.more(id)
	if err != nil || !more {
		return e, err
	}
	if err := r.issuerSerial(e, id.end); err != nil {
		return nil, err
	}
	return e, r.close(id)
}

// issuerSerial reads IssuerSerial: GeneralNames and a serial number.
func (r *reader) issuerSerial(e *essCertID, end int) error {
	raw, serial, err := r.issuerAndSerial(end)
	if err != nil {
		return err
	}
	e.serial = serial
	in := reader{b: raw, max: defaultDepth}
	names, err := in.open(len(raw), tagSequence, "GeneralNames")
	if err != nil {
		return err
	}
	for {
		more, err := in.more(names)
		if err != nil || !more {
			return err
		}
		if !in.is(names, tagContext4) {
			if _, _, err := in.any(names.end); err != nil {
				return err
			}
			continue
		}
		explicit, err := in.open(names.end, tagContext4, "directoryName")
		if err != nil {
			return err
		}
		_, name, err := in.any(explicit.end)
		if err != nil {
			return err
		}
		e.names = append(e.names, name)
		if err := in.close(explicit); err != nil {
			return err
		}
	}
}

// checkProtection compares cms-algorithm-protection (RFC 6211, 2) with the
// algorithms of the SignerInfo. Absent parameters and NULL count as the same.
func (si *SignerInfo) checkProtection(res *Result) error {
	value, err := si.one(oidAlgorithmProtection, ReasonAlgorithmProtection, "cms-algorithm-protection")
	if err != nil || value == nil {
		return err
	}
	r := reader{b: value, max: defaultDepth}
	h, err := r.open(len(value), tagSequence, "CMSAlgorithmProtection")
	if err != nil {
		return refuse(ReasonAlgorithmProtection, "%v", err)
	}
	digest, err := r.algorithm(h.end)
	if err != nil {
		return refuse(ReasonAlgorithmProtection, "%v", err)
	}
	signature, err := r.algorithmTagged(h.end, tagContext1)
	if err == nil {
		err = r.close(h) // a MAC algorithm has no place in a SignerInfo
	}
	if err != nil {
		return refuse(ReasonAlgorithmProtection, "%v", err)
	}
	if !digest.same(si.DigestIdentifier) || !signature.same(si.SignatureAlgorithm) {
		return refuse(ReasonAlgorithmProtection, "other algorithms were signed than are named")
	}
	res.AlgorithmProtection = true
	return nil
}

func (a AlgorithmIdentifier) same(b AlgorithmIdentifier) bool {
	return bytes.Equal(a.oid, b.oid) &&
		(bytes.Equal(a.Parameters, b.Parameters) || a.plain() && b.plain())
}
