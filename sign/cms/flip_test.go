package cms_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/cms"
)

// unsignedPlaces are the bytes of a built CMS that no signature covers and that
// do not decide whether it verifies: the version numbers, the list of digest
// algorithms in front, certificates other than the signer's, and the case of
// letters in the issuer by which the signer is looked up (names are compared
// without regard to it; the certificate itself is bound by its hash).
func unsignedPlaces(t *testing.T, b []byte, c *credential) (free, letters []bool) {
	t.Helper()
	free, letters = make([]bool, len(b)), make([]bool, len(b))
	mark := func(set []bool, at, n int) {
		require.GreaterOrEqual(t, at, 0)
		for i := at; i < at+n; i++ {
			set[i] = true
		}
	}
	head := bytes.Index(b, []byte{2, 1, 1, 0x31})
	mark(free, head+2, 1)
	mark(free, head+5, int(b[head+4]))
	for _, other := range c.chain {
		mark(free, bytes.Index(b, other.Raw), len(other.Raw))
	}
	sid := bytes.LastIndex(b, append([]byte{2, 1, 1}, tlv(0x30, c.cert.RawIssuer, []byte{2, 3, 0, 0x80, 1})...))
	mark(free, sid+2, 1)
	mark(letters, sid+5, len(c.cert.RawIssuer))
	return free, letters
}

// TestEveryBitFlip flips each bit of a built CMS, for the slower algorithms one
// bit of each byte. A verifier that takes its
// certificate out of the CMS must refuse it, or the flip was in an unsigned place.
func TestEveryBitFlip(t *testing.T) {
	for _, c := range algorithmCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cred := certified(c.key())
			b := built(t, cred, c.alg)
			free, letters := unsignedPlaces(t, b, cred)
			survived, thorough := 0, c.alg == cms.ECDSASHA256 && !raceEnabled
			for i := range b {
				if raceEnabled && i%7 != 0 && !free[i] {
					continue // a sample: the race detector makes this slow
				}
				for bit := range 8 {
					if !thorough && bit != i%8 {
						continue
					}
					b[i] ^= 1 << bit
					ok := acceptable(b, c.alg.Hash())
					b[i] ^= 1 << bit
					switch {
					case free[i]:
						if ok {
							survived++
						}
					case letters[i] && bit == 5:
					default:
						require.False(t, ok, "byte %d bit %d of % x", i, bit, b[max(0, i-8):min(len(b), i+8)])
					}
				}
			}
			require.NotZero(t, survived)
			require.True(t, acceptable(b, c.alg.Hash()))
		})
	}
}

// acceptable is what a verifier does with a CMS that is beside document.
func acceptable(b []byte, h crypto.Hash) bool {
	sd, err := cms.Parse(b, nil)
	if err != nil || len(sd.Signers) != 1 || sd.HasContent || sd.Length != len(b) {
		return false
	}
	certs, _ := sd.Certificates()
	var found *x509.Certificate
	for _, cert := range certs {
		if sd.Signers[0].Matches(cert) {
			found = cert
		}
	}
	return sd.Signers[0].Verify(found, digestOf(h, document)) == nil
}
