package cms

import (
	"encoding/hex"
	"hash"
	"math/big"
	"testing"

	"github.com/cloudflare/circl/sign/ed448"
	"github.com/stretchr/testify/require"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// TestEd448Vectors has the blank message of RFC 8032, 7.4.
func TestEd448Vectors(t *testing.T) {
	pub := ed448.PublicKey(unhex(t, "5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778edf124769b46c7061bd6783df1e50f6cd1fa1abeafe8256180"))
	sig := unhex(t, "533a37f6bbe457251f023c0d88f976ae2dfb504a843e34d2074fd823d41a591f2b233f034f628281f2fd7a22ddd47d7828c59bd0a21bfd3980"+
		"ff0d2028d4b18a9df63e006c5d1c2d345b925d8dc00b4104852db99ac5c7cdda8530a113a0f4dbb61149f05a7363268c71d95808ff2e652600")
	s := scheme{kind: kindEd448}
	require.NoError(t, s.verify(pub, nil, sig))
	require.Error(t, s.verify(pub, []byte{3}, sig))
	for i := range sig {
		sig[i] ^= 1 << (i % 8)
		require.Error(t, s.verify(pub, nil, sig), "byte %d", i)
		sig[i] ^= 1 << (i % 8)
	}
	require.Error(t, s.verify(pub, nil, nil))
	require.Error(t, s.verify(pub, nil, append(sig, 0)))
	require.Error(t, s.verify(pub[:56], nil, sig))
	require.Error(t, s.verify(nil, nil, sig))
}

func TestSHAKE256(t *testing.T) {
	want := unhex(t, "46b9dd2b0ba88d13233b3feb743eeb243fcd52ea62b81b82b50c27646ed5762f"+
		"d75dc4ddd8c0f200cb05019d67b592f6fc821c49479ab48640292eacb3b7c4be") // of nothing
	h := SHAKE256.New()
	require.Equal(t, want, h.Sum(nil))
	require.Equal(t, want, h.Sum(nil), "Sum does not end the state")
	require.Equal(t, []int{64, 136, 64}, []int{h.Size(), h.BlockSize(), SHAKE256.Size()})
	h.Write([]byte("one "))
	c, err := h.(hash.Cloner).Clone()
	require.NoError(t, err)
	before := h.Sum([]byte{7})
	c.Write([]byte("two"))
	require.Equal(t, before, h.Sum([]byte{7}), "a clone is apart")
	h.Write([]byte("two"))
	require.Equal(t, h.Sum(nil), c.Sum(nil))
	h.Reset()
	require.Equal(t, want, h.Sum(nil))
	require.True(t, SHAKE256.Available())
	require.Equal(t, "SHAKE256", SHAKE256.String())
	require.False(t, Digest(0).Available())
	require.False(t, (SHAKE256 + 1).Available())
}

// TestBrainpoolPoints has party A's key pairs of RFC 7027, A.
func TestBrainpoolPoints(t *testing.T) {
	for last, c := range map[byte][3]string{
		7: {"81DB1EE100150FF2EA338D708271BE38300CB54241D79950F77B063039804F1D",
			"44106E913F92BC02A1705D9953A8414DB95E1AAA49E81D9E85F929A8E3100BE5",
			"8AB4846F11CACCB73CE49CBDD120F5A900A69FD32C272223F789EF10EB089BDC"},
		11: {"1E20F5E048A5886F1F157C74E91BDE2B98C8B52D58E5003D57053FC4B0BD65D6F15EB5D1EE1610DF870795143627D042",
			"68B665DD91C195800650CDD363C625F4E742E8134667B767B1B476793588F885AB698C852D4A6E77A252D6380FCAF068",
			"55BC91A39C9EC01DEE36017B7D673A931236D2F1F5C83942D049E3FA20607493E0D038FF2FD30C2AB67D15C85F7FAA59"},
		13: {"16302FF0DBBB5A8D733DAB7141C1B45ACBC8715939677F6A56850A38BD87BD59B09E80279609FF333EB9D4C061231FB26F92EEB04982A5F1D1764CAD57665422",
			"0A420517E406AAC0ACDCE90FCD71487718D3B953EFD7FBEC5F7F27E28C6149999397E91E029E06457DB2D3E640668B392C2A7E737A7F0BF04436D11640FD09FD",
			"72E6882E8DB28AAD36237CD25D580DB23783961C8DC52DFA2EC138AD472A0FCEF3887CF62B623B2A87DE5C588301EA3E5FC269B373B60724F5E82A6AD147FDE7"},
	} {
		curve := brainpoolCurve([]byte(oidBrainpool + string([]byte{last})))
		require.NotNil(t, curve)
		//lint:ignore SA1019 crypto/ecdh has no Brainpool curves
		x, y := curve.ScalarBaseMult(unhex(t, c[0]))
		require.Equal(t, new(big.Int).SetBytes(unhex(t, c[1])), x)
		require.Equal(t, new(big.Int).SetBytes(unhex(t, c[2])), y)
	}
	for _, oid := range []string{"", oidBrainpool, oidBrainpool + "\x08", oidBrainpool + "\x01", oidBrainpool + "\x07\x07"} {
		require.Nil(t, brainpoolCurve([]byte(oid)))
	}
}
