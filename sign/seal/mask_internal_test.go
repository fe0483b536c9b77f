package seal

import (
	"math/rand/v2"
	"strings"
	"testing"

	qrcode "github.com/skip2/go-qrcode"
	"github.com/stretchr/testify/require"
	"rsc.io/qr/coding"
)

// slowPenalty is ISO/IEC 18004, 7.8.3.1, module by module.
func slowPenalty(dark [][]bool) int {
	n, total, sum := len(dark), 0, 0
	at := func(x, y int, turned bool) bool {
		if turned {
			x, y = y, x
		}
		return x >= 0 && x < n && y >= 0 && y < n && dark[y][x]
	}
	for _, turned := range []bool{false, true} {
		for y := range n {
			run := 0
			for x := range n {
				if x > 0 && at(x, y, turned) == at(x-1, y, turned) {
					run++
				} else {
					run = 1
				}
				if run == 5 {
					total += 3
				} else if run > 5 {
					total++
				}
			}
			for x := 0; x+6 < n; x++ {
				core := true
				for i, want := range []bool{true, false, true, true, true, false, true} {
					core = core && at(x+i, y, turned) == want
				}
				before, after := core, core
				for i := 1; i <= 4; i++ {
					before = before && !at(x-i, y, turned)
					after = after && !at(x+6+i, y, turned)
				}
				if before {
					total += 40
				}
				if after {
					total += 40
				}
			}
		}
	}
	for y := range n {
		for x := range n {
			if at(x, y, false) {
				sum++
			}
			if x > 0 && y > 0 && at(x, y, false) == at(x-1, y, false) &&
				at(x, y, false) == at(x, y-1, false) && at(x, y, false) == at(x-1, y-1, false) {
				total += 3
			}
		}
	}
	percent := float64(sum) * 100 / float64(n*n)
	off := percent - 50
	if off < 0 {
		off = -off
	}
	return total + 10*int(off/5)
}

func TestPenaltyAgainstTheSlowOne(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for trial := range 60 {
		n := 17 + 4*(1+trial%maxVersion)
		density := random.IntN(10)
		dark, rows := make([][]bool, n), make([]row, n)
		for y := range n {
			dark[y] = make([]bool, n)
			for x := range n {
				// Long runs and patterns must occur as well as noise.
				if x > 0 && random.IntN(10) < density {
					dark[y][x] = dark[y][x-1]
				} else if y > 0 && random.IntN(10) < density {
					dark[y][x] = dark[y-1][x]
				} else {
					dark[y][x] = random.IntN(2) == 0
				}
				if dark[y][x] {
					rows[y].set(x)
				}
			}
		}
		require.Equal(t, slowPenalty(dark), penalty(rows), "size %d", n)
	}
}

// Another encoder makes the same modules of the same digits under the mask it
// prefers, and NewSymbol takes the mask of the least penalty.
func TestSymbolAgainstAnotherEncoder(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for trial := range 12 {
		var text strings.Builder
		text.WriteByte('1')
		for range 20 + 105*trial {
			text.WriteByte(byte('0' + random.IntN(10)))
		}
		for level, other := range []qrcode.RecoveryLevel{qrcode.Medium, qrcode.High} {
			want, err := qrcode.New(text.String(), other)
			require.NoError(t, err)
			want.DisableBorder = true
			bitmap := want.Bitmap()
			y, err := NewSymbolLevel(text.String(), Level(level))
			require.NoError(t, err)
			require.Equal(t, want.VersionNumber, y.Version())

			p := planned(coding.Version(y.Version()), Level(level))
			code, err := p.plan.Encode(coding.Num(text.String()))
			require.NoError(t, err)
			equal, least := 0, -1
			for mask := range p.blank {
				dark, same := make([][]bool, y.Size()), true
				for i := range dark {
					r := newRow(code.Bitmap[i*code.Stride:], code.Size).xor(p.blank[0][i]).xor(p.blank[mask][i])
					dark[i] = make([]bool, y.Size())
					for x := range dark[i] {
						dark[i][x] = r.bit(x)
						same = same && dark[i][x] == bitmap[i][x]
					}
				}
				if same {
					equal++
				}
				if n := slowPenalty(dark); least < 0 || n < least {
					least = n
				}
			}
			require.Equal(t, 1, equal, "the other encoder's symbol is ours under one mask")
			require.Equal(t, least, penalty(y.rows))
		}
	}
}
