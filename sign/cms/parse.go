package cms

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"math/big"
)

// SignedData is a parsed ContentInfo of type SignedData (RFC 5652, 5.1). Its
// byte slices share memory with what was parsed, unless it came in pieces.
type SignedData struct {
	Version          int
	DigestAlgorithms []AlgorithmIdentifier
	ContentType      asn1.ObjectIdentifier
	// Content is what the eContent OCTET STRING holds, for the content of a
	// PKCS #7 file that is no OCTET STRING its contents octets; HasContent tells
	// empty from absent.
	Content    []byte
	HasContent bool
	// RawCertificates are the X.509 certificates as received, in their order,
	// readable or not; OtherCertificates the elements of any other kind.
	RawCertificates   [][]byte
	OtherCertificates [][]byte
	// CRLs and OCSPs are CertificateLists and OCSPResponses as received, except
	// that a BasicOCSPResponse is wrapped into an OCSPResponse;
	// OtherRevocations are what neither is.
	CRLs             [][]byte
	OCSPs            [][]byte
	OtherRevocations [][]byte
	// Signers are all SignerInfos, possibly none; PAdES allows exactly one.
	Signers []SignerInfo
	// Length is how many bytes the ContentInfo takes; what follows was not read.
	Length int
	// DER says that lengths were definite and minimal, strings in one piece and
	// sets in order. Certificates, revocation data and the values of attributes
	// are not looked into.
	DER bool

	contentType []byte // contents octets
}

// AlgorithmIdentifier names an algorithm (RFC 5280, 4.1.1.2).
type AlgorithmIdentifier struct {
	Algorithm  asn1.ObjectIdentifier // nil with an arc beyond 2^31
	Parameters []byte                // one element as received, nil when absent

	oid []byte // contents octets of Algorithm
}

// Parse reads the ContentInfo at the start of b, in BER or DER. lim may be nil.
// The error is a *ParseError or a *LimitError. A signature is not verified, and
// one that makes no sense may still parse; see [SignerInfo.Verify].
func Parse(b []byte, lim *Limits) (*SignedData, error) {
	p := parser{lim: lim.orDefault(), sorted: true}
	p.b, p.max = b, p.lim.Depth
	if len(b) > p.lim.Size {
		p.b, p.cut = b[:p.lim.Size], p.lim.Size
	}
	if err := p.contentInfo(); err != nil {
		return nil, err
	}
	p.sd.Length = p.pos
	p.sd.DER = p.sorted && !p.loose
	return &p.sd, nil
}

// Certificates parses the X.509 certificates with [ParseCertificate]. Those that
// can be read are returned in their order even when others cannot; the error is
// then the *CertificateErrors of the others, joined.
func (sd *SignedData) Certificates() ([]*x509.Certificate, error) {
	out := make([]*x509.Certificate, 0, len(sd.RawCertificates))
	var bad []error
	for i, raw := range sd.RawCertificates {
		cert, err := ParseCertificate(raw)
		if err != nil {
			bad = append(bad, &CertificateError{Index: i, Err: err})
			continue
		}
		out = append(out, cert)
	}
	return out, errors.Join(bad...)
}

type parser struct {
	reader
	lim    Limits
	sorted bool // sets so far were in the order of DER
	sd     SignedData
}

// ordered notes whether the elements of a set are in the order of DER.
func (p *parser) ordered(before, now []byte) {
	if bytes.Compare(before, now) > 0 {
		p.sorted = false
	}
}

func (p *parser) contentInfo() error {
	info, err := p.open(len(p.b), tagSequence, "ContentInfo")
	if err != nil {
		return err
	}
	oid, err := p.primitive(info.end, tagOID, "content type")
	if err != nil {
		return err
	}
	if string(oid) != oidSignedData {
		return p.fail(info.body, "content type is not SignedData")
	}
	explicit, err := p.open(info.end, tagContext0, "[0] content")
	if err != nil {
		return err
	}
	if err := p.signedData(explicit.end); err != nil {
		return err
	}
	if err := p.close(explicit); err != nil {
		return err
	}
	return p.close(info)
}

func (p *parser) signedData(end int) error {
	data, err := p.open(end, tagSequence, "SignedData")
	if err != nil {
		return err
	}
	if p.sd.Version, err = p.version(data.end); err != nil {
		return err
	}
	if err := p.digestAlgorithms(data.end); err != nil {
		return err
	}
	if err := p.encapsulated(data.end); err != nil {
		return err
	}
	if p.is(data, tagContext0) {
		if err := p.certificates(data.end); err != nil {
			return err
		}
	}
	if p.is(data, tagContext1) {
		if err := p.revocations(data.end); err != nil {
			return err
		}
	}
	if err := p.signers(data.end); err != nil {
		return err
	}
	return p.close(data)
}

// version reads a CMSVersion, which is a small number.
func (p *parser) version(end int) (int, error) {
	at := p.pos
	c, err := p.integer(end, "version")
	if err != nil {
		return 0, err
	}
	v := signed(c)
	if !v.IsInt64() || v.Int64() < 0 || v.Int64() > 255 {
		return 0, p.fail(at, "version out of range")
	}
	return int(v.Int64()), nil
}

// signed is the value of the contents octets of an INTEGER.
func signed(c []byte) *big.Int {
	v := new(big.Int).SetBytes(c)
	if len(c) > 0 && c[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(c))))
	}
	return v
}

// each opens an element and calls f for every element in it, at most limit times.
func (p *parser) each(end int, id byte, what, limit string, most int, f func(h header) error) error {
	h, err := p.open(end, id, what)
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		more, err := p.more(h)
		if err != nil || !more {
			return err
		}
		if n >= most {
			return &LimitError{Limit: limit, Max: most}
		}
		if err := f(h); err != nil {
			return err
		}
	}
}

func (p *parser) digestAlgorithms(end int) error {
	var before []byte
	return p.each(end, tagSet, "digestAlgorithms", "Signers", p.lim.Signers, func(h header) error {
		start := p.pos
		a, err := p.algorithm(h.end)
		if err != nil {
			return err
		}
		p.ordered(before, p.b[start:p.pos])
		before = p.b[start:p.pos]
		p.sd.DigestAlgorithms = append(p.sd.DigestAlgorithms, a)
		return nil
	})
}

func (r *reader) algorithm(end int) (AlgorithmIdentifier, error) {
	return r.algorithmTagged(end, tagSequence)
}

// algorithmTagged reads an AlgorithmIdentifier with an implicit tag.
func (r *reader) algorithmTagged(end int, id byte) (AlgorithmIdentifier, error) {
	var a AlgorithmIdentifier
	h, err := r.open(end, id, "AlgorithmIdentifier")
	if err != nil {
		return a, err
	}
	if a.oid, err = r.primitive(h.end, tagOID, "algorithm"); err != nil {
		return a, err
	}
	a.Algorithm = decodeOID(a.oid)
	more, err := r.more(h)
	if err != nil || !more {
		return a, err
	}
	if _, a.Parameters, err = r.any(h.end); err != nil {
		return a, err
	}
	return a, r.close(h)
}

// encapsulated reads EncapsulatedContentInfo (RFC 5652, 5.2).
func (p *parser) encapsulated(end int) error {
	info, err := p.open(end, tagSequence, "encapContentInfo")
	if err != nil {
		return err
	}
	oid, err := p.primitive(info.end, tagOID, "eContentType")
	if err != nil {
		return err
	}
	p.sd.ContentType = decodeOID(oid)
	p.sd.contentType = oid
	more, err := p.more(info)
	if err != nil || !more {
		return err
	}
	explicit, err := p.open(info.end, tagContext0, "[0] eContent")
	if err != nil {
		return err
	}
	if err := p.content(explicit); err != nil {
		return err
	}
	if err := p.close(explicit); err != nil {
		return err
	}
	return p.close(info)
}

// content reads eContent. PKCS #7 allowed any type there (RFC 5652, 5.2.1):
// then the contents octets are what is signed.
func (p *parser) content(explicit header) (err error) {
	p.sd.HasContent = true
	if p.is(explicit, tagOctets) || p.is(explicit, tagOctets|0x20) {
		p.sd.Content, err = p.octets(explicit.end, tagOctets, "eContent")
		return err
	}
	h, err := p.next(explicit.end)
	if err != nil {
		return err
	}
	if err := p.skip(h); err != nil {
		return err
	}
	end := p.pos
	if h.indefinite {
		end -= 2
	}
	p.sd.Content = p.b[h.body:end:end]
	return nil
}

func (p *parser) certificates(end int) error {
	var before []byte
	return p.each(end, tagContext0, "certificates", "Certificates", p.lim.Certificates, func(h header) error {
		id, raw, err := p.any(h.end)
		if err != nil {
			return err
		}
		p.ordered(before, raw)
		before = raw
		if id == tagSequence {
			p.sd.RawCertificates = append(p.sd.RawCertificates, raw)
		} else {
			p.sd.OtherCertificates = append(p.sd.OtherCertificates, raw)
		}
		return nil
	})
}

// revocations reads RevocationInfoChoices (RFC 5652, 10.2.1; RFC 5940 for OCSP).
func (p *parser) revocations(end int) error {
	var before []byte
	return p.each(end, tagContext1, "crls", "Revocations", p.lim.Revocations, func(h header) error {
		id, raw, err := p.any(h.end)
		if err != nil {
			return err
		}
		p.ordered(before, raw)
		before = raw
		ocsp := []byte(nil)
		if id == tagContext1 {
			ocsp = otherRevocation(raw)
		}
		switch {
		case id == tagSequence:
			p.sd.CRLs = append(p.sd.CRLs, raw)
		case ocsp != nil:
			p.sd.OCSPs = append(p.sd.OCSPs, ocsp)
		default:
			p.sd.OtherRevocations = append(p.sd.OtherRevocations, raw)
		}
		return nil
	})
}

// otherRevocation returns the OCSPResponse in an OtherRevocationInfoFormat, nil
// when there is none.
func otherRevocation(raw []byte) []byte {
	r := reader{b: raw, max: defaultDepth}
	h, err := r.open(len(raw), tagContext1, "OtherRevocationInfoFormat")
	if err != nil {
		return nil
	}
	oid, err := r.primitive(h.end, tagOID, "otherRevInfoFormat")
	if err != nil {
		return nil
	}
	_, info, err := r.any(h.end)
	if err != nil || r.close(h) != nil {
		return nil
	}
	switch string(oid) {
	case oidOCSPResponse:
		return info
	case oidOCSPBasic:
		bytes := element(tagSequence, oidElement(oidOCSPBasic), element(tagOctets, info))
		return element(tagSequence, []byte{0x0a, 1, 0}, element(tagContext0, bytes))
	}
	return nil
}
