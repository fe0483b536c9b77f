package seal

import qrcode "github.com/skip2/go-qrcode"

// PNG gives an image of a seal's text at level M for a screen, pixels wide and
// high (to 4096), black on white, quiet zone included. For paper draw
// [Symbol.AppendPath], which stays sharp and is much faster. The symbol has the same text and may differ from [NewSymbol] in its
// segments and mask. A size too small for 2 pixels a module is a *SizeError.
func PNG(text string, pixels int) ([]byte, error) {
	if _, _, err := split(text); err != nil {
		return nil, err
	}
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		return nil, &SizeError{What: "text length", Got: len(text), Min: 1, Max: MaxPrefix + maxDigits}
	}
	least := 2 * (17 + 4*code.VersionNumber + 2*Quiet)
	if pixels < least || pixels > maxPixels {
		return nil, &SizeError{What: "image size", Got: pixels, Min: least, Max: maxPixels}
	}
	return code.PNG(pixels)
}
