package scan

import (
	"strings"
	"unicode/utf8"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/common/reedsolomon"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"
)

// textOf decodes modules: format, version, error correction, then the segments that
// seals and most other symbols have. The matrix is square and has the edge of a
// version. Of gozxing these steps are called one by one; its last one, which
// guesses among twenty character sets, is not, since seals need none of them.
func textOf(bits *gozxing.BitMatrix) string {
	if bits == nil {
		return ""
	}
	parser, err := decoder.NewBitMatrixParser(bits)
	if err != nil {
		return ""
	}
	version, err := parser.ReadVersion()
	if err != nil || version == nil {
		return ""
	}
	format, err := parser.ReadFormatInformation()
	if err != nil || format == nil {
		return ""
	}
	words, err := parser.ReadCodewords()
	if err != nil {
		return ""
	}
	blocks, err := decoder.DataBlock_GetDataBlocks(words, version, format.GetErrorCorrectionLevel())
	if err != nil {
		return ""
	}
	data, ok := corrected(blocks)
	if !ok {
		return ""
	}
	text, _ := segments(data, version.GetVersionNumber())
	return text
}

// corrected gives the data words of the blocks, one block after the other; false
// when one has more errors than can be corrected.
func corrected(blocks []*decoder.DataBlock) (data []byte, ok bool) {
	field := reedsolomon.NewReedSolomonDecoder(reedsolomon.GenericGF_QR_CODE_FIELD_256)
	for _, b := range blocks {
		words := make([]int, len(b.GetCodewords()))
		for i, w := range b.GetCodewords() {
			words[i] = int(w)
		}
		if field.Decode(words, len(words)-b.GetNumDataCodewords()) != nil {
			return nil, false
		}
		for _, w := range words[:b.GetNumDataCodewords()] {
			data = append(data, byte(w))
		}
	}
	return data, true
}

// bitReader takes bits from the left; beyond the end there are zeros.
type bitReader struct {
	b   []byte
	pos int
}

func (r *bitReader) take(n int) int {
	v := 0
	for range n {
		v <<= 1
		if r.pos/8 < len(r.b) {
			v |= int(r.b[r.pos/8]>>(7-r.pos%8)) & 1
		}
		r.pos++
	}
	return v
}

// beyond says that more was taken than there was.
func (r *bitReader) beyond() bool { return r.pos > 8*len(r.b) }

const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

// segments reads numeric and alphanumeric segments, and bytes that are UTF-8
// (ISO/IEC 18004, 7.4). A symbol with others has no text for us.
func segments(data []byte, version int) (string, bool) {
	r := &bitReader{b: data}
	wider, bytesWider := 0, 0 // of the counts
	if version >= 10 {
		wider, bytesWider = 2, 8
	}
	if version >= 27 {
		wider = 4
	}
	var b strings.Builder
	for r.pos+4 <= 8*len(data) {
		ok := false
		switch r.take(4) {
		case 0:
			return b.String(), b.Len() > 0
		case 1:
			ok = r.digits(&b, r.take(10+wider))
		case 2:
			ok = r.letters(&b, r.take(9+wider))
		case 4:
			ok = r.bytes(&b, r.take(8+bytesWider))
		}
		if !ok {
			return "", false
		}
	}
	return b.String(), b.Len() > 0
}

// digits reads a numeric segment: three digits in ten bits.
func (r *bitReader) digits(b *strings.Builder, n int) bool {
	for ; n > 0; n -= 3 {
		k := min(n, 3)
		v := r.take([4]int{0, 4, 7, 10}[k])
		if r.beyond() || v >= [4]int{0, 10, 100, 1000}[k] {
			return false
		}
		for unit := [4]int{0, 1, 10, 100}[k]; unit > 0; unit /= 10 {
			b.WriteByte('0' + byte(v/unit%10))
		}
	}
	return true
}

// letters reads an alphanumeric segment: two characters in eleven bits.
func (r *bitReader) letters(b *strings.Builder, n int) bool {
	for ; n > 0; n -= 2 {
		k := min(n, 2)
		v := r.take([3]int{0, 6, 11}[k])
		if r.beyond() || v >= [3]int{0, 45, 45 * 45}[k] {
			return false
		}
		if k == 2 {
			b.WriteByte(alphanumeric[v/45])
		}
		b.WriteByte(alphanumeric[v%45])
	}
	return true
}

// bytes reads a segment of bytes, which must be UTF-8.
func (r *bitReader) bytes(b *strings.Builder, n int) bool {
	if r.pos+8*n > 8*len(r.b) {
		return false
	}
	all := make([]byte, n)
	for i := range all {
		all[i] = byte(r.take(8))
	}
	b.Write(all)
	return utf8.Valid(all)
}
