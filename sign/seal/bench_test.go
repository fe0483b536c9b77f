package seal_test

import (
	"testing"

	qrcode "github.com/skip2/go-qrcode"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/seal"
)

func BenchmarkSign(b *testing.B) {
	for alg, signer := range signers(b) {
		k, s := key(b, signer), sample(b)
		b.Run(alg, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.SignWith(k, signer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	for alg, signer := range signers(b) {
		k, encoded := key(b, signer), signed(b, sample(b), signer)
		b.Run(alg, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s, err := seal.Parse(encoded)
				if err != nil || s.Verify(k) != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	encoded := signed(b, sample(b), signers(b)["P-256"])
	b.ReportAllocs()
	for b.Loop() {
		if _, err := seal.Parse(encoded); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkText(b *testing.B) {
	encoded := signed(b, sample(b), signers(b)["P-256"])
	b.ReportAllocs()
	for b.Loop() {
		if _, err := seal.Text("HTTPS://STAMP.EXAMPLE/S/", encoded); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseText(b *testing.B) {
	text := sampleText(b, "HTTPS://STAMP.EXAMPLE/S/", 0)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := seal.ParseText(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSymbol(b *testing.B) {
	text := sampleText(b, "HTTPS://STAMP.EXAMPLE/S/", 0)
	b.Run("NewSymbol", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := seal.NewSymbol(text); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("AppendPath", func(b *testing.B) {
		y, err := seal.NewSymbol(text)
		require.NoError(b, err)
		dst := make([]byte, 0, 16<<10)
		b.ReportAllocs()
		for b.Loop() {
			dst = y.AppendPath(dst[:0], 10, 10, 1.2756, 0.1134)
		}
		b.ReportMetric(float64(len(dst)), "content-bytes")
	})
	// The library that makes PNG, up to its bitmap and up to the image.
	b.Run("go-qrcode/bitmap", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			code, err := qrcode.New(text, qrcode.Medium)
			if err != nil {
				b.Fatal(err)
			}
			code.Bitmap()
		}
	})
	b.Run("PNG", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := seal.PNG(text, 300); err != nil {
				b.Fatal(err)
			}
		}
	})
}
