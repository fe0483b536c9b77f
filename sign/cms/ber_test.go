package cms_test

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/cms"
)

// loosened re-encodes DER as another writer of BER might: constructed elements
// of indefinite length, primitive ones with a length of four octets too many,
// OCTET STRINGs in pieces. Certificates are left as they are.
func loosened(t testing.TB, der []byte) []byte {
	t.Helper()
	var out []byte
	for len(der) > 0 {
		var e asn1.RawValue
		rest, err := asn1.Unmarshal(der, &e)
		require.NoError(t, err)
		der = rest
		switch {
		case e.Tag == asn1.TagSequence && isCertificate(e.Bytes):
			out = append(out, e.FullBytes...)
		case e.IsCompound:
			out = append(out, indefinite(e.FullBytes[0], loosened(t, e.Bytes))...)
		case e.Class == asn1.ClassUniversal && e.Tag == asn1.TagOctetString && len(e.Bytes) > 1:
			out = append(out, indefinite(0x24, tlv(4, e.Bytes[:1]), tlv(0x24, tlv(4, e.Bytes[1:])))...)
		default:
			n := len(e.Bytes)
			out = append(out, e.FullBytes[0], 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
			out = append(out, e.Bytes...)
		}
	}
	return out
}

// isCertificate knows tbsCertificate by its explicit version.
func isCertificate(body []byte) bool {
	return len(body) > 4 && body[0] == 0x30 && bytes.Contains(body[:8], []byte{0xa0, 3, 2, 1})
}

func TestBERVerifies(t *testing.T) {
	for _, c := range algorithmCases() {
		t.Run(c.name, func(t *testing.T) {
			cred := certified(c.key())
			b := loosened(t, built(t, cred, c.alg, cms.Attribute{Type: cms.TimestampToken(), Values: [][]byte{tlv(0x30, tlv(4, document))}}))
			sd, err := cms.Parse(append(bytes.Clone(b), 0, 0, 0), nil)
			require.NoError(t, err)
			require.Equal(t, len(b), sd.Length)
			require.False(t, sd.DER)
			certs, err := sd.Certificates()
			require.NoError(t, err)
			require.Len(t, certs, 2)
			res, err := sd.Signers[0].VerifyWith(cred.cert, digestOf(c.alg.Hash(), document), nil)
			require.NoError(t, err)
			require.True(t, res.Reencoded, "the signature is over DER (RFC 5652, 5.4)")
			_, err = sd.Signers[0].VerifyWith(cred.cert, digestOf(c.alg.Hash(), []byte("other")), nil)
			requireReason(t, err, cms.ReasonDigestMismatch)
		})
	}
}

func TestSignedAttributeEncodings(t *testing.T) {
	md := attr(oidMD, tlv(4, digestOf(crypto.SHA256, document)))
	ct := attr(oidCT, oidData)
	sorted, unsorted := tlv(0x31, ct, md), tlv(0x31, md, ct)
	cred := certified(keyP256())
	cases := map[string]struct {
		sent, signed []byte
		reencoded    bool
		ok           bool
	}{
		"as received, indefinite":       {indefinite(0xa0, ct, md), indefinite(0x31, ct, md), false, true},
		"indefinite, DER signed":        {indefinite(0xa0, ct, md), sorted, true, true},
		"indefinite unsorted, DER":      {indefinite(0xa0, md, ct), sorted, true, true},
		"indefinite unsorted, in order": {indefinite(0xa0, md, ct), unsorted, true, true},
		"unsorted, as received":         {tlv(0xa0, md, ct), unsorted, false, true},
		"unsorted, DER signed":          {tlv(0xa0, md, ct), sorted, true, true},
		"sorted, signed unsorted":       {tlv(0xa0, ct, md), unsorted, false, false},
		"long length, as received":      {slices.Concat([]byte{0xa0, 0x82, 0, byte(len(ct) + len(md))}, ct, md), slices.Concat([]byte{0x31, 0x82, 0, byte(len(ct) + len(md))}, ct, md), false, true},
		"long length, DER signed":       {slices.Concat([]byte{0xa0, 0x82, 0, byte(len(ct) + len(md))}, ct, md), sorted, true, true},
		"signed with the wire's tag":    {tlv(0xa0, ct, md), tlv(0xa0, ct, md), false, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := spec{cred: cred, sentForm: c.sent, signedForm: c.signed}.build()
			res, err := verified(b, cred.cert, nil)
			if !c.ok {
				requireReason(t, err, cms.ReasonSignature)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.reencoded, res.Reencoded)
			sd, err := cms.Parse(b, nil)
			require.NoError(t, err)
			raw := bytes.Clone(c.sent)
			raw[0] = 0x31
			require.Equal(t, raw, sd.Signers[0].RawSignedAttributes)
		})
	}
}

// TestReencodingKeepsWhatItDoesNotKnow has attribute values of long tags, bit
// strings and text in pieces, sent in BER and signed in DER.
func TestReencodingKeepsWhatItDoesNotKnow(t *testing.T) {
	ct, md := attr(oidCT, oidData), attr(oidMD, tlv(4, digestOf(crypto.SHA256, document)))
	private := oid(2, 999, 7)
	long := func(body []byte) []byte { return slices.Concat([]byte{0x7f, 0x81, 0x01, byte(len(body))}, body) }
	longIndefinite := func(body []byte) []byte { return slices.Concat([]byte{0x7f, 0x81, 0x01, 0x80}, body, []byte{0, 0}) }
	cases := map[string]struct {
		sent, signed []byte
		ok           bool
	}{
		"long tag":        {longIndefinite(null), long(null), true},
		"long primitive":  {tlv(0x30, []byte{0x5f, 0x81, 0x01, 0x81, 1, 9}), tlv(0x30, []byte{0x5f, 0x81, 0x01, 1, 9}), true},
		"text in pieces":  {indefinite(0x2c, tlv(0x0c, []byte("a")), tlv(0x0c, []byte("b"))), tlv(0x0c, []byte("ab")), true},
		"bits in pieces":  {indefinite(0x23, tlv(3, []byte{0, 1}), tlv(3, []byte{0, 2})), tlv(0x23, tlv(3, []byte{0, 1}), tlv(3, []byte{0, 2})), true},
		"text of octets":  {indefinite(0x2c, tlv(4, []byte("a"))), tlv(0x0c, []byte("a")), false},
		"nested too deep": {slices.Concat(slices.Repeat([]byte{0x30, 0x80}, 62), make([]byte, 124)), null, false},
		"inside definite": {tlv(0x30, []byte{0x30, 0x80, 5, 0}), null, false},
	}
	cred := certified(keyP256())
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			list := [][]byte{ct, md, attr(private, c.signed)}
			slices.SortFunc(list, bytes.Compare)
			b := spec{cred: cred, sentForm: tlv(0xa0, ct, md, attr(private, c.sent)), signedForm: tlv(0x31, list...)}.build()
			sd, err := cms.Parse(b, &cms.Limits{Depth: 80})
			require.NoError(t, err)
			res, err := sd.Signers[0].VerifyWith(cred.cert, digestOf(crypto.SHA256, document), nil)
			if !c.ok {
				requireReason(t, err, cms.ReasonSignature)
				return
			}
			require.NoError(t, err)
			require.True(t, res.Reencoded)
		})
	}
}

func TestDERFlag(t *testing.T) {
	s := spec{}.withDefaults()
	sd, err := cms.Parse(s.build(), nil)
	require.NoError(t, err)
	require.True(t, sd.DER)
	s.attrs = [][]byte{s.attrs[1], s.attrs[0]}
	sd, err = cms.Parse(s.build(), nil)
	require.NoError(t, err)
	require.False(t, sd.DER, "attributes not in order")
	s = spec{}.withDefaults()
	s.certs = [][]byte{s.cred.cert.Raw, authority().cert.Raw}
	slices.SortFunc(s.certs, func(a, b []byte) int { return bytes.Compare(b, a) })
	sd, err = cms.Parse(s.build(), nil)
	require.NoError(t, err)
	require.False(t, sd.DER, "certificates not in order")
}

func TestMalformed(t *testing.T) {
	s := spec{}.withDefaults()
	data := func(parts ...[]byte) []byte { return tlv(0x30, oidSigned, tlv(0xa0, tlv(0x30, parts...))) }
	version, digests, encap, signers := []byte{2, 1, 1}, tlv(0x31, idSHA256), tlv(0x30, oidData), tlv(0x31, s.signer())
	signer := func(parts ...[]byte) []byte { return data(version, digests, encap, tlv(0x31, tlv(0x30, parts...))) }
	sid, attrs, sig := s.sid, tlv(0xa0, s.attrs...), tlv(4, []byte{1})
	cases := map[string][]byte{
		"empty":                    {},
		"zeros":                    make([]byte, 1000),
		"one byte":                 {0x30},
		"no content":               tlv(0x30, oidSigned),
		"another content":          tlv(0x30, oidData, tlv(0xa0, tlv(4))),
		"no version":               data(digests, encap, signers),
		"version without octets":   data([]byte{2, 0}, digests, encap, signers),
		"version negative":         data([]byte{2, 1, 0xff}, digests, encap, signers),
		"version huge":             data(tlv(2, bytes.Repeat([]byte{1}, 200)), digests, encap, signers),
		"digests no set":           data(version, idSHA256, encap, signers),
		"digest without algorithm": data(version, tlv(0x31, tlv(0x30)), encap, signers),
		"digest with three parts":  data(version, tlv(0x31, tlv(0x30, oidData, null, null)), encap, signers),
		"encap missing":            data(version, digests, signers),
		"encap with two contents":  data(version, digests, tlv(0x30, oidData, tlv(0xa0, tlv(4), tlv(4))), signers),
		"encap with nothing in it": data(version, digests, tlv(0x30, oidData, tlv(0xa0)), signers),
		"encap with more":          data(version, digests, tlv(0x30, oidData, tlv(0xa0, tlv(4)), null), signers),
		"signers missing":          data(version, digests, encap),
		"signers twice":            data(version, digests, encap, signers, signers),
		"crls before certificates": data(version, digests, encap, tlv(0xa1), tlv(0xa0), signers),
		"signer no sequence":       data(version, digests, encap, tlv(0x31, null)),
		"signer empty":             signer(),
		"signer without sid":       signer(version, idSHA256, attrs, idECDSA, sig),
		"signer without issuer":    signer(version, tlv(0x30, []byte{2, 1, 1}), idSHA256, attrs, idECDSA, sig),
		"signer without serial":    signer(version, tlv(0x30, s.cred.cert.RawIssuer), idSHA256, attrs, idECDSA, sig),
		"serial of 257 octets":     signer(version, tlv(0x30, s.cred.cert.RawIssuer, tlv(2, bytes.Repeat([]byte{1}, 257))), idSHA256, attrs, idECDSA, sig),
		"signer without signature": signer(version, sid, idSHA256, attrs, idECDSA),
		"signature a bit string":   signer(version, sid, idSHA256, attrs, idECDSA, tlv(3, []byte{0, 1})),
		"signature of other parts": signer(version, sid, idSHA256, attrs, idECDSA, tlv(0x24, tlv(3, []byte{0, 1}))),
		"signer with more":         signer(version, sid, idSHA256, attrs, idECDSA, sig, null),
		"attribute no sequence":    signer(version, sid, idSHA256, tlv(0xa0, null), idECDSA, sig),
		"attribute without type":   signer(version, sid, idSHA256, tlv(0xa0, tlv(0x30, tlv(0x31))), idECDSA, sig),
		"attribute without set":    signer(version, sid, idSHA256, tlv(0xa0, tlv(0x30, oidCT)), idECDSA, sig),
		"attribute with more":      signer(version, sid, idSHA256, tlv(0xa0, tlv(0x30, oidCT, tlv(0x31), null)), idECDSA, sig),
		"after the signed data":    tlv(0x30, oidSigned, tlv(0xa0, tlv(0x30, version, digests, encap, signers), null)),
		"after the content":        tlv(0x30, oidSigned, tlv(0xa0, tlv(0x30, version, digests, encap, signers)), null),
		"child longer than parent": slices.Concat([]byte{0x30, byte(len(oidSigned))}, oidSigned[:len(oidSigned)-2], []byte{4, 9}),
	}
	for name, b := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := cms.Parse(b, nil)
			require.ErrorIs(t, err, cms.ErrMalformed)
			var p *cms.ParseError
			require.ErrorAs(t, err, &p)
			require.NotEmpty(t, p.What)
			require.LessOrEqual(t, p.Offset, len(b))
		})
	}
}
