package serial_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
)

const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

func testScheme(t testing.TB) *serial.Scheme {
	t.Helper()
	var key [32]byte
	for i := range key {
		key[i] = byte(i)
	}
	s, err := serial.NewScheme('1', "ZK", key)
	require.NoError(t, err)
	return s
}

func number(t testing.TB, s *serial.Scheme, counter uint64) serial.Number {
	t.Helper()
	n, err := s.Number(counter)
	require.NoError(t, err)
	return n
}

// gfMul multiplies in GF(32) with x^5+x^2+1, the long way.
func gfMul(a, b int) int {
	r := 0
	for ; b > 0; b >>= 1 {
		if b&1 == 1 {
			r ^= a
		}
		if a <<= 1; a&32 != 0 {
			a ^= 0x25
		}
	}
	return r
}

// syndromes evaluates the 22 symbols, offset removed, at a, a^2 and a^3: all zero for a code word.
func syndromes(s string) [3]int {
	var out [3]int
	offset := map[int]int{19: 17, 20: 9, 21: 28}
	for j, x := range []int{2, 4, 8} {
		for i := range len(s) {
			out[j] = gfMul(out[j], x) ^ strings.IndexByte(crockford, s[i]) ^ offset[i]
		}
	}
	return out
}

func TestCheckCodeIsReedSolomon(t *testing.T) {
	s := testScheme(t)
	for c := range uint64(2000) {
		require.Equal(t, [3]int{}, syndromes(number(t, s, c*c*c).String()))
	}
}

func TestEveryOneAndTwoSymbolErrorIsCaught(t *testing.T) {
	good := number(t, testScheme(t), 4711).String()
	for i := range 22 {
		for _, a := range []byte(crockford) {
			b := []byte(good)
			b[i] = a
			refusedUnlessEqual(t, good, string(b))
			for j := i + 1; j < 22; j++ {
				old := b[j]
				for _, c := range []byte(crockford) {
					b[j] = c
					refusedUnlessEqual(t, good, string(b))
				}
				b[j] = old
			}
		}
	}
}

func refusedUnlessEqual(t *testing.T, good, s string) {
	_, err := serial.Parse(s)
	if (err == nil) != (s == good) {
		t.Fatalf("%s for %s: %v", s, good, err)
	}
}

func TestThreeSymbolErrorsAreCaught(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := testScheme(t)
	for range 200000 {
		good := number(t, s, r.Uint64N(1<<48)).String()
		b := []byte(good)
		for _, i := range r.Perm(22)[:3] {
			b[i] = crockford[r.IntN(32)]
		}
		refusedUnlessEqual(t, good, string(b))
	}
}

func TestEverySwapIsCaught(t *testing.T) {
	s := testScheme(t)
	for c := range uint64(500) {
		good := number(t, s, c<<20).String()
		for i := range 22 {
			for j := range i {
				b := []byte(good)
				b[i], b[j] = b[j], b[i]
				refusedUnlessEqual(t, good, string(b))
			}
		}
	}
}

func TestParseTolerance(t *testing.T) {
	s := testScheme(t)
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		n := number(t, s, r.Uint64N(1<<48))
		var b strings.Builder
		for _, c := range []byte(n.String()) {
			b.WriteString([]string{"", "", " ", "-", "."}[r.IntN(5)])
			switch {
			case c == '1':
				c = "1IlLi"[r.IntN(5)]
			case c == '0':
				c = "0oO"[r.IntN(3)]
			case r.IntN(2) == 0:
				c = strings.ToLower(string(c))[0]
			}
			b.WriteByte(c)
		}
		got, err := serial.Parse(b.String())
		require.NoError(t, err, b.String())
		require.Equal(t, n, got)
		got, err = serial.Parse(n.Grouped())
		require.NoError(t, err)
		require.Equal(t, n, got)
	}
}

func TestParseRefusals(t *testing.T) {
	good := number(t, testScheme(t), 1).String()
	for name, tc := range map[string]struct {
		in     string
		offset int
	}{
		"empty":             {"", 0},
		"short":             {good[:21], 21},
		"long":              {good + "0", 22},
		"U is no symbol":    {"U" + good[1:], 0},
		"not ASCII":         {good[:5] + "é" + good[7:], 5},
		"zeros":             {strings.Repeat("0", 22), -1},
		"endless":           {strings.Repeat("-", 1<<20), 128},
		"other separator":   {good[:3] + "_" + good[3:], 3},
		"line end":          {good + "\n", 22},
		"wrong last symbol": {good[:21] + string(crockford[(strings.IndexByte(crockford, good[21])+1)%32]), -1},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := serial.Parse(tc.in)
			var pe *serial.ParseError
			require.ErrorAs(t, err, &pe)
			require.Equal(t, tc.offset, pe.Offset)
			require.NotEmpty(t, pe.Error())
			require.True(t, n.IsZero())
		})
	}
}

func TestNumberParts(t *testing.T) {
	n := number(t, testScheme(t), 77)
	require.Equal(t, byte('1'), n.Epoch())
	require.Equal(t, "ZK", n.Issuer())
	require.Len(t, n.String(), 22)
	require.Equal(t, n.String(), strings.ReplaceAll(n.Grouped(), "-", ""))
	require.Regexp(t, `^1ZK(-[0-9A-Z]{4}){4}-[0-9A-Z]{3}$`, n.Grouped())

	var zero serial.Number
	require.True(t, zero.IsZero())
	require.Empty(t, zero.String())
	require.Empty(t, zero.Grouped())
	require.Empty(t, zero.Issuer())
	require.Zero(t, zero.Epoch())
	require.Equal(t, [14]byte{}, zero.Packed())
}

func TestPacked(t *testing.T) {
	n := number(t, testScheme(t), 123456789)
	b := n.Packed()
	require.Zero(t, b[13]&3)
	var bits strings.Builder
	for _, v := range b {
		fmt.Fprintf(&bits, "%08b", v)
	}
	for i, c := range []byte(n.String()) {
		require.Equal(t, fmt.Sprintf("%05b", strings.IndexByte(crockford, c)), bits.String()[5*i:5*i+5])
	}
	got, err := serial.Unpack(b)
	require.NoError(t, err)
	require.Equal(t, n, got)

	for i := range 112 {
		bad := b
		bad[i/8] ^= 1 << (i % 8)
		_, err := serial.Unpack(bad)
		require.Error(t, err, "bit %d", i)
	}
	_, err = serial.Unpack([14]byte{})
	require.Error(t, err)
}

func TestNumberText(t *testing.T) {
	type doc struct {
		Serial serial.Number            `json:"serial"`
		Map    map[serial.Number]string `json:"map"`
	}
	n := number(t, testScheme(t), 9)
	in := doc{n, map[serial.Number]string{n: "x"}}
	b, err := json.Marshal(in)
	require.NoError(t, err)
	require.JSONEq(t, fmt.Sprintf(`{"serial":%q,"map":{%q:"x"}}`, n.String(), n.String()), string(b))
	var out doc
	require.NoError(t, json.Unmarshal(b, &out))
	require.Equal(t, in, out)

	require.NoError(t, json.Unmarshal([]byte(`{"serial":""}`), &out))
	require.True(t, out.Serial.IsZero())
	var pe *serial.ParseError
	require.True(t, errors.As(json.Unmarshal([]byte(`{"serial":"abc"}`), &out), &pe))
	text, err := n.AppendText([]byte("no. "))
	require.NoError(t, err)
	require.Equal(t, "no. "+n.String(), string(text))
}

func FuzzParse(f *testing.F) {
	s := testScheme(f)
	for c := range uint64(8) {
		n := number(f, s, c<<40)
		f.Add(n.String())
		f.Add(n.Grouped())
	}
	f.Add("")
	f.Add(strings.Repeat("0", 22))
	f.Fuzz(func(t *testing.T, in string) {
		n, err := serial.Parse(in)
		if err != nil {
			var pe *serial.ParseError
			require.ErrorAs(t, err, &pe)
			require.True(t, n.IsZero())
			return
		}
		require.Equal(t, [3]int{}, syndromes(n.String()))
		for _, text := range []string{n.String(), n.Grouped()} {
			again, err := serial.Parse(text)
			require.NoError(t, err)
			require.Equal(t, n, again)
		}
		again, err := serial.Unpack(n.Packed())
		require.NoError(t, err)
		require.Equal(t, n, again)
	})
}

func BenchmarkNumber(b *testing.B) {
	s := testScheme(b)
	b.ReportAllocs()
	var c uint64
	for b.Loop() {
		if _, err := s.Number(c); err != nil {
			b.Fatal(err)
		}
		c++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "numbers/s")
}

func BenchmarkParse(b *testing.B) {
	text := number(b, testScheme(b), 1<<33).Grouped()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := serial.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGenuine(b *testing.B) {
	s := testScheme(b)
	n := number(b, s, 1<<33)
	b.ReportAllocs()
	for b.Loop() {
		if !s.Genuine(n) {
			b.Fatal("not genuine")
		}
	}
}

func ExampleParse() {
	n, err := serial.Parse("1zk-35ws.ezag 7cmy rOxd-w8w")
	fmt.Println(n.Grouped(), err)
	_, err = serial.Parse("1ZK-35WS-EZAG-7CMY-R0XD-8WW")
	fmt.Println(err)
	// Output:
	// 1ZK-35WS-EZAG-7CMY-R0XD-W8W <nil>
	// serial number: the check code does not fit: one or more characters are wrong
}

func ExampleScheme() {
	key := [32]byte{} // 32 secret bytes in earnest
	scheme, err := serial.NewScheme('7', "ZK", key)
	if err != nil {
		fmt.Println(err)
		return
	}
	for counter := range uint64(2) {
		n, err := scheme.Number(counter)
		fmt.Println(len(n.String()), n.Epoch() == '7', n.Issuer(), scheme.Genuine(n), err)
	}
	// Output:
	// 22 true ZK true <nil>
	// 22 true ZK true <nil>
}
