package seal

import (
	"math/big"
	"strings"
)

// guard stands before the seal's bytes in the number, so that none of them is
// lost as a leading zero.
const guard = 1

// Text gives the text form of an encoded seal: prefix, then 0x01 and the bytes
// as one decimal number. The prefix may be empty; else it is an upper-case URL
// (or any text of QR alphanumeric characters but the space) of at most
// MaxPrefix characters that ends in '/', since the digits are the last element
// of the path. encoded must be canonical, as of [Parse].
func Text(prefix string, encoded []byte) (string, error) {
	if err := checkPrefix(prefix); err != nil {
		return "", err
	}
	if _, err := Parse(encoded); err != nil {
		return "", err
	}
	var number big.Int
	number.SetBytes(append([]byte{guard}, encoded...))
	dst := append(make([]byte, 0, MaxPrefix+maxDigits), prefix...)
	return string(number.Append(dst, 10)), nil
}

// ParseText reads the text form of a seal, as a reader of QR symbols gives it,
// and gives the seal and its encoding. White space around the text is ignored;
// beyond that only what [Text] makes is accepted. A text that is none is a
// *TextError, a number that is no seal a *FormatError. The signature is not
// verified.
func ParseText(text string) (*Seal, []byte, error) {
	if len(text) > maxText {
		return nil, nil, &TextError{maxText, "too long"}
	}
	text = strings.TrimSpace(text)
	prefix, digits, err := split(text)
	if err != nil {
		return nil, nil, err
	}
	var number big.Int
	if _, ok := number.SetString(digits, 10); !ok {
		return nil, nil, &TextError{len(prefix), "not a number"}
	}
	b := number.Bytes()
	if b[0] != guard {
		return nil, nil, &TextError{len(prefix), "the number does not begin with the guard byte"}
	}
	b = b[1:]
	s, err := Parse(b)
	if err != nil {
		return nil, nil, err
	}
	return s, b, nil
}

// split cuts a text into prefix and digits and checks both.
func split(text string) (prefix, digits string, err error) {
	i := strings.LastIndexByte(text, '/') + 1
	prefix, digits = text[:i], text[i:]
	if err := checkPrefix(prefix); err != nil {
		return "", "", err
	}
	switch {
	case digits == "":
		return "", "", &TextError{i, "no digits"}
	case len(digits) > maxDigits:
		return "", "", &TextError{i, "too many digits"}
	case digits[0] == '0':
		return "", "", &TextError{i, "a leading zero"}
	}
	for j := range len(digits) {
		if digits[j] < '0' || digits[j] > '9' {
			return "", "", &TextError{i + j, "not a digit"}
		}
	}
	return prefix, digits, nil
}

// checkPrefix says whether a prefix can stand before the digits.
func checkPrefix(prefix string) error {
	if len(prefix) > MaxPrefix {
		return &TextError{MaxPrefix, "the prefix is longer than 28 characters"}
	}
	for i := range len(prefix) {
		c := prefix[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && strings.IndexByte("$%*+-./:", c) < 0 {
			return &TextError{i, "the prefix has a character that is not QR alphanumeric"}
		}
	}
	if prefix != "" && prefix[len(prefix)-1] != '/' {
		return &TextError{len(prefix) - 1, "the prefix does not end in a slash"}
	}
	return nil
}
