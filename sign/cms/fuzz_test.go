package cms_test

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/cms"
)

// fuzzSeeds are SignedData of every kind that the tests build.
func fuzzSeeds(t testing.TB) [][]byte {
	t.Helper()
	var seeds [][]byte
	for _, c := range algorithmCases() {
		b := built(t, certified(c.key()), c.alg, cms.Attribute{Type: cms.TimestampToken(), Values: [][]byte{null}})
		seeds = append(seeds, b, loosened(t, b))
	}
	s := spec{}.withDefaults()
	crls := s
	crls.crls = [][]byte{tlv(0x30), tlv(0xa1, oid(1, 3, 6, 1, 5, 5, 7, 48, 1, 1), tlv(0x30))}
	attached := s
	attached.encap = tlv(0x30, oidData, tlv(0xa0, tlv(0x24, tlv(4, document))))
	protected := s
	protected.attrs = append(protected.attrs, attr(oidProtection, tlv(0x30, idSHA256, append([]byte{0xa1}, idECDSA[1:]...))), ess2(s.cred.cert, nil))
	keyID := s
	keyID.sid = tlv(0x80, s.cred.cert.SubjectKeyId)
	pss := spec{cred: certified(keyRSA2048()), sigID: pssID(idSHA256, idSHA256, 32, 1)}
	for _, one := range []spec{s, crls, attached, protected, keyID, pss} {
		seeds = append(seeds, one.build())
	}
	for _, one := range moreSpecs(t) {
		seeds = append(seeds, one.build())
	}
	return seeds
}

func FuzzParse(f *testing.F) {
	seeds := fuzzSeeds(f)
	require.NotEmpty(f, seeds)
	for _, b := range seeds {
		require.NotEmpty(f, b)
		_, err := cms.Parse(b, nil)
		require.NoError(f, err)
		f.Add(b)
	}
	digests := map[cms.Digest][]byte{}
	for _, h := range []crypto.Hash{crypto.MD5, crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		digests[cms.Digest(h)] = digestOf(h, document)
	}
	shake := cms.SHAKE256.New()
	shake.Write(document)
	digests[cms.SHAKE256] = shake.Sum(nil)
	f.Fuzz(func(t *testing.T, b []byte) {
		before := sha256.Sum256(b)
		sd, err := cms.Parse(b, nil)
		if err != nil {
			require.Nil(t, sd)
			require.True(t, errors.Is(err, cms.ErrMalformed) || errors.Is(err, cms.ErrLimit))
			return
		}
		require.Positive(t, sd.Length)
		require.LessOrEqual(t, sd.Length, len(b))
		again, err := cms.Parse(b[:sd.Length], nil)
		require.NoError(t, err, "what follows is not looked at")
		require.Equal(t, sd.Length, again.Length)
		certs, _ := sd.Certificates()
		for i := range sd.Signers {
			si := &sd.Signers[i]
			for _, cert := range certs {
				res, err := si.VerifyWith(cert, digests[si.Digest()], &cms.VerifyOptions{AcceptLegacy: true, AcceptDeviations: true})
				var v *cms.VerifyError
				require.True(t, err == nil && res != nil || errors.As(err, &v) && res == nil)
			}
		}
		require.Equal(t, before, sha256.Sum256(b), "the input is not written to")
	})
}

// FuzzRoundTrip builds a CMS of what it is given and reads it back.
func FuzzRoundTrip(f *testing.F) {
	cred := certified(keyP256())
	tpl, err := cms.NewTemplate(cred.cert, cred.chain, cms.ECDSASHA256)
	require.NoError(f, err)
	f.Add([]byte("document"), []byte{1}, []byte("token"), uint32(999))
	f.Add([]byte{}, bytes.Repeat([]byte{0xff}, 72), bytes.Repeat([]byte{0}, 70000), uint32(1<<31-1))
	f.Fuzz(func(t *testing.T, doc, signature, token []byte, arc uint32) {
		arc &= 1<<31 - 1
		attrs := tpl.SignedAttributes(digestOf(crypto.SHA256, doc))
		unsigned := cms.Attribute{Type: []int{2, 999, int(arc)}, Values: [][]byte{tlv(4, token)}}
		out, err := tpl.Finish(attrs, signature, unsigned)
		if len(signature) == 0 || len(signature) > 72 {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		sd, err := cms.Parse(append(bytes.Clone(out), 0), &cms.Limits{Size: 1 << 30})
		require.NoError(t, err)
		require.Equal(t, len(out), sd.Length)
		require.True(t, sd.DER)
		si := &sd.Signers[0]
		require.Equal(t, attrs, si.RawSignedAttributes)
		require.Equal(t, signature, si.Signature)
		require.Equal(t, unsigned.Values, si.Unsigned(unsigned.Type))
		require.True(t, si.Matches(cred.cert))
		require.Equal(t, tpl.Check(attrs, signature) == nil, si.Verify(cred.cert, digestOf(crypto.SHA256, doc)) == nil)

		plain, err := tpl.Finish(attrs, signature)
		require.NoError(t, err)
		require.LessOrEqual(t, len(plain), tpl.MaxSize())
	})
}
