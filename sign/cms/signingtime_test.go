package cms_test

import (
	"encoding/asn1"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/cms"
)

// Signing-time is one more signed attribute, as UTCTime or, from 2050 on, as
// GeneralizedTime; the template that it was made with owns it, and no other.
func TestSigningTime(t *testing.T) {
	p256 := certified(keyP256())
	plain := must(cms.NewTemplate(p256.cert, nil, cms.ECDSASHA256))
	digest := digestOf(cms.ECDSASHA256.Hash(), []byte("document"))
	for _, c := range []struct {
		at   time.Time
		text string
		tag  int
	}{
		{time.Date(1949, 12, 31, 23, 59, 59, 0, time.UTC), "19491231235959Z", asn1.TagGeneralizedTime},
		{time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC), "500101000000Z", asn1.TagUTCTime},
		{time.Date(2026, 11, 22, 8, 2, 3, 999, time.FixedZone("WIB", 7*3600)), "261122010203Z", asn1.TagUTCTime},
		{time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC), "20500101000000Z", asn1.TagGeneralizedTime},
	} {
		dated := plain.WithSigningTime(c.at)
		attrs := dated.SignedAttributes(digest)
		require.True(t, dated.Made(attrs))
		require.False(t, plain.Made(attrs))
		require.False(t, plain.WithSigningTime(c.at.Add(time.Second)).Made(attrs))
		require.False(t, dated.Made(plain.SignedAttributes(digest)))

		signature, err := dated.Sign(p256.key, attrs)
		require.NoError(t, err)
		require.NoError(t, dated.Check(attrs, signature))
		require.ErrorIs(t, plain.Check(attrs, signature), cms.ErrAttributes)
		der, err := dated.Finish(attrs, signature)
		require.NoError(t, err)
		require.LessOrEqual(t, len(der), dated.MaxSize())
		sd, err := cms.Parse(der, nil)
		require.NoError(t, err)
		require.True(t, sd.DER)
		si := &sd.Signers[0]
		require.NoError(t, si.Verify(p256.cert, digest))
		values := si.Signed(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5})
		require.Len(t, values, 1)
		require.Equal(t, byte(c.tag), values[0][0])
		require.Equal(t, c.text, string(values[0][2:]))
	}
	require.Nil(t, plain.WithSigningTime(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)))
}
