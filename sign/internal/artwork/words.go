package artwork

import "strings"

var units = [...]string{"", "SATU", "DUA", "TIGA", "EMPAT", "LIMA", "ENAM", "TUJUH", "DELAPAN", "SEMBILAN"}

// Words gives an amount of rupiah in Indonesian words as it is printed on
// stamps: 10000 is "SEPULUH RIBU RUPIAH". One ten, hundred and thousand are
// SEPULUH, SERATUS and SERIBU; one million is SATU JUTA.
func Words(value uint32) string {
	if value == 0 {
		return "NOL RUPIAH"
	}
	words := make([]string, 0, 24)
	for _, group := range [...]struct {
		size uint32
		name string
	}{{1e9, "MILIAR"}, {1e6, "JUTA"}, {1e3, "RIBU"}} {
		n := value / group.size
		value %= group.size
		switch {
		case n == 0:
		case n == 1 && group.size == 1e3:
			words = append(words, "SERIBU")
		default:
			words = append(hundreds(words, n), group.name)
		}
	}
	return strings.Join(append(hundreds(words, value), "RUPIAH"), " ")
}

// hundreds appends the words of a number below 1000; none for 0.
func hundreds(words []string, n uint32) []string {
	switch h := n / 100; {
	case h == 1:
		words = append(words, "SERATUS")
	case h > 1:
		words = append(words, units[h], "RATUS")
	}
	n %= 100
	switch {
	case n == 10:
		return append(words, "SEPULUH")
	case n == 11:
		return append(words, "SEBELAS")
	case n > 11 && n < 20:
		return append(words, units[n-10], "BELAS")
	case n >= 20:
		words = append(words, units[n/10], "PULUH")
	}
	if n%10 > 0 {
		words = append(words, units[n%10])
	}
	return words
}
