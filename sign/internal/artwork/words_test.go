package artwork_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/internal/artwork"
)

func ExampleWords() {
	fmt.Println(artwork.Words(10000))
	fmt.Println(artwork.Words(1000))
	fmt.Println(artwork.Words(15000))
	// Output:
	// SEPULUH RIBU RUPIAH
	// SERIBU RUPIAH
	// LIMA BELAS RIBU RUPIAH
}

func TestWords(t *testing.T) {
	for value, want := range map[uint32]string{
		0:          "NOL",
		1:          "SATU",
		9:          "SEMBILAN",
		10:         "SEPULUH",
		11:         "SEBELAS",
		12:         "DUA BELAS",
		19:         "SEMBILAN BELAS",
		20:         "DUA PULUH",
		21:         "DUA PULUH SATU",
		99:         "SEMBILAN PULUH SEMBILAN",
		100:        "SERATUS",
		101:        "SERATUS SATU",
		111:        "SERATUS SEBELAS",
		200:        "DUA RATUS",
		999:        "SEMBILAN RATUS SEMBILAN PULUH SEMBILAN",
		1000:       "SERIBU",
		1001:       "SERIBU SATU",
		1100:       "SERIBU SERATUS",
		2000:       "DUA RIBU",
		3000:       "TIGA RIBU",
		6000:       "ENAM RIBU",
		10000:      "SEPULUH RIBU",
		11000:      "SEBELAS RIBU",
		15000:      "LIMA BELAS RIBU",
		21000:      "DUA PULUH SATU RIBU",
		100000:     "SERATUS RIBU",
		101000:     "SERATUS SATU RIBU",
		1000000:    "SATU JUTA",
		1001000:    "SATU JUTA SERIBU",
		1000000000: "SATU MILIAR",
		4294967295: "EMPAT MILIAR DUA RATUS SEMBILAN PULUH EMPAT JUTA SEMBILAN RATUS ENAM PULUH TUJUH RIBU DUA RATUS SEMBILAN PULUH LIMA",
	} {
		require.Equal(t, want+" RUPIAH", artwork.Words(value))
	}
}

// read is the inverse of Words, made from the grammar and not from the code.
func read(text string) (total uint64, ok bool) {
	digits := map[string]uint64{"SATU": 1, "DUA": 2, "TIGA": 3, "EMPAT": 4, "LIMA": 5, "ENAM": 6, "TUJUH": 7, "DELAPAN": 8, "SEMBILAN": 9}
	groups := map[string]uint64{"RIBU": 1e3, "JUTA": 1e6, "MILIAR": 1e9}
	var group, pending uint64
	last := uint64(1e12)
	for _, word := range strings.Fields(strings.TrimSuffix(text, " RUPIAH")) {
		switch {
		case digits[word] > 0 && pending == 0:
			pending = digits[word]
		case word == "BELAS" && pending > 1:
			group, pending = group+10+pending, 0
		case word == "PULUH" && pending > 1:
			group, pending = group+10*pending, 0
		case word == "RATUS" && pending > 1:
			group, pending = group+100*pending, 0
		case word == "SEPULUH" && pending == 0:
			group += 10
		case word == "SEBELAS" && pending == 0:
			group += 11
		case word == "SERATUS" && pending == 0:
			group += 100
		case word == "SERIBU" && pending == 0 && group == 0 && last > 1e3:
			total, last = total+1e3, 1e3
		case groups[word] > 0 && groups[word] < last && group+pending > 0:
			total, last = total+(group+pending)*groups[word], groups[word]
			group, pending = 0, 0
		default:
			return 0, false
		}
	}
	return total + group + pending, true
}

func TestWordsSayTheNumber(t *testing.T) {
	check := func(value uint32) {
		text := artwork.Words(value)
		got, ok := read(text)
		if !ok || got != uint64(value) || len(text) > 133 {
			require.Failf(t, "wrong words", "%d: %s", value, text)
		}
	}
	for value := uint32(1); value < 30_000; value++ {
		check(value)
		check(value * 1000)
	}
	random := rand.New(rand.NewPCG(5, 6))
	for range 50_000 {
		check(max(1, random.Uint32()>>random.IntN(32)))
	}
	for shift := range 32 {
		check(1 << shift)
		check(1<<(shift+1) - 1)
	}
}
