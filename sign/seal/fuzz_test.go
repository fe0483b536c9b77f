package seal_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/seal"
)

// seeds gives seals of both algorithms, with and without TLVs.
func seeds(t testing.TB) [][]byte {
	var all [][]byte
	for _, signer := range signers(t) {
		for _, extra := range [][]seal.TLV{nil, {{1, []byte("a")}, {2, nil}}} {
			s := sample(t)
			s.Extra = extra
			all = append(all, signed(t, s, signer))
		}
	}
	require.NotEmpty(t, all)
	return all
}

// What parses has exactly one encoding: the one it was parsed from.
func FuzzParse(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := seal.Parse(b)
		var format *seal.FormatError
		if err != nil {
			require.True(t, errors.As(err, &format))
			return
		}
		again, err := s.Encode()
		require.NoError(t, err)
		require.Equal(t, b, again)
		text, err := seal.Text("", b)
		require.NoError(t, err)
		_, back, err := seal.ParseText(text)
		require.NoError(t, err)
		require.Equal(t, b, back)
	})
}

// What parses is what Text makes of it, but for white space around.
func FuzzParseText(f *testing.F) {
	for _, b := range seeds(f) {
		for _, prefix := range []string{"", "HTTPS://STAMP.EXAMPLE/S/"} {
			text, err := seal.Text(prefix, b)
			require.NoError(f, err)
			f.Add(text)
			f.Add(" " + text + "\n")
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, b, err := seal.ParseText(text)
		if err != nil {
			var bad *seal.TextError
			var format *seal.FormatError
			require.True(t, errors.As(err, &bad) || errors.As(err, &format))
			return
		}
		trimmed := strings.TrimSpace(text)
		again, err := seal.Text(trimmed[:strings.LastIndexByte(trimmed, '/')+1], b)
		require.NoError(t, err)
		require.Equal(t, trimmed, again)
		symbol, err := seal.NewSymbol(trimmed)
		require.NoError(t, err)
		require.Equal(t, 17+4*symbol.Version(), symbol.Size())
	})
}
