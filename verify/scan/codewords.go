package scan

import (
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/common/reedsolomon"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"

	"github.com/seed-574216e4/meterai/verify/internal/qrtext"
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
	text, _ := qrtext.Segments(data, version.GetVersionNumber())
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
