package serial_test

import (
	"crypto/aes"
	"encoding/hex"
	"math/big"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
)

// ff1 is NIST SP 800-38G, algorithm 7, for any radix up to 36 and any length, with big integers, as the standard writes it.
func ff1(t testing.TB, key, tweak []byte, radix int, x []int) []int {
	t.Helper()
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	n := len(x)
	u, v := n/2, n-n/2
	a, b := x[:u], x[u:]
	// b: the bytes of radix^v - 1
	most := new(big.Int).Exp(big.NewInt(int64(radix)), big.NewInt(int64(v)), nil)
	width := (most.Sub(most, big.NewInt(1)).BitLen() + 7) / 8
	d := 4*((width+3)/4) + 4
	p := []byte{1, 2, 1, byte(radix >> 16), byte(radix >> 8), byte(radix), 10, byte(u), 0, 0, byte(n >> 8), byte(n), 0, 0, byte(len(tweak) >> 8), byte(len(tweak))}
	for i := range 10 {
		q := append([]byte{}, tweak...)
		for (len(q)+1+width)%16 != 0 {
			q = append(q, 0)
		}
		q = append(append(q, byte(i)), num(b, radix).FillBytes(make([]byte, width))...)
		r := make([]byte, 16)
		for data := append(append([]byte{}, p...), q...); len(data) > 0; data = data[16:] {
			for j := range r {
				r[j] ^= data[j]
			}
			block.Encrypt(r, r)
		}
		s := append([]byte{}, r...)
		for j := 1; len(s) < d; j++ {
			more := append([]byte{}, r...)
			more[15] ^= byte(j)
			block.Encrypt(more, more)
			s = append(s, more...)
		}
		m := u
		if i%2 == 1 {
			m = v
		}
		c := num(a, radix)
		c.Add(c, new(big.Int).SetBytes(s[:d]))
		c.Mod(c, new(big.Int).Exp(big.NewInt(int64(radix)), big.NewInt(int64(m)), nil))
		a, b = b, str(c, radix, m)
	}
	return append(append([]int{}, a...), b...)
}

func num(x []int, radix int) *big.Int {
	out := new(big.Int)
	for _, d := range x {
		out.Add(out.Mul(out, big.NewInt(int64(radix))), big.NewInt(int64(d)))
	}
	return out
}

func str(x *big.Int, radix, m int) []int {
	out := make([]int, m)
	r := new(big.Int)
	for i := m - 1; i >= 0; i-- {
		x.DivMod(x, big.NewInt(int64(radix)), r)
		out[i] = int(r.Int64())
	}
	return out
}

func digits(s string) []int {
	out := make([]int, len(s))
	for i := range s {
		out[i] = strings.IndexByte("0123456789abcdefghijklmnopqrstuvwxyz", s[i])
	}
	return out
}

// The nine FF1 samples that NIST publishes with SP 800-38G.
func TestGeneralFF1AgainstNISTSamples(t *testing.T) {
	const (
		k128 = "2B7E151628AED2A6ABF7158809CF4F3C"
		k192 = k128 + "EF4359D8D580AA4F"
		k256 = k192 + "7F036D6F04FC6A94"
		t10  = "39383736353433323130"
		t11  = "3737373770717273373737"
	)
	for _, v := range []struct {
		key, tweak string
		radix      int
		in, out    string
	}{
		{k128, "", 10, "0123456789", "2433477484"},
		{k128, t10, 10, "0123456789", "6124200773"},
		{k128, t11, 36, "0123456789abcdefghi", "a9tv40mll9kdu509eum"},
		{k192, "", 10, "0123456789", "2830668132"},
		{k192, t10, 10, "0123456789", "2496655549"},
		{k192, t11, 36, "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"},
		{k256, "", 10, "0123456789", "6657667009"},
		{k256, t10, 10, "0123456789", "1001623463"},
		{k256, t11, 36, "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"},
	} {
		key, err := hex.DecodeString(v.key)
		require.NoError(t, err)
		tweak, err := hex.DecodeString(v.tweak)
		require.NoError(t, err)
		require.Equal(t, digits(v.out), ff1(t, key, tweak, v.radix, digits(v.in)), "%d bit key, tweak %s", 4*len(v.key), v.tweak)
	}
}

// The fixed shape against the general cipher, over random keys, series and counters.
func TestSchemeAgainstGeneralFF1(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for i := range 3000 {
		var key [32]byte
		for j := range key {
			key[j] = byte(r.Uint32())
		}
		head := []byte{crockford[r.IntN(32)], crockford[r.IntN(32)], crockford[r.IntN(32)]}
		counter := r.Uint64N(1 << 48)
		switch i {
		case 0:
			counter = 0
		case 1:
			counter = 1<<48 - 1
		}
		s, err := serial.NewScheme(head[0], string(head[1:]), key)
		require.NoError(t, err)
		n := number(t, s, counter)
		want := ff1(t, key[:], head, 32, str(new(big.Int).SetUint64(counter), 32, 16))
		got := make([]int, 16)
		for j := range got {
			got[j] = strings.IndexByte(crockford, n.String()[3+j])
		}
		require.Equal(t, want, got)
		require.Equal(t, string(head), n.String()[:3])
		require.True(t, s.Genuine(n))
	}
}

func TestSchemeIsInjectiveAndConcurrent(t *testing.T) {
	s := testScheme(t)
	const each = 5000
	out := make([][]serial.Number, 8)
	var wg sync.WaitGroup
	for g := range out {
		wg.Go(func() {
			for i := range each {
				n, err := s.Number(uint64(i*len(out) + g))
				if err != nil {
					return
				}
				out[g] = append(out[g], n)
			}
		})
	}
	wg.Wait()
	seen := make(map[serial.Number]bool)
	for g, list := range out {
		require.Len(t, list, each)
		for i, n := range list {
			require.False(t, seen[n])
			seen[n] = true
			require.Equal(t, number(t, s, uint64(i*len(out)+g)), n)
		}
	}
}

func TestGenuine(t *testing.T) {
	s := testScheme(t)
	var other [32]byte
	wrongKey, err := serial.NewScheme('1', "ZK", other)
	require.NoError(t, err)
	wrongEpoch, err := serial.NewScheme('2', "ZK", other)
	require.NoError(t, err)
	require.False(t, s.Genuine(serial.Number{}))
	r := rand.New(rand.NewPCG(7, 8))
	for range 20000 {
		c := r.Uint64N(1 << 48)
		require.True(t, s.Genuine(number(t, s, c)))
		require.False(t, s.Genuine(number(t, wrongKey, c)))
		require.False(t, s.Genuine(number(t, wrongEpoch, c)))
	}
}

func TestSchemeRefusals(t *testing.T) {
	for _, tc := range []struct {
		epoch  byte
		issuer string
		field  string
	}{
		{'U', "ZK", "epoch"}, {'a', "ZK", "epoch"}, {0, "ZK", "epoch"},
		{'1', "", "issuer"}, {'1', "Z", "issuer"}, {'1', "ZKZ", "issuer"}, {'1', "zk", "issuer"}, {'1', "IO", "issuer"},
	} {
		_, err := serial.NewScheme(tc.epoch, tc.issuer, [32]byte{})
		var re *serial.RequestError
		require.ErrorAs(t, err, &re)
		require.Equal(t, tc.field, re.Field)
	}
	_, err := testScheme(t).Number(serial.MaxCounter)
	var re *serial.RequestError
	require.ErrorAs(t, err, &re)
}

func TestNumberDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Log("the race detector makes pools drop their buffers on purpose: checked without it")
		return
	}
	s := testScheme(t)
	n := number(t, s, 5)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		if m, err := s.Number(5); err != nil || m != n || !s.Genuine(m) {
			panic("wrong number")
		}
	}))
}

// Vectors that hold the format: key 00 01 .. 1f, series 1ZK.
func TestKnownNumbers(t *testing.T) {
	s := testScheme(t)
	for counter, want := range map[uint64]string{
		0:         "1ZKJP8MT9CYMJKVMBSSG41",
		1:         "1ZK35WSEZAG7CMYR0XDW8W",
		2:         "1ZKZ4ZWG1CSV1VFMNDCF38",
		1 << 20:   "1ZK7EWYAPNCRD8J2HA0VZ0",
		1<<48 - 1: "1ZKDZ1FT1N9YW8SR1C468K",
	} {
		require.Equal(t, want, number(t, s, counter).String())
	}
}
