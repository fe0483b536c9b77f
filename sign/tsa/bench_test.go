package tsa_test

import (
	"testing"

	"github.com/seed-574216e4/meterai/sign/tsa"
)

// BenchmarkParse is what a token costs to check: two certificates and one P-256
// signature.
func BenchmarkParse(b *testing.B) {
	raw := token(b, &specimen(b).TSA, nil)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tsa.Parse(raw); err != nil {
			b.Fatal(err)
		}
	}
}
