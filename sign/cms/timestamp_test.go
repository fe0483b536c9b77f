package cms_test

import (
	"bytes"
	"crypto"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/cms"
)

func timestampInfo() *cms.TimestampInfo {
	return &cms.TimestampInfo{
		Policy: asn1.ObjectIdentifier{1, 2, 3, 4, 1}, Hash: cms.Digest(crypto.SHA256), Imprint: digestOf(crypto.SHA256, document),
		Serial: big.NewInt(7), Time: time.Date(2026, 11, 22, 1, 57, 0, 0, time.UTC),
	}
}

func TestTimestampInfo(t *testing.T) {
	for name, change := range map[string]func(*cms.TimestampInfo){
		"the least": func(*cms.TimestampInfo) {},
		"SHA-384":   func(i *cms.TimestampInfo) { i.Hash, i.Imprint = cms.Digest(crypto.SHA384), make([]byte, 48) },
		"SHA-512":   func(i *cms.TimestampInfo) { i.Hash, i.Imprint = cms.Digest(crypto.SHA512), make([]byte, 64) },
		"nonce and serial": func(i *cms.TimestampInfo) {
			i.Nonce, i.Serial = big.NewInt(1<<62), new(big.Int).Lsh(big.NewInt(1), 159)
		},
		"negative numbers":  func(i *cms.TimestampInfo) { i.Nonce, i.Serial = big.NewInt(-129), big.NewInt(-1) },
		"nonce zero":        func(i *cms.TimestampInfo) { i.Nonce = new(big.Int) },
		"accuracy seconds":  func(i *cms.TimestampInfo) { i.Accuracy = 128 * time.Second },
		"accuracy of three": func(i *cms.TimestampInfo) { i.Accuracy = time.Second + 200*time.Millisecond + 300*time.Microsecond },
		"accuracy micros":   func(i *cms.TimestampInfo) { i.Accuracy = time.Microsecond },
		"ordering":          func(i *cms.TimestampInfo) { i.Ordering = true },
		"fractions":         func(i *cms.TimestampInfo) { i.Time = i.Time.Add(120 * time.Millisecond) },
		"nanoseconds":       func(i *cms.TimestampInfo) { i.Time = i.Time.Add(1) },
		"authority":         func(i *cms.TimestampInfo) { i.Authority = tlv(0xa4, certified(keyP256()).cert.RawSubject) },
		"extensions": func(i *cms.TimestampInfo) {
			i.Extensions = []pkix.Extension{{Id: []int{1, 2, 3}, Critical: true, Value: []byte{5, 0}}, {Id: []int{1, 2, 4}, Value: []byte{}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := timestampInfo()
			change(want)
			der, err := cms.MarshalTimestampInfo(want)
			require.NoError(t, err)
			got, err := cms.ParseTimestampInfo(der)
			require.NoError(t, err)
			require.True(t, want.Time.Equal(got.Time))
			require.Zero(t, want.Serial.Cmp(got.Serial))
			require.Equal(t, want.Nonce == nil, got.Nonce == nil)
			if want.Nonce != nil {
				require.Zero(t, want.Nonce.Cmp(got.Nonce))
			}
			got.Time, got.Serial, got.Nonce = want.Time, want.Serial, want.Nonce
			require.Equal(t, want, got)

			for n := range der {
				_, err := cms.ParseTimestampInfo(der[:n])
				require.ErrorIs(t, err, cms.ErrMalformed, "cut to %d bytes", n)
			}
			_, err = cms.ParseTimestampInfo(append(bytes.Clone(der), 0))
			require.ErrorIs(t, err, cms.ErrMalformed)
		})
	}
}

// TestTimestampInfoBytes holds the encoding to one written by hand after RFC 3161, 2.4.2.
func TestTimestampInfoBytes(t *testing.T) {
	i := timestampInfo()
	i.Imprint = bytes.Repeat([]byte{0xaa}, 32)
	i.Accuracy, i.Ordering, i.Nonce = time.Second+5*time.Millisecond, true, big.NewInt(0x80)
	i.Time = i.Time.Add(500 * time.Millisecond)
	der, err := cms.MarshalTimestampInfo(i)
	require.NoError(t, err)
	require.Equal(t, "305f"+
		"020101"+"06042a030401"+
		"302f"+"300b"+"0609608648016503040201"+"0420"+hex.EncodeToString(i.Imprint)+
		"020107"+
		"1811"+hex.EncodeToString([]byte("20261122015700.5Z"))+
		"3006"+"020101"+"800105"+
		"0101ff"+
		"02020080", hex.EncodeToString(der))

	// Accuracy is rounded up: a token must not promise more than its authority knows.
	i.Accuracy = time.Millisecond - time.Nanosecond
	der, err = cms.MarshalTimestampInfo(i)
	require.NoError(t, err)
	got, err := cms.ParseTimestampInfo(der)
	require.NoError(t, err)
	require.Equal(t, time.Millisecond, got.Accuracy)
}

func TestTimestampInfoWithoutEncoding(t *testing.T) {
	for name, change := range map[string]func(*cms.TimestampInfo){
		"no policy":         func(i *cms.TimestampInfo) { i.Policy = nil },
		"a policy of 3.1":   func(i *cms.TimestampInfo) { i.Policy = []int{3, 1} },
		"no hash":           func(i *cms.TimestampInfo) { i.Hash = 0 },
		"SHAKE256":          func(i *cms.TimestampInfo) { i.Hash = cms.SHAKE256 },
		"a short imprint":   func(i *cms.TimestampInfo) { i.Imprint = i.Imprint[1:] },
		"no serial":         func(i *cms.TimestampInfo) { i.Serial = nil },
		"the year 10000":    func(i *cms.TimestampInfo) { i.Time = i.Time.AddDate(8000, 0, 0) },
		"negative accuracy": func(i *cms.TimestampInfo) { i.Accuracy = -1 },
		"a bad extension":   func(i *cms.TimestampInfo) { i.Extensions = []pkix.Extension{{}} },
	} {
		t.Run(name, func(t *testing.T) {
			i := timestampInfo()
			change(i)
			_, err := cms.MarshalTimestampInfo(i)
			require.Error(t, err)
		})
	}
}

// TestTimestampRoom holds the bound for a signature with a timestamp to what is built.
func TestTimestampRoom(t *testing.T) {
	for _, c := range algorithmCases() {
		t.Run(c.alg.String(), func(t *testing.T) {
			cred := certified(c.key())
			tmpl, err := cms.NewTemplate(cred.cert, cred.chain, c.alg)
			require.NoError(t, err)
			attrs := tmpl.SignedAttributes(digestOf(c.alg.Hash(), document))
			value, err := tmpl.Sign(cred.key, attrs)
			require.NoError(t, err)
			for _, n := range []int{0, 100, 127, 128, 255, 256, 5000, 65535, 70000} {
				token := tlv(0x30, make([]byte, n))
				der, err := tmpl.Finish(attrs, value, cms.Attribute{Type: cms.TimestampToken(), Values: [][]byte{token}})
				require.NoError(t, err)
				most := tmpl.MaxSizeTimestamped(len(token))
				require.LessOrEqual(t, len(der), most)
				require.Less(t, most-len(der), 16)
				require.Greater(t, most, tmpl.MaxSize()+n)
			}
		})
	}
}

func TestWithoutCertificates(t *testing.T) {
	cred := certified(keyP256())
	tmpl, err := cms.NewTemplateOf(cms.TSTInfo(), cred.cert, cred.chain, cms.ECDSASHA256)
	require.NoError(t, err)
	attrs := tmpl.SignedAttributes(digestOf(crypto.SHA256, document))
	value, err := tmpl.Sign(cred.key, attrs)
	require.NoError(t, err)
	der, err := tmpl.WithoutCertificates().FinishAttached(document, attrs, value)
	require.NoError(t, err)
	sd, err := cms.Parse(der, nil)
	require.NoError(t, err)
	require.Empty(t, sd.RawCertificates)
	require.True(t, sd.DER)
	require.NoError(t, sd.Signers[0].Verify(cred.cert, digestOf(crypto.SHA256, document)))
	der, err = tmpl.FinishAttached(document, attrs, value)
	require.NoError(t, err)
	require.True(t, bytes.Contains(der, cred.cert.Raw), "the template itself stays as it is")
}

func FuzzTimestampInfo(f *testing.F) {
	full := timestampInfo()
	full.Accuracy, full.Ordering, full.Nonce, full.Authority = time.Second+time.Microsecond, true, big.NewInt(-5), []byte{5, 0}
	full.Extensions = []pkix.Extension{{Id: []int{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
	for _, i := range []*cms.TimestampInfo{timestampInfo(), full} {
		der, err := cms.MarshalTimestampInfo(i)
		require.NoError(f, err)
		f.Add(der)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		info, err := cms.ParseTimestampInfo(b)
		if err != nil {
			require.Nil(t, info)
			return
		}
		require.NotNil(t, info.Policy)
		require.NotNil(t, info.Serial)
		der, err := cms.MarshalTimestampInfo(info)
		if err != nil {
			return // an imprint of another function or length
		}
		again, err := cms.ParseTimestampInfo(der)
		require.NoError(t, err)
		require.True(t, info.Time.Equal(again.Time))
		require.Equal(t, info.Accuracy, again.Accuracy)
		require.Equal(t, info.Nonce == nil, again.Nonce == nil)
		require.Equal(t, info.Imprint, again.Imprint)
	})
}
