package cms_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/cms"
)

func benchmarkCases() []algorithmCase {
	return []algorithmCase{
		{cms.RSAPKCS1SHA256, keyRSA2048, "RSA-2048"},
		{cms.ECDSASHA256, keyP256, "P-256"},
		{cms.Ed25519, keyEd25519, "Ed25519"},
	}
}

// BenchmarkBuild is all of a signature but the signature.
func BenchmarkBuild(b *testing.B) {
	for _, c := range benchmarkCases() {
		b.Run(c.name, func(b *testing.B) {
			cred := certified(c.key())
			tpl, err := cms.NewTemplate(cred.cert, cred.chain, c.alg)
			require.NoError(b, err)
			digest := digestOf(c.alg.Hash(), document)
			sig, err := tpl.Sign(cred.key, tpl.SignedAttributes(digest))
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tpl.Finish(tpl.SignedAttributes(digest), sig); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSign is a signature with its CMS; "floor" is the bare signature.
func BenchmarkSign(b *testing.B) {
	for _, c := range benchmarkCases() {
		cred := certified(c.key())
		tpl, err := cms.NewTemplate(cred.cert, cred.chain, c.alg)
		require.NoError(b, err)
		digest := digestOf(c.alg.Hash(), document)
		attrs := tpl.SignedAttributes(digest)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				attrs := tpl.SignedAttributes(digest)
				sig, err := tpl.Sign(cred.key, attrs)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := tpl.Finish(attrs, sig); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+" floor", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tpl.Sign(cred.key, attrs); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkVerify parses and verifies with the certificate at hand, as a verifier
// with a cache does; "with certificates" also parses those in the CMS; "floor" is
// the bare check of the signature value.
func BenchmarkVerify(b *testing.B) {
	for _, c := range benchmarkCases() {
		cred := certified(c.key())
		out := built(b, cred, c.alg)
		digest := digestOf(c.alg.Hash(), document)
		run := func(name string, certificates bool) {
			b.Run(c.name+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					sd, err := cms.Parse(out, nil)
					if err != nil {
						b.Fatal(err)
					}
					if certificates {
						if _, err := sd.Certificates(); err != nil {
							b.Fatal(err)
						}
					}
					if err := sd.Signers[0].Verify(cred.cert, digest); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		run("", false)
		run(" with certificates", true)
		b.Run(c.name+" floor", func(b *testing.B) {
			tpl, err := cms.NewTemplate(cred.cert, cred.chain, c.alg)
			require.NoError(b, err)
			attrs := tpl.SignedAttributes(digest)
			sig, err := tpl.Sign(cred.key, attrs)
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				if err := tpl.Check(attrs, sig); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkParse is Parse alone, of DER and of BER.
func BenchmarkParse(b *testing.B) {
	der := built(b, certified(keyP256()), cms.ECDSASHA256)
	for name, in := range map[string][]byte{"DER": der, "BER": loosened(b, der)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				if _, err := cms.Parse(in, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkHostile is 4 MB of empty elements of indefinite length, which a reader
// that looks for the end of each before it reads it takes minutes for.
func BenchmarkHostile(b *testing.B) {
	in := slices.Concat([]byte{0x30, 0x80}, oidSigned, []byte{0xa0, 0x80, 0x30, 0x80, 2, 1, 1}, tlv(0x31, idSHA256),
		tlv(0x30, oidData), []byte{0xa0, 0x80, 0x30, 0x80}, slices.Repeat([]byte{0x30, 0x80, 0, 0}, 1<<20-100))
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if _, err := cms.Parse(in, nil); !errors.Is(err, cms.ErrMalformed) {
			b.Fatal(err)
		}
	}
}
