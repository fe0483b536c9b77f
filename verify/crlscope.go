package verify

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"time"
)

// Extensions of lists and certificates by their dotted names (RFC 5280, 4.2 and
// 5.2; X.509, 9.5.2.8).
const (
	oidIssuingPoint   = "2.5.29.28"
	oidDelta          = "2.5.29.27"
	oidCRLPoints      = "2.5.29.31"
	oidExpiredCerts   = "2.5.29.60"
	oidArchiveCutoff  = "1.3.6.1.5.5.7.48.1.6"
	oidOCSPNoCheck    = "1.3.6.1.5.5.7.48.1.5"
	oidExtKeyUsage    = "2.5.29.37"
	tagDirectoryName  = 4
	tagRelativeToName = 1
)

// issuingDistributionPoint is RFC 5280, 5.2.5.
type issuingDistributionPoint struct {
	DistributionPoint          asn1.RawValue  `asn1:"optional,tag:0"`
	OnlyContainsUserCerts      bool           `asn1:"optional,tag:1"`
	OnlyContainsCACerts        bool           `asn1:"optional,tag:2"`
	OnlySomeReasons            asn1.BitString `asn1:"optional,tag:3"`
	IndirectCRL                bool           `asn1:"optional,tag:4"`
	OnlyContainsAttributeCerts bool           `asn1:"optional,tag:5"`
}

// distributionPoint is RFC 5280, 4.2.1.13.
type distributionPoint struct {
	DistributionPoint asn1.RawValue  `asn1:"optional,tag:0"`
	Reasons           asn1.BitString `asn1:"optional,tag:1"`
	CRLIssuer         asn1.RawValue  `asn1:"optional,tag:2"`
}

// crlScope tells whether a list speaks of cert, and whether it is only the
// difference to another list: no indirect list, no other distribution point, no
// critical extension that is not understood. Its entries are another matter.
func crlScope(crl *x509.RevocationList, cert *x509.Certificate) (covers, delta bool) {
	for _, e := range crl.Extensions {
		switch e.Id.String() {
		case oidIssuingPoint:
			if !idpCovers(e, cert) {
				return false, false
			}
		case oidDelta:
			delta = true
		default:
			if e.Critical {
				return false, false
			}
		}
	}
	return true, delta
}

func idpCovers(e pkix.Extension, cert *x509.Certificate) bool {
	var idp issuingDistributionPoint
	if rest, err := asn1.Unmarshal(e.Value, &idp); err != nil || len(rest) != 0 {
		return false
	}
	if idp.IndirectCRL || idp.OnlyContainsAttributeCerts || idp.OnlySomeReasons.BitLength > 0 {
		return false
	}
	if idp.OnlyContainsUserCerts && cert.IsCA || idp.OnlyContainsCACerts && !cert.IsCA {
		return false
	}
	if len(idp.DistributionPoint.FullBytes) == 0 {
		return true
	}
	names, ok := pointNames(idp.DistributionPoint.Bytes, cert.RawIssuer)
	return ok && slices.ContainsFunc(certPoints(cert), func(named [][]byte) bool { return meet(names, named) })
}

// certPoints gives the names of the distribution points at which a certificate
// says that complete lists of its own issuer are (RFC 5280, 6.3.3, step b 2).
func certPoints(cert *x509.Certificate) [][][]byte {
	var out [][][]byte
	for _, e := range cert.Extensions {
		if e.Id.String() != oidCRLPoints {
			continue
		}
		var points []distributionPoint
		if rest, err := asn1.Unmarshal(e.Value, &points); err != nil || len(rest) != 0 {
			return nil
		}
		for i := range points {
			if names, ok := points[i].names(cert.RawIssuer); ok {
				out = append(out, names)
			}
		}
	}
	return out
}

// names gives the names of a distribution point; false when its lists are those
// of somebody else, or for some reasons only.
func (p *distributionPoint) names(issuer []byte) ([][]byte, bool) {
	if p.Reasons.BitLength > 0 {
		return nil, false
	}
	var by [][]byte
	if len(p.CRLIssuer.FullBytes) > 0 {
		var ok bool
		if by, ok = elements(p.CRLIssuer.Bytes); !ok || !meet(by, [][]byte{directoryName(issuer)}) {
			return nil, false
		}
	}
	if len(p.DistributionPoint.FullBytes) == 0 {
		return by, true
	}
	return pointNames(p.DistributionPoint.Bytes, issuer)
}

// pointNames reads a DistributionPointName: general names, or one name relative
// to that of the issuer, which is made a whole one.
func pointNames(der, issuer []byte) ([][]byte, bool) {
	var v asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &v); err != nil || len(rest) != 0 || v.Class != asn1.ClassContextSpecific {
		return nil, false
	}
	switch v.Tag {
	case 0:
		return elements(v.Bytes)
	case tagRelativeToName:
		var name asn1.RawValue
		if _, err := asn1.Unmarshal(issuer, &name); err != nil {
			return nil, false
		}
		last := wrap(asn1.ClassUniversal, asn1.TagSet, v.Bytes)
		return [][]byte{directoryName(wrap(asn1.ClassUniversal, asn1.TagSequence, slices.Concat(name.Bytes, last)))}, true
	}
	return nil, false
}

// directoryName makes a general name of a Name.
func directoryName(name []byte) []byte {
	return wrap(asn1.ClassContextSpecific, tagDirectoryName, name)
}

func wrap(class, tag int, content []byte) []byte {
	b, err := asn1.Marshal(asn1.RawValue{Class: class, Tag: tag, IsCompound: true, Bytes: content})
	if err != nil {
		return nil
	}
	return b
}

// elements splits the content of a SEQUENCE OF into whole elements.
func elements(b []byte) ([][]byte, bool) {
	var out [][]byte
	for len(b) > 0 {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(b, &v)
		if err != nil {
			return nil, false
		}
		out, b = append(out, v.FullBytes), rest
	}
	return out, true
}

// meet tells whether two lists of general names have one in common.
func meet(a, b [][]byte) bool {
	return slices.ContainsFunc(a, func(x []byte) bool {
		return slices.ContainsFunc(b, func(y []byte) bool { return len(x) > 0 && bytes.Equal(x, y) })
	})
}

// tooLate tells whether data made at a time is silent about a certificate
// because it had expired by then: issuers drop such entries, unless an extension
// of that name says from which expiry on they are kept.
func tooLate(cert *x509.Certificate, made time.Time, exts []pkix.Extension, keeps string) bool {
	if !made.After(cert.NotAfter) {
		return false
	}
	for _, e := range exts {
		if e.Id.String() != keeps {
			continue
		}
		var since time.Time
		if rest, err := asn1.UnmarshalWithParams(e.Value, &since, "generalized"); err == nil && len(rest) == 0 {
			return cert.NotAfter.Before(since)
		}
	}
	return true
}
