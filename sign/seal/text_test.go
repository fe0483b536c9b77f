package seal_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/seal"
)

func TestText(t *testing.T) {
	for alg, signer := range signers(t) {
		s := sample(t)
		b := signed(t, s, signer)
		for _, prefix := range []string{"", "/", "HTTPS://STAMP.EXAMPLE/S/", "HTTPS://A-B.EXAMPLE:8443/$%*+/"[2:]} {
			text, err := seal.Text(prefix, b)
			require.NoError(t, err)
			want := new(big.Int).SetBytes(append([]byte{1}, b...))
			require.Equal(t, prefix+want.String(), text)
			for _, read := range []string{text, " " + text + "\r\n", "\t" + text} {
				got, encoded, err := seal.ParseText(read)
				require.NoError(t, err)
				require.Equal(t, b, encoded)
				require.Equal(t, s, got)
				require.NoError(t, got.Verify(key(t, signer)), alg)
			}
		}
	}
}

func TestKnownText(t *testing.T) {
	text, err := seal.Text("HTTPS://STAMP.EXAMPLE/S/", signed(t, sample(t), signers(t)["Ed25519"]))
	require.NoError(t, err)
	require.Equal(t, knownText, text)
}

func TestTextRefuses(t *testing.T) {
	b := signed(t, sample(t), signers(t)["Ed25519"])
	for name, prefix := range map[string]string{
		"no slash":   "HTTPS://STAMP.EXAMPLE",
		"lower case": "https://stamp.example/",
		"29 long":    "HTTPS://" + strings.Repeat("A", 20) + "/",
		"space":      "HTTPS://A B/",
		"hash":       "HTTPS://A/#/",
		"query":      "HTTPS://A/?S=/",
		"not ASCII":  "HTTPS://\u00c9/",
		"zero byte":  "\x00/",
	} {
		_, err := seal.Text(prefix, b)
		var bad *seal.TextError
		require.ErrorAs(t, err, &bad, name)
		require.NotEmpty(t, bad.Error())
	}
	_, err := seal.Text("", b[:129])
	var format *seal.FormatError
	require.ErrorAs(t, err, &format)
}

func TestParseTextRefuses(t *testing.T) {
	b := signed(t, sample(t), signers(t)["Ed25519"])
	text, err := seal.Text("HTTPS://A.EXAMPLE/", b)
	require.NoError(t, err)
	digits := strings.TrimPrefix(text, "HTTPS://A.EXAMPLE/")
	number := func(b ...byte) string { return new(big.Int).SetBytes(b).String() }
	texts := map[string]string{
		"empty":           "",
		"white space":     " \n ",
		"prefix alone":    "HTTPS://A.EXAMPLE/",
		"lower prefix":    "https://a.example/" + digits,
		"leading zero":    "HTTPS://A.EXAMPLE/0" + digits,
		"bare zero":       "0",
		"plus":            "+" + digits,
		"minus":           "-" + digits,
		"underscore":      digits[:10] + "_" + digits[10:],
		"inner space":     digits[:10] + " " + digits[10:],
		"trailing slash":  text + "/",
		"query":           text + "?a=1",
		"fragment":        text + "#1",
		"hexadecimal":     "0x1",
		"letters":         digits + "A",
		"Arabic digits":   "\u0661" + digits,
		"fullwidth digit": "\uff11" + digits,
		"long prefix":     "HTTPS://" + strings.Repeat("A", 20) + "/" + digits,
		"a megabyte":      strings.Repeat("9", 1<<20),
		"megabyte spaces": strings.Repeat(" ", 1<<20) + digits,
		"1235 digits":     strings.Repeat("9", 1235),
		"guard 2":         number(append([]byte{2}, b...)...),
		"no guard":        number(b...),
		"one":             "7",
	}
	for name, bad := range texts {
		_, _, err := seal.ParseText(bad)
		var refused *seal.TextError
		require.ErrorAs(t, err, &refused, name)
	}
	for name, bad := range map[string]string{
		"guard alone":   "1",
		"cut off":       number(append([]byte{1}, b[:129]...)...),
		"trailing byte": number(append(append([]byte{1}, b...), 0)...),
		"too long":      number(append([]byte{1}, make([]byte, 512)...)...),
	} {
		_, _, err := seal.ParseText(bad)
		var refused *seal.FormatError
		require.ErrorAs(t, err, &refused, name)
	}
}
