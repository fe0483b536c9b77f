package tsa_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/sign/tsa"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

// signed makes a token over content, whatever that is.
func signed(t testing.TB, id *pki.Identity, kind []int, content []byte) []byte {
	t.Helper()
	tmpl, err := cms.NewTemplateOf(kind, id.Cert, id.Chain, cms.ECDSASHA256)
	require.NoError(t, err)
	sum := sha256.Sum256(content)
	attrs := tmpl.SignedAttributes(sum[:])
	value, err := tmpl.Sign(id.Key, attrs)
	require.NoError(t, err)
	der, err := tmpl.FinishAttached(content, attrs, value)
	require.NoError(t, err)
	return der
}

// parts cuts a definite element into its contents' elements.
func parts(t testing.TB, b []byte) (tag byte, list [][]byte) {
	t.Helper()
	tag, body, rest := cut(t, b)
	require.Empty(t, rest)
	for len(body) > 0 {
		_, _, after := cut(t, body)
		list = append(list, body[:len(body)-len(after)])
		body = after
	}
	return tag, list
}

func cut(t testing.TB, b []byte) (tag byte, body, rest []byte) {
	t.Helper()
	require.GreaterOrEqual(t, len(b), 2)
	n, at := int(b[1]), 2
	if n >= 0x80 {
		octets := n & 0x7f
		n = 0
		for _, c := range b[2 : 2+octets] {
			n = n<<8 | int(c)
		}
		at += octets
	}
	return b[0], b[at : at+n], b[at+n:]
}

// at changes the element found by going down a path of positions.
func at(t testing.TB, b []byte, change func([]byte) []byte, path ...int) []byte {
	t.Helper()
	if len(path) == 0 {
		return change(b)
	}
	tag, list := parts(t, b)
	list[path[0]] = at(t, list[path[0]], change, path[1:]...)
	return tlv(tag, list...)
}

// loose gives an element an indefinite length.
func loose(b []byte) []byte {
	n := 2
	if b[1] >= 0x80 {
		n += int(b[1] & 0x7f)
	}
	return slices.Concat([]byte{b[0], 0x80}, b[n:], []byte{0, 0})
}

// signedAgain changes the signed attributes of a token and signs them.
func signedAgain(t testing.TB, id *pki.Identity, honest []byte, change func([][]byte) [][]byte) []byte {
	t.Helper()
	return at(t, honest, func(signer []byte) []byte {
		_, l := parts(t, signer)
		_, attrs := parts(t, l[3])
		set := tlv(0x31, change(attrs)...)
		sum := sha256.Sum256(set)
		value, err := id.Key.Sign(rand.Reader, sum[:], crypto.SHA256)
		require.NoError(t, err)
		set[0] = 0xa0
		return tlv(0x30, l[0], l[1], l[2], set, l[4], tlv(4, value))
	}, 1, 0, 4, 0)
}

// ess says whether an attribute is ESS signing-certificate-v2.
func ess(attribute []byte) bool {
	return bytes.Contains(attribute, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 0x10, 2, 0x2f})
}

func TestHostileTokens(t *testing.T) {
	p := specimen(t)
	honest := token(t, &p.TSA, nil)
	content, err := cms.MarshalTimestampInfo(info())
	require.NoError(t, err)
	says := func(change func([]byte) []byte, path ...int) []byte {
		return signed(t, &p.TSA, cms.TSTInfo(), at(t, content, change, path...))
	}
	becomes := func(b []byte) func([]byte) []byte { return func([]byte) []byte { return b } }
	// The path to SignedData, its content and its signers.
	const inner, sd, encap, signers = 1, 0, 2, 4
	for name, c := range map[string]struct {
		token []byte
		why   tsa.Reason // empty: a good token
	}{
		"honest":                      {honest, ""},
		"indefinite lengths":          {loose(at(t, honest, loose, inner)), ""},
		"content in pieces":           {at(t, honest, func(b []byte) []byte { _, v, _ := cut(t, b); return tlv(0x24, tlv(4, v[:9]), tlv(4, v[9:])) }, inner, sd, encap, 1, 0), ""},
		"attributes signed again":     {signedAgain(t, &p.TSA, honest, func(l [][]byte) [][]byte { return l }), ""},
		"no ESS attribute":            {signedAgain(t, &p.TSA, honest, func(l [][]byte) [][]byte { return slices.DeleteFunc(l, ess) }), tsa.ReasonCertificate},
		"ESS of another certificate":  {signedAgain(t, &p.TSA, honest, func(l [][]byte) [][]byte { return exchanged(l, p.TSA.Cert, p.OCSP.Cert) }), tsa.ReasonCertificate},
		"nothing":                     {nil, tsa.ReasonMalformed},
		"a number":                    {[]byte{2, 1, 1}, tsa.ReasonMalformed},
		"bytes after":                 {append(bytes.Clone(honest), 0), tsa.ReasonMalformed},
		"nested without end":          {bytes.Repeat([]byte{0x30, 0x80}, 100_000), tsa.ReasonMalformed},
		"a content nested":            {at(t, honest, becomes(append(bytes.Repeat([]byte{0x24, 0x80}, 50_000), make([]byte, 100_000)...)), inner, sd, encap, 1, 0), tsa.ReasonMalformed},
		"two signers":                 {at(t, honest, func(b []byte) []byte { _, v, _ := cut(t, b); return tlv(0x31, v, v) }, inner, sd, signers), tsa.ReasonMalformed},
		"a thousand signers":          {at(t, honest, func(b []byte) []byte { _, v, _ := cut(t, b); return tlv(0x31, bytes.Repeat(v, 1000)) }, inner, sd, signers), tsa.ReasonMalformed},
		"no signer":                   {at(t, honest, becomes([]byte{0x31, 0}), inner, sd, signers), tsa.ReasonMalformed},
		"no content":                  {at(t, honest, func(b []byte) []byte { _, l := parts(t, b); return tlv(0x30, l[0]) }, inner, sd, encap), tsa.ReasonMalformed},
		"another content type":        {signed(t, &p.TSA, []int{1, 2, 840, 113549, 1, 7, 1}, content), tsa.ReasonMalformed},
		"certificates without number": {at(t, honest, func(b []byte) []byte { _, v, _ := cut(t, b); return tlv(0xa0, bytes.Repeat(v, 100)) }, inner, sd, 3), tsa.ReasonMalformed},
		"certificates are none":       {at(t, honest, becomes(tlv(0xa0, tlv(0x30), tlv(0x30, []byte{5, 0}))), inner, sd, 3), tsa.ReasonCertificate},
		"the certificate of another":  {at(t, honest, becomes(tlv(0xa0, p.StampP256.Cert.Raw)), inner, sd, 3), tsa.ReasonCertificate},
		"content of another token":    {at(t, honest, becomes(tlv(4, signedContent(t, 8))), inner, sd, encap, 1, 0), tsa.ReasonSignature},
		"no signed attributes":        {at(t, honest, func(b []byte) []byte { _, l := parts(t, b); return tlv(0x30, slices.Delete(l, 3, 4)...) }, inner, sd, signers, 0), tsa.ReasonSignature},

		"TSTInfo: bytes after":        {signed(t, &p.TSA, cms.TSTInfo(), append(bytes.Clone(content), 0)), tsa.ReasonMalformed},
		"TSTInfo: indefinite":         {signed(t, &p.TSA, cms.TSTInfo(), loose(content)), tsa.ReasonMalformed},
		"TSTInfo: long length":        {says(func(b []byte) []byte { return slices.Concat([]byte{4, 0x81}, b[1:]) }, 2, 1), tsa.ReasonMalformed},
		"TSTInfo: empty":              {signed(t, &p.TSA, cms.TSTInfo(), nil), tsa.ReasonMalformed},
		"TSTInfo: version 2":          {says(becomes([]byte{2, 1, 2}), 0), tsa.ReasonMalformed},
		"TSTInfo: version 2^64+1":     {says(becomes([]byte{2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 1}), 0), tsa.ReasonMalformed},
		"TSTInfo: no policy":          {says(becomes([]byte{6, 0}), 1), tsa.ReasonMalformed},
		"TSTInfo: a huge serial":      {says(becomes(tlv(2, bytes.Repeat([]byte{0x7f}, 10_000))), 3), tsa.ReasonMalformed},
		"TSTInfo: serial of 0 octets": {says(becomes([]byte{2, 0}), 3), tsa.ReasonMalformed},
		"TSTInfo: a huge nonce":       {says(becomes(tlv(2, bytes.Repeat([]byte{0x7f}, 10_000))), 6), tsa.ReasonMalformed},
		"TSTInfo: a negative serial":  {says(becomes([]byte{2, 1, 0xff}), 3), ""},
		"TSTInfo: no time":            {says(becomes(tlv(0x18, []byte("yesterday"))), 4), tsa.ReasonMalformed},
		"TSTInfo: a month 13":         {says(becomes(tlv(0x18, []byte("20261301000000Z"))), 4), tsa.ReasonMalformed},
		"TSTInfo: a local time":       {says(becomes(tlv(0x18, []byte("20261101000000+0700"))), 4), tsa.ReasonMalformed},
		"TSTInfo: a UTCTime":          {says(becomes(tlv(0x17, []byte("261101000000Z"))), 4), tsa.ReasonMalformed},
		"TSTInfo: a comma":            {says(becomes(tlv(0x18, []byte("20261101000000,5Z"))), 4), tsa.ReasonMalformed},
		"TSTInfo: digits without end": {says(becomes(tlv(0x18, []byte("20261101000000."+strings.Repeat("3", 5000)+"Z"))), 4), tsa.ReasonMalformed},
		"TSTInfo: accuracy negative":  {says(becomes([]byte{0x30, 3, 2, 1, 0xff}), 5), tsa.ReasonMalformed},
		"TSTInfo: accuracy of ages":   {says(becomes([]byte{0x30, 8, 2, 6, 0x7f, 0, 0, 0, 0, 0}), 5), tsa.ReasonMalformed},
		"TSTInfo: millis beyond 999":  {says(becomes([]byte{0x30, 4, 0x80, 2, 3, 0xe8}), 5), tsa.ReasonMalformed},
		"TSTInfo: accuracy twice":     {says(func(b []byte) []byte { return append(bytes.Clone(b), b...) }, 5), tsa.ReasonMalformed},
		"TSTInfo: extensions broken":  {says(func(b []byte) []byte { return slices.Concat(b, tlv(0xa1, tlv(0x30, []byte{5, 0}))) }, 6), tsa.ReasonMalformed},
		"TSTInfo: too many": {says(func(b []byte) []byte {
			return slices.Concat(b, tlv(0xa1, bytes.Repeat(tlv(0x30, []byte{6, 1, 42, 4, 0}), 300)))
		}, 6), tsa.ReasonMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			before := bytes.Clone(c.token)
			tok, err := tsa.Parse(c.token)
			require.Equal(t, before, c.token, "the input is not written to")
			if c.why == "" {
				require.NoError(t, err)
				require.Equal(t, c.token, tok.Raw)
				require.True(t, tok.Covers(crypto.SHA256, digest()))
				return
			}
			var wrong *tsa.TokenError
			require.ErrorAs(t, err, &wrong)
			require.Equal(t, c.why, wrong.Reason, err)
			require.ErrorIs(t, err, tsa.ErrToken)
			require.Nil(t, tok)
			requirePrintable(t, err)
		})
	}
}

// exchanged puts the hash of another certificate into the ESS attribute.
func exchanged(l [][]byte, from, to *x509.Certificate) [][]byte {
	a, b := sha256.Sum256(from.Raw), sha256.Sum256(to.Raw)
	for i := range l {
		l[i] = bytes.ReplaceAll(l[i], a[:], b[:])
	}
	return l
}

// signedContent is the content of an honest token with another serial number.
func signedContent(t testing.TB, serial int64) []byte {
	t.Helper()
	i := info()
	i.Serial.SetInt64(serial)
	content, err := cms.MarshalTimestampInfo(i)
	require.NoError(t, err)
	return content
}

// FuzzParse puts a patch into a token: what is still accepted has a certificate and
// reads the same again.
func FuzzParse(f *testing.F) {
	id := loneTSA(f)
	honest := token(f, id, func(i *cms.TimestampInfo) {
		i.Ordering, i.Authority = true, []byte{5, 0}
		i.Extensions = []pkix.Extension{{Id: []int{1, 2, 3}, Value: []byte{5, 0}}}
	})
	_, err := tsa.Parse(honest)
	require.NoError(f, err)
	f.Add(uint16(0), uint16(0), []byte{})
	f.Add(uint16(0), uint16(len(honest)), loose(tlv(0x30, tlv(6, []byte{42}))))
	f.Add(uint16(1), uint16(3), []byte{0x80})
	f.Add(uint16(len(honest)-1), uint16(1), []byte{0})
	f.Add(uint16(len(honest)), uint16(0), []byte{0, 0})
	f.Fuzz(func(t *testing.T, at, drop uint16, patch []byte) {
		start := min(int(at), len(honest))
		b := slices.Concat(honest[:start], patch, honest[min(start+int(drop), len(honest)):])
		tok, err := tsa.Parse(b)
		if err != nil {
			require.ErrorIs(t, err, tsa.ErrToken)
			require.Nil(t, tok)
			return
		}
		require.NotNil(t, tok.Certificate)
		require.NotNil(t, tok.Serial)
		require.True(t, tok.Covers(crypto.SHA256, digest()), "what is signed cannot be changed")
		again, err := tsa.Parse(tok.Raw)
		require.NoError(t, err)
		require.Equal(t, tok.Time, again.Time)
	})
}
