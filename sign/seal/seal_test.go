package seal_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign/seal"
)

// signers gives a fixed key of each algorithm.
func signers(t testing.TB) map[string]crypto.Signer {
	t.Helper()
	seed := sha256.Sum256([]byte("seal test key"))
	p256, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
	require.NoError(t, err)
	return map[string]crypto.Signer{"Ed25519": ed25519.NewKeyFromSeed(seed[:]), "P-256": p256}
}

func number(t testing.TB, counter uint64) serial.Number {
	t.Helper()
	scheme, err := serial.NewScheme('T', "QA", sha256.Sum256([]byte("scheme of the seal tests")))
	require.NoError(t, err)
	n, err := scheme.Number(counter)
	require.NoError(t, err)
	return n
}

func sample(t testing.TB) *seal.Seal {
	t.Helper()
	return &seal.Seal{
		Serial:         number(t, 1),
		Issued:         time.Date(2026, 11, 21, 8, 30, 0, 0, time.UTC),
		Value:          10000,
		DocumentLength: 62345,
		DocumentDigest: sha256.Sum256([]byte("document")),
	}
}

func key(t testing.TB, signer crypto.Signer) *seal.Key {
	t.Helper()
	k, err := seal.NewKey(signer.Public())
	require.NoError(t, err)
	return k
}

func signed(t testing.TB, s *seal.Seal, signer crypto.Signer) []byte {
	t.Helper()
	b, err := s.Sign(signer)
	require.NoError(t, err)
	return b
}

func TestRoundTrip(t *testing.T) {
	cases := map[string]func(*seal.Seal){
		"plain":         func(*seal.Seal) {},
		"specimen":      func(s *seal.Seal) { s.Specimen = true },
		"one TLV":       func(s *seal.Seal) { s.Extra = []seal.TLV{{Type: 1, Value: []byte("x")}} },
		"empty TLV":     func(s *seal.Seal) { s.Extra = []seal.TLV{{Type: 0, Value: []byte{}}} },
		"several TLVs":  func(s *seal.Seal) { s.Extra = []seal.TLV{{0, []byte{1}}, {5, []byte{}}, {127, make([]byte, 200)}} },
		"longest":       func(s *seal.Seal) { s.Extra = []seal.TLV{{1, make([]byte, 255)}, {2, make([]byte, 512-130-257-2)}} },
		"least numbers": func(s *seal.Seal) { s.Issued, s.Value, s.DocumentLength = time.Unix(0, 0).UTC(), 0, 1 },
		"greatest numbers": func(s *seal.Seal) {
			s.Issued, s.Value, s.DocumentLength = time.Unix(1<<40-1, 0).UTC(), 1<<32-1, 1<<40-1
		},
	}
	for alg, signer := range signers(t) {
		for name, change := range cases {
			t.Run(alg+"/"+name, func(t *testing.T) {
				s := sample(t)
				change(s)
				b := signed(t, s, signer)
				require.Equal(t, alg, s.Algorithm.String())
				if len(s.Extra) == 0 {
					require.Len(t, b, 130)
				}
				got, err := seal.Parse(b)
				require.NoError(t, err)
				require.Equal(t, s, got)
				require.NoError(t, got.Verify(key(t, signer)))
				again, err := got.Encode()
				require.NoError(t, err)
				require.Equal(t, b, again)
			})
		}
	}
}

// The layout is pinned field by field, independently of the encoder.
func TestLayout(t *testing.T) {
	signer := signers(t)["Ed25519"]
	s := sample(t)
	s.Specimen = true
	s.Extra = []seal.TLV{{Type: 7, Value: []byte{0xaa, 0xbb}}}
	b := signed(t, s, signer)
	spki, err := x509.MarshalPKIXPublicKey(signer.Public())
	require.NoError(t, err)
	id := sha256.Sum256(spki)
	packed := s.Serial.Packed()
	digest := sha256.Sum256([]byte("document"))

	want := []byte{0x11, 3}
	want = append(want, id[:4]...)
	want = append(want, packed[:]...)
	want = append(want, big.NewInt(s.Issued.Unix()).FillBytes(make([]byte, 5))...)
	want = append(want, 0, 0, 0x27, 0x10)
	want = append(want, 0, 0, 0, 0xf3, 0x89)
	want = append(want, digest[:]...)
	want = append(want, 7, 2, 0xaa, 0xbb)
	require.Equal(t, hex.EncodeToString(want), hex.EncodeToString(b[:70]))
	message := append([]byte("meterai seal v1\x00"), id[:]...)
	message = append(message, want...)
	require.True(t, ed25519.Verify(signer.Public().(ed25519.PublicKey), message, b[70:]))
	got, err := s.Message(key(t, signer))
	require.NoError(t, err)
	require.Equal(t, message, got)
}

// Ed25519 is deterministic: this seal must never change.
func TestKnownSeal(t *testing.T) {
	b := signed(t, sample(t), signers(t)["Ed25519"])
	require.Equal(t, knownSeal, hex.EncodeToString(b))
}

func TestEveryBitFlipIsCaught(t *testing.T) {
	for alg, signer := range signers(t) {
		for _, extra := range [][]seal.TLV{nil, {{3, []byte("abc")}, {9, nil}}} {
			s := sample(t)
			s.Extra = extra
			b, k := signed(t, s, signer), key(t, signer)
			for bit := range 8 * len(b) {
				bad := append([]byte(nil), b...)
				bad[bit/8] ^= 1 << (bit % 8)
				got, err := seal.Parse(bad)
				if err != nil {
					var format *seal.FormatError
					require.ErrorAs(t, err, &format)
					require.NotEmpty(t, format.Error())
					continue
				}
				require.Error(t, got.Verify(k), "%s: bit %d", alg, bit)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	signer := signers(t)["P-256"]
	plain := signed(t, sample(t), signer)
	with := func(tlvs ...byte) []byte {
		b := append([]byte(nil), plain[:66]...)
		b[1] |= 2
		return append(append(b, tlvs...), plain[66:]...)
	}
	set := func(at int, v ...byte) []byte {
		b := append([]byte(nil), plain...)
		copy(b[at:], v)
		return b
	}
	order := elliptic.P256().Params().N
	high := new(big.Int).Sub(order, new(big.Int).SetBytes(plain[98:]))
	cases := []struct {
		name   string
		b      []byte
		field  string
		offset int
	}{
		{"empty", nil, "seal", 0},
		{"short", plain[:129], "seal", 129},
		{"trailing byte", append(set(0), 0), "seal", 130},
		{"too long", append(set(0), make([]byte, 400)...), "seal", 512},
		{"version 0", set(0, 0x02), "version", 0},
		{"version 2", set(0, 0x22), "version", 0},
		{"algorithm 0", set(0, 0x10), "algorithm", 0},
		{"algorithm 3", set(0, 0x13), "algorithm", 0},
		{"reserved flag", set(1, 4), "flags", 1},
		{"highest flag", set(1, 128), "flags", 1},
		{"TLVs flagged, none there", set(1, 2), "flags", 1},
		{"serial with last bits set", set(19, plain[19]|1), "serial", 6},
		{"serial with wrong check code", set(10, plain[10]^8), "serial", 6},
		{"serial zero", set(6, make([]byte, 14)...), "serial", 6},
		{"length zero", set(29, 0, 0, 0, 0, 0), "document length", 29},
		{"critical TLV", with(128, 0), "TLV", 66},
		{"TLV twice", with(5, 0, 5, 0), "TLV", 68},
		{"TLVs descend", with(5, 1, 0, 4, 0), "TLV", 69},
		{"TLV without length", with(5), "TLV", 66},
		{"TLV cut off", with(5, 3, 1, 2), "TLV", 66},
		{"r zero", set(66, make([]byte, 32)...), "signature", 66},
		{"r the order", set(66, order.Bytes()...), "signature", 66},
		{"s zero", set(98, make([]byte, 32)...), "signature", 98},
		{"s high", set(98, high.FillBytes(make([]byte, 32))...), "signature", 98},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := seal.Parse(c.b)
			var format *seal.FormatError
			require.ErrorAs(t, err, &format)
			require.Equal(t, c.field, format.Field, err)
			require.Equal(t, c.offset, format.Offset, err)
		})
	}
}

// An Ed25519 signature has one s: adding the order of the group must not give
// a second encoding.
func TestParseRefusesEd25519OverOrder(t *testing.T) {
	b := signed(t, sample(t), signers(t)["Ed25519"])
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := make([]byte, 32)
	for i := range s {
		s[i] = b[len(b)-1-i]
	}
	sum := new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(make([]byte, 32))
	for i := range sum {
		b[len(b)-1-i] = sum[i]
	}
	_, err := seal.Parse(b)
	var format *seal.FormatError
	require.ErrorAs(t, err, &format)
	require.Equal(t, "signature", format.Field)
}

func TestEncodeRefuses(t *testing.T) {
	signer := signers(t)["Ed25519"]
	cases := map[string]struct {
		change func(*seal.Seal)
		field  string
	}{
		"no serial":         {func(s *seal.Seal) { s.Serial = serial.Number{} }, "serial"},
		"before 1970":       {func(s *seal.Seal) { s.Issued = time.Unix(-1, 0) }, "issued"},
		"no time":           {func(s *seal.Seal) { s.Issued = time.Time{} }, "issued"},
		"after 36812":       {func(s *seal.Seal) { s.Issued = time.Unix(1<<40, 0) }, "issued"},
		"parts of a second": {func(s *seal.Seal) { s.Issued = s.Issued.Add(1) }, "issued"},
		"length zero":       {func(s *seal.Seal) { s.DocumentLength = 0 }, "document length"},
		"length negative":   {func(s *seal.Seal) { s.DocumentLength = -1 }, "document length"},
		"length 2^40":       {func(s *seal.Seal) { s.DocumentLength = 1 << 40 }, "document length"},
		"critical TLV":      {func(s *seal.Seal) { s.Extra = []seal.TLV{{200, nil}} }, "TLV"},
		"long TLV":          {func(s *seal.Seal) { s.Extra = []seal.TLV{{1, make([]byte, 256)}} }, "TLV"},
		"TLVs descend":      {func(s *seal.Seal) { s.Extra = []seal.TLV{{2, nil}, {1, nil}} }, "TLV"},
		"TLV twice":         {func(s *seal.Seal) { s.Extra = []seal.TLV{{2, nil}, {2, nil}} }, "TLV"},
		"too long":          {func(s *seal.Seal) { s.Extra = []seal.TLV{{1, make([]byte, 255)}, {2, make([]byte, 124)}} }, "TLV"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := sample(t)
			c.change(s)
			_, err := s.Sign(signer)
			var format *seal.FormatError
			require.ErrorAs(t, err, &format)
			require.Equal(t, c.field, format.Field)
		})
	}
}

func TestVerifyCoversTheFields(t *testing.T) {
	for _, signer := range signers(t) {
		k := key(t, signer)
		changes := map[string]func(*seal.Seal){
			"specimen": func(s *seal.Seal) { s.Specimen = true },
			"serial":   func(s *seal.Seal) { s.Serial = number(t, 2) },
			"issued":   func(s *seal.Seal) { s.Issued = s.Issued.Add(time.Second) },
			"value":    func(s *seal.Seal) { s.Value++ },
			"length":   func(s *seal.Seal) { s.DocumentLength++ },
			"digest":   func(s *seal.Seal) { s.DocumentDigest[31]++ },
			"extra":    func(s *seal.Seal) { s.Extra = []seal.TLV{{1, nil}} },
			"zero":     func(s *seal.Seal) { s.Signature = [64]byte{} },
		}
		for name, change := range changes {
			s, err := seal.Parse(signed(t, sample(t), signer))
			require.NoError(t, err)
			require.NoError(t, s.Verify(k))
			change(s)
			require.ErrorIs(t, s.Verify(k), seal.ErrSignature, name)
		}
		s, err := seal.Parse(signed(t, sample(t), signer))
		require.NoError(t, err)
		s.DocumentLength = 0
		var format *seal.FormatError
		require.ErrorAs(t, s.Verify(k), &format)
	}
}

func TestWrongKey(t *testing.T) {
	all := signers(t)
	s := sample(t)
	signed(t, s, all["Ed25519"])
	require.ErrorIs(t, s.Verify(key(t, all["P-256"])), seal.ErrKey)

	_, other, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	k := key(t, other)
	require.False(t, k.Matches(s))
	require.ErrorIs(t, s.Verify(k), seal.ErrKey)
	// A key that happens to have the same id: only the signature tells.
	s.KeyID = k.ID()
	require.True(t, k.Matches(s))
	require.ErrorIs(t, s.Verify(k), seal.ErrSignature)
}

// The signature names the whole key, not only its id: the message differs.
func TestMessageBindsTheKey(t *testing.T) {
	all := signers(t)
	a, err := sample(t).Message(key(t, all["Ed25519"]))
	require.NoError(t, err)
	b, err := sample(t).Message(key(t, all["P-256"]))
	require.NoError(t, err)
	require.NotEqual(t, a[16:48], b[16:48])
	require.Equal(t, "meterai seal v1\x00", string(a[:16]))
}

func TestRemoteKey(t *testing.T) {
	p256 := signers(t)["P-256"]
	k := key(t, p256)
	s := sample(t)
	message, err := s.Message(k)
	require.NoError(t, err)
	digest := sha256.Sum256(message)
	der, err := p256.Sign(rand.Reader, digest[:], crypto.SHA256)
	require.NoError(t, err)
	var rs struct{ R, S *big.Int }
	_, err = asn1.Unmarshal(der, &rs)
	require.NoError(t, err)
	flipped := rs
	flipped.S = new(big.Int).Sub(elliptic.P256().Params().N, rs.S)
	flippedDER, err := asn1.Marshal(flipped)
	require.NoError(t, err)
	raw := append(rs.R.FillBytes(make([]byte, 32)), rs.S.FillBytes(make([]byte, 32))...)
	rawFlipped := append(rs.R.FillBytes(make([]byte, 32)), flipped.S.FillBytes(make([]byte, 32))...)

	var first []byte
	for name, signature := range map[string][]byte{"DER": der, "other s": flippedDER, "raw": raw, "raw, other s": rawFlipped} {
		b, err := s.Finish(k, signature)
		require.NoError(t, err, name)
		if first == nil {
			first = b
		}
		require.Equal(t, first, b, name)
	}
	_, err = seal.Parse(first)
	require.NoError(t, err)

	wrong := append([]byte(nil), raw...)
	wrong[40] ^= 1
	for name, signature := range map[string][]byte{"none": nil, "wrong": wrong, "zero": make([]byte, 64), "long": make([]byte, 1<<20), "trailing": append(append([]byte{}, der...), 0)} {
		_, err := s.Finish(k, signature)
		require.ErrorIs(t, err, seal.ErrSignature, name)
	}
}

// broken is a signer that fails, or signs with another key than it names.
type broken struct {
	public crypto.PublicKey
	signer crypto.Signer
	err    error
}

func (b broken) Public() crypto.PublicKey { return b.public }
func (b broken) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if b.err != nil {
		return nil, b.err
	}
	return b.signer.Sign(r, digest, opts)
}

func TestSignChecksTheSigner(t *testing.T) {
	all := signers(t)
	_, other, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	_, err = sample(t).Sign(broken{public: all["Ed25519"].Public(), signer: other})
	require.ErrorIs(t, err, seal.ErrSignature)
	down := errors.New("token removed")
	_, err = sample(t).Sign(broken{public: all["P-256"].Public(), err: down})
	require.ErrorIs(t, err, down)
	_, err = sample(t).Sign(broken{public: "no key"})
	var bad *seal.KeyError
	require.ErrorAs(t, err, &bad)
}

// About half of all ECDSA signatures have the high s: none may get through.
func TestLowS(t *testing.T) {
	signer := signers(t)["P-256"]
	half := new(big.Int).Rsh(elliptic.P256().Params().N, 1)
	for range 40 {
		b := signed(t, sample(t), signer)
		require.LessOrEqual(t, new(big.Int).SetBytes(b[98:]).Cmp(half), 0)
	}
}

func TestKeys(t *testing.T) {
	for alg, signer := range signers(t) {
		k := key(t, signer)
		require.Equal(t, alg, k.Algorithm().String())
		require.Equal(t, signer.Public(), k.Public())
		hash := k.Hash()
		require.Equal(t, sha256.Sum256(k.SPKI()), hash)
		require.Equal(t, [4]byte(hash[:4]), k.ID())
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.SPKI()})
		again, err := seal.ParseKeyPEM(text)
		require.NoError(t, err)
		require.Equal(t, k.ID(), again.ID())
		k.SPKI()[5] ^= 1 // a copy: the key stays
		require.Equal(t, again.SPKI(), k.SPKI())
		for _, bad := range [][]byte{nil, text[:20], append(text, 'x'), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.SPKI()})} {
			_, err := seal.ParseKeyPEM(bad)
			var refused *seal.KeyError
			require.ErrorAs(t, err, &refused)
		}
		_, err = seal.ParseKey(append(k.SPKI(), 0))
		require.Error(t, err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	//lint:ignore SA1019 a point off the curve can be made in no other way
	off := &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}
	for _, pub := range []crypto.PublicKey{nil, "x", p384.Public(), rsaKey.Public(), (*ecdsa.PublicKey)(nil), ed25519.PublicKey{1}, off} {
		_, err := seal.NewKey(pub)
		var refused *seal.KeyError
		require.ErrorAs(t, err, &refused, "%T", pub)
	}
	for _, pub := range []crypto.PublicKey{p384.Public(), rsaKey.Public()} {
		spki, err := x509.MarshalPKIXPublicKey(pub)
		require.NoError(t, err)
		_, err = seal.ParseKey(spki)
		var refused *seal.KeyError
		require.ErrorAs(t, err, &refused)
	}
	_, err = seal.ParseKey(make([]byte, 1<<20))
	require.Error(t, err)
}
