package cms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/cms"
)

func TestHonestSpecVerifies(t *testing.T) {
	s := spec{}.withDefaults()
	res, err := verified(s.build(), s.cred.cert, nil)
	require.NoError(t, err)
	require.Zero(t, res.SigningCertificate)
	require.True(t, res.Attributes)
}

// TestHostile has a line for each way to lie in a CMS that parses.
func TestHostile(t *testing.T) {
	p256, rsaCred := certified(keyP256()), certified(keyRSA2048())
	other := issue(certificateTemplate("Another Signer", 9), keyP256())
	md := attr(oidMD, tlv(4, digestOf(crypto.SHA256, document)))
	ct := attr(oidCT, oidData)
	serial := func(v int64, issuer []byte) []byte {
		return tlv(0x30, tlv(0x30, tlv(0xa4, issuer)), must(asn1.Marshal(v)))
	}
	protection := func(digest, sig []byte) []byte {
		inner := bytes.Clone(sig)
		inner[0] = 0xa1
		return attr(oidProtection, tlv(0x30, digest, inner))
	}
	issuer := p256.cert.RawIssuer
	cases := map[string]struct {
		spec   spec
		reason cms.Reason // empty: accepted
	}{
		"content-type missing":             {spec{attrs: [][]byte{md}}, cms.ReasonContentType},
		"content-type twice":               {spec{attrs: [][]byte{ct, ct, md}}, cms.ReasonContentType},
		"content-type two values":          {spec{attrs: [][]byte{attr(oidCT, oidData, oidData), md}}, cms.ReasonContentType},
		"content-type no value":            {spec{attrs: [][]byte{attr(oidCT), md}}, cms.ReasonContentType},
		"content-type another":             {spec{attrs: [][]byte{attr(oidCT, oidTST), md}}, cms.ReasonContentType},
		"content-type no identifier":       {spec{attrs: [][]byte{attr(oidCT, null), md}}, cms.ReasonContentType},
		"content another than signed":      {spec{encap: tlv(0x30, oidTST)}, cms.ReasonContentType},
		"messageDigest missing":            {spec{attrs: [][]byte{ct}}, cms.ReasonMessageDigest},
		"messageDigest twice":              {spec{attrs: [][]byte{ct, md, md}}, cms.ReasonMessageDigest},
		"messageDigest two values":         {spec{attrs: [][]byte{ct, attr(oidMD, tlv(4), tlv(4))}}, cms.ReasonMessageDigest},
		"messageDigest wrong type":         {spec{attrs: [][]byte{ct, attr(oidMD, tlv(3, digestOf(crypto.SHA256, document)))}}, cms.ReasonMessageDigest},
		"messageDigest SHA-1":              {spec{attrs: [][]byte{ct, attr(oidMD, tlv(4, digestOf(crypto.SHA1, document)))}}, cms.ReasonDigestMismatch},
		"messageDigest empty":              {spec{attrs: [][]byte{ct, attr(oidMD, tlv(4))}}, cms.ReasonDigestMismatch},
		"messageDigest in pieces":          {spec{attrs: [][]byte{ct, attr(oidMD, tlv(0x24, tlv(4, digestOf(crypto.SHA256, document)[:5]), tlv(4, digestOf(crypto.SHA256, document)[5:])))}}, ""},
		"no signed attributes":             {spec{direct: true}, ""},
		"no signed attributes over a TST":  {spec{direct: true, encap: tlv(0x30, oidTST)}, cms.ReasonContentType},
		"no signed attributes Ed25519":     {spec{cred: certified(keyEd25519()), direct: true, hash: crypto.SHA512, digestID: idSHA512, sigID: tlv(0x30, oid(1, 3, 101, 112)), opts: crypto.Hash(0)}, cms.ReasonUnsupported},
		"signed attributes empty":          {spec{attrs: [][]byte{}}, cms.ReasonContentType},
		"unsorted attributes":              {spec{attrs: [][]byte{md, ct}}, ""},
		"signing-certificate-v2":           {spec{attrs: [][]byte{ct, md, ess2(p256.cert, nil)}}, ""},
		"v2 for another certificate":       {spec{attrs: [][]byte{ct, md, ess2(other.cert, nil)}}, cms.ReasonSigningCertificate},
		"v2 with issuerSerial":             {spec{attrs: [][]byte{ct, md, ess2(p256.cert, serial(0x8001, issuer))}}, ""},
		"v2 with another serial":           {spec{attrs: [][]byte{ct, md, ess2(p256.cert, serial(9, issuer))}}, cms.ReasonSigningCertificate},
		"v2 with another issuer":           {spec{attrs: [][]byte{ct, md, ess2(p256.cert, serial(0x8001, p256.cert.RawSubject))}}, cms.ReasonSigningCertificate},
		"v2 without names":                 {spec{attrs: [][]byte{ct, md, ess2(p256.cert, tlv(0x30, tlv(0x30), []byte{2, 1, 1}))}}, cms.ReasonSigningCertificate},
		"v2 twice":                         {spec{attrs: [][]byte{ct, md, ess2(p256.cert, nil), ess2(p256.cert, nil)}}, cms.ReasonSigningCertificate},
		"v2 empty":                         {spec{attrs: [][]byte{ct, md, attr(oidESS2, tlv(0x30, tlv(0x30)))}}, cms.ReasonSigningCertificate},
		"v2 with an unknown hash":          {spec{attrs: [][]byte{ct, md, attr(oidESS2, tlv(0x30, tlv(0x30, tlv(0x30, tlv(0x30, oidData), tlv(4, make([]byte, 32))))))}}, cms.ReasonSigningCertificate},
		"v1":                               {spec{attrs: [][]byte{ct, md, attr(oidESS, tlv(0x30, tlv(0x30, tlv(0x30, tlv(4, digestOf(crypto.SHA1, p256.cert.Raw))))))}}, ""},
		"v1 for another certificate":       {spec{attrs: [][]byte{ct, md, attr(oidESS, tlv(0x30, tlv(0x30, tlv(0x30, tlv(4, digestOf(crypto.SHA1, other.cert.Raw))))))}}, cms.ReasonSigningCertificate},
		"protection":                       {spec{attrs: [][]byte{ct, md, protection(idSHA256, idECDSA)}}, ""},
		"protection of another digest":     {spec{attrs: [][]byte{ct, md, protection(idSHA1, idECDSA)}}, cms.ReasonAlgorithmProtection},
		"protection of another signature":  {spec{attrs: [][]byte{ct, md, protection(idSHA256, idRSA)}}, cms.ReasonAlgorithmProtection},
		"protection without signature":     {spec{attrs: [][]byte{ct, md, attr(oidProtection, tlv(0x30, idSHA256))}}, cms.ReasonAlgorithmProtection},
		"protection with a MAC":            {spec{attrs: [][]byte{ct, md, attr(oidProtection, tlv(0x30, idSHA256, slices.Concat([]byte{0xa1}, idECDSA[1:]), tlv(0xa2, oidData)))}}, cms.ReasonAlgorithmProtection},
		"signer names another certificate": {spec{sid: tlv(0x30, issuer, []byte{2, 1, 9})}, cms.ReasonCertificate},
		"SHA-384 beside ECDSA SHA-256":     {spec{digestID: idSHA384, hash: crypto.SHA384}, cms.ReasonInconsistent},
		"RSA identifier, EC key":           {spec{sigID: idRSA}, cms.ReasonInconsistent},
		"ECDSA identifier, RSA key":        {spec{cred: rsaCred}, cms.ReasonInconsistent},
		"unexpected parameters":            {spec{sigID: tlv(0x30, oid(1, 2, 840, 10045, 4, 3, 2), tlv(4, []byte{1}))}, cms.ReasonInconsistent},
		"digest with parameters":           {spec{digestID: tlv(0x30, oid(2, 16, 840, 1, 101, 3, 4, 2, 1), tlv(4))}, cms.ReasonInconsistent},
		"unknown digest":                   {spec{digestID: tlv(0x30, oidData)}, cms.ReasonUnsupported},
		"unknown signature":                {spec{sigID: tlv(0x30, oidData)}, cms.ReasonUnsupported},
		"DSA":                              {spec{sigID: tlv(0x30, oid(1, 2, 840, 10040, 4, 3))}, cms.ReasonInconsistent},
		"Ed448":                            {spec{sigID: tlv(0x30, oid(1, 3, 101, 113))}, cms.ReasonInconsistent},
		"r zero":                           {spec{signature: tlv(0x30, []byte{2, 1, 0}, []byte{2, 1, 1})}, cms.ReasonSignature},
		"s zero":                           {spec{signature: tlv(0x30, []byte{2, 1, 1}, []byte{2, 1, 0})}, cms.ReasonSignature},
		"r negative":                       {spec{signature: tlv(0x30, []byte{2, 1, 0xff}, []byte{2, 1, 1})}, cms.ReasonSignature},
		"r the order": {spec{signature: tlv(0x30, must(asn1.Marshal(keyP256().Public().(*ecdsa.PublicKey).Params().N)), []byte{2, 1, 1})},
			cms.ReasonSignature},
		"signature empty":    {spec{signature: []byte{}}, cms.ReasonSignature},
		"signature not DER":  {spec{signature: make([]byte, 64)}, cms.ReasonSignature},
		"another's":          {spec{signature: tlv(0x30, []byte{2, 1, 7}, []byte{2, 1, 7})}, cms.ReasonSignature},
		"MD5":                {spec{digestID: tlv(0x30, oid(1, 2, 840, 113549, 2, 5)), hash: crypto.MD5, cred: rsaCred, sigID: idRSA}, cms.ReasonLegacy},
		"SHA-1":              {spec{digestID: idSHA1, hash: crypto.SHA1, cred: rsaCred, sigID: idRSA}, cms.ReasonLegacy},
		"RSA 1,024":          {spec{cred: certified(keyRSA1024()), sigID: idRSA}, cms.ReasonLegacy},
		"rsaEncryption":      {spec{cred: rsaCred, sigID: idRSA}, ""},
		"RSA without NULL":   {spec{cred: rsaCred, sigID: tlv(0x30, oid(1, 2, 840, 113549, 1, 1, 1))}, ""},
		"RSA naming SHA-384": {spec{cred: rsaCred, sigID: tlv(0x30, oid(1, 2, 840, 113549, 1, 1, 12), null)}, cms.ReasonInconsistent},
		"id-ecPublicKey":     {spec{sigID: tlv(0x30, oid(1, 2, 840, 10045, 2, 1))}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := c.spec
			if s.cred == nil {
				s.cred = p256
			}
			_, err := verified(s.build(), s.cred.cert, nil)
			if c.reason == "" {
				require.NoError(t, err)
				return
			}
			requireReason(t, err, c.reason)
		})
	}
}

func TestLegacyAndDeviationsAreListed(t *testing.T) {
	cred := certified(keyRSA1024())
	b := spec{digestID: idSHA1, hash: crypto.SHA1, cred: cred, sigID: idRSA}.build()
	res, err := verified(b, cred.cert, &cms.VerifyOptions{AcceptLegacy: true})
	require.NoError(t, err)
	require.Equal(t, []string{"SHA-1", "RSA key of 1024 bits"}, res.Legacy)
	require.Empty(t, res.Deviations)

	cred = certified(keyRSA2048())
	naming384 := tlv(0x30, oid(1, 2, 840, 113549, 1, 1, 12), null)
	b = spec{cred: cred, digestID: tlv(0x30, oid(1, 2, 840, 113549, 1, 1, 11)), sigID: naming384}.build()
	_, err = verified(b, cred.cert, &cms.VerifyOptions{AcceptLegacy: true})
	requireReason(t, err, cms.ReasonInconsistent)
	res, err = verified(b, cred.cert, &cms.VerifyOptions{AcceptDeviations: true})
	require.NoError(t, err)
	require.Len(t, res.Deviations, 2)
	require.Equal(t, "RSA with SHA-256", res.Algorithm)
}

// pssID is an RSASSA-PSS AlgorithmIdentifier written by hand.
func pssID(hash, mask []byte, salt, trailer int) []byte {
	params := [][]byte{
		tlv(0xa0, hash), tlv(0xa1, tlv(0x30, oid(1, 2, 840, 113549, 1, 1, 8), mask)), tlv(0xa2, must(asn1.Marshal(salt))),
	}
	if trailer != 1 {
		params = append(params, tlv(0xa3, must(asn1.Marshal(trailer))))
	}
	return tlv(0x30, oid(1, 2, 840, 113549, 1, 1, 10), tlv(0x30, params...))
}

func TestPSSParameters(t *testing.T) {
	cred := certified(keyRSA2048())
	salted := func(n int) crypto.SignerOpts { return &rsa.PSSOptions{SaltLength: n, Hash: crypto.SHA256} }
	bare := oid(1, 2, 840, 113549, 1, 1, 10)
	cases := map[string]struct {
		id     []byte
		salt   int
		reason cms.Reason
	}{
		"as declared":            {pssID(idSHA256, idSHA256, 32, 1), 32, ""},
		"long salt":              {pssID(idSHA256, idSHA256, 64, 1), 64, ""},
		"salt mismatch":          {pssID(idSHA256, idSHA256, 32, 1), 20, cms.ReasonSignature},
		"salt mismatch longer":   {pssID(idSHA256, idSHA256, 20, 1), 32, cms.ReasonSignature},
		"salt zero, declared 32": {pssID(idSHA256, idSHA256, 0, 1), 32, cms.ReasonSignature},
		"salt huge":              {pssID(idSHA256, idSHA256, 60000, 1), 32, cms.ReasonSignature},
		"salt beyond":            {pssID(idSHA256, idSHA256, 1<<40, 1), 32, cms.ReasonInconsistent},
		"salt negative":          {pssID(idSHA256, idSHA256, -1, 1), 32, cms.ReasonInconsistent},
		"hash another":           {pssID(idSHA384, idSHA384, 32, 1), 32, cms.ReasonInconsistent},
		"mask another":           {pssID(idSHA256, idSHA1, 32, 1), 32, cms.ReasonInconsistent},
		"trailer":                {pssID(idSHA256, idSHA256, 32, 2), 32, cms.ReasonInconsistent},
		"mask no MGF1":           {tlv(0x30, bare, tlv(0x30, tlv(0xa0, idSHA256), tlv(0xa1, idSHA256))), 32, cms.ReasonInconsistent},
		"no parameters":          {tlv(0x30, bare), 32, cms.ReasonInconsistent},
		"defaults are SHA-1":     {tlv(0x30, bare, tlv(0x30)), 32, cms.ReasonInconsistent},
		"unknown element":        {tlv(0x30, bare, tlv(0x30, null)), 32, cms.ReasonInconsistent},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := spec{cred: cred, sigID: c.id, opts: salted(c.salt)}.build()
			res, err := verified(b, cred.cert, nil)
			if c.reason == "" {
				require.NoError(t, err)
				require.Equal(t, "RSA-PSS with SHA-256", res.Algorithm)
				return
			}
			requireReason(t, err, c.reason)
		})
	}
}

// withKey is the credential's certificate with another public key put in; what
// is tested is met before any signature of an issuer would be looked at.
func withKey(c *credential, pub crypto.PublicKey) *x509.Certificate {
	cert := *c.cert
	cert.PublicKey = pub
	return &cert
}

func TestUnacceptableRSAKeys(t *testing.T) {
	cred := certified(keyRSA2048())
	b := spec{cred: cred, sigID: idRSA}.build()
	honest := cred.key.Public().(*rsa.PublicKey)
	huge := new(big.Int).SetBit(big.NewInt(1), 16383, 1)
	keys := map[string]*rsa.PublicKey{
		"e=1":            {N: honest.N, E: 1},
		"e=0":            {N: honest.N, E: 0},
		"e negative":     {N: honest.N, E: -3},
		"e even":         {N: honest.N, E: 65536},
		"n even":         {N: new(big.Int).Add(honest.N, big.NewInt(1)), E: 65537},
		"n 16,384 bits":  {N: huge, E: 65537},
		"n of 1,000,000": {N: new(big.Int).SetBit(big.NewInt(1), 1000000, 1), E: 65537},
		"n 512 bits":     {N: new(big.Int).SetBit(big.NewInt(1), 511, 1), E: 65537},
		"n zero":         {N: new(big.Int), E: 65537},
	}
	for name, k := range keys {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := verified(b, withKey(cred, k), nil)
			requireReason(t, err, cms.ReasonKey)
			require.Less(t, time.Since(start), hang)
		})
	}
}

func TestAnotherKeyIsNoSignature(t *testing.T) {
	for _, c := range algorithmCases() {
		cred := certified(c.key())
		b := built(t, cred, c.alg)
		for _, other := range algorithmCases() {
			if cred.key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(other.key().Public()) {
				continue
			}
			_, err := verified(b, withKey(cred, other.key().Public()), nil)
			var v *cms.VerifyError
			require.ErrorAs(t, err, &v)
			require.Contains(t, []cms.Reason{cms.ReasonSignature, cms.ReasonInconsistent}, v.Reason)
		}
	}
}

func TestSignerInfosAreRepresented(t *testing.T) {
	s := spec{}.withDefaults()
	none := s
	none.signers = [][]byte{}
	sd, err := cms.Parse(none.build(), nil)
	require.NoError(t, err)
	require.Empty(t, sd.Signers)

	two := s
	two.signers = [][]byte{s.signer(), s.signer()}
	sd, err = cms.Parse(two.build(), nil)
	require.NoError(t, err)
	require.Len(t, sd.Signers, 2)
	for i := range sd.Signers {
		require.NoError(t, sd.Signers[i].Verify(s.cred.cert, digestOf(crypto.SHA256, document)))
	}
	two.signers = slices.Repeat([][]byte{s.signer()}, 65)
	_, err = cms.Parse(two.build(), nil)
	requireLimit(t, err, "Signers", 64)
}

func requireLimit(t testing.TB, err error, name string, value int) {
	t.Helper()
	var l *cms.LimitError
	require.ErrorAs(t, err, &l)
	require.ErrorIs(t, err, cms.ErrLimit)
	require.Equal(t, name, l.Limit)
	require.Equal(t, value, l.Max)
}

func TestAttachedContentAndTrailingBytes(t *testing.T) {
	s := spec{encap: tlv(0x30, oidData, tlv(0xa0, tlv(4, document)))}.withDefaults()
	b := s.build()
	for _, tail := range [][]byte{nil, {0}, make([]byte, 9000), []byte("rubbish")} {
		sd, err := cms.Parse(append(bytes.Clone(b), tail...), nil)
		require.NoError(t, err)
		require.Equal(t, len(b), sd.Length)
		require.True(t, sd.HasContent)
		require.Equal(t, document, sd.Content)
	}
	s.encap = tlv(0x30, oidData, tlv(0xa0, tlv(4)))
	sd, err := cms.Parse(s.build(), nil)
	require.NoError(t, err)
	require.True(t, sd.HasContent)
	require.Empty(t, sd.Content)
	s.encap = tlv(0x30, oidData, tlv(0xa0, tlv(0x30, tlv(4, document)))) // PKCS #7: any type
	sd, err = cms.Parse(s.build(), nil)
	require.NoError(t, err)
	require.Equal(t, tlv(4, document), sd.Content)
}

func TestLimits(t *testing.T) {
	s := spec{}.withDefaults()
	certs := s
	certs.certs = slices.Repeat([][]byte{s.cred.cert.Raw}, 5)
	_, err := cms.Parse(certs.build(), &cms.Limits{Certificates: 4})
	requireLimit(t, err, "Certificates", 4)
	_, err = cms.Parse(certs.build(), &cms.Limits{Certificates: 5})
	require.NoError(t, err)

	crls := s
	crls.crls = slices.Repeat([][]byte{tlv(0x30)}, 5)
	_, err = cms.Parse(crls.build(), &cms.Limits{Revocations: 4})
	requireLimit(t, err, "Revocations", 4)

	attrs := s
	attrs.attrs = slices.Repeat([][]byte{attr(oidCT, oidData)}, 257)
	_, err = cms.Parse(attrs.build(), nil)
	requireLimit(t, err, "Attributes", 256)
	attrs.attrs = [][]byte{attr(oidCT, slices.Repeat([][]byte{null}, 257)...)}
	_, err = cms.Parse(attrs.build(), nil)
	requireLimit(t, err, "Attributes", 256)

	b := s.build()
	_, err = cms.Parse(b, &cms.Limits{Size: len(b) - 1})
	requireLimit(t, err, "Size", len(b)-1)
	_, err = cms.Parse(append(bytes.Clone(b), make([]byte, 1000)...), &cms.Limits{Size: len(b)})
	require.NoError(t, err)
	_, err = cms.Parse(b, &cms.Limits{Depth: 5})
	requireLimit(t, err, "Depth", 5)
	_, err = cms.Parse(b, &cms.Limits{Depth: 10})
	require.NoError(t, err)
}

// hang is far above what any input takes, so that only a hang or work that is
// not linear reaches it; how fast it is says BenchmarkHostile.
const hang = 10 * time.Second

// measured holds f to memory in proportion to its input and to an end.
func measured(t *testing.T, input int, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	f()
	require.Less(t, time.Since(start), hang)
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(32*input+1<<20))
}

func TestNestingAndIndefiniteLengthAreLinear(t *testing.T) {
	s := spec{}.withDefaults()
	prefix := slices.Concat([]byte{0x30, 0x80}, oidSigned, []byte{0xa0, 0x80, 0x30, 0x80, 2, 1, 1}, tlv(0x31, idSHA256))
	encap := slices.Concat(prefix, []byte{0x30, 0x80}, oidData, []byte{0xa0, 0x80})
	nested := func(n int) []byte {
		b := slices.Repeat([]byte{0x30, 0x80}, n)
		return append(b, make([]byte, 2*n)...)
	}
	definite := func(n int) []byte {
		b := []byte{5, 0}
		for range n {
			b = tlv(0x30, b)
		}
		return b
	}
	pieces := slices.Repeat([]byte{4, 1, 'x'}, 1<<20)
	cases := map[string]struct {
		b     []byte
		limit *cms.Limits
		err   error
	}{
		"8 MB nested at the top":             {slices.Repeat([]byte{0x30, 0x80}, 4<<20), nil, cms.ErrMalformed},
		"8 MB nested content":                {append(bytes.Clone(encap), nested(2<<20)...), nil, cms.ErrLimit},
		"8 MB nested content, limits raised": {append(bytes.Clone(encap), nested(2<<20)...), &cms.Limits{Size: 1 << 30}, cms.ErrLimit},
		"10^5 nested":                        {append(bytes.Clone(encap), nested(100000)...), nil, cms.ErrLimit},
		"10^5 nested, depth raised":          {append(bytes.Clone(encap), nested(100000)...), &cms.Limits{Depth: 1 << 20}, cms.ErrMalformed},
		"10^4 nested of definite length":     {append(bytes.Clone(encap), definite(10000)...), nil, cms.ErrMalformed},
		"nested constructed string":          {append(bytes.Clone(encap), slices.Repeat([]byte{0x24, 0x80}, 100000)...), nil, cms.ErrLimit},
		"3 MB in pieces": {slices.Concat(encap, []byte{0x24, 0x80}, pieces, []byte{0, 0}, // string
			[]byte{0, 0}, []byte{0, 0}, // explicit, encapsulated
			tlv(0xa0, s.cred.cert.Raw), tlv(0x31, s.signer()), make([]byte, 6)), nil, nil},
		"4 MB of indefinite elements": {slices.Concat(prefix, tlv(0x30, oidData), []byte{0xa0, 0x80, 0x30, 0x80},
			slices.Repeat([]byte{0x30, 0x80, 0, 0}, 1<<20)), nil, cms.ErrLimit},
		"4 MB of empty certificates":   {slices.Concat(prefix, tlv(0x30, oidData), []byte{0xa0, 0x80}, slices.Repeat([]byte{0x30, 0}, 2<<20)), nil, cms.ErrLimit},
		"10^5 certificates":            {slices.Concat(prefix, tlv(0x30, oidData), tlv(0xa0, slices.Repeat([]byte{0x30, 0}, 100000))), nil, cms.ErrLimit},
		"length of 126 octets":         {append([]byte{0x30, 0xfe}, bytes.Repeat([]byte{0xff}, 4<<20)...), nil, cms.ErrLimit},
		"tag number without end":       {bytes.Repeat([]byte{0xff}, 4<<20), nil, cms.ErrMalformed},
		"4 MB of tag number":           {slices.Concat(encap, bytes.Repeat([]byte{0xff}, 4<<20)), nil, cms.ErrMalformed},
		"end-of-contents with a body":  {slices.Concat(encap, []byte{0, 1, 0}), nil, cms.ErrMalformed},
		"primitive indefinite":         {slices.Concat(encap, []byte{4, 0x80, 0, 0}), nil, cms.ErrMalformed},
		"reserved length":              {[]byte{0x30, 0xff, 0}, nil, cms.ErrMalformed},
		"length 2^63":                  {[]byte{0x30, 0x88, 0x80, 0, 0, 0, 0, 0, 0, 0}, nil, cms.ErrMalformed},
		"length with 120 leading zero": {slices.Concat([]byte{0x30, 0xfe}, make([]byte, 125), []byte{3, 5, 0, 0}), nil, cms.ErrMalformed},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			measured(t, len(c.b), func() {
				sd, err := cms.Parse(c.b, c.limit)
				if c.err == nil {
					require.NoError(t, err)
					require.Len(t, sd.Content, 1<<20)
					require.False(t, sd.DER)
					require.NoError(t, sd.Signers[0].Verify(s.cred.cert, digestOf(crypto.SHA256, document)))
					return
				}
				require.ErrorIs(t, err, c.err)
			})
		})
	}
}

func TestTruncatedEverywhere(t *testing.T) {
	cred := certified(keyP256())
	b := built(t, cred, cms.ECDSASHA256)
	for i := range b {
		_, err := cms.Parse(b[:i], nil)
		require.ErrorIs(t, err, cms.ErrMalformed, i)
		var p *cms.ParseError
		require.ErrorAs(t, err, &p)
		require.LessOrEqual(t, p.Offset, i)
	}
}
