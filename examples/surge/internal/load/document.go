package load

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
)

// Document is what one person wants to have stamped. [Document.Bytes] makes it, always the same.
type Document struct {
	Seed          uint64
	Person, Index int
	Size          int // of the file in bytes, about
}

// The sizes of documents in bytes.
const (
	MinSize  = 5_000
	MaxSize  = 60_000
	meanSize = 15_000
)

// size draws from a log-normal distribution with the mean of [meanSize].
func size(rng *rand.Rand) int {
	const sigma = 0.6
	mu := math.Log(meanSize) - sigma*sigma/2
	return int(max(MinSize, min(MaxSize, math.Exp(mu+sigma*rng.NormFloat64()))))
}

// Sizes gives sizes of documents, one at each call.
func Sizes(seed uint64, stream int) func() int {
	rng := rand.New(rand.NewPCG(seed, uint64(stream)))
	return func() int { return size(rng) }
}

// Bytes makes the document: one A4 page with a statement of the person, and a scanned picture that makes up its size.
func (d *Document) Bytes() []byte {
	const width = 120
	rng := rand.New(rand.NewPCG(d.Seed^uint64(d.Person)<<20, uint64(d.Index)+77))
	name := fmt.Sprintf("%s %s", first[rng.IntN(len(first))], last[rng.IntN(len(last))])
	var text bytes.Buffer
	text.WriteString("BT /F1 16 Tf 150 760 Td (SURAT PERNYATAAN) Tj ET\nBT /F1 11 Tf 14 TL 72 720 Td\n")
	for _, line := range []string{
		"Yang bertanda tangan di bawah ini:", "Nama: " + name, fmt.Sprintf("Nomor peserta: %08d-%d", d.Person, d.Index+1),
		"menyatakan bersedia ditempatkan di seluruh wilayah Republik Indonesia", "dan tidak mengajukan pindah dalam sepuluh tahun.",
	} {
		fmt.Fprintf(&text, "(%s) Tj T*\n", line)
	}
	text.WriteString("ET\nq 200 0 0 200 72 400 cm /Im Do Q\n")
	rows := max(1, (d.Size-1500)/width)
	picture := make([]byte, rows*width)
	for i := 0; i+8 <= len(picture); i += 8 {
		x := rng.Uint64()
		for k := range 8 {
			picture[i+k] = byte(x >> (8 * k))
		}
	}
	return file(
		[]byte("<< /Type /Catalog /Pages 2 0 R >>"),
		[]byte("<< /Type /Pages /Kids [3 0 R] /Count 1 >>"),
		[]byte("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595.28 841.89] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> /XObject << /Im 6 0 R >> >> >>"),
		stream("", text.Bytes()),
		[]byte("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"),
		stream(fmt.Sprintf("/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8 ", width, rows), picture),
	)
}

var (
	first = []string{"Ayu", "Budi", "Citra", "Dewi", "Eko", "Fajar", "Gita", "Hendra", "Indah", "Joko", "Kartika", "Lestari"}
	last  = []string{"Santoso", "Wijaya", "Pratama", "Siregar", "Hidayat", "Nugroho", "Simanjuntak", "Rahman", "Saputra", "Halim"}
)

func stream(entries string, data []byte) []byte {
	var b bytes.Buffer
	b.Grow(len(data) + 200)
	fmt.Fprintf(&b, "<< %s/Length %d >>\nstream\n", entries, len(data))
	b.Write(data)
	b.WriteString("\nendstream")
	return b.Bytes()
}

// file puts objects, numbered from 1, into a file with a cross-reference table (ISO 32000-2, 7.5).
func file(objects ...[]byte) []byte {
	var b bytes.Buffer
	b.Grow(MaxSize + 2000)
	b.WriteString("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
	offsets := make([]int, len(objects))
	for i, o := range objects {
		offsets[i] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, off := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", off)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, start)
	return b.Bytes()
}
